//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program being measured.
type process struct {
	cmd    *exec.Cmd
	lines  *bufio.Reader
	stderr bytes.Buffer
	began  time.Time
	over   bool
}

// start starts a program on the thread that isolate moved.
func (b *bench) start(program string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(program, args...)}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.lines = bufio.NewReader(out)
	p.cmd.Stderr = &p.stderr
	p.cmd.Env = []string{"HOME=" + b.tmp, "PATH=" + os.Getenv("PATH")}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.procs = append(b.procs, p)
	return p, nil
}

// run starts a shoal verb that may start a node.
func (b *bench) run(state, verb string, args ...string) (*process, error) {
	return b.start(b.shoal, append([]string{verb, "--json", "--state", state, "--bootstrap", "none", "--no-lan"}, args...)...)
}

// event reads lines until one says name, and reads that into v.
func (p *process) event(name string, v any) error {
	for {
		line, err := p.lines.ReadBytes('\n')
		if err != nil {
			p.kill()
			return fmt.Errorf("%s: no %q: %w\n%s", p.cmd, name, err, p.stderr.Bytes())
		}
		var head struct{ Event, Message string }
		if json.Unmarshal(line, &head) != nil {
			continue
		}
		switch {
		case head.Event == name && v == nil:
			return nil
		case head.Event == name:
			return json.Unmarshal(line, v)
		case head.Event == "error":
			return fmt.Errorf("%s: %s", p.cmd, head.Message)
		}
	}
}

// wait waits for a good end.
func (p *process) wait() error {
	io.Copy(io.Discard, p.lines)
	p.over = true
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", p.cmd, err, p.stderr.Bytes())
	}
	return nil
}

// interrupt asks a process to end and waits; how it ends is its own business. Not as
// Ctrl-C does: who is started in the background of a shell ignores that.
func (p *process) interrupt() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.wait()
}

func (p *process) kill() {
	if p.over {
		return
	}
	p.over = true
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// cpu is the processor time the process has used so far, in seconds.
func (p *process) cpu() (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything; fields 14 and 15 follow.
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("unreadable stat: %s", data)
	}
	user, err := strconv.ParseFloat(fields[11], 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(fields[12], 64)
	const hertz = 100 // USER_HZ, the same on every Linux
	return (user + system) / hertz, err
}

// load is the processor time used in the next while, in percent of one core.
func (p *process) load(while time.Duration) (float64, error) {
	before, err := p.cpu()
	if err != nil {
		return 0, err
	}
	time.Sleep(while)
	after, err := p.cpu()
	return (after - before) / while.Seconds() * 100, err
}

// memory is a figure of /proc/PID/status in MiB: VmHWM is the peak, VmRSS now.
func (p *process) memory(key string) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, found := strings.CutPrefix(line, key+":"); found {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("no %s in status", key)
}

// used gives what a process has cost over its life, once it has ended. Its memory is at
// least what this program had when it started the process: that has to be little.
func (p *process) used() (cpu, rss float64) {
	u := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return p.cmd.ProcessState.UserTime().Seconds() + p.cmd.ProcessState.SystemTime().Seconds(), float64(u.Maxrss) / 1024
}
