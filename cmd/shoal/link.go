package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/node"
	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func linkVerb() *verb {
	return &verb{
		name: "link", args: "LINK|FILE...", short: "explain a link or a .torrent file, offline", group: "Inspect",
		min: 1, max: -1,
		flags: []cli.Flag{
			boolFlag("blind", "print the link of a sealed share or channel without its key"),
		},
		long: `Shows the content that a link, an ID or a .torrent file names, and the peers and trackers it lists, without ` +
			`using the network. For a .torrent file it also lists the files and prints the magnet link of the same content. ` +
			`If LINK is -, it reads links from standard input, one per line.` + "\n\n" +
			`The link of a sealed share contains a key, and anyone who has the key can read the share. --blind prints the link without it, for ` +
			`a machine that is to seed the share without reading it. The same goes for the link of a sealed channel.`,
		examples: []example{
			{"shoal link 'magnet:?xt=urn:btih:…'", "inspect a link before you download"},
			{"shoal link --json ubuntu.torrent", "inspect a .torrent file; JSON output"},
			{"shoal link --blind - < link.txt", "print the link without the key of a sealed share"},
		},
		run: func(ctx context.Context, c *call) error {
			args, err := linkArgs(ctx, c.Args().Slice(), os.Stdin, c.out)
			if err != nil {
				return err
			}
			explain := explain
			if c.Bool("blind") {
				explain = blind
			}
			for i, arg := range args {
				if i > 0 && !c.out.json && !c.Bool("blind") {
					c.out.data("")
				}
				if err := explain(ctx, c.out, arg); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// linkRecord is one line of `link --json`.
type linkRecord struct {
	ID       share.ID      `json:"id"`
	V1       share.ID      `json:"v1,omitzero"` // only where there is a V2
	V2       share.V2      `json:"v2,omitzero"`
	Name     string        `json:"name,omitempty"`
	Link     string        `json:"link"`
	Blind    string        `json:"blind_link,omitempty"` // of a sealed share: Link without the key
	Bytes    int64         `json:"bytes"`                // 0: the link does not say
	Private  bool          `json:"private,omitempty"`
	Select   []share.Range `json:"select,omitempty"`
	Files    []share.File  `json:"files,omitempty"` // of a .torrent file
	Peers    []string      `json:"peers,omitempty"`
	Trackers []string      `json:"trackers,omitempty"`
	WebSeeds []string      `json:"web_seeds,omitempty"`
	Extra    []share.Param `json:"extra,omitempty"`
}

func explain(ctx context.Context, out *output, arg string) error {
	src, err := parseSource(arg)
	if l, cerr := index.ParseChannelLink(arg); err != nil && cerr == nil {
		explainChannel(l, out)
		return nil
	}
	if err != nil {
		return err
	}
	var r linkRecord
	switch {
	case src.url != "":
		return usageErrorf("link works offline: download %s first, or use shoal get", src.url)
	case src.torrent != nil:
		p, err := readOffline(ctx, src.torrent)
		if err != nil {
			return fmt.Errorf("%s: %w", arg, err)
		}
		r = linkRecord{
			ID: p.ID, Name: p.Name, Link: p.Link, Bytes: p.Size, Private: p.Private, Files: p.Files,
			Trackers: p.Trackers, WebSeeds: p.WebSeeds,
		}
	default:
		l := src.link
		r = linkRecord{
			ID: l.Key(), Name: l.Name, Link: l.Reveal(), Bytes: l.Length, Select: l.Select,
			Peers: l.Peers, Trackers: l.Trackers, WebSeeds: l.WebSeeds, Extra: l.Extra,
		}
		if !l.Secret.IsZero() {
			r.Blind = l.Blind().String()
		}
	}
	if l, err := share.ParseLink(r.Link); err == nil && !l.V2.IsZero() {
		r.V1, r.V2 = l.ID, l.V2
	}
	if out.json {
		out.record(r)
		return nil
	}
	r.show(out, src.torrent != nil)
	return nil
}

// blind prints a link without the key of a sealed share, or that of a channel without
// its secret.
func blind(_ context.Context, out *output, arg string) error {
	src, err := parseSource(arg)
	if l, cerr := index.ParseChannelLink(arg); err != nil && cerr == nil {
		if l.Secret.IsZero() {
			return share.Errorf(share.Refused, "the link has no secret of a sealed channel")
		}
		if l = l.Blind(); out.json {
			out.record(recordOf(l))
		} else {
			out.data(l.String())
		}
		return nil
	}
	switch {
	case err != nil:
		return err
	case src.url != "" || src.torrent != nil:
		return usageErrorf("--blind takes a magnet link; a .torrent file has no key")
	case src.link.Secret.IsZero():
		return share.Errorf(share.Refused, "the link has no key of a sealed share")
	}
	if l := src.link.Blind(); out.json {
		out.record(linkRecord{ID: l.Key(), Link: l.String(), Bytes: l.Length, Peers: l.Peers, Trackers: l.Trackers, WebSeeds: l.WebSeeds})
	} else {
		out.data(l.String())
	}
	return nil
}

// explainChannel describes a link that names a channel.
func explainChannel(l index.ChannelLink, out *output) {
	if out.json {
		out.record(recordOf(l))
		return
	}
	blindLink, what := "", "a signed list of shares; shoal channel follow LINK follows it"
	if !l.Secret.IsZero() {
		blindLink, what = l.Blind().String(), "a sealed list of shares, which this link can read; shoal channel follow LINK follows it"
	}
	out.facts(
		[2]string{"channel", escape(orElse(l.Name, "not stated"))},
		[2]string{"key", l.ID.String()},
		[2]string{"salt", hex.EncodeToString(l.Salt)},
		[2]string{"what", what},
		[2]string{"blind link", blindLink},
	)
}

// channelLinkRecord is one line of `link --json` for a link that names a channel.
type channelLinkRecord struct {
	Channel index.ChannelID `json:"channel"`
	Salt    string          `json:"salt,omitempty"`
	Name    string          `json:"name,omitempty"`
	Link    string          `json:"link"`
	Blind   string          `json:"blind_link,omitempty"` // of a sealed channel: Link without the secret
}

func recordOf(l index.ChannelLink) channelLinkRecord {
	r := channelLinkRecord{Channel: l.ID, Salt: hex.EncodeToString(l.Salt), Name: l.Name, Link: l.Reveal()}
	if !l.Secret.IsZero() {
		r.Blind = l.Blind().String()
	}
	return r
}

// readOffline has a torrent read by a node that is cut off from the network: it
// listens on loopback only, has no bootstrap nodes, and its state is discarded.
func readOffline(ctx context.Context, torrent []byte) (p api.Preview, err error) {
	dir, err := os.MkdirTemp("", "shoal-")
	if err != nil {
		return p, share.Errorf(share.Disk, "creating a temporary folder: %w", err)
	}
	defer os.RemoveAll(dir)
	cfg, err := config.Load(config.Sources{
		Flags: map[string][]string{"state": {dir}, "listen": {"[::1]:0"}, "bootstrap": {"none"}, "no-lan": {"true"}, "no-pinholes": {"true"}, "config": {os.DevNull}},
		Env:   func(string) (string, bool) { return "", false },
	})
	if err != nil {
		return p, err
	}
	s, err := node.Open(ctx, node.Options{Config: cfg})
	if err != nil {
		return p, err
	}
	err = during(ctx, s, func(ctx context.Context, n client, _ lifetime) error {
		p, err = n.Preview(ctx, api.PreviewRequest{Torrent: torrent})
		return err
	})
	return p, err
}

func (r linkRecord) show(out *output, torrent bool) {
	bytes, peers, link, sealed := "not stated", "none: they are found in the DHT and on the local network", "", ""
	if r.Bytes > 0 || torrent {
		bytes = exact(r.Bytes)
	}
	if len(r.Peers) > 0 {
		peers = escapeLines(r.Peers)
	}
	if r.Private {
		peers = "none; it is private and announced nowhere"
	}
	if torrent {
		link = r.Link
	}
	if r.Blind != "" {
		sealed = "yes, and this link has the key: whoever has the link can read the share;\nshoal link --blind prints it without the key"
	}
	extra := make([]string, len(r.Extra))
	for i, p := range r.Extra {
		extra[i] = p.Key + "=" + p.Value
	}
	out.facts(
		[2]string{"name", escape(orElse(r.Name, "not stated"))},
		[2]string{"ID", r.ID.String()},
		[2]string{"v1 ID", v1ID(r.V1)},
		[2]string{"v2 ID", v2ID(r.V2)},
		[2]string{"sealed", sealed},
		[2]string{"size", bytes},
		[2]string{"files", orElse(ranges(r.Select), fileLines(r.Files))},
		[2]string{"peers", peers},
		[2]string{"trackers", escapeLines(r.Trackers)},
		[2]string{"web seeds", escapeLines(r.WebSeeds)},
		[2]string{"ignored", escapeLines(extra)},
		[2]string{"link", link},
	)
}

// v1ID and v2ID are the IDs of content that has a v2 ID; "" for none.
func v1ID(id share.ID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}

func v2ID(id share.V2) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}

// fileLines lists at most the first twenty files.
func fileLines(files []share.File) string {
	const most = 20
	if len(files) == 0 {
		return ""
	}
	lines := []string{count(len(files), "file")}
	for i, f := range files {
		if i == most {
			lines = append(lines, fmt.Sprintf("and %s more (--json lists all)", count(len(files)-most, "file")))
			break
		}
		lines = append(lines, padLeft(size(f.Total), 8)+"  "+escape(f.Path))
	}
	return strings.Join(lines, "\n")
}

func ranges(rs []share.Range) string {
	var parts []string
	for _, r := range rs {
		if r.First == r.Last {
			parts = append(parts, fmt.Sprint(r.First))
		} else {
			parts = append(parts, fmt.Sprintf("%d to %d", r.First, r.Last))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "only the files numbered " + strings.Join(parts, ", ")
}

func escapeLines(lines []string) string {
	shown := make([]string, len(lines))
	for i, l := range lines {
		shown[i] = escape(l)
	}
	return strings.Join(shown, "\n")
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
