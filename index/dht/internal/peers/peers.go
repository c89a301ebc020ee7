// Package peers keeps to itself how the announcements of others are stored (BEP 5):
// in bounded memory that no single network can fill. It also summarises them for
// scrapes (BEP 33).
package peers

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/anacrolix/dht/v2/krpc"

	"github.com/shoalnet/shoal/index/dht/internal/fair"
	"github.com/shoalnet/shoal/index/dht/internal/limit"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

const (
	// Life of an announcement. The network announces every 15 to 30 minutes.
	Life = 45 * time.Minute
	// Max announcements of all keys: about 8 MiB.
	Max = 30_000
	// keyMax bounds those of one key; beyond it a random one is replaced, so
	// that a sample remains.
	keyMax = 500
	// networkMax bounds those of one key from one /64.
	networkMax = 4
)

type key struct {
	id   nodeid.ID
	addr netip.AddrPort
}

type peer struct {
	addr netip.AddrPort
	seed bool
}

// Store holds announcements. It is not safe for concurrent use.
type Store struct {
	rand *rand.Rand
	all  fair.Map[key, limit.Source, struct{}]
	byID map[nodeid.ID][]peer
}

// New makes an empty store for at most max announcements.
func New(r *rand.Rand, max int) *Store {
	s := &Store{rand: r, byID: make(map[nodeid.ID][]peer)}
	s.all.Max, s.all.Rand = max, r
	s.all.Gone = func(k key, _ struct{}) { s.drop(k) }
	return s
}

// Len counts the announcements.
func (s *Store) Len() int { return s.all.Len() }

// Keys counts the keys that have any.
func (s *Store) Keys() int { return len(s.byID) }

// Sweep drops expired announcements.
func (s *Store) Sweep(now time.Duration) { s.all.Sweep(now) }

// Add records that a peer at addr has id, complete if seed. It reports whether
// there was room.
func (s *Store) Add(now time.Duration, id nodeid.ID, addr netip.AddrPort, seed bool) bool {
	k, src := key{id, addr}, limit.SourceOf(addr)
	list := s.byID[id]
	at, same := -1, 0
	for i := range list {
		switch {
		case list[i].addr == addr:
			at = i
		case limit.SourceOf(list[i].addr) == src:
			same++
		}
	}
	if at < 0 && same >= networkMax {
		return false
	}
	if !s.all.Put(now, k, struct{}{}, src, now+Life) {
		return false
	}
	list = s.byID[id] // Put may have evicted from it
	switch {
	case at >= 0:
		for i := range list {
			if list[i].addr == addr {
				list[i].seed = seed
			}
		}
	case len(list) >= keyMax:
		i := s.rand.IntN(len(list))
		s.all.Delete(key{id, list[i].addr})
		list[i] = peer{addr, seed}
	default:
		s.byID[id] = append(list, peer{addr, seed})
	}
	return true
}

func (s *Store) drop(k key) {
	list := s.byID[k.id]
	for i := range list {
		if list[i].addr == k.addr {
			list[i] = list[len(list)-1]
			list = list[:len(list)-1]
			break
		}
	}
	if len(list) == 0 {
		delete(s.byID, k.id)
	} else {
		s.byID[k.id] = list
	}
}

// Sample appends up to n random peers of id to dst, with noSeeds only those
// that are not complete.
func (s *Store) Sample(dst []netip.AddrPort, now time.Duration, id nodeid.ID, n int, noSeeds bool) []netip.AddrPort {
	list := s.byID[id]
	start := len(dst)
	// A walk from a random place with a random stride that is coprime to the
	// length visits each once, without memory.
	size := len(list)
	if size == 0 {
		return dst
	}
	at, stride := s.rand.IntN(size), 1+s.rand.IntN(size)
	for gcd(stride, size) != 1 {
		stride++
	}
	for range size {
		if len(dst)-start == n {
			break
		}
		p := list[at]
		at = (at + stride) % size
		if noSeeds && p.seed {
			continue
		}
		if _, ok := s.all.Get(now, key{id, p.addr}); ok {
			dst = append(dst, p.addr)
		}
	}
	return dst
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Filter is a Bloom filter over addresses.
type Filter = krpc.ScrapeBloomFilter

// Filters returns the Bloom filters of BEP 33 over the complete and the other
// peers of id.
func (s *Store) Filters(now time.Duration, id nodeid.ID) (seeds, others Filter) {
	for _, p := range s.byID[id] {
		if _, ok := s.all.Get(now, key{id, p.addr}); !ok {
			continue
		}
		f := &others
		if p.seed {
			f = &seeds
		}
		f.AddIp(p.addr.Addr().AsSlice())
	}
	return seeds, others
}
