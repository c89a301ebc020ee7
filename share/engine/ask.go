package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// startAsk gets the info dictionary of t from peers. It goes on until a peer has sent
// it; the search for peers runs beside it.
func (lp *loop) startAsk(t *transfer) {
	if t.options.Paused || t.failure != nil || t.removing != nil {
		return
	}
	if !t.secret.IsZero() {
		lp.startAskSealed(t)
		return
	}
	id := t.id
	names := t.names()
	ask, err := lp.swarms.Learn(names.ids(), names.fits)
	if err != nil {
		lp.fail(t, err)
		return
	}
	t.peers.asking = ask
	t.peers.search = search{}
	if t.peers.book != nil {
		ask.AddPeers(t.peers.book.peers())
	}
	most, only := t.options.MaxSize, t.options.Only
	lp.start(t, jobAsk, func(ctx context.Context) func() {
		b, err := ask.Info(ctx)
		if err != nil {
			return func() { t.peers.asking = nil }
		}
		info, err := lp.work.accept(id, b, func(info *metainfo.Info) error {
			return errors.Join(checkSize(info, most), checkOnly(info, only))
		})
		if err != nil {
			ask.End()
		}
		return func() {
			t.peers.asking = nil
			if err != nil {
				lp.fail(t, err)
				return
			}
			if err := lp.name(t, namesOf(info)); err != nil {
				lp.fail(t, err)
				return
			}
			lp.learn(t, info)
			lp.discovery.again(t)
		}
	})
}

// learn takes over what the info dictionary of t says. Its .torrent file is kept
// already.
func (lp *loop) learn(t *transfer, info *metainfo.Info) {
	t.name, t.size, t.row.files = info.Name, info.Size(), countFiles(info)
	t.info = info
	t.options.Private = info.Private
	t.options.Blind = t.secret.IsZero() && looksSealed(info)
	skip, err := selection(info, t.options.Globs, t.options.Select)
	if err != nil {
		lp.fail(t, err)
	} else if t.options.Priorities == nil {
		t.options.Priorities = skip
	}
	t.total = t.size
	for i, p := range t.options.Priorities {
		if p == share.Skip && i < len(info.Files) {
			t.total -= info.Files[i].Length
		}
	}
	t.peers.search = search{}
	lp.save(t)
	lp.events.note(t, "the content is known: %q, %s in %s", t.name, humanize.Bytes(uint64(t.size)), share.Count(t.row.files, "file", "files"))
}

// startHash reads and hashes a share for the first time.
func (lp *loop) startHash(t *transfer) {
	if !t.mayHash() || !lp.hashing.begin() {
		return
	}
	if t.options.Given {
		lp.startMatch(t)
		return
	}
	path, o := t.path, t.options
	make := metainfo.MakeOptions{
		Name: t.name, PieceLength: o.PieceLength, FollowSymlinks: o.FollowSymlinks, Private: o.Private, Hybrid: o.Hybrid,
		Exclude: o.Exclude, Strict: o.Strict, Guard: lp.cfg.Guard,
		Progress: func(done, total int64) {
			t.count.done.Store(done)
			t.count.all.Store(total)
		},
	}
	if slices.ContainsFunc(o.Owners, func(o Owner) bool { return o.is(ownedByChannel) }) {
		make.Guard = nil // the node's own, in its state directory
	}
	earlier, again := lp.alike(t)
	again = again && !t.making.afresh
	id, secret := t.id, t.secret
	t.count.done.Store(0)
	lp.start(t, jobHash, func(ctx context.Context) func() {
		var made *metainfo.Made
		var err error
		if again {
			made = lp.work.madeBefore(ctx, earlier.id, path, make)
		}
		reused := made != nil
		key := earlier.secret
		switch {
		case reused:
		case o.Sealed:
			var s sealed
			s, err = lp.work.seal(ctx, path, make, lp.torrents.tags(id), id, secret)
			made, key = s.made, s.secret
		default:
			made, err = lp.work.hash(ctx, path, make, lp.hasEnded)
		}
		return func() {
			lp.hashing.end()
			defer lp.hashNext()
			switch {
			case err == nil && t.removing == nil:
				t.making.reused, t.making.secret = reused, key
				lp.madeTorrent(t, made)
			case err != nil && ctx.Err() == nil:
				lp.failShare(t, err)
			}
		}
	})
}

// failShare removes a share that cannot be made. Get still returns it, with the
// reason.
func (lp *loop) failShare(t *transfer, err error) {
	if t.removing != nil {
		return
	}
	lp.fail(t, err)
	if !t.completed.IsZero() {
		return // it was a share before its .torrent file was lost
	}
	t.retry = time.Time{}
	lp.transfers.fail(lp.events.snapshot(t))
	lp.beginRemoval(t, false)
}

// hashNext begins to hash the share that has waited longest.
func (lp *loop) hashNext() {
	if next := lp.hashing.next(lp.awake); next != nil {
		lp.reconcile(next)
	}
}

// madeTorrent is called when a share has been hashed. The .torrent file is kept only
// when the ID belongs to t: a removal of that ID also removes the file. The storage is
// opened before the ID is published, so that after a crash nothing is hashed again.
func (lp *loop) madeTorrent(t *transfer, made *metainfo.Made) {
	id, n := made.Info.ID, namesOf(made.Info)
	if c := lp.claims.on(n.ids()...); c != nil {
		// It is hashed again when the claim is over.
		t.making.parked = true
		c.after = append(c.after, func() {
			t.making.parked = false
			lp.reconcile(t)
		})
		return
	}
	if old := lp.transfers.rival(t, n); old != nil {
		if byUser := old.options.Owners.byUser(); !byUser || !old.own() && !old.known() {
			// What the user shares takes the place of what others own, and of a fetch of
			// which nothing but the ID is known: that has no data.
			lp.beginRemoval(old, !old.done && !byUser)
			lp.madeTorrent(t, made) // waits for that
			return
		}
		// The same content is here already.
		lp.replace(t, old.id)
		for _, o := range t.options.Owners.once(t.options.Then) {
			old.options.Owners = old.options.Owners.with(o)
		}
		if !old.done {
			old.options.From = t.path
		}
		old.found(made)
		if old.options.Owners.has(resting) || old.options.Paused && old.options.Reason != "" {
			old.options.Owners = old.options.Owners.without(resting)
			old.options.Paused, old.options.Reason = false, ""
		}
		lp.tellShared(old, t.id)
		lp.reconcile(old)
		return
	}
	if !lp.transfers.hash(t, id) {
		return // hashed again when the other share is done
	}
	t.making.made, t.info = made, made.Info
}

// found notes what was in the folder besides the content of a share.
func (t *transfer) found(made *metainfo.Made) {
	t.options.Hidden, t.options.LeftOut = made.Hidden, made.LeftOut
}

// replace makes the provisional ID of t stand for id.
func (lp *loop) replace(t *transfer, id share.ID) {
	if t.id == id {
		return // a share whose .torrent file was lost
	}
	lp.transfers.replace(t, id)
	delete(lp.awake, t)
	lp.state.remove(t.id, false)
	t.release()
}

// shared is called when the storage of a share that was just hashed is open.
func (lp *loop) shared(t *transfer) {
	was, made := t.id, t.making.made
	if was != made.Info.ID {
		t.was = was
	}
	t.secret = t.making.secret
	lp.replace(t, made.Info.ID)
	t.uploaded += lp.shelf.rows[made.Info.ID].uploaded
	lp.shelf.drop(made.Info.ID)
	n := namesOf(made.Info)
	t.options.Names = &n
	t.id, t.kind, t.done, t.making.made, t.making.reused = made.Info.ID, kindOwn, true, nil, false
	t.options.Owners, t.options.Then = t.options.Owners.once(t.options.Then), ""
	t.name, t.size, t.row.files = made.Info.Name, made.Info.Size(), countFiles(made.Info)
	t.total, t.completed = t.size, lp.now().Round(0)
	t.found(made)
	t.options.Paused, t.options.Hold = t.options.Paused || t.options.Hold, false
	lp.transfers.add(t)
	lp.transfers.unhash(t.id)
	lp.discovery.scan.add(t)
	lp.awake[t] = struct{}{}
	if l := made.LeftOut; l != nil {
		for _, o := range l.Items {
			lp.events.note(t, "left out: %s: %s", o.Path, o.Reason)
		}
	}
	lp.tellShared(t, was)
}

// tellShared tells the link of a share, which was provisional, once a crash does not undo
// the share any more.
func (lp *loop) tellShared(t *transfer, was share.ID) {
	saved := lp.state.putNow(t.row)
	lp.box.run(func(context.Context) func() {
		<-saved // an error is logged, and the row is written again
		return func() {
			if t.removing == nil {
				t.was = share.ID{}
				lp.events.publish(t, share.Event{Type: share.EventShared, Was: was})
			}
		}
	})
}
