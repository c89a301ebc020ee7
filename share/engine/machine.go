package engine

import (
	"time"

	"github.com/shoalnet/shoal/share"
)

// retryTime is when a transfer tries again that stopped with a fault of the machine,
// not of the content.
const retryTime = 30 * time.Second

// reconcile begins the next step from how t is to how it should be. It is called
// whenever either has changed, and again when the step is over.
func (e *Engine) reconcile(t *transfer) {
	if e.stopping || !e.transfers.has(t) {
		return
	}
	e.slots.note(t)
	defer e.changed(t)
	if e.cfg.Look {
		e.onlyLook(t)
		return
	}
	f := t.facts(e.now(), e.totals.cool())
	want := f.wants()
	t.endStreams()
	if t.job != nil {
		if f.calledOff(t.job.what, want) {
			t.job.cancel()
		}
		return
	}
	if next, ok := steps[f.is][f.event(want)]; ok {
		e.begin(t, next)
	}
	if t.job == nil && (f.is == live || t.options.Paused || t.failure != nil || t.fault() != nil) {
		t.release()
	}
	if t.removing != nil {
		e.announce.hide(t)
		return
	}
	switch t.state() {
	case share.Checking, share.Hashing: // as it was before
	case share.Seeding, share.Fetching, share.Finding:
		e.announce.show(t)
	default:
		e.announce.hide(t)
	}
	if t.searching() {
		e.discovery.seek(t, e.now())
	}
}

// onlyLook opens t for a look at its files and takes no other step. A transfer that
// has to be hashed before it may be called complete stays open, so that its state says
// so.
func (e *Engine) onlyLook(t *transfer) {
	switch o := t.opened(); {
	case t.job != nil:
	case t.look.glancing && o == nil:
		e.startOpen(t)
	case !t.look.glancing && t.level() == opened && !o.unknown && !o.doubt:
		e.startClose(t)
	}
}

// fail stops t until it is resumed, or until it is tried again where that may help.
func (e *Engine) fail(t *transfer, err error) {
	if t.removing != nil {
		return
	}
	e.log.Warn("a transfer stopped", "id", t.id.Short(), "name", t.name, "error", err)
	t.failure, t.retry = err, time.Time{}
	if share.KindOf(err) != share.Refused && share.KindOf(err) != share.Usage {
		t.retry = e.now().Add(retryTime)
	}
	e.events.tell(t, share.EventFailed, err.Error())
}

// tick does for a transfer that is awake what has to be done each second.
func (e *Engine) tick(t *transfer, now time.Time, elapsed time.Duration) {
	if t.failure != nil && !t.retry.IsZero() && !now.Before(t.retry) && !t.options.Paused {
		t.failure = nil
		e.reconcile(t)
	}
	if t.level() > atRest {
		e.checkProgress(t)
	}
	if l := t.live(); l != nil {
		l.sample(elapsed)
	}
	if t.searching() {
		e.discovery.seek(t, now)
	}
	e.noticeSilence(t, now)
	if f := t.facts(now, e.totals.cool()); t.done && f.is == live && f.wants() < live || f.is == opened && (f.unknown || f.doubt) && f.mayCheck {
		e.reconcile(t)
	}
	e.events.refresh(t)
	if t.resting() {
		delete(e.awake, t)
	}
}

// foundPeers is called when peers of t were found. They look for it, too: a seed that is
// wanted at rest is woken.
func (e *Engine) foundPeers(t *transfer, wanted bool) {
	if wanted {
		t.wait()
		e.reconcile(t)
	}
	e.changed(t)
}

// resting tells that nothing about t changes by itself.
func (t *transfer) resting() bool {
	return t.job == nil && t.level() == atRest && t.removing == nil && !t.stale && !t.look.running &&
		(t.options.Paused || t.failure != nil && t.retry.IsZero() || t.done && t.failure == nil)
}

// checkGoal pauses a seed that has reached its goal.
func (e *Engine) checkGoal(t *transfer, now time.Time) {
	if t.options.GoalDone || t.options.Paused || !t.done {
		return
	}
	if why := t.goalMet(now); why != "" {
		t.options.Paused, t.options.Reason = true, why
		e.save(t)
		e.reconcile(t)
	}
}
