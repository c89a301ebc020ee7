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

// startAsk gets the info dictionary of t from peers. It goes on until a peer has sent
// it; the search for peers runs beside it.
func (e *Engine) startAsk(t *transfer) {
	if t.options.Paused || t.failure != nil || t.removing != nil {
		return
	}
	id := t.id
	ask, err := infofetch.New(infofetch.Config{
		ID:        id,
		Dial:      e.swarms.Dial,
		Allow:     func(ap netip.AddrPort) bool { return e.discovery.far.CheckPeer(ap) == nil },
		Client:    e.cfg.Client,
		Port:      e.port(),
		OnDHTNode: e.cfg.OnDHTNode,
		Logger:    e.log,
	})
	if err != nil {
		e.fail(t, err)
		return
	}
	t.peers.asking = ask
	t.peers.search = search{}
	if t.peers.book != nil {
		ask.Add(t.peers.book.addrs()...)
	}
	most, only := t.options.MaxSize, t.options.Only
	e.start(t, jobAsk, func(ctx context.Context) func() {
		got, err := ask.Run(ctx)
		if err != nil {
			return func() { t.peers.asking = nil }
		}
		info, err := e.work.accept(id, got.Bytes, func(info *metainfo.Info) error {
			return errors.Join(checkSize(info, most), checkOnly(info, only))
		})
		return func() {
			t.peers.asking = nil
			if err != nil {
				e.fail(t, err)
				return
			}
			e.learn(t, info)
			e.discovery.found(foundPeers{id, share.FromPEX, append(got.Peers, got.More...)})
			e.discovery.again(t)
		}
	})
}

// learn takes over what the info dictionary of t says. Its .torrent file is kept
// already.
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
	t.peers.search = search{}
	e.save(t)
	e.events.note(t, "the content is known: %q, %s in %s", t.name, humanize.Bytes(uint64(t.size)), english.Plural(t.row.files, "file", ""))
}

// startHash reads and hashes a share for the first time.
func (e *Engine) startHash(t *transfer) {
	if !t.mayHash() || !e.hashing.begin() {
		return
	}
	path, o := t.path, t.options
	make := metainfo.MakeOptions{
		Name: t.name, PieceLength: o.PieceLength, FollowSymlinks: o.FollowSymlinks, Private: o.Private, Hybrid: o.Hybrid,
		Exclude: o.Exclude, Strict: o.Strict, Guard: e.cfg.Guard,
		Progress: func(done, total int64) {
			t.count.done.Store(done)
			t.count.all.Store(total)
		},
	}
	if slices.ContainsFunc(o.Owners, func(o Owner) bool { return o.is(ownedByChannel) }) {
		make.Guard = nil // the node's own, in its state directory
	}
	earlier, again := e.shelf.like(t)
	again = again && !t.making.afresh
	t.count.done.Store(0)
	e.start(t, jobHash, func(ctx context.Context) func() {
		var made *metainfo.Made
		var err error
		if again {
			made = e.work.madeBefore(ctx, earlier.id, path, make)
		}
		reused := made != nil
		if !reused {
			made, err = e.work.hash(ctx, path, make, e.hasEnded)
		}
		return func() {
			e.hashing.end()
			defer e.hashNext()
			switch {
			case err == nil && t.removing == nil:
				t.making.reused = reused
				e.madeTorrent(t, made)
			case err != nil && ctx.Err() == nil:
				e.failShare(t, err)
			}
		}
	})
}

// failShare removes a share that cannot be made. Get still returns it, with the
// reason.
func (e *Engine) failShare(t *transfer, err error) {
	if t.removing != nil {
		return
	}
	e.fail(t, err)
	if !t.completed.IsZero() {
		return // it was a share before its .torrent file was lost
	}
	t.retry = time.Time{}
	e.transfers.fail(e.events.snapshot(t))
	e.beginRemoval(t, false)
}

// hashNext begins to hash the share that has waited longest.
func (e *Engine) hashNext() {
	if next := e.hashing.next(e.awake); next != nil {
		e.reconcile(next)
	}
}

// madeTorrent is called when a share has been hashed. The .torrent file is kept only
// when the ID belongs to t: a removal of that ID also removes the file. The storage is
// opened before the ID is published, so that after a crash nothing is hashed again.
func (e *Engine) madeTorrent(t *transfer, made *metainfo.Made) {
	id := made.Info.ID
	if c := e.claims[id]; c != nil {
		// It is hashed again when the claim is over.
		t.making.parked = true
		c.after = append(c.after, func() {
			t.making.parked = false
			e.reconcile(t)
		})
		return
	}
	if old := e.transfers.byID[id]; old != nil && old != t {
		if !old.options.Owners.byUser() {
			// What the user shares takes the place of what others own.
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
		e.events.publish(old, share.Event{Type: share.EventShared, Was: t.id})
		e.reconcile(old)
		return
	}
	if !e.transfers.hash(t, id) {
		return // hashed again when the other share is done
	}
	t.making.made, t.info = made, made.Info
}

// found notes what was in the folder besides the content of a share.
func (t *transfer) found(made *metainfo.Made) {
	t.options.Hidden, t.options.LeftOut = made.Hidden, made.LeftOut
}

// replace makes the provisional ID of t stand for id.
func (e *Engine) replace(t *transfer, id share.ID) {
	if t.id == id {
		return // a share whose .torrent file was lost
	}
	e.transfers.replace(t, id)
	delete(e.awake, t)
	e.state.remove(t.id, false)
	t.release()
}

// shared is called when the storage of a share that was just hashed is open.
func (e *Engine) shared(t *transfer) {
	was, made := t.id, t.making.made
	e.replace(t, made.Info.ID)
	t.uploaded += e.shelf.rows[made.Info.ID].uploaded
	e.shelf.drop(made.Info.ID)
	t.id, t.kind, t.done, t.making.made, t.making.reused = made.Info.ID, kindOwn, true, nil, false
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
			e.events.note(t, "left out: %s: %s", o.Path, o.Reason)
		}
	}
	e.events.publish(t, share.Event{Type: share.EventShared, Was: was})
}
