package webui

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Public serves a handler that anybody may reach, on one listener. It bounds connections
// and slow requests as the page does, and shares nothing else with the page.
type Public struct {
	Logger  *slog.Logger
	Handler http.Handler
	TLS     *tls.Config // nil is plain HTTP
	// MaxConns bounds the number of connections; 0 is 256.
	MaxConns int
}

// Run serves on l until ctx ends, and closes l.
func (p Public) Run(ctx context.Context, l net.Listener) error {
	base, stop := context.WithCancel(context.Background())
	defer stop()
	visitors := newCrowd(l, p.MaxConns)
	srv := &http.Server{
		Handler:           hurried(p.Handler),
		ConnState:         visitors.watch,
		ConnContext:       visitors.introduce,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(p.Logger.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return base },
		TLSConfig:         p.TLS.Clone(), // a server changes its own
	}
	if err := runServer(ctx, srv, visitors, stop); err != nil {
		return fmt.Errorf("serving web links: %w", err)
	}
	return nil
}
