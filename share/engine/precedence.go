package engine

import (
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/flow"
)

// precedence lets the downloads that are played go first: while a player lacks data, all
// others together are held to a low rate. It is owned by the loop.
type precedence struct {
	others  *flow.Bucket // of all downloads that are not played
	hold    hold
	lacking bool // as of the last look
}

func newPrecedence() *precedence { return &precedence{others: flow.NewBucket(0)} }

// limit is what holds back the bytes that t takes.
func (p *precedence) limit(t *transfer, own, node *flow.Bucket) giveWay {
	return giveWay{Throttle: flow.Throttle{Own: own, Node: node}, others: p.others, first: &t.played}
}

// giveWay is the limits on what a transfer takes, among them that of all that are not
// played, unless it is.
type giveWay struct {
	flow.Throttle
	others *flow.Bucket
	first  interface{ Load() bool }
}

func (g giveWay) Wait(n int, stop <-chan struct{}) bool {
	return (g.first.Load() || g.others.Wait(n, stop)) && g.Throttle.Wait(n, stop)
}

func (g giveWay) Holds() bool { return g.Throttle.Holds() || !g.first.Load() && g.others.Holds() }

// look works out, once a second, what the others may take, and reports whether they begin
// to be held.
func (p *precedence) look(awake map[*transfer]struct{}, now time.Time) bool {
	var d demand
	name := ""
	released := false
	for t := range awake {
		lacks, waits := t.lacks(p.lacking)
		first := t.played.Load()
		plays := t.streams.play()
		if plays && !first {
			released = true
		}
		t.played.Store(plays)
		if lacks && (name == "" || t.name < name) {
			name = t.name
		}
		d.lacks, d.waits = d.lacks || lacks, d.waits || waits
		l := t.live()
		switch {
		case l == nil || t.done:
		case plays:
			d.played += l.down.Rate()
		default:
			d.others += l.down.Rate()
		}
	}
	p.lacking = d.lacks
	was := p.hold.rate
	rate := p.hold.next(now, d)
	if released {
		p.others.Set(0) // what waits of a transfer that is played now
	}
	p.others.Set(rate)
	if rate == 0 || !d.lacks {
		name = ""
	}
	for t := range awake {
		if is := t.yieldsTo(name); is != t.yields {
			t.yields, t.stale = is, true
		}
	}
	return was == 0 && rate > 0
}

// yieldsTo is name where t is a download that gives way.
func (t *transfer) yieldsTo(name string) string {
	if t.done || t.own() || t.live() == nil || t.played.Load() {
		return ""
	}
	return name
}

// demand is how the downloads get on; rates are in bytes per second.
type demand struct {
	lacks  bool // a player has less ahead of it than it should have
	waits  bool // a player stands still
	played int64
	others int64
}

// The others keep a twentieth of their rate, within these bounds: their connections stay,
// and on a slow line the player has nearly all of it.
const (
	leastHeld = 16 << 10
	mostHeld  = 256 << 10
)

// If a player gets no more than before within holdTrial, then the others are not the
// reason, and they are left alone for holdRest.
const (
	holdTrial = 10 * time.Second
	holdRest  = time.Minute
)

// hold decides what all downloads that are not played may take together. A player that
// stands still stops them at once; one that lacks data halves their rate each second, and
// one that has enough gives it back by and by.
type hold struct {
	rate   int64 // bytes per second; 0 is no limit
	before int64 // what they took when they were not held
	alone  int64 // what was played got then
	since  time.Time
	proven bool      // holding them is of use
	freed  time.Time // when they were held last
	rests  time.Time // until then they are left alone
}

func (h *hold) next(now time.Time, d demand) int64 {
	least := min(max(h.before/20, leastHeld), mostHeld)
	switch {
	case !d.lacks && h.rate == 0:
	case !d.lacks:
		h.rate += max(h.rate/4, leastHeld)
		if h.rate >= h.before+h.before/4 {
			h.rate, h.freed = 0, now
		}
	case h.rate == 0 && now.Before(h.rests):
	case h.rate == 0:
		is := hold{before: d.others, alone: d.played, since: now}
		if now.Sub(h.freed) < holdRest { // they may not have their full rate again
			is.before, is.proven = max(is.before, h.before), h.proven
		}
		*h = is
		h.rate = min(max(h.before/20, leastHeld), mostHeld)
		if !d.waits {
			h.rate = max(h.rate, d.others/2)
		}
	default:
		if h.rate /= 2; d.waits {
			h.rate = 0
		}
		h.rate = max(h.rate, least)
		h.proven = h.proven || d.played > h.alone+h.alone/4
		if !h.proven && h.before > 0 && now.Sub(h.since) >= holdTrial {
			h.rate, h.rests = 0, now.Add(holdRest)
		}
	}
	return h.rate
}

// play reports whether any of the streams plays.
func (all streams) play() bool {
	for s := range all {
		if s.plays && s.file != nil {
			return true
		}
	}
	return false
}

// lacks reports whether a player of t has less ahead of it than half of what a stream wants
// first, and whether it stands still. If already, it lacks data until it has nearly all.
func (t *transfer) lacks(already bool) (lacks, waits bool) {
	o := t.opened()
	if o == nil || t.done || t.failure != nil || t.options.Paused {
		return false, false
	}
	for s := range t.streams {
		if !s.plays || s.file == nil {
			continue
		}
		w := s.window()
		ready := o.ready(w) - w.from
		enough := (w.to - w.from) / 2
		if already {
			enough = (w.to - w.from) * 7 / 8
		}
		lacks = lacks || ready < enough || ready == 0 && w.from < w.to
		waits = waits || s.waits.Load()
	}
	return lacks, waits
}

// ready is the first piece of a window that cannot be read, or its end.
func (o *openedPhase) ready(w window) int {
	for i := w.from; i < w.to; i++ {
		if _, complete := o.files.Completion(i); !complete {
			return i
		}
	}
	return w.to
}

// Streams describes the readers that play files of a transfer.
func (e *Engine) Streams(id share.ID) (all share.Streams, err error) {
	err = e.on(id, func(lp *loop, t *transfer) error {
		all.Held = lp.ahead.hold.rate
		o := t.opened()
		for s := range t.streams {
			if !s.plays || s.file == nil || o == nil {
				continue
			}
			all.Streams = append(all.Streams, s.state(o))
		}
		return nil
	})
	return all, err
}

// mostReady bounds how many pieces are looked at for one answer.
const mostReady = 4096

// state is how far s is, for people.
func (s *stream) state(o *openedPhase) share.Stream {
	w := s.window()
	pos := s.pos.Load()
	end := s.file.Offset + s.file.Length
	last := int((end + s.info.PieceLength - 1) / s.info.PieceLength)
	ready := o.ready(window{w.from, min(last, w.from+mostReady)})
	at := func(piece int) int64 { return max(min(int64(piece)*s.info.PieceLength, end)-s.file.Offset-pos, 0) }
	is := share.Stream{File: s.index, At: pos, Waits: s.waits.Load(), Pieces: w.to - w.from}
	if w.from < w.to {
		is.Ready, is.Ahead = at(ready), at(w.to)
		is.Piece = ready
	}
	for i := w.from; i < w.to; i++ {
		if _, complete := o.files.Completion(i); !complete {
			is.Missing++
		}
	}
	return is
}
