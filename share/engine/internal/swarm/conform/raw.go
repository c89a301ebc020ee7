package conform

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/bencode"
)

const (
	msgUnchoke, msgInterested                           = 1, 2
	msgHave, msgBitfield, msgRequest, msgPiece, msgPort = 4, 5, 6, 7, 9
	msgHaveAll, msgHaveNone, msgReject, msgFast         = 14, 15, 16, 17
	msgExtended, msgHashRequest, msgHashes              = 20, 21, 22
)

// peer speaks the peer protocol by hand.
type peer struct {
	t *testing.T
	net.Conn
	r       *bufio.Reader
	kinds   map[byte]bool   // of messages read by sync
	numbers map[string]byte // of extensions, as the node wants them
}

func connect(t *testing.T, to netip.AddrPort) *peer {
	t.Helper()
	c, err := net.Dial("tcp6", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &peer{t: t, Conn: c, r: bufio.NewReader(c), kinds: map[byte]bool{}}
}

// dial connects, does the handshakes and says that sync will be used.
func dial(t *testing.T, to netip.AddrPort, id share.ID) *peer {
	t.Helper()
	p := connect(t, to)
	if err := p.greet(id); err != nil {
		t.Fatalf("handshake: %v", err)
	}
	p.say(message(msgExtended, []byte("\x00d1:md11:ut_metadatai1ee1:v4:teste")))
	return p
}

// greet does the first handshake.
func (p *peer) greet(id share.ID) error {
	var b bytes.Buffer
	b.WriteString("\x13BitTorrent protocol")
	b.Write([]byte{0, 0, 0, 0, 0, 0x10, 0, 0x05}) // BEP 10, 6, 5
	b.Write(id[:])
	b.WriteString("-XX0000-" + rand.Text()[:12])
	_, _ = p.Write(b.Bytes())
	_, err := io.ReadFull(p.r, make([]byte, 68))
	return err
}

// served asks for a block, and tells whether it or any other message came before
// the node hung up.
func (p *peer) served(id share.ID) bool {
	if p.greet(id) != nil {
		return false
	}
	p.say(message(msgInterested), message(msgRequest, u32(0, 0, 16384)))
	_, _, err := p.read()
	return err == nil
}

func (p *peer) say(messages ...[]byte) {
	for _, m := range messages {
		_, _ = p.Write(m) // it may have hung up
	}
}

func message(kind byte, payload ...[]byte) []byte {
	body := append([]byte{kind}, bytes.Join(payload, nil)...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

func u32(v ...uint32) (b []byte) {
	for _, x := range v {
		b = binary.BigEndian.AppendUint32(b, x)
	}
	return b
}

func number(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

// read returns the next message, an error when the other side hung up.
func (p *peer) read() (kind byte, payload []byte, err error) {
	for {
		var n [4]byte
		if _, err := io.ReadFull(p.r, n[:]); err != nil {
			return 0, nil, err
		}
		b := make([]byte, number(n[:]))
		if _, err := io.ReadFull(p.r, b); err != nil {
			return 0, nil, err
		}
		if len(b) == 0 {
			continue
		}
		if b[0] == msgExtended && len(b) > 1 && b[1] == 0 {
			p.learn(b[2:])
		}
		return b[0], b[1:], nil
	}
}

// learn takes the numbers of extensions from a handshake (BEP 10).
func (p *peer) learn(hello []byte) {
	p.numbers = map[string]byte{}
	v, _, err := bencode.Parse(hello, bencode.Small)
	if err != nil {
		p.t.Errorf("the handshake %q: %v", hello, err)
		return
	}
	for _, name := range []string{"ut_metadata", "ut_pex", "ut_holepunch"} {
		if n := v.Get("m").Get(name).Int; n > 0 {
			p.numbers[name] = byte(n)
		}
	}
}

// offers tells whether the node has an extension.
func (p *peer) offers(name string) bool {
	for p.numbers == nil {
		if _, _, err := p.read(); err != nil {
			p.t.Fatal(err)
		}
	}
	return p.numbers[name] != 0
}

// sync waits until the node has taken in what was sent: it answers a request for
// a block of the info dictionary, or hangs up.
func (p *peer) sync() {
	if !p.offers("ut_metadata") {
		p.t.Fatal("the info dictionary is not given")
	}
	p.say(message(msgExtended, []byte{p.numbers["ut_metadata"]}, []byte("d8:msg_typei0e5:piecei0ee")))
	for {
		kind, payload, err := p.read()
		if err != nil || kind == msgExtended && len(payload) > 0 && payload[0] == 1 {
			return
		}
		p.kinds[kind] = true
	}
}

// got tells whether a message of this kind came before the latest sync was over.
func (p *peer) got(kind byte) bool { return p.kinds[kind] }

// finish ends what is sent and waits until the node has taken it in and hung up.
func (p *peer) finish() {
	_ = p.Conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, p.r)
}

// Hostile is what peers say that no honest one does, about content of so many
// pieces. Each once ended, or could end, the process. What begins with a handshake
// of extensions takes the numbers for granted that this node gives them.
func Hostile(pieces int) map[string][][]byte {
	n := uint32(pieces)
	bits := bytes.Repeat([]byte{0xff}, (pieces+7)/8)
	deep := strings.Repeat("l", 30_000) + strings.Repeat("e", 30_000)
	hello := message(msgExtended, []byte("\x00d1:md11:ut_metadatai1eee"))
	return map[string][][]byte{
		"have all, then none, then one": {message(msgHaveAll), message(msgHaveNone), message(msgHave, u32(0))},
		"have all, then one":            {message(msgHaveAll), message(msgHave, u32(0))},
		"have all twice":                {message(msgHaveAll), message(msgHaveAll)},
		"have all, then a bitfield":     {message(msgHaveAll), message(msgBitfield, make([]byte, len(bits)))},
		"a bitfield, then have all":     {message(msgBitfield, append([]byte{0x80}, make([]byte, len(bits)-1)...)), message(msgHaveAll), message(msgHaveNone)},
		"a bitfield that is too long":   {message(msgBitfield, make([]byte, 60_000))},
		"a bitfield with spare bits":    {message(msgBitfield, bits)},
		"a bitfield that is too short":  {message(msgBitfield, nil)},
		"have beyond the end":           {message(msgHave, u32(n)), message(msgHave, u32(0xffffffff))},
		"fast pieces beyond the end":    {message(msgFast, u32(n)), message(msgFast, u32(0xffffffff)), message(msgFast, u32(0x7fffffff))},
		"rejects of nothing":            {message(msgReject, u32(0, 0, 16384)), message(msgReject, u32(0xffffffff, 0xffffffff, 0xffffffff))},
		"a block nobody asked for":      {message(msgPiece, u32(0, 0), make([]byte, 16384))},
		"a block beyond the end":        {message(msgPiece, u32(0xffffffff, 0xffffffff), make([]byte, 16384))},
		"a request for everything":      {message(msgInterested), message(msgRequest, u32(0, 0, 0xffffffff)), message(msgRequest, u32(0, 0xfffffff0, 0x20))},
		"a v2 hash request":             {message(msgHashRequest, make([]byte, 32), u32(0, 0, 2, 0)), message(msgHashes, make([]byte, 32), u32(0, 0, 2, 0), make([]byte, 64))},
		"a message without end":         {append(u32(0xffffffff), make([]byte, 1<<20)...)},
		"an unknown message":            {message(200, make([]byte, 1000))},
		"a nested handshake":            {message(msgExtended, []byte{0}, []byte("d1:m"+deep+"e"))},
		"a handshake of strings":        {message(msgExtended, []byte("\x00d1:md6:ut_pex0:11:ut_metadata0:ee"))},
		"a huge string":                 {message(msgExtended, []byte("\x00d1:v99999999999:xe"))},
		"a negative metadata size":      {message(msgExtended, []byte("\x00d1:md11:ut_metadatai1ee13:metadata_sizei-1ee"))},
		"metadata beyond the end":       {hello, message(msgExtended, []byte("\x01d8:msg_typei0e5:piecei9999999999ee")), message(msgExtended, []byte("\x01d8:msg_typei1e5:piecei-1e10:total_sizei-1ee"))},
		"a hole punch to somewhere":     {message(msgExtended, []byte("\x00d1:md12:ut_holepunchi3eee")), message(msgExtended, []byte("\x03\x01\x01"), make([]byte, 18))},
		"broken peer exchange":          {message(msgExtended, []byte("\x00d1:md6:ut_pexi2eee")), message(msgExtended, []byte("\x02d6:added617:aaaaaaaaaaaaaaaaae"))},
		"a port and another":            {message(msgPort, []byte{1, 2}), message(msgPort, []byte{0, 0}), message(msgPort, nil)},
	}
}
