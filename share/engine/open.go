package engine

import (
	"context"
	"path/filepath"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/flow"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// spec says how the storage of t is opened, but for what it holds.
func (e *Engine) spec(t *transfer) storage.Spec {
	if t.own() {
		return storage.Spec{Since: t.added, Own: &storage.Own{Path: t.path, Sources: t.sources(), FollowSymlinks: t.options.FollowSymlinks}}
	}
	s := storage.Spec{Dir: t.path, Since: t.completed, Adopt: t.options.Adopt}
	if t.options.Root == "" {
		taken := make(map[string]bool)
		for _, o := range e.transfers.byID {
			if o != t {
				taken[o.shownPath()] = true
			}
		}
		s.Taken = func(path string) bool { return taken[path] }
	}
	return s
}

// sources tells what a share that was just hashed was made of.
func (t *transfer) sources() []storage.Source {
	if t.making.made == nil || t.making.reused {
		return nil
	}
	out := make([]storage.Source, len(t.making.made.Files))
	for i, f := range t.making.made.Files {
		out[i] = storage.Source{Info: f.Info, Read: f.Read}
		if rel, err := filepath.Rel(t.path, f.Path); err == nil && f.Path != "" && rel != "." {
			out[i].Path = filepath.ToSlash(rel)
		}
	}
	return out
}

func (e *Engine) startOpen(t *transfer) {
	o := opening{
		id: t.id, at: t.path, made: t.making.made, info: t.info, spec: e.spec(t),
		heard: func(info *metainfo.Info, ev storage.Event) { e.box.post(func() { e.heard(t, info, ev) }) },
	}
	t.look.began = e.now()
	e.start(t, jobOpen, func(ctx context.Context) func() {
		info, files, err := e.work.open(ctx, o)
		if err != nil {
			return func() {
				t.look.answered()
				switch {
				case isLost(err):
					e.lostTorrent(t, err)
				case ctx.Err() == nil:
					e.fail(t, err)
				}
			}
		}
		path := files.Path()
		return func() { e.openedFiles(t, info, files, path) }
	})
}

// lostTorrent is called when the .torrent file of t is gone or damaged. A share is
// hashed again; for a fetch, peers are asked again.
func (e *Engine) lostTorrent(t *transfer, err error) {
	e.log.Warn("a torrent was lost and is got again", "id", t.id.Short(), "error", err)
	e.events.note(t, "%v; getting it again", err)
	e.announce.hide(t)
	t.info, t.row.files = nil, 0
	if t.kind == kindOwn {
		t.kind, t.done = kindUnhashed, false
	}
	e.save(t)
}

func (e *Engine) openedFiles(t *transfer, info *metainfo.Info, files *storage.Transfer, path string) {
	o := &openedPhase{files: files, plan: newPlan(info, files, t.options.Priorities), fault: files.Fault()}
	t.info, t.phase = info, o
	t.look.glancing, t.look.silent = false, false
	if t.making.reused && (o.fault != nil || files.Progress().Unknown > 0 || files.Progress().Doubtful > 0 || !o.plan.complete()) {
		// The files have changed: they are closed again and hashed.
		e.unmake(t)
		return
	}
	if t.making.made != nil {
		e.shared(t)
	}
	e.setRoot(t, path)
	if t.total != o.plan.total() {
		t.total = o.plan.total()
		e.save(t)
	}
	e.checkProgress(t)
	e.looked(t)
	t.look.release()
}

// setRoot notes where the content of a fetch is: the storage may have had to
// give it another name.
func (e *Engine) setRoot(t *transfer, path string) {
	if root := filepath.Base(path); !t.own() && t.options.Root != root {
		t.options.Root = root
		e.save(t)
	}
}

// heard is told by the storage what changed.
func (e *Engine) heard(t *transfer, info *metainfo.Info, ev storage.Event) {
	o := t.opened()
	if o == nil || t.info != info {
		return
	}
	was := o.fault
	o.fault = o.files.Fault()
	switch {
	case was == nil && o.fault != nil:
		e.log.Warn("the storage of a transfer has a fault", "id", t.id.Short(), "error", o.fault)
		e.events.tell(t, share.EventFailed, o.fault.Error())
	case was != nil && o.fault == nil:
		e.events.note(t, "the storage works again")
	}
	for i := range ev.Found {
		f := &ev.Found[i]
		e.log.Info("a file was there already", "id", t.id.Short(), "path", f.Path, "beside", f.Beside)
		e.events.publish(t, share.Event{Type: share.EventBeside, Message: f.String(), File: f})
	}
	if l := t.live(); l != nil {
		if len(ev.Refresh) > 0 {
			e.serial.do(func() { l.net.Refresh(ev.Refresh) })
		}
		if len(ev.Verify) > 0 {
			e.rehash(t, l, ev.Verify)
		}
	}
	e.checkProgress(t)
	e.reconcile(t)
}

func (e *Engine) startAttach(t *transfer) {
	o, seeds := t.opened(), t.options.WebSeeds
	down, up := t.limits.buckets(t.options.Limits)
	content := face.Content{
		ID: t.id, Info: t.info.Bytes(), Storage: o.files,
		ReadOnly: t.own(), // nothing is ever written to what the user shares
		Down:     flow.Throttle{Own: down, Node: e.down},
		Up:       flow.Throttle{Own: up, Node: e.up},
		Arrived:  o.plan.arrival,
	}
	e.start(t, jobAttach, func(context.Context) func() {
		net, err := e.work.attach(content, o.plan, seeds)
		if err != nil {
			return func() { e.fail(t, err) }
		}
		return func() {
			t.phase = &livePhase{openedPhase: o, net: net}
			e.swarms.Offer(content.ID)
			e.discovery.again(t)
		}
	})
}

func (e *Engine) startDetach(t *transfer) {
	l := t.live()
	t.options.Durable = t.haveBytes()
	e.start(t, jobDetach, func(context.Context) func() {
		l.plan.detach()
		l.net.Detach()
		return func() {
			t.fold()
			t.phase = l.openedPhase
			e.save(t)
		}
	})
}

func (e *Engine) startClose(t *transfer) {
	files := t.opened().files
	t.options.Durable = t.haveBytes()
	e.start(t, jobClose, func(ctx context.Context) func() {
		err := files.Close(context.WithoutCancel(ctx))
		return func() {
			if err != nil {
				e.log.Warn("closing the files of a transfer", "id", t.id.Short(), "error", err)
			}
			t.phase, t.info = nil, nil
		}
	})
}

// checkAgain is when pieces are tried again that could not be hashed.
const checkAgain = 10 * time.Second

// startCheck hashes the pieces that are not known to be right, or all where that was
// asked for.
func (e *Engine) startCheck(t *transfer) {
	o, info, again := t.opened(), t.info, t.options.Verify
	files := o.files
	var first func(context.Context) error
	switch {
	case again && t.options.Mend:
		first = files.Mend
	case again:
		first = files.Recheck
	}
	t.count.start(0)
	e.start(t, jobCheck, func(ctx context.Context) func() {
		err := e.work.check(ctx, info, files, first, &t.count)
		return func() {
			if t.opened() != o {
				return
			}
			switch {
			case err == nil && again:
				if !t.options.Mend {
					e.events.note(t, "all data was verified")
				}
				t.options.Verify, t.options.Mend = false, false
				e.save(t)
			case err != nil && ctx.Err() == nil && files.Fault() == nil:
				e.fail(t, err)
			case err != nil && ctx.Err() == nil:
				t.options.Verify, t.options.Mend = false, false // the fault says the rest
			}
			o.fault, o.nextCheck = files.Fault(), e.now().Add(checkAgain)
			if err == nil && t.options.Verify { // asked for meanwhile
				o.nextCheck = time.Time{}
			}
			e.checkProgress(t)
		}
	})
}

// rehash has the swarm hash pieces of a transfer that is live, since a file
// was changed and has come to rest.
func (e *Engine) rehash(t *transfer, l *livePhase, spans []storage.Span) {
	l.rehashing++
	e.box.run(func(ctx context.Context) func() {
		l.net.Verify(ctx, spans)
		if err := l.files.Flush(ctx); err != nil {
			e.log.Debug("recording what was hashed again", "id", t.id.Short(), "error", err)
		}
		return func() {
			l.rehashing--
			if t.live() == l {
				e.checkProgress(t)
				e.reconcile(t)
			}
		}
	})
}

// checkProgress compares what is durable with what is wanted.
func (e *Engine) checkProgress(t *transfer) {
	o := t.opened()
	p := o.files.Progress()
	o.unknown, o.doubt = p.Unknown > 0, p.Doubtful > 0
	if o.doubt && o.fault == nil && !e.now().Before(o.nextCheck) {
		e.proveAll(t)
	}
	copying := t.job != nil && t.job.what == jobCopy
	if o.unknown || o.doubt || t.checking() || o.rehashing > 0 || copying || t.options.Restart {
		return
	}
	defer e.noteDamage(t)
	switch complete := o.plan.complete(); {
	case complete && !t.done:
		e.startFinish(t)
	case !complete && t.done && !t.own():
		// What was complete is so no longer: it is fetched again.
		t.done, t.options.Lost, t.options.Durable = false, true, t.haveBytes()
		if t.options.Reason != "" {
			t.options.Reason = "some of it is damaged or missing; get or resume fetches it again"
		}
		e.save(t)
		e.reconcile(t)
	}
	if t.options.Sequential && !t.done {
		rate := int64(0)
		if l := t.live(); l != nil {
			rate = l.down.Rate()
		}
		o.plan.inOrder(rate)
		e.serial.do(o.plan.apply)
	}
}

// startFinish makes what has no pieces, such as empty files, and then reports
// the transfer as done.
func (e *Engine) startFinish(t *transfer) {
	if t.job != nil {
		return
	}
	o, skip := t.opened(), t.options.Priorities
	files := o.files
	e.start(t, jobFinish, func(ctx context.Context) func() {
		err := files.Finish(ctx, func(i int) bool { return skip[i] != share.Skip })
		path := files.Path()
		return func() {
			e.setRoot(t, path)
			switch {
			case err != nil:
				e.events.note(t, "finishing: %v", err)
			case t.opened() == o && o.plan.complete() && !t.options.Restart:
				e.finish(t)
			}
		}
	})
}

// finish is called when every selected file of t is complete and on disk.
func (e *Engine) finish(t *transfer) {
	t.done, t.slot = true, false
	t.look.at = e.now().Round(0) // it was just given its name
	if t.completed.IsZero() {
		t.completed = e.now().Round(0)
	}
	t.options.Durable, t.options.Lost = t.total, false
	e.tellCompletion(t)
	e.save(t)
	e.events.tell(t, share.EventDone, "")
	e.checkGoal(t, e.now())
	e.reconcile(t)
}

// tellCompletion tells trackers, once in the life of t, that a download of the
// whole has ended: not of what was on disk before, of a part, or of what had to
// be fetched again.
func (e *Engine) tellCompletion(t *transfer) {
	f := t.figures()
	if t.options.Counted || f.Left != 0 {
		return
	}
	t.options.Counted = true
	if f.Downloaded > 0 {
		e.trackers.Complete(t.id)
	}
}
