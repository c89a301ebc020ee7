package core

import (
	"net/netip"

	"github.com/shoalnet/shoal/index/dht/internal/items"
	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/lookup"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

// Stored is the result of storing something with the nodes closest to its key.
type Stored struct {
	Asked    int // nodes
	Accepted int
	Stale    int // refused because they have a newer one
	CAS      int // refused because theirs is not the one to replace
}

// finder finds peers and items in the network, including those stored here, and
// stores items there.
type finder struct {
	*clock
	identity *identity
	queries  *queries
	searches *searches
	stores   *stores
}

// PutItem looks for the nodes closest to the item's key and stores it there,
// where cas is given only in place of the one with that sequence.
func (f *finder) PutItem(it *items.Item, cas *int64, done func(Stored)) (cancel func()) {
	target := it.Target()
	return f.searches.begin(Search{
		Method: krpc.Get, Target: target, Paths: Paths,
		// Their values are not needed, and would be most of the answer.
		HasSeq: it.Mutable(), Seq: it.Seq,
		Done: func(l *lookup.Lookup) {
			put := krpc.Query{Method: krpc.Put, V: it.V, K: it.K, Sig: it.Sig, Salt: it.Salt}
			if it.Mutable() {
				put.HasSeq, put.Seq = true, it.Seq
				if cas != nil {
					put.HasCas, put.Cas = true, *cas
				}
			}
			f.store(l.Best(table.K), put, done)
		},
	})
}

// store sends q to each of the nodes with the token it gave.
func (f *finder) store(nodes []*lookup.Node, q krpc.Query, done func(Stored)) {
	s := &storing{done: done, left: len(nodes), sum: Stored{Asked: len(nodes)}}
	if s.left == 0 {
		done(s.sum)
		return
	}
	for _, n := range nodes {
		one := q
		one.Token = n.Token
		f.queries.ask(n.Contact, &one, s, n)
	}
}

type storing struct {
	left int
	sum  Stored
	done func(Stored)
}

func (s *storing) reply(*query, *krpc.Message) {
	s.sum.Accepted++
	s.settle()
}

func (s *storing) late(*query) {}

func (s *storing) fail(_ *query, code int) {
	switch code {
	case krpc.CodeStale:
		s.sum.Stale++
	case krpc.CodeCAS:
		s.sum.CAS++
	}
	s.settle()
}

func (s *storing) settle() {
	if s.left--; s.left == 0 {
		s.done(s.sum)
	}
}

// GetItem looks for an item: immutable ones of that key, else mutable ones of
// public key k and salt that are newer than seq. Found is called with every valid
// one that is better than those before, and returns false to end the search.
func (f *finder) GetItem(target nodeid.ID, k, salt []byte, seq int64, found func(*items.Item) bool, done func()) (cancel func()) {
	mutable := k != nil
	best := seq
	if it := f.Held(target, mutable, seq); it != nil {
		// We may be one of the closest nodes ourselves.
		best = it.Seq
		if !found(it) {
			done()
			return func() {}
		}
	}
	return f.searches.begin(Search{
		Method: krpc.Get, Target: target, Paths: Paths,
		HasSeq: mutable && seq >= 0, Seq: seq,
		Reply: func(_ table.Contact, m *krpc.Message) bool {
			if m.V == nil || mutable != (m.K != nil) || mutable && m.Seq <= best {
				return true
			}
			it := items.Item{V: m.V}
			if mutable {
				it = items.Item{V: m.V, K: m.K, Salt: salt, Sig: m.Sig, Seq: m.Seq}
			}
			if it.Target() != target || items.Check(&it) != 0 {
				return true
			}
			best = it.Seq
			return found(it.Clone())
		},
		Done: func(*lookup.Lookup) { done() },
	})
}

// Held is the item of target that is stored here, a mutable one if it is newer
// than seq; nil if there is none.
func (f *finder) Held(target nodeid.ID, mutable bool, seq int64) *items.Item {
	return f.stores.item(target, mutable, seq)
}

// GetPeers looks for peers. Found is called with them as they arrive, with some
// perhaps more than once.
func (f *finder) GetPeers(target nodeid.ID, noSeeds bool, found func([]netip.AddrPort), done func(*lookup.Lookup)) (cancel func()) {
	// We may be one of the closest nodes ourselves.
	if held := f.stores.peersOf(target, noSeeds, f.identity.self()); len(held) > 0 {
		found(held)
	}
	return f.searches.begin(Search{
		Method: krpc.GetPeers, Target: target, Paths: findPaths, NoSeed: noSeeds,
		Reply: func(from table.Contact, m *krpc.Message) bool {
			var got []netip.AddrPort
			for a := range m.Peers {
				if !nodeid.Shared(a.Addr(), from.Addr.Addr()) {
					continue
				}
				if got = append(got, a); len(got) == peersTaken {
					break
				}
			}
			if len(got) > 0 {
				found(got)
			}
			return true
		},
		Done: done,
	})
}

// peersTaken bounds the peers used from one answer, so that a liar cannot displace
// the peers that others name.
const peersTaken = 100
