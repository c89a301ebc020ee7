package webui

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"testing"
)

// A sender that reads nothing before it has sent all gets the answer that was given to the
// first bytes.
func TestARefusalArrivesAtWhoStillSends(t *testing.T) {
	const size = 64 << 20 // more than the system holds
	for name, secured := range map[string]*Secured{
		"HTTP": nil,
		"both": {TLS: &tls.Config{}, Elsewhere: func(netip.AddrPort) (netip.AddrPort, bool) { return netip.AddrPort{}, false }},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "[::1]:0")
			if err != nil {
				t.Fatal(err)
			}
			p := Public{
				Logger:  slog.New(slog.DiscardHandler),
				Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInsufficientStorage) }),
				Secured: secured,
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- p.Run(ctx, l) }()
			defer func() {
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size)
			part := make([]byte, 1<<20)
			for range size / len(part) {
				if _, err := c.Write(part); err != nil {
					t.Fatal(err)
				}
			}
			r, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != http.StatusInsufficientStorage {
				t.Errorf("%s, %v", r.Status, err)
			}
		})
	}
}
