package storage

import "testing"

// A probe finds out whether the disk works again, and leaves no file.
func TestProberTriesTheDisk(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.fetchPiece(0)
	before := len(p.sim.names)
	try := prober{memory: p.memory, opened: &p.opened}
	p.sim.full = true
	if err := try.attempt(&fault{op: opWrite, file: -1}); kindOf(err) != ErrFull {
		t.Errorf("a full disk: %v", err)
	}
	p.sim.full = false
	p.sim.dead = true
	if err := try.attempt(&fault{op: opRead, file: 0}); kindOf(err) != ErrBroken {
		t.Errorf("a disk that does not read: %v", err)
	}
	p.sim.dead = false
	for _, o := range []op{opRead, opWrite, opSync, opRecord} {
		if err := try.attempt(&fault{op: o, file: 0}); err != nil {
			t.Errorf("op %d: %v", o, err)
		}
	}
	if len(p.sim.names) != before {
		t.Errorf("%d files are left", len(p.sim.names)-before)
	}
}
