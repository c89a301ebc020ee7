package engine

import (
	"net"
	"net/netip"
	"sync"
)

// maxCalled bounds how many hosts are remembered for having been called.
const maxCalled = 16 << 10

// called remembers which hosts this node has called: when one of them calls
// back, that says nothing about whether a stranger could.
type called struct {
	mu    sync.Mutex
	hosts map[netip.Addr]struct{}
	full  bool // some were forgotten, so nobody is a stranger for sure any more
}

func (c *called) note(a netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hosts == nil || len(c.hosts) >= maxCalled {
		c.full = c.hosts != nil
		c.hosts = make(map[netip.Addr]struct{})
	}
	c.hosts[a.Unmap().WithZone("")] = struct{}{}
}

func (c *called) has(a netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.hosts[a.Unmap().WithZone("")]
	return ok || c.full
}

// greeted tells of an accepted connection whose handshake is over, if whoever
// began it was never called by this node. Over uTP it tells nothing: that shares
// its port with the DHT, which has called many.
func (c *client) greeted(conn *conn, tell func(local netip.Addr, from netip.AddrPort)) {
	local, ok := conn.LocalAddr().(*net.TCPAddr)
	if !ok || tell == nil || c.gate.called.has(conn.peer.Addr()) {
		return
	}
	a := local.AddrPort().Addr().Unmap().WithZone("")
	c.tells.Go(func() { tell(a, conn.peer) })
}
