package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// guideBlock is the first block of code under a heading of the guide.
func guideBlock(t *testing.T, heading string) []string {
	t.Helper()
	b, err := os.ReadFile("../../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(b), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("the guide has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var lines []string
	for line := range strings.Lines(section) {
		code, ok := strings.CutPrefix(line, "    ")
		if ok {
			lines = append(lines, code)
		} else if len(lines) > 0 {
			break
		}
	}
	if len(lines) == 0 {
		t.Fatalf("section %q has no code", heading)
	}
	return lines
}

// The guide's script for sharing, fetching and listing does what the guide says,
// beside a running node; without one it fails at once and does not hang.
func TestGuideScripts(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs a POSIX shell: ", err)
	}
	lines := guideBlock(t, "Use it in a script")
	_, err := exec.LookPath("jq")
	script := "set -e\n"
	for _, l := range lines {
		if err != nil && strings.Contains(l, "jq ") {
			t.Logf("jq is not installed (apt-get install jq): not run: %s", l)
			continue
		}
		script += l
	}
	script += `test -n "$link"; test -f "$path/a.txt"; shoal list --json | grep -q seeding` + "\n"
	dir := t.TempDir()
	txtar := `status 4 sh guide.sh
stderr 'no node is running'
exec sh -c 'shoal daemon --json >ready 2>err & echo $! >pid; wait $!' &node&
await ready ready
exec sh guide.sh
exec sh -c 'kill $(cat pid)'
wait node
-- photos/a.txt --
first
-- guide.sh --
` + script
	if err := os.WriteFile(filepath.Join(dir, "guide.txtar"), []byte(txtar), 0o600); err != nil {
		t.Fatal(err)
	}
	runScripts(t, dir)
}

// Every "shoal VERB" in the guide's code is a verb with these flags.
func TestGuideNamesVerbsThatThereAre(t *testing.T) {
	b, err := os.ReadFile("../../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"help": true}
	for _, v := range verbs() {
		known[v.name] = true
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		code, ok := strings.CutPrefix(line, "    ")
		if !ok {
			continue
		}
		words := strings.Fields(code)
		for i, w := range words {
			if strings.HasSuffix(w, "shoal") && i+1 < len(words) && (i == 0 || strings.ContainsAny(words[i-1]+w, "$|")) {
				n++
				if verb := strings.Trim(words[i+1], `"'`); !known[verb] && verb[0] != '-' {
					t.Errorf("%q is no verb: %s", verb, line)
				}
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d commands found", n)
	}
}
