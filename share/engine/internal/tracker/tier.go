package tracker

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/schedule"
)

type transfer struct {
	id      share.ID
	tiers   []*tier
	seen    map[string]bool // URLs in tiers
	removed bool
	base    Progress // when it was added
	last    Progress // as it was last known
}

// add makes tiers of the lists of BEP 12, without duplicates and within the bounds,
// and returns the new ones.
func (tr *transfer) add(lists [][]string, now time.Time) []*tier {
	var added []*tier
	for _, list := range lists {
		t := &tier{transfer: tr, next: now}
		for _, text := range list {
			target := parseTarget(text)
			if target == nil || tr.seen[target.url.String()] || len(tr.seen) >= maxTrackers {
				continue
			}
			tr.seen[target.url.String()] = true
			t.members = append(t.members, &member{target: target, status: Status{
				URL: target.text, Tier: len(tr.tiers), Next: now,
			}})
		}
		if len(t.members) > 0 {
			tr.tiers = append(tr.tiers, t)
			added = append(added, t)
		}
	}
	return added
}

// tier is a list of trackers of which one is used: the first that answers, which is
// then asked first (BEP 12). A tier is either in the schedule or has a running
// announce, or is finished.
type tier struct {
	schedule.Place
	transfer  *transfer
	members   []*member
	current   int
	fails     int  // rounds through all members without an answer
	known     bool // the current member has answered
	completed bool // has yet to be told
	session   string
	earliest  time.Time // when the tracker takes the next announce
	next      time.Time
}

// Before orders tiers by their next announce.
func (t *tier) Before(o *tier) bool { return t.next.Before(o.next) }

// member is one tracker of a tier.
type member struct {
	target *target
	status Status
	after  time.Time // not to be asked before
}

// event is the event of the next announce.
func (t *tier) event() event {
	switch {
	case t.known && t.completed: // also when it was removed at once, as by a download that is not seeded
		return completed
	case t.transfer.removed:
		return stopped
	case !t.known:
		return started
	}
	return regular
}

func (t *tier) succeeded(m *member, sent event, r reply, now time.Time) {
	m.status.Err = nil
	m.status.Last, m.status.Seeders, m.status.Leechers, m.status.Peers = now, r.seeders, r.leechers, len(r.peers)
	t.known, t.fails = true, 0
	if sent == completed {
		t.completed = false
	}
	if r.session != "" {
		t.session = r.session
	}
	interval := r.interval
	if interval == 0 {
		interval = defaultInterval
	}
	interval = min(max(interval, shortest, r.minInterval), longest)
	t.earliest = now.Add(min(max(r.minInterval, shortest), longest))
	t.next = now.Add(spread(interval))
	if t.event() != regular {
		t.next = now
	}
	// Move it to the front of its tier.
	if i := slices.Index(t.members, m); i > 0 {
		copy(t.members[1:i+1], t.members[:i])
		t.members[0] = m
	}
	t.current = 0
}

func (t *tier) failed(m *member, err error, now time.Time) {
	m.status.Err = err
	m.after = now
	var no *refusal
	switch {
	case !errors.As(err, &no):
	case no.retry < 0:
		m.after = now.Add(never)
	default:
		m.after = now.Add(no.retry)
	}
	// The next tracker has not had a started event.
	t.known, t.session = false, ""
	if i := t.askable(t.current+1, now); i >= 0 {
		t.current, t.next = i, now
		return
	}
	t.next = now.Add(spread(min(firstBackoff<<min(t.fails, 10), longestBackoff)))
	t.fails++
	if t.current = t.askable(0, t.next); t.current >= 0 {
		return
	}
	t.current = 0
	for i, m := range t.members {
		if m.after.Before(t.members[t.current].after) {
			t.current = i
		}
	}
	t.next = t.members[t.current].after
}

// askable finds the first member from the one at from on that may be asked at
// the time at; -1 if there is none.
func (t *tier) askable(from int, at time.Time) int {
	for i := from; i < len(t.members); i++ {
		if !t.members[i].after.After(at) {
			return i
		}
	}
	return -1
}

// spread randomises intervals, so that transfers that were added together spread out.
func spread(d time.Duration) time.Duration {
	return d + rand.N(d/10+1)
}
