package core

import (
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
	"github.com/shoalnet/shoal/share/merkle"
)

// inquiries asks peers for hashes (BEP 52) and checks what they answer. Who refuses
// is not asked for the same again, at least for a while.
type inquiries struct {
	*clock
	*roster
	*sender
	open []*inquiry // to be asked, in this order
}

// inquiry is one request of hashes.
type inquiry struct {
	root merkle.Hash // of the file
	span merkle.Span
	top  merkle.Hash // where a right answer leads to
	// What the answer is for, one of the two.
	draft   *layerDraft
	dispute *dispute
}

// inquired is what one peer is asked, and what it does not answer.
type inquired struct {
	hashes []pendingInquiry
	denied map[denial]time.Duration // until when
	rest   time.Duration            // it is asked nothing until then
}

type pendingInquiry struct {
	*inquiry
	at time.Duration
}

// denial is what a peer would not answer: a layer of a file.
type denial struct {
	root  merkle.Hash
	layer int
}

const (
	inquiriesAtOnce = 16 // of one peer
	inquiryTimeout  = 15 * time.Second
	inquiryDenied   = time.Minute
	maxDenied       = 1024 // of one peer; then it rests
)

// add puts inquiries behind the others; first puts them before.
func (x *inquiries) add(all ...*inquiry)   { x.open = append(x.open, all...) }
func (x *inquiries) first(all ...*inquiry) { x.open = slices.Insert(x.open, 0, all...) }

// withdraw forgets inquiries.
func (x *inquiries) withdraw(these func(*inquiry) bool) { x.open = slices.DeleteFunc(x.open, these) }

// able tells whether p may be asked q, now or when it has answered others.
func (x *inquiries) able(p *Peer, q *inquiry) bool {
	return p.V2 && !p.gone && x.now >= p.inquired.rest && x.now >= p.inquired.denied[denial{q.root, q.span.Layer}]
}

// hopeless tells whether nobody who is here can be asked q.
func (x *inquiries) hopeless(q *inquiry) bool {
	return !slices.ContainsFunc(x.peers, func(p *Peer) bool { return x.able(p, q) })
}

// ask asks whoever may be asked more.
func (x *inquiries) ask() {
	if len(x.open) == 0 {
		return
	}
	for _, p := range x.peers {
		if !p.V2 {
			continue
		}
		x.open = slices.DeleteFunc(x.open, func(q *inquiry) bool {
			if len(p.inquired.hashes) >= inquiriesAtOnce || !x.able(p, q) {
				return false
			}
			p.inquired.hashes = append(p.inquired.hashes, pendingInquiry{q, x.now})
			x.send(p, wire.Message{Type: wire.HashRequest, Hash: q.message()})
			return true
		})
	}
}

func (q *inquiry) message() *wire.HashSpan {
	return &wire.HashSpan{
		Root: q.root, Layer: uint32(q.span.Layer), Index: uint32(q.span.Index),
		Length: uint32(q.span.Length), Proofs: uint32(q.span.Proofs),
	}
}

// spanOf is what a message names.
func spanOf(h *wire.HashSpan) merkle.Span {
	return merkle.Span{Layer: int(h.Layer), Index: int(h.Index), Length: int(h.Length), Proofs: int(h.Proofs)}
}

// expire gives up on answers that are long in coming.
func (x *inquiries) expire() {
	for _, p := range x.peers {
		if all := p.inquired.hashes; len(all) > 0 && x.now-all[0].at > inquiryTimeout {
			p.inquired.rest = x.now + inquiryDenied
			for _, q := range all {
				x.deny(p, q.inquiry)
			}
			x.left(p)
		}
	}
}

// left has others asked what p was.
func (x *inquiries) left(p *Peer) {
	for _, q := range p.inquired.hashes {
		x.again(q.inquiry)
	}
	p.inquired.hashes = nil
}

// again has an inquiry asked of another, before those that were never asked.
func (x *inquiries) again(q *inquiry) {
	if q.dispute != nil && !q.dispute.over || q.draft != nil && !q.draft.over {
		x.first(q)
	}
}

// deny notes that p does not answer q. What comes of it later is no fault.
func (x *inquiries) deny(p *Peer, q *inquiry) {
	e := &p.inquired
	if len(e.denied) >= maxDenied {
		e.rest = x.now + inquiryDenied
		clear(e.denied)
	}
	if e.denied == nil {
		e.denied = make(map[denial]time.Duration)
	}
	e.denied[denial{q.root, q.span.Layer}] = x.now + inquiryDenied
}

// reply is what an answer is worth.
type reply uint8

const (
	right  reply = iota
	stray        // nobody asked for it
	late         // it was not awaited any more
	lie          // the hashes do not lead to where they must
	denied       // a reject
)

// heard takes an answer or, with reject, that there is none. q is what was answered,
// nodes are the hashes that were asked for.
func (x *inquiries) heard(p *Peer, h *wire.HashSpan, reject bool) (q *inquiry, nodes []merkle.Hash, r reply) {
	e := &p.inquired
	i := slices.IndexFunc(e.hashes, func(q pendingInquiry) bool { return q.root == h.Root && q.span == spanOf(h) })
	if i < 0 {
		if _, was := e.denied[denial{h.Root, int(h.Layer)}]; was {
			return nil, nil, late
		}
		return nil, nil, stray
	}
	q = e.hashes[i].inquiry
	e.hashes = slices.Delete(e.hashes, i, i+1)
	if reject {
		x.deny(p, q)
		x.again(q)
		return q, nil, denied
	}
	if len(h.Hashes) == q.span.Length+q.span.Uncles() {
		nodes = make([]merkle.Hash, len(h.Hashes))
		for i := range nodes {
			nodes[i] = h.Hashes[i]
		}
		if _, _, top := q.span.Top(nodes); top == q.top {
			return q, nodes[:q.span.Length], right
		}
	}
	x.again(q)
	return q, nil, lie
}
