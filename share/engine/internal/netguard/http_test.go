package netguard

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/shoalnet/shoal/share"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is an HTTP server on [::1].
func server(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func client(t *testing.T, cfg ClientConfig) *http.Client {
	c := Client(cfg)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

var lax = Policy{AllowPrivate: true}

func get(c *http.Client, url string) ([]byte, error) {
	resp, err := c.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func TestClientRefusesPrivateTargets(t *testing.T) {
	asked := make(chan string, 10)
	s := server(t, func(w http.ResponseWriter, r *http.Request) { asked <- r.URL.Path })
	if _, err := get(client(t, ClientConfig{}), s.URL); share.KindOf(err) != share.Refused {
		t.Errorf("fetched: %v", err)
	}
	if _, err := get(client(t, ClientConfig{TrustHost: "::1"}), s.URL+"/typed"); err != nil {
		t.Errorf("what the user typed: %v", err)
	}
	if len(asked) != 1 || <-asked != "/typed" {
		t.Error("the server was asked for what it should not")
	}
}

func TestClientChecksRedirects(t *testing.T) {
	inner := server(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "secret") })
	to := ""
	outer := server(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
	// The user typed localhost; a redirect to another name for the same place
	// is a stranger's.
	u, err := url.Parse(outer.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, ClientConfig{TrustHost: "localhost6.test"})
	c.Transport.(*bounded).next.DialContext = trusting(t, outer.Listener.Addr().String(), c)
	for _, target := range []string{inner.URL, "http://[::ffff:127.0.0.1]:1/", "http://[fe80::1]/", "http://169.254.169.254/latest"} {
		to = target
		body, err := get(c, "http://localhost6.test:"+u.Port())
		if err == nil {
			t.Errorf("redirected to %s and got %q", target, body)
		}
	}
	for _, target := range []string{"file:///etc/passwd", "gopher://[2001:db8::1]/", "ftp://[2001:db8::1]/"} {
		to = target
		if _, err := get(c, "http://localhost6.test:"+u.Port()); err == nil {
			t.Errorf("redirected to %s", target)
		}
	}
}

// trusting dials the trusted name where the test server is, everything else as
// the client would.
func trusting(t *testing.T, addr string, c *http.Client) func(context.Context, string, string) (net.Conn, error) {
	guarded := c.Transport.(*bounded).next.DialContext
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "localhost6.test:") {
			return lax.DialContext(ctx, network, addr)
		}
		return guarded(ctx, network, address)
	}
}

func TestClientStopsRedirecting(t *testing.T) {
	n := 0
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		http.Redirect(w, r, fmt.Sprint("/", n), http.StatusFound)
	})
	if _, err := get(client(t, ClientConfig{Policy: lax, MaxRedirects: 3}), s.URL); share.KindOf(err) != share.Refused {
		t.Errorf("endless redirects: %v", err)
	}
	if n != 4 {
		t.Errorf("%d requests", n)
	}
}

func TestClientBoundsBodies(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/exact":
			fmt.Fprint(w, strings.Repeat("x", 1000))
		case "/declared":
			w.Header().Set("Content-Length", "1001")
			fmt.Fprint(w, strings.Repeat("x", 1001))
		case "/endless":
			for r.Context().Err() == nil {
				fmt.Fprint(w, strings.Repeat("x", 1000))
			}
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			fmt.Fprint(z, strings.Repeat("x", 10<<20))
			z.Close()
		}
	})
	c := client(t, ClientConfig{Policy: lax, MaxBody: 1000})
	if b, err := get(c, s.URL+"/exact"); err != nil || len(b) != 1000 {
		t.Errorf("exact: %d bytes, %v", len(b), err)
	}
	for _, path := range []string{"/declared", "/endless", "/bomb"} {
		b, err := get(c, s.URL+path)
		if !errors.Is(err, ErrTooLarge) || len(b) > 1000 {
			t.Errorf("%s: %d bytes, %v", path, len(b), err)
		}
	}
}

func TestClientTimesOut(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	c := client(t, ClientConfig{Policy: lax, Timeout: 50 * time.Millisecond})
	_, err := get(c, s.URL)
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("a silent server: %v", err)
	}
}

func TestClientTellsItsName(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.UserAgent()) })
	b, err := get(client(t, ClientConfig{Policy: lax, UserAgent: "shoal/1"}), s.URL)
	if err != nil || string(b) != "shoal/1" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestCheckURL(t *testing.T) {
	for _, good := range []string{"http://seed.example/", "HTTPS://[2001:db8::1]:8080/a%20b?x=y"} {
		if err := CheckURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "seed.example", "http://", "http:///x", "ftp://seed.example/", "http://seed.example/%zz", "http://[::1",
		"http://a b/", "http://a/\x00", "http://a:b/", "http://a/" + strings.Repeat("x", maxURL),
	} {
		if err := CheckURL(bad); share.KindOf(err) != share.Refused {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestStreams(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		fmt.Fprint(w, strings.Repeat("x", 3<<20)) // beyond what Client takes
	})
	c := &http.Client{Transport: Transport(ClientConfig{Policy: lax})}
	defer c.CloseIdleConnections()
	if b, err := get(c, s.URL); err != nil || len(b) != 3<<20 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	guarded := &http.Client{Transport: Transport(ClientConfig{})}
	if _, err := get(guarded, s.URL); share.KindOf(err) != share.Refused {
		t.Errorf("%v", err)
	}
	if _, err := get(c, "gopher://[::1]/"); err == nil {
		t.Error("another scheme is fetched")
	}
}
