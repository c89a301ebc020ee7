package main

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/cmd/internal/imports"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// importClients are the other clients whose transfers can be imported.
var importClients = []struct {
	word, name string
	read       func(dir string) ([]imports.Transfer, error)
}{
	{"transmission", "Transmission", imports.Transmission},
	{"qbittorrent", "qBittorrent", imports.QBittorrent},
}

func importVerb() *verb {
	return &verb{
		name: "import", args: "CLIENT DIR", short: "take over complete downloads of another client", group: "Share and download", min: 2, max: -1,
		words: []string{"transmission", "qbittorrent"},
		long: `CLIENT is transmission or qbittorrent, and DIR the folder in which it keeps its state, such as ` +
			`~/.config/transmission-daemon or ~/.local/share/qBittorrent. Quit the other client first: it saves its state when it ends. ` +
			`To import only some transfers, name them after DIR: by name, by glob, or by the beginning of IDs.` + "\n\n" +
			`import reads the torrents and resume data in DIR, and shares complete transfers from where their files are. The files ` +
			`are hashed first and then seeded. shoal only reads them: it never changes, moves or deletes them, and neither does ` +
			`remove --data. Nothing is downloaded. The state of the other client stays as it is. Trackers, totals, and the rate and ` +
			`ratio limits of each transfer are taken over; labels are not. A transfer that was stopped in the other client is paused.` + "\n\n" +
			`Transfers that are not complete are listed as skipped: shoal does not continue the downloads of other clients in place. ` +
			`The exit status is 0 if all complete ones were imported or were here already.`,
		examples: []example{
			{"shoal import --dry-run transmission ~/.config/transmission-daemon", "show what would be imported, and change nothing"},
			{"shoal import transmission ~/.config/transmission-daemon", "import all complete transfers of Transmission"},
			{"shoal import qbittorrent ~/.local/share/qBittorrent 'debian*'", "import some transfers of qBittorrent"},
		},
		flags: append([]cli.Flag{
			boolFlag("dry-run", "only show what would be imported"),
			&cli.StringFlag{Name: "seed", EnvVars: envOf("seed"), DefaultText: "forever",
				Usage: "how long to seed: `GOAL` is forever, a time (90m, 7d), or ratio:1.5"},
		}, nodeFlags()...),
		run: func(ctx context.Context, c *call) error {
			opts, err := parseImport(c)
			if err != nil {
				return err
			}
			if opts.dry {
				return runDryImport(opts, c.out)
			}
			return withNode(ctx, c, false, func(ctx context.Context, n client, life lifetime) error {
				return runImport(ctx, n, life, opts, c.out)
			})
		},
	}
}

// importOptions are the arguments and flags of `import`.
type importOptions struct {
	client     string // for people
	all        []imports.Transfer
	dry        bool
	seed       seedWish
	noTrackers bool
	// ended are the results so far, as long as all. It survives a change of node.
	ended []*importRecord
}

func parseImport(c *call) (o importOptions, err error) {
	args := c.Args().Slice()
	o = importOptions{dry: c.Bool("dry-run"), noTrackers: c.Bool("no-trackers")}
	if o.seed, err = parseSeed(c.String("seed")); err != nil {
		return o, err
	}
	if o.seed.goal.None {
		return o, usageErrorf("--seed none would share nothing; use forever, a time, or ratio:N")
	}
	for _, cl := range importClients {
		if cl.word != strings.ToLower(args[0]) {
			continue
		}
		o.client = cl.name
		if o.all, err = cl.read(args[1]); err != nil {
			return o, err
		}
		o.all, err = chosen(o.all, args[2:])
		o.ended = make([]*importRecord, len(o.all))
		return o, err
	}
	return o, usageErrorf("import knows transmission and qbittorrent, not %s", share.Quote(args[0]))
}

// chosen returns the transfers that one of some names matches; all if there are none.
func chosen(all []imports.Transfer, names []string) ([]imports.Transfer, error) {
	if len(names) == 0 {
		return all, nil
	}
	used := make([]bool, len(names))
	some := slices.DeleteFunc(slices.Clone(all), func(t imports.Transfer) bool {
		hit := false
		for i, name := range names {
			if is, err := path.Match(name, t.Name); err == nil && is || name == t.Name || hasID(t, strings.ToLower(name)) {
				used[i], hit = true, true
			}
		}
		return !hit
	})
	if i := slices.Index(used, false); i >= 0 {
		return nil, usageErrorf("no transfer is called %s (--dry-run lists them)", share.Quote(names[i]))
	}
	return some, nil
}

// hasID tells whether an ID of t begins with at least four digits.
func hasID(t imports.Transfer, digits string) bool {
	return len(digits) >= 4 && slices.ContainsFunc(t.IDs, func(id share.ID) bool { return strings.HasPrefix(id.String(), digits) })
}

// The results of an import.
const (
	importReady   = "ready" // of a dry run
	importDone    = "imported"
	importPresent = "present"
	importSkipped = "skipped"
	importFailed  = "failed"
)

// importRecord is what became of one transfer of another client.
type importRecord struct {
	Event  string   `json:"event"` // import
	Result string   `json:"result"`
	ID     share.ID `json:"id,omitzero"`
	Name   string   `json:"name"`
	Path   string   `json:"path,omitempty"`
	Bytes  int64    `json:"bytes"`
	Files  int      `json:"files"`
	Paused bool     `json:"paused,omitempty"`
	Reason string   `json:"reason,omitempty"` // why it was skipped, or failed; of one that is present, why it makes no progress
	Code   string   `json:"code,omitempty"`   // of the error

	kind share.Kind
}

func importRecordOf(t *imports.Transfer, result string) *importRecord {
	r := &importRecord{Event: "import", Result: result, Name: t.Name, Path: t.Path, Bytes: t.Size, Files: t.Files, Paused: t.Paused}
	if len(t.IDs) > 0 {
		r.ID = t.IDs[0]
	}
	switch {
	case t.Skip != "":
		r.Result, r.Reason = importSkipped, t.Skip
	case t.Err != nil:
		r.failed(t.Err)
	}
	return r
}

func (r *importRecord) failed(err error) {
	r.Result, r.Reason, r.kind = importFailed, share.Redact(err.Error()), kindOf(err)
	r.Code = r.kind.Code()
}

func runDryImport(o importOptions, out *output) error {
	for i := range o.all {
		o.ended[i] = importRecordOf(&o.all[i], importReady)
	}
	return tellImport(o, out)
}

// importer imports the complete transfers of another client.
type importer struct {
	*batch
	opts importOptions
	of   map[string]int // by what a job calls it: the number of its transfer
}

func runImport(ctx context.Context, n client, life lifetime, opts importOptions, out *output) error {
	im := &importer{batch: newBatch(out, n), opts: opts, of: map[string]int{}}
	im.begin, im.look, im.silent = im.hand, im.verified, true
	jobs, err := im.plan(ctx)
	if err != nil {
		return err
	}
	err = im.wait(ctx, jobs)
	for _, j := range im.jobs {
		if i := im.of[j.arg]; j.ended {
			opts.ended[i] = importRecordOf(&opts.all[i], importDone)
			if j.err != nil {
				opts.ended[i].failed(j.err)
			}
		}
	}
	switch {
	case kindOf(err) == share.Interrupted:
		return share.Errorf(share.Interrupted, "interrupted: give the same command again to continue")
	case err != nil:
		return err
	}
	err = tellImport(opts, out)
	if life != itsOwn && len(jobs) > 0 && !out.json {
		out.tell("They are seeded while a node runs (shoal daemon starts one).")
	}
	return err
}

// plan names a job for each transfer that the node has to be given, and notes the results
// of the others.
func (im *importer) plan(ctx context.Context) (jobs []string, err error) {
	have, err := im.node.Transfers(ctx, "id", "v1", "v2", "path", "state", "reason")
	if err != nil {
		return nil, err
	}
	here := map[share.ID]*share.Transfer{}
	for i := range have {
		if have[i].State == share.Hashing {
			continue // an import that was interrupted: it is waited for
		}
		for _, id := range have[i].Names() {
			here[id] = &have[i]
		}
	}
	for i := range im.opts.all {
		t := &im.opts.all[i]
		r := importRecordOf(t, importDone)
		at := slices.IndexFunc(t.IDs, func(id share.ID) bool { return here[id] != nil })
		switch {
		case im.opts.ended[i] != nil: // by an earlier node
		case r.Result != importDone:
			im.opts.ended[i] = r
		case at >= 0:
			is := here[t.IDs[at]]
			r.Result, r.Path, r.Reason = importPresent, is.Path, is.Reason
			im.opts.ended[i] = r
		default:
			job := fmt.Sprint(i)
			im.of[job] = i
			jobs = append(jobs, job)
		}
	}
	return jobs, nil
}

// hand gives the node the transfer of a job.
func (im *importer) hand(ctx context.Context, j *job) (share.Transfer, error) {
	t := &im.opts.all[im.of[j.arg]]
	torrent, err := t.Torrent()
	if err != nil {
		return share.Transfer{}, err
	}
	r := api.ImportRequest{Torrent: torrent, Path: t.Path, ImportOptions: share.ImportOptions{
		Files: t.Places, Limits: t.Limits, Paused: t.Paused, NoTrackers: im.opts.noTrackers, Before: t.Before,
	}}
	switch {
	case im.opts.seed.said:
		r.Goal = &im.opts.seed.goal
	case t.Ratio > 0:
		r.Goal = &share.Goal{Ratio: t.Ratio}
	}
	return im.node.Import(ctx, r)
}

// verified ends a job when its files are known to be right.
func (im *importer) verified(_ context.Context, j *job) error {
	switch {
	case complete(j.t):
		j.ended = true
	case j.t.State == share.Paused:
		return share.Errorf(share.Failed, "it was paused before its files were verified (shoal resume %s continues)", j.t.ID.Short())
	}
	return nil
}

// tellImport prints what became of all transfers. The error is that of the first that
// failed.
func tellImport(o importOptions, out *output) error {
	sums := map[string]int{}
	var kind share.Kind
	for _, r := range o.ended {
		sums[r.Result]++
		if kind == 0 {
			kind = r.kind
		}
	}
	if out.json {
		records(out, o.ended)
	} else {
		importTable(o, out)
		importSummary(o, sums, out)
	}
	if n := sums[importFailed]; n > 0 {
		return share.Errorf(kind, "%s of %s could not be imported", count(n, "complete transfer"), o.client)
	}
	return nil
}

// resultWords are what people read for a result.
var resultWords = map[string]string{
	importReady: "complete", importDone: "imported", importPresent: "already here", importSkipped: "skipped", importFailed: "failed",
}

func importTable(o importOptions, out *output) {
	if len(o.ended) == 0 {
		out.say("%s has no transfers there", o.client)
		return
	}
	rows := make([]row, len(o.ended))
	for i, r := range o.ended {
		id, bytes := "", ""
		if !r.ID.IsZero() {
			id, bytes = r.ID.Short(), size(r.Bytes)
		}
		rows[i] = row{cells: []string{id, resultWords[r.Result], bytes, escape(r.Name)}, note: escape(r.Reason)}
		switch {
		case r.Result == importFailed:
			rows[i].tone = toneOfState(share.Stopped)
		case r.Result == importDone && r.Paused:
			rows[i].note = "paused, as it is stopped in " + o.client
		case r.Result == importDone:
			rows[i].tone = toneOfState(share.Seeding)
		}
	}
	out.table([]column{{title: "ID"}, {title: "RESULT", toned: true}, {title: "SIZE", right: true}, {title: "NAME"}}, rows)
}

func importSummary(o importOptions, sums map[string]int, out *output) {
	if len(o.ended) == 0 {
		return
	}
	var parts []string
	for _, result := range []string{importReady, importDone, importPresent, importSkipped, importFailed} {
		if n := sums[result]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, resultWords[result]))
		}
	}
	line := count(len(o.ended), "transfer") + " of " + o.client + ": " + strings.Join(parts, ", ")
	if o.dry {
		line += "; nothing was imported, and files are hashed only when they are"
	}
	out.say("%s", line)
}
