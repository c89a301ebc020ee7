package node

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// In whatever order people send requests, and however the node ends in between: what ended
// stays ended, what one owner ended continues for another, every request is answered, and
// the files of the user stay as they are.
//
// A failure names its seed; SHOAL_TEST_SEED repeats that run.
func TestWhatIsOverIsOver(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SHOAL_TEST_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	u := newUsage(t, seed)
	steps := 200
	if testing.Short() {
		steps = 40
	}
	for range steps {
		u.step()
		u.settle()
		if t.Failed() {
			t.Fatalf("SHOAL_TEST_SEED=%d; the last steps were %s", seed, strings.Join(u.done[max(0, len(u.done)-20):], ", "))
		}
	}
	closed(t, u.s)
}

// wanted is what must be true of one content.
type wanted struct {
	path   string // of a share, or of what is fetched
	id     share.ID
	tor    []byte // of a fetch, whose data is there already and is the user's
	user   bool
	leases map[int]bool
	paused bool
	either bool // kill -9 may have taken the pauses and resumptions of the last second
}

func (w *wanted) listed() bool { return w.user || len(w.leases) > 0 }

// usage is a node, and what its users expect.
type usage struct {
	t      *testing.T
	r      *rand.Rand
	dir    string
	s      *Session
	all    []*wanted
	leases map[int]heldLease
	next   int
	files  map[string]map[string]string // of the user, by folder
	done   []string
}

type heldLease struct {
	name string
	end  func()
}

func newUsage(t *testing.T, seed uint64) *usage {
	u := &usage{t: t, r: rand.New(rand.NewPCG(seed, 1)), dir: stateDir(t), leases: map[int]heldLease{}, files: map[string]map[string]string{}}
	u.s = open(t, options(t, u.dir, nil))
	other := open(t, options(t, stateDir(t), nil))
	for i := range 5 {
		path, _ := content(t)
		w := &wanted{path: path, leases: map[int]bool{}}
		if i >= 3 {
			x := shared(t, other.Client, path)
			tor, err := other.Client.Torrent(testContext(t), x.ID)
			must(t, err)
			w.id, w.tor = x.ID, tor
		}
		u.all, u.files[path] = append(u.all, w), bytesOf(t, path)
	}
	closed(t, other)
	return u
}

func (u *usage) step() {
	u.t.Helper()
	ctx, c := testContext(u.t), u.s.Client
	i := u.r.IntN(len(u.all))
	w := u.all[i]
	did := func(format string, args ...any) { u.done = append(u.done, fmt.Sprintf(format, args...)) }
	switch what := u.r.IntN(20); {
	case what < 5 && w.tor != nil:
		did("get %d", i)
		_, err := c.Fetch(ctx, api.FetchRequest{Torrent: w.tor, Output: filepath.Dir(w.path)})
		must(u.t, err)
		w.user = true
	case what < 3:
		did("share %d", i)
		_, err := c.Share(ctx, api.ShareRequest{Path: w.path})
		must(u.t, err)
		w.user = true
	case what < 6 && w.tor == nil:
		if len(u.leases) < 3 {
			name, end, err := c.Lease(ctx)
			must(u.t, err)
			u.next++
			u.leases[u.next] = heldLease{name, end}
		}
		l := u.anyLease()
		did("share %d by command %d", i, l)
		_, err := c.Share(ctx, api.ShareRequest{Path: w.path, Lease: u.leases[l].name})
		must(u.t, err)
		w.leases[l] = true
	case what < 9 && len(u.leases) > 0:
		l := u.anyLease()
		did("command %d ends", l)
		u.leases[l].end()
		delete(u.leases, l)
		for _, w := range u.all {
			delete(w.leases, l)
			u.over(w)
		}
	case what < 18 && !w.listed():
		did("nothing on %d", i)
		if w.id != (share.ID{}) {
			if _, err := c.Transfer(ctx, w.id); err == nil {
				u.t.Errorf("%d is over and is there", i)
			}
		}
	case what < 11:
		did("pause %d", i)
		must(u.t, c.Pause(ctx, w.id))
		w.paused = true
	case what < 13:
		did("resume %d", i)
		must(u.t, c.Resume(ctx, w.id))
		w.paused = false
	case what < 15:
		did("verify %d", i)
		must(u.t, c.Verify(ctx, w.id))
	case what < 18:
		did("remove %d", i)
		_, err := c.Remove(ctx, w.id, u.r.IntN(2) == 0)
		must(u.t, err)
		w.user, w.leases = false, map[int]bool{}
		u.over(w)
	case what < 19:
		did("restart")
		u.restart(u.dir)
	default:
		did("kill -9")
		at := stateDir(u.t)
		must(u.t, copyAlive(u.dir, at))
		u.restart(at)
		u.dir = at
		for _, w := range u.all {
			w.either = w.listed()
		}
	}
}

func (u *usage) anyLease() int {
	var all []int
	for l := range u.leases {
		all = append(all, l)
	}
	slices.Sort(all)
	return all[u.r.IntN(len(all))]
}

// over records what ends with the last owner.
func (u *usage) over(w *wanted) {
	if !w.listed() {
		w.paused, w.either = false, false
	}
}

// restart ends the node, and with it every command that uses it.
func (u *usage) restart(dir string) {
	u.t.Helper()
	for _, l := range u.leases {
		l.end()
	}
	closed(u.t, u.s)
	u.leases = map[int]heldLease{}
	for _, w := range u.all {
		w.leases = map[int]bool{}
		u.over(w)
	}
	u.s = open(u.t, options(u.t, dir, nil))
}

// copyAlive copies a state directory that is in use. A file that disappears meanwhile was
// being written. It copies a database before its journal, so that a transaction that is
// committed meanwhile is complete in the journal or missing.
func copyAlive(from, to string) error {
	return filepath.WalkDir(from, func(name string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		at := filepath.Join(to, strings.TrimPrefix(name, from))
		switch {
		case e.IsDir():
			return os.MkdirAll(at, 0o700)
		case !e.Type().IsRegular():
			return nil
		}
		if err := copyFile(name, at); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// settle waits until the node shows what must be true, and compares the files.
func (u *usage) settle() {
	u.t.Helper()
	late := time.After(30 * time.Second)
	for {
		wrong := u.compare()
		if wrong == "" {
			break
		}
		select {
		case <-late:
			u.t.Error(wrong)
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
	for path, before := range u.files {
		unchanged(u.t, path, before)
	}
}

func (u *usage) compare() string {
	u.t.Helper()
	list, err := u.s.Client.Transfers(testContext(u.t))
	must(u.t, err)
	is := map[string]share.Transfer{}
	for _, x := range list {
		is[x.Path] = x
	}
	n := 0
	for i, w := range u.all {
		x, there := is[w.path]
		if there != w.listed() {
			return fmt.Sprintf("%d: listed: %v, wanted: %v", i, there, w.listed())
		}
		if !there {
			continue
		}
		n++
		if w.either && (x.State == share.Seeding || x.State == share.Paused) {
			w.paused, w.either = x.State == share.Paused, false
		}
		want := share.Seeding
		if w.paused {
			want = share.Paused
		}
		if x.State != want || x.Bytes != x.Total || x.Total != 370_001 {
			return fmt.Sprintf("%d: %s (%s) with %d of %d bytes, wanted: %s", i, x.State, x.Reason, x.Bytes, x.Total, want)
		}
		w.id = x.ID
	}
	if n != len(list) {
		return fmt.Sprintf("%d transfers are listed, wanted: %d", len(list), n)
	}
	return ""
}
