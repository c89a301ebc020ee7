package webui

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Public serves a handler that anybody may reach, on one listener. It bounds connections
// and slow requests as the page does, and shares nothing else with the page.
type Public struct {
	Logger  *slog.Logger
	Handler http.Handler
	TLS     *tls.Config // nil is plain HTTP, or Secured
	Secured *Secured    // without TLS: where certificates come and go
	// Before answers requests before Secured sends them elsewhere, and reports whether it
	// did; nil answers none.
	Before func(w http.ResponseWriter, r *http.Request, local netip.AddrPort) bool
	// Arrived is told of visitors: of each connection once it has sent something, and
	// again with each request. It must not block.
	Arrived func(local, remote netip.AddrPort)
	// MaxConns bounds the number of connections; 0 is 256.
	MaxConns int
}

// Run serves on l until ctx ends, and closes l.
func (p Public) Run(ctx context.Context, l net.Listener) error {
	base, stop := context.WithCancel(context.Background())
	defer stop()
	visitors := newCrowd(l, p.MaxConns)
	visitors.arrived = p.Arrived
	handler := p.Handler
	if p.Secured != nil {
		handler = p.Secured.send(handler)
	}
	if p.Before != nil {
		handler = before(p.Before, handler)
	}
	srv := &http.Server{
		Handler:           hurried(handler),
		ConnState:         visitors.watch,
		ConnContext:       visitors.introduce,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(p.Logger.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return base },
		TLSConfig:         p.TLS.Clone(), // a server changes its own
	}
	if err := runServer(ctx, srv, visitors, p.Secured, stop); err != nil {
		return fmt.Errorf("serving web links: %w", err)
	}
	return nil
}

func before(answers func(http.ResponseWriter, *http.Request, netip.AddrPort) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answers(w, r, localOf(r)) {
			next.ServeHTTP(w, r)
		}
	})
}
