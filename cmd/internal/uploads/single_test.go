package uploads

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func TestReceive(t *testing.T) {
	dir := t.TempDir()
	minFree := int64(0)
	s, err := Open(config(t, dir, func(c *Config) { c.MinFree = func() int64 { return minFree } }))
	if err != nil {
		t.Fatal(err)
	}
	put := func(u api.Upload, content string) (api.Uploaded, error) {
		return s.Upload(t.Context(), u, int64(len(content)), strings.NewReader(content))
	}
	first, err := put(api.Upload{Name: "a.txt"}, "one")
	if err != nil || first.Path != filepath.Join(dir, "Uploads", "a.txt") || first.Root != first.Path || first.Bytes != 3 {
		t.Fatalf("%+v %v", first, err)
	}
	second, err := put(api.Upload{Name: "a.txt"}, "two")
	if err != nil || filepath.Base(second.Path) != "a (2).txt" {
		t.Errorf("%+v %v", second, err)
	}
	in, err := put(api.Upload{Name: "x", Folder: "Trip"}, "x")
	if err != nil || in.Folder != "Trip" || in.Root != filepath.Join(dir, "Uploads", "Trip") {
		t.Errorf("%+v %v", in, err)
	}
	in, err = put(api.Upload{Name: "y", Folder: "Trip", Join: true}, "y")
	if err != nil || in.Path != filepath.Join(dir, "Uploads", "Trip", "y") {
		t.Errorf("%+v %v", in, err)
	}
	in, err = put(api.Upload{Name: "x", Folder: "Trip"}, "another")
	if err != nil || in.Folder != "Trip (2)" {
		t.Errorf("%+v %v", in, err)
	}
	in, err = put(api.Upload{Name: "z", Folder: "Trip (2)/deep/er", Join: true}, "z")
	if err != nil || in.Folder != "Trip (2)" || in.Path != filepath.Join(dir, "Uploads", "Trip (2)", "deep", "er", "z") || filepath.Base(in.Root) != "Trip (2)" {
		t.Errorf("%+v %v", in, err)
	}

	outside := filepath.Join(dir, "outside")
	if err := os.Mkdir(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "Uploads", "trap")); err != nil {
		t.Fatal(err)
	}
	for _, u := range []api.Upload{
		{Name: ""}, {Name: "."}, {Name: ".."}, {Name: "../x"}, {Name: "/etc/passwd"}, {Name: "a\\b"}, {Name: "a\x00"}, {Name: strings.Repeat("x", 300)},
		{Name: "x", Folder: ".."}, {Name: "x", Folder: "a/../b"}, {Name: "x", Folder: "/a"}, {Name: "x", Folder: strings.Repeat("a/", 50) + "a"}, {Name: "x", Folder: "none", Join: true}, {Name: "x", Join: true},
		{Name: "x", Folder: "trap", Join: true},
	} {
		if got, err := put(u, "x"); share.KindOf(err) != share.Usage {
			t.Errorf("%+v: %+v %v", u, got, err)
		}
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("written outside: %v %v", entries, err)
	}
	// What breaks off or does not fit leaves nothing.
	before := tree(t, dir)
	broken := io.MultiReader(strings.NewReader("some"), failing{})
	if _, err := s.Upload(t.Context(), api.Upload{Name: "broken"}, 100, broken); share.KindOf(err) != share.Interrupted {
		t.Errorf("broken off: %v", err)
	}
	broken = io.MultiReader(strings.NewReader("some"), failing{})
	if _, err := s.Upload(t.Context(), api.Upload{Name: "broken", Folder: "New/deep"}, 100, broken); share.KindOf(err) != share.Interrupted {
		t.Errorf("broken off in a new folder: %v", err)
	}
	broken = io.MultiReader(strings.NewReader("some"), failing{})
	if _, err := s.Upload(t.Context(), api.Upload{Name: "broken", Folder: "Trip", Join: true}, 100, broken); share.KindOf(err) != share.Interrupted {
		t.Errorf("broken off in a folder of before: %v", err)
	}
	if _, err := s.Upload(t.Context(), api.Upload{Name: "huge"}, 1<<60, strings.NewReader("x")); share.KindOf(err) != share.Disk {
		t.Errorf("too large: %v", err)
	}
	minFree = 1 << 60
	if _, err := s.Upload(t.Context(), api.Upload{Name: "no room"}, -1, strings.NewReader("x")); share.KindOf(err) != share.Disk {
		t.Errorf("no room: %v", err)
	}
	if after := tree(t, dir); after != before {
		t.Errorf("left behind:\n%s", after)
	}
}

// tree is the names of all that is below dir.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		out = append(out, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the line is dead") }
