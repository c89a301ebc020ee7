package peerguard

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anacrolix/torrent"
	libbencode "github.com/anacrolix/torrent/bencode"
	"github.com/anacrolix/torrent/metainfo"
	pp "github.com/anacrolix/torrent/peer_protocol"
	"github.com/anacrolix/torrent/storage"
	"go.uber.org/goleak"
	"golang.org/x/time/rate"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The client stops these some time after Close.
		goleak.IgnoreAnyFunction("github.com/anacrolix/torrent.(*Client).acceptConnections"),
		goleak.IgnoreAnyFunction("github.com/anacrolix/torrent.(*PeerConn).messageWriterRunner"),
		goleak.IgnoreAnyFunction("github.com/anacrolix/torrent.(*Torrent).pieceHasher"),
		goleak.IgnoreAnyFunction("github.com/anacrolix/torrent.(*webseedPeer).requester"),
	)
}

// host is a real client with one torrent behind a guard, on [::1].
type host struct {
	t     *testing.T
	cl    *torrent.Client
	tor   *torrent.Torrent
	guard *Guard
	id    [20]byte
	addr  string
	info  []byte

	mu      sync.Mutex
	hostile []error
	ports   []uint16
}

const (
	pieceLength = 64 << 10
	ourID       = "-XX0001-mmmmmmmmmmmm"
)

// content is what the torrent of every host is about.
func content(pieces int) []byte {
	return bytes.Repeat([]byte("shoal"), pieces*pieceLength/5+1)[:pieces*pieceLength-1000]
}

type hostOptions struct {
	pieces   int
	complete bool
	dials    bool // peers it is told of
	id       string
}

func newHost(t *testing.T, o hostOptions) *host {
	t.Helper()
	pieces := o.pieces
	data := content(pieces)
	info := metainfo.Info{Name: "content", PieceLength: pieceLength, Length: int64(len(data))}
	for len(data) > 0 {
		n := min(len(data), pieceLength)
		sum := sha1.Sum(data[:n])
		info.Pieces = append(info.Pieces, sum[:]...)
		data = data[n:]
	}
	h := &host{t: t, info: libbencode.MustMarshal(info)}
	h.id = sha1.Sum(h.info)

	cfg := torrent.NewDefaultClientConfig()
	cfg.ListenHost = func(string) string { return "::1" }
	cfg.ListenPort = 0
	cfg.DisableUTP, cfg.DisableIPv4, cfg.NoDHT, cfg.DisableTrackers = true, true, true, true
	cfg.NoDefaultPortForwarding, cfg.DisableWebtorrent = true, true
	cfg.DialForPeerConns = o.dials
	cfg.Seed = true
	cfg.UploadRateLimiter = rate.NewLimiter(rate.Inf, 1<<20)
	cfg.Slogger = slog.New(slog.DiscardHandler)
	store := storage.NewFileOpts(storage.NewFileClientOpts{
		ClientBaseDir:   t.TempDir(),
		PieceCompletion: storage.NewMapPieceCompletion(),
	})
	cfg.DefaultStorage = store
	cfg.PeerID = cmp.Or(o.id, ourID)
	h.guard = Install(&cfg.Callbacks, Config{
		PeerID:   [20]byte([]byte(cfg.PeerID)),
		Logger:   slog.New(slog.DiscardHandler),
		Policy:   netguard.Policy{AllowPrivate: true},
		InfoSize: func(share.ID) int { return len(h.info) },
		OnPort: func(_ *torrent.PeerConn, port uint16) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.ports = append(h.ports, port)
		},
		OnHostile: func(_ *torrent.PeerConn, err error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.hostile = append(h.hostile, err)
		},
	})
	cl, err := torrent.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.cl = cl
	t.Cleanup(func() {
		// What a peer did may come to light only now.
		h.tor.Drop()
		cl.Close()
		h.guard.Wait()
		store.Close()
	})
	h.tor, _ = cl.AddTorrentOpt(torrent.AddTorrentOpts{InfoHash: h.id, InfoBytes: h.info})
	<-h.tor.GotInfo()
	if o.complete {
		all := content(pieces)
		for i := range h.tor.NumPieces() {
			p := h.tor.Piece(i)
			begin := int64(i) * pieceLength
			if _, err := p.Storage().WriteAt(all[begin:begin+p.Info().Length()], 0); err != nil {
				t.Fatal(err)
			}
			if err := p.VerifyDataContext(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	// The client turns peers away while it does not know that it needs them.
	sub := h.tor.SubscribePieceStateChanges()
	defer sub.Close()
	h.tor.DownloadAll()
	for i := range h.tor.NumPieces() {
		for {
			s := h.tor.PieceState(i)
			if s.Ok && !s.Checking && (s.Complete || s.Priority != torrent.PiecePriorityNone) {
				break
			}
			<-sub.Values
		}
	}
	h.addr = cl.ListenAddrs()[0].String()
	return h
}

func (h *host) complaints() []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]error(nil), h.hostile...)
}

// peer is a scripted one.
type peer struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

type peerOptions struct {
	id   string // 20 bytes
	slow bool   // no Fast extension
}

func (h *host) dial(o peerOptions) *peer {
	h.t.Helper()
	conn, err := net.Dial("tcp6", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	p, err := h.shake(conn, o)
	if err != nil {
		h.t.Fatalf("handshake: %v", err)
	}
	return p
}

func (h *host) shake(conn net.Conn, o peerOptions) (*peer, error) {
	if o.id == "" {
		o.id = "-XX0001-hostile00000"
	}
	bits := pp.NewPeerExtensionBytes(pp.ExtensionBitLtep, pp.ExtensionBitDht)
	if !o.slow {
		bits.SetBit(pp.ExtensionBitFast, true)
	}
	hello := append([]byte(pp.Protocol), bits[:]...)
	hello = append(append(hello, h.id[:]...), o.id...)
	if _, err := conn.Write(hello); err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	p := &peer{t: h.t, conn: conn, in: bufio.NewReaderSize(conn, 1<<16)}
	_, err := io.ReadFull(p.in, make([]byte, 68))
	return p, err
}

func (p *peer) send(messages ...pp.Message) {
	p.t.Helper()
	for _, m := range messages {
		// The client may hang up in the middle of what is sent.
		p.conn.Write(m.MustMarshalBinary())
	}
}

// next reads messages until one satisfies want.
func (p *peer) next(want func(pp.Message) bool) (pp.Message, error) {
	d := pp.Decoder{R: p.in, MaxLength: 1 << 20}
	for {
		var m pp.Message
		if err := d.Decode(&m); err != nil {
			return m, err
		}
		if !m.Keepalive && want(m) {
			return m, nil
		}
	}
}

func isType(t pp.MessageType) func(pp.Message) bool {
	return func(m pp.Message) bool { return m.Type == t }
}

// closed waits until the client has hung up.
func (p *peer) closed() bool {
	_, err := p.next(func(pp.Message) bool { return false })
	var ne net.Error
	return !(errors.As(err, &ne) && ne.Timeout())
}

// answered proves that everything sent was processed and the connection lives:
// the client answers a request for the info dictionary.
func (p *peer) answered() {
	p.t.Helper()
	p.send(extMsg(extMetadata, "d8:msg_typei0e5:piecei0ee"))
	_, err := p.next(func(m pp.Message) bool {
		return m.Type == pp.Extended && m.ExtendedID == 7
	})
	if err != nil {
		p.t.Fatalf("the client does not answer any more: %v", err)
	}
}

func extMsg(id pp.ExtensionNumber, payload string) pp.Message {
	return pp.Message{Type: pp.Extended, ExtendedID: id, ExtendedPayload: []byte(payload)}
}

// hello is a handshake that offers metadata as 7 and PEX as 8.
func hello() pp.Message {
	return extMsg(0, "d1:md11:ut_metadatai7e6:ut_pexi8ee1:v4:teste")
}

func bits(n int, set ...int) pp.Message {
	m := pp.Message{Type: pp.Bitfield, Bitfield: make([]bool, n)}
	for _, i := range set {
		m.Bitfield[i] = true
	}
	return m
}

func have(i uint32) pp.Message { return pp.Message{Type: pp.Have, Index: pp.Integer(i)} }

func ranged(t pp.MessageType, index, begin, length uint32) pp.Message {
	return pp.Message{Type: t, Index: pp.Integer(index), Begin: pp.Integer(begin), Length: pp.Integer(length)}
}

var (
	haveAll  = pp.Message{Type: pp.HaveAll}
	haveNone = pp.Message{Type: pp.HaveNone}
)

// pieces of every host unless a test says otherwise: the bit field has spare
// bits, and the last piece is short.
const pieces = 5

func holepunch(kind byte, addr string, port uint16) string {
	b := []byte{kind, 1}
	b = append(b, net.ParseIP(addr).To16()...)
	b = binary.BigEndian.AppendUint16(b, port)
	return string(append(b, 0, 0, 0, 0))
}

func TestHostileMessages(t *testing.T) {
	type row struct {
		name string
		send []pp.Message
		ends bool // the connection is closed
	}
	var many []pp.Message
	for range 200 {
		many = append(many, haveNone)
	}
	rows := []row{
		{"have all, none, have", []pp.Message{haveAll, haveNone, have(0)}, false},
		{"have all, bit field", []pp.Message{haveAll, bits(8, 1), have(2)}, false},
		{"have all twice", []pp.Message{haveAll, haveAll}, false},
		{"bit field twice", []pp.Message{bits(8, 0, 1), bits(8, 2)}, false},
		{"have, then bit field", []pp.Message{have(3), bits(8, 0)}, false},
		{"have, then have all", []pp.Message{have(3), haveAll, haveNone}, false},
		{"full bit field, have none", []pp.Message{bits(8, 0, 1, 2, 3, 4), haveNone, have(1)}, false},
		{"contradictions without end", many, true},
		{"have out of range", []pp.Message{have(pieces)}, true},
		{"have far out of range", []pp.Message{have(1<<32 - 1)}, true},
		{"bit field too long", []pp.Message{bits(16, 0)}, true},
		{"bit field far too long", []pp.Message{bits(400_000, 399_999)}, true},
		{"bit field too short", []pp.Message{bits(0)}, true},
		{"spare bit", []pp.Message{bits(8, 0, 7)}, true},
		{"request out of range", []pp.Message{ranged(pp.Request, pieces, 0, 1)}, true},
		{"request of nothing", []pp.Message{ranged(pp.Request, 0, 0, 0)}, true},
		{"request too long", []pp.Message{ranged(pp.Request, 0, 0, 1<<20)}, true},
		{"request overflows", []pp.Message{ranged(pp.Request, 0, 1<<32-1, 2)}, true},
		{"request past the last piece", []pp.Message{ranged(pp.Request, pieces-1, pieceLength-1000, 1)}, true},
		{"cancel out of range", []pp.Message{ranged(pp.Cancel, 1<<32-1, 1<<32-1, 1<<32-1)}, true},
		{"reject out of range", []pp.Message{ranged(pp.Reject, 1<<31, 0, 16<<10)}, true},
		{"reject of no chunk", []pp.Message{ranged(pp.Reject, 0, 1, 16<<10)}, true},
		{"reject not asked for", []pp.Message{ranged(pp.Reject, 0, 0, 16<<10)}, true},
		{"piece out of range", []pp.Message{{Type: pp.Piece, Index: pieces, Piece: make([]byte, 1)}}, true},
		{"piece without data", []pp.Message{{Type: pp.Piece}}, true},
		{"piece not asked for", []pp.Message{{Type: pp.Piece, Piece: make([]byte, 16<<10)}}, true},
		{"allowed fast out of range", []pp.Message{{Type: pp.AllowedFast, Index: 1<<32 - 1}}, true},
		{"suggest out of range", []pp.Message{{Type: pp.Suggest, Index: 1<<32 - 1}}, false},
		{"hash request", []pp.Message{{Type: pp.HashRequest, Length: 1 << 31}}, false},
		{"hashes", []pp.Message{{Type: pp.Hashes, Hashes: make([][32]byte, 4)}}, false},
		{"hash reject", []pp.Message{{Type: pp.HashReject}}, false},
		{"hole punch rendezvous", []pp.Message{extMsg(4, holepunch(0, "2001:db8::1", 1))}, false},
		{"hole punch rendezvous as PEX", []pp.Message{extMsg(extPEX, holepunch(0, "2001:db8::1", 1))}, true},
		{"hole punch connect", []pp.Message{extMsg(4, holepunch(1, "::1", 22))}, false},
		{"unknown extension", []pp.Message{extMsg(200, "x")}, false},
		{"handshake of the wrong kind", []pp.Message{extMsg(0, "le")}, true},
		{"handshake of nothing", []pp.Message{extMsg(0, "")}, true},
		{"handshake too deep", []pp.Message{extMsg(0, "d1:m"+strings.Repeat("l", 1000)+strings.Repeat("e", 1001))}, true},
		{"metadata without handshake", []pp.Message{extMsg(extMetadata, "d8:msg_typei0e5:piecei0ee")}, false},
		{"metadata block out of range", []pp.Message{extMsg(extMetadata, "d8:msg_typei0e5:piecei1ee")}, false},
		{"metadata block far out of range", []pp.Message{extMsg(extMetadata, "d8:msg_typei0e5:piecei100000ee")}, true},
		{"metadata block negative", []pp.Message{extMsg(extMetadata, "d8:msg_typei0e5:piecei-1ee")}, true},
		{"metadata block overflows", []pp.Message{extMsg(extMetadata, fmt.Sprintf("d8:msg_typei0e5:piecei%dee", int64(1)<<50))}, true},
		{"metadata data not asked for", []pp.Message{extMsg(extMetadata, "d8:msg_typei1e5:piecei0e10:total_sizei5eehello")}, false},
		{"metadata kind unknown", []pp.Message{extMsg(extMetadata, "d8:msg_typei9e5:piecei0ee")}, false},
		{"metadata without bencode", []pp.Message{extMsg(extMetadata, "i")}, true},
		{"pex before handshake", []pp.Message{extMsg(extPEX, "d5:added0:e")}, false},
	}
	for _, fast := range []bool{true, false} {
		for _, r := range rows {
			t.Run(fmt.Sprintf("%s/fast=%v", r.name, fast), func(t *testing.T) {
				h := newHost(t, hostOptions{pieces: pieces})
				p := h.dial(peerOptions{slow: !fast})
				p.send(r.send...)
				if !fast && r.send[0].Type.FastExtension() && r.send[0].Type != pp.Suggest {
					if !p.closed() {
						t.Fatal("a fast message without the Fast extension is taken")
					}
					return
				}
				if r.ends {
					if !p.closed() {
						t.Fatal("the client keeps the connection")
					}
					return
				}
				if r.send[0].ExtendedID != 0 || r.send[0].Type != pp.Extended {
					p.send(hello())
				}
				p.answered()
				if c := h.complaints(); len(c) != 0 {
					t.Fatalf("complaints about messages that are to be put up with: %v", c)
				}
			})
		}
	}
}

// An extension handshake comes first in these, with absurd values.
func TestHostileHandshakes(t *testing.T) {
	big := strings.Repeat("x", 30_000)
	rows := []struct{ name, payload string }{
		{"metadata size", "d1:md11:ut_metadatai7ee13:metadata_sizei9223372036854775807ee"},
		{"negative", "d1:md11:ut_metadatai7ee13:metadata_sizei-1e1:pi-1e4:reqqi-1ee"},
		{"huge", "d1:md11:ut_metadatai7ee1:pi9223372036854775807e4:reqqi9223372036854775807ee"},
		{"long names", fmt.Sprintf("d1:md11:ut_metadatai7e30000:%si9ee1:v30000:%se", big, big)},
		{"wrong types", "d1:ei5e1:md11:ut_metadatai7e6:ut_pex1:xe1:p1:x4:reqql4:reqqe1:vi5ee"},
		{"numbers too large", "d1:md11:ut_metadatai7e6:ut_pexi300e12:ut_holepunchi-5eee"},
		{"control characters", "d1:md11:ut_metadatai7ee1:v6:\x1b[2J\x00\xffe"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			h := newHost(t, hostOptions{pieces: pieces})
			p := h.dial(peerOptions{})
			p.send(extMsg(0, r.payload))
			for i := range 5 {
				// Another port each time: the client would keep each of them.
				p.send(extMsg(0, fmt.Sprintf("d1:md11:ut_metadatai7ee1:pi%dee", 1000+i)))
			}
			p.answered()
			conns := h.tor.PeerConns()
			if len(conns) != 1 {
				t.Fatalf("%d connections", len(conns))
			}
			name, _ := conns[0].PeerClientName.Load().(string)
			if len(name) > maxName || strings.ContainsAny(name, "\x00\x1b") {
				t.Errorf("the peer's name went through as %q", name)
			}
		})
	}
}

func TestPEXIsFiltered(t *testing.T) {
	h := newHost(t, hostOptions{pieces: pieces})
	p := h.dial(peerOptions{})
	var added []byte
	for _, a := range []string{"ff02::1", "::", "2001:db8::7", "::ffff:10.0.0.1"} {
		added = append(added, net.ParseIP(a).To16()...)
		added = append(added, 0x1a, 0xe1)
	}
	added = append(added, net.ParseIP("2001:db8::8").To16()...)
	added = append(added, 0, 0) // port 0
	for i := range 5000 {
		added = append(added, net.ParseIP(fmt.Sprintf("2001:db8:1::%x", i)).To16()...)
		added = append(added, 0x1a, 0xe1)
	}
	added = added[:3000*18] // what fits a message
	payload := fmt.Sprintf("d6:added6%d:%s8:added6.f1:\x02e", len(added), added)
	p.send(hello(), extMsg(extPEX, payload), extMsg(extPEX, payload))
	p.answered()
	if got := h.tor.Stats().TotalPeers; got < 10 || got > maxPEX+5 {
		t.Errorf("the client knows %d peers after one message of PEX that counts", got)
	}
	if c := h.complaints(); len(c) != 0 {
		t.Errorf("complaints: %v", c)
	}
}

func TestPortIsReported(t *testing.T) {
	h := newHost(t, hostOptions{pieces: pieces})
	p := h.dial(peerOptions{})
	p.send(pp.Message{Type: pp.Port, Port: 4711}, pp.Message{Type: pp.Port}, hello())
	p.answered()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ports) != 1 || h.ports[0] != 4711 {
		t.Errorf("ports %v", h.ports)
	}
}

// Of two connections to one peer the one is ended that the peer would end, too;
// a stranger who only borrows the name of a peer harms nobody.
func TestTwins(t *testing.T) {
	h := newHost(t, hostOptions{pieces: pieces})
	for _, id := range []string{"-XX0001-aaaaaaaaaaaa", "-XX0001-zzzzzzzzzzzz"} {
		first := h.dial(peerOptions{id: id})
		first.send(hello())
		first.answered()
		second := h.dial(peerOptions{id: id})
		second.send(hello())
		if !second.closed() {
			t.Errorf("%s is connected twice", id)
		}
		first.answered()
	}
	if c := h.complaints(); len(c) != 0 {
		t.Errorf("complaints: %v", c)
	}
}

func TestPreferred(t *testing.T) {
	low, high := [20]byte{1}, [20]byte{2}
	for _, ours := range [][20]byte{low, high} {
		theirs := low
		if ours == low {
			theirs = high
		}
		var kept []bool
		for _, incoming := range []bool{false, true} {
			here := &torrent.PeerConn{PeerID: theirs}
			there := &torrent.PeerConn{PeerID: ours}
			if incoming {
				here.Discovery = torrent.PeerSourceIncoming
			} else {
				there.Discovery = torrent.PeerSourceIncoming
			}
			a := (&Guard{cfg: Config{PeerID: ours}}).preferred(here)
			b := (&Guard{cfg: Config{PeerID: theirs}}).preferred(there)
			if a != b {
				t.Errorf("the two sides disagree about which connection to keep")
			}
			kept = append(kept, a)
		}
		if kept[0] == kept[1] {
			t.Errorf("of the two directions %v are kept", kept)
		}
	}
}

// A peer that asks for what it does not read makes the client's buffer grow.
func TestPeerThatDoesNotRead(t *testing.T) {
	for _, kind := range []string{"requests", "metadata"} {
		t.Run(kind, func(t *testing.T) {
			h := newHost(t, hostOptions{pieces: pieces, complete: true})
			p := h.dial(peerOptions{})
			p.send(hello(), pp.Message{Type: pp.Interested})
			message := func(int) pp.Message { return extMsg(extMetadata, "d8:msg_typei0e5:piecei0ee") }
			if kind == "requests" {
				if _, err := p.next(isType(pp.Unchoke)); err != nil {
					t.Fatal(err)
				}
				// When the queue is full every further request is rejected. No
				// two are the same, which would be another matter.
				message = func(i int) pp.Message {
					return ranged(pp.Request, uint32(i>>15%4), uint32(i&(1<<15-1)), 16<<10)
				}
			}
			if err := p.conn.SetWriteDeadline(time.Now().Add(30 * time.Second)); err != nil {
				t.Fatal(err)
			}
			sent := 0
			for i := 0; sent < 200<<20; {
				var batch []byte
				for range 1000 {
					batch = append(batch, message(i).MustMarshalBinary()...)
					i++
				}
				if _, err := p.conn.Write(batch); err != nil {
					break
				}
				sent += len(batch)
			}
			// Socket buffers on both sides come on top of what is tolerated.
			if sent > 100<<20 {
				t.Errorf("the client took %d bytes", sent)
			}
			for _, err := range h.complaints() {
				if errors.Is(err, errNotReading) {
					return
				}
			}
			t.Errorf("complaints: %v", h.complaints())
		})
	}
}

// The guard must not be in the way of honest peers.
func TestHonestTransfer(t *testing.T) {
	seed := newHost(t, hostOptions{pieces: 40, complete: true})
	leech := newHost(t, hostOptions{pieces: 40, dials: true, id: "-XX0001-leech0000000"})
	addr := seed.cl.ListenAddrs()[0].(*net.TCPAddr).AddrPort()
	leech.tor.AddPeers([]torrent.PeerInfo{{Addr: addr}})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	select {
	case <-leech.tor.Complete().On():
	case <-ctx.Done():
		t.Fatalf("%d of %d bytes arrived; complaints: %v %v", leech.tor.BytesCompleted(), leech.tor.Length(),
			leech.complaints(), seed.complaints())
	}
	if c := append(seed.complaints(), leech.complaints()...); len(c) != 0 {
		t.Errorf("complaints about an honest peer: %v", c)
	}
}
