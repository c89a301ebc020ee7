package storage

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/shoalnet/shoal/share"
)

// Open gives the transfer of s.Info, as it was left or new. It looks at the
// size and time of each file and reads none. A disk that does not answer is not
// an error but a Fault. One transfer must not be open twice.
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
			s.log.Warn("a record is of no use; the data is hashed again", "transfer", t.info.ID, "error", err)
			fresh = true
		}
	}
	if err := s.place(t, &o, spec, fresh, left); err != nil {
		s.release(t)
		return nil, err
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
	// The client asks for every piece when it is given the transfer.
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

// place decides where a fresh transfer goes, and claims its paths.
func (s *Store) place(t *Transfer, o *opener, spec Spec, fresh bool, left *Record) error {
	if fresh {
		// Two that are placed at once must not get the same name.
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
		memory: newMemory(spec.Info, s.disk, spec.Own, spec.Dir, sinceOf(spec.Since), s.handles.max/2),
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
	return t, nil
}

func sinceOf(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixNano()
}
