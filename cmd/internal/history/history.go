// Package history keeps to itself how the rates of the node and its transfers are
// remembered: for how long, how finely, and in what form in memory and in state.db.
package history

import (
	"context"
	"database/sql"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// Config is what a History depends on.
type Config struct {
	DB     *sql.DB // state.db
	Logger *slog.Logger
	Now    func() time.Time
	Source Source
}

// Source is what counts the bytes.
type Source interface {
	// Totals are those of the whole node, in bytes.
	Totals() (down, up int64)
	List() []share.Transfer
	Subscribe(buffer int) api.Subscription
}

// History has the rate of every second of the last hour, every minute of the
// last day, and every hour of the last month, of the node and of each transfer.
//
// Most of ten thousand transfers are idle most of the time. So a series is made of
// blocks of some dozens of steps, and has only the blocks in which anything was
// transferred. A rate is of the bytes that were counted, so that what takes less than a
// second is seen, too. If there are too many blocks of a kind, the oldest are dropped, so
// memory is bounded.
type History struct {
	log    *slog.Logger
	now    func() time.Time
	db     *blockDB
	source Source

	mu     sync.Mutex
	series map[share.ID]*series // the node has the zero ID
	queues [len(levels)][]*block
	seen   map[share.ID]count   // what was counted at the last event
	moved  map[share.ID]count   // since the last sample
	before [2]map[share.ID]bool // what moved before the last sample, and before the one before it
	last   int64                // second up to which there are samples
}

type pace struct{ down, up float32 }

// count is a number of bytes.
type count struct{ down, up int64 }

// since is what was counted after was, by a counter that may have begun anew.
func (c count) since(was count) count {
	return count{max(0, c.down-was.down), max(0, c.up-was.up)}
}

// over is the rate of c in so many seconds.
func (c count) over(seconds int64) pace {
	return pace{float32(c.down) / float32(seconds), float32(c.up) / float32(seconds)}
}

// levels are the spans of api.Spans in blocks.
var levels = [...]struct {
	steps int // of a block
	most  int // blocks of all transfers; they take 8, 16 and 6 MiB
	kept  bool
}{{60, 16 << 10, false}, {60, 32 << 10, true}, {24, 32 << 10, true}}

func stepOf(level int) int64 { return int64(api.Spans[level].Step / time.Second) }
func spanOf(level int) int64 { return stepOf(level) * int64(api.Spans[level].Steps) }

// series is the blocks of each level, oldest first.
type series [len(levels)][]*block

// block is a stretch of steps.
type block struct {
	id    share.ID
	level int
	start int64 // second, a multiple of the length of a block
	rates []pace
	dirty bool // not stored in this form
}

// New reads the stored rates. Errors are of kind share.Disk.
func New(c Config) (*History, error) {
	h := &History{
		log: c.Logger, now: c.Now, source: c.Source,
		series: map[share.ID]*series{}, seen: map[share.ID]count{}, moved: map[share.ID]count{}, last: c.Now().Unix(),
	}
	var err error
	if h.db, err = openBlockDB(c.DB); err != nil {
		return nil, share.Errorf(share.Disk, "opening the history of rates: %w", err)
	}
	err = h.db.load(func(b *block) {
		if b.start <= h.now().Unix() { // otherwise the clock was wrong
			h.put(b)
		}
	})
	if err != nil {
		return nil, share.Errorf(share.Disk, "reading the history of rates: %w", err)
	}
	h.expire(h.now().Unix())
	return h, nil
}

// put adds a block to the end of its series; mu is held.
func (h *History) put(b *block) {
	s := h.series[b.id]
	if s == nil {
		s = &series{}
		h.series[b.id] = s
	}
	s[b.level] = append(s[b.level], b)
	h.queues[b.level] = append(h.queues[b.level], b)
}

// note adds the rates of a second to every level; mu is held.
func (h *History) note(id share.ID, second int64, p pace) {
	for level := range levels {
		step := stepOf(level)
		length := step * int64(levels[level].steps)
		start := second - second%length
		var b *block
		if s := h.series[id]; s != nil && len(s[level]) > 0 {
			b = s[level][len(s[level])-1]
		}
		switch {
		case b == nil || b.start < start:
			b = &block{id: id, level: level, start: start, rates: make([]pace, levels[level].steps)}
			h.put(b)
		case b.start > start:
			continue // the clock was set back: keep the older rates
		}
		r := &b.rates[(second-start)/step]
		r.down += p.down / float32(step)
		r.up += p.up / float32(step)
		b.dirty = true
	}
}

// expire drops old and surplus blocks; mu is held, or h is not in use yet.
func (h *History) expire(second int64) {
	for level := range levels {
		q := h.queues[level]
		length := stepOf(level) * int64(levels[level].steps)
		for len(q) > 0 && (len(q) > levels[level].most || q[0].start+length <= second-spanOf(level)) {
			h.drop(q[0])
			q[0] = nil
			q = q[1:]
		}
		h.queues[level] = q
	}
}

// drop removes the oldest block of a series; mu is held.
func (h *History) drop(b *block) {
	s := h.series[b.id]
	if s == nil || len(s[b.level]) == 0 || s[b.level][0] != b {
		return // the transfer was removed
	}
	s[b.level][0] = nil
	s[b.level] = s[b.level][1:]
	for level := range levels {
		if len(s[level]) > 0 {
			return
		}
	}
	delete(h.series, b.id)
}

// sample records the rates of the seconds since the last call. The node has moved so much.
func (h *History) sample(node count) {
	h.mu.Lock()
	defer h.mu.Unlock()
	second := h.now().Unix()
	// While the machine slept nothing was transferred.
	from := max(h.last+1, second-4)
	if h.last > second {
		from = second // the clock was set back
	}
	if from > second {
		from = second // twice in one second
	}
	for at := from; at <= second; at++ {
		if node != (count{}) {
			h.note(share.ID{}, at, node.over(second-from+1))
		}
	}
	moving := make(map[share.ID]bool, len(h.moved))
	for id, moved := range h.moved {
		// Transfers tell of themselves about once a second. One that was late by a moment
		// has told of two seconds.
		first := from
		if h.before[1][id] && !h.before[0][id] {
			first--
		}
		for at := first; at <= second; at++ {
			h.note(id, at, moved.over(second-first+1))
		}
		moving[id] = true
	}
	h.before = [2]map[share.ID]bool{moving, h.before[0]}
	clear(h.moved)
	if h.last = second; second%60 == 0 {
		h.expire(second)
	}
}

// Get returns a span up to the last complete step. The zero ID is the node.
func (h *History) Get(span api.Span, id share.ID) (api.History, error) {
	for level, s := range api.Spans {
		if s.Span != span {
			continue
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		step := stepOf(level)
		end := h.now().Unix()
		end -= end % step
		out := api.History{Step: int(step), End: time.Unix(end, 0).UTC()}
		all := h.series[id]
		if all == nil || len(all[level]) == 0 {
			return out, nil
		}
		begin := max(end-spanOf(level), all[level][0].start)
		n := max(0, (end-begin)/step)
		out.Down, out.Up = make([]int64, n), make([]int64, n)
		for _, b := range all[level] {
			for i, r := range b.rates {
				if at := (b.start + int64(i)*step - begin) / step; b.start+int64(i)*step >= begin && at < n {
					out.Down[at], out.Up[at] = int64(math.Round(float64(r.down))), int64(math.Round(float64(r.up)))
				}
			}
		}
		return out, nil
	}
	return api.History{}, share.Errorf(share.Usage, "there is no span %q: they are hour, day and month", span)
}

// Run follows the source until ctx ends.
func (h *History) Run(ctx context.Context) error {
	const buffer = 4096
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	defer h.save()
	for ctx.Err() == nil {
		sub := h.source.Subscribe(buffer)
		for _, t := range h.source.List() {
			h.take(share.Event{ID: t.ID, Transfer: &t})
		}
		again := h.follow(ctx, sub, tick.C)
		sub.Close()
		if !again {
			return nil
		}
	}
	return nil
}

// follow returns true if it fell behind.
func (h *History) follow(ctx context.Context, sub api.Subscription, tick <-chan time.Time) bool {
	saved := h.now()
	var was count
	was.down, was.up = h.source.Totals()
	for {
		select {
		case <-ctx.Done():
			return false
		case ev, ok := <-sub.Events():
			if !ok {
				return sub.Lagged()
			}
			h.take(ev)
		case <-tick:
			var is count
			is.down, is.up = h.source.Totals()
			h.sample(is.since(was))
			was = is
			if now := h.now(); now.Sub(saved).Abs() >= time.Minute {
				saved = now
				h.save()
			}
		}
	}
}

func (h *History) take(ev share.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case ev.Type == share.EventRemoved:
		delete(h.seen, ev.ID)
		delete(h.moved, ev.ID)
		delete(h.series, ev.ID)
		h.db.forget(ev.ID)
	case ev.Transfer == nil:
	default:
		is := count{ev.Transfer.Downloaded, ev.Transfer.Uploaded}
		if was, ok := h.seen[ev.ID]; ok && is != was {
			more, moved := is.since(was), h.moved[ev.ID]
			h.moved[ev.ID] = count{moved.down + more.down, moved.up + more.up}
		}
		h.seen[ev.ID] = is
	}
}

// save stores what must survive a restart.
func (h *History) save() {
	h.mu.Lock()
	var out []block
	for level := range levels {
		if !levels[level].kept {
			continue
		}
		for _, b := range h.queues[level] {
			if b.dirty && h.series[b.id] != nil {
				c := *b
				c.rates = append([]pace(nil), b.rates...)
				out = append(out, c)
				b.dirty = false
			}
		}
	}
	second := h.now().Unix()
	h.mu.Unlock()
	if err := h.db.save(out, second); err != nil {
		h.log.Warn("cannot keep the history of rates", "error", err)
	}
}
