package node

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// A channel may point to content that the node has for another reason. That is never
// taken for a catalogue, and never removed.
func TestChannelsLeaveOtherContentAlone(t *testing.T) {
	dir := stateDir(t)
	n := startDaemon(t, options(t, dir, nil))
	folder, _ := content(t)
	own := shared(t, n.Client(), folder)
	s := &swarm{n.engine, ChannelDir(dir)}
	ctx := testContext(t)
	place := filepath.Join(ChannelDir(dir), "x")
	if err := s.Fetch(ctx, own.ID, place, 1<<40); share.KindOf(err) != share.Refused {
		t.Errorf("fetching it as a catalogue: %v", err)
	}
	if err := s.Drop(own.ID, place); err != nil {
		t.Error(err)
	}
	if _, err := n.engine.Get(own.ID); err != nil {
		t.Errorf("it went: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "a.bin")); err != nil {
		t.Error(err)
	}
	if !s.Has(own.ID) || s.Has(share.ID{1}) {
		t.Error("what is here is not known")
	}
	if err := s.Drop(share.ID{1}, place); err != nil {
		t.Errorf("dropping what is not there: %v", err)
	}
}

// A catalogue is published from one node and read on another. Content that is too large,
// or more than one file, is not a catalogue.
func TestCataloguesMoveThroughTheSwarm(t *testing.T) {
	aDir, bDir := stateDir(t), stateDir(t)
	a, b := startDaemon(t, options(t, aDir, nil)), startDaemon(t, options(t, bDir, nil))
	ctx := testContext(t)
	from, to := &swarm{a.engine, ChannelDir(aDir)}, &swarm{b.engine, ChannelDir(bDir)}
	path := filepath.Join(ChannelDir(aDir), "k", "own-1", "shoal-channel-c.jsonl.zst")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("a catalogue"), 0o600); err != nil {
		t.Fatal(err)
	}
	id, err := from.Publish(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := from.Publish(ctx, path); err != nil || again != id {
		t.Errorf("published twice: %s and %s, %v", id, again, err)
	}
	folder, _ := content(t)
	tree := shared(t, a.Client(), folder)

	place := filepath.Join(ChannelDir(bDir), "k")
	fetch := func(id share.ID, most int64) error {
		done := make(chan error, 1)
		go func() { done <- to.Fetch(ctx, id, filepath.Join(place, id.String()), most) }()
		// What is refused may have come and gone before anybody looks.
		for {
			err := b.engine.AddPeers(id, share.FromUser, a.addresses.own())
			if err != nil && !errors.Is(err, share.ErrUnknown) {
				t.Error(err)
			}
			select {
			case err := <-done:
				return err
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	if err := fetch(id, 5); share.KindOf(err) != share.Refused {
		t.Errorf("larger than allowed: %v", err)
	}
	if err := to.Drop(id, place); err != nil {
		t.Fatal(err)
	}
	if err := fetch(id, 100); err != nil {
		t.Fatal(err)
	}
	r, size, err := to.Open(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	r.Close()
	if string(got) != "a catalogue" || size != int64(len(got)) || err != nil {
		t.Errorf("read %q of %d, %v", got, size, err)
	}
	if err := fetch(tree.ID, 1<<40); share.KindOf(err) != share.Refused {
		t.Errorf("a folder as a catalogue: %v", err)
	}
	for _, id := range []share.ID{id, tree.ID} {
		if err := to.Drop(id, place); err != nil || to.Has(id) {
			t.Errorf("dropping %s: %v", id, err)
		}
	}
	if left, err := os.ReadDir(place); err != nil || len(left) != 0 {
		t.Errorf("left on the disk: %v, %v", left, err)
	}
	// A search does not find catalogues.
	if r, err := a.Client().Search(ctx, index.Query{Text: "type:archive"}); err != nil || len(r.Hits) != 0 {
		t.Errorf("found %+v, %v", r.Hits, err)
	}
	// A node that was killed before it recorded what it published looks for that, and
	// has it; if the file is gone, others have it.
	if err := from.Fetch(ctx, id, filepath.Join(ChannelDir(aDir), "k", id.String()), 100); err != nil {
		t.Errorf("its own catalogue: %v", err)
	}
	if _, err := a.engine.Get(id); err != nil {
		t.Errorf("it is gone: %v", err)
	}
	if err := from.Tidy(filepath.Join(ChannelDir(aDir), "k"), id); err != nil || !from.Has(id) {
		t.Errorf("tidied away though it was to be kept: %v", err)
	}
	if err := from.Tidy(filepath.Join(ChannelDir(aDir), "k")); err != nil || from.Has(id) || !from.Has(tree.ID) {
		t.Errorf("not tidied, or something else: %v", err)
	}
	if err := from.Drop(id, filepath.Join(ChannelDir(aDir), "k")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Errorf("what was published stays: %v", err)
	}
}

func TestChannelsThroughTheAPI(t *testing.T) {
	dir := stateDir(t)
	n := startDaemon(t, options(t, dir, nil))
	c, ctx := n.Client(), testContext(t)
	made, err := c.AddChannel(ctx, api.NewChannel{Name: "films", About: "about"})
	if err != nil || !made.Own {
		t.Fatalf("%+v, %v", made, err)
	}
	folder, _ := content(t)
	one := shared(t, c, folder)
	if _, err := c.PutEntries(ctx, "films", api.NewEntries{IDs: []share.ID{one.ID}, Tags: []string{"x"}, Links: []string{share.ID{2}.String()}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutEntries(ctx, "films", api.NewEntries{IDs: []share.ID{{3}}}); err == nil {
		t.Error("what is not here was put in by its ID")
	}
	p, err := c.ChannelEntries(ctx, made.ID.String()[:10], 0, 10)
	if err != nil || p.Total != 2 || len(p.Entries) != 2 {
		t.Errorf("%+v, %v", p, err)
	}
	// The share itself is found first, not the channel's entry, as soon as the
	// catalogue has followed the engine's events.
	hits, err := c.Search(ctx, index.Query{Text: "holiday"})
	for err == nil && len(hits.Hits) == 1 && !hits.Hits[0].Channel.IsZero() {
		hits, err = c.Search(ctx, index.Query{Text: "holiday"})
	}
	if err != nil || len(hits.Hits) != 1 {
		t.Errorf("%+v, %v", hits, err)
	}
	if hits, err = c.Search(ctx, index.Query{Text: "tag:x", Channel: made.ID}); err != nil || len(hits.Hits) != 2 {
		t.Errorf("%+v, %v", hits, err)
	}
	if hits, err = c.Search(ctx, index.Query{Text: "channel:FILM"}); err != nil || len(hits.Hits) != 2 {
		t.Errorf("%+v, %v", hits, err)
	}
	k, err := ChannelKey(dir, "films")
	if err != nil || k.Link().String() != made.Link {
		t.Errorf("%s, %v, want %s", k.Link(), err, made.Link)
	}
	info, err := os.Stat(filepath.Join(ChannelDir(dir), made.ID.String()+".key"))
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the key is %v, %v", info.Mode(), err)
	}
	if _, err := c.DropChannel(context.Background(), "films", true); err != nil {
		t.Error(err)
	}
}

// A sealed share goes into a sealed channel with its key and the size of what is
// transferred, however it is named, and into no other channel.
func TestSealedSharesGoIntoSealedChannels(t *testing.T) {
	n := startDaemon(t, options(t, stateDir(t), nil))
	c, ctx := n.Client(), testContext(t)
	folder, _ := content(t)
	first, err := c.Share(ctx, api.ShareRequest{Path: folder, ShareOptions: share.ShareOptions{Sealed: true}})
	if err != nil {
		t.Fatal(err)
	}
	sealed := await(t, c, first.ID, func(t share.Transfer) bool { return t.State == share.Seeding && t.Link != "" })
	full, err := share.ParseLink(sealed.Link)
	if err != nil || full.Secret.IsZero() {
		t.Fatalf("the share has the link %s, %v", full, err)
	}
	for _, name := range []string{"public", "by ID", "by link"} {
		if _, err := c.AddChannel(ctx, api.NewChannel{Name: name, Sealed: name != "public"}); err != nil {
			t.Fatal(err)
		}
	}
	byID, byLink := api.NewEntries{IDs: []share.ID{sealed.ID}}, api.NewEntries{Links: []string{sealed.Link}}
	for _, e := range []api.NewEntries{byID, byLink} {
		if _, err := c.PutEntries(ctx, "public", e); share.KindOf(err) != share.Usage || strings.Contains(err.Error(), full.Secret.Reveal()) {
			t.Errorf("into a public channel: %v", err)
		}
	}
	for name, e := range map[string]api.NewEntries{"by ID": byID, "by link": byLink} {
		if _, err := c.PutEntries(ctx, name, e); err != nil {
			t.Fatal(err)
		}
		p, err := c.ChannelEntries(ctx, name, 0, 10)
		if err != nil || len(p.Entries) != 1 {
			t.Fatalf("%s: %+v, %v", name, p, err)
		}
		got := p.Entries[0]
		l, err := share.ParseLink(got.Link)
		if err != nil || !got.Sealed || got.Name != sealed.Name || got.Bytes != sealed.Size || l.Secret != full.Secret || l.Length < got.Bytes || l.Length%65536 != 0 || len(l.Peers) > 0 {
			t.Errorf("%s, the entry is %+v, its link %+v", name, got, l)
		}
	}
}
