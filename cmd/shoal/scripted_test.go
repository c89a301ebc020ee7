package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every verb, its form for programs and each of its flags stand in a script.
func TestEveryVerbAndFlagIsInAScript(t *testing.T) {
	names, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("there are no scripts", err)
	}
	var lines []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Split(string(text), "\n")...)
	}
	said := func(verb, flag string) bool {
		re := regexp.MustCompile(`\bshoal ` + verb + `\b.*` + flag + `\b`)
		for _, line := range lines {
			if !strings.HasPrefix(line, "#") && re.MatchString(line) {
				return true
			}
		}
		return false
	}
	for _, v := range verbs() {
		if v.group == "" {
			continue
		}
		if !said(v.name, "") {
			t.Errorf("no script runs shoal %s", v.name)
		}
		own, _ := split(v.flags)
		for _, f := range own {
			flag := "--" + f.Names()[0]
			switch {
			case flag == "--help", flag == "--json" && (v.name == "help" || v.name == "completion"):
				continue // the same for all, and nothing that a program would read
			case flag == "--quiet" && v.name != "share" && v.name != "get":
				continue // the same for all; these two say the most
			case !said(v.name, flag):
				t.Errorf("no script runs shoal %s %s", v.name, flag)
			}
		}
	}
}
