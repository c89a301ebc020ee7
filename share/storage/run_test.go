package storage

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoalnet/shoal/share/metainfo"
)

// running runs f with a Store whose Run is under way, on a disk in memory and
// with a clock that jumps.
func running(t *testing.T, f func(b *bench, sim *simDisk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sim := newSimDisk()
		sim.names["/other"] = &simNode{dir: true}
		b := &bench{t: t, ledger: newMemLedger(), dir: "/dl", disk: sim}
		b.store, _ = newStore(Config{Ledger: b.ledger}, sim)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- b.store.Run(ctx) }()
		f(b, sim)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func threePieces(t testing.TB) (*metainfo.Info, []byte) {
	return torrentOf(t, "f", 16*kib, entryOf{data: content(1, 40*kib)})
}

func twoPieces(t testing.TB) (*metainfo.Info, []byte) {
	return torrentOf(t, "f", 16*kib, entryOf{data: content(1, 20*kib)})
}

func TestRunSyncsWithinASecond(t *testing.T) {
	running(t, func(b *bench, _ *simDisk) {
		info, all := threePieces(b.t)
		heard := make(chan Event, 10)
		tr := b.openSpec(Spec{Info: info, Dir: b.dir, Notify: func(e Event) { heard <- e }})
		start := time.Now()
		put(b.t, tr, all, 0)
		e := <-heard
		if !e.Durable || e.Fault != nil || len(e.Refresh) > 0 || time.Since(start) > batchTime {
			b.t.Fatalf("after %v: %+v", time.Since(start), e)
		}
		if p := tr.Progress(); p.Pieces != 1 {
			b.t.Fatalf("%+v", p)
		}

		saves := b.ledger.saves
		put(b.t, tr, all, 1)
		start = time.Now()
		tr.agenda.wantSync(batchBytes)
		<-heard
		if time.Since(start) > 10*time.Millisecond {
			b.t.Fatalf("a full batch waited %v", time.Since(start))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := b.ledger.saves - saves; n > 2 {
			b.t.Fatalf("the ledger saved %d times for one piece", n)
		}
	})
}

func TestTheLastPieceWantedIsSyncedAtOnce(t *testing.T) {
	for _, test := range []struct {
		name   string
		await  []Span // nil leaves it alone
		arrive []int  // the last of these is to be synced at once
	}{
		{"all", nil, []int{1, 2, 0}},
		{"selected", []Span{{0, 1}, {2, 3}}, []int{2, 0}},
		{"one", []Span{{1, 2}}, []int{1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			running(t, func(b *bench, _ *simDisk) {
				info, all := threePieces(b.t)
				heard := make(chan Event, 10)
				tr := b.openSpec(Spec{Info: info, Dir: b.dir, Notify: func(e Event) { heard <- e }})
				if test.await != nil {
					tr.Await(test.await)
				}
				for k, i := range test.arrive {
					start := time.Now()
					put(b.t, tr, all, i)
					<-heard
					last := k == len(test.arrive)-1
					if tr.Arrived() != last {
						b.t.Errorf("after piece %d all has arrived: %t", i, !last)
					}
					if waited := time.Since(start); last != (waited < 10*time.Millisecond) {
						b.t.Errorf("piece %d was durable after %v", i, waited)
					}
					if !tr.Durable(i) {
						b.t.Errorf("piece %d is not durable", i)
					}
				}
			})
		})
	}
}

func TestRunSyncsAtItsEnd(t *testing.T) {
	var tr *Transfer
	var bb *bench
	running(t, func(b *bench, _ *simDisk) {
		bb = b
		info, all := twoPieces(b.t)
		tr = b.open(info)
		put(b.t, tr, all, 1)
	})
	if p := tr.Progress(); p.Pieces != 1 {
		t.Fatalf("%+v", p)
	}
	if _, err := tr.WriteAt(make([]byte, 10), 0); !errors.Is(err, ErrClosed) {
		t.Fatalf("writing after Run: %v", err)
	}
	if n := len(bb.store.handles.ring); n > 0 {
		t.Fatalf("%d handles are open after Run", n)
	}
	info, _ := torrentOf(t, "late", 16*kib, entryOf{data: content(2, 10)})
	if _, err := bb.store.Open(context.Background(), Spec{Info: info, Dir: "/dl"}); !errors.Is(err, ErrClosed) {
		t.Fatalf("opening after Run: %v", err)
	}
}

func TestRunGoesOnWhenTheDiskHasRoom(t *testing.T) {
	running(t, func(b *bench, sim *simDisk) {
		info, all := twoPieces(b.t)
		heard := make(chan Event, 100)
		tr := b.openSpec(Spec{Info: info, Dir: b.dir, Notify: func(e Event) { heard <- e }})
		setFull := func(full bool) {
			sim.mu.Lock()
			sim.full = full
			sim.mu.Unlock()
		}
		setFull(true)
		if err := tryPut(tr, all, 0); !errors.Is(err, ErrFull) {
			b.t.Fatalf("writing: %v", err)
		}
		if e := <-heard; !errors.Is(e.Fault, ErrFull) {
			b.t.Fatalf("heard of %v", e.Fault)
		}
		time.Sleep(10 * time.Minute)
		if len(heard) > 0 || !errors.Is(tr.Fault(), ErrFull) {
			b.t.Fatalf("while the disk is full: %d events, fault %v", len(heard), tr.Fault())
		}
		setFull(false)
		start := time.Now()
		for e := range heard {
			if e.Fault == nil {
				break
			}
		}
		if took := time.Since(start); took > lastPause {
			b.t.Fatalf("it took %v", took)
		}
		put(b.t, tr, all, 0)
	})
}

func TestRunHealsAfterAFailedSync(t *testing.T) {
	running(t, func(b *bench, sim *simDisk) {
		info, all := twoPieces(b.t)
		tr := b.open(info)
		setFailing := func(failing bool) {
			sim.mu.Lock()
			sim.failing = failing
			sim.mu.Unlock()
		}
		setFailing(true)
		put(b.t, tr, all, 0)
		time.Sleep(batchTime)
		synctest.Wait()
		if err := tr.Fault(); !errors.Is(err, ErrBroken) {
			b.t.Fatalf("the fault is %v", err)
		}
		// The disk works again; a plain sync would succeed without having
		// written anything.
		setFailing(false)
		time.Sleep(lastPause)
		synctest.Wait()
		if err := tr.Fault(); err != nil {
			b.t.Fatalf("the disk works, and yet: %v", err)
		}
		if p := tr.Progress(); p.Pieces != 1 {
			b.t.Fatalf("%+v", p)
		}
		disk := sim.durable["/dl/"+tr.layout.names[0].part].disk
		if string(disk[:16*kib]) != string(all[:16*kib]) {
			b.t.Fatal("the piece is not on the device")
		}
	})
}

// hangingDisk has a folder whose syncs wait.
type hangingDisk struct {
	*simDisk
	dir  string
	wait chan struct{}
}

func (d hangingDisk) folder(dir, base string, make bool) (folder, error) {
	f, err := d.simDisk.folder(dir, base, make)
	if err != nil || dir != d.dir {
		return f, err
	}
	return hangingFolder{f, d.wait}, nil
}

type hangingFolder struct {
	folder
	wait chan struct{}
}

func (f hangingFolder) open(name string, m mode) (file, error) {
	h, err := f.folder.open(name, m)
	if err != nil {
		return nil, err
	}
	return hangingFile{h, f.wait}, nil
}

type hangingFile struct {
	file
	wait chan struct{}
}

func (f hangingFile) Sync() error {
	<-f.wait
	return f.file.Sync()
}

func TestADiskThatHangsHoldsUpNoOther(t *testing.T) {
	running(t, func(b *bench, sim *simDisk) {
		wait := make(chan struct{})
		b.store.disk = hangingDisk{sim, "/other", wait}
		for i := range 2 * lanesPerDir {
			info, all := torrentOf(b.t, "hung", 16*kib, entryOf{data: content(uint64(100+i), 10)})
			put(b.t, b.openSpec(Spec{Info: info, Dir: "/other"}), all, 0)
		}
		info, all := twoPieces(b.t)
		tr := b.open(info)
		put(b.t, tr, all, 0)
		time.Sleep(2 * batchTime)
		synctest.Wait()
		if p := tr.Progress(); p.Pieces != 1 {
			b.t.Fatalf("%+v", p)
		}
		close(wait)
	})
}

func TestAFullBatchIsSyncedRightAfterTheOneUnderWay(t *testing.T) {
	running(t, func(b *bench, sim *simDisk) {
		wait := make(chan struct{}, 1)
		b.store.disk = hangingDisk{sim, "/other", wait}
		info, all := threePieces(b.t)
		tr := b.openSpec(Spec{Info: info, Dir: "/other"})
		put(b.t, tr, all, 0)
		time.Sleep(2 * batchTime) // its sync hangs
		put(b.t, tr, all, 1)
		tr.agenda.wantSync(batchBytes)
		synctest.Wait()
		close(wait)
		synctest.Wait()
		if !tr.Durable(1) {
			b.t.Error("a full batch waits for nothing")
		}
	})
}
