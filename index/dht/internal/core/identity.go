package core

import (
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/limit"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

// identity is this node as others see it: its ID, the address it queries from, and the
// port of its peer. It keeps an ID that matches the address (BEP 42).
type identity struct {
	*clock
	table   *table.Table // holds the ID
	tcp     func() uint16
	votes   votes
	out     netip.Addr    // the address we query from
	renamed time.Duration // last change of ID
}

const (
	votesNeeded = 4
	// renameEvery bounds how often others can make us change our ID.
	renameEvery = 10 * time.Minute
)

func (i *identity) ID() nodeid.ID { return i.table.Self() }

// port is the TCP port to announce; 0 for the port of the socket.
func (i *identity) port() uint16 {
	if i.tcp == nil {
		return 0
	}
	return i.tcp()
}

// self is where our peers reach us, as far as we know.
func (i *identity) self() netip.AddrPort { return netip.AddrPortFrom(i.out, i.port()) }

// vote records that the node at from sees us at addr. If most agree on an address
// that our ID does not match, we take another ID, and vote returns true.
func (i *identity) vote(from netip.AddrPort, addr netip.Addr) (renamed bool) {
	if !addr.Is6() || addr.Is4In6() || nodeid.Local(addr) {
		return false
	}
	return i.votes.add(limit.SiteOf(from), addr) && i.fit()
}

// fit takes an ID that fits the address others see us at, and reports whether it
// did. It does not if it took one recently, or if it knows a global address of its
// own that the ID fits: what the host says counts more than what any number of
// others say.
func (i *identity) fit() (renamed bool) {
	addr := i.votes.winner
	if i.out.IsValid() && nodeid.Fits(i.ID(), i.out) {
		return false
	}
	if !addr.IsValid() || nodeid.Fits(i.ID(), addr) || i.renamed != 0 && i.now-i.renamed < renameEvery {
		return false
	}
	i.rename(addr)
	return true
}

// rename takes an ID that fits addr.
func (i *identity) rename(addr netip.Addr) {
	i.renamed = i.now
	i.table.Rename(nodeid.Derive(addr, i.rand))
}

// setAddresses chooses the address to ask from among our own, best first, and an
// ID that fits it. It reports whether the address changed.
func (i *identity) setAddresses(addrs []netip.Addr) (moved bool) {
	var best netip.Addr
	for _, a := range addrs {
		a = a.WithZone("")
		if a.Is6() && !a.Is4In6() && !nodeid.Local(a) {
			best = a
			break
		}
	}
	if best == i.out {
		return false
	}
	i.out = best
	i.votes = votes{}
	if best.IsValid() && !nodeid.Fits(i.ID(), best) {
		i.rename(best)
	}
	return true
}

// votes are the addresses that others report for us: the latest of each of the last
// sites (/48).
type votes struct {
	ring   [24]ballot
	next   int
	winner netip.Addr
}

type ballot struct {
	voter limit.Source
	addr  netip.Addr
}

// add counts the report of voter, and says whether another address now has most votes.
func (v *votes) add(voter limit.Source, addr netip.Addr) (elected bool) {
	place := -1
	for i := range v.ring {
		if v.ring[i].voter == voter {
			place = i
		}
	}
	if place < 0 {
		place = v.next
		v.next = (v.next + 1) % len(v.ring)
	}
	if v.ring[place] == (ballot{voter, addr}) {
		return false
	}
	v.ring[place] = ballot{voter, addr}
	count, all := 0, 0
	for i := range v.ring {
		if v.ring[i].addr.IsValid() {
			all++
			if v.ring[i].addr == addr {
				count++
			}
		}
	}
	if count < votesNeeded || 2*count <= all || addr == v.winner {
		return false
	}
	v.winner = addr
	return true
}
