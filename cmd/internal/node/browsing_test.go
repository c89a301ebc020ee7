package node

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/config"
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
	s := &intake{config: config.NewLive(&config.Config{}).Current}
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

// request sends a request to a node's API like a browser.
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

// Settings can be changed while running and are kept across restarts. Those that a flag, a
// variable or the file sets cannot be changed.
func TestSettingsAreKept(t *testing.T) {
	state := stateDir(t)
	fixed := map[string][]string{"min-free": {"1MiB"}}
	setting := func(n *Node, name string) api.Setting {
		t.Helper()
		for _, s := range n.settings.Settings() {
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
			`{"min-free":"2MiB"}`, `{"state":"/tmp"}`, `{"web":"[::1]:0"}`, `{"nothing":"1"}`, `{"seed":"perhaps"}`, `{"seed":"1d","up":"fast"}`,
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
