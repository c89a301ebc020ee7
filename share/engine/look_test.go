package engine

import (
	"testing"
	"time"
)

// A look serves for a second, also not longer when the clock is set back; a file
// system that does not answer is noticed once.
func TestLook(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	var l look
	if l.fresh(now, time.Hour) {
		t.Error("fresh before there was one")
	}
	l.at = now
	if !l.fresh(now.Add(freshLook-1), freshLook) || l.fresh(now.Add(freshLook), freshLook) || l.fresh(now.Add(-1), freshLook) {
		t.Error("it is fresh at the wrong time")
	}
	l.glancing, l.began = true, now
	w := l.wait()
	if !l.busy() || l.fallsSilent(true, now.Add(silentAfter)) || l.fallsSilent(false, now.Add(2*silentAfter)) {
		t.Error("silent too early")
	}
	late := now.Add(silentAfter + 1)
	if !l.fallsSilent(true, late) || l.fallsSilent(true, late) {
		t.Error("that it is silent was not noticed once")
	}
	if l.answered(); l.busy() || l.silent {
		t.Errorf("%+v", l)
	}
	<-w
	if !l.fallsSilent(true, late) {
		t.Error("that it is silent again is not noticed")
	}
}
