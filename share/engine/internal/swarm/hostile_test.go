package swarm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// strangers is a listener whose peers all seem to come from different networks, so
// that a ban of one does not keep out the others.
type strangers struct {
	net.Listener
	n atomic.Uint32
}

func (l *strangers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	a := netip.MustParseAddr("2001:db8::5").As16()
	binary.BigEndian.PutUint32(a[4:], l.n.Add(1))
	return elsewhere{c, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom16(a), 1))}, nil
}

type elsewhere struct {
	net.Conn
	remote net.Addr
}

func (c elsewhere) RemoteAddr() net.Addr { return c.remote }

// greet connects to a node as a peer of our making. It gives nil when the node does
// not want the peer.
func greet(t testing.TB, to string, id ID, fast bool, n int) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	b := append([]byte(protocol), 0, 0, 0, 0, 0, 0x10, 0, 0)
	if fast {
		b[len(b)-1] = 4
	}
	b = append(b, id[:]...)
	b = fmt.Appendf(b, "-XX0001-%012d", n)
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.Write(b); err != nil {
		return nil
	}
	if _, err := io.ReadFull(c, make([]byte, len(b))); err != nil {
		return nil
	}
	return c
}

// storm sends what a hostile peer may think of, mixed with what keeps the connection
// going: answers to requests, right, wrong, twice or refused.
type storm struct {
	*rand.Rand
	of   *made
	conn net.Conn
	fast bool
	seed bool // the node has everything
	mu   sync.Mutex
	last []wire.Message
}

func (s *storm) send(m wire.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.conn.Write(wire.Append(nil, &m))
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// rarely is for what ends the connection: otherwise none would last.
func (s *storm) rarely() bool { return s.IntN(60) == 0 }

func (s *storm) span(kind wire.Type) wire.Message {
	m := wire.Message{Type: kind, Index: uint32(s.IntN(s.of.layout.Pieces)), Begin: uint32(s.IntN(3) * wire.BlockSize), Length: wire.BlockSize - 1000}
	if s.rarely() {
		m.Index = pick[uint32](s.Rand, uint32(s.of.layout.Pieces), 1<<31, 1<<32-1)
	}
	if s.rarely() {
		m.Begin = pick[uint32](s.Rand, 1, uint32(s.of.layout.PieceLength)-1000, uint32(s.of.layout.PieceLength), 1<<32-1)
	}
	if s.rarely() {
		m.Length = pick[uint32](s.Rand, 1, 0, 128<<10, 1<<31)
	}
	return m
}

func extended(ext uint8, payload string) wire.Message {
	return wire.Message{Type: wire.Extended, Ext: ext, Payload: []byte(payload)}
}

const greeting = "d1:md11:ut_metadatai2e6:ut_pexi1e12:ut_holepunchi4ee1:v5:storme"

// message is one at random, mostly such as an honest peer may send.
func (s *storm) message() wire.Message {
	switch s.IntN(24) {
	case 0:
		return wire.Message{Type: pick(s.Rand, wire.HaveAll, wire.HaveNone)}
	case 1, 2, 3:
		return wire.Message{Type: wire.Have, Index: s.span(wire.Have).Index}
	case 4:
		b := make([]byte, (s.of.layout.Pieces+7)/8)
		for i := range s.of.layout.Pieces {
			b[i/8] |= byte(s.IntN(2)) << (7 - i%8)
		}
		if s.rarely() {
			b[len(b)-1] |= 1
		}
		return wire.Message{Type: wire.Bitfield, Payload: b}
	case 5:
		return wire.Message{Type: wire.Choke}
	case 6, 7, 8:
		return wire.Message{Type: wire.Unchoke}
	case 9:
		return wire.Message{Type: pick(s.Rand, wire.Interested, wire.NotInterested)}
	case 10, 11:
		if s.seed || s.rarely() {
			return s.span(pick(s.Rand, wire.Request, wire.Cancel))
		}
	case 12:
		if s.rarely() {
			return s.span(wire.Reject)
		}
	case 13:
		return wire.Message{Type: wire.AllowedFast, Index: s.span(wire.AllowedFast).Index}
	case 14:
		return wire.Message{Type: wire.Suggest, Index: s.span(wire.Suggest).Index}
	case 15:
		if s.rarely() {
			m := s.span(wire.Piece)
			m.Block = make([]byte, m.Length&0x3fff)
			return m
		}
	case 16:
		h := &wire.HashSpan{Layer: uint32(s.IntN(3)), Index: uint32(s.IntN(4)), Length: pick[uint32](s.Rand, 0, 1, 2, 512, 1<<31), Proofs: uint32(s.IntN(40))}
		_, _ = io.ReadFull(entropy{s.Rand}, h.Root[:])
		return wire.Message{Type: pick(s.Rand, wire.HashRequest, wire.HashReject), Hash: h}
	case 17:
		return wire.Message{Type: wire.Port, Port: uint16(s.IntN(1 << 16))}
	case 18:
		return extended(0, pick(s.Rand, greeting, "d1:mdee", "d1:md6:ut_pexi0e11:ut_metadatai0eee"))
	case 19:
		return extended(wire.ExtMetadata, fmt.Sprintf("d8:msg_typei%de5:piecei%de10:total_sizei5eehello", s.IntN(4), s.IntN(3)))
	case 20:
		return extended(wire.ExtPEX, "d5:added6:abcdef6:added618:abcdefghijklmnopqr7:dropped6:abcdefe")
	}
	if len(s.last) > 0 {
		return pick(s.Rand, s.last...)
	}
	return extended(0, greeting)
}

type entropy struct{ *rand.Rand }

func (e entropy) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(e.Uint32())
	}
	return len(b), nil
}

// answer reads what the node asks for until it hangs up.
func (s *storm) answer(r *rand.Rand) {
	in := wire.NewReader(s.conn, wire.ReaderConfig{Fast: s.fast, Extended: true})
	in.SetLayout(&s.of.layout)
	var m wire.Message
	for in.Read(&m) == nil {
		if m.Type != wire.Request {
			continue
		}
		begin := int(m.Index)*s.of.layout.PieceLength + int(m.Begin)
		good := wire.Message{Type: wire.Piece, Index: m.Index, Begin: m.Begin, Block: s.of.data[begin:][:m.Length]}
		switch r.IntN(8) {
		case 0: // silence
		case 1:
			bad := good
			bad.Block = make([]byte, m.Length)
			s.send(bad)
		case 2:
			s.send(good)
			s.send(good)
		case 3:
			if s.fast {
				s.send(wire.Message{Type: wire.Reject, Index: m.Index, Begin: m.Begin, Length: m.Length})
			}
		case 4:
			s.send(wire.Message{Type: wire.Choke})
			s.send(good)
			s.send(wire.Message{Type: wire.Unchoke})
		default:
			s.send(good)
		}
	}
}

// Nothing that any number of peers send in any order ends the process, gets wrong data
// counted as right, or keeps one honest seed from being enough.
func TestStorm(t *testing.T) {
	rounds := 9
	if testing.Short() {
		rounds = 3
	}
	m := makeContent(40*64<<10-1000, 64<<10)
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			full := round%3 == 2
			n, _ := node(t, func(c *Config) { c.Logger = quiet() })
			inner, err := net.Listen("tcp", "[::1]:0")
			if err != nil {
				t.Fatal(err)
			}
			var serving sync.WaitGroup
			serving.Go(func() { _ = n.Serve(&strangers{Listener: inner}) })
			defer serving.Wait()
			defer inner.Close()
			c, disk := m.content(full)
			run, events := attach(t, n, c)
			if !full {
				honest, at := node(t, func(c *Config) { c.Logger = quiet() })
				all, _ := m.content(true)
				attach(t, honest, all)
				run.AddPeers([]netip.AddrPort{at})
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var group sync.WaitGroup
			var met atomic.Int32
			for k := range 8 {
				group.Go(func() {
					for seed := uint64(round*1000 + k*100); seed%100 < 8 && ctx.Err() == nil; seed++ {
						s := &storm{Rand: rand.New(rand.NewPCG(seed, 1)), of: m, seed: full}
						s.fast = s.IntN(3) > 0
						if s.conn = greet(t, inner.Addr().String(), m.id, s.fast, int(seed)); s.conn == nil {
							continue
						}
						met.Add(1)
						var reader sync.WaitGroup
						reader.Go(func() { s.answer(rand.New(rand.NewPCG(seed, 2))) })
						for range 200 {
							msg := s.message()
							if !s.fast && msg.Type >= wire.Suggest && msg.Type <= wire.AllowedFast {
								continue
							}
							s.last = append(s.last[max(0, len(s.last)-9):], msg)
							s.send(msg)
						}
						_ = s.conn.(*net.TCPConn).CloseWrite()
						reader.Wait()
						s.conn.Close()
					}
				})
			}
			if !full {
				await(t, events, Finished)
			}
			group.Wait()
			if met.Load() < 10 {
				t.Errorf("only %d peers were let in", met.Load())
			}
			disk.mu.Lock()
			defer disk.mu.Unlock()
			for i, complete := range disk.complete {
				if !complete || !bytes.Equal(disk.piece(i), m.data[i*m.layout.PieceLength:][:m.layout.Len(i)]) {
					t.Errorf("piece %d is complete: %v, and not as it should be", i, complete)
				}
			}
		})
	}
}

// What a peer asks for and does not read is bounded. The connection ends, or the node
// stops reading.
func TestAPeerThatDoesNotRead(t *testing.T) {
	m := makeContent(64*64<<10, 64<<10)
	for _, kind := range []string{"requests", "info"} {
		t.Run(kind, func(t *testing.T) {
			n, addr := node(t, func(c *Config) { c.Logger = quiet() })
			c, _ := m.content(true)
			c.Info = make([]byte, 20_000)
			s, _ := attach(t, n, c)
			p := greet(t, addr.String(), m.id, true, 1)
			if p == nil {
				t.Fatal("the peer was not let in")
			}
			start := wire.Append(nil, &wire.Message{Type: wire.Interested})
			hello := extended(0, greeting)
			if _, err := p.Write(wire.Append(start, &hello)); err != nil {
				t.Fatal(err)
			}
			const most = 4 << 30
			sent, i := 0, 0
			for sent < most {
				var batch []byte
				for range 1000 {
					msg := extended(wire.ExtMetadata, fmt.Sprintf("d8:msg_typei0e5:piecei%dee", i%2))
					if kind == "requests" { // no two are the same: those are dropped
						msg = wire.Message{Type: wire.Request, Index: uint32(i % 64), Begin: uint32(i>>6) % (48 << 10), Length: wire.BlockSize}
					}
					batch = wire.Append(batch, &msg)
					i++
				}
				_ = p.SetWriteDeadline(time.Now().Add(10 * time.Second))
				k, err := p.Write(batch)
				sent += k
				if err != nil {
					break
				}
			}
			if sent >= most {
				t.Errorf("the node took %d bytes of requests from a peer that reads nothing", sent)
			}
			if _, up := s.Moved(); up > 32<<20 {
				t.Errorf("%d bytes count as uploaded", up)
			}
		})
	}
}

// What a peer did not take is not counted as uploaded.
func TestOnlyWhatLeftCounts(t *testing.T) {
	m := makeContent(16<<20, 1<<20)
	n, addr := node(t, nil)
	c, _ := m.content(true)
	s, events := attach(t, n, c)
	p := greet(t, addr.String(), m.id, true, 1)
	if p == nil {
		t.Fatal("the peer was not let in")
	}
	var ask []byte
	ask = wire.Append(ask, &wire.Message{Type: wire.Interested})
	for i := range 1024 {
		ask = wire.Append(ask, &wire.Message{Type: wire.Request, Index: uint32(i / 64), Begin: uint32(i % 64 * wire.BlockSize), Length: wire.BlockSize})
	}
	if _, err := p.Write(ask); err != nil {
		t.Fatal(err)
	}
	in := wire.NewReader(p, wire.ReaderConfig{Fast: true, Extended: true})
	in.SetLayout(&m.layout)
	var msg wire.Message
	for msg.Type != wire.Piece {
		if err := in.Read(&msg); err != nil {
			t.Fatal(err)
		}
		if msg.Type == wire.Unchoke { // what was asked before counts for nothing
			if _, err := p.Write(ask); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, events, PeerGone)
	if _, up := s.Moved(); up == int64(len(m.data)) || up > 14<<20 {
		t.Errorf("%d bytes of %d count as uploaded to a peer that hung up", up, len(m.data))
	}
}

// A listener that fails for a while, as without file descriptors, is asked again.
func TestAcceptGoesOnAfterAFailure(t *testing.T) {
	n, _ := node(t, func(c *Config) { c.Logger = quiet() })
	inner, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &failing{Listener: inner}
	f.left.Store(3)
	var serving sync.WaitGroup
	serving.Go(func() { _ = n.Serve(f) })
	defer serving.Wait()
	defer inner.Close()
	m := makeContent(1<<20, 64<<10)
	c, _ := m.content(true)
	attach(t, n, c)
	if greet(t, inner.Addr().String(), m.id, true, 1) == nil {
		t.Error("nobody is let in any more")
	}
	if f.left.Load() >= 0 {
		t.Error("the listener did not fail")
	}
}

type failing struct {
	net.Listener
	left atomic.Int32
}

func (f *failing) Accept() (net.Conn, error) {
	if f.left.Add(-1) >= 0 {
		return nil, errors.New("too many open files")
	}
	return f.Listener.Accept()
}
