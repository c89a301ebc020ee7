package storage

import (
	"errors"
	"io/fs"
	"log/slog"
	"syscall"

	"github.com/shoalnet/shoal/share"
)

// faults decides what an error of the disk means for a transfer. A file that is
// missing or was changed is in trouble: its pieces are held. Any other error stops
// the whole transfer until a probe succeeds.
type faults struct {
	*memory
	opened *openFiles
	log    *slog.Logger
}

// op is the operation during which a fault came up. It has to work again before the
// fault is over.
type op uint8

const (
	opRead op = iota
	opWrite
	opSync
	opRecord
)

// fault is why a transfer has stopped.
type fault struct {
	err  error // of kind share.Disk
	op   op
	file int // -1 for none
	at   int64
}

// failed notes an error of the disk and returns the error for the caller. An error
// that passes by itself, or that concerns a single file, does not stop the transfer.
func (ft *faults) failed(o op, i int, at int64, err error) error {
	kind := kindOf(err)
	if o == opRead && kind == ErrHandles || errors.Is(err, ErrClosed) || errors.Is(err, errAbsent) {
		return err
	}
	if kind == ErrMissing && i >= 0 && o != opRecord && ft.stateOf(i) != absent {
		return ft.trouble(i, ErrMissing, stamp{})
	}
	if errors.Is(err, kind) {
		err = diskError("%w", err)
	} else {
		err = diskError("%w: %w", kind, err)
	}
	ft.mu.Lock()
	if f := ft.halt.fault; f != nil || ft.closed {
		if f != nil {
			err = f.err
		}
		ft.mu.Unlock()
		return err
	}
	pause := ft.halt.stop(&fault{err: err, op: o, file: i, at: at})
	ft.known.changed()
	ft.mu.Unlock()
	ft.log.Warn("transfer stopped", "transfer", ft.info.ID, "error", err)
	ft.agenda.wantProbe(pause)
	ft.agenda.post()
	return err
}

// writeFailed is failed for a write to file i.
func (ft *faults) writeFailed(i int, at int64, err error) error {
	if errors.Is(err, ErrClosed) {
		return err
	}
	ft.mu.Lock()
	name := ft.name(i)
	ft.mu.Unlock()
	return ft.failed(opWrite, i, at, share.Wrapf("writing %s: %w", name, err))
}

// trouble puts file i in trouble and returns why.
func (ft *faults) trouble(i int, kind error, seen stamp) error {
	ft.mu.Lock()
	if u := ft.users.of(i); u != nil && !u.settled {
		err := share.Wrapf("%s was changed by another program: %w", ft.name(i), errAbsent)
		ft.loseUser(i)
		ft.mu.Unlock()
		ft.opened.closeFile(i)
		ft.agenda.wantSync(0)
		ft.agenda.post()
		return err
	}
	if old := ft.troubles.of(i); old == nil || old.kind != kind {
		ft.addTrouble(i, &trouble{kind: kind, seen: seen})
	}
	err := ft.faultNow()
	ft.mu.Unlock()
	ft.opened.closeFile(i)
	ft.log.Warn("a file is missing or was changed", "transfer", ft.info.ID, "error", err)
	ft.agenda.wantProbe(firstPause)
	ft.agenda.post()
	return err
}

// kindOf returns the error of this package that err is, or nil for nil. ErrBroken
// is everything else.
func kindOf(err error) error {
	if err == nil {
		return nil
	}
	for _, kind := range []error{ErrFull, ErrReadOnly, ErrDenied, ErrMissing, ErrChanged, ErrBroken, ErrHandles} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		if kind := errnoKinds[errno]; kind != nil {
			return kind
		}
		return ErrBroken
	}
	if errors.Is(err, fs.ErrNotExist) {
		return ErrMissing
	}
	if errors.Is(err, fs.ErrPermission) {
		return ErrDenied
	}
	return ErrBroken
}
