package engine

import (
	"net"
	"net/netip"

	"github.com/anacrolix/torrent"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
)

// dialFrom is d with the address to call from, where to is not a neighbour.
func dialFrom(d net.Dialer, from func() netip.Addr, to netip.Addr) *net.Dialer {
	if from != nil && (netguard.Policy{}).Check(to) == nil {
		if a := from(); a.IsValid() {
			d.LocalAddr = &net.TCPAddr{IP: a.AsSlice()}
		}
	}
	return &d
}

// Moved tells which addresses this host has now. A connection from another one
// is dead, and neither end will notice for minutes: it is ended, and the peer is
// called again from where this host is now.
func (e *Engine) Moved(own []netip.Addr) {
	has := make(map[netip.Addr]bool, len(own))
	for _, a := range own {
		has[a.WithZone("")] = true
	}
	if e.call(func() {}) {
		e.client.moved(has)
	}
}

func (c *client) moved(has map[netip.Addr]bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, a := range c.attached {
		a.mu.Lock()
		var dead []*conn
		var again []torrent.PeerInfo
		for _, s := range a.peers {
			if s.conn == nil {
				continue
			}
			local, ok := s.conn.LocalAddr().(*net.TCPAddr)
			if !ok || has[local.AddrPort().Addr().WithZone("")] || local.IP.To4() != nil {
				continue
			}
			dead = append(dead, s.conn)
			if !s.conn.incoming || s.listens != 0 {
				again = append(again, torrent.PeerInfo{Addr: &peerAddr{s.callable(), c.gate}, Source: libSource(share.FromIncoming)})
			}
		}
		a.mu.Unlock()
		if len(dead) == 0 {
			continue
		}
		c.tells.Go(func() {
			for _, conn := range dead {
				conn.Close()
			}
			for _, p := range again {
				a.offer(p.Addr.(*peerAddr).ap)
			}
			if a.ready.Load() {
				a.tor.AddPeers(again)
			}
		})
	}
}
