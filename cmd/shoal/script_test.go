package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"shoal": main, "othernode": otherNode})
}

// otherNode is what the node of another release looks like to a command: it
// answers the first question at the socket that its argument names, and no other.
func otherNode() {
	l, err := net.Listen("unix", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listening")
	fmt.Fprintln(os.Stderr, http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintln(w, `{"name":"shoal","version":"9.0.0","api":9,"oldest":8}`)
	})))
}

// leakChecked fails a run that left goroutines behind.
type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	// Under nohup SIGHUP is ignored, and what the scripts start would inherit that.
	// A signal that is caught here has its default action there.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	code := l.m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// TestScripts runs testdata/script. Each script has a home, a configuration and
// a state directory of its own; its nodes listen on a free port of [::1] and
// know no DHT nodes. Besides the usual commands it has
//
//	status N COMMAND...          runs it and wants exit status N
//	await FILE REGEXP            waits until the file has a match
//	jsonl FILE [KEY[=VALUE]]...  wants JSON objects a line, and one with these
//	jsonvar VAR FILE KEY [K=V]   sets VAR to KEY of the first such object
//	columns FILE N               wants no line wider than N columns
//	bytes FILE N                 makes a file of N bytes that no two runs share
//	fetch SOCKET PATH            prints what HTTP gives at PATH of a Unix socket
//	disk DIR N                   makes DIR a file system of N bytes; [mounts] tells that it can
//
// and the program othernode SOCKET, a node of a release to come.
func TestScripts(t *testing.T) {
	why := ""
	if l, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		why = "needs IPv6 on the loopback interface: " + err.Error()
	} else {
		l.Close()
	}
	if _, err := exec.LookPath("sh"); err != nil {
		why = "needs a POSIX shell: " + err.Error()
	}
	if why != "" {
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	runScripts(t, "testdata/script")
}

// runScripts runs the scripts in dir.
func runScripts(t *testing.T, dir string) {
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			for _, v := range os.Environ() {
				if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "SHOAL_") {
					e.Setenv(name, "")
				}
			}
			e.Defer(func() { killNamed(e.WorkDir) })
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, "home", "config"))
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "home", "state"))
			e.Setenv("SHOAL_LISTEN", "[::1]:0")
			e.Setenv("SHOAL_BOOTSTRAP", "none")
			e.Setenv("SHOAL_NO_LAN", "true")
			e.Setenv("SHOAL_NO_PINHOLES", "true")
			e.Setenv("SHOAL_TIMEOUT", "60s") // a get that gets nowhere fails
			return os.MkdirAll(filepath.Join(e.WorkDir, "home"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": cmdStatus, "await": cmdAwait, "jsonl": cmdJSONL, "jsonvar": cmdJSONVar, "columns": cmdColumns, "bytes": cmdBytes,
			"fetch": cmdFetch, "disk": cmdDisk,
		},
		Condition: func(name string) (bool, error) {
			if name != "mounts" {
				return false, fmt.Errorf("there is no condition %q", name)
			}
			can := runtime.GOOS == "linux" && os.Geteuid() == 0
			if !can && os.Getenv("CI") == "true" {
				return false, errors.New("needs root on Linux, to mount a small file system")
			}
			return can, nil
		},
	})
}

// killNamed ends the processes whose numbers a script has left in files called
// pid or *.pid, for when it did not get as far as ending them.
func killNamed(dir string) {
	for _, pattern := range []string{"pid", "*.pid"} {
		names, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, name := range names {
			b, _ := os.ReadFile(name)
			n, err := strconv.Atoi(strings.TrimSpace(string(b)))
			if err != nil || n <= 1 {
				continue
			}
			if p, err := os.FindProcess(n); err == nil && ownDir(n) == dir {
				_ = p.Kill()
			}
		}
	}
}

// ownDir is the working directory of a process, to tell it from another that
// has come to have its number.
func ownDir(pid int) string {
	dir, _ := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "cwd"))
	return dir
}

func need(ts *testscript.TestScript, neg bool, args []string, n int, usage string) {
	if neg || len(args) < n {
		ts.Fatalf("usage: %s", usage)
	}
}

func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "status N COMMAND...")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := err.(*exec.ExitError); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE REGEXP")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	name := ts.MkAbs(args[0])
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		b, err := os.ReadFile(name)
		if err == nil && re.Match(b) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("no match for %q in %s after a minute; it has\n%s", args[1], args[0], b)
		}
	}
}

// objects reads the JSON lines of a file and returns those that match
// KEY=VALUE and KEY conditions.
func objects(ts *testscript.TestScript, file string, conditions []string) []map[string]any {
	var found []map[string]any
	for line := range strings.Lines(ts.ReadFile(file)) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			ts.Fatalf("%q is not a JSON object: %v", line, err)
		}
		ok := true
		for _, c := range conditions {
			key, value, exact := strings.Cut(c, "=")
			got, has := v[key]
			ok = ok && has && (!exact || fmt.Sprint(got) == value)
		}
		if ok {
			found = append(found, v)
		}
	}
	return found
}

func cmdJSONL(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 {
		ts.Fatalf("usage: jsonl FILE [KEY[=VALUE]]...")
	}
	if found := objects(ts, args[0], args[1:]); (len(found) > 0) == neg {
		ts.Fatalf("%d lines with %q in\n%s", len(found), args[1:], ts.ReadFile(args[0]))
	}
}

func cmdJSONVar(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 3, "jsonvar VAR FILE KEY [KEY=VALUE]...")
	found := objects(ts, args[1], append(args[3:], args[2]))
	if len(found) == 0 {
		ts.Fatalf("no %s in\n%s", args[2], ts.ReadFile(args[1]))
	}
	ts.Setenv(args[0], fmt.Sprint(found[0][args[2]]))
}

func cmdColumns(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "columns FILE N")
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if w := cells(strings.TrimRight(line, "\n")); w > n {
			ts.Fatalf("%d columns: %s", w, line)
		}
	}
}

func cmdBytes(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "bytes FILE N")
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	b := make([]byte, n)
	rand.Read(b)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
}

func cmdDisk(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "disk DIR N")
	dir := ts.MkAbs(args[0])
	ts.Check(os.Mkdir(dir, 0o700))
	ts.Check(ts.Exec("mount", "-t", "tmpfs", "-o", "size="+args[1], "shoal-test", dir))
	ts.Defer(func() { ts.Check(exec.Command("umount", "--lazy", dir).Run()) })
}

func cmdFetch(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "fetch SOCKET PATH")
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", ts.MkAbs(args[0]))
	}
	c := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	resp, err := c.Get("http://shoal" + args[1])
	ts.Check(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s\n%s", resp.Status, b)
}
