package conform

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"sync/atomic"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/merkle"
	"github.com/shoalnet/shoal/share/metainfo"
)

// TestV2 runs the tests of content that BEP 52 describes on networks that New makes.
func TestV2(t *testing.T, New func(face.Config) face.Network) {
	s := suite{New}
	for name, hybrid := range map[string]bool{"hybrid": true, "v2": false} {
		for what, f := range map[string]func(*testing.T, twofold){
			"fetches by each ID":     s.eachID,
			"answers to each ID":     s.answers,
			"serves hashes":          s.hashes,
			"bears hostile hashes":   s.hostileHashes,
			"finds out liars":        s.liars,
			"refuses another's info": s.othersInfo,
		} {
			t.Run(name+" "+what, func(t *testing.T) { f(t, newTwofold(hybrid)) })
		}
	}
	t.Run("stops where the hashes differ", s.differ)
}

// twofold is content that BEP 52 describes, of one file.
type twofold struct {
	content
	v2     share.ID
	root   merkle.Hash
	layer  []merkle.Hash
	parsed *metainfo.Info
}

const twofoldPieces = 12

func newTwofold(hybrid bool) twofold {
	data := make([]byte, twofoldPieces*pieceLength-20_000)
	_, _ = mathrand.NewChaCha8([32]byte{52}).Read(data)
	return describeTwofold(data, data, hybrid)
}

// describeTwofold describes data for BEP 52, and if hybrid v1 for BEP 3.
func describeTwofold(data, v1 []byte, hybrid bool) twofold {
	c := twofold{content: content{data: data}}
	var pieces []byte
	for i := 0; i < len(data); i += pieceLength {
		var sum merkle.Sum
		_, _ = sum.Write(data[i:min(len(data), i+pieceLength)])
		c.layer = append(c.layer, sum.Root(2))
		one := sha1.Sum(v1[i:min(len(data), i+pieceLength)])
		pieces = append(pieces, one[:]...)
	}
	c.root = merkle.Root(c.layer, 2)
	var b bytes.Buffer
	fmt.Fprintf(&b, "d9:file treed4:filed0:d6:lengthi%de11:pieces root32:%seee", len(data), c.root[:])
	if hybrid {
		fmt.Fprintf(&b, "6:lengthi%de", len(data))
	}
	fmt.Fprintf(&b, "12:meta versioni2e4:name4:file12:piece lengthi%de", pieceLength)
	if hybrid {
		fmt.Fprintf(&b, "6:pieces%d:%s", len(pieces), pieces)
	}
	b.WriteByte('e')
	c.info = b.Bytes()
	sum := sha256.Sum256(c.info)
	c.v2 = share.ID(sum[:20])
	c.id = c.v2
	if hybrid {
		c.id = sha1.Sum(c.info)
	}
	var err error
	if c.parsed, err = metainfo.ParseInfo(c.info); err != nil {
		panic(err)
	}
	return c
}

// layers are those of the content, complete or not.
func (c twofold) layers(whole bool) *metainfo.Layers {
	l := metainfo.NewLayers(c.parsed)
	if whole {
		if err := l.Set(c.root, c.layer); err != nil {
			panic(err)
		}
	}
	return l
}

func (c twofold) with(l *metainfo.Layers) func(*face.Content) {
	return func(fc *face.Content) { fc.Layers = l }
}

// eachID fetches between nodes that know the content by one ID or by the other, with
// and without the piece layers.
func (s suite) eachID(t *testing.T, c twofold) {
	for _, v2 := range []bool{false, true} {
		for _, whole := range []bool{false, true} {
			a, b := s.node(t), s.node(t)
			a.attach(c.content, c.full(), c.with(c.layers(true)))
			to, layers := c.empty(), c.layers(whole)
			var told atomic.Int32
			fetch := b.attach(c.content, to, c.with(layers), func(fc *face.Content) {
				if v2 {
					fc.ID = c.v2
				}
				fc.Layered = func() { told.Add(1) }
			})
			fetch.SetPriorities(all(c.content))
			peer := a.peer()
			peer[0].V2 = v2
			fetch.AddPeers(peer)
			to.await(t, c.pieces())
			if !to.holds(c.content) {
				t.Error("the content differs")
			}
			until(t, "the piece layers", func() bool { return layers.Complete() && (told.Load() == 1) != whole })
		}
	}
}

// shake does the first handshake, and returns what the node answers.
func (p *peer) shake(id share.ID, flag byte) (answer share.ID, v2 bool, err error) {
	var b bytes.Buffer
	b.WriteString("\x13BitTorrent protocol")
	b.Write([]byte{0, 0, 0, 0, 0, 0x10, 0, 0x05 | flag})
	b.Write(id[:])
	b.WriteString("-XX0000-" + rand.Text()[:12])
	_, _ = p.Write(b.Bytes())
	var got [68]byte
	_, err = io.ReadFull(p.r, got[:])
	return share.ID(got[28:48]), got[27]&flagV2 != 0, err
}

const flagV2 = 0x10

// answers looks how a node answers to each of the two IDs.
func (s suite) answers(t *testing.T, c twofold) {
	a := s.node(t)
	a.attach(c.content, c.full(), c.with(c.layers(true)))
	for _, x := range []struct {
		id   share.ID
		flag byte
		want share.ID
	}{
		{c.id, 0, c.id},
		{c.id, flagV2, c.v2}, // the upgrade
		{c.v2, 0, c.v2},
		{c.v2, flagV2, c.v2},
	} {
		answer, v2, err := connect(t, a.addr).shake(x.id, x.flag)
		if err != nil || answer != x.want || !v2 {
			t.Errorf("%v with flag %x is answered with %v, v2 %v, %v; want %v", x.id, x.flag, answer, v2, err, x.want)
		}
	}
	other := c.v2
	other[3]++
	if _, _, err := connect(t, a.addr).shake(other, flagV2); err == nil {
		t.Error("an ID of nothing is answered")
	}
}

// meet connects a peer that exchanges hashes.
func (c twofold) meet(t *testing.T, n *node) *peer {
	t.Helper()
	p := connect(t, n.addr)
	if _, _, err := p.shake(c.v2, flagV2); err != nil {
		t.Fatal(err)
	}
	p.say(message(msgExtended, []byte("\x00d1:md11:ut_metadatai1ee1:v4:teste")))
	return p
}

func (c twofold) hashes(layer, index, length, proofs uint32) []byte {
	return append(bytes.Clone(c.root[:]), u32(layer, index, length, proofs)...)
}

func (s suite) hashes(t *testing.T, c twofold) {
	a := s.node(t)
	a.attach(c.content, c.full(), c.with(c.layers(true)))
	p := c.meet(t, a)
	var leaves merkle.Leaves
	_, _ = leaves.Write(c.data)
	tree := merkle.NewTree(leaves.Hashes(), 0)
	for _, x := range []merkle.Span{
		{Layer: 2, Length: 16, Proofs: 3}, {Layer: 2, Index: 8, Length: 4, Proofs: 3}, {Layer: 3, Index: 5, Length: 1, Proofs: 1},
		{Index: 8, Length: 4}, {Index: 44, Length: 4, Proofs: 5}, {Layer: 1, Index: 3, Length: 1, Proofs: 2}, // of a piece
		{Layer: 2, Index: 16, Length: 16}, {Index: 48, Length: 4}, {Index: 0, Length: 8}, // none has these
	} {
		request := c.hashes(uint32(x.Layer), uint32(x.Index), uint32(x.Length), uint32(x.Proofs))
		p.say(message(msgHashRequest, request))
		kind, payload := byte(0), []byte(nil)
		for kind != msgHashes && kind != msgHashReject {
			var err error
			if kind, payload, err = p.read(); err != nil {
				t.Fatal(err)
			}
		}
		want := tree.Hashes(x)
		if x.Layer < 2 && x.Length<<x.Layer > 4 || x.Index<<x.Layer >= 48 {
			want = nil // we serve them of one piece at a time
		}
		if !bytes.Equal(payload[:48], request) || (kind == msgHashes) != (want != nil) {
			t.Errorf("%+v is answered with %d, %x", x, kind, payload[:48])
			continue
		}
		var flat []byte
		for i := range want {
			flat = append(flat, want[i][:]...)
		}
		if !bytes.Equal(payload[48:], flat) {
			t.Errorf("%+v is answered with other hashes", x)
		}
	}
}

const msgHashReject = 23

func (s suite) hostileHashes(t *testing.T, c twofold) {
	storm := make([][]byte, 0, 40_000)
	for i := range uint32(20_000) {
		storm = append(storm, message(msgHashRequest, c.hashes(0, i*4%64, 4, 0)), message(msgHashRequest, c.hashes(2, 0, 16, 3)))
	}
	wrong := bytes.Repeat(make([]byte, 32), 16)
	for name, say := range map[string][][]byte{
		"unaligned":      {message(msgHashRequest, c.hashes(2, 3, 4, 0))},
		"of no length":   {message(msgHashRequest, c.hashes(2, 0, 0, 0))},
		"not of a power": {message(msgHashRequest, c.hashes(0, 0, 3, 0))},
		"too long":       {message(msgHashRequest, c.hashes(0, 0, 1<<20, 0))},
		"far":            {message(msgHashRequest, c.hashes(0, 1<<31, 512, 40)), message(msgHashRequest, c.hashes(0, 0xfffffe00, 512, 40))},
		"high":           {message(msgHashRequest, c.hashes(0xffffffff, 0, 2, 0xffffffff))},
		"of no file":     {message(msgHashRequest, make([]byte, 32), u32(2, 0, 16, 3))},
		"too short":      {message(msgHashRequest, c.root[:])},
		"unasked":        {message(msgHashes, c.hashes(2, 0, 16, 3), wrong), message(msgHashReject, c.hashes(2, 0, 16, 3))},
		"broken":         {message(msgHashes, c.hashes(2, 0, 16, 3), wrong[:33])},
		"a storm":        storm,
	} {
		t.Run(name, func(t *testing.T) {
			for seeds, d := range map[bool]*disk{true: c.full(), false: c.empty()} {
				n := s.node(t)
				swarm := n.attach(c.content, d, c.with(c.layers(seeds)))
				swarm.SetPriorities(all(c.content))
				p := c.meet(t, n)
				p.say(message(msgHaveAll), message(msgUnchoke))
				heard := make(chan struct{})
				go func() {
					defer close(heard)
					_, _ = io.Copy(io.Discard, p.r)
				}()
				p.say(say...)
				_ = p.Conn.(*net.TCPConn).CloseWrite()
				<-heard
				swarm.Detach()
				if !seeds && d.complete() > 0 {
					t.Error("pieces are complete that nobody sent")
				}
			}
		})
	}
}

// liars are found out who answer with hashes that prove nothing.
func (s suite) liars(t *testing.T, c twofold) {
	n, layers := s.node(t), c.layers(false)
	n.attach(c.content, c.empty(), c.with(layers)).SetPriorities(all(c.content))
	p := c.meet(t, n)
	p.say(message(msgHaveAll), message(msgUnchoke))
	lied := false
	for {
		kind, payload, err := p.read()
		if err != nil {
			break // the node hung up
		}
		if kind == msgHashRequest {
			lied = true
			p.say(message(msgHashes, payload, make([]byte, 32*number(payload[40:]))))
		}
	}
	if !lied || layers.Complete() {
		t.Errorf("asked: %v, complete: %v", lied, layers.Complete())
	}
	until(t, "ban of who lied", func() bool { // it follows the end of the connection
		_, _, err := connect(t, n.addr).shake(c.v2, flagV2)
		return err != nil
	})
}

func (s suite) othersInfo(t *testing.T, c twofold) {
	other := c.id
	other[0]++
	if _, err := s.node(t).Attach(face.Content{ID: other, Info: c.info, Storage: c.empty(), Down: free{}, Up: free{}}); err == nil {
		t.Error("content is attached by an ID that it does not have")
	}
}

// differ fetches a hybrid whose descriptions contradict each other.
func (s suite) differ(t *testing.T) {
	data := newTwofold(true).data
	forged := bytes.Clone(data)
	forged[3*pieceLength]++
	c := describeTwofold(data, forged, true)
	a, b := s.node(t), s.node(t)
	a.attach(c.content, c.full(), c.with(c.layers(true)))
	to := c.empty()
	told := make(chan error, 10)
	fetch := b.attach(c.content, to, c.with(c.layers(true)), func(fc *face.Content) { fc.Differs = func(err error) { told <- err } })
	fetch.SetPriorities(all(c.content))
	fetch.AddPeers(a.peer())
	if err := <-told; err == nil {
		t.Error("no reason is told")
	}
	fetch.Retry()
	if _, complete := to.Completion(3); complete || len(told) > 0 {
		t.Error("the piece is complete, or it is told twice")
	}
}
