package core

import (
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/limit"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

// votes are what others say our address is (BEP 42): the latest of each of the
// last sites (/48) that said anything.
type votes struct {
	ring   [24]ballot
	next   int
	winner netip.Addr
}

type ballot struct {
	voter limit.Source
	addr  netip.Addr
}

const (
	votesNeeded = 4
	// renameEvery bounds how often others can make us change our ID.
	renameEvery = 10 * time.Minute
)

// vote records that the node at from sees us at addr. When most agree on an
// address that our ID does not fit, we take another.
func (c *Core) vote(from netip.AddrPort, addr netip.Addr) {
	if !addr.Is6() || addr.Is4In6() || nodeid.Local(addr) {
		return
	}
	v := &c.voted
	voter := limit.SiteOf(from)
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
		return
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
		return
	}
	v.winner = addr
	c.heed()
}

// heed takes an ID that fits the address others see us at, unless it took one
// lately, or knows a global address of its own that the ID fits: what the host
// says counts more than what any number of others say.
func (c *Core) heed() {
	addr := c.voted.winner
	if c.out.IsValid() && nodeid.Fits(c.ID(), c.out) {
		return
	}
	if !addr.IsValid() || nodeid.Fits(c.ID(), addr) || c.upkeep.renamed != 0 && c.now-c.upkeep.renamed < renameEvery {
		return
	}
	c.rename(addr)
	c.upkeep.settle()
}

// rename takes an ID that fits addr.
func (c *Core) rename(addr netip.Addr) {
	c.upkeep.renamed = c.now
	c.table.Rename(nodeid.Derive(addr, c.rand))
}

// SetAddresses tells the node its own global addresses, best first. It asks
// from the best one, so that others see one node and not several; when that
// changed, it takes a fitting ID, looks for its place, and has everything
// announced again.
func (c *Core) SetAddresses(now time.Duration, addrs []netip.Addr) {
	c.enter(now)
	var best netip.Addr
	for _, a := range addrs {
		a = a.WithZone("")
		if a.Is6() && !a.Is4In6() && !nodeid.Local(a) {
			best = a
			break
		}
	}
	if best == c.out {
		return
	}
	c.out = best
	c.voted = votes{}
	if best.IsValid() && !nodeid.Fits(c.ID(), best) {
		c.rename(best)
	}
	c.Moved(now)
}

// Moved tells the node that what it knew of its place in the network may be out
// of date: another address, or time that passed without it.
func (c *Core) Moved(now time.Duration) {
	c.enter(now)
	c.silence = 0
	c.announce.everything()
	c.upkeep.hurry()
}
