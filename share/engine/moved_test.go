package engine

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/shoalnet/shoal/share"
)

// Whoever serves from an address that is gone ends the connection, and the fetch
// goes on over another.
func TestMoved(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	shared, _ := bigFile(t, a)
	if err := b.SetGlobalLimits(share.Limits{Down: 512 << 10}); err != nil {
		t.Fatal(err)
	}
	b.fetch(shared.Link, t.TempDir())
	b.wait(shared.ID, "a connection", func(s share.Transfer) bool { return s.Peers > 0 && s.Bytes > 0 })
	a.Moved([]netip.Addr{a.addr.Addr()})
	peers := func() (all []string) {
		list, err := a.Peers(shared.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			all = append(all, p.Address)
		}
		return all
	}
	before := peers()
	a.Moved([]netip.Addr{a.addr.Addr()})
	if now := peers(); !slices.Equal(now, before) {
		t.Fatalf("nothing has changed, but %q became %q", before, now)
	}
	a.Moved(nil)
	// Which of the two calls is a matter of who is faster.
	a.wait(shared.ID, "another connection", func(share.Transfer) bool {
		now := peers()
		return len(now) > 0 && !slices.ContainsFunc(now, func(p string) bool { return slices.Contains(before, p) })
	})
	if err := b.SetGlobalLimits(share.Limits{}); err != nil {
		t.Fatal(err)
	}
	b.waitState(shared.ID, share.Seeding)
}
