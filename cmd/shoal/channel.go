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

	"github.com/shoalnet/shoal/cmd/internal/node"
	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// channelAct is one of the things that `channel` does: its first argument.
type channelAct struct {
	name, args string
	min, max   int
	flags      []string // that have a meaning for it
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
	delete bool
	output string
	offset int
	limit  int
}

var channelActs = []channelAct{
	{"new", "NAME", 1, 1, []string{"about"}, "make a channel of your own", channelNew},
	{"add", "CHANNEL ID|PATH|LINK...", 2, -1, []string{"about", "tag"}, "put something into it", channelAdd},
	{"drop", "CHANNEL ID|PATH...", 2, -1, nil, "take something out of it", channelDrop},
	{"publish", "CHANNEL", 1, 1, nil, "publish it now, not when it has come to rest", channelPublish},
	{"edit", "CHANNEL", 1, 1, []string{"name", "about", "mirror"}, "change its name or description, or how much is mirrored", channelEdit},
	{"follow", "LINK", 1, 1, []string{"mirror"}, "follow what somebody else publishes", channelFollow},
	{"unfollow", "CHANNEL", 1, 1, []string{"delete-key"}, "forget it and what it has", channelUnfollow},
	{"list", "", 0, 0, nil, "list the channels you publish and follow", channelList},
	{"show", "CHANNEL", 1, 1, []string{"limit", "offset"}, "show a channel and what is in it", channelShow},
	{"export", "CHANNEL", 1, 1, []string{"output"}, "write out its key, to publish it from elsewhere", nil},
	{"import", "FILE", 1, 1, nil, "take a key that was exported; - is standard input", channelImport},
}

func channelVerb() *verb {
	var long strings.Builder
	long.WriteString("A channel is a signed list of what can be fetched. Whoever follows it finds what is in it with shoal search, " +
		"keeps it available for others, and hears of changes, for as long as anyone follows it: its publisher need not be there.\n\n")
	var words []string
	for _, a := range channelActs {
		words = append(words, a.name)
		fmt.Fprintf(&long, "%s: %s.\n\n", strings.TrimSpace("channel "+a.name+" "+a.args), a.does)
	}
	long.WriteString("A CHANNEL is the name of one, its key or the beginning of that. A channel that has changed is published by itself " +
		"when it has been at rest for some seconds, by a node that is running.")
	return &verb{
		name: "channel", args: "ACTION...", short: "publish and follow signed lists of shares", group: "Look",
		min: 1, max: -1, words: words, long: long.String(),
		examples: []example{
			{"shoal channel new 'Our films' --about 'What we made, newest first'", "make one; its link is printed"},
			{"shoal channel add 'Our films' 3fa9c2d1 --tag holiday", "put a share into it, by its ID or its path"},
			{"shoal channel follow 'magnet:?xs=urn:btpk:…' --mirror 50GB", "follow one, and fetch what is in it up to 50 GB"},
			{"shoal channel export 'Our films' --output films.key", "keep the key safe: who has it publishes as you"},
		},
		flags: append([]cli.Flag{
			&cli.StringFlag{Name: "about", EnvVars: envOf("about"), Usage: "describe the channel, or what is put into it, by `TEXT`"},
			&cli.StringFlag{Name: "name", EnvVars: envOf("name"), Usage: "call the channel `NAME`"},
			&cli.StringSliceFlag{Name: "tag", Usage: "file what is put into it under `TAG`; may be given more than once"},
			&cli.StringFlag{Name: "mirror", EnvVars: envOf("mirror"), Usage: "fetch what is in it without being asked, up to `SIZE` in all; 0 ends that"},
			&cli.BoolFlag{Name: "delete-key", EnvVars: envOf("delete-key"), Usage: "give up a channel of your own for good"},
			&cli.StringFlag{Name: "output", EnvVars: envOf("output"), Value: "-", Usage: "write the key to `FILE`; - is standard output"},
			&cli.IntFlag{Name: "limit", EnvVars: envOf("limit"), Value: 50, Usage: "show at most `N` entries"},
			&cli.IntFlag{Name: "offset", EnvVars: envOf("offset"), Usage: "leave out the first `N` entries"},
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
		return usageErrorf("channel cannot %q%s (shoal channel --help lists what it can)", name, nearest(name, known))
	}
	act, args := channelActs[i], c.Args().Tail()
	switch {
	case len(args) < act.min:
		return usageErrorf("channel %s needs %s (shoal channel --help has examples)", act.name, act.args)
	case act.max >= 0 && len(args) > act.max:
		return usageErrorf("channel %s: %q is too much", act.name, args[act.max])
	}
	for _, f := range []string{"about", "name", "tag", "mirror", "delete-key", "output", "limit", "offset"} {
		if _, lasting := os.LookupEnv(envOf(f)[0]); c.IsSet(f) && !lasting && !slices.Contains(act.flags, f) {
			return usageErrorf("channel %s takes no --%s", act.name, f)
		}
	}
	o := channelOptions{
		args: args, tags: c.list("tag"), delete: c.Bool("delete-key"), output: c.String("output"), offset: c.Int("offset"), limit: c.Int("limit"),
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
		return usageErrorf("--limit is from 1 to 1000, --offset not negative")
	}
	if act.run == nil {
		cfg, err := node.Load(c.sources())
		if err != nil {
			return err
		}
		return channelExport(cfg.State, o, c.out)
	}
	return withNode(ctx, c, false, func(ctx context.Context, n client, life lifetime) error {
		return act.run(ctx, n, life, o, c.out)
	})
}

// channelRecord is what `channel` prints as JSON of a channel.
func channelRecord(c api.Channel, out *output) bool {
	if out.json {
		out.record(c)
	}
	return out.json
}

func channelNew(ctx context.Context, n client, life lifetime, o channelOptions, out *output) error {
	r := api.NewChannel{Name: o.args[0]}
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
	out.say("put something into it: shoal channel add %s ID", shortRef(c))
	out.say("keep its key safe: shoal channel export %s --output FILE", shortRef(c))
	sayUnpublished(life, out)
	return nil
}

func sayUnpublished(life lifetime, out *output) {
	if life != itsOwn {
		out.say("no daemon is running: it is published when one does (shoal daemon), or now by shoal channel publish")
	}
}

// shortRef names a channel in a command: its name where the shell takes it as
// it is, else the beginning of its key.
func shortRef(c api.Channel) string {
	if c.Name != "" && strings.Trim(strings.ToLower(c.Name), "abcdefghijklmnopqrstuvwxyz0123456789-_.") == "" && c.Name[0] != '-' {
		return c.Name
	}
	return c.Key[:min(8, len(c.Key))]
}

func channelAdd(ctx context.Context, n client, life lifetime, o channelOptions, out *output) error {
	r := api.NewEntries{Tags: o.tags}
	if o.about != nil {
		r.About = *o.about
	}
	for _, arg := range o.args[1:] {
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
	sayUnpublished(life, out)
	return nil
}

func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return comma(n) + " entries"
}

func comma(n int) string { return humanize.Comma(int64(n)) }

// entryArg finds what an argument of `channel add` means: a transfer, by its ID
// or by the path of what is shared, or a link.
func entryArg(ctx context.Context, n client, arg string) (share.ID, string, error) {
	if strings.HasPrefix(strings.ToLower(arg), "magnet:") {
		_, err := share.ParseLink(arg)
		return share.ID{}, arg, err
	}
	if id, err := sharedAt(ctx, n, arg); err != nil || !id.IsZero() {
		return id, "", err
	}
	t, err := resolve(ctx, n, arg)
	if errors.Is(err, api.ErrUnknown) && looksLikeID(arg) {
		// Not here, which it need not be.
		l, lerr := share.ParseLink(arg)
		return share.ID{}, l.String(), lerr
	}
	return t.ID, "", err
}

// sharedAt finds the transfer whose path an argument is; zero if it is no path.
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
	return share.ID{}, share.Errorf(share.Failed, "%s is not shared: give an ID, or shoal share it first", arg)
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
		if c, err = n.RemoveEntry(ctx, c.Key, id); err != nil {
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

// entryIn finds the one entry of a channel that an ID, or the beginning of one,
// or the path of what is shared means.
func entryIn(ctx context.Context, n client, c api.Channel, arg string) (share.ID, error) {
	if id, err := sharedAt(ctx, n, arg); err != nil || !id.IsZero() {
		return id, err
	}
	all, err := n.Entries(ctx, arg)
	if err != nil && !errors.Is(err, index.ErrUnknown) {
		return share.ID{}, err
	}
	var found []index.Entry
	for _, e := range all {
		if e.Channel.String() == c.Key {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return share.ID{}, share.Errorf(share.Failed, "%s has nothing whose ID begins with %s (shoal channel show %s)", c.Name, arg, shortRef(c))
	case 1:
		return found[0].ID, nil
	}
	return share.ID{}, usageErrorf("%s begins the IDs of %d entries: give more digits", arg, len(found))
}

func channelPublish(ctx context.Context, n client, life lifetime, o channelOptions, out *output) error {
	c, err := n.PublishChannel(ctx, o.args[0])
	if err != nil || channelRecord(c, out) {
		return err
	}
	out.data(c.Link)
	out.say("published %s with %s", escape(c.Name), entries(c.Entries))
	if life == ours {
		out.say("nobody can fetch it unless a node is running here, or somebody has it already (shoal daemon)")
	}
	return nil
}

func channelEdit(ctx context.Context, n client, _ lifetime, o channelOptions, out *output) error {
	if o.name == nil && o.about == nil && o.mirror == nil {
		return usageErrorf("channel edit needs --name, --about or --mirror")
	}
	c, err := n.EditChannel(ctx, o.args[0], api.ChannelChange{Name: o.name, About: o.about, Mirror: o.mirror})
	if err != nil || channelRecord(c, out) {
		return err
	}
	showChannel(c, out)
	return nil
}

func channelFollow(ctx context.Context, n client, life lifetime, o channelOptions, out *output) error {
	c, err := n.AddChannel(ctx, api.NewChannel{Link: o.args[0], Mirror: o.mirror})
	if err != nil || channelRecord(c, out) {
		return err
	}
	out.data(c.Key)
	switch {
	case c.Own:
		out.say("that is your own channel")
	case life != itsOwn:
		out.say("no daemon is running: what is in it is fetched when one does (shoal daemon)")
	case c.Entries == 0:
		out.say("looking for it; shoal channel list tells when it is here")
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
		return usageErrorf("%q is your own channel: to give it up for good, with its key, add --delete-key", c.Name)
	case !c.Own && o.delete:
		return usageErrorf("%q is not your own channel: there is no key to delete", c.Name)
	}
	if c, err = n.DropChannel(ctx, c.Key, o.delete); err != nil || channelRecord(c, out) {
		return err
	}
	out.say("forgot %s", escape(orElse(c.Name, c.Key)))
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
		out.say("looking for what it had (shoal channel list); it is published when that is\nfound, or without it by shoal channel publish %s", shortRef(c))
	}
	return nil
}
