// Package utp offers the names that anacrolix/torrent takes from
// anacrolix/go-utp, on the pure-Go implementation of BEP 29 in anacrolix/utp.
// It stands in for that module through a replace directive in shoal's go.mod,
// so that shoal builds where go-utp cannot be had.
package utp

import (
	"context"
	"log/slog"
	"net"

	"github.com/anacrolix/utp"
)

// Default names the implementation in error messages.
const Default = "anacrolix/utp"

// FirewallCallback reports whether an incoming connection from addr is refused.
type FirewallCallback func(addr net.Addr) bool

// Socket listens and dials over one UDP socket.
type Socket interface {
	net.PacketConn
	Accept() (net.Conn, error)
	Addr() net.Addr
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	SetFirewallCallback(FirewallCallback)
}

// Option configures a Socket at its creation.
type Option func(*socket)

// WithLogger names where refused connections are logged, at debug level.
func WithLogger(l *slog.Logger) Option { return func(s *socket) { s.logger = l } }

// NewSocket listens on addr.
func NewSocket(network, addr string, opts ...Option) (Socket, error) {
	pc, err := net.ListenPacket(network, addr)
	if err != nil {
		return nil, err
	}
	return NewSocketFromPacketConn(pc, opts...)
}

// NewSocketFromPacketConn takes pc over: closing the Socket closes pc. Sources that
// have not shown that they are where they say are sent next to nothing.
func NewSocketFromPacketConn(pc net.PacketConn, opts ...Option) (Socket, error) {
	s, err := utp.NewSocketFromPacketConn(newFrugal(pc))
	if err != nil {
		return nil, err
	}
	return wrap(s, opts), nil
}

type socket struct {
	*utp.Socket
	logger  *slog.Logger
	refuses FirewallCallback
}

func wrap(s *utp.Socket, opts []Option) *socket {
	w := &socket{Socket: s, logger: slog.New(slog.DiscardHandler)}
	for _, o := range opts {
		o(w)
	}
	return w
}

// SetFirewallCallback must be called before the first Accept.
func (s *socket) SetFirewallCallback(f FirewallCallback) { s.refuses = f }

// Accept returns the next connection that the firewall callback lets in. The
// pure-Go implementation has no hook before its handshake, so a refused
// connection is closed right after it.
func (s *socket) Accept() (net.Conn, error) {
	for {
		c, err := s.Socket.Accept()
		if err != nil {
			return nil, err
		}
		if s.refuses == nil || !s.refuses(c.RemoteAddr()) {
			return c, nil
		}
		s.logger.Debug("refused connection", "addr", c.RemoteAddr())
		c.Close()
	}
}
