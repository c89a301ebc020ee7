//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// space is a network namespace without a name. It lives as long as ns is open
// or a process runs in it.
type space struct {
	t    testing.TB
	name string // for messages only
	ns   *os.File
}

func newSpace(t testing.TB, name string) *space {
	t.Helper()
	s := &space{t: t, name: name}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("making a network namespace: %w", err)
		}
		ns, err := os.Open("/proc/thread-self/ns/net")
		s.ns = ns
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	// Addresses are usable at once and only ours are there.
	s.sysctl("ipv6/conf/default/accept_dad", "0")
	s.sysctl("ipv6/conf/default/dad_transmits", "0")
	s.sysctl("ipv6/conf/default/accept_ra", "0")
	s.sysctl("ipv6/conf/default/autoconf", "0")
	s.ip("link set lo up")
	if _, err := s.pipe("", "ip", "-4", "addr", "flush", "dev", "lo"); err != nil {
		t.Fatal(err)
	}
	return s
}

// onThread runs f on a thread that is thrown away afterwards, so that f may
// change what belongs to a thread.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// in runs f with the calling thread inside the namespace: sockets f makes and
// files under /proc/sys/net that f opens belong to it.
func (s *space) in(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(s.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("entering %s: %w", s.name, err)
		}
		return f()
	})
}

// ref is a path by which another process can name the namespace.
func (s *space) ref() string {
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), s.ns.Fd())
}

// pipe runs a tool of the base system in the namespace with script on stdin.
func (s *space) pipe(script string, argv ...string) (string, error) {
	var out []byte
	err := s.in(func() (err error) {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Stdin = strings.NewReader(script)
		out, err = cmd.CombinedOutput()
		return err
	})
	if err != nil {
		err = fmt.Errorf("%s: %s: %w\n%s\n%s", s.name, strings.Join(argv, " "), err, script, out)
	}
	return string(out), err
}

func (s *space) ip(lines ...string) {
	s.t.Helper()
	if _, err := s.pipe(strings.Join(lines, "\n")+"\n", "ip", "-6", "-batch", "-"); err != nil {
		s.t.Fatal(err)
	}
}

func (s *space) nft(script string) {
	s.t.Helper()
	if _, err := s.pipe(script+"\n", "nft", "-f", "-"); err != nil {
		s.t.Fatal(err)
	}
}

func (s *space) sysctl(key, value string) {
	s.t.Helper()
	err := s.in(func() error {
		return os.WriteFile(filepath.Join("/proc/sys/net", key), []byte(value), 0)
	})
	if err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
}

// wire lays a cable between a here and b there. Both ends are up.
func (s *space) wire(a string, there *space, b string) {
	s.t.Helper()
	s.ip(fmt.Sprintf("link add %s type veth peer name %s netns %s", a, b, there.ref()),
		"link set "+a+" up")
	there.ip("link set " + b + " up")
}

// bandwidth caps what leaves through dev, in bytes per second; 0 is no cap.
func (s *space) bandwidth(dev string, rate int64) {
	s.t.Helper()
	if rate == 0 {
		// Replaced and then deleted, because deleting what is not there is an error.
		for _, verb := range []string{"replace", "del"} {
			if _, err := s.pipe("", "tc", "qdisc", verb, "dev", dev, "root", "pfifo_fast"); err != nil {
				s.t.Fatal(err)
			}
		}
		return
	}
	burst := max(rate/50, 64<<10) // 64 KiB: the largest segment the kernel builds
	_, err := s.pipe("", "tc", "qdisc", "replace", "dev", dev, "root", "tbf",
		"rate", fmt.Sprintf("%dbps", rate), "burst", fmt.Sprint(burst), "latency", "100ms")
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *space) close() error {
	if err := s.ns.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
