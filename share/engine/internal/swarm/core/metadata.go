package core

import (
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// infoExchange fetches the info dictionary from peers (BEP 9), several at once.
// Peers may disagree about its size: each size has its own draft. Blocks that
// came are kept when their sender is gone.
type infoExchange struct {
	drafts []*draft
	busy   bool // a draft is being checked
	forged int  // drafts that were wrong
}

// draft is an info dictionary that is being put together.
type draft struct {
	size   int
	blocks [][]byte
	from   []*Peer
	asked  []*Peer // who is asked for each block
	left   int
	alone  *Peer // after a forgery: the only one that is asked
}

// metadataPeer is what the exchange knows of one peer.
type metadataPeer struct {
	asked    []int // blocks that it is asked for
	since    time.Duration
	answered int
	refused  bool
	until    time.Duration // refused until then
}

const (
	maxDrafts   = 4
	infoTimeout = 10 * time.Second
	infoRefusal = 30 * time.Second
	// Some answer but one of several requests: more are made of who has shown
	// that it answers.
	infoAtOnce = 4
)

func (x *infoExchange) draft(size int) *draft {
	for _, d := range x.drafts {
		if d.size == size {
			return d
		}
	}
	if len(x.drafts) == maxDrafts {
		// The emptiest goes: a lie about the size brings no blocks.
		worst := 0
		for i, d := range x.drafts {
			if len(d.blocks)-d.left < len(x.drafts[worst].blocks)-x.drafts[worst].left {
				worst = i
			}
		}
		x.drafts = slices.Delete(x.drafts, worst, worst+1)
	}
	n := (size + wire.BlockSize - 1) / wire.BlockSize
	d := &draft{size: size, blocks: make([][]byte, n), from: make([]*Peer, n), asked: make([]*Peer, n), left: n}
	x.drafts = append(x.drafts, d)
	return d
}

// askInfo asks peers for blocks of the info dictionary while it is not known.
func (c *Core) askInfo() {
	if c.layout.Known() || c.info.busy {
		return
	}
	for _, p := range c.peers {
		n := p.ext[wire.NameMetadata]
		if n == 0 || p.infoSize == 0 {
			continue
		}
		e := &p.metadata
		if len(e.asked) > 0 && c.now-e.since > infoTimeout {
			c.info.left(c, p)
			e.refused, e.until = true, c.now+infoRefusal
		}
		if e.refused && c.now < e.until {
			continue
		}
		e.refused = false
		d := c.info.draft(p.infoSize)
		if d.alone != nil && d.alone.gone {
			d.alone = nil
			d.clear()
		}
		if d.alone != nil && d.alone != p {
			continue
		}
		if c.info.forged > 0 && d.alone == nil {
			d.alone = p
		}
		most := 1
		if e.answered > 1 {
			most = infoAtOnce
		}
		for i := range d.blocks {
			if len(e.asked) >= most {
				break
			}
			if d.blocks[i] == nil && d.asked[i] == nil {
				d.asked[i] = p
				e.asked = append(e.asked, i)
				e.since = c.now
				c.send(p, wire.Message{Type: wire.Extended, Ext: n, Payload: wire.AppendMetadata(nil, &wire.Metadata{Kind: wire.MetaRequest, Piece: i})})
			}
		}
	}
}

// left takes back what p was asked for.
func (x *infoExchange) left(_ *Core, p *Peer) {
	for _, d := range x.drafts {
		for i := range d.asked {
			if d.asked[i] == p {
				d.asked[i] = nil
			}
		}
	}
	p.metadata.asked = nil
}

func (d *draft) clear() {
	clear(d.blocks)
	clear(d.from)
	d.left = len(d.blocks)
}

func (c *Core) metadata(p *Peer, b []byte) {
	m, err := wire.ParseMetadata(b)
	if err != nil {
		c.drop(p, err.Error())
		return
	}
	switch m.Kind {
	case wire.MetaRequest:
		c.serveInfo(p, m.Piece)
	case wire.MetaReject:
		if slices.Contains(p.metadata.asked, m.Piece) {
			c.info.left(c, p)
			p.metadata.refused, p.metadata.until = true, c.now+infoRefusal
			c.askInfo()
		}
	case wire.MetaData:
		c.infoBlock(p, &m)
	}
}

// serveInfo answers a request for a block of the info dictionary.
func (c *Core) serveInfo(p *Peer, piece int) {
	n := p.ext[wire.NameMetadata]
	if n == 0 {
		return
	}
	m := wire.Metadata{Kind: wire.MetaReject, Piece: piece}
	if at := piece * wire.BlockSize; at < len(c.cfg.Info) && len(p.outbox) < 64 {
		m.Kind, m.Total = wire.MetaData, len(c.cfg.Info)
		m.Data = c.cfg.Info[at:min(at+wire.BlockSize, len(c.cfg.Info))]
	}
	c.send(p, wire.Message{Type: wire.Extended, Ext: n, Payload: wire.AppendMetadata(nil, &m)})
}

// infoBlock takes a block of the info dictionary.
func (c *Core) infoBlock(p *Peer, m *wire.Metadata) {
	e := &p.metadata
	i := slices.Index(e.asked, m.Piece)
	if i < 0 || c.layout.Known() || c.info.busy {
		return // late, or of who knows what
	}
	e.asked = slices.Delete(e.asked, i, i+1)
	e.answered++
	d := c.info.draft(p.infoSize)
	if m.Piece >= len(d.blocks) || d.asked[m.Piece] != p {
		return
	}
	d.asked[m.Piece] = nil
	want := min(wire.BlockSize, d.size-m.Piece*wire.BlockSize)
	if len(m.Data) != want || m.Total != 0 && m.Total != d.size {
		c.drop(p, "it sent a block of an info dictionary of another size")
		return
	}
	if d.blocks[m.Piece] == nil {
		d.blocks[m.Piece], d.from[m.Piece] = slices.Clone(m.Data), p
		d.left--
	}
	if d.left == 0 {
		c.info.busy = true
		c.act(Action{Kind: CheckInfo, Data: slices.Concat(d.blocks...)})
		return
	}
	c.askInfo()
}

// BadInfo takes that what CheckInfo brought is not the info dictionary. Who
// sent all of it is convicted; else the next is asked of one peer alone.
func (c *Core) BadInfo(now time.Duration) {
	c.enter(now)
	c.info.busy = false
	c.info.forged++
	for _, d := range slices.Clone(c.info.drafts) {
		if d.left > 0 {
			continue
		}
		from := d.from[0]
		alone := !slices.ContainsFunc(d.from, func(p *Peer) bool { return p != from })
		d.clear()
		d.alone = nil
		if alone {
			c.convict(from)
		}
	}
	c.askInfo()
}

// SetInfo takes the info dictionary, checked, and the layout it describes. have
// are the pieces that are here already, as in a bitfield message; nil for none.
func (c *Core) SetInfo(now time.Duration, info []byte, layout wire.Layout, have []byte) {
	c.enter(now)
	if c.layout.Known() {
		return
	}
	c.cfg.Info = info
	c.info = infoExchange{}
	c.learn(layout, have)
	for _, p := range c.snapshot() {
		p.metadata = metadataPeer{}
		if !p.gone {
			c.catchUp(p)
		}
	}
	for _, p := range c.snapshot() {
		if p.Extended {
			c.sendHandshake(p) // with the size of the info dictionary
		}
		if p.Fast && c.have.count(layout.Pieces) == 0 {
			continue
		}
		for i := range layout.Pieces {
			if c.have.has(i) {
				c.send(p, wire.Message{Type: wire.Have, Index: uint32(i)})
			}
		}
	}
	if len(c.readers.all) > 0 {
		c.readers.update(c)
	}
	c.settle()
	c.refilled()
}
