package metainfo

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shoalnet/shoal/share"
)

// random gives n bytes that depend on the seed only.
func random(n int, seed uint64) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	b := make([]byte, n)
	rand.NewChaCha8(key).Read(b)
	return b
}

// plant makes files below a new folder; a name that ends in a slash is an
// empty folder.
func plant(t testing.TB, files map[string][]byte) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "shared")
	for name, data := range files {
		full := filepath.Join(root, filepath.FromSlash(name))
		dir := filepath.Dir(full)
		if strings.HasSuffix(name, "/") {
			dir = full
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if dir == full {
			continue
		}
		if err := os.WriteFile(full, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func mustMake(t testing.TB, path string, o MakeOptions) *Made {
	t.Helper()
	made, err := Make(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	checkSound(t, made.Info)
	checkEncode(t, made.Torrent)
	if len(made.Files) != len(made.Info.Files) {
		t.Fatalf("%d sources for %d files", len(made.Files), len(made.Info.Files))
	}
	checkHashes(t, made)
	return made
}

// checkHashes hashes the sources again, piece by piece, the simple way.
func checkHashes(t testing.TB, made *Made) {
	t.Helper()
	var content bytes.Buffer
	for i, s := range made.Files {
		if s.Path == "" {
			content.Write(make([]byte, made.Info.Files[i].Length))
			continue
		}
		data, err := os.ReadFile(s.Path)
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(data)) != s.Size || s.Size != made.Info.Files[i].Length {
			t.Errorf("%s has %d bytes, the source says %d, the torrent %d", s.Path, len(data), s.Size, made.Info.Files[i].Length)
		}
		content.Write(data)
	}
	for i := range made.Info.NumPieces {
		if sha1.Sum(content.Next(int(made.Info.PieceLength))) != made.Info.PieceHash(i) {
			t.Errorf("piece %d is hashed wrong", i)
		}
	}
}

func TestMakeFolder(t *testing.T) {
	longest := strings.Repeat("n", 255)
	root := plant(t, map[string][]byte{
		"b":                     random(100_000, 1),
		"a/x":                   []byte("x"),
		"a.b":                   []byte("after a/x, for the order goes by elements"),
		"a/empty":               nil,
		"two words 🐟.txt":       random(5, 2),
		longest:                 random(6, 3),
		"hollow/deep/":          nil,
		"hollow/deeper/hollow/": nil,
		"zzz":                   nil,
	})
	if err := os.Chmod(filepath.Join(root, "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	made := mustMake(t, root, MakeOptions{})
	var names []string
	for i, f := range made.Info.Files {
		names = append(names, strings.Join(f.Path, "/"))
		isMark := f.Pad && f.Length == 0
		if isMark != (made.Files[i].Path == "") {
			t.Errorf("%v has source %q", f.Path, made.Files[i].Path)
		}
		if wantExec := runtime.GOOS != "windows" && f.Path[0] == "b"; f.Exec != wantExec {
			t.Errorf("%v executable: %v", f.Path, f.Exec)
		}
	}
	want := []string{"a/empty", "a/x", "a.b", "b", "hollow/deep/.pad/0", "hollow/deeper/hollow/.pad/0", longest, "two words 🐟.txt", "zzz"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"hollow", "deep"}, {"hollow", "deeper", "hollow"}}, made.Info.Folders); diff != "" {
		t.Errorf("empty folders: want -, got +:\n%s", diff)
	}
	if made.Info.Name != "shared" || !made.Info.Multi || made.Info.Private || made.LeftOut != nil {
		t.Errorf("got %+v", made.Info)
	}
	info, err := os.Stat(filepath.Join(root, "b"))
	if err != nil {
		t.Fatal(err)
	}
	if s := made.Files[3]; s.Path != filepath.Join(root, "b") || !s.ModTime.Equal(info.ModTime()) {
		t.Errorf("got source %+v", s)
	}
	if again := mustMake(t, root, MakeOptions{Workers: 1}); again.Info.ID != made.Info.ID {
		t.Error("the same folder makes another ID")
	}
}

func TestMakeFile(t *testing.T) {
	root := plant(t, map[string][]byte{"one.bin": random(40_000, 1)})
	path := filepath.Join(root, "one.bin")
	made := mustMake(t, path, MakeOptions{})
	if made.Info.Multi || made.Info.Name != "one.bin" || made.Info.NumPieces != 3 || made.Files[0].Path != path {
		t.Errorf("got %+v from %+v", made.Info, made.Files)
	}
	made = mustMake(t, path, MakeOptions{Name: "other", Private: true, PieceLength: 1 << 20})
	if made.Info.Name != "other" || !made.Info.Private || made.Info.PieceLength != 1<<20 {
		t.Errorf("got %+v", made.Info)
	}
}

// Pieces smaller and larger than what is read at once, more and fewer runs than
// there are workers, and ends that fall together and do not.
func TestMakeSizes(t *testing.T) {
	for _, size := range []int{1, 16 << 10, 16<<10 + 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, runBytes + chunkBytes, 3*runBytes + 7} {
		root := plant(t, map[string][]byte{"a": random(size/3, 1), "b": nil, "c": random(size-size/3, 2), "d": nil})
		for _, pieceLength := range []int64{16 << 10, 512 << 10, 2 << 20, 8 << 20} {
			for _, workers := range []int{1, 2, 7} {
				made := mustMake(t, root, MakeOptions{PieceLength: pieceLength, Workers: workers})
				if made.Info.Total != int64(size) {
					t.Errorf("%d bytes became %d", size, made.Info.Total)
				}
			}
		}
	}
}

// Pieces larger than a worker holds are hashed while they are read.
func TestMakeHugePieces(t *testing.T) {
	root := plant(t, map[string][]byte{"a": random(heldBytes+1, 1), "b": random(heldBytes+chunkBytes, 2)})
	made := mustMake(t, root, MakeOptions{PieceLength: 2 * heldBytes, Workers: 3})
	if made.Info.NumPieces != 2 {
		t.Errorf("%d pieces", made.Info.NumPieces)
	}
}

func TestMakePieceLength(t *testing.T) {
	for _, tt := range []struct{ total, want int64 }{
		{1, 16 << 10},
		{32_768_000, 16 << 10},
		{32_768_001, 32 << 10},
		{1 << 30, 1 << 20},
		{10 << 30, 8 << 20},
		{32 << 30, 16 << 20},
		{3 << 40, 16 << 20},
		{4 << 40, 32 << 20}, // the hashes would not fit into what peers exchange
		{20 << 40, 128 << 20},
	} {
		m := maker{name: "n", multi: true, entries: []entry{{path: []string{"a"}, file: "a", info: sized(tt.total)}}}
		if err := m.plan("n"); err != nil || m.pieceLength != tt.want {
			t.Errorf("%d bytes make pieces of %d, want %d; %v", tt.total, m.pieceLength, tt.want, err)
		}
	}
	m := maker{name: "n", entries: []entry{{file: "a", info: sized(60 << 40)}}}
	if err := m.plan("n"); share.KindOf(err) != share.Usage {
		t.Errorf("60 TiB: %v", err)
	}
	for _, bad := range []int64{-1, 1, 8 << 10, 16<<10 + 1, 48 << 10, 512 << 20} {
		if _, err := Make(context.Background(), t.TempDir(), MakeOptions{PieceLength: bad}); share.KindOf(err) != share.Usage {
			t.Errorf("piece length %d: %v", bad, err)
		}
	}
}

// sized is a file of that many bytes.
type sized int64

func (s sized) Name() string       { return "" }
func (s sized) Size() int64        { return int64(s) }
func (s sized) Mode() fs.FileMode  { return 0o644 }
func (s sized) ModTime() time.Time { return time.Time{} }
func (s sized) IsDir() bool        { return false }
func (s sized) Sys() any           { return nil }

func TestMakeTooManyFiles(t *testing.T) {
	m := maker{name: "n", multi: true}
	for range 50_000 {
		m.entries = append(m.entries, entry{path: []string{strings.Repeat("n", 80)}, file: "a", info: sized(1)})
	}
	if err := m.plan("n"); share.KindOf(err) != share.Usage || !strings.Contains(err.Error(), "peers exchange") {
		t.Errorf("got %v", err)
	}
}

func TestMakeProgress(t *testing.T) {
	root := plant(t, map[string][]byte{"a": random(5*chunkBytes+1, 1), "b": nil})
	var last, calls int64
	mustMake(t, root, MakeOptions{Progress: func(done, total int64) {
		if done <= last || total != 5*chunkBytes+1 || done > last+chunkBytes {
			t.Errorf("%d and then %d of %d", last, done, total)
		}
		last = done
		calls++
	}})
	if last != 5*chunkBytes+1 || calls != 6 {
		t.Errorf("%d calls, the last with %d", calls, last)
	}
}

func TestMakeCancelled(t *testing.T) {
	root := plant(t, map[string][]byte{"a": random(20*chunkBytes, 1)})
	ctx, cancel := context.WithCancel(context.Background())
	var done int64
	_, err := Make(ctx, root, MakeOptions{Progress: func(n, _ int64) {
		done = n
		cancel()
	}})
	if share.KindOf(err) != share.Interrupted || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if done != chunkBytes {
		t.Errorf("went on for %d bytes", done)
	}
	if _, err := Make(ctx, root, MakeOptions{}); share.KindOf(err) != share.Interrupted {
		t.Errorf("cancelled from the start: %v", err)
	}
}

// A file that changes while it, or what is before it, is hashed.
func TestMakeChanged(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"grows":    func(p string) error { return os.WriteFile(p, random(3*chunkBytes, 9), 0o644) },
		"shrinks":  func(p string) error { return os.Truncate(p, chunkBytes/2) },
		"is newer": func(p string) error { return os.Chtimes(p, time.Now(), time.Now().Add(time.Hour)) },
		"goes":     os.Remove,
		"is another": func(p string) error {
			info, err := os.Stat(p)
			if err == nil {
				err = os.Rename(p, p+".old")
			}
			if err == nil {
				err = os.WriteFile(p, random(2*chunkBytes, 9), 0o644)
			}
			if err == nil {
				err = os.Chtimes(p, info.ModTime(), info.ModTime())
			}
			return err
		},
		"is a folder": func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o755)) },
	} {
		t.Run(name, func(t *testing.T) {
			root := plant(t, map[string][]byte{"1": random(2*chunkBytes, 1), "2": random(2*chunkBytes, 2)})
			victim := filepath.Join(root, "2")
			var once atomic.Bool
			_, err := Make(context.Background(), root, MakeOptions{Progress: func(done, total int64) {
				if once.CompareAndSwap(false, true) {
					if err := change(victim); err != nil {
						t.Error(err)
					}
				}
			}})
			if share.KindOf(err) != share.Disk || !strings.Contains(err.Error(), victim) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestMakeChangedWhileRead(t *testing.T) {
	root := plant(t, map[string][]byte{"1": random(4*chunkBytes, 1)})
	victim := filepath.Join(root, "1")
	_, err := Make(context.Background(), root, MakeOptions{Progress: func(done, total int64) {
		if done == chunkBytes {
			if err := os.Truncate(victim, 2*chunkBytes); err != nil {
				t.Error(err)
			}
		}
	}})
	if share.KindOf(err) != share.Disk || !strings.Contains(err.Error(), victim) {
		t.Errorf("got %v", err)
	}
}

func TestMakeRefuses(t *testing.T) {
	hollow := plant(t, map[string][]byte{"a/": nil, "b": nil})
	full := plant(t, map[string][]byte{"a": []byte("x")})
	padding := plant(t, map[string][]byte{"_____padding_file_0": []byte("x")})
	for _, tt := range []struct {
		about, path, name string
		kind              share.Kind
	}{
		{"nothing there", filepath.Join(full, "nothing"), "", share.Disk},
		{"no data", hollow, "", share.Usage},
		{"an empty file", filepath.Join(hollow, "b"), "", share.Usage},
		{"taken for padding", padding, "", share.Usage},
		{"a name with a slash", full, "a/b", share.Usage},
		{"a name of dots", full, "..", share.Usage},
		{"a name not in UTF-8", full, "a\xff", share.Usage},
		{"a name too long", full, strings.Repeat("n", 256), share.Usage},
	} {
		if _, err := Make(context.Background(), tt.path, MakeOptions{Name: tt.name}); share.KindOf(err) != tt.kind {
			t.Errorf("%s: got %v", tt.about, err)
		}
	}
}

func TestMakeExclude(t *testing.T) {
	root := plant(t, map[string][]byte{
		"a.txt": []byte("a"), ".env": []byte("h"), "b.tmp": []byte("b"), "d/c.tmp": []byte("c"), "d/e.txt": []byte("e"),
		".git/config": []byte("g"), "d/.git/config": []byte("g"), "x/y/cache/1": []byte("1"), "x/2": []byte("2"),
	})
	for _, tt := range []struct {
		exclude []string
		want    string
		hidden  int
	}{
		{nil, ".env .git/config a.txt b.tmp d/.git/config d/c.tmp d/e.txt x/2 x/y/cache/1", 3},
		{[]string{"*.tmp", ".git"}, ".env a.txt d/e.txt x/2 x/y/cache/1", 1},
		{[]string{"d/", "./x/**/cache", ".*"}, "a.txt b.tmp x/2 x/y/.pad/0", 0},
		{[]string{"x/**", "**/*.txt"}, ".env .git/config b.tmp d/.git/config d/c.tmp x/.pad/0", 3},
	} {
		o := MakeOptions{Exclude: tt.exclude}
		made := mustMake(t, root, o)
		var got []string
		for _, f := range made.Info.Files {
			got = append(got, strings.Join(f.Path, "/"))
		}
		if s := strings.Join(got, " "); s != tt.want || made.Hidden != tt.hidden || made.LeftOut != nil {
			t.Errorf("without %q: %s, %d hidden, left out %v", tt.exclude, s, made.Hidden, made.LeftOut)
		}
		if _, err := Same(t.Context(), root, o, made.Torrent); err != nil {
			t.Error(err)
		}
	}
	for _, tt := range []struct {
		path    string
		exclude []string
		message string
	}{
		{root, []string{"*.txt", "*.jpg"}, "nothing in it matches the excluded pattern *.jpg"},
		{root, []string{"["}, "file pattern"},
		{root, []string{"*"}, "no data besides what is excluded"},
		{filepath.Join(root, "a.txt"), []string{"a.txt"}, "nothing in it matches the excluded pattern a.txt"},
	} {
		if _, err := Make(t.Context(), tt.path, MakeOptions{Exclude: tt.exclude}); share.KindOf(err) != share.Usage || !strings.Contains(err.Error(), tt.message) {
			t.Errorf("without %q: %v", tt.exclude, err)
		}
	}
}

// The guard is asked about all that is shared, and about nothing that is excluded.
func TestMakeGuard(t *testing.T) {
	root := plant(t, map[string][]byte{"a": []byte("a"), "d/b": []byte("b"), "secret/c": []byte("c")})
	var asked []string
	o := MakeOptions{Guard: func(path string, info fs.FileInfo) error {
		rel, err := filepath.Rel(resolved(root), path)
		if err != nil {
			t.Error(err)
		}
		asked = append(asked, filepath.ToSlash(rel))
		if info.Name() == "secret" {
			return errors.New("it is secret")
		}
		return nil
	}}
	if _, err := Make(t.Context(), root, o); share.KindOf(err) != share.Usage || !strings.Contains(err.Error(), "secret: it is secret") {
		t.Errorf("got %v", err)
	}
	asked, o.Exclude = nil, []string{"secret"}
	mustMake(t, root, o)
	if want := []string{".", "a", "d", "d/b"}; !slices.Equal(asked, want) {
		t.Errorf("asked about %q", asked)
	}
}

func TestMakeDeepFolder(t *testing.T) {
	elements := slices.Repeat([]string{"d"}, maxPathDepth-1)
	deepest := strings.Join(elements, "/")
	mustMake(t, plant(t, map[string][]byte{deepest + "/a": []byte("x")}), MakeOptions{})
	for _, below := range []string{"/d/a", "/d/d/d/a"} {
		root := plant(t, map[string][]byte{deepest + below: []byte("x")})
		if _, err := Make(context.Background(), root, MakeOptions{}); share.KindOf(err) != share.Usage {
			t.Errorf("%s: got %v", below, err)
		}
	}
}

// What is at a path is the torrent's only as long as nothing of it changed.
func TestSame(t *testing.T) {
	files := map[string][]byte{"a": random(40_000, 1), "b/c": []byte("x"), "hollow/": nil}
	root := plant(t, files)
	made := mustMake(t, root, MakeOptions{})
	if got, err := Same(t.Context(), root, MakeOptions{}, made.Torrent); err != nil || got.Info != made.Info || got.Files != nil {
		t.Errorf("unchanged: %+v, %v", got, err)
	}
	single := filepath.Join(root, "a")
	one := mustMake(t, single, MakeOptions{Name: "another name"})
	if _, err := Same(t.Context(), single, MakeOptions{}, one.Torrent); err != nil {
		t.Errorf("a single file: %v", err)
	}
	for about, change := range map[string]func() (path string, o MakeOptions, err error){
		"a file instead of a folder": func() (string, MakeOptions, error) { return single, MakeOptions{}, nil },
		"private":                    func() (string, MakeOptions, error) { return root, MakeOptions{Private: true}, nil },
		"a file excluded":            func() (string, MakeOptions, error) { return root, MakeOptions{Exclude: []string{"c"}}, nil },
		"another length": func() (string, MakeOptions, error) {
			other := plant(t, files)
			return other, MakeOptions{}, os.WriteFile(filepath.Join(other, "a"), random(40_001, 1), 0o644)
		},
		"another name": func() (string, MakeOptions, error) {
			other := plant(t, files)
			return other, MakeOptions{}, os.Rename(filepath.Join(other, "a"), filepath.Join(other, "A"))
		},
	} {
		path, o, err := change()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Same(t.Context(), path, o, made.Torrent); share.KindOf(err) != share.Failed {
			t.Errorf("%s: got %v", about, err)
		}
	}
	if _, err := Same(t.Context(), filepath.Join(root, "nothing"), MakeOptions{}, made.Torrent); share.KindOf(err) != share.Disk {
		t.Errorf("nothing there: got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Same(ctx, root, MakeOptions{}, made.Torrent); share.KindOf(err) != share.Interrupted {
		t.Errorf("cancelled: got %v", err)
	}
}
