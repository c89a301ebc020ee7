package api

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// chosen is the channels of a fake, one unless others are listed, and the calls that it
// got.
type chosen struct {
	asked []string

	listing sync.Mutex
	listed  []index.Channel
}

func testChannel() index.Channel {
	return index.Channel{
		ID: index.ChannelID{7}, Name: "films & more", About: "about", Link: index.ChannelLink{ID: index.ChannelID{7}}.String(), Own: true,
		Entries: 2, Seq: 9, Content: testID(5), Updated: time.Unix(1_700_000_000, 0).UTC(), Mirror: 5, Mirrored: 4, Left: 1, Pending: true, Error: "nobody answers",
	}
}

func (c *chosen) did(ref, format string, args ...any) (index.Channel, error) {
	if ref != testChannel().Name && !strings.HasPrefix(testChannel().ID.String(), ref) {
		return index.Channel{}, index.Unknown("channel " + ref)
	}
	c.asked = append(c.asked, fmt.Sprintf(format, args...))
	return testChannel(), nil
}

func (c *chosen) List() []index.Channel {
	c.listing.Lock()
	defer c.listing.Unlock()
	if c.listed != nil {
		return c.listed
	}
	return []index.Channel{testChannel()}
}

func (c *chosen) Resolve(ref string) (index.Channel, error) { return c.did(ref, "show") }

func (c *chosen) Add(_ context.Context, n NewChannel) (index.Channel, error) {
	mirror := "-"
	if n.Mirror != nil {
		mirror = strconv.FormatInt(*n.Mirror, 10)
	}
	return c.did(testChannel().ID.String(), "add %s%s%s %s %s", n.Link, n.Name, n.Secret, mirror, n.About)
}

func (c *chosen) Edit(_ context.Context, ref string, e index.ChannelChange) (index.Channel, error) {
	return c.did(ref, "edit %s %v %d", *e.Name, e.About == nil, *e.Mirror)
}

func (c *chosen) Unfollow(_ context.Context, ref string, own bool) (index.Channel, error) {
	return c.did(ref, "drop %v", own)
}

func (c *chosen) Publish(_ context.Context, ref string) (index.Channel, error) {
	return c.did(ref, "publish")
}

func (c *chosen) Page(_ context.Context, ref string, offset, limit int) (Page, error) {
	_, err := c.did(ref, "entries %d %d", offset, limit)
	return Page{Entries: []index.Entry{testEntry(testTransfer(1))}, Total: 2}, err
}

func (c *chosen) PutEntries(_ context.Context, ref string, e NewEntries) (index.Channel, error) {
	return c.did(ref, "put %v %v %s %v", e.IDs, e.Links, e.About, e.Tags)
}

func (c *chosen) RemoveEntry(_ context.Context, ref string, id share.ID) (index.Channel, error) {
	return c.did(ref, "remove %s", id)
}

func TestClientKeepsChannels(t *testing.T) {
	f := newFake(0)
	c, _, _ := serve(t, f)
	ctx, name, quota := quietContext(t), "new/name", int64(7)
	all, err := c.Channels(ctx)
	if d := cmp.Diff([]index.Channel{testChannel()}, all); d != "" || err != nil {
		t.Error(d, err)
	}
	p, err := c.ChannelEntries(ctx, "films & more", 3, 4)
	if err != nil || p.Total != 2 || len(p.Entries) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	for what, do := range map[string]func() (index.Channel, error){
		"show":             func() (index.Channel, error) { return c.Channel(ctx, "0700") },
		"add magnet:?x 7 ": func() (index.Channel, error) { return c.AddChannel(ctx, NewChannel{Link: "magnet:?x", Mirror: &quota}) },
		"add films - more": func() (index.Channel, error) { return c.AddChannel(ctx, NewChannel{Name: "films", About: "more"}) },
		"add secret - ":    func() (index.Channel, error) { return c.AddChannel(ctx, NewChannel{Secret: "secret"}) },
		"edit new/name true 7": func() (index.Channel, error) {
			return c.EditChannel(ctx, "07", index.ChannelChange{Name: &name, Mirror: &quota})
		},
		"drop true":  func() (index.Channel, error) { return c.DropChannel(ctx, "07", true) },
		"drop false": func() (index.Channel, error) { return c.DropChannel(ctx, "07", false) },
		"publish":    func() (index.Channel, error) { return c.PublishChannel(ctx, "07") },
		"put [" + testID(1).String() + "] [l] a [t]": func() (index.Channel, error) {
			return c.PutEntries(ctx, "07", NewEntries{IDs: []share.ID{testID(1)}, Links: []string{"l"}, About: "a", Tags: []string{"t"}})
		},
		"remove " + testID(2).String(): func() (index.Channel, error) { return c.RemoveEntry(ctx, "07", testID(2)) },
	} {
		f.asked = nil
		got, err := do()
		if d := cmp.Diff(testChannel(), got); d != "" || err != nil {
			t.Errorf("%s: %s %v", what, d, err)
		}
		if len(f.asked) != 1 || f.asked[0] != what {
			t.Errorf("asked %q, want %q", f.asked, what)
		}
	}
	if _, err := c.Channel(ctx, "nothing"); !errors.Is(err, index.ErrUnknown) {
		t.Errorf("an unknown channel: %v", err)
	}
	for what, n := range map[string]NewChannel{"nothing": {}, "two": {Link: "x", Name: "y"}} {
		if _, err := c.AddChannel(ctx, n); share.KindOf(err) != share.Usage {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := c.PutEntries(ctx, "07", NewEntries{}); share.KindOf(err) != share.Usage {
		t.Errorf("nothing to put: %v", err)
	}
}
