package engine

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/bencode"
	"github.com/shoalnet/shoal/share/merkle"
	"github.com/shoalnet/shoal/share/metainfo"
)

// onlyV2 makes a torrent of one file that is described for BEP 52 alone.
func onlyV2(t *testing.T, name string, data []byte) *metainfo.Torrent {
	t.Helper()
	const pieceLength = 32 << 10
	var layer []merkle.Hash
	for at := 0; at < len(data); at += pieceLength {
		var s merkle.Sum
		s.Write(data[at:min(at+pieceLength, len(data))])
		layer = append(layer, s.Root(1))
	}
	root := rootOf(data)
	b := bencode.AppendString([]byte("d9:file treed"), name)
	b = bencode.AppendInt(append(b, "d0:d6:length"...), int64(len(data)))
	b = bencode.AppendString(append(b, "11:pieces root"...), string(root[:]))
	b = bencode.AppendString(append(b, "eee12:meta versioni2e4:name"...), name)
	b = append(bencode.AppendInt(append(b, "12:piece length"...), pieceLength), 'e')
	info, err := metainfo.ParseInfo(b)
	if err != nil {
		t.Fatal(err)
	}
	tor := &metainfo.Torrent{Info: info, Layers: metainfo.NewLayers(info)}
	if err := tor.Layers.Set(root, layer); err != nil {
		t.Fatal(err)
	}
	return tor
}

// Content that is known by its v2 ID alone comes with its piece layers, which are kept:
// after a restart it is checked without asking anybody.
func TestPieceLayersAreKept(t *testing.T) {
	data := content("v2.bin", 1_000_003)
	tor := onlyV2(t, "v2.bin", data)
	src := t.TempDir()
	if err := os.WriteFile(filepath.Join(src, "v2.bin"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	a, b := newNode(t), newNode(t)
	if _, err := a.Fetch(t.Context(), FetchRequest{Torrent: tor.Encode(), Output: src}); err != nil {
		t.Fatal(err)
	}
	seed := a.waitState(tor.Info.ID, share.Seeding)
	if l, err := share.ParseLink(seed.Link); err != nil || !l.V2Only() || l.V2 != share.V2(tor.Info.V2) || !seed.V1.IsZero() {
		t.Errorf("its link is %s, %v", seed.Link, err)
	}
	b.fetch(seed.Link, t.TempDir())
	done := b.waitState(seed.ID, share.Seeding)
	if got, err := os.ReadFile(done.Path); err != nil || !bytes.Equal(got, data) {
		t.Errorf("other data arrived: %v", err)
	}
	b.until("the layers are kept", func() bool {
		kept, err := b.torrents.read(seed.ID)
		return err == nil && kept.Layers.Complete()
	})
	a.stop()
	b.stop()
	c := startNode(t, b.state)
	if err := c.Verify(seed.ID); err != nil {
		t.Fatal(err)
	}
	c.wait(seed.ID, "verified", func(s share.Transfer) bool { return s.State == share.Seeding && s.Bytes == s.Total })
	text, err := c.Torrent(seed.ID)
	if err != nil || !bytes.Equal(text, tor.Encode()) {
		t.Errorf("its torrent is another: %v", err)
	}
}

// A transfer whose pieces cannot be checked says what it waits for, and what is on disk
// is used once that has come.
func TestWaitsForPieceLayers(t *testing.T) {
	data := content("v2.bin", 300_000)
	tor := onlyV2(t, "v2.bin", data)
	link := share.Link{V2: sha256.Sum256(tor.Info.Bytes()), Peers: []string{serveInfo(t, tor.Info.Bytes())}}
	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(out, "v2.bin"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	a := newNode(t)
	a.fetch(link.String(), out)
	a.wait(link.Key(), "it says that it waits", func(s share.Transfer) bool {
		return s.State == share.Fetching && strings.Contains(s.Reason, "hashes of the pieces of 1 file")
	})
	src := t.TempDir()
	if err := os.WriteFile(filepath.Join(src, "v2.bin"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	b := newNode(t)
	if _, err := b.Fetch(t.Context(), FetchRequest{Torrent: tor.Encode(), Output: src}); err != nil {
		t.Fatal(err)
	}
	b.waitState(link.Key(), share.Seeding)
	a.fetch(share.Link{V2: link.V2, Peers: []string{b.addr.String()}}.String(), out)
	if s := a.waitState(link.Key(), share.Seeding); s.Path != filepath.Join(out, "v2.bin") {
		t.Errorf("it was fetched again, to %s", s.Path)
	}
	if s, err := a.Get(link.Key()); err != nil || s.Downloaded > 0 {
		t.Errorf("%d bytes were fetched although all were here, %v", s.Downloaded, err)
	}
}
