package engine

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/shoalnet/shoal/share"
)

// Owner is a reason to keep a transfer: a person, a channel, a watched folder or a command.
// Each request adds its owner, and the transfer stays until the last owner is gone. All
// owners except commands survive a restart.
type Owner string

// User is the person who runs the node. The user's request decides on the output, the
// limits and the goal of a transfer.
const User Owner = "user"

// The kinds of other owners.
const (
	ownedByChannel = "channel:"
	ownedByMirror  = "mirror:"
	ownedByWatch   = "watch:"
	ownedByCommand = "command:"
)

// ChannelOwner is a channel; the transfer is its list.
func ChannelOwner(key string) Owner { return ownedByChannel + Owner(key) }

// MirrorOwner is a channel that this node mirrors.
func MirrorOwner(key string) Owner { return ownedByMirror + Owner(key) }

// WatchOwner is a watched folder, whose content is shared.
func WatchOwner(dir string) Owner { return ownedByWatch + Owner(dir) }

func (o Owner) is(kind string) bool { return strings.HasPrefix(string(o), kind) }

// Lease makes a foreground command an owner. It ends with EndLease, or when the engine
// stops or crashes.
type Lease string

func (l Lease) owner() Owner { return ownedByCommand + Owner(l) }

// owners are those of one transfer. Rows that are being saved share them, so a change
// makes a new slice.
type owners []Owner

func (all owners) has(o Owner) bool { return slices.Contains(all, o) }

// byUser tells whether the user has asked for the transfer, now or before.
func (all owners) byUser() bool {
	return slices.ContainsFunc(all, func(o Owner) bool { return o == User || o == resting || o.is(ownedByCommand) })
}

func (all owners) with(o Owner) owners {
	if all.has(o) {
		return all
	}
	return append(slices.Clone(all), o)
}

func (all owners) without(gone Owner) owners {
	return slices.DeleteFunc(slices.Clone(all), func(o Owner) bool { return o == gone })
}

// lasting leaves out the commands.
func (all owners) lasting() owners {
	return slices.DeleteFunc(slices.Clone(all), func(o Owner) bool { return o.is(ownedByCommand) })
}

// once returns the owners of a share that was just hashed: then, if not empty, replaces
// the commands.
func (all owners) once(then Owner) owners {
	if then == "" {
		return all
	}
	return all.lasting().with(then)
}

// leases are those that have not ended. It is owned by the loop.
type leases map[Lease]bool

// owner returns the owner that a request names. A lease must not have ended.
func (l leases) owner(lease Lease, owner Owner) (Owner, error) {
	if lease == "" {
		return cmp.Or(owner, User), nil
	}
	if !l[lease] {
		return "", share.Errorf(share.Interrupted, "the command that asked for this has ended")
	}
	return lease.owner(), nil
}

// BeginLease makes an unguessable lease.
func (e *Engine) BeginLease() (Lease, error) {
	var b [16]byte
	_, _ = rand.Read(b[:])
	l := Lease(hex.EncodeToString(b[:]))
	if !e.call(func(lp *loop) { lp.leases[l] = true }) {
		return "", stopped()
	}
	return l, nil
}

// EndLease ends the transfers that only this lease owns: a share, even one being
// hashed, is no longer served or listed, and a fetch is paused until it is requested
// again.
func (e *Engine) EndLease(l Lease) {
	e.call(func(lp *loop) {
		delete(lp.leases, l)
		for _, t := range lp.transfers.sorted() {
			lp.disown(t, l.owner(), false)
		}
	})
}

// Release takes an owner from a transfer. If there was no other, the transfer is removed
// as by Remove, and Release returns when that is done.
func (e *Engine) Release(id share.ID, owner Owner, data bool) error {
	last := false
	err := e.on(id, func(lp *loop, t *transfer) error {
		if !t.options.Owners.has(owner) {
			return nil
		}
		if last = len(t.options.Owners) == 1; !last {
			lp.disown(t, owner, data)
		}
		return nil
	})
	if err != nil || !last {
		return err
	}
	_, err = e.Remove(id, data)
	return err
}

// LeaveToChannels takes all owners but channels from a transfer. It changes nothing and
// reports false if no channel owns the transfer. With data, the data is deleted when
// the channel gives up the transfer.
func (e *Engine) LeaveToChannels(id share.ID, data bool) (left bool, err error) {
	err = e.on(id, func(lp *loop, t *transfer) error {
		of := func(o Owner) bool { return o.is(ownedByChannel) }
		if left = slices.ContainsFunc(t.options.Owners, of); !left {
			return nil
		}
		for _, o := range t.options.Owners {
			if !of(o) {
				lp.disown(t, o, data)
			}
		}
		return nil
	})
	if errors.Is(err, share.ErrUnknown) {
		err = nil // Remove reports it
	}
	return left, err
}

// OwnedBy lists the transfers of an owner.
func (e *Engine) OwnedBy(o Owner) (ids []share.ID) {
	e.call(func(lp *loop) {
		for _, t := range lp.transfers.sorted() {
			if t.options.Owners.has(o) && t.removing == nil {
				ids = append(ids, t.id)
			}
		}
	})
	return ids
}

// Owners lists the owners of a transfer.
func (e *Engine) Owners(id share.ID) (all []Owner, err error) {
	err = e.on(id, func(lp *loop, t *transfer) error {
		all = slices.Clone(t.options.Owners)
		return nil
	})
	return all, err
}

// disown takes an owner from t. If it was the last one, a fetch by a command rests, and
// any other transfer is removed.
func (lp *loop) disown(t *transfer, o Owner, data bool) {
	if !t.options.Owners.has(o) || t.removing != nil {
		return
	}
	t.options.Owners = t.options.Owners.without(o)
	t.options.Data = t.options.Data || data
	switch {
	case len(t.options.Owners) > 0:
	case t.kind == kindFetch && o.is(ownedByCommand):
		t.rest()
		t.endStreams()
	default:
		shelved := t.kind == kindOwn && o.is(ownedByCommand)
		lp.beginRemoval(t, t.options.Data && t.kind == kindFetch)
		t.removing.shelved = shelved
		return
	}
	lp.save(t)
	lp.reconcile(t)
}

// resting owns a fetch whose command has ended: it stays, paused, until it is asked for
// again.
const resting Owner = "resting"

// rest pauses a fetch that has no other owner.
func (t *transfer) rest() {
	t.options.Owners = owners{resting}
	if !t.options.Paused {
		t.options.Paused, t.options.Reason = true, reasonInterrupted
		if t.done {
			t.options.Reason = reasonEnded
		}
	}
}

// The reasons why a fetch is paused when its command has ended.
const (
	reasonInterrupted = "interrupted; the same get, or resume, continues it"
	reasonEnded       = "complete, and its command has ended"
)

// settleOwners removes the owners of the last run that are gone: its commands. It reports
// false for a transfer that has no other.
func (lp *loop) settleOwners(t *transfer) (keep bool) {
	if len(t.options.Owners) == 0 { // from a version without owners
		o := User
		if lp.cfg.OwnerOf != nil {
			o = cmp.Or(lp.cfg.OwnerOf(t.shownPath()), User)
		}
		t.options.Owners = owners{o}
	}
	left := t.options.Owners.lasting()
	if len(left) == len(t.options.Owners) {
		return true
	}
	t.options.Owners = left
	switch {
	case len(left) > 0:
	case t.kind == kindFetch:
		t.rest()
	default:
		return false
	}
	lp.save(t)
	return true
}
