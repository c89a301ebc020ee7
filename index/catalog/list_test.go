package catalog

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

func TestLook(t *testing.T) {
	ctx := context.Background()
	c := fresh(t)
	own, other := index.ChannelID{}, index.ChannelID{9}
	if err := c.Put(ctx, own, library[:2]...); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Replace(ctx, other, "first", seq(library[0], library[2])); err != nil {
		t.Fatal(err)
	}
	has, err := c.Has(ctx, other)
	if _, ok := has[id(3)]; err != nil || len(has) != 2 || !ok {
		t.Errorf("the other channel has %v, %v", has, err)
	}
	if has, err := c.Has(ctx, index.ChannelID{8}); err != nil || len(has) != 0 {
		t.Errorf("a channel that is not there has %v, %v", has, err)
	}
	versions, err := c.Versions(ctx)
	if err != nil || len(versions) != 2 || versions[other] != "first" || versions[own] != "" {
		t.Errorf("versions %v, %v", versions, err)
	}
	for digits, want := range map[string]int{
		id(1).String(): 2, id(3).String(): 1, id(1).String()[:6]: 2, "0": 4, "00000": 4, "1": 0, id(7).String(): 0,
	} {
		found, err := c.Begins(ctx, digits, 10)
		if err != nil || len(found) != want {
			t.Errorf("%s begins %d IDs, want %d: %v", digits, len(found), want, err)
		}
		if len(found) > 1 && !found[0].Channel.IsZero() {
			t.Errorf("%s: the first is of channel %s, not this node's", digits, found[0].Channel)
		}
	}
	for _, digits := range []string{"", "xyz", id(1).String() + "0"} {
		if _, err := c.Begins(ctx, digits, 10); share.KindOf(err) != share.Usage {
			t.Errorf("%q: %v, want a usage error", digits, err)
		}
	}
}

// A page of the file in the middle is overwritten while it is open: reading
// tells that it is damaged, and what is opened after Remove works.
func TestDamagedTells(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "index.db")
	c, err := Open(ctx, Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Replace(ctx, index.ChannelID{1}, "v", million(3000, 1)); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 8192
	for at := 8 * page; at < len(b)-page; at += 2 * page {
		for i := range page {
			b[at+i] = 0xa5
		}
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err = Open(ctx, Config{Path: path}); err != nil {
		t.Fatal(err)
	}
	if !c.Rebuilt() { // Open may have met it already
		var met error
		for i := 0; i < 200 && met == nil; i++ {
			_, met = c.Search(ctx, index.Query{Text: wordNumber(i)})
		}
		if !Damaged(met) {
			t.Errorf("searching a damaged file: %v, which is not called damaged", met)
		}
	}
	c.Close()
	if err := Remove(path); err != nil {
		t.Fatal(err)
	}
	if c, err = Open(ctx, Config{Path: path}); err != nil || !c.Rebuilt() {
		t.Fatalf("a new one: %v", err)
	}
	defer c.Close()
	if Damaged(nil) || Damaged(context.Canceled) {
		t.Error("what is no damage is called damage")
	}
}
