package core

import (
	"errors"
	"io"
	"math/rand/v2"
	"time"
)

// Reasons for which a connection ends before it was closed at both ends.
var (
	ErrReset   = errors.New("utp: connection reset by peer")
	ErrTimeout = errors.New("utp: peer does not answer")
	ErrClosed  = errors.New("utp: connection closed")
)

const (
	defaultBuffer = 1 << 20

	// One acknowledgement is for two packets, or for one after this time. Where
	// nothing was sent for so long, a packet is acknowledged at once: the peer's
	// window is small, or it waits for this answer.
	ackEvery = 2
	ackDelay = 2 * time.Millisecond
	// Firewalls forget a flow after 30 s or more.
	keepAlive = 29 * time.Second
	// A peer that owes an acknowledgement and says nothing for so long is gone.
	silence = 60 * time.Second
	// A peer that has a packet to send again does so within a second or two. One that
	// says nothing is asked whether it is there, after so long, and so many timeouts at
	// the least: what it hears may have it wait for as long as its own timeout, of which
	// libtorrent looks twice a second whether it has passed. Without an answer it is
	// asked again after a timeout each, is doubtful after two questions, and gone after so
	// long, and so many timeouts: libtorrent gives a connection up without a word when it
	// has sent a packet three times.
	askEvery, askTimeouts   = 1200 * time.Millisecond, 2
	doubtful                = 2
	goneAfter, goneTimeouts = 10 * time.Second, 10
	// An accepted connection whose peer did not show within this time that it got
	// our answer is forgotten.
	greeting = 20 * time.Second
	// Until then the answer is repeated at most so often unasked: the source of the
	// SYN may be forged. The end that dialed shows it so often within that time, until
	// it hears more than the answer.
	maxGreetings, maxShown = 2, 4
	// After everything was acknowledged, a peer that has not closed gets so long.
	finWait = 10 * time.Second
	// A FIN that is sent again, since our last acknowledgement was lost, is answered
	// for so long after the last one.
	timeWait = 10 * time.Second
	// Duplicates of an acknowledgement without a mask, after which the packet that
	// they ask for is held to be lost.
	duplicateAcks = 3
	// An acknowledgement can be so old, in packets, and be believed; that of a
	// reset less.
	oldAck   = maxReorder
	oldReset = 32
)

// Config is what a connection needs. Send is required.
type Config struct {
	// Send sends a datagram, which it must not keep. Fragment says that the
	// datagram may be fragmented on its way; the others should not be.
	Send func(b []byte, fragment bool)
	// Place is where the next datagram, of so many bytes, is to be built: a slice
	// without length that has room for it. With nil, a Conn has a place of its own.
	Place func(size int, fragment bool) []byte
	// Seed makes connection ids and first sequence numbers unpredictable.
	Seed [32]byte
	// Target is the queueing delay to keep to; 0 for DefaultTarget.
	Target time.Duration
	// MinDatagram and MaxDatagram are sizes of UDP payloads: what the path
	// carries, and what to probe for; 0 for those of IPv6 and Ethernet.
	MinDatagram, MaxDatagram int
	// ReceiveBuffer and SendBuffer are the bytes that wait to be read, and to be
	// sent; 0 for 1 MiB.
	ReceiveBuffer, SendBuffer int
	// Linger is for how long after Close what was written is still delivered; 0
	// for 30 s.
	Linger time.Duration
	// Full says that no more packets may be kept out of order; nil is never.
	Full func() bool
}

func (cfg Config) withDefaults() Config {
	or := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	or(&cfg.MinDatagram, minDatagram)
	or(&cfg.MaxDatagram, maxDatagram)
	or(&cfg.ReceiveBuffer, defaultBuffer)
	or(&cfg.SendBuffer, defaultBuffer)
	if cfg.Target == 0 {
		cfg.Target = DefaultTarget
	}
	if cfg.Linger == 0 {
		cfg.Linger = 30 * time.Second
	}
	return cfg
}

type state int

const (
	stateSynSent state = iota
	stateSynReceived
	stateConnected
	stateDone
)

// Conn is one end of a connection: it passes packets and the time to its parts and
// decides what to send. It is not safe for concurrent use. Times are durations
// since a moment of the caller's choice and never go back.
type Conn struct {
	cfg   Config
	state state
	err   error

	receiveID, sendID uint16
	dialed            bool   // or else accepted
	firstSeq          uint16 // the number of the SYN, or what the answer to it names
	peerSyn           uint16 // the number of the SYN that was accepted
	greetings         int    // packets of the greeting that nobody asked for
	greeted           bool   // the end that accepted is known to know of us

	in   incoming
	out  outgoing
	cc   *ledbat
	mtu  *prober
	wait fifo // written and not sent

	offer      offer
	duplicates int
	difference uint32 // told to the peer: the delay of its last packet
	telling    telling
	bulk       bool // the peer's packets are large

	timer   timer
	ending  ending
	ackOwed int
	ackAt   time.Duration // when the acknowledgement owed is due
	told    int           // the window told last
	urging  urging
	order   disorder
	heardAt time.Duration
	tookAt  time.Duration // when data came
	askedAt time.Duration // whether the peer is there
	asked   int           // so often, since something was heard
	foundAt time.Duration // when it was known to be there by other means
	sentAt  time.Duration
	born    time.Duration

	buf, mask []byte
	stats     Stats
}

// Stats are counts and measures of a connection.
type Stats struct {
	Sent, Received uint64 // bytes of data, each counted once
	Packets        uint64 // data packets sent
	Again          uint64 // of them, those sent again
	Timeouts       uint64
	Duplicates     uint64 // packets that arrived more than once
	Invalid        uint64 // datagrams that were no packet of this connection
	RTT            time.Duration
	Queueing       time.Duration // how long our packets wait in queues now
	Window         int           // bytes that may be on their way
	Datagram       int           // bytes of a full one
}

func newConn(now time.Duration, cfg Config) (*Conn, *rand.Rand) {
	cfg = cfg.withDefaults()
	c := &Conn{
		cfg: cfg, in: incoming{limit: cfg.ReceiveBuffer, full: cfg.Full},
		cc: newLedbat(cfg.Target, cfg.MinDatagram), mtu: newProber(cfg.MinDatagram, cfg.MaxDatagram),
		born: now, heardAt: now, sentAt: now, told: cfg.ReceiveBuffer,
	}
	return c, rand.New(rand.NewChaCha8(cfg.Seed))
}

// Dial begins a connection: it sends the SYN.
func Dial(now time.Duration, cfg Config) *Conn {
	c, random := newConn(now, cfg)
	c.receiveID = uint16(random.Uint32())
	c.sendID = c.receiveID + 1
	c.out.next = uint16(random.Uint32())
	c.dialed, c.firstSeq = true, c.out.next
	c.offer.ack = c.out.next - 1
	c.sendNew(now, newSent(kindSyn, 0))
	return c
}

// Accept answers a SYN; false if the datagram is none.
func Accept(now time.Duration, cfg Config, syn []byte) (*Conn, bool) {
	p, err := decode(syn)
	if err != nil || p.kind != kindSyn {
		return nil, false
	}
	c, random := newConn(now, cfg)
	c.state = stateSynReceived
	c.receiveID, c.sendID = p.id+1, p.id
	c.firstSeq = uint16(random.Uint32())
	c.out.next = c.firstSeq
	c.in.ack, c.peerSyn = p.seq, p.seq
	c.offer = offer{int(min(p.window, maxWindow)), c.firstSeq - 1, p.timestamp, now}
	c.hear(now, &p)
	c.sendState(now, c.firstSeq)
	return c, true
}

// ID is the connection id of the datagrams for this connection. That of a SYN that
// is repeated is one less at the end that accepted.
func (c *Conn) ID() uint16 { return c.receiveID }

// Connected reports whether the peer has answered: before, nothing can be read.
func (c *Conn) Connected() bool { return c.state == stateConnected }

// Done reports whether the connection is over: it sends nothing more. Err says why.
func (c *Conn) Done() bool { return c.state == stateDone }

// Err is why the connection is over: ErrReset, ErrTimeout, or ErrClosed after an
// orderly end or Abort; nil while it is not.
func (c *Conn) Err() error { return c.err }

// Readable reports whether Read has something to return: data, EOF or an error.
func (c *Conn) Readable() bool { return c.in.ready.len() > 0 || c.in.ended || c.err != nil }

// Writable reports whether Write takes something or returns an error.
func (c *Conn) Writable() bool {
	return c.err != nil || c.ending.queued || c.wait.len() < c.cfg.SendBuffer
}

// Room is how many bytes Write would take.
func (c *Conn) Room() int { return max(0, c.cfg.SendBuffer-c.wait.len()) }

// Held is how many received bytes are kept.
func (c *Conn) Held() int { return c.in.ready.len() + c.in.earlyBytes }

// Delivered reports whether the peer acknowledged all that was written, and the end
// of it, or never will.
func (c *Conn) Delivered() bool { return c.err != nil || c.ending.settled > 0 }

// Read moves received bytes to b: none while there are none. After the peer's last
// byte it returns io.EOF.
func (c *Conn) Read(now time.Duration, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if c.ending.closed {
		return 0, ErrClosed
	}
	n := c.in.ready.pop(b)
	switch {
	case n > 0:
		if c.state == stateConnected && !c.in.ended && c.in.window()-c.told >= c.cfg.ReceiveBuffer/4 {
			c.sendState(now, c.out.next) // there is room again
		}
		return n, nil
	case c.in.ended:
		return 0, io.EOF
	}
	return 0, c.err
}

// Write takes bytes to send: as many as there is room for.
func (c *Conn) Write(now time.Duration, b []byte) (int, error) {
	return c.WriteBuffers(now, [][]byte{b})
}

// WriteBuffers takes bytes of several buffers, as if they were one.
func (c *Conn) WriteBuffers(now time.Duration, buffers [][]byte) (n int, err error) {
	switch {
	case c.err != nil:
		return 0, c.err
	case c.ending.queued:
		return 0, ErrClosed
	}
	for _, b := range buffers {
		k := min(len(b), c.Room())
		c.wait.push(b[:k])
		n += k
	}
	c.flush(now)
	return n, nil
}

// CloseWrite says that nothing more will be written. The peer reads what was
// written, then EOF; this end can go on reading.
func (c *Conn) CloseWrite(now time.Duration) {
	if c.err != nil || c.ending.queued {
		return
	}
	c.ending.queued = true
	c.flush(now)
}

// Close says that nothing more will be written or read. What was written is still
// delivered: call Wake and Receive until Done.
func (c *Conn) Close(now time.Duration) {
	if c.err != nil || c.ending.closed {
		return
	}
	if c.state != stateConnected && c.wait.len() == 0 {
		c.Abort(now)
		return
	}
	c.ending.closed, c.ending.at = true, now
	c.in.ready.clear()
	c.CloseWrite(now)
	c.ending.settle(now, len(c.out.packets) == 0)
}

// Abort ends the connection at once and tells the peer by a reset.
func (c *Conn) Abort(now time.Duration) {
	if c.err != nil {
		return
	}
	if c.state != stateSynSent {
		c.send(now, &packet{kind: kindReset, id: c.sendID, seq: c.out.next, ack: c.in.ack}, false)
	}
	c.end(ErrClosed)
}

func (c *Conn) end(err error) {
	c.state, c.err = stateDone, err
	c.wait.clear()
	c.out.packets = nil
	c.in.forget()
}

// Stats are the counts and measures now.
func (c *Conn) Stats() Stats {
	s := c.stats
	s.RTT = c.timer.srtt
	s.Queueing, _ = c.cc.queueing()
	s.Window = int(c.cc.window)
	s.Datagram = c.mtu.floor
	return s
}

// Receive takes a datagram from the peer's address.
func (c *Conn) Receive(now time.Duration, b []byte) {
	if c.state == stateDone {
		return
	}
	p, err := decode(b)
	if err != nil || !c.ours(&p) {
		c.stats.Invalid++
		return
	}
	switch {
	case p.kind == kindReset:
		c.end(ErrReset)
		return
	case p.kind == kindSyn:
		// Our answer was lost. It says what it said the first time.
		c.hear(now, &p)
		c.sendState(now, c.firstSeq)
		return
	case c.state == stateSynSent:
		c.in.ack = p.seq - 1
	}
	c.hear(now, &p)
	// The end that accepted says nothing but its answer until it knows that we got that.
	answer := c.dialed && p.kind == kindState && p.ack == c.firstSeq && len(c.out.packets) == 0
	answer = answer || c.state == stateSynSent
	c.state, c.greeted = stateConnected, c.greeted || !answer
	c.acknowledged(now, &p)
	if p.kind == kindData || p.kind == kindFin {
		c.take(now, &p)
	} else if answer {
		c.ackOwed = ackEvery
	}
	c.flush(now)
	if c.ackOwed >= ackEvery {
		c.answer(now)
	}
	c.ending.settle(now, len(c.out.packets) == 0)
}

func (c *Conn) hear(now time.Duration, p *packet) {
	c.heardAt, c.asked, c.foundAt = now, 0, 0
	c.difference = uint32(now.Microseconds()) - p.timestamp
	c.cc.their(now, c.difference)
}

// ours reports whether a packet can be of this connection. Whoever forges one has
// to guess an id and numbers that are in use now.
func (c *Conn) ours(p *packet) bool {
	last := c.out.next - 1
	span := len(c.out.packets)
	back := int(int16(last - p.ack)) // packets sent after the one acknowledged
	switch {
	case p.kind == kindReset:
		return (p.id == c.receiveID || p.id == c.sendID) && back >= -1 && back <= span+oldReset
	case p.kind == kindSyn:
		return !c.dialed && p.id == c.receiveID-1 && p.seq == c.peerSyn
	case p.id != c.receiveID:
		return false
	case c.state == stateSynSent:
		return p.kind == kindState && back == 0
	case c.state == stateSynReceived:
		return back == 0
	}
	return back >= 0 && back <= span+oldAck
}

// acknowledged takes what a packet says about those sent from here.
func (c *Conn) acknowledged(now time.Duration, p *packet) {
	full := float64(c.out.flight+c.mtu.floor) >= c.cc.window
	a := c.out.acknowledge(p.ack, p.selective, now, c.cc.lowestTrip())
	if a.trip > 0 {
		c.timer.sample(a.trip)
		c.cc.round(now, a.trip)
	}
	// A small packet spends less time on a slow line than a full one does without
	// any queue: only full ones are compared.
	if p.difference != 0 && a.passed >= c.cfg.MinDatagram {
		c.cc.our(now, p.difference)
	}
	if a.passed > c.mtu.floor {
		c.mtu.passed(a.passed)
		c.cc.setMSS(c.mtu.floor)
	}
	if a.packets > 0 {
		c.timer.moved(now)
		c.cc.acked(now, a.bytes, full, c.timer.trip())
	}
	if a.late > 0 {
		c.out.wait(c.timer.trip())
		c.cc.found(a.late)
	}
	c.detect(now)
	was := c.offer
	if !c.offer.take(now, p) {
		return
	}
	switch {
	case a.moved || p.ack != was.ack || len(c.out.packets) == 0:
		c.duplicates = 0
	case p.kind == kindState && p.selective == nil && c.offer.window == was.window:
		if c.duplicates++; c.duplicates == duplicateAcks {
			c.out.loseFirst(func(s *sent) { c.lost(now, s) })
		}
	}
}

func (c *Conn) detect(now time.Duration) {
	c.out.detect(now, c.timer.trip(), func(s *sent) { c.lost(now, s) })
}

// lost is called for each packet found to be lost. A probe says nothing about
// congestion: it may have been too large.
func (c *Conn) lost(now time.Duration, s *sent) {
	if s.probe > 0 {
		s.probe = 0
		c.mtu.failed()
		return
	}
	c.cc.lost(now, c.timer.trip())
}

// take takes data or the end of it.
func (c *Conn) take(now time.Duration, p *packet) {
	ready := c.in.ready.len()
	v := c.in.add(p.seq, p.payload, p.kind == kindFin)
	if v == repeated {
		c.stats.Duplicates++
		c.ending.again(now)
	}
	if c.ackOwed++; c.ackOwed == 1 {
		c.ackAt = now + ackDelay
	}
	// Acknowledgements of what was doubled on its way look to some as if something
	// was lost: they can wait like others.
	if v != inTurn && v != repeated || c.in.ended || now-c.sentAt >= ackDelay {
		c.ackOwed = ackEvery
	}
	c.bulk = len(p.payload) >= c.cfg.MinDatagram/2
	c.urge(now, v)
	c.order.came(now, c.cc.lowestTrip(), v, c.in.gap())
	if until, may := c.order.wait(now); may && c.bulk && v != closedGap {
		c.ackOwed, c.ackAt = 1, until
	}
	c.stats.Received += uint64(c.in.ready.len() - ready)
	if c.ending.closed {
		c.in.ready.clear()
	}
}

// flush sends what may be sent: first what was lost, then what is new.
func (c *Conn) flush(now time.Duration) {
	if c.state != stateConnected {
		return
	}
	for {
		seq, s := c.out.nextLost()
		if s == nil {
			break
		}
		if !c.fits(s.wire()) {
			return
		}
		c.stats.Again++
		c.transmit(now, seq, s)
	}
	for len(c.out.packets) < maxReorder-1 {
		s := c.segment(now)
		if s == nil {
			return
		}
		c.sendNew(now, s)
	}
}

func (c *Conn) fits(size int) bool {
	return c.out.flight == 0 || float64(c.out.flight+size) <= c.cc.window
}

// segment makes the next new packet, if one may be sent.
func (c *Conn) segment(now time.Duration) *sent {
	if c.wait.len() == 0 {
		if !c.ending.queued || c.ending.sent || !c.fits(headerSize) {
			return nil
		}
		c.ending.sent = true
		return newSent(kindFin, 0)
	}
	full := c.mtu.floor - headerSize
	n := min(full, c.wait.len())
	if room := c.offer.window - c.out.unacked; room < n {
		// Into a window that is too small goes one packet: what fits, or one byte
		// to learn when there is room.
		if len(c.out.packets) > 0 {
			return nil
		}
		n = max(room, 1)
	} else if n < full && len(c.out.packets) > 0 && !c.ending.queued && c.out.last() < full {
		return nil // one small packet at a time: more may be written
	}
	if !c.fits(headerSize + n) {
		return nil
	}
	s := newSent(kindData, n)
	c.wait.pop(s.payload)
	c.stats.Sent += uint64(n)
	if n == full && len(c.out.packets) > 0 {
		s.probe = c.mtu.next(now) // with others on the way that tell of its loss
	}
	return s
}

func (c *Conn) sendNew(now time.Duration, s *sent) {
	if len(c.out.packets) == 0 {
		c.timer.start(now)
		if !c.waits(now) {
			c.heardAt = now // from now on the peer owes something
		}
	}
	seq := c.out.next
	c.out.add(s)
	c.transmit(now, seq, s)
}

func (c *Conn) transmit(now time.Duration, seq uint16, s *sent) {
	c.out.transmit(s, now)
	c.timer.movedAt = now
	p := packet{kind: s.kind, id: c.sendID, seq: seq, ack: c.mayTell(now), payload: s.payload}
	switch {
	case s.kind == kindSyn:
		p.id = c.receiveID
	case s.kind == kindData:
		c.stats.Packets++
	}
	if s.probe > 0 {
		p.padding = s.probe - s.wire()
		if p.padding < 2 {
			p.padding = 0
		}
	}
	c.send(now, &p, s.fragment)
	if !c.in.gap() {
		c.owe(p.ack) // the rest went along
	}
}

// mayTell is the number that a packet may acknowledge now. A peer that sends bulk data
// waits for acknowledgements.
func (c *Conn) mayTell(now time.Duration) uint16 {
	if c.out.patience == 0 || c.out.flight == 0 || c.bulk {
		return c.in.ack
	}
	return c.telling.may(now, c.in.ack)
}

// owe is called when a packet acknowledged all up to ack: what is left comes later.
func (c *Conn) owe(ack uint16) {
	if c.ackOwed = 0; ack != c.in.ack {
		c.ackOwed, c.ackAt = 1, c.telling.when(c.in.ack)
	}
}

// answer sends the acknowledgement that is due, as far as it may be told now.
func (c *Conn) answer(now time.Duration) {
	ack := c.mayTell(now)
	if ack == c.in.ack {
		c.sendState(now, c.out.next)
		return
	}
	if ack != c.telling.ack {
		c.send(now, &packet{kind: kindState, id: c.sendID, seq: c.out.next, ack: ack}, false)
	}
	c.owe(ack)
}

// sendState sends an acknowledgement.
func (c *Conn) sendState(now time.Duration, seq uint16) {
	c.mask = c.in.selective(c.mask)
	until, may := c.order.wait(now)
	if may = may && c.bulk; may {
		c.mask = c.mask[:0] // what it would show to be missing may yet come
	}
	c.send(now, &packet{kind: kindState, id: c.sendID, seq: seq, ack: c.in.ack, selective: c.mask}, false)
	if c.ackOwed = 0; may {
		c.ackOwed, c.ackAt = 1, until
	}
}

func (c *Conn) send(now time.Duration, p *packet, fragment bool) {
	c.sentAt = now
	c.told = c.in.window()
	c.telling.told(now, p.ack)
	p.timestamp = uint32(now.Microseconds())
	p.difference, p.window = c.difference, uint32(c.told)
	if c.cfg.Place != nil {
		c.cfg.Send(p.append(c.cfg.Place(p.size(), fragment)), fragment)
		return
	}
	c.buf = p.append(c.buf[:0])
	c.cfg.Send(c.buf, fragment)
}

// greets reports whether a packet of the greeting is to be repeated unasked, and when: by
// the end that accepted, where it has something to say, and by the one that dialed and has
// nothing to say that would show as much.
func (c *Conn) greets() (at time.Duration, ok bool) {
	switch at = c.sentAt + initialRTO<<c.greetings; {
	case c.state == stateSynReceived:
		ok = c.wait.len() > 0 && c.greetings < maxGreetings
	case c.state == stateConnected && c.dialed:
		ok = !c.greeted && len(c.out.packets) == 0 && c.greetings < maxShown
	}
	return at, ok
}

// greet repeats it.
func (c *Conn) greet(now time.Duration) {
	c.greetings++
	if c.dialed {
		c.sendState(now, c.out.next)
		return
	}
	c.sendState(now, c.firstSeq)
}

// Deadline is the time at which to call Wake next; false if the connection is over.
func (c *Conn) Deadline() (time.Duration, bool) {
	if c.state == stateDone {
		return 0, false
	}
	at := c.sentAt + keepAlive
	if c.state == stateSynReceived {
		at = c.born + greeting
	}
	if greet, ok := c.greets(); ok {
		at = min(at, greet)
	}
	if len(c.out.packets) > 0 {
		at = min(at, c.timer.timeoutAt, c.heardAt+silence)
		if tail, ok := c.timer.tailAt(); ok && c.state == stateConnected {
			at = min(at, tail)
		}
	}
	if c.out.overdue > 0 {
		at = min(at, c.out.overdue)
	}
	if c.waits(c.askAt()) {
		at = min(at, c.askAt(), c.goneAt())
	}
	if c.urging.at > 0 {
		at = min(at, c.urging.at)
	}
	if c.ackOwed > 0 {
		at = min(at, c.ackAt)
	}
	if until, closed := c.ending.until(c.cfg.Linger, c.in.ended); closed {
		at = min(at, until)
	}
	return at, true
}

// Wake does what is due.
func (c *Conn) Wake(now time.Duration) {
	if c.state == stateDone {
		return
	}
	if until, closed := c.ending.until(c.cfg.Linger, c.in.ended); closed && now >= until {
		if c.ending.settled == 0 || !c.in.ended {
			c.Abort(now)
		}
		c.end(ErrClosed)
		return
	}
	waiting := len(c.out.packets) > 0
	if waiting && now >= c.heardAt+silence || c.waits(now) && now >= c.goneAt() || c.state == stateSynReceived && now >= c.born+greeting {
		c.end(ErrTimeout)
		return
	}
	if at, ok := c.greets(); ok && now >= at {
		c.greet(now)
	}
	if waiting && now >= c.timer.timeoutAt {
		c.timeout(now)
	} else if tail, ok := c.timer.tailAt(); ok && waiting && c.state == stateConnected && now >= tail {
		c.tail(now)
	}
	if c.out.overdue > 0 && now >= c.out.overdue {
		c.detect(now)
		c.flush(now)
	}
	if c.waits(now) && now >= c.askAt() {
		c.ask(now)
	}
	if c.urging.at > 0 && now >= c.urging.at {
		for range c.urging.copies(now, c.in.ack, c.in.gap()) {
			c.sendState(now, c.out.next)
		}
	}
	if c.ackOwed > 0 && now >= c.ackAt {
		c.answer(now)
	}
	if c.state == stateConnected && now >= c.sentAt+keepAlive {
		c.sendState(now, c.out.next)
	}
}

// waits reports whether the peer owes a packet, or may for all that is known: where
// packets are lost, it may lack the answer to its last one.
func (c *Conn) waits(now time.Duration) bool {
	return c.in.gap() || c.asked > 0 || c.bulk && c.urging.lossy(now) && !c.in.ended
}

// askEvery is the time until a peer that says nothing is asked whether it is there.
func (c *Conn) askEvery() time.Duration { return max(askEvery, askTimeouts*c.timer.first()) }

// askAt is when it is asked, and goneAt when it is gone. That it is there and does not
// answer shows it sooner.
func (c *Conn) askAt() time.Duration {
	if c.asked > 0 {
		return c.askedAt + c.timer.first()
	}
	return c.heardAt + c.askEvery()
}

func (c *Conn) goneAt() time.Duration {
	if c.foundAt > 0 {
		return c.foundAt + c.timer.first()
	}
	return c.heardAt + max(goneAfter, goneTimeouts*c.timer.first())
}

// Doubtful reports whether the peer did not answer when it was asked whether it is there.
// Whoever knows another way to find that out can do so, and say that by Found.
func (c *Conn) Doubtful() bool { return c.asked >= doubtful && c.foundAt == 0 && c.err == nil }

// Found takes that the peer is there, and lets packets through. If it does not answer
// once more, it has forgotten this connection.
func (c *Conn) Found(now time.Duration) {
	if c.Doubtful() {
		c.foundAt = now
		c.ask(now)
	}
}

// urge notes what a packet tells about losses, and when its acknowledgement is to be
// repeated. Where they are lost, one is for one packet.
func (c *Conn) urge(now time.Duration, v verdict) {
	stalled := now-c.tookAt >= stallTime
	c.tookAt = now
	if !c.bulk {
		return
	}
	if v == outOfTurn || v == closedGap || v == refused || v == repeated && stalled {
		c.urging.lost(now)
	}
	if v == inTurn && c.urging.lossy(now) {
		c.ackOwed = ackEvery
	}
	c.urging.came(now)
}

// ask sends a packet that the peer has: what is repeated is answered by every one
// that is there. It also repeats what the peer may not know to have arrived.
func (c *Conn) ask(now time.Duration) {
	c.askedAt = now
	c.asked++
	c.mask = c.in.selective(c.mask)
	c.send(now, &packet{kind: kindData, id: c.sendID, seq: c.out.first() - 1, ack: c.in.ack, selective: c.mask}, false)
	c.ackOwed = 0
}

// tail sends the first packet again, once: its answer tells of the others (the
// tail loss probe of RFC 8985, which sends the last one).
func (c *Conn) tail(now time.Duration) {
	c.timer.tailed = true
	c.out.doubtFirst()
	c.out.loseFirst(func(s *sent) { c.lost(now, s) })
	if seq, s := c.out.nextLost(); s != nil {
		c.stats.Again++
		c.transmit(now, seq, s)
	}
}

// timeout sends the first packet again after nothing was acknowledged for long.
func (c *Conn) timeout(now time.Duration) {
	c.stats.Timeouts++
	first := c.out.packets[0]
	c.timer.fired(now, c.out.unacked > c.offer.window && c.heardAt > first.at)
	if c.timer.backoff >= holeTimeouts && first.wire() > c.cfg.MinDatagram {
		c.mtu.hole(now)
		c.cc.setMSS(c.mtu.floor)
		for _, s := range c.out.packets {
			s.fragment = s.fragment || s.wire() > c.cfg.MinDatagram
		}
	}
	c.out.loseAll(func(s *sent) {
		if s.probe > 0 {
			s.probe = 0
			c.mtu.failed()
		}
	})
	c.out.doubtFirst()
	if c.offer.window > 0 {
		c.cc.silent()
	}
	if c.state == stateSynSent {
		c.transmit(now, c.firstSeq, first)
		return
	}
	c.flush(now)
}
