package utp

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoalnet/shoal/share/utp/internal/core"
)

const network = "utp"

// Stats are counts and measures of a connection.
type Stats struct {
	Sent, Received uint64 // bytes of data, each counted once
	Packets        uint64 // data packets sent
	Again          uint64 // of them retransmissions
	Timeouts       uint64 // times that nothing was acknowledged for too long
	Duplicates     uint64 // packets that arrived more than once
	Invalid        uint64 // datagrams that were no packet of this connection
	RTT            time.Duration
	Queueing       time.Duration // how long our packets wait in queues now
	Window         int           // bytes that may be in flight
	Datagram       int           // bytes of a full datagram
}

// Conn is a connection. Its methods are safe for concurrent use.
type Conn struct {
	of        *Socket
	peer      netip.AddrPort
	opened    chan struct{} // closed when a call was answered, or failed
	delivered atomic.Bool   // all that was written, or it will not be
	writing   sync.Mutex    // held by the one who writes

	mu     sync.Mutex
	core   *core.Conn
	local  netip.Addr // where the peer's datagrams arrive; invalid before the first
	called bool       // or accepted
	open   bool       // Accept has it, or the peer has answered
	closed bool       // by Close
	gone   bool       // the Socket has forgotten it
	sought bool       // it is being found out whether the peer is there
	early  int        // bytes that it holds, as counted in the Socket
	out    *burst     // what is to be sent; nil is nothing
	reads  waiter
	writes waiter

	alarm   alarm
	alarmAt time.Duration // when it will go off; guarded by mu
}

var bursts = sync.Pool{New: func() any { return &burst{b: make([]byte, 0, maxBurst)} }}

func newConn(s *Socket, peer netip.AddrPort, called bool) *Conn {
	c := &Conn{of: s, peer: peer, called: called, opened: make(chan struct{}), alarmAt: never}
	c.alarm.of = c
	c.reads.cond.L, c.writes.cond.L = &c.mu, &c.mu
	return c
}

// place is where the machine builds its next datagram: behind those that are sent
// with it. c.mu is held.
func (c *Conn) place(size int, fragment bool) []byte {
	if c.out == nil {
		c.out = bursts.Get().(*burst)
	}
	if !c.out.takes(size, fragment) {
		c.send()
	}
	return c.out.b[len(c.out.b):]
}

// collect takes the datagram that was built in its place.
func (c *Conn) collect(b []byte, fragment bool) { c.out.add(len(b), fragment) }

// send sends what was collected. What the system does not take is lost, as on a
// network.
func (c *Conn) send() {
	_ = c.of.pc.WriteSegments(c.out.b, c.out.size, c.peer, c.local, c.out.fragment)
	c.out.reset()
}

// leave is called when the machine was given something: it sends, sets the timer
// and wakes who waits. c.mu is held.
func (c *Conn) leave() {
	if !c.open && c.core.Connected() {
		c.open = true
		if c.called {
			close(c.opened)
		} else if !c.of.proven(c) {
			c.core.Abort(c.of.now())
		}
	}
	if c.out != nil {
		c.send()
		bursts.Put(c.out)
		c.out = nil
	}
	held := c.core.Held()
	if c.closed {
		held = 0
	}
	if held != c.early {
		c.of.early.Add(int64(held - c.early))
		c.early = held
	}
	if c.closed && !c.delivered.Load() && c.core.Delivered() {
		c.delivered.Store(true)
		c.of.mu.Lock()
		c.of.changed.Broadcast()
		c.of.mu.Unlock()
	}
	if !c.sought && c.core.Doubtful() {
		c.sought = c.of.seek(c)
	}
	if at, ok := c.core.Deadline(); !ok {
		c.finish()
	} else if at < c.alarmAt {
		c.alarmAt = at
		c.of.timers.set(&c.alarm, at)
	}
	if c.reads.waiting > 0 && c.core.Readable() {
		c.reads.cond.Broadcast()
	}
	if c.writes.waiting > 0 && (c.core.Err() != nil || c.roomy()) {
		c.writes.cond.Broadcast()
	}
}

// roomy reports whether there is room for enough to be worth waking who writes.
func (c *Conn) roomy() bool { return c.core.Room() > c.of.cfg.SendBuffer/2 }

// finish has the Socket forget a connection that is over. c.mu is held.
func (c *Conn) finish() {
	if c.gone {
		return
	}
	c.gone = true
	c.of.over(c)
	if c.called && !c.open {
		close(c.opened)
	}
}

// receive takes datagrams of c, whose first one has the header h, and returns those
// from the first on that may be of another.
func (c *Conn) receive(now time.Duration, b []byte, size int, h core.Header, at netip.Addr) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		n := min(size, len(b))
		c.core.Receive(now, b[:n])
		b = b[n:]
		if len(b) == 0 {
			break
		}
		next, ok := core.ParseHeader(b[:min(size, len(b))])
		if !ok || next.ID != h.ID || next.Syn || next.Reset {
			break
		}
	}
	if !c.local.IsValid() && c.core.Connected() {
		c.local = at
	}
	c.leave()
	return b
}

// wake is called when the alarm goes off.
func (c *Conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alarmAt = never
	now := c.of.now()
	if at, ok := c.core.Deadline(); ok && at <= now {
		c.core.Wake(now)
	}
	c.leave()
}

// forget ends a connection of which the peer is told nothing.
func (c *Conn) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finish()
}

// found is called when it is known whether the peer takes calls.
func (c *Conn) found(there bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sought = false; there {
		c.core.Found(c.of.now())
		c.leave()
	}
}

// made is a call that was answered, or why it was not.
func (c *Conn) made() (*Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.core.Connected() {
		return nil, plain(c.core.Err())
	}
	return c, nil
}

// abort ends a connection at once.
func (c *Conn) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.core.Abort(c.of.now())
	c.leave()
}

// Read implements net.Conn. After everything that the peer has written it returns io.EOF.
// The error of a connection that ended otherwise wraps ErrReset, ErrTimeout or
// net.ErrClosed; that of a deadline wraps os.ErrDeadlineExceeded.
func (c *Conn) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.reads.expired() {
			return 0, c.wrap("read", os.ErrDeadlineExceeded)
		}
		n, err := c.core.Read(c.of.now(), b)
		if n > 0 || err != nil || len(b) == 0 {
			c.leave()
			return n, c.wrap("read", err)
		}
		c.reads.wait()
	}
}

// Write implements net.Conn. It returns when all of b is in the send buffer. Its errors
// are those of Read.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.WriteBuffers(&net.Buffers{b})
	return int(n), err
}

// WriteBuffers writes the buffers one after the other, so that they share
// datagrams, and removes from them what it has written.
func (c *Conn) WriteBuffers(buffers *net.Buffers) (n int64, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.writes.expired() {
			return n, c.wrap("write", os.ErrDeadlineExceeded)
		}
		k, err := c.core.WriteBuffers(c.of.now(), *buffers)
		n += int64(k)
		skip(buffers, k)
		c.leave()
		if err != nil || len(*buffers) == 0 {
			return n, c.wrap("write", err)
		}
		if !c.roomy() {
			c.writes.wait()
		}
	}
}

// skip takes the first n bytes out of buffers, and those that are empty.
func skip(buffers *net.Buffers, n int) {
	for len(*buffers) > 0 && len((*buffers)[0]) <= n {
		n -= len((*buffers)[0])
		(*buffers)[0] = nil
		*buffers = (*buffers)[1:]
	}
	if n > 0 {
		(*buffers)[0] = (*buffers)[0][n:]
	}
}

// CloseWrite says that nothing more will be written: the peer reads what was
// written, then EOF.
func (c *Conn) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.core.CloseWrite(c.of.now())
	c.leave()
	c.writes.cond.Broadcast()
	return nil
}

// Close implements net.Conn. Data already written is still delivered, for as long
// as Config.Linger says.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return c.wrap("close", net.ErrClosed)
	}
	c.closed = true
	var most *Conn
	if !c.gone {
		most = c.of.ending(c)
	}
	c.core.Close(c.of.now())
	c.leave()
	c.reads.cond.Broadcast()
	c.writes.cond.Broadcast()
	c.mu.Unlock()
	if most != nil {
		most.abort()
	}
	return nil
}

// LocalAddr is the address at which the peer's datagrams arrive, or that of the
// Socket if the system does not report it.
func (c *Conn) LocalAddr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.of.pc.LocalAddr()
	if u, ok := a.(*net.UDPAddr); ok && c.local.IsValid() {
		return net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.local, uint16(u.Port)))
	}
	return a
}

// RemoteAddr is the peer's address, a *net.UDPAddr.
func (c *Conn) RemoteAddr() net.Addr { return net.UDPAddrFromAddrPort(c.peer) }

// Stats returns the current counts and measures.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats(c.core.Stats())
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.reads, t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.writes, t) }

func (c *Conn) setDeadline(w *waiter, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.wrap("set", net.ErrClosed)
	}
	w.deadline = t
	w.cond.Broadcast()
	return nil
}

// wrap makes an error one of package net's kind.
func (c *Conn) wrap(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: network, Source: c.of.pc.LocalAddr(), Addr: c.RemoteAddr(), Err: plain(err)}
}

// plain is the error of the machine as others know it.
func plain(err error) error {
	if errors.Is(err, core.ErrClosed) {
		return net.ErrClosed
	}
	return err
}

// waiter is those who wait to read or to write, and until when. The lock of its
// Conn guards it.
type waiter struct {
	cond     sync.Cond
	waiting  int
	deadline time.Time
	timer    *time.Timer // wakes them at the deadline; nil before there was one
}

func (w *waiter) expired() bool { return !w.deadline.IsZero() && !time.Now().Before(w.deadline) }

// wait returns when there may be something to do, or the deadline has passed.
func (w *waiter) wait() {
	if !w.deadline.IsZero() {
		if d := time.Until(w.deadline); w.timer == nil {
			w.timer = time.AfterFunc(d, func() {
				w.cond.L.Lock()
				defer w.cond.L.Unlock()
				w.cond.Broadcast()
			})
		} else {
			w.timer.Reset(d)
		}
	}
	w.waiting++
	w.cond.Wait()
	if w.waiting--; w.waiting == 0 && w.timer != nil {
		w.timer.Stop()
	}
}
