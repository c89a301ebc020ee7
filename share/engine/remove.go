package engine

import (
	"context"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/storage"
)

// Requests that add or remove a transfer take effect one after another for each ID,
// in the order in which the loop takes them. A request that needs more than one step
// of the loop claims the ID, and others wait until it is free: a Fetch until the
// transfer is added, a Remove until nothing of it is left. So a Fetch during a Remove
// adds the transfer again afterwards, and one before a Remove is removed with it.

// claim is held on the names of one content. It is owned by the loop.
type claim struct {
	ids   []share.ID
	over  chan struct{}
	after []func() // called on the loop when it is over
}

type claims map[share.ID]*claim

func (c claims) take(ids ...share.ID) *claim {
	mine := &claim{ids: ids, over: make(chan struct{})}
	for _, id := range ids {
		c[id] = mine
	}
	return mine
}

// on returns a claim that is held on one of these IDs; nil if there is none.
func (c claims) on(ids ...share.ID) *claim {
	for _, id := range ids {
		if held := c[id]; held != nil {
			return held
		}
	}
	return nil
}

// free ends a claim, unless that was done before.
func (c claims) free(mine *claim) {
	if mine == nil || mine.ids == nil {
		return
	}
	for _, id := range mine.ids {
		if c[id] == mine {
			delete(c, id)
		}
	}
	mine.ids = nil
	close(mine.over)
	for _, f := range mine.after {
		f()
	}
}

// claim waits until no request adds or removes a transfer of these IDs, the names of one
// content. If there is one then, it calls there on the loop and release is nil. Else they
// are claimed until the transfer is added, or release is called.
func (e *Engine) claim(ctx context.Context, ids []share.ID, there func(*loop, *transfer)) (release func(), err error) {
	for {
		var mine, other *claim
		if !e.call(func(lp *loop) {
			if other = lp.claims.on(ids...); other != nil {
				return
			}
			if t := lp.transfers.first(ids); t != nil {
				there(lp, t)
				return
			}
			mine = lp.claims.take(ids...)
		}) {
			return nil, stopped()
		}
		switch {
		case mine != nil:
			return func() { e.call(func(lp *loop) { lp.claims.free(mine) }) }, nil
		case other == nil:
			return nil, nil
		}
		select {
		case <-other.over:
		case <-ctx.Done():
			return nil, share.Errorf(share.Interrupted, "waiting until %s is removed: %w", ids[0].Short(), context.Cause(ctx))
		case <-e.box.closed:
			return nil, stopped()
		}
	}
}

// removal is one or more requests to remove a transfer, under way.
type removal struct {
	data    bool // one of them asked to delete it
	shelved bool // what is known of its files is kept, see shelf
	leaving bool // the unfinished files are to be left to a later fetch
	kept    []share.Kept
	waiters []chan<- error
	files   []share.ID // whose files in Config.Dir go
	held    *claim
}

// fate is what becomes of the files.
func (r *removal) fate() fate {
	switch {
	case r.data:
		return deleteFiles
	case r.leaving:
		return leaveFiles
	}
	return keepFiles
}

// Remove takes a transfer off the list, and with data deletes the files that it
// fetched. It never deletes files that the user shared from their place, or that
// the transfer did not make. It returns when it is done, with the files that stay
// and why. A second Remove of the same transfer returns together with the first;
// the data is deleted if either asked for that.
func (e *Engine) Remove(id share.ID, data bool) ([]share.Kept, error) {
	done := make(chan error, 1)
	err := stopped()
	var r *removal
	e.call(func(lp *loop) {
		t := lp.transfers.find(id)
		if t == nil {
			err = unknown(id)
			return
		}
		err = nil
		lp.beginRemoval(t, data || t.options.Data)
		r = t.removing
		r.shelved = false
		r.waiters = append(r.waiters, done)
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

// beginRemoval has t removed.
func (lp *loop) beginRemoval(t *transfer, data bool) {
	if t.removing == nil {
		t.removing = &removal{files: []share.ID{t.id}}
		names := t.ids()
		if m := t.making.made; m != nil {
			t.removing.files = append(t.removing.files, m.Info.ID)
			names = append(names, m.Info.IDs()...)
		}
		// The claim of the Fetch that added it is over.
		t.removing.held = lp.claims.take(names...)
	}
	t.removing.data = t.removing.data || data
	lp.reconcile(t)
	t.endStreams()
}

// startRemove closes or deletes the files of t, and then drops t.
func (lp *loop) startRemove(t *transfer) {
	r, id, how, spec := t.removing, t.id, t.removing.fate(), lp.spec(t)
	known, blob := t.known(), t.options.Blob
	var files *storage.Transfer
	if o := t.opened(); o != nil {
		files = o.files
	}
	lp.announce.hide(t)
	lp.start(t, jobRemove, func(ctx context.Context) func() {
		kept, err := lp.work.giveUp(ctx, id, spec, files, how, known)
		if err == nil && blob != "" {
			var more []share.Kept
			more, err = lp.work.leaveBlob(ctx, id, blob, how == deleteFiles)
			kept = append(kept, more...)
		}
		return func() {
			t.phase, t.info = nil, nil
			r.kept = kept
			if err == nil && r.data && how != deleteFiles {
				return // asked for meanwhile: startRemove comes again
			}
			if err == nil && how == keepFiles && !t.done && t.kind == kindFetch && t.known() {
				r.leaving = true
				return // startRemove comes again for the unfinished files
			}
			lp.drop(t, err, how == leaveFiles && len(kept) > 0)
		}
	})
}

// drop takes t out of everything when its files were seen to. From here on no request
// finds it; one for the same content waits until what is kept of t is off the disk.
// left tells that unfinished files stay.
func (lp *loop) drop(t *transfer, err error, left bool) {
	r, shelved := t.removing, t.removing.shelved && err == nil
	var gone <-chan error
	if shelved {
		gone = lp.shelve(t)
	} else {
		gone = lp.state.remove(t.id, left)
		for _, id := range r.files {
			lp.shelf.drop(id)
		}
	}
	if o := lp.transfers.drop(t); o != nil { // it has the content for itself now
		o.failure = nil
		defer lp.reconcile(o)
	}
	delete(lp.awake, t)
	t.release()
	lp.slots.stale = true
	lp.box.run(func(context.Context) func() {
		if unsaved := <-gone; err == nil {
			err = unsaved
		}
		for _, id := range r.files {
			if shelved {
				break
			}
			if rm := lp.torrents.remove(id); err == nil {
				err = rm
			}
		}
		lp.box.call(func() {
			lp.events.bare(share.Event{Type: share.EventRemoved, ID: t.id, Was: t.was})
			lp.claims.free(r.held)
		})
		for _, w := range r.waiters {
			w <- err
		}
		return nil
	})
}
