package core

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"time"
)

// world is a simulated network: a virtual clock, and what happens when. The same
// seed gives the same run.
type world struct {
	now    time.Duration
	rand   *rand.Rand
	events events
	count  uint64
}

func newWorld(seed uint64) *world { return &world{rand: rand.New(rand.NewPCG(seed, 7))} }

type event struct {
	at    time.Duration
	order uint64
	do    func()
}

type events []*event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(*event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*e = old[:len(old)-1]
	return x
}

func (w *world) at(t time.Duration, do func()) {
	w.count++
	heap.Push(&w.events, &event{max(t, w.now), w.count, do})
}

// run lets the world go on until a moment, or until stop says so.
func (w *world) run(until time.Duration, stop func() bool) bool {
	for len(w.events) > 0 && w.events[0].at <= until {
		e := heap.Pop(&w.events).(*event)
		w.now = e.at
		e.do()
		if stop != nil && stop() {
			return true
		}
	}
	w.now = until
	return false
}

// overhead of IPv6 and UDP, a datagram.
const overhead = 48

// link is one direction of a line: a FIFO with a rate, then a delay. What finds the
// queue full is dropped.
type link struct {
	*world
	rate      float64 // bytes a second; 0 for no limit
	delay     time.Duration
	queue     time.Duration // what the FIFO holds at most
	loss      float64       // of all datagrams
	duplicate float64
	reorder   float64       // of datagrams that take up to as long again, and 20 ms
	late      time.Duration // by how much at most; 0 for that
	nap       time.Duration // the receiver takes nothing for so long in each 130 ms
	mtu       int           // larger datagrams that may not be fragmented vanish; 0 for any

	free    time.Duration // when the FIFO will be empty
	carried float64       // bytes
	waited  time.Duration // by all
	packets int
	dropped int
}

func mbit(n float64) float64 { return n * 1e6 / 8 }

// reset begins to measure anew.
func (l *link) reset() { l.carried, l.waited, l.packets, l.dropped = 0, 0, 0, 0 }

// waiting is the mean time in the queue.
func (l *link) waiting() time.Duration { return l.waited / time.Duration(max(1, l.packets)) }

// send carries a packet of size bytes and then calls arrive, perhaps twice or never.
func (l *link) send(size int, fragment bool, arrive func()) {
	wait := max(0, l.free-l.now)
	if l.mtu > 0 && size > l.mtu && !fragment || l.rand.Float64() < l.loss || l.rate > 0 && wait > l.queue {
		l.dropped++
		return
	}
	l.packets++
	l.waited += wait
	l.carried += float64(size)
	at := l.now + wait
	if l.rate > 0 {
		at += time.Duration(float64(size) / l.rate * 1e9)
		l.free = at
	}
	at += l.delay
	if l.rand.Float64() < l.reorder {
		extra := l.delay + 20*time.Millisecond
		if l.late > 0 {
			extra = l.late
		}
		at += time.Duration(l.rand.Float64() * float64(extra))
	}
	if awake := at % (130 * time.Millisecond); awake < l.nap {
		at += l.nap - awake
	}
	l.at(at, arrive)
	if l.rand.Float64() < l.duplicate {
		l.at(at+time.Duration(l.rand.Int64N(int64(10*time.Millisecond))), arrive)
	}
}

// end is a Conn with a program that uses it: it writes want bytes of a pattern,
// closes its side, reads to the end and checks what it reads.
type end struct {
	*world
	conn  *Conn
	out   *link
	other *end
	cfg   Config

	offset time.Duration // its clock: offset + time * (1 + skew)
	skew   float64
	alarm  time.Duration // when it will be woken; 0 for never

	salt         byte // of what it writes
	want         int  // bytes to write; -1 for no end
	wrote, got   int
	eof, corrupt bool
	deaf         bool // reads nothing for now
	seeded       bool // by cfg
	stay         bool // does not close when all is written
	buf          [8 << 10]byte

	to   func(b []byte)                 // takes what it sends; nil for other
	fate func(b []byte) []time.Duration // by how much the copies of a datagram are late; nil for one that is not
}

func (e *end) clock() time.Duration {
	return e.offset + e.now + time.Duration(float64(e.now)*e.skew)
}

// noise is what ends write; its length is no multiple of anything.
var noise = func() []byte {
	b := make([]byte, 65521+255+8<<10)
	rand.NewChaCha8([32]byte{}).Read(b)
	copy(b[65521:], b)
	return b
}()

// pattern is the part of what an end writes that begins at at: at most 8 KiB.
func pattern(at, n int, salt byte) []byte {
	at = at%65521 + int(salt)
	return noise[at : at+n]
}

func (e *end) config() Config {
	cfg := e.cfg
	if !e.seeded {
		binary.LittleEndian.PutUint64(cfg.Seed[8:], e.rand.Uint64())
	}
	cfg.Place = func(size int, _ bool) []byte { return make([]byte, 0, size) } // which nobody else has
	cfg.Send = func(b []byte, fragment bool) {
		to := e.to
		if to == nil {
			to = e.other.receive
		}
		send := func() { e.out.send(len(b)+overhead, fragment, func() { to(b) }) }
		if e.fate == nil {
			send()
			return
		}
		for _, late := range e.fate(b) {
			if late == 0 {
				send()
			} else {
				e.at(e.now+late, send)
			}
		}
	}
	return cfg
}

func (e *end) receive(b []byte) {
	if e.conn == nil {
		c, ok := Accept(e.clock(), e.config(), b)
		if !ok {
			return
		}
		e.conn = c
	} else {
		e.conn.Receive(e.clock(), b)
	}
	e.act()
}

// act does what the program does, and sets the timer.
func (e *end) act() {
	c, now := e.conn, e.clock()
	for !e.deaf && c.Readable() {
		n, err := c.Read(now, e.buf[:])
		e.corrupt = e.corrupt || !bytes.Equal(e.buf[:n], pattern(e.got, n, e.other.salt))
		e.got += n
		if err != nil {
			e.eof = e.eof || err == io.EOF
			break
		}
	}
	for (e.want < 0 || e.wrote < e.want) && c.Writable() {
		n := len(e.buf)
		if e.want >= 0 {
			n = min(n, e.want-e.wrote)
		}
		n, err := c.Write(now, pattern(e.wrote, n, e.salt))
		if err != nil {
			break
		}
		e.wrote += n
	}
	if e.wrote == e.want && !e.stay {
		c.CloseWrite(now)
		if e.eof {
			c.Close(now)
		}
	}
	e.setAlarm()
}

// setAlarm has the connection woken at its deadline. An alarm that goes off too soon is
// set again: most deadlines are put off.
func (e *end) setAlarm() {
	at, ok := e.conn.Deadline()
	if !ok {
		return
	}
	due := time.Duration(float64(at-e.offset)/(1+e.skew)) + time.Microsecond
	if e.alarm > 0 && e.alarm <= due {
		return
	}
	e.alarm = due
	e.at(due, func() {
		if e.alarm != due {
			return
		}
		e.alarm = 0
		if at, ok := e.conn.Deadline(); ok && at <= e.clock() {
			e.conn.Wake(e.clock())
			e.act()
		} else {
			e.setAlarm()
		}
	})
}

// pair are two ends that are not yet connected, at a line.
func (w *world) pair(up, down *link) (a, b *end) {
	a = &end{world: w, out: up, salt: 1, offset: time.Duration(w.rand.Int64N(int64(100 * time.Minute)))}
	b = &end{world: w, out: down, salt: 2, offset: time.Duration(w.rand.Int64N(int64(100 * time.Minute)))}
	a.other, b.other = b, a
	return a, b
}

func (e *end) dial() {
	e.conn = Dial(e.clock(), e.config())
	e.act()
}

// reno is a model of a TCP that has no end of data: slow start, additive increase,
// halving once a round trip when a packet is lost.
type reno struct {
	*world
	out, back         *link
	window, threshold float64
	next, flight      int
	lost              int // all before this number is settled
	recover           int
	sent              []bool // acknowledged, by number
	stopped           bool
	got               float64 // bytes
	heard             time.Duration
}

func (w *world) reno(out, back *link) *reno {
	return &reno{world: w, out: out, back: back, window: 10, threshold: 1e9}
}

func (r *reno) pump() {
	const size = 1500
	for !r.stopped && float64(r.flight) < r.window {
		n := r.next
		r.next++
		r.flight++
		r.sent = append(r.sent, false)
		r.out.send(size, false, func() {
			r.got += size
			r.back.send(60, false, func() { r.ack(n) })
		})
	}
}

func (r *reno) ack(n int) {
	r.heard = r.now
	if r.sent[n] {
		return
	}
	r.sent[n] = true
	if n >= r.lost {
		r.flight--
	}
	if r.window < r.threshold {
		r.window++
	} else {
		r.window += 1 / r.window
	}
	for r.lost+3 < n { // what is so far behind will not come
		if !r.sent[r.lost] {
			r.flight--
			if r.lost >= r.recover {
				r.window = max(2, r.window/2)
				r.threshold, r.recover = r.window, r.next
			}
		}
		r.lost++
	}
	r.pump()
}

// begin also looks after a flow of which everything was lost.
func (r *reno) begin() {
	r.pump()
	if r.now-r.heard > time.Second {
		r.lost, r.flight, r.window = r.next, 0, 2
		r.heard = r.now
		r.pump()
	}
	if !r.stopped {
		r.at(r.now+time.Second, r.begin)
	}
}

const longTime = 3 * time.Hour

type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// finish runs until both ends are done and checks what arrived.
func finish(t failer, w *world, a, b *end) {
	t.Helper()
	w.run(w.now+longTime, func() bool { return a.conn.Done() && b.conn != nil && b.conn.Done() })
	if b.conn == nil {
		t.Fatal("nothing was accepted")
	}
	if a.corrupt || b.corrupt || a.got != b.want || b.got != a.want || !a.eof || !b.eof ||
		a.conn.Err() != ErrClosed || b.conn.Err() != ErrClosed {
		t.Fatalf("got %d of %d (EOF %v, %v) and %d of %d (EOF %v, %v), corrupt: %v, %v, at %v\n%+v\n%+v",
			a.got, b.want, a.eof, a.conn.Err(), b.got, a.want, b.eof, b.conn.Err(), a.corrupt, b.corrupt, w.now,
			a.conn.Stats(), b.conn.Stats())
	}
}
