package webui

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Attacks that were measured, and the tests of what stops them and those like them:
//
//	2,000 idle connections to the page                        TestIdleConnectionsToThePage, TestWhoGivesWayAtThePage
//	1.5 wrong bearers a second from 40 /64s; a few on loopback  TestWrongTokensLockNobodyOut, TestWrongPasswordsFromElsewhere
//
// cmd/e2e tests that the control socket answers meanwhile.

// from is a connection from an address that the test chooses.
type from struct {
	net.Conn
	remote net.Addr
	closed bool
}

func (f *from) RemoteAddr() net.Addr { return f.remote }
func (f *from) Close() error         { f.closed = true; return nil }

// A crowd that accepts connections without a listener.
func (c *crowd) joins(network, host int) (v *visit, ok bool) {
	a := netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:%x::%x]:1", network, host))
	v = &visit{Conn: &from{remote: net.TCPAddrFromAddrPort(a)}, of: c, networks: networksOf(a.Addr())}
	gone, ok := c.enter(v)
	if gone != nil {
		gone.Close()
	}
	return v, ok
}

func gone(v *visit) bool { return v.Conn.(*from).closed }

func TestWhoGivesWayAtThePage(t *testing.T) {
	c := newCrowd(nil, 10)
	var all []*visit
	for i := range 4 { // one network has most
		v, _ := c.joins(1, i)
		all = append(all, v)
	}
	for i := range 6 {
		v, _ := c.joins(2+i, 1)
		all = append(all, v)
	}
	all[0].busy.Store(true)
	working := all[1]
	working.busy.Store(true)
	working.known.Store(true)
	for _, want := range []*visit{all[2], all[3]} {
		if _, ok := c.joins(100+int(want.number), 1); !ok || !gone(want) {
			t.Errorf("%v gives way: the network with most, idle, the eldest first", want)
		}
	}
	// Then the busy one of that network, which still has more connections than others.
	if _, ok := c.joins(200, 1); !ok || !gone(all[0]) || gone(working) {
		t.Error("who is signed in and at work gives way")
	}
	known := all[4]
	known.known.Store(true)
	for i := range 100 {
		if _, ok := c.joins(300+i, 1); !ok {
			t.Fatal("a stranger finds no room")
		}
	}
	if gone(known) || gone(working) {
		t.Error("who has signed in gives way to who has not")
	}
	if len(c.conns) != 10 {
		t.Errorf("%d connections", len(c.conns))
	}
	for v := range c.conns {
		v.known.Store(true)
		v.busy.Store(true)
	}
	if v, ok := c.joins(1000, 1); ok || c.conns[v] == struct{}{} && len(c.conns) != 10 {
		t.Error("one too many is let in")
	}
	for v := range c.conns {
		v.Close()
		v.Close()
	}
	if len(c.conns) != 0 || len(c.networks) != 0 {
		t.Errorf("left behind: %v %v", c.conns, c.networks)
	}
}

// While one network reconnects as fast as it can, others get their answers.
func TestOneNetworkDoesNotFillThePage(t *testing.T) {
	c := newCrowd(nil, 50)
	for i := range 2000 {
		c.joins(1, i)
	}
	owner, ok := c.joins(2, 1)
	for i := range 2000 {
		c.joins(1, i)
	}
	if !ok || gone(owner) {
		t.Error("the owner is kept out")
	}
}

// Idle connections, those that send no request and those that never read, block nobody:
// signed-in users go on, and new connections are answered.
func TestIdleConnectionsToThePage(t *testing.T) {
	f := start(t, func(c *Config) { c.MaxConns = 20 })
	cookie := f.signIn(t)
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	var idle []net.Conn
	for i := range 200 {
		c, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%2 == 1 { // keeps its connection after an answer
			fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", f.addr)
		}
		idle = append(idle, c)
		if i%20 == 0 {
			if res := f.do(t, request{"GET", "/", "", nil}); res.StatusCode != 200 {
				t.Fatalf("with %d connections: %s", i, res.Status)
			}
			res := f.do(t, request{"GET", "/api/v1/transfers", "", map[string]string{"Cookie": cookie}})
			if res.StatusCode != 204 {
				t.Fatalf("with %d connections: %s", i, res.Status)
			}
			<-f.reached
		}
	}
	// All but twenty were closed.
	open := 0
	for _, c := range idle {
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			open++
		}
	}
	if open > 20 {
		t.Errorf("%d of at most 20 connections are open", open)
	}
}

// The stream of a signed-in user stays while strangers connect and disconnect.
func TestSignedInStreamsStay(t *testing.T) {
	began := make(chan struct{})
	end := make(chan struct{})
	f := start(t, func(c *Config) {
		c.MaxConns = 8
		c.API = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			close(began)
			<-end
			_, _ = io.WriteString(w, "all of it")
		})
	})
	res := f.do(t, request{"GET", "/api/v1/events", "", map[string]string{"Cookie": f.signIn(t)}})
	<-began
	for range 50 {
		c, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", f.addr)
		_, _ = bufio.NewReader(c).ReadString('\n') // it was accepted, or closed
	}
	close(end)
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != "all of it" {
		t.Errorf("%q, %v", b, err)
	}
}
