package native

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// counted is a listener that counts what it accepts.
type counted struct {
	net.Listener
	n atomic.Int32
}

func (c *counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.n.Add(1)
	}
	return conn, err
}

func learn(t *testing.T, n *Network, id share.ID, from ...netip.AddrPort) face.Learning {
	t.Helper()
	l, err := n.Learn([]share.ID{id}, func(info []byte) bool { return sha1.Sum(info) == id })
	if err != nil {
		t.Fatal(err)
	}
	var peers []face.Peer
	for _, a := range from {
		peers = append(peers, face.Peer{Addr: a, Source: share.FromLink})
	}
	l.AddPeers(peers)
	return l
}

// The connection that brings the info dictionary brings the content.
func TestLearnThenAttach(t *testing.T) {
	for _, private := range []bool{false, true} {
		var at *counted
		seed, addr := testNetwork(t, func(c *face.Config) {
			at = &counted{Listener: c.Listeners[0]}
			c.Listeners[0] = at
		})
		n, _ := testNetwork(t, nil)
		c, _ := testContent(40, true)
		empty, disk := testContent(40, false)
		if private {
			c.Info = bytes.Replace(c.Info, []byte("6:pieces"), []byte("6:pieces"), 1)
			c.Info = append(c.Info[:len(c.Info)-1], "7:privatei1ee"...)
			c.ID = sha1.Sum(c.Info)
			empty.ID, empty.Info = c.ID, c.Info
		}
		attach(t, seed, c)
		l := learn(t, n, c.ID, addr)
		info, err := l.Info(t.Context())
		if err != nil || !bytes.Equal(info, c.Info) {
			t.Fatal(err)
		}
		s := attach(t, n, empty)
		s.AddPeers([]face.Peer{{Addr: addr, Source: share.FromLink}})
		s.SetPriorities(face.Change{From: 0, To: 40, Was: face.Never, Is: face.Normal})
		l.End() // is of no effect any more
		await(t, "content", disk.done)
		want := int32(1)
		if private {
			want = 2 // those who did not come from its trackers are not kept
		}
		if got := at.n.Load(); got != want {
			t.Errorf("private %v: %d connections", private, got)
		}
		if p := s.Peers(); len(p) == 1 && p[0].Source != share.FromLink {
			t.Errorf("the peer is known from %s", p[0].Source)
		}
	}
}

// A link with both IDs is learnt of from peers that know only one of them, whichever
// side calls.
func TestLearnFromWhoKnowsOneOfTwoIDs(t *testing.T) {
	for _, byV2 := range []bool{false, true} {
		s := newScripts(t, 3*wire.BlockSize)
		sum := sha256.Sum256(s.info)
		ids := []share.ID{s.id, share.ID(sum[:20])}
		if byV2 {
			s.id = ids[1]
		}
		learn := func(n *Network) face.Learning {
			l, err := n.Learn(ids, func(info []byte) bool { return bytes.Equal(info, s.info) })
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		n, _ := testNetwork(t, nil)
		l := learn(n)
		l.AddPeers([]face.Peer{{Addr: s.peer((*remote).serve), Source: share.FromDHT, V2: byV2}})
		if info, err := l.Info(t.Context()); err != nil || !bytes.Equal(info, s.info) {
			t.Errorf("by v2 %v: called: %v", byV2, err)
		}

		n, addr := testNetwork(t, nil)
		l = learn(n)
		conn, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer conn.Close()
			(&remote{scripts: s, conn: conn}).call()
		}()
		if info, err := l.Info(t.Context()); err != nil || !bytes.Equal(info, s.info) {
			t.Errorf("by v2 %v: came: %v", byV2, err)
		}
		l.End()
		await(t, "end of the connection", done)
	}
}

// A learning that ends closes its connections.
func TestLearningEnds(t *testing.T) {
	n, _ := testNetwork(t, nil)
	s := newScripts(t, 3*wire.BlockSize)
	came, gone := make(chan struct{}), make(chan struct{})
	silent := s.peer(func(r *remote) {
		r.handshake()
		close(came)
		r.hold()
		close(gone)
	})
	l := learn(t, n, s.id, silent)
	ctx, cancel := context.WithCancelCause(t.Context())
	met := errors.New("enough")
	await(t, "the connection", came) // a call that is given up earlier may leave no trace
	cancel(met)
	if _, err := l.Info(ctx); err != met {
		t.Errorf("ended with %v", err)
	}
	await(t, "end of the connection", gone)
	if n.Offered(s.id) {
		t.Error("peers that ask for it are still let in")
	}
}

// scripts is an info dictionary, and peers that do with it what a test says.
type scripts struct {
	t    *testing.T
	info []byte
	id   share.ID
}

func newScripts(t *testing.T, size int) *scripts {
	info := bytes.Repeat([]byte("info"), size/4+1)[:size]
	return &scripts{t, info, sha1.Sum(info)}
}

// peer listens and runs script for each connection; the script's end closes it.
func (s *scripts) peer(script func(*remote)) netip.AddrPort { return s.peerAt("[::1]:0", script) }

func (s *scripts) peerAt(addr string, script func(*remote)) netip.AddrPort {
	s.t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ctx, func() { c.Close() })()
				script(&remote{scripts: s, ctx: ctx, conn: c})
			})
		}
	})
	s.t.Cleanup(func() {
		cancel()
		l.Close()
		group.Wait()
	})
	return netip.MustParseAddrPort(l.Addr().String())
}

// remote is the far end of one connection.
type remote struct {
	*scripts
	ctx  context.Context
	conn net.Conn
	in   *wire.Reader
	ext  byte // what we call ut_metadata
}

func (r *remote) raw(b []byte) bool {
	_, err := r.conn.Write(b)
	return err == nil
}

func (r *remote) handshake() bool { return r.greet(r.id, 0x10) }

func (r *remote) greet(id share.ID, extensions byte) bool {
	return r.answer() && r.greeting(id, extensions)
}

// answer reads the handshake of the other side, which has to name the content as we do.
func (r *remote) answer() bool {
	r.in = wire.NewReader(r.conn, wire.ReaderConfig{Extended: true}) // scripts read from it even after a handshake that failed
	var b [68]byte
	_, err := io.ReadFull(r.conn, b[:])
	return err == nil && share.ID(b[28:48]) == r.id
}

func (r *remote) greeting(id share.ID, extensions byte) bool {
	out := append([]byte("\x13BitTorrent protocol"), 0, 0, 0, 0, 0, extensions, 0, 0)
	port := r.conn.LocalAddr().(*net.TCPAddr).Port
	return r.raw(append(append(out, id[:]...), fmt.Sprintf("-XX0000-%012d", port)...))
}

func (r *remote) message(ext byte, payload []byte) bool {
	return r.raw(wire.Append(nil, &wire.Message{Type: wire.Extended, Ext: ext, Payload: payload}))
}

// offer sends the extension handshake of a peer that has size bytes.
func (r *remote) offer(size int) bool {
	return r.message(0, fmt.Appendf(nil, "d1:md11:ut_metadatai3e6:ut_pexi4ee13:metadata_sizei%dee", size))
}

// request waits for the next request for a block.
func (r *remote) request() (piece int, ok bool) {
	for {
		var m wire.Message
		if r.in.Read(&m) != nil {
			return 0, false
		}
		switch {
		case m.Type == wire.Extended && m.Ext == 0:
			h, _ := wire.ParseHandshake(m.Payload)
			r.ext = h.Extensions[wire.NameMetadata]
		case m.Type == wire.Extended && m.Ext == 3:
			q, err := wire.ParseMetadata(m.Payload)
			return q.Piece, err == nil && q.Kind == wire.MetaRequest
		}
	}
}

func (r *remote) data(piece, total int, b []byte) bool {
	return r.message(r.ext, wire.AppendMetadata(nil, &wire.Metadata{Kind: wire.MetaData, Piece: piece, Total: total, Data: b}))
}

func (r *remote) block(info []byte, piece int) bool {
	begin := min(piece*wire.BlockSize, len(info))
	return r.data(piece, len(info), info[begin:min(begin+wire.BlockSize, len(info))])
}

// serve is an honest peer.
func (r *remote) serve() { r.serveInfo(r.info) }

func (r *remote) serveInfo(info []byte) {
	if r.handshake() && r.offer(len(info)) {
		r.give(info)
	}
}

// give sends the blocks that are asked for.
func (r *remote) give(info []byte) {
	for {
		piece, ok := r.request()
		if !ok || !r.block(info, piece) {
			return
		}
	}
}

// call is serve of the side that connects.
func (r *remote) call() {
	if r.greeting(r.id, 0x10) && r.answer() && r.offer(len(r.info)) {
		r.give(r.info)
	}
}

// hold keeps the connection open and says nothing more.
func (r *remote) hold() { _, _ = io.Copy(io.Discard, r.conn) }

func (r *remote) reject(from int) {
	for {
		p, ok := r.request()
		if !ok {
			return
		}
		m := wire.Metadata{Kind: wire.MetaReject, Piece: p}
		if p >= from && !r.message(r.ext, wire.AppendMetadata(nil, &m)) || p < from && !r.block(r.info, p) {
			return
		}
	}
}

func TestLearnSizes(t *testing.T) {
	n, _ := testNetwork(t, nil)
	for _, size := range []int{1, 100, wire.BlockSize, wire.BlockSize + 1, 10*wire.BlockSize - 1, wire.MaxInfo} {
		s := newScripts(t, size)
		l := learn(t, n, s.id, s.peer((*remote).serve))
		info, err := l.Info(t.Context())
		if err != nil || !bytes.Equal(info, s.info) {
			t.Errorf("%d bytes: %v", size, err)
		}
		l.End()
	}
}

// rtorrent answers one of several requests.
func TestLearnOfAPeerThatAnswersOneRequestAtATime(t *testing.T) {
	n, _ := testNetwork(t, nil)
	s := newScripts(t, 12*wire.BlockSize)
	conns := new(atomic.Int32)
	addr := s.peer(func(r *remote) {
		conns.Add(1)
		r.handshake()
		r.offer(len(r.info))
		for burst := 0; ; burst++ {
			p, ok := r.request()
			if !ok {
				return
			}
			if burst >= 2 && burst < 10 && burst != 5 {
				continue // left unanswered
			}
			if !r.block(r.info, p) {
				return
			}
		}
	})
	info, err := learn(t, n, s.id, addr).Info(t.Context())
	if err != nil || !bytes.Equal(info, s.info) || conns.Load() != 1 {
		t.Errorf("%d connections, %v", conns.Load(), err)
	}
}

// Every hostile or broken peer is outlived: beside more of its kind than are asked
// at once, an honest one is heard.
func TestLearnAmongHostilePeers(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]func(*remote){
		"hangs up": func(*remote) {},
		"silent":   func(r *remote) { r.hold() },
		"no BitTorrent": func(r *remote) {
			r.raw(append([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), make([]byte, 100)...))
			r.hold()
		},
		"other content":   func(r *remote) { r.greet(share.ID{1}, 0x10); r.hold() },
		"no extensions":   func(r *remote) { r.greet(r.id, 0); r.hold() },
		"garbage after":   func(r *remote) { r.handshake(); r.raw(bytes.Repeat([]byte{0xff}, 1000)); r.hold() },
		"endless message": func(r *remote) { r.handshake(); r.raw(binary.BigEndian.AppendUint32(nil, 1<<30)); r.hold() },
		"keep-alives": func(r *remote) {
			r.handshake()
			for r.raw(make([]byte, 4<<10)) {
			}
		},
		"chatter": func(r *remote) {
			r.handshake()
			for r.message(0, []byte("de")) {
			}
		},
		"no metadata":        func(r *remote) { r.handshake(); r.message(0, []byte("d1:mdee")); r.hold() },
		"bad bencode":        func(r *remote) { r.handshake(); r.message(0, []byte("d1:m")); r.hold() },
		"size beyond limit":  func(r *remote) { r.handshake(); r.offer(wire.MaxInfo + 1); r.hold() },
		"never answers":      func(r *remote) { r.handshake(); r.offer(len(r.info)); r.hold() },
		"rejects everything": func(r *remote) { r.handshake(); r.offer(len(r.info)); r.reject(0) },
		"rejects the rest":   func(r *remote) { r.handshake(); r.offer(len(r.info)); r.reject(1) },
		"changes its size": func(r *remote) {
			r.handshake()
			for size := 1; r.offer(size); size++ {
				if size == 10_000 {
					r.hold()
					return
				}
			}
		},
		"sizes of its own": func(r *remote) {
			r.handshake()
			r.offer(wire.MaxInfo - r.conn.LocalAddr().(*net.TCPAddr).Port)
			r.hold()
		},
		"changes total size": func(r *remote) {
			r.handshake()
			r.offer(len(r.info))
			if p, ok := r.request(); ok {
				r.data(p, len(r.info)+1, r.info[:wire.BlockSize])
			}
			r.hold()
		},
		"short block": func(r *remote) {
			r.handshake()
			r.offer(len(r.info))
			if p, ok := r.request(); ok {
				r.data(p, len(r.info), r.info[:10])
			}
			r.hold()
		},
		"block not asked for": func(r *remote) {
			r.handshake()
			r.offer(len(r.info))
			if _, ok := r.request(); ok {
				r.data(1<<20, len(r.info), r.info[:wire.BlockSize])
			}
			r.hold()
		},
		"block before offer":        func(r *remote) { r.handshake(); r.ext = wire.ExtMetadata; r.data(0, 5, []byte("hello")); r.hold() },
		"forged":                    func(r *remote) { r.serveInfo(bytes.Repeat([]byte("forged"), 10_000)) },
		"forged, of the right size": func(r *remote) { r.serveInfo(make([]byte, len(r.info))) },
		"forged, then silent": func(r *remote) {
			r.handshake()
			r.offer(len(r.info))
			if p, ok := r.request(); ok {
				r.block(make([]byte, len(r.info)), p)
			}
			r.hold()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Forgers are banned by their address, so the honest one has another.
			n, _ := testNetwork(t, func(c *face.Config) { c.Policy.IPv4 = true })
			s := newScripts(t, 3*wire.BlockSize+7)
			var peers []netip.AddrPort
			var called atomic.Int32
			for range 9 {
				peers = append(peers, s.peer(func(r *remote) { called.Add(1); script(r) }))
			}
			l := learn(t, n, s.id, peers...)
			until(t, "calls", func() bool { return called.Load() > 0 })
			l.AddPeers([]face.Peer{{Addr: s.peerAt("127.0.0.2:0", (*remote).serve)}})
			info, err := l.Info(t.Context())
			if err != nil || !bytes.Equal(info, s.info) {
				t.Fatal(err)
			}
		})
	}
}
