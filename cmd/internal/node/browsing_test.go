package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func TestFolders(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"b", "A", ".hidden"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "0.txt"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := &served{&Node{config: &Config{}}}
	f, err := s.Folder(dir + "/./b/..")
	if err != nil || f.Path != dir || f.Parent != filepath.Dir(dir) || len(f.Entries) != 3 {
		t.Fatalf("%+v %v", f, err)
	}
	if got := f.Entries; got[0].Name != "A" || !got[0].Folder || got[1].Name != "b" || got[2] != (api.FolderEntry{Name: "0.txt", Size: 5}) {
		t.Errorf("%+v", got)
	}
	for path, kind := range map[string]share.Kind{"relative": share.Usage, filepath.Join(dir, "none"): share.Usage, filepath.Join(dir, "0.txt"): share.Disk} {
		if _, err := s.Folder(path); share.KindOf(err) != kind {
			t.Errorf("%s: %v", path, err)
		}
	}
	if f, err := s.Folder("/"); err != nil || f.Parent != "" {
		t.Errorf("%+v %v", f, err)
	}
}

func TestUploads(t *testing.T) {
	dir := t.TempDir()
	s := &served{&Node{config: &Config{Downloads: dir}}}
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
	s.n.config = &Config{Downloads: dir, MinFree: 1 << 60}
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

// request asks a node's API as a browser would.
func request(t *testing.T, n *Node, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(testContext(t), method, "http://node/api/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return n.memory.Dial(ctx) }}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := io.Copy(&b, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b.String()
}

// Settings are changed while running, kept over a restart, and left alone where
// a flag, a variable or the file says what they are.
func TestSettingsAreKept(t *testing.T) {
	state := stateDir(t)
	fixed := map[string][]string{"min-free": {"1MiB"}}
	setting := func(n *Node, name string) api.Setting {
		t.Helper()
		for _, s := range (&served{n}).Settings() {
			if s.Name == name {
				return s
			}
		}
		t.Fatalf("there is no setting %s", name)
		return api.Setting{}
	}
	t.Run("change", func(t *testing.T) {
		n := startDaemon(t, options(t, state, fixed))
		if s := setting(n, "seed"); !s.Writable || s.Source != api.SourceDefault {
			t.Errorf("%+v", s)
		}
		status, body := request(t, n, "PATCH", "/config", `{"seed":"7d,ratio:2","up":"500K","schedule":"mon-fri 08:00-18:00 up=1M; sat down=5M"}`)
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		for _, refused := range []string{
			`{"min-free":"2MiB"}`, `{"state":"/tmp"}`, `{"utp":"true"}`, `{"nothing":"1"}`, `{"seed":"perhaps"}`, `{"seed":"1d","up":"fast"}`,
		} {
			if status, body := request(t, n, "PATCH", "/config", refused); status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", refused, status, body)
			}
		}
		if s := setting(n, "min-free"); s.Writable || s.Where != "--min-free" {
			t.Errorf("fixed by a flag: %+v", s)
		}
		if c := n.current(); c.Seed.Ratio != 2 || len(c.Schedule) != 2 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("restart", func(t *testing.T) {
		n := startDaemon(t, options(t, state, fixed))
		if s := setting(n, "seed"); s.Value != "7d,ratio:2" || s.Source != api.SourceSaved || !s.Writable {
			t.Errorf("%+v", s)
		}
		if s := setting(n, "up"); s.Value != "500KB" || s.Source != api.SourceSaved {
			t.Errorf("%+v", s)
		}
		// Reading the configuration again does not lose it.
		if later := n.Reload(options(t, state, fixed).Config); len(later) > 0 {
			t.Errorf("a restart is needed for %v", later)
		}
		if s := setting(n, "seed"); s.Value != "7d,ratio:2" {
			t.Errorf("after a reload: %+v", s)
		}
		if status, body := request(t, n, "DELETE", "/config/seed", ""); status != http.StatusNoContent {
			t.Errorf("%d %s", status, body)
		}
		if s := setting(n, "seed"); s.Value != "forever" || s.Source != api.SourceDefault {
			t.Errorf("forgotten: %+v", s)
		}
	})
	t.Run("flag", func(t *testing.T) {
		n := startDaemon(t, options(t, state, map[string][]string{"schedule": {"daily up=1"}}))
		if s := setting(n, "schedule"); s.Value != "daily up=1" || s.Source != api.SourceFlag || s.Writable {
			t.Errorf("%+v", s)
		}
	})
}
