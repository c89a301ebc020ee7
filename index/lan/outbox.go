package lan

import (
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/schedule"
)

const (
	announceEvery = 5 * time.Minute // each ID, by BEP 14
	// The interval of an ID that is asked for again and again: a second at first,
	// doubling up to the minute of BEP 14, and reset after a quiet time.
	shortGap = time.Second
	longGap  = time.Minute
	quiet    = 2 * time.Minute
	// IDs that are added or asked for within this time share a datagram.
	gather = 50 * time.Millisecond
	// IDs that are due within this time are sent with those that are due now.
	ahead = 5 * time.Second
	// An answer to a newcomer waits for a random part of this time, and is
	// dropped if this many others have answered by then.
	answerWithin = 100 * time.Millisecond
	enough       = 3

	datagramRate  = 2 // a second
	datagramBurst = 8
	maxSoon       = 1000
)

// outbox decides which IDs are announced when: first IDs that a search or a newcomer
// waits for, then new ones, the newest first, then the others in turn.
type outbox struct {
	entries map[share.ID]*entry
	soon    []*entry
	fresh   []*entry               // a stack
	turn    schedule.Queue[*entry] // by next
	rate    *rate.Limiter
}

type entry struct {
	schedule.Place
	id      share.ID
	keep    bool      // announced until removed; otherwise only searched for
	last    time.Time // announced, zero before
	next    time.Time // regular announce
	at      time.Time // in soon: when to announce, else zero
	gap     time.Duration
	answers int  // of others, while in soon
	asked   bool // in soon because of a search of ours
}

// Before orders entries by their regular announce.
func (e *entry) Before(o *entry) bool { return e.next.Before(o.next) }

func newOutbox() *outbox {
	return &outbox{entries: map[share.ID]*entry{}, rate: rate.NewLimiter(datagramRate, datagramBurst)}
}

func (o *outbox) has(id share.ID) bool {
	e := o.entries[id]
	return e != nil && e.keep
}

// maxIdle bounds the entries that are kept only for the time of their last announce.
const maxIdle = 2000

func (o *outbox) entry(id share.ID, now time.Time) *entry {
	e := o.entries[id]
	if e == nil {
		if len(o.entries) > o.turn.Len()+len(o.soon)+maxIdle {
			for id, e := range o.entries {
				if !e.keep && e.at.IsZero() && now.Sub(e.last) > quiet {
					delete(o.entries, id)
				}
			}
		}
		e = &entry{id: id}
		o.entries[id] = e
	}
	return e
}

// add announces id from now on.
func (o *outbox) add(id share.ID, now time.Time) {
	e := o.entry(id, now)
	if e.keep {
		return
	}
	e.keep = true
	e.next = now.Add(gather)
	if e.last.IsZero() {
		o.fresh = append(o.fresh, e)
	} else {
		e.next = e.last.Add(spread(announceEvery))
	}
	o.turn.Set(e)
}

// remove stops announcing id.
func (o *outbox) remove(id share.ID) {
	e := o.entries[id]
	if e == nil || !e.keep {
		return
	}
	e.keep = false
	o.turn.Remove(e)
}

// ask announces id once, for a search of ours.
func (o *outbox) ask(id share.ID, now time.Time) {
	o.sendSoon(o.entry(id, now), now, gather, true)
}

// noteAnnounce is called for each announce of others. A newcomer is answered if we
// announce the same ID.
func (o *outbox) noteAnnounce(id share.ID, newcomer bool, now time.Time) {
	e := o.entries[id]
	switch {
	case e == nil:
	case !e.at.IsZero():
		e.answers++
	case newcomer && e.keep:
		o.sendSoon(e, now, rand.N(answerWithin), false)
	}
}

func (o *outbox) sendSoon(e *entry, now time.Time, within time.Duration, asked bool) {
	at := now.Add(within)
	e.asked = e.asked || asked
	if !e.at.IsZero() || len(o.soon) >= maxSoon {
		return
	}
	if e.gap == 0 || now.Sub(e.last) > quiet {
		e.gap = shortGap
	}
	if earliest := e.last.Add(e.gap); earliest.After(at) {
		at = earliest
	}
	e.at, e.answers = at, 0
	o.soon = append(o.soon, e)
}

// announceAll makes every ID due, for a new network. The ID that was announced longest ago
// goes first.
func (o *outbox) announceAll(now time.Time) {
	byNext := slices.SortedFunc(o.turn.All(), func(a, b *entry) int { return a.next.Compare(b.next) })
	for i, e := range byNext {
		e.next, e.last = now.Add(time.Duration(i)), time.Time{}
		o.turn.Set(e)
	}
}

// wait returns the time until take may return IDs.
func (o *outbox) wait(now time.Time) time.Duration {
	wait := announceEvery
	for _, e := range o.soon {
		wait = min(wait, e.at.Sub(now))
	}
	if o.turn.Len() > 0 {
		wait = min(wait, o.turn.First().next.Sub(now))
	}
	if tokens := o.rate.TokensAt(now); tokens < 1 {
		wait = max(wait, time.Duration((1-tokens)/datagramRate*float64(time.Second))+time.Millisecond)
	}
	return max(wait, 0)
}

// take returns the IDs of the next datagram, or none if nothing is due. It fills
// the datagram with IDs that will be due soon.
func (o *outbox) take(now time.Time) []share.ID {
	if o.wait(now) > 0 {
		return nil
	}
	var ids []share.ID
	put := func(e *entry) {
		ids = append(ids, e.id)
		e.last = now
		if e.keep {
			e.next = now.Add(spread(announceEvery))
			o.turn.Set(e)
		}
	}

	waiting := o.soon[:0]
	for _, e := range o.soon {
		if len(ids) >= maxIDs || e.at.After(now) {
			waiting = append(waiting, e)
			continue
		}
		e.at = time.Time{}
		if e.asked || e.keep && e.answers < enough {
			e.gap = min(2*e.gap, longGap)
			put(e)
		}
		e.asked = false
	}
	clear(o.soon[len(waiting):])
	o.soon = waiting

	for len(ids) < maxIDs && len(o.fresh) > 0 {
		last := len(o.fresh) - 1
		e := o.fresh[last]
		o.fresh[last] = nil
		o.fresh = o.fresh[:last]
		if e.keep && e.last.IsZero() {
			put(e)
		}
	}
	for horizon := now.Add(ahead); len(ids) < maxIDs && o.turn.Len() > 0 && !o.turn.First().next.After(horizon); {
		put(o.turn.First())
	}
	if len(ids) > 0 {
		o.rate.AllowN(now, 1)
	}
	return ids
}

// spread randomises a delay, so that hosts that started together do not announce together.
func spread(d time.Duration) time.Duration {
	return d - d/20 + rand.N(d/10)
}
