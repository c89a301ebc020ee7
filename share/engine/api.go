package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// busy is an error that is share.ErrBusy as well, and says why.
type busy string

func (b busy) Error() string   { return string(b) }
func (busy) Is(err error) bool { return err == share.ErrBusy }

// errHashing is returned by Verify for a share that is being hashed for the first time.
const errHashing = busy("it is being hashed for the first time, so there is nothing to verify yet")

// ErrStopped is wrapped by the error of every call after Run has returned.
var ErrStopped = errors.New("the node is stopping")

func stopped() error { return share.Errorf(share.NoNode, "%w", ErrStopped) }

func unknown(id share.ID) error { return share.Errorf(share.Failed, "%s: %w", id, share.ErrUnknown) }

// on calls f on the loop for the transfer of id.
func (e *Engine) on(id share.ID, f func(*loop, *transfer) error) error {
	err := stopped()
	e.call(func(lp *loop) {
		t := lp.transfers.find(id)
		if t == nil || t.removing != nil {
			err = unknown(id)
			return
		}
		err = f(lp, t)
	})
	return err
}

// Share shares a file or folder. It returns at once: the transfer has a provisional ID
// and is Hashing; EventShared carries the real ID when the link is known. The
// provisional ID finds the transfer until the engine stops. An unfinished Share
// continues after a restart.
func (e *Engine) Share(ctx context.Context, r ShareRequest) (share.Transfer, error) {
	if !filepath.IsAbs(r.Path) {
		return share.Transfer{}, share.Errorf(share.Usage, "the path to share must be absolute, not %q", r.Path)
	}
	goal := forever(r.Goal)
	if err := errors.Join(goal.Check(), r.Limits.Check()); err != nil {
		return share.Transfer{}, err
	}
	if err := (metainfo.MakeOptions{Name: r.Name, PieceLength: r.PieceLength, Exclude: r.Exclude}).Check(); err != nil {
		return share.Transfer{}, err // it could only fail
	}
	if r.Sealed && r.Hybrid {
		return share.Transfer{}, share.Errorf(share.Usage, "a sealed share is described for BitTorrent v1 only: leave out either of the two")
	}
	if _, err := os.Stat(r.Path); err != nil {
		return share.Transfer{}, share.Errorf(share.Disk, "sharing %s: %w", r.Path, err)
	}
	t := &transfer{row: row{
		kind: kindUnhashed, path: filepath.Clean(r.Path), name: r.Name, added: e.cfg.Now().Round(0),
		options: options{
			Goal: goal, Limits: r.Limits,
			PieceLength: r.PieceLength, FollowSymlinks: r.FollowSymlinks, Private: r.Private, Hybrid: r.Hybrid,
			Exclude: r.Exclude, Strict: r.Strict, Sealed: r.Sealed,
		},
	}}
	if r.Lease != "" {
		t.options.Then = r.Owner
	}
	_, _ = rand.Read(t.id[:])
	if t.name == "" {
		t.name = filepath.Base(t.path)
	}
	return e.add(ctx, t, r.Owner, r.Lease)
}

// add adds a new transfer, and returns when it would survive a power cut.
func (e *Engine) add(ctx context.Context, t *transfer, by Owner, lease Lease) (share.Transfer, error) {
	var s share.Transfer
	var saved <-chan error
	var refused error
	ok := e.call(func(lp *loop) {
		var owner Owner
		if owner, refused = lp.leases.owner(lease, by); refused != nil {
			return
		}
		t.options.Owners = owners{owner}
		lp.transfers.add(t)
		lp.claims.free(lp.claims[t.id])
		saved = lp.state.putNow(t.row)
		lp.events.tell(t, share.EventAdded, share.Text{})
		lp.reconcile(t)
		s = lp.events.snapshot(t)
	})
	switch {
	case !ok:
		return s, stopped()
	case refused != nil:
		return s, refused
	}
	select {
	case err := <-saved:
		return s, err
	case <-ctx.Done():
		return s, share.Errorf(share.Interrupted, "adding %q: %w", t.name, context.Cause(ctx))
	case <-e.box.closed:
		return s, stopped()
	}
}

// Fetch begins to fetch and returns at once. A second Fetch of the same content, by any
// of its IDs, returns the existing transfer, see again.merge.
func (e *Engine) Fetch(ctx context.Context, r FetchRequest) (share.Transfer, error) {
	t, tor, err := e.requested(r)
	if err != nil {
		return share.Transfer{}, err
	}
	s, release, refused, err := e.join(ctx, t, r)
	if release == nil {
		if err = cmp.Or(err, refused); err == nil {
			// If it was removed meanwhile, s is its last state.
			if again, err := e.lookAgain(ctx, s.ID); err == nil {
				s = again
			}
		}
		return s, err
	}
	defer release()
	for _, id := range t.ids() {
		if err := e.unshelve(ctx, id); err != nil {
			return s, err
		}
	}
	if tor != nil {
		if err := e.swarms.Check(tor.Info.Bytes()); err != nil {
			return s, share.Errorf(share.Refused, "the content of %q cannot be handled: %w", tor.Info.Name, err)
		}
		if t.secret.IsZero() {
			if err := errors.Join(checkSize(tor.Info, r.MaxSize), checkOnly(tor.Info, r.Only)); err != nil {
				return s, err
			}
			if t.options.Priorities, err = selection(tor.Info, r.Files, r.Link.Select); err != nil {
				return s, err
			}
		}
		if err := e.torrents.keep(t.id, tor.Content().Encode()); err != nil {
			return s, err
		}
	}
	return e.add(ctx, t, r.Owner, r.Lease)
}

// join claims the content of t, or joins the request with the transfer that is there.
// Then release is nil.
func (e *Engine) join(ctx context.Context, t *transfer, r FetchRequest) (s share.Transfer, release func(), refused, err error) {
	for first := true; ; first = false {
		again, err := e.asked(t, r)
		if err != nil {
			return s, nil, nil, err
		}
		late := false
		release, err = e.claim(ctx, t.ids(), func(lp *loop, old *transfer) {
			// The content has become known since: which files the request means can be told.
			if late = first && old.known() && again.info == nil; !late {
				refused = lp.merge(old, again)
				s = lp.events.snapshot(old)
			}
		})
		if !late {
			return s, release, refused, err
		}
	}
}

// requested makes the transfer that r asks for.
func (e *Engine) requested(r FetchRequest) (*transfer, *metainfo.Torrent, error) {
	if !filepath.IsAbs(r.Output) {
		return nil, nil, share.Errorf(share.Usage, "the output folder must be an absolute path, not %q", r.Output)
	}
	goal := forever(r.Goal)
	if err := errors.Join(goal.Check(), r.Limits.Check(), share.CheckGlobs(r.Files)); err != nil {
		return nil, nil, err
	}
	link := r.Link
	n := namesIn(link)
	t := &transfer{row: row{
		id: link.Key(), kind: kindFetch, path: filepath.Clean(r.Output), name: shownName(link.Name), added: e.cfg.Now().Round(0),
		options: options{
			Paused: r.Paused, Goal: goal, Limits: r.Limits, Sequential: r.Sequential,
			Trackers: slices.Clone(link.Trackers), WebSeeds: slices.Clone(link.WebSeeds), Peers: slices.Clone(link.Peers),
			Adopt: r.Adopt, Globs: r.Files, Select: link.Select, MaxSize: r.MaxSize, Only: r.Only,
			Sealed: !link.Secret.IsZero(),
		},
		secret: link.Secret,
	}}
	var tor *metainfo.Torrent
	if r.Torrent != nil {
		var err error
		if tor, err = metainfo.Parse(r.Torrent); err != nil {
			return nil, nil, err
		}
		if have := namesOf(tor.Info); !have.all(n) {
			return nil, nil, share.Errorf(share.Usage, "the link names %s and the torrent %s", link.Key().Short(), tor.Info.ID.Short())
		}
		n = namesOf(tor.Info)
		t.id = tor.Info.ID
		if t.secret.IsZero() { // else the files are not known yet
			t.name, t.size, t.total, t.row.files = tor.Info.Name, tor.Info.Size(), tor.Info.Size(), countFiles(tor.Info)
		}
		for _, tier := range tor.Trackers {
			t.options.Trackers = appendNew(t.options.Trackers, tier)
		}
		t.options.WebSeeds = appendNew(t.options.WebSeeds, tor.WebSeeds)
		t.options.Private = tor.Info.Private
		t.options.Blind = t.secret.IsZero() && looksSealed(tor.Info)
	}
	if t.id.IsZero() {
		return nil, nil, share.Errorf(share.Refused, "the link has no ID")
	}
	t.options.Names = &n
	if t.name == "" {
		t.name = t.id.String()
	}
	if r.NoTrackers {
		t.options.Trackers = nil
	}
	return t, tor, nil
}

// checkSize refuses content of more than most bytes; 0 is any.
func checkSize(info *metainfo.Info, most int64) error {
	if most > 0 && info.Size() > most {
		return share.Errorf(share.Refused, "%q has %d bytes, more than the limit of %d", info.Name, info.Size(), most)
	}
	return nil
}

// checkOnly refuses content that is not a single file of a name that matches.
func checkOnly(info *metainfo.Info, pattern string) error {
	if pattern == "" {
		return nil
	}
	if ok, err := path.Match(pattern, info.Name); info.Multi || err != nil || !ok {
		return share.Errorf(share.Refused, "%q is not the expected single file %s", info.Name, pattern)
	}
	return nil
}

func appendNew(list, more []string) []string {
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// List returns every transfer, oldest first, after it checked the files of complete
// ones; see share.Transfer.Looked.
func (e *Engine) List() []share.Transfer {
	e.awaitLooks()
	var out []share.Transfer
	e.call(func(lp *loop) {
		all := lp.transfers.sorted()
		out = make([]share.Transfer, 0, len(all))
		for _, t := range all {
			if t.removing == nil {
				out = append(out, lp.events.snapshot(t))
			}
		}
	})
	return out
}

// Get returns one transfer, even a share that failed and was removed. It first checks
// the files of a complete one, unless the file system does not answer.
func (e *Engine) Get(id share.ID) (s share.Transfer, err error) {
	e.awaitLook(context.Background(), id, freshLook)
	err = e.on(id, func(lp *loop, t *transfer) error {
		s = lp.events.snapshot(t)
		return nil
	})
	if errors.Is(err, share.ErrUnknown) {
		e.call(func(lp *loop) {
			if failed, ok := lp.transfers.failed[id]; ok {
				s, err = failed, nil
			}
		})
	}
	return s, err
}

// Pause stops a transfer and closes its connections.
func (e *Engine) Pause(id share.ID) error {
	return e.on(id, func(lp *loop, t *transfer) error {
		t.options.Paused, t.options.Reason = true, ""
		lp.save(t)
		lp.reconcile(t)
		t.endStreams()
		return nil
	})
}

// Resume undoes Pause, and retries a transfer that stopped with an error.
func (e *Engine) Resume(id share.ID) error {
	return e.on(id, func(lp *loop, t *transfer) error {
		if t.options.Paused && t.done && goalMet(t.options.Goal, t.uploaded, t.size, t.completed, lp.now()).Pattern != "" {
			t.options.GoalDone = true
		}
		t.unpause()
		t.failure = nil
		t.peers.search = search{}
		lp.discovery.again(t)
		lp.restore(t)
		lp.save(t)
		lp.reconcile(t)
		return nil
	})
}

// Verify hashes all data on disk again. It returns at once; the transfer is Checking
// until that is done.
func (e *Engine) Verify(id share.ID) error {
	return e.on(id, func(lp *loop, t *transfer) error {
		switch {
		case t.kind == kindUnhashed && t.failure == nil && !t.options.Paused:
			return share.Errorf(share.Failed, "%q: %w", t.name, errHashing)
		case !t.known():
			return share.Errorf(share.Failed, "nothing of %s is on disk yet", id.Short())
		}
		t.options.Verify, t.options.Mend, t.failure = true, false, nil
		lp.save(t)
		lp.reconcile(t)
		return nil
	})
}

// SetPriority changes files by index; others stay as they are.
func (e *Engine) SetPriority(id share.ID, files map[int]share.Priority) error {
	info, err := e.infoOf(id)
	if err != nil {
		return err
	}
	for i, p := range files {
		if i < 0 || i >= len(info.Files) || p < share.Skip || p > share.High {
			return share.Errorf(share.Usage, "%q has no file %d, or %d is not a priority", info.Name, i, p)
		}
	}
	return e.on(id, func(lp *loop, t *transfer) error {
		if t.own() {
			return share.Errorf(share.Usage, "%q is shared from this node, which has all of its files", t.name)
		}
		all := maps.Clone(t.options.Priorities)
		if all == nil {
			all = make(map[int]share.Priority)
		}
		for i, p := range files {
			all[i] = p
			if p == share.Normal {
				delete(all, i)
			}
		}
		t.setPriorities(info, all)
		lp.applyPriorities(t)
		if !t.done && t.options.Reason != "" { // the user has not paused it
			t.unpause()
		}
		lp.save(t)
		lp.reconcile(t)
		return nil
	})
}

// unpause ends a pause. A transfer that rested is the user's again.
func (t *transfer) unpause() {
	if t.options.Owners.has(resting) {
		t.options.Owners = t.options.Owners.without(resting)
		t.options.Owners = t.options.Owners.with(User)
	}
	t.options.Paused, t.options.Reason = false, ""
}

// SetLimits caps the rates of one transfer.
func (e *Engine) SetLimits(id share.ID, l share.Limits) error {
	return e.ChangeLimits(id, l.Change())
}

// ChangeLimits caps one direction or both. Concurrent changes of different directions
// both take effect.
func (e *Engine) ChangeLimits(id share.ID, c share.LimitChange) error {
	if err := c.Check(); err != nil {
		return err
	}
	return e.on(id, func(lp *loop, t *transfer) error {
		l := c.Apply(t.options.Limits)
		t.options.Limits = l
		t.limits.set(l)
		lp.save(t)
		lp.changed(t)
		return nil
	})
}

// SetPrecedence says whether the transfer goes before others that wait for a slot.
func (e *Engine) SetPrecedence(id share.ID, p share.Precedence) error {
	if err := p.Check(); err != nil {
		return err
	}
	return e.on(id, func(lp *loop, t *transfer) error {
		if t.options.Turn == p {
			return nil
		}
		t.options.Turn = p
		lp.slots.stale = true
		lp.save(t)
		lp.changed(t)
		return nil
	})
}

// SetGoal changes when the transfer stops seeding.
func (e *Engine) SetGoal(id share.ID, g share.Goal) error {
	if err := g.Check(); err != nil {
		return err
	}
	return e.on(id, func(lp *loop, t *transfer) error {
		t.options.Goal, t.options.GoalDone = g, false
		if t.options.Paused && t.options.Reason != "" && goalMet(g, t.uploaded, t.size, t.completed, lp.now()).Pattern == "" {
			t.options.Paused, t.options.Reason = false, ""
		}
		lp.save(t)
		lp.checkGoal(t, lp.now())
		lp.awake[t] = struct{}{} // until it is known when it ends
		lp.reconcile(t)
		return nil
	})
}

// SetGlobalLimits caps the rates of the node until the engine stops. The caller saves
// the setting.
func (e *Engine) SetGlobalLimits(l share.Limits) error {
	if err := l.Check(); err != nil {
		return err
	}
	e.down.Set(l.Down)
	e.up.Set(l.Up)
	return nil
}

// SetYield turns Config.Yield on or off until the engine stops.
func (e *Engine) SetYield(on bool) { e.swarms.Yield(on) }

// Held is the rate in bytes per second to which uploads are limited because more
// would congest the line; 0 if they are not limited.
func (e *Engine) Held() int64 { return e.swarms.Held() }

// AddPeers adds addresses of peers to a transfer.
func (e *Engine) AddPeers(id share.ID, s share.Source, addrs []netip.AddrPort) error {
	addrs = slices.Clone(addrs)
	return e.on(id, func(lp *loop, t *transfer) error {
		lp.discovery.found(foundPeers{t.id, s, addrs})
		return nil
	})
}

// Subscribe delivers every event from now on. The engine never waits for a reader: when
// one is more than buffer events behind, C is closed and Lagged reports true. It then
// subscribes again and calls List.
func (e *Engine) Subscribe(buffer int) *Subscription { return e.hub.subscribe(buffer) }
