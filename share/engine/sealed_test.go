package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/seal"
)

// Content of the form of a sealed share is shown as one that nobody here can read,
// before and after a restart; other content is not.
func TestBlind(t *testing.T) {
	dir := t.TempDir()
	blob := filepath.Join(dir, strings.Repeat("0f", 16))
	makeFiles(t, dir, map[string]int{filepath.Base(blob): 2 * seal.RecordSize, "plain": 2 * seal.RecordSize})
	seed := newNode(t)
	state := t.TempDir()
	reader := startNode(t, state)
	wide := func(r *ShareRequest) { r.PieceLength = seal.RecordSize }
	want := map[share.ID]share.Seal{}
	for path, is := range map[string]share.Seal{blob: share.SealBlind, filepath.Join(dir, "plain"): ""} {
		s := seed.shareWith(path, wide)
		want[s.ID] = is
		reader.fetch(s.Link, t.TempDir())
		if got := reader.waitState(s.ID, share.Seeding).Seal; got != is {
			t.Errorf("%s: seal %q, want %q", path, got, is)
		}
	}
	reader.stop()
	reader = startNode(t, state)
	for id, is := range want {
		if s, err := reader.Get(id); err != nil || s.Seal != is {
			t.Errorf("%s after a restart: seal %q, %v, want %q", id.Short(), s.Seal, err, is)
		}
	}
}

// sealIt makes a request seal.
func sealIt(r *ShareRequest) { r.Sealed = true }

// sealedTree makes files and folders of all kinds, with modes and times.
func sealedTree(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "geheim-ordner")
	makeFiles(t, dir, map[string]int{
		"first.bin": 300_000, "empty": 0, "sub/second.bin": 1_000_000, "sub/third.txt": 5, "sub/deep/x": 65_504, "zz": 70_000,
	})
	if err := os.MkdirAll(filepath.Join(dir, "nothing", "here"), 0o755); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC)
	for name, mode := range map[string]fs.FileMode{"first.bin": 0o640, "empty": 0o600, "sub/third.txt": 0o755, "nothing/here": 0o700, "sub/deep": 0o750} {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A sealed share is made, fetched as a blob by a box without the key, and holds what
// was shared.
func TestSealed(t *testing.T) {
	dir := sealedTree(t)
	seed, box := newNode(t), newNode(t)
	s := seed.shareWith(dir, sealIt)
	if s.Seal != share.SealOpen || s.Name != "geheim-ordner" || s.Files != 6 || s.Size != 300_000+1_000_000+5+65_504+70_000 {
		t.Fatalf("%+v", s)
	}
	link, err := share.ParseLink(s.Link)
	if err != nil || link.Secret.IsZero() || link.Name != "" || link.Length != 0 {
		t.Fatalf("%+v, %v", link, err)
	}
	files, err := seed.Files(s.ID)
	if err != nil || len(files) != 6 || files[0].Index != 0 || files[0].Path != "empty" || files[1].Path != "first.bin" {
		t.Fatalf("%+v, %v", files, err)
	}
	out := t.TempDir()
	box.fetch(link.Blind().String(), out)
	b := box.waitState(s.ID, share.Seeding)
	if name, _ := seal.Name(link.Secret); b.Seal != share.SealBlind || b.Name != name || b.Link == s.Link {
		t.Fatalf("%+v", b)
	}
	blob, err := os.ReadFile(b.Path)
	if err != nil {
		t.Fatal(err)
	}
	o, err := seal.NewOpener(link.Secret, bytes.NewReader(blob), int64(len(blob)), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range o.Manifest.Entries {
		got := make([]byte, e.Size)
		if _, err := o.ReadAt(got, e.Offset); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		path := filepath.Join(append([]string{filepath.Dir(dir)}, o.Manifest.Path(i)...)...)
		fi, err := os.Stat(path)
		if err != nil || fi.IsDir() != e.Folder || fi.Mode().Perm() != e.Mode || !fi.ModTime().Equal(e.Time) {
			t.Errorf("%s: %+v, %v", path, e, err)
		}
		if !e.Folder {
			want, _ := os.ReadFile(path)
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what was shared", path)
			}
		}
	}
	// The same again is the same share.
	again := seed.shareWith(dir, sealIt)
	if again.ID != s.ID || again.Link != s.Link {
		t.Errorf("shared again: %+v", again)
	}
	// And so it is after a restart.
	state := seed.state
	seed.stop()
	seed = startNode(t, state)
	if now := seed.waitState(s.ID, share.Seeding); now.Seal != share.SealOpen || !sameSecret(now.Link, s.Link) {
		t.Errorf("after a restart: %+v", now)
	}
	if err := seed.Verify(s.ID); err != nil {
		t.Fatal(err)
	}
	seed.wait(s.ID, "verified", func(s share.Transfer) bool { return s.State == share.Seeding && s.Bytes == s.Total })
	second := newNode(t)
	second.fetch(seed.waitState(s.ID, share.Seeding).Link, t.TempDir(), func(r *FetchRequest) { r.Link.Secret = share.Secret{} })
	if got, err := os.ReadFile(second.waitState(s.ID, share.Seeding).Path); err != nil || !bytes.Equal(got, blob) {
		t.Errorf("the blob is another after a restart: %v", err)
	}
}

func sameSecret(a, b string) bool {
	x, err := share.ParseLink(a)
	y, err2 := share.ParseLink(b)
	return err == nil && err2 == nil && x.Secret.Equal(y.Secret) && x.ID == y.ID
}

// What was changed since it was shared is never sent, and what others lack of it comes
// when it is as it was.
func TestSealedEdits(t *testing.T) {
	dir := sealedTree(t)
	seed := newNode(t)
	s := seed.shareWith(dir, sealIt)
	name := filepath.Join(dir, "sub", "second.bin")
	was, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	fi, _ := os.Stat(name)
	edited := bytes.Clone(was)
	edited[500_000] ^= 1
	put := func(b []byte) {
		t.Helper()
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteAt(b, 0)
			f.Close()
		}
		if err != nil || os.Chtimes(name, fi.ModTime(), fi.ModTime()) != nil {
			t.Fatal(err)
		}
	}
	put(edited)
	link, _ := share.ParseLink(s.Link)
	box := newNode(t)
	box.fetch(link.Blind().String(), t.TempDir())
	seed.waitState(s.ID, share.Stopped)
	box.wait(s.ID, "nothing but what is as it was", func(b share.Transfer) bool { return b.Total > 0 && b.Bytes < b.Total })
	if n := box.peerside().Banned(); n > 0 {
		t.Errorf("%d peers sent wrong data", n)
	}
	put(was)
	if err := seed.Verify(s.ID); err != nil {
		t.Fatal(err)
	}
	seed.waitState(s.ID, share.Seeding)
	box.waitState(s.ID, share.Seeding)
	if n := box.peerside().Banned(); n > 0 {
		t.Errorf("%d peers sent wrong data", n)
	}
	// Other content is another share, with another key.
	put(edited)
	if err := os.Chtimes(name, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	other := seed.shareWith(dir, sealIt)
	if other.ID == s.ID || sameSecret(other.Link, s.Link) {
		t.Errorf("edited content is shared as before: %+v", other)
	}
}

// Who has the key gets what was shared, from a box that has not: names, modes, times,
// empty files and folders; and seeds it to the next, also after a restart.
func TestSealedFetch(t *testing.T) {
	dir := sealedTree(t)
	seed, box := newNode(t), newNode(t)
	s := seed.shareWith(dir, sealIt)
	link, _ := share.ParseLink(s.Link)
	box.fetch(link.Blind().String(), t.TempDir())
	box.waitState(s.ID, share.Seeding)
	seed.stop()
	from := func(n *node) string {
		l := link
		l.Peers = []string{n.addr.String()}
		return l.Reveal()
	}
	state := t.TempDir()
	reader := startNode(t, state)
	out := t.TempDir()
	reader.fetch(from(box), out)
	r := reader.waitState(s.ID, share.Seeding)
	if r.Name != "geheim-ordner" || r.Path != filepath.Join(out, "geheim-ordner") || r.Seal != share.SealOpen || r.Bytes != s.Size || !sameSecret(r.Link, s.Link) {
		t.Errorf("%+v", r)
	}
	sameTree(t, dir, r.Path)
	sameModes(t, dir, r.Path)
	box.stop()
	next := newNode(t)
	next.fetch(from(reader), t.TempDir())
	sameTree(t, dir, next.waitState(s.ID, share.Seeding).Path)
	next.stop()
	reader.stop()
	reader = startNode(t, state)
	third := newNode(t)
	third.fetch(from(reader), t.TempDir())
	sameTree(t, dir, third.waitState(s.ID, share.Seeding).Path)
	if now, err := reader.Get(s.ID); err != nil || now.State != share.Seeding || now.Bytes != now.Total {
		t.Errorf("%+v, %v", now, err)
	}
	if kept, err := reader.Remove(s.ID, true); err != nil || len(kept) != 0 {
		t.Errorf("%v, %v", kept, err)
	}
	if left, err := os.ReadDir(out); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	if left, err := os.ReadDir(filepath.Join(state, "torrents")); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// sameModes compares the modes and times of two trees.
func sameModes(t *testing.T, want, got string) {
	t.Helper()
	err := filepath.WalkDir(want, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(want, path)
		a, err := os.Stat(path)
		if err != nil {
			return err
		}
		b, err := os.Stat(filepath.Join(got, rel))
		if err != nil {
			return err
		}
		if a.Mode() != b.Mode() || !a.ModTime().Equal(b.ModTime()) {
			t.Errorf("%s: %v of %v, want %v of %v", rel, b.Mode(), b.ModTime(), a.Mode(), a.ModTime())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A single file is streamed by who has the key, the part that is read first.
func TestSealedStream(t *testing.T) {
	dir := t.TempDir()
	makeFiles(t, dir, map[string]int{"film.mkv": 5_000_000})
	seed, reader := newNode(t), newNode(t)
	s := seed.shareWith(filepath.Join(dir, "film.mkv"), sealIt, func(r *ShareRequest) { r.PieceLength = seal.RecordSize })
	want, _ := os.ReadFile(filepath.Join(dir, "film.mkv"))
	out := t.TempDir()
	reader.fetch(s.Link, out)
	reader.wait(s.ID, "its files", func(s share.Transfer) bool { return s.Files == 1 })
	f, err := reader.Open(t.Context(), s.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(-70_000, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, want[len(want)-70_000:]) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if r := reader.waitState(s.ID, share.Seeding); r.Path != filepath.Join(out, "film.mkv") {
		t.Errorf("%+v", r)
	}
	if got, err := os.ReadFile(filepath.Join(out, "film.mkv")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// Of a sealed share some files are fetched, and then the others; its manifest is longer
// than a piece.
func TestSealedSelection(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "many")
	sizes := map[string]int{"a/big": 700_000, "b/big": 700_000}
	for i := range 1500 {
		sizes[fmt.Sprintf("c/%s-%d", strings.Repeat("long", 20), i)] = 10
	}
	makeFiles(t, dir, sizes)
	seed, reader := newNode(t), newNode(t)
	s := seed.shareWith(dir, sealIt, func(r *ShareRequest) { r.PieceLength = seal.RecordSize })
	reader.fetch(s.Link, t.TempDir(), func(r *FetchRequest) { r.Files = []string{"b/*"} })
	r := reader.waitState(s.ID, share.Seeding)
	if r.Total != 700_000 || r.Bytes != r.Total {
		t.Errorf("%+v", r)
	}
	got := readTree(t, r.Path)
	if !bytes.Equal(got["b/big"], content("b/big", 700_000)) {
		t.Errorf("%d bytes", len(got["b/big"]))
	}
	for name := range got {
		if strings.HasPrefix(name, "a/big") { // those in c share a piece with the wanted file
			t.Errorf("%s is there", name)
		}
	}
	if r.Downloaded > 1_300_000 {
		t.Errorf("downloaded %d bytes", r.Downloaded)
	}
	reader.fetch(s.Link, filepath.Dir(r.Path))
	reader.wait(s.ID, "all", func(r share.Transfer) bool { return r.State == share.Seeding && r.Total == s.Size })
	sameTree(t, dir, r.Path)
}

// Files that are there already are used where they are; only the manifest is fetched,
// and what is in the same piece.
func TestSealedAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "there")
	makeFiles(t, dir, map[string]int{"a": 1_000_000, "b": 1_000_000})
	seed, reader := newNode(t), newNode(t)
	s := seed.shareWith(dir, sealIt, func(r *ShareRequest) { r.PieceLength = seal.RecordSize })
	out := t.TempDir()
	makeFiles(t, filepath.Join(out, "there"), map[string]int{"a": 1_000_000, "b": 1_000_000})
	reader.fetch(s.Link, out)
	r := reader.waitState(s.ID, share.Seeding)
	if r.Downloaded > 2*seal.RecordSize {
		t.Errorf("downloaded %d bytes of what is there", r.Downloaded)
	}
	seed.stop()
	third := newNode(t)
	third.fetch(r.Link, t.TempDir())
	sameTree(t, dir, third.waitState(s.ID, share.Seeding).Path)
	// Into another folder they are copied.
	reader.fetch(s.Link, t.TempDir())
	moved := reader.wait(s.ID, "the copy", func(m share.Transfer) bool { return m.State == share.Seeding && m.Path != r.Path })
	sameTree(t, dir, moved.Path)
	if moved.Downloaded > r.Downloaded {
		t.Errorf("downloaded %d bytes more", moved.Downloaded-r.Downloaded)
	}
}

// What is lost of the files beside the torrent is got again: a share keeps its ID and its
// key, and a download asks for the manifest.
func TestSealedLosses(t *testing.T) {
	dir := sealedTree(t)
	seedState, readerState := t.TempDir(), t.TempDir()
	seed, reader := startNode(t, seedState), startNode(t, readerState)
	s := seed.shareWith(dir, sealIt)
	reader.fetch(s.Link, t.TempDir())
	r := reader.waitState(s.ID, share.Seeding)
	for _, lost := range []string{".torrent", ".manifest", ".tags"} {
		seed.stop()
		reader.stop()
		for _, state := range []string{seedState, readerState} {
			if err := os.Remove(filepath.Join(state, "torrents", s.ID.String()+lost)); err != nil {
				t.Fatal(err)
			}
		}
		seed = startNode(t, seedState)
		now := seed.waitState(s.ID, share.Seeding)
		next := newNode(t)
		next.fetch(now.Link, t.TempDir())
		sameTree(t, dir, next.waitState(s.ID, share.Seeding).Path)
		if now, err := seed.Get(s.ID); err != nil || !sameSecret(now.Link, s.Link) {
			t.Errorf("without %s: %+v, %v", lost, now, err)
		}
		reader = startNode(t, readerState)
		if err := reader.AddPeers(s.ID, share.FromUser, []netip.AddrPort{seed.addr}); err != nil {
			t.Fatal(err)
		}
		reader.until("its files to be known again", func() bool { return reader.Verify(s.ID) == nil })
		if now := reader.wait(s.ID, "verified", func(s share.Transfer) bool { return s.State == share.Seeding && s.Bytes == s.Total }); now.Path != r.Path {
			t.Errorf("without %s: %+v", lost, now)
		}
		last := newNode(t)
		last.fetch(now.Link, t.TempDir(), func(f *FetchRequest) { f.Link.Peers = []string{reader.addr.String()} })
		sameTree(t, dir, last.waitState(s.ID, share.Seeding).Path)
		next.stop()
		last.stop()
	}
}

// A key that is not the one is refused, and so is one for what is here without it. The
// error does not have it.
func TestSealedWrongKey(t *testing.T) {
	dir := sealedTree(t)
	seed, reader := newNode(t), newNode(t)
	s := seed.shareWith(dir, sealIt)
	link, _ := share.ParseLink(s.Link)
	wrong := link
	wrong.Secret = seal.NewSecret()
	reader.fetch(wrong.Reveal(), t.TempDir())
	r := reader.waitState(s.ID, share.Stopped)
	if r.Code != share.Refused.Code() || strings.Contains(r.Reason, wrong.Secret.Reveal()) {
		t.Errorf("%+v", r)
	}
	if _, err := reader.Fetch(t.Context(), FetchRequest{Link: link, Output: t.TempDir()}); share.KindOf(err) != share.Refused || strings.Contains(err.Error(), link.Secret.Reveal()) {
		t.Errorf("another key: %v", err)
	}
}

// Whoever has not the key learns no name and no content: not from the torrent, the blind
// link, the blob, or all that a box keeps and logs. The key of who has it is in the
// database, and in no other file or log.
func TestSealedSecrecy(t *testing.T) {
	dir := sealedTree(t)
	var logs [3]bytes.Buffer
	var nodes [3]*node
	var mu sync.Mutex
	for i := range nodes {
		nodes[i] = newNode(t, func(c *Config) {
			c.Logger = slog.New(slog.NewTextHandler(writerFunc(func(b []byte) (int, error) {
				mu.Lock()
				defer mu.Unlock()
				return logs[i].Write(b)
			}), &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
	}
	seed, box, reader := nodes[0], nodes[1], nodes[2]
	s := seed.shareWith(dir, sealIt)
	link, _ := share.ParseLink(s.Link)
	out := t.TempDir()
	box.fetch(link.Blind().String(), out)
	box.waitState(s.ID, share.Seeding)
	reader.fetch(s.Link, t.TempDir())
	reader.waitState(s.ID, share.Seeding)
	torrent, err := seed.Torrent(s.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		n.stop()
	}
	hidden := [][]byte{[]byte("geheim-ordner"), []byte("second.bin"), []byte("third.txt"), []byte("nothing"), []byte("deep")}
	for _, name := range []string{"first.bin", "sub/second.bin", "sub/deep/x", "zz"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		hidden = append(hidden, b[:32], b[len(b)/2:][:32], b[len(b)-32:])
	}
	key := link.Secret.Bytes()
	keys := [][]byte{key[:], []byte(link.Secret.Reveal()), []byte(strings.ToUpper(link.Secret.Reveal()))}
	wide := func(b []byte) (w []byte) {
		for _, c := range b {
			w = append(w, c, 0)
		}
		return w
	}
	search := func(what string, b []byte, for_ [][]byte) {
		t.Helper()
		for _, h := range for_ {
			if bytes.Contains(b, h) || bytes.Contains(b, wide(h)) {
				t.Errorf("%s has %q", what, h)
			}
		}
	}
	files := func(dir string, f func(name string, b []byte)) {
		t.Helper()
		for name, b := range readTree(t, dir) {
			f(name, append([]byte(name+"\n"), b...))
		}
	}
	all := append(slices.Clone(hidden), keys...)
	search("the torrent", torrent, all)
	search("the blind link", []byte(link.Blind().String()), all)
	files(out, func(name string, b []byte) { search("the box's download "+name, b, all) })
	files(box.state, func(name string, b []byte) { search("the box's state "+name, b, all) })
	search("the box's log", logs[1].Bytes(), all)
	for i, n := range []*node{seed, reader} {
		files(n.state, func(name string, b []byte) {
			if !strings.HasPrefix(name, "state.db") {
				search("the state "+name, b, keys)
			}
		})
		search("the log", logs[2*i].Bytes(), keys)
		if logs[2*i].Len() == 0 {
			t.Error("nothing was logged")
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// A peer that answers with noise, and one that sends some wrong blocks, do not keep a
// sealed share from who gets the rest from others.
func TestSealedFromLiars(t *testing.T) {
	honest, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Skip("needs a second address, 127.0.0.1, to tell the liars from the honest peer: ", err)
	}
	dir := filepath.Join(t.TempDir(), "set")
	makeFiles(t, dir, map[string]int{"a": 3_000_000})
	seed, box := newNode(t), newNode(t, func(c *Config) { c.IPv4 = true; c.Listeners = append(c.Listeners, honest) })
	s := seed.shareWith(dir, sealIt, func(r *ShareRequest) { r.PieceLength = 4 * seal.RecordSize })
	link, _ := share.ParseLink(s.Link)
	box.fetch(link.Blind().String(), t.TempDir())
	blob, err := os.ReadFile(box.waitState(s.ID, share.Seeding).Path)
	if err != nil {
		t.Fatal(err)
	}
	seed.stop()
	sometimes := func(p *rawPeer) {
		p.claims()
		for {
			kind, payload, err := p.read()
			if err != nil {
				return
			}
			if kind != msgRequest {
				continue
			}
			off := int(binary.BigEndian.Uint32(payload))*4*seal.RecordSize + int(binary.BigEndian.Uint32(payload[4:]))
			block := bytes.Clone(blob[off:][:binary.BigEndian.Uint32(payload[8:])])
			if off/16384%7 == 3 {
				block[100] ^= 1
			}
			if _, err := p.Write(message(msgPiece, payload[:8], block)); err != nil {
				return
			}
		}
	}
	reader := newNode(t, func(c *Config) { c.IPv4 = true })
	l := link
	l.Peers = []string{listenRaw(t, poisons), listenRaw(t, sometimes), honest.Addr().String()}
	reader.fetch(l.Reveal(), t.TempDir())
	sameTree(t, dir, reader.waitState(s.ID, share.Seeding).Path)
}

// A box that gets the key writes the files out of its blob, without a download, and then
// the blob goes. One that had only a part fetches the rest.
func TestSealedKeyLater(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	makeFiles(t, dir, map[string]int{"a": 1_500_000, "s/b": 700_000, "s/empty": 0})
	seed := newNode(t)
	s := seed.shareWith(dir, sealIt, func(r *ShareRequest) { r.PieceLength = seal.RecordSize })
	link, _ := share.ParseLink(s.Link)
	blind := link.Blind().String()
	state := t.TempDir()
	box, part := startNode(t, state), newNode(t)
	out, other := t.TempDir(), t.TempDir()
	box.fetch(blind, out)
	b := box.waitState(s.ID, share.Seeding)
	part.fetch(blind, other, func(r *FetchRequest) { r.Limits.Down = 400_000 })
	part.wait(s.ID, "a part", func(s share.Transfer) bool { return s.Bytes > 300_000 })
	half := part.wait(s.ID, "a part", func(s share.Transfer) bool { return true })
	part.fetch(s.Link, other)
	if r := part.waitState(s.ID, share.Seeding); r.Path != filepath.Join(other, "set") || r.Seal != share.SealOpen {
		t.Errorf("of a part: %+v", r)
	} else if left := r.Downloaded; left > 2_700_000 || half.Bytes == half.Total {
		t.Errorf("downloaded %d bytes, %d of them before", left, half.Bytes)
	}
	sameTree(t, dir, filepath.Join(other, "set"))
	seed.stop()
	part.stop()

	wrong := link
	wrong.Secret = seal.NewSecret()
	if _, err := box.Fetch(t.Context(), FetchRequest{Link: wrong, Output: out}); share.KindOf(err) != share.Refused {
		t.Errorf("a wrong key: %v", err)
	}
	before := b.Downloaded
	box.fetch(s.Link, out)
	r := box.wait(s.ID, "the files", func(r share.Transfer) bool { return r.State == share.Seeding && r.Seal == share.SealOpen })
	if r.Downloaded > before || r.Name != "set" || r.Size != 2_200_000 {
		t.Errorf("%+v", r)
	}
	sameTree(t, dir, filepath.Join(out, "set"))
	sameModes(t, dir, filepath.Join(out, "set"))
	box.until("the blob to go", func() bool {
		_, err := os.Stat(b.Path)
		return errors.Is(err, fs.ErrNotExist)
	})
	box.stop()
	box = startNode(t, state)
	last := newNode(t)
	l := link
	l.Peers = []string{box.addr.String()}
	last.fetch(l.Reveal(), t.TempDir())
	sameTree(t, dir, last.waitState(s.ID, share.Seeding).Path)
	if _, err := box.Remove(s.ID, true); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	var records int
	db := openAt(t, state)
	defer db.Close()
	if err := db.QueryRow(`SELECT count(*) FROM engine_ledger`).Scan(&records); err != nil || records > 0 {
		t.Errorf("%d records are left, %v", records, err)
	}
}

// Sharing unchanged files again, after the command that shared them has ended, gives the
// same link and reads nothing; changed ones get another key.
func TestSealedSharingAgain(t *testing.T) {
	state, path := t.TempDir(), someFiles(t)
	n := startNode(t, state)
	sealed := share.ShareOptions{Sealed: true}
	l := n.lease()
	s := n.shareFor(path, ShareRequest{Lease: l, ShareOptions: sealed})
	n.EndLease(l)
	n.gone(s.ID)
	n.stop()
	n = startNode(t, state)
	l = n.lease()
	sub := n.Subscribe(1000)
	got := n.shareFor(path, ShareRequest{Lease: l, ShareOptions: sealed})
	sub.Close()
	if !sameSecret(got.Link, s.Link) {
		t.Errorf("%+v and %+v", got, s)
	}
	for ev := range sub.C {
		if ev.Transfer != nil && ev.Transfer.State == share.Hashing && ev.Transfer.Bytes > 0 {
			t.Errorf("%d bytes were read", ev.Transfer.Bytes)
		}
	}
	reader := newNode(t)
	reader.fetch(got.Link, t.TempDir())
	sameTree(t, path, reader.waitState(s.ID, share.Seeding).Path)
	n.EndLease(l)
	n.gone(s.ID)
	// The same size and time, but other content.
	name := filepath.Join(path, "beach.jpg")
	fi, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content("other", int(fi.Size())), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, fi.ModTime(), fi.ModTime()); err != nil {
		t.Fatal(err)
	}
	other := n.shareFor(path, ShareRequest{Lease: n.lease(), ShareOptions: sealed})
	link, _ := share.ParseLink(s.Link)
	now, err := share.ParseLink(other.Link)
	if err != nil || now.ID == link.ID || now.Secret.Equal(link.Secret) {
		t.Errorf("%+v, %v", now, err)
	}
	if plain := n.shareFor(path, ShareRequest{}); plain.ID == other.ID || plain.Seal != "" {
		t.Errorf("%+v", plain)
	}
}

// No manifest makes reveal panic, and what it accepts has the pieces of its blob and
// files that lie in it one after another.
func FuzzReveal(f *testing.F) {
	at := time.Unix(1_600_000_000, 0)
	for _, m := range []*seal.Manifest{
		{Entries: []seal.Entry{{Parent: -1, Name: "film", Mode: 0o644, Time: at, Size: 5}}},
		{Entries: []seal.Entry{
			{Parent: -1, Name: "set", Folder: true, Mode: 0o755, Time: at},
			{Parent: 0, Name: "A", Mode: 0o644, Time: at, Size: 70_000},
			{Parent: 0, Name: "a", Mode: 0o644, Time: at},
			{Parent: 0, Name: "c", Folder: true, Time: at},
		}},
		{Entries: []seal.Entry{{Parent: -1, Name: "empty", Folder: true, Time: at}}},
	} {
		b, err := m.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, manifest []byte) {
		m, err := seal.ParseManifest(manifest)
		if err != nil {
			return
		}
		l, err := seal.NewLayout(int64(len(manifest)), m.Contents)
		if err != nil || l.Count() > 1000 {
			return
		}
		blob := blobOf(t, l.Count())
		info, err := reveal(blob, manifest)
		if err != nil {
			return
		}
		if info.NumPieces != blob.NumPieces || info.Total != l.Count()*seal.DataSize || info.ID != blob.ID || info.Size() != m.Contents || !bytes.Equal(info.Bytes(), blob.Bytes()) {
			t.Fatalf("%+v", info)
		}
		at, files := l.Head().To*seal.DataSize, 0
		for i, e := range m.Entries {
			if e.Folder {
				continue
			}
			file := info.Files[files]
			if file.Offset != at || file.Length != e.Size || info.Multi && len(file.Path) != len(m.Path(i))-1 {
				t.Fatalf("%+v of %+v", file, e)
			}
			at += e.Size
			files++
		}
		if files != len(info.Files) || files == 0 {
			t.Fatalf("%d files, not %d", len(info.Files), files)
		}
	})
}

// blobOf is the torrent of a blob of so many records, whatever is in them.
func blobOf(t *testing.T, records int64) *metainfo.Info {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "d6:lengthi%de4:name32:%s12:piece lengthi%de6:pieces%d:", records*seal.RecordSize, strings.Repeat("0f", 16), seal.RecordSize, 20*records)
	b.Write(make([]byte, 20*records))
	b.WriteByte('e')
	info, err := metainfo.ParseInfo(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// A download that is interrupted, by a stop of the node and by a pause, goes on where it
// was. A shared file that is gone stops the share until it is there again.
func TestSealedResume(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	makeFiles(t, dir, map[string]int{"a": 2_000_000, "s/b": 700_000})
	seed := newNode(t)
	s := seed.shareWith(dir, sealIt, func(r *ShareRequest) { r.PieceLength = seal.RecordSize })
	state, out := t.TempDir(), t.TempDir()
	reader := startNode(t, state)
	reader.fetch(s.Link, out, func(r *FetchRequest) { r.Limits.Down = 500_000 })
	reader.wait(s.ID, "a part", func(s share.Transfer) bool { return s.Bytes > 400_000 })
	reader.stop()
	reader = startNode(t, state)
	had := reader.wait(s.ID, "what was there", func(s share.Transfer) bool { return s.State == share.Fetching || s.State == share.Seeding })
	if had.Bytes < 400_000 || had.Seal != share.SealOpen || had.Name != "set" {
		t.Errorf("%+v", had)
	}
	if err := reader.Pause(s.ID); err != nil {
		t.Fatal(err)
	}
	reader.wait(s.ID, "the pause", func(s share.Transfer) bool { return s.State == share.Paused && s.Peers == 0 })
	gone, aside := filepath.Join(dir, "s", "b"), filepath.Join(t.TempDir(), "b")
	if err := os.Rename(gone, aside); err != nil {
		t.Fatal(err)
	}
	if err := seed.Verify(s.ID); err != nil {
		t.Fatal(err)
	}
	if r := seed.waitState(s.ID, share.Stopped); r.Code != share.Disk.Code() {
		t.Errorf("%+v", r)
	}
	if err := os.Rename(aside, gone); err != nil {
		t.Fatal(err)
	}
	if err := seed.Verify(s.ID); err != nil {
		t.Fatal(err)
	}
	seed.waitState(s.ID, share.Seeding)
	if err := reader.SetLimits(s.ID, share.Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := reader.Resume(s.ID); err != nil {
		t.Fatal(err)
	}
	r := reader.waitState(s.ID, share.Seeding)
	sameTree(t, dir, r.Path)
	if r.Downloaded > 2_700_000+1_000_000 {
		t.Errorf("downloaded %d bytes", r.Downloaded)
	}
}
