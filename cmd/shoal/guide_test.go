package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	inline  = regexp.MustCompile("`([^`\n]+)`")
	flagged = regexp.MustCompile(`(?:^|[\s(])(--[a-z][a-z0-9-]*)`)
)

// The verbs and flags that the text of the README and the guide names are there. What
// is in their blocks of code is run (cmd/e2e).
func TestPagesNameVerbsAndFlagsThatThereAre(t *testing.T) {
	known, flags := map[string]bool{"help": true}, map[string]bool{}
	for _, v := range verbs() {
		known[v.name] = true
		for _, f := range v.flags {
			for _, n := range f.Names() {
				flags["--"+n] = true
			}
		}
	}
	for _, page := range []string{"../../README.md", "../../docs/guide.md"} {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, m := range inline.FindAllStringSubmatch(string(b), -1) {
			verb, ours := strings.CutPrefix(m[1], "shoal ")
			verb, _, _ = strings.Cut(verb, " ")
			switch {
			case strings.HasPrefix(verb, "-"), verb == "VERB", known[verb]:
			case ours:
				t.Errorf("%s: there is no verb %s: %s", page, verb, m[1])
			default:
				continue // of another program
			}
			for _, f := range flagged.FindAllStringSubmatch(m[1], -1) {
				n++
				if !flags[f[1]] {
					t.Errorf("%s: no verb has the flag %s: %s", page, f[1], m[1])
				}
			}
		}
		if n < 5 {
			t.Errorf("%s names only %d flags", page, n)
		}
	}
}

// The examples of the API share with one language and download with the other.
func TestExamplesOfTheAPI(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("needs Python (apt-get install python3): ", err)
	}
	dir := t.TempDir()
	inGo := filepath.Join(t.TempDir(), "example")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", inGo, "../../docs/examples/share.go")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	inPython, err := filepath.Abs("../../docs/examples/share.py")
	if err != nil {
		t.Fatal(err)
	}
	script := strings.NewReplacer("$GO", inGo, "$PYTHON", "python3 "+inPython).Replace(`
exec sh -c 'shoal daemon --json >ready 2>err & echo $! >pid; wait $!' &one&
await ready ready
exec sh -c 'SHOAL_STATE=$WORK/two shoal daemon --json >ready2 2>err2 & echo $! >pid2; wait $!' &two&
await ready2 ready
exec sh -e both.sh
stderr 'share.py share PATH'
exec sh -c 'kill $(cat pid) $(cat pid2)'
wait one
wait two
-- photos/a.txt --
first
-- letters/b.txt --
second
-- both.sh --
link=$($PYTHON share photos)
path=$(SHOAL_STATE=$WORK/two $GO get "$link" out)
cmp "$path/a.txt" photos/a.txt
export SHOAL_STATE=$XDG_STATE_HOME/shoal
link=$($GO share letters)
path=$(SHOAL_STATE=$WORK/two $PYTHON get "$link" out)
cmp "$path/b.txt" letters/b.txt
! $GO share nothing
! $PYTHON share nothing
! $PYTHON
`)
	if err := os.WriteFile(filepath.Join(dir, "examples.txtar"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	runScripts(t, dir)
}
