package utp

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoalnet/shoal/share/utp/internal/core"
)

// DefaultTarget is the highest queueing delay that a flow aims at.
const DefaultTarget = core.DefaultTarget

// Reasons for which a connection ends before it was closed at both ends.
var (
	ErrReset   = core.ErrReset   // the peer refused or ended it
	ErrTimeout = core.ErrTimeout // the peer does not answer
)

const (
	defaultBacklog = 128
	// What is on its way is kept beside the send buffer.
	defaultReceive, defaultSend = 1 << 20, 256 << 10
	// Datagrams that came before others, of all connections, take at most so many
	// bytes: anybody can send them without end.
	maxEarly = 64 << 20
	// So many connections that were closed here are kept until their peers have
	// everything; then the one that was closed first is cut off.
	maxClosed = 1024
	// maxDatagram is more than any datagram and any sum of segments has.
	maxDatagram = 64 << 10
	// libtorrent answers a SYN once. Where that answer is lost, it takes a call with
	// another id, which is begun when the first one was repeated in vain.
	redial = 1500 * time.Millisecond
	// A peer that may have forgotten a connection is called, for so long, and so many at
	// a time.
	seekTime = 5 * time.Second
	maxSeeks = 32
	// After an error of the socket we wait so long, then twice as long each time.
	firstPause, longestPause = time.Millisecond, time.Second
)

// Config holds the options of a Socket. The zero Config is usable.
type Config struct {
	// Target is the queueing delay to keep to; 0 for DefaultTarget.
	Target time.Duration
	// ReceiveBuffer and SendBuffer are the bytes of one connection that may wait to
	// be read, and to be sent besides those in flight; 0 for 1 MiB and 256 KiB. The
	// receive buffer limits the throughput to its size per round trip.
	ReceiveBuffer, SendBuffer int
	// Linger is how long after Close written data is still delivered; 0 for 30 s.
	Linger time.Duration
	// Backlog is how many connections may wait for Accept; 0 for 128. With less
	// than 0, nothing is accepted.
	Backlog int
}

// Socket has the connections of one net.PacketConn, and is a net.Listener. Its
// methods are safe for concurrent use.
type Socket struct {
	cfg     Config
	pc      SegmentConn
	begin   time.Time
	timers  timers
	early   atomic.Int64 // bytes that all connections hold
	backlog chan *Conn
	done    chan struct{} // closed by Close
	workers sync.WaitGroup
	seeks   chan struct{} // one for each peer that is called to find out whether it is there

	mu        sync.Mutex
	conns     map[key]*Conn
	strangers strangers
	closed    bool
	ended     []*Conn    // closed here and not over, in this order
	changed   *sync.Cond // something was delivered, or is over
}

// key is what tells connections apart: the peer, and the id of its datagrams.
type key struct {
	peer netip.AddrPort
	id   uint16
}

// New makes a Socket on pc, which is closed with it. Only the Socket may use pc.
func New(pc net.PacketConn, cfg Config) *Socket {
	if cfg.Backlog == 0 {
		cfg.Backlog = defaultBacklog
	}
	cfg.ReceiveBuffer = cmp.Or(cfg.ReceiveBuffer, defaultReceive)
	cfg.SendBuffer = cmp.Or(cfg.SendBuffer, defaultSend)
	s := &Socket{
		cfg: cfg, pc: carry(pc), begin: time.Now(), timers: timers{poke: make(chan struct{}, 1)},
		backlog: make(chan *Conn, max(0, cfg.Backlog)), done: make(chan struct{}), seeks: make(chan struct{}, maxSeeks),
		conns: make(map[key]*Conn), strangers: newStrangers(),
	}
	s.changed = sync.NewCond(&s.mu)
	s.workers.Go(s.receive)
	s.workers.Go(func() { s.timers.run(s.now, (*Conn).wake, s.done) })
	return s
}

func (s *Socket) now() time.Duration { return time.Since(s.begin) }

// Addr is the address of the net.PacketConn.
func (s *Socket) Addr() net.Addr { return s.pc.LocalAddr() }

// Accept waits for a connection from a peer that has shown that it receives our
// datagrams. The first datagram after its SYN shows that. If the accepting side
// writes first, the peer therefore has to acknowledge our answer unasked, as this
// package does and others may not.
func (s *Socket) Accept() (net.Conn, error) {
	select {
	case c := <-s.backlog:
		return c, nil
	case <-s.done:
		return nil, &net.OpError{Op: "accept", Net: network, Addr: s.Addr(), Err: net.ErrClosed}
	}
}

// Close ends the Socket, its connections and its net.PacketConn. Undelivered data
// is lost: see Shutdown. A second Close waits for the first one.
func (s *Socket) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.workers.Wait()
		return net.ErrClosed
	}
	s.closed = true
	all := make([]*Conn, 0, len(s.conns))
	for _, c := range s.conns {
		all = append(all, c)
	}
	s.changed.Broadcast()
	s.mu.Unlock()
	for _, c := range all {
		c.abort()
	}
	close(s.done)
	err := s.pc.Close()
	s.workers.Wait()
	return err
}

// Shutdown waits until all data written to closed connections is delivered, then
// closes the Socket. If ctx ends before, the rest is lost and Shutdown returns its
// error.
func (s *Socket) Shutdown(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	for ctx.Err() == nil && !s.closed && s.undelivered() {
		s.changed.Wait()
	}
	s.mu.Unlock()
	return errors.Join(ctx.Err(), s.Close())
}

// undelivered reports whether something of a closed connection is. s.mu is held.
func (s *Socket) undelivered() bool {
	for _, c := range s.ended {
		if !c.delivered.Load() {
			return true
		}
	}
	return false
}

// DialContext connects to an address as net.Dialer does. The network is udp, udp4
// or udp6.
func (s *Socket) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	if err == nil {
		return s.Dial(ctx, to)
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, network, service)
	if err != nil {
		return nil, err
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip"+network[min(len("udp"), len(network)):], host)
	for _, a := range addrs {
		var c *Conn
		if c, err = s.Dial(ctx, netip.AddrPortFrom(a, uint16(port))); err == nil {
			return c, nil
		}
	}
	return nil, err
}

// Dial connects to a peer. It tries until the peer has answered or refused, or ctx ends,
// for a minute at most. The error is a *net.OpError that wraps ErrReset, ErrTimeout, the
// error of ctx, or net.ErrClosed.
func (s *Socket) Dial(ctx context.Context, to netip.AddrPort) (*Conn, error) {
	c, err := s.dial(ctx, to)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: net.UDPAddrFromAddrPort(to), Err: err}
	}
	return c, nil
}

func (s *Socket) dial(ctx context.Context, to netip.AddrPort) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	to = s.native(to)
	first, err := s.call(to)
	if err != nil {
		return nil, err
	}
	select {
	case <-first.opened:
		return first.made()
	case <-ctx.Done():
		first.abort()
		return nil, ctx.Err()
	case <-time.After(redial):
	}
	second, err := s.call(to)
	if err != nil {
		first.abort()
		return nil, err
	}
	won, lost := first, second
	select {
	case <-first.opened:
	case <-second.opened:
		won, lost = second, first
	case <-ctx.Done():
		first.abort()
		second.abort()
		return nil, ctx.Err()
	}
	lost.abort()
	return won.made()
}

// native is an address as datagrams from there have it.
func (s *Socket) native(to netip.AddrPort) netip.AddrPort {
	a := to.Addr().Unmap()
	if u, ok := s.pc.LocalAddr().(*net.UDPAddr); ok && a.Is4() && u.IP.To4() == nil {
		a = netip.AddrFrom16(a.As16())
	}
	if i, err := strconv.Atoi(a.Zone()); err == nil {
		if in, err := net.InterfaceByIndex(i); err == nil {
			a = a.WithZone(in.Name)
		}
	}
	return netip.AddrPortFrom(a, to.Port())
}

// errIDs is met when a peer has tens of thousands of our connections.
var errIDs = errors.New("utp: no connection id is free")

// call sends a SYN, whose id no other connection with this peer has.
func (s *Socket) call(to netip.AddrPort) (*Conn, error) {
	for range 10 {
		c := newConn(s, to, true)
		c.mu.Lock()
		c.core = core.Dial(s.now(), s.config(c))
		err := s.register(c)
		if err == nil {
			c.leave()
			c.mu.Unlock()
			return c, nil
		}
		c.out = nil // its SYN is not sent
		c.mu.Unlock()
		if !errors.Is(err, errIDs) {
			return nil, err
		}
	}
	return nil, errIDs
}

// seek calls the peer of a connection, which does not answer on it: one that takes a
// call is there, and has forgotten the connection. Otherwise packets may be held up. It
// reports false if too many are being sought. The lock of c is held.
func (s *Socket) seek(c *Conn) bool {
	select {
	case s.seeks <- struct{}{}:
	default:
		return false
	}
	s.workers.Go(func() {
		defer func() { <-s.seeks }()
		there := false
		if call, err := s.call(c.peer); err == nil {
			late := time.AfterFunc(seekTime, call.abort)
			<-call.opened
			late.Stop()
			_, err = call.made()
			there = err == nil
			call.abort()
		}
		c.found(there)
	})
	return true
}

// config is what the machine of a connection is told.
func (s *Socket) config(c *Conn) core.Config {
	cfg := core.Config{
		Send: c.collect, Place: c.place, Target: s.cfg.Target, ReceiveBuffer: s.cfg.ReceiveBuffer, SendBuffer: s.cfg.SendBuffer,
		Linger: s.cfg.Linger, Full: s.full,
	}
	_, _ = rand.Read(cfg.Seed[:])
	return cfg
}

func (s *Socket) full() bool { return s.early.Load() >= maxEarly }

// register has datagrams find c, whose lock is held.
func (s *Socket) register(c *Conn) error {
	k := key{c.peer, c.core.ID()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	if s.conns[k] != nil {
		return errIDs
	}
	s.conns[k] = c
	return nil
}

// over forgets a connection. Its lock is held.
func (s *Socket) over(c *Conn) {
	s.timers.remove(&c.alarm)
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := (key{c.peer, c.core.ID()}); s.conns[k] == c {
		delete(s.conns, k)
	}
	s.strangers.leave(c)
	if !c.closed {
		return
	}
	for i, e := range s.ended {
		if e == c {
			s.ended = append(s.ended[:i], s.ended[i+1:]...)
			s.changed.Broadcast()
			return
		}
	}
}

// ending takes that a connection was closed here and returns one to cut off; nil is
// none. The lock of c is held.
func (s *Socket) ending(c *Conn) (most *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended = append(s.ended, c); len(s.ended) > maxClosed {
		most = s.ended[0]
		s.ended = s.ended[1:]
	}
	return most
}

// proven takes in a connection whose peer has shown that it is there. It reports
// false if there is no room. The lock of c is held.
func (s *Socket) proven(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strangers.leave(c)
	select {
	case s.backlog <- c:
		return true
	default:
		return false
	}
}

// receive gives datagrams to their connections until the Socket is closed.
func (s *Socket) receive() {
	b := make([]byte, maxDatagram)
	pause := firstPause
	for {
		n, size, from, at, err := s.pc.ReadSegments(b)
		switch {
		case err == nil:
			pause = firstPause
			s.deliver(b[:n], max(1, size), from, at)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			select {
			case <-s.done:
				return
			case <-time.After(pause):
				pause = min(2*pause, longestPause)
			}
		}
	}
}

// deliver gives away datagrams of one address. Those of one connection that come
// one after the other are dealt with at once.
func (s *Socket) deliver(b []byte, size int, from netip.AddrPort, at netip.Addr) {
	now := s.now()
	for len(b) > 0 {
		n := min(size, len(b))
		h, ok := core.ParseHeader(b[:n])
		if !ok {
			b = b[n:]
			continue
		}
		if c := s.find(from, h); c != nil {
			b = c.receive(now, b, size, h, at)
			continue
		}
		if h.Syn && s.cfg.Backlog >= 0 {
			s.greet(now, b[:n], from, at)
		} else if !h.Reset {
			s.refuse(now, h, from, at)
		}
		b = b[n:]
	}
}

// find is the connection that a datagram is for; nil for none. A SYN that is
// repeated has an id one less than what follows it; a reset may have that of either
// direction.
func (s *Socket) find(from netip.AddrPort, h core.Header) *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.Syn {
		return s.conns[key{from, h.ID + 1}]
	}
	if c := s.conns[key{from, h.ID}]; c != nil || !h.Reset {
		return c
	}
	if c := s.conns[key{from, h.ID - 1}]; c != nil {
		return c
	}
	return s.conns[key{from, h.ID + 1}]
}

// greet answers the SYN of a stranger, if that can be afforded.
func (s *Socket) greet(now time.Duration, syn []byte, from netip.AddrPort, at netip.Addr) {
	c := newConn(s, from, false)
	c.mu.Lock()
	defer c.mu.Unlock()
	s.mu.Lock()
	oldest, ok := s.strangers.enter(now, c)
	s.mu.Unlock()
	if oldest != nil {
		oldest.forget()
	}
	if !ok {
		return
	}
	c.local = at
	c.core, ok = core.Accept(now, s.config(c), syn)
	if ok && s.register(c) == nil {
		c.leave()
		return
	}
	c.out = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strangers.leave(c)
}

// refuse tells who sent a datagram that there is no such connection.
func (s *Socket) refuse(now time.Duration, h core.Header, to netip.AddrPort, from netip.Addr) {
	s.mu.Lock()
	ok := s.strangers.refuses(now)
	s.mu.Unlock()
	if !ok {
		return
	}
	b := core.AppendReset(nil, now, h)
	_ = s.pc.WriteSegments(b, len(b), to, from, false)
}
