package webui

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener of connections in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv6loopback, Port: 443} }

func (p *pipes) dial() net.Conn {
	near, far := net.Pipe()
	p.conns <- far
	return near
}

// ownCertificate is one for example.com, and what trusts it.
func ownCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	trust := x509.NewCertPool()
	trust.AddCert(s.Certificate())
	return s.TLS.Certificates[0], trust
}

// Only the first byte of TLS leads to TLS. Whatever else begins a connection is left to
// HTTP, with that byte.
func TestEveryFirstByteAtAPortForBoth(t *testing.T) {
	l := newPipes()
	e := newEither(l, &tls.Config{})
	defer e.all.Wait()
	defer e.Close()
	for c := range 256 {
		sent := string([]byte{byte(c)}) + " and more"
		near := l.dial()
		go func() {
			_, _ = io.WriteString(near, sent)
			near.Close()
		}()
		conn, err := e.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, is := conn.(*tls.Conn); is != (c == handshake) {
			t.Errorf("%#02x: TLS is %v", c, is)
		} else if got, err := io.ReadAll(conn); !is && (err != nil || string(got) != sent) {
			t.Errorf("%#02x: %q, %v", c, got, err)
		}
		conn.Close()
	}
}

// split sends each write in parts, the first ones as long as asked for, with a pause after
// each of them.
type split struct {
	net.Conn
	parts []int
	pause time.Duration
}

func (s *split) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		part := len(b)
		if len(s.parts) > 0 {
			part, s.parts = min(part, s.parts[0]), s.parts[1:]
		}
		var sent int
		sent, err = s.Conn.Write(b[:part])
		n, b = n+sent, b[part:]
		if len(b) > 0 {
			time.Sleep(s.pause)
		}
	}
	return n, err
}

// Both are answered at one port, however slowly and in whatever parts the first bytes come.
func TestSlowAndSplitBeginningsAtAPortForBoth(t *testing.T) {
	certificate, trust := ownCertificate(t)
	splits := [][]int{nil, {1, 1, 1, 1, 1, 1, 1, 1}}
	for i := 1; i <= 6; i++ { // of the header of a ClientHello
		splits = append(splits, []int{i})
	}
	for _, parts := range splits {
		synctest.Test(t, func(t *testing.T) {
			l := newPipes()
			p := Public{
				Logger:  slog.New(slog.DiscardHandler),
				Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the door") }),
				Secured: &Secured{
					TLS:       &tls.Config{Certificates: []tls.Certificate{certificate}},
					Elsewhere: func(netip.AddrPort) (netip.AddrPort, bool) { return netip.AddrPort{}, false },
				},
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- p.Run(ctx, l) }()
			silent := l.dial() // holds up nobody
			for _, secure := range []bool{true, false} {
				var conn net.Conn = &split{Conn: l.dial(), parts: append([]int(nil), parts...), pause: time.Second}
				if secure {
					conn = tls.Client(conn, &tls.Config{ServerName: "example.com", RootCAs: trust})
				}
				if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
					t.Fatalf("parts %v, TLS %v: %v", parts, secure, err)
				}
				r, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatalf("parts %v, TLS %v: %v", parts, secure, err)
				}
				if body, err := io.ReadAll(r.Body); err != nil || string(body) != "the door" {
					t.Errorf("parts %v, TLS %v: %q, %v", parts, secure, body, err)
				}
				conn.Close()
			}
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if _, err := silent.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("a silent connection after the end: %v", err)
			}
		})
	}
}

// Who says nothing is let go after the time that a header may take, is no visitor, and
// keeps no other waiting.
func TestWhoIsSilentAtAPortForBothIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		visitors := newCrowd(l, 0)
		arrived := 0
		visitors.arrived = func(_, _ netip.AddrPort) { arrived++ }
		e := newEither(visitors, &tls.Config{})
		silent, begun := l.dial(), time.Now()
		speaks := l.dial()
		go func() { _, _ = io.WriteString(speaks, "G") }()
		conn, err := e.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if visitOf(conn) == nil {
			t.Error("the connection is of no visit")
		}
		if _, err := silent.Read(make([]byte, 1)); err != io.EOF || time.Since(begun) != headerTime {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		synctest.Wait()
		if visitors.mu.Lock(); len(visitors.conns) != 1 || arrived != 1 {
			t.Errorf("%d connections, %d have arrived; only one has said anything", len(visitors.conns), arrived)
		}
		visitors.mu.Unlock()
		// Those who have not spoken yet end with the listener, and no later one stays.
		silent = l.dial()
		synctest.Wait()
		e.Close()
		if _, err := silent.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a silent connection after the end: %v", err)
		}
		if _, err := e.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a connection was accepted after the end: %v", err)
		}
		conn.Close()
		e.all.Wait()
	})
}
