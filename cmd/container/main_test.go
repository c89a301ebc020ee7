//go:build linux

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestWanted(t *testing.T) {
	for _, c := range []struct {
		puid, pgid, umask string
		want              identity
		err               string
	}{
		{"", "", "", identity{1000, 1000, 0o022}, ""},
		{"1026", "100", "002", identity{1026, 100, 0o002}, ""},
		{"0", "0", "0", identity{0, 0, 0}, ""}, // rootless engines map it to the user
		{"me", "", "", identity{}, "PUID is a number such as 1000"},
		{"-1", "", "", identity{}, "PUID is a number such as 1000"},
		{"4294967295", "", "", identity{}, "PUID is too large"}, // means no change to setuid
		{"", "99999999999", "", identity{}, "PGID is a number"},
		{"", "", "0x12", identity{}, "UMASK is an octal number"},
		{"", "", "888", identity{}, "UMASK is an octal number"},
		{"", "", "1777", identity{}, "UMASK is too large"},
	} {
		got, err := wanted(func(name string) string {
			return map[string]string{"PUID": c.puid, "PGID": c.pgid, "UMASK": c.umask}[name]
		})
		switch {
		case c.err == "" && (err != nil || got != c.want):
			t.Errorf("%+v: %+v %v", c, got, err)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// Root is given up for good, with its group and every capability.
func TestBecome(t *testing.T) {
	if os.Getenv("SHOAL_TEST_BECOME") != "" {
		if err := (identity{1234, 1235, 0}).become(); err != nil {
			t.Fatal(err)
		}
		status, err := os.ReadFile("/proc/thread-self/status")
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.Write(status)
		return
	}
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root")
		}
		t.Skip("needs root: run sudo -E make test")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestBecome$")
	cmd.Env = append(os.Environ(), "SHOAL_TEST_BECOME=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"Uid:\t1234\t1234\t1234\t1234\n", "Gid:\t1235\t1235\t1235\t1235\n", "CapPrm:\t0000000000000000\n",
		"CapEff:\t0000000000000000\n", "NoNewPrivs:\t1\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("not %q in\n%s", want, out)
		}
	}
	for line := range strings.Lines(string(out)) {
		if groups, ok := strings.CutPrefix(line, "Groups:"); ok && strings.Contains(" "+groups+" ", " 0 ") {
			t.Errorf("in the group of root: %s", line)
		}
	}
}
