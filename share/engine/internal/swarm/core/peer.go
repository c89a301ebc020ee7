package core

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// PeerInfo is what a handshake tells of a peer.
type PeerInfo struct {
	Addr     netip.AddrPort // the other end of the connection
	ID       [20]byte
	Outgoing bool // we connected
	// Fast and Extended say that both sides have BEP 6 and BEP 10.
	Fast, Extended bool
	Encrypted      bool
}

// Peer is one connection. The exported fields are to be read only.
type Peer struct {
	PeerInfo
	Client     string
	Downloaded int64 // bytes of blocks that it sent
	Uploaded   int64 // bytes of blocks that it was sent

	gone   bool
	since  time.Duration
	heard  time.Duration // last message from it
	spoke  time.Duration // last message to it
	ready  bool
	outbox []wire.Message
	deaf   bool // its outbox is full

	// What it has.
	seed   bool // all, said at once; have is nil then
	have   bits
	count  int
	useful int // pieces that it has and we want
	fresh  int // of these, those that are not begun
	late   struct {
		bits []byte // what it said before the content was known
		all  bool
	}

	// What it is asked.
	interesting bool
	chokesUs    bool
	allowed     bits // pieces that it gives while it chokes us
	asked       []ask
	past        map[key]time.Duration
	own         *begun
	suggests    []int32 // pieces that it suggested
	window      window
	reqq        int
	refill      bool
	down        meter
	longDown    meter
	lastBlock   time.Duration
	newest      time.Duration // when the latest request was made that it answered
	waits       time.Duration // since when it has answered nothing; 0 if it is asked nothing
	blocks      int           // that it sent when they were wanted
	expired     int           // that it did not send in time
	rejects     int
	flaps       int // times that it choked us without having sent anything
	strikes     int

	// Whether it is believed.
	good      int // blocks in pieces that were right
	failed    int // pieces that it was to fetch alone, and did not
	suspect   bool
	convicted bool

	// What it asks.
	interested bool
	choked     bool // by us
	granted    bits // pieces that it gets while choked
	want       []span
	up         meter
	suggested  []int32       // pieces that we suggested
	asks       int32         // the piece that it asked for last
	unchoked   time.Duration // when we last unchoked it
	served     int64         // bytes since then
	optimistic bool
	nth        int // of its line, in the order of merit

	// Extensions: the numbers that messages have towards it; 0 for not offered.
	ext        map[string]uint8
	infoSize   int
	metadata   metadataPeer
	listen     netip.AddrPort // where others reach it; invalid while not known
	uploadOnly bool
	told       uint64        // PEX: it was told of those that came up to here
	pexDue     time.Duration // when it is told again
	pexHeard   time.Duration
	entry      uint64 // the number of its arrival in the log; 0 for none
}

// span is a part of a piece that a peer asked for.
type span struct{ piece, begin, length uint32 }

// has tells whether the peer has piece i.
func (p *Peer) has(i int) bool { return p.seed || p.have.has(i) }

// Complete tells whether the peer has all pieces.
func (c *Core) peerComplete(p *Peer) bool {
	return p.seed || c.layout.Known() && p.count == c.layout.Pieces
}

// Refusals of Connected.
var (
	ErrBanned = errors.New("the peer sent wrong data before")
	ErrSelf   = errors.New("the peer is this node")
	ErrTwin   = errors.New("another connection to the peer is preferred")
	ErrFull   = errors.New("there are enough peers")
)

// Connected takes a new connection after its handshake. The Peer names the
// connection from now on.
func (c *Core) Connected(now time.Duration, info PeerInfo) (*Peer, error) {
	c.enter(now)
	c.book.dialed(c, info.Addr, info.Outgoing)
	switch {
	case c.poison.bans(info.Addr.Addr()):
		return nil, ErrBanned
	case info.ID == c.cfg.PeerID:
		c.book.forget(info.Addr)
		return nil, ErrSelf
	}
	if err := c.twin(&info); err != nil {
		return nil, err
	}
	if len(c.peers) >= c.cfg.MaxPeers && !c.makeRoom(info.Addr) {
		return nil, ErrFull
	}
	p := &Peer{
		PeerInfo: info, since: c.now, heard: c.now, spoke: c.now,
		chokesUs: true, choked: true, asks: -1, window: window{size: firstWindow},
	}
	if info.Outgoing {
		p.listen = info.Addr
		c.book.engaged(p.listen)
	}
	c.pex.joined(c, p)
	p.pexDue = c.now + pexEvery/4
	c.peers = append(c.peers, p)
	c.greet(p)
	return p, nil
}

// twin looks for another connection to the same program on the same host. Both
// sides keep the one that was begun by the side with the higher ID.
func (c *Core) twin(info *PeerInfo) error {
	for _, q := range c.peers {
		if q.ID != info.ID || q.Addr.Addr() != info.Addr.Addr() {
			continue
		}
		ours := slices.Compare(c.cfg.PeerID[:], info.ID[:]) > 0
		if info.Outgoing == ours && q.Outgoing != ours {
			c.drop(q, "another connection to it is preferred")
			return nil
		}
		return ErrTwin
	}
	return nil
}

// greet sends what comes first.
func (c *Core) greet(p *Peer) {
	if c.layout.Known() {
		p.have = newBits(c.layout.Pieces)
	}
	switch n := c.have.count(c.layout.Pieces); {
	case n == 0 || !c.layout.Known():
		if p.Fast {
			c.send(p, wire.Message{Type: wire.HaveNone})
		}
	case n == c.layout.Pieces && p.Fast:
		c.send(p, wire.Message{Type: wire.HaveAll})
	default:
		c.send(p, wire.Message{Type: wire.Bitfield, Payload: slices.Clone(c.have)})
	}
	if p.Extended {
		c.sendHandshake(p)
	}
	c.grant(p)
}

// sendHandshake sends our extended handshake, which may be sent again.
func (c *Core) sendHandshake(p *Peer) {
	h := wire.Handshake{
		Extensions: map[string]uint8{
			wire.NameMetadata: wire.ExtMetadata, wire.NameDontHave: wire.ExtDontHave, wire.NameUploadOnly: wire.ExtUploadOnly,
		},
		Client: c.cfg.Client, Port: c.cfg.Port, ReqQ: ReqQ, InfoSize: len(c.cfg.Info),
		UploadOnly: c.finished, YourIP: p.Addr.Addr().Unmap(),
	}
	if !c.cfg.Private {
		h.Extensions[wire.NamePEX] = wire.ExtPEX
	}
	for name, n := range c.cfg.Extensions {
		h.Extensions[name] = n
	}
	c.send(p, wire.Message{Type: wire.Extended, Ext: wire.ExtHandshake, Payload: wire.AppendHandshake(nil, &h)})
}

func (c *Core) announceUploadOnly() {
	for _, p := range c.snapshot() {
		if p.Extended && p.ext != nil {
			c.sendHandshake(p)
		}
		c.redundant(p)
	}
}

// redundant drops a peer if neither side has anything for the other.
func (c *Core) redundant(p *Peer) bool {
	if c.finished && !p.gone && (c.complete && c.peerComplete(p) || p.uploadOnly && !p.interested) {
		c.book.idle(c, p)
		c.drop(p, "neither side needs anything")
		return true
	}
	return false
}

// Disconnected takes that the connection to p ended.
func (c *Core) Disconnected(now time.Duration, p *Peer) {
	c.enter(now)
	if !p.gone {
		c.remove(p)
		c.settleLoss()
	}
}

// drop ends a connection.
func (c *Core) drop(p *Peer, reason string) { c.discard(p, reason, false) }

func (c *Core) discard(p *Peer, reason string, banned bool) {
	if p.gone {
		return
	}
	c.remove(p)
	c.act(Action{Kind: Drop, Peer: p, Reason: reason, Banned: banned})
	c.settleLoss()
}

func (c *Core) remove(p *Peer) {
	p.gone = true
	i := slices.Index(c.peers, p)
	last := len(c.peers) - 1
	c.peers[i] = c.peers[last]
	c.peers[last] = nil
	c.peers = c.peers[:last]
	c.dropAsked(p, 0)
	if !p.seed && c.layout.Known() {
		for i := range c.layout.Pieces {
			if p.have.has(i) {
				c.spread(i, -1)
			}
		}
	}
	p.have, p.past, p.outbox, p.want = nil, nil, nil, nil
	c.unsuggest(p)
	c.pex.left(c, p)
	c.info.left(c, p)
	c.book.ended(c, p)
	for _, b := range c.order {
		if b.owner == p && !b.solo {
			b.owner = nil
		}
	}
}

// settleLoss gives what a lost peer was asked for to others.
func (c *Core) settleLoss() {
	if c.missing == 0 {
		return
	}
	for _, p := range c.peers {
		c.refill(p)
	}
}

// send puts a message into the outbox of p.
func (c *Core) send(p *Peer, m wire.Message) {
	if p.gone {
		return
	}
	if len(p.outbox) >= maxOutbox {
		p.deaf = true // dropped by manners: others may be in the middle of a loop
		return
	}
	p.outbox = append(p.outbox, m)
	c.rouse(p)
}

// maxOutbox is more than a window of requests and the haves of a few minutes.
const maxOutbox = 8192

// rouse tells the caller that Pull has something for p.
func (c *Core) rouse(p *Peer) {
	if !p.ready {
		p.ready = true
		c.act(Action{Kind: Ready, Peer: p})
	}
}

// unsend takes a message back that has not left yet.
func (p *Peer) unsend(t wire.Type, index, begin uint32) bool {
	for i := len(p.outbox) - 1; i >= 0; i-- {
		if m := &p.outbox[i]; m.Type == t && m.Index == index && m.Begin == begin {
			p.outbox = slices.Delete(p.outbox, i, i+1)
			return true
		}
	}
	return false
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
	out.Messages = p.outbox
	if cap(spare) <= 64 {
		p.outbox = spare
	} else {
		p.outbox = nil // a burst's memory is not kept
	}
	taken := 0
	for ; taken < len(p.want) && budget > 0; taken++ {
		w := p.want[taken]
		out.Blocks = append(out.Blocks, Span{int(w.piece), int(w.begin), int(w.length)})
		budget -= int(w.length)
		c.count(p, int(w.length))
	}
	if taken == len(p.want) {
		p.want = p.want[:0]
		if cap(p.want) > 256 {
			p.want = nil
		}
	} else {
		p.want = slices.Delete(p.want, 0, taken)
	}
	any := len(out.Messages) > 0 || len(out.Blocks) > 0
	if any {
		p.spoke = c.now
	}
	p.ready = any
	return any
}

func (c *Core) count(p *Peer, n int) {
	p.Uploaded += int64(n)
	p.served += int64(n)
	p.up.add(c.now, n, longTerm)
	c.choker.up.add(c.now, n, longTerm)
	c.stats.Sent += int64(n)
}

// Manners.
const (
	keepAlive = 2 * time.Minute
	silence   = 4 * time.Minute
)

// Breach takes that p broke the protocol, in a way that the reader of its
// messages saw.
func (c *Core) Breach(now time.Duration, p *Peer, reason string) {
	c.enter(now)
	c.book.idle(c, p)
	c.drop(p, reason)
}

// manners keeps a connection alive, or ends it.
func (c *Core) manners(p *Peer) {
	switch {
	case c.now-p.heard > silence:
		c.drop(p, "it was silent for four minutes")
	case p.deaf:
		c.drop(p, "it does not read what it is sent")
	case c.redundant(p):
	case c.now-p.spoke >= keepAlive:
		c.send(p, wire.Message{Type: wire.KeepAlive})
	}
}
