package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/shoalnet/shoal/share"
)

// settleUsers decides about the user's files of which enough is known: one that
// is right is used where it is; of another one what is right is copied to a file
// of ours, which goes beside it. batching is held.
func (t *Transfer) settleUsers(ctx context.Context) error {
	if !t.users.any() {
		return nil
	}
	t.mu.Lock()
	var list []int
	for i, u := range t.users.all() {
		if !u.settled && (t.troubles.of(i) == nil || u.lost) {
			list = append(list, i)
		}
	}
	t.mu.Unlock()
	for _, i := range list {
		if err := t.settleUser(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

func (t *Transfer) settleUser(ctx context.Context, i int) error {
	t.mu.Lock()
	u, s := t.users.of(i), t.pieces(i)
	if u == nil || !u.lost && (t.known.unknown.hasAny(s) || t.known.doubt.hasAny(s)) {
		t.mu.Unlock()
		return nil
	}
	wrong := !t.inPlace(i)
	var spilled []int
	for p := s.From; p < s.To && !wrong; p++ {
		switch have := t.known.have.has(p); {
		case have && t.users.spilled(i, p):
			spilled = append(spilled, p)
		case !have && !t.known.held.has(p) && !t.shared(p, i):
			wrong = true
		}
	}
	t.mu.Unlock()
	for _, p := range spilled {
		same, err := t.spillIsSame(i, u, p)
		if err != nil {
			return t.watch.readFailed(i, 0, err)
		}
		if wrong = wrong || !same; same {
			t.mu.Lock()
			t.users.setSpilled(i, p, false)
			t.known.stale = true
			t.mu.Unlock()
		}
	}
	if wrong {
		return t.replace(ctx, i)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known.have.hasAll(s) && !u.head && !u.tail {
		u.settled = true
		if t.files[i].created && !u.spill {
			// It was made by this transfer, and is what it was.
			t.files[i].state = final
			t.layout.names[i].user = ""
			t.relayout, t.known.stale = true, true
			t.users.drop(i)
		}
	}
	return nil
}

// spillIsSame compares what was fetched of piece p with the user's file.
func (t *Transfer) spillIsSame(i int, u *userFile, p int) (bool, error) {
	at, n := t.partOf(p, i)
	h, err := t.opened.acquireSpill(i, u, false)
	if err != nil {
		return false, err
	}
	defer h.unpin()
	mine, his := make([]byte, min(n, copyStep)), make([]byte, min(n, copyStep))
	for end := at + n; at < end; at += int64(len(mine)) {
		mine, his = mine[:min(int64(len(mine)), end-at)], his[:min(int64(len(his)), end-at)]
		if _, err := h.file.ReadAt(mine, at); err != nil && err != io.EOF {
			return false, err
		}
		if _, err := t.reader.readOne(i, at, his, nil); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errAbsent) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		if !bytes.Equal(mine, his) {
			return false, nil
		}
	}
	return true, nil
}

// replaceUser is replace for a write that ran into the user's file of entry i.
func (t *Transfer) replaceUser(i int) error {
	for s, p := t.pieces(i), t.pieces(i).From; p < s.To; p++ {
		t.mu.Lock()
		unknown := t.known.unknown.has(p) && t.users.of(i) != nil
		t.mu.Unlock()
		if unknown {
			if _, err := t.HashPiece(context.Background(), p); err != nil {
				return err
			}
		}
	}
	t.batching.Lock()
	defer t.batching.Unlock()
	return t.replace(context.Background(), i)
}

// replace has entry i be a file of ours, or the user's completed in place where
// that was asked for. batching is held.
func (t *Transfer) replace(ctx context.Context, i int) error {
	t.mu.Lock()
	u := t.users.of(i)
	if u == nil || t.removed {
		t.mu.Unlock()
		return nil
	}
	found := share.Found{Index: i, Path: t.full(t.layout.names[i].user), Right: t.rightIn(i), Length: t.info.Files[i].Length}
	adopt := t.layout.adopt && found.Right > 0 && !u.lost && !t.files[i].created && !t.unsynced.failed(i) &&
		t.files[i].stamp.size <= found.Length
	t.mu.Unlock()
	if adopt {
		return t.takeOver(ctx, i, u, found)
	}
	return t.putBeside(ctx, i, u, found)
}

// takeOver completes the user's file of entry i in place: it is the entry's part
// file from now on, whatever its name. batching is held.
func (t *Transfer) takeOver(ctx context.Context, i int, u *userFile, found share.Found) error {
	t.opening.Lock()
	t.opened.closeFile(i)
	t.opened.closeSpill(i)
	t.mu.Lock()
	f, names, s := &t.files[i], &t.layout.names[i], t.pieces(i)
	was := *names
	names.part, names.user = names.user, ""
	f.state, f.created = partial, false
	for _, x := range []struct {
		is bool
		p  int
	}{{u.head, s.From}, {u.tail, s.To - 1}} {
		if x.is { // to be fetched again, into the user's file
			one := Span{x.p, x.p + 1}
			t.known.fetchAgain(one)
		}
	}
	t.relayout, t.known.stale = true, true
	t.mu.Unlock()
	t.opening.Unlock()
	if err := t.recordIfStale(ctx); err != nil {
		t.opening.Lock()
		t.mu.Lock()
		*names, f.state = was, users
		t.relayout, t.known.stale = true, true
		t.mu.Unlock()
		t.opening.Unlock()
		return err
	}
	t.mu.Lock()
	spill := u.spill
	t.users.drop(i)
	t.outcomes = append(t.outcomes, found)
	t.known.event.any = true
	if t.known.have.hasAll(s) {
		t.leaveUnnamed(i)
	}
	t.mu.Unlock()
	t.agenda.post()
	if spill {
		return t.removeSpill(i, was.part)
	}
	return nil
}

// putBeside copies what is right of the user's file of entry i to a file of ours
// that gets a name beside it. batching is held.
func (t *Transfer) putBeside(ctx context.Context, i int, u *userFile, found share.Found) error {
	if err := t.naming.chooseBeside(i); err != nil {
		return t.faults.failed(opWrite, i, 0, err)
	}
	if err := t.naming.intendSpill(i, u); err != nil {
		return t.faults.failed(opWrite, i, 0, err)
	}
	if err := t.recordIfStale(ctx); err != nil {
		return err
	}
	copied, sure, err := t.copyRight(ctx, i, u)
	if err != nil {
		return err
	}
	t.opening.Lock()
	t.opened.closeFile(i)
	t.opened.closeSpill(i)
	t.mu.Lock()
	f, s := &t.files[i], t.pieces(i)
	for p := s.From; p < s.To; p++ {
		switch {
		case copied.has(p) && sure:
		case copied.has(p), t.known.have.has(p) && t.users.spilled(i, p):
			t.known.reverify(Span{p, p + 1}) // nobody has watched the spill
		default:
			t.known.have.unset(p)
		}
	}
	f.state, f.created, f.suspect, f.stamp = absent, true, false, stamp{}
	if u.made {
		f.state = partial
		t.markDirty(i)
		t.noteTree(t.layout.names[i].part)
		t.leaveUnnamed(i)
	} else {
		t.known.unknown.unsetSpan(s)
	}
	t.troubles.drop(i)
	// What was recorded is to be so again once the copy is synced.
	t.known.unrecord(s)
	t.known.refresh(s)
	t.known.stale = true
	t.users.drop(i)
	found.Beside = t.full(t.layout.names[i].final)
	t.outcomes = append(t.outcomes, found)
	t.known.durableChanged()
	t.mu.Unlock()
	t.opening.Unlock()
	t.mu.Lock()
	t.holdAgain()
	t.mu.Unlock()
	t.log.Info("a file of the user's stays as it is", "transfer", t.info.ID, "file", found.Path, "beside", found.Beside)
	t.agenda.post()
	return nil
}

const copyStep = 256 << 10

// copyRight copies what is right of the user's file of entry i to the spill, at
// the place where it belongs, and tells which pieces that are. What the user has
// changed meanwhile does not count; if that cannot be told, the copy is not sure to
// be right. batching is held.
func (t *Transfer) copyRight(ctx context.Context, i int, u *userFile) (copied bitmap, sure bool, err error) {
	t.mu.Lock()
	s, was, lost := t.pieces(i), t.files[i].stamp, u.lost
	right := newBitmap(t.numPieces())
	for p := s.From; p < s.To; p++ {
		if t.known.have.has(p) && !t.users.spilled(i, p) {
			right.set(p)
		}
	}
	t.mu.Unlock()
	if lost || right.empty() {
		return nil, false, nil
	}
	dst, err := t.opened.acquireSpill(i, u, true)
	for errors.Is(err, errPartTaken) {
		if err = t.recordIfStale(ctx); err == nil {
			dst, err = t.opened.acquireSpill(i, u, true)
		}
	}
	if err != nil {
		return nil, false, t.faults.writeFailed(i, 0, err)
	}
	defer dst.unpin()
	for _, run := range right.spans() {
		at, _ := t.partOf(run.From, i)
		end, n := t.partOf(run.To-1, i)
		if err := t.copyRun(ctx, i, dst.file, at, end+n-at); err != nil {
			return nil, false, err
		}
	}
	fi, err := t.stat(t.layout.names[i].user)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil || compareStamps(was, stampOf(fi)) == otherFile {
		t.loseUser(i)
		return nil, false, nil
	}
	return right, compareStamps(was, stampOf(fi)) == sameFile, nil
}

// copyRun copies n bytes at a place of the user's file of entry i.
func (t *Transfer) copyRun(ctx context.Context, i int, dst file, at, n int64) error {
	buf := make([]byte, copyStep)
	const most = 256 << 20 // between two looks whether to go on
	for n > 0 {
		t.mu.Lock()
		closed := t.closed
		t.mu.Unlock()
		if closed {
			return ErrClosed
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		src, err := t.opened.acquire(i, false)
		if err != nil {
			return t.watch.readFailed(i, at, err)
		}
		m, err := dst.copyFrom(src.file, at, min(n, most))
		src.unpin()
		if err != nil {
			return t.faults.writeFailed(i, at, err)
		}
		if m == 0 {
			b := buf[:min(n, copyStep)]
			k, err := t.reader.readOne(i, at, b, nil)
			if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errAbsent) {
				return nil // it is found out at the end
			}
			if err != nil {
				return err
			}
			if _, err := dst.WriteAt(b[:k], at); err != nil {
				return t.faults.writeFailed(i, at, err)
			}
			m = int64(k)
		}
		at, n = at+m, n-m
	}
	return nil
}

// dropSpills deletes the spills that are read no more: that is recorded. batching
// is held.
func (t *Transfer) dropSpills() error {
	if !t.users.any() {
		return nil
	}
	t.mu.Lock()
	var list []int
	for i, u := range t.users.all() {
		if u.settled && u.spill && !u.head && !u.tail {
			list = append(list, i)
		}
	}
	stale := t.known.stale
	t.mu.Unlock()
	if stale && len(list) > 0 {
		t.agenda.wantSync(0)
		return nil
	}
	for _, i := range list {
		t.opened.closeSpill(i)
		if err := t.removeSpill(i, t.layout.names[i].part); err != nil {
			return err
		}
	}
	// Before anything is recorded: else a power cut may bring them back.
	if err := t.syncs.syncDirs(); err != nil {
		return err
	}
	for _, i := range list {
		t.mu.Lock()
		if u := t.users.of(i); u != nil {
			u.spill, u.made, u.settled = false, false, false // and settled again
			t.known.stale = true
		}
		t.unsynced.drop(i)
		t.mu.Unlock()
	}
	if len(list) > 0 {
		t.agenda.wantSync(0)
	}
	return nil
}

// removeSpill deletes a file of ours that has a part name.
func (t *Transfer) removeSpill(i int, name string) error {
	t.opening.Lock()
	d, err := t.opened.openFolder(false)
	t.opening.Unlock()
	if err != nil {
		return t.faults.writeFailed(i, 0, err)
	}
	defer d.unpin()
	if err := d.dir.remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return t.faults.failed(opWrite, -1, 0, fmt.Errorf("removing %s: %w", name, err))
	}
	t.mu.Lock()
	t.unsynced.noteDir(path.Dir(name))
	t.mu.Unlock()
	return nil
}

// Adopt has what the user has completed in place, as Spec.Adopt does, if the
// transfer was opened without. What already has a file of its own beside the
// user's keeps it.
func (t *Transfer) Adopt(ctx context.Context) error {
	t.batching.Lock()
	defer t.batching.Unlock()
	t.mu.Lock()
	if t.own != nil || t.layout.adopt || t.closed {
		t.mu.Unlock()
		return nil
	}
	t.layout.adopt, t.relayout, t.known.stale = true, true, true
	t.mu.Unlock()
	return t.recordIfStale(ctx)
}
