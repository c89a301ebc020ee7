package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// channelAct is one action of `channel`, named by its first argument.
type channelAct struct {
	name, args string
	min, max   int
	flags      []string // the flags it accepts
	does       string
	run        func(ctx context.Context, n client, life lifetime, o channelOptions, out *output) error
}

// channelOptions are the arguments and flags of `channel`.
type channelOptions struct {
	args   []string
	about  *string
	name   *string
	tags   []string
	mirror *int64
	sealed bool
	delete bool
	output string
	offset int
	limit  int
}

var channelActs = []channelAct{
	{"new", "NAME", 1, 1, []string{"about", "sealed"}, "create a channel; with --sealed, only those who get its full link can read it", channelNew},
	{"add", "CHANNEL ID|PATH|LINK...", 2, -1, []string{"about", "tag"}, "add entries to it; - reads links from standard input", channelAdd},
	{"drop", "CHANNEL ID|PATH...", 2, -1, nil, "remove entries from it", channelDrop},
	{"publish", "CHANNEL", 1, 1, nil, "publish it now instead of after the usual delay", channelPublish},
	{"edit", "CHANNEL", 1, 1, []string{"name", "about", "mirror"}, "change its name, its description or how much of it is mirrored", channelEdit},
	{"follow", "LINK", 1, 1, []string{"mirror"}, "follow a channel that somebody else publishes; - reads its link from standard input", channelFollow},
	{"unfollow", "CHANNEL", 1, 1, []string{"delete-key"}, "stop following it and drop its entries", channelUnfollow},
	{"list", "", 0, 0, nil, "list the channels you publish and follow", channelList},
	{"show", "CHANNEL", 1, 1, []string{"limit", "offset"}, "show a channel and its entries", channelShow},
	{"export", "CHANNEL", 1, 1, []string{"output"}, "export its key, to publish it from another node", nil},
	{"import", "FILE", 1, 1, nil, "import an exported key; - is standard input", channelImport},
}

func channelVerb() *verb {
	var long strings.Builder
	long.WriteString("A channel is a signed list of shares. Its followers find its entries with shoal search, receive its updates and " +
		"keep the list available to others. The channel stays available as long as anyone follows it, even when its publisher is offline.\n\n")
	var words []string
	for _, a := range channelActs {
		words = append(words, a.name)
		fmt.Fprintf(&long, "%s: %s.\n\n", strings.TrimSpace("channel "+a.name+" "+a.args), a.does)
	}
	long.WriteString("CHANNEL is the name of a channel, its key, or the beginning of its key. A running node publishes a channel " +
		"by itself some seconds after its last change.")
	return &verb{
		name: "channel", args: "ACTION...", short: "publish and follow signed lists of shares", group: "Inspect",
		min: 1, max: -1, words: words, long: long.String(),
		examples: []example{
			{"shoal channel new 'Our films' --about 'What we made, newest first'", "create a channel and print its link"},
			{"shoal channel new --sealed Family", "create a channel that only those with its full link can read"},
			{"shoal channel add 'Our films' 3fa9c2d1 --tag holiday", "add a share by its ID; a path works, too"},
			{"shoal channel follow 'magnet:?xs=urn:btpk:…' --mirror 50GB", "follow a channel and fetch its entries, up to 50 GB"},
			{"shoal channel export 'Our films' --output films.key", "back up the key and keep it secret: anyone who has it can publish as you"},
		},
		flags: append([]cli.Flag{
			&cli.StringFlag{Name: "about", EnvVars: envOf("about"), Usage: "describe the channel or the new entries with `TEXT`"},
			&cli.BoolFlag{Name: "sealed", Usage: "create a sealed channel: others see only IDs and sizes of its sealed shares, and can mirror them"},
			&cli.StringFlag{Name: "name", EnvVars: envOf("name"), Usage: "rename the channel to `NAME`"},
			&cli.StringSliceFlag{Name: "tag", Usage: "tag the new entries with `TAG`; may be given more than once"},
			&cli.StringFlag{Name: "mirror", EnvVars: envOf("mirror"), Usage: "fetch its entries automatically, up to `SIZE` in total; 0 stops that"},
			&cli.BoolFlag{Name: "delete-key", EnvVars: envOf("delete-key"), Usage: "delete a channel of your own together with its key, for good"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, EnvVars: envOf("output"), Value: "-", Usage: "write the key to `FILE`; - is standard output"},
			&cli.IntFlag{Name: "limit", EnvVars: envOf("limit"), Value: 50, Usage: "show at most `N` entries"},
			&cli.IntFlag{Name: "offset", EnvVars: envOf("offset"), Usage: "skip the first `N` entries"},
		}, nodeFlags()...),
		run: runChannel,
	}
}

func runChannel(ctx context.Context, c *call) error {
	name := c.Args().First()
	i := slices.IndexFunc(channelActs, func(a channelAct) bool { return a.name == name })
	if i < 0 {
		var known []string
		for _, a := range channelActs {
			known = append(known, a.name)
		}
		return usageErrorf("channel has no action %s%s (shoal channel --help lists the actions)", share.Quote(name), nearest(name, known))
	}
	act, args := channelActs[i], c.Args().Tail()
	switch {
	case len(args) < act.min:
		return usageErrorf("channel %s needs %s (shoal channel --help has examples)", act.name, act.args)
	case act.max >= 0 && len(args) > act.max:
		return usageErrorf("channel %s: unexpected argument %s", act.name, share.Quote(args[act.max]))
	}
	for _, f := range []string{"about", "sealed", "name", "tag", "mirror", "delete-key", "output", "limit", "offset"} {
		if _, lasting := os.LookupEnv(envOf(f)[0]); c.IsSet(f) && !lasting && !slices.Contains(act.flags, f) {
			return usageErrorf("channel %s takes no --%s", act.name, f)
		}
	}
	o := channelOptions{
		args: args, tags: c.list("tag"), sealed: c.Bool("sealed"), delete: c.Bool("delete-key"), output: c.String("output"), offset: c.Int("offset"), limit: c.Int("limit"),
	}
	if c.IsSet("about") {
		about := c.String("about")
		o.about = &about
	}
	if c.IsSet("name") {
		name := c.String("name")
		o.name = &name
	}
	if c.IsSet("mirror") {
		n, err := humanize.ParseBytes(c.String("mirror"))
		if err != nil || n > 1<<60 {
			return usageErrorf("--mirror takes a size such as 50GB, not %q", c.String("mirror"))
		}
		quota := int64(n)
		o.mirror = &quota
	}
	if o.limit < 1 || o.limit > 1000 || o.offset < 0 {
		return usageErrorf("--limit must be from 1 to 1000 and --offset must not be negative")
	}
	if act.run == nil {
		cfg, err := config.Load(c.sources())
		if err != nil {
			return err
		}
		return channelExport(cfg.State, o, c.out)
	}
	return withNode(ctx, c, false, func(ctx context.Context, n client, life lifetime) error {
		return act.run(ctx, n, life, o, c.out)
	})
}

// channelRecord prints a channel as JSON if JSON was asked for, and reports whether it was.
func channelRecord(c index.Channel, out *output) bool {
	if out.json {
		out.record(c)
	}
	return out.json
}

func channelNew(ctx context.Context, n client, life lifetime, o channelOptions, out *output) error {
	r := api.NewChannel{Name: o.args[0], Sealed: o.sealed}
	if strings.TrimSpace(r.Name) == "" {
		return usageErrorf("a channel needs a name")
	}
	if o.about != nil {
		r.About = *o.about
	}
	c, err := n.AddChannel(ctx, r)
	if err != nil || channelRecord(c, out) {
		return err
	}
	out.data(c.Link)
	if c.Sealed {
		out.say("anyone who has this link can read the channel. For a node that mirrors it\nwithout being able to read it:")
		out.say("%s", c.BlindLink)
	}
	out.say("to add an entry: shoal channel add %s ID", shortRef(c))
	out.say("to back up its key: shoal channel export %s --output FILE", shortRef(c))
	sayUnpublished(life, out)
	return nil
}

func sayUnpublished(life lifetime, out *output) {
	if life != itsOwn {
		out.say("no daemon is running: the channel is published when one starts\n(shoal daemon), or now with shoal channel publish")
	}
}

// shortRef names a channel in a command: by its name if that needs no quoting in
// the shell, else by the beginning of its key.
func shortRef(c index.Channel) string {
	if c.Name != "" && strings.Trim(strings.ToLower(c.Name), "abcdefghijklmnopqrstuvwxyz0123456789-_.") == "" && c.Name[0] != '-' {
		return c.Name
	}
	return c.ID.Short()
}

func channelAdd(ctx context.Context, n client, life lifetime, o channelOptions, out *output) error {
	r := api.NewEntries{Tags: o.tags}
	if o.about != nil {
		r.About = *o.about
	}
	args, err := linkArgs(ctx, o.args[1:], os.Stdin, out)
	if err != nil {
		return err
	}
	for _, arg := range args {
		switch id, link, err := entryArg(ctx, n, arg); {
		case err != nil:
			return err
		case link != "":
			r.Links = append(r.Links, link)
		default:
			r.IDs = append(r.IDs, id)
		}
	}
	c, err := n.PutEntries(ctx, o.args[0], r)
	if err != nil || channelRecord(c, out) {
		return err
	}
	out.say("%s has %s", escape(c.Name), entries(c.Entries))
	if c.Sealed {
		if err := sayUnmirrored(ctx, n, c, r, out); err != nil {
			return err
		}
	}
	sayUnpublished(life, out)
	return nil
}

// sayUnmirrored tells which new entries of a sealed channel a node with its blind link does
// not mirror.
func sayUnmirrored(ctx context.Context, n client, c index.Channel, added api.NewEntries, out *output) error {
	ids := slices.Clone(added.IDs)
	for _, text := range added.Links {
		if l, err := share.ParseLink(text); err == nil {
			ids = append(ids, l.Key())
		}
	}
	unsealed, unsized := 0, 0
	for _, id := range ids {
		all, err := n.Entries(ctx, id.String())
		if err != nil && !errors.Is(err, index.ErrUnknown) {
			return err
		}
		for _, e := range all {
			l, err := share.ParseLink(e.Link)
			switch {
			case e.Channel != c.ID || err != nil:
			case !e.Sealed:
				unsealed++
			case l.Length == 0:
				unsized++
			}
		}
	}
	if unsealed > 0 {
		out.say("not sealed: %s; only those who can read the channel learn of them, and a node\nwith the blind link does not mirror them", entries(unsealed))
	}
	if unsized > 0 {
		out.say("of unknown size: %s; a node with the blind link does not mirror them\n(add a sealed share on a node that has it)", entries(unsized))
	}
	return nil
}

func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return comma(n) + " entries"
}

func comma(n int) string { return humanize.Comma(int64(n)) }

// entryArg resolves an argument of `channel add`: a transfer, by its ID or the
// path that is shared, or a link.
func entryArg(ctx context.Context, n client, arg string) (share.ID, string, error) {
	if strings.HasPrefix(strings.ToLower(arg), "magnet:") {
		_, err := share.ParseLink(arg)
		return share.ID{}, arg, err
	}
	if id, err := sharedAt(ctx, n, arg); err != nil || !id.IsZero() {
		return id, "", err
	}
	t, err := resolve(ctx, n, arg)
	if errors.Is(err, share.ErrUnknown) && looksLikeID(arg) {
		// An entry need not be a transfer of this node.
		l, lerr := share.ParseLink(arg)
		return share.ID{}, l.String(), lerr
	}
	return t.ID, "", err
}

// sharedAt returns the transfer that shares the path arg, or zero if no such file
// exists.
func sharedAt(ctx context.Context, n client, arg string) (share.ID, error) {
	if _, err := os.Lstat(arg); err != nil {
		return share.ID{}, nil
	}
	path, err := filepath.Abs(arg)
	if err != nil {
		return share.ID{}, share.Errorf(share.Disk, "finding %s: %w", arg, err)
	}
	all, err := n.Transfers(ctx, "id", "path", "own", "state")
	if err != nil {
		return share.ID{}, err
	}
	for _, t := range slices.Backward(all) {
		if t.Path == path && t.State != share.Hashing {
			return t.ID, nil
		}
	}
	return share.ID{}, share.Errorf(share.Failed, "%s is not shared: give an ID, or share it first (shoal share)", arg)
}

func channelDrop(ctx context.Context, n client, life lifetime, o channelOptions, out *output) error {
	c, err := n.Channel(ctx, o.args[0])
	if err != nil {
		return err
	}
	for _, arg := range o.args[1:] {
		id, err := entryIn(ctx, n, c, arg)
		if err != nil {
			return err
		}
		if c, err = n.RemoveEntry(ctx, c.ID.String(), id); err != nil {
			return err
		}
	}
	if channelRecord(c, out) {
		return nil
	}
	out.say("%s has %s", escape(c.Name), entries(c.Entries))
	sayUnpublished(life, out)
	return nil
}

// entryIn finds the one entry of a channel that arg names: an ID, the beginning of
// one, or a path that is shared.
func entryIn(ctx context.Context, n client, c index.Channel, arg string) (share.ID, error) {
	if id, err := sharedAt(ctx, n, arg); err != nil || !id.IsZero() {
		return id, err
	}
	all, err := n.Entries(ctx, arg)
	if err != nil && !errors.Is(err, index.ErrUnknown) {
		return share.ID{}, err
	}
	var found []index.Entry
	for _, e := range all {
		if e.Channel == c.ID {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return share.ID{}, share.Errorf(share.Failed, "%s has no entry whose ID begins with %s (shoal channel show %s lists them)", c.Name, arg, shortRef(c))
	case 1:
		return found[0].ID, nil
	}
	return share.ID{}, usageErrorf("the IDs of %[2]d entries begin with %[1]s: give more digits", arg, len(found))
}

func channelPublish(ctx context.Context, n client, life lifetime, o channelOptions, out *output) error {
	c, err := n.PublishChannel(ctx, o.args[0])
	if err != nil || channelRecord(c, out) {
		return err
	}
	out.data(c.Link)
	out.say("published %s with %s", escape(c.Name), entries(c.Entries))
	if life == ours {
		out.say("others can fetch it only while a node is running here (shoal daemon),\nor from followers that have it")
	}
	return nil
}

func channelEdit(ctx context.Context, n client, _ lifetime, o channelOptions, out *output) error {
	if o.name == nil && o.about == nil && o.mirror == nil {
		return usageErrorf("channel edit needs --name, --about or --mirror")
	}
	c, err := n.EditChannel(ctx, o.args[0], index.ChannelChange{Name: o.name, About: o.about, Mirror: o.mirror})
	if err != nil || channelRecord(c, out) {
		return err
	}
	showChannel(c, out)
	return nil
}

func channelFollow(ctx context.Context, n client, life lifetime, o channelOptions, out *output) error {
	links, err := linkArgs(ctx, o.args, os.Stdin, out)
	if err != nil {
		return err
	}
	if len(links) != 1 {
		return usageErrorf("channel follow takes one link, and standard input has %d", len(links))
	}
	c, err := n.AddChannel(ctx, api.NewChannel{Link: links[0], Mirror: o.mirror})
	if err != nil || channelRecord(c, out) {
		return err
	}
	out.data(c.ID.String())
	switch {
	case c.Own:
		out.say("that is your own channel")
	case life != itsOwn:
		out.tell("no daemon is running: its entries are fetched when one starts (shoal daemon)")
	case c.Entries == 0:
		out.tell("looking for the channel; shoal channel list shows when it was found")
	case c.Blind:
		out.tell("the channel is sealed and the link has no secret: only IDs and sizes of its entries are known")
	}
	return nil
}

func channelUnfollow(ctx context.Context, n client, _ lifetime, o channelOptions, out *output) error {
	c, err := n.Channel(ctx, o.args[0])
	if err != nil {
		return err
	}
	switch {
	case c.Own && !o.delete:
		return usageErrorf("%q is your own channel: to delete it and its key for good, add --delete-key", c.Name)
	case !c.Own && o.delete:
		return usageErrorf("%q is not your own channel: it has no key to delete", c.Name)
	}
	if c, err = n.DropChannel(ctx, c.ID.String(), o.delete); err != nil || channelRecord(c, out) {
		return err
	}
	out.say("removed %s", escape(orElse(c.Name, c.ID.String())))
	return nil
}

func channelImport(ctx context.Context, n client, _ lifetime, o channelOptions, out *output) error {
	text, err := readKey(o.args[0])
	if err != nil {
		return err
	}
	c, err := n.AddChannel(ctx, api.NewChannel{Secret: string(text)})
	if err != nil || channelRecord(c, out) {
		return err
	}
	out.data(c.Link)
	if c.Restoring {
		out.say("looking for its earlier entries (shoal channel list). It is published when they are\nfound; to publish it without them: shoal channel publish %s", shortRef(c))
	}
	return nil
}
