package native

import (
	"net/netip"
	"sync"
)

// maxCalled is after how many hosts the eldest are forgotten: twice as many are
// remembered at most. No firewall lets a host in for having been called so long
// ago.
const maxCalled = 16 << 10

// called remembers which hosts this node has called: when one of them calls
// back, that says nothing about whether a stranger could.
type called struct {
	mu         sync.Mutex
	now, elder map[netip.Addr]struct{}
}

func (c *called) note(a netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == nil || len(c.now) >= maxCalled {
		c.now, c.elder = make(map[netip.Addr]struct{}), c.now
	}
	c.now[a.Unmap().WithZone("")] = struct{}{}
}

func (c *called) has(a netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	a = a.Unmap().WithZone("")
	_, lately := c.now[a]
	_, before := c.elder[a]
	return lately || before
}
