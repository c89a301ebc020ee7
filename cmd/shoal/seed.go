package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// seed gives transfers away until ctx ends or all of them have reached their
// goal. On a terminal one line shows who fetches; a log gets a line a minute
// while somebody does.
func seed(ctx context.Context, n client, ids []share.ID, out *output) error {
	s := &seeding{out: out, node: n, now: time.Now, last: map[share.ID]share.Transfer{}, told: map[share.ID]string{}}
	for _, id := range ids {
		t, err := n.Transfer(ctx, id)
		if err != nil {
			return err
		}
		s.last[id] = t
	}
	return follow(ctx, n, ids, func(ev share.Event) (bool, error) {
		switch {
		case ev.Type == share.EventRemoved:
			delete(s.last, ev.ID)
		case ev.Transfer != nil:
			s.last[ev.ID] = *ev.Transfer
		}
		s.show()
		over, err := s.over(ctx)
		if over {
			s.farewell()
		}
		return over, err
	})
}

type seeding struct {
	out  *output
	node client
	now  func() time.Time
	last map[share.ID]share.Transfer
	next time.Time // before this no line is printed
	sent int64     // as the last line said
	told map[share.ID]string
}

// over tells that nothing is given away any more. Events may be a moment late:
// a share that was just resumed is no paused one.
func (s *seeding) over(ctx context.Context) (bool, error) {
	for _, t := range s.last {
		if t.State != share.Paused {
			return false, nil
		}
	}
	for id := range s.last {
		t, err := s.node.Transfer(ctx, id)
		switch {
		case errors.Is(err, api.ErrUnknown):
			delete(s.last, id)
			continue
		case err != nil:
			return false, err
		}
		s.last[id] = t
		if t.State != share.Paused {
			return false, nil
		}
	}
	return true, nil
}

func (s *seeding) farewell() {
	if s.out.json {
		return
	}
	s.out.status("")
	for _, t := range s.last {
		s.out.say("%s: %s", escape(nameOf(t)), escape(orElse(t.Reason, "paused")))
	}
}

func (s *seeding) show() {
	var up, sent int64
	var peers int
	for id, t := range s.last {
		if t.State == share.Stopped && s.told[id] != t.Reason {
			s.told[id] = t.Reason
			s.out.say("shoal: %s: %s", escape(nameOf(t)), escape(t.Reason))
		}
		up, sent, peers = up+t.Up, sent+t.Uploaded, peers+t.Peers
	}
	line := fmt.Sprintf("seeding  %s  %s up  %s sent", count(peers, "peer"), rate(up), size(sent))
	if s.out.terminal {
		s.out.status(line)
		return
	}
	if !s.out.json && sent > s.sent && !s.now().Before(s.next) {
		s.next, s.sent = s.now().Add(time.Minute), sent
		s.out.say("%s", line)
	}
}
