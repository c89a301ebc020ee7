package engine

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// torrentOf makes the .torrent file of a folder or file.
func torrentOf(t testing.TB, path string, o metainfo.MakeOptions) (*metainfo.Info, []byte) {
	t.Helper()
	if o.Name == "" {
		o.Name = filepath.Base(path)
	}
	made, err := metainfo.Make(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	return made.Info, made.Encode()
}

func (n *node) mustImport(torrent []byte, path string, changes ...func(*ImportRequest)) share.Transfer {
	n.t.Helper()
	r := ImportRequest{Torrent: torrent, Path: path}
	for _, c := range changes {
		c(&r)
	}
	s, err := n.Import(n.t.Context(), r)
	if err != nil {
		n.t.Fatal(err)
	}
	return s
}

// indexOf finds a file by its path in the torrent.
func indexOf(t testing.TB, info *metainfo.Info, path string) int {
	t.Helper()
	for i, f := range info.Files {
		if !f.Pad && strings.Join(f.Path, "/") == path {
			return i
		}
	}
	t.Fatalf("the torrent has no %s", path)
	return 0
}

// stamps lists what stat tells of everything below dir, except when it was read.
func stamps(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err == nil {
			b.WriteString(p + " " + fi.Mode().String() + " " + fi.ModTime().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Files with other names than the torrent's, and without its empty file, are shared
// from where they are, survive a restart, and stay when the transfer is removed.
func TestImport(t *testing.T) {
	dir := someFiles(t)
	info, torrent := torrentOf(t, dir, metainfo.MakeOptions{})
	beach, empty := indexOf(t, info, "beach.jpg"), filepath.Join(dir, "empty")
	whole := filepath.Join(t.TempDir(), "holiday")
	if err := os.CopyFS(whole, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(dir, "best of", "the beach.jpg")
	if err := os.MkdirAll(filepath.Dir(moved), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "beach.jpg"), moved); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(empty); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "chosen by the user")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	before := stamps(t, dir)

	n := newNode(t)
	renamed := func(r *ImportRequest) { r.Files = map[int]string{beach: "best of/the beach.jpg"} }
	s := n.mustImport(torrent, link, renamed)
	if s.ID != info.ID {
		t.Fatalf("the ID is %s, want %s", s.ID, info.ID)
	}
	s = n.waitState(info.ID, share.Seeding)
	if !s.Own || s.Path != link || s.Bytes != info.Size() || s.Downloaded != 0 || s.Name != "holiday" {
		t.Fatalf("%+v", s)
	}
	again := n.mustImport(torrent, t.TempDir())
	if again.State != share.Seeding || again.Path != link {
		t.Fatalf("what is here already is imported again: %+v", again)
	}

	for _, when := range []string{"at first", "after a restart", "after the storage has lost its record"} {
		other := newNode(t)
		out := t.TempDir()
		got := other.fetch(n.List()[0].Link, out)
		other.waitState(got.ID, share.Seeding)
		sameTree(t, whole, filepath.Join(out, "holiday"))
		other.stop()
		n.stop()
		if when == "after a restart" {
			db := openAt(t, n.state)
			if _, err := db.Exec(`DELETE FROM engine_ledger`); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
		n = startNode(t, n.state)
		n.waitState(info.ID, share.Seeding)
	}
	if _, err := n.Remove(info.ID, true); err != nil {
		t.Fatal(err)
	}
	if after := stamps(t, dir); after != before {
		t.Errorf("the files were changed from\n%s to\n%s", before, after)
	}
}

// What is wrong is not kept, and is taken once it is right.
func TestImportOfWrongData(t *testing.T) {
	dir := someFiles(t)
	info, torrent := torrentOf(t, dir, metainfo.MakeOptions{})
	file := filepath.Join(dir, "sub", "video.mkv")
	right, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wrong := bytes.Clone(right)
	wrong[len(wrong)/2]++
	if err := os.WriteFile(file, wrong, 0o644); err != nil {
		t.Fatal(err)
	}
	n := newNode(t)
	s := n.mustImport(torrent, dir)
	s = n.waitState(s.ID, share.Stopped)
	if s.Code != share.Disk.Code() || !strings.Contains(s.Reason, file+" is not what the torrent says") {
		t.Errorf("%+v", s)
	}
	n.until("nothing is left of it", func() bool {
		left, err := filepath.Glob(filepath.Join(n.state, "torrents", "*"))
		return err == nil && len(left) == 0 && len(n.List()) == 0
	})
	if err := os.WriteFile(file, right, 0o644); err != nil {
		t.Fatal(err)
	}
	n.mustImport(torrent, dir)
	n.waitState(info.ID, share.Seeding)
}

// What another client did with an import counts, also after a restart: a goal by ratio that
// was reached there is reached here. A time that is yet to come is not believed.
func TestImportKeepsItsPast(t *testing.T) {
	dir := someFiles(t)
	info, torrent := torrentOf(t, dir, metainfo.MakeOptions{})
	_, single := torrentOf(t, filepath.Join(dir, "exactly"), metainfo.MakeOptions{})
	n := newNode(t)
	past := share.Past{Added: time.Unix(1_600_000_000, 0), Downloaded: info.Size() + 5, Uploaded: 2 * info.Size()}
	limits := share.Limits{Down: 2 << 20, Up: 1 << 20}
	n.mustImport(torrent, dir, func(r *ImportRequest) {
		r.Goal, r.Limits, r.Before = &share.Goal{Ratio: 2}, limits, past
	})
	check := func() {
		t.Helper()
		s := n.waitState(info.ID, share.Paused)
		if !s.Added.Equal(past.Added) || s.Downloaded != past.Downloaded || s.Uploaded != past.Uploaded || s.Limits != limits || s.Reason != "complete, ratio 2 reached" {
			t.Errorf("%+v", s)
		}
		if !s.Completed.After(past.Added) { // a goal by time counts from here
			t.Errorf("it was complete %s", s.Completed)
		}
	}
	check()
	n.stop()
	n = startNode(t, n.state)
	check()
	began := time.Now()
	s := n.mustImport(single, filepath.Join(dir, "exactly"), func(r *ImportRequest) { r.Before.Added = began.Add(time.Hour) })
	if s.Added.After(time.Now()) {
		t.Errorf("it was added %s", s.Added)
	}
}

// What can be told without reading the files is refused at once.
func TestImportRefuses(t *testing.T) {
	dir := someFiles(t)
	info, torrent := torrentOf(t, dir, metainfo.MakeOptions{})
	_, single := torrentOf(t, filepath.Join(dir, "exactly"), metainfo.MakeOptions{})
	beach, twin := indexOf(t, info, "beach.jpg"), indexOf(t, info, "sub/video.mkv")
	n := newNode(t, func(c *Config) {
		c.Guard = func(path string, _ fs.FileInfo) error {
			if filepath.Base(path) == "secret" {
				return os.ErrPermission
			}
			return nil
		}
	})
	at := func(p string) string { return filepath.Join(dir, p) }
	for _, c := range []struct {
		what    string
		prepare func() error
		r       ImportRequest
		kind    share.Kind
		says    string
	}{
		{"no torrent", nil, ImportRequest{Torrent: []byte("d4:infodee"), Path: dir}, share.Refused, ""},
		{"a relative path", nil, ImportRequest{Torrent: torrent, Path: "here"}, share.Usage, "absolute"},
		{"no folder", nil, ImportRequest{Torrent: torrent, Path: at("none")}, share.Disk, "none"},
		{"a path that leaves the folder", nil, ImportRequest{Torrent: torrent, Path: dir,
			ImportOptions: share.ImportOptions{Files: map[int]string{beach: "../beach.jpg"}}}, share.Usage, "below the folder"},
		{"less than nothing", nil, ImportRequest{Torrent: torrent, Path: dir,
			ImportOptions: share.ImportOptions{Before: share.Past{Uploaded: -1}}}, share.Usage, "less than 0"},
		{"a negative limit", nil, ImportRequest{Torrent: torrent, Path: dir,
			ImportOptions: share.ImportOptions{Limits: share.Limits{Up: -1}}}, share.Usage, "negative"},
		{"one file twice", nil, ImportRequest{Torrent: torrent, Path: dir,
			ImportOptions: share.ImportOptions{Files: map[int]string{twin: "beach.jpg"}}}, share.Usage, "two files"},
		{"no such file", nil, ImportRequest{Torrent: torrent, Path: dir,
			ImportOptions: share.ImportOptions{Files: map[int]string{len(info.Files): "a"}}}, share.Usage, "cannot be"},
		{"a file that is guarded", func() error { return os.Rename(at("beach.jpg"), at("secret")) }, ImportRequest{Torrent: torrent, Path: dir,
			ImportOptions: share.ImportOptions{Files: map[int]string{beach: "secret"}}}, share.Usage, "secret"},
		{"a missing file", nil, ImportRequest{Torrent: torrent, Path: dir}, share.Disk, "beach.jpg: no such file"},
		{"a link", func() error { return os.Symlink("secret", at("beach.jpg")) }, ImportRequest{Torrent: torrent, Path: dir}, share.Disk, "not a regular file"},
		{"another size", func() error { return os.Truncate(at("exactly"), 7) }, ImportRequest{Torrent: single, Path: at("exactly")}, share.Disk, "7 bytes"},
		{"a link to the file", func() error { return os.Symlink("exactly", at("other")) }, ImportRequest{Torrent: single, Path: at("other")}, share.Disk, "not a regular file"},
	} {
		if c.prepare != nil {
			if err := c.prepare(); err != nil {
				t.Fatal(err)
			}
		}
		_, err := n.Import(t.Context(), c.r)
		if share.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if all := n.List(); len(all) > 0 {
		t.Errorf("%+v", all)
	}
}

// An import that was not hashed yet goes on after a restart, and rests if it was to.
func TestImportGoesOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "one.bin")
	makeFiles(t, filepath.Dir(file), map[string]int{"one.bin": 1 << 20})
	info, torrent := torrentOf(t, file, metainfo.MakeOptions{Name: "called otherwise.bin", Private: true})
	n := newNode(t)
	n.box.call(func() { n.loop.hashing.running = maxHashing }) // it has to wait
	s := n.mustImport(torrent, file, func(r *ImportRequest) { r.Paused = true })
	if s.State != share.Hashing {
		t.Fatalf("%+v", s)
	}
	n.box.call(func() { n.loop.hashing.running = 0 })
	n.stop()
	n = startNode(t, n.state)
	s = n.waitState(info.ID, share.Paused)
	if s.Bytes != 1<<20 || !s.Own {
		t.Errorf("%+v", s)
	}
	if err := n.Resume(info.ID); err != nil {
		t.Fatal(err)
	}
	n.waitState(info.ID, share.Seeding)
	n.box.call(func() {
		if !n.loop.transfers.find(info.ID).private() {
			t.Error("it is announced although it is private")
		}
	})
}

// A torrent of BEP 52 without its piece layers, as another client keeps it, gets them
// from the files. Its tracker is told.
func TestImportFillsLayers(t *testing.T) {
	dir := someFiles(t)
	info, torrent := torrentOf(t, dir, metainfo.MakeOptions{Hybrid: true, PieceLength: 64 << 10})
	tor, err := metainfo.Parse(torrent)
	if err != nil {
		t.Fatal(err)
	}
	if !tor.Layers.Complete() || len(metainfo.NewLayers(info).Missing()) == 0 {
		t.Fatal("there are no layers to lose")
	}
	const tracker = "http://[::1]:1/announce"
	bare := (&metainfo.Torrent{Info: info, Layers: metainfo.NewLayers(info), Trackers: [][]string{{tracker}}}).Encode()
	n := newNode(t)
	n.mustImport(bare, dir)
	n.waitState(info.ID, share.Seeding)
	ways, err := n.Discovery(info.ID)
	if err != nil || !slices.ContainsFunc(ways, func(w share.Way) bool { return w.Name == tracker && w.On }) {
		t.Errorf("its tracker is not asked: %+v, %v", ways, err)
	}
	kept, err := n.torrents.read(info.ID)
	if err != nil || !kept.Layers.Complete() {
		t.Errorf("layers are missing: %v", err)
	}
}
