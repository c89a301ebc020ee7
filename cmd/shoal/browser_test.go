package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestDesktop(t *testing.T) {
	for _, c := range []struct {
		system string
		env    map[string]string
		want   string
	}{
		{"linux", nil, ""},
		{"linux", map[string]string{"DISPLAY": ":0"}, "xdg-open"},
		{"linux", map[string]string{"WAYLAND_DISPLAY": "wayland-0"}, "xdg-open"},
		{"linux", map[string]string{"WAYLAND_DISPLAY": "wayland-0", "SSH_CONNECTION": "x"}, ""},
		{"darwin", nil, "open"},
		{"darwin", map[string]string{"SSH_CONNECTION": "x"}, ""},
		{"windows", nil, "rundll32"},
	} {
		program, ok := desktop(c.system, func(k string) string { return c.env[k] })
		if ok != (c.want != "") || ok && program[0] != c.want {
			t.Errorf("%s with %v: %v %t", c.system, c.env, program, ok)
		}
	}
}

// The link reaches the browser by a file that nobody else reads, not by the
// arguments of a program.
func TestTheLinkIsHandedOverInAFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the opener of this test is a shell script")
	}
	dir := t.TempDir()
	opener := filepath.Join(dir, "opener")
	script := "#!/bin/sh\necho \"$1\" >" + filepath.Join(dir, "args") + "\ncat \"$1\" >" + filepath.Join(dir, "seen") + "\n"
	if err := os.WriteFile(opener, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	const link = "http://[::1]:8080/#signin=shoal_secret&x=\""
	for range 2 { // the file of the last time is in the way
		if err := openBrowser([]string{opener}, dir, link); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if args := read("args"); strings.Contains(args, "secret") {
		t.Errorf("arguments: %s", args)
	}
	if seen := read("seen"); !strings.Contains(seen, `url=http://[::1]:8080/#signin=shoal_secret&amp;x=`) || strings.Contains(seen, `x=""`) {
		t.Errorf("the page: %s", seen)
	}
	if info, err := os.Stat(filepath.Join(dir, "open.html")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if err := openBrowser([]string{filepath.Join(dir, "none")}, dir, link); err == nil {
		t.Error("there is no such program")
	}
}
