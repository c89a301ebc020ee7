package storage

import (
	"maps"
	"slices"
	"time"
)

// troubles are the files of a transfer that are missing or were changed. Their
// pieces are held: neither served nor fetched. It touches memory only; memory.mu
// guards it.
type troubles struct {
	files map[int]*trouble // by entry
	first int              // the least entry; -1 if not known
	pause time.Duration    // before the next look at them
}

// trouble is one such file.
type trouble struct {
	kind error // ErrMissing or ErrChanged
	seen stamp // at the last look
	// wrong means that the file was hashed as it was seen, and is wrong.
	wrong bool
}

func (s *troubles) count() int { return len(s.files) }

// of returns what is wrong with file i, or nil.
func (s *troubles) of(i int) *trouble { return s.files[i] }

// add notes what is wrong with file i.
func (s *troubles) add(i int, tr *trouble) {
	if s.files == nil {
		s.files = map[int]*trouble{}
	}
	if len(s.files) == 0 || s.first >= 0 && i < s.first {
		s.first = i
	}
	s.files[i] = tr
}

// drop notes that nothing is wrong with file i any more.
func (s *troubles) drop(i int) {
	delete(s.files, i)
	if i == s.first {
		s.first = -1
	}
}

// list returns the files, in order.
func (s *troubles) list() []int { return slices.Sorted(maps.Keys(s.files)) }

// worst returns the first file in trouble. There must be one.
func (s *troubles) worst() (i int, kind error) {
	if s.first < 0 {
		s.first = slices.Min(slices.Collect(maps.Keys(s.files)))
	}
	return s.first, s.files[s.first].kind
}

// waits tells whether file i has to be looked at before it is read: it is in
// trouble and was not hashed as it is now.
func (s *troubles) waits(i int) bool { return s.files[i] != nil && !s.files[i].wrong }

// looked returns how long to wait before the next look. It doubles while nothing
// changes.
func (s *troubles) looked(moved bool) time.Duration {
	if moved {
		s.pause = firstPause
	} else {
		s.pause = longer(s.pause)
	}
	return s.pause
}

// longer returns the pause that follows a pause of p.
func longer(p time.Duration) time.Duration { return min(max(firstPause, 2*p), lastPause) }

// standstill is why the whole transfer has stopped. It touches memory only;
// memory.mu guards it.
type standstill struct {
	fault   *fault
	probing *fault        // a probe succeeded; the sync after it has not yet
	pause   time.Duration // before the next probe; 0 after a good batch
}

// err returns the reason, or nil.
func (s *standstill) err() error {
	for _, f := range []*fault{s.fault, s.probing} {
		if f != nil {
			return f.err
		}
	}
	return nil
}

// stop notes a fault and returns how long to wait before a probe.
func (s *standstill) stop(f *fault) time.Duration {
	s.fault = f
	return s.again()
}

// again returns how long to wait after a probe that failed.
func (s *standstill) again() time.Duration {
	s.pause = longer(s.pause)
	return s.pause
}

// tryOut notes that a probe after f succeeded. The fault is over if the sync that
// follows succeeds, too.
func (s *standstill) tryOut(f *fault) { s.fault, s.probing = nil, f }

// end ends the trial and tells whether the transfer goes on.
func (s *standstill) end() bool {
	s.probing = nil
	return s.fault == nil
}

// calm makes the next pause a short one.
func (s *standstill) calm() { s.pause = 0 }

// The pause between probes doubles from the first to the last.
const (
	firstPause = 2 * time.Second
	lastPause  = time.Minute
)
