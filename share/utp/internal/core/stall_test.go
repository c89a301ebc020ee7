package core

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// history is a connection on a path that does to single packets what hurts most, and is fair
// to all others; programs write now and then, pause reading, and close in any order.
type history struct {
	*world
	a, b *end
	log  []string

	aims     []aim
	movedAt  time.Duration // something arrived in order, or something was done to a packet
	progress int
	row      map[*end]int // losses since something of an end was acknowledged

	told    map[*end]map[*byte]int // the number of each datagram, in the order of sending
	windows map[*end][]int         // by that number
	newest  map[*end]int           // that arrived
}

// aim is what happens to the next packets of a kind that an end sends.
type aim struct {
	from  *end
	name  string
	hits  func(p *packet) bool
	left  int
	after []time.Duration // by how much its copies are late; none is a loss
}

const (
	// A stream goes on so soon after the last packet that the path did something to: a
	// few timeouts, as some of a row can be lost.
	mostStall = 4500 * time.Millisecond
	mostRow   = 2
	onceRound = 40 * time.Millisecond
)

func newHistory(seed uint64) *history {
	w := newWorld(seed)
	h := &history{
		world: w, told: map[*end]map[*byte]int{}, windows: map[*end][]int{}, newest: map[*end]int{}, row: map[*end]int{},
	}
	h.a, h.b = w.pair(&link{world: w, delay: onceRound / 2}, &link{world: w, delay: onceRound / 2})
	for _, e := range []*end{h.a, h.b} {
		h.told[e] = map[*byte]int{}
		e.fate = func(b []byte) []time.Duration { return h.fate(e, b) }
		e.to = func(b []byte) { h.arrive(e, b) }
		e.stay = true
	}
	return h
}

func (h *history) say(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf("%9.3f ", h.now.Seconds())+fmt.Sprintf(format, args...))
}

func (h *history) who(e *end) string {
	if e == h.a {
		return "a"
	}
	return "b"
}

var kinds = map[kind]string{kindData: "data", kindFin: "fin", kindState: "state", kindReset: "reset", kindSyn: "syn"}

func (p packet) String() string {
	return fmt.Sprintf("%s %d ack %d window %d %x of %d", kinds[p.kind], p.seq, p.ack, p.window, p.selective, len(p.payload))
}

// fate decides what becomes of a datagram that e sends.
func (h *history) fate(e *end, b []byte) []time.Duration {
	p, _ := decode(b)
	h.told[e][&b[0]] = len(h.windows[e])
	h.windows[e] = append(h.windows[e], int(p.window))
	for i := range h.aims {
		m := &h.aims[i]
		if m.from != e || m.left == 0 || !m.hits(&p) {
			continue
		}
		if len(m.after) == 0 {
			if max(h.row[h.a], h.row[h.b]) >= mostRow {
				continue
			}
			h.row[h.a]++
			h.row[h.b]++
		}
		m.left--
		h.movedAt = h.now
		h.say("%s sends %v: %s, %v", h.who(e), p, m.name, m.after)
		return m.after
	}
	h.say("%s sends %v", h.who(e), p)
	return []time.Duration{0}
}

// arrive brings a datagram of e to the other end, and checks what that believes then.
func (h *history) arrive(e *end, b []byte) {
	if o := e.other; o.conn != nil && o.conn.Done() {
		if head, ok := ParseHeader(b); ok && !head.Reset { // as a Socket does
			o.config().Send(AppendReset(nil, o.clock(), head), false)
		}
		return
	}
	first := uint16(0)
	if c := e.other.conn; c != nil {
		first = c.out.first()
	}
	e.other.receive(b)
	if c := e.other.conn; c != nil && c.Err() == nil {
		n := h.told[e][&b[0]]
		h.newest[e] = max(h.newest[e], n)
		if told := h.windows[e][h.newest[e]]; c.offer.window > told {
			h.fail("%s believes in a window of %d, and was told %d", h.who(e.other), c.offer.window, told)
		}
	}
	n := h.a.got + h.b.got
	for _, e := range []*end{h.a, h.b} {
		if e.conn != nil {
			n += int(e.conn.state)
		}
		if e.eof {
			n++
		}
	}
	if n != h.progress {
		h.progress, h.movedAt = n, h.now
	}
	if c := e.other.conn; c != nil && (c.out.first() != first || len(c.out.packets) == 0) {
		h.row[e.other] = 0
	}
}

type stalled string

func (h *history) fail(format string, args ...any) { panic(stalled(fmt.Sprintf(format, args...))) }

// aimAt chooses what is done to a few of the packets to come.
func (h *history) aimAt() {
	m := aim{from: h.a, left: 1 + h.rand.IntN(2)}
	if h.rand.IntN(2) == 0 {
		m.from = h.b
	}
	last := uint16(0)
	all := []struct {
		name string
		hits func(p *packet) bool
	}{
		{"any", func(*packet) bool { return true }},
		{"an acknowledgement", func(p *packet) bool { return p.kind == kindState }},
		{"one without a mask", func(p *packet) bool { return p.kind == kindState && p.selective == nil }},
		{"one with a mask", func(p *packet) bool { return p.kind == kindState && p.selective != nil }},
		{"one that repeats a number", func(p *packet) bool {
			was := last
			last = p.ack
			return p.kind == kindState && p.ack == was
		}},
		{"data", func(p *packet) bool { return p.kind == kindData }},
		{"small data", func(p *packet) bool { return p.kind == kindData && len(p.payload) < 1000 }},
		{"the end", func(p *packet) bool { return p.kind == kindFin }},
		{"an open window", func(p *packet) bool { return p.window > 1000 && p.kind == kindState }},
		{"a closed window", func(p *packet) bool { return p.window < 1000 }},
		{"a greeting", func(p *packet) bool { return m.from.conn == nil || !m.from.conn.Connected() }},
	}
	one := all[h.rand.IntN(len(all))]
	m.name, m.hits = one.name, one.hits
	late := func() time.Duration { return time.Duration(1+h.rand.IntN(80)) * time.Millisecond }
	switch h.rand.IntN(4) {
	case 0, 1: // lost
	case 2:
		m.after = []time.Duration{late()}
	case 3:
		m.after = []time.Duration{0, late(), late()}
	}
	h.aims = append(h.aims, m)
}

// step has a program do something.
func (h *history) step() {
	e := h.a
	if h.rand.IntN(2) == 0 {
		e = h.b
	}
	if e.conn == nil {
		return
	}
	switch h.rand.IntN(8) {
	case 0, 1, 2:
		if !e.conn.ending.queued {
			n := []int{1, 100, 1500, 5000, 20_000, 100_000}[h.rand.IntN(6)]
			h.say("%s writes %d", h.who(e), n)
			e.want += n
		}
	case 3, 4:
		e.deaf = !e.deaf
		h.movedAt = h.now
		h.say("%s is deaf: %v", h.who(e), e.deaf)
	case 5:
		if h.rand.IntN(4) == 0 {
			h.say("%s has written all", h.who(e))
			e.stay = false
		}
	default:
		h.aimAt()
	}
	e.act()
}

// owed reports whether something is on its way that should arrive.
func (h *history) owed() bool {
	for _, e := range []*end{h.a, h.b} {
		o := e.other
		if e.conn == nil || !o.deaf && (o.got < e.want || !e.stay && !o.eof) {
			return true
		}
	}
	return false
}

// check looks whether the stream stands still for no reason.
func (h *history) check() {
	for _, e := range []*end{h.a, h.b} {
		if e.conn != nil && e.conn.Err() != nil && e.conn.Err() != ErrClosed {
			h.fail("%s: %v", h.who(e), e.conn.Err())
		}
		if e.corrupt {
			h.fail("%s read something else", h.who(e))
		}
	}
	if !h.owed() {
		h.movedAt = h.now
	}
	if h.now-h.movedAt > mostStall {
		h.fail("nothing arrives since %v", h.movedAt)
	}
}

// run plays one history and says why it is none that should be; "" if all is well.
func (h *history) play() (fault string) {
	defer func() {
		if s := recover(); s != nil {
			said, ok := s.(stalled)
			if !ok {
				panic(s)
			}
			fault = string(said)
		}
	}()
	for _, e := range []*end{h.a, h.b} {
		e.cfg.ReceiveBuffer = []int{3000, 10_000, 50_000}[h.rand.IntN(3)]
		e.cfg.SendBuffer = 200_000
	}
	if h.rand.IntN(2) == 0 { // numbers that will wrap
		h.a.cfg.Seed, h.a.seeded = lateSeeds()[0], true
		h.b.cfg.Seed, h.b.seeded = lateSeeds()[1], true
	}
	for range h.rand.IntN(3) {
		h.aimAt()
	}
	h.a.dial()
	pause := func(d time.Duration) {
		for until := h.now + d; h.now < until; h.check() {
			h.world.run(min(until, h.now+100*time.Millisecond), nil)
		}
	}
	for range 5 + h.rand.IntN(40) {
		pause(time.Duration(h.rand.IntN(400)) * time.Millisecond)
		h.step()
	}
	for pause(2 * time.Second); h.b.conn == nil; {
		pause(100 * time.Millisecond)
	}
	if h.rand.IntN(4) == 0 {
		return h.abort(pause)
	}
	h.a.deaf, h.b.deaf, h.a.stay, h.b.stay = false, false, false, false
	h.say("both end")
	h.movedAt = h.now
	h.a.act()
	h.b.act()
	for !h.a.eof || !h.b.eof {
		pause(100 * time.Millisecond)
	}
	h.world.run(h.now+timeWait+4*mostStall, nil)
	for _, e := range []*end{h.a, h.b} {
		if e.conn.Err() != ErrClosed {
			h.fail("%s ended with %v", h.who(e), e.conn.Err())
		}
	}
	return ""
}

// abort ends a history by an end that is gone at once: the other learns it when it says
// something.
func (h *history) abort(pause func(time.Duration)) string {
	e := h.a
	if h.rand.IntN(2) == 0 {
		e = h.b
	}
	if e.conn.Err() != nil || e.other.conn.Err() != nil || e.other.conn.ending.queued {
		return ""
	}
	h.say("%s aborts", h.who(e))
	e.conn.Abort(e.clock())
	e.act()
	e.other.want += 10
	e.other.act()
	for until := h.now + 2*mostStall; e.other.conn.Err() == nil; {
		if h.now > until {
			h.fail("%s does not know that %s is gone", h.who(e.other), h.who(e))
		}
		h.world.run(h.now+100*time.Millisecond, nil)
	}
	if err := e.other.conn.Err(); err != ErrReset {
		h.fail("%s ended with %v", h.who(e.other), err)
	}
	return ""
}

// lateSeeds are seeds of an end that dials and of one that accepts whose numbers are about
// to wrap.
var lateSeeds = sync.OnceValue(func() (seeds [2][32]byte) {
	for i := uint64(1); seeds[0] == seeds[1] || seeds[0] == [32]byte{} || seeds[1] == [32]byte{}; i++ {
		var seed [32]byte
		binary.LittleEndian.PutUint64(seed[:], i)
		_, random := newConn(0, Config{Seed: seed})
		for k := 1; k >= 0; k-- { // the first number is that of who accepts
			if uint16(random.Uint32()) > 0xffff-60 {
				seeds[k] = seed
			}
		}
	}
	return seeds
})

// What arrived out of order and was told so, is acknowledged once all before it is here, too. If
// just that acknowledgement is lost, the end that sent has nothing on its way and nothing to send
// again; it has to ask all the same, and what is written meanwhile goes on.
func TestTheAcknowledgementOfWhatAllArrivedMayBeLost(t *testing.T) {
	w, a, b := line(21)
	a.want, a.stay, b.stay = 40_000, true, true
	a.dial()
	w.run(2*time.Second, nil)
	b.out.loss = 1
	a.want += 2000
	a.act()
	c := a.conn
	if len(c.out.packets) != 2 {
		t.Fatalf("%d packets on their way", len(c.out.packets))
	}
	w.run(w.now+30*time.Millisecond, nil)
	first := c.out.first()
	for _, p := range []packet{{ack: first - 1, selective: []byte{1, 0, 0, 0}}, {ack: first}} {
		p.kind, p.id, p.seq = kindState, c.receiveID, c.in.ack+1
		p.window, p.timestamp = uint32(c.offer.window), c.offer.stamp+100
		c.Receive(a.clock(), p.append(nil))
	}
	if len(c.out.packets) != 1 || !c.out.packets[0].arrived {
		t.Fatalf("%d packets are not acknowledged", len(c.out.packets))
	}
	a.want += 100 // too little to go along with what is not acknowledged
	a.act()
	b.out.loss = 0
	w.run(w.now+2*minRTO, nil)
	if b.got != a.want || len(c.out.packets) > 0 {
		t.Errorf("got %d of %d; %d packets are not acknowledged", b.got, a.want, len(c.out.packets))
	}
}

// Whatever is done to a few packets, the stream goes on within a few timeouts, and what an end
// believes of the other's window is what the other said last.
func TestNoHistoryStandsStill(t *testing.T) {
	n := uint64(2000)
	if os.Getenv("SOAK") != "" {
		n = 100_000
	}
	faults := 0
	for seed := range n {
		h := newHistory(seed)
		if fault := h.play(); fault != "" {
			from := max(0, len(h.log)-40)
			t.Errorf("history %d: %s", seed, fault)
			if faults++; faults <= 2 {
				for _, line := range h.log[from:] {
					t.Log(line)
				}
			}
			if faults > 10 {
				t.FailNow()
			}
		}
	}
}
