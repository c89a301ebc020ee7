package core

import (
	"errors"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// infoExchange fetches the info dictionary from peers (BEP 9), several at once.
// Peers may disagree about its size: each size has its own draft. Blocks that
// came are kept when their sender is gone.
type infoExchange struct {
	*clock
	*content
	*roster
	*sender
	info []byte // what peers may ask for; nil while it is not known

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

// sourcing is what one peer has of the info dictionary.
type sourcing struct {
	size     int   // as it says; 0 for unknown
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

// ask asks peers for blocks of the info dictionary while it is not known.
func (x *infoExchange) ask() {
	if x.layout.Known() || x.busy {
		return
	}
	for _, p := range x.peers {
		n := p.ext[wire.NameMetadata]
		if n == 0 || p.info.size == 0 {
			continue
		}
		e := &p.info
		if len(e.asked) > 0 && x.now-e.since > infoTimeout {
			x.left(p)
			e.refused, e.until = true, x.now+infoRefusal
		}
		if e.refused && x.now < e.until {
			continue
		}
		e.refused = false
		d := x.draft(p.info.size)
		if d.alone != nil && d.alone.gone {
			d.alone = nil
			d.clear()
		}
		if d.alone != nil && d.alone != p {
			continue
		}
		if x.forged > 0 && d.alone == nil {
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
				e.since = x.now
				x.send(p, wire.Message{Type: wire.Extended, Ext: n, Payload: wire.AppendMetadata(nil, &wire.Metadata{Kind: wire.MetaRequest, Piece: i})})
			}
		}
	}
}

// left takes back what p was asked for.
func (x *infoExchange) left(p *Peer) {
	for _, d := range x.drafts {
		for i := range d.asked {
			if d.asked[i] == p {
				d.asked[i] = nil
			}
		}
	}
	p.info.asked = nil
}

func (d *draft) clear() {
	clear(d.blocks)
	clear(d.from)
	d.left = len(d.blocks)
}

// heard takes a message of BEP 9. It returns the info dictionary, still to be
// checked, when the message completes it.
func (x *infoExchange) heard(p *Peer, b []byte) (whole []byte, err error) {
	m, err := wire.ParseMetadata(b)
	if err != nil {
		return nil, err
	}
	switch m.Kind {
	case wire.MetaRequest:
		x.serve(p, m.Piece)
	case wire.MetaReject:
		if slices.Contains(p.info.asked, m.Piece) {
			x.left(p)
			p.info.refused, p.info.until = true, x.now+infoRefusal
			x.ask()
		}
	case wire.MetaData:
		return x.block(p, &m)
	}
	return nil, nil
}

// serve answers a request for a block of the info dictionary.
func (x *infoExchange) serve(p *Peer, piece int) {
	n := p.ext[wire.NameMetadata]
	if n == 0 {
		return
	}
	m := wire.Metadata{Kind: wire.MetaReject, Piece: piece}
	if at := piece * wire.BlockSize; at < len(x.info) && len(p.mail) < 64 {
		m.Kind, m.Total = wire.MetaData, len(x.info)
		m.Data = x.info[at:min(at+wire.BlockSize, len(x.info))]
	}
	x.send(p, wire.Message{Type: wire.Extended, Ext: n, Payload: wire.AppendMetadata(nil, &m)})
}

// block takes a block of the info dictionary.
func (x *infoExchange) block(p *Peer, m *wire.Metadata) (whole []byte, err error) {
	e := &p.info
	i := slices.Index(e.asked, m.Piece)
	if i < 0 || x.layout.Known() || x.busy {
		return nil, nil // late, or of who knows what
	}
	e.asked = slices.Delete(e.asked, i, i+1)
	e.answered++
	d := x.draft(p.info.size)
	if m.Piece >= len(d.blocks) || d.asked[m.Piece] != p {
		return nil, nil
	}
	d.asked[m.Piece] = nil
	want := min(wire.BlockSize, d.size-m.Piece*wire.BlockSize)
	if len(m.Data) != want || m.Total != 0 && m.Total != d.size {
		return nil, errors.New("it sent a block of an info dictionary of another size")
	}
	if d.blocks[m.Piece] == nil {
		d.blocks[m.Piece], d.from[m.Piece] = slices.Clone(m.Data), p
		d.left--
	}
	if d.left == 0 {
		x.busy = true
		return slices.Concat(d.blocks...), nil
	}
	x.ask()
	return nil, nil
}

// bad takes that what came is not the info dictionary. It returns those who sent
// all of it; else the next is asked of one peer alone.
func (x *infoExchange) bad() (liars []*Peer) {
	x.busy = false
	x.forged++
	for _, d := range x.drafts {
		if d.left > 0 {
			continue
		}
		from := d.from[0]
		if !slices.ContainsFunc(d.from, func(p *Peer) bool { return p != from }) {
			liars = append(liars, from)
		}
		d.clear()
		d.alone = nil
	}
	return liars
}

// learned takes the info dictionary.
func (x *infoExchange) learned(info []byte) {
	x.info, x.drafts, x.busy, x.forged = info, nil, false, 0
	for _, p := range x.peers {
		p.info = sourcing{}
	}
}
