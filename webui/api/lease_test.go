package api

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
)

// A lease ends with the command that holds it:
//
//	the command ends it                          end
//	its context ends                             cancelled
//	its process is killed or loses its terminal  TestLeaseEndsWithTheProcess
//	the node stops                               TestLeaseOfANodeThatStops
//
// What a node does when a lease ends is tested in share/engine (owners), and with
// real signals by the script over.txtar in cmd/shoal.
func TestLeaseEndsWithItsHolder(t *testing.T) {
	for name, stop := range map[string]func(end, cancel func()){
		"end":                       func(end, _ func()) { end() },
		"cancelled":                 func(_, cancel func()) { cancel() },
		"ended twice and cancelled": func(end, cancel func()) { end(); end(); cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			f := newLeasing()
			c, _, _ := serve(t, f)
			ctx, cancel := context.WithCancel(quietContext(t))
			defer cancel()
			lease, end, err := c.Lease(ctx)
			if err != nil || lease != "lease" {
				t.Fatalf("%q, %v", lease, err)
			}
			defer end()
			// It lasts while its holder sends other requests.
			if _, err := c.Hello(ctx); err != nil {
				t.Fatal(err)
			}
			select {
			case <-f.ended:
				t.Fatal("it ended by itself")
			default:
			}
			stop(end, cancel)
			f.wait(t)
		})
	}
}

// The system closes the connections of a process, however it ends.
func TestLeaseEndsWithTheProcess(t *testing.T) {
	f := newLeasing()
	_, _, url := serve(t, f)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET "+Base+"/lease HTTP/1.1\r\nHost: shoal\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", resp, err)
	}
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || !strings.Contains(line, `"lease"`) {
		t.Fatalf("%q, %v", line, err)
	}
	conn.Close()
	f.wait(t)
}

// A node that stops ends its leases, and does not wait for their holders.
func TestLeaseOfANodeThatStops(t *testing.T) {
	f := newLeasing()
	a, err := New(f.config())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	srv := httptest.NewServer(a.Handler())
	defer srv.Close() // which waits for requests under way
	c := NewClient(func(context.Context) (net.Conn, error) { return net.Dial("tcp", srv.Listener.Addr().String()) })
	defer c.Close()
	_, end, err := c.Lease(quietContext(t))
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	stop()
	f.wait(t)
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

// The client returns the error of a node that makes no lease.
func TestNoLease(t *testing.T) {
	f := newLeasing()
	f.refuse = share.Errorf(share.NoNode, "the node is stopping")
	c, _, _ := serve(t, f)
	if lease, _, err := c.Lease(quietContext(t)); share.KindOf(err) != share.NoNode || lease != "" {
		t.Errorf("%q, %v", lease, err)
	}
}

// leasing is a node that records when its lease ends.
type leasing struct {
	*fake
	ended  chan struct{}
	refuse error
}

func newLeasing() *leasing { return &leasing{fake: newFake(0), ended: make(chan struct{})} }

func (l *leasing) Lease() (string, func(), error) {
	return "lease", func() { close(l.ended) }, l.refuse
}

func (l *leasing) config() Config {
	c := l.fake.config()
	c.Intake = l
	return c
}

func (l *leasing) wait(t *testing.T) {
	t.Helper()
	select {
	case <-l.ended:
	case <-quietContext(t).Done():
		t.Fatal("the lease never ended")
	}
}
