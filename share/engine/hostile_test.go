package engine

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/bencode"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/conform"
)

// greeting begins a handshake.
const greeting = "\x13BitTorrent protocol"

// rawPeer speaks the peer protocol by hand, to say what no honest peer says.
type rawPeer struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

// dialRaw connects to a node and does the handshake.
func dialRaw(t testing.TB, n *node, id share.ID) *rawPeer {
	t.Helper()
	c, err := net.Dial("tcp6", n.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	p := &rawPeer{t, c, bufio.NewReader(c)}
	p.greet(id)
	return p
}

func (p *rawPeer) greet(id share.ID) {
	var b bytes.Buffer
	b.WriteString(greeting)
	b.Write([]byte{0, 0, 0, 0, 0, 0x10, 0, 0x05}) // BEP 10, 6, 5
	b.Write(id[:])
	b.WriteString("-XX0000-")
	var tail [12]byte
	_, _ = rand.Read(tail[:])
	b.Write(tail[:])
	_, _ = p.Write(b.Bytes())
	_ = p.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(p.r, make([]byte, 68)); err != nil {
		p.t.Logf("handshake: %v", err)
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

const (
	msgHave, msgBitfield, msgRequest, msgPiece, msgPort = 4, 5, 6, 7, 9
	msgHaveAll, msgHaveNone, msgReject, msgFast         = 14, 15, 16, 17
	msgExtended, msgHashRequest, msgHashes              = 20, 21, 22
	msgUnchoke, msgInterested                           = 1, 2
)

// read returns the next message, an error when the other side hung up.
func (p *rawPeer) read() (kind byte, payload []byte, err error) {
	for {
		var n [4]byte
		if _, err := io.ReadFull(p.r, n[:]); err != nil {
			return 0, nil, err
		}
		b := make([]byte, binary.BigEndian.Uint32(n[:]))
		if _, err := io.ReadFull(p.r, b); err != nil {
			return 0, nil, err
		}
		if len(b) > 0 {
			return b[0], b[1:], nil
		}
	}
}

// hello makes sync possible; to be said first.
var hello = message(msgExtended, []byte("\x00d1:md11:ut_metadatai1eee"))

// sync waits until the node has taken in what was sent: it answers a request
// for a block of the info dictionary, or hangs up.
func (p *rawPeer) sync() {
	_, _ = p.Write(message(msgExtended, []byte("\x01d8:msg_typei0e5:piecei0ee")))
	for {
		kind, payload, err := p.read()
		if err != nil || kind == msgExtended && len(payload) > 0 && payload[0] == 1 {
			return
		}
	}
}

// finish ends what is sent and waits until the node has taken it in and hung up.
func (p *rawPeer) finish() {
	_ = p.Conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, p.r)
}

// Each of these inputs once ended, or could end, the process of a BitTorrent client: at
// once, or when the transfer is dropped.
func TestHostilePeers(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	src := someFiles(t)
	shared := a.share(src)
	id := shared.ID
	info, err := a.infoOf(id)
	if err != nil {
		t.Fatal(err)
	}
	torrent, err := a.Torrent(id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Fetch(t.Context(), FetchRequest{Torrent: torrent, Output: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	b.waitState(id, share.Fetching)
	for name, say := range conform.Hostile(info.NumPieces) {
		t.Run(name, func(t *testing.T) {
			for _, victim := range []*node{a, b} { // one seeds, one fetches
				victim.suffer(t, id, say)
			}
		})
	}
	if err := b.AddPeers(id, share.FromUser, []netip.AddrPort{a.addr}); err != nil {
		t.Fatal(err)
	}
	sameTree(t, src, b.waitState(id, share.Seeding).Path)
}

// suffer has a peer say something to a node, which then drops the transfer.
func (n *node) suffer(t *testing.T, id share.ID, say [][]byte) {
	p := dialRaw(t, n, id)
	shakes := say[0][4] == msgExtended
	if !shakes {
		_, _ = p.Write(hello)
	}
	for _, m := range say {
		_, _ = p.Write(m)
	}
	if shakes {
		p.finish()
	} else {
		p.sync()
	}
	if err := n.Pause(id); err != nil {
		t.Fatal(err)
	}
	n.waitRest(id)
	if err := n.Resume(id); err != nil {
		t.Fatal(err)
	}
	n.wait(id, "to be back", func(s share.Transfer) bool {
		return s.State == share.Seeding || s.State == share.Fetching && n.live(id)
	})
}

// A peer that asks without reading, and one that names a new extension in each
// of a thousand connections, cost little memory.
func TestFloods(t *testing.T) {
	a := newNode(t, func(c *Config) { c.MaxConns = 80 })
	shared := a.share(someFiles(t))
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()

	greedy := dialRaw(t, a, shared.ID)
	_, _ = greedy.Write(hello)
	ask := bytes.Repeat(message(msgExtended, []byte("\x01d8:msg_typei0e5:piecei0ee")), 1000)
	_ = greedy.SetWriteDeadline(time.Now().Add(5 * time.Second))
	for range 200 {
		if _, err := greedy.Write(ask); err != nil {
			break
		}
	}

	if grown := heap() - before; grown > 24<<20 {
		t.Errorf("%d bytes of memory are held for a peer that does not read", grown)
	}
	greedy.Close()

	// Handshakes never finished: they do not keep others out for long.
	for range 300 {
		c, err := net.Dial("tcp6", a.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, greeting)
	}
	var flood []net.Conn
	for range 300 {
		c, err := net.Dial("tcp6", a.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		flood = append(flood, c)
		var noise [40_000]byte
		_, _ = rand.Read(noise[:])
		go func() {
			defer c.Close()
			_, _ = c.Write(append([]byte(greeting), noise[:8]...))
			_, _ = c.Write(shared.ID[:])
			_, _ = c.Write(noise[:20])
			named := append([]byte("\x00d1:md"), bencode.AppendString(nil, noise[:])...)
			_, _ = c.Write(message(msgExtended, append(named, "i1e11:ut_metadatai1eee"...)))
			_, _ = c.Write(message(msgExtended, []byte("\x01d8:msg_typei0e5:piecei0ee")))
			_, _ = io.Copy(io.Discard, c)
		}()
	}
	if open := a.Stats().Connections; open > 80 {
		t.Errorf("%d connections of at most 80", open)
	}
	if a.Stats().Refused == 0 {
		t.Error("no connection was refused")
	}
	// All come from one address, as b does: it waits until they are gone.
	for _, c := range flood {
		c.Close()
	}
	b := newNode(t)
	b.fetch(shared.Link, t.TempDir())
	b.waitState(shared.ID, share.Seeding)
	a.wait(shared.ID, "the flood to end", func(share.Transfer) bool { return a.Stats().Connections < 5 })
	a.swarms.Tend()
	if grown := heap() - before; grown > 8<<20 {
		t.Errorf("%d bytes of memory are held when all is over", grown)
	}
}

// serveInfo is a peer that gives b for the info dictionary of whatever it is
// asked for.
func serveInfo(t *testing.T, b []byte) string {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answerInfo(t, c, b)
		}
	}()
	return l.Addr().String()
}

func answerInfo(t *testing.T, c net.Conn, b []byte) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	p := &rawPeer{t, c, bufio.NewReader(c)}
	hello := make([]byte, 68)
	if _, err := io.ReadFull(p.r, hello); err != nil {
		return
	}
	copy(hello[48:], "-XX0000-yyyyyyyyyyyy")
	_, _ = c.Write(hello)
	shake := bencode.AppendInt([]byte("\x00d1:md11:ut_metadatai7ee13:metadata_size"), int64(len(b)))
	_, _ = c.Write(message(msgExtended, append(shake, 'e')))
	his := byte(0)
	for {
		kind, payload, err := p.read()
		if err != nil {
			return
		}
		if kind != msgExtended {
			continue
		}
		v, _, err := bencode.Parse(payload[1:], bencode.Small)
		if err != nil {
			return
		}
		if payload[0] == 0 {
			his = byte(v.Get("m").Get("ut_metadata").Int)
			continue
		}
		i := int(v.Get("piece").Int)
		from := i << 14
		if v.Get("msg_type").Int != 0 || from > len(b) {
			continue
		}
		head := bencode.AppendInt([]byte("d8:msg_typei1e5:piece"), int64(i))
		head = append(bencode.AppendInt(append(head, "10:total_size"...), int64(len(b))), 'e')
		_, _ = c.Write(message(msgExtended, []byte{his}, head, b[from:min(len(b), from+1<<14)]))
	}
}

// Every torrent that was made to do harm, by magnet link from a peer that has its
// info dictionary: refused or taken, and the engine lives.
func TestHostileInfo(t *testing.T) {
	var paths []string
	for _, dir := range []string{
		filepath.Join("..", "metainfo", "testdata", "hostile"),
		filepath.Join("..", "..", "..", "shared", "corpus", "torrents"), // libtorrent's, where they are beside the repository
	} {
		more, err := filepath.Glob(filepath.Join(dir, "*.torrent"))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, more...)
	}
	e := newNode(t)
	out := t.TempDir()
	names := map[share.ID]string{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		info := rawInfo(data)
		if info == nil || len(info) > 1<<20 {
			continue
		}
		id := share.ID(sha1Sum(info))
		dst := filepath.Join(out, filepath.Base(path))
		if err := os.MkdirAll(dst, 0o755); err != nil {
			t.Fatal(err)
		}
		l := share.Link{ID: id, Peers: []string{serveInfo(t, info)}}
		if _, err := e.Fetch(t.Context(), FetchRequest{Link: l, Output: dst, Anywhere: true}); err != nil {
			t.Fatal(err)
		}
		names[id] = filepath.Base(path)
	}
	verdicts := map[share.State]int{}
	for id, name := range names {
		s := e.wait(id, name, func(s share.Transfer) bool {
			return s.State == share.Stopped || s.State == share.Fetching || s.State == share.Seeding
		})
		if s.State == share.Stopped && s.Code != share.Refused.Code() {
			t.Errorf("%s: stopped with %q", name, s.Reason)
		}
		verdicts[s.State]++
		if _, err := e.Remove(id, false); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Logf("%v", verdicts)
	if verdicts[share.Stopped] == 0 || verdicts[share.Fetching] == 0 {
		t.Error("refusing all or nothing shows nothing")
	}
	sameDir, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil || len(sameDir) > len(paths) {
		t.Errorf("something was written beside the folders given: %v, %v", sameDir, err)
	}
}

// rawInfo cuts the info dictionary out of a torrent, as it is.
func rawInfo(data []byte) []byte {
	i := bytes.Index(data, []byte("4:info"))
	if i < 0 {
		return nil
	}
	data = data[i+len("4:info"):]
	_, rest, err := bencode.Parse(data, bencode.Limits{Depth: 200, Items: 1 << 20})
	if err != nil {
		return data // whatever it is
	}
	return data[:len(data)-len(rest)]
}
