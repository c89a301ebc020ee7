package swarm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
	"github.com/shoalnet/shoal/share/metainfo"
)

// kinds are the kinds of torrents that BEP 52 describes.
var kinds = []string{"v2", "hybrid"}

// twofold is content that others made a torrent of, which BEP 52 describes.
type twofold struct {
	*metainfo.Torrent
	kind   string
	file   string // the .torrent
	folder string // of the content
	data   []byte // with padding
}

// sizes of files that are not aligned, empty, and shorter than a block.
var sizes = []int{200_000, 0, 5, 32768, 16384, 65_537, 0, 1_000_003, 49_152}

// makeTwofold has libtorrent make a torrent of files.
func makeTwofold(t testing.TB, kind string, pieceLength int, sizes ...int) *twofold {
	t.Helper()
	dir := t.TempDir()
	m := &twofold{kind: kind, file: filepath.Join(dir, "made.torrent"), folder: filepath.Join(dir, "content")}
	if err := os.MkdirAll(filepath.Join(m.folder, "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := rand.NewChaCha8([32]byte{52})
	for i, n := range sizes {
		b := make([]byte, n)
		_, _ = r.Read(b)
		name := fmt.Sprintf("%c", 'a'+i)
		if i%2 == 1 {
			name = "deep/" + name
		}
		if err := os.WriteFile(filepath.Join(m.folder, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := exec.Command(python, "-c", "import libtorrent").Run(); err != nil {
		needs(t, "needs libtorrent: apt-get install python3-libtorrent")
	}
	if out, err := exec.Command(python, "testdata/lt_make.py", m.folder, m.file, kind, fmt.Sprint(pieceLength)).CombinedOutput(); err != nil {
		t.Fatalf("making a torrent: %v\n%s", err, out)
	}
	b, err := os.ReadFile(m.file)
	if err != nil {
		t.Fatal(err)
	}
	if m.Torrent, err = metainfo.Parse(b); err != nil {
		t.Fatal(err)
	}
	m.data = make([]byte, m.Info.Total)
	for _, f := range m.Info.Files {
		if f.Pad {
			continue
		}
		b, err := os.ReadFile(filepath.Join(append([]string{m.folder}, f.Path...)...))
		if err != nil {
			t.Fatal(err)
		}
		copy(m.data[f.Offset:], b)
	}
	return m
}

// content is the content on a node that has all of it or nothing, with these layers.
func (m *twofold) content(all bool, layers *metainfo.Layers) (Content, *memory) {
	c := Describe(m.Info, layers)
	s := newMemory(c.Layout, len(m.data), func(i int, b []byte) bool {
		sum := m.Info.NewSum(i, m.Layers)
		_, _ = sum.Write(b)
		return sum.Verdict() == metainfo.Right
	})
	c.Storage = s
	if all {
		s.fill(m.data, &c)
	}
	return c, s
}

// links are what others may know the content by.
func (m *twofold) links() map[string]string {
	all := map[string]string{"torrent": m.file, "v2": fmt.Sprintf("magnet:?xt=urn:btmh:1220%x", m.Info.V2[:])}
	if m.Info.HasV1() {
		all["v1"] = fmt.Sprintf("magnet:?xt=urn:btih:%x", m.Info.ID[:])
		all["both"] = all["v1"] + "&" + strings.TrimPrefix(all["v2"], "magnet:?")
	}
	return all
}

// Content that BEP 52 describes comes from libtorrent, by either ID, with the piece
// layers and without.
func TestFetchV2FromLibtorrent(t *testing.T) {
	for _, kind := range kinds {
		m := makeTwofold(t, kind, 32768, sizes...)
		for _, encryption := range []string{"plain", "forced"} {
			other := startLibtorrent(t, m.file, filepath.Dir(m.folder), encryption)
			if s := other.line(t); s != "done" {
				t.Fatal(s)
			}
			for _, byV2 := range []bool{false, true} {
				for _, layers := range []*metainfo.Layers{m.Layers, metainfo.NewLayers(m.Info)} {
					t.Run(fmt.Sprintf("%s %s v2=%v layers=%v", kind, encryption, byV2, layers.Complete()), func(t *testing.T) {
						missing := !layers.Complete()
						n, _ := node(t, nil)
						want, disk := m.content(false, layers)
						s, events := attach(t, n, want)
						at := []netip.AddrPort{netip.AddrPortFrom(netip.IPv6Loopback(), other.port)}
						if byV2 {
							s.AddV2Peers(at)
						} else {
							s.AddPeers(at)
						}
						awaitAll(t, events, missing)
						if !layers.Complete() {
							t.Error("layers are missing")
						}
						if !bytes.Equal(disk.data, m.data) {
							t.Error("other data arrived")
						}
						if p := s.Peers(); len(p) == 1 && p[0].Encrypted != (encryption == "forced") {
							t.Errorf("encrypted: %v", p[0].Encrypted)
						}
					})
				}
			}
		}
	}
}

// Content that BEP 52 describes goes to libtorrent, by either ID, with the piece
// layers and without.
func TestLibtorrentFetchesV2FromUs(t *testing.T) {
	for _, kind := range kinds {
		m := makeTwofold(t, kind, 32768, sizes...)
		n, addr := node(t, nil)
		have, _ := m.content(true, m.Layers)
		attach(t, n, have)
		for _, encryption := range []string{"plain", "forced"} {
			for name, link := range m.links() {
				t.Run(fmt.Sprintf("%s %s %s", kind, encryption, name), func(t *testing.T) {
					folder := t.TempDir()
					other := startLibtorrent(t, link, folder, encryption, addr.Addr().String(), fmt.Sprint(addr.Port()))
					if got := other.line(t); got != "done" {
						t.Fatal(got)
					}
					for _, f := range m.Info.Files {
						if f.Pad {
							continue
						}
						got, err := os.ReadFile(filepath.Join(append([]string{folder, "content"}, f.Path...)...))
						if err != nil || !bytes.Equal(got, m.data[f.Offset:][:f.Length]) {
							t.Errorf("other data arrived for %v: %v", f.Path, err)
						}
					}
				})
			}
		}
	}
}

// libtorrent does not give hybrids up whose layers come while pieces do: 217, "v1 and
// v2 hashes do not describe the same data".
func TestLibtorrentFetchesManyLayersFromUs(t *testing.T) {
	var sizes []int
	for i := range 20 {
		sizes = append(sizes, 70_000+3000*i)
	}
	m := makeTwofold(t, "hybrid", 32768, sizes...)
	n, addr := node(t, nil)
	have, _ := m.content(true, m.Layers)
	attach(t, n, have)
	var others []*libtorrent
	for i := range 8 {
		link := m.links()[[]string{"v2", "both"}[i%2]]
		others = append(others, startLibtorrent(t, link, t.TempDir(), "plain", addr.Addr().String(), fmt.Sprint(addr.Port())))
	}
	for _, other := range others {
		if got := other.line(t); got != "done" {
			t.Fatal(got)
		}
	}
}

// awaitAll waits for the content and, if they are missing, for its piece layers, for
// which the pieces of hybrids do not wait.
func awaitAll(t *testing.T, events <-chan Event, missing bool) {
	t.Helper()
	for finished := false; !finished || missing; {
		select {
		case e := <-events:
			finished = finished || e.Kind == Finished
			missing = missing && e.Kind != Layered
		case <-time.After(time.Minute):
			t.Fatalf("waited in vain; finished %v, layers missing %v", finished, missing)
		}
	}
}

// From an ID alone the info dictionary comes first, then the piece layers, over one
// connection.
func TestLearnV2FromLibtorrent(t *testing.T) {
	for _, kind := range kinds {
		m := makeTwofold(t, kind, 32768, sizes...)
		for _, encryption := range []string{"plain", "forced"} {
			other := startLibtorrent(t, m.file, filepath.Dir(m.folder), encryption)
			if s := other.line(t); s != "done" {
				t.Fatal(s)
			}
			for i, id := range m.Info.IDs() {
				t.Run(fmt.Sprintf("%s %s ID %d", kind, encryption, i+1), func(t *testing.T) {
					n, _ := node(t, nil)
					layers := metainfo.NewLayers(m.Info)
					want, disk := m.content(false, layers)
					s, events := attach(t, n, Content{ID: ID(id), CheckInfo: func(b []byte) bool { return bytes.Equal(b, m.Info.Bytes()) }})
					s.AddPeers([]netip.AddrPort{netip.AddrPortFrom(netip.IPv6Loopback(), other.port)})
					await(t, events, InfoKnown)
					if err := s.Fill(want); err != nil {
						t.Fatal(err)
					}
					awaitAll(t, events, true)
					if !bytes.Equal(disk.data, m.data) || !layers.Complete() {
						t.Error("other data arrived, or layers are missing")
					}
				})
			}
		}
	}
}

// Without the info dictionary nobody can tell what the ID of BEP 52 is: a peer that
// answers with it is taken. One that turns out to have named other content goes.
func TestThePeerNamesTheOtherID(t *testing.T) {
	for _, x := range []struct {
		name        string
		v2          bool
		named, is   ID
		taken, kept bool
	}{
		{"it is right", true, ID{52}, ID{52}, true, true},
		{"it is wrong", true, ID{52}, ID{53}, true, false},
		{"that of other content", true, ID{9}, ID{52}, false, false},
		{"no BEP 52", false, ID{52}, ID{52}, false, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			m := makeContent(1<<20, 64<<10)
			n, _ := node(t, nil)
			attach(t, n, Content{ID: ID{9}})
			s, events := attach(t, n, Content{ID: m.id})
			l, err := net.Listen("tcp", "[::1]:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			s.AddPeers([]netip.AddrPort{l.Addr().(*net.TCPAddr).AddrPort()})
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			b := make([]byte, handshakeLen)
			if _, err := io.ReadFull(conn, b); err != nil {
				t.Fatal(err)
			}
			if x.v2 {
				b[len(protocol)+7] |= 0x10
			}
			copy(b[len(protocol)+8:], x.named[:])
			copy(b[len(protocol)+28:], "-XX0001-0123456789ab")
			if _, err := conn.Write(b); err != nil {
				t.Fatal(err)
			}
			if !x.taken {
				if _, err := conn.Read(b); err == nil {
					t.Error("it is taken")
				}
				return
			}
			await(t, events, PeerCame)
			want, _ := m.content(false)
			want.V2 = &V2{ID: x.is}
			if err := s.Fill(want); err != nil {
				t.Fatal(err)
			}
			if !x.kept {
				if got := await(t, events, PeerGone); got.Reason != otherContent {
					t.Error(got.Reason)
				}
				return
			}
			ask := wire.Message{Type: wire.HashRequest, Hash: &wire.HashSpan{Length: 2}}
			if _, err := conn.Write(wire.Append(nil, &ask)); err != nil {
				t.Fatal(err)
			}
			for head := make([]byte, 5); head[4] != byte(wire.HashReject); {
				_, err := io.ReadFull(conn, head[:4])
				size := binary.BigEndian.Uint32(head)
				if err == nil && size > 0 {
					_, err = io.ReadFull(conn, head[4:])
					size--
				}
				if err == nil {
					_, err = io.CopyN(io.Discard, conn, int64(size))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
