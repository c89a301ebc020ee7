package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// inPicture is a name with its package, as the pictures have them: engine.Engine.Add.
var inPicture = regexp.MustCompile(`\b([a-z]+)\.([A-Za-z]\w*(?:\.[A-Za-z]\w*)?)`)

// The functions and types that the pictures of docs/architecture.md name are in the
// code: a picture of what is gone misleads more than none.
func TestThePicturesNameWhatThereIs(t *testing.T) {
	code := names(t)
	found := 0
	for i, block := range strings.Split(architecture(t), "```") {
		if i%2 == 0 {
			continue // between the pictures
		}
		for _, m := range inPicture.FindAllStringSubmatch(block, -1) {
			declared, ours := code[m[1]]
			if !ours {
				continue // a file, or a package of others
			}
			found++
			if !declared[m[2]] {
				t.Errorf("docs/architecture.md draws %s, and no package %s has it", m[0], m[1])
			}
		}
	}
	if found < 50 {
		t.Errorf("the pictures name only %d functions", found)
	}
}

// names lists what is declared outside tests, by the name of its package: functions,
// types and values as NAME, methods and fields as TYPE.NAME. Packages of one name
// count as one.
func names(t *testing.T) map[string]map[string]bool {
	t.Helper()
	all := map[string]map[string]bool{}
	for _, p := range packages(t) {
		base := path.Base(p.ImportPath)
		if all[base] == nil {
			all[base] = map[string]bool{}
		}
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				declared(d, all[base])
			}
		}
	}
	return all
}

func declared(d ast.Decl, in map[string]bool) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			name = receiver(d.Recv.List[0].Type) + "." + name
		}
		in[name] = true
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				for _, n := range spec.Names {
					in[n.Name] = true
				}
			case *ast.TypeSpec:
				in[spec.Name.Name] = true
				for _, f := range members(spec.Type) {
					for _, n := range f.Names {
						in[spec.Name.Name+"."+n.Name] = true
					}
				}
			}
		}
	}
}

// members are the fields of a struct, or the methods of an interface.
func members(e ast.Expr) []*ast.Field {
	switch e := e.(type) {
	case *ast.StructType:
		return e.Fields.List
	case *ast.InterfaceType:
		return e.Methods.List
	}
	return nil
}
