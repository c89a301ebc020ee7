package house

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	quoted    = regexp.MustCompile("`([^`]+)`")
	npmScript = regexp.MustCompile(`^npm run (\S+)$`)
	codeName  = regexp.MustCompile(`^([a-z]+)\.([A-Za-z]\w*(?:\.[A-Za-z]\w*)?)$`)
)

// The table of CONTRIBUTING.md names files, functions and npm scripts that exist: what
// is in backquotes with a slash is a path from the root, PACKAGE.NAME is in the code.
func TestContributingNamesWhatExists(t *testing.T) {
	const root = "../../.."
	b, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "\n## To change X, touch Y\n")
	section, _, _ = strings.Cut(section, "\n## ")
	b, err = os.ReadFile(filepath.Join(root, "webui/app/package.json"))
	if err != nil {
		t.Fatal(err)
	}
	var npm struct{ Scripts map[string]string }
	if err := json.Unmarshal(b, &npm); err != nil {
		t.Fatal(err)
	}
	code := names(t)
	paths, named := 0, 0
	for _, m := range quoted.FindAllStringSubmatch(section, -1) {
		text := m[1]
		if script := npmScript.FindStringSubmatch(text); script != nil {
			if npm.Scripts[script[1]] == "" {
				t.Errorf("CONTRIBUTING.md: webui/app/package.json has no script %s", script[1])
			}
		} else if name := codeName.FindStringSubmatch(text); name != nil {
			named++
			if !code[name[1]][name[2]] {
				t.Errorf("CONTRIBUTING.md names %s, and no package %s has it", text, name[1])
			}
		} else if strings.Contains(text, "/") && !strings.Contains(text, " ") {
			paths++
			if _, err := os.Stat(filepath.Join(root, text)); err != nil {
				t.Errorf("CONTRIBUTING.md names a path that does not exist: %v", err)
			}
		}
	}
	if paths < 20 || named < 10 {
		t.Errorf("the table names only %d paths and %d functions", paths, named)
	}
}
