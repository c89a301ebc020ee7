package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func receiveVerb() *verb {
	return &verb{
		name: "receive", args: "[DIR]", short: "let people send you files with a browser", group: "Share and download",
		max: 1,
		long: `shoal prints a web link on standard output. Anyone who has it can send files to this machine with a browser, as long as ` +
			`this command runs, and cannot see the files of others. If a daemon is running, it takes over the link and this command ` +
			`returns; shoal list --receiving shows the link and shoal remove --web-link ends it.` + "\n\n" +
			`The files go into DIR, or into a new folder in the downloads folder. Existing files are never replaced, and unsafe names are ` +
			`changed. An interrupted upload can be continued within two days. Be careful with files from strangers: shoal does not check them.`,
		examples: []example{
			{"shoal receive", "print a link and the files as they arrive; Ctrl-C ends it"},
			{"shoal receive --once photos", "end when somebody has sent their files"},
			{"shoal receive --expires 7d --max-size 20GB --max-files 500 inbox", "limit the time, the size and the number"},
		},
		flags: append([]cli.Flag{
			stringFlag("name", "show `NAME` on the page instead of the folder's name"),
			stringFlag("max-size", "take at most `SIZE` in total, such as 20GB"),
			&cli.IntFlag{Name: "max-files", EnvVars: envOf("max-files"), DefaultText: "10000", Usage: "take at most `N` files in total"},
			stringFlag("expires", "end the link after `TIME`, such as 12h or 7d"),
			boolFlag("web-password", "ask for a password that people must give; from a pipe, the first line of standard input"),
			boolFlag("once", "end with status 0 when somebody has sent their files"),
			boolFlag("qr", "also show the link as a QR code"),
		}, nodeFlags()...),
		run: func(ctx context.Context, c *call) error {
			opts, err := parseReceive(c)
			if err != nil {
				return err
			}
			if c.Bool("web-password") {
				if opts.link.Password, err = askWebPassword(ctx, os.Stdin, c.out); err != nil {
					return err
				}
			}
			return withNode(ctx, c, false, func(ctx context.Context, n client, life lifetime) error {
				return runReceive(ctx, n, life, opts, c.out)
			})
		},
	}
}

// receiveOptions are the argument and flags of `receive`.
type receiveOptions struct {
	link     api.NewReceiveLink
	expires  time.Duration // 0 is never
	once, qr bool
}

func parseReceive(c *call) (o receiveOptions, err error) {
	o.once, o.qr = c.Bool("once"), c.Bool("qr")
	o.link.Name, o.link.MaxFiles = c.String("name"), c.Int("max-files")
	if dir := c.Args().First(); share.IsMagnet(dir) || looksLikeID(dir) {
		return o, usageErrorf("receive takes a folder, not a link; to download what a link names: shoal get LINK")
	} else if dir != "" {
		if o.link.Folder, err = filepath.Abs(dir); err != nil {
			return o, share.Errorf(share.Disk, "finding the current folder: %w", err)
		}
	}
	if o.link.MaxFiles < 0 || o.link.MaxFiles > 10_000 {
		return o, usageErrorf("--max-files takes a number from 1 to 10000")
	}
	if s := c.String("max-size"); s != "" {
		if o.link.MaxSize, err = config.ParseSize(s); err != nil {
			return o, usageErrorf("--max-size: %w", err)
		}
		if o.link.MaxSize <= 0 {
			return o, usageErrorf("--max-size takes a size above 0, such as 20GB")
		}
	}
	if s := c.String("expires"); s != "" {
		if o.expires, err = config.ParseSpan(s); err != nil {
			return o, usageErrorf("--expires: %w", err)
		}
		if o.expires <= 0 {
			return o, usageErrorf("--expires takes a time above 0, such as 12h or 7d")
		}
	}
	return o, nil
}

type receivingRecord struct {
	Event string `json:"event"`
	api.ReceiveLink
}

type receivedRecord struct {
	Event string `json:"event"`
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

func runReceive(ctx context.Context, n client, life lifetime, opts receiveOptions, out *output) error {
	stays := life == itsOwn && !opts.once
	if !stays {
		lease, end, err := n.Lease(ctx)
		if err != nil {
			return err
		}
		defer end()
		opts.link.Lease = lease
	}
	if opts.expires > 0 {
		opts.link.Expires = time.Now().Add(opts.expires)
	}
	l, err := n.NewReceiveLink(ctx, opts.link)
	if err != nil {
		return err
	}
	if out.json {
		out.record(receivingRecord{"receiving", l})
	} else {
		out.data(l.URL)
		out.say("%s", out.aside(aboutReceiveLink(l)))
	}
	if opts.qr {
		out.say("%s", qr(l.URL))
	}
	switch {
	case stays:
		out.tell("\nThe daemon takes the files from now on (shoal list --receiving shows the link, shoal remove --web-link %s ends it).", l.ID)
		return nil
	case opts.once:
		out.tell("\nThis command ends when somebody has sent their files. Ctrl-C ends it now.")
	default:
		out.tell("\nKeep this command running until the others have sent their files. Ctrl-C ends it.")
	}
	r := &receiver{node: n, out: out, link: l, once: opts.once}
	err = r.follow(ctx)
	out.status("")
	if kindOf(err) == share.Interrupted {
		return share.Errorf(share.Interrupted, "interrupted: the link has ended; %s arrived in %s", count(r.files, "file"), l.Folder)
	}
	return err
}

// aboutReceiveLink says who can use a link and for how long, and where the files go.
func aboutReceiveLink(l api.ReceiveLink) string {
	text := "Anyone who has this link can send files to " + escape(l.Folder)
	if l.Password {
		text += ", with the password"
	}
	if l.MaxSize > 0 {
		text += ", at most " + size(l.MaxSize)
	}
	text += fmt.Sprintf(", at most %s", count(l.MaxFiles, "file"))
	if !l.Expires.IsZero() {
		text += ", until " + when(l.Expires)
	}
	text += "."
	if !l.Encrypted {
		text += " It is plain HTTP: networks on the way can read the link and what is sent."
	}
	return text
}

// receiver says what arrives by a link.
type receiver struct {
	node client
	out  *output
	link api.ReceiveLink
	once bool

	told  int64 // number of the latest file that was said
	files int
	quiet time.Time // since when nothing is under way; zero if something is
	sent  int64
	at    time.Time // of sent
	rate  float64
}

const (
	// quietTime is how long nothing has to be under way, after files came from a program
	// that does not say when it is done.
	quietTime = 30 * time.Second
	// smooth is the share of the latest second in the rate.
	smooth = 0.3
)

// follow returns when the link ends, or with once when somebody has sent their files.
func (r *receiver) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	type update struct {
		u   api.Update
		err error
	}
	updates, ended := make(chan update), make(chan struct{})
	go func() {
		defer close(ended)
		for u, err := range r.node.Watch(ctx, api.WatchOptions{}) {
			select {
			case updates <- update{u, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() { cancel(); <-ended }()
	clock := time.NewTicker(time.Second)
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return errInterrupted
		case <-clock.C:
			if r.once && r.files > 0 && !r.quiet.IsZero() && time.Since(r.quiet) > quietTime {
				return r.done()
			}
		case u := <-updates:
			if u.err != nil {
				return u.err
			}
			if u.u.Incoming == nil {
				continue
			}
			box, ok := u.u.Incoming[r.link.ID]
			if !ok || box.Ended {
				r.out.say("The link has ended.")
				return nil
			}
			if err := r.tell(ctx, box); err != nil {
				return err
			}
			if r.once && box.Deliveries > 0 && box.Unfinished == 0 && r.files > 0 {
				return r.done()
			}
		}
	}
}

func (r *receiver) done() error {
	r.out.say("%s arrived. The link has ended.", count(r.files, "file"))
	return nil
}

// tell says which files arrived, and what is under way.
func (r *receiver) tell(ctx context.Context, box api.Coming) error {
	if int64(box.Arrived) > r.told {
		files, err := r.node.IncomingFiles(ctx, r.link.ID, r.told)
		if err != nil {
			return err
		}
		if len(files) == 0 || r.told == 0 {
			files = slices.DeleteFunc(files, func(f api.ComingFile) bool { return f.Number == 0 })
		}
		r.out.status("")
		for _, f := range files {
			r.told, r.files = max(r.told, f.Number), r.files+1
			if r.out.json {
				r.out.record(receivedRecord{"received", f.Stored, f.Size})
			} else {
				r.out.say("%s (%s)", escape(f.Stored), size(f.Size))
			}
		}
	}
	now := time.Now()
	if box.Unfinished > 0 || box.Active {
		r.quiet = time.Time{}
	} else if r.quiet.IsZero() {
		r.quiet = now
	}
	if !r.at.IsZero() && now.After(r.at) {
		r.rate = (1-smooth)*r.rate + smooth*float64(max(0, box.Sent-r.sent))/now.Sub(r.at).Seconds()
	}
	r.sent, r.at = box.Sent, now
	if box.Active {
		var open int64
		for _, f := range box.Open {
			open += f.Size
		}
		r.out.status(fmt.Sprintf("%s under way, %s of %s, %s", count(box.Unfinished, "file"), size(box.Sent-box.Taken), size(open), rate(int64(r.rate))))
	}
	return nil
}

// runListReceiving lists the links with which people send files.
func runListReceiving(ctx context.Context, n client, out *output) error {
	all, err := n.ReceiveLinks(ctx)
	if err != nil {
		return err
	}
	if out.json {
		records(out, all)
		return nil
	}
	if len(all) == 0 {
		out.say("no links for receiving files yet (shoal receive)")
		return nil
	}
	for i, l := range all {
		if i > 0 {
			out.data("")
		}
		out.facts(factsOfReceiveLink(l, time.Now())...)
	}
	return nil
}

// receivingRecords are the lines of list for links with which people send files.
func receivingRecords(all []api.ReceiveLink) []receivingRecord {
	lines := make([]receivingRecord, len(all))
	for i, l := range all {
		lines[i] = receivingRecord{"receiving", l}
	}
	return lines
}

// listReceiving prints one line for each link with which people send files.
func listReceiving(all []api.ReceiveLink, now time.Time, out *output) {
	rows := make([]row, len(all))
	for i, l := range all {
		rows[i] = row{cells: []string{l.ID, stateOfReceiveLink(l), fmt.Sprint(l.Files), size(l.Bytes), expiryOfReceiveLink(l, now), escape(l.Folder)}}
	}
	out.table([]column{
		{title: "RECEIVING"}, {title: "STATE"}, {title: "FILES", right: true}, {title: "SIZE", right: true}, {title: "EXPIRES"}, {title: "FOLDER"},
	}, rows)
}

func stateOfReceiveLink(l api.ReceiveLink) string {
	switch {
	case l.Ended:
		return "ended"
	case l.URL == "":
		return "not served"
	}
	return "takes files"
}

func expiryOfReceiveLink(l api.ReceiveLink, now time.Time) string {
	if l.Expires.IsZero() {
		return ""
	}
	return untilWhen(l.Expires, now)
}

// factsOfReceiveLink is what show and list --receiving say of a link.
func factsOfReceiveLink(l api.ReceiveLink, now time.Time) [][2]string {
	limits := []string{count(l.MaxFiles, "file")}
	if l.MaxSize > 0 {
		limits = append(limits, size(l.MaxSize))
	}
	state := stateOfReceiveLink(l)
	switch {
	case l.Ended:
	case l.URL == "":
		state += " by this node now"
	case !l.Encrypted:
		state += ", not encrypted"
	}
	if l.Password {
		state += ", password"
	}
	return [][2]string{
		{"ID", l.ID}, {"name", escape(l.Name)}, {"state", state}, {"link", l.URL}, {"folder", escape(l.Folder)},
		{"arrived", count(l.Files, "file") + ", " + size(l.Bytes)}, {"takes", strings.Join(limits, ", ")}, {"expires", expiryOfReceiveLink(l, now)},
	}
}

func showReceiveLink(l api.ReceiveLink, out *output) {
	if out.json {
		out.record(l)
		return
	}
	out.facts(factsOfReceiveLink(l, time.Now())...)
}

// receiveLinkNamed finds the link that an argument names by its ID or URL.
func receiveLinkNamed(all []api.ReceiveLink, arg string) (api.ReceiveLink, bool) {
	_, capability, isURL := strings.Cut(arg, "/s/")
	capability, _, _ = strings.Cut(capability, "/")
	i := slices.IndexFunc(all, func(l api.ReceiveLink) bool {
		return l.ID == arg || isURL && capability != "" && strings.HasSuffix(l.URL, "/s/"+capability)
	})
	if i < 0 {
		return api.ReceiveLink{}, false
	}
	return all[i], true
}

type endedReceiveLink struct {
	Event string `json:"event"`
	Link  string `json:"receive_link"`
	Files int    `json:"files"`
}

// endReceiveLink ends the link for receiving that an argument names, if it names one.
func endReceiveLink(ctx context.Context, n client, arg string, out *output) (bool, error) {
	all, err := n.ReceiveLinks(ctx)
	if err != nil {
		return false, err
	}
	l, ok := receiveLinkNamed(all, arg)
	if !ok {
		return false, nil
	}
	if err := n.RevokeReceiveLink(ctx, l.ID); err != nil {
		return true, err
	}
	if out.json {
		out.record(endedReceiveLink{"receive-link-ended", l.ID, l.Files})
	} else {
		out.say("%s: the link has ended; %s stay in %s", l.ID, count(l.Files, "file"), escape(l.Folder))
	}
	return true, nil
}
