//go:build linux

package e2e

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// rate caps the sharing side in these tests, in bytes per second, so that there
// is a middle to be killed in.
const rate = 16 << 20

// batch is how long a piece may wait for the sync that makes it count: a batch
// is closed after a second, and its sync takes a moment.
const batch = 2 * time.Second

// The fetching side is killed at random moments. Each time it comes back cut
// off from everybody, so that it has only what it kept; carol then asks it as a
// peer what it has, and every piece it offers must be on its disk, right.
//
//	alice ── router (16 MiB/s) ──┐
//	                           core ── router ── bob, killed
//	carol ── router ─────────────┘
func TestKilledWhileFetching(t *testing.T) {
	if soak() {
		t.Skip("TestSoakKilledWhileFetching is the long version")
	}
	t.Parallel()
	killWhileFetching(t, 20)
}

// TestSoakKilledWhileFetching is TestKilledWhileFetching for longer.
func TestSoakKilledWhileFetching(t *testing.T) {
	if !soak() {
		return
	}
	killWhileFetching(t, 200)
}

func killWhileFetching(t *testing.T, kills int) {
	net := lab.New(t)
	home := net.Router("alice")
	alice, bob, carol := at(t, home.Host("alice")), at(t, net.Home("bob")), net.Home("carol")
	folder := filepath.Join(t.TempDir(), "films")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	// Sizes that are no multiple of anything: pieces go across files.
	var size int64
	for i, n := range []int64{90<<20 + 1, 3 << 10, 70<<20 + 12345, 40<<20 - 1} {
		random(t, filepath.Join(folder, string(rune('a'+i))), n, byte(i))
		size += n
	}
	before := snapshot(t, folder)
	share := alice.Share(folder, "--piece-length", "256KiB")
	l := torrentLayout(t, carol, alice.torrentFile(share.ID))
	into := t.TempDir()

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	home.Bandwidth(0, rate)
	var rounds int64 // how often all of it was fetched
	began := bob.received()
	complete := func() {
		identical(t, folder, filepath.Join(into, share.Name))
		rounds++
		if err := os.RemoveAll(into); err != nil {
			t.Fatal(err)
		}
		into = t.TempDir()
		bob.state = filepath.Join(t.TempDir(), "state")
	}
	for kill := range kills {
		get := bob.Get(share.Link, into, "--listen", "[::]:7000")
		after := time.Duration(dice.Int64N(int64(4 * time.Second)))
		// How far it says it is counts from when it has said it.
		var said progress
		timer := time.NewTimer(after)
		lines := make(chan progress)
		go func() {
			defer close(lines)
			for p := (progress{}); get.TryEvent("progress", &p); {
				lines <- p
			}
		}()
	watching:
		for {
			select {
			case p, ok := <-lines:
				if !ok {
					break watching
				}
				said = p
			case <-timer.C:
				get.Kill()
				for range lines {
				}
				break watching
			}
		}
		if status := get.Wait(); status == 0 {
			t.Logf("kill %d: complete before it came", kill)
			complete()
			continue
		} else if status != 128+9 {
			t.Fatalf("kill %d: status %d\n%s", kill, status, get.Stderr())
		}

		home.Unplug()
		alone := bob.Get(share.Link, into, "--listen", "[::]:7000")
		if !alone.TryEvent("progress", nil) {
			if status := alone.Wait(); status != 0 {
				t.Fatalf("kill %d: status %d alone\n%s", kill, status, alone.Stderr())
			}
			t.Logf("kill %d after %v: it had kept all of it", kill, after)
			home.Plug()
			complete()
			continue
		}
		promised := said.durable()
		var offered []bool
		var err error
		if promised > 0 {
			offered, err = offers(carol, alone, bob.At(7000), share.ID, l.pieces(), int(promised/l.PieceLength))
			if errors.Is(err, errExited) && alone.Wait() == 0 {
				t.Logf("kill %d after %v: it had kept all of it, and looked", kill, after)
				home.Plug()
				complete()
				continue
			}
			if err != nil {
				t.Errorf("kill %d after %v: %v of %d bytes said: %v", kill, after, promised, size, err)
			}
		} else {
			// It may not even know what there is to offer, and say nothing.
			offered, _ = askOffers(carol, bob.At(7000), share.ID, l.pieces(), 0)
		}
		n := trueClaims(t, l, offered, folder, filepath.Join(into, share.Name))
		t.Logf("kill %d after %v: %d bytes said, %d of %d pieces offered", kill, after, promised, n, l.pieces())
		alone.Kill()
		home.Plug()
		if t.Failed() {
			t.FailNow()
		}
	}
	home.Bandwidth(0, 0)
	got := arrived(t, bob.Get(share.Link, into))
	identical(t, folder, got.Path)
	unchanged(t, before, folder)

	came := bob.received() - began
	rounds++
	budget := rounds*size*11/10 + int64(kills)*int64(batch/time.Second)*rate
	t.Logf("%d bytes came for %d times %d bytes and %d kills", came, rounds, size, kills)
	if came > budget {
		t.Errorf("%d bytes came; %d times the content and a batch a kill are %d", came, rounds, budget)
	}
}
