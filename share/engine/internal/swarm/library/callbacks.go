package library

import (
	"context"
	"net/netip"

	"github.com/anacrolix/torrent"
	libinfo "github.com/anacrolix/torrent/metainfo"
	pp "github.com/anacrolix/torrent/peer_protocol"
	holepunch "github.com/anacrolix/torrent/peer_protocol/ut-holepunch"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/bencode"
	"github.com/shoalnet/shoal/share/engine/internal/compact"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/dialback"
)

// completedHandshake runs in the goroutine of a connection, without the
// library's lock and before the library looks for the transfer.
func (c *Network) completedHandshake(pc *torrent.PeerConn, hash libinfo.Hash) {
	a, ok := pc.RemoteAddr.(*acceptedAddr)
	if !ok {
		return
	}
	id := share.ID(hash)
	a.conn.id.Store(&id)
	c.gate.shook(a.conn)
	c.greeted(a.conn, c.cfg.Events.Stranger)
	c.dialbacks.answered(dialback.Nonce(pc.PeerID))
	c.mu.RLock()
	_, known := c.known[id]
	at := c.attached[id]
	c.mu.RUnlock()
	if wake := c.cfg.Events.Wake; wake != nil && known && (at == nil || !at.ready.Load()) {
		ctx, cancel := context.WithTimeout(c.ctx, wakeTime)
		defer cancel()
		wake(ctx, id)
	}
}

// secretKeys are the IDs that an encrypted handshake may be for.
func (c *Network) secretKeys(yield func([]byte) bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for id := range c.attached {
		if !yield(id[:]) {
			return
		}
	}
	for id := range c.known {
		if _, done := c.attached[id]; !done && !yield(id[:]) {
			return
		}
	}
}

// The callbacks below run with the library's lock held.

func (c *Network) of(pc *torrent.PeerConn) *Swarm {
	t := pc.Torrent()
	if t == nil {
		return nil
	}
	return c.swarmOf(share.ID(t.InfoHash()))
}

func (c *Network) peerAdded(pc *torrent.PeerConn) {
	// The guard has chosen what we understand. The library is to read requests
	// for metadata only: addresses from peer exchange go through the book.
	m := *pc.LocalLtepProtocolMap
	m.NumBuiltin = 1
	pc.LocalLtepProtocolMap = &m

	a := c.of(pc)
	if a == nil {
		return
	}
	s := &peerState{conn: c.gate.connOf(pc.RemoteAddr, a.id)}
	if s.conn != nil {
		s.conn.tap.Store(a.tap)
		c.gate.shook(s.conn)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.peers[pc] = s
	a.lastPeer.Store(c.gate.now().Unix())
}

func (c *Network) peerClosed(pc *torrent.PeerConn) {
	a := c.of(pc)
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.peers[pc]
	if !ok {
		return
	}
	delete(a.peers, pc)
	if s.seed {
		a.seeds--
	}
	a.lastPeer.Store(c.gate.now().Unix())
}

// readMessage counts seeds and notes who is of use. The guard has seen the message
// before.
func (c *Network) readMessage(pc *torrent.PeerConn, m *pp.Message) {
	if m.Keepalive {
		return
	}
	switch m.Type {
	case pp.Have, pp.Bitfield, pp.HaveAll:
		if a := c.of(pc); a != nil {
			a.countPieces(pc, m)
		}
	case pp.Choke, pp.Unchoke, pp.Interested, pp.NotInterested:
		if a := c.of(pc); a != nil {
			a.noteWish(pc, m.Type)
		}
	}
}

// noteWish notes what a peer allows us, or wants of us. The library lets everybody
// ask who is interested.
func (a *Swarm) noteWish(pc *torrent.PeerConn, m pp.MessageType) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.peers[pc]
	if s == nil || s.conn == nil {
		return
	}
	switch m {
	case pp.Choke, pp.Unchoke:
		s.conn.unchoked.Store(m == pp.Unchoke)
	default:
		s.conn.wanted.Store(m == pp.Interested)
	}
}

func (a *Swarm) countPieces(pc *torrent.PeerConn, m *pp.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.peers[pc]
	if s == nil || s.seed {
		return
	}
	switch m.Type {
	case pp.Have:
		s.have++
	case pp.HaveAll:
		s.have = a.pieces
	case pp.Bitfield:
		for _, b := range m.Bitfield {
			if b {
				s.have++
			}
		}
	}
	if s.have >= a.pieces {
		s.seed = true
		a.seeds++
	}
}

// dhtNode hands on the first PORT message of a connection.
func (c *Network) dhtNode(pc *torrent.PeerConn, port uint16, tell func(netip.AddrPort)) {
	a := c.of(pc)
	ap, err := netip.ParseAddrPort(pc.RemoteAddr.String())
	if tell == nil || a == nil || err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.peers[pc]; s != nil && !s.port {
		s.port = true
		c.tells.Go(func() { tell(netguard.RestoreZone(netip.AddrPortFrom(ap.Addr().Unmap(), port))) })
	}
}

// readExtension handles the messages that the library does not, as the guard
// has left them: few, and not too often.
func (c *Network) readExtension(ev torrent.PeerConnReadExtensionMessageEvent) {
	index := ev.PeerConn.LocalLtepProtocolMap.Index
	n := int(ev.ExtensionNumber) - 1
	a := c.of(ev.PeerConn)
	switch {
	case a == nil || n >= len(index):
	case n < 0:
		c.meet(ev.PeerConn, a, ev.Payload)
	case index[n] == pp.ExtensionNameMetadata:
		a.noteWish(ev.PeerConn, pp.Interested) // in what the library sends it
	case index[n] == pp.ExtensionNamePex:
		c.exchanged(a, ev.Payload)
	case index[n] == dialback.Name:
		c.helpOut(ev.PeerConn, a, ev.Payload)
	case index[n] == holepunch.ExtensionName:
		c.heardPunch(ev.PeerConn, a, ev.Payload)
	}
}

// exchanged takes the addresses out of peer exchange (BEP 11).
func (c *Network) exchanged(a *Swarm, payload []byte) {
	v, _, err := bencode.Parse(payload, bencode.Small)
	if err != nil {
		return
	}
	addrs := compact.Peers6(v.Get("added6").Str)
	addrs = append(addrs, compact.Peers4(v.Get("added").Str)...)
	if found := c.cfg.Events.Found; found != nil && len(addrs) > 0 {
		found(a.id, share.FromPEX, addrs)
	}
}
