package swarm

import (
	"net"
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/core"
)

// Peer is one connection of a swarm.
type Peer struct{ conn *conn }

// PeerInfo tells of one connection.
type PeerInfo struct {
	Addr                 netip.AddrPort
	Client               string
	Outgoing, Encrypted  bool
	Downloaded, Uploaded int64
	Pieces               int  // that it has
	Complete             bool // it has all
	Idle                 bool // it lets us ask for nothing and wants nothing
	// Listens is where others reach it; invalid while that is not known.
	Listens netip.AddrPort
	// Conn is what Config.Dial or the listener gave.
	Conn net.Conn
	Peer *Peer
}

// Peers are those connected.
func (s *Swarm) Peers() []PeerInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]PeerInfo, 0, len(s.conns))
	for _, p := range s.core.Peers() {
		c, ok := s.conns[p].(*conn)
		if !ok {
			continue
		}
		all = append(all, PeerInfo{
			Addr: p.Addr, Client: p.Client, Outgoing: p.Outgoing, Encrypted: p.Encrypted, Downloaded: p.Downloaded, Uploaded: p.Uploaded,
			Pieces: p.Pieces(), Complete: s.core.PeerComplete(p), Idle: p.Idle(), Listens: p.Listens(),
			Conn: c.stream.Conn, Peer: &Peer{c},
		})
	}
	return all
}

// Conn is what Config.Dial or the listener gave.
func (p *Peer) Conn() net.Conn { return p.conn.stream.Conn }

// Has tells whether the peer has an extension of the caller's.
func (p *Peer) Has(name string) bool {
	p.conn.swarm.mu.Lock()
	defer p.conn.swarm.mu.Unlock()
	return p.conn.peer.Extension(name) != 0
}

// Listens is where others reach the peer; invalid while that is not known.
func (p *Peer) Listens() netip.AddrPort {
	p.conn.swarm.mu.Lock()
	defer p.conn.swarm.mu.Unlock()
	return p.conn.peer.Listens()
}

// Renew ends the connection, which is of no use any more, and dials the peer anew.
func (p *Peer) Renew() {
	p.conn.swarm.do(func(c *core.Core, now time.Duration) { c.Renew(now, p.conn.peer) })
}

// Send sends a message of one of the caller's extensions, if the peer has it.
func (p *Peer) Send(name string, payload []byte) {
	p.conn.swarm.do(func(c *core.Core, now time.Duration) { c.Send(now, p.conn.peer, name, payload) })
}
