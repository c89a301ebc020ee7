package pcp

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/shoalnet/shoal/share"
)

const (
	// firstWait is how long the first answer may take before the request is sent
	// again (RFC 6887, 8.1.1), tries how often it is sent before the server counts
	// as absent.
	firstWait = 3 * time.Second
	tries     = 2
	// maxLifetime is the longest lifetime that is accepted (RFC 6887, 8.5).
	maxLifetime = 24 * time.Hour
)

// ErrSilence is wrapped by the error of a server that does not answer.
var ErrSilence = share.Wrapf("no answer")

// Session is one address of this host towards one server. It is not safe for
// concurrent use.
type Session struct {
	client netip.Addr
	server netip.AddrPort
	conn   net.PacketConn
	wait   time.Duration
	now    func() time.Time
	buf    []byte

	heard  bool // epoch and at are set
	epoch  uint32
	at     time.Time
	resets int // how often the server was seen to have lost its state
	nonces map[hole]Nonce
}

type hole struct {
	protocol uint8
	port     uint16
}

// Open makes a session. It sends nothing.
func Open(client netip.Addr, server netip.AddrPort, now func() time.Time) (*Session, error) {
	network := "udp6"
	if client.Is4() {
		network = "udp4"
	}
	conn, err := net.ListenPacket(network, netip.AddrPortFrom(client.WithZone(""), 0).String())
	if err != nil {
		return nil, share.Wrapf("opening a port for PCP: %w", err)
	}
	return &Session{
		client: client.WithZone(""), server: server, conn: conn, wait: firstWait, now: now,
		buf: make([]byte, maxLen+1), nonces: map[hole]Nonce{},
	}, nil
}

// SetWait replaces the time in which the first answer has to come.
func (s *Session) SetWait(d time.Duration) { s.wait = d }

// Close ends the session; mappings stay until their leases end.
func (s *Session) Close() error { return s.conn.Close() }

// Server is the address of the server.
func (s *Session) Server() netip.AddrPort { return s.server }

// Resets is how often the server was seen to have lost its state. Mappings from
// before have to be made again.
func (s *Session) Resets() int { return s.resets }

// Map opens port for all hosts by TCP or UDP, or keeps it open, and returns for how
// long.
func (s *Session) Map(ctx context.Context, protocol uint8, port uint16, lifetime time.Duration) (time.Duration, error) {
	want := netip.AddrPortFrom(s.client, port)
	got, life, err := s.ask(ctx, protocol, port, want, lifetime, true)
	if err == nil && lifetime > 0 && got != want {
		// The router translates addresses: it opened another one than links
		// contain.
		return 0, share.Wrapf("it opens %s instead", got)
	}
	return life, err
}

// Translate has the router pass what arrives at a port of its own address to port, or go
// on, and returns that address and for how long. want is the address that is preferred;
// it may be unspecified.
func (s *Session) Translate(ctx context.Context, protocol uint8, port uint16, want netip.AddrPort, lifetime time.Duration) (netip.AddrPort, time.Duration, error) {
	return s.ask(ctx, protocol, port, want, lifetime, false)
}

func (s *Session) ask(ctx context.Context, protocol uint8, port uint16, want netip.AddrPort, lifetime time.Duration, exact bool) (netip.AddrPort, time.Duration, error) {
	h := hole{protocol, port}
	nonce, known := s.nonces[h]
	if !known {
		_, _ = rand.Read(nonce[:])
		s.nonces[h] = nonce // renewals use the same one
	}
	m := Mapping{nonce, protocol, port, want}
	r, err := s.exchange(ctx, mapRequest(s.client, lifetime, m, exact), func(r Response) bool {
		return r.Mapping.Nonce == nonce && r.Mapping.Protocol == protocol && r.Mapping.Internal == port || r.Mapping == Mapping{} && r.Result == WrongVersion
	})
	got := netip.AddrPortFrom(r.Mapping.External.Addr().Unmap(), r.Mapping.External.Port())
	switch {
	case err != nil:
		return got, 0, err
	case r.Result != 0:
		return got, 0, r.Result
	case lifetime == 0:
		delete(s.nonces, h)
		return got, 0, nil
	case r.Lifetime <= 0:
		return got, 0, share.Wrapf("it opens it for no time")
	}
	return got, min(r.Lifetime, maxLifetime), nil
}

// Unmap undoes Map.
func (s *Session) Unmap(ctx context.Context, protocol uint8, port uint16) error {
	_, err := s.Map(ctx, protocol, port, 0)
	return err
}

// exchange sends a request until its answer arrives.
func (s *Session) exchange(ctx context.Context, request []byte, ours func(Response) bool) (Response, error) {
	defer context.AfterFunc(ctx, func() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) })()
	wait := s.wait
	to := net.UDPAddrFromAddrPort(s.server)
	for range tries {
		if ctx.Err() != nil {
			return Response{}, context.Cause(ctx)
		}
		if _, err := s.conn.WriteTo(request, to); err != nil {
			return Response{}, share.Wrapf("asking %s: %w", s.server.Addr(), err)
		}
		_ = s.conn.SetReadDeadline(time.Now().Add(wait))
		if ctx.Err() != nil {
			return Response{}, context.Cause(ctx)
		}
		for {
			r, err := s.read()
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return Response{}, share.Wrapf("asking %s: %w", s.server.Addr(), err)
			}
			if ours(r) {
				s.heed(r.Epoch)
				return r, nil
			}
		}
		wait *= 2
	}
	if ctx.Err() != nil {
		return Response{}, context.Cause(ctx)
	}
	return Response{}, share.Wrapf("asking %s: %w", s.server.Addr(), ErrSilence)
}

// read returns the next response of the server and ignores everything else.
func (s *Session) read() (Response, error) {
	for {
		n, from, err := s.conn.ReadFrom(s.buf)
		if err != nil {
			return Response{}, err
		}
		u, ok := from.(*net.UDPAddr)
		if !ok || !s.near(netip.AddrPortFrom(u.AddrPort().Addr().Unmap(), u.AddrPort().Port())) {
			continue
		}
		if r, err := Parse(s.buf[:n]); err == nil {
			return r, nil
		}
	}
}

// near reports whether an answer may come from there. A router has several
// addresses and may answer from another than it was asked at, but only from the
// same link.
func (s *Session) near(from netip.AddrPort) bool {
	if from.Port() != s.server.Port() {
		return false
	}
	a := from.Addr()
	if a == s.server.Addr() {
		return true
	}
	link, err := s.client.Prefix(64)
	return a.IsLinkLocalUnicast() && a.Zone() == s.server.Addr().Zone() || err == nil && link.Contains(a.WithZone(""))
}

// heed detects that the server has lost its state (RFC 6887, 8.5).
func (s *Session) heed(epoch uint32) {
	now := s.now()
	if s.heard {
		client := now.Sub(s.at) / time.Second
		server := time.Duration(int64(epoch) - int64(s.epoch))
		if server < -1 || client+2 < server-server/16 || server+2 < client-client/16 {
			s.resets++
		}
	}
	s.heard, s.epoch, s.at = true, epoch, now
}
