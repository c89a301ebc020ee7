// Package limit keeps to itself how much attention a source of datagrams gets, in
// memory that no number of sources can grow.
package limit

import (
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/recent"
)

// Rate is a token bucket's shape: Burst at once, PerSecond for ever.
type Rate struct {
	PerSecond float64
	Burst     float64
}

// Bucket is one token bucket. The zero Bucket is full.
type Bucket struct {
	used float64 // of the burst, as of last
	last time.Duration
}

// Take takes n from b unless it holds less.
func (b *Bucket) Take(now time.Duration, r Rate, n float64) bool {
	if b.Free(now, r) < n {
		return false
	}
	b.used += n
	return true
}

// Wait takes one from b and tells how long the taker has to wait until it was
// there to be taken.
func (b *Bucket) Wait(now time.Duration, r Rate) time.Duration {
	wait := b.Behind(now, r)
	b.used++
	return wait
}

// Free tells how much can be taken now; negative when Wait took more than there
// was.
func (b *Bucket) Free(now time.Duration, r Rate) float64 {
	b.fill(now, r)
	return r.Burst - b.used
}

// Behind tells how long a taker would have to wait now.
func (b *Bucket) Behind(now time.Duration, r Rate) time.Duration {
	return time.Duration(max(0, 1-b.Free(now, r)) / r.PerSecond * float64(time.Second))
}

func (b *Bucket) fill(now time.Duration, r Rate) {
	if now > b.last {
		b.used = max(0, b.used-(now-b.last).Seconds()*r.PerSecond)
		b.last = now
	}
}

// Source is what one limit applies to: the /64 of an address, because whoever
// has one address of it has them all; an address and port where the prefix
// says nothing about who is behind it (loopback, link-local).
type Source struct {
	addr netip.Addr
	port uint16
}

// SourceOf finds the source of a datagram from addr.
func SourceOf(from netip.AddrPort) Source {
	a := from.Addr()
	if a.IsLoopback() || a.IsLinkLocalUnicast() {
		return Source{a, from.Port()}
	}
	return Source{Network(a, 64), 0}
}

// SiteOf finds who counts as one voter: the /48 of an address, which is what one
// household or company is given and holds 65,536 networks that a Source tells
// apart. Loopback and link-local addresses are told apart as by SourceOf.
func SiteOf(from netip.AddrPort) Source {
	s := SourceOf(from)
	if s.port == 0 {
		s.addr = Network(s.addr, 48)
	}
	return s
}

// Network is addr with all but its first bits cleared.
func Network(addr netip.Addr, bits int) netip.Addr {
	ip := addr.As16()
	clear(ip[bits/8:])
	return netip.AddrFrom16(ip)
}

// Queries limits the queries that are answered. Sources that have proven their
// address have a limit each; those that have not share one more, so that a
// flood with forged addresses costs strangers their answers, not friends.
type Queries struct {
	Each      Rate // of every source
	Strangers Rate // of all unproven sources together

	sources   recent.Map[Source, *Bucket]
	proven    recent.Map[Source, *Bucket]
	strangers Bucket
}

// sourcesKept bounds the memory of Queries: two maps of two generations.
const sourcesKept = 4096

// NewQueries makes a limiter.
func NewQueries(each, strangers Rate) *Queries {
	q := &Queries{Each: each, Strangers: strangers}
	// A bucket may be forgotten once it is full again.
	life := max(10*time.Second, time.Duration(each.Burst/each.PerSecond*float64(time.Second)))
	q.sources.Life, q.sources.Size = life, sourcesKept
	q.proven.Life, q.proven.Size = life, sourcesKept
	return q
}

// Allow reports whether to answer a query from there.
func (q *Queries) Allow(now time.Duration, from netip.AddrPort, proven bool) bool {
	src := SourceOf(from)
	kept := &q.sources
	if proven {
		kept = &q.proven
	}
	b, known := kept.Get(now, src)
	if !known {
		b = new(Bucket)
		kept.Put(now, src, b)
	}
	return b.Take(now, q.Each, 1) && (proven || q.strangers.Take(now, q.Strangers, 1))
}

// Sources counts the sources remembered, for tests of its bound.
func (q *Queries) Sources() int { return q.sources.Len() + q.proven.Len() }
