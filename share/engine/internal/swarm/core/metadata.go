package core

import (
	"errors"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// infoExchange fetches the info dictionary from peers (BEP 9), several at once.
// Peers may disagree about its size: each size has its own draft. Blocks that
// came are kept when their sender is gone. Once a draft of several senders was
// wrong, each peer has a draft of its own, so that the liar is found.
type infoExchange struct {
	*clock
	*content
	*roster
	*sender
	info []byte // what peers may ask for; nil while it is not known

	drafts   []*draft
	busy     bool // a draft is being checked
	separate bool // each peer has a draft of its own
}

// draft is an info dictionary that is being put together.
type draft struct {
	size   int
	only   *Peer // the one that is asked; nil for all who name the size
	began  time.Duration
	blocks [][]byte
	from   []*Peer
	asked  []*Peer // who was asked last for each block
	left   int
}

// sourcing is what one peer has of the info dictionary.
type sourcing struct {
	size     int           // as it says; 0 for unknown
	asked    []int         // blocks that it is asked for
	since    time.Duration // when it was asked for the first of them, or last answered
	brought  time.Duration // when the latest block of it came
	answered int
	single   bool          // it left one of several requests unanswered
	refusals int           // in a row
	until    time.Duration // it is not asked before
}

const (
	maxDrafts   = 8
	infoTimeout = 10 * time.Second
	infoRefusal = 30 * time.Second
	// A request is made of another peer, too, after so long; one of several is
	// taken for forgotten.
	infoForgotten = 3 * time.Second
	// draftTime is how long a draft stands before it gives way to another.
	draftTime = 5 * time.Second
	// Some answer but one of several requests: more are made of who has answered
	// some one by one.
	infoProven = 2
	infoAtOnce = 8
	// infoUseless is after how long a peer that has brought nothing may go.
	infoUseless = 15 * time.Second
)

// draft is what blocks of p go into; nil while there is no room for it.
func (x *infoExchange) draft(p *Peer) *draft {
	for _, d := range x.drafts {
		if d.size == p.info.size && (d.only == nil || d.only == p) {
			return d
		}
	}
	if len(x.drafts) >= maxDrafts && !x.giveWay() {
		return nil
	}
	n := (p.info.size + wire.BlockSize - 1) / wire.BlockSize
	d := &draft{size: p.info.size, began: x.now, blocks: make([][]byte, n), from: make([]*Peer, n), asked: make([]*Peer, n), left: n}
	if x.separate {
		d.only = p
	}
	x.drafts = append(x.drafts, d)
	return d
}

// giveWay drops the draft of which least came. Those who were asked for it wait.
func (x *infoExchange) giveWay() bool {
	worst := -1
	for i, d := range x.drafts {
		if x.now-d.began >= draftTime && (worst < 0 || len(d.blocks)-d.left < len(x.drafts[worst].blocks)-x.drafts[worst].left) {
			worst = i
		}
	}
	if worst < 0 {
		return false
	}
	d := x.drafts[worst]
	x.drafts = slices.Delete(x.drafts, worst, worst+1)
	for _, p := range x.peers {
		if p.info.size == d.size && (d.only == nil || d.only == p) {
			p.info.asked, p.info.until = nil, x.now+infoRefusal
		}
	}
	return true
}

// ask asks peers for blocks of the info dictionary while it is not known.
func (x *infoExchange) ask() {
	if x.layout.Known() || x.busy {
		return
	}
	for _, p := range x.peers {
		e := &p.info
		if p.ext[wire.NameMetadata] == 0 || e.size == 0 {
			continue
		}
		x.expire(p)
		if x.now < e.until {
			continue
		}
		if d := x.draft(p); d != nil {
			x.request(p, d)
		}
	}
}

// request asks p for as many blocks as it may be asked for at once.
func (x *infoExchange) request(p *Peer, d *draft) {
	e := &p.info
	most := 1
	if e.answered >= infoProven && !e.single {
		most = infoAtOnce
	}
	for i := 0; i < len(d.blocks) && len(e.asked) < most; i++ {
		q := d.asked[i]
		if d.blocks[i] != nil || q == p || q != nil && x.now-q.info.since <= infoForgotten {
			continue
		}
		if len(e.asked) == 0 {
			e.since = x.now
		}
		d.asked[i] = p
		e.asked = append(e.asked, i)
		m := wire.AppendMetadata(nil, &wire.Metadata{Kind: wire.MetaRequest, Piece: i})
		x.send(p, wire.Message{Type: wire.Extended, Ext: p.ext[wire.NameMetadata], Payload: m})
	}
}

// expire gives up what p was asked for too long ago.
func (x *infoExchange) expire(p *Peer) {
	e := &p.info
	switch waits := x.now - e.since; {
	case len(e.asked) > 1 && waits > infoForgotten:
		e.single = true
		x.takeBack(p)
	case len(e.asked) > 0 && waits > infoTimeout:
		x.refused(p, infoRefusal)
	}
}

// refused takes that p does not answer. It is asked again after a wait, and those
// who have not been asked come first.
func (x *infoExchange) refused(p *Peer, wait time.Duration) {
	x.left(p)
	p.info.until = x.now + wait
}

// takeBack frees what p was asked for.
func (x *infoExchange) takeBack(p *Peer) {
	for _, d := range x.drafts {
		for i := range d.asked {
			if d.asked[i] == p {
				d.asked[i] = nil
			}
		}
	}
	p.info.asked = nil
}

// left takes that nothing more comes of p, for now or for ever.
func (x *infoExchange) left(p *Peer) {
	x.takeBack(p)
	x.drafts = slices.DeleteFunc(x.drafts, func(d *draft) bool { return d.only == p })
}

// useless is the peer that has brought nothing of the info dictionary for longest;
// nil if none has for long.
func (x *infoExchange) useless() *Peer {
	var worst *Peer
	last := x.now - infoUseless
	for _, p := range x.peers {
		if at := max(p.since, p.info.brought); at < last {
			worst, last = p, at
		}
	}
	return worst
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
			x.refused(p, min(infoRefusal, time.Second<<min(p.info.refusals, 8)))
			p.info.refusals++
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
	e.since, e.brought, e.refusals = x.now, x.now, 0
	d := x.draft(p)
	if d == nil || m.Piece >= len(d.blocks) {
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
// all of it. If several did, each peer has a draft of its own from now on.
func (x *infoExchange) bad() (liars []*Peer) {
	x.busy = false
	mixed := false
	x.drafts = slices.DeleteFunc(x.drafts, func(d *draft) bool {
		if d.left > 0 {
			return false
		}
		from := d.from[0]
		if slices.ContainsFunc(d.from, func(p *Peer) bool { return p != from }) {
			mixed = true
		} else {
			liars = append(liars, from)
		}
		return true
	})
	if mixed && !x.separate {
		x.separate, x.drafts = true, nil
		for _, p := range x.peers {
			p.info.asked = nil
		}
	}
	return liars
}

// learned takes the info dictionary.
func (x *infoExchange) learned(info []byte) {
	x.info, x.drafts, x.busy, x.separate = info, nil, false, false
	for _, p := range x.peers {
		p.info = sourcing{}
	}
}
