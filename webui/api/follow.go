package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
)

// WatchOptions say what to watch.
type WatchOptions struct {
	// IDs are the transfers to watch; none means all. A provisional ID is followed to
	// the real one.
	IDs []share.ID
	// Topics are peers:ID, pieces:ID, files:ID, log:ID, discovery:ID, streams:ID and node.
	Topics []string
	// NoStats leaves out the totals of the node.
	NoStats bool
}

// Update is one change that a watcher sees.
type Update struct {
	// Reset means that Transfers is the complete list: transfers known before that
	// are not in it are gone.
	Reset     bool
	Transfers []share.Transfer // new or changed, as they are now
	Removed   []share.ID
	Stats     *share.Stats // nil if unchanged
	Notice    *share.Event // something that happened
	// Topic is the kind of topic that Data belongs to; empty without Data.
	Topic string
	Data  json.RawMessage
	// Incoming are the uploads of browsers, by ID; nil if unchanged. Only a watcher of
	// everything, with the totals, gets it.
	Incoming map[string]Coming
}

// patience is how long a watcher tries to reach a node again.
const patience = 5 * time.Second

// Watch yields a reset with the current state, and then what happens from now on.
// It reconnects when the connection breaks, and continues where it was. If the node
// stays away, the last error is of kind share.NoNode; if ctx ends, of kind
// share.Interrupted.
func (c *Client) Watch(ctx context.Context, o WatchOptions) iter.Seq2[Update, error] {
	return func(yield func(Update, error) bool) {
		w := &watcher{c: c, o: o, rows: map[share.ID]json.RawMessage{}}
		var lost time.Time
		for {
			heard, err := w.stream(ctx, yield)
			if err == errEnough {
				return
			}
			now := time.Now()
			if heard || lost.IsZero() {
				lost = now
			}
			if ctx.Err() != nil || share.KindOf(err) != share.NoNode || now.Sub(lost) > patience {
				yield(Update{}, err)
				return
			}
			select {
			case <-time.After(200 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
}

// Events yields what happens to transfers, like Watch but one event at a time. It
// starts, and starts again after a gap, with EventChanged for each transfer.
func (c *Client) Events(ctx context.Context, ids ...share.ID) iter.Seq2[share.Event, error] {
	return func(yield func(share.Event, error) bool) {
		known := map[share.ID]bool{}
		for u, err := range c.Watch(ctx, WatchOptions{IDs: ids, NoStats: true}) {
			if err != nil {
				yield(share.Event{}, err)
				return
			}
			for _, ev := range u.events(known) {
				if !yield(ev, nil) {
					return
				}
			}
		}
	}
}

// events are the events that make up an update. It keeps known up to date.
func (u Update) events(known map[share.ID]bool) []share.Event {
	var out []share.Event
	now := time.Now()
	if u.Notice != nil {
		out = append(out, *u.Notice)
		if u.Notice.Type == share.EventRemoved {
			delete(known, u.Notice.ID)
		}
	}
	present := map[share.ID]bool{}
	for i := range u.Transfers {
		t := &u.Transfers[i]
		present[t.ID] = true
		known[t.ID] = true
		out = append(out, share.Event{Time: now, Type: share.EventChanged, ID: t.ID, Transfer: t})
	}
	removed := u.Removed
	if u.Reset {
		for id := range known {
			if !present[id] {
				removed = append(removed, id)
			}
		}
	}
	for _, id := range removed {
		if known[id] {
			delete(known, id)
			out = append(out, share.Event{Time: now, Type: share.EventRemoved, ID: id})
		}
	}
	return out
}

// errEnough ends a stream whose consumer stopped iterating.
var errEnough = errors.New("the consumer stopped")

// watcher keeps the document of the event stream.
type watcher struct {
	c     *Client
	o     WatchOptions
	last  string // id of the last event
	rows  map[share.ID]json.RawMessage
	stats json.RawMessage
	// incoming is a part of the document.
	incoming json.RawMessage
}

// stream reads one connection. heard reports whether any event arrived.
func (w *watcher) stream(ctx context.Context, yield func(Update, error) bool) (heard bool, err error) {
	h := http.Header{"Accept": {"text/event-stream"}}
	if w.last != "" {
		h.Set("Last-Event-ID", w.last)
	}
	resp, err := w.c.send(ctx, http.MethodGet, Base+"/events"+w.query(), h, nil)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	r := bufio.NewReaderSize(resp.Body, 64<<10)
	for {
		ev, err := readEvent(r)
		if err != nil {
			return heard, gone(ctx, err)
		}
		heard = true
		if ev.id != "" {
			w.last = ev.id
		}
		u, ok, err := w.update(ev)
		if err != nil {
			return heard, share.Errorf(share.Failed, "reading the events of the node: %w", err)
		}
		if ok && !yield(u, nil) {
			return heard, errEnough
		}
	}
}

func (w *watcher) query() string {
	q := url.Values{}
	for _, t := range w.o.Topics {
		q.Add("topics", t)
	}
	var ids []string
	for _, id := range w.o.IDs {
		ids = append(ids, id.String())
	}
	if len(ids) > 0 {
		q.Set("transfers", strings.Join(ids, ","))
	}
	if w.o.NoStats {
		q.Set("stats", "false")
	}
	if len(q) == 0 {
		return ""
	}
	if t := q["topics"]; len(t) > 0 {
		q.Set("topics", strings.Join(t, ","))
	}
	return "?" + q.Encode()
}

// document is the document of the event stream, or a merge patch to it.
type document struct {
	Transfers map[share.ID]json.RawMessage `json:"transfers"`
	Stats     json.RawMessage              `json:"stats"`
	Incoming  json.RawMessage              `json:"incoming"`
}

// update applies one event. ok is false for an event of an unknown type.
func (w *watcher) update(ev sse) (u Update, ok bool, err error) {
	switch ev.kind {
	case "reset", "patch":
		var d document
		if err := json.Unmarshal(ev.data, &d); err != nil {
			return u, false, err
		}
		if ev.kind == "reset" {
			u.Reset = true
			clear(w.rows)
			w.incoming = nil
		}
		if err := w.merge(&u, d); err != nil {
			return u, false, err
		}
	case "notice":
		u.Notice = &share.Event{}
		if err := json.Unmarshal(ev.data, u.Notice); err != nil {
			return u, false, err
		}
		// The next connection asks for the transfer by its real ID. It begins anew, unless
		// the reset that follows has come.
		if n := u.Notice; n.Type == share.EventShared && slices.Contains(w.o.IDs, n.Was) {
			w.o.IDs = append(slices.Clone(w.o.IDs), n.ID)
			w.last = ""
		}
	case "peers", "pieces", "files", "log", "discovery", "node":
		u.Topic, u.Data = ev.kind, ev.data
	default:
		return u, false, nil
	}
	return u, true, nil
}

func (w *watcher) merge(u *Update, d document) error {
	for id, patch := range d.Transfers {
		if bytes.Equal(patch, []byte("null")) {
			delete(w.rows, id)
			u.Removed = append(u.Removed, id)
			continue
		}
		row := patch
		if old, ok := w.rows[id]; ok {
			var err error
			if row, err = mergePatch(old, patch); err != nil {
				return err
			}
		}
		var t share.Transfer
		if err := json.Unmarshal(row, &t); err != nil {
			return err
		}
		w.rows[id] = row
		u.Transfers = append(u.Transfers, t)
	}
	slices.SortFunc(u.Transfers, func(a, b share.Transfer) int {
		if n := a.Added.Compare(b.Added); n != 0 {
			return n
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	if len(d.Incoming) > 0 {
		merged, err := mergePatch(w.incoming, d.Incoming)
		if err != nil {
			return err
		}
		w.incoming, u.Incoming = merged, map[string]Coming{}
		if err := json.Unmarshal(merged, &u.Incoming); err != nil {
			return err
		}
	}
	if len(d.Stats) == 0 {
		return nil
	}
	merged, err := mergePatch(w.stats, d.Stats)
	if err != nil {
		return err
	}
	w.stats, u.Stats = merged, &share.Stats{}
	return json.Unmarshal(merged, u.Stats)
}

// sse is one server-sent event.
type sse struct {
	kind, id string
	data     []byte
}

// maxEvent bounds the bytes of an event. The largest is the reset of a node with very
// many transfers.
const maxEvent = 1 << 30

// readEvent reads the next event and skips comments.
func readEvent(r *bufio.Reader) (sse, error) {
	var ev sse
	for {
		line, err := readLine(r)
		if err != nil {
			return sse{}, err
		}
		if len(line) == 0 {
			if ev.data != nil {
				return ev, nil
			}
			ev = sse{}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			ev.kind = string(value)
		case "id":
			ev.id = string(value)
		case "data":
			if ev.data != nil {
				ev.data = append(ev.data, '\n')
			}
			ev.data = append(ev.data, value...)
			if len(ev.data) > maxEvent {
				return sse{}, fmt.Errorf("an event has more than %d bytes", maxEvent)
			}
		}
	}
}

func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, more, err := r.ReadLine()
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if line == nil && !more {
			return part, nil
		}
		line = append(line, part...)
		if len(line) > maxEvent {
			return nil, fmt.Errorf("a line has more than %d bytes", maxEvent)
		}
		if !more {
			return line, nil
		}
	}
}
