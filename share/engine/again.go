package engine

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/seal"
)

// again is a second request for content that is here. It decides what becomes of the
// transfer, and changes nothing else.
type again struct {
	FetchRequest
	t     *transfer      // the one it would have made
	info  *metainfo.Info // nil while not known
	owner Owner          // set by the loop
}

// sources is where else content can be had from.
type sources struct {
	trackers bool     // there are new ones
	webSeeds []string // all, where there are new ones
	adopt    bool     // of files that are in the output folder already
}

// addSources adds the trackers, web seeds and peers of the request to t, and tells
// which are new.
func (a *again) addSources(t *transfer) (fresh sources) {
	o, more := &t.options, &a.t.options
	if trackers := appendNew(slices.Clone(o.Trackers), more.Trackers); len(trackers) != len(o.Trackers) {
		o.Trackers, fresh.trackers = trackers, true
	}
	if seeds := appendNew(slices.Clone(o.WebSeeds), more.WebSeeds); len(seeds) != len(o.WebSeeds) {
		o.WebSeeds, fresh.webSeeds = seeds, seeds
	}
	if more.Adopt && !o.Adopt && !t.own() {
		o.Adopt, fresh.adopt = true, true
	}
	o.Peers = appendNew(slices.Clone(o.Peers), more.Peers)
	return fresh
}

// unseals tells whether the request has the key of what is here without one. It refuses
// another key than that of t.
func (a *again) unseals(t *transfer) (bool, error) {
	key := a.Link.Secret
	switch {
	case key.IsZero() || key.Equal(t.key()):
		return false, nil
	case t.options.Sealed:
		return false, share.Errorf(share.Refused, "the key in the link does not belong to %q, which is here already with another", t.name)
	case t.own():
		return false, share.Errorf(share.Usage, "%q is shared from this machine as a plain file: remove it first, then get it with its key", t.name)
	}
	if name, err := seal.Name(key); t.known() && (err != nil || name != t.name) {
		return false, share.Errorf(share.Refused, "the key in the link does not belong to %q", t.name)
	}
	return true, nil
}

// unseal makes t, whose key was not known, what the request asks for. The blob stays
// where it is until all files are written; see worker.takeBlob.
func (a *again) unseal(t *transfer) {
	o, more := &t.options, &a.t.options
	o.Sealed, o.Blind, t.secret = true, false, a.Link.Secret
	o.Globs, o.Select, o.Priorities, o.MaxSize, o.Only = more.Globs, more.Select, nil, more.MaxSize, more.Only
	o.Limits, o.Goal, o.GoalDone, o.Sequential, o.Adopt = more.Limits, more.Goal, false, more.Sequential, more.Adopt
	o.Paused, o.Reason = more.Paused, ""
	o.Owners = o.Owners.without(resting).with(a.owner)
	t.limits.set(o.Limits)
	t.failure, t.peers.search = nil, search{}
	if t.known() {
		o.Blob, o.Unseal, o.Restart = t.path, true, true
	}
	if !a.Anywhere {
		t.path = a.t.path
	}
	o.From, o.Root, t.wipe = "", "", false
	t.name, t.size, t.total, t.row.files = t.id.String(), 0, 0, 0
	t.done, t.completed, o.Durable, o.Counted = false, time.Time{}, 0, false
	o.Lost, o.Damage, o.Verify, o.Mend = false, "", false, false
	t.endStreams()
}

// merge gives the request what it asks for, as far as that is possible. What it
// selects is fetched, too. A request of the user takes over what others had begun to
// fetch. The output folder of what the user fetches already changes once that is
// complete; before, the request is refused. reselected tells that other pieces are
// wanted now, also where there is an error.
func (a *again) merge(t *transfer) (reselected bool, err error) {
	user := a.owner == User || a.owner.is(ownedByCommand)
	switch {
	case t.own():
		if a.Only != "" {
			if err := a.allowed("%q is being shared from this machine", t); err != nil {
				return false, err
			}
		}
		if user && !a.Anywhere && filepath.Dir(t.path) != a.t.path {
			return false, share.Errorf(share.Usage, "%q is shared from this machine, from %s: it is not fetched into %s", t.name, t.path, a.t.path)
		}
		return false, nil
	case !user:
		if a.Only != "" && t.options.Owners.byUser() {
			if err := a.allowed("%q is being fetched for the user of this node", t); err != nil {
				return false, err
			}
		}
		t.options.Owners = t.options.Owners.with(a.owner)
		return false, nil
	case !t.options.Owners.byUser():
		if reselected, err = a.takeOver(t); err == nil {
			t.options.Owners = t.options.Owners.with(a.owner)
		}
		return reselected, err
	}
	if reselected, err = a.selectMore(t); err != nil {
		return reselected, err
	}
	if !a.Anywhere && t.path != a.t.path {
		if idle := t.options.Paused || t.failure != nil; !t.done && !(idle && t.haveBytes() == 0) {
			return reselected, share.Errorf(share.Usage, "%q is being fetched into %s, and that is not complete: give --output %s, or remove %s first",
				t.name, t.path, t.path, t.id.Short())
		}
		t.moveTo(a.t.path)
	}
	t.options.Owners = t.options.Owners.without(resting).with(a.owner)
	if !t.done && t.options.Reason != "" && !a.Paused { // the user has not paused it
		t.options.Paused, t.options.Reason = false, ""
	}
	return reselected, nil
}

// allowed refuses content that the request does not allow, or may not since the
// content is not known.
func (a *again) allowed(unknown string, t *transfer) error {
	if a.info == nil {
		return share.Errorf(share.Refused, unknown, t.name)
	}
	return errors.Join(checkSize(a.info, a.MaxSize), checkOnly(a.info, a.Only))
}

// selectMore adds what the request selects to what is selected.
func (a *again) selectMore(t *transfer) (reselected bool, err error) {
	all := len(a.Files) == 0 && len(a.Link.Select) == 0
	o := &t.options
	if !t.known() || a.info == nil {
		if had := len(o.Globs) > 0 || len(o.Select) > 0; had && !all {
			o.Globs = appendNew(slices.Clone(o.Globs), a.Files)
			o.Select = append(slices.Clone(o.Select), a.Link.Select...)
		} else {
			o.Globs, o.Select = nil, nil
		}
		return false, nil
	}
	skip, err := selection(a.info, a.Files, a.Link.Select)
	if err != nil {
		return false, err
	}
	wanted := maps.Clone(o.Priorities)
	maps.DeleteFunc(wanted, func(i int, p share.Priority) bool { return p == share.Skip && skip[i] != share.Skip })
	if len(wanted) == len(o.Priorities) {
		return false, nil
	}
	t.setPriorities(a.info, wanted)
	return true, nil
}

// takeOver makes the user's request decide over a transfer that others had begun: its
// output folder, its files, its limits and its goal.
func (a *again) takeOver(t *transfer) (reselected bool, err error) {
	more := &a.t.options
	known := t.known() && a.info != nil
	var skip map[int]share.Priority
	if known {
		if skip, err = selection(a.info, a.Files, a.Link.Select); err != nil {
			return false, err
		}
	}
	o := &t.options
	o.Globs, o.Select, o.MaxSize, o.Only = more.Globs, more.Select, more.MaxSize, ""
	o.Limits, o.Goal, o.GoalDone, o.Sequential = more.Limits, more.Goal, false, more.Sequential
	o.Paused, o.Reason = more.Paused, ""
	t.limits.set(o.Limits)
	t.failure, t.peers.search = nil, search{}
	if known {
		t.setPriorities(a.info, skip)
	}
	if t.path != a.t.path {
		t.moveTo(a.t.path)
	}
	return known, nil
}

// setPriorities changes which files of t are wanted. The swarm is not told.
func (t *transfer) setPriorities(info *metainfo.Info, all map[int]share.Priority) {
	for i, p := range t.options.Priorities {
		if p == share.Skip && all[i] != share.Skip {
			t.done, t.completed = false, time.Time{} // until the storage was asked
		}
	}
	t.options.Priorities = all
	t.total = info.Size()
	for i, p := range all {
		if p == share.Skip {
			t.total -= info.Files[i].Length
		}
	}
	if o := t.opened(); o != nil {
		o.plan.setFiles(all)
	}
}

// moveTo has t fetched into another folder. What is complete where it is now stays
// there and is copied, and is no longer looked after.
func (t *transfer) moveTo(dir string) {
	if t.known() {
		t.options.From, t.options.Restart, t.wipe = t.shownPath(), true, !t.done
	}
	t.path, t.options.Root = dir, ""
	t.done, t.completed, t.options.Durable = false, time.Time{}, 0
	t.options.Lost, t.options.Damage = false, ""
	t.endStreams()
}
