package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/doc"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/shoalnet/shoal"

// allowed is the whole list of arrows between our packages: what stands on the
// left may import what stands on the right and nothing else of ours. A package
// below X/internal counts as X.
var allowed = map[string][]string{
	"share":                {},
	"share/bencode":        {},
	"share/schedule":       {},
	"share/merkle":         {},
	"share/metainfo":       {"share", "share/bencode", "share/merkle"},
	"share/reach":          {"share"},
	"share/reach/nat":      {"share", "share/reach"},
	"share/seal":           {"share"},
	"share/storage":        {"share", "share/merkle", "share/metainfo", "share/seal"},
	"share/utp":            {},
	"share/engine":         {"share", "share/bencode", "share/merkle", "share/metainfo", "share/schedule", "share/seal", "share/storage", "share/utp"},
	"index":                {"share"},
	"index/dht":            {"share", "share/bencode", "share/schedule", "index"},
	"index/lan":            {"share", "share/schedule", "index"},
	"index/channel":        {"share", "share/bencode", "index"},
	"index/catalog":        {"share", "index"},
	"webui/api":            {"share", "index"},
	"webui/door":           {"share", "index", "webui/api"},
	"webui":                {"share", "index", "webui/api"},
	"cmd/shoal":            {"share", "index", "webui/api", "cmd/internal/config", "cmd/internal/imports", "cmd/internal/node"},
	"cmd/container":        {},
	"cmd/e2e":              {"share"},
	"cmd/bench":            {"cmd/internal/lab", "cmd/internal/wan"},
	"cmd/internal/wan":     {},
	"cmd/internal/lab":     {},
	"cmd/internal/house":   {},
	"cmd/internal/certs":   {"share"},
	"cmd/internal/config":  {"share", "index", "webui/api"},
	"cmd/internal/history": {"share", "index", "webui/api"},
	"cmd/internal/imports": {"share", "share/bencode", "share/metainfo"},
	"cmd/internal/policy":  {"share", "index", "webui/api"},
	"cmd/internal/uploads": {"share", "index", "webui/api"},
	"cmd/internal/watch":   {"share", "index", "webui/api"},
	"cmd/internal/node": {
		"cmd/internal/certs", "cmd/internal/config", "cmd/internal/history", "cmd/internal/policy", "cmd/internal/uploads", "cmd/internal/watch",
		"share", "share/metainfo", "share/reach", "share/reach/nat", "share/storage", "share/engine",
		"index", "index/dht", "index/lan", "index/channel", "index/catalog",
		"webui/api", "webui/door", "webui",
	},
}

// forTests is what any test may import beyond that: the lab.
var forTests = []string{"cmd/internal/lab"}

type pkg struct {
	Dir            string
	ImportPath     string
	Module         *struct{ Path, Dir string }
	GoFiles        []string
	CgoFiles       []string
	IgnoredGoFiles []string
	TestGoFiles    []string
	XTestGoFiles   []string
}

// packages lists every package of the module, for this system, with the files
// that are for others.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=Dir,ImportPath,Module,GoFiles,CgoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module != nil && p.Module.Path == module && !strings.Contains(p.ImportPath, "/node_modules/") {
			all = append(all, p)
		}
	}
	if len(all) < 5 {
		t.Fatalf("go list found only %d packages", len(all))
	}
	return all
}

// part is the package that the table speaks of when path is imported: without
// the module, and without internal parts except those of cmd, which stand for
// themselves.
func part(path string) string {
	path = strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
	if rest, ok := strings.CutPrefix(path, "cmd/internal/"); ok {
		name, _, _ := strings.Cut(rest, "/")
		return "cmd/internal/" + name
	}
	outer, _, _ := strings.Cut(path, "/internal/")
	return outer
}

func (p pkg) files() []string {
	return slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles, p.TestGoFiles, p.XTestGoFiles)
}

func TestImportsFollowTheTable(t *testing.T) {
	for _, p := range packages(t) {
		from := part(p.ImportPath)
		may, known := allowed[from]
		if !known {
			t.Errorf("%s is not in the table of packages", from)
			continue
		}
		// The files are read, not the lists of go list: those hold one system's.
		for _, name := range p.files() {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ImportsOnly)
			if err != nil {
				t.Error(err)
				continue
			}
			for _, spec := range file.Imports {
				path := strings.Trim(spec.Path.Value, `"`)
				if path != module && !strings.HasPrefix(path, module+"/") {
					continue
				}
				to := part(path)
				test := strings.HasSuffix(name, "_test.go") && slices.Contains(forTests, to)
				if to != from && !slices.Contains(may, to) && !test {
					t.Errorf("%s/%s imports %s: %s may import %q only", p.ImportPath, name, path, from, may)
				}
			}
		}
	}
}

// libraries is who may import the libraries whose place was decided, outside
// tests: that of the peer protocol nobody, the DHT's parts those that speak to the
// DHT.
var libraries = map[string][]string{
	"github.com/anacrolix/torrent": {},
	"github.com/anacrolix/dht": {
		"index/channel", "index/dht/internal/core", "index/dht/internal/items", "index/dht/internal/krpc", "index/dht/internal/nodeid",
		"index/dht/internal/peers",
	},
}

func TestWhoMayImportLibraries(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles) {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ImportsOnly)
			if err != nil {
				t.Error(err)
				continue
			}
			for _, spec := range file.Imports {
				path := strings.Trim(spec.Path.Value, `"`)
				for library, may := range libraries {
					if (path == library || strings.HasPrefix(path, library+"/")) && !slices.Contains(may, from) {
						t.Errorf("%s/%s imports %s; only %q may", from, name, path, may)
					}
				}
				first, _, _ := strings.Cut(path, "/")
				if (from == "share" || from == "index") && strings.Contains(first, ".") && !strings.HasPrefix(path, module) {
					t.Errorf("%s/%s imports %s: vocabulary stands on the standard library", from, name, path)
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatItPromises(t *testing.T) {
	for _, p := range packages(t) {
		files := slices.Concat(p.GoFiles, p.CgoFiles)
		if len(files) == 0 {
			files = slices.Concat(p.TestGoFiles, p.XTestGoFiles)
		}
		said := false
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Error(err)
				continue
			}
			if file.Doc == nil {
				continue
			}
			if said {
				t.Errorf("%s has two package comments, the second in %s", p.ImportPath, name)
			}
			said = true
			text := file.Doc.Text()
			if file.Name.Name != "main" && !strings.HasPrefix(text, "Package "+file.Name.Name+" ") &&
				!strings.HasPrefix(text, "Package "+strings.TrimSuffix(file.Name.Name, "_test")+" ") {
				t.Errorf("%s/%s: the package comment begins %.40q", p.ImportPath, name, text)
			}
			if first := new(doc.Package).Synopsis(text); !strings.Contains(first, "to itself") {
				t.Errorf("%s: the first sentence does not say what the package keeps to itself, as in \"keeps to itself how\": %s", p.ImportPath, first)
			}
		}
		if !said {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}
