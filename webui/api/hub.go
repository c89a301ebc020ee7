package api

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
)

const (
	// patchTime is the least time between two patches.
	patchTime = time.Second
	// settleTime is how long a patch waits for what changes together with its first
	// change.
	settleTime = 30 * time.Millisecond
	// bulkTime is how long patches wait for the end of a request that acts on many
	// transfers, so that readers see all of it at once.
	bulkTime = 2 * time.Second
	// eventBuffer is how many events may wait for the hub.
	eventBuffer = 8192
)

// hub follows the node's events, and keeps the document of the event stream and the
// latest changes to it. It encodes each change once. Readers write the shared bytes at
// their own pace, each in its own goroutine.
type hub struct {
	events    Events
	transfers Transfers
	content   Content
	node      Node
	network   Network
	channels  Channels
	incoming  Incoming

	log   *slog.Logger
	cols  []column // of share.Transfer
	stats []column // of Stats

	kick  chan struct{} // a reader joined, or a bulk request has ended
	ready chan struct{} // closed when the hub follows the node

	mu       sync.Mutex
	rows     map[share.ID]*share.Transfer // what a reader knows that is up to date
	dirty    map[share.ID]*share.Transfer // newer than rows; nil is removed
	totals   share.Stats
	sides    sides
	ring     ring
	whole    []byte // the reset frame as of wholeSeq
	wholeSeq uint64
	last     time.Time // of the latest patch
	bulks    int       // requests that act on many transfers now
	held     time.Time // patches wait for them until then
	prompt   bool      // one has ended: the next patch does not wait
	readers  map[*reader]struct{}
	topics   map[topicKey]*topic
	lines    logbook
	stopped  bool
}

func newHub(c Config) *hub {
	return &hub{
		events: c.Events, transfers: c.Transfers, content: c.Content, node: c.Node, network: c.Network, channels: c.Channels, incoming: c.Incoming,
		log: c.Logger, ring: newRing(),
		cols: columnsOf(reflect.TypeFor[share.Transfer]()), stats: columnsOf(reflect.TypeFor[share.Stats]()),
		kick:    make(chan struct{}, 1),
		ready:   make(chan struct{}),
		rows:    map[share.ID]*share.Transfer{},
		dirty:   map[share.ID]*share.Transfer{},
		readers: map[*reader]struct{}{},
		topics:  map[topicKey]*topic{},
	}
}

// run follows the node until ctx ends. It is called once.
func (h *hub) run(ctx context.Context) {
	defer h.stop()
	for first := true; ctx.Err() == nil; first = false {
		sub := h.events.Subscribe(eventBuffer)
		h.reload()
		if first {
			close(h.ready)
		}
		again := h.follow(ctx, sub)
		sub.Close()
		if !again {
			<-ctx.Done()
			return
		}
		h.log.Warn("the event stream fell behind the node and starts over")
	}
}

// follow reads events until ctx ends or there are no more. It returns true if the hub
// fell behind.
func (h *hub) follow(ctx context.Context, sub Subscription) bool {
	timer := time.NewTimer(0)
	defer timer.Stop()
	due := time.Now() // when the timer fires; zero if it is not set
	for {
		select {
		case <-ctx.Done():
			return false
		case ev, ok := <-sub.Events():
			if !ok {
				return sub.Lagged()
			}
			h.take(ev)
		case <-h.kick:
			h.refreshTopics()
		case <-timer.C:
			due = time.Time{}
			h.beat()
		}
		wait, ok := h.next()
		if !ok {
			continue
		}
		// Never later than before, or a steady flow of events would delay it forever.
		if at := time.Now().Add(wait); due.IsZero() || at.Before(due) {
			due = at
			timer.Reset(wait)
		}
	}
}

// next returns the time until beat has something to do; ok is false if it has nothing.
func (h *hub) next() (time.Duration, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	since := time.Since(h.last)
	switch {
	case h.holds():
		return time.Until(h.held), true
	case len(h.dirty) > 0 && (since >= patchTime || h.prompt):
		return settleTime, true
	case len(h.dirty) > 0, len(h.readers) > 0:
		return max(patchTime-since, settleTime), true
	}
	return 0, false
}

// holds tells whether patches wait for a request that acts on many transfers; mu is held.
func (h *hub) holds() bool { return h.bulks > 0 && time.Now().Before(h.held) }

// gather is called by a request that acts on many transfers, and done at its end: what
// changes between is one patch, and that comes at once.
func (h *hub) gather() (done func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.bulks++; h.bulks == 1 {
		h.held = time.Now().Add(bulkTime)
	}
	return func() {
		h.mu.Lock()
		h.bulks--
		h.prompt = true
		h.mu.Unlock()
		select {
		case h.kick <- struct{}{}:
		default:
		}
	}
}

// reload marks every transfer as changed, and those that are gone as removed.
func (h *hub) reload() {
	all := h.transfers.List()
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.dirty)
	for id := range h.rows {
		h.dirty[id] = nil
	}
	for i := range all {
		h.dirty[all[i].ID] = &all[i]
	}
}

// take records one event.
func (h *hub) take(ev share.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !ev.Was.IsZero() {
		h.dirty[ev.Was] = nil
		h.lines.rename(ev.Was, ev.ID)
	}
	switch {
	case ev.Type == share.EventRemoved:
		h.dirty[ev.ID] = nil
		h.lines.forget(ev.ID)
	case ev.Transfer != nil:
		h.dirty[ev.ID] = ev.Transfer
	}
	switch ev.Type {
	case share.EventAdded, share.EventShared, share.EventDone, share.EventFailed, share.EventRemoved, share.EventBeside, share.EventFetched:
		h.notice(ev)
	}
	if ev.Type != share.EventChanged && ev.Type != share.EventRemoved {
		h.lines.add(ev)
	}
}

// notice publishes an event without delay; mu is held.
func (h *hub) notice(ev share.Event) {
	f := &frame{seq: h.ring.seq + 1, notice: true, id: ev.ID, was: ev.Was}
	f.data = appendJSONEvent(nil, "notice", h.ring.id(f.seq), ev)
	h.publish(f)
}

// beat publishes what changed since the last call.
func (h *hub) beat() {
	stats := h.node.Stats()
	h.mu.Lock()
	followed, holds := h.followed(), h.holds()
	h.mu.Unlock()
	if holds {
		return
	}
	var now *sides
	if followed {
		now = h.readSides()
	}
	h.mu.Lock()
	h.flush(&stats, now)
	h.mu.Unlock()
	h.refreshTopics()
}

// flush publishes a patch; mu is held. A nil argument stays as it was.
func (h *hub) flush(stats *share.Stats, now *sides) {
	f := &frame{seq: h.ring.seq + 1}
	h.last, h.prompt = time.Now(), false
	for id, t := range h.dirty {
		if p, ok := h.diff(id, t); ok {
			f.parts = append(f.parts, p)
		}
	}
	clear(h.dirty)
	if stats != nil {
		if patch, changed := appendDiff(nil, reflect.ValueOf(h.totals), reflect.ValueOf(*stats), h.stats); changed {
			f.stats = patch
			h.totals = *stats
		}
	}
	moved := false
	if now != nil {
		f.sides, moved = h.sides.patchTo(now)
		h.sides = *now
	}
	if len(f.parts) == 0 && f.stats == nil && !moved {
		return
	}
	f.data = appendPatch(nil, h.ring.id(f.seq), f.parts, f.stats, &f.sides)
	h.publish(f)
}

// diff moves one dirty transfer to the rows and returns its patch; mu is held.
func (h *hub) diff(id share.ID, t *share.Transfer) (part, bool) {
	old := h.rows[id]
	switch {
	case t == nil && old == nil:
		return part{}, false
	case t == nil:
		delete(h.rows, id)
		return part{id: id}, true
	}
	h.rows[id] = t
	is := reflect.ValueOf(t).Elem()
	if old == nil {
		return part{id, appendObject(nil, is, h.cols)}, true
	}
	patch, changed := appendDiff(nil, reflect.ValueOf(old).Elem(), is, h.cols)
	return part{id, patch}, changed
}

// publish adds f to the ring and wakes the readers; mu is held.
func (h *hub) publish(f *frame) {
	h.ring.add(f)
	h.whole = nil
	for r := range h.readers {
		r.notify()
	}
}

// reset returns the whole document as r reads it; mu is held.
func (h *hub) reset(r *reader) []byte {
	if !r.all() {
		return appendReset(nil, h.ring.id(h.ring.seq), h.rowsOf(r), h.cols, r.stats(&h.totals), h.stats, nil)
	}
	if h.whole == nil || h.wholeSeq != h.ring.seq {
		h.whole = appendReset(nil, h.ring.id(h.ring.seq), h.rows, h.cols, &h.totals, h.stats, &h.sides)
		h.wholeSeq = h.ring.seq
	}
	return h.whole
}

func (h *hub) rowsOf(r *reader) map[share.ID]*share.Transfer {
	if r.only == nil {
		return h.rows
	}
	rows := map[share.ID]*share.Transfer{}
	for id := range r.only {
		if t, ok := h.rows[id]; ok {
			rows[id] = t
		}
	}
	return rows
}

// stop ends every reader's stream.
func (h *hub) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	for r := range h.readers {
		r.notify()
	}
}

func (h *hub) poke() {
	select {
	case h.kick <- struct{}{}:
	default:
	}
}

// count is the number of readers.
func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.readers)
}
