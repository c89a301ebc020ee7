package engine

import (
	"context"
	"errors"

	"github.com/shoalnet/shoal/share"
)

// asked reads what a second request needs of the disk.
func (e *Engine) asked(t *transfer, r FetchRequest) (again, error) {
	a := again{FetchRequest: r, t: t}
	for _, id := range t.ids() {
		info, err := e.infoOf(id)
		switch {
		case errors.Is(err, ErrStopped):
			return a, err
		case err == nil:
			a.info = info
			return a, nil
		}
	}
	return a, nil
}

// merge joins a second request for the same content with its transfer.
func (lp *loop) merge(t *transfer, a again) (err error) {
	if t.differs(a.t.names()) {
		return share.Errorf(share.Refused, "the link names two different contents, %s and one that is here already, %s", a.t.id.Short(), t.id.Short())
	}
	unseals, err := a.unseals(t)
	if err != nil {
		return err
	}
	if a.owner, err = lp.leases.owner(a.Lease, a.Owner); err != nil {
		return err
	}
	lp.useSources(t, a.addSources(t))
	if unseals {
		a.unseal(t)
		lp.events.note(t, "its key is known now")
		lp.save(t)
		lp.reconcile(t)
		return nil
	}
	reselected, err := a.merge(t)
	if reselected {
		lp.applyPriorities(t)
	}
	lp.save(t)
	lp.reconcile(t)
	return err
}

// useSources begins to fetch from new sources, also for a share.
func (lp *loop) useSources(t *transfer, fresh sources) {
	if fresh.trackers {
		for _, id := range t.ids() {
			lp.trackers.Remove(id, t.figures()) // reconcile adds all of them
		}
	}
	if l := t.live(); l != nil && !t.own() && len(fresh.webSeeds) > 0 {
		lp.serial.do(func() { l.net.AddWebSeeds(fresh.webSeeds) })
	}
	if o := t.opened(); o != nil && fresh.adopt {
		lp.box.run(func(ctx context.Context) func() {
			if err := o.files.Adopt(ctx); err != nil {
				lp.log.Warn("completing files that were in the folder already", "id", t.id.Short(), "error", err)
			}
			return nil
		})
	}
	if t.kind == kindUnhashed {
		return
	}
	t.peers.search.next, t.peers.search.pause = lp.now(), 0
	lp.discovery.resolve(t)
}

// applyPriorities tells the swarm which pieces are wanted now.
func (lp *loop) applyPriorities(t *transfer) {
	if o := t.opened(); o != nil {
		lp.serial.do(o.plan.apply)
		lp.checkProgress(t)
	}
}

// startRestart drops what is known of the files of t where they were, and deletes what
// is of no use there.
func (lp *loop) startRestart(t *transfer) {
	id, from, sealed, wipe := t.id, t.options.From, lp.sealSpec(t), t.wipe
	unseal := t.options.Unseal
	lp.start(t, jobRestart, func(ctx context.Context) func() {
		var kept bool
		var err error
		if unseal {
			kept, err = lp.work.keepBlob(ctx, id)
		}
		if err == nil && !kept {
			err = lp.work.restart(ctx, id, from, sealed, wipe)
		}
		return func() {
			if err != nil {
				if ctx.Err() == nil {
					lp.fail(t, err)
				}
				return
			}
			t.options.Restart, t.options.Durable, t.wipe = false, 0, false
			lp.save(t)
		}
	})
}

// startCopy copies what of t is in another folder of this machine.
func (lp *loop) startCopy(t *transfer) {
	o, info, from := t.opened(), t.info, t.options.From
	files, wanted := o.files, o.plan.wants()
	t.count.start(t.total)
	if t.options.Unseal {
		lp.startUnseal(t, wanted)
		return
	}
	lp.start(t, jobCopy, func(ctx context.Context) func() {
		n, err := copyPieces(ctx, info, files, from, wanted, &t.count)
		return func() {
			if t.opened() != o || t.options.From != from || ctx.Err() != nil {
				return
			}
			if err != nil {
				lp.events.note(t, "copying from %s: %v", from, err)
			}
			lp.events.note(t, "%d of the pieces were copied from %s", n, from)
			t.options.From = ""
			lp.save(t)
			lp.checkProgress(t)
		}
	})
}
