package core

import (
	"math"
	"testing"
	"time"
)

// libtorrent is a model of how libtorrent 2.0 sends: what a receiver does decides
// how fast that is. It has data without end.
type libtorrent struct {
	*world
	out  *link
	to   func(b []byte)
	size int // of full datagrams

	id         uint16 // of its datagrams
	peerSeq    uint16 // what it acknowledges
	connected  bool
	peerWindow int

	sent       map[uint16]*theirs
	next       uint16
	acked      uint16 // all up to it arrived
	fresh      uint16 // packets before it are not sent again but after a timeout
	lossUntil  uint16 // losses up to it are the same event
	nextLoss   time.Duration
	duplicates int
	flight     int
	window     float64
	threshold  float64 // 0 for none
	slowStart  bool
	mean, dev  time.Duration
	timeoutAt  time.Duration
	timeouts   int // in a row

	base    uint32
	based   bool
	samples []uint32

	dead  bool // it gave up
	bytes int  // of data so far
}

// theirs is a packet of its that was not acknowledged.
type theirs struct {
	at     time.Duration
	offset int // of its data
	lost   bool
	times  int // that it was sent
}

const (
	theirTick       = 500 * time.Millisecond // timeouts are looked for so often
	theirTarget     = 100_000                // µs
	theirGain       = 3000                   // bytes a round trip
	theirDuplicates = 3
	theirResends    = 5 // holes that one acknowledgement can have filled
	theirMost       = 3 // times that a packet is sent
)

// libtorrent sends a SYN and, once it was answered, data; to is called at the
// receiver.
func (w *world) libtorrent(out *link, to func(b []byte)) *libtorrent {
	l := &libtorrent{
		world: w, out: out, to: to, size: maxDatagram, id: 77, sent: map[uint16]*theirs{}, next: 1000, slowStart: true,
		window: maxDatagram,
	}
	l.acked, l.lossUntil, l.fresh = l.next-1, l.next-1, l.next+1
	l.call()
	l.tick()
	return l
}

func (l *libtorrent) call() {
	if l.connected {
		return
	}
	l.send(&packet{kind: kindSyn, id: l.id - 1, seq: l.next})
	l.at(l.now+3*time.Second, l.call)
}

func (l *libtorrent) send(p *packet) {
	p.timestamp, p.ack, p.window = uint32(l.now.Microseconds()), l.peerSeq, 1<<20
	b := p.append(nil)
	l.out.send(len(b)+overhead, false, func() { l.to(b) })
}

// data sends a packet, for the first time or again.
func (l *libtorrent) data(seq uint16, s *theirs) {
	s.at = l.now
	s.times++
	l.send(&packet{kind: kindData, id: l.id, seq: seq, payload: pattern(s.offset, l.size-headerSize, 0)})
}

func (l *libtorrent) room() int { return min(int(l.window), l.peerWindow) - l.flight }

// pump sends what may be sent.
func (l *libtorrent) pump() {
	full := l.size - headerSize
	for seq := l.acked + 1; seq != l.next; seq++ {
		s := l.sent[seq]
		if s == nil || !s.lost {
			continue
		}
		if full > l.room() && l.flight > 0 {
			return
		}
		s.lost = false
		l.flight += full
		l.data(seq, s)
		if l.fresh == seq {
			l.fresh++
		}
	}
	for full <= l.room() {
		s := &theirs{offset: l.bytes}
		l.bytes += full
		l.sent[l.next] = s
		l.flight += full
		l.data(l.next, s)
		l.next++
	}
}

func (l *libtorrent) gone(seq uint16) (bytes int, trip time.Duration) {
	s := l.sent[seq]
	if s == nil {
		return 0, math.MaxInt64
	}
	delete(l.sent, seq)
	if !s.lost {
		l.flight -= l.size - headerSize
	}
	trip = l.now - s.at
	if l.mean == 0 {
		l.mean = max(trip, 1)
	}
	l.dev += ((trip - l.mean).Abs() - l.dev) / 10
	l.mean += (trip - l.mean) / 10
	l.moved()
	return l.size - headerSize, trip
}

func (l *libtorrent) moved() {
	was := l.acked
	for l.acked+1 != l.next && l.sent[l.acked+1] == nil {
		if l.fresh == l.acked {
			l.fresh++
		}
		l.acked++
	}
	if l.acked == was {
		return
	}
	if before(l.lossUntil, l.acked) {
		l.lossUntil = l.acked
	}
	l.duplicates = 0
}

func (l *libtorrent) loss(seq uint16) {
	if before(seq, l.lossUntil+1) || l.nextLoss >= l.now {
		return
	}
	l.nextLoss = l.now + 100*time.Millisecond
	l.window = max(l.window/2, float64(l.size))
	l.lossUntil = l.next
	if l.slowStart {
		l.threshold, l.slowStart = l.window, false
	}
}

// receive takes an acknowledgement.
func (l *libtorrent) receive(b []byte) {
	p, err := decode(b)
	if l.dead || err != nil || p.id != l.id-1 || before(l.next-1, p.ack) && l.connected || before(p.ack, l.acked-theirDuplicates) {
		return
	}
	if !l.connected {
		l.connected, l.peerSeq = true, p.seq-1
		l.next++
		l.acked++
	}
	l.timeouts, l.timeoutAt = 0, l.now+l.timeout()
	delay := uint32(0)
	if p.difference != 0 {
		if !l.based || lower(p.difference, l.base) {
			l.base, l.based = p.difference, true
		}
		l.samples = append(l.samples, p.difference-l.base)
		l.samples = l.samples[max(0, len(l.samples)-3):]
		delay = min(l.samples[0], l.samples[len(l.samples)-1], l.samples[len(l.samples)/2])
	}
	flight := l.flight
	l.peerWindow = int(p.window)
	if p.ack == l.acked && len(l.sent) > 0 && p.kind == kindState {
		l.duplicates++
	}
	bytes, trip := 0, time.Duration(math.MaxInt64)
	for seq := l.acked + 1; before(seq, p.ack+1); seq++ {
		if l.fresh == seq {
			l.fresh++
		}
		n, t := l.gone(seq)
		bytes, trip = bytes+n, min(trip, t)
	}
	l.moved()
	if len(p.selective) > 0 {
		bytes = l.selective(&p, &trip)
	}
	if l.duplicates >= theirDuplicates && l.acked+1 == l.fresh && l.sent[l.fresh] != nil {
		seq := l.fresh
		l.fresh++
		l.loss(l.fresh)
		l.fast(seq)
	}
	if p.difference != 0 && bytes > 0 && flight > 0 {
		l.grow(float64(bytes), min(delay, uint32(trip.Microseconds())), float64(flight))
	}
	l.pump()
}

// fast sends a packet again at once, whatever the window.
func (l *libtorrent) fast(seq uint16) {
	s := l.sent[seq]
	if s.lost {
		l.flight += l.size - headerSize
	}
	s.lost = false
	l.data(seq, s)
}

// selective takes a mask: packets before four of the mask's are lost.
func (l *libtorrent) selective(p *packet, trip *time.Duration) (bytes int) {
	var lost []uint16
	if !before(p.ack+1, l.fresh) {
		lost = append(lost, p.ack+1)
	}
	seq := p.ack + 2
	bits := 8 * len(p.selective)
	set := func(i int) bool { return p.selective[i/8]&(1<<(i%8)) != 0 }
	for i := range bits {
		if set(i) {
			n, t := l.gone(seq)
			bytes, *trip = bytes+n, min(*trip, t)
		} else if !before(seq, l.fresh) && len(lost) < theirResends {
			lost = append(lost, seq)
		}
		if seq++; seq == l.next {
			break
		}
	}
	later, last := 0, p.ack+1+uint16(bits)
	for i := bits - 1; i >= 0; i-- {
		if set(i) {
			later++
		}
		if later > theirDuplicates {
			break
		}
		last--
	}
	if later <= theirDuplicates {
		return bytes
	}
	cut := true
	for _, seq := range lost {
		if !before(seq, last) || l.sent[seq] == nil {
			continue
		}
		if cut {
			l.loss(seq)
			cut = false
		}
		l.fast(seq)
		l.duplicates, l.fresh = 0, seq+1
	}
	return bytes
}

func (l *libtorrent) grow(bytes float64, delay uint32, flight float64) {
	over := delay >= theirTarget
	if over && l.slowStart {
		l.threshold, l.slowStart = l.window/2, false
	}
	if float64(l.flight)+bytes+float64(l.size) <= l.window {
		return
	}
	grow := bytes / flight * (theirTarget - float64(delay)) / theirTarget * theirGain
	if l.slowStart {
		if l.threshold > 0 && l.window+bytes > l.threshold {
			l.slowStart = false
		} else {
			grow = max(grow, bytes)
		}
	}
	l.window = max(0, l.window+grow)
}

func (l *libtorrent) timeout() time.Duration {
	t := max(500*time.Millisecond, l.mean+2*l.dev)
	if l.timeouts > 0 {
		t += time.Second << (l.timeouts - 1)
	}
	return t
}

func (l *libtorrent) tick() {
	if l.connected && l.now > l.timeoutAt && len(l.sent) > 0 {
		l.timeouts++
		if s := l.sent[l.acked+1]; s.times >= theirMost {
			l.dead = true
			return
		}
		l.window = float64(l.size)
		l.timeoutAt = l.now + l.timeout()
		l.lossUntil = l.next
		l.slowStart = true
		for _, s := range l.sent {
			if !s.lost {
				s.lost = true
				l.flight -= l.size - headerSize
			}
		}
		if l.fresh == l.acked+1 {
			l.fresh++
		}
		l.pump()
	}
	l.at(l.now+theirTick, l.tick)
}

// What libtorrent has sent three times it gives up, and the connection with it, without
// a word.
func TestAPeerThatGaveUpIsNoticed(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		w := newWorld(20 + seed)
		up := &link{world: w, rate: mbit(32), queue: 200 * time.Millisecond, delay: time.Millisecond, loss: 0.05}
		e := &end{world: w, out: &link{world: w, delay: time.Millisecond, loss: 0.05}, stay: true, other: &end{}}
		l := w.libtorrent(up, e.receive)
		e.to = l.receive
		if !w.run(5*time.Minute, func() bool { return l.dead }) {
			t.Fatal("it gave nothing up")
		}
		gave := w.now
		found := seed%2 == 0
		w.run(w.now+15*time.Second, func() bool {
			if found && e.conn.Doubtful() {
				e.conn.Found(e.clock()) // a call was answered, say
				e.setAlarm()
			}
			return e.conn.Done()
		})
		late := w.now - gave
		if e.corrupt || e.conn.Err() != ErrTimeout || found && late > 6*time.Second {
			t.Errorf("%v after %d bytes, %v later: %v, corrupt: %v", gave, e.got, late, e.conn.Err(), e.corrupt)
		}
	}
}

// A line that is down for some seconds ends nothing.
func TestAPeerThatIsThereIsNotGivenUp(t *testing.T) {
	for seed := range uint64(5) {
		w := newWorld(40 + seed)
		a, b := w.pair(&link{world: w, rate: mbit(10), queue: 200 * time.Millisecond, delay: 20 * time.Millisecond}, &link{world: w, delay: 20 * time.Millisecond})
		a.want = 4 << 20
		a.dial()
		w.run(time.Second, nil)
		a.out.loss, b.out.loss = 0.5, 0.5
		w.run(1500*time.Millisecond, nil)
		a.out.loss, b.out.loss = 1, 1
		w.run(7*time.Second, nil)
		a.out.loss, b.out.loss = 0, 0
		finish(t, w, a, b)
	}
}

// A peer that owes a packet and says nothing is asked; one that answers is not gone.
func TestAnAnswerIsEnough(t *testing.T) {
	var c *Conn
	now, asked := time.Duration(0), 0
	cfg := Config{Send: func(b []byte, _ bool) {
		if p, err := decode(b); err == nil && p.kind == kindData {
			asked++
			if p.seq != c.firstSeq-1 || p.ack != 1 || len(p.selective) == 0 {
				t.Fatalf("asked by %+v", p)
			}
		}
	}}
	c, _ = Accept(now, cfg, (&packet{kind: kindSyn, id: 9, seq: 1, window: 1 << 20}).append(nil))
	c.Receive(now, (&packet{kind: kindData, id: 10, seq: 3, ack: c.firstSeq - 1, payload: []byte("x")}).append(nil))
	answered := 0
	for !c.Done() {
		now, _ = c.Deadline()
		c.Wake(now)
		if asked > answered && now < 2*silence {
			answered = asked
			c.Receive(now, (&packet{kind: kindState, id: 10, seq: 4, ack: c.firstSeq - 1}).append(nil))
		}
	}
	if c.Err() != ErrTimeout || now < 2*silence || now > 2*silence+goneAfter+2*askEvery || asked < 60 || asked-answered < 8 {
		t.Errorf("%v after %v; asked %d times, answered %d", c.Err(), now, asked, answered)
	}
}

// libtorrentReceiver is a model of how libtorrent receives: each packet that does not
// arrive together with others is acknowledged at once, or by a request, of which there
// is one for some data. A packet whose acknowledgement is old by more than three is
// ignored with all its data; libutp does that, too.
type libtorrentReceiver struct {
	*world
	in       incoming
	back     *link
	to       *end
	got      int
	requests int

	id, next, acked uint16
}

const theirRequest = 24 << 10 // bytes of data for each

func (r *libtorrentReceiver) receive(b []byte) {
	p, err := decode(b)
	if err != nil {
		return
	}
	if p.kind == kindSyn {
		r.in.ack, r.id, r.next, r.acked = p.seq, p.id, 5, 4
		r.answer(&p, kindState)
		return
	}
	if before(p.ack, r.acked-ackTolerance) {
		return
	}
	if before(r.acked, p.ack) {
		r.acked = p.ack
	}
	if p.kind != kindData {
		return
	}
	r.in.add(p.seq, p.payload, false)
	r.got += r.in.ready.len()
	r.in.ready.clear()
	asked := r.requests
	for ; r.requests < r.got/theirRequest; r.requests++ {
		r.answer(&p, kindData)
		r.next++
	}
	if asked == r.requests {
		r.answer(&p, kindState)
	}
}

func (r *libtorrentReceiver) answer(p *packet, k kind) {
	now := uint32(r.now.Microseconds())
	a := packet{kind: k, id: r.id, timestamp: now, difference: now - p.timestamp, window: 1 << 20, seq: r.next, ack: r.in.ack, selective: r.in.selective(nil)}
	if k == kindData {
		a.payload = make([]byte, 34)
	}
	b := a.append(nil)
	r.back.send(len(b)+overhead, false, func() { r.to.receive(b) })
}

// What is late is not ignored for its acknowledgement, as if it was lost.
func TestLatePacketsAreNotIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(8)
	line := func() *link {
		return &link{world: w, rate: mbit(32), delay: 25 * time.Millisecond, queue: 200 * time.Millisecond, reorder: 0.05, late: 20 * time.Millisecond, duplicate: 0.05}
	}
	up, down := line(), line()
	a, _ := w.pair(up, down)
	r := &libtorrentReceiver{world: w, in: incoming{limit: 1 << 20}, back: down, to: a}
	a.want, a.to, a.other = -1, r.receive, &end{want: -1}
	a.dial()
	w.run(40*time.Second, nil)
	s := a.conn.Stats()
	use := float64(r.got) / (up.rate * 40)
	t.Logf("%.3f of the line; %d of %d packets were sent again", use, s.Again, s.Packets)
	if use < 0.8 || s.Again > s.Packets/1000 {
		t.Errorf("%.3f of the line; %d of %d packets were sent again", use, s.Again, s.Packets)
	}
}

// Acknowledgements of bulk data are not kept back: who sends it, with a small window,
// waits for them.
func TestBulkDataIsAcknowledgedAtOnce(t *testing.T) {
	t.Parallel()
	var got [2]int
	for i, patience := range []time.Duration{0, 50 * time.Millisecond} {
		w := newWorld(9)
		up := &link{world: w, rate: mbit(32), delay: 25 * time.Millisecond, queue: 200 * time.Millisecond, loss: 0.01}
		e := &end{world: w, out: &link{world: w, delay: 25 * time.Millisecond}, want: -1, other: &end{}}
		l := w.libtorrent(up, e.receive)
		e.to = l.receive
		w.run(time.Second, nil)
		e.conn.out.patience = patience
		w.run(40*time.Second, nil)
		got[i] = e.got
	}
	t.Logf("%d bytes, and %d where packets change their order", got[0], got[1])
	if got[1] < got[0]*9/10 {
		t.Errorf("%d bytes, and %d where packets change their order", got[0], got[1])
	}
}
