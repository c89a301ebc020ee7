//go:build !noweb

package webui

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What the node says is English in its sources, and each language of the page has a
// translation by its pattern. In complete, each sentence that may reach the page has one.
var complete = []string{
	"share", "share/reach", "share/reach/nat", "share/reach/internal/igd", "share/reach/internal/natpmp", "share/reach/internal/pcp",
	"share/engine", "share/engine/internal/tracker", "share/engine/internal/netguard", "share/storage", "webui/api", "cmd/internal/uploads", "cmd/internal/policy",
	"cmd/internal/config", "index/catalog", "share/metainfo", "index", "index/channel",
}

// Others have translations of what people meet.
var partly = []string{
	"webui", "webui/door", "cmd/internal/node",
}

// In patterned, every error reaches the page: none is made without a pattern.
var patterned = []string{
	"share/reach/nat", "share/reach/internal/igd", "share/reach/internal/natpmp", "share/reach/internal/pcp", "share/engine/internal/tracker", "cmd/internal/config",
}

// Errors that never reach it: of datagrams that are dropped, and of the program itself.
// And the words of others.
var unheard = regexp.MustCompile(`errReply|errResponse|"[a-z]+: |making a transaction number|errors\.New\(text\)`)

func TestErrorsForThePageHavePatterns(t *testing.T) {
	for _, p := range patterned {
		names, err := filepath.Glob(filepath.Join("..", p, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s has no sources: %v", p, err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			for i, line := range strings.Split(string(b), "\n") {
				if (strings.Contains(line, "errors.New(") || strings.Contains(line, "fmt.Errorf(")) && !unheard.MatchString(line) {
					t.Errorf("%s:%d makes an error that no page can translate; use share.Wrapf: %s", name, i+1, strings.TrimSpace(line))
				}
			}
		}
	}
}

// Properties whose text is a sentence of the node.
var telling = map[string]bool{
	"answer": true, "detail": true, "error": true, "evidence": true, "message": true, "next": true, "problem": true, "reason": true, "warning": true, "why": true,
}

// Sentences that no page shows, or that it says itself by the state beside them, or that
// are the words of others.
var untold = map[string]bool{
	"CertificateReport.answer": true, "CertificateReport.next": true, "AddressCertificate.error": true, "ErrorDetail.message": true,
	"Inside.evidence": true, "Kept.reason": true,
}

func TestSentencesOfTheAPIHaveTexts(t *testing.T) {
	b, err := os.ReadFile("app/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Type   any
					Format string
				}
			}
		}
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	found := 0
	for name, s := range doc.Components.Schemas {
		for property, p := range s.Properties {
			if !telling[property] || p.Type != "string" || p.Format != "" {
				continue
			}
			found++
			if _, ok := s.Properties[property+"_text"]; !ok && !untold[name+"."+property] {
				t.Errorf("%s.%s is a sentence, and has no %[2]s_text for other languages", name, property)
			}
		}
	}
	if found < 15 {
		t.Errorf("only %d sentences were found in the API", found)
	}
}

// What the system says, and what is put together, is found in no source of ours.
var elsewhere = regexp.MustCompile(`^(\{0\} (connected on request|connected on its own|queried this node's DHT on its own)|\{0\} \{1\}: \{2\}|` +
	`permission denied|no such file or directory|no space left on device|read-only file system|input/output error|file exists|is a directory|not a directory|` +
	`too many open files|connection refused|connection reset by peer|network is unreachable|no route to host|address already in use|i/o timeout|` +
	`context deadline exceeded|context canceled|file already exists|file does not exist|unexpected EOF|EOF)$`)

func TestWhatTheNodeSaysIsTranslated(t *testing.T) {
	root := ".."
	required, known := map[string]string{}, map[string]bool{}
	for _, p := range complete {
		for pattern, where := range said(t, filepath.Join(root, p), known) {
			required[pattern] = where
		}
	}
	for _, p := range partly {
		said(t, filepath.Join(root, p), known)
	}
	if len(required) < 200 {
		t.Fatalf("only %d sentences were found in the sources", len(required))
	}
	files, err := filepath.Glob("app/src/words/node/node-*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no translations: %v", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var words map[string]string
		if err := json.Unmarshal(b, &words); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for pattern, where := range required {
			if words[pattern] == "" {
				t.Errorf("%s has no translation of %q (%s)", name, pattern, where)
			}
		}
		for pattern, translation := range words {
			if !known[pattern] && !elsewhere.MatchString(pattern) {
				t.Errorf("%s translates %q, which the node does not say", name, pattern)
			}
			// The system's words are put where the language wants them.
			if pattern != "{0} {1}: {2}" && !slices.Equal(holes(pattern), holes(translation)) {
				t.Errorf("%s: %q has other holes than %q", name, translation, pattern)
			}
		}
	}
}

var hole = regexp.MustCompile(`\{\d+\}`)

func holes(s string) []string {
	all := hole.FindAllString(s, -1)
	slices.Sort(all)
	return all
}

// The functions whose argument at a place is a sentence.
var sayers = map[string]int{
	"share.Say": 0, "Say": 0, "share.Wrapf": 0, "Wrapf": 0, "share.Errorf": 1, "Errorf": 1, "diskError": 0, "refused": 0, "events.note": 1,
}

// said are the patterns in the sources of a package, with where they are. It adds them,
// and all constant strings, to known.
func said(t *testing.T, dir string, known map[string]bool) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s has no sources: %v", dir, err)
	}
	out := map[string]string{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		add := func(at ast.Node, format string) {
			pattern := patternOf(format)
			known[pattern] = true
			if wordy.MatchString(hole.ReplaceAllString(pattern, "")) {
				out[pattern] = set.Position(at.Pos()).String()
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := text(n); ok {
				known[patternOf(s)] = true
			}
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			what := called(call)
			if what == "share.Count" || what == "Count" {
				for _, a := range call.Args[1:] {
					if noun, ok := text(a); ok {
						add(call, "%d "+noun)
					}
				}
			} else if i, ok := sayers[what]; ok && i < len(call.Args) {
				if format, ok := text(call.Args[i]); ok {
					add(call, format)
				}
			}
			return true
		})
	}
	return out
}

var wordy = regexp.MustCompile(`\pL`)

// called is the last two names of what a call calls.
func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		switch x := f.X.(type) {
		case *ast.Ident:
			return x.Name + "." + f.Sel.Name
		case *ast.SelectorExpr:
			return x.Sel.Name + "." + f.Sel.Name
		}
	}
	return ""
}

// text is a constant string that is written in one place.
func text(n ast.Node) (string, bool) {
	switch e := n.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			s, err := strconv.Unquote(e.Value)
			return s, err == nil
		}
	case *ast.BinaryExpr:
		left, ok := text(e.X)
		right, also := text(e.Y)
		return left + right, ok && also && e.Op == token.ADD
	}
	return "", false
}

var verb = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z%]`)

// patternOf is the pattern that share.Say makes of a format.
func patternOf(format string) string {
	n := 0
	return verb.ReplaceAllStringFunc(format, func(v string) string {
		if v == "%%" {
			return "%"
		}
		n++
		return "{" + strconv.Itoa(n-1) + "}"
	})
}
