package core

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"
)

// line is a pair of ends at a line of 20 ms each way without faults.
func line(seed uint64) (w *world, a, b *end) {
	w = newWorld(seed)
	a, b = w.pair(&link{world: w, delay: 20 * time.Millisecond}, &link{world: w, delay: 20 * time.Millisecond})
	return w, a, b
}

func TestNumbersWrapInAConnection(t *testing.T) {
	w, a, b := line(1)
	a.want, b.want = 500_000, 500_000
	cfg := a.config()
	for first := uint16(0); first < 0xfff0; { // a seed whose first number is close to the last
		binary.LittleEndian.PutUint64(cfg.Seed[:], binary.LittleEndian.Uint64(cfg.Seed[:])+1)
		try := cfg
		try.Send = func(b []byte, _ bool) { first = binary.BigEndian.Uint16(b[16:]) }
		Dial(0, try)
	}
	a.conn = Dial(a.clock(), cfg)
	a.act()
	finish(t, w, a, b)
}

func TestWhatWasWrittenBeforeCloseArrives(t *testing.T) {
	w, a, b := line(2)
	a.want, a.stay = 200_000, true
	a.dial()
	w.run(50*time.Millisecond, nil)
	a.conn.Close(a.clock())
	a.act()
	if _, err := a.conn.Write(a.clock(), []byte{1}); err != ErrClosed {
		t.Errorf("Write after Close: %v", err)
	}
	if _, err := a.conn.Read(a.clock(), make([]byte, 1)); err != ErrClosed {
		t.Errorf("Read after Close: %v", err)
	}
	w.run(time.Minute, nil)
	if b.got != 200_000 || b.corrupt || !b.eof || a.conn.Err() != ErrClosed || b.conn.Err() != ErrClosed {
		t.Errorf("got %d, EOF %v; %v, %v", b.got, b.eof, a.conn.Err(), b.conn.Err())
	}
}

func TestOneSideCanCloseAlone(t *testing.T) {
	w, a, b := line(3)
	a.dial() // and closes its side at once
	b.stay = true
	w.run(time.Second, nil)
	if !b.eof || a.conn.Err() != nil || b.conn.Err() != nil {
		t.Fatalf("EOF %v; %v, %v", b.eof, a.conn.Err(), b.conn.Err())
	}
	b.want, b.stay = 100_000, false
	b.act()
	finish(t, w, a, b)
}

func TestTheLastAcknowledgementMayBeLost(t *testing.T) {
	w, a, b := line(14)
	a.dial()
	if !w.run(time.Minute, func() bool { return b.conn != nil && b.conn.ending.sent }) {
		t.Fatal("no FIN")
	}
	a.out.loss = 1
	w.run(w.now+12*time.Second, nil)
	if a.conn.Done() || b.conn.Done() {
		t.Errorf("over before the end: %v, %v", a.conn.Err(), b.conn.Err())
	}
	a.out.loss = 0
	finish(t, w, a, b)
}

func TestLingerHasAnEnd(t *testing.T) {
	w, a, _ := line(4)
	a.want, a.stay = 200_000, true
	a.cfg.Linger = 5 * time.Second
	a.dial()
	w.run(time.Second, nil)
	a.want *= 2
	a.act()
	a.out.loss = 1
	a.conn.Close(a.clock())
	a.act()
	w.run(w.now+4900*time.Millisecond, nil)
	if a.conn.Done() {
		t.Error("done before its time")
	}
	w.run(w.now+200*time.Millisecond, nil)
	if a.conn.Err() != ErrClosed {
		t.Errorf("after its time: %v", a.conn.Err())
	}
}

func TestAPeerThatFallsSilentIsGivenUp(t *testing.T) {
	w, a, b := line(5)
	a.want, b.stay = -1, true
	a.dial()
	w.run(time.Second, nil)
	b.out.loss = 1
	w.run(w.now+silence-time.Second, nil)
	if a.conn.Done() {
		t.Error("given up before its time")
	}
	w.run(w.now+2*time.Second, nil)
	if a.conn.Err() != ErrTimeout {
		t.Errorf("after its time: %v", a.conn.Err())
	}
	if _, err := a.conn.Write(a.clock(), []byte{1}); err != ErrTimeout {
		t.Errorf("Write: %v", err)
	}
}

func TestADialThatNobodyAnswers(t *testing.T) {
	w, a, _ := line(6)
	a.out.loss = 1
	a.dial()
	w.run(longTime, nil)
	if a.conn.Err() != ErrTimeout || a.conn.Connected() {
		t.Errorf("%v", a.conn.Err())
	}
	if a.out.dropped < 4 || a.out.dropped > 10 {
		t.Errorf("%d SYNs were sent", a.out.dropped)
	}
}

func TestAnIdleConnectionIsKeptAlive(t *testing.T) {
	w, a, b := line(7)
	a.want, a.stay, b.stay = 10, true, true
	a.dial()
	w.run(time.Second, nil)
	a.out.reset()
	b.out.reset()
	w.run(10*time.Minute, nil)
	if a.conn.Err() != nil || b.conn.Err() != nil {
		t.Fatalf("%v, %v", a.conn.Err(), b.conn.Err())
	}
	for _, l := range []*link{a.out, b.out} {
		if l.packets < 19 || l.packets > 21 {
			t.Errorf("%d packets in ten minutes", l.packets)
		}
	}
}

func TestWhatAnAcceptedConnectionSaysToAForgedSource(t *testing.T) {
	sent := 0
	c, ok := Accept(0, Config{Send: func(b []byte, _ bool) { sent += len(b) }}, (&packet{kind: kindSyn, id: 9, seq: 1}).append(nil))
	if !ok || c.ID() != 10 {
		t.Fatalf("accepted: %v", ok)
	}
	if n, err := c.Write(0, make([]byte, 100_000)); n != 100_000 || err != nil {
		t.Fatal(n, err)
	}
	// One that has not seen our answer does not know what it acknowledges.
	c.Receive(0, (&packet{kind: kindData, id: 10, seq: 2, ack: c.firstSeq + 7, payload: []byte("x")}).append(nil))
	var at time.Duration
	for !c.Done() {
		at, _ = c.Deadline()
		c.Wake(at)
	}
	if sent > 3*headerSize || !errors.Is(c.Err(), ErrTimeout) || at > greeting || c.Readable() && c.in.ready.len() > 0 {
		t.Errorf("%d bytes were sent until %v; %v", sent, at, c.Err())
	}
	if _, ok := Accept(0, Config{}, (&packet{kind: kindData, id: 9, seq: 1}).append(nil)); ok {
		t.Error("data was accepted as a SYN")
	}
}

func TestTheEndThatAcceptedMaySpeakFirst(t *testing.T) {
	w, a, b := line(8)
	a.stay = true
	b.want = 1000
	// What tells b that its answer arrived is lost.
	w.run(0, nil)
	a.dial()
	w.run(30*time.Millisecond, nil)
	a.out.loss = 1
	w.run(100*time.Millisecond, nil)
	a.out.loss = 0
	w.run(5*time.Second, nil)
	if a.got != 1000 {
		t.Errorf("got %d", a.got)
	}
}

// What tells the end that accepted of the one that dialed is lost, and neither has anything to
// say for long.
func TestAConnectionOfTwoThatAreSilentStays(t *testing.T) {
	w, a, b := line(22)
	a.stay, b.stay = true, true
	w.run(0, nil)
	a.dial()
	w.run(30*time.Millisecond, nil)
	a.out.loss = 1
	w.run(2*time.Second, nil)
	a.out.loss = 0
	w.run(25*time.Second, nil)
	if a.out.packets > maxShown {
		t.Errorf("%d packets", a.out.packets)
	}
	w.run(time.Minute, nil)
	b.want = 1000
	b.act()
	w.run(w.now+time.Second, nil)
	if a.got != 1000 {
		t.Errorf("got %d; %v, %v", a.got, a.conn.Err(), b.conn.Err())
	}
}

func TestOnlyTrueResetsEndAConnection(t *testing.T) {
	for name, c := range map[string]struct {
		forge func(*Conn) packet
		ends  bool
	}{
		"our id":            {func(c *Conn) packet { return packet{id: c.receiveID, ack: c.out.next - 1} }, true},
		"the peer's id":     {func(c *Conn) packet { return packet{id: c.sendID, ack: c.out.next - 1} }, true},
		"an old number":     {func(c *Conn) packet { return packet{id: c.receiveID, ack: c.out.next - 20} }, true},
		"a wrong id":        {func(c *Conn) packet { return packet{id: c.receiveID + 2, ack: c.out.next - 1} }, false},
		"a number not sent": {func(c *Conn) packet { return packet{id: c.receiveID, ack: c.out.next + 1} }, false},
		"a very old number": {func(c *Conn) packet { return packet{id: c.receiveID, ack: c.out.next - 100} }, false},
	} {
		w, a, b := line(9)
		a.want, a.stay, b.stay = 100_000, true, true
		a.dial()
		w.run(5*time.Second, nil)
		p := c.forge(a.conn)
		p.kind = kindReset
		a.conn.Receive(a.clock(), p.append(nil))
		if ended := a.conn.Err() == ErrReset; ended != c.ends {
			t.Errorf("%s: %v", name, a.conn.Err())
		}
	}
}

func TestAnAbortIsToldToThePeer(t *testing.T) {
	w, a, b := line(10)
	a.want, a.stay, b.stay = 100_000, true, true
	a.dial()
	w.run(5*time.Second, nil)
	a.conn.Abort(a.clock())
	w.run(w.now+time.Second, nil)
	if a.conn.Err() != ErrClosed || b.conn.Err() != ErrReset {
		t.Errorf("%v, %v", a.conn.Err(), b.conn.Err())
	}
}

func TestForgedDataIsNotRead(t *testing.T) {
	w, a, b := line(11)
	a.want, a.stay, b.stay = 10_000, true, true
	a.dial()
	w.run(5*time.Second, nil)
	c := b.conn
	good := packet{kind: kindData, id: c.receiveID, seq: c.in.ack + 1, ack: c.out.next - 1, payload: []byte("forged")}
	for name, spoil := range map[string]func(*packet){
		"wrong id":                 func(p *packet) { p.id++ },
		"acknowledges the unsent":  func(p *packet) { p.ack++ },
		"acknowledges the unknown": func(p *packet) { p.ack -= 2 * maxReorder },
		"number too far":           func(p *packet) { p.seq += maxReorder },
		"number of the past":       func(p *packet) { p.seq -= 3 },
	} {
		p := good
		spoil(&p)
		c.Receive(b.clock(), p.append(nil))
		if c.Readable() || c.in.earlyBytes > 0 {
			t.Errorf("%s: taken", name)
		}
	}
	c.Receive(b.clock(), good.append(nil))
	if n, err := c.Read(b.clock(), make([]byte, 10)); n != len(good.payload) || err != nil {
		t.Errorf("the true one: %d, %v", n, err)
	}
}

func TestAcksWithoutMasksFindALoss(t *testing.T) {
	w, a, b := line(12)
	a.want, a.stay, b.stay = 40_000, true, true
	a.dial()
	w.run(time.Second, nil)
	a.out.loss, b.out.loss = 1, 1 // from here on, the peer is this test
	a.want += 5000
	a.act()
	c := a.conn
	if len(c.out.packets) < 4 {
		t.Fatalf("%d packets on their way", len(c.out.packets))
	}
	dup := packet{kind: kindState, id: c.receiveID, seq: c.in.ack + 1, ack: c.offer.ack, window: uint32(c.offer.window), timestamp: c.offer.stamp}
	for i := range duplicateAcks {
		if c.Stats().Again != 0 {
			t.Fatalf("sent again after %d", i)
		}
		c.Receive(a.clock(), dup.append(nil))
	}
	if c.Stats().Again != 1 {
		t.Errorf("%d packets were sent again", c.Stats().Again)
	}
}

// receiver is a connection that a test sends packets to, and what it says.
type receiver struct {
	*Conn
	now  time.Duration
	said []packet
}

func newReceiver() *receiver {
	r := &receiver{now: time.Second}
	r.Conn, _ = Accept(r.now, Config{Send: func(b []byte, _ bool) {
		p, _ := decode(bytes.Clone(b))
		r.said = append(r.said, p)
	}}, (&packet{kind: kindSyn, id: 9, seq: 0, window: 1 << 20}).append(nil))
	r.said = nil
	return r
}

// data brings full packets.
func (r *receiver) data(seqs ...uint16) {
	for _, seq := range seqs {
		r.Receive(r.now, (&packet{kind: kindData, id: 10, seq: seq, ack: r.firstSeq - 1, payload: make([]byte, 1200)}).append(nil))
	}
}

// pass lets time go by, and returns how many acknowledgements of ack were said.
func (r *receiver) pass(d time.Duration, ack uint16) (n int) {
	for until := r.now + d; ; {
		at, ok := r.Deadline()
		if !ok || at > until {
			r.now = until
			break
		}
		r.now = max(r.now, at)
		r.Wake(r.now)
	}
	for _, p := range r.said {
		if p.kind == kindState && p.ack == ack {
			n++
		}
	}
	r.said = nil
	return n
}

// Where bulk data pauses and a packet is missing, its loss is proved once: who has two
// packets more on their way learns it by nothing else for a second.
func TestALossIsProvedWhenDataPauses(t *testing.T) {
	r := newReceiver()
	r.data(1, 3)
	r.said = nil
	if n := r.pass(time.Second, 1); n != duplicateAcks {
		t.Errorf("acknowledged %d times in the pause", n)
	}
	r.data(4)
	r.said = nil
	if n := r.pass(time.Second, 1); n != 0 {
		t.Errorf("acknowledged %d times in the second pause: the peer's timeout was put off", n)
	}
	r.data(2)
	r.said = nil
	if n := r.pass(time.Second, 4); n != urgeRounds {
		t.Errorf("the last packet was acknowledged %d times more", n)
	}
}

// Where packets are lost, each is acknowledged by itself, and the last of them again:
// a lost acknowledgement stops a small window for a second. Where none is, one is for two.
func TestAcknowledgementsWherePacketsAreLost(t *testing.T) {
	r := newReceiver()
	r.data(1, 2, 3, 4)
	if n := len(r.said); n != 2 {
		t.Errorf("%d acknowledgements of 4 packets", n)
	}
	r.said = nil
	if n := r.pass(time.Second, 4); n != 0 {
		t.Errorf("acknowledged %d times more, though none was lost", n)
	}
	r.data(6, 5)
	r.said = nil
	r.data(7, 8, 9, 10)
	if n := len(r.said); n != 4 {
		t.Errorf("%d acknowledgements of 4 packets, where packets are lost", n)
	}
	r.said = nil
	if n := r.pass(time.Second, 10); n != urgeRounds {
		t.Errorf("the last packet was acknowledged %d times more", n)
	}
	r.pass(lossyTime, 10)
	r.data(11, 12, 13, 14)
	if n := len(r.said); n > 3 {
		t.Errorf("%d acknowledgements of 4 packets, long after the loss", n)
	}
}

func TestAThousandFlowsShareALine(t *testing.T) {
	w := newWorld(13)
	up := &link{world: w, rate: mbit(100), delay: 20 * time.Millisecond, queue: 200 * time.Millisecond}
	down := &link{world: w, rate: mbit(100), delay: 20 * time.Millisecond, queue: 200 * time.Millisecond}
	var ends []*end
	for range 1000 {
		a, b := w.pair(up, down)
		a.want = 20_000
		a.dial()
		ends = append(ends, a, b)
	}
	w.run(2*time.Minute, nil)
	for i, e := range ends {
		if e.conn == nil || e.conn.Err() != ErrClosed || e.corrupt || e.got != e.other.want {
			t.Fatalf("end %d: %+v", i, e)
		}
	}
}

// FuzzConn sends a connection what a peer could: packets with numbers near the true
// ones, in any order, with time passing. Memory stays bounded, and what is read is
// never more than what was sent in order.
func FuzzConn(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 4, 0, 2, 0, 0, 9})
	f.Add([]byte{2, 0, 0, 255, 1, 0, 0, 1, 0, 200, 1, 1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, script []byte) {
		const buffer = 4000
		var sent int
		cfg := Config{Send: func(b []byte, _ bool) {
			sent++
			if _, err := decode(b); err != nil {
				t.Fatalf("sent %x", b)
			}
		}, ReceiveBuffer: buffer, SendBuffer: buffer}
		now := time.Duration(0)
		c, _ := Accept(now, cfg, (&packet{kind: kindSyn, id: 1, seq: 0xfffe, window: 1 << 20}).append(nil))
		for ; len(script) >= 5; script = script[5:] {
			op, x := script[0], script[1:5]
			switch op % 8 {
			case 5:
				c.Write(now, make([]byte, int(x[0])*8))
			case 6:
				n, err := c.Read(now, make([]byte, int(x[0])*8))
				if n > 0 && err != nil {
					t.Fatal(n, err)
				}
			case 7:
				switch x[0] % 8 {
				case 0:
					c.CloseWrite(now)
				case 1:
					c.Close(now)
				default:
					if at, ok := c.Deadline(); ok {
						now = max(now, at)
						c.Wake(now)
					}
				}
			default:
				p := packet{
					kind: kind(op % 5), id: c.receiveID, window: uint32(x[3]) << (x[2] % 24), timestamp: uint32(x[1]), difference: uint32(x[2]) << 9,
					seq: c.in.ack + uint16(int8(x[0])), ack: c.out.next - 1 - uint16(x[1]%32), payload: make([]byte, int(x[3])*4),
				}
				if op&0x80 != 0 {
					p.selective = []byte{x[3], x[2], x[1], x[0]}
				}
				now += time.Duration(x[2]) * time.Millisecond
				c.Receive(now, p.append(nil))
			}
			if held := c.in.ready.len() + c.in.earlyBytes; held > 2*buffer || c.wait.len() > buffer || len(c.out.packets) > maxReorder {
				t.Fatalf("holds %d, %d, %d", held, c.wait.len(), len(c.out.packets))
			}
			flight, unacked, lost := 0, 0, 0
			for _, s := range c.out.packets {
				if s.arrived {
					continue // the peer has taken it from the window it tells
				}
				unacked += len(s.payload)
				if s.lost {
					lost++
				} else {
					flight += s.wire()
				}
			}
			if !c.Done() && (flight != c.out.flight || unacked != c.out.unacked || lost != c.out.lost) {
				t.Fatalf("flight %d, unacked %d, lost %d: %+v", flight, unacked, lost, c.out)
			}
			if at, ok := c.Deadline(); ok && at > now+maxRTO+keepAlive {
				t.Fatalf("the next deadline is %v after now", at-now)
			}
		}
		if _, err := c.Read(now, make([]byte, 1)); err == io.EOF && !c.in.ended {
			t.Fatal("EOF without a FIN")
		}
	})
}
