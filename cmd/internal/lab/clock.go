//go:build linux

package lab

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// SetClock makes the wall clock of the process, and of it alone, differ from the
// machine's by whole seconds: ahead as after a suspend, during which only the
// wall clock advances, or back as after a correction. Its monotonic clock and its
// timers do not change, as for a process on a machine that slept.
//
// The program takes no part in this. Programs read the clock in the vDSO, a page of
// code that the kernel maps into each process; SetClock overwrites its function with
// one that asks the kernel and adds the difference.
func (p *Proc) SetClock(ahead time.Duration) {
	t := p.host.lab.t
	t.Helper()
	if runtime.GOARCH != "amd64" {
		Skip(t, "needs amd64: the clock of a process is changed in machine code")
	}
	if err := setClock(p.PID(), int64(ahead/time.Second)); err != nil {
		t.Fatalf("%s: setting the clock of %s: %v", p.host.Name, p.cmd, err)
	}
}

// clockCode is clock_gettime(2), for amd64, with the seconds to add to
// CLOCK_REALTIME where offset says.
var clockCode = []byte{
	0xb8, 228, 0, 0, 0, // mov  eax, SYS_clock_gettime
	0x0f, 0x05, // syscall
	0x85, 0xff, // test edi, edi
	0x75, 13, // jnz  end: another clock
	0x48, 0xb9, 0, 0, 0, 0, 0, 0, 0, 0, // mov  rcx, seconds
	0x48, 0x01, 0x0e, // add  [rsi], rcx
	0xc3, // end: ret
}

const clockOffset = 13

func setClock(pid int, seconds int64) error {
	code := bytes.Clone(clockCode)
	binary.LittleEndian.PutUint64(code[clockOffset:], uint64(seconds))
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer memory.Close()
	at, err := clockFunction(pid, memory, uint64(len(code)))
	if err != nil {
		return err
	}
	// No thread may be inside the function while it changes.
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			return err
		}
		free, err := outside(pid, at, at+uint64(len(code)))
		if err == nil && free {
			_, err = memory.WriteAt(code, int64(at))
		}
		if cerr := syscall.Kill(pid, syscall.SIGCONT); err == nil {
			err = cerr
		}
		switch {
		case err != nil || free:
			return err
		case time.Now().After(end):
			return fmt.Errorf("it does not come to rest outside of the function")
		}
	}
}

// clockFunction finds clock_gettime in the vDSO of a process, and that nothing
// else begins in its first bytes.
func clockFunction(pid int, memory *os.File, size uint64) (uint64, error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, err
	}
	var from, to uint64
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err != nil {
				return 0, fmt.Errorf("%q: %w", line, err)
			}
		}
	}
	if from == to {
		return 0, fmt.Errorf("it has no vDSO")
	}
	image := make([]byte, to-from)
	if _, err := memory.ReadAt(image, int64(from)); err != nil {
		return 0, err
	}
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return 0, err
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return 0, err
	}
	var at uint64
	for _, s := range symbols {
		if s.Name == "__vdso_clock_gettime" {
			at = s.Value
		}
	}
	for _, s := range symbols {
		if at == 0 || s.Value > at && s.Value < at+size {
			return 0, fmt.Errorf("its vDSO has no clock_gettime that could be changed")
		}
	}
	return from + at, nil
}

// outside waits until every thread of a process has stopped, and reports whether all
// of them stopped outside a range of addresses.
func outside(pid int, from, to uint64) (bool, error) {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		if err != nil || len(threads) == 0 {
			return false, fmt.Errorf("it has ended")
		}
		stopped, free := true, true
		for _, thread := range threads {
			stat, err := os.ReadFile(filepath.Join(thread, "stat"))
			if err != nil {
				return false, err
			}
			_, rest, _ := strings.Cut(string(stat), ") ")
			where, err := os.ReadFile(filepath.Join(thread, "syscall"))
			if err != nil {
				return false, err
			}
			words := strings.Fields(string(where))
			if !strings.HasPrefix(rest, "T") || len(words) < 2 {
				stopped = false // "running"
				break
			}
			counter, err := strconv.ParseUint(words[len(words)-1], 0, 64)
			if err != nil {
				return false, fmt.Errorf("%q: %w", where, err)
			}
			free = free && (counter < from || counter >= to)
		}
		if stopped {
			return free, nil
		}
		if time.Now().After(end) {
			return false, fmt.Errorf("it does not stop")
		}
	}
}
