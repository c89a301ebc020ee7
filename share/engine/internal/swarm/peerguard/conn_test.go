package peerguard

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	libbencode "github.com/anacrolix/torrent/bencode"
	pp "github.com/anacrolix/torrent/peer_protocol"

	"github.com/shoalnet/shoal/share/bencode"
	"github.com/shoalnet/shoal/share/engine/internal/compact"
)

func shape() Shape {
	return Shape{NumPieces: pieces, PieceLength: pieceLength, Total: pieces*pieceLength - 1000, InfoSize: 40_000, PEX: true}
}

// checked gives messages to a new Conn and tells what became of the last.
func checked(s Shape, now func() time.Time, ms ...pp.Message) (pp.Message, error) {
	c := NewConn(s, now)
	for _, m := range ms[:len(ms)-1] {
		_ = c.Check(&m)
	}
	last := ms[len(ms)-1]
	err := c.Check(&last)
	return last, err
}

func TestVerdicts(t *testing.T) {
	const (
		pass = iota
		keepalive
		drop
	)
	last := pp.Integer(pieces - 1)
	none := Shape{PEX: true}
	private := shape()
	private.PEX = false
	rows := []struct {
		name  string
		shape Shape
		ms    []pp.Message
		want  int
	}{
		{"keep-alive", shape(), []pp.Message{{Keepalive: true}}, keepalive},
		{"choke", shape(), []pp.Message{{Type: pp.Choke}}, pass},
		{"interested", shape(), []pp.Message{{Type: pp.Interested}}, pass},
		{"have all", shape(), []pp.Message{haveAll}, pass},
		{"have none", shape(), []pp.Message{haveNone}, pass},
		{"bit field", shape(), []pp.Message{bits(8, 0, 4)}, pass},
		{"have", shape(), []pp.Message{have(4)}, pass},
		{"have after bit field", shape(), []pp.Message{bits(8, 0), have(4)}, pass},
		{"have after have none", shape(), []pp.Message{haveNone, have(4)}, pass},
		{"have after have all", shape(), []pp.Message{haveAll, have(4)}, keepalive},
		{"have after full bit field", shape(), []pp.Message{bits(8, 0, 1, 2, 3, 4), have(4)}, keepalive},
		{"have none after bit field", shape(), []pp.Message{bits(8, 0), haveNone}, keepalive},
		{"have none after have", shape(), []pp.Message{have(1), haveNone}, keepalive},
		{"bit field after have all", shape(), []pp.Message{haveAll, bits(8, 0)}, keepalive},
		{"nothing to have", none, []pp.Message{haveAll}, keepalive},
		{"no bits", none, []pp.Message{bits(0)}, keepalive},
		{"have of nothing", none, []pp.Message{have(0)}, drop},
		{"request", shape(), []pp.Message{ranged(pp.Request, 4, pieceLength-1001, 1)}, pass},
		{"request of a whole piece", shape(), []pp.Message{ranged(pp.Request, 0, 0, pieceLength)}, pass},
		{"request beyond", shape(), []pp.Message{ranged(pp.Request, 4, pieceLength-1001, 2)}, drop},
		{"cancel", shape(), []pp.Message{ranged(pp.Cancel, 0, 5, 16<<10)}, pass},
		{"chunk", shape(), []pp.Message{{Type: pp.Piece, Index: 1, Begin: 16 << 10, Piece: make([]byte, 16<<10)}}, pass},
		{"last chunk", shape(), []pp.Message{{Type: pp.Piece, Index: last, Begin: 48 << 10, Piece: make([]byte, 16<<10-1000)}}, pass},
		{"chunk beyond", shape(), []pp.Message{{Type: pp.Piece, Index: last, Begin: 48 << 10, Piece: make([]byte, 16<<10)}}, drop},
		{"reject", shape(), []pp.Message{ranged(pp.Reject, 0, 16<<10, 16<<10)}, pass},
		{"allowed fast", shape(), []pp.Message{{Type: pp.AllowedFast, Index: 4}}, pass},
		{"suggest", shape(), []pp.Message{{Type: pp.Suggest, Index: 4}}, keepalive},
		{"port", shape(), []pp.Message{{Type: pp.Port, Port: 1}}, keepalive},
		{"hash request", shape(), []pp.Message{{Type: pp.HashRequest}}, keepalive},
		{"a type to come", shape(), []pp.Message{{Type: 99}}, keepalive},
		{"handshake", shape(), []pp.Message{hello()}, pass},
		{"second handshake", shape(), []pp.Message{hello(), hello()}, keepalive},
		{"metadata request", shape(), []pp.Message{hello(), extMsg(extMetadata, "d8:msg_typei0e5:piecei2ee")}, pass},
		{"metadata request beyond", shape(), []pp.Message{hello(), extMsg(extMetadata, "d8:msg_typei0e5:piecei65537ee")}, drop},
		{"dial-back", shape(), []pp.Message{hello(), extMsg(shape().dialBack(), callMe)}, pass},
		{"dial-back in a private torrent", private, []pp.Message{hello(), extMsg(private.dialBack(), callMe)}, pass},
		{"dial-back before the handshake", shape(), []pp.Message{extMsg(shape().dialBack(), callMe)}, keepalive},
		{"dial-back without a port", shape(), []pp.Message{hello(), extMsg(shape().dialBack(), "d8:msg_typei0e5:nonce20:aaaaaaaaaaaaaaaaaaaae")}, keepalive},
		{"dial-back with more after it", shape(), []pp.Message{hello(), extMsg(shape().dialBack(), callMe+"x")}, keepalive},
		{"dial-back too often", shape(), append([]pp.Message{hello()}, slices.Repeat([]pp.Message{extMsg(shape().dialBack(), callMe)}, maxDialBacks+1)...), keepalive},
		{"pex", shape(), []pp.Message{hello(), extMsg(extPEX, "de")}, pass},
		{"pex in a private torrent", private, []pp.Message{hello(), extMsg(extPEX, "de")}, keepalive},
		{"introduction", shape(), []pp.Message{hello(), extMsg(shape().punch(), holepunch(0, "2001:db8::1", 1))}, pass},
		{"introduction over IPv4", shape(), []pp.Message{hello(), extMsg(shape().punch(), "\x00\x00abcdefghij")}, pass},
		{"introduction in a private torrent", private, []pp.Message{hello(), extMsg(shape().punch(), holepunch(0, "2001:db8::1", 1))}, keepalive},
		{"introduction before the handshake", shape(), []pp.Message{extMsg(shape().punch(), holepunch(0, "2001:db8::1", 1))}, keepalive},
		{"introduction cut short", shape(), []pp.Message{hello(), extMsg(shape().punch(), "\x00\x02abcdefghij")}, keepalive},
		{"introduction too long", shape(), []pp.Message{hello(), extMsg(shape().punch(), holepunch(0, "2001:db8::1", 1)+"x")}, keepalive},
		{"pex in a hurry", shape(), []pp.Message{hello(), extMsg(extPEX, "de"), extMsg(extPEX, "de")}, keepalive},
	}
	for _, r := range rows {
		m, err := checked(r.shape, time.Now, r.ms...)
		got := pass
		switch {
		case err != nil:
			got = drop
			if m.Type != 0xff || m.Keepalive {
				t.Errorf("%s: dropped, but the message is %+v", r.name, m)
			}
		case m.Keepalive:
			got = keepalive
		}
		if got != r.want {
			t.Errorf("%s: verdict %d, not %d (%v)", r.name, got, r.want, err)
		}
	}
}

const callMe = "d8:msg_typei0e5:nonce20:aaaaaaaaaaaaaaaaaaaa3:tcpi51413ee"

func TestAllowedFastIsBounded(t *testing.T) {
	c := NewConn(shape(), time.Now)
	passed := 0
	for range 1000 {
		m := pp.Message{Type: pp.AllowedFast, Index: 1}
		if err := c.Check(&m); err != nil {
			t.Fatal(err)
		}
		if !m.Keepalive {
			passed++
		}
	}
	if passed != maxAllowedFast {
		t.Errorf("%d passed", passed)
	}
}

func TestHandshakeIsRewritten(t *testing.T) {
	m, err := checked(shape(), time.Now, extMsg(0,
		"d1:ei1e1:md11:sh_dialbacki5e12:ut_holepunchi4e11:ut_metadatai3e6:ut_pexi1e3:xyzi9ee13:metadata_sizei-1e1:pi6881e4:reqqi99999e1:v11:a\x1bb\xff client6:yourip16:abcdefghijklmnope"))
	if err != nil {
		t.Fatal(err)
	}
	// The invalid byte and the control character are gone.
	want := "d1:ei1e1:md11:sh_dialbacki5e8:sh_punchi4e11:ut_metadatai3e6:ut_pexi1ee1:pi6881e4:reqqi2000e1:v9:ab client6:yourip16:abcdefghijklmnope"
	if got := string(m.ExtendedPayload); got != want {
		t.Errorf("rewritten as %q", got)
	}
	var d pp.ExtendedHandshakeMessage
	if err := libbencode.Unmarshal(m.ExtendedPayload, &d); err != nil || d.Port != 6881 || d.Reqq != maxRequests || len(d.M) != 4 || !d.Encryption {
		t.Errorf("the client reads %+v, %v", d, err)
	}
}

func TestPEXIsRewritten(t *testing.T) {
	now := time.Unix(1, 0)
	clock := func() time.Time { return now }
	c := NewConn(shape(), clock)
	m := hello()
	if err := c.Check(&m); err != nil {
		t.Fatal(err)
	}
	total := 0
	for round := range 100 {
		var list, flags []byte
		for i := range 60 {
			list = compact.Append(list, netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:%x::%x]:1", round, i)))
			list = compact.Append(list, netip.MustParseAddrPort(fmt.Sprintf("[fe80::%x]:1", i)))
			flags = append(flags, byte(i), 0xee)
		}
		m := extMsg(extPEX, fmt.Sprintf("d6:added6%d:%s8:added6.f%d:%s8:dropped618:%se", len(list), list, len(flags), flags, list[:18]))
		if err := c.Check(&m); err != nil || m.Keepalive {
			t.Fatalf("round %d: %+v, %v", round, m, err)
		}
		msg, err := pp.LoadPexMsg(m.ExtendedPayload)
		if err != nil {
			t.Fatal(err)
		}
		if len(msg.Added6) > maxPEX || len(msg.Added6Flags) != len(msg.Added6) || len(msg.Dropped6) != 1 {
			t.Fatalf("round %d: %+v", round, msg)
		}
		for i, na := range msg.Added6 {
			if na.IP.IsLinkLocalUnicast() || msg.Added6Flags[i] != pp.PexPeerFlags(i) {
				t.Fatalf("round %d: %v with flags %x", round, na, msg.Added6Flags[i])
			}
		}
		total += len(msg.Added6)
		now = now.Add(time.Minute)
	}
	if total != maxLearned {
		t.Errorf("%d addresses of one peer", total)
	}
}

func TestOwed(t *testing.T) {
	s := shape()
	c := NewConn(s, time.Now)
	m := hello()
	_ = c.Check(&m)
	for range 100 {
		m := extMsg(extMetadata, "d8:msg_typei0e5:piecei0ee")
		if err := c.Check(&m); err != nil {
			t.Fatal(err)
		}
	}
	if c.owed < 100*metaBlock || c.blocks != 3 {
		t.Errorf("%d bytes owed, %d blocks", c.owed, c.blocks)
	}
}

// Whatever a peer sends, what passes is within the bounds the client relies on.
func FuzzMessages(f *testing.F) {
	var seed []byte
	for _, m := range []pp.Message{
		bits(8, 0), have(1), hello(), extMsg(extMetadata, "d8:msg_typei0e5:piecei2ee"),
		ranged(pp.Request, 1, 2, 3), extMsg(extPEX, "d6:added618:abcdefghijklmnopqre"),
		extMsg(shape().dialBack(), callMe), extMsg(shape().punch(), holepunch(1, "2001:db8::1", 1)),
	} {
		seed = append(seed, m.MustMarshalBinary()...)
	}
	f.Add(seed)
	f.Add(append(haveAll.MustMarshalBinary(), haveNone.MustMarshalBinary()...))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := shape()
		c := NewConn(s, time.Now)
		d := pp.Decoder{R: bufio.NewReader(bytes.NewReader(b)), MaxLength: 64 << 10}
		statements := 0
		for {
			var m pp.Message
			if d.Decode(&m) != nil {
				return
			}
			err := c.Check(&m)
			if err != nil {
				if m.Type != 0xff || m.Keepalive {
					t.Fatalf("dropped as %+v", m)
				}
				return
			}
			if m.Keepalive {
				continue
			}
			switch m.Type {
			case pp.Bitfield, pp.HaveAll, pp.HaveNone:
				if statements++; statements > 1 {
					t.Fatal("two statements about everything")
				}
			case pp.Have, pp.AllowedFast, pp.Request, pp.Cancel, pp.Reject, pp.Piece:
				if int(m.Index) >= s.NumPieces {
					t.Fatalf("piece %d", m.Index)
				}
				if uint64(m.Begin)+uint64(m.Length) > pieceLength || len(m.Piece) > chunkSize {
					t.Fatalf("%+v", m)
				}
			case pp.Extended:
				if m.ExtendedID == s.punch() {
					if len(m.ExtendedPayload) > 24 {
						t.Fatalf("introduction %q", m.ExtendedPayload)
					}
					continue
				}
				if v, rest, err := bencode.Parse(m.ExtendedPayload, bencode.Small); err != nil || len(rest) != 0 || v.Kind != bencode.Dict {
					t.Fatalf("extended %q", m.ExtendedPayload)
				}
				if m.ExtendedID > s.dialBack() || len(m.ExtendedPayload) > 8<<10 {
					t.Fatalf("extended %d with %d bytes", m.ExtendedID, len(m.ExtendedPayload))
				}
			case pp.Choke, pp.Unchoke, pp.Interested, pp.NotInterested:
			default:
				t.Fatalf("passed %+v", m)
			}
		}
	})
}
