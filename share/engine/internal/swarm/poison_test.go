package swarm

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// poisoner is a peer that says it has everything and then does, with what is asked
// of it, whatever its kind does.
type poisoner struct {
	m    *made
	kind string
	conn net.Conn
	sent int
	slow *time.Ticker
	over <-chan struct{}
}

// The twelve kinds, and which of them send data that is wrong.
var (
	poisoners = []string{
		"always", "sometimes", "late", "wrong offset", "short", "stall", "slow", "reject", "choke loop", "last block withheld", "duplicates", "oversize",
	}
	wrongData = []string{"always", "sometimes", "late"}
)

// poison runs a poisoner on an address of its own.
func poison(t *testing.T, m *made, kind, ip string) netip.AddrPort {
	l, err := net.Listen("tcp", ip+":0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			stop := make(chan struct{})
			all.Go(func() {
				select {
				case <-stop:
				case <-t.Context().Done():
				}
				c.Close()
			})
			all.Go(func() {
				defer close(stop)
				p := &poisoner{m: m, kind: kind, conn: c, slow: time.NewTicker(5 * time.Second), over: t.Context().Done()}
				defer p.slow.Stop()
				p.run()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func (p *poisoner) say(m wire.Message) { _, _ = p.conn.Write(wire.Append(nil, &m)) }

func (p *poisoner) run() {
	b := append([]byte(protocol), 0, 0, 0, 0, 0, 0, 0, 0x04)
	b = append(append(b, p.m.id[:]...), bytes.Repeat([]byte{9}, 20)...)
	if _, err := p.conn.Write(b); err != nil {
		return
	}
	if _, err := io.ReadFull(p.conn, make([]byte, handshakeLen)); err != nil {
		return
	}
	p.say(wire.Message{Type: wire.HaveAll})
	p.say(wire.Message{Type: wire.Unchoke})
	r := wire.NewReader(p.conn, wire.ReaderConfig{Fast: true})
	r.SetLayout(&p.m.layout)
	var m wire.Message
	for r.Read(&m) == nil {
		if m.Type == wire.Request {
			p.answer(m)
		}
	}
}

func (p *poisoner) answer(m wire.Message) {
	p.sent++
	at := int(m.Index)*p.m.layout.PieceLength + int(m.Begin)
	block := bytes.Clone(p.m.data[at:][:m.Length])
	begin := m.Begin
	times := 1
	switch p.kind {
	case "always":
		block[0]++
	case "sometimes":
		if p.sent%8 == 3 {
			block[0]++
		}
	case "late":
		if p.sent > 16 {
			block[0]++
		}
	case "wrong offset":
		if begin++; int(begin)+len(block) > p.m.layout.Len(int(m.Index)) {
			begin -= 2
		}
	case "short":
		block = block[:len(block)/2]
	case "stall":
		return
	case "slow":
		select {
		case <-p.slow.C:
		case <-p.over:
			return
		}
	case "reject":
		m.Type = wire.Reject
		p.say(m)
		return
	case "choke loop":
		p.say(wire.Message{Type: wire.Choke})
		p.say(wire.Message{Type: wire.Unchoke})
		return
	case "last block withheld":
		if int(m.Begin+m.Length) == p.m.layout.Len(int(m.Index)) {
			return
		}
	case "duplicates":
		times = 3
	case "oversize":
		block = append(block, block...)
	}
	for range times {
		head := wire.AppendPieceHeader(nil, m.Index, begin, uint32(len(block)))
		_, _ = p.conn.Write(append(head, block...))
	}
}

// trickle lets so many bytes a second pass.
type trickle struct {
	mu   sync.Mutex
	rate float64
	due  time.Time
}

func (l *trickle) Wait(n int, stop <-chan struct{}) bool {
	l.mu.Lock()
	now := time.Now()
	if l.due.Before(now) {
		l.due = now
	}
	l.due = l.due.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	wait := time.NewTimer(l.due.Sub(now))
	l.mu.Unlock()
	defer wait.Stop()
	select {
	case <-wait.C:
		return true
	case <-stop:
		return false
	}
}

func (l *trickle) Holds() bool { return true }

// Whatever a peer does beside one good one: what arrives is right, only who sent
// wrong data is banned, and it takes little longer. How long is logged; the
// simulator has the same as a test, without the noise of a machine.
func TestPoisoners(t *testing.T) {
	m := makeContent(4<<20, 128<<10)
	for _, kind := range slices.Concat([]string{"nobody"}, poisoners) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			a, good := nodeAt(t, "127.0.0.2:0", nil)
			seed, _ := m.content(true)
			seed.Up = &trickle{rate: 2 << 20}
			attach(t, a, seed)
			n, _ := nodeAt(t, "127.0.0.4:0", nil)
			want, disk := m.content(false)
			s, events := attach(t, n, want)
			begin := time.Now()
			bad := netip.AddrPort{}
			if kind != "nobody" {
				bad = poison(t, m, kind, "127.0.0.3")
				s.AddPeers([]netip.AddrPort{bad})
				await(t, events, PeerCame)
			}
			s.AddPeers([]netip.AddrPort{good})
			var banned []netip.AddrPort
			limit := time.After(time.Minute)
			for done := false; !done; {
				select {
				case e := <-events:
					done = e.Kind == Finished
					if e.Kind == PeerBanned {
						banned = append(banned, e.Addr)
					}
				case <-limit:
					t.Fatalf("not done after a minute: %+v", s.Stats())
				}
			}
			t.Logf("done after %v, %+v", time.Since(begin).Round(time.Millisecond), s.Stats())
			if !bytes.Equal(disk.data, m.data) {
				t.Error("other data arrived")
			}
			if lies := slices.Contains(wrongData, kind); lies != slices.Equal(banned, []netip.AddrPort{bad}) || !lies && len(banned) > 0 {
				t.Errorf("banned: %v", banned)
			}
		})
	}
}
