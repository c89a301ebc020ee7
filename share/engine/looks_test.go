package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// What is called complete was looked at. Instances:
//
//	get again after the file was deleted, moved or truncated   TestWhatIsMissingIsFetchedAgainWhenAskedFor
//	get again after the file was edited                        TestAnEditedFileStaysAndTheRightOneArrivesBeside
//	damage found by verify, then list after a restart          TestWhatVerifyFoundIsListedAfterARestart
//	a seed at rest whose files are gone                        TestFilesGoneAtRestAreNoticed
//	a missing file that verify found, and that is back         TestAFileThatIsBackAfterVerify
//	chmod                                                      TestChmodIsNoDamage
//	a mount that hangs                                         TestAMountThatHangsIsShown, TestFewWaitForOneMount

func TestWhatIsMissingIsFetchedAgainWhenAskedFor(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"deleted": os.Remove,
		"moved":   func(p string) error { return os.Rename(p, p+".elsewhere") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := newNode(t), newNode(t)
			shared, want := bigFile(t, a)
			dst := t.TempDir()
			id := b.fetch(shared.Link, dst).ID
			path := b.waitState(id, share.Seeding).Path
			if err := lose(path); err != nil {
				t.Fatal(err)
			}
			if s := b.fetch(shared.Link, dst); s.State == share.Seeding {
				t.Fatalf("the file is gone, and the transfer %s", s.State)
			}
			b.waitState(id, share.Seeding)
			if readFile(t, path) != string(want) {
				t.Error("what is there is not what was fetched")
			}
		})
	}
}

func TestAnEditedFileStaysAndTheRightOneArrivesBeside(t *testing.T) {
	for name, edit := range map[string]func(was string) string{
		"in place": func(was string) string { return "mine" + was[4:] },
		"longer":   func(was string) string { return was + "mine" },
		"shorter":  func(was string) string { return was[:len(was)-4] },
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restart %v", name, restart), func(t *testing.T) {
				t.Parallel()
				state, dst := t.TempDir(), t.TempDir()
				a, b := newNode(t), startNode(t, state)
				shared, want := bigFile(t, a)
				id := b.fetch(shared.Link, dst).ID
				path := b.waitState(id, share.Seeding).Path
				edited := edit(string(want))
				if restart {
					b.stop()
				}
				if err := os.WriteFile(path, []byte(edited), 0o644); err != nil {
					t.Fatal(err)
				}
				if restart {
					b = startNode(t, state)
				}
				if s := b.fetch(shared.Link, dst); s.State == share.Seeding {
					t.Fatalf("the file was edited, and the transfer is %s", s.State)
				}
				s := b.waitState(id, share.Seeding)
				beside := strings.TrimSuffix(path, ".bin") + " (2).bin"
				if readFile(t, beside) != string(want) || s.Path != beside {
					t.Errorf("what was fetched is not beside it: %s", s.Path)
				}
				if readFile(t, path) != edited {
					t.Error("the user's edit was written over")
				}
			})
		}
	}
}

func TestWhatVerifyFoundIsListedAfterARestart(t *testing.T) {
	t.Parallel()
	state, src := t.TempDir(), someFiles(t)
	a := startNode(t, state)
	id := a.share(src).ID
	path := filepath.Join(src, "beach.jpg")
	damage(t, path, 10)
	if err := a.Verify(id); err != nil {
		t.Fatal(err)
	}
	a.waitState(id, share.Stopped)
	a.wait(id, "all to be hashed", func(share.Transfer) (over bool) {
		a.box.call(func() { tr := a.loop.transfers.byID[id]; over = tr.job == nil && !tr.options.Verify })
		return over
	})
	for range 2 {
		a.stop()
		a = startNode(t, state)
		var s share.Transfer
		a.box.call(func() { s = a.loop.events.snapshot(a.loop.transfers.byID[id]) }) // before anything was looked at
		if s.State != share.Stopped || s.Bytes >= s.Total || !strings.Contains(s.Reason, "beach.jpg") {
			t.Fatalf("after a restart: %s, %d of %d, %q", s.State, s.Bytes, s.Total, s.Reason)
		}
		if s, _ := a.Get(id); s.State != share.Stopped || s.Looked.IsZero() {
			t.Fatalf("after a look: %s", s.State)
		}
	}
	damage(t, path, 10) // which undoes it
	if err := a.Verify(id); err != nil {
		t.Fatal(err)
	}
	if s := a.waitState(id, share.Seeding); s.Bytes != s.Total {
		t.Errorf("%d of %d", s.Bytes, s.Total)
	}
	a.stop()
	a = startNode(t, state)
	if s, _ := a.Get(id); s.State != share.Seeding || s.Reason != "" {
		t.Errorf("repaired, and yet %s: %s", s.State, s.Reason)
	}
}

func TestFilesGoneAtRestAreNoticed(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	src := someFiles(t)
	id := a.share(src).ID
	if err := os.Rename(src, src+".away"); err != nil {
		t.Fatal(err)
	}
	// As when the next round comes.
	a.box.call(func() { a.loop.rounds.began = time.Time{} })
	s := a.waitState(id, share.Stopped)
	if s.Code != share.Disk.Code() || s.Bytes == s.Total {
		t.Errorf("%+v", s)
	}
	if err := os.Rename(src+".away", src); err != nil {
		t.Fatal(err)
	}
	if s := a.waitState(id, share.Seeding); s.Bytes != s.Total {
		t.Errorf("all is back, and yet %d of %d", s.Bytes, s.Total)
	}
}

func TestChmodIsNoDamage(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	src := someFiles(t)
	id := a.share(src).ID
	if err := os.Chmod(filepath.Join(src, "beach.jpg"), 0o600); err != nil {
		t.Fatal(err)
	}
	sub := a.Subscribe(1000)
	defer sub.Close()
	a.wait(id, "all to be hashed", func(s share.Transfer) bool {
		return s.State == share.Seeding && s.Bytes == s.Total && !s.Looked.IsZero()
	})
	sub.Close()
	for ev := range sub.C {
		if ev.Type == share.EventFailed {
			t.Errorf("chmod is told as a failure: %s", ev.Message)
		}
	}
}

func TestAMountThatHangsIsShown(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	id := a.share(someFiles(t)).ID
	a.waitRest(id)
	var s share.Transfer
	a.box.call(func() {
		tr := a.loop.transfers.byID[id]
		tr.look.running, tr.look.began = true, a.loop.now().Add(-2*silentAfter)
		a.loop.noticeSilence(tr, a.loop.now())
		s = a.loop.events.snapshot(tr)
	})
	if s.State != share.Stopped || !strings.Contains(s.Reason, "does not answer") {
		t.Errorf("%s: %s", s.State, s.Reason)
	}
	if got, err := a.Get(id); err != nil || got.State != share.Stopped { // and does not wait
		t.Errorf("%+v, %v", got, err)
	}
	a.box.call(func() { a.loop.transfers.byID[id].look.running, a.loop.transfers.byID[id].look.silent = false, false })
}

// Who asks while a job is under way is answered when the job and a look are over,
// and not only when patience is.
func TestALookWaitsForTheJobUnderWay(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	id := a.share(someFiles(t)).ID
	a.waitRest(id)
	hold := make(chan struct{})
	a.box.call(func() {
		tr := a.loop.transfers.byID[id]
		tr.look.at = time.Time{}
		a.loop.start(tr, jobAttach, func(context.Context) func() { <-hold; return func() {} })
	})
	answered := make(chan share.Transfer)
	go func() {
		s, _ := a.Get(id)
		answered <- s
	}()
	for waits := false; !waits; {
		a.box.call(func() { waits = len(a.loop.transfers.byID[id].look.waiters) > 0 })
	}
	close(hold)
	if s := <-answered; s.Looked.IsZero() {
		t.Error("the answer came without a look")
	}
}

func TestFewWaitForOneMount(t *testing.T) {
	m := &mounts{list: []string{"/", "/mnt/nas"}, read: time.Now(), places: map[string]chan struct{}{}}
	for range askersPerMount {
		if m.busy("/mnt/nas/x") {
			t.Fatal("busy too soon")
		}
		if _, err := m.enter(t.Context(), "/mnt/nas/x"); err != nil {
			t.Fatal(err)
		}
	}
	if !m.busy("/mnt/nas/y") || m.busy("/mnt/nasty") || m.busy("/home") {
		t.Error("what one mount does is no matter of another")
	}
}

// A look that took longer than the request waits is followed by what it was for.
func TestRestoredAfterALateLook(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	a, b := newNode(t), startNode(t, state)
	shared, want := bigFile(t, a)
	id := b.fetch(shared.Link, t.TempDir()).ID
	path := b.waitState(id, share.Seeding).Path
	b.stop()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	b = startNode(t, state)
	b.box.call(func() { b.loop.restore(b.loop.transfers.byID[id]) }) // mostly before anybody has looked
	b.until("the file to be back", func() bool {
		got, err := os.ReadFile(path)
		return err == nil && string(got) == string(want)
	})
	b.waitState(id, share.Seeding)
}

// A share in which verify found that a file is missing goes on by itself when the file is
// back, also where somebody has just downloaded it and its files are still open.
func TestAFileThatIsBackAfterVerify(t *testing.T) {
	t.Parallel()
	a, b, src := newNode(t), newNode(t), someFiles(t)
	shared := a.share(src)
	id := shared.ID
	b.fetch(shared.Link, t.TempDir())
	b.waitState(id, share.Seeding)
	b.stop()
	path := filepath.Join(src, "beach.jpg")
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if err := a.Verify(id); err != nil {
		t.Fatal(err)
	}
	if s := a.waitState(id, share.Stopped); !strings.Contains(s.Reason, "beach.jpg") {
		t.Errorf("it says %q", s.Reason)
	}
	a.wait(id, "the verification to end", func(share.Transfer) (over bool) {
		a.box.call(func() { tr := a.loop.transfers.byID[id]; over = tr.job == nil && !tr.options.Verify })
		return over
	})
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	a.wait(id, "all of it to be seeded", func(s share.Transfer) bool { return s.State == share.Seeding && s.Bytes == s.Total })
}
