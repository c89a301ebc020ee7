package engine

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
)

// noTrackers counts how often trackers are asked.
type noTrackers int

func (n *noTrackers) Refresh(share.ID) { *n++ }

// newDiscovery makes a discovery without an engine. drain runs what its tasks return.
func newDiscovery(t *testing.T, all ...Finder) (d *discovery, asked *noTrackers, drain func()) {
	now := time.Unix(1_700_000_000, 0)
	register := newRegister()
	box, own := newMailbox(), &self{}
	box.open(t.Context())
	clock := func() time.Time { return now }
	d = &discovery{
		now: clock, box: box, serial: newSerial(), transfers: &register, own: own,
		events:  &publisher{hub: newHub(), log: slog.New(slog.DiscardHandler), now: clock, own: own},
		finders: newFinders(all), trackers: new(noTrackers),
		resolver: &resolver{find: func(_ context.Context, host string) ([]netip.Addr, error) {
			if host != "host" {
				return nil, errors.New("no such host")
			}
			return []netip.Addr{netip.MustParseAddr("2001:db8::2")}, nil
		}},
		near:    netguard.Policy{AllowPrivate: true},
		changed: func(*transfer, bool) {},
	}
	return d, d.trackers.(*noTrackers), func() { box.finish(time.Now().Add(patience)) }
}

// A round asks trackers, finders and the names in the link, and what they find goes
// into the book.
func TestDiscoverySeeks(t *testing.T) {
	f := &finder{peers: addrs("[2001:db8::1]:1", "[::1]:2")} // a finder of the local network may name private addresses
	d, asked, drain := newDiscovery(t, f)
	var woken int
	d.changed = func(_ *transfer, wanted bool) {
		if wanted {
			woken++
		}
	}
	x := &transfer{row: row{id: share.ID{1}, kind: kindFetch}}
	x.options.Peers = []string{"host:2", "nohost:3", "[2001:db8::3]:3"}
	d.transfers.add(x)
	d.seek(x, d.now())
	drain()
	if *asked != 1 || f.asked != 1 || woken != 0 {
		t.Errorf("trackers were asked %d times, finders %d times, woken %d times", *asked, f.asked, woken)
	}
	for _, a := range []string{"[2001:db8::1]:1", "[::1]:2", "[2001:db8::2]:2", "[2001:db8::3]:3"} {
		if x.peers.book.entries[netip.MustParseAddrPort(a)] == nil {
			t.Errorf("%s is not in the book", a)
		}
	}
	if !x.peers.search.round.over() || x.peers.tallyOf(share.FromLAN).found != 2 || x.peers.tallyOf(share.FromLink).found != 2 {
		t.Errorf("%+v", x.peers)
	}
	d.seek(x, d.now())
	if drain(); f.asked != 1 {
		t.Error("it asks again at once")
	}

	// Whoever calls is counted once, though nobody can be called where calls come from.
	d.found(foundPeers{x.id, share.FromIncoming, addrs("[2001:db8::8]:1001", "[2001:db8::9]:1002")})
	d.found(foundPeers{x.id, share.FromIncoming, addrs("[2001:db8::8]:1003")})
	if n := x.peers.tallyOf(share.FromIncoming).found; n != 2 || x.peers.book.entries[netip.MustParseAddrPort("[2001:db8::8]:1001")] != nil {
		t.Errorf("%d callers counted", n)
	}

	// A private one is for its trackers.
	y := &transfer{row: row{id: share.ID{2}, kind: kindFetch, options: options{Private: true}}}
	d.transfers.add(y)
	d.seek(y, d.now())
	d.found(foundPeers{y.id, share.FromPEX, addrs("[2001:db8::5]:5")})
	if drain(); *asked != 2 || f.asked != 1 || y.peers.book != nil {
		t.Errorf("private: trackers %d, finders %d, %+v", *asked, f.asked, y.peers.book)
	}

	// A seed at rest is woken by addresses that are new, and only by those.
	z := &transfer{row: row{id: share.ID{3}, kind: kindOwn, files: 1}, done: true}
	d.transfers.add(z)
	d.found(foundPeers{z.id, share.FromDHT, addrs("[2001:db8::6]:6", "[::1]:7")})
	d.found(foundPeers{z.id, share.FromDHT, addrs("[2001:db8::6]:6")})
	if woken != 1 || len(z.peers.book.entries) != 1 {
		t.Errorf("woken %d times, %d in the book", woken, len(z.peers.book.entries))
	}
}

// A share that is asked for by a link with names in it has never searched.
func TestNamesOfAShare(t *testing.T) {
	d, _, drain := newDiscovery(t)
	x := &transfer{row: row{id: share.ID{1}, kind: kindOwn, files: 1}, done: true}
	x.options.Peers = []string{"host:2"}
	d.transfers.add(x)
	d.resolve(x)
	if drain(); len(x.peers.book.entries) != 1 || !x.peers.search.round.over() {
		t.Errorf("%+v", x.peers)
	}
}

// Seeds at rest look for peers one at a time, while finders have time for it.
func TestDiscoveryScans(t *testing.T) {
	f := &finder{}
	d, _, drain := newDiscovery(t, f)
	for i := range 3 {
		d.transfers.add(&transfer{row: row{id: share.ID{byte(i + 1)}, kind: kindOwn, files: 1}, done: true})
	}
	now := d.now()
	d.now, d.reachable = func() time.Time { return now }, func() bool { return true }
	for i := range 3 {
		now = now.Add(seedScanEvery)
		d.scanNext()
		d.scanNext() // not yet
		if drain(); f.asked != i+1 {
			t.Errorf("asked %d times in turn %d", f.asked, i)
		}
	}
	d.finders[0].busy = maxSearches
	now = now.Add(seedScanEvery)
	d.scanNext()
	if drain(); f.asked != 3 {
		t.Error("it takes a search from others")
	}
}
