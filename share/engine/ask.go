package engine

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/infofetch"
	"github.com/shoalnet/shoal/share/metainfo"
)

// startAsk gets the info dictionary of t from peers. It goes on until somebody
// gave it: the search for peers runs beside it.
func (e *Engine) startAsk(t *transfer) {
	if t.options.Paused || t.failure != nil || t.removing != nil {
		return
	}
	id := t.id
	ask, err := infofetch.New(infofetch.Config{
		ID:        id,
		Dial:      e.swarms.Dial,
		Allow:     func(ap netip.AddrPort) bool { return e.far().CheckPeer(ap) == nil },
		Client:    e.cfg.Client,
		Port:      e.port(),
		OnDHTNode: e.cfg.OnDHTNode,
		Logger:    e.log,
	})
	if err != nil {
		e.fail(t, err)
		return
	}
	t.asking = ask
	t.search = search{}
	if t.book != nil {
		ask.Add(t.book.addrs()...)
	}
	most, only := t.options.MaxSize, t.options.Only
	e.start(t, jobAsk, func(ctx context.Context) func() {
		got, err := ask.Run(ctx)
		if err != nil {
			return func() { t.asking = nil }
		}
		info, err := metainfo.ParseInfo(got.Bytes)
		if err != nil {
			return func() { t.asking = nil; e.fail(t, err) }
		}
		if err := e.swarms.Check(info.Bytes()); err != nil {
			return func() {
				t.asking = nil
				e.fail(t, share.Errorf(share.Refused, "the content of %s cannot be handled: %w", id.Short(), err))
			}
		}
		if err := errors.Join(checkSize(info, most), checkOnly(info, only)); err != nil {
			return func() { t.asking = nil; e.fail(t, err) }
		}
		if err := e.torrents.keep(id, (&metainfo.Torrent{Info: info}).Encode()); err != nil {
			return func() { t.asking = nil; e.fail(t, err) }
		}
		return func() {
			t.asking = nil
			e.learn(t, info)
			e.meet(foundPeers{id, share.FromPEX, append(got.Peers, got.More...)})
			if t.book != nil {
				t.book.again(e.now())
			}
		}
	})
}

// learn notes what the info dictionary of t, kept by now, says.
func (e *Engine) learn(t *transfer, info *metainfo.Info) {
	t.name, t.size, t.row.files = info.Name, info.Size(), countFiles(info)
	t.info = info
	t.options.Private = info.Private
	skip, err := selection(info, t.options.Globs, t.options.Select)
	if err != nil {
		e.fail(t, err)
	} else if t.options.Priorities == nil {
		t.options.Priorities = skip
	}
	t.total = t.size
	for i, p := range t.options.Priorities {
		if p == share.Skip && i < len(info.Files) {
			t.total -= info.Files[i].Length
		}
	}
	t.search = search{}
	e.save(t)
	e.note(t, "the content is known: %q, %s in %s", t.name, humanize.Bytes(uint64(t.size)), english.Plural(t.row.files, "file", ""))
}

// startHash reads and hashes a share for the first time.
func (e *Engine) startHash(t *transfer) {
	if t.options.Paused || t.failure != nil || t.removing != nil || t.parked || e.hashing >= maxHashing {
		return
	}
	e.hashing++
	path, name, o := t.path, t.name, t.options
	earlier, again := e.shelf.like(t)
	again = again && !t.afresh
	guard := e.cfg.Guard
	if slices.ContainsFunc(o.Owners, func(o Owner) bool { return o.is(ownedByChannel) }) {
		guard = nil // the node's own, and in its state directory
	}
	t.hashed.Store(0)
	e.start(t, jobHash, func(ctx context.Context) func() {
		make := metainfo.MakeOptions{
			Name: name, PieceLength: o.PieceLength, FollowSymlinks: o.FollowSymlinks, Private: o.Private,
			Exclude: o.Exclude, Strict: o.Strict, Guard: guard,
			Progress: func(done, total int64) {
				t.hashed.Store(done)
				t.toHash.Store(total)
			},
		}
		if again {
			if made := e.madeBefore(ctx, earlier, path, make); made != nil {
				return func() {
					e.hashing--
					defer e.hashNext()
					if t.removing == nil {
						t.reused = true
						e.madeTorrent(t, made)
					}
				}
			}
		}
		made, err := metainfo.Make(ctx, path, make)
		if err == nil {
			err = e.forgetRead(ctx, made.Info.ID)
		}
		if err == nil {
			err = e.swarms.Check(made.Info.Bytes())
		}
		return func() {
			e.hashing--
			defer e.hashNext()
			switch {
			case err == nil && t.removing == nil:
				e.madeTorrent(t, made)
			case err != nil && ctx.Err() == nil:
				e.failShare(t, err)
			}
		}
	})
}

// failShare ends a share that cannot be made. Whoever asks for it by its ID is
// still told why.
func (e *Engine) failShare(t *transfer, err error) {
	if t.removing != nil {
		return
	}
	e.fail(t, err)
	if !t.completed.IsZero() {
		return // it was one, and its torrent is lost
	}
	t.retry = time.Time{}
	e.transfers.fail(e.snapshot(t))
	e.beginRemoval(t, false)
}

// hashNext begins with the share that has waited longest.
func (e *Engine) hashNext() {
	var next *transfer
	for t := range e.awake {
		if t.kind == kindUnhashed && t.job == nil && t.made == nil && !t.parked && t.failure == nil && !t.options.Paused && t.removing == nil &&
			(next == nil || t.added.Before(next.added)) {
			next = t
		}
	}
	if next != nil {
		e.reconcile(next)
	}
}

// madeTorrent is called when a share has been hashed. Its torrent is kept only
// once the ID is its own: what keeps the torrent also removes it. Its storage is
// opened before anybody is told, so that what was just hashed need not be again
// after a crash.
func (e *Engine) madeTorrent(t *transfer, made *metainfo.Made) {
	id := made.Info.ID
	if c := e.claims[id]; c != nil {
		// Hashed again when it is known whose the ID is.
		t.parked = true
		c.after = append(c.after, func() {
			t.parked = false
			e.reconcile(t)
		})
		return
	}
	if old := e.transfers.byID[id]; old != nil && old != t {
		if !old.options.Owners.byUser() {
			// What the user shares is his, also where it was somebody else's.
			e.beginRemoval(old, !old.done)
			e.madeTorrent(t, made) // waits for that
			return
		}
		// The same content is here already.
		e.replace(t, old.id)
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
		e.save(old)
		e.publish(old, share.Event{Type: share.EventShared, Was: t.id})
		e.reconcile(old)
		return
	}
	if !e.transfers.hash(t, id) {
		return // hashed again when the other is through
	}
	t.made, t.info = made, made.Info
}

// found notes what there was besides the content of a share.
func (t *transfer) found(made *metainfo.Made) {
	t.options.Hidden, t.options.LeftOut = made.Hidden, made.LeftOut
}

// replace makes the provisional ID of t stand for id.
func (e *Engine) replace(t *transfer, id share.ID) {
	if t.id == id {
		return // a share whose torrent had been lost
	}
	e.transfers.replace(t, id)
	delete(e.awake, t)
	e.state.remove(t.id, false)
	e.release(t)
}

// shared is called when the storage of what was just hashed is open.
func (e *Engine) shared(t *transfer) {
	was, made := t.id, t.made
	e.replace(t, made.Info.ID)
	t.uploaded += e.shelf.rows[made.Info.ID].uploaded
	e.shelf.drop(made.Info.ID)
	t.id, t.kind, t.done, t.made, t.reused = made.Info.ID, kindOwn, true, nil, false
	t.options.Owners, t.options.Then = t.options.Owners.once(t.options.Then), ""
	t.name, t.size, t.row.files = made.Info.Name, made.Info.Size(), countFiles(made.Info)
	t.total, t.completed = t.size, e.now().Round(0)
	t.found(made)
	e.transfers.add(t)
	e.transfers.unhash(t.id)
	e.awake[t] = struct{}{}
	e.save(t)
	if l := made.LeftOut; l != nil {
		for _, o := range l.Items {
			e.note(t, "left out: %s: %s", o.Path, o.Reason)
		}
	}
	e.publish(t, share.Event{Type: share.EventShared, Was: was})
}
