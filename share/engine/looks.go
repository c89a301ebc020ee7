package engine

import (
	"context"
	"time"

	"github.com/shoalnet/shoal/share"
)

// lookInTurn looks at the files of those complete transfers whose turn it is: all
// after a start, and then in rounds.
func (lp *loop) lookInTurn() {
	if now := lp.now(); lp.rounds.due(now) {
		var all []*transfer
		for _, t := range lp.transfers.byID {
			if t.done && t.removing == nil {
				all = append(all, t)
			}
		}
		lp.rounds.begin(now, all)
	}
	var later []*transfer
	for _, t := range lp.rounds.next() {
		switch {
		case !lp.transfers.has(t) || !t.done && t.options.Damage == "":
		case lp.mounts.busy(t.path):
			later = append(later, t)
		default:
			lp.lookAt(t)
		}
	}
	lp.rounds.later(later)
}

// lookAt begins a look at the files of t. At rest that opens the storage, which
// compares the files with what is recorded, and closes it again.
func (lp *loop) lookAt(t *transfer) {
	switch {
	case t.look.running || t.job != nil || t.failure != nil || t.removing != nil || !t.known():
	case t.level() == atRest:
		t.look.glancing = true
		lp.reconcile(t)
	default:
		o, path := t.opened(), t.path
		t.look.running, t.look.began = true, lp.now()
		lp.awake[t] = struct{}{}
		lp.box.run(func(ctx context.Context) func() {
			leave, err := lp.mounts.enter(ctx, path)
			if err == nil {
				err = o.files.Look(ctx)
				leave()
			}
			return func() {
				t.look.running, t.look.silent = false, false
				if t.opened() == o {
					o.fault = o.files.Fault()
					if err == nil {
						lp.looked(t)
					}
					lp.checkProgress(t)
					lp.reconcile(t)
				}
				t.look.release()
			}
		})
	}
}

// looked is called when every file of t was just compared with what is recorded.
func (lp *loop) looked(t *transfer) {
	t.look.at = lp.now().Round(0)
	lp.noteDamage(t)
	if t.look.restoring {
		lp.restore(t)
	}
}

// noteDamage keeps what a look, or hashing, has found wrong across restarts, until
// it is right again.
func (lp *loop) noteDamage(t *transfer) {
	o := t.opened()
	if o == nil || o.unknown || o.doubt {
		return
	}
	damage := share.TextOf(o.fault)
	if (t.done || t.options.Damage != "") && damage.String() != t.options.Damage {
		t.options.Damage, t.options.DamageText, t.options.Durable = damage.String(), damage, t.haveBytes()
		lp.save(t)
	}
}

// lookAfterJob looks at t for callers that asked for it during a job.
func (lp *loop) lookAfterJob(t *transfer) {
	if len(t.look.waiters) == 0 || t.job != nil || t.look.busy() {
		return
	}
	if lp.lookAt(t); t.job == nil && !t.look.running {
		t.look.release()
	}
}

// awaitLook looks at the files of a complete transfer, and waits for the result,
// unless the last look is younger than age. It does not wait for a file system that
// does not answer.
func (e *Engine) awaitLook(ctx context.Context, id share.ID, age time.Duration) {
	var done chan struct{}
	err := e.on(id, func(lp *loop, t *transfer) error {
		if !t.done && t.options.Damage == "" || t.look.silent || !t.known() || t.failure != nil || t.look.fresh(lp.now(), age) {
			return nil
		}
		if s := t.state(); s != share.Seeding && s != share.Paused && t.options.Damage == "" {
			return nil // it is not said to be complete
		}
		lp.lookAt(t)
		if t.look.busy() || t.job != nil { // after the job it is looked at
			done = t.look.wait()
		}
		return nil
	})
	if err != nil || done == nil {
		return
	}
	late := time.NewTimer(lookPatience)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
	case <-ctx.Done():
	case <-e.box.closed:
	}
}

// awaitLooks looks at complete transfers that were not looked at since the start,
// and waits a moment for the results. Where there are very many, the rest is left to
// the round that is under way.
func (e *Engine) awaitLooks() {
	var waits []chan struct{}
	e.call(func(lp *loop) {
		for _, t := range lp.transfers.byID {
			if len(waits) == glancesASecond {
				break
			}
			if t.done && t.look.at.IsZero() && t.known() && !t.look.silent && t.failure == nil && !lp.mounts.busy(t.path) {
				if lp.lookAt(t); t.look.busy() {
					waits = append(waits, t.look.wait())
				}
			}
		}
	})
	late := time.NewTimer(lookPatience / 2)
	defer late.Stop()
	for _, w := range waits {
		select {
		case <-w:
		case <-late.C:
			return
		case <-e.box.closed:
			return
		}
	}
}

// lookAgain returns the transfer id after a second request for it. A complete one is
// looked at first.
func (e *Engine) lookAgain(ctx context.Context, id share.ID) (s share.Transfer, err error) {
	e.awaitLook(ctx, id, 0)
	err = e.on(id, func(lp *loop, t *transfer) error {
		lp.restore(t)
		s = lp.events.snapshot(t)
		return nil
	})
	return s, err
}

// restore has what is missing of t, or was changed, fetched again. What the user has
// changed stays, and the right file is put beside it. It is called after a look;
// where a look is still under way, it is done after that.
func (lp *loop) restore(t *transfer) {
	o := t.opened()
	if t.own() || t.removing != nil || t.options.Verify {
		return
	}
	t.look.restoring = (o == nil || t.look.busy()) && (t.done || t.options.Damage != "")
	// The storage may be closed again after the look that found something.
	lost := o == nil && !t.done && t.options.Lost
	if t.look.restoring || !lost && (o == nil || !o.files.Amiss()) {
		return
	}
	lp.events.note(t, "what is missing, or was changed, is fetched again")
	t.options.Verify, t.options.Mend, t.failure = true, true, nil
	if t.options.Reason != "" { // the user has not paused it
		t.options.Paused, t.options.Reason = false, ""
	}
	lp.save(t)
	lp.reconcile(t)
}

// noticeSilence tells callers when the file system of t does not answer.
func (lp *loop) noticeSilence(t *transfer, now time.Time) {
	asking := t.look.running || t.job != nil && t.job.what == jobOpen
	if t.look.fallsSilent(asking, now) {
		lp.log.Warn("a file system does not answer", "id", t.id.Short(), "path", t.path)
		t.look.release()
		t.release()
		lp.changed(t)
	}
}

// proveAll hashes what is in doubt while t is live and serves the rest.
func (lp *loop) proveAll(t *transfer) {
	o, info := t.live(), t.info
	if o == nil || o.proving {
		return
	}
	o.proving = true
	files := o.files
	t.count.start(0)
	lp.box.run(func(ctx context.Context) func() {
		if err := lp.work.prove(ctx, info, files, &t.count); err != nil {
			lp.log.Debug("hashing what may have changed", "id", t.id.Short(), "error", err)
		}
		return func() {
			o.proving, o.nextCheck = false, lp.now().Add(checkAgain)
			if t.opened() == o.openedPhase {
				o.fault = files.Fault()
				lp.checkProgress(t)
				lp.reconcile(t)
			}
		}
	})
}
