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

// spec says how the storage of t is opened. The caller sets Info.
func (lp *loop) spec(t *transfer) storage.Spec {
	if t.own() {
		return storage.Spec{Since: t.added, Seal: lp.sealSpec(t), Own: &storage.Own{Path: t.path, Sources: t.sources(), Foreign: t.options.Given, FollowSymlinks: t.options.FollowSymlinks}}
	}
	s := storage.Spec{Dir: t.path, Seal: lp.sealSpec(t), Since: t.completed, Adopt: t.options.Adopt}
	if t.options.Root == "" {
		taken := make(map[string]bool)
		for _, o := range lp.transfers.byID {
			if o != t {
				taken[o.shownPath()] = true
			}
		}
		s.Taken = func(path string) bool { return taken[path] }
	}
	return s
}

// sources lists the files that a share was just hashed from, and of an import where
// its files are.
func (t *transfer) sources() []storage.Source {
	if t.making.made == nil || t.making.reused {
		return t.places()
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

func (lp *loop) startOpen(t *transfer) {
	o := opening{
		id: t.id, at: t.path, made: t.making.made, info: t.info, spec: lp.spec(t),
		heard: func(info *metainfo.Info, ev storage.Event) { lp.box.post(func() { lp.heard(t, info, ev) }) },
	}
	skip := t.options.Priorities
	o.wanted = func(i int) bool { return skip[i] != share.Skip }
	if t.options.Sealed && t.making.made != nil && !t.making.reused {
		o.tags = lp.torrents.tags(t.id)
	}
	t.look.began = lp.now()
	lp.start(t, jobOpen, func(ctx context.Context) func() {
		tor, files, err := lp.work.open(ctx, o)
		if err != nil {
			return func() {
				t.look.answered()
				switch {
				case isLost(err):
					lp.lostTorrent(t, err)
				case ctx.Err() == nil:
					lp.fail(t, err)
				}
			}
		}
		path := files.Path()
		return func() { lp.openedFiles(t, tor, files, path) }
	})
}

// lostTorrent is called when the .torrent file of t is gone or damaged. A share is
// hashed again; for a fetch, peers are asked again.
func (lp *loop) lostTorrent(t *transfer, err error) {
	lp.log.Warn("the .torrent file is lost; getting it again", "id", t.id.Short(), "error", err)
	lp.events.note(t, "%v; getting it again", err)
	lp.announce.hide(t)
	t.info, t.row.files = nil, 0
	if t.kind == kindOwn {
		t.kind, t.done = kindUnhashed, false
	}
	lp.save(t)
}

func (lp *loop) openedFiles(t *transfer, tor *metainfo.Torrent, files *storage.Transfer, path string) {
	info := tor.Info
	o := &openedPhase{files: files, layers: tor.Layers, plan: newPlan(info, files, t.options.Priorities), fault: files.Fault()}
	t.info, t.phase = info, o
	t.look.glancing, t.look.silent = false, false
	if t.options.Names == nil && t.making.made == nil {
		_ = lp.name(t, namesOf(info)) // of a version that did not keep them
	}
	if t.making.reused && (o.fault != nil || files.Progress().Unknown > 0 || files.Progress().Doubtful > 0 || !o.plan.complete()) {
		// The files have changed: they are closed again and hashed.
		lp.unmake(t)
		return
	}
	if t.making.made != nil {
		lp.shared(t)
	}
	lp.setRoot(t, path)
	if t.total != o.plan.total() {
		t.total = o.plan.total()
		lp.save(t)
	}
	lp.checkProgress(t)
	lp.looked(t)
	t.look.release()
}

// setRoot notes the name of a fetch on disk: the storage may have had to choose another.
func (lp *loop) setRoot(t *transfer, path string) {
	if root := filepath.Base(path); !t.own() && t.options.Root != root {
		t.options.Root = root
		lp.save(t)
	}
}

// heard is called when the storage reports a change.
func (lp *loop) heard(t *transfer, info *metainfo.Info, ev storage.Event) {
	o := t.opened()
	if o == nil || t.info != info {
		return
	}
	was := o.fault
	o.fault = o.files.Fault()
	switch {
	case was == nil && o.fault != nil:
		lp.log.Warn("a transfer has a disk fault", "id", t.id.Short(), "error", o.fault)
		lp.events.tell(t, share.EventFailed, share.TextOf(o.fault))
	case was != nil && o.fault == nil:
		lp.events.note(t, "the disk works again")
	}
	for i := range ev.Found {
		f := &ev.Found[i]
		lp.log.Info("a file was there already", "id", t.id.Short(), "path", f.Path, "beside", f.Beside)
		lp.events.publish(t, share.Event{Type: share.EventBeside, Message: f.String(), File: f})
	}
	if l := t.live(); l != nil {
		if len(ev.Refresh) > 0 {
			lp.serial.do(func() { l.net.Refresh(ev.Refresh) })
		}
		if len(ev.Verify) > 0 {
			lp.rehash(t, l, ev.Verify)
		}
	}
	lp.checkProgress(t)
	lp.reconcile(t)
}

func (lp *loop) startAttach(t *transfer) {
	o, seeds := t.opened(), t.options.WebSeeds
	down, up := t.limits.buckets(t.options.Limits)
	content := face.Content{
		ID: t.info.ID, Info: t.info.Bytes(), Storage: storageOf(o.files),
		ReadOnly: t.own(), // nothing is ever written to what the user shares
		Down:     lp.ahead.limit(t, down, lp.down),
		Up:       flow.Throttle{Own: up, Node: lp.up},
		Arrived:  o.plan.arrival,
		Layers:   o.layers,
		Fetched: func(by share.Fetcher) {
			lp.told(func() {
				if t.removing == nil {
					lp.events.publish(t, share.Event{Type: share.EventFetched, By: &by, Message: by.String() + " has all of it"})
				}
			})
		},
		Layered: func() { lp.told(func() { lp.layered(t, o) }) },
		Differs: func(err error) {
			lp.told(func() {
				if t.opened() == o {
					lp.fail(t, share.Errorf(share.Refused, "%w", err))
					lp.reconcile(t)
				}
			})
		},
	}
	lp.start(t, jobAttach, func(context.Context) func() {
		net, err := lp.work.attach(content, o.plan, seeds)
		if err != nil {
			return func() { lp.fail(t, err) }
		}
		return func() {
			t.phase = &livePhase{openedPhase: o, net: net}
			lp.announce.offer(t)
			lp.discovery.again(t)
			if o.blind() {
				o.files.Layered() // some pieces need no layer, or have it
			}
		}
	})
}

// storageOf is what peers see of the files of a transfer.
func storageOf(files *storage.Transfer) face.Storage {
	if s := files.Sealed(); s != nil {
		return s
	}
	return files
}

// told runs f on the loop. It is for callbacks of swarms, which must not wait.
func (lp *loop) told(f func()) {
	lp.serial.do(func() { lp.box.post(f) })
}

// layered is called when the last piece layer of t that was missing has come.
func (lp *loop) layered(t *transfer, o *openedPhase) {
	if t.opened() != o {
		return
	}
	o.fresh = true
	lp.events.note(t, "the hashes of all pieces are known")
	lp.checkProgress(t)
	lp.reconcile(t)
}

// startKeep writes the .torrent file of t again, so that nobody has to be asked for its
// piece layers any more.
func (lp *loop) startKeep(t *transfer) {
	o, id := t.opened(), t.id
	tor := &metainfo.Torrent{Info: t.info, Layers: o.layers}
	o.fresh = false
	lp.start(t, jobKeep, func(context.Context) func() {
		err := lp.torrents.keep(id, tor.Encode())
		o.files.Layered() // what is here already can be hashed
		return func() {
			if err != nil {
				lp.log.Warn("keeping the piece layers of a transfer", "id", id.Short(), "error", err)
			}
		}
	})
}

func (lp *loop) startDetach(t *transfer) {
	l := t.live()
	t.options.Durable = t.haveBytes()
	lp.start(t, jobDetach, func(context.Context) func() {
		l.plan.detach()
		l.net.Detach()
		return func() {
			t.fold()
			t.phase = l.openedPhase
			lp.save(t)
		}
	})
}

func (lp *loop) startClose(t *transfer) {
	files := t.opened().files
	t.options.Durable = t.haveBytes()
	lp.start(t, jobClose, func(ctx context.Context) func() {
		err := files.Close(context.WithoutCancel(ctx))
		return func() {
			if err != nil {
				lp.log.Warn("closing the files of a transfer", "id", t.id.Short(), "error", err)
			}
			t.phase, t.info = nil, nil
		}
	})
}

// checkAgain is when pieces are tried again that could not be hashed.
const checkAgain = 10 * time.Second

// startCheck hashes the pieces that are not known to be right, or all where that was
// asked for.
func (lp *loop) startCheck(t *transfer) {
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
	lp.start(t, jobCheck, func(ctx context.Context) func() {
		err := lp.work.check(ctx, info, files, first, &t.count)
		return func() {
			if t.opened() != o {
				return
			}
			switch {
			case err == nil && again:
				if !t.options.Mend {
					lp.events.note(t, "all data was verified")
				}
				t.options.Verify, t.options.Mend = false, false
				lp.save(t)
			case share.KindOf(err) == share.Refused, err != nil && ctx.Err() == nil && files.Fault() == nil:
				lp.fail(t, err)
			case err != nil && ctx.Err() == nil:
				t.options.Verify, t.options.Mend = false, false // the fault says the rest
			}
			o.fault, o.nextCheck = files.Fault(), lp.now().Add(checkAgain)
			if err == nil && t.options.Verify { // asked for meanwhile
				o.nextCheck = time.Time{}
			}
			lp.checkProgress(t)
		}
	})
}

// rehash has the swarm hash pieces of a live transfer, after a file was changed.
func (lp *loop) rehash(t *transfer, l *livePhase, spans []storage.Span) {
	l.rehashing++
	lp.box.run(func(ctx context.Context) func() {
		l.net.Verify(ctx, spans)
		if err := l.files.Flush(ctx); err != nil {
			lp.log.Debug("recording what was hashed again", "id", t.id.Short(), "error", err)
		}
		return func() {
			l.rehashing--
			if t.live() == l {
				lp.checkProgress(t)
				lp.reconcile(t)
			}
		}
	})
}

// checkProgress compares what is durable with what is wanted.
func (lp *loop) checkProgress(t *transfer) {
	o := t.opened()
	p := o.files.Progress()
	o.unknown, o.doubt = p.Unknown > 0 && !o.blind(), p.Doubtful > 0
	if o.doubt && o.fault == nil && !lp.now().Before(o.nextCheck) {
		lp.proveAll(t)
	}
	copying := t.job != nil && t.job.what == jobCopy
	if o.unknown || o.doubt || t.checking() || o.rehashing > 0 || copying || t.options.Restart {
		return
	}
	defer lp.noteDamage(t)
	switch complete := o.plan.complete(); {
	case complete && !t.done:
		lp.startFinish(t)
	case !complete && t.done && !t.own():
		// It is no longer complete: what is missing is fetched again.
		t.done, t.options.Lost, t.options.Durable = false, true, t.haveBytes()
		if t.options.Reason != "" {
			t.options.Reason = share.Say("some of it is damaged or missing; get or resume fetches it again").String()
		}
		lp.save(t)
		lp.reconcile(t)
	}
	if t.options.Sequential && !t.done {
		rate := int64(0)
		if l := t.live(); l != nil {
			rate = l.down.Rate()
		}
		o.plan.inOrder(rate)
		lp.serial.do(o.plan.apply)
	}
}

// startFinish makes what has no pieces, such as empty files, and deletes the blob that the
// files were written out of, if any; then the transfer is done.
func (lp *loop) startFinish(t *transfer) {
	if t.job != nil {
		return
	}
	o, skip := t.opened(), t.options.Priorities
	files, id, blob := o.files, t.id, lp.spentBlob(t)
	lp.start(t, jobFinish, func(ctx context.Context) func() {
		err := files.Finish(ctx, func(i int) bool { return skip[i] != share.Skip })
		path := files.Path()
		gone := err == nil && blob != "" && lp.blobGone(ctx, id, blob)
		return func() {
			lp.setRoot(t, path)
			if gone && t.options.Blob == blob {
				t.options.Blob = ""
				lp.save(t)
			}
			switch {
			case err != nil:
				lp.events.note(t, "finishing: %v", err)
			case t.opened() == o && o.plan.complete() && !t.options.Restart:
				lp.finish(t)
			}
		}
	})
}

// finish is called when every selected file of t is complete.
func (lp *loop) finish(t *transfer) {
	t.done, t.slot = true, false
	lp.discovery.scan.add(t)
	t.look.at = lp.now().Round(0) // its files were just given their names
	if t.completed.IsZero() {
		t.completed = lp.now().Round(0)
	}
	t.options.Durable, t.options.Lost = t.total, false
	lp.tellCompletion(t)
	lp.save(t)
	lp.events.tell(t, share.EventDone, share.Text{})
	lp.checkGoal(t, lp.now())
	lp.reconcile(t)
}

// tellCompletion tells trackers that t was downloaded, all of it and for the first time.
// They are not told of content that was on disk before, or of a part of it.
func (lp *loop) tellCompletion(t *transfer) {
	f := t.figures()
	if t.options.Counted || f.Left != 0 {
		return
	}
	t.options.Counted = true
	if f.Downloaded > 0 {
		for _, id := range t.ids() {
			lp.trackers.Complete(id)
		}
	}
}
