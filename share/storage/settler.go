package storage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"path"

	"github.com/shoalnet/shoal/share"
)

// settler decides what becomes of the user's files that have the name of an entry.
// A file that is right is used where it is. If a file is wrong, its right pieces
// are copied to a file of ours that goes beside it. If the transfer adopts files,
// it completes the user's file in place instead.
type settler struct {
	*memory
	opened  *openFiles
	naming  *naming
	faults  *faults
	syncs   *syncer
	watch   *watcher
	reader  *reader
	checks  *verifier
	records *recorder
	log     *slog.Logger
}

// settleUsers decides about those of the user's files of which enough is known.
// batching is held.
func (st *settler) settleUsers(ctx context.Context) error {
	if !st.users.any() {
		return nil
	}
	st.mu.Lock()
	var list []int
	for i, u := range st.users.all() {
		if !u.settled && (st.troubles.of(i) == nil || u.lost) {
			list = append(list, i)
		}
	}
	st.mu.Unlock()
	for _, i := range list {
		if err := st.settleUser(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

func (st *settler) settleUser(ctx context.Context, i int) error {
	st.mu.Lock()
	u, s := st.users.of(i), st.pieces(i)
	if u == nil || !u.lost && (st.known.unknown.hasAny(s) || st.known.doubt.hasAny(s)) {
		st.mu.Unlock()
		return nil
	}
	wrong := !st.inPlace(i)
	var spilled []int
	for p := s.From; p < s.To && !wrong; p++ {
		switch have := st.known.have.has(p); {
		case have && st.users.spilled(i, p):
			spilled = append(spilled, p)
		case !have && !st.known.held.has(p) && !st.shared(p, i):
			wrong = true
		}
	}
	st.mu.Unlock()
	for _, p := range spilled {
		same, err := st.spillIsSame(i, u, p)
		if err != nil {
			return st.watch.readFailed(i, 0, err)
		}
		if wrong = wrong || !same; same {
			st.mu.Lock()
			st.users.setSpilled(i, p, false)
			st.known.stale = true
			st.mu.Unlock()
		}
	}
	if wrong {
		return st.replace(ctx, i)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.known.have.hasAll(s) && !u.head && !u.tail {
		u.settled = true
		if st.files[i].created && !u.spill {
			// The transfer made it, and it is unchanged.
			st.files[i].state = final
			st.layout.names[i].user = ""
			st.relayout, st.known.stale = true, true
			st.users.drop(i)
		}
	}
	return nil
}

// spillIsSame compares what was fetched of piece p with the user's file.
func (st *settler) spillIsSame(i int, u *userFile, p int) (bool, error) {
	at, n := st.partOf(p, i)
	h, err := st.opened.acquireSpill(i, u, false)
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
		if _, err := st.reader.readOne(i, at, his, nil); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errAbsent) {
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

// replaceUser is replace for a write to an entry that is still the user's file.
func (st *settler) replaceUser(i int) error {
	for s, p := st.pieces(i), st.pieces(i).From; p < s.To; p++ {
		st.mu.Lock()
		unknown := st.known.unknown.has(p) && st.users.of(i) != nil
		st.mu.Unlock()
		if unknown {
			if _, err := st.checks.HashPiece(context.Background(), p); err != nil {
				return err
			}
		}
	}
	st.records.batching.Lock()
	defer st.records.batching.Unlock()
	return st.replace(context.Background(), i)
}

// replace makes entry i a file of ours, or adopts the user's. batching is held.
func (st *settler) replace(ctx context.Context, i int) error {
	st.mu.Lock()
	u := st.users.of(i)
	if u == nil || st.removed {
		st.mu.Unlock()
		return nil
	}
	found := share.Found{Index: i, Path: st.full(st.layout.names[i].user), Right: st.rightIn(i), Length: st.info.Files[i].Length}
	adopt := st.layout.adopt && found.Right > 0 && !u.lost && !st.files[i].created && !st.unsynced.failed(i) &&
		st.files[i].stamp.size <= found.Length
	st.mu.Unlock()
	if adopt {
		return st.takeOver(ctx, i, u, found)
	}
	return st.putBeside(ctx, i, u, found)
}

// rightIn counts the right bytes of the user's file of entry i. mu is held.
func (m *memory) rightIn(i int) (n int64) {
	s := m.pieces(i)
	for p := s.From; p < s.To; p++ {
		if m.known.have.has(p) && !m.users.spilled(i, p) {
			_, k := m.partOf(p, i)
			n += k
		}
	}
	return n
}

// takeOver adopts the user's file of entry i: it is the part file of the entry from
// now on, under the name it has. batching is held.
func (st *settler) takeOver(ctx context.Context, i int, u *userFile, found share.Found) error {
	st.opening.Lock()
	st.opened.closeFile(i)
	st.opened.closeSpill(i)
	st.mu.Lock()
	f, names, s := &st.files[i], &st.layout.names[i], st.pieces(i)
	was := *names
	names.part, names.user = names.user, ""
	f.state, f.created = partial, false
	st.fitClips(i)
	for _, x := range []struct {
		is bool
		p  int
	}{{u.head, s.From}, {u.tail, s.To - 1}} {
		if x.is { // fetch it again, into the user's file
			one := Span{x.p, x.p + 1}
			st.known.fetchAgain(one)
		}
	}
	st.relayout, st.known.stale = true, true
	st.mu.Unlock()
	st.opening.Unlock()
	if err := st.records.recordIfStale(ctx); err != nil {
		st.opening.Lock()
		st.mu.Lock()
		*names, f.state = was, users
		st.relayout, st.known.stale = true, true
		st.mu.Unlock()
		st.opening.Unlock()
		return err
	}
	st.mu.Lock()
	spill := u.spill
	st.users.drop(i)
	st.outcomes = append(st.outcomes, found)
	st.known.event.any = true
	if st.known.have.hasAll(s) {
		st.leaveUnnamed(i)
	}
	st.mu.Unlock()
	st.agenda.post()
	if spill {
		return st.removeSpill(i, was.part)
	}
	return nil
}

// putBeside copies the right pieces of the user's file of entry i to a file of
// ours, which gets a name beside it. batching is held.
func (st *settler) putBeside(ctx context.Context, i int, u *userFile, found share.Found) error {
	if err := st.naming.chooseBeside(i); err != nil {
		return st.faults.failed(opWrite, i, 0, err)
	}
	if err := st.naming.intendSpill(i, u); err != nil {
		return st.faults.failed(opWrite, i, 0, err)
	}
	if err := st.records.recordIfStale(ctx); err != nil {
		return err
	}
	copied, sure, err := st.copyRight(ctx, i, u)
	if err != nil {
		return err
	}
	st.opening.Lock()
	st.opened.closeFile(i)
	st.opened.closeSpill(i)
	st.mu.Lock()
	f, s := &st.files[i], st.pieces(i)
	for p := s.From; p < s.To; p++ {
		switch {
		case st.known.clipped.has(p): // it is needed whole
			st.known.have.unset(p)
		case copied.has(p) && sure:
		case copied.has(p), st.known.have.has(p) && st.users.spilled(i, p):
			st.known.reverify(Span{p, p + 1}) // another program may have written to the spill
		default:
			st.known.have.unset(p)
		}
	}
	f.state, f.created, f.suspect, f.stamp = absent, true, false, stamp{}
	if u.made {
		f.state = partial
		st.markDirty(i)
		st.noteTree(st.layout.names[i].part)
		st.leaveUnnamed(i)
	} else {
		st.known.unknown.unsetSpan(s)
	}
	st.troubles.drop(i)
	// It is recorded again once the copy is synced.
	st.known.unrecord(s)
	st.known.refresh(s)
	st.known.stale = true
	st.users.drop(i)
	found.Beside = st.full(st.layout.names[i].final)
	st.outcomes = append(st.outcomes, found)
	st.known.durableChanged()
	st.mu.Unlock()
	st.opening.Unlock()
	st.mu.Lock()
	st.holdAgain()
	st.mu.Unlock()
	st.log.Info("kept a file of the user's; the right one goes beside it", "transfer", st.info.ID, "file", found.Path, "beside", found.Beside)
	st.agenda.post()
	return nil
}

const copyStep = 256 << 10

// copyRight copies the right pieces of the user's file of entry i to the spill and
// returns them. A piece that the user changed meanwhile does not count. sure is
// false if that cannot be told. batching is held.
func (st *settler) copyRight(ctx context.Context, i int, u *userFile) (copied bitmap, sure bool, err error) {
	st.mu.Lock()
	s, was, lost := st.pieces(i), st.files[i].stamp, u.lost
	right := newBitmap(st.numPieces())
	for p := s.From; p < s.To; p++ {
		if st.known.have.has(p) && !st.users.spilled(i, p) {
			right.set(p)
		}
	}
	st.mu.Unlock()
	if lost || right.empty() {
		return nil, false, nil
	}
	dst, err := st.opened.acquireSpill(i, u, true)
	for errors.Is(err, errPartTaken) {
		if err = st.records.recordIfStale(ctx); err == nil {
			dst, err = st.opened.acquireSpill(i, u, true)
		}
	}
	if err != nil {
		return nil, false, st.faults.writeFailed(i, 0, err)
	}
	defer dst.unpin()
	for _, run := range right.spans() {
		at, _ := st.partOf(run.From, i)
		end, n := st.partOf(run.To-1, i)
		if err := st.copyRun(ctx, i, dst.file, at, end+n-at); err != nil {
			return nil, false, err
		}
	}
	fi, err := st.stat(st.layout.names[i].user)
	st.mu.Lock()
	defer st.mu.Unlock()
	if err != nil || compareStamps(was, stampOf(fi)) == otherFile {
		st.loseUser(i)
		return nil, false, nil
	}
	return right, compareStamps(was, stampOf(fi)) == sameFile, nil
}

// copyRun copies n bytes at an offset of the user's file of entry i.
func (st *settler) copyRun(ctx context.Context, i int, dst file, at, n int64) error {
	buf := make([]byte, copyStep)
	const most = 256 << 20 // between two checks of ctx
	for n > 0 {
		st.mu.Lock()
		closed := st.closed
		st.mu.Unlock()
		if closed {
			return ErrClosed
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		src, err := st.opened.acquire(i, false)
		if err != nil {
			return st.watch.readFailed(i, at, err)
		}
		m, err := dst.copyFrom(src.file, at, min(n, most))
		src.unpin()
		if err != nil {
			return st.faults.writeFailed(i, at, err)
		}
		if m == 0 {
			b := buf[:min(n, copyStep)]
			k, err := st.reader.readOne(i, at, b, nil)
			if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errAbsent) {
				return nil // copyRight finds out at the end
			}
			if err != nil {
				return err
			}
			if _, err := dst.WriteAt(b[:k], at); err != nil {
				return st.faults.writeFailed(i, at, err)
			}
			m = int64(k)
		}
		at, n = at+m, n-m
	}
	return nil
}

// dropSpills deletes the spills that are no longer read, once that is recorded.
// batching is held.
func (st *settler) dropSpills() error {
	if !st.users.any() {
		return nil
	}
	st.mu.Lock()
	var list []int
	for i, u := range st.users.all() {
		if u.settled && u.spill && !u.head && !u.tail {
			list = append(list, i)
		}
	}
	stale := st.known.stale
	st.mu.Unlock()
	if stale && len(list) > 0 {
		st.agenda.wantSync(0)
		return nil
	}
	for _, i := range list {
		st.opened.closeSpill(i)
		if err := st.removeSpill(i, st.layout.names[i].part); err != nil {
			return err
		}
	}
	// Sync before the next record: otherwise a power cut may bring them back.
	if err := st.syncs.syncDirs(); err != nil {
		return err
	}
	for _, i := range list {
		st.mu.Lock()
		if u := st.users.of(i); u != nil {
			u.spill, u.made, u.settled = false, false, false // it is settled again later
			st.known.stale = true
		}
		st.unsynced.drop(i)
		st.mu.Unlock()
	}
	if len(list) > 0 {
		st.agenda.wantSync(0)
	}
	return nil
}

// removeSpill deletes the spill with the given name.
func (st *settler) removeSpill(i int, name string) error {
	st.opening.Lock()
	d, err := st.opened.openFolder(false)
	st.opening.Unlock()
	if err != nil {
		return st.faults.writeFailed(i, 0, err)
	}
	defer d.unpin()
	if err := d.dir.remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return st.faults.failed(opWrite, -1, 0, share.Wrapf("removing %s: %w", name, err))
	}
	st.mu.Lock()
	st.unsynced.noteDir(path.Dir(name))
	st.mu.Unlock()
	return nil
}
