package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/items"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/peers"
)

const sweepEvery = time.Minute

// stores are the peers and items that are stored here, most of them by others.
type stores struct {
	*clock
	peers *peers.Store
	items *items.Store
	swept time.Duration
}

// newStores makes stores of that many peers and items; 0 for the defaults.
func newStores(c *clock, maxPeers, maxItems int) *stores {
	if maxPeers == 0 {
		maxPeers = peers.Max
	}
	if maxItems == 0 {
		maxItems = items.Max
	}
	return &stores{clock: c, peers: peers.New(c.rand, maxPeers), items: items.New(c.rand, maxItems)}
}

// sweep drops what has expired, at most once in sweepEvery.
func (s *stores) sweep() {
	if s.now-s.swept > sweepEvery {
		s.swept = s.now
		s.peers.Sweep(s.now)
		s.items.Sweep(s.now)
	}
}

// item is the item of target that is stored here, a mutable one if it is newer
// than seq; nil if there is none.
func (s *stores) item(target nodeid.ID, mutable bool, seq int64) *items.Item {
	it := s.items.Get(s.now, target)
	if it == nil || mutable != it.Mutable() || mutable && it.Seq <= seq {
		return nil
	}
	return it.Clone()
}

// peersOf are the peers of target that are stored here, but not the one at self.
func (s *stores) peersOf(target nodeid.ID, noSeeds bool, self netip.AddrPort) []netip.AddrPort {
	held := s.peers.Sample(nil, s.now, target, peersTaken, noSeeds)
	return slices.DeleteFunc(held, func(a netip.AddrPort) bool { return a == self })
}
