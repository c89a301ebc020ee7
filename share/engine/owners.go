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

// Owner is somebody for whose sake there is a transfer. One has as many owners
// as asked for it, and is there until the last of them ends. Owners survive a
// restart, all but the commands.
type Owner string

// User is whoever gives the node commands. What the user asks for decides over
// the output, the limits and the goal of a transfer.
const User Owner = "user"

// The kinds of other owners.
const (
	ownedByChannel = "channel:"
	ownedByMirror  = "mirror:"
	ownedByWatch   = "watch:"
	ownedByCommand = "command:"
)

// ChannelOwner is a channel that a transfer is a list of.
func ChannelOwner(key string) Owner { return ownedByChannel + Owner(key) }

// MirrorOwner is a channel whose content is mirrored.
func MirrorOwner(key string) Owner { return ownedByMirror + Owner(key) }

// WatchOwner is a folder whose content is shared.
func WatchOwner(dir string) Owner { return ownedByWatch + Owner(dir) }

func (o Owner) is(kind string) bool { return strings.HasPrefix(string(o), kind) }

// Lease is the life of a command that runs in the foreground, as an owner. It
// ends with EndLease, and with the engine, however that ends.
type Lease string

func (l Lease) owner() Owner { return ownedByCommand + Owner(l) }

// owners are those of one transfer. They are shared with rows that are being
// saved: a change makes new ones.
type owners []Owner

func (all owners) has(o Owner) bool { return slices.Contains(all, o) }

// byUser tells whether a person asked for it, now or before.
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

// once are those of a share once it is hashed: then, where it is not empty, takes
// the place of the commands.
func (all owners) once(then Owner) owners {
	if then == "" {
		return all
	}
	return all.lasting().with(then)
}

// leases are the commands that run in the foreground.
type leases map[Lease]bool

// owner is whom a request names: of a lease, that lease, which must not be over.
func (l leases) owner(lease Lease, owner Owner) (Owner, error) {
	if lease == "" {
		return cmp.Or(owner, User), nil
	}
	if !l[lease] {
		return "", share.Errorf(share.Interrupted, "the command that asked for this has ended")
	}
	return lease.owner(), nil
}

// BeginLease makes a lease. Nobody can guess it.
func (e *Engine) BeginLease() (Lease, error) {
	var b [16]byte
	_, _ = rand.Read(b[:])
	l := Lease(hex.EncodeToString(b[:]))
	if !e.call(func(lp *loop) { lp.leases[l] = true }) {
		return "", stopped()
	}
	return l, nil
}

// EndLease ends what nobody but this lease owns: a share is neither served nor
// listed any more, one that is being hashed is no share, and a fetch is paused
// until somebody asks for it again.
func (e *Engine) EndLease(l Lease) {
	e.call(func(lp *loop) {
		delete(lp.leases, l)
		for _, t := range lp.transfers.sorted() {
			lp.disown(t, l.owner(), false)
		}
	})
}

// Release ends what owner wants with a transfer. When there was no other owner
// the transfer is removed, with data as by Remove. Release returns when that is
// done.
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

// LeaveToChannels ends what people want with a transfer that a channel owns, too,
// and reports false of others, of which nothing is changed. The data goes, where
// it is to, when the channel has no need of it either.
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
		err = nil // for Remove to say
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

// Owners tells who owns a transfer.
func (e *Engine) Owners(id share.ID) (all []Owner, err error) {
	err = e.on(id, func(lp *loop, t *transfer) error {
		all = slices.Clone(t.options.Owners)
		return nil
	})
	return all, err
}

// disown takes an owner from t, on the loop. What becomes of t when it was the
// last depends on what t is.
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

// resting owns a fetch whose command has ended. It keeps what is there, paused,
// and ends when somebody asks for it.
const resting Owner = "resting"

// rest leaves a fetch to nobody, paused.
func (t *transfer) rest() {
	t.options.Owners = owners{resting}
	if !t.options.Paused {
		t.options.Paused, t.options.Reason = true, reasonInterrupted
		if t.done {
			t.options.Reason = reasonEnded
		}
	}
}

// Why a fetch rests whose command is over.
const (
	reasonInterrupted = "interrupted; the same get, or resume, goes on"
	reasonEnded       = "complete, and its command has ended"
)

// settleOwners makes the owners of a row of the last run those of this one: the
// commands are over. It reports what is to become of the row.
func (lp *loop) settleOwners(t *transfer) (keep bool) {
	if len(t.options.Owners) == 0 { // of a version that knew none
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
