package library

import (
	"net"
	"net/netip"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
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

// Moved implements face.Network. A connection from an address that is gone is
// dead, and neither end will notice for minutes.
func (c *Network) Moved(own []netip.Addr) {
	has := make(map[netip.Addr]bool, len(own))
	for _, a := range own {
		has[a.WithZone("")] = true
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, a := range c.attached {
		a.mu.Lock()
		var dead []*conn
		var again []face.Peer
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
				again = append(again, face.Peer{Addr: s.callable(), Source: share.FromIncoming})
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
			if a.ready.Load() {
				a.AddPeers(again)
			}
		})
	}
}
