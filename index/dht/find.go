package dht

import (
	"context"
	"math"
	"math/bits"
	"net/netip"
	"sync"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/core"
	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/lookup"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/peers"
	"github.com/shoalnet/shoal/index/dht/internal/table"
	"github.com/shoalnet/shoal/share"
)

// foundMax bounds the peers of one search.
const foundMax = 2000

// Source is share.FromDHT.
func (n *Node) Source() share.Source { return share.FromDHT }

// Announce keeps id announced until Withdraw. It returns at once and announces while
// Run runs.
func (n *Node) Announce(id share.ID) {
	n.do(func(now time.Duration) { n.core.Announce(now, nodeid.ID(id)) })
}

// Withdraw stops announcing id. Other nodes forget it within the hour.
func (n *Node) Withdraw(id share.ID) {
	n.do(func(time.Duration) { n.core.Withdraw(nodeid.ID(id)) })
}

// Find searches for peers of id and passes them to found, each once, until the
// search is over or ctx ends, whose error it returns then. If no node is known yet,
// it waits until one is. It passes on local addresses only from nodes at an address
// of the same kind.
func (n *Node) Find(ctx context.Context, id share.ID, found func([]netip.AddrPort)) error {
	seen := make(map[netip.AddrPort]struct{})
	once := func(peers []netip.AddrPort) {
		fresh := peers[:0]
		for _, p := range peers {
			if _, known := seen[p]; !known && len(seen) < foundMax {
				seen[p] = struct{}{}
				fresh = append(fresh, p)
			}
		}
		if len(fresh) > 0 {
			found(fresh)
		}
	}
	for {
		joined, err := n.search(ctx, id, once)
		if err != nil || joined || len(seen) > 0 {
			return err
		}
		// The search began before the node had joined. Search again after that.
		select {
		case <-n.ready:
		case <-ctx.Done():
			return ctx.Err()
		case <-n.stopped:
			return ErrStopped
		}
	}
}

// search is one search for peers. It reports whether the node had joined the network
// when the search began.
func (n *Node) search(ctx context.Context, id share.ID, found func([]netip.AddrPort)) (joined bool, err error) {
	var mu sync.Mutex
	var queue []netip.AddrPort
	more := make(chan struct{}, 1)
	drain := func() {
		mu.Lock()
		got := queue
		queue = nil
		mu.Unlock()
		if len(got) > 0 {
			found(got)
		}
	}
	err = n.searched(ctx, more, drain, func(done func()) (cancel func()) {
		select {
		case <-n.ready:
			joined = true
		default:
		}
		return n.core.GetPeers(nodeid.ID(id), false, func(peers []netip.AddrPort) {
			mu.Lock()
			queue = append(queue, peers...)
			mu.Unlock()
			signal(more)
		}, func(*lookup.Lookup) { done() })
	})
	return joined, err
}

// searched waits until a node is known, starts a search and waits for its end. begin
// is called with the lock held. drain is called when more receives, and at the end.
func (n *Node) searched(ctx context.Context, more <-chan struct{}, drain func(), begin func(done func()) (cancel func())) error {
	if err := n.waitConnected(ctx); err != nil {
		return err
	}
	over := make(chan struct{})
	var cancel func()
	n.do(func(time.Duration) { cancel = begin(func() { close(over) }) })
	for {
		select {
		case <-more:
			drain()
		case <-over:
			drain()
			return nil
		case <-ctx.Done():
			n.do(func(time.Duration) { cancel() })
			return ctx.Err()
		case <-n.stopped:
			return ErrStopped
		}
	}
}

// waitConnected waits until a node is known.
func (n *Node) waitConnected(ctx context.Context) error {
	n.mu.Lock()
	connected := n.connected
	n.mu.Unlock()
	select {
	case <-connected:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-n.stopped:
		return ErrStopped
	}
}

// GetPeers collects the results of Find.
func (n *Node) GetPeers(ctx context.Context, id share.ID) ([]netip.AddrPort, error) {
	var all []netip.AddrPort
	err := n.Find(ctx, id, func(p []netip.AddrPort) { all = append(all, p...) })
	return all, err
}

// Scrape estimates how many peers of id have all of it, and how many do not
// (BEP 33).
func (n *Node) Scrape(ctx context.Context, id share.ID) (seeds, others int, err error) {
	var sd, pe peers.Filter
	err = n.searched(ctx, nil, func() {}, func(done func()) (cancel func()) {
		return n.core.Begin(core.Search{
			Method: krpc.GetPeers, Target: nodeid.ID(id), Scrape: true,
			Reply: func(_ table.Contact, m *krpc.Message) bool {
				for i := range m.BFsd {
					sd[i] |= m.BFsd[i]
				}
				for i := range m.BFpe {
					pe[i] |= m.BFpe[i]
				}
				return true
			},
			Done: func(*lookup.Lookup) { done() },
		})
	})
	return count(&sd), count(&pe), err
}

// count estimates the number of addresses in a filter (BEP 33); a full one says
// nothing but "many".
func count(f *peers.Filter) int {
	const size = len(f) * 8
	zeros := size
	for _, b := range f {
		zeros -= bits.OnesCount8(b)
	}
	n := math.Log(float64(max(zeros, 1))/float64(size)) / (2 * math.Log(1-1./float64(size)))
	return int(math.Round(n))
}
