package webui

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// defaultConns is far more than the browsers and programs of one owner open.
const defaultConns = 256

// crowd bounds the number of connections to the page. When there are too many, it
// closes the least useful one. That is never one with a request of a signed-in user;
// among the others it is first one that no signed-in user has used, then one from the
// network with the most connections, then an idle one, then the oldest.
type crowd struct {
	net.Listener
	max int
	// arrived is told of connections that have sent something; nil tells nobody.
	arrived func(local, remote netip.AddrPort)

	mu       sync.Mutex
	number   uint64
	conns    map[*visit]struct{}
	networks map[netip.Prefix]int
}

func newCrowd(l net.Listener, max int) *crowd {
	if max <= 0 {
		max = defaultConns
	}
	return &crowd{Listener: l, max: max, conns: map[*visit]struct{}{}, networks: map[netip.Prefix]int{}}
}

// visit is one connection.
type visit struct {
	net.Conn
	of       *crowd
	networks [3]netip.Prefix
	number   uint64 // counts connections
	busy     atomic.Bool
	known    atomic.Bool // a signed-in user has used it
}

// Accept accepts a connection. If there are too many, it closes another one for it.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		nc, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		v := &visit{Conn: nc, of: c}
		if ap, err := netip.ParseAddrPort(nc.RemoteAddr().String()); err == nil {
			v.networks = networksOf(ap.Addr())
		}
		gone, ok := c.enter(v)
		if gone != nil {
			gone.Close()
		}
		if ok {
			return v, nil
		}
		nc.Close()
	}
}

// enter reports whether v may stay, and returns the connection to close for it.
func (c *crowd) enter(v *visit) (gone *visit, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	full := len(c.conns) >= c.max
	c.number++
	v.number = c.number
	c.conns[v] = struct{}{}
	for _, n := range v.networks {
		c.networks[n]++
	}
	if !full {
		return nil, true
	}
	for o := range c.conns {
		if o != v && !(o.known.Load() && o.busy.Load()) && (gone == nil || c.before(o, gone)) {
			gone = o
		}
	}
	if gone == nil { // all of them have requests of signed-in users
		c.leaveLocked(v)
		return nil, false
	}
	c.leaveLocked(gone)
	return gone, true
}

// before reports whether a is closed before b.
func (c *crowd) before(a, b *visit) bool {
	if x, y := a.known.Load(), b.known.Load(); x != y {
		return y
	}
	if x, y := c.size(a), c.size(b); x != y {
		return x > y
	}
	if x, y := a.busy.Load(), b.busy.Load(); x != y {
		return y
	}
	return a.number < b.number
}

// size weighs the connections from the networks of v. Those of the wider networks, which
// several people may share, count a half and a quarter.
func (c *crowd) size(v *visit) int {
	return max(4*c.networks[v.networks[0]], 2*c.networks[v.networks[1]], c.networks[v.networks[2]])
}

func (c *crowd) leaveLocked(v *visit) {
	if _, ok := c.conns[v]; !ok {
		return
	}
	delete(c.conns, v)
	for _, n := range v.networks {
		if c.networks[n]--; c.networks[n] <= 0 {
			delete(c.networks, n)
		}
	}
}

// Close implements net.Conn.
func (v *visit) Close() error {
	v.of.mu.Lock()
	v.of.leaveLocked(v)
	v.of.mu.Unlock()
	return v.Conn.Close()
}

// lingerTime is how long a visitor may go on to send what nobody reads any more.
const lingerTime = 10 * time.Second

// CloseWrite is called by an http.Server that has answered a request and will not read the
// rest of its body. The system would throw away the answer if the connection was closed while
// data arrive, so what the visitor still sends is read and dropped.
func (v *visit) CloseWrite() error {
	if err := endWriting(v.Conn); err != nil {
		return err
	}
	_ = v.SetReadDeadline(time.Now().Add(lingerTime))
	_, err := io.Copy(io.Discard, struct{ io.Reader }{v.Conn})
	return err
}

func endWriting(c net.Conn) error {
	if w, ok := c.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// visitOf returns the visit below a connection of the HTTP server.
func visitOf(nc net.Conn) *visit {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	if b, ok := nc.(*begun); ok {
		return b.visit
	}
	v, _ := nc.(*visit)
	return v
}

// watch is the http.Server's ConnState. It records which connections have requests.
func (c *crowd) watch(nc net.Conn, s http.ConnState) {
	v := visitOf(nc)
	if v == nil {
		return
	}
	if v.busy.Store(s == http.StateActive); s == http.StateActive && c.arrived != nil {
		c.arrived(addrPort(v.LocalAddr()), addrPort(v.RemoteAddr()))
	}
}

type visitKey struct{}

// Conn is the connection of a request, without what was put around it; nil if that is not
// known.
func Conn(r *http.Request) net.Conn {
	v, _ := r.Context().Value(visitKey{}).(*visit)
	if v == nil {
		return nil
	}
	nc := v.Conn
	for {
		around, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nc
		}
		nc = around.NetConn()
	}
}

// introduce is the http.Server's ConnContext. It tells a request its connection.
func (c *crowd) introduce(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, visitKey{}, visitOf(nc))
}

// answerTime is how long an answer may take to a request that is not signed in.
const answerTime = time.Minute

// hurried ends an answer that takes longer than answerTime. For a signed-in user,
// Patience removes that limit: event streams and downloads have deadlines of their own.
func hurried(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Recorders in tests have no connection to set a deadline on.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
		next.ServeHTTP(w, r)
	})
}

// Patience removes the time limit of an answer, and keeps its connection when others have
// to go.
func Patience(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	if v, _ := r.Context().Value(visitKey{}).(*visit); v != nil {
		v.known.Store(true)
	}
}
