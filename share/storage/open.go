package storage

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/shoalnet/shoal/share"
)

// Open opens the transfer of s.Info, as it was left, or new. It checks the size and
// times of each file and reads no content. If the disk does not answer, the
// transfer opens with a Fault. A transfer must not be open twice.
func (s *Store) Open(ctx context.Context, spec Spec) (*Transfer, error) {
	t, err := s.newTransfer(spec)
	if err != nil {
		return nil, err
	}
	rec, err := s.cfg.Ledger.Load(ctx, t.info.ID)
	if err != nil {
		return nil, diskError("loading the record of %q: %w", t.info.Name, err)
	}
	o := opener{memory: &t.memory, store: s, watch: &t.watch, faults: &t.faults}
	fresh := rec == nil
	var left *Record
	if rec != nil && isLeft(rec, t.info) {
		rec, left, fresh = nil, rec, true
	}
	if rec != nil {
		if err := o.restore(rec, spec); err != nil {
			s.log.Warn("cannot use the record of a transfer; its data is hashed again", "transfer", t.info.ID, "error", err)
			fresh = true
		}
	}
	if err := s.place(t, &o, spec, fresh, left); err != nil {
		s.release(t)
		return nil, err
	}
	if fresh && t.sealing != nil {
		o.takeBare(spec)
	}
	if fresh {
		err = t.records.recordAll(ctx)
	} else if t.known.stale {
		err = t.records.unrecordNow()
	}
	if err != nil {
		s.release(t)
		return nil, err
	}
	t.mu.Lock()
	sync, probe := !t.unsynced.empty() || len(t.unnamed) > 0 || t.mustFinish(), t.troubles.count() > 0
	// The peer protocol asks for every piece when it gets the transfer.
	t.known.event.refresh, t.known.event.verify = nil, nil
	t.mu.Unlock()
	if sync {
		t.agenda.wantSync(0)
	}
	if probe {
		t.agenda.wantProbe(firstPause)
		t.agenda.post()
	}
	return t, nil
}

// place chooses where a new transfer goes, and claims its paths.
func (s *Store) place(t *Transfer, o *opener, spec Spec, fresh bool, left *Record) error {
	if fresh {
		// Two transfers that are placed at the same time must not get the same
		// name.
		s.placing.Lock()
		defer s.placing.Unlock()
		o.plan(spec, left)
	}
	return s.claim(t)
}

func (s *Store) newTransfer(spec Spec) (*Transfer, error) {
	if spec.Info == nil {
		return nil, errors.New("opening a transfer without an info dictionary")
	}
	t := &Transfer{
		memory: newMemory(spec.Info, spec.Layers, s.disk, spec.Own, spec.Dir, sinceOf(spec.Since), s.handles.max/2),
		store:  s,
		log:    s.log,
	}
	where := spec.Dir
	if t.own != nil {
		where = t.own.Path
		t.own = &Own{Path: filepath.Clean(where), FollowSymlinks: spec.Own.FollowSymlinks}
		t.dir = t.own.Path
		if !t.info.Multi {
			t.dir = filepath.Dir(t.own.Path)
		}
	}
	if !filepath.IsAbs(where) {
		return nil, share.Errorf(share.Usage, "the path %q is not absolute", where)
	}
	t.job = job{store: s, dir: t.dir, notify: spec.Notify, work: t}
	t.agenda = &t.job
	t.join(&t.memory, supplies{
		cache: s.handles, claims: &t.job, saver: s, clock: s.elapsed, log: s.log, preallocate: s.cfg.Preallocate, width: s.syncs,
	})
	if t.info.Sealed != nil {
		var err error
		if t.sealing, err = newSealing(t.info, spec.Seal, &t.verifier, s.sealed); err != nil {
			return nil, err
		}
		t.sealed = newSealed(t, spec.Seal)
	}
	return t, nil
}

func sinceOf(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixNano()
}
