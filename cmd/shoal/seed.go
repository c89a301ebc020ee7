package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shoalnet/shoal/share"
)

// seed waits until ctx ends or all transfers have reached their seeding goal. On a
// terminal it shows one live line of upload figures; without one it prints a line a
// minute while something is uploaded.
func seed(ctx context.Context, n client, ids []share.ID, out *output) error {
	s := &seeding{out: out, node: n, now: time.Now, last: map[share.ID]share.Transfer{}, told: map[share.ID]string{}}
	var ts []share.Transfer
	for _, id := range ids {
		t, err := n.Transfer(ctx, id)
		if err != nil {
			return err
		}
		s.last[id] = t
		ts = append(ts, t)
	}
	return follow(ctx, n, ts, func(ev share.Event) (bool, error) {
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
	next time.Time // when the next line may be printed
	sent int64     // in the last line
	told map[share.ID]string
}

// over reports whether all transfers are paused. Events may be late, so it asks the
// node before it says so: a share may just have been resumed.
func (s *seeding) over(ctx context.Context) (bool, error) {
	for _, t := range s.last {
		if t.State != share.Paused {
			return false, nil
		}
	}
	for id := range s.last {
		t, err := s.node.Transfer(ctx, id)
		switch {
		case errors.Is(err, share.ErrUnknown):
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
	line := fmt.Sprintf("seeding  %s  %s up  %s uploaded", count(peers, "peer"), rate(up), size(sent))
	if s.out.terminal {
		s.out.status(line)
		return
	}
	if !s.out.json && sent > s.sent && !s.now().Before(s.next) {
		s.next, s.sent = s.now().Add(time.Minute), sent
		s.out.say("%s", line)
	}
}
