package webui

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Secured serves visitors over TLS as far as there are certificates for the addresses at
// which they come: those who begin with TLS get it, and the others are sent there once it
// is to be had.
type Secured struct {
	TLS *tls.Config // for those who begin with TLS
	// Elsewhere is where what is served at local without TLS is served with it; ok is false
	// while it is not.
	Elsewhere func(local netip.AddrPort) (at netip.AddrPort, ok bool)
}

// protocols are those of HTTP over TLS.
var protocols = []string{"h2", "http/1.1"}

// localOf is the address of this host at which a request came.
func localOf(r *http.Request) netip.AddrPort {
	at, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return addrPort(at)
}

func addrPort(at net.Addr) netip.AddrPort {
	if at == nil {
		return netip.AddrPort{}
	}
	a, _ := netip.ParseAddrPort(at.String())
	return netip.AddrPortFrom(a.Addr().WithZone("").Unmap(), a.Port())
}

// send sends visitors without TLS to where there is some.
func (s *Secured) send(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil {
			if at, ok := s.Elsewhere(localOf(r)); ok {
				w.Header().Set("Connection", "close")
				w.Header().Set("Location", httpsURL(at)+r.URL.RequestURI())
				w.WriteHeader(http.StatusPermanentRedirect)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// httpsURL is the beginning of a URL, without a slash.
func httpsURL(at netip.AddrPort) string {
	const usual = 443
	if at.Port() != usual {
		return "https://" + at.String()
	}
	if at.Addr().Is6() {
		return "https://[" + at.Addr().String() + "]"
	}
	return "https://" + at.Addr().String()
}

// config is s.TLS for an http.Server and its listener.
func (s *Secured) config() *tls.Config {
	c := s.TLS.Clone()
	c.NextProtos = protocols
	return c
}

// either is a listener whose connections are TLS where the visitor begins with it.
type either struct {
	net.Listener
	config *tls.Config

	conns chan net.Conn
	end   chan struct{}
	once  sync.Once
	all   sync.WaitGroup
	err   error // of the listener, before end is closed

	mu     sync.Mutex
	silent map[net.Conn]bool // that have sent nothing yet; nil after the end
}

func newEither(l net.Listener, config *tls.Config) *either {
	e := &either{Listener: l, config: config, conns: make(chan net.Conn), end: make(chan struct{}), silent: map[net.Conn]bool{}}
	e.all.Go(e.run)
	return e
}

func (e *either) run() {
	for {
		conn, err := e.Listener.Accept()
		if err != nil {
			if wait, ok := err.(interface{ Temporary() bool }); ok && wait.Temporary() {
				time.Sleep(tooManyPause)
				continue
			}
			e.once.Do(func() { e.err = err; close(e.end) })
			return
		}
		e.all.Go(func() { e.greet(conn) })
	}
}

// tooManyPause is what http.Server rests, too, when descriptors have run out.
const tooManyPause = 50 * time.Millisecond

// handshake is the first byte of a TLS connection, and of no HTTP request.
const handshake = 0x16

// greet waits for the first byte.
func (e *either) greet(conn net.Conn) {
	first := make([]byte, 1)
	if !e.listen(conn) {
		conn.Close()
		return
	}
	_ = conn.SetReadDeadline(time.Now().Add(headerTime))
	_, err := io.ReadFull(conn, first)
	if e.heard(conn); err != nil {
		conn.Close()
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	v, _ := conn.(*visit)
	if v != nil && v.of.arrived != nil {
		v.of.arrived(addrPort(v.LocalAddr()), addrPort(v.RemoteAddr()))
	}
	conn = &begun{Conn: conn, visit: v, first: bytes.NewReader(first)}
	if first[0] == handshake {
		conn = tls.Server(conn, e.config)
	}
	select {
	case e.conns <- conn:
	case <-e.end:
		conn.Close()
	}
}

// Accept implements net.Listener.
func (e *either) Accept() (net.Conn, error) {
	select {
	case conn := <-e.conns:
		return conn, nil
	case <-e.end:
		return nil, e.err
	}
}

// listen notes that a connection has sent nothing yet. It returns false after the end.
func (e *either) listen(conn net.Conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.silent != nil {
		e.silent[conn] = true
	}
	return e.silent != nil
}

func (e *either) heard(conn net.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.silent, conn)
}

// Close implements net.Listener. It closes the connections that have sent nothing yet, too.
func (e *either) Close() error {
	e.once.Do(func() { e.err = net.ErrClosed; close(e.end) })
	err := e.Listener.Close()
	e.mu.Lock()
	silent := e.silent
	e.silent = nil
	e.mu.Unlock()
	for conn := range silent {
		conn.Close()
	}
	return err
}

// begun is a connection whose first byte was read.
type begun struct {
	net.Conn
	visit *visit
	first *bytes.Reader
}

func (b *begun) Read(p []byte) (int, error) {
	if b.first.Len() > 0 {
		return b.first.Read(p)
	}
	return b.Conn.Read(p)
}

// CloseWrite is that of the connection.
func (b *begun) CloseWrite() error { return endWriting(b.Conn) }
