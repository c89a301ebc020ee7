package house

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// typeShape is what a type weighs.
type typeShape struct {
	name            string // with its package, without the module
	methods, fields int
}

// shapes counts the methods and fields of every type, tests left out.
func shapes(t *testing.T) []typeShape {
	t.Helper()
	all := map[string]*typeShape{}
	get := func(p pkg, name string) *typeShape {
		key := strings.TrimPrefix(p.ImportPath, module+"/") + "." + name
		if all[key] == nil {
			all[key] = &typeShape{name: key}
		}
		return all[key]
	}
	for _, p := range packages(t) {
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					if d.Recv != nil {
						if name := receiver(d.Recv.List[0].Type); name != "" {
							get(p, name).methods++
						}
					}
				case *ast.GenDecl:
					for _, spec := range d.Specs {
						ts, ok := spec.(*ast.TypeSpec)
						if !ok {
							continue
						}
						if st, ok := ts.Type.(*ast.StructType); ok {
							get(p, ts.Name.Name).fields += st.Fields.NumFields()
						}
					}
				}
			}
		}
	}
	out := make([]typeShape, 0, len(all))
	for _, s := range all {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b typeShape) int {
		return cmp.Or(b.methods-a.methods, b.fields-a.fields, strings.Compare(a.name, b.name))
	})
	return out
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// The largest types and the packages most others need are shown, not limited: a
// number is met by slicing. docs/architecture.md says of the largest what its one
// job is, and has to name it.
func TestTheLargestTypesAreExplained(t *testing.T) {
	t.Log("methods  fields  type")
	text := architecture(t)
	for _, s := range shapes(t)[:10] {
		t.Logf("%7d %7d  %s", s.methods, s.fields, s.name)
		if !strings.Contains(text, "`"+s.name+"`") {
			t.Errorf("docs/architecture.md does not say what the one job of `%s` is, one of the ten types with the most methods", s.name)
		}
	}
	fanIn := map[string]int{}
	for _, p := range packages(t) {
		seen := map[string]bool{}
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range file.Imports {
				if to, ok := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module+"/"); ok && !seen[to] {
					seen[to] = true
					fanIn[to]++
				}
			}
		}
	}
	names := make([]string, 0, len(fanIn))
	for name := range fanIn {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(fanIn[b]-fanIn[a], strings.Compare(a, b)) })
	t.Log("imported by  package")
	for _, name := range names[:min(10, len(names))] {
		t.Logf("%11d  %s", fanIn[name], name)
	}
}

func architecture(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The arrows that the documentation shows are those that the code is held to.
func TestArchitectureShowsTheTable(t *testing.T) {
	var want strings.Builder
	names := make([]string, 0, len(allowed))
	for name := range allowed {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		may := "nothing of ours"
		if to := allowed[name]; len(to) > 0 {
			may = "`" + strings.Join(to, "`, `") + "`"
		}
		want.WriteString("| `" + name + "` | " + may + " |\n")
	}
	if !strings.Contains(architecture(t), want.String()) {
		t.Errorf("docs/architecture.md does not have the table of imports; it is:\n| package | may import |\n|---|---|\n%s", want.String())
	}
}

// inside is which internal parts of a package may import which others of it.
// What is not listed may import none.
var inside = map[string][]string{
	"index/dht/internal/core": {
		"index/dht/internal/items", "index/dht/internal/krpc", "index/dht/internal/limit", "index/dht/internal/lookup",
		"index/dht/internal/nodeid", "index/dht/internal/peers", "index/dht/internal/recent", "index/dht/internal/table",
		"index/dht/internal/token",
	},
	"index/dht/internal/items":      {"index/dht/internal/fair", "index/dht/internal/krpc", "index/dht/internal/limit", "index/dht/internal/nodeid"},
	"index/dht/internal/krpc":       {"index/dht/internal/nodeid"},
	"index/dht/internal/limit":      {"index/dht/internal/recent"},
	"index/dht/internal/lookup":     {"index/dht/internal/nodeid", "index/dht/internal/table"},
	"index/dht/internal/peers":      {"index/dht/internal/fair", "index/dht/internal/limit", "index/dht/internal/nodeid"},
	"index/dht/internal/sim":        {"index/dht/internal/core", "index/dht/internal/krpc", "index/dht/internal/nodeid", "index/dht/internal/table"},
	"index/dht/internal/table":      {"index/dht/internal/nodeid"},
	"share/engine/internal/tracker": {"share/engine/internal/compact", "share/engine/internal/netguard"},
	// The swarm is a room of its own: its parts know each other by what they need.
	"share/engine/internal/swarm":          {"share/engine/internal/swarm/core", "share/engine/internal/swarm/face", "share/engine/internal/swarm/mse", "share/engine/internal/swarm/opening", "share/engine/internal/swarm/uplink", "share/engine/internal/swarm/wire"},
	"share/engine/internal/swarm/core":     {"share/engine/internal/netguard", "share/engine/internal/swarm/uplink", "share/engine/internal/swarm/wire"},
	"share/engine/internal/swarm/conform":  {"share/engine/internal/swarm/face", "share/engine/internal/netguard"},
	"share/engine/internal/swarm/dialback": {"share/engine/internal/netguard"},
	"share/engine/internal/swarm/face":     {"share/engine/internal/netguard"},
	"share/engine/internal/swarm/native": {
		"share/engine/internal/swarm", "share/engine/internal/swarm/core", "share/engine/internal/swarm/dialback", "share/engine/internal/swarm/face",
		"share/engine/internal/swarm/opening", "share/engine/internal/swarm/punch", "share/engine/internal/swarm/webseed", "share/engine/internal/swarm/wire",
		"share/engine/internal/admission", "share/engine/internal/edge", "share/engine/internal/flow", "share/engine/internal/netguard", "share/engine/internal/pace",
	},
	"share/engine/internal/swarm/sim":     {"share/engine/internal/swarm/core", "share/engine/internal/swarm/uplink", "share/engine/internal/swarm/wire"},
	"share/engine/internal/swarm/webseed": {"share/engine/internal/swarm/face"},
	"share/engine/internal/swarm/wire":    {"share/engine/internal/compact"},
}

func TestImportsInsidePackagesFollowTheirTable(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		outer, _, internal := strings.Cut(from, "/internal/")
		if !internal || strings.HasPrefix(from, "cmd/") {
			continue
		}
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range file.Imports {
				to, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module+"/")
				if ours && (to == outer || strings.HasPrefix(to, outer+"/internal/")) && !slices.Contains(inside[from], to) {
					t.Errorf("%s/%s imports %s: %s may import %q only", from, name, to, from, inside[from])
				}
			}
		}
	}
}

var tsImport = regexp.MustCompile(`(?m)^(?:import|export)\b[^;]*?from\s+["'](\.[^"']*)["']|^import\s+["'](\.[^"']*)["']`)

// A module of the page that needs itself works only by the order of things.
func TestThePageHasNoImportCycles(t *testing.T) {
	const root = "../../../webui/app/src"
	imports := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".ts") && !strings.HasSuffix(path, ".tsx") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		imports[path] = nil
		for _, m := range tsImport.FindAllStringSubmatch(string(b), -1) {
			if strings.HasPrefix(m[0], "import type") {
				continue // gone when it runs
			}
			to := filepath.Join(filepath.Dir(path), m[1]+m[2])
			for _, suffix := range []string{"", ".ts", ".tsx", "/index.ts", "/index.tsx"} {
				if info, err := os.Stat(to + suffix); err == nil && !info.IsDir() {
					imports[path] = append(imports[path], to+suffix)
					break
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(imports) < 20 {
		t.Fatalf("found only %d modules", len(imports))
	}
	state := map[string]int{} // 1 is being looked at, 2 is done
	var visit func(path string, trail []string)
	visit = func(path string, trail []string) {
		trail = append(trail, path)
		switch state[path] {
		case 1:
			i := slices.Index(trail, path)
			t.Errorf("a cycle: %s", strings.ReplaceAll(strings.Join(trail[i:], " -> "), root+"/", ""))
			return
		case 2:
			return
		}
		state[path] = 1
		for _, to := range imports[path] {
			visit(to, trail)
		}
		state[path] = 2
	}
	for path := range imports {
		visit(path, nil)
	}
}
