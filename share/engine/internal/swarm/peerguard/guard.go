// Package peerguard keeps to itself which messages of peers torrent.Client may see:
// every message is checked before the client processes it, so that no sequence of
// bytes a peer sends reaches the client's assertions or grows its memory without
// bound.
//
// A message that is out of place but harmless becomes a keep-alive; one that no
// honest peer sends ends the connection; what the client would parse itself is
// parsed here, within bounds, and handed on rewritten.
package peerguard

import (
	"bytes"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anacrolix/torrent"
	pp "github.com/anacrolix/torrent/peer_protocol"
	bep55 "github.com/anacrolix/torrent/peer_protocol/ut-holepunch"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/dialback"
)

// Config is what a Guard needs.
type Config struct {
	Logger *slog.Logger
	// Policy judges the addresses that peers send by PEX.
	Policy netguard.Policy
	// InfoSize tells how many bytes the info dictionary of a torrent has. It is
	// called with the client's lock held.
	InfoSize func(share.ID) int
	// PeerID is the client's. With it two connections to one and the same peer
	// are told, and one of them ended; a zero one leaves them alone. The
	// client's own DropDuplicatePeerIds must be off: by it a stranger who uses
	// the name of an honest peer gets that one thrown out.
	PeerID [20]byte
	// OnPort is called with the port of the DHT node that a peer runs. It is
	// called with the client's lock held: it must not block nor call the client.
	OnPort func(*torrent.PeerConn, uint16)
	// OnHostile is called for a connection that is ended, with the lock held.
	// May be nil.
	OnHostile func(*torrent.PeerConn, error)
	Now       func() time.Time
}

// Guard checks the messages of one client's peers.
type Guard struct {
	cfg Config

	mu    sync.Mutex
	conns map[*torrent.PeerConn]*guarded

	checks sync.WaitGroup
}

type guarded struct {
	*Conn
	twin atomic.Bool // another connection to the same peer is preferred

	mu       sync.Mutex
	checking bool  // a comparison is under way
	compared bool  // one has ended since the last message
	written  int64 // by the connection, when last compared
	settled  int64 // written since what is owed was last reduced
}

// Install puts a guard into the callbacks of a client that is yet to be made,
// in front of those that are set already. Every torrent of the client must be
// added with its info dictionary: messages that come before it is known cannot
// be judged, and end the connection.
func Install(cb *torrent.Callbacks, cfg Config) *Guard {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	g := &Guard{cfg: cfg, conns: map[*torrent.PeerConn]*guarded{}}
	cb.PeerConnAdded = append([]func(*torrent.PeerConn){g.added}, cb.PeerConnAdded...)
	read, closed := cb.ReadMessage, cb.PeerConnClosed
	cb.ReadMessage = func(pc *torrent.PeerConn, m *pp.Message) {
		g.read(pc, m)
		if read != nil {
			read(pc, m)
		}
	}
	cb.PeerConnClosed = func(pc *torrent.PeerConn) {
		g.closed(pc)
		if closed != nil {
			closed(pc)
		}
	}
	return g
}

// Wait returns when nothing of the guard runs any more; call it after the
// client is closed.
func (g *Guard) Wait() { g.checks.Wait() }

// Extensions we offer, by the number that peers use towards us. Those that the
// client handles come first. It is never to handle ut_holepunch: one message of it
// from a peer that never offered it ends the process, and the client would ask
// for introductions to no address at all; so it does not get to know who has it
// under that name.
const (
	extMetadata = 1
	extPEX      = 2 // not for private torrents, whose others move up
)

// PunchAlias is what ut_holepunch (BEP 55) is called in handshakes that the guard
// has rewritten.
const PunchAlias = "sh_punch"

func (s Shape) dialBack() pp.ExtensionNumber {
	if s.PEX {
		return extPEX + 1
	}
	return extMetadata + 1
}

// punch is 0 where nobody is to be introduced (BEP 27).
func (s Shape) punch() pp.ExtensionNumber {
	if s.PEX {
		return extPEX + 2
	}
	return 0
}

func (g *Guard) added(pc *torrent.PeerConn) {
	shape := Shape{Policy: g.cfg.Policy, InfoSize: g.cfg.InfoSize(share.ID(pc.Torrent().InfoHash()))}
	if info := pc.Torrent().Info(); info != nil {
		shape.NumPieces = info.NumPieces()
		shape.PieceLength = info.PieceLength
		shape.PEX = info.Private == nil || !*info.Private
		// Of a hybrid the client takes the last piece of every file for a short
		// one; it checks the ends of pieces itself, so the bound suffices.
		shape.Total = int64(shape.NumPieces) * shape.PieceLength
		if !info.HasV2() {
			shape.Total = info.TotalLength()
		}
	}
	names := []pp.ExtensionName{pp.ExtensionNameMetadata}
	if shape.PEX {
		names = append(names, pp.ExtensionNamePex)
	}
	builtin := len(names)
	names = append(names, dialback.Name)
	if shape.PEX {
		names = append(names, bep55.ExtensionName)
	}
	pc.LocalLtepProtocolMap = &torrent.LocalLtepProtocolMap{Index: names, NumBuiltin: builtin}

	c := &guarded{Conn: NewConn(shape, g.cfg.Now)}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.twins(pc, c)
	g.conns[pc] = c
}

// twins looks for another connection to the peer of pc: the same ID, from the
// same address. Both sides must end the same one of the two, so the one stays
// that was begun by the side with the higher ID.
func (g *Guard) twins(pc *torrent.PeerConn, c *guarded) {
	if g.cfg.PeerID == ([20]byte{}) {
		return
	}
	for other, oc := range g.conns {
		if other.PeerID != pc.PeerID || other.Torrent() != pc.Torrent() || oc.twin.Load() || !sameHost(other, pc) {
			continue
		}
		if g.preferred(pc) && !g.preferred(other) {
			oc.twin.Store(true)
		} else {
			c.twin.Store(true)
		}
		return
	}
}

func (g *Guard) preferred(pc *torrent.PeerConn) bool {
	outgoing := pc.Discovery != torrent.PeerSourceIncoming
	return outgoing == (bytes.Compare(g.cfg.PeerID[:], pc.PeerID[:]) > 0)
}

func sameHost(a, b *torrent.PeerConn) bool {
	aa, err := netip.ParseAddrPort(a.RemoteAddr.String())
	if err != nil {
		return false
	}
	bb, err := netip.ParseAddrPort(b.RemoteAddr.String())
	return err == nil && aa.Addr().Unmap() == bb.Addr().Unmap()
}

func (g *Guard) closed(pc *torrent.PeerConn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, pc)
}

func (g *Guard) read(pc *torrent.PeerConn, m *pp.Message) {
	g.mu.Lock()
	c := g.conns[pc]
	g.mu.Unlock()
	if c == nil || c.twin.Load() {
		// Of a closed one the client does not look at the message.
		end(m)
		return
	}
	if m.Type == pp.Port && !m.Keepalive && g.cfg.OnPort != nil && m.Port != 0 {
		g.cfg.OnPort(pc, m.Port)
	}
	err := c.Check(m)
	if err == nil {
		if err = g.backlog(pc, c); err != nil {
			end(m)
		}
	}
	if err != nil {
		g.cfg.Logger.Debug("ending a connection", "peer", pc.RemoteAddr, "error", err)
		if g.cfg.OnHostile != nil {
			g.cfg.OnHostile(pc, err)
		}
	}
}
