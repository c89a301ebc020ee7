package tracker

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/schedule"
)

// Announcer announces any number of transfers. Its methods may be called
// concurrently, before and during Run, and do not block.
type Announcer struct {
	cfg  Config
	ask  func(context.Context, *target, request) (reply, error)
	wake chan struct{}

	mu        sync.Mutex
	transfers map[share.ID]*transfer
	due       schedule.Queue[*tier]
	running   bool
}

// Add announces id to the trackers of lists from now on, to one of each tier. It
// drops unsupported URLs, duplicates, and trackers beyond 32. Adding a known ID adds
// the tiers of lists that have new trackers. The tracker session begins here: the
// reported uploaded and downloaded bytes count from now on.
func (a *Announcer) Add(id share.ID, lists [][]string, now Progress) {
	a.mu.Lock()
	defer a.mu.Unlock()
	tr := a.transfers[id]
	if tr == nil {
		tr = &transfer{id: id, seen: map[string]bool{}, base: now, last: now}
	}
	added := tr.add(lists, a.cfg.Now())
	if len(added) == 0 {
		return
	}
	a.transfers[id] = tr
	for _, t := range added {
		a.due.Set(t)
	}
	a.nudge()
}

// Remove sends the stopped event to the trackers that were told of id, and removes
// it. last are the final figures; Progress is no longer called.
func (a *Announcer) Remove(id share.ID, last Progress) {
	a.mu.Lock()
	defer a.mu.Unlock()
	tr := a.transfers[id]
	if tr == nil {
		return
	}
	delete(a.transfers, id)
	tr.removed, tr.last = true, last
	a.hurry(tr)
}

// Complete sends the completed event to each tracker of id once. Do not call it for
// transfers that were complete when they were added.
func (a *Announcer) Complete(id share.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	tr := a.transfers[id]
	if tr == nil {
		return
	}
	for _, t := range tr.tiers {
		t.completed = true
	}
	a.hurry(tr)
}

// hurry makes the tiers of tr due now, except those that wait because no tracker
// answered, unless they are to be removed.
func (a *Announcer) hurry(tr *transfer) {
	now := a.cfg.Now()
	for _, t := range tr.tiers {
		if tr.removed || t.fails == 0 {
			a.move(t, now)
		}
	}
	a.nudge()
}

// Refresh asks for peers of id again as soon as the trackers allow.
func (a *Announcer) Refresh(id share.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	tr := a.transfers[id]
	if tr == nil {
		return
	}
	now := a.cfg.Now()
	for _, t := range tr.tiers {
		at := now
		if t.earliest.After(at) {
			at = t.earliest
		}
		if t.fails == 0 && at.Before(t.next) {
			a.move(t, at)
		}
	}
	a.nudge()
}

// Status lists the trackers of id, tier by tier.
func (a *Announcer) Status(id share.ID) []Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	tr := a.transfers[id]
	if tr == nil {
		return nil
	}
	var out []Status
	for _, t := range tr.tiers {
		for i, m := range t.members {
			s := m.status
			if i == t.current {
				s.Next = t.next
			}
			out = append(out, s)
		}
	}
	return out
}

// move changes the due time of t, unless its announce is running.
func (a *Announcer) move(t *tier, at time.Time) {
	if t.Queued() {
		t.next = at
		a.due.Set(t)
	}
}

func (a *Announcer) nudge() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run announces until ctx ends, then sends the stopped event to the trackers for at
// most a few seconds. Call Run only once.
func (a *Announcer) Run(ctx context.Context) error {
	a.mu.Lock()
	if a.running {
		a.mu.Unlock()
		return errors.New("tracker: the announcer runs already")
	}
	a.running = true
	a.mu.Unlock()
	if a.ask == nil {
		clients := newClients(a.cfg)
		defer clients.close()
		a.ask = clients.announce
	}

	var group sync.WaitGroup
	slots := make(chan struct{}, a.cfg.Parallel)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(a.untilDue())
		select {
		case <-ctx.Done():
			group.Wait()
			a.goodbye()
			return nil
		case <-a.wake:
			continue
		case <-timer.C:
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		w, ok := a.take()
		if !ok {
			<-slots
			continue
		}
		group.Go(func() {
			defer func() { <-slots }()
			a.announce(ctx, w)
		})
	}
}

// idle bounds the sleep, so that a jump of the clock is noticed.
const idle = time.Minute

func (a *Announcer) untilDue() time.Duration {
	port := a.cfg.Port()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.due.Len() == 0 {
		return idle
	}
	wait := a.due.First().next.Sub(a.cfg.Now())
	if port == 0 {
		wait = max(wait, time.Second)
	}
	return min(max(wait, 0), idle)
}

// work is a snapshot of an announce that is due.
type work struct {
	tier    *tier
	member  *member
	request request
}

func (a *Announcer) take() (work, bool) {
	port := a.cfg.Port()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.due.Len() == 0 || a.due.First().next.After(a.cfg.Now()) || port == 0 {
		return work{}, false
	}
	t := a.due.First()
	a.due.Remove(t)
	event := t.event()
	if event == stopped && !t.known {
		return work{}, false // it has never heard of us
	}
	return a.workOf(t, event, port), true
}

func (a *Announcer) workOf(t *tier, e event, port uint16) work {
	return work{tier: t, member: t.members[t.current], request: request{
		id: t.transfer.id, event: e, port: port, session: t.session,
		key: key(a.cfg.PeerID, t.transfer.id),
	}}
}

// fill completes the request with the current figures. It must not hold the lock,
// because it calls the engine's Progress.
func (a *Announcer) fill(w *work) {
	r, tr := &w.request, w.tier.transfer
	now, known := a.cfg.Progress(r.id)
	a.mu.Lock()
	if known && !tr.removed {
		tr.last = now
	}
	now, base := tr.last, tr.base
	a.mu.Unlock()
	r.progress = Progress{
		Uploaded: max(now.Uploaded-base.Uploaded, 0), Downloaded: max(now.Downloaded-base.Downloaded, 0), Left: now.Left,
	}
	r.want = wantFetching
	switch {
	case r.event == stopped:
		r.want = 0
	case r.progress.Left == 0:
		r.want = wantSeeding
	}
}

func (a *Announcer) announce(ctx context.Context, w work) {
	a.fill(&w)
	timeout := announceTimeout
	if w.request.event == stopped {
		timeout = stopTimeout
	}
	actx, cancel := context.WithTimeout(ctx, timeout)
	r, err := a.ask(actx, w.member.target, w.request)
	cancel()
	if err != nil {
		a.cfg.Logger.Debug("announce failed", "id", w.request.id.Short(), "tracker", w.member.target.text, "error", err)
	}
	if !a.record(ctx, w, r, err) && len(r.peers) > 0 {
		a.cfg.Found(w.request.id, dedup(r.peers))
	}
	a.nudge()
}

// record stores the result of an announce, schedules the tier again, and reports
// whether the transfer was removed.
func (a *Announcer) record(ctx context.Context, w work, r reply, err error) (gone bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := w.tier
	if w.request.event == stopped {
		return true
	}
	now := a.cfg.Now()
	switch {
	case err == nil:
		t.succeeded(w.member, w.request.event, r, now)
	case ctx.Err() == nil:
		t.failed(w.member, err, now)
	default:
		// It may have heard: goodbye is said, and completed is not said twice.
		t.known = true
		t.completed = t.completed && w.request.event != completed
	}
	if t.transfer.removed {
		t.next = now
	}
	a.due.Set(t)
	return t.transfer.removed
}

func dedup(peers []netip.AddrPort) []netip.AddrPort {
	seen := make(map[netip.AddrPort]bool, len(peers))
	out := peers[:0]
	for _, p := range peers {
		if !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}

// goodbye sends the events that are due, stopped the last of them, to all trackers
// that were told of us, many at once.
func (a *Announcer) goodbye() {
	port := a.cfg.Port()
	var farewells [][]work
	a.mu.Lock()
	for t := range a.due.All() {
		if !t.known || port == 0 {
			continue
		}
		var last []work
		if t.completed {
			last = append(last, a.workOf(t, completed, port))
		}
		farewells = append(farewells, append(last, a.workOf(t, stopped, port)))
	}
	a.due = schedule.Queue[*tier]{}
	a.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	slots := make(chan struct{}, a.cfg.Parallel)
	var group sync.WaitGroup
	defer group.Wait()
	for _, last := range farewells {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		group.Go(func() {
			defer func() { <-slots }()
			for _, w := range last {
				a.fill(&w)
				if _, err := a.ask(ctx, w.member.target, w.request); err != nil {
					a.cfg.Logger.Debug("goodbye failed", "id", w.request.id.Short(), "tracker", w.member.target.text, "event", w.request.event, "error", err)
				}
			}
		})
	}
}
