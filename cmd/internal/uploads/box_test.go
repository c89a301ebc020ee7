package uploads

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	_ "modernc.org/sqlite"
	"pgregory.net/rapid"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// safe stands for the cleaning of names that the node gives the store.
func safe(name string) string {
	if name == "con" {
		return "_con"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
}

func config(t testing.TB, dir string, more ...func(*Config)) Config {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c := Config{
		DB: db, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Clean: safe,
		Folder: func() string { return filepath.Join(dir, "Uploads") }, Into: func() string { return dir },
		Free: func(string) int64 { return 1 << 40 }, Disk: func(string) string { return "one" }, MinFree: func() int64 { return 0 },
	}
	for _, m := range more {
		m(&c)
	}
	return c
}

func open(t testing.TB, c Config) *Store {
	t.Helper()
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// receives makes a box for strangers.
func receives(t testing.TB, s *Store, terms api.Coming) api.Box {
	t.Helper()
	terms.Name = "Box"
	if _, err := s.Receive("link", terms); err != nil {
		t.Fatal(err)
	}
	b, err := s.Box("link")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// send sends a whole file.
func send(t testing.TB, b api.Box, path, content string) api.ComingFile {
	t.Helper()
	f, err := b.Begin(api.NewFile{Path: path, Size: int64(len(content))})
	if err == nil {
		_, err = b.Append(t.Context(), f.ID, strings.NewReader(content))
	}
	if err == nil {
		err = b.Finish(f.ID)
	}
	if err == nil {
		f, err = b.File(f.ID)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return f
}

// files are the contents of the files below dir, by their paths.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, rerr := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = string(b)
		return errors.Join(err, rerr)
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return out
}

// A sender whose answer was lost asks again, and gets what was begun the first time.
func TestWhatIsAskedForAgainIsBegunOnce(t *testing.T) {
	dir := t.TempDir()
	c := config(t, dir)
	s := open(t, c)
	n := api.NewComing{Name: "Trip", Tree: true, Files: 1, Bytes: 3, Key: "a"}
	var u api.Coming
	for range 2 {
		again, err := s.Create(n)
		if err != nil {
			t.Fatal(err)
		}
		if u.ID != "" && again.ID != u.ID {
			t.Errorf("%s was begun, and then %s", u.Folder, again.Folder)
		}
		u = again
		s = open(t, c) // the node ended before it answered
	}
	n.Key = "b"
	if other, err := s.Create(n); err != nil || other.Name != "Trip (2)" {
		t.Errorf("an upload of another key: %q, %v", other.Name, err)
	}
	for _, kind := range []string{api.ComingUpload, api.ComingReceive} {
		box, err := s.Box(u.ID)
		if kind == api.ComingReceive {
			box, err = receives(t, s, api.Coming{MaxFiles: 1}), nil
		}
		if err != nil {
			t.Fatal(err)
		}
		file := api.NewFile{Path: "one.txt", Size: 3, Key: "x"}
		first, err := box.Begin(file)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := box.Begin(file); err != nil || again.ID != first.ID {
			t.Errorf("%s: asked again: %v, %v", kind, again, err)
		}
		for _, other := range []api.NewFile{{Path: "one.txt", Size: 3, Key: "y"}, {Path: "two.txt", Size: 3, Key: "x"}, {Path: "one.txt", Size: 2, Key: "x"}, {Path: "one.txt", Size: 3}} {
			if _, err := box.Begin(other); !errors.Is(err, api.ErrTooMany) {
				t.Errorf("%s: %+v: %v", kind, other, err)
			}
		}
	}
}

// An upload of a folder goes on after a restart, and what was not known to be on the disk
// is sent again. Its root is told when all is there.
func TestAnUploadGoesOnAfterARestart(t *testing.T) {
	dir := t.TempDir()
	c := config(t, dir)
	s := open(t, c)
	u, err := s.Create(api.NewComing{Name: "Trip", Tree: true, Files: 2, Bytes: 10})
	if err != nil {
		t.Fatal(err)
	}
	box, err := s.Box(u.ID)
	if err != nil {
		t.Fatal(err)
	}
	send(t, box, "a/one.txt", "one")
	f, err := box.Begin(api.NewFile{Path: "two.txt", Size: 7})
	if err != nil {
		t.Fatal(err)
	}
	broken := io.MultiReader(strings.NewReader("1234"), failing{})
	if n, err := box.Append(t.Context(), f.ID, broken); n != 4 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	part := filepath.Join(u.Folder, partName("two.txt", f.ID))
	// Another process would have written this without knowing whether it stays.
	if err := os.WriteFile(part, []byte("1234garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, c)
	if box, err = s.Box(u.ID); err != nil {
		t.Fatal(err)
	}
	if f, err = box.File(f.ID); err != nil || f.Sent != 4 || f.Number != 0 {
		t.Fatalf("after the restart: %+v %v", f, err)
	}
	if got := s.List(); len(got) != 1 || got[0].Sent != 7 || got[0].Arrived != 1 || got[0].Unfinished != 1 || got[0].Root != "" {
		t.Fatalf("%+v", got)
	}
	if _, err := box.Append(t.Context(), f.ID, strings.NewReader("567")); err != nil {
		t.Fatal(err)
	}
	if err := box.Finish(f.ID); err != nil {
		t.Fatal(err)
	}
	if got := files(t, u.Folder); !maps.Equal(got, map[string]string{"a/one.txt": "one", "two.txt": "1234567"}) {
		t.Errorf("%v", got)
	}
	if got := s.List()[0]; got.Root != u.Folder || got.Arrived != 2 {
		t.Errorf("%+v", got)
	}
	if err := s.End(u.ID, false); err != nil || len(s.List()) > 0 || len(files(t, u.Folder)) != 2 {
		t.Errorf("%v", err)
	}
}

// A part file that is gone or shorter is sent again from its end.
func TestAPartFileThatIsGone(t *testing.T) {
	dir := t.TempDir()
	c := config(t, dir)
	s := open(t, c)
	b := receives(t, s, api.Coming{})
	for _, left := range []int64{-1, 0, 2} {
		f, err := b.Begin(api.NewFile{Path: "x", Size: 6})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Append(t.Context(), f.ID, strings.NewReader("abcd")); err != nil {
			t.Fatal(err)
		}
		part := filepath.Join(dir, "Box", partName("x", f.ID))
		if left < 0 {
			err = os.Remove(part)
		} else {
			err = os.Truncate(part, left)
		}
		if err != nil {
			t.Fatal(err)
		}
		if left >= 0 { // in the process that wrote it, that is noticed, too
			if _, err := b.Append(t.Context(), f.ID, strings.NewReader("ef")); share.KindOf(err) != share.Disk {
				t.Errorf("%d: %v", left, err)
			}
		}
		again, err := open(t, c).Box("link")
		if err != nil {
			t.Fatal(err)
		}
		if f, err = again.File(f.ID); err != nil || f.Sent != max(0, left) {
			t.Errorf("%d: %+v %v", left, f, err)
		}
	}
}

// Who goes on after the folder was deleted under it is told to begin again, by the process
// that wrote it, too.
func TestAFolderThatIsDeletedUnderAnUpload(t *testing.T) {
	dir := t.TempDir()
	b := receives(t, open(t, config(t, dir)), api.Coming{})
	f, err := b.Begin(api.NewFile{Path: "x", Size: 6})
	if err != nil {
		t.Fatal(err)
	}
	for _, sent := range []string{"abcd", "abcdef"} {
		if f, err = b.File(f.ID); err != nil || f.Sent != 0 {
			t.Fatalf("%+v %v", f, err)
		}
		if _, err := b.Append(t.Context(), f.ID, strings.NewReader(sent)); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(dir, "Box")); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Finish(f.ID); share.KindOf(err) != share.Disk {
		t.Errorf("it is complete, and gone: %v", err)
	}
	if f, err = b.File(f.ID); err != nil || f.Sent != 0 {
		t.Fatalf("%+v %v", f, err)
	}
	if _, err := b.Append(t.Context(), f.ID, strings.NewReader("abcdef")); err != nil {
		t.Fatal(err)
	}
	if err := b.Finish(f.ID); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); got["Box/x"] != "abcdef" {
		t.Errorf("%v", got)
	}
}

// What strangers call their files changes nothing but the name, and nothing outside.
func TestNamesOfStrangers(t *testing.T) {
	dir := t.TempDir()
	b := receives(t, open(t, config(t, dir)), api.Coming{})
	box := filepath.Join(dir, "Box")
	outside := filepath.Join(dir, "outside")
	if err := os.Mkdir(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(box, "trap")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(box, "mine"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range [][2]string{
		{"../../etc/passwd", "etc/passwd"}, {"/abs/olute", "abs/olute"}, {".bashrc", "_bashrc"}, {"a/./b", "a/b"}, {"trap/x", "trap (2)/x"}, {"trap", "trap (3)"},
		{"mine/x", "mine (2)/x"}, {"mine", "mine (3)"}, {"a\x00b\n", "a_b_"}, {`c:\x`, "c__x"}, {" ", "file"}, {"...", "file (2)"},
		{strings.Repeat("ä", 300) + ".jpeg", strings.Repeat("ä", 97) + ".jpeg"}, {"etc", "etc (2)"}, {"run.sh", "run.sh"},
		// What Windows would drop or take for a device, also where the name was cut.
		{"x. . ", "x"}, {"x.\u3000", "x (2)"}, {"con", "_con"}, {"\u3000con", "_con (2)"}, {"con .\u00a0.", "_con (3)"},
		{strings.Repeat("n", 199) + "." + strings.Repeat("o", 50), strings.Repeat("n", 199)},
		{strings.Repeat("m", 198) + " ." + strings.Repeat("o", 50), strings.Repeat("m", 198)},
	} {
		f := send(t, b, name[0], "#!/bin/sh")
		got, err := filepath.Rel(box, f.Stored)
		if got = filepath.ToSlash(got); err != nil || got != name[1] {
			t.Errorf("%q is %q, not %q", name[0], got, name[1])
		}
		if info, err := os.Lstat(f.Stored); err != nil || info.Mode().Perm()&0o111 != 0 {
			t.Errorf("%q: %v %v", name[0], info, err)
		}
	}
	for _, path := range []string{"..", "", "///"} {
		if f, err := b.Begin(api.NewFile{Path: path, Size: 1}); !errors.Is(err, api.ErrBadName) {
			t.Errorf("%q: %+v %v", path, f, err)
		}
	}
	for _, path := range []string{strings.Repeat("a/", 40) + "b", strings.Repeat("x", 5000)} {
		if _, err := b.Begin(api.NewFile{Path: path, Size: 1}); !errors.Is(err, api.ErrBadName) {
			t.Errorf("%.20q: %v", path, err)
		}
	}
	if got := files(t, outside); len(got) > 0 {
		t.Errorf("outside: %v", got)
	}
	if got, err := os.ReadFile(filepath.Join(box, "mine")); err != nil || string(got) != "mine" {
		t.Errorf("what was there: %q %v", got, err)
	}
}

// Where the file system has no hard links, a name that is taken is not taken either, and
// a process that ended between the rename and its record finds its file.
func TestRenameReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, content := range map[string]string{"part": "new", "taken": "old"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	nothing := func(string) error { return nil }
	if err := rename(root, "part", "taken", nothing); err == nil {
		t.Error("a file was replaced")
	}
	if err := rename(root, "part", "free", func(string) error { return os.WriteFile(filepath.Join(dir, "free"), []byte("theirs"), 0o600) }); err == nil {
		t.Error("a file was replaced that another program wrote meanwhile")
	}
	if err := rename(root, "part", "other", nothing); err != nil {
		t.Error(err)
	}
	if got := files(t, dir); !maps.Equal(got, map[string]string{"taken": "old", "free": "theirs", "other": "new"}) {
		t.Errorf("%v", got)
	}

	c := config(t, dir)
	b := receives(t, open(t, c), api.Coming{}).(*box)
	f, err := b.Begin(api.NewFile{Path: "x", Size: 3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Append(t.Context(), f.ID, strings.NewReader("abc")); err != nil {
		t.Fatal(err)
	}
	if err := b.change(f.ID, func(f *file) { f.Placing = "x" }); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "Box", partName("x", f.ID)), filepath.Join(dir, "Box", "x")); err != nil {
		t.Fatal(err)
	}
	again, err := open(t, c).Box("link")
	if err != nil {
		t.Fatal(err)
	}
	if f, err = again.File(f.ID); err != nil || f.Number != 1 || filepath.Base(f.Stored) != "x" {
		t.Errorf("%+v %v", f, err)
	}
}

// A process that ended between the hard link and its record makes no second file.
func TestALinkIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	c := config(t, dir)
	b := receives(t, open(t, c), api.Coming{})
	f, err := b.Begin(api.NewFile{Path: "x", Size: 3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Append(t.Context(), f.ID, strings.NewReader("abc")); err != nil {
		t.Fatal(err)
	}
	box := filepath.Join(dir, "Box")
	if err := os.Link(filepath.Join(box, partName("x", f.ID)), filepath.Join(box, "x")); err != nil {
		t.Fatal(err)
	}
	s := open(t, c)
	again, err := s.Box("link")
	if err == nil {
		err = again.Finish(f.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := files(t, box); !maps.Equal(got, map[string]string{"x": "abc"}) {
		t.Errorf("%v", got)
	}
	// ... and a part file that is left is removed by the next start.
	if err := os.Link(filepath.Join(box, "x"), filepath.Join(box, partName("x", f.ID))); err != nil {
		t.Fatal(err)
	}
	open(t, c).tidy(t.Context())
	if got := files(t, box); !maps.Equal(got, map[string]string{"x": "abc"}) {
		t.Errorf("%v", got)
	}
}

// Room is reserved when a file begins, and a disk that others fill stops it.
func TestRoom(t *testing.T) {
	dir := t.TempDir()
	free := int64(1000)
	c := config(t, dir, func(c *Config) {
		c.Free, c.MinFree = func(string) int64 { return free }, func() int64 { return 100 }
	})
	s := open(t, c)
	b := receives(t, s, api.Coming{})
	if _, err := b.Begin(api.NewFile{Path: "a", Size: 800}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Begin(api.NewFile{Path: "b", Size: 200}); !errors.Is(err, api.ErrNoRoom) || share.KindOf(err) != share.Disk {
		t.Errorf("%v", err)
	}
	if _, err := s.Create(api.NewComing{Name: "c", Files: 1, Bytes: 200}); !errors.Is(err, api.ErrNoRoom) {
		t.Errorf("%v", err)
	}
	u, err := s.Create(api.NewComing{Name: "c", Files: 1, Bytes: 60})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Begin(api.NewFile{Path: "d", Size: 50}); !errors.Is(err, api.ErrNoRoom) {
		t.Errorf("what was promised to the owner was promised again: %v", err)
	}
	if got := b.Terms().Trouble; !strings.Contains(got, "full") {
		t.Errorf("the owner is told %q", got)
	}
	if err := s.End(u.ID, true); err != nil {
		t.Fatal(err)
	}
	free = 1 << 40
	f, err := b.Begin(api.NewFile{Path: "e", Size: 2 * syncEvery})
	if err != nil {
		t.Fatal(err)
	}
	free = 99
	n, err := b.Append(t.Context(), f.ID, zeros{})
	if n != syncEvery || !errors.Is(err, api.ErrNoRoom) {
		t.Errorf("%d %v", n, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// 500 uploads that were begun and left give way to others, and are cleaned up.
func TestFiveHundredOpenUploads(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	c := config(t, dir, func(c *Config) { c.Now = func() time.Time { return now } })
	s := open(t, c)
	b := receives(t, s, api.Coming{})
	refused := 0
	for i := range 500 {
		f, err := b.Begin(api.NewFile{Path: fmt.Sprint(i), Size: 10})
		if errors.Is(err, api.ErrTooMany) {
			refused++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Append(t.Context(), f.ID, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	if open := b.Terms().Unfinished; open != maxUnfinished || refused != 500-maxUnfinished {
		t.Errorf("%d are open, %d were refused", open, refused)
	}
	now = now.Add(idleTime)
	send(t, b, "honest", "file")
	now = now.Add(receiveLife + time.Second)
	s.Sweep(t.Context())
	if got := files(t, filepath.Join(dir, "Box")); !maps.Equal(got, map[string]string{"honest": "file"}) {
		t.Errorf("%v", slices.Sorted(maps.Keys(got)))
	}
	// What the owner left is kept as far as it has arrived, and nobody waits for it.
	u, err := s.Create(api.NewComing{Name: "Trip", Tree: true, Files: 2, Bytes: 20})
	if err != nil {
		t.Fatal(err)
	}
	box, err := s.Box(u.ID)
	if err != nil {
		t.Fatal(err)
	}
	send(t, box, "a", "a")
	if _, err := box.Begin(api.NewFile{Path: "b", Size: 1}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(uploadLife + time.Second)
	s.Sweep(t.Context())
	if _, err := s.Box(u.ID); !errors.Is(err, api.ErrNotComing) {
		t.Error(err)
	}
	orphans, err := s.Orphans(func(string) bool { return false })
	if err != nil || len(orphans) != 1 || orphans[0].Name != "Trip" || orphans[0].Bytes != 1 || !orphans[0].Folder {
		t.Errorf("%+v %v", orphans, err)
	}
	if err := s.DeleteOrphan("Trip", func(string) bool { return true }); err == nil {
		t.Error("what is shared was deleted")
	}
	if err := s.DeleteOrphan("Trip", func(string) bool { return false }); err != nil {
		t.Error(err)
	}
	if got := files(t, filepath.Join(dir, "Uploads")); len(got) > 0 {
		t.Errorf("%v", got)
	}
}

// Who sends a file anew, after its connection died and nobody here knows it yet, gets it.
func TestTheLatestSenderHolds(t *testing.T) {
	b := receives(t, open(t, config(t, t.TempDir())), api.Coming{})
	f, err := b.Begin(api.NewFile{Path: "x", Size: 4})
	if err != nil {
		t.Fatal(err)
	}
	first, interrupt := context.WithCancel(t.Context())
	release, err := b.Hold(first, f.ID, interrupt)
	if err != nil {
		t.Fatal(err)
	}
	var ended sync.WaitGroup
	ended.Go(func() {
		defer release()
		_, _ = b.Append(first, f.ID, contextReader{first, zeroByZero{first}})
	})
	release2, err := b.Hold(t.Context(), f.ID, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer release2()
	ended.Wait()
	if !b.Terms().Active {
		t.Error("nobody is told that it is being sent")
	}
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Hold(late, f.ID, func() {}); !errors.Is(err, share.ErrBusy) {
		t.Error(err)
	}
}

// zeroByZero sends nothing until it is interrupted.
type zeroByZero struct{ ctx context.Context }

func (z zeroByZero) Read([]byte) (int, error) {
	<-z.ctx.Done()
	return 0, z.ctx.Err()
}

// A form has files of unknown size: they are there completely or not at all.
func TestTake(t *testing.T) {
	dir := t.TempDir()
	c := config(t, dir)
	s := open(t, c)
	b := receives(t, s, api.Coming{MaxSize: 10, MaxFiles: 2})
	if _, err := b.Take(t.Context(), api.NewFile{Path: "big", Size: 100}, strings.NewReader("0123456789a")); !errors.Is(err, api.ErrTooLarge) {
		t.Errorf("%v", err)
	}
	if _, err := b.Take(t.Context(), api.NewFile{Path: "broken", Size: 100}, io.MultiReader(strings.NewReader("0123"), failing{})); err == nil {
		t.Error("a file that broke off was taken")
	}
	if f, err := b.Take(t.Context(), api.NewFile{Path: "ten", Size: 100}, strings.NewReader("0123456789")); err != nil || f.Size != 10 || f.Number != 1 {
		t.Errorf("%+v %v", f, err)
	}
	if f, err := b.Take(t.Context(), api.NewFile{Path: "empty", Size: 100}, strings.NewReader("")); err != nil || f.Size != 0 {
		t.Errorf("%+v %v", f, err)
	}
	if _, err := b.Take(t.Context(), api.NewFile{Path: "third", Size: 0}, strings.NewReader("")); !errors.Is(err, api.ErrTooMany) {
		t.Errorf("%v", err)
	}
	if got := files(t, filepath.Join(dir, "Box")); !maps.Equal(got, map[string]string{"ten": "0123456789", "empty": ""}) {
		t.Errorf("%v", got)
	}
}

// What is in the folder after any history of files that begin, are sent in parts, break
// off, are given up and finish, with restarts in between, is what was there before and the
// complete files; and never more than was allowed.
func TestRandomHistories(t *testing.T) {
	memory := "/dev/shm" // where a sync costs nothing
	if _, err := os.Stat(memory); err != nil {
		memory = t.TempDir()
	}
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(memory, "shoal-uploads-")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "state.db")+"?_pragma=synchronous(OFF)&_pragma=journal_mode(MEMORY)")
		if err != nil {
			rt.Fatal(err)
		}
		defer db.Close()
		c := config(t, t.TempDir(), func(c *Config) { c.DB, c.Into = db, func() string { return dir } })
		const mostBytes, mostFiles = 200, 8
		s := open(t, c)
		b := receives(t, s, api.Coming{MaxSize: mostBytes, MaxFiles: mostFiles})
		box := filepath.Join(dir, "Box")
		if err := os.WriteFile(filepath.Join(box, "a"), []byte("was there"), 0o600); err != nil {
			rt.Fatal(err)
		}
		type sending struct {
			content []byte
			sent    int
		}
		under := map[string]*sending{}
		complete := map[string]int{"was there": 1} // by content
		var taken, count int
		one := func() string {
			ids := slices.Sorted(maps.Keys(under))
			if len(ids) == 0 {
				rt.Skip("nothing is under way")
			}
			return rapid.SampledFrom(ids).Draw(rt, "file")
		}
		rt.Repeat(map[string]func(*rapid.T){
			"begin": func(rt *rapid.T) {
				content := rapid.SliceOfN(rapid.Byte(), 0, 90).Draw(rt, "content")
				f, err := b.Begin(api.NewFile{Path: rapid.SampledFrom([]string{"a", "b", "d/a", "a/x"}).Draw(rt, "path"), Size: int64(len(content))})
				fits := taken+len(content) <= mostBytes && count < mostFiles
				if (err == nil) != fits {
					rt.Fatalf("%d bytes in %d files are taken, %d more: %v", taken, count, len(content), err)
				}
				if err == nil {
					under[f.ID] = &sending{content: content}
					taken, count = taken+len(content), count+1
				}
			},
			"send": func(rt *rapid.T) {
				id := one()
				u := under[id]
				if u.sent == len(u.content) {
					rt.Skip("all was sent")
				}
				n := rapid.IntRange(0, len(u.content)-u.sent).Draw(rt, "bytes")
				var r io.Reader = bytes.NewReader(u.content[u.sent : u.sent+n])
				if rapid.Bool().Draw(rt, "breaks off") {
					r = io.MultiReader(r, failing{})
				} else if n == len(u.content)-u.sent {
					r = io.MultiReader(r, strings.NewReader("and more than was said"))
				}
				got, err := b.Append(t.Context(), id, r)
				if err != nil || got != int64(n) {
					rt.Fatalf("%d of %d: %v", got, n, err)
				}
				u.sent += n
			},
			"finish": func(rt *rapid.T) {
				id := one()
				u := under[id]
				err := b.Finish(id)
				if (err == nil) != (u.sent == len(u.content)) {
					rt.Fatalf("%d of %d are there: %v", u.sent, len(u.content), err)
				}
				if err == nil {
					complete[string(u.content)]++
					delete(under, id)
				}
			},
			"give up": func(rt *rapid.T) {
				id := one()
				if err := b.Discard(id); err != nil {
					rt.Fatal(err)
				}
				taken, count = taken-len(under[id].content), count-1
				delete(under, id)
			},
			"restart": func(rt *rapid.T) {
				s = open(t, c)
				s.tidy(t.Context())
				var err error
				if b, err = s.Box("link"); err != nil {
					rt.Fatal(err)
				}
				for id, u := range under {
					f, err := b.File(id)
					if err != nil || f.Sent != int64(u.sent) {
						rt.Fatalf("%d were sent: %+v %v", u.sent, f, err)
					}
				}
			},
			"": func(rt *rapid.T) {
				there := map[string]int{}
				parts := 0
				for name, content := range files(t, box) {
					if strings.HasSuffix(name, ".part") {
						parts++
						continue
					}
					there[content]++
				}
				if !maps.Equal(there, complete) {
					rt.Fatalf("there are %v, and %v arrived", there, complete)
				}
				terms := b.Terms()
				if terms.Sent > mostBytes || terms.Arrived+terms.Unfinished > mostFiles || parts > terms.Unfinished || terms.Unfinished != len(under) {
					rt.Fatalf("%+v with %d part files and %d under way", terms, parts, len(under))
				}
			},
		})
	})
}
