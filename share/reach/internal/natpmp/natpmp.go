// Package natpmp keeps to itself how a router is asked by NAT-PMP (RFC 6886) for ports of
// its IPv4 address.
//
//	request   0  op      address (op 0): nothing more
//	                     map (op 1 UDP, 2 TCP): 0[2]  internal[2]  external[2]  lifetime[4]
//	response  0  0x80+op  result[2]  epoch[4]  then address[4], or internal[2] external[2] lifetime[4]
package natpmp

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/shoalnet/shoal/share"
)

const (
	opAddress = 0
	opTCP     = 2
	response  = 0x80

	// firstWait is how long the first answer may take, tries how often a request is sent,
	// the wait doubled each time, before the router counts as absent.
	firstWait   = 250 * time.Millisecond
	tries       = 4
	maxLifetime = 24 * time.Hour
)

// Result is the code of an answer; 0 is success.
type Result uint16

func (r Result) Error() string { return r.Text().String() }

// Text explains a result.
func (r Result) Text() share.Text {
	names := map[Result]share.Text{
		1: share.Say("it supports another version"), 2: share.Say("it is not allowed"), 3: share.Say("its own network is down"),
		4: share.Say("it has no resources left"), 5: share.Say("it does not support this"),
	}
	if n, ok := names[r]; ok {
		return share.Say("%s (NAT-PMP result %d)", n, int(r))
	}
	return share.Say("NAT-PMP result %d", int(r))
}

// ErrSilence is wrapped by the error of a router that does not answer.
var ErrSilence = share.Wrapf("no answer")

// Mapping is a port of the router that leads to one of this host.
type Mapping struct {
	Internal, External uint16
	Lifetime           time.Duration
}

// Session is one address of this host towards one router. It is not safe for concurrent
// use.
type Session struct {
	conn net.Conn
	wait time.Duration
}

// Open makes a session. It sends nothing.
func Open(local netip.Addr, server netip.AddrPort) (*Session, error) {
	// A connected socket hears nobody but the router.
	conn, err := net.DialUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0)), net.UDPAddrFromAddrPort(server))
	if err != nil {
		return nil, share.Wrapf("opening a port for NAT-PMP: %w", err)
	}
	return &Session{conn, firstWait}, nil
}

// SetWait replaces the time in which the first answer has to come.
func (s *Session) SetWait(d time.Duration) { s.wait = d }

// Close ends the session; mappings stay until their leases end.
func (s *Session) Close() error { return s.conn.Close() }

// Address is the router's own address.
func (s *Session) Address(ctx context.Context) (netip.Addr, error) {
	b, err := s.exchange(ctx, []byte{0, opAddress}, 12)
	if err != nil {
		return netip.Addr{}, err
	}
	return netip.AddrFrom4([4]byte(b[8:12])), nil
}

// Map has the router pass a port of its address to port of this host, by TCP, or go on.
// external is the one that is preferred.
func (s *Session) Map(ctx context.Context, port, external uint16, lifetime time.Duration) (Mapping, error) {
	b, err := s.exchange(ctx, mapRequest(port, external, lifetime), 16)
	if err != nil {
		return Mapping{}, err
	}
	m := parseMapping(b)
	switch {
	case m.Internal != port:
		return Mapping{}, share.Wrapf("it answers for port %d", m.Internal)
	case lifetime > 0 && (m.Lifetime <= 0 || m.External == 0):
		return Mapping{}, share.Wrapf("it opens it for no time")
	}
	m.Lifetime = min(m.Lifetime, maxLifetime)
	return m, nil
}

// Unmap undoes Map.
func (s *Session) Unmap(ctx context.Context, port uint16) error {
	_, err := s.exchange(ctx, mapRequest(port, 0, 0), 16)
	return err
}

func mapRequest(port, external uint16, lifetime time.Duration) []byte {
	b := binary.BigEndian.AppendUint16([]byte{0, opTCP, 0, 0}, port)
	b = binary.BigEndian.AppendUint16(b, external)
	return binary.BigEndian.AppendUint32(b, uint32(lifetime/time.Second))
}

func parseMapping(b []byte) Mapping {
	return Mapping{
		Internal: binary.BigEndian.Uint16(b[8:]), External: binary.BigEndian.Uint16(b[10:]),
		Lifetime: time.Duration(binary.BigEndian.Uint32(b[12:])) * time.Second,
	}
}

// parse reports whether b is an answer to op, of so many bytes unless it is a refusal,
// and returns its result.
func parse(b []byte, op byte, size int) (Result, bool) {
	if len(b) < 8 || b[0] != 0 || b[1] != op|response {
		return 0, false
	}
	r := Result(binary.BigEndian.Uint16(b[2:]))
	return r, r != 0 || len(b) >= size
}

// exchange sends a request until its answer of so many bytes arrives.
func (s *Session) exchange(ctx context.Context, request []byte, size int) ([]byte, error) {
	defer context.AfterFunc(ctx, func() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) })()
	fail := func(err error) error {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return share.Wrapf("asking %s: %w", s.conn.RemoteAddr(), err)
	}
	buf := make([]byte, 1100)
	wait := s.wait
	for range tries {
		_ = s.conn.SetReadDeadline(time.Now().Add(wait))
		if ctx.Err() != nil {
			return nil, fail(ctx.Err())
		}
		if _, err := s.conn.Write(request); err != nil {
			return nil, fail(err)
		}
		for {
			n, err := s.conn.Read(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return nil, fail(err)
			}
			r, ours := parse(buf[:n], request[1], size)
			switch {
			case !ours:
			case r != 0:
				return nil, fail(r)
			default:
				return buf[:n], nil
			}
		}
		wait *= 2
	}
	return nil, fail(ErrSilence)
}
