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
func (lp *loop) reconcile(t *transfer) {
	if lp.stopping || !lp.transfers.has(t) {
		return
	}
	lp.slots.note(t)
	defer lp.changed(t)
	if lp.cfg.Look {
		lp.onlyLook(t)
		return
	}
	lp.yields(t)
	f := t.facts(lp.now(), lp.totals.cool())
	want := f.wants()
	t.endStreams()
	if t.job != nil {
		if f.calledOff(t.job.what, want) {
			t.job.cancel()
		}
		return
	}
	if next, ok := steps[f.is][f.event(want)]; ok {
		lp.begin(t, next)
	}
	if t.job == nil && (f.is == live || t.options.Paused || t.failure != nil || t.fault() != nil) {
		t.release()
	}
	if t.removing != nil {
		lp.announce.hide(t)
		return
	}
	switch t.state() {
	case share.Checking, share.Hashing: // as it was before
	case share.Seeding, share.Fetching, share.Finding:
		lp.announce.show(t)
	default:
		lp.announce.hide(t)
	}
	if t.searching() {
		lp.discovery.seek(t, lp.now())
	}
}

// onlyLook opens t for a look at its files and takes no other step. A transfer that
// has to be hashed before it may be called complete stays open, so that its state says
// so.
func (lp *loop) onlyLook(t *transfer) {
	switch o := t.opened(); {
	case t.job != nil:
	case t.look.glancing && o == nil:
		lp.startOpen(t)
	case !t.look.glancing && t.level() == opened && !o.unknown && !o.doubt:
		lp.startClose(t)
	}
}

// fail stops t until it is resumed, or until it is tried again where that may help.
func (lp *loop) fail(t *transfer, err error) {
	if t.removing != nil {
		return
	}
	lp.log.Warn("a transfer stopped", "id", t.id.Short(), "name", t.name, "error", err)
	t.failure, t.retry = err, time.Time{}
	if share.KindOf(err) != share.Refused && share.KindOf(err) != share.Usage {
		t.retry = lp.now().Add(retryTime)
	}
	lp.events.tell(t, share.EventFailed, share.TextOf(err))
}

// tick does for a transfer that is awake what has to be done each second.
func (lp *loop) tick(t *transfer, now time.Time, elapsed time.Duration) {
	if t.failure != nil && !t.retry.IsZero() && !now.Before(t.retry) && !t.options.Paused {
		t.failure = nil
		lp.reconcile(t)
	}
	if t.level() > atRest {
		lp.checkProgress(t)
	}
	if l := t.live(); l != nil {
		l.sample(elapsed)
	}
	t.given.sample(elapsed)
	if t.searching() {
		lp.discovery.seek(t, now)
	}
	lp.noticeSilence(t, now)
	lp.checkGoal(t, now)
	if f := t.facts(now, lp.totals.cool()); t.done && f.is == live && f.wants() < live || f.is == opened && (f.unknown || f.doubt) && f.mayCheck {
		lp.reconcile(t)
	}
	lp.events.refresh(t)
	if t.resting() && !t.endsSoon(now) {
		delete(lp.awake, t)
	}
}

// foundPeers is called when peers of t were found. They look for it, too: a seed that is
// wanted at rest is woken.
func (lp *loop) foundPeers(t *transfer, wanted bool) {
	if wanted {
		t.wait()
		lp.reconcile(t)
	}
	lp.changed(t)
}

// resting tells that nothing about t changes by itself.
func (t *transfer) resting() bool {
	return t.job == nil && t.level() == atRest && t.given.still() && t.removing == nil && !t.stale && !t.look.running &&
		(t.options.Paused || t.failure != nil && t.retry.IsZero() || t.done && t.failure == nil)
}

// checkGoal pauses a seed that has reached its goal.
func (lp *loop) checkGoal(t *transfer, now time.Time) {
	if t.options.GoalDone || t.options.Paused || !t.done {
		return
	}
	if why := t.goalMet(now); why.Pattern != "" {
		t.options.Paused, t.options.Reason, t.options.ReasonText = true, why.String(), why
		lp.save(t)
		lp.reconcile(t)
	}
}
