package storage

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/anacrolix/torrent"
	torrentinfo "github.com/anacrolix/torrent/metainfo"
	torrentstorage "github.com/anacrolix/torrent/storage"

	"github.com/shoalnet/shoal/share/metainfo"
)

// newClient is a torrent.Client that talks over the IPv6 loopback alone.
func newClient(t *testing.T) *torrent.Client {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		skip(t, "needs an IPv6 loopback: "+err.Error())
	}
	l.Close()
	cfg := torrent.NewDefaultClientConfig()
	cfg.NoDHT, cfg.DisableUTP, cfg.DisableTrackers, cfg.NoDefaultPortForwarding = true, true, true, true
	cfg.DisableWebtorrent, cfg.DisableWebseeds, cfg.Seed = true, true, true
	cfg.DisableIPv4 = true
	cfg.DataDir = t.TempDir()
	cfg.ListenHost = func(string) string { return "::1" }
	cfg.ListenPort = 0
	cfg.PieceHashersPerTorrent = 2
	c, err := torrent.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// client is a Transfer as the library sees it.
type client struct{ *Transfer }

func (c client) OpenTorrent(context.Context, *torrentinfo.Info, torrentinfo.Hash) (torrentstorage.TorrentImpl, error) {
	return torrentstorage.TorrentImpl{
		Piece:        func(p torrentinfo.Piece) torrentstorage.PieceImpl { return piece{c.Transfer, p} },
		Close:        func() error { return nil },
		CloseWriters: func() error { return nil },
	}, nil
}

// piece is one piece as the library sees it.
type piece struct {
	t *Transfer
	p torrentinfo.Piece
}

func (p piece) ReadAt(b []byte, off int64) (int, error)  { return p.t.ReadAt(b, p.p.Offset()+off) }
func (p piece) WriteAt(b []byte, off int64) (int, error) { return p.t.WriteAt(b, p.p.Offset()+off) }
func (p piece) WriteTo(w io.Writer) (int64, error) {
	return p.t.CopyPiece(p.p.Index(), p.p.Length(), w)
}
func (p piece) MarkComplete() error    { return p.t.MarkComplete(p.p.Index()) }
func (p piece) MarkNotComplete() error { return p.t.MarkNotComplete(p.p.Index()) }
func (p piece) Completion() torrentstorage.Completion {
	known, complete := p.t.Completion(p.p.Index())
	return torrentstorage.Completion{Ok: known, Complete: complete}
}

func addTo(t *testing.T, c *torrent.Client, tr *Transfer, info *metainfo.Info) *torrent.Torrent {
	t.Helper()
	lib, _ := c.AddTorrentOpt(torrent.AddTorrentOpts{
		InfoHash:  torrentinfo.Hash(info.ID),
		InfoBytes: info.Bytes(),
		Storage:   client{tr},
	})
	<-lib.GotInfo()
	return lib
}

// A client seeds a shared folder, another fetches it, and a third continues what
// the second has left. At the end the folders are the same.
func TestWithRealClients(t *testing.T) {
	b := newBench(t)
	b.clock = nil
	b.store, _ = New(Config{Ledger: newMemLedger()})
	b.run()
	fetching := *b
	fetching.store, _ = New(Config{Ledger: b.ledger, MaxHandles: 8})
	fetching.run()

	var entries []entryOf
	for i := range 40 {
		entries = append(entries, entryOf{path: fmt.Sprintf("d/%d/%d", i%5, i), data: content(uint64(i), 1000*i*i%90_000)})
	}
	info, all := torrentOf(t, "folder", 64*kib, entries...)
	own := &Own{Path: filepath.Join(b.dir, "shared")}
	for _, e := range entries {
		p := filepath.Join(own.Path, filepath.FromSlash(e.path))
		writeFile(t, p, e.data)
		fi, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		own.Sources = append(own.Sources, Source{Path: e.path, Info: fi, Read: time.Now().Add(time.Minute)})
	}

	seeder := newClient(t)
	seeding := addTo(t, seeder, b.openSpec(Spec{Info: info, Own: own}), info)
	seeding.DisallowDataDownload()

	into := filepath.Join(b.dir, "into")
	if err := os.Mkdir(into, 0o755); err != nil {
		t.Fatal(err)
	}
	fetch := func(store *Store) (*torrent.Torrent, *Transfer) {
		tr, err := store.Open(context.Background(), Spec{Info: info, Dir: into})
		if err != nil {
			t.Fatal(err)
		}
		lib := addTo(t, newClient(t), tr, info)
		lib.AddClientPeer(seeder)
		return lib, tr
	}
	lib, tr := fetch(fetching.store)
	lib.DownloadPieces(0, info.NumPieces/2)
	eventually(t, "half is durable", func() bool { return tr.Progress().Pieces >= info.NumPieces/2 })
	lib.Drop()
	if err := tr.Close(context.Background()); err != nil {
		t.Fatal(err)
	}

	lib, tr = fetch(fetching.store)
	if p := tr.Progress(); p.Pieces < info.NumPieces/2 || p.Unknown > 0 {
		t.Fatalf("taken up: %+v of %d", p, info.NumPieces)
	}
	lib.DownloadAll()
	eventually(t, "all is durable", func() bool { return tr.Progress().Pieces == info.NumPieces })
	if p := tr.Progress(); p.Bytes != int64(len(all)) {
		t.Fatalf("at the end: %+v", p)
	}
	eventually(t, "the empty files are made", func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return tr.emptied
	})
	for _, e := range entries {
		wantFile(t, filepath.Join(into, "folder", filepath.FromSlash(e.path)), e.data)
	}
	if n := len(fetching.store.handles.ring); n > 8+2 {
		t.Fatalf("%d handles are open", n)
	}
}

// A block of a file that was changed is refused, and the client learns that it does
// not have the piece.
func TestChangedFileIsNotServed(t *testing.T) {
	b := newBench(t)
	b.store, _ = New(Config{Ledger: b.ledger})
	b.run()
	info, all := torrentOf(t, "f", 16*kib, entryOf{data: content(1, 64*kib)})
	path := filepath.Join(b.dir, "f")
	writeFile(t, path, all)
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan Event, 100)
	tr := b.openSpec(Spec{
		Info:   info,
		Own:    &Own{Path: path, Sources: []Source{{Info: fi, Read: time.Now().Add(time.Minute)}}},
		Notify: func(e Event) { heard <- e },
	})
	seeder := newClient(t)
	seeding := addTo(t, seeder, tr, info)
	if !seeding.Piece(0).State().Complete {
		t.Fatal("a shared piece is not complete")
	}
	writeFile(t, path, content(2, 50_000))

	other := newBench(t)
	lib := addTo(t, newClient(t), other.open(info), info)
	lib.AddClientPeer(seeder)
	lib.DownloadAll()
	e := <-heard
	if e.Fault == nil || len(e.Refresh) != 1 || e.Refresh[0] != (Span{0, 4}) {
		t.Fatalf("the event is %+v", e)
	}
	for i := range 4 {
		seeding.Piece(i).UpdateCompletion()
		if s := seeding.Piece(i).State(); s.Complete || s.Ok {
			t.Fatalf("piece %d is %+v", i, s)
		}
	}
	if n := lib.Stats().BytesReadUsefulData; n.Int64() != 0 {
		t.Fatalf("%d bytes of it were sent", n.Int64())
	}
}
