//go:build linux

package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// starter is the thread that starts every process of a lab. The kernel kills
// them when it ends, which it does with the test process at the latest.
type starter struct {
	work chan func()
}

func newStarter() *starter {
	s := &starter{work: make(chan func())}
	go func() {
		runtime.LockOSThread() // never undone: the thread ends with the goroutine
		for f := range s.work {
			f()
		}
	}()
	return s
}

func (s *starter) start(where *space, cmd *exec.Cmd) error {
	done := make(chan error)
	s.work <- func() {
		if err := unix.Setns(int(where.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("entering %s: %w", where.name, err)
			return
		}
		done <- cmd.Start()
	}
	return <-done
}

func (s *starter) stop() { close(s.work) }

// Proc is a process on a host. Its output is kept, and printed when the test
// fails.
type Proc struct {
	host   *Host
	cmd    *exec.Cmd
	out    *transcript
	err    *transcript
	read   int           // how much of out Event has consumed
	exited chan struct{} // closed when status is known
	status int
	began  time.Time
	wait   time.Duration
}

// Start starts a program on the host.
func (h *Host) Start(program string, args ...string) *Proc {
	h.lab.t.Helper()
	return h.StartCmd(exec.Command(program, args...))
}

// StartCmd starts cmd on the host. Its Dir, Env and Stdin are honoured; its
// output, if not redirected, is the Proc's.
func (h *Host) StartCmd(cmd *exec.Cmd) *Proc {
	t := h.lab.t
	t.Helper()
	p := &Proc{
		host: h, cmd: cmd, out: newTranscript(), err: newTranscript(),
		exited: make(chan struct{}), began: time.Now(), wait: h.lab.patience,
	}
	if cmd.Stdout == nil {
		cmd.Stdout = p.out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.err
	}
	// A group of its own, so that tracers and children end with it. A pipe that
	// a stray grandchild holds open does not keep us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second
	if err := h.lab.starter.start(h.space, cmd); err != nil {
		t.Fatalf("%s: starting %s: %v", h.Name, cmd, err)
	}
	go func() {
		p.status = status(cmd.Wait())
		p.out.end()
		p.err.end()
		close(p.exited)
	}()
	h.procs = append(h.procs, p)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s: %s\nstdout: %s\nstderr: %s", h.Name, cmd, tail(p.out.bytes()), tail(p.err.bytes()))
		}
		p.Kill() // before the folders that it writes to are removed
	})
	return p
}

// status is the exit status as a shell gives it: 128 and the signal for a
// process that was killed.
func status(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		return 255
	}
	if ws := exit.Sys().(syscall.WaitStatus); ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return exit.ExitCode()
}

// Run runs a program on the host to its end, which must be a good one, and
// gives its standard output.
func (h *Host) Run(program string, args ...string) string {
	h.lab.t.Helper()
	p := h.Start(program, args...)
	if status := p.Wait(); status != 0 {
		h.lab.t.Fatalf("%s: %s: exit status %d\n%s%s", h.Name, p.cmd, status, p.Stdout(), p.Stderr())
	}
	return p.Stdout()
}

// Within sets how long the methods of p wait before they end the test.
func (p *Proc) Within(d time.Duration) *Proc {
	p.wait = d
	return p
}

// PID is the process's number.
func (p *Proc) PID() int { return p.cmd.Process.Pid }

// Wait waits for the end and gives the exit status, 128 and the signal's number
// for a process that was killed.
func (p *Proc) Wait() int {
	p.host.lab.t.Helper()
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	select {
	case <-p.exited:
		return p.status
	case <-timer.C:
		p.Kill()
		p.host.lab.t.Fatalf("%s: %s did not end within %v", p.host.Name, p.cmd, p.wait)
		return 0
	}
}

// Exited is closed when the process has ended.
func (p *Proc) Exited() <-chan struct{} { return p.exited }

// Kill ends the process and its children at once, with SIGKILL, and waits
// until they are gone. It does nothing to a process that has ended.
func (p *Proc) Kill() {
	select {
	case <-p.exited:
		return
	default:
	}
	// The group is killed while its leader is not yet waited for or, at worst,
	// just was: in that moment no other group can have been given its number.
	syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.exited
}

// Signal sends sig to the process alone.
func (p *Proc) Signal(sig syscall.Signal) { p.cmd.Process.Signal(sig) }

// Interrupt sends what Ctrl-C sends, waits for the end, and gives the status.
func (p *Proc) Interrupt() int {
	p.host.lab.t.Helper()
	p.Signal(syscall.SIGINT)
	return p.Wait()
}

// Stdout is what was written to standard output so far.
func (p *Proc) Stdout() string { return string(p.out.bytes()) }

// Stderr is what was written to standard error so far.
func (p *Proc) Stderr() string { return string(p.err.bytes()) }

// Event waits for a JSON line on standard output whose "event" is name, reads
// it into v unless that is nil, and goes on after it the next time. Lines
// before it are passed over; an "error" event that was not asked for, or the
// end of the process, ends the test.
func (p *Proc) Event(name string, v any) {
	t := p.host.lab.t
	t.Helper()
	if !p.TryEvent(name, v) {
		t.Fatalf("%s: %s: no event %q; stdout: %s\nstderr: %s",
			p.host.Name, p.cmd, name, tail(p.out.bytes()), tail(p.err.bytes()))
	}
}

// TryEvent is Event that reports false where Event ends the test.
func (p *Proc) TryEvent(name string, v any) bool {
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	for {
		more, grown, ended := p.out.after(p.read)
		for {
			line, rest, whole := bytes.Cut(more, []byte("\n"))
			if !whole {
				break
			}
			p.read += len(line) + 1
			more = rest
			var head struct {
				Event string `json:"event"`
			}
			if json.Unmarshal(line, &head) != nil {
				continue
			}
			switch {
			case head.Event == name:
				return v == nil || json.Unmarshal(line, v) == nil
			case head.Event == "error":
				return false
			}
		}
		if ended {
			return false
		}
		select {
		case <-grown:
		case <-timer.C:
			return false
		}
	}
}

// Says waits until what the process wrote, to either output, matches pattern,
// and gives the match and its groups.
func (p *Proc) Says(pattern string) []string {
	t := p.host.lab.t
	t.Helper()
	re := regexp.MustCompile(pattern)
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	for {
		out, grownOut, endedOut := p.out.after(0)
		err, grownErr, endedErr := p.err.after(0)
		for _, text := range [][]byte{out, err} {
			if m := re.FindSubmatch(text); m != nil {
				groups := make([]string, len(m))
				for i := range m {
					groups[i] = string(m[i])
				}
				return groups
			}
		}
		if endedOut && endedErr {
			t.Fatalf("%s: %s ended without saying %q; stdout: %s\nstderr: %s",
				p.host.Name, p.cmd, pattern, tail(out), tail(err))
		}
		select {
		case <-grownOut:
		case <-grownErr:
		case <-timer.C:
			t.Fatalf("%s: %s did not say %q within %v; stdout: %s\nstderr: %s",
				p.host.Name, p.cmd, pattern, p.wait, tail(out), tail(err))
		}
	}
}

// transcript keeps what is written to it and tells readers when it grows.
type transcript struct {
	mu    sync.Mutex
	text  []byte
	grown chan struct{} // closed and replaced at each write
	ended bool
}

func newTranscript() *transcript { return &transcript{grown: make(chan struct{})} }

func (b *transcript) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	close(b.grown)
	b.grown = make(chan struct{})
	return len(p), nil
}

func (b *transcript) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	close(b.grown)
	b.grown = make(chan struct{})
}

func (b *transcript) bytes() []byte {
	text, _, _ := b.after(0)
	return text
}

// after gives what was written from offset on, a channel closed when there is
// more, and whether there will never be.
func (b *transcript) after(offset int) (text []byte, grown <-chan struct{}, ended bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text[offset:len(b.text):len(b.text)], b.grown, b.ended
}

// tail is the end of a long text.
func tail(b []byte) string {
	const most = 4 << 10
	s := strings.TrimSpace(string(b))
	if len(s) > most {
		s = "..." + s[len(s)-most:]
	}
	return s
}
