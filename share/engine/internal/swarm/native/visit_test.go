package native

import (
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/dialback"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

// testWeb serves what it is handed, as a net.Listener for an http.Server.
type testWeb struct {
	shut  atomic.Bool
	conns chan net.Conn
	ended chan struct{}
	once  sync.Once
}

func newTestWeb() *testWeb {
	return &testWeb{conns: make(chan net.Conn, 1000), ended: make(chan struct{})}
}

func (w *testWeb) Open(tls bool) bool          { return !tls && !w.shut.Load() }
func (w *testWeb) Serve(conn net.Conn, _ bool) { w.conns <- conn }
func (w *testWeb) Addr() net.Addr              { return &net.TCPAddr{} }
func (w *testWeb) Close() error                { w.once.Do(func() { close(w.ended) }); return nil }

func (w *testWeb) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.ended:
		return nil, net.ErrClosed
	}
}

// The port of the peers answers browsers, of which each byte arrives both ways, and
// peers beside them. A connection of a peer stays one of the system, and counts as one;
// that of a browser does not.
func TestBrowsersAndPeersAtOnePort(t *testing.T) {
	web := newTestWeb()
	n, addr := testNetwork(t, func(c *face.Config) { c.Web = web })
	server := &httptest.Server{Listener: web, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum := sha1.New()
		_, _ = io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%s %s %x", r.Method, r.URL.Path, sum.Sum(nil))
	})}}
	server.Start()
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	body := make([]byte, 1<<20)
	want := fmt.Sprintf("POST /up %x", sha1.Sum(body))
	seed, _ := testContent(3, true)
	s := attach(t, n, seed)
	b, _ := testNetwork(t, nil)
	content, disk := testContent(3, false)
	getter := attach(t, b, content)
	getter.SetPriorities(face.Change{From: 0, To: 2, Is: face.Normal}) // two seeds would part
	getter.AddPeers([]face.Peer{{Addr: addr, Source: share.FromTracker}})
	for range 3 {
		r, err := client.Post("http://"+addr.String()+"/up", "text/plain", io.NopCloser(io.LimitReader(zeros{}, int64(len(body)))))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || string(got) != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	until(t, "content", func() bool {
		disk.mu.Lock()
		defer disk.mu.Unlock()
		return disk.have[0] && disk.have[1]
	})
	peers := s.run.Peers()
	if len(peers) != 1 {
		t.Fatalf("%d peers", len(peers))
	}
	if _, ok := peers[0].Conn.(*tracked).Conn.(*net.TCPConn); !ok {
		t.Errorf("the connection of a peer is a %T", peers[0].Conn.(*tracked).Conn)
	}
	if open := n.Figures().Open; open != 1 {
		t.Errorf("%d connections to peers, want 1", open)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// raw connects and says something.
func raw(t *testing.T, to netip.AddrPort, says string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp6", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, says); err != nil {
		t.Fatal(err)
	}
	return c
}

// Browsers take no place of the peers, however many there are.
func TestBrowsersAreNoPeers(t *testing.T) {
	const most = 20
	web := newTestWeb()
	n, addr := testNetwork(t, func(c *face.Config) { c.Web, c.MaxConns = web, most })
	seed, _ := testContent(2, true)
	attach(t, n, seed)
	for i := range 2 * most {
		raw(t, addr, "GET / HTTP/1.1\r\n")
		until(t, "hand-over", func() bool { return len(web.conns) == i+1 })
	}
	if open, refused := n.Figures().Open, n.Figures().Refused; open > 0 || refused > 0 {
		t.Errorf("%d connections to peers, %d refused", open, refused)
	}
	c, err := net.Dial("tcp6", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	r := dialback.Request{Nonce: dialback.NewNonce(), TCP: 6881}
	if answer, err := dialback.Ask(t.Context(), c, seed.ID, "test", r); err != nil || answer.Nonce != r.Nonce {
		t.Errorf("a peer beside the browsers: %+v, %v", answer, err)
	}
	for range 2 * most {
		(<-web.conns).Close()
	}
}

// Without anything to serve, what begins like a browser is waited for as a peer is:
// the answer is the one that every BitTorrent client gives.
func TestNoDoorNoAnswer(t *testing.T) {
	shut := newTestWeb()
	shut.shut.Store(true)
	for name, web := range map[string]face.Web{"shut": shut, "none": nil} {
		t.Run(name, func(t *testing.T) {
			n, addr := testNetwork(t, func(c *face.Config) { c.Web = web })
			for _, says := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"} {
				answeredAsAPeer(t, raw(t, addr, says+string(make([]byte, keyLen))), says)
			}
			if refused := n.Figures().Refused; refused > 0 {
				t.Errorf("%d connections were refused", refused)
			}
		})
	}
}

// keyLen is how long the half of a key exchange is, with which encryption begins.
const keyLen = 96

func answeredAsAPeer(t *testing.T, c net.Conn, says string) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadFull(c, make([]byte, keyLen)); err != nil {
		t.Errorf("%q was not answered as the half of a key exchange: %v", says, err)
	}
}

// What comes over uTP is no browser.
func TestNoBrowsersOverUTP(t *testing.T) {
	pc, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	web := newTestWeb()
	testNetwork(t, func(c *face.Config) { c.Web, c.UTP = web, pc })
	from, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	u := openUTP(from)
	defer u.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := u.Dial(ctx, netip.MustParseAddrPort(pc.LocalAddr().String()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const says = "GET / HTTP/1.1\r\n\r\n"
	if _, err := io.WriteString(c, says+string(make([]byte, keyLen))); err != nil {
		t.Fatal(err)
	}
	answeredAsAPeer(t, c, says)
	if len(web.conns) > 0 {
		t.Error("a connection over uTP was handed to the web")
	}
}

// A browser that comes to the port of the peers is a proof that strangers get in, as a peer
// is; while browsers are not served, what begins like one is none.
func TestBrowsersAreStrangers(t *testing.T) {
	web := newTestWeb()
	strangers := make(chan netip.AddrPort, 10)
	_, addr := testNetwork(t, func(c *face.Config) {
		c.Web = web
		c.Events.Stranger = func(_ netip.Addr, from netip.AddrPort) { strangers <- from }
	})
	web.shut.Store(true)
	ask := func() net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"+string(make([]byte, 96))); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	if _, err := io.ReadFull(ask(), make([]byte, 96)); err != nil { // taken for a peer that encrypts
		t.Fatal(err)
	}
	web.shut.Store(false)
	ask()
	(<-web.conns).Close()
	<-strangers
	if len(strangers) > 0 {
		t.Error("one that was not served is a stranger")
	}
}
