package api

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share"
)

const (
	// commentTime is the time between the comments that keep a quiet stream alive.
	commentTime = 15 * time.Second
	// stallTime is how long a write may take before its reader is cut off.
	stallTime = 10 * time.Second
	// maxReaders bounds the streams. An open page has one, and so has a verb that waits.
	maxReaders = 256
	// maxTopics bounds what one reader may subscribe to.
	maxTopics = 16
)

// reader is one event stream. hub.mu guards its fields below wake.
type reader struct {
	wake chan struct{}

	next    uint64            // seq of the frame to send next; 0 means a reset
	only    map[share.ID]bool // nil means all transfers
	noStats bool
	topics  map[*topic]uint64 // with the version that was sent
	extra   [][]byte          // for this reader alone, to be sent next
}

// all reports whether r reads the whole document.
func (r *reader) all() bool { return r.only == nil && !r.noStats }

func (r *reader) stats(s *share.Stats) *share.Stats {
	if r.noStats {
		return nil
	}
	return s
}

// follow lets a reader that follows a share by its provisional ID follow it by the real
// one. Its row may have been sent to others before, so a reset is next. known reports
// whether the reader follows the real ID already.
func (r *reader) follow(was, is share.ID) (known bool) {
	known = r.only[is]
	delete(r.only, was)
	r.only[is] = true
	r.next = 0
	return known
}

func (r *reader) notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// join adds a reader, which gets every change from then on. lastID is the id of the
// last event that it saw, or "".
func (h *hub) join(ctx context.Context, r *reader, lastID string, keys []topicKey) error {
	select {
	case <-h.ready:
	case <-ctx.Done():
		return share.Errorf(share.Interrupted, "waiting for the node: %w", ctx.Err())
	}
	r.wake = make(chan struct{}, 1)
	r.topics = map[*topic]uint64{}
	stats := h.node.Stats()
	var now *sides
	if r.all() {
		now = h.readSides()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return share.Errorf(share.NoNode, "the node is stopping")
	}
	if len(h.readers) >= maxReaders {
		return share.Errorf(share.Failed, "too many event streams: %d are already open", maxReaders)
	}
	r.next = h.ring.after(lastID)
	// The reset of a new reader is up to date; many new readers do not cause more than
	// ten patches a second.
	if time.Since(h.last) > patchTime/10 || now != nil && h.sides[0] == nil {
		h.flush(&stats, now)
	}
	h.readers[r] = struct{}{}
	for _, k := range keys {
		t := h.topics[k]
		if t == nil {
			t = &topic{key: k}
			h.topics[k] = t
		}
		t.readers++
		r.topics[t] = 0
	}
	r.notify()
	h.poke()
	return nil
}

// findRenamed sends a reader that asked for provisional IDs a notice for each share
// that has been hashed already. It is called after a reset, before which no notices
// are sent.
func (h *hub) findRenamed(r *reader) {
	h.mu.Lock()
	asked := slices.Collect(maps.Keys(r.only))
	h.mu.Unlock()
	for _, id := range asked {
		if t, err := h.transfers.Get(id); err == nil && t.ID != id {
			h.renamed(r, id, &t)
		}
	}
}

func (h *hub) renamed(r *reader, was share.ID, t *share.Transfer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known := r.follow(was, t.ID); !known {
		ev := share.Event{Time: time.Now(), Type: share.EventShared, ID: t.ID, Was: was, Transfer: t}
		r.extra = append(r.extra, appendJSONEvent(nil, "notice", "", ev))
	}
	r.notify()
}

func (h *hub) leave(r *reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.readers, r)
	for t := range r.topics {
		if t.readers--; t.readers == 0 {
			delete(h.topics, t.key)
		}
	}
}

// collect returns what r has not seen. reset reports whether that starts with a reset;
// more is false when the node has stopped. The bytes are shared and never changed.
func (h *hub) collect(r *reader) (out [][]byte, reset, more bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	out, r.extra = r.extra, nil
	if reset = r.next == 0 || !h.ring.has(r.next); reset {
		out = append(out, h.reset(r))
	} else {
		for _, f := range h.ring.from(r.next) {
			if r.next == 0 && !f.notice {
				continue // the reset has it
			}
			if b := h.frameFor(r, f); b != nil {
				out = append(out, b)
			}
		}
		if r.next == 0 {
			out = append(out, h.reset(r))
		}
	}
	r.next = h.ring.seq + 1
	for t, sent := range r.topics {
		if t.version > sent {
			out = append(out, t.data)
			r.topics[t] = t.version
		}
	}
	return out, reset, !h.stopped
}

// frameFor returns the part of f that r reads, or nil if there is none; mu is held.
func (h *hub) frameFor(r *reader, f *frame) []byte {
	if r.all() {
		return f.data
	}
	if f.notice {
		switch {
		case r.only == nil:
		case r.only[f.was]:
			r.follow(f.was, f.id)
		case !r.only[f.id]:
			return nil
		}
		return f.data
	}
	parts, stats := f.parts, f.stats
	if r.noStats {
		stats = nil
	}
	if r.only != nil {
		parts = nil
		for _, p := range f.parts {
			if r.only[p.id] {
				parts = append(parts, p)
			}
		}
	}
	if len(parts) == 0 && stats == nil {
		return nil
	}
	return appendPatch(nil, h.ring.id(f.seq), parts, stats, nil)
}

// stream writes events to one reader until it disconnects or stalls, or the node stops.
func (h *hub) stream(w http.ResponseWriter, req *http.Request, r *reader) {
	control := http.NewResponseController(w)
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // a proxy must not buffer events
	w.WriteHeader(http.StatusOK)
	comment := time.NewTimer(commentTime)
	defer comment.Stop()
	for {
		chunks, reset, more := h.collect(r)
		if reset {
			h.findRenamed(r)
		}
		if len(chunks) > 0 {
			if !send(w, control, chunks) {
				return
			}
			comment.Reset(commentTime)
		}
		if !more {
			return
		}
		select {
		case <-r.wake:
		case <-comment.C:
			if !send(w, control, [][]byte{[]byte(":\n\n")}) {
				return
			}
			comment.Reset(commentTime)
		case <-req.Context().Done():
			return
		}
	}
}

// maxWrite is how much is written within one stallTime. A connection slower than
// 26 kB/s cannot keep up anyway.
const maxWrite = 256 << 10

// send writes and flushes chunks. It returns false if the reader does not take them.
func send(w http.ResponseWriter, control *http.ResponseController, chunks [][]byte) bool {
	for _, c := range chunks {
		for len(c) > 0 {
			n := min(len(c), maxWrite)
			if control.SetWriteDeadline(time.Now().Add(stallTime)) != nil {
				return false
			}
			if _, err := w.Write(c[:n]); err != nil {
				return false
			}
			c = c[n:]
		}
	}
	return control.Flush() == nil
}
