package node

import (
	"sync"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
	"github.com/shoalnet/shoal/webui/api"
)

var _ api.Events = (*events)(nil)

// events is the engine's events, their transfers explained.
type events struct {
	engine    *engine.Engine
	explainer explainer
}

func (e *events) Subscribe(buffer int) api.Subscription {
	s := &subscription{
		Subscription: e.engine.Subscribe(buffer), out: make(chan share.Event), closed: make(chan struct{}), ended: make(chan struct{}),
	}
	go s.run(e.explainer)
	return s
}

// subscription passes on the engine's events, which wait in the engine's buffer, and
// adds what only the node knows.
type subscription struct {
	*engine.Subscription
	out    chan share.Event
	once   sync.Once
	closed chan struct{} // by Close
	ended  chan struct{} // when run has returned
}

func (s *subscription) run(e explainer) {
	defer close(s.ended)
	defer close(s.out)
	for ev := range s.C {
		if ev.Transfer != nil && e.has(ev.Transfer) {
			t := *ev.Transfer
			e.explain(&t)
			ev.Transfer = &t
		}
		select {
		case s.out <- ev:
		case <-s.closed:
			return
		}
	}
}

func (s *subscription) Events() <-chan share.Event { return s.out }

func (s *subscription) Close() {
	s.Subscription.Close()
	s.once.Do(func() { close(s.closed) })
	<-s.ended
}
