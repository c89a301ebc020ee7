package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func getVerb() *verb {
	return &verb{
		name: "get", args: "LINK...", short: "download the content that a link names", group: "Share and download", min: 1, max: -1,
		long: `LINK is a magnet link, an ID (40 hex digits, or the shortened form that shoal search shows), a .torrent file, ` +
			`or the URL of one. Quote magnet links: the shell treats & specially. If LINK is -, get reads links from ` +
			`standard input, one per line. Use that for the link of a sealed share, whose key would otherwise be in the history ` +
			`of the shell and in the list of processes.` + "\n\n" +
			`get prints the path of the download on standard output. The name of a file ends in .part until it is ` +
			`complete and verified. A file of yours that already has its name is used if its content is right. If not, it is ` +
			`kept unchanged, the parts of it that are right are copied, and the download is put beside it as "NAME (2)"; ` +
			`--adopt completes it in place instead. To continue an interrupted download, give the same command again. If a node is running, it does ` +
			`the download, and this command only shows the progress.`,
		examples: []example{
			{"shoal get 'magnet:?xt=urn:btih:…'", "download into the current folder"},
			{"shoal get --output ~/films --file '*.mkv' LINK", "download only some of the files, into another folder"},
			{"shoal get -o film.mkv LINK", "write a single file to a name of your choice"},
			{"shoal get --output - --file backup.tar LINK | tar x", "write one file to a pipe, in order, and keep nothing on disk"},
			{"shoal get - < link.txt", "read the link from a file, so that its key is not on the command line"},
			{"shoal get --timeout 2m --json LINK || echo \"status $?\"", "use it in a script"},
		},
		flags: append(getFlags(), nodeFlags()...),
		run: func(ctx context.Context, c *call) error {
			opts, err := parseGet(ctx, c)
			if err != nil {
				return err
			}
			return withNode(ctx, c, opts.detach, func(ctx context.Context, n client, life lifetime) error {
				return runGet(ctx, n, life, opts, c.out)
			})
		},
	}
}

// getOptions are the arguments and flags of `get`.
type getOptions struct {
	links      []string
	output     string // absolute; empty for standard output
	target     string // absolute; the file to write the only one to, if it is called so
	files      []string
	timeout    time.Duration
	seed       seedWish
	sequential bool
	noTrackers bool
	adopt      bool
	detach     bool
	// told are the links reported as done. It survives a change of node, so that
	// none is reported twice.
	told map[string]bool
}

// seedWish is the value of --seed: how long to seed.
type seedWish struct {
	goal share.Goal
	said bool // --seed was given; otherwise the running node's setting applies
}

func (w seedWish) stay() bool { return w.said && !w.goal.None }

func parseSeed(s string) (seedWish, error) {
	if s == "" {
		return seedWish{}, nil
	}
	g, err := config.ParseGoal(s)
	if err != nil {
		return seedWish{}, usageErrorf("--seed: %w", err)
	}
	return seedWish{goal: g, said: true}, nil
}

func parseGet(ctx context.Context, c *call) (getOptions, error) {
	o := getOptions{
		files:      c.list("file"),
		sequential: c.Bool("sequential"), noTrackers: c.Bool("no-trackers"), adopt: c.Bool("adopt"), detach: c.Bool("detach"),
		told: map[string]bool{},
	}
	var err error
	if o.seed, err = parseSeed(c.String("seed")); err != nil {
		return o, err
	}
	for _, g := range o.files {
		if _, err := filepath.Match(g, ""); err != nil || g == "" {
			return o, usageErrorf("--file %q is not a valid pattern", g)
		}
	}
	if s := c.String("timeout"); s != "" {
		if o.timeout, err = config.ParseSpan(s); err != nil || o.timeout <= 0 {
			return o, usageErrorf("--timeout takes a time such as 90s or 5m, not %q", s)
		}
	}
	if o.output, o.target, err = parseOutput(c, o); err != nil {
		return o, err
	}
	// Last, so that nobody types links for a command line that is wrong.
	if o.links, err = linkArgs(ctx, c.Args().Slice(), os.Stdin, c.out); err != nil {
		return o, err
	}
	if o.output == "" && len(o.links) > 1 {
		return o, usageErrorf("--output - takes only one link")
	}
	if o.target != "" && len(o.links) > 1 {
		return o, usageErrorf("-o FILE takes only one link; --output DIR takes several")
	}
	return o, nil
}

// parseOutput returns the folder to download into, empty for standard output, or the file
// to write and a folder beside it to download into.
func parseOutput(c *call, o getOptions) (dir, target string, err error) {
	out, file := c.String("output"), c.String("output-file")
	switch {
	case file != "" && c.IsSet("output"):
		return "", "", usageErrorf("--output and --output-file cannot be combined")
	case file == "-" || file != "" && isFolder(file):
		out, file = file, ""
	case file != "":
		return parseTarget(file, o)
	}
	if out != "-" {
		dir, err := filepath.Abs(out)
		if err != nil {
			return "", "", share.Errorf(share.Disk, "finding the current folder: %w", err)
		}
		if fi, err := os.Stat(dir); err == nil && !fi.IsDir() {
			return "", "", usageErrorf("--output takes a folder, and %s is a file; -o FILE writes a single file to a new name", share.Quote(out))
		}
		return dir, "", nil
	}
	return "", "", parsePipe(c, o)
}

func parsePipe(c *call, o getOptions) error {
	switch {
	case c.out.json:
		return usageErrorf("--output - and --json cannot be combined: both use standard output")
	case o.adopt:
		return usageErrorf("--output - and --adopt cannot be combined")
	case o.detach:
		return usageErrorf("--output - and --detach cannot be combined")
	case o.seed.stay():
		return usageErrorf("--output - and --seed cannot be combined: nothing is kept that could be seeded")
	case c.out.page != nil:
		return usageErrorf("--output - does not write to a terminal; redirect it to a pipe or a file")
	}
	return nil
}

func getFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Value: ".", EnvVars: envOf("output"), DefaultText: "the current folder",
			Usage: "download into the folder `DIR`; - writes a single file to standard output"},
		&cli.StringFlag{Name: "output-file", Aliases: []string{"o"}, EnvVars: envOf("output-file"),
			Usage: "write the only file, or the one that --file selects, to `FILE`, which must not exist; a folder or - works as with --output"},
		&cli.StringSliceFlag{Name: "file",
			Usage: "download only files whose path or name matches `GLOB`; may be given more than once"},
		stringFlag("timeout", "give up with status 3 if no data arrives for `TIME`, such as 90s or 5m"),
		&cli.StringFlag{Name: "seed", EnvVars: envOf("seed"), DefaultText: "none, or the setting of the running node",
			Usage: "how long to seed the complete download: `GOAL` is none, forever, a time (90m, 7d), or ratio:1.5"},
		boolFlag("sequential", "download the pieces in order"),
		boolFlag("adopt", "complete existing files in place, such as those of another client, if parts of them are right"),
		boolFlag("detach", "hand the download to the running node and return at once"),
	}
}

// getter fetches several links and shows their progress.
type getter struct {
	*batch
	opts getOptions
	life lifetime

	lease string        // of this command, where no daemon takes over
	named map[*job]bool // whose name and size were printed
	cut   map[*job]bool // whose link has only an ID and may have been cut off

	renamed map[*job]bool // whose changed names were printed
	checked bool          // with a target: one file is selected
}

func runGet(ctx context.Context, n client, life lifetime, opts getOptions, out *output) error {
	if opts.detach && life != itsOwn {
		return errNotLasting
	}
	tellLack(ctx, n, opts.told, out)
	lease := ""
	if life != itsOwn || opts.output == "" || opts.target != "" {
		l, end, err := n.Lease(ctx)
		if err != nil {
			return err
		}
		defer end()
		lease = l
	}
	if opts.output == "" {
		return runPipe(ctx, n, lease, opts, out)
	}
	g := &getter{batch: newBatch(out, n), opts: opts, life: life, lease: lease, named: map[*job]bool{}, cut: map[*job]bool{}, renamed: map[*job]bool{}}
	g.begin, g.look, g.progress.json = g.fetch, g.fetched, true
	if opts.target != "" {
		return runTarget(ctx, g, opts.links[0])
	}
	if err := g.run(ctx, opts.links); err != nil {
		return g.farewell(err)
	}
	if opts.detach || life == itsOwn || !opts.seed.stay() {
		return nil
	}
	return seed(ctx, n, g.ids(), out)
}

func (g *getter) fetch(ctx context.Context, j *job) (share.Transfer, error) {
	r := api.FetchRequest{
		Output: g.opts.output, Lease: g.lease,
		FetchOptions: share.FetchOptions{
			Files: g.opts.files, Sequential: g.opts.sequential, NoTrackers: g.opts.noTrackers, Adopt: g.opts.adopt,
		},
	}
	switch {
	case g.opts.seed.said:
		r.Goal = &g.opts.seed.goal
	case g.life != itsOwn || g.opts.target != "":
		r.Goal = &share.Goal{None: true}
	}
	if src, err := parseSource(j.arg); err == nil && src.cut() {
		g.cut[j] = true
	}
	t, err := fetch(ctx, g.node, j.arg, r, g.opts.timeout)
	if err == nil && g.opts.seed.said && t.Goal != g.opts.seed.goal { // the transfer existed before
		err = g.node.SetGoal(ctx, t.ID, g.opts.seed.goal)
	}
	return t, err
}

// fetch has the node fetch the content that arg names. A timeout other than 0
// bounds the download of a .torrent file.
func fetch(ctx context.Context, n client, arg string, r api.FetchRequest, timeout time.Duration) (share.Transfer, error) {
	src, err := parseSource(arg)
	if err != nil && isShortID(arg) {
		src, err = catalogued(ctx, n, arg)
	}
	if err != nil {
		return share.Transfer{}, err
	}
	r.Link, r.Torrent = src.ask()
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if src.url != "" && timeout > 0 {
		bounded, cancel = context.WithTimeout(ctx, timeout)
	}
	t, err := n.Fetch(bounded, r)
	late := bounded.Err() != nil && ctx.Err() == nil
	cancel()
	switch {
	case err != nil && late:
		return t, share.Errorf(share.Nobody, "%s did not answer within %s", src.url, spanExact(timeout))
	case err != nil:
		return t, err
	}
	return awake(ctx, n, t)
}

// awake resumes a transfer that existed before and is paused or stopped: asking
// for it again means that it should go on.
func awake(ctx context.Context, n client, t share.Transfer) (share.Transfer, error) {
	if t.State != share.Stopped && (t.State != share.Paused || complete(t)) {
		return t, nil
	}
	if err := n.Resume(ctx, t.ID); err != nil {
		return t, err
	}
	return n.Transfer(ctx, t.ID)
}

// lonely is how long a link that seems cut off may be without peers before the
// user is told.
const lonely = 4 * time.Second

const cutHint = "this link has nothing but an ID; if the shell cut it off at &, put it in quotes"

func (g *getter) fetched(ctx context.Context, j *job) error {
	j.room.look(ctx, g.node, j.arg, j.t, g.opts, g.out)
	if g.opts.target != "" && !g.checked && j.t.Total > 0 {
		if err := g.chosen(ctx, j); err != nil {
			return err
		}
	}
	switch {
	case g.opts.detach:
		j.ended = true
		g.added(j.t)
	case complete(j.t):
		j.ended = true
		if !g.opts.told[j.arg] {
			g.opts.told[j.arg] = true
			g.progress.clear()
			g.beside(ctx, j)
			if g.opts.target != "" {
				if err := g.place(ctx, j); err != nil {
					return err
				}
			}
			g.done(j)
			g.tellRenamed(ctx, j)
		}
	case g.opts.timeout > 0 && g.now().Sub(j.moved) >= g.opts.timeout:
		return g.nobody(ctx, j)
	case g.cut[j] && j.t.Peers == 0 && j.t.Total == 0 && g.now().Sub(j.started) >= lonely:
		g.cut[j] = false // once
		g.out.say("no peer found so far: %s", cutHint)
	case !g.out.json && !g.named[j] && j.t.Total > 0 && j.t.State == share.Fetching:
		g.named[j] = true
		g.beside(ctx, j)
		g.out.say("downloading %s: %s%s", escape(nameOf(j.t)), size(j.t.Total), inFiles(j.t))
		g.tellRenamed(ctx, j)
	}
	return nil
}

// tellRenamed lists once the files whose name on disk differs from that in the
// torrent.
func (g *getter) tellRenamed(ctx context.Context, j *job) {
	if g.out.json || g.renamed[j] {
		return
	}
	files, err := g.node.Files(ctx, j.t.ID)
	if err != nil {
		return
	}
	lines := changedNames(files, onDisk)
	if len(lines) > 0 {
		g.renamed[j] = true
		g.out.say("names that were changed because this disk does not allow them:\n%s", strings.Join(lines, "\n"))
	}
}

// onDisk is the name of a file on disk, or empty if it is that of the torrent.
func onDisk(f share.File) string {
	if f.Disk == "" && f.Named != "" {
		return f.Path
	}
	return f.Disk
}

// changedNames lists the changed names, the first few of many.
func changedNames(files []share.File, becomes func(share.File) string) (lines []string) {
	const most = 5
	n := 0
	for _, f := range files {
		if to := becomes(f); to != "" && f.Priority != share.Skip {
			if n++; n <= most {
				lines = append(lines, "  "+escape(orElse(f.Named, f.Path))+" -> "+escape(to))
			}
		}
	}
	if n > most {
		lines = append(lines, fmt.Sprintf("  and %d more (shoal files --json ID lists all)", n-most))
	}
	return lines
}

type addedRecord struct {
	Event string      `json:"event"`
	ID    share.ID    `json:"id"`
	Name  string      `json:"name"`
	State share.State `json:"state"`
}

func (g *getter) added(t share.Transfer) {
	if g.out.json {
		g.out.record(addedRecord{"added", t.ID, t.Name, t.State})
		return
	}
	g.out.data(t.ID.String())
	g.out.say("the node is downloading %s (shoal list shows its progress)", escape(nameOf(t)))
}

type besideRecord struct {
	Event string   `json:"event"`
	ID    share.ID `json:"id"`
	share.Found
}

// beside reports once each of the user's files that has the name of a wanted one.
func (g *getter) beside(ctx context.Context, j *job) {
	lines, err := g.node.Log(ctx, j.t.ID)
	if err != nil {
		return // the download matters more
	}
	for _, l := range lines {
		if l.File == nil || g.opts.told[l.File.Path+"\x00"+l.File.Beside] {
			continue
		}
		g.opts.told[l.File.Path+"\x00"+l.File.Beside] = true
		if g.out.json {
			g.out.record(besideRecord{"beside", j.t.ID, *l.File})
			continue
		}
		g.progress.clear()
		g.out.say("%s", escape(l.File.String()))
	}
}

// nobody is the error of a transfer that received nothing for too long.
func (g *getter) nobody(ctx context.Context, j *job) error {
	err := nobody(ctx, g.node, j.t, g.opts.timeout)
	if j.t.Peers > 0 {
		return err
	}
	hint := "is it still being shared? shoal doctor on both machines says whether they can be reached"
	if src, perr := parseSource(j.arg); perr == nil && src.cut() {
		hint = cutHint
	}
	return share.Errorf(share.Nobody, "%w (%s)", err, hint)
}

// nobody is the error of a transfer that received nothing during wait. It lists the
// sources of peers that were asked and their answers.
func nobody(ctx context.Context, n client, t share.Transfer, wait time.Duration) error {
	name := nameOf(t)
	said := ""
	if ways, err := n.Discovery(ctx, t.ID); err == nil {
		said = whatWasSaid(ways)
	}
	if t.IPv4Only > 0 {
		said += "; " + ipv4Only(t)
	}
	if t.Peers > 0 {
		return share.Errorf(share.Nobody, "no data of %s arrived for %s: connected to %s, but none has a missing piece%s",
			name, spanExact(wait), count(t.Peers, "peer"), said)
	}
	return share.Errorf(share.Nobody, "no peer that has %s was found in %s%s", name, spanExact(wait), said)
}

// whatWasSaid lists the answers of trackers and web seeds and the errors of the
// other sources of peers.
func whatWasSaid(ways []share.Way) string {
	var b strings.Builder
	for _, w := range ways {
		if !w.On {
			continue
		}
		name, said := string(w.Source), w.Error
		if w.Name != "" {
			name = w.Name
			switch {
			case said != "":
			case w.Last.IsZero():
				said = "no answer yet"
			case w.Source == share.FromTracker:
				said = "returned " + count(w.Found, "peer")
			default:
				continue
			}
		}
		if said != "" {
			b.WriteString("; " + name + ": " + said)
		}
	}
	return b.String()
}

// complete reports whether every selected file is on disk and verified. If the
// transfer was complete before and is paused, it may no longer be.
func complete(t share.Transfer) bool {
	switch t.State {
	case share.Seeding, share.Paused:
		return !t.Completed.IsZero() && t.Bytes >= t.Total
	}
	return false
}

type doneRecord struct {
	Event   string     `json:"event"`
	ID      share.ID   `json:"id"`
	Name    string     `json:"name"`
	Path    string     `json:"path"`
	Bytes   int64      `json:"bytes"`
	Files   int        `json:"files"`
	Seconds float64    `json:"seconds"`
	Seal    share.Seal `json:"seal,omitempty"`
}

func (g *getter) done(j *job) {
	t, took := j.t, g.now().Sub(j.started)
	if g.out.json {
		if !g.progress.told[t.ID] { // it was complete before its first change
			g.progress.record(t)
		}
		g.out.record(doneRecord{"done", t.ID, t.Name, t.Path, t.Total, t.Files, took.Round(time.Millisecond).Seconds(), t.Seal})
		return
	}
	g.out.data(t.Path)
	line := fmt.Sprintf("%s: %s%s", escape(nameOf(t)), size(t.Total), inFiles(t))
	if came := t.Downloaded - j.first.Downloaded; came > 0 && took > 0 {
		line += fmt.Sprintf(", downloaded in %s (%s)", spanExact(took), rate(int64(float64(came)/took.Seconds())))
	} else {
		line += ", already on disk and verified"
	}
	g.out.say("%s", line)
}

func inFiles(t share.Transfer) string {
	if t.Files < 2 || t.Total != t.Size { // the number of selected files is not known here
		return ""
	}
	return " in " + count(t.Files, "file")
}

// farewell adds to an interruption how to continue.
func (g *getter) farewell(err error) error {
	switch {
	case kindOf(err) != share.Interrupted || len(g.going()) == 0:
		return err
	case g.life == ours || g.opts.target != "":
		return share.Errorf(share.Interrupted, "interrupted: give the same command again to continue")
	}
	return share.Errorf(share.Interrupted, "interrupted, but the node continues the download (shoal list shows its progress, shoal pause ID pauses it)")
}

// spanExact is span with tenths below ten seconds.
func spanExact(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return span(d)
}
