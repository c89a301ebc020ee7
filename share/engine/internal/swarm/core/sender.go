package core

import (
	"slices"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// sender puts messages into the outboxes of peers and collects what the caller
// is to do.
type sender struct {
	actions []Action
}

// outbox is what one peer is to be sent, and whether the caller knows of it.
type outbox struct {
	ready bool // the caller pulls, or was told to
	mail  []wire.Message
	deaf  bool // the mail is not fetched
}

// maxOutbox is more than a window of requests and the haves of a few minutes.
const maxOutbox = 8192

func (s *sender) act(a Action) { s.actions = append(s.actions, a) }

// send puts a message into the outbox of p.
func (s *sender) send(p *Peer, m wire.Message) {
	if p.gone {
		return
	}
	if len(p.mail) >= maxOutbox {
		p.deaf = true // dropped by manners: others may be in the middle of a loop
		return
	}
	p.mail = append(p.mail, m)
	s.rouse(p)
}

// rouse tells the caller that Pull has something for p.
func (s *sender) rouse(p *Peer) {
	if !p.ready {
		p.ready = true
		s.act(Action{Kind: Ready, Peer: p})
	}
}

// unsend takes a message back that has not left yet.
func (o *outbox) unsend(t wire.Type, index, begin uint32) bool {
	for i := len(o.mail) - 1; i >= 0; i-- {
		if m := &o.mail[i]; m.Type == t && m.Index == index && m.Begin == begin {
			o.mail = slices.Delete(o.mail, i, i+1)
			return true
		}
	}
	return false
}

// empty returns what the outbox holds and leaves spare in its place.
func (o *outbox) empty(spare []wire.Message) []wire.Message {
	all := o.mail
	if cap(spare) <= 64 {
		o.mail = spare
	} else {
		o.mail = nil // a burst's memory is not kept
	}
	return all
}
