package native

import (
	"net/netip"
	"sync"
)

// maxCalled is after how many hosts the eldest are forgotten: twice as many are
// remembered at most. No firewall lets a host in for having been called so long
// ago.
const maxCalled = 16 << 10

// generations remembers what was noted last, at most twice maxCalled.
type generations[K comparable] struct {
	mu         sync.Mutex
	now, elder map[K]struct{}
}

func (g *generations[K]) note(k K) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now == nil || len(g.now) >= maxCalled {
		g.now, g.elder = make(map[K]struct{}), g.now
	}
	g.now[k] = struct{}{}
}

func (g *generations[K]) has(k K) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, lately := g.now[k]
	_, before := g.elder[k]
	return lately || before
}

func (g *generations[K]) forget(k K) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.now, k)
	delete(g.elder, k)
}

// called remembers which hosts this node has called: when one of them calls
// back, that says nothing about whether a stranger could.
type called struct{ hosts generations[netip.Addr] }

func (c *called) note(a netip.Addr) { c.hosts.note(a.Unmap().WithZone("")) }

func (c *called) has(a netip.Addr) bool { return c.hosts.has(a.Unmap().WithZone("")) }
