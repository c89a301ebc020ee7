package engine

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// finder knows what it was told.
type finder struct {
	mu        sync.Mutex
	announced map[share.ID]bool
	peers     []netip.AddrPort
	asked     int
	err       error
}

func (f *finder) Find(ctx context.Context, id share.ID, found func([]netip.AddrPort)) error {
	f.mu.Lock()
	peers, err := f.peers, f.err
	f.asked++
	f.mu.Unlock()
	found(peers)
	return err
}

func (f *finder) Announce(id share.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.announced == nil {
		f.announced = map[share.ID]bool{}
	}
	f.announced[id] = true
}

func (f *finder) Withdraw(id share.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.announced, id)
}

func (f *finder) Source() share.Source { return share.FromLAN }

func (f *finder) has(id share.ID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.announced[id]
}

func TestFinder(t *testing.T) {
	t.Parallel()
	fa, fb := &finder{}, &finder{}
	a := newNode(t, func(c *Config) { c.Finders = []Finder{fa} })
	b := newNode(t, func(c *Config) { c.Finders = []Finder{fb} })
	shared := a.share(someFiles(t))
	a.wait(shared.ID, "the announcement", func(share.Transfer) bool { return fa.has(shared.ID) })
	sub := b.Subscribe(1000)
	defer sub.Close()

	b.fetch(shared.ID.String(), t.TempDir())
	b.wait(shared.ID, "a reason", func(s share.Transfer) bool { return strings.Contains(s.Reason, "no peers found yet, next try in") })
	if !fb.has(shared.ID) {
		t.Error("not announced, so that no seed can call us")
	}
	fb.mu.Lock()
	fb.peers = addrs(a.addr.String(), b.addr.String())
	fb.mu.Unlock()
	b.waitState(shared.ID, share.Seeding)
	if !fb.has(shared.ID) {
		t.Error("not announced")
	}
	found := 0
	sub.Close()
	for ev := range sub.C {
		if ev.Type == share.EventFound && ev.Source == share.FromLAN {
			found += ev.Count
		}
	}
	if found != 1 { // not this node itself
		t.Errorf("%d peers found", found)
	}
	if err := b.Pause(shared.ID); err != nil {
		t.Fatal(err)
	}
	b.wait(shared.ID, "the withdrawal", func(share.Transfer) bool { return !fb.has(shared.ID) })
}

// turns is a finder whose searches last until the test ends them.
type turns struct {
	finder
	began chan share.ID
	end   chan struct{}
}

func (f *turns) Find(ctx context.Context, id share.ID, _ func([]netip.AddrPort)) error {
	select {
	case f.began <- id:
	case <-ctx.Done():
		return nil
	}
	select {
	case <-f.end:
	case <-ctx.Done():
	}
	return nil
}

// As many transfers search at a time as may. The next to want to is the next to
// do so, and does not wait until those before have searched again.
func TestSearchesTakeTurns(t *testing.T) {
	t.Parallel()
	f := &turns{began: make(chan share.ID), end: make(chan struct{})}
	n := newNode(t, func(c *Config) { c.Finders = []Finder{f} })
	for i := range maxSearches {
		n.fetch(share.ID{1, byte(i)}.String(), t.TempDir())
		<-f.began
	}
	last := share.ID{2}
	n.fetch(last.String(), t.TempDir())
	n.wait(last, "a reason", func(s share.Transfer) bool { return s.Reason == "looking for peers" })
	f.end <- struct{}{}
	if next := <-f.began; next != last {
		t.Errorf("%s searched again before it was the turn of the last", next)
	}
}

// quick is a finder that is done at once. It counts its searches.
type quick struct {
	finder
	began chan share.ID
}

func (f *quick) Find(ctx context.Context, id share.ID, _ func([]netip.AddrPort)) error {
	select {
	case f.began <- id:
	case <-ctx.Done():
	}
	return nil
}

// A finder that takes its time holds up nobody's search by another one, and who
// waits for the one asks the other once, not again and again.
func TestFindersDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	const many = 3 * maxSearches
	slow := &turns{began: make(chan share.ID), end: make(chan struct{})}
	fast := &quick{began: make(chan share.ID, 10*many)}
	n := newNode(t, func(c *Config) { c.Finders = []Finder{fast, slow} })
	for i := range many {
		n.fetch(share.ID{1, byte(i)}.String(), t.TempDir())
	}
	asked := map[share.ID]int{}
	for len(asked) < many {
		asked[<-fast.began]++
	}
	order := map[share.ID]bool{}
	for range many {
		order[<-slow.began] = true
		slow.end <- struct{}{}
	}
	if len(order) != many {
		t.Errorf("%d of %d transfers had their turn before others had a second", len(order), many)
	}
	for id, times := range asked {
		if times != 1 {
			t.Errorf("the quick one was asked for %s %d times in one round", id.Short(), times)
		}
	}
}

// A private torrent is not for finders.
func TestPrivate(t *testing.T) {
	t.Parallel()
	fa, fb := &finder{}, &finder{}
	a := newNode(t, func(c *Config) { c.Finders = []Finder{fa} })
	b := newNode(t, func(c *Config) { c.Finders = []Finder{fb} })
	s, err := a.Share(t.Context(), ShareRequest{Path: someFiles(t), ShareOptions: share.ShareOptions{Private: true}})
	if err != nil {
		t.Fatal(err)
	}
	shared := a.waitState(s.ID, share.Seeding)
	torrent, err := a.Torrent(shared.ID)
	if err != nil {
		t.Fatal(err)
	}
	l, _ := share.ParseLink(shared.Link)
	if _, err := b.Fetch(t.Context(), FetchRequest{Torrent: torrent, Link: l, Output: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	b.waitState(shared.ID, share.Seeding)
	if fa.has(shared.ID) || fb.has(shared.ID) || fb.asked > 0 {
		t.Error("a private torrent was given to a finder")
	}
}

// Three nodes of which the third knows only the second: it hears of the first
// from the second.
func TestPeerExchange(t *testing.T) {
	t.Parallel()
	a, b, c := newNode(t), newNode(t), newNode(t, func(c *Config) { c.AllowPrivate = true })
	shared, _ := bigFile(t, a)
	for _, n := range []*node{a, b} {
		if err := n.SetGlobalLimits(share.Limits{Up: 512 << 10}); err != nil {
			t.Fatal(err)
		}
	}
	b.fetch(shared.Link, t.TempDir())
	b.wait(shared.ID, "a connection", func(s share.Transfer) bool { return s.Peers > 0 })
	l := share.Link{ID: shared.ID, Peers: []string{b.addr.String()}}
	c.fetch(l.String(), t.TempDir())
	c.wait(shared.ID, "both peers", func(s share.Transfer) bool { return s.Peers == 2 && s.Seeds == 1 })
	var sources map[share.Source]int
	c.wait(shared.ID, "their names", func(share.Transfer) bool {
		peers, err := c.Peers(shared.ID)
		if err != nil {
			t.Fatal(err)
		}
		sources = make(map[share.Source]int)
		for _, p := range peers {
			sources[p.Source]++
			if p.Client != "shoal test" || p.Encrypted || p.UTP {
				return false
			}
		}
		return len(peers) == 2
	})
	if sources[share.FromPEX]+sources[share.FromIncoming] == 0 {
		t.Errorf("sources: %v", sources)
	}
	b.wait(shared.ID, "that it was called", func(share.Transfer) bool {
		ways, err := b.Discovery(shared.ID)
		return err == nil && slices.ContainsFunc(ways, func(w share.Way) bool { return w.Source == share.FromIncoming && w.Found > 0 })
	})
}

// The announce of a tracker brings the peers; the link's own are none.
func TestTracker(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	shared := a.share(someFiles(t))
	ip := a.addr.Addr().As16()
	peer := string(ip[:]) + string([]byte{byte(a.addr.Port() >> 8), byte(a.addr.Port())})
	srv := trackerServer(t, peer)
	link := share.Link{ID: shared.ID, Trackers: []string{srv}}

	b := newNode(t, func(c *Config) { c.AllowPrivate = true })
	b.fetch(link.String(), t.TempDir())
	b.waitState(shared.ID, share.Seeding)

	// A tracker at a private address is not asked unless that is allowed, and
	// none is when trackers are off.
	for name, change := range map[string]change{
		"private address": func(*Config) {},
		"trackers off":    func(c *Config) { c.AllowPrivate, c.NoTrackers = true, true },
	} {
		c := newNode(t, change)
		c.fetch(link.String(), t.TempDir())
		c.wait(shared.ID, "a reason", func(s share.Transfer) bool {
			return strings.Contains(s.Reason, "no way to find peers") || strings.Contains(s.Reason, "no peers found yet")
		})
		if s, _ := c.Get(shared.ID); s.State != share.Finding {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func trackerServer(t *testing.T, peers string) string {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "d8:intervali60e6:peers618:"+peers+"e")
	}))
	srv.Listener.Close()
	srv.Listener = l
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL + "/announce"
}

// A web seed alone is enough, once the files are known.
func TestWebSeed(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	src := someFiles(t)
	shared := a.share(src)
	torrent, err := a.Torrent(shared.ID)
	if err != nil {
		t.Fatal(err)
	}
	sameTree(t, src, fetchFromWeb(t, torrent, shared.ID, filepath.Dir(src)).Path)
}

// So it is of content that BEP 52 alone describes, if the .torrent file has its layers.
func TestWebSeedOfV2Alone(t *testing.T) {
	t.Parallel()
	data := content("v2.bin", 1_000_003)
	tor := onlyV2(t, "v2.bin", data)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "v2.bin"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	done := fetchFromWeb(t, tor.Encode(), tor.Info.ID, dir)
	if got, err := os.ReadFile(done.Path); err != nil || !bytes.Equal(got, data) {
		t.Errorf("other data arrived: %v", err)
	}
}

// fetchFromWeb fetches what a torrent describes from a web server that serves a folder.
func fetchFromWeb(t *testing.T, torrent []byte, id share.ID, dir string) share.Transfer {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.FileServer(http.Dir(dir)))
	srv.Listener.Close()
	srv.Listener = l
	srv.Start()
	defer srv.Close()
	b := newNode(t, func(c *Config) { c.AllowPrivate = true })
	r := FetchRequest{Torrent: torrent, Link: share.Link{WebSeeds: []string{srv.URL + "/"}}, Output: t.TempDir()}
	if _, err := b.Fetch(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return b.waitState(id, share.Seeding)
}

// onlyUTP has a node speak nothing but uTP.
func onlyUTP(t *testing.T) func(*Config) {
	return func(c *Config) {
		_, port, _ := net.SplitHostPort(c.Listeners[0].Addr().String())
		pc, err := net.ListenPacket("udp6", "[::1]:"+port)
		if err != nil {
			t.Fatal(err)
		}
		c.UTP = pc
		c.Listeners[0].Close()
		c.Listeners = nil
		c.Addresses = func() []netip.AddrPort { return addrs("[::1]:" + port) }
	}
}

func TestUTP(t *testing.T) {
	t.Parallel()
	src := someFiles(t)
	a, b := newNode(t, onlyUTP(t)), newNode(t, onlyUTP(t))
	shared := a.share(src)
	torrent, err := a.Torrent(shared.ID)
	if err != nil {
		t.Fatal(err)
	}
	l, _ := share.ParseLink(shared.Link)
	if _, err := b.Fetch(t.Context(), FetchRequest{Torrent: torrent, Link: l, Output: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	sameTree(t, src, b.waitState(shared.ID, share.Seeding).Path)
}

// With IPv4 on, a peer that is there only is reached.
func TestIPv4(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Skip("no IPv4 here: ", err)
	}
	src := someFiles(t)
	a := newNode(t, func(c *Config) { c.IPv4 = true; c.Listeners = append(c.Listeners, l) })
	shared := a.share(src)
	link := share.Link{ID: shared.ID, Peers: []string{l.Addr().String()}}
	b := newNode(t, func(c *Config) { c.IPv4 = true })
	b.fetch(link.String(), t.TempDir())
	sameTree(t, src, b.waitState(shared.ID, share.Seeding).Path)

	c := newNode(t)
	c.fetch(link.String(), t.TempDir())
	c.wait(shared.ID, "a search", func(s share.Transfer) bool { return s.Reason != "" })
	if c.Stats().Connections != 0 {
		t.Error("connected over IPv4 although it is off")
	}
}

// PORT tells of DHT nodes, both ways.
func TestDHTPort(t *testing.T) {
	t.Parallel()
	told := make(chan netip.AddrPort, 10)
	a := newNode(t, func(c *Config) { c.DHTPort = func() uint16 { return 4321 } })
	b := newNode(t, func(c *Config) { c.OnDHTNode = func(ap netip.AddrPort) { told <- ap } })
	shared := a.share(someFiles(t))
	b.fetch(shared.Link, t.TempDir())
	b.waitState(shared.ID, share.Seeding)
	link, err := share.ParseLink(shared.Link)
	if err != nil || len(link.Peers) != 1 {
		t.Fatalf("%v, %v", link, err)
	}
	// The peer that the link names may be a node, too.
	want := map[netip.AddrPort]bool{netip.MustParseAddrPort(link.Peers[0]): true, netip.MustParseAddrPort("[::1]:4321"): true}
	for len(want) > 0 {
		select {
		case ap := <-told:
			delete(want, ap)
		case <-time.After(patience):
			t.Fatalf("not told of %v", want)
		}
	}
}
