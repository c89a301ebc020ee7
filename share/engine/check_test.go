package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// When the record of what is on disk is lost, a share is hashed again.
func TestLostRecord(t *testing.T) {
	t.Parallel()
	state, src := t.TempDir(), someFiles(t)
	a := startNode(t, state)
	id := a.share(src).ID
	if err := (&ledger{db: a.cfg.DB}).Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	a.waitRest(id)
	if err := (&ledger{db: a.cfg.DB}).Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	a.stop()
	a = startNode(t, state)
	sub := a.Subscribe(1000)
	defer sub.Close()
	a.wait(id, "the files to be looked at", func(share.Transfer) bool {
		rested := false
		a.box.call(func() {
			rested = len(a.loop.rounds.waiting) == 0 && a.loop.transfers.byID[id].level() == atRest && a.loop.transfers.byID[id].job == nil
		})
		return rested
	})
	if s, err := a.Get(id); err != nil || s.State != share.Seeding {
		t.Errorf("%+v, %v", s, err)
	}
	sub.Close()
	checked := false
	for ev := range sub.C {
		checked = checked || ev.Transfer != nil && ev.Transfer.State == share.Checking
	}
	if !checked {
		t.Error("the data was trusted without a record")
	}
}

// waitRest waits until nothing of the transfer is open.
func (n *node) waitRest(id share.ID) {
	n.t.Helper()
	n.wait(id, "rest", func(share.Transfer) bool {
		rested := false
		n.box.call(func() { t := n.loop.transfers.byID[id]; rested = t.level() == atRest && t.job == nil })
		return rested
	})
}

// The data of a fetch is damaged on disk; verify finds out, and what is wrong
// is fetched again and put beside it.
func TestVerifyAfterDamage(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	shared, want := bigFile(t, a)
	dst := t.TempDir()
	id := b.fetch(shared.Link, dst).ID
	b.waitState(id, share.Seeding)
	path := filepath.Join(dst, "big.bin")
	damage(t, path, 5<<20)
	before := b.Stats().Downloaded

	if err := b.Verify(id); err != nil {
		t.Fatal(err)
	}
	if s, _ := b.Get(id); s.State != share.Checking {
		t.Errorf("while verifying: %s", s.State)
	}
	b.waitState(id, share.Seeding)
	// Nothing tells the damage from what a user has done: it stays, and the right
	// file is beside it.
	if readFile(t, path) == string(want) {
		t.Error("the damaged file was written")
	}
	if s, _ := b.Get(id); s.Path == path || readFile(t, s.Path) != string(want) {
		t.Errorf("%s is not right", s.Path)
	}
	if again := b.Stats().Downloaded - before; again == 0 || again > 4<<20 {
		t.Errorf("%d bytes were fetched again", again)
	}
}

// damage changes a byte and leaves size and time as they were.
func damage(t *testing.T, path string, at int64) {
	t.Helper()
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, fi.ModTime()); err != nil {
		t.Fatal(err)
	}
}

// A shared file that changes is withdrawn, with its name in the reason; when it
// is as it was, verify brings it back.
func TestSharedFileChanges(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	src := someFiles(t)
	shared := a.share(src)
	path := filepath.Join(src, "beach.jpg")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("something else"), 0o644); err != nil {
		t.Fatal(err)
	}
	// Found out when somebody asks for it.
	b := newNode(t)
	b.fetch(shared.Link, t.TempDir())
	stopped := a.waitState(shared.ID, share.Stopped)
	if !strings.Contains(stopped.Reason, "beach.jpg") || stopped.Code != share.Disk.Code() {
		t.Errorf("reason %q, code %q", stopped.Reason, stopped.Code)
	}
	b.wait(shared.ID, "all other files", func(s share.Transfer) bool { return s.Bytes > 5<<20 && s.Bytes < s.Total })

	if err := os.WriteFile(path, good, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := a.Verify(shared.ID); err != nil {
		t.Fatal(err)
	}
	a.waitState(shared.ID, share.Seeding)
	sameTree(t, src, b.waitState(shared.ID, share.Seeding).Path)
}

// What is already in the folder is hashed, and only the rest fetched.
func TestExistingDataIsUsed(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	src := someFiles(t)
	shared := a.share(src)
	dst := t.TempDir()
	have := filepath.Join(dst, "holiday")
	if err := os.CopyFS(have, os.DirFS(src)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(have, "beach.jpg")); err != nil {
		t.Fatal(err)
	}
	b.fetch(shared.Link, dst)
	done := b.waitState(shared.ID, share.Seeding)
	sameTree(t, src, done.Path)
	if got := b.Stats().Downloaded; got > 600_000 {
		t.Errorf("%d bytes were fetched where 300,001 were missing", got)
	}
}

// A folder that no torrent can be made of is an error that is told once, not
// something to try again without end.
func TestShareOfWhatCannotBeShared(t *testing.T) {
	dir := t.TempDir()
	makeFiles(t, dir, map[string]int{"empty": 0, "bad\xff": 10})
	n := newNode(t)
	sub := n.Subscribe(1000)
	defer sub.Close()
	s, err := n.Share(t.Context(), ShareRequest{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	s = n.waitState(s.ID, share.Stopped)
	if !strings.Contains(s.Reason, "bad") {
		t.Errorf("the reason does not name the file: %q", s.Reason)
	}
	for {
		select {
		case ev := <-sub.C:
			if ev.Type == share.EventFailed {
				return
			}
		case <-time.After(patience):
			t.Fatal("no event told of the failure")
		}
	}
}

// A complete download that is not seeded and was edited is hashed when verify asks
// for it, and is not called complete afterwards.
func TestVerifyOfWhatIsNotSeeded(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	shared, want := bigFile(t, a)
	dst := t.TempDir()
	tr := b.fetch(shared.Link, dst, func(r *FetchRequest) { r.Goal = &share.Goal{None: true} })
	path := b.waitState(tr.ID, share.Paused).Path
	if err := os.WriteFile(path, append([]byte("mine"), want[4:]...), 0o644); err != nil {
		t.Fatal(err)
	}
	b.awaitLook(t.Context(), tr.ID, 0)
	if s, _ := b.Get(tr.ID); s.State == share.Paused && s.Bytes == s.Total {
		t.Errorf("edited, and yet %d of %d", s.Bytes, s.Total)
	}
	if err := b.Verify(tr.ID); err != nil {
		t.Fatal(err)
	}
	var s share.Transfer
	b.box.call(func() { s = b.loop.events.snapshot(b.loop.transfers.byID[tr.ID]) })
	if s.State != share.Checking {
		t.Errorf("while verifying: %s", s.State)
	}
	s = b.waitState(tr.ID, share.Paused)
	if s.Bytes == s.Total || s.Bytes == 0 || !strings.Contains(s.Reason, "damaged or missing") {
		t.Errorf("%d of %d, %q", s.Bytes, s.Total, s.Reason)
	}
	if got := readFile(t, path); !strings.HasPrefix(got, "mine") {
		t.Error("the user's file was written")
	}
}
