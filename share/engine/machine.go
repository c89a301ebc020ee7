package engine

import (
	"errors"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/storage"
)

// retryTime is how long a transfer that stopped with a fault of the machine,
// not of the content, waits before it tries again.
const retryTime = 30 * time.Second

// coolTime is how long a seed stays in the library after its last connection.
const coolTime = time.Minute

// maxIdle is how many seeds without a connection may be in the library; more
// go to rest at once. Strangers can wake them by asking for one after another.
const maxIdle = 200

// wants is how awake t should be.
func (e *Engine) wants(t *transfer) level {
	switch {
	case e.stopping || t.failure != nil:
		return atRest
	case t.made != nil && t.removing == nil:
		return opened
	case t.kind == kindUnhashed || !t.known() || t.options.Restart:
		return atRest
	case t.removing != nil:
		if t.removing.data && t.files != nil {
			return opened
		}
		return atRest
	case t.glancing:
		return max(opened, t.level())
	case t.fault != nil && t.net == nil && !errors.Is(t.fault, storage.ErrChanged):
		// Nothing is to be trusted or written before the storage says that it
		// works again, which it does only while it is open.
		return opened
	case t.options.Verify || t.unknown && t.net == nil || t.options.From != "" && t.removing == nil && !t.options.Paused:
		return opened // and checked there
	case t.doubt && t.net == nil && t.fault == nil && len(t.waiters) == 0 && len(t.streams) == 0 && (t.done || t.options.Paused):
		return opened // and checked there, unless somebody wants it meanwhile
	case t.options.Paused:
		if len(t.streams) > 0 {
			return opened
		}
		return atRest
	case !t.done:
		if t.slot || len(t.streams) > 0 {
			return live
		}
		return atRest
	case len(t.waiters) > 0 || len(t.streams) > 0 || e.warm(t):
		return live
	case t.fault != nil:
		return opened // to learn when it is over
	}
	return atRest
}

// warm tells whether a seed is in use.
func (e *Engine) warm(t *transfer) bool {
	if t.net == nil {
		return false
	}
	f := t.net.Figures()
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
	if e.stopping || e.transfers[t.id] != t {
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
	want, is := e.wants(t), t.level()
	t.endStreams()
	if t.job != nil {
		// A step that is no longer wanted is broken off where it can take long.
		switch t.job.what {
		case jobHash, jobAsk:
			if t.removing != nil || t.options.Paused || t.failure != nil {
				t.job.cancel()
			}
		case jobOpen:
			if want == atRest {
				t.job.cancel()
			}
		case jobCopy:
			if want == atRest || t.removing != nil {
				t.job.cancel()
			}
		case jobCheck:
			if want == atRest || t.removing != nil || want == live && !t.options.Verify && !t.unknown {
				t.job.cancel()
			}
		}
		return
	}
	switch {
	case want > is && is == atRest:
		e.startOpen(t)
	case want > is && is == opened:
		e.startAttach(t)
	case want < is && is == live:
		e.startDetach(t)
	case t.removing == nil && is == opened && want == opened && (t.options.Verify || t.unknown || t.doubt) && e.mayCheck(t):
		e.startCheck(t)
	case t.removing != nil:
		e.startRemove(t)
	case is == atRest && t.options.Restart:
		e.startRestart(t)
	case is == opened && want == opened && t.options.From != "" && t.fault == nil && !t.options.Paused:
		e.startCopy(t)
	case want < is:
		e.startClose(t)
	case t.kind == kindUnhashed:
		e.startHash(t)
	case !t.known():
		e.startAsk(t)
	}
	if t.job == nil && (is == live || t.options.Paused || t.failure != nil || t.fault != nil) {
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
	switch {
	case t.job != nil:
	case t.glancing && t.level() == atRest:
		e.startOpen(t)
	case !t.glancing && t.level() == opened && !t.unknown && !t.doubt:
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
	if t.files != nil && t.plan != nil {
		e.lookAtProgress(t)
	}
	if t.net != nil {
		f := t.net.Figures()
		t.downMeter.Sample(f.Down, elapsed)
		t.upMeter.Sample(f.Up, elapsed)
		t.net.Sample(elapsed)
	}
	if e.searching(t) {
		e.seek(t, now)
	}
	e.noticeSilence(t, now)
	if t.done && t.net != nil && e.wants(t) < t.level() || (t.unknown || t.doubt) && t.level() == opened && e.mayCheck(t) {
		e.reconcile(t)
	}
	if s := t.state(); t.stale || s != share.Seeding && s != share.Paused || t.net != nil {
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
	return t.job == nil && t.net == nil && t.files == nil && t.removing == nil && !t.stale && !t.looking &&
		(t.options.Paused || t.failure != nil && t.retry.IsZero() || t.done && t.failure == nil)
}

// checkGoal pauses a seed that has reached its goal.
func (e *Engine) checkGoal(t *transfer, now time.Time) {
	if t.options.GoalDone || t.options.Paused || !t.done {
		return
	}
	uploaded := t.uploaded
	if t.net != nil {
		uploaded += t.net.Figures().Up - t.counted.up
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
		t.failure == nil && t.fault == nil
}
