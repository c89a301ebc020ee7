package peerguard

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pp "github.com/anacrolix/torrent/peer_protocol"
)

// storm sends what a hostile peer may think of, mixed with what keeps the
// connection interesting: answers to requests, right, wrong, twice or refused.
type storm struct {
	*peer
	rand *rand.Rand
	data []byte
	fast bool
	seed bool       // the client has everything
	mu   sync.Mutex // of writing
	last []pp.Message
}

func (s *storm) send(m pp.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.conn.Write(m.MustMarshalBinary())
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// Values at which the guard ends the connection are rare, or none would last.
func (s *storm) rarely() bool { return s.rand.IntN(60) == 0 }

func (s *storm) index() pp.Integer {
	if s.rarely() {
		return pp.Integer(pick(s.rand, pieces, 1<<31, 1<<32-1))
	}
	return pp.Integer(s.rand.IntN(pieces))
}

func (s *storm) begin() pp.Integer {
	if s.rarely() {
		return pp.Integer(pick(s.rand, 1, pieceLength-1000, pieceLength, 1<<32-1))
	}
	return pp.Integer(s.rand.IntN(3) * chunkSize)
}

func (s *storm) length() pp.Integer {
	if s.rarely() {
		return pp.Integer(pick(s.rand, 1, 0, 128<<10, 1<<31))
	}
	return chunkSize - 1000
}

// message is one at random; mostly such as an honest peer may send.
func (s *storm) message() pp.Message {
	switch s.rand.IntN(24) {
	case 0:
		return haveAll
	case 1:
		return haveNone
	case 2, 3:
		return pp.Message{Type: pp.Have, Index: s.index()}
	case 4:
		m := bits(8)
		for i := range pieces {
			m.Bitfield[i] = s.rand.IntN(2) == 0
		}
		m.Bitfield[7] = s.rarely()
		return m
	case 5:
		return pp.Message{Type: pp.Choke}
	case 6, 7:
		return pp.Message{Type: pp.Unchoke}
	case 8:
		return pp.Message{Type: pick(s.rand, pp.Interested, pp.NotInterested)}
	case 9, 10, 11:
		if !s.seed && !s.rarely() {
			return have(uint32(s.rand.IntN(pieces))) // the client has nothing to give
		}
		return pp.Message{Type: pick(s.rand, pp.Request, pp.Cancel), Index: s.index(), Begin: s.begin(), Length: s.length()}
	case 12:
		if !s.rarely() {
			return pp.Message{Type: pp.Unchoke}
		}
		return pp.Message{Type: pp.Reject, Index: s.index(), Begin: s.begin(), Length: s.length()}
	case 13:
		return pp.Message{Type: pp.AllowedFast, Index: s.index()}
	case 14:
		return pp.Message{Type: pp.Suggest, Index: s.index()}
	case 15:
		if !s.rarely() {
			return pp.Message{Keepalive: true}
		}
		return pp.Message{Type: pp.Piece, Index: s.index(), Begin: s.begin(), Piece: make([]byte, s.length()&0x7fff)}
	case 16:
		return pp.Message{Type: pick(s.rand, pp.HashRequest, pp.HashReject, pp.Hashes), Index: s.index(), Length: s.length()}
	case 17:
		return pp.Message{Type: pp.Port, Port: uint16(s.index())}
	case 18:
		return pick(s.rand, hello(), extMsg(0, "d1:mdee"), extMsg(0, "d1:md6:ut_pexi0e11:ut_metadatai0eee"))
	case 19:
		return extMsg(extMetadata, fmt.Sprintf("d8:msg_typei%de5:piecei%de10:total_sizei5eehello", s.rand.IntN(4), s.rand.IntN(3)))
	case 20:
		return extMsg(extPEX, "d5:added6:abcdef6:added618:abcdefghijklmnopqr7:dropped6:abcdefe")
	case 21:
		return extMsg(3, holepunch(byte(s.rand.IntN(4)), "2001:db8::1", 1))
	case 22:
		return pp.Message{Keepalive: true}
	}
	if len(s.last) > 0 {
		return pick(s.rand, s.last...)
	}
	return hello()
}

// answer reads what the client asks for until it hangs up.
func (s *storm) answer(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	for {
		m, err := s.next(isType(pp.Request))
		if err != nil {
			return
		}
		begin := int(m.Index)*pieceLength + int(m.Begin)
		good := pp.Message{Type: pp.Piece, Index: m.Index, Begin: m.Begin, Piece: s.data[begin : begin+int(m.Length)]}
		switch r.IntN(8) {
		case 0: // silence
		case 1:
			bad := good
			bad.Piece = make([]byte, m.Length)
			s.send(bad)
		case 2:
			s.send(good)
			s.send(good)
		case 3:
			if s.fast {
				s.send(pp.Message{Type: pp.Reject, Index: m.Index, Begin: m.Begin, Length: m.Length})
			}
		case 4:
			s.send(pp.Message{Type: pp.Choke})
			s.send(good)
			s.send(pp.Message{Type: pp.Unchoke})
		default:
			s.send(good)
		}
	}
}

// Nothing that any number of peers send in any order ends the process.
func TestStorm(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 2
	}
	data := content(pieces)
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			h := newHost(t, hostOptions{pieces: pieces, complete: round%3 == 2})
			l, err := net.Listen("tcp6", "[::1]:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			h.cl.AddListener(&strangers{Listener: l})
			h.addr = l.Addr().String()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var group sync.WaitGroup
			var met atomic.Int32
			for n := range 8 {
				group.Go(func() {
					for seed := uint64(round*1000 + n*100); seed%100 < 4 && ctx.Err() == nil; seed++ {
						r := rand.New(rand.NewPCG(seed, 1))
						o := peerOptions{slow: r.IntN(3) == 0, id: fmt.Sprintf("-XX0001-%012d", seed)}
						p := h.dialContext(ctx, o)
						if p == nil {
							continue
						}
						met.Add(1)
						s := &storm{peer: p, rand: r, data: data, fast: !o.slow, seed: round%3 == 2}
						var reader sync.WaitGroup
						reader.Go(func() { s.answer(seed) })
						for range 100 {
							if ctx.Err() != nil {
								break
							}
							m := s.message()
							if m.Type.FastExtension() && !s.fast && !m.Keepalive {
								continue
							}
							s.last = append(s.last, m)
							if len(s.last) > 10 {
								s.last = s.last[1:]
							}
							s.send(m)
							// So that the client comes to speak, too.
							pause := time.NewTimer(time.Duration(r.IntN(1000)) * time.Microsecond)
							select {
							case <-pause.C:
							case <-ctx.Done():
							}
							pause.Stop()
						}
						p.conn.Close()
						reader.Wait()
					}
				})
			}
			group.Wait()
			stats := h.tor.Stats()
			t.Logf("%d peers, %d bytes read, %d written", met.Load(), stats.BytesReadData.Int64(), stats.BytesWrittenData.Int64())
			if n := met.Load(); n < 10 {
				t.Errorf("only %d peers", n)
			}
			// The data that arrived is right, whatever they sent.
			for i := range h.tor.NumPieces() {
				if !h.tor.PieceState(i).Complete {
					continue
				}
				got := make([]byte, h.tor.Piece(i).Info().Length())
				begin := i * pieceLength
				if _, err := h.tor.Piece(i).Storage().ReadAt(got, 0); err != nil || !bytes.Equal(got, data[begin:begin+len(got)]) {
					t.Errorf("piece %d is complete and wrong: %v", i, err)
				}
			}
		})
	}
}

// strangers is a listener whose peers all come from different places, so that
// one being banned does not keep out the others.
type strangers struct {
	net.Listener
	n atomic.Uint32
}

func (l *strangers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	a := netip.MustParseAddr("2001:db8:5::").As16()
	binary.BigEndian.PutUint32(a[12:], l.n.Add(1))
	return nearbyConn{c, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom16(a), 1))}, nil
}

// dialContext is dial for when the client may refuse, having banned us.
func (h *host) dialContext(ctx context.Context, o peerOptions) *peer {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp6", h.addr)
	if err != nil {
		return nil
	}
	p, err := h.shake(conn, o)
	if err != nil {
		conn.Close()
		return nil
	}
	return p
}
