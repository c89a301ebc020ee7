package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/share"
)

func TestClientReadsWhatTheNodeServes(t *testing.T) {
	f := newFake(3)
	f.files = []share.File{{Index: 0, Path: "a/b.txt", Total: 5, Priority: share.High}}
	f.peers = []share.Peer{{Address: "[2001:db8::1]:1", Client: "x", Source: share.FromDHT, Progress: 0.5}}
	c, _, _ := serve(t, f)
	ctx := quietContext(t)

	if i, err := c.Hello(ctx); err != nil || i.Version != "9.9" {
		t.Fatalf("Hello: %+v, %v", i, err)
	}
	all, err := c.Transfers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(f.List(), all); d != "" {
		t.Errorf("transfers differ: %s", d)
	}
	few, err := c.Transfers(ctx, "id", "name", "limits")
	if err != nil || few[2].Name != "transfer 2" || few[2].Path != "" {
		t.Errorf("with fields: %+v, %v", few, err)
	}
	if _, err := c.Transfers(ctx, "id", "colour"); share.KindOf(err) != share.Usage || !strings.Contains(err.Error(), `"colour"`) {
		t.Errorf("an unknown field: %v", err)
	}
	one, err := c.Transfer(ctx, testID(1))
	if d := cmp.Diff(testTransfer(1), one); d != "" || err != nil {
		t.Errorf("one transfer: %s %v", d, err)
	}
	files, err := c.Files(ctx, testID(1))
	if d := cmp.Diff(f.files, files); d != "" || err != nil {
		t.Errorf("files: %s %v", d, err)
	}
	peers, err := c.Peers(ctx, testID(1))
	if d := cmp.Diff(f.peers, peers); d != "" || err != nil {
		t.Errorf("peers: %s %v", d, err)
	}
	if p, err := c.Pieces(ctx, testID(1)); err != nil || !slices.Equal(p.State, []byte{3, 0, 1}) {
		t.Errorf("pieces: %v %v", p, err)
	}
	if b, err := c.Torrent(ctx, testID(1)); err != nil || string(b) != "d4:infodee" {
		t.Errorf("torrent: %q %v", b, err)
	}
	if s, err := c.Settings(ctx); err != nil || len(s) != 1 {
		t.Errorf("settings: %v %v", s, err)
	}
	if l, err := c.SetGlobalLimits(ctx, share.Limits{Down: 5}); err != nil || l.Down != 5 || l.Now.Down != 5 {
		t.Errorf("limits: %+v %v", l, err)
	}
	two := int64(2)
	if l, err := c.ChangeGlobalLimits(ctx, share.LimitChange{Up: &two}); err != nil || l.Limits != (share.Limits{Down: 5, Up: 2}) {
		t.Errorf("limits changed in one direction: %+v %v", l, err)
	}
	if h, err := c.Health(ctx); err != nil || !h.OK {
		t.Errorf("health: %+v %v", h, err)
	}
	if u, err := c.SignIn(ctx); err != nil || u != "http://[::1]/#signin=x" {
		t.Errorf("sign-in: %q %v", u, err)
	}
	if m, err := c.Match(ctx, MatchRequest{PreviewRequest{Link: "magnet:"}, "/out"}); err != nil || m != (share.Match{Files: 2, Bytes: 30, Right: 4}) {
		t.Errorf("matches: %+v, %v", m, err)
	}
	if p, err := c.Preview(ctx, PreviewRequest{Link: "magnet:"}); err != nil || p.Name != "seen" {
		t.Errorf("preview: %+v %v", p, err)
	}
	if r, err := c.Room(ctx, testID(1)); err != nil || r != (Room{Path: "/srv", Needed: 5, Free: 7, MinFree: 3}) || r.Enough() {
		t.Errorf("room: %+v %v", r, err)
	}
	if l, err := c.Log(ctx, testID(1)); err != nil || l == nil {
		t.Errorf("log: %v %v", l, err)
	}
}

func TestClientActs(t *testing.T) {
	f := newFake(1)
	c, _, _ := serve(t, f)
	ctx, id := quietContext(t), testID(0)
	for name, err := range map[string]error{
		"pause": c.Pause(ctx, id),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	one := int64(1)
	calls := []func() error{
		func() error { return c.Resume(ctx, id) },
		func() error { return c.Verify(ctx, id) },
		func() error { _, err := c.Remove(ctx, id, false); return err },
		func() error { _, err := c.Remove(ctx, id, true); return err },
		func() error { return c.SetLimits(ctx, id, share.Limits{Down: 1, Up: 2}) },
		func() error { return c.ChangeLimits(ctx, id, share.LimitChange{Up: &one}) },
		func() error { return c.SetGoal(ctx, id, share.Goal{Ratio: 2}) },
		func() error { return c.SetPriority(ctx, id, map[int]share.Priority{3: share.Skip}) },
		func() error { return c.SetPassword(ctx, "hunter") },
		func() error { return c.AddPeers(ctx, id, []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::1]:9")}) },
	}
	for i, call := range calls {
		if err := call(); err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
	want := []string{"pause", "resume", "verify", "remove false", "remove true", "limits 1 2", "limits -7 1", "goal 2", "priority map[3:-1]", "password hunter", "peers [[2001:db8::1]:9]"}
	for i := range want {
		if want[i] != "password hunter" {
			want[i] += " " + id.Short()
		}
	}
	if d := cmp.Diff(want, f.called()); d != "" {
		t.Error(d)
	}
	h, err := c.Health(ctx)
	if err != nil || h.OK {
		t.Errorf("an unhealthy node is an answer: %+v %v", h, err)
	}
	req := FetchRequest{Link: "magnet:?x", Output: "/d", FetchOptions: share.FetchOptions{Files: []string{"*.iso"}, Goal: &share.Goal{For: time.Hour}, Limits: share.Limits{Up: 3}, Sequential: true, Paused: true, NoTrackers: true}}
	if _, err := c.Fetch(ctx, req); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(req, f.fetch); d != "" {
		t.Errorf("the request arrived as another: %s", d)
	}
	pub := ShareRequest{Path: "/a", Confirm: true, ShareOptions: share.ShareOptions{
		Name: "n", PieceLength: 1 << 14, FollowSymlinks: true, Private: true, Goal: &share.Goal{None: true},
		Exclude: []string{"*.tmp", "a/**"}, Strict: true}}
	if _, err := c.Share(ctx, pub); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(pub, f.share); d != "" {
		t.Errorf("the request arrived as another: %s", d)
	}
	theirs := ImportRequest{Torrent: []byte("d"), Path: "/a", ImportOptions: share.ImportOptions{
		Files: map[int]string{3: "b/c"}, Goal: &share.Goal{Ratio: 2}, Paused: true, NoTrackers: true}}
	if _, err := c.Import(ctx, theirs); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(theirs, f.imported); d != "" {
		t.Errorf("the request arrived as another: %s", d)
	}
}

func TestErrorsKeepTheirKind(t *testing.T) {
	f := newFake(1)
	c, _, base := serve(t, f)
	ctx := quietContext(t)
	for _, kind := range []share.Kind{share.Failed, share.Usage, share.Nobody, share.NoNode, share.Refused, share.Disk, share.Interrupted} {
		f.fail = share.Errorf(kind, "because of %d", kind)
		err := c.Pause(ctx, testID(0))
		if share.KindOf(err) != kind || !strings.Contains(err.Error(), "because of") {
			t.Errorf("kind %d came back as %d: %v", kind, share.KindOf(err), err)
		}
	}
	if err := c.Pause(ctx, testID(7)); !errors.Is(err, share.ErrUnknown) || share.KindOf(err) != share.Failed {
		t.Errorf("an unknown transfer: %v", err)
	}
	for path, want := range map[string]struct {
		status int
		kind   string
	}{
		"/api/v1/transfers/ffff":                {404, "unknown-transfer"},
		"/api/v1/transfers/xyz":                 {400, "usage"},
		"/api/v1/nothing":                       {404, "unknown-path"},
		"/api/v1/transfers?colour=1":            {422, "request"},
		"/api/v1/transfers/ab/files/-1/content": {422, "request"},
	} {
		resp, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		var p Problem
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		resp.Body.Close()
		if resp.StatusCode != want.status || p.Status != want.status || p.Type != problemPath+want.kind || p.Title == "" || p.Code == "" ||
			resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %s %s %+v", path, resp.Status, resp.Header.Get("Content-Type"), p)
		}
		why, err := http.Get(base + p.Type)
		if err != nil || why.StatusCode != 200 {
			t.Errorf("%s is not explained: %v", p.Type, err)
		} else {
			why.Body.Close()
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestBadRequestsAreRefused(t *testing.T) {
	f := newFake(1)
	c, _, _ := serve(t, f)
	ctx := quietContext(t)
	_, neither := c.Fetch(ctx, FetchRequest{})
	_, both := c.Fetch(ctx, FetchRequest{Link: "magnet:", Torrent: []byte("d")})
	_, none := c.Preview(ctx, PreviewRequest{})
	_, pathless := c.Share(ctx, ShareRequest{})
	_, negative := c.SetGlobalLimits(ctx, share.Limits{Up: -1})
	less := int64(-1)
	_, negativeSide := c.ChangeGlobalLimits(ctx, share.LimitChange{Down: &less})
	for name, err := range map[string]error{
		"neither link nor torrent": neither, "both": both, "preview of nothing": none, "share of nothing": pathless,
		"negative": negative, "negative in one direction": negativeSide, "negative of a transfer": c.SetLimits(ctx, testID(0), share.Limits{Down: -1}),
		"negative goal":    c.SetGoal(ctx, testID(0), share.Goal{Ratio: -1}),
		"priority":         c.SetPriority(ctx, testID(0), map[int]share.Priority{0: 7}),
		"limits by halves": c.do(ctx, http.MethodPut, Base+"/limits", map[string]any{"up": 1}, nil), // PATCH takes them
		"unknown member":   c.do(ctx, http.MethodPost, Base+"/transfers", map[string]any{"link": "magnet:", "colour": 1}, nil),
		"wrong type":       c.do(ctx, http.MethodPost, Base+"/transfers", map[string]any{"link": 1}, nil),
		"huge body":        c.do(ctx, http.MethodPost, Base+"/preview", PreviewRequest{Torrent: make([]byte, 13<<20)}, nil),
	} {
		if share.KindOf(err) != share.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestShortenedIDs(t *testing.T) {
	f := newFake(2)
	other := testTransfer(3)
	other.ID = share.ID{0xcd}
	other.V1, other.V2 = other.ID, share.V2{0xef, 31: 1}
	f.put(other)
	c, _, _ := serve(t, f)
	ctx := quietContext(t)
	if got, err := c.Resolve(ctx, "CD"); err != nil || got.ID != other.ID {
		t.Errorf("cd: %v %v", got.ID, err)
	}
	for _, s := range []string{"ef0", other.V2.String()} {
		if got, err := c.Resolve(ctx, s); err != nil || got.ID != other.ID {
			t.Errorf("%s: %v %v", s, got.ID, err)
		}
	}
	_, err := c.Resolve(ctx, "ab")
	if share.KindOf(err) != share.Usage || !strings.Contains(err.Error(), testID(0).String()) || !strings.Contains(err.Error(), testID(1).String()) {
		t.Errorf("ambiguous: %v", err)
	}
	if _, err := c.Resolve(ctx, "ee"); !errors.Is(err, share.ErrUnknown) {
		t.Errorf("none: %v", err)
	}
	if _, err := c.Resolve(ctx, ""); err == nil {
		t.Error("nothing resolves to something")
	}
}

func TestHandshake(t *testing.T) {
	for name, w := range map[string]Welcome{
		"newer": {Name: "shoal", Version: "7.0.0", API: 7, Oldest: 5},
		"older": {Name: "shoal", Version: "0.0.1", API: 0, Oldest: 0},
	} {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /api", func(rw http.ResponseWriter, _ *http.Request) { writeJSON(rw, 200, w) })
		c := memoryClient(t, mux)
		_, err := c.Hello(quietContext(t))
		if share.KindOf(err) != share.Failed || !strings.Contains(err.Error(), w.Version) || !strings.Contains(err.Error(), "version") {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := NewClient(func(context.Context) (net.Conn, error) { return nil, errors.New("nobody there") })
	if _, err := c.Hello(quietContext(t)); share.KindOf(err) != share.NoNode {
		t.Errorf("no node: %v", err)
	}
}

// memoryClient reaches a handler over pipes.
func memoryClient(t *testing.T, h http.Handler) *Client {
	l := &pipes{c: make(chan net.Conn), done: make(chan struct{})}
	srv := &http.Server{Handler: h}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = srv.Serve(l) }()
	c := NewClient(func(context.Context) (net.Conn, error) {
		near, far := net.Pipe()
		l.c <- far
		return near, nil
	})
	t.Cleanup(func() { c.Close(); srv.Close(); <-ended })
	return c
}

type pipes struct {
	c    chan net.Conn
	done chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.c:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func TestContent(t *testing.T) {
	f := newFake(1)
	f.content = []byte("0123456789")
	f.files = []share.File{
		{Index: 0, Path: "d/page.html", Total: 10}, {Index: 2, Path: "d/film.mp4", Total: 10}, {Index: 3, Path: "öl\".svg", Total: 10},
	}
	c, _, base := serve(t, f)
	ctx := quietContext(t)
	r, err := c.Content(ctx, testID(0), 2)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != "0123456789" {
		t.Errorf("%q %v", b, err)
	}
	r.Close()
	if r, err = c.ContentRange(ctx, testID(0), 2, 3, 4); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != "3456" {
		t.Errorf("a part: %q %v", b, err)
	}
	r.Close()
	if _, err := c.Content(ctx, testID(0), 1); share.KindOf(err) != share.Failed {
		t.Errorf("no such file: %v", err)
	}
	for file, want := range map[string][2]string{
		"0": {"application/octet-stream", "attachment"}, "2": {"video/mp4", "inline"}, "3": {"application/octet-stream", "attachment"},
	} {
		resp, err := http.Get(base + Base + "/transfers/" + testID(0).String() + "/files/" + file + "/content")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		h := resp.Header
		if h.Get("Content-Type") != want[0] || !strings.HasPrefix(h.Get("Content-Disposition"), want[1]) ||
			h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("file %s: %v", file, h)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestSpecDescribesEverything(t *testing.T) {
	f := newFake(0)
	_, a, base := serve(t, f)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Responses   map[string]struct{ Content map[string]any }
		}
		Components struct{ Schemas map[string]any }
	}
	resp, err := http.Get(base + Base + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || len(doc.Paths) < 18 {
		t.Errorf("OpenAPI %s with %d paths", doc.OpenAPI, len(doc.Paths))
	}
	seen := map[string]bool{}
	for path, methods := range doc.Paths {
		for method, o := range methods {
			if seen[o.OperationID] || o.OperationID == "" {
				t.Errorf("%s %s: operation id %q", method, path, o.OperationID)
			}
			seen[o.OperationID] = true
			if o.Responses["default"].Content["application/problem+json"] == nil {
				t.Errorf("%s %s does not describe its errors", method, path)
			}
		}
	}
	for _, s := range []string{"Transfer", "Problem", "Event", "Peer", "File", "Pieces", "Goal", "Limits"} {
		if doc.Components.Schemas[s] == nil {
			t.Errorf("there is no schema %s", s)
		}
	}
	if strings.Contains(string(a.Spec()), "ErrorModel") {
		t.Error("ErrorModel is mentioned")
	}
}

func TestMetrics(t *testing.T) {
	f := newFake(1)
	f.stats = share.Stats{Uploaded: 77, States: map[share.State]int{share.Seeding: 1}}
	_, _, base := serve(t, f)
	resp, err := http.Get(base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	b, err := io.ReadAll(resp.Body)
	for _, want := range []string{"shoal_uploaded_bytes_total 77", `shoal_transfers{state="seeding"} 1`, `shoal_transfers{state="paused"} 0`, "process_open_fds", `shoal_info{version="9.9"} 1`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%q is missing (%v)", want, err)
		}
	}
}

func TestColumnsEncodeAsJSONDoes(t *testing.T) {
	full := testTransfer(1)
	full.Name = "<a href=\"\u202e\">\n\\ü"
	full.Reason, full.Completed = "no peers", time.Unix(5, 0).UTC()
	full.Goal = share.Goal{Ratio: 1.5, For: time.Hour}
	for _, v := range []share.Transfer{{}, full} {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		got := appendObject(nil, reflect.ValueOf(v), columnsOf(reflect.TypeFor[share.Transfer]()))
		if string(got) != string(want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// New asks the node nothing: before the node runs, an answer may never come.
func TestNewAsksTheNodeNothing(t *testing.T) {
	if _, err := New(Config{Version: "9.9", Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
}

// Browsers decode a name that looks encoded, unless it says that it is.
func TestNamesWithPercentSigns(t *testing.T) {
	for _, name := range []string{"100%25.txt", "%2F.txt", "50 % + \"ü\".txt"} {
		d := Disposition("attachment", name)
		_, params, err := mime.ParseMediaType(d)
		if err != nil || params["filename"] != name || strings.Contains(d, "filename=") {
			t.Errorf("%q is sent as %s, %v", name, d, err)
		}
	}
}
