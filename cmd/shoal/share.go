package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/mdp/qrterminal/v3"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func shareVerb() *verb {
	return &verb{
		name: "share", args: "PATH...", short: "share files or folders and print their links", group: "Share and download",
		max: -1,
		long: `shoal prints a link for each PATH on standard output. Anyone who has the link can download the files ` +
			`as long as this command runs. If a node is already running, it takes over the share and this ` +
			`command returns. shoal only reads the files. The link contains the addresses of this host, so that it works ` +
			`without the DHT.` + "\n\n" +
			`If PATH is -, share reads standard input to its end, and then shares it as a file called "` + stdinName + `", or as --name ` +
			`says. --text shares a short text as "` + textName + `". A copy of the input stays in the state directory as long as it is shared.` + "\n\n" +
			`With --sealed the content is encrypted with a key that is in the link. Only people with the full link can read it. ` +
			`Others, such as a rented server that has the link without the key (shoal link --blind), can seed it, and learn only ` +
			`roughly how large it is. Do not use it for public content.`,
		examples: []example{
			{"shoal share photos", "share a folder; the link is printed when all files have been read"},
			{"shoal share --exclude .git --exclude '*.o' project", "leave out what matches"},
			{"shoal share --qr talk.pdf", "also print a QR code to scan"},
			{"shoal share --seed ratio:2 film.mkv", "seed until twice its size was uploaded"},
			{"shoal share --web-seed disk.iso", "let BitTorrent clients fetch over HTTP, too"},
			{"shoal share --web-link photos", "also print a link for people who have only a browser"},
			{"shoal share --sealed letters", "share it so that only people with the link can read it"},
			{"pg_dump shop | shoal share --name shop.sql -", "share what another program prints"},
			{"shoal share --text 'The key is under the mat.'", "share a few words as a text file; --text - reads them from standard input"},
			{"shoal share --once letter.pdf", "end when somebody has fetched all of it"},
			{"link=$(shoal share --detach photos)", "use it in a script while a node is running"},
		},
		flags: append(shareFlags(), nodeFlags()...),
		run: func(ctx context.Context, c *call) error {
			opts, err := parseShare(c)
			if err != nil {
				return err
			}
			if c.Bool("web-password") {
				if opts.web.Password, err = askWebPassword(ctx, os.Stdin, c.out); err != nil {
					return err
				}
			}
			err = withNode(ctx, c, opts.detach, func(ctx context.Context, n client, life lifetime) error {
				return runShare(ctx, n, life, opts, c.out)
			})
			return cmp.Or(err, opts.spool.end())
		},
	}
}

func shareFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag("name", "share it under `NAME` instead of its own name"),
		stringFlag("text", "share `TEXT` as a small file; - reads it from standard input, where it is in no shell history"),
		boolFlag("no-addresses", "leave the addresses of this host out of the link"),
		boolFlag("qr", "also show the link as a QR code"),
		&cli.StringFlag{Name: "seed", EnvVars: envOf("seed"), DefaultText: "forever",
			Usage: "how long to seed: `GOAL` is forever, a time (90m, 7d), or ratio:1.5"},
		&cli.StringSliceFlag{Name: "exclude",
			Usage: "leave out files and folders whose name, or path in the shared folder, matches `GLOB` (** is any number of folders); may be given more than once"},
		boolFlag("strict", "refuse a folder that contains anything that cannot be shared; otherwise such files are left out and listed"),
		shortFlag("yes", "y", "do not ask whether to share a home directory"),
		boolFlag("follow-symlinks", "share the targets of symbolic links; without this flag, links are left out"),
		boolFlag("hybrid", "describe the content for BitTorrent v2, too; each file then begins a new piece"),
		&cli.BoolFlag{Name: "sealed",
			Usage: "encrypt the content with a key that is in the link; without this flag, the setting sealed decides, and --sealed=false overrides it"},
		boolFlag("private", "do not announce it anywhere; only a link that contains an address leads to it"),
		stringFlag("piece-length", "use pieces of `SIZE`, a power of two from 16KiB; without it, the size of the content decides"),
		boolFlag("once", "end with status 0 when somebody has fetched all of it, and say who"),
		boolFlag("web-seed", "also serve the content over HTTP to BitTorrent clients, and put that URL into the link (a web seed, BEP 19)"),
		boolFlag("web-link", "also print a web link, which needs nothing but a browser"),
		stringFlag("expires", "end the web link after `TIME`, such as 12h or 7d"),
		&cli.IntFlag{Name: "max-downloads", EnvVars: envOf("max-downloads"), DefaultText: "no limit", Usage: "end the web link after `N` complete downloads of a file or an archive"},
		boolFlag("web-password", "ask for a password that people must give for the web link; from a pipe, the first line of standard input"),
		boolFlag("detach", "hand the share to the running node, and fail if there is none: for scripts, which need only the link"),
	}
}

// shareOptions are the arguments and flags of `share`.
type shareOptions struct {
	paths       []string  // absolute; - stands for what spool writes
	spool       *spooling // nil if only files are shared
	name        string
	noAddresses bool
	qr          bool
	seed        seedWish
	symlinks    bool
	private     bool
	hybrid      bool
	sealed      *bool // nil: as the node's setting says
	pieceLength int64
	detach      bool
	once        bool
	exclude     []string
	strict      bool
	sure        bool // never asked again
	webSeed     bool
	webLink     bool
	expires     time.Duration // of the web link; 0 is never
	web         api.NewWebLink
	// told are the links and the warning that were printed. It survives a change of
	// node, so that none is printed twice.
	told map[string]bool
}

func parseShare(c *call) (shareOptions, error) {
	o := shareOptions{
		name: c.String("name"), noAddresses: c.Bool("no-addresses"), qr: c.Bool("qr"),
		symlinks: c.Bool("follow-symlinks"), private: c.Bool("private"), hybrid: c.Bool("hybrid"), detach: c.Bool("detach"), once: c.Bool("once"),
		exclude: c.list("exclude"), strict: c.Bool("strict"), sure: c.Bool("yes"),
		told: map[string]bool{},
	}
	var err error
	if o.sealed, err = c.said("sealed"); err != nil {
		return o, err
	}
	if err := o.parseSpool(c); err != nil {
		return o, err
	}
	for _, p := range c.Args().Slice() {
		if p == "-" {
			o.paths = append(o.paths, p)
			continue
		}
		abs, err := filepath.Abs(p)
		if err != nil {
			return o, share.Errorf(share.Disk, "finding the current folder: %w", err)
		}
		if _, err := os.Stat(abs); err != nil {
			return o, share.Errorf(share.Disk, "sharing %s: %w", p, errors.Unwrap(err))
		}
		o.paths = append(o.paths, abs)
	}
	if o.seed, err = parseSeed(c.String("seed")); err != nil {
		return o, err
	}
	if s := c.String("piece-length"); s != "" {
		if o.pieceLength, err = config.ParseSize(s); err != nil {
			return o, usageErrorf("--piece-length: %w", err)
		}
	}
	o.webSeed = c.Bool("web-seed")
	o.webLink, o.web.MaxDownloads = c.Bool("web-link"), c.Int("max-downloads")
	if s := c.String("expires"); s != "" {
		if o.expires, err = config.ParseSpan(s); err != nil {
			return o, usageErrorf("--expires: %w", err)
		}
		if o.expires <= 0 {
			return o, usageErrorf("--expires takes a time above 0, such as 12h or 7d")
		}
	}
	switch {
	case !o.webLink && (o.expires != 0 || o.web.MaxDownloads != 0 || c.Bool("web-password")):
		return o, usageErrorf("--expires, --max-downloads and --web-password apply to a web link: add --web-link")
	case o.webSeed && (o.expires != 0 || o.web.MaxDownloads != 0 || c.Bool("web-password")):
		return o, usageErrorf("--web-seed lets everybody who has the link download without limit: it cannot be combined with --expires, --max-downloads or --web-password")
	case o.webSeed && o.noAddresses:
		return o, usageErrorf("--web-seed puts an address into the link, and --no-addresses takes them out")
	case o.web.MaxDownloads < 0:
		return o, usageErrorf("--max-downloads takes a number above 0")
	case o.seed.goal.None:
		return o, usageErrorf("--seed none would share nothing; use forever, a time, or ratio:N")
	case o.once && o.webLink:
		return o, usageErrorf("--once and --web-link cannot be combined: what a browser downloads does not end the share; --max-downloads 1 ends the web link")
	case c.Bool("web-password") && o.spool != nil && (o.spool.text == "" || o.spool.text == "-"):
		return o, usageErrorf("--web-password and the content cannot both be read from standard input")
	case o.once && o.seed.said:
		return o, usageErrorf("--once and --seed cannot be combined: each says when the share ends")
	case o.once && o.detach:
		return o, usageErrorf("--once and --detach cannot be combined: the command waits until somebody has fetched it")
	case o.name != "" && len(o.paths) > 1:
		return o, usageErrorf("--name takes only one PATH")
	case o.private && o.noAddresses:
		return o, usageErrorf("--private and --no-addresses cannot be combined: nobody could use the link")
	}
	return o, nil
}

// parseSpool reads what is shared that is no file.
func (o *shareOptions) parseSpool(c *call) error {
	args, text := c.Args().Slice(), c.String("text")
	stdin := slices.Index(args, "-")
	switch {
	case c.IsSet("text") && text == "":
		return usageErrorf("--text is empty: there is nothing to share")
	case text != "" && len(args) > 0:
		return usageErrorf("--text and %s cannot be combined: share them one after the other", share.Quote(args[0]))
	case text != "":
		o.spool, o.paths = &spooling{name: textName, text: text, in: os.Stdin}, []string{"-"}
		return checkText(text)
	case len(args) == 0:
		return usageErrorf("share needs PATH... (shoal share --help has examples)")
	case stdin < 0:
	case slices.Contains(args[stdin+1:], "-"):
		return usageErrorf("standard input can be read only once: give - once")
	default:
		o.spool = &spooling{name: stdinName, in: os.Stdin}
	}
	return nil
}

type sharer struct {
	*batch
	opts  shareOptions
	life  lifetime
	lease string // of this command
	webs  map[share.ID]api.WebLink
	next  int // the first job that has not ended

	asked   bool   // the node was asked whether strangers can reach it
	warning string // that they cannot; printed once
	lacks   bool   // tellLack has said it to people, and why
	verdict share.Verdict
}

func runShare(ctx context.Context, n client, life lifetime, opts shareOptions, out *output) (err error) {
	if opts.detach && life != itsOwn {
		return errNotLasting
	}
	if opts.webLink {
		if err := canWebLink(ctx, n, opts); err != nil {
			return err
		}
	}
	s := &sharer{batch: newBatch(out, n), opts: opts, life: life}
	tellLack(ctx, n, opts.told, out)
	lease, end, err := n.Lease(ctx)
	if err != nil {
		return err
	}
	defer end()
	defer func() {
		if kindOf(err) != share.NoNode { // else the next node needs it
			opts.spool.leave()
		}
	}()
	s.lease = lease
	paths := opts.paths
	if opts.spool != nil {
		path, err := opts.spool.write(ctx, n, out)
		if err != nil {
			return err
		}
		paths = slices.Clone(paths)
		paths[slices.Index(paths, "-")] = path
	}
	if s.stays() && !opts.detach {
		out.tell("A daemon is running. It takes over this share and keeps seeding it after this command ends.")
	}
	s.begin, s.look = s.publish, s.published
	begun := time.Now()
	err = s.run(ctx, paths)
	s.tell()
	if err != nil {
		return s.farewell(ctx, err)
	}
	switch {
	case !s.stays():
		if opts.once {
			out.tell("\nThis command ends when somebody has fetched all of it. Ctrl-C ends it now.")
		} else {
			out.tell("\nKeep this command running until the others have the files. Ctrl-C ends it.")
		}
		watching, stop := context.WithCancel(ctx)
		var telling sync.WaitGroup
		telling.Go(func() { tellReach(watching, n, s.verdict, reachEvery, out) })
		telling.Go(func() { tellWebLinks(watching, n, s.awaited(), certificateEvery, out) })
		if opts.once {
			err = untilFetched(ctx, n, s.ids(), begun, out)
		} else {
			err = seed(ctx, n, s.ids(), out)
		}
		stop()
		telling.Wait()
		return s.farewell(ctx, err)
	case !opts.detach:
		out.tell("\nThe daemon is seeding it from now on (shoal list shows it, shoal remove %s ends it).", shortIDs(s.ids()))
	}
	return nil
}

// awaited are the web links that have no URL yet.
func (s *sharer) awaited() (all []api.WebLink) {
	for _, w := range s.webs {
		if w.URL == "" {
			all = append(all, w)
		}
	}
	return all
}

// stays tells whether the share stays when this command has ended.
func (s *sharer) stays() bool { return s.life == itsOwn && !s.opts.once }

func (s *sharer) publish(ctx context.Context, j *job) (share.Transfer, error) {
	r := api.ShareRequest{
		Path: j.arg, Confirm: s.opts.sure, Lease: s.lease, Keep: s.lease != "" && s.stays(),
		ShareOptions: share.ShareOptions{
			Name: s.opts.name, PieceLength: s.opts.pieceLength, FollowSymlinks: s.opts.symlinks, Private: s.opts.private, Hybrid: s.opts.hybrid,
			Exclude: s.opts.exclude, Strict: s.opts.strict,
		},
	}
	if sealed := s.opts.sealed; sealed != nil {
		r.Sealed, r.Plain = *sealed, !*sealed
	}
	if s.opts.seed.said {
		r.Goal = &s.opts.seed.goal
	}
	t, err := s.node.Share(ctx, r)
	if err == nil && s.opts.spool.has(j.arg) {
		s.opts.spool.left = s.life != ours
	}
	if !errors.Is(err, api.ErrUnconfirmed) {
		return t, err
	}
	if s.out.json || !term.IsTerminal(int(os.Stdin.Fd())) {
		return t, share.Errorf(share.Usage, "%w: give --yes if you mean it", err)
	}
	if err := confirm(ctx, os.Stdin, s.out, err.Error()); err != nil {
		return t, err
	}
	r.Confirm = true
	return s.node.Share(ctx, r)
}

// confirm asks a question with the answer yes or no on a terminal.
func confirm(ctx context.Context, in io.Reader, out *output, about string) error {
	out.insist("%s", out.aside(escape(about)+"."))
	out.ask("Share it? [y/N] ")
	read := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n') // no answer is no
		read <- line
	}()
	select {
	case <-ctx.Done():
		out.say("")
		return errInterrupted
	case line := <-read:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
		return share.Errorf(share.Failed, "not shared")
	}
}

// farewell adds to an interruption what is shared from now on.
func (s *sharer) farewell(ctx context.Context, err error) error {
	if kindOf(err) != share.Interrupted {
		return err
	}
	if !s.stays() {
		return share.Errorf(share.Interrupted, "interrupted: no longer shared")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewellTime)
	defer cancel()
	for _, j := range s.jobs {
		// What is still being read is given up as soon as the node notices that
		// this command is gone.
		t, err := s.node.Transfer(ctx, j.t.ID)
		for err == nil && t.State == share.Hashing {
			select {
			case <-ctx.Done():
				err = ctx.Err()
			case <-time.After(tick):
				t, err = s.node.Transfer(ctx, j.t.ID)
			}
		}
		if err == nil && t.State != share.Stopped {
			s.out.say("%s: the daemon keeps sharing it (shoal remove %s ends that)", escape(nameOf(t)), t.ID.Short())
		} else {
			name := j.name()
			if j.t.ID.IsZero() { // interrupted before the node has answered: as the node calls it
				name = orElse(s.opts.name, filepath.Base(j.arg))
			}
			s.out.say("%s: not shared", escape(name))
		}
	}
	return share.Errorf(share.Interrupted, "interrupted")
}

// farewellTime bounds how long an interrupted share looks what became of it.
const farewellTime = 3 * time.Second

func (s *sharer) published(ctx context.Context, j *job) error {
	if j.t.Link != "" && !s.asked && !s.opts.noAddresses {
		s.asked = true
		r, err := s.node.Network(ctx)
		if err == nil && r.Verdict == share.Unreachable {
			s.warning = r.Answer
			if r.Warning == "" { // else what helps was said
				s.warning += " " + r.Next
			}
			s.lacks = r.Warning != "" && r.IPv4 == nil
		}
		s.verdict = r.Verdict
	}
	if j.t.Link == "" || j.t.State == share.Hashing {
		return nil
	}
	if s.opts.webSeed && aboutWebSeed(j.t.Link) == "" {
		var err error
		if j.t, err = s.makeWebSeed(ctx, j.t); err != nil {
			return err
		}
	}
	if s.opts.webLink && !s.opts.told[j.t.Link] {
		if err := s.makeWebLink(ctx, j.t); err != nil {
			return err
		}
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

// again resumes a share that was paused and sets the goal of this command.
func (s *sharer) again(ctx context.Context, t share.Transfer) error {
	paused := t.State == share.Paused
	if paused {
		if err := s.node.Resume(ctx, t.ID); err != nil {
			return err
		}
	}
	// After the resume, because a share is resumed without the goal it has reached.
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
	V1    share.ID `json:"v1,omitzero"` // of content that has a v2 ID, as V2
	V2    share.V2 `json:"v2,omitzero"`
	Link  string   `json:"link"`
	Name  string   `json:"name"`
	Bytes int64    `json:"bytes"`
	Files int      `json:"files"`
	Path  string   `json:"path"`
	// Seal is open for a sealed share, whose link without the key is BlindLink.
	Seal      share.Seal `json:"seal,omitempty"`
	BlindLink string     `json:"blind_link,omitempty"`
	// Hidden counts the files that are hidden, of those shared.
	Hidden  int            `json:"hidden,omitempty"`
	LeftOut *share.LeftOut `json:"left_out,omitempty"`
	WebLink *api.WebLink   `json:"web_link,omitempty"`
	// Warning is set if nobody outside the local network can use the link now.
	Warning string `json:"warning,omitempty"`
}

func (s *sharer) shared(t share.Transfer) {
	link := t.Link
	if s.opts.noAddresses {
		link = withoutAddresses(link)
	}
	if s.out.json {
		r := sharedRecord{
			Event: "shared", ID: t.ID, V1: t.V1, V2: t.V2, Link: link, Name: t.Name, Bytes: t.Size, Files: t.Files, Path: t.Path,
			Seal: t.Seal, BlindLink: blindLink(link), Hidden: t.Hidden, LeftOut: t.LeftOut, Warning: s.warning,
		}
		if w, ok := s.webs[t.ID]; ok {
			r.WebLink = &w
		}
		s.out.record(r)
	} else {
		if s.warning != "" && !s.lacks {
			s.out.say("%s\n", s.out.aside("Strangers cannot use this link now. "+escape(s.warning)))
			s.warning = ""
		}
		s.out.say("%s: %s in %s%s", escape(nameOf(t)), size(t.Size), count(t.Files, "file"), hiddenOnes(t))
		if text := omissions(t.LeftOut); text != "" {
			s.out.say("Left out:\n  %s", strings.ReplaceAll(text, "\n", "\n  "))
		}
		s.out.data(link)
		if w, ok := s.webs[t.ID]; ok {
			if w.URL == "" {
				s.out.say("%s", s.out.aside(awaitsWebLink(w, s.stays())))
			} else {
				s.out.data(w.URL)
				s.out.say("%s", s.out.aside(aboutWebLink(w, "The second link is for a browser.")))
			}
		}
		if text := aboutWebSeed(link); text != "" {
			s.out.say("%s", text)
		}
		s.out.say("%s", howToGet(link))
	}
	if s.opts.qr {
		s.out.say("%s", qr(link))
	}
}

// howToGet says how to use a link on another machine.
func howToGet(link string) string {
	blind := blindLink(link)
	if blind == "" {
		return "\nTo download it on another machine:\n  shoal get " + quote(link)
	}
	return "\nSealed: only people with this link can read it. To download it on another machine,\n" +
		"run this and paste the link, so that its key is in no shell history:\n  shoal get -\n" +
		"A machine that only seeds it, and cannot read it, gets the link without the key:\n  shoal get --seed forever " + quote(blind)
}

// hiddenOnes says how many files of a share are hidden.
func hiddenOnes(t share.Transfer) string {
	if t.Hidden == 0 {
		return ""
	}
	return ", including " + count(t.Hidden, "hidden file")
}

// omissions names the first of what a share does not have, one a line.
func omissions(l *share.LeftOut) string {
	if l == nil {
		return ""
	}
	const most = 5
	var lines []string
	for _, item := range l.Items[:min(most, len(l.Items))] {
		lines = append(lines, escape(item.Path)+": "+escape(item.Reason))
	}
	if n := l.Count - len(lines); n > 0 {
		lines = append(lines, fmt.Sprintf("and %s more", humanize.Comma(int64(n))))
	}
	return strings.Join(lines, "\n")
}

type lackRecord struct {
	Event   string `json:"event"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// tellLack says once what this host lacks to reach others, before anything else is said.
func tellLack(ctx context.Context, n client, told map[string]bool, out *output) {
	r, err := n.Network(ctx)
	if err != nil || r.Warning == "" || told[r.Warning] {
		return
	}
	told[r.Warning] = true
	if out.json {
		out.record(lackRecord{"warning", "ipv6", r.Warning})
	} else {
		out.say("%s\n", out.aside(escape(r.Warning)))
	}
}

// How often the node is asked whether strangers reach it, and whether there is a
// certificate.
const (
	reachEvery       = 5 * time.Second
	certificateEvery = 2 * time.Second
)

// tellReach prints whether strangers can reach the node when that becomes known
// and when it changes, until they can or ctx ends.
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
			text = "Strangers cannot use the link now. " + r.Answer + " " + r.Next
		}
		out.say("%s", out.aside(escape(text)))
	}
}

func shortIDs(ids []share.ID) string {
	var short []string
	for _, id := range ids {
		short = append(short, id.Short())
	}
	return strings.Join(short, " ")
}

func withoutAddresses(link string) string {
	l, err := share.ParseLink(link)
	if err != nil {
		return link
	}
	l.Peers, l.WebSeeds = nil, nil
	return l.Reveal()
}

// qr draws a link as a QR code in half blocks: two rows of the code in one line.
func qr(link string) string {
	var b strings.Builder
	qrterminal.GenerateWithConfig(link, qrterminal.Config{
		Level: qrterminal.L, Writer: &b, HalfBlocks: true, QuietZone: 2,
		BlackChar: qrterminal.BLACK_BLACK, WhiteBlackChar: qrterminal.WHITE_BLACK,
		WhiteChar: qrterminal.WHITE_WHITE, BlackWhiteChar: qrterminal.BLACK_WHITE,
	})
	return strings.TrimRight(b.String(), "\n")
}
