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
	"os"
	"path"
	"path/filepath"
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

// The first load is under 60 kB and everything under 100 kB, compressed as it is served.
func TestDistKeepsItsBudget(t *testing.T) {
	lazy := map[string]bool{"plot.js": true, "qrcode.js": true, "qrread.js": true}
	first, all := 0, 0
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
		all += z.Len()
		if !lazy[name] {
			first += z.Len()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if first == 0 || first >= 60_000 || all >= 100_000 {
		t.Errorf("first load %d, all %d bytes", first, all)
	}
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
		t.Error("app/openapi.json is of another API; run: go test ./webui -run OpenAPI -update && cd webui/app && npm run types && npm run build")
	}
}
