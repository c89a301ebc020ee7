package engine

import (
	"context"
	"errors"
)

// asked reads what a second request needs of the disk.
func (e *Engine) asked(t *transfer, r FetchRequest) (again, error) {
	a := again{FetchRequest: r, t: t}
	info, err := e.infoOf(t.id)
	switch {
	case errors.Is(err, ErrStopped):
		return a, err
	case err == nil:
		a.info = info
	}
	return a, nil
}

// merge joins a second request for the same content with its transfer.
func (e *Engine) merge(t *transfer, a again) (err error) {
	if a.owner, err = e.leases.owner(a.Lease, a.Owner); err != nil {
		return err
	}
	e.useSources(t, a.addSources(t))
	reselected, err := a.merge(t)
	if reselected {
		e.applyPriorities(t)
	}
	e.save(t)
	e.reconcile(t)
	return err
}

// useSources begins to fetch from new sources, also for a share.
func (e *Engine) useSources(t *transfer, fresh sources) {
	if fresh.trackers {
		e.trackers.Remove(t.id, t.figures()) // reconcile adds all of them
	}
	if l := t.live(); l != nil && !t.own() && len(fresh.webSeeds) > 0 {
		e.serial.do(func() { l.net.AddWebSeeds(fresh.webSeeds) })
	}
	if o := t.opened(); o != nil && fresh.adopt {
		e.box.run(func(ctx context.Context) func() {
			if err := o.files.Adopt(ctx); err != nil {
				e.log.Warn("completing files that were in the folder already", "id", t.id.Short(), "error", err)
			}
			return nil
		})
	}
	if t.kind == kindUnhashed {
		return
	}
	t.peers.search.next, t.peers.search.pause = e.now(), 0
	e.discovery.resolve(t)
}

// applyPriorities tells the swarm which pieces are wanted now.
func (e *Engine) applyPriorities(t *transfer) {
	if o := t.opened(); o != nil {
		e.serial.do(o.plan.apply)
		e.checkProgress(t)
	}
}

// startRestart drops what is known of the files of t where they were, and deletes what
// is of no use there.
func (e *Engine) startRestart(t *transfer) {
	id, from, wipe := t.id, t.options.From, t.wipe
	e.start(t, jobRestart, func(ctx context.Context) func() {
		err := e.work.restart(ctx, id, from, wipe)
		return func() {
			if err != nil {
				if ctx.Err() == nil {
					e.fail(t, err)
				}
				return
			}
			t.options.Restart, t.options.Durable, t.wipe = false, 0, false
			e.save(t)
		}
	})
}

// startCopy copies what of t is in another folder of this machine.
func (e *Engine) startCopy(t *transfer) {
	o, info, from := t.opened(), t.info, t.options.From
	files, wanted := o.files, o.plan.wants()
	t.count.start(t.total)
	e.start(t, jobCopy, func(ctx context.Context) func() {
		n, err := copyPieces(ctx, info, files, from, wanted, &t.count)
		return func() {
			if t.opened() != o || t.options.From != from || ctx.Err() != nil {
				return
			}
			if err != nil {
				e.events.note(t, "copying from %s: %v", from, err)
			}
			e.events.note(t, "%d of the pieces were copied from %s", n, from)
			t.options.From = ""
			e.save(t)
			e.checkProgress(t)
		}
	})
}
