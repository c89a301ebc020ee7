package engine

import (
	"context"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/storage"
)

// Requests that make or end a transfer take effect one after another for each
// ID, in the order in which the loop takes them. Whoever needs more than one step
// of the loop for that claims the ID, and others wait until it is free: a Fetch
// claims it until the transfer is there, a Remove until nothing of it is left.
// So a Fetch that comes while the same ID is being removed adds it again once it
// is gone, and one that comes before it is gone with it.

// claim is held on an ID. It is owned by the loop.
type claim struct {
	over  chan struct{}
	after []func() // done on the loop when it is over
}

type claims map[share.ID]*claim

func (c claims) take(id share.ID) *claim {
	mine := &claim{over: make(chan struct{})}
	c[id] = mine
	return mine
}

// free ends a claim, unless that was done before.
func (c claims) free(id share.ID, mine *claim) {
	if mine == nil || c[id] != mine {
		return
	}
	delete(c, id)
	close(mine.over)
	for _, f := range mine.after {
		f()
	}
}

// claim waits until nobody makes or ends a transfer of id. Where there is one
// then, there is called on the loop and release is nil; else the ID is claimed
// until the transfer is added, or release is called.
func (e *Engine) claim(ctx context.Context, id share.ID, there func(*transfer)) (release func(), err error) {
	for {
		var mine, other *claim
		if !e.box.call(func() {
			if other = e.claims[id]; other != nil {
				return
			}
			if t := e.transfers.find(id); t != nil {
				there(t)
				return
			}
			mine = e.claims.take(id)
		}) {
			return nil, stopped()
		}
		switch {
		case mine != nil:
			return func() { e.box.call(func() { e.claims.free(id, mine) }) }, nil
		case other == nil:
			return nil, nil
		}
		select {
		case <-other.over:
		case <-ctx.Done():
			return nil, share.Errorf(share.Interrupted, "waiting until %s is removed: %w", id.Short(), context.Cause(ctx))
		case <-e.box.closed:
			return nil, stopped()
		}
	}
}

// removal is a Remove under way, or several of the same transfer.
type removal struct {
	data    bool // one of them asked for it
	leaving bool // the unfinished files are to be left to a later fetch
	kept    []share.Kept
	waiters []chan<- error
	held    map[share.ID]*claim
}

// Remove forgets a transfer, and with data deletes what it fetched. What the
// user shared from its own place is never deleted, nor is what the transfer did
// not make. It returns when it is done, and tells which files stay, and why. One that comes while the transfer is being removed is answered when that is
// done; the data goes if any of them said so.
func (e *Engine) Remove(id share.ID, data bool) ([]share.Kept, error) {
	done := make(chan error, 1)
	err := stopped()
	var r *removal
	e.box.call(func() {
		t := e.transfers.find(id)
		if t == nil {
			err = unknown(id)
			return
		}
		err = nil
		t.ended = false
		e.beginRemoval(t, data || t.options.Data)
		r = t.removing
		t.removing.waiters = append(t.removing.waiters, done)
	})
	if err != nil {
		return nil, err
	}
	select {
	case err := <-done:
		return r.kept, err
	case <-e.box.closed:
		return nil, stopped()
	}
}

// beginRemoval has t removed, on the loop.
func (e *Engine) beginRemoval(t *transfer, data bool) {
	if t.removing == nil {
		t.removing = &removal{held: make(map[share.ID]*claim)}
		t.removing.hold(e.claims, t.id)
		if t.made != nil {
			t.removing.hold(e.claims, t.made.Info.ID)
		}
	}
	t.removing.data = t.removing.data || data
	e.reconcile(t)
	t.endStreams()
}

// hold claims id for a removal. The claim of the Fetch that added it is over.
func (r *removal) hold(c claims, id share.ID) {
	if r.held[id] == nil {
		r.held[id] = c.take(id)
	}
}

// startRemove puts the data of t away, or deletes it when that is wished, and
// then forgets t.
func (e *Engine) startRemove(t *transfer) {
	r := t.removing
	data, leaving, id := r.data, r.leaving, t.id
	var files *storage.Transfer
	if o := t.opened(); o != nil {
		files = o.files
	}
	e.hide(t)
	unopened := (data || leaving) && files == nil && t.kind == kindFetch && t.known()
	spec := e.spec(t)
	e.start(t, jobRemove, func(ctx context.Context) func() {
		kept, err := e.erase(ctx, id, spec, files, data, leaving, unopened)
		return func() {
			t.phase, t.info = nil, nil
			r.kept = kept
			if err == nil && r.data != data {
				return // asked for meanwhile: startRemove comes again
			}
			if err == nil && !data && !leaving && !t.done && t.kind == kindFetch && t.known() {
				r.leaving = true
				return // and so it does for the unfinished files
			}
			e.leave(t, err, leaving && !data && len(kept) > 0)
		}
	})
}

// leave forgets t, whose data was seen to. From here on a request finds nothing;
// one for the same content waits until what is kept of t is gone from the disk.
func (e *Engine) leave(t *transfer, err error, left bool) {
	r, ended := t.removing, t.ended && err == nil
	var gone <-chan error
	if ended {
		gone = e.shelve(t)
	} else {
		gone = e.state.remove(t.id, left)
		for id := range r.held {
			e.shelf.drop(id)
		}
	}
	e.forget(t)
	e.box.run(func(context.Context) func() {
		if unsaved := <-gone; err == nil {
			err = unsaved
		}
		for id := range r.held {
			if ended {
				break
			}
			if rm := e.torrents.remove(id); err == nil {
				err = rm
			}
		}
		e.box.call(func() {
			if e.hub.watched() {
				e.hub.publish(e.now(), share.Event{Type: share.EventRemoved, ID: t.id})
			}
			for id, c := range r.held {
				e.claims.free(id, c)
			}
		})
		for _, w := range r.waiters {
			w <- err
		}
		return nil
	})
}
