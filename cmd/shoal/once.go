package main

import (
	"context"
	"errors"
	"time"

	"github.com/shoalnet/shoal/share"
)

type fetchedRecord struct {
	Event string   `json:"event"`
	ID    share.ID `json:"id"`
	Name  string   `json:"name"`
	share.Fetcher
}

// untilFetched seeds until of each transfer somebody has fetched all since a time, and
// says who. It reads the log of the transfer, where no event is lost.
func untilFetched(ctx context.Context, n client, ids []share.ID, since time.Time, out *output) error {
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
	left := map[share.ID]bool{}
	for _, id := range ids {
		left[id] = true
	}
	return follow(ctx, n, ts, func(ev share.Event) (bool, error) {
		if ev.Transfer != nil {
			s.last[ev.ID] = *ev.Transfer
		}
		s.show()
		for id := range left {
			t := s.last[id]
			lines, err := n.Log(ctx, id)
			switch {
			case errors.Is(err, share.ErrUnknown):
				return false, share.Errorf(share.Failed, "%s was removed before anybody had fetched it", nameOf(t))
			case err != nil:
				continue // the next event asks again
			}
			for _, l := range lines {
				if l.By == nil || l.Time.Before(since) || !left[id] {
					continue
				}
				delete(left, id)
				out.status("")
				if out.json {
					out.record(fetchedRecord{"fetched", id, t.Name, *l.By})
				} else {
					out.say("%s: %s has all of it", escape(nameOf(t)), escape(l.By.String()))
				}
			}
		}
		if len(left) > 0 {
			return false, nil
		}
		out.say("The share has ended.")
		return true, nil
	})
}
