package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mdp/qrterminal/v3"
	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/cmd/internal/node"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func shareVerb() *verb {
	return &verb{
		name: "share", args: "PATH...", short: "publish files or folders and print their links", group: "Move files",
		min: 1, max: -1,
		long: `Each PATH becomes a link, which is printed on standard output. Whoever has the link can fetch the files ` +
			`for as long as this command runs; where a node is running already, it takes the share over and this ` +
			`command returns. Files are only ever read. The link carries the addresses of this host, so that it works ` +
			`even where nothing else is known of it.`,
		examples: []example{
			{"shoal share photos", "the link is printed when all files have been read"},
			{"shoal share --qr talk.pdf", "with a code to scan"},
			{"shoal share --seed ratio:2 film.mkv", "until it was given away twice"},
			{"link=$(shoal share --detach photos)", "from a script, where a node is running"},
		},
		flags: append(shareFlags(), nodeFlags()...),
		run: func(ctx context.Context, c *call) error {
			opts, err := parseShare(c)
			if err != nil {
				return err
			}
			return withNode(ctx, c, opts.detach, func(ctx context.Context, n client, life lifetime) error {
				return runShare(ctx, n, life, opts, c.out)
			})
		},
	}
}

func shareFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag("name", "call it `NAME` in the link instead of what it is called here"),
		boolFlag("no-addresses", "leave the addresses of this host out of the link"),
		boolFlag("qr", "show the link as a QR code, too"),
		&cli.StringFlag{Name: "seed", EnvVars: envOf("seed"), DefaultText: "forever",
			Usage: "how long to give it away: `GOAL` is forever, a time (90m, 7d), or ratio:1.5"},
		boolFlag("follow-symlinks", "share what symbolic links point to; without this they are left out"),
		boolFlag("private", "announce it nowhere: only those with a link that carries an address find it"),
		stringFlag("piece-length", "cut it into pieces of `SIZE`, a power of two from 16KiB; by size when not given"),
		boolFlag("detach", "hand over to the running node, and fail where there is none: for scripts, which want the link and go on"),
	}
}

// shareOptions is what `share` was asked for.
type shareOptions struct {
	paths       []string // absolute
	name        string
	noAddresses bool
	qr          bool
	seed        seedWish
	symlinks    bool
	private     bool
	pieceLength int64
	detach      bool
	// told are the links that were printed, for where another node has to take
	// over.
	told map[string]bool
}

func parseShare(c *call) (shareOptions, error) {
	o := shareOptions{
		name: c.String("name"), noAddresses: c.Bool("no-addresses"), qr: c.Bool("qr"),
		symlinks: c.Bool("follow-symlinks"), private: c.Bool("private"), detach: c.Bool("detach"),
		told: map[string]bool{},
	}
	for _, p := range c.Args().Slice() {
		abs, err := filepath.Abs(p)
		if err != nil {
			return o, share.Errorf(share.Disk, "finding the present folder: %w", err)
		}
		if _, err := os.Stat(abs); err != nil {
			return o, share.Errorf(share.Disk, "sharing %s: %w", p, errors.Unwrap(err))
		}
		o.paths = append(o.paths, abs)
	}
	var err error
	if o.seed, err = parseSeed(c.String("seed")); err != nil {
		return o, err
	}
	if s := c.String("piece-length"); s != "" {
		if o.pieceLength, err = node.ParseSize(s); err != nil {
			return o, usageErrorf("--piece-length: %w", err)
		}
	}
	switch {
	case o.seed.goal.None:
		return o, usageErrorf("--seed none shares nothing")
	case o.name != "" && len(o.paths) > 1:
		return o, usageErrorf("--name is for a single PATH")
	case o.private && o.noAddresses:
		return o, usageErrorf("--private and --no-addresses together make a link that nobody can use")
	}
	return o, nil
}

type sharer struct {
	*batch
	opts shareOptions
	next int // the first of the jobs that is not ended

	asked   bool   // whether strangers can reach the node
	warning string // that they cannot; to be told once
	verdict share.Verdict
}

func runShare(ctx context.Context, n client, life lifetime, opts shareOptions, out *output) error {
	if opts.detach && life != itsOwn {
		return errNotLasting
	}
	s := &sharer{batch: newBatch(out, n), opts: opts}
	s.begin, s.look = s.publish, s.published
	err := s.run(ctx, opts.paths)
	s.tell()
	if err != nil {
		return err
	}
	switch {
	case life != itsOwn:
		out.say("\nKeep this running until they have it. Ctrl-C ends it.")
		watching, stop := context.WithCancel(ctx)
		told := make(chan struct{})
		go func() {
			defer close(told)
			tellReach(watching, n, s.verdict, reachEvery, out)
		}()
		err = seed(ctx, n, s.ids(), out)
		stop()
		<-told
		if kindOf(err) == share.Interrupted {
			return share.Errorf(share.Interrupted, "interrupted: no longer shared")
		}
		return err
	case !opts.detach:
		out.say("\nThe running node gives it away (shoal list shows it, shoal remove ID ends it).")
	}
	return nil
}

func (s *sharer) publish(ctx context.Context, j *job) (share.Transfer, error) {
	r := api.ShareRequest{
		Path: j.arg, Name: s.opts.name, PieceLength: s.opts.pieceLength,
		FollowSymlinks: s.opts.symlinks, Private: s.opts.private,
	}
	if s.opts.seed.said {
		r.Goal = &s.opts.seed.goal
	}
	return s.node.Share(ctx, r)
}

func (s *sharer) published(ctx context.Context, j *job) error {
	if j.t.Link != "" && !s.asked && !s.opts.noAddresses {
		s.asked = true
		r, err := s.node.Network(ctx)
		if err == nil && r.Verdict == share.Unreachable {
			s.warning = r.Answer + " " + r.Next
		}
		s.verdict = r.Verdict
	}
	if j.t.Link == "" || j.t.State == share.Hashing {
		return nil
	}
	j.ended = true
	s.tell()
	s.warnOfWindows(ctx, j.t)
	return s.again(ctx, j.t)
}

// warnOfWindows says which names cannot be the same on Windows.
func (s *sharer) warnOfWindows(ctx context.Context, t share.Transfer) {
	if s.out.json {
		return
	}
	files, err := s.node.Files(ctx, t.ID)
	if err != nil {
		return
	}
	if lines := changedNames(files, func(f share.File) string { return f.Windows }); len(lines) > 0 {
		s.out.say("\nNames that will change for those who fetch on Windows:\n%s", strings.Join(lines, "\n"))
	}
}

// again has what was shared before given away as it is wanted now.
func (s *sharer) again(ctx context.Context, t share.Transfer) error {
	paused := t.State == share.Paused
	if paused {
		if err := s.node.Resume(ctx, t.ID); err != nil {
			return err
		}
	}
	// Afterwards, since what is resumed is past a goal that it has reached.
	if paused || t.Goal != s.opts.seed.goal {
		return s.node.SetGoal(ctx, t.ID, s.opts.seed.goal)
	}
	return nil
}

// tell prints the links in the order of the paths, as soon as they are known.
func (s *sharer) tell() {
	for s.next < len(s.jobs) && s.jobs[s.next].ended {
		if j := s.jobs[s.next]; j.err == nil && !s.opts.told[j.t.Link] {
			s.opts.told[j.t.Link] = true
			s.shared(j.t)
		}
		s.next++
	}
}

type sharedRecord struct {
	Event string   `json:"event"`
	ID    share.ID `json:"id"`
	Link  string   `json:"link"`
	Name  string   `json:"name"`
	Bytes int64    `json:"bytes"`
	Files int      `json:"files"`
	Path  string   `json:"path"`
	// Warning says that nobody outside can use the link now.
	Warning string `json:"warning,omitempty"`
}

func (s *sharer) shared(t share.Transfer) {
	link := t.Link
	if s.opts.noAddresses {
		link = withoutAddresses(link)
	}
	if s.out.json {
		s.out.record(sharedRecord{"shared", t.ID, link, t.Name, t.Size, t.Files, t.Path, s.warning})
	} else {
		if s.warning != "" {
			s.out.say("%s\n", fill("Nobody outside can use this link now. "+escape(s.warning), margin, ""))
			s.warning = ""
		}
		s.out.say("%s: %s in %s", escape(nameOf(t)), size(t.Size), count(t.Files, "file"))
		s.out.data(link)
		s.out.say("\nTo fetch it elsewhere:\n  shoal get %s", quote(link))
	}
	if s.opts.qr {
		s.out.say("%s", qr(link))
	}
}

const reachEvery = 5 * time.Second

// tellReach says once it is known whether strangers reach the node, and again
// when it changes, until they do or ctx ends.
func tellReach(ctx context.Context, n client, known share.Verdict, every time.Duration, out *output) {
	if out.json {
		return
	}
	clock := time.NewTicker(every)
	defer clock.Stop()
	for known != share.Reachable {
		select {
		case <-ctx.Done():
			return
		case <-clock.C:
		}
		r, err := n.Network(ctx)
		if err != nil || r.Verdict == known || r.Verdict == share.NotKnown {
			continue
		}
		known = r.Verdict
		text := r.Answer
		if known == share.Unreachable {
			text = "Nobody outside can use the link now. " + r.Answer + " " + r.Next
		}
		out.say("%s", fill(escape(text), margin, ""))
	}
}

func withoutAddresses(link string) string {
	l, err := share.ParseLink(link)
	if err != nil {
		return link
	}
	l.Peers = nil
	return l.String()
}

// qr draws a link with half blocks, two rows of the code in one of the terminal.
func qr(link string) string {
	var b strings.Builder
	qrterminal.GenerateWithConfig(link, qrterminal.Config{
		Level: qrterminal.L, Writer: &b, HalfBlocks: true, QuietZone: 2,
		BlackChar: qrterminal.BLACK_BLACK, WhiteBlackChar: qrterminal.WHITE_BLACK,
		WhiteChar: qrterminal.WHITE_WHITE, BlackWhiteChar: qrterminal.BLACK_WHITE,
	})
	return strings.TrimRight(b.String(), "\n")
}
