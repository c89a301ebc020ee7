//go:build !noweb

package webui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/webui/api"
)

var update = flag.Bool("update", false, "write app/openapi.json anew")

const rebuild = "run: cd webui/app && npm ci && npm run build"

// The built page is committed, so that building the binary needs no Node.js. It must be
// built from the sources beside it.
func TestDistIsOfTheseSources(t *testing.T) {
	sources := []string{"package.json", "package-lock.json", "index.html", "vite.config.ts", "tsconfig.json"}
	for _, folder := range []string{"public", "src"} {
		err := filepath.WalkDir(filepath.Join("app", folder), func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				sources = append(sources, strings.TrimPrefix(filepath.ToSlash(name), "app/"))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(sources)
	all := sha256.New()
	for _, s := range sources {
		b, err := os.ReadFile(filepath.Join("app", filepath.FromSlash(s)))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(all, "%s\x00%x\n", s, sha256.Sum256(b))
	}
	built, err := fs.ReadFile(Page(), ".inputs")
	if err != nil {
		t.Fatal(err)
	}
	if want := hex.EncodeToString(all.Sum(nil)); strings.TrimSpace(string(built)) != want {
		t.Errorf("webui/dist was built of other sources; %s", rebuild)
	}
}

// The first load is under 70 kB, and all of our own code under 160 kB, compressed as it is served.
func TestDistKeepsItsBudget(t *testing.T) {
	libraries := map[string]bool{"plot.js": true, "qrcode.js": true, "qrread.js": true} // charts and QR codes
	sizes := make(map[string]int)
	all := 0
	err := fs.WalkDir(Page(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		if strings.HasSuffix(name, ".map") {
			t.Errorf("%s is a source map", name)
		}
		b, err := fs.ReadFile(Page(), name)
		if err != nil {
			return err
		}
		var z bytes.Buffer
		w, _ := gzip.NewWriterLevel(&z, gzip.BestCompression)
		_, err = w.Write(b)
		if err = errors.Join(err, w.Close()); err != nil {
			return err
		}
		sizes[name] = z.Len()
		if !libraries[name] {
			all += z.Len()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	loaded := firstLoad(t)
	first := 0
	for name := range loaded {
		first += sizes[name]
	}
	for _, name := range []string{"index.html", "app.js", "app.css"} {
		if !loaded[name] {
			t.Errorf("%s is not part of the first load: %v", name, loaded)
		}
	}
	if first >= 70_000 || all >= 160_000 {
		t.Errorf("first load %d, all %d bytes", first, all)
	}
}

// What a page or script needs before it can run: what a page refers to, and what a script imports at its head.
var needs = map[string]*regexp.Regexp{
	".html": regexp.MustCompile(`(?:src|href)="/([^"]+)"`),
	".js":   regexp.MustCompile(`(?:from|import)\s*["']\./([^"']+)["']`),
}

// firstLoad is what a browser fetches before it shows the page.
func firstLoad(t *testing.T) map[string]bool {
	loaded := make(map[string]bool)
	var load func(name string)
	load = func(name string) {
		if loaded[name] {
			return
		}
		loaded[name] = true
		b, err := fs.ReadFile(Page(), name)
		if err != nil {
			t.Fatal(err)
		}
		if refers := needs[path.Ext(name)]; refers != nil {
			for _, m := range refers.FindAllStringSubmatch(string(b), -1) {
				load(m[1])
			}
		}
	}
	load("index.html")
	return loaded
}

// The page's types are generated from this document.
func TestOpenAPIIsWhatTheNodeServes(t *testing.T) {
	a, err := api.New(api.Config{Version: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := json.Indent(&want, a.Spec(), "", " "); err != nil {
		t.Fatal(err)
	}
	want.WriteByte('\n')
	name := filepath.Join("app", "openapi.json")
	if *update {
		if err := os.WriteFile(name, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("app/openapi.json does not match the API; run: go test ./webui -run OpenAPI -update && cd webui/app && npm run types && npm run build")
	}
}

// The installed page: what lets the browser keep it is served as what it is.
func TestThePageCanBeInstalled(t *testing.T) {
	f := start(t, func(c *Config) { c.Page = Page() })
	for path, want := range map[string]string{
		"/manifest.webmanifest": "application/manifest+json",
		"/sw.js":                "text/javascript; charset=utf-8",
		"/apple-touch-icon.png": "image/png",
	} {
		res := f.do(t, request{"GET", path, "", nil})
		if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != want || res.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %s, %q, %q", path, res.Status, got, res.Header.Get("Cache-Control"))
		}
	}
	for _, needs := range []string{"worker-src 'self'", "manifest-src 'self'", "trusted-types shoal-worker", "script-src 'self';"} {
		if !strings.Contains(policy, needs) {
			t.Errorf("the policy has no %q", needs)
		}
	}
}
