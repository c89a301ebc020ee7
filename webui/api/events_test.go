package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shoalnet/shoal/share"
)

// stream is a raw reader of the event stream.
type stream struct {
	t    *testing.T
	body io.ReadCloser
	r    *bufio.Reader
}

func openStream(t *testing.T, base, query, lastID string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+Base+"/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	tr := &http.Transport{}
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); resp.Body.Close(); tr.CloseIdleConnections() })
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	return &stream{t, resp.Body, bufio.NewReader(resp.Body)}
}

func (s *stream) next(kind string) sse {
	s.t.Helper()
	timer := time.AfterFunc(20*time.Second, func() { s.body.Close() })
	defer timer.Stop()
	for {
		ev, err := readEvent(s.r)
		if err != nil {
			s.t.Fatalf("waiting for %s: %v", kind, err)
		}
		if ev.kind == kind {
			return ev
		}
	}
}

func TestStreamResumesWhereItWas(t *testing.T) {
	f := newFake(2)
	_, _, base := serve(t, f)
	first := openStream(t, base, "?stats=false", "")
	reset := first.next("reset")
	var doc document
	if err := json.Unmarshal(reset.data, &doc); err != nil || len(doc.Transfers) != 2 || doc.Stats != nil {
		t.Fatalf("%s %v", reset.data, err)
	}
	f.set(testID(1), func(t *share.Transfer) { t.Up = 5; t.Reason = "because" })
	patch := first.next("patch")
	want := fmt.Sprintf(`{"transfers":{"%s":{"reason":"because","up":5}}}`, testID(1))
	if string(patch.data) != want {
		t.Errorf("got  %s\nwant %s", patch.data, want)
	}
	first.body.Close()

	f.set(testID(1), func(t *share.Transfer) { t.Up = 6; t.Reason = "" })
	f.event(share.Event{Type: share.EventRemoved, ID: testID(0)})
	again := openStream(t, base, "?stats=false", patch.id)
	if n := again.next("notice"); !strings.Contains(string(n.data), `"removed"`) {
		t.Errorf("notice: %s", n.data)
	}
	p := again.next("patch")
	var d document
	if err := json.Unmarshal(p.data, &d); err != nil {
		t.Fatal(err)
	}
	if string(d.Transfers[testID(0)]) != "null" || string(d.Transfers[testID(1)]) != `{"reason":null,"up":6}` {
		t.Errorf("after the gap: %s", p.data)
	}

	for _, unknown := range []string{"other-1", "nonsense", patch.id + "999", "-"} {
		s := openStream(t, base, "", unknown)
		s.next("reset")
		s.body.Close()
	}
}

func TestStreamResetsWhoMissedTooMuch(t *testing.T) {
	f := newFake(1)
	_, a, base := serve(t, f)
	s := openStream(t, base, "", "")
	reset := s.next("reset")
	s.body.Close()
	for range ringFrames + 10 {
		f.event(share.Event{Type: share.EventDone, ID: testID(0)})
	}
	waitFor(t, func() bool {
		a.hub.mu.Lock()
		defer a.hub.mu.Unlock()
		return a.hub.ring.seq > ringFrames
	})
	a.hub.mu.Lock()
	if len(a.hub.ring.frames) > ringFrames || a.hub.ring.bytes > ringBytes {
		t.Errorf("the ring has %d frames of %d bytes", len(a.hub.ring.frames), a.hub.ring.bytes)
	}
	a.hub.mu.Unlock()
	again := openStream(t, base, "", reset.id)
	if ev, err := readEvent(again.r); err != nil || ev.kind != "reset" {
		t.Errorf("first came %s %v", ev.kind, err)
	}
}

func TestStreamWithFilter(t *testing.T) {
	f := newFake(3)
	_, _, base := serve(t, f)
	s := openStream(t, base, "?stats=false&transfers="+testID(1).String(), "")
	var doc document
	if err := json.Unmarshal(s.next("reset").data, &doc); err != nil || len(doc.Transfers) != 1 {
		t.Fatalf("%v %v", doc, err)
	}
	f.set(testID(2), func(t *share.Transfer) { t.Up = 1 })
	f.event(share.Event{Type: share.EventDone, ID: testID(2)})
	hashed := testTransfer(9)
	f.event(share.Event{Type: share.EventShared, ID: hashed.ID, Was: testID(1), Transfer: &hashed})
	if n := s.next("notice"); !strings.Contains(string(n.data), `"shared"`) {
		t.Errorf("notice: %s", n.data)
	}
	p := s.next("patch")
	if err := json.Unmarshal(p.data, &doc); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(p.data), testID(2).String()) || !strings.Contains(string(p.data), hashed.ID.String()) {
		t.Errorf("patch: %s", p.data)
	}
}

func TestTopics(t *testing.T) {
	f := newFake(2)
	f.peers = []share.Peer{{Address: "[2001:db8::1]:1"}}
	_, a, base := serve(t, f)
	id := testID(0)
	s := openStream(t, base, fmt.Sprintf("?stats=false&topics=peers:%s,pieces:%s,log:%s,files:%s", id, id, id, id), "")
	whole := openStream(t, base, fmt.Sprintf("?stats=false&topics=node,discovery:%s", id), "")
	for want := map[string]string{"node": `"health":{`, "discovery": `"ways":[`}; len(want) > 0; {
		ev, err := readEvent(whole.r)
		if err != nil {
			t.Fatal(err)
		}
		if w, ok := want[ev.kind]; ok && !strings.Contains(string(ev.data), w) {
			t.Errorf("%s: %s", ev.kind, ev.data)
		}
		delete(want, ev.kind)
	}
	whole.body.Close()
	want := map[string]string{
		"peers": `"address":"[2001:db8::1]:1"`, "pieces": `"state":"AwAB"`, "log": `"log":[]`, "files": `"files":[]`,
	}
	for len(want) > 0 {
		ev, err := readEvent(s.r)
		if err != nil {
			t.Fatal(err)
		}
		if w, ok := want[ev.kind]; ok {
			if !strings.Contains(string(ev.data), w) || !strings.Contains(string(ev.data), id.String()) || ev.id != "" {
				t.Errorf("%s: %+v", ev.kind, ev)
			}
			delete(want, ev.kind)
		}
	}
	f.mu.Lock()
	f.peers = nil
	f.mu.Unlock()
	f.event(share.Event{Type: share.EventFound, ID: id, Source: share.FromDHT, Count: 4})
	f.event(share.Event{Type: share.EventFound, ID: testID(1), Source: share.FromLAN, Count: 9})
	for want := map[string]bool{"peers": true, "log": true}; len(want) > 0; {
		ev, err := readEvent(s.r)
		if err != nil {
			t.Fatal(err)
		}
		delete(want, ev.kind)
		switch data := string(ev.data); ev.kind {
		case "peers":
			if !strings.Contains(data, `"peers":[]`) {
				t.Errorf("peers: %s", data)
			}
		case "log":
			if !strings.Contains(data, `"count":4`) || strings.Contains(data, `"count":9`) {
				t.Errorf("log: %s", data)
			}
		}
	}
	s.body.Close()
	waitFor(t, func() bool {
		a.hub.mu.Lock()
		defer a.hub.mu.Unlock()
		return len(a.hub.topics) == 0 && len(a.hub.readers) == 0
	})
	for _, bad := range []string{"?topics=colour:" + id.String(), "?topics=peers", "?topics=node:1", "?topics=peers:zz", "?transfers=zz"} {
		resp, err := http.Get(base + Base + "/events" + bad)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Errorf("%s: %s", bad, resp.Status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// A reader that does not read neither blocks the hub nor makes it keep more.
func TestSlowReader(t *testing.T) {
	f := newFake(1)
	_, a, base := serve(t, f)
	slow := openStream(t, base, "", "") // never read
	quick := openStream(t, base, "", "")
	quick.next("reset")
	for i := range 400 {
		big := testTransfer(0)
		big.Reason, big.Up = strings.Repeat("x", 64<<10), int64(i)
		f.event(share.Event{Type: share.EventDone, ID: big.ID, Transfer: &big})
		quick.next("notice")
	}
	a.hub.mu.Lock()
	if a.hub.ring.bytes > ringBytes {
		t.Errorf("the ring grew to %d bytes", a.hub.ring.bytes)
	}
	a.hub.mu.Unlock()
	_ = slow
}

// A reader that takes nothing is cut off.
func TestStalledReaderIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(1)
		a, err := New(f.config())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		l := &pipes{c: make(chan net.Conn), done: make(chan struct{})}
		srv := &http.Server{Handler: a.Handler()}
		var wg sync.WaitGroup
		wg.Go(func() { _ = a.Run(ctx) })
		wg.Go(func() { _ = srv.Serve(l) })
		near, far := net.Pipe() // has no buffer: the first write stalls
		l.c <- far
		if _, err := near.Write([]byte("GET " + Base + "/events HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := a.hub.count(); n != 1 {
			t.Fatalf("%d readers", n)
		}
		time.Sleep(2 * stallTime)
		synctest.Wait()
		if n := a.hub.count(); n != 0 {
			t.Errorf("%d readers still there", n)
		}
		near.Close()
		cancel()
		srv.Close()
		wg.Wait()
	})
}

func TestQuietStreamSendsComments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(0)
		h := newHub(f.config())
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { h.run(ctx) })
		r := &reader{noStats: true}
		if err := h.join(ctx, r, "", nil); err != nil {
			t.Fatal(err)
		}
		w := &recorder{ResponseRecorder: httptest.NewRecorder()}
		wg.Go(func() {
			defer h.leave(r)
			h.stream(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx), r)
		})
		time.Sleep(46 * time.Second)
		synctest.Wait()
		if got := w.comments(); got != 3 {
			t.Errorf("%d comments in 46 seconds", got)
		}
		cancel()
		wg.Wait()
	})
}

// A share that is hashed after its reader joined, and before anything was sent to it, is
// reported, too.
func TestEventsOfWhatIsHashedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(1)
		h := newHub(f.config())
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { h.run(ctx) })
		provisional, real := share.ID{0xff}, testTransfer(7)
		r := &reader{only: map[share.ID]bool{provisional: true}, noStats: true}
		if err := h.join(ctx, r, "", nil); err != nil {
			t.Fatal(err)
		}
		f.mu.Lock()
		f.put(real)
		f.aliases = map[share.ID]share.ID{provisional: real.ID}
		f.tell(share.Event{Type: share.EventShared, ID: real.ID, Was: provisional, Transfer: &real})
		f.mu.Unlock()
		synctest.Wait() // the hub has taken it
		w := &recorder{ResponseRecorder: httptest.NewRecorder()}
		wg.Go(func() {
			defer h.leave(r)
			h.stream(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx), r)
		})
		time.Sleep(2 * patchTime)
		synctest.Wait()
		cancel()
		wg.Wait()
		told := bufio.NewReader(w.Body)
		var notice, row bool
		for {
			ev, err := readEvent(told)
			if err != nil {
				break
			}
			var n share.Event
			if ev.kind == "notice" && json.Unmarshal(ev.data, &n) == nil && n.Was == provisional && n.ID == real.ID && n.Transfer != nil {
				notice = true
			}
			row = row || ev.kind != "notice" && bytes.Contains(ev.data, []byte(real.ID.String()))
		}
		if !notice || !row {
			t.Errorf("notice %v, row %v", notice, row)
		}
	})
}

// oneByOne are events that arrive one at a time, like those of a node.
type oneByOne struct{ *fake }

type handed struct {
	Subscription
	c    chan share.Event
	gone chan struct{}
}

func (o oneByOne) Subscribe(buffer int) Subscription {
	s := &handed{o.fake.Subscribe(buffer), make(chan share.Event), make(chan struct{})}
	go func() {
		defer close(s.c)
		for ev := range s.Subscription.Events() {
			select {
			case s.c <- ev:
			case <-s.gone:
				return
			}
		}
	}()
	return s
}

func (s *handed) Events() <-chan share.Event { return s.c }

func (s *handed) Close() {
	s.Subscription.Close()
	close(s.gone)
}

// What changes at the same time is one patch, however the events arrive.
func TestABurstIsOnePatch(t *testing.T) {
	for name, events := range map[string]func(*fake) Events{
		"buffered":   func(f *fake) Events { return f },
		"one by one": func(f *fake) Events { return oneByOne{f} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const many = 500
				f := newFake(many)
				c := f.config()
				c.Events = events(f)
				h := newHub(c)
				ctx, cancel := context.WithCancel(context.Background())
				var wg sync.WaitGroup
				wg.Go(func() { h.run(ctx) })
				time.Sleep(10 * patchTime)
				h.mu.Lock()
				before := h.ring.seq
				h.mu.Unlock()
				for i := range many {
					f.set(testID(i), func(t *share.Transfer) { t.Up = 7 })
				}
				time.Sleep(10 * patchTime)
				h.mu.Lock()
				if last := h.ring.frames[len(h.ring.frames)-1]; h.ring.seq != before+1 || len(last.parts) != many {
					t.Errorf("%d patches, the last of %d transfers", h.ring.seq-before, len(last.parts))
				}
				h.mu.Unlock()
				cancel()
				wg.Wait()
			})
		})
	}
}

// What one request does to many transfers is one patch, which does not wait for its turn.
func TestABulkRequestIsOnePatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 500
		f := newFake(many)
		h := newHub(f.config())
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { h.run(ctx) })
		time.Sleep(10 * patchTime)
		seq := func() uint64 {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.ring.seq
		}
		set := func(from, to int, up int64) {
			for i := from; i < to; i++ {
				f.set(testID(i), func(t *share.Transfer) { t.Up = up })
			}
		}
		before := seq()
		done := h.gather()
		set(0, many/2, 7)
		time.Sleep(patchTime)
		set(many/2, many, 7)
		time.Sleep(patchTime / 2)
		if got := seq(); got != before {
			t.Errorf("%d patches before the request has ended", got-before)
		}
		done()
		time.Sleep(2 * settleTime)
		h.mu.Lock()
		if last := h.ring.frames[len(h.ring.frames)-1]; h.ring.seq != before+1 || len(last.parts) != many {
			t.Errorf("%d patches, the last of %d transfers", h.ring.seq-before, len(last.parts))
		}
		h.mu.Unlock()

		// One that takes long does not keep readers waiting.
		defer h.gather()()
		set(0, many, 8)
		time.Sleep(bulkTime + 2*settleTime)
		if got := seq(); got != before+2 {
			t.Errorf("%d patches, want one more", got-before)
		}
		cancel()
		wg.Wait()
	})
}

type recorder struct {
	*httptest.ResponseRecorder
	mu sync.Mutex
}

func (r *recorder) SetWriteDeadline(time.Time) error { return nil }

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ResponseRecorder.Write(b)
}

func (r *recorder) comments() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.Body.String(), ":\n\n")
}

func TestHubStartsOverWhenItFallsBehind(t *testing.T) {
	f := newFake(1)
	_, a, base := serve(t, f)
	s := openStream(t, base, "", "")
	s.next("reset")
	f.mu.Lock()
	more := testTransfer(5)
	f.put(more)
	for sub := range f.subs { // as if its buffer had overflowed
		sub.lagged = true
		delete(f.subs, sub)
		close(sub.c)
	}
	f.mu.Unlock()
	waitFor(t, func() bool {
		a.hub.mu.Lock()
		defer a.hub.mu.Unlock()
		return a.hub.rows[more.ID] != nil
	})
	for !strings.Contains(string(s.next("patch").data), more.ID.String()) {
	}
}

// Whatever happens to transfers, a reader that applies the patches has the same document
// as a new reader.
func TestPatchesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFake(0)
		h := newHub(f.config())
		w := &watcher{rows: map[share.ID]json.RawMessage{}}
		r := &reader{wake: make(chan struct{}, 1), topics: map[*topic]uint64{}}
		read := func(r *reader, w *watcher) {
			chunks, _, _ := h.collect(r)
			br := bufio.NewReader(bytes.NewReader(bytes.Join(chunks, nil)))
			for {
				ev, err := readEvent(br)
				if err != nil {
					return
				}
				if _, _, err := w.update(ev); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			id := testID(rapid.IntRange(0, 4).Draw(t, "which"))
			tr := testTransfer(int(id[19]))
			tr.Reason = rapid.SampledFrom([]string{"", "full"}).Draw(t, "reason")
			tr.Goal = share.Goal{None: rapid.Bool().Draw(t, "none"), Ratio: float64(rapid.IntRange(0, 2).Draw(t, "ratio"))}
			tr.Limits.Up = rapid.Int64Range(0, 3).Draw(t, "up")
			if rapid.Bool().Draw(t, "complete") {
				tr.Completed = time.Unix(9, 0).UTC()
			}
			switch rapid.IntRange(0, 3).Draw(t, "do") {
			case 0:
				h.take(share.Event{Type: share.EventRemoved, ID: id})
			case 1:
				read(r, w)
			default:
				h.take(share.Event{Type: share.EventChanged, ID: id, Transfer: &tr})
			}
			if rapid.Bool().Draw(t, "beat") {
				h.mu.Lock()
				h.flush(nil, nil)
				h.mu.Unlock()
			}
		}
		h.mu.Lock()
		h.flush(nil, nil)
		h.mu.Unlock()
		read(r, w)
		fresh := &watcher{rows: map[share.ID]json.RawMessage{}}
		read(&reader{wake: make(chan struct{}, 1), topics: map[*topic]uint64{}}, fresh)
		if d := cmp.Diff(decoded(t, fresh.rows), decoded(t, w.rows)); d != "" {
			t.Fatalf("the documents differ: %s", d)
		}
	})
}

func decoded(t *rapid.T, rows map[share.ID]json.RawMessage) map[string]any {
	out := map[string]any{}
	for id, raw := range rows {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		out[id.String()] = v
	}
	return out
}

// The examples of RFC 7396, appendix A.
func TestMergePatch(t *testing.T) {
	for _, c := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		got, err := mergePatch(json.RawMessage(c[0]), json.RawMessage(c[1]))
		if err != nil || string(got) != c[2] {
			t.Errorf("%s with %s is %s (%v), not %s", c[0], c[1], got, err, c[2])
		}
	}
}

func FuzzReadEvent(f *testing.F) {
	f.Add([]byte("event: patch\nid: a-1\ndata: {\"transfers\":{}}\n\n"))
	f.Add([]byte(":\n\ndata: 1\ndata: 2\r\n\r\n"))
	f.Add([]byte("event: reset\ndata: {\"transfers\":{\"ab\":null}}\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		w := &watcher{rows: map[share.ID]json.RawMessage{}}
		for {
			ev, err := readEvent(r)
			if err != nil {
				return
			}
			_, _, _ = w.update(ev)
		}
	})
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not happen")
		}
	}
}
