package swarm

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/core"
)

// Check hashes piece i as it is on disk, and marks it complete or not. It is left
// as it is while the hash that would tell is not known.
func (s *Swarm) Check(ctx context.Context, i int) error {
	if !s.checking(i, true) {
		return ErrClosed
	}
	defer s.using.Done()
	defer s.checking(i, false)
	f, err := s.content().look(i, func(w io.Writer) io.Writer { return &stoppable{w, ctx, s.ctx} })
	v := wrong // where there is no data
	switch {
	case err == nil:
		v = s.content().judge(i, f)
	case !errors.Is(err, io.EOF):
		return err
	}
	switch v {
	case right:
		err = s.content().Storage.MarkComplete(i)
	case wrong:
		err = s.content().Storage.MarkNotComplete(i)
	case unknown:
		return nil // until the piece layer is known
	case differ:
		err = disagreement(i)
		s.disagree(err)
	}
	if err != nil {
		return err
	}
	s.refresh(i)
	return nil
}

// checking notes whether piece i is being hashed by Check. At first it enters, and
// reports whether it did.
func (s *Swarm) checking(i int, begins bool) bool {
	if begins && !s.enter() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if begins {
		s.checks[i] = true
	} else {
		delete(s.checks, i)
	}
	return true
}

// Refresh asks the storage again what is complete of the pieces from up to, not
// including, to. It returns which of these are known, right or wrong.
func (s *Swarm) Refresh(from, to int) (known []bool) {
	known = make([]bool, to-from)
	if !s.enter() {
		return known
	}
	defer s.using.Done()
	for i := range known {
		known[i] = s.refresh(from + i)
	}
	return known
}

func (s *Swarm) refresh(i int) (known bool) {
	known, complete := s.content().Storage.Completion(i)
	has := known && complete
	s.mu.Lock()
	news := !s.ended && s.core.Has(i) != has
	s.mu.Unlock()
	switch {
	case !news:
	case has:
		s.do(func(c *core.Core, now time.Duration) { c.Found(now, i) })
		s.hasher.forget(i)
	default:
		s.do(func(c *core.Core, now time.Duration) { c.Lost(now, i) })
	}
	return known
}

// State is what is under way with a piece.
type State uint8

// The states of pieces.
const (
	Absent   State = iota // nothing of it was asked for
	Coming                // something of it was
	Checking              // it is being hashed
	Here
)

// States is the state of each piece.
func (s *Swarm) States() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]State, s.content().Layout.Pieces)
	for i := range out {
		if s.core.Has(i) {
			out[i] = Here
		}
	}
	s.core.Begun(func(i int, checking bool) {
		if out[i] = Coming; checking {
			out[i] = Checking
		}
	})
	for i := range s.checks {
		out[i] = Checking
	}
	return out
}

// stoppable passes on what is written, until a context ends.
type stoppable struct {
	w    io.Writer
	a, b context.Context
}

func (u *stoppable) Write(p []byte) (int, error) {
	if u.a.Err() != nil {
		return 0, context.Cause(u.a)
	}
	if u.b.Err() != nil {
		return 0, ErrClosed
	}
	return u.w.Write(p)
}
