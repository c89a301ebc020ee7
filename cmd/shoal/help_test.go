package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestHelpFitsTheTerminal(t *testing.T) {
	for _, right := range []int{margin, 60, 40} {
		texts := map[string]string{"overview": overview(verbs(), right)}
		for _, v := range verbs() {
			texts[v.name] = v.help(right)
		}
		for name, text := range texts {
			for line := range strings.Lines(text) {
				// Commands are whole, so that they can be copied.
				whole := strings.HasPrefix(line, "usage: ") || strings.Contains(line, "shoal "+name) && strings.HasPrefix(line, "  ")
				if n := cells(strings.TrimRight(line, "\n")); n > right && (!whole || right == margin && n > columns) {
					t.Errorf("%s in %d columns: %d: %s", name, right, n, line)
				}
			}
		}
	}
}

func TestEveryVerbIsExplained(t *testing.T) {
	for _, v := range verbs() {
		if v.group == "" {
			continue
		}
		if v.short == "" || len(v.examples) == 0 {
			t.Errorf("%s lacks a line about it or an example", v.name)
		}
		for _, e := range v.examples {
			if !strings.Contains(e.command, "shoal "+v.name) {
				t.Errorf("the example %q does not show %s", e.command, v.name)
			}
		}
		for _, f := range v.flags {
			name, usage := describe(f)
			if name == "" || usage == "" || strings.Contains(usage, "`") {
				t.Errorf("%s: flag %v has no explanation", v.name, f.Names())
			}
		}
		if !strings.Contains(overview(verbs(), margin), "\n  "+v.name+" ") {
			t.Errorf("the help does not list %s", v.name)
		}
	}
}

func TestExitStatusesAreInHelpAndManual(t *testing.T) {
	help, man := overview(verbs(), margin), manual(verbs())
	for _, e := range exits {
		if !strings.Contains(help, fmt.Sprintf("%3d  %s\n", e.kind, e.means)) {
			t.Errorf("the help does not explain %d", e.kind)
		}
		if !strings.Contains(man, fmt.Sprintf(".B %d\n", e.kind)) {
			t.Errorf("the manual does not explain %d", e.kind)
		}
	}
}

func TestManualIsSoundRoff(t *testing.T) {
	page := manual(verbs())
	for i, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(line, "'") {
			t.Errorf("line %d begins a request by accident: %s", i+1, line)
		}
	}
	man, err := exec.LookPath("man")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs man: apt-get install man-db")
		}
		t.Skip("needs man: apt-get install man-db")
	}
	cmd := exec.Command(man, "--warnings", "-E", "UTF-8", "-l", "-")
	cmd.Env = append(os.Environ(), "MANWIDTH=80", "MANROFFOPT=-ww", "PAGER=cat", "LC_ALL=C.UTF-8")
	cmd.Stdin = strings.NewReader(page)
	var complaints, shown strings.Builder
	cmd.Stdout, cmd.Stderr = &shown, &complaints
	if err := cmd.Run(); err != nil || complaints.Len() > 0 {
		t.Errorf("man: %v\n%s", err, &complaints)
	}
	for line := range strings.Lines(shown.String()) {
		if n := cells(strings.TrimRight(line, "\n")); n > columns {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if !strings.Contains(shown.String(), "EXIT STATUS") {
		t.Errorf("man shows\n%s", &shown)
	}
}
