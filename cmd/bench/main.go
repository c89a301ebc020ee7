//go:build linux

// Command bench keeps to itself how shoal is measured: beside libtorrent and
// mktorrent, on the same machine, in the same run. It writes the results as a
// table, and draws pictures of some of them.
//
//	go run ./cmd/bench [-write docs/performance.md] [-only transfers,lines]
//	go run ./cmd/bench -draw docs/performance.md
//
// The section utp is long: each of its rows takes four transfers a run. So that chance
// is seen for what it is, it is run alone on a machine that does nothing else, 45 minutes
// for the medians of 5 runs; some of the rows, to look at, are chosen by name.
//
//	go run ./cmd/bench -only utp -runs 5 -most 20s -write docs/performance.md
//	go run ./cmd/bench -only utp -runs 5 -most 20s -rows '^0 ms, 5 %|MTU'
//
// Every comparison alternates between the two sides, so that whatever else the
// machine does hits both. Traffic stays on the loopback of a network namespace
// made for the run; root is needed for that.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

type options struct {
	write string
	only  string
	shoal string
	dir   string
	runs  int
	size  int64
	many  int
	most  time.Duration
	rows  string
	draw  string
}

func main() {
	var o options
	var mib int64
	flag.StringVar(&o.write, "write", "", "put what was measured into this file, in place of the same sections there")
	flag.StringVar(&o.only, "only", strings.Join(names(), ","), "which sections to run")
	flag.StringVar(&o.shoal, "shoal", "", "measure this binary instead of one built from this tree")
	flag.StringVar(&o.dir, "dir", "/dev/shm", "where the data is; memory by default, so that no disk is measured")
	flag.IntVar(&o.runs, "runs", 5, "runs of each; the median is reported")
	flag.Int64Var(&mib, "mib", 1024, "size of the content in MiB")
	flag.IntVar(&o.many, "many", 10_000, "number of shares in the sections many and api")
	flag.DurationVar(&o.most, "most", time.Minute, "how long a transfer in the section utp takes at most")
	flag.StringVar(&o.rows, "rows", "", "which rows of the section utp to measure: those whose name a regular expression matches")
	flag.StringVar(&o.draw, "draw", "", "measure nothing: draw the pictures of this file again, from its tables")
	flag.Parse()
	o.size = mib << 20
	if o.write != "" && o.rows != "" {
		fmt.Fprintln(os.Stderr, "bench: -write with -rows would lose the other rows of the section utp: leave one of them out")
		os.Exit(2)
	}
	work := func() error { return run(o) }
	if o.draw != "" {
		work = func() error { return illustrate(o.draw) }
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// section is one comparison. Its run gives a table.
type section struct {
	name string
	run  func(*bench) (table, error)
}

var sections = [...]section{
	{"transfers", (*bench).transfers},
	{"lines", (*bench).lines},
	{"utp", (*bench).utp},
	{"small", (*bench).small},
	{"uplink", (*bench).uplink},
	{"yielding", (*bench).yielding},
	{"crowd", (*bench).crowds},
	{"weblink", (*bench).weblink},
	{"webseed", (*bench).webSeeds},
	{"play", (*bench).play},
	{"hash", (*bench).hash},
	{"sealed", (*bench).sealed},
	{"many", (*bench).manyShares},
	{"api", (*bench).api},
	{"page", (*bench).page},
	{"catalogue", (*bench).catalogue},
	{"first-byte", (*bench).firstByte},
	{"flood", (*bench).flood},
	{"dht-growth", (*bench).growth},
	{"dht-faults", (*bench).faults},
	{"dht-announcing", (*bench).announcing},
}

func names() []string {
	var all []string
	for _, s := range sections {
		all = append(all, s.name)
	}
	return all
}

func run(o options) error {
	if err := isolate(); err != nil {
		return err
	}
	b, err := prepare(o)
	if err != nil {
		return err
	}
	defer b.close()
	fresh := make(map[string]string)
	wanted := strings.Split(o.only, ",")
	for _, s := range sections {
		if !slices.Contains(wanted, s.name) {
			continue
		}
		t, err := s.run(b)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		var out bytes.Buffer
		t.write(&out)
		if t.setting == "" {
			t.setting = fmt.Sprintf("data in %s, IPv6 loopback; medians of %d runs", o.dir, o.runs)
		}
		fmt.Fprintf(&out, "\nMeasured on %s: %s, %d cores, Linux %s, %s; %s.\n",
			time.Now().Format("2 January 2006"), cpu(), runtime.NumCPU(), kernel(), runtime.Version(), t.setting)
		os.Stdout.Write(out.Bytes())
		fresh[s.name] = out.String()
	}
	if o.write == "" {
		return nil
	}
	if err := splice(o.write, fresh, names()); err != nil {
		return err
	}
	return illustrate(o.write)
}

// isolate moves the calling goroutine, and with it every process it starts,
// into a network namespace that has a loopback and nothing else.
func isolate() error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("making a network namespace (are you root?): %w", err)
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("bringing up the loopback: %w: %s", err, out)
	}
	return nil
}

// bench is what the comparisons share.
type bench struct {
	options
	tmp     string // all data of this run
	script  string // the libtorrent peer
	content string // the file that is fetched, seeded and hashed
	torrent string // its torrent, made by libtorrent
	id      string

	mu     sync.Mutex // guards what follows
	states int
	procs  []*process
}

func prepare(o options) (_ *bench, err error) {
	b := &bench{options: o}
	if b.tmp, err = os.MkdirTemp(o.dir, "shoal-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.shoal == "" {
		b.shoal = filepath.Join(b.tmp, "shoal")
		build := exec.Command("go", "build", "-trimpath", "-o", b.shoal, "github.com/shoalnet/shoal/cmd/shoal")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building shoal: %w\n%s", err, out)
		}
	}
	b.script = filepath.Join(b.tmp, "peer.py")
	if err := os.WriteFile(b.script, lab.LibtorrentScript, 0o600); err != nil {
		return nil, err
	}
	b.content = filepath.Join(b.tmp, "shared", "content")
	if err := os.Mkdir(filepath.Dir(b.content), 0o700); err != nil {
		return nil, err
	}
	if err := randomFile(b.content, o.size, 1); err != nil {
		return nil, err
	}
	b.torrent = filepath.Join(b.tmp, "content.torrent")
	made, err := b.start("/usr/bin/python3", b.script, "make", b.content, b.torrent)
	if err != nil {
		return nil, err
	}
	var m struct{ ID string }
	if err := made.event("made", &m); err != nil {
		return nil, err
	}
	b.id = m.ID
	return b, made.wait()
}

func (b *bench) close() {
	for _, p := range b.procs {
		p.kill()
	}
	os.RemoveAll(b.tmp)
}

// scratch makes an empty folder.
func (b *bench) scratch() (string, error) { return os.MkdirTemp(b.tmp, "run-") }

// state names a state directory that does not exist yet.
func (b *bench) state() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.states++
	return filepath.Join(b.tmp, fmt.Sprintf("state-%d", b.states))
}

func cpu() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(data)) {
		if name, found := strings.CutPrefix(line, "model name"); found {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return "unknown processor"
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "?"
	}
	return unix.ByteSliceToString(u.Release[:])
}
