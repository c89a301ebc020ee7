package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/node"
	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

func channelList(ctx context.Context, n client, _ lifetime, _ channelOptions, out *output) error {
	all, err := n.Channels(ctx)
	if err != nil {
		return err
	}
	if out.json {
		for _, c := range all {
			out.record(c)
		}
		return nil
	}
	if len(all) == 0 {
		out.say("no channels yet (shoal channel follow LINK, shoal channel new NAME)")
		return nil
	}
	now := time.Now()
	rows := make([]row, len(all))
	for i, c := range all {
		whose := "followed"
		switch {
		case c.Own:
			whose = "yours"
		case c.Mirror > 0:
			whose = "mirrored"
		}
		switch {
		case c.Blind:
			whose += ", blind"
		case c.Sealed:
			whose += ", sealed"
		}
		updated := ""
		if !c.Updated.IsZero() {
			updated = age(now.Sub(c.Updated))
		}
		rows[i] = row{
			cells: []string{c.ID.Short(), whose, someOf(c.Entries), updated, escape(channelName(c))},
			note:  escape(stateOf(c)),
		}
	}
	out.table([]column{{title: "KEY"}, {title: "WHOSE"}, {title: "ENTRIES", right: true}, {title: "UPDATED", right: true}, {title: "NAME"}}, rows)
	return nil
}

// channelName is the name of a channel or, where it is not known, why not.
func channelName(c index.Channel) string {
	switch {
	case c.Name != "":
		return c.Name
	case c.Blind:
		return "sealed"
	}
	return "unknown yet"
}

func someOf(n int) string {
	if n == 0 {
		return ""
	}
	return comma(n)
}

// stateOf describes what a channel is waiting for, or its error.
func stateOf(c index.Channel) string {
	switch {
	case c.Error != "":
		return c.Error
	case c.Restoring:
		return "looking for the entries it had before its key was imported"
	case !c.Own && c.Seq < 0:
		return "looking for the channel"
	case c.Own && c.Pending:
		return "has changes that are not published yet"
	case c.Pending:
		return "fetching a newer version"
	case c.Left > 0:
		return "mirrors " + size(c.Mirrored) + " of at most " + size(c.Mirror) + leftOut(c)
	}
	return ""
}

// leftOut describes the entries that do not fit into the mirror's quota.
func leftOut(c index.Channel) string {
	switch c.Left {
	case 0:
		return ""
	case 1:
		return "; 1 entry does not fit"
	}
	return "; " + comma(c.Left) + " entries do not fit"
}

func showChannel(c index.Channel, out *output) {
	blindLink := c.BlindLink
	if c.Blind {
		blindLink = "" // the link itself
	}
	whose := "followed"
	if c.Own {
		whose = "yours (this node has its key)"
	}
	sealed := ""
	switch {
	case c.Blind:
		sealed = "this node does not have the secret: it sees IDs and sizes, and can mirror them"
	case c.Sealed:
		sealed = "only those who have the link can read it"
	}
	mirror, updated, state := "", "", ""
	if c.Left == 0 || c.Error != "" || c.Pending { // else it repeats "mirrors"
		state = escape(stateOf(c))
	}
	if c.Mirror > 0 {
		mirror = size(c.Mirrored) + " of at most " + size(c.Mirror) + leftOut(c)
	}
	if !c.Updated.IsZero() {
		updated = when(c.Updated)
	}
	out.facts(
		[2]string{"name", escape(channelName(c))},
		[2]string{"about", escape(c.About)},
		[2]string{"whose", whose},
		[2]string{"sealed", sealed},
		[2]string{"key", c.ID.String()},
		[2]string{"entries", comma(c.Entries)},
		[2]string{"updated", updated},
		[2]string{"mirrors", mirror},
		[2]string{"state", state},
		[2]string{"link", escape(c.Link)},
		[2]string{"blind link", escape(blindLink)},
	)
}

func channelShow(ctx context.Context, n client, _ lifetime, o channelOptions, out *output) error {
	c, err := n.Channel(ctx, o.args[0])
	if err != nil {
		return err
	}
	p, err := n.ChannelEntries(ctx, c.ID.String(), o.offset, o.limit)
	if err != nil {
		return err
	}
	if out.json {
		out.record(c)
		for _, e := range p.Entries {
			out.record(hitRecord{ID: e.ID, Name: e.Name, Link: e.Link, Bytes: e.Bytes, Channel: e.Channel.String(), Time: e.Time, Tags: e.Tags, Sealed: e.Sealed})
		}
		return nil
	}
	now := time.Now()
	showChannel(c, out)
	if len(p.Entries) == 0 {
		return nil
	}
	out.data("")
	rows := make([]row, len(p.Entries))
	for i, e := range p.Entries {
		rows[i] = row{cells: []string{e.ID.Short(), knownSize(e.Bytes), entryAge(now, e.Time), escape(entryName(e))}}
	}
	out.table([]column{{title: "ID"}, {title: "SIZE", right: true}, {title: "AGE", right: true}, {title: "NAME"}}, rows)
	if left := p.Total - o.offset - len(p.Entries); left > 0 {
		out.say("%s more; --offset %d shows them", entries(left), o.offset+len(p.Entries))
	}
	return nil
}

// entryName is the name of an entry, or what is known of one that this node cannot read.
func entryName(e index.Entry) string {
	if e.Name == "" && e.Sealed {
		return "sealed, " + knownSize(e.Bytes)
	}
	return e.Name
}

// entryAge is the time since an entry was added; "" if that is not known.
func entryAge(now, added time.Time) string {
	if added.Unix() <= 0 {
		return ""
	}
	return age(now.Sub(added))
}

// knownSize is the size that an entry states, or a question mark.
func knownSize(n int64) string {
	if n <= 0 {
		return "?"
	}
	return size(n)
}

// channelExport reads the key from the state directory, so that no secret passes
// through the API.
func channelExport(state string, o channelOptions, out *output) error {
	k, err := node.ChannelKey(state, o.args[0])
	if err != nil {
		return err
	}
	text, err := k.MarshalText()
	if err != nil {
		return err
	}
	if o.output == "-" {
		if out.json {
			out.record(struct {
				Name   string `json:"name"`
				Key    string `json:"key"`
				Link   string `json:"link"`
				Secret string `json:"secret"`
			}{k.Name, k.Link().Local().String(), k.Link().Reveal(), string(text)})
			return nil
		}
		_, err = out.Write(text)
		return err
	}
	f, err := os.OpenFile(o.output, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return share.Errorf(share.Disk, "%s exists already and is not overwritten; name another file", o.output)
	}
	if err == nil {
		_, err = f.Write(text)
		if err == nil {
			err = f.Sync()
		}
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return share.Errorf(share.Disk, "writing the key: %w", err)
	}
	out.say("keep %s secret: anyone who has it can publish as %s", escape(o.output), escape(k.Name))
	return nil
}

func readKey(name string) ([]byte, error) {
	const most = 4 << 10
	in := io.Reader(os.Stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, share.Errorf(share.Disk, "reading the key: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, share.Errorf(share.Disk, "reading the key: %w", err)
	}
	if len(text) > most {
		return nil, share.Errorf(share.Refused, "%s is not the key of a channel: the file is too long", name)
	}
	return text, nil
}
