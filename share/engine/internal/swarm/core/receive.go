package core

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// Receive takes a message of p, other than a Piece, for which there is Block. It
// keeps nothing of it. What a Reader of package wire has let through is right
// in its form; here is judged whether it makes sense.
func (c *Core) Receive(now time.Duration, p *Peer, m *wire.Message) {
	c.enter(now)
	if p.gone {
		return
	}
	defer c.requests.refilled()
	p.heard = c.now
	if !c.layout.Known() && m.Type != wire.Port && m.Type != wire.Extended {
		c.early(p, m)
		return
	}
	if err := c.misfit(m); err != nil {
		c.drop(p, err.Error())
		return
	}
	switch m.Type {
	case wire.Choke:
		if !p.chokesUs && c.requests.choked(p) {
			c.drop(p, "it unchokes and chokes, and sends nothing")
		}
	case wire.Unchoke:
		if p.chokesUs {
			p.chokesUs = false
			c.requests.fill(p)
		}
	case wire.Interested:
		p.interested = true
		if p.choked && c.choker.free(c.uploads.rate()) {
			c.uploads.unchoke(p)
		}
	case wire.NotInterested:
		p.interested = false
		if !p.choked {
			c.uploads.choke(p)
			if next := c.choker.longest(); next != nil && c.choker.free(c.uploads.rate()) {
				c.uploads.unchoke(next)
			}
		}
	case wire.Have:
		c.peerHas(p, int(m.Index))
	case wire.Bitfield:
		c.peerBits(p, m.Payload)
	case wire.HaveAll:
		c.peerAll(p)
	case wire.HaveNone:
	case wire.Request:
		c.uploads.requested(p, span{m.Index, m.Begin, m.Length})
	case wire.Cancel:
		c.uploads.cancelled(p, span{m.Index, m.Begin, m.Length})
	case wire.Reject:
		c.rejected(p, key{int32(m.Index), int32(m.Begin / wire.BlockSize)})
	case wire.AllowedFast:
		c.requests.allow(p, int(m.Index))
		if p.has(int(m.Index)) {
			c.requests.fill(p)
		}
	case wire.Suggest:
		c.suggester.heard(p, int(m.Index))
	case wire.Port:
		if m.Port != 0 && !c.private {
			c.act(Action{Kind: DHT, Peer: p, Port: m.Port})
		}
	case wire.Extended:
		c.extended(p, m)
	case wire.HashRequest:
		c.hashServer.requested(p, m.Hash)
	case wire.Hashes, wire.HashReject:
		c.heardHashes(p, m)
	}
}

// misfit tells what is wrong with a message that was read just before the content was
// known: the Reader did not compare it with the number of pieces.
func (c *Core) misfit(m *wire.Message) error {
	switch m.Type {
	case wire.Have, wire.Suggest, wire.AllowedFast:
		if int(m.Index) >= c.layout.Pieces {
			return fmt.Errorf("it sent a %v message for piece %d of %d", m.Type, m.Index, c.layout.Pieces)
		}
	case wire.Bitfield:
		return wire.CheckBits(m.Payload, c.layout.Pieces)
	}
	return nil
}

// early takes messages that come before the content is known.
func (c *Core) early(p *Peer, m *wire.Message) {
	switch m.Type {
	case wire.Choke:
		p.chokesUs = true
	case wire.Unchoke:
		p.chokesUs = false
	case wire.Interested:
		p.interested = true
	case wire.NotInterested:
		p.interested = false
	case wire.HashRequest:
		c.hashServer.refuse(p, m.Hash)
	case wire.Suggest:
		c.suggester.early(p, int(m.Index))
	case wire.AllowedFast:
		c.requests.early(p, int(m.Index))
	default:
		c.holdings.early(p, m)
	}
}

// peerHas takes that p has piece i.
func (c *Core) peerHas(p *Peer, i int) {
	if p.has(i) {
		return
	}
	if c.holdings.one(p, i) {
		c.requests.fill(p)
	}
	if p.count == c.layout.Pieces {
		c.fetched(p)
		c.redundant(p)
	}
}

func (c *Core) peerBits(p *Peer, b []byte) {
	n := bits(b).count(c.layout.Pieces)
	switch {
	case p.count > 0: // said again, with more
		for i := range c.layout.Pieces {
			if bits(b).has(i) && !p.gone { // it may go once it has all
				c.peerHas(p, i)
			}
		}
	case n == c.layout.Pieces:
		c.peerAll(p)
	default:
		c.holdings.some(p, b)
		c.requests.fill(p)
	}
}

func (c *Core) peerAll(p *Peer) {
	if p.count > 0 {
		for i := range c.layout.Pieces {
			if !p.gone {
				c.peerHas(p, i)
			}
		}
		return
	}
	c.holdings.all(p)
	c.fetched(p)
	c.suggester.meets()
	c.requests.fill(p)
	c.redundant(p)
}

func (c *Core) rejected(p *Peer, k key) {
	switch c.requests.rejected(p, k) {
	case strayReject:
		c.strike(p, "it rejected what nobody asked for")
	case rejectsAlways:
		c.drop(p, "it rejects every request")
	}
}

// Block takes that p sent a block, and tells whether it is wanted. If so the
// caller writes it and calls Written; else it throws it away.
func (c *Core) Block(now time.Duration, p *Peer, piece, begin, length int) bool {
	c.enter(now)
	if p.gone {
		return false
	}
	defer c.requests.refilled()
	p.heard = c.now
	p.Downloaded += int64(length)
	c.stats.Received += int64(length)
	k := key{int32(piece), int32(begin / wire.BlockSize)}
	whole := c.layout.Known() && piece < c.layout.Pieces && begin%wire.BlockSize == 0 && length == c.layout.BlockLen(piece, int(k.block))
	wanted, known := false, false
	if whole {
		wanted, known = c.requests.arrived(p, k, length)
	}
	if !wanted {
		c.stats.Wasted += int64(length)
	}
	if !known {
		c.strike(p, "it sent blocks that nobody asked for")
	}
	return wanted
}

// Written takes that a block which was wanted is written; with failed, that it
// could not be.
func (c *Core) Written(now time.Duration, piece, begin int, failed bool) {
	c.enter(now)
	b := c.picker.begun[piece]
	n := begin / wire.BlockSize
	if b == nil || n >= len(b.blocks) || b.blocks[n].state != came {
		return
	}
	if c.picker.wrote(b, n, failed) {
		c.act(Action{Kind: Verify, Piece: piece, Sums: c.poison.doubts(piece)})
	}
}

// Verified takes the verdict on a piece. sums are those of its blocks, and may
// be nil when the piece is right and Sums was not asked for.
func (c *Core) Verified(now time.Duration, piece int, right bool, sums [][20]byte) {
	c.enter(now)
	b := c.picker.begun[piece]
	if b == nil || !b.checking {
		return
	}
	defer c.requests.refilled()
	if right {
		for _, p := range c.poison.acquit(piece, b.blocks, sums) {
			c.convict(p)
		}
		c.gained(b)
	} else {
		c.wrong(b, sums)
	}
	for _, p := range c.snapshot() {
		c.requests.fill(p)
	}
}

// wrong deals with a piece that is.
func (c *Core) wrong(b *begun, sums [][20]byte) {
	c.stats.Failed++
	if b.sentBySeveral() && c.disputes.open(b, sums) {
		c.inquire()
		return
	}
	c.stats.Wasted += int64(c.layout.Len(b.piece))
	c.wrongFrom(b, sums)
}

// wrongFrom judges who sent a wrong piece by who sent its blocks.
func (c *Core) wrongFrom(b *begun, sums [][20]byte) {
	liar := c.poison.accuse(b.piece, b.blocks, sums)
	c.picker.restart(b)
	if liar != nil {
		c.convict(liar)
	}
	if c.poison.doubts(b.piece) {
		b.solo = true
		c.trials.appoint(b)
	}
}

// Unverified takes that a piece could not be checked. It is fetched again.
func (c *Core) Unverified(now time.Duration, piece int) {
	c.enter(now)
	b := c.picker.begun[piece]
	if b == nil || !b.checking {
		return
	}
	c.picker.restart(b)
	if c.poison.doubts(piece) {
		b.solo = true
		c.trials.appoint(b)
	}
	c.requests.fillAll()
}

// Found takes that a piece is here, which nobody sent.
func (c *Core) Found(now time.Duration, i int) {
	c.enter(now)
	if c.have.has(i) {
		return
	}
	defer c.requests.refilled()
	if b := c.picker.begun[i]; b != nil {
		c.requests.abandon(b)
		c.gained(b)
		return
	}
	c.picker.unlist(i, c.wanted[i])
	c.arrived(i)
}

// gained takes that a piece which was begun is here.
func (c *Core) gained(b *begun) {
	c.picker.shut(b)
	for _, p := range c.peers {
		if p.own == b {
			p.own = nil
		}
	}
	c.arrived(b.piece)
}

// arrived takes that a piece is here.
func (c *Core) arrived(i int) {
	if c.wants(i) {
		c.holdings.worth(i, -1)
	}
	c.gain(i)
	c.readers.update()
	for _, p := range c.peers {
		c.holdings.interest(p)
	}
	c.herald.came(i)
	c.settle()
}

// Lost takes that a piece which was here cannot be served any more.
func (c *Core) Lost(now time.Duration, i int) {
	c.enter(now)
	if !c.have.has(i) {
		return
	}
	c.lose(i)
	if c.wanted[i] != Unwanted {
		c.holdings.worth(i, 1)
		c.picker.list(i)
	}
	for _, p := range c.snapshot() {
		c.uploads.lost(p, i)
		c.herald.lost(p, i)
		if n := p.ext[wire.NameDontHave]; n != 0 {
			c.send(p, wire.Message{Type: wire.Extended, Ext: n, Payload: wire.AppendDontHave(nil, i)})
		}
		c.holdings.interest(p)
		c.requests.fill(p)
	}
}

// extended takes a message of BEP 10.
func (c *Core) extended(p *Peer, m *wire.Message) {
	var err error
	switch m.Ext {
	case wire.ExtHandshake:
		var h wire.Handshake
		if h, err = c.greeter.heard(p, m.Payload); err == nil {
			c.listens(p, h.Port)
			c.act(Action{Kind: Met, Peer: p, Seen: h.YourIP})
			if !c.redundant(p) {
				c.info.ask()
			}
		}
	case wire.ExtMetadata:
		var whole []byte
		if whole, err = c.info.heard(p, m.Payload); whole != nil {
			c.act(Action{Kind: CheckInfo, Data: whole})
		}
	case wire.ExtPEX:
		err = c.heardPEX(p, m.Payload)
	case wire.ExtDontHave:
		var i int
		if i, err = wire.ParseDontHave(m.Payload, &c.layout); err == nil && c.layout.Known() {
			c.holdings.lost(p, i)
		}
	case wire.ExtUploadOnly:
		// Its bit field says as much.
	default:
		if c.greeter.owns(m.Ext) {
			c.act(Action{Kind: Foreign, Peer: p, Ext: m.Ext, Data: slices.Clone(m.Payload)})
		}
	}
	if err != nil {
		c.drop(p, err.Error())
	}
}

func (c *Core) heardPEX(p *Peer, b []byte) error {
	all, tooSoon, err := c.pex.heard(p, b)
	if err != nil {
		return err
	}
	if tooSoon {
		c.strike(p, "it sends its peers again and again")
		return nil
	}
	var addrs []netip.AddrPort
	for _, x := range all {
		if !c.complete || x.Flags&wire.PEXSeed == 0 { // two seeds are of no use to each other
			addrs = append(addrs, x.Addr)
		}
	}
	if c.tells && len(addrs) > 0 {
		c.act(Action{Kind: Heard, Peer: p, Addrs: addrs})
		return nil
	}
	for _, a := range addrs {
		if c.judge == nil || c.judge(p.Addr, a) {
			c.book.learn(a, FromPeer)
		}
	}
	c.connect()
	return nil
}

// BadInfo takes that what CheckInfo brought is not the info dictionary. Who
// sent all of it is convicted.
func (c *Core) BadInfo(now time.Duration) {
	c.enter(now)
	for _, p := range c.info.bad() {
		c.convict(p)
	}
	c.info.ask()
}

// undecidedTime is how long the caller has to say what is wanted of content that
// has become known, before peers are told that nothing is.
const undecidedTime = 2 * time.Second

// SetInfo takes the info dictionary, checked, and the layout it describes. have
// are the pieces that are here already, as in a bitfield message; nil for none.
// With Config.WantNothing, SetPriorities is to follow soon.
func (c *Core) SetInfo(now time.Duration, info []byte, layout wire.Layout, have []byte, trees *Trees) {
	c.enter(now)
	if c.layout.Known() {
		return
	}
	c.info.learned(info)
	c.learn(layout, have, trees)
	if c.wantAt == Unwanted {
		c.decideBy = c.now + undecidedTime
	} else {
		c.holdings.undecided = false
	}
	for _, p := range c.snapshot() {
		if !p.gone {
			c.catchUp(p)
		}
	}
	for _, p := range c.snapshot() {
		if p.Extended {
			c.greeter.introduce(p, len(info)) // with the size of the info dictionary
		}
		for i := range layout.Pieces {
			if c.have.has(i) {
				c.send(p, wire.Message{Type: wire.Have, Index: uint32(i)})
			}
		}
	}
	if len(c.readers.all) > 0 {
		c.readers.update()
	}
	c.inquire()
	if c.decideBy == 0 {
		c.settle()
	}
	c.requests.refilled()
}

// catchUp takes what a peer said before the content was known.
func (c *Core) catchUp(p *Peer) {
	c.suggester.catchUp(p)
	c.requests.catchUp(p)
	said, all, err := c.holdings.said(p)
	switch {
	case err != nil:
		c.drop(p, err.Error())
	case all:
		c.peerAll(p)
	case said != nil:
		c.peerBits(p, said)
	}
}
