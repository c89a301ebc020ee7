package infofetch

import (
	"bufio"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/anacrolix/torrent/mse"
)

const (
	pipeline   = 8 // blocks asked for ahead
	maxRejects = 4 // of one peer in a row
	rejectWait = 500 * time.Millisecond
	maxLearned = 200 // addresses of one peer
	// An honest peer sends few other messages to one that only requests metadata.
	maxChatter = 2000
)

// outcome is the result of a session; info is nil unless the peer sent it.
type outcome struct {
	s       *session
	verdict verdict
	info    []byte
	err     error
}

// session asks one peer.
type session struct {
	f        *Fetch
	addr     netip.AddrPort
	holds    atomic.Int64 // since when it has a slot, in Unix nanoseconds; 0 without
	received atomic.Int64 // useful bytes
	cancel   context.CancelCauseFunc
}

func (f *Fetch) start(ctx context.Context, addr netip.AddrPort, outcomes chan<- outcome) *session {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &session{f: f, addr: addr, cancel: cancel}
	go func() {
		o := s.run(ctx)
		o.s = s
		cancel(nil)
		outcomes <- o
	}()
	return s
}

func (s *session) run(ctx context.Context) outcome {
	info, err := s.attempt(ctx, false)
	if errors.Is(err, errNotBitTorrent) && ctx.Err() == nil {
		// Peers that require encryption close the connection on a plain handshake.
		info, err = s.attempt(ctx, true)
	}
	switch {
	case err == nil:
		return outcome{verdict: gave, info: info}
	case errors.Is(err, errForged):
		return outcome{verdict: forged, err: err}
	case s.f.cfg.NotNow != nil && s.f.cfg.NotNow(err):
		return outcome{verdict: untried, err: err}
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return outcome{verdict: unreachable, err: err}
}

func (s *session) connect(ctx context.Context) (net.Conn, error) {
	patience := s.f.cfg.Patience
	if s.f.queue.waits(time.Now()) {
		patience /= 2
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := s.f.cfg.Dial(ctx, s.addr)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", s.addr, err)
	}
	return conn, nil
}

// attempt opens one connection and asks over it.
func (s *session) attempt(ctx context.Context, encrypted bool) ([]byte, error) {
	cfg := &s.f.cfg
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	x := exchange{s: s, ctx: ctx, conn: conn}
	if err := x.progress(); err != nil {
		return nil, err
	}
	rw, err := s.shake(ctx, conn, encrypted)
	if err != nil {
		return nil, err
	}
	s.f.queue.answered(s.addr)

	s.f.waiting.Add(1)
	s.f.queue.wake() // Run may have to make room
	select {
	case s.f.slots <- struct{}{}:
		s.f.waiting.Add(-1)
	case <-ctx.Done():
		s.f.waiting.Add(-1)
		return nil, context.Cause(ctx)
	}
	s.holds.Store(time.Now().UnixNano())
	defer func() {
		s.holds.Store(0)
		<-s.f.slots
	}()
	x.w, x.r, x.buf = rw, bufio.NewReaderSize(rw, 4<<10), make([]byte, maxExtended)
	if err := x.progress(); err != nil {
		return nil, err
	}
	info, err := x.run()
	if err == nil && !cfg.fits(info) {
		return nil, errForged
	}
	return info, err
}

func (c *Config) fits(info []byte) bool {
	if c.Fits != nil {
		return c.Fits(info)
	}
	return sha1.Sum(info) == c.ID
}

func (s *session) shake(ctx context.Context, conn net.Conn, encrypted bool) (io.ReadWriter, error) {
	cfg := &s.f.cfg
	hello := handshake(cfg.ID, cfg.PeerID, cfg.OnDHTNode != nil)
	if !encrypted {
		if _, err := conn.Write(hello); err != nil {
			return nil, fmt.Errorf("%w: %w", errNotBitTorrent, err)
		}
		return conn, readHandshake(conn, cfg.ID)
	}
	rw, _, err := mse.InitiateHandshakeContext(ctx, conn, cfg.ID[:], hello, mse.AllSupportedCrypto)
	if err != nil {
		return nil, fmt.Errorf("encrypted handshake with %s: %w", s.addr, err)
	}
	return rw, readHandshake(rw, cfg.ID)
}

var errForged = errors.New("the peer's bytes do not have the right hash")
