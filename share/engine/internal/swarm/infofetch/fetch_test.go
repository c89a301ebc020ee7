package infofetch

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anacrolix/torrent/mse"
	"go.uber.org/goleak"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/bencode"
	"github.com/shoalnet/shoal/share/engine/internal/compact"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// swarm is a set of scripted peers on [::1].
type swarm struct {
	t    *testing.T
	info []byte
	id   share.ID
}

func newSwarm(t *testing.T, size int) *swarm {
	s := &swarm{t: t, info: make([]byte, size)}
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(s.info)
	s.id = sha1.Sum(s.info)
	return s
}

// peer listens and runs script for each connection; the script's end closes it.
func (s *swarm) peer(script func(*remote)) netip.AddrPort {
	s.t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
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
				script(&remote{swarm: s, ctx: ctx, conn: c, rw: c, in: bufio.NewReader(c)})
			})
		}
	})
	s.t.Cleanup(func() {
		cancel()
		l.Close()
		group.Wait()
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// remote is the far end of one connection.
type remote struct {
	*swarm
	ctx  context.Context
	conn net.Conn
	rw   io.ReadWriter
	in   *bufio.Reader
	ext  byte // what we call ut_metadata
}

func (r *remote) handshake() bool {
	b := make([]byte, handshakeLen)
	if _, err := io.ReadFull(r.in, b); err != nil {
		return false
	}
	return r.raw(handshake(r.id, [20]byte{1}, false))
}

func (r *remote) raw(b []byte) bool {
	_, err := r.rw.Write(b)
	return err == nil
}

// offer sends the extension handshake of a peer that has size bytes.
func (r *remote) offer(size int) bool {
	return r.raw(extended(0, fmt.Appendf(nil, "d1:md11:ut_metadatai3e6:ut_pexi4ee13:metadata_sizei%dee", size)))
}

// request waits for the next request for a block.
func (r *remote) request() (piece int, ok bool) {
	buf := make([]byte, maxExtended)
	for {
		m, err := readMessage(r.in, buf)
		if err != nil {
			return 0, false
		}
		if m.kind == typeExtended && m.ext == 0 {
			v, _, _ := bencode.Parse(m.payload, bencode.Small)
			r.ext = byte(v.Get("m").Get("ut_metadata").Int)
		}
		if m.kind == typeExtended && m.ext == 3 {
			v, _, _ := bencode.Parse(m.payload, bencode.Small)
			return int(v.Get("piece").Int), true
		}
	}
}

func (r *remote) data(piece int, total int, b []byte) bool {
	head := fmt.Appendf(nil, "d8:msg_typei1e5:piecei%de10:total_sizei%dee", piece, total)
	return r.raw(extended(r.ext, append(head, b...)))
}

func (r *remote) block(info []byte, piece int) bool {
	begin := min(piece*blockSize, len(info))
	return r.data(piece, len(info), info[begin:min(begin+blockSize, len(info))])
}

// serve is an honest peer.
func (r *remote) serve() { r.serveInfo(r.info) }

func (r *remote) serveInfo(info []byte) {
	if !r.handshake() || !r.offer(len(info)) {
		return
	}
	for {
		piece, ok := r.request()
		if !ok || !r.block(info, piece) {
			return
		}
	}
}

// hold keeps the connection open and says nothing more.
func (r *remote) hold() { _, _ = io.Copy(io.Discard, r.in) }

func dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr.String())
}

func (s *swarm) config() Config {
	return Config{
		ID: s.id, Dial: dial, Client: "test", Port: 4711,
		Patience: 2 * time.Second,
		Allow:    func(netip.AddrPort) bool { return true },
		Logger:   slog.New(slog.DiscardHandler),
	}
}

func (s *swarm) fetch(cfg Config, peers ...netip.AddrPort) (*Result, error) {
	s.t.Helper()
	f, err := New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	f.Add(peers...)
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	return f.Run(ctx)
}

func (s *swarm) want(r *Result, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	if !bytes.Equal(r.Bytes, s.info) {
		s.t.Fatalf("%d bytes that are not the info dictionary", len(r.Bytes))
	}
}

func TestFetch(t *testing.T) {
	for _, size := range []int{1, 100, blockSize, blockSize + 1, 10*blockSize - 1, MaxSize} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			s := newSwarm(t, size)
			addr := s.peer((*remote).serve)
			r, err := s.fetch(s.config(), addr)
			s.want(r, err)
			if len(r.Peers) != 1 || r.Peers[0] != addr {
				t.Errorf("peers %v", r.Peers)
			}
		})
	}
}

// A peer that takes encrypted connections only hangs up on a plain handshake.
func TestFetchEncrypted(t *testing.T) {
	for _, method := range []mse.CryptoMethod{mse.CryptoMethodRC4, mse.CryptoMethodPlaintext} {
		s := newSwarm(t, 3*blockSize)
		addr := s.peer(func(r *remote) {
			if b, err := r.in.Peek(20); err != nil || string(b) == protocol {
				return
			}
			res := mse.ReceiveHandshakeEx(r.ctx, readWriter{r.in, r.conn},
				func(yield func([]byte) bool) { yield(r.id[:]) },
				func(mse.CryptoMethod) mse.CryptoMethod { return method })
			rw, err := res.ReadWriter, error(nil)
			if rw == nil {
				err = errors.New("no encrypted handshake")
			}
			if err != nil {
				return
			}
			r.rw, r.in = rw, bufio.NewReader(rw)
			r.serve()
		})
		r, err := s.fetch(s.config(), addr)
		s.want(r, err)
	}
}

type readWriter struct {
	io.Reader
	io.Writer
}

// Every hostile or broken peer is outlived: with an honest one beside it, or
// coming later, the fetch succeeds.
func TestHostilePeers(t *testing.T) {
	forged := bytes.Repeat([]byte("forged"), 10_000)
	scripts := map[string]func(*remote){
		"hangs up": func(r *remote) {},
		"silent":   func(r *remote) { r.hold() },
		"no BitTorrent": func(r *remote) {
			r.raw([]byte("HTTP/1.1 400 Bad Request\r\n\r\n" + string(make([]byte, 100))))
			r.hold()
		},
		"other content":   func(r *remote) { r.raw(handshake(share.ID{1}, [20]byte{}, false)); r.hold() },
		"no extensions":   func(r *remote) { b := handshake(r.id, [20]byte{}, false); b[25] = 0; r.raw(b); r.hold() },
		"garbage after":   func(r *remote) { r.handshake(); r.raw(bytes.Repeat([]byte{0xff}, 1000)); r.hold() },
		"endless message": func(r *remote) { r.handshake(); r.raw(binary.BigEndian.AppendUint32(nil, maxMessage)); r.hold() },
		"keep-alives": func(r *remote) {
			r.handshake()
			for r.raw(make([]byte, 4<<10)) {
			}
		},
		"chatter": func(r *remote) {
			r.handshake()
			for r.raw(extended(0, []byte("de"))) {
			}
		},
		"no metadata":        func(r *remote) { r.handshake(); r.raw(extended(0, []byte("d1:mdee"))); r.hold() },
		"bad bencode":        func(r *remote) { r.handshake(); r.raw(extended(0, []byte("d1:m"))); r.hold() },
		"deep bencode":       func(r *remote) { r.handshake(); r.raw(extended(0, bytes.Repeat([]byte("l"), 10_000))); r.hold() },
		"huge size":          func(r *remote) { r.handshake(); r.offer(1 << 40); r.hold() },
		"size beyond limit":  func(r *remote) { r.handshake(); r.offer(MaxSize + 1); r.hold() },
		"negative size":      func(r *remote) { r.handshake(); r.offer(-1); r.hold() },
		"changing size":      func(r *remote) { r.handshake(); r.offer(100); r.offer(200); r.hold() },
		"never answers":      func(r *remote) { r.handshake(); r.offer(len(r.info)); r.hold() },
		"rejects everything": func(r *remote) { r.handshake(); r.offer(len(r.info)); r.rejectAll() },
		"changes total size": func(r *remote) {
			r.handshake()
			r.offer(len(r.info))
			if p, ok := r.request(); ok {
				r.data(p, len(r.info)+1, r.info[:blockSize])
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
		"long block": func(r *remote) {
			r.handshake()
			r.offer(len(r.info))
			if p, ok := r.request(); ok {
				r.data(p, len(r.info), r.info[:blockSize+1])
			}
			r.hold()
		},
		"block not asked for": func(r *remote) {
			r.handshake()
			r.offer(len(r.info))
			if _, ok := r.request(); ok {
				r.data(1<<30, len(r.info), r.info[:blockSize])
			}
			r.hold()
		},
		"block before offer": func(r *remote) { r.handshake(); r.ext = ourMetadata; r.data(0, 5, []byte("hello")); r.hold() },
		"drips": func(r *remote) {
			r.handshake()
			r.offer(MaxSize)
			for {
				p, ok := r.request()
				if !ok || !r.data(p, MaxSize, make([]byte, blockSize)) {
					return
				}
				select {
				case <-time.After(300 * time.Millisecond):
				case <-r.ctx.Done():
				}
			}
		},
		"forged": func(r *remote) { r.serveInfo(forged) },
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSwarm(t, 3*blockSize+7)
			cfg := s.config()
			cfg.Parallel = 2
			cfg.Patience = time.Second
			// More liars than may be asked at once, each on its own.
			var peers []netip.AddrPort
			for range 5 {
				peers = append(peers, s.peer(script))
			}
			r, err := s.fetch(cfg, append(peers, s.peer((*remote).serve))...)
			s.want(r, err)
		})
	}
}

func (r *remote) rejectAll() {
	for {
		p, ok := r.request()
		if !ok || !r.raw(metadataReject(r.ext, int64(p))) {
			return
		}
	}
}

func TestForgerIsNotAskedAgain(t *testing.T) {
	s := newSwarm(t, 1000)
	var asked atomic.Int32
	forger := s.peer(func(r *remote) {
		asked.Add(1)
		r.serveInfo(make([]byte, 1000))
	})
	f, err := New(s.config())
	if err != nil {
		t.Fatal(err)
	}
	f.Add(forger)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := f.Run(ctx)
		done <- err
	}()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		f.queue.mu.Lock()
		banned := f.queue.banned[forger.Addr()]
		f.queue.mu.Unlock()
		if banned {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the forger is not banned")
		}
	}
	f.Add(forger)
	if _, ok := f.queue.next(time.Now().Add(time.Hour)); ok {
		t.Error("the forger is due again")
	}
	cancel()
	if err := <-done; share.KindOf(err) != share.Interrupted || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled with %v", err)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestRejectsAreRetried(t *testing.T) {
	s := newSwarm(t, 5*blockSize)
	addr := s.peer(func(r *remote) {
		r.handshake()
		r.offer(len(r.info))
		rejected := map[int]bool{}
		for {
			p, ok := r.request()
			if !ok {
				return
			}
			if p%2 == 1 && !rejected[p] {
				rejected[p] = true
				r.raw(metadataReject(r.ext, int64(p)))
				continue
			}
			r.block(r.info, p)
		}
	})
	r, err := s.fetch(s.config(), addr)
	s.want(r, err)
}

func TestBlocksOutOfOrder(t *testing.T) {
	s := newSwarm(t, 4*blockSize-5)
	addr := s.peer(func(r *remote) {
		r.handshake()
		r.offer(len(r.info))
		var asked []int
		for range 4 {
			p, ok := r.request()
			if !ok {
				return
			}
			asked = append(asked, p)
		}
		for i := range asked {
			r.block(r.info, asked[len(asked)-1-i])
		}
		r.hold()
	})
	r, err := s.fetch(s.config(), addr)
	s.want(r, err)
}

// A peer that has nothing itself tells of one that has.
func TestPeersFromPEX(t *testing.T) {
	s := newSwarm(t, 100)
	honest := s.peer((*remote).serve)
	unwanted := netip.MustParseAddrPort("[ff02::1]:80")
	teller := s.peer(func(r *remote) {
		r.handshake()
		list := compact.Append(compact.Append(nil, unwanted), honest)
		r.raw(extended(0, []byte("d1:md6:ut_pexi4eee")))
		r.raw(extended(ourPEX, fmt.Appendf(nil, "d6:added6%d:%se", len(list), list)))
		r.hold()
	})
	cfg := s.config()
	cfg.Allow = func(ap netip.AddrPort) bool { return ap != unwanted }
	cfg.Dial = func(ctx context.Context, ap netip.AddrPort) (net.Conn, error) {
		if ap == unwanted {
			t.Error("an address that is not allowed was dialled")
		}
		return dial(ctx, ap)
	}
	r, err := s.fetch(cfg, teller)
	s.want(r, err)
	if len(r.Peers) != 2 || r.Peers[0] != honest || r.Peers[1] != teller {
		t.Errorf("peers %v", r.Peers)
	}
}

func TestDHTNodesAreReported(t *testing.T) {
	s := newSwarm(t, 100)
	addr := s.peer(func(r *remote) {
		b := make([]byte, handshakeLen)
		if _, err := io.ReadFull(r.in, b); err != nil || b[27]&1 == 0 {
			return
		}
		r.raw(handshake(r.id, [20]byte{1}, true))
		r.raw([]byte{0, 0, 0, 3, typePort, 0x12, 0x34})
		r.offer(len(r.info))
		for {
			p, ok := r.request()
			if !ok || !r.block(r.info, p) {
				return
			}
		}
	})
	nodes := make(chan netip.AddrPort, 1)
	cfg := s.config()
	cfg.OnDHTNode = func(ap netip.AddrPort) { nodes <- ap }
	r, err := s.fetch(cfg, addr)
	s.want(r, err)
	if n := <-nodes; n != netip.AddrPortFrom(addr.Addr(), 0x1234) {
		t.Errorf("node %s", n)
	}
}

func TestNobody(t *testing.T) {
	s := newSwarm(t, 100)
	f, err := New(s.config())
	if err != nil {
		t.Fatal(err)
	}
	f.Add(s.peer(func(r *remote) { r.handshake(); r.hold() }))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := f.Run(ctx); share.KindOf(err) != share.Nobody {
		t.Errorf("nobody there: %v", err)
	}
	if tried, answered := f.queue.counts(); tried != 1 || answered != 1 {
		t.Errorf("%d tried, %d answered", tried, answered)
	}
}

// A call that we did not make says nothing about the peer: it is made soon, however
// often it was put off.
func TestCallsThatWereNotMade(t *testing.T) {
	s := newSwarm(t, 100)
	full := errors.New("no room")
	dials := make(chan struct{}, 1)
	cfg := s.config()
	cfg.Dial = func(context.Context, netip.AddrPort) (net.Conn, error) {
		dials <- struct{}{}
		return nil, fmt.Errorf("calling: %w", full)
	}
	cfg.NotNow = func(err error) bool { return errors.Is(err, full) }
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort("[::1]:1")
	f.Add(addr)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = f.Run(ctx)
	}()
	<-dials
	for f.queue.wait(time.Now()) > laterWait { // until what came of it is noted
		runtime.Gosched()
	}
	cancel()
	<-ended
	if tried, answered := f.queue.counts(); tried != 0 || answered != 0 {
		t.Errorf("%d tried, %d answered", tried, answered)
	}
	now := time.Now()
	for range 2 * maxFails {
		now = now.Add(laterWait)
		if _, ok := f.queue.next(now); !ok {
			t.Fatal("it is not called after the wait")
		}
		f.queue.later(addr, now)
	}
}
