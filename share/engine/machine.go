package engine

import (
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
)

// retryTime is how long a transfer that stopped with a fault of the machine,
// not of the content, waits before it tries again.
const retryTime = 30 * time.Second

// coolTime is how long a seed stays live after its last connection.
const coolTime = time.Minute

// maxIdle is how many seeds without a connection may be live; more
// go to rest at once. Strangers can wake them by asking for one after another.
const maxIdle = 200

// warm tells whether a seed is in use.
func (e *Engine) warm(t *transfer) bool {
	l := t.live()
	if l == nil {
		return false
	}
	f := l.net.Figures()
	if f.Peers > 0 {
		return true
	}
	cool := coolTime
	if e.idle > maxIdle {
		cool = 0
	}
	return e.now().Sub(f.LastPeer) < cool
}

// reconcile begins the next step from how t is to how it should be. It is
// called whenever either has changed, and again when the step is over.
func (e *Engine) reconcile(t *transfer) {
	if e.stopping || !e.transfers.has(t) {
		return
	}
	if wish := t.wantsSlot(); wish != t.wished {
		t.wished, e.requeue = wish, true
	}
	defer e.changed(t)
	if e.cfg.Look {
		e.onlyLook(t)
		return
	}
	f := e.facts(t)
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
		e.release(t)
	}
	if t.removing != nil {
		e.hide(t)
		return
	}
	switch t.state() {
	case share.Checking, share.Hashing: // as it was before
	case share.Seeding, share.Fetching, share.Finding:
		e.advertise(t)
	default:
		e.hide(t)
	}
	if e.searching(t) {
		e.seek(t, e.now())
	}
}

// onlyLook opens t for a look at its files and takes no other step. What has to be
// hashed before it may be called complete stays open, so that it is said.
func (e *Engine) onlyLook(t *transfer) {
	switch o := t.opened(); {
	case t.job != nil:
	case t.glancing && o == nil:
		e.startOpen(t)
	case !t.glancing && t.level() == opened && !o.unknown && !o.doubt:
		e.startClose(t)
	}
}

// release lets go on who waits for t to be attached.
func (e *Engine) release(t *transfer) {
	for _, w := range t.waiters {
		close(w)
	}
	t.waiters = nil
}

// fail stops t until it is resumed, or for a while where waiting may help.
func (e *Engine) fail(t *transfer, err error) {
	if t.removing != nil {
		return
	}
	e.log.Warn("a transfer stopped", "id", t.id.Short(), "name", t.name, "error", err)
	t.failure, t.retry = err, time.Time{}
	if share.KindOf(err) != share.Refused && share.KindOf(err) != share.Usage {
		t.retry = e.now().Add(retryTime)
	}
	e.tell(t, share.EventFailed, err.Error())
}

// look is what each second brings to a transfer that is awake.
func (e *Engine) look(t *transfer, now time.Time, elapsed time.Duration) {
	if t.failure != nil && !t.retry.IsZero() && !now.Before(t.retry) && !t.options.Paused {
		t.failure = nil
		e.reconcile(t)
	}
	if t.level() > atRest {
		e.lookAtProgress(t)
	}
	if l := t.live(); l != nil {
		f := l.net.Figures()
		l.down.Sample(f.Down, elapsed)
		l.up.Sample(f.Up, elapsed)
		l.net.Sample(elapsed)
	}
	if e.searching(t) {
		e.seek(t, now)
	}
	e.noticeSilence(t, now)
	if f := e.facts(t); t.done && f.is == live && f.wants() < live || f.is == opened && (f.unknown || f.doubt) && f.mayCheck {
		e.reconcile(t)
	}
	if s := t.state(); t.stale || s != share.Seeding && s != share.Paused || t.level() == live {
		if differs(e.snapshot(t), t.shown) {
			e.tell(t, share.EventChanged, "")
		}
		t.stale = false
	}
	if e.resting(t) {
		delete(e.awake, t)
	}
}

// differs tells whether subscribers should hear of it. That a countdown goes on
// is no news.
func differs(a, b share.Transfer) bool {
	noDigits := func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}
	a.Looked = b.Looked // nor that nothing has changed
	a.Reason, b.Reason = strings.Map(noDigits, a.Reason), strings.Map(noDigits, b.Reason)
	return a != b
}

// resting tells that nothing about t changes by itself.
func (e *Engine) resting(t *transfer) bool {
	return t.job == nil && t.level() == atRest && t.removing == nil && !t.stale && !t.looking &&
		(t.options.Paused || t.failure != nil && t.retry.IsZero() || t.done && t.failure == nil)
}

// checkGoal pauses a seed that has reached its goal.
func (e *Engine) checkGoal(t *transfer, now time.Time) {
	if t.options.GoalDone || t.options.Paused || !t.done {
		return
	}
	uploaded := t.uploaded
	if l := t.live(); l != nil {
		uploaded += l.net.Figures().Up - l.counted.up
	}
	since := t.completed
	if since.IsZero() {
		since = t.added
	}
	if why := goalMet(t.options.Goal, uploaded, t.size, since, now); why != "" {
		t.options.Paused, t.options.Reason = true, why
		e.save(t)
		e.reconcile(t)
	}
}

// assignSlots decides who of those that want to fetch may: the oldest first.
func (e *Engine) assignSlots() {
	e.requeue = false
	var want []*transfer
	for t := range e.awake {
		if t.wantsSlot() {
			want = append(want, t)
		} else {
			t.slot = false
		}
	}
	sortByAge(want)
	for i, t := range want {
		if slot := e.cfg.MaxFetching <= 0 || i < e.cfg.MaxFetching; slot != t.slot {
			t.slot = slot
			e.reconcile(t)
		}
	}
}

// wantsSlot tells whether t would fetch if it may.
func (t *transfer) wantsSlot() bool {
	return t.kind == kindFetch && !t.done && t.known() && !t.options.Paused && t.removing == nil &&
		t.failure == nil && t.fault() == nil
}
