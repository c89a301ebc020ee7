package main

import (
	"context"
	"time"

	"github.com/shoalnet/shoal/share"
)

// A verb that waits checks the time every tick, and more often at first, so that a
// job that ends at once does not take a second.
const (
	firstTick = 50 * time.Millisecond
	tick      = time.Second
)

// follow calls each with the events of the transfers, starting with their current
// state, and with an event without a type every tick. It returns when each is done
// or fails, when ctx is cancelled, or when the node has ended.
//
// Events may be late: if a transfer was removed and added again, the first ones may
// describe the old one. Those are not passed on; instead the node is asked for the
// current state.
func follow(ctx context.Context, n client, ts []share.Transfer, each func(share.Event) (done bool, err error)) error {
	ids, added := make([]share.ID, len(ts)), map[share.ID]time.Time{}
	for i, t := range ts {
		ids[i], added[t.ID] = t.ID, t.Added
	}
	ctx, cancel := context.WithCancel(ctx)
	type item struct {
		ev  share.Event
		err error
	}
	items := make(chan item)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ev, err := range n.Events(ctx, ids...) {
			select {
			case items <- item{ev, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() { cancel(); <-ended }()
	wait := firstTick
	clock := time.NewTimer(wait)
	defer clock.Stop()
	for {
		var ev share.Event
		select {
		case it := <-items:
			if it.err != nil {
				return it.err
			}
			ev = it.ev
			if ev.Transfer == nil {
				break
			}
			if at, ok := added[ev.ID]; ok && !at.Equal(ev.Transfer.Added) {
				now, err := n.Transfer(ctx, ev.ID)
				if err != nil {
					continue // it is gone, which the tick finds out
				}
				added[ev.ID], ev.Transfer = now.Added, &now
			}
		case <-clock.C:
			wait = min(2*wait, tick)
			clock.Reset(wait)
		case <-ctx.Done():
			return errInterrupted
		}
		if done, err := each(ev); done || err != nil {
			return err
		}
	}
}
