package engine

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/anacrolix/torrent/mse"

	"github.com/shoalnet/shoal/share"
)

// listenRaw accepts connections that act like a peer of our making.
func listenRaw(t *testing.T, act func(*rawPeer)) string {
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
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(patience))
				p := &rawPeer{t, c, bufio.NewReader(c)}
				shake := make([]byte, 68)
				if _, err := io.ReadFull(p.r, shake); err != nil {
					return
				}
				copy(shake[48:], "-XX0000-zzzzzzzzzzzz")
				_, _ = c.Write(shake)
				act(p)
			}()
		}
	}()
	return l.Addr().String()
}

// claims says that the peer has everything and may be asked.
func (p *rawPeer) claims() {
	_, _ = p.Write(message(msgHaveAll))
	_, _ = p.Write(message(msgUnchoke))
}

// poisons answers every request with noise.
func poisons(p *rawPeer) {
	p.claims()
	for {
		kind, payload, err := p.read()
		if err != nil {
			return
		}
		if kind != msgRequest {
			continue
		}
		noise := make([]byte, binary.BigEndian.Uint32(payload[8:]))
		_, _ = rand.Read(noise)
		if _, err := p.Write(message(msgPiece, payload[:8], noise)); err != nil {
			return
		}
	}
}

// stalls takes requests and never answers.
func stalls(p *rawPeer) {
	p.claims()
	_, _ = io.Copy(io.Discard, p.r)
}

// One honest peer is enough, whatever the others do.
func TestLiarsBesideAnHonestPeer(t *testing.T) {
	honest, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Skip("needs a second address, 127.0.0.1, to tell the liar from the honest peer: ", err)
	}
	a := newNode(t, func(c *Config) { c.IPv4 = true; c.Listeners = append(c.Listeners, honest) })
	dir := t.TempDir()
	makeFiles(t, dir, map[string]int{"big.bin": 12 << 20})
	shared := a.share(filepath.Join(dir, "big.bin"))
	want := string(content("big.bin", 12<<20))
	torrent, err := a.Torrent(shared.ID)
	if err != nil {
		t.Fatal(err)
	}
	for name, act := range map[string]func(*rawPeer){"poisons": poisons, "stalls": stalls} {
		t.Run(name, func(t *testing.T) {
			b := newNode(t, func(c *Config) { c.IPv4 = true })
			liars := []netip.AddrPort{netip.MustParseAddrPort(listenRaw(t, act)), netip.MustParseAddrPort(listenRaw(t, act))}
			dst := t.TempDir()
			if _, err := b.Fetch(t.Context(), FetchRequest{Torrent: torrent, Output: dst}); err != nil {
				t.Fatal(err)
			}
			b.waitState(shared.ID, share.Fetching)
			if err := b.AddPeers(shared.ID, share.FromUser, liars); err != nil {
				t.Fatal(err)
			}
			b.wait(shared.ID, "the liars", func(s share.Transfer) bool { return s.Peers > 0 || b.banned() > 0 })
			if err := b.AddPeers(shared.ID, share.FromUser, addrs(honest.Addr().String())); err != nil {
				t.Fatal(err)
			}
			b.waitState(shared.ID, share.Seeding)
			if readFile(t, filepath.Join(dst, "big.bin")) != want {
				t.Error("the file differs")
			}
			if name == "poisons" && b.banned() != 1 {
				t.Errorf("%d addresses are banned", b.banned())
			}
		})
	}
}

// banned counts the addresses that were caught sending wrong data.
func (n *node) banned() int { return n.peerside().Banned() }

// Liars about the size of the info dictionary do not hold up the honest peer,
// and a forger of it is found out.
func TestLiarsAboutTheInfo(t *testing.T) {
	t.Parallel()
	// A forger's address is banned: the honest peer has another one.
	honest, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Skip("needs a second address, 127.0.0.1, to tell the liar from the honest peer: ", err)
	}
	a := newNode(t, func(c *Config) { c.IPv4 = true; c.Listeners = append(c.Listeners, honest) })
	shared := a.share(someFiles(t))
	info, err := a.infoOf(shared.ID)
	if err != nil {
		t.Fatal(err)
	}
	forged := make([]byte, len(info.Bytes()))
	l := share.Link{ID: shared.ID}
	l.Peers = append(l.Peers, serveInfo(t, forged), serveInfo(t, forged[:16]))
	for range 8 {
		size := byte('1')
		l.Peers = append(l.Peers, listenRaw(t, func(p *rawPeer) {
			for {
				size = '1' + (size-'1'+1)%9
				hello := append([]byte("\x00d1:md11:ut_metadatai1ee13:metadata_sizei"), size, '0', '0', '0', '0', 'e', 'e')
				if _, err := p.Write(message(msgExtended, hello)); err != nil {
					return
				}
				if _, _, err := p.read(); err != nil {
					return
				}
			}
		}))
	}
	l.Peers = append(l.Peers, honest.Addr().String())
	b := newNode(t, func(c *Config) { c.IPv4 = true })
	b.fetch(l.String(), t.TempDir())
	b.waitState(shared.ID, share.Seeding)
}

// A peer that insists on encryption is tried in the clear first, and then as it
// wishes.
func TestEncryptionWhereItIsInsistedOn(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	shared := a.share(someFiles(t))
	torrent, err := a.Torrent(shared.ID)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tried := make(chan bool, 10) // in the clear?
	met := make(chan error, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			r := bufio.NewReader(c)
			first, _ := r.Peek(len(greeting))
			tried <- string(first) == greeting
			if string(first) == greeting {
				c.Close()
				continue
			}
			id := func(f func([]byte) bool) { f(shared.ID[:]) }
			_, _, err = mse.ReceiveHandshake(t.Context(), struct {
				io.Reader
				io.Writer
			}{r, c}, id, mse.DefaultCryptoSelector)
			met <- err
			c.Close()
		}
	}()
	r := FetchRequest{Torrent: torrent, Link: share.Link{Peers: []string{l.Addr().String()}}, Output: t.TempDir()}
	if _, err := b.Fetch(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if clear := <-tried; !clear {
		t.Error("encrypted was tried first")
	}
	if err := <-met; err != nil {
		t.Error(err)
	}
}

// encrypted speaks MSE (message stream encryption) to a node, as clients that
// insist on it do.
func TestEncryptedHandshake(t *testing.T) {
	a := newNode(t)
	shared := a.share(someFiles(t))
	a.waitRest(shared.ID)
	p := dialEncrypted(t, a, shared.ID)
	p.greet(shared.ID)
	_, _ = p.Write(hello)
	p.sync()
	peers, err := a.Peers(shared.ID)
	if err != nil || len(peers) != 1 || !peers[0].Encrypted || !peers[0].Incoming {
		t.Errorf("%+v, %v", peers, err)
	}
}

// dialEncrypted connects and does the encrypted handshake, but not the one
// inside it.
func dialEncrypted(t testing.TB, n *node, id share.ID) *rawPeer {
	t.Helper()
	c, err := net.Dial("tcp6", n.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	rw, _, err := mse.InitiateHandshake(c, id[:], nil, mse.CryptoMethodRC4)
	if err != nil {
		t.Fatal(err)
	}
	return &rawPeer{t, &wrapped{c, rw}, bufio.NewReader(rw)}
}

type wrapped struct {
	net.Conn
	rw io.ReadWriter
}

func (w *wrapped) Read(b []byte) (int, error)  { return w.rw.Read(b) }
func (w *wrapped) Write(b []byte) (int, error) { return w.rw.Write(b) }
