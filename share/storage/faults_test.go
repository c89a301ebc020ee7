package storage

import (
	"errors"
	"testing"
)

// An error of the disk means nothing, or trouble with a file, or that the transfer
// stops.
func TestFaultsSortsErrors(t *testing.T) {
	p := newRig(t, setOfThree()...)
	if err := p.faults.failed(opRead, 0, 0, ErrHandles); !errors.Is(err, ErrHandles) || p.halt.err() != nil {
		t.Errorf("a read without handles: %v, stopped by %v", err, p.halt.err())
	}
	if err := p.faults.writeFailed(0, 0, ErrClosed); err != ErrClosed || p.halt.err() != nil {
		t.Errorf("a write after Close: %v, stopped by %v", err, p.halt.err())
	}
	p.files[0].state = final
	if err := p.faults.failed(opRead, 0, 0, ErrMissing); !errors.Is(err, ErrMissing) || p.troubles.of(0) == nil || p.halt.err() != nil {
		t.Errorf("a missing file: %v, stopped by %v", err, p.halt.err())
	}
	before := p.asked.posts.Load()
	err := p.faults.failed(opWrite, 1, 0, ErrFull)
	if !errors.Is(err, ErrFull) || p.halt.err() == nil || p.asked.posts.Load() == before || p.asked.probes.Load() == 0 {
		t.Errorf("a full disk: %v, stopped by %v", err, p.halt.err())
	}
	if again := p.faults.failed(opSync, 1, 0, ErrBroken); !errors.Is(again, ErrFull) {
		t.Errorf("while the disk is full: %v", again)
	}
}

// A user's file that changes before it is decided about is not in trouble: it is no
// longer used.
func TestFaultsLosesAUsersFile(t *testing.T) {
	p := newRig(t, setOfThree()...)
	u := p.takeUser(0, "a")
	if err := p.faults.trouble(0, ErrChanged, stamp{}); !errors.Is(err, errAbsent) || !u.lost || p.troubles.count() != 0 {
		t.Errorf("%v, lost %v, %d in trouble", err, u.lost, p.troubles.count())
	}
	u.lost, u.settled = false, true
	if err := p.faults.trouble(0, ErrChanged, stamp{}); !errors.Is(err, ErrChanged) || u.lost || p.troubles.count() != 1 {
		t.Errorf("%v, lost %v, %d in trouble", err, u.lost, p.troubles.count())
	}
}
