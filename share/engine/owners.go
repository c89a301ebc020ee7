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

// BeginLease makes a lease. Nobody can guess it.
func (e *Engine) BeginLease() (Lease, error) {
	var b [16]byte
	_, _ = rand.Read(b[:])
	l := Lease(hex.EncodeToString(b[:]))
	if !e.call(func() { e.leases[l] = true }) {
		return "", stopped()
	}
	return l, nil
}

// EndLease ends what nobody but this lease owns: a share is neither served nor
// listed any more, one that is being hashed is no share, and a fetch is paused
// until somebody asks for it again.
func (e *Engine) EndLease(l Lease) {
	e.call(func() {
		delete(e.leases, l)
		for _, t := range e.sorted() {
			e.disown(t, l.owner(), false)
		}
	})
}

// Release ends what owner wants with a transfer. When there was no other owner
// the transfer is removed, with data as by Remove. Release returns when that is
// done.
func (e *Engine) Release(id share.ID, owner Owner, data bool) error {
	last := false
	err := e.on(id, func(t *transfer) error {
		if !t.owned(owner) {
			return nil
		}
		if last = len(t.options.Owners) == 1; !last {
			e.disown(t, owner, data)
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
	err = e.on(id, func(t *transfer) error {
		of := func(o Owner) bool { return o.is(ownedByChannel) }
		if left = slices.ContainsFunc(t.options.Owners, of); !left {
			return nil
		}
		for _, o := range t.options.Owners {
			if !of(o) {
				e.disown(t, o, data)
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
	e.call(func() {
		for _, t := range e.sorted() {
			if t.owned(o) && t.removing == nil {
				ids = append(ids, t.id)
			}
		}
	})
	return ids
}

// Owners tells who owns a transfer.
func (e *Engine) Owners(id share.ID) (owners []Owner, err error) {
	err = e.on(id, func(t *transfer) error {
		owners = slices.Clone(t.options.Owners)
		return nil
	})
	return owners, err
}

func (t *transfer) owned(by Owner) bool { return slices.Contains(t.options.Owners, by) }

// byUser tells whether a person asked for t, now or before.
func (t *transfer) byUser() bool {
	return slices.ContainsFunc(t.options.Owners, func(o Owner) bool { return o == User || o == resting || o.is(ownedByCommand) })
}

// take adds an owner. Slices of rows that are being saved must not change.
func (t *transfer) take(o Owner) {
	if !t.owned(o) {
		t.options.Owners = append(slices.Clone(t.options.Owners), o)
	}
}

// disownNow takes an owner from t. Slices of rows that are being saved must not
// change.
func (t *transfer) disownNow(o Owner) {
	t.options.Owners = slices.DeleteFunc(slices.Clone(t.options.Owners), func(have Owner) bool { return have == o })
}

// disown takes an owner from t, on the loop. What becomes of t when it was the
// last depends on what t is.
func (e *Engine) disown(t *transfer, o Owner, data bool) {
	if !t.owned(o) || t.removing != nil {
		return
	}
	t.disownNow(o)
	t.options.Data = t.options.Data || data
	switch {
	case len(t.options.Owners) > 0:
	case t.kind == kindFetch && o.is(ownedByCommand):
		t.rest()
		t.endStreams()
	default:
		t.ended = t.kind == kindOwn && o.is(ownedByCommand)
		e.beginRemoval(t, t.options.Data && t.kind == kindFetch)
		return
	}
	e.save(t)
	e.reconcile(t)
}

// resting owns a fetch whose command has ended. It keeps what is there, paused,
// and ends when somebody asks for it.
const resting Owner = "resting"

// rest leaves a fetch to nobody, paused.
func (t *transfer) rest() {
	t.options.Owners = []Owner{resting}
	if !t.options.Paused {
		t.options.Paused, t.options.Reason = true, reasonInterrupted
		if t.done {
			t.options.Reason = reasonEnded
		}
	}
}

// owners are those of t once it is hashed.
func (t *transfer) owners() []Owner {
	if t.options.Then == "" {
		return t.options.Owners
	}
	var out []Owner
	for _, o := range t.options.Owners {
		if !o.is(ownedByCommand) {
			out = append(out, o)
		}
	}
	if !slices.Contains(out, t.options.Then) {
		out = append(out, t.options.Then)
	}
	return out
}

// Why a fetch rests whose command is over.
const (
	reasonInterrupted = "interrupted; the same get, or resume, goes on"
	reasonEnded       = "complete, and its command has ended"
)

// admit makes the owner that a request names: of a lease, that lease, which must
// not be over. It is called on the loop.
func (e *Engine) admit(lease Lease, owner Owner) (Owner, error) {
	if lease == "" {
		return cmp.Or(owner, User), nil
	}
	if !e.leases[lease] {
		return "", share.Errorf(share.Interrupted, "the command that asked for this has ended")
	}
	return lease.owner(), nil
}

// settleOwners makes the owners of a row of the last run those of this one: the
// commands are over. It reports what is to become of the row.
func (e *Engine) settleOwners(t *transfer) (keep bool) {
	if len(t.options.Owners) == 0 { // of a version that knew none
		o := User
		if e.cfg.OwnerOf != nil {
			o = cmp.Or(e.cfg.OwnerOf(t.shownPath()), User)
		}
		t.options.Owners = []Owner{o}
	}
	left := slices.DeleteFunc(slices.Clone(t.options.Owners), func(o Owner) bool { return o.is(ownedByCommand) })
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
	e.save(t)
	return true
}
