package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/shoalnet/shoal/share"
)

func TestMain(m *testing.M) {
	// A server waits half a second before it closes a connection whose request it did not read.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// fake is a node in memory.
type fake struct {
	kept      []share.Kept // what Remove tells
	mu        sync.Mutex
	transfers map[share.ID]*share.Transfer
	order     []share.ID
	subs      map[*fakeSub]struct{}
	stats     share.Stats
	limits    share.Limits
	calls     []string
	fail      error // of the next call that changes something
	peers     []share.Peer
	report    *share.Report
	files     []share.File
	content   []byte
	fetch     FetchRequest // the latest
	share     ShareRequest
	imported  ImportRequest
	searched
	chosen
	aliases  map[share.ID]share.ID // provisional IDs
	webLinks fakeWebLinks
	incoming fakeIncoming
	receive  fakeReceive
}

func newFake(n int) *fake {
	f := &fake{transfers: map[share.ID]*share.Transfer{}, subs: map[*fakeSub]struct{}{}, stats: share.Stats{States: map[share.State]int{}}}
	for i := range n {
		f.put(testTransfer(i))
	}
	return f
}

// testTransfer makes transfer number i.
func testTransfer(i int) share.Transfer {
	id := testID(i)
	return share.Transfer{
		ID: id, Name: fmt.Sprintf("transfer %d", i), State: share.Seeding, Bytes: 1 << 20, Total: 1 << 20, Size: 1 << 20, Files: 3,
		Path: fmt.Sprintf("/srv/share/transfer %d", i), Own: true, Added: time.Unix(1_700_000_000+int64(i), 0).UTC(),
		Link: "magnet:?xt=urn:btih:" + id.String() + "&dn=transfer&x.pe=%5B2001%3Adb8%3A%3A5%5D%3A51413",
	}
}

func testID(i int) share.ID {
	return share.ID{0xab, 19: byte(i), 18: byte(i >> 8), 17: byte(i >> 16)}
}

func (f *fake) put(t share.Transfer) {
	if _, ok := f.transfers[t.ID]; !ok {
		f.order = append(f.order, t.ID)
	}
	f.transfers[t.ID] = &t
}

// set changes a transfer and publishes that.
func (f *fake) set(id share.ID, change func(*share.Transfer)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := *f.transfers[id]
	change(&t)
	f.transfers[id] = &t
	f.tell(share.Event{Type: share.EventChanged, ID: id, Transfer: &t})
}

// tell publishes an event; mu is held.
func (f *fake) tell(ev share.Event) {
	for s := range f.subs {
		select {
		case s.c <- ev:
		default:
			s.lagged = true
			delete(f.subs, s)
			close(s.c)
		}
	}
}

func (f *fake) event(ev share.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tell(ev)
}

type fakeSub struct {
	f      *fake
	c      chan share.Event
	lagged bool
}

func (s *fakeSub) Events() <-chan share.Event { return s.c }

func (s *fakeSub) Lagged() bool {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	return s.lagged
}

func (s *fakeSub) Close() {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if _, ok := s.f.subs[s]; ok {
		delete(s.f.subs, s)
		close(s.c)
	}
}

func (f *fake) Subscribe(buffer int) Subscription {
	s := &fakeSub{f: f, c: make(chan share.Event, buffer)}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subs[s] = struct{}{}
	return s
}

func (f *fake) Lease() (string, func(), error) {
	return "lease", func() { f.event(share.Event{Type: share.EventNote, Message: "the lease ended"}) }, nil
}

func (f *fake) Info() Info { return Info{Name: "shoal", Version: "9.9", API: Version} }

func (f *fake) Stats() share.Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

func (f *fake) Health() Health { return Health{OK: len(f.calls) == 0} }
func (f *fake) Settings() []Setting {
	return []Setting{{Name: "up", Value: "0", Source: SourceDefault}}
}
func (f *fake) Limits() Limits { return Limits{Limits: f.limits, Now: f.limits, Source: SourceSaved} }

func (f *fake) SignIn() (string, error) { return "http://[::1]/#signin=x", nil }
func (f *fake) SetPassword(_ context.Context, p string) error {
	f.calls = append(f.calls, "password "+p)
	return nil
}

func (f *fake) ExportSettings() ([]byte, error) { return []byte("up = \"1MB\"\n"), nil }
func (f *fake) CompareSettings(string) Import   { return Import{} }
func (f *fake) Restarting() Restart             { return Restart{Can: true} }
func (f *fake) Restart() error                  { f.calls = append(f.calls, "restart"); return nil }
func (f *fake) ForgetFailed() error             { return nil }

// fakeSettings is the settings of a fake, which also changes the limits of transfers.
type fakeSettings struct{ *fake }

func (f fakeSettings) ChangeLimits(c share.LimitChange) error {
	f.limits = c.Apply(f.limits)
	return nil
}

func (f *fake) List() []share.Transfer {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]share.Transfer, 0, len(f.order))
	for _, id := range f.order {
		out = append(out, *f.transfers[id])
	}
	return out
}

func (f *fake) Get(id share.ID) (share.Transfer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if to, ok := f.aliases[id]; ok {
		id = to
	}
	if t, ok := f.transfers[id]; ok {
		return *t, nil
	}
	return share.Transfer{}, share.Errorf(share.Failed, "%w: %s", share.ErrUnknown, id)
}

// done records a call and returns its error.
func (f *fake) done(id share.ID, what string) error {
	if _, err := f.Get(id); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, what+" "+id.Short())
	err := f.fail
	f.fail = nil
	return err
}

func (f *fake) Share(_ context.Context, r ShareRequest) (share.Transfer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.share = r
	t := testTransfer(500)
	t.State, t.Path = share.Hashing, r.Path
	return t, f.fail
}

func (f *fake) Fetch(_ context.Context, r FetchRequest) (share.Transfer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fetch = r
	return testTransfer(501), f.fail
}

func (f *fake) Import(_ context.Context, r ImportRequest) (share.Transfer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.imported = r
	return testTransfer(503), f.fail
}

func (f *fake) Match(_ context.Context, r MatchRequest) (share.Match, error) {
	return share.Match{Files: 2, Bytes: 30, Right: int64(len(r.Output))}, f.fail
}

func (f *fake) Preview(context.Context, PreviewRequest) (Preview, error) {
	return Preview{ID: testID(502), Name: "seen"}, f.fail
}

func (f *fake) Files(id share.ID) ([]share.File, error) {
	_, err := f.Get(id)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.files, err
}

func (f *fake) Peers(id share.ID) ([]share.Peer, error) {
	_, err := f.Get(id)
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.peers), err
}

func (f *fake) Pieces(id share.ID) (share.Pieces, error) {
	_, err := f.Get(id)
	return share.Pieces{Length: 16384, State: []byte{3, 0, 1}}, err
}

func (f *fake) Torrent(id share.ID) ([]byte, error) {
	_, err := f.Get(id)
	return []byte("d4:infodee"), err
}

func (f *fake) Open(_ context.Context, id share.ID, _ int) (io.ReadSeekCloser, error) {
	_, err := f.Get(id)
	return readSeekCloser{bytes.NewReader(f.content)}, err
}

func (f *fake) Play(ctx context.Context, id share.ID, file int) (io.ReadSeekCloser, error) {
	if err := f.done(id, "play"); err != nil {
		return nil, err
	}
	return f.Open(ctx, id, file)
}

func (f *fake) Streams(id share.ID) (share.Streams, error) {
	_, err := f.Get(id)
	return share.Streams{Held: 16384, Streams: []share.Stream{{File: 1, At: 5, Ready: 7}}}, err
}

type readSeekCloser struct{ *bytes.Reader }

func (readSeekCloser) Close() error { return nil }

func (f *fake) Pause(id share.ID) error  { return f.done(id, "pause") }
func (f *fake) Resume(id share.ID) error { return f.done(id, "resume") }
func (f *fake) Verify(id share.ID) error { return f.done(id, "verify") }
func (f *fake) Remove(id share.ID, data bool) ([]share.Kept, error) {
	return f.kept, f.done(id, fmt.Sprintf("remove %t", data))
}
func (f *fake) Room(id share.ID) (Room, error) {
	return Room{Path: "/srv", Needed: 5, Free: 7, MinFree: 3}, f.done(id, "room")
}
func (f *fake) ChangeLimits(id share.ID, c share.LimitChange) error {
	l := c.Apply(share.Limits{Down: -7, Up: -7}) // as it was
	return f.done(id, fmt.Sprintf("limits %d %d", l.Down, l.Up))
}
func (f *fake) SetGoal(id share.ID, g share.Goal) error {
	return f.done(id, fmt.Sprintf("goal %g", g.Ratio))
}
func (f *fake) SetPrecedence(id share.ID, p share.Precedence) error {
	return f.done(id, fmt.Sprintf("precedence %d", p))
}
func (f *fake) SetPriority(id share.ID, p map[int]share.Priority) error {
	return f.done(id, fmt.Sprintf("priority %v", p))
}
func (f *fake) AddPeers(id share.ID, from share.Source, a []netip.AddrPort) error {
	if from != share.FromUser {
		return share.Errorf(share.Failed, "the addresses are said to come from %s", from)
	}
	return f.done(id, fmt.Sprintf("peers %v", a))
}

func (f *fake) called() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// ported has the ports of an API.
type ported interface{ config() Config }

// config makes the fake every port.
func (f *fake) config() Config {
	return Config{
		Node: f, Access: f, Settings: fakeSettings{f}, Network: f, Transfers: f, Content: f, Intake: f, Uploads: f, Finding: f,
		Channels: &f.chosen, WebLinks: &f.webLinks, Incoming: &f.incoming, Receive: &f.receive, Events: f, Version: "9.9", Logger: slog.New(slog.DiscardHandler),
	}
}

// serve runs an API over f on a loopback listener and returns a client of it.
func serve(t testing.TB, f ported) (*Client, *API, string) {
	t.Helper()
	a, err := New(f.config())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	srv := &http.Server{Handler: a.Handler()}
	var wg sync.WaitGroup
	wg.Go(func() { _ = a.Run(ctx) })
	wg.Go(func() { _ = srv.Serve(l) })
	c := NewClient(func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", l.Addr().String())
	})
	t.Cleanup(func() {
		c.Close()
		cancel()
		srv.Close()
		wg.Wait()
	})
	return c, a, "http://" + l.Addr().String()
}

func quietContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func (f *fake) Report() share.Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.report != nil {
		return *f.report
	}
	return share.Report{Answer: "Strangers can reach you at [2001:db8::5]:51413.", Verdict: share.Reachable}
}

func (f *fake) Test(context.Context) share.Report {
	f.calls = append(f.calls, "test")
	return f.Report()
}
