package core

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// Connected takes a new connection after its handshake. The Peer names the
// connection from now on.
func (c *Core) Connected(now time.Duration, info PeerInfo) (*Peer, error) {
	c.enter(now)
	if info.Outgoing {
		c.book.dialed(info.Addr)
	}
	if !info.Web {
		if err := c.welcome(&info); err != nil {
			return nil, err
		}
	}
	p := &Peer{PeerInfo: info, since: c.now, heard: c.now, spoke: c.now}
	p.chokesUs, p.choked, p.piece, p.window = true, true, -1, window{size: firstWindow}
	if info.Web {
		p.chokesUs, p.window.size = false, firstOfWeb
		p.have = newBits(c.layout.Pieces)
		c.peers = append(c.peers, p)
		return p, nil
	}
	if info.Outgoing || info.UTP {
		p.listen = info.Addr
		c.book.learn(p.listen, FromPeer)
		c.book.engaged(p.listen)
	}
	c.pex.met(p)
	c.peers = append(c.peers, p)
	c.greeter.greet(p, len(c.info.info))
	c.uploads.grant(p)
	c.inquire()
	return p, nil
}

// welcome tells why a new connection is refused; nil if it is not.
func (c *Core) welcome(info *PeerInfo) error {
	switch {
	case c.bans.bans(info.Addr.Addr()):
		return ErrBanned
	case info.ID == c.peerID:
		c.book.forget(info.Addr)
		return ErrSelf
	}
	if err := c.twin(info); err != nil {
		return err
	}
	if len(c.peers) < c.maxPeers {
		return nil
	}
	worst := c.book.expendable(info.Addr)
	if worst == nil {
		return ErrFull
	}
	c.drop(worst, "another peer comes first, and there are enough")
	return nil
}

// twin looks for another connection to the same program on the same host. Of two
// that cross, both sides keep the one that was begun by the side that listens at the
// lower port, as libtorrent does; where the ports are equal, the higher ID decides.
// Who connects to us again has lost the connection that we still have.
func (c *Core) twin(info *PeerInfo) error {
	for _, q := range c.peers {
		if q.ID != info.ID || q.Addr.Addr() != info.Addr.Addr() {
			continue
		}
		if !info.Outgoing && !q.Outgoing {
			c.drop(q, "it has connected again")
			return nil
		}
		theirs := q.Addr.Port()
		if info.Outgoing {
			theirs = info.Addr.Port()
		}
		ours := cmp.Or(cmp.Compare(theirs, c.ranking.port), slices.Compare(c.peerID[:], info.ID[:])) > 0
		if info.Outgoing == ours && q.Outgoing != ours {
			c.drop(q, "another connection to it is preferred")
			return nil
		}
		return ErrTwin
	}
	return nil
}

// Disconnected takes that the connection to p ended.
func (c *Core) Disconnected(now time.Duration, p *Peer) {
	c.enter(now)
	if !p.gone {
		c.remove(p)
		c.requests.refillAll()
		c.inquire()
	}
}

// Broke takes that the connection to p broke, and that neither side has ended it. If it
// was of use, p is dialed again.
func (c *Core) Broke(now time.Duration, p *Peer) {
	c.enter(now)
	if p.gone {
		return
	}
	c.remove(p)
	if p.Downloaded+p.Uploaded > 0 {
		c.book.broke(p)
		c.connect()
	}
	c.requests.refillAll()
	c.inquire()
}

// Left takes that p itself ended the connection. If all that it lacked was sent to it, it
// has all: many clients close as soon as they are complete, and say nothing of it.
func (c *Core) Left(now time.Duration, p *Peer) {
	c.enter(now)
	if p.gone || !c.layout.Known() {
		return
	}
	for i := range c.layout.Pieces {
		if !p.has(i) && !p.given.all.has(i) {
			return
		}
	}
	c.fetched(p)
}

// fetched tells once that p has all, if some of it was sent from here.
func (c *Core) fetched(p *Peer) {
	if p.Web || p.Uploaded == 0 || p.given.told {
		return
	}
	p.given.told = true
	c.act(Action{Kind: Fetched, Peer: p, Addr: p.Addr, Client: p.Client})
}

// Breach takes that p broke the protocol, in a way that the reader of its
// messages saw.
func (c *Core) Breach(now time.Duration, p *Peer, reason string) {
	c.enter(now)
	c.book.idle(p)
	c.drop(p, reason)
}

// strike counts what a confused peer does now and then, and a hostile one all
// the time.
func (c *Core) strike(p *Peer, what string) {
	if p.strikes++; p.strikes >= maxStrikes {
		c.book.idle(p)
		c.drop(p, what)
	}
}

const maxStrikes = 16

// drop ends a connection.
func (c *Core) drop(p *Peer, reason string) { c.discard(p, reason, false) }

// convict bans a peer that sent wrong data.
func (c *Core) convict(p *Peer) {
	if p.convicted {
		return
	}
	p.convicted = true
	c.stats.Convicted++
	if !p.Web {
		c.bans.ban(p.Addr.Addr())
	}
	c.discard(p, "it sent wrong data", true)
}

func (c *Core) discard(p *Peer, reason string, banned bool) {
	if p.gone {
		return
	}
	c.remove(p)
	c.act(Action{Kind: Drop, Peer: p, Reason: reason, Banned: banned})
	c.requests.refillAll()
}

func (c *Core) remove(p *Peer) {
	p.gone = true
	c.strikeOff(p)
	c.requests.dropAsked(p, 0)
	c.holdings.left(p)
	p.past, p.mail, p.want, p.news = nil, nil, nil, nil
	c.uploads.left(p)
	if len(c.peers) == 0 {
		c.choker.ask(0) // nobody wakes a Core without peers
	}
	c.suggester.takeBack(p)
	c.pex.left(p)
	c.info.left(p)
	c.inquiries.left(p)
	c.book.ended(p)
	c.picker.disown(p)
}

// redundant drops a peer if neither side can ever have anything for the other.
// One that has what it wants may want more later: it stays, while there is room.
func (c *Core) redundant(p *Peer) bool {
	if !p.gone && c.complete && c.peerComplete(p) && (c.layers.lacking == 0 || !p.V2) {
		c.book.idle(p)
		c.drop(p, "neither side needs anything")
		return true
	}
	return false
}

// Manners.
const (
	keepAlive = 2 * time.Minute
	silence   = 4 * time.Minute
)

// tend keeps a connection alive, or ends it.
func (c *Core) tend(p *Peer) {
	switch {
	case p.Web:
		c.redundant(p)
	case c.now-p.heard > silence:
		c.drop(p, "it was silent for four minutes")
	case p.deaf:
		c.drop(p, "it does not read what it is sent")
	case c.redundant(p):
	case c.now-p.spoke >= keepAlive:
		c.send(p, wire.Message{Type: wire.KeepAlive})
	}
}

// Span is a part of a piece to be read and sent as a Piece message.
type Span struct{ Piece, Begin, Length int }

// Out is what a peer is to be sent: the messages, then the blocks. Its memory
// is used again by the next Pull.
type Out struct {
	Messages []wire.Message
	Blocks   []Span
}

// Pull fills out with what p is to be sent now: all messages, and blocks of at
// least budget bytes if there are as many. It reports whether there is anything.
// After a Pull that had something the caller pulls again; after one that had
// nothing, at the next Ready.
func (c *Core) Pull(now time.Duration, p *Peer, budget int, out *Out) bool {
	c.enter(now)
	clear(out.Messages)
	spare := out.Messages[:0]
	out.Blocks = out.Blocks[:0]
	if p.gone {
		out.Messages = spare
		return false
	}
	if len(p.news) > 0 && (len(p.mail) > 0 || len(p.want) > 0) {
		c.herald.tell(p) // with what is sent anyhow
	}
	out.Messages = p.empty(spare)
	var sent int
	out.Blocks, sent = c.uploads.take(p, budget, out.Blocks)
	c.stats.Sent += int64(sent)
	p.ready = len(out.Messages) > 0 || len(out.Blocks) > 0
	if p.ready {
		p.spoke = c.now
	}
	return p.ready
}

// listens takes where others reach a peer that connected to us.
func (c *Core) listens(p *Peer, port uint16) {
	if port == 0 || p.Outgoing || p.listen.IsValid() {
		return
	}
	p.listen = netip.AddrPortFrom(p.Addr.Addr(), port)
	c.book.learn(p.listen, FromPeer)
	c.book.engaged(p.listen)
	c.pex.joined(p)
}
