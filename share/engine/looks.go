package engine

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// What is said of a complete transfer is what the last look at its files showed.
// A look reads nothing: it asks the file system for sizes and times.

const (
	// Who asks for one transfer waits so long for a look at it, at most.
	lookPatience = 2 * time.Second
	// A look that is younger serves for the next who asks.
	freshLook = time.Second
	// A file system that has not answered for so long is said to be silent.
	silentAfter = 10 * time.Second
	// How many transfers of one file system wait for its answer at once. One that
	// never comes holds a thread of this process each.
	askersPerMount = 8
)

// mounts bounds how much is asked of each file system at once.
type mounts struct {
	mu     sync.Mutex
	list   []string // where file systems are mounted
	read   time.Time
	places map[string]chan struct{}
}

// enter waits for a place among those that ask the file system that path is on.
// leave gives it back.
func (m *mounts) enter(ctx context.Context, path string) (leave func(), err error) {
	c := m.at(path)
	select {
	case c <- struct{}{}:
		return func() { <-c }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// busy tells that whoever enters would have to wait.
func (m *mounts) busy(path string) bool {
	c := m.at(path)
	return len(c) == cap(c)
}

func (m *mounts) at(path string) chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); m.places == nil || now.Sub(m.read) > time.Minute {
		if m.places == nil {
			m.places = make(map[string]chan struct{})
		}
		m.list, m.read = mountPoints(), now
	}
	at := filepath.VolumeName(path)
	for _, p := range m.list {
		if len(p) > len(at) && (path == p || strings.HasPrefix(path, strings.TrimSuffix(p, "/")+"/")) {
			at = p
		}
	}
	c := m.places[at]
	if c == nil {
		c = make(chan struct{}, askersPerMount)
		m.places[at] = c
	}
	return c
}

// mountPoints lists where file systems are mounted, on systems that tell without
// asking the file systems themselves.
func mountPoints() []string {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var list []string
	octal := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 4 {
			list = append(list, octal.Replace(f[4]))
		}
	}
	return list
}

// glanceAtSome looks at the files of some of the complete transfers: after a start
// at all, and then in rounds.
func (e *Engine) glanceAtSome() {
	if now := e.now(); e.rounds.due(now) {
		var all []*transfer
		for _, t := range e.transfers.byID {
			if t.done && t.removing == nil {
				all = append(all, t)
			}
		}
		e.rounds.begin(now, all)
	}
	var later []*transfer
	for _, t := range e.rounds.next() {
		switch {
		case !e.transfers.has(t) || !t.done && t.options.Damage == "":
		case e.mounts.busy(t.path):
			later = append(later, t)
		default:
			e.lookAt(t)
		}
	}
	e.rounds.later(later)
}

// lookAt begins a look at the files of t. One that is at rest is opened for it,
// which compares its files with what is recorded, and goes to rest again.
func (e *Engine) lookAt(t *transfer) {
	switch {
	case t.looking || t.job != nil || t.failure != nil || t.removing != nil || !t.known():
	case t.level() == atRest:
		t.glancing = true
		e.reconcile(t)
	default:
		o, path := t.opened(), t.path
		t.looking, t.lookBegan = true, e.now()
		e.awake[t] = struct{}{}
		e.box.run(func(ctx context.Context) func() {
			leave, err := e.mounts.enter(ctx, path)
			if err == nil {
				err = o.files.Look(ctx)
				leave()
			}
			return func() {
				t.looking, t.silent = false, false
				if t.opened() == o {
					o.fault = o.files.Fault()
					if err == nil {
						e.looked(t)
					}
					e.lookAtProgress(t)
					e.reconcile(t)
				}
				e.tellLooked(t)
			}
		})
	}
}

// looked is called when every file of t was just compared with what it was.
func (e *Engine) looked(t *transfer) {
	t.looked = e.now().Round(0)
	e.noteDamage(t)
	if t.restoring {
		e.restore(t)
	}
}

// noteDamage keeps across restarts what a look, or hashing, has found, until it is
// no longer so.
func (e *Engine) noteDamage(t *transfer) {
	o := t.opened()
	if o == nil || o.unknown || o.doubt {
		return
	}
	damage := ""
	if o.fault != nil {
		damage = o.fault.Error()
	}
	if (t.done || t.options.Damage != "") && damage != t.options.Damage {
		t.options.Damage, t.options.Durable = damage, t.haveBytes()
		e.save(t)
	}
}

// lookAfterJob looks at t for those that asked for it while a job was under way.
func (e *Engine) lookAfterJob(t *transfer) {
	if len(t.lookers) == 0 || t.job != nil || t.looking || t.glancing {
		return
	}
	if e.lookAt(t); t.job == nil && !t.looking {
		e.tellLooked(t)
	}
}

// tellLooked lets go on who waits for a look at t.
func (e *Engine) tellLooked(t *transfer) {
	for _, w := range t.lookers {
		close(w)
	}
	t.lookers = nil
}

// awaitLook looks at the files of a complete transfer, and waits for what that
// shows, unless the last look is younger than fresh. A file system that does not
// answer is not waited for.
func (e *Engine) awaitLook(ctx context.Context, id share.ID, fresh time.Duration) {
	var done chan struct{}
	err := e.on(id, func(t *transfer) error {
		if !t.done && t.options.Damage == "" || t.silent || !t.known() || t.failure != nil ||
			!t.looked.IsZero() && e.now().Sub(t.looked) < fresh && !e.now().Before(t.looked) {
			return nil
		}
		if s := t.state(); s != share.Seeding && s != share.Paused && t.options.Damage == "" {
			return nil // it is not said to be complete
		}
		e.lookAt(t)
		if t.looking || t.glancing || t.job != nil { // after which it is looked at
			done = make(chan struct{})
			t.lookers = append(t.lookers, done)
		}
		return nil
	})
	if err != nil || done == nil {
		return
	}
	late := time.NewTimer(lookPatience)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
	case <-ctx.Done():
	case <-e.box.closed:
	}
}

// awaitLooks looks at complete transfers whose files nobody has looked at since
// the start, and waits for a moment. With very many of them the rest is left to
// the round that is under way.
func (e *Engine) awaitLooks() {
	var waits []chan struct{}
	e.box.call(func() {
		for _, t := range e.transfers.byID {
			if len(waits) == glancesASecond {
				break
			}
			if t.done && t.looked.IsZero() && t.known() && !t.silent && t.failure == nil && !e.mounts.busy(t.path) {
				e.lookAt(t)
				if t.looking || t.glancing {
					w := make(chan struct{})
					t.lookers, waits = append(t.lookers, w), append(waits, w)
				}
			}
		}
	})
	late := time.NewTimer(lookPatience / 2)
	defer late.Stop()
	for _, w := range waits {
		select {
		case <-w:
		case <-late.C:
			return
		case <-e.box.closed:
			return
		}
	}
}

// lookAgain is what a second request for the transfer id leads to: what is called
// complete is looked at before it is called so once more.
func (e *Engine) lookAgain(ctx context.Context, id share.ID) (s share.Transfer, err error) {
	e.awaitLook(ctx, id, 0)
	err = e.on(id, func(t *transfer) error {
		e.restore(t)
		s = e.snapshot(t)
		return nil
	})
	return s, err
}

// restore has what is missing of t, which the user has asked for again, or was
// changed, fetched again: what the user changed stays, and the right file arrives
// beside it. It is called after a look; where that is not over yet, since the
// machine is busy, it is done then.
func (e *Engine) restore(t *transfer) {
	o := t.opened()
	if t.own() || t.removing != nil || t.options.Verify {
		return
	}
	t.restoring = (o == nil || t.looking || t.glancing) && (t.done || t.options.Damage != "")
	// Its files may be closed again after the look that found something.
	lost := o == nil && !t.done && t.options.Lost
	if t.restoring || !lost && (o == nil || !o.files.Amiss()) {
		return
	}
	e.note(t, "what is missing, or was changed, is fetched again")
	t.options.Verify, t.options.Mend, t.failure = true, true, nil
	if t.options.Reason != "" { // it was not the user who paused it
		t.options.Paused, t.options.Reason = false, ""
	}
	e.save(t)
	e.reconcile(t)
}

// noticeSilence says so of a transfer whose file system has not answered.
func (e *Engine) noticeSilence(t *transfer, now time.Time) {
	waits := t.looking || t.job != nil && t.job.what == jobOpen
	if silent := waits && now.Sub(t.lookBegan) > silentAfter; silent && !t.silent {
		t.silent = true
		e.log.Warn("a file system does not answer", "id", t.id.Short(), "path", t.path)
		e.tellLooked(t)
		e.release(t)
		e.changed(t)
	}
}

// hashThese hashes pieces on all cores; counted is told of each.
func hashThese(ctx context.Context, info *metainfo.Info, files *storage.Transfer, pieces []int, counted func(n int64)) error {
	var next atomic.Int64
	var workers errgroup.Group
	for range min(runtime.NumCPU(), len(pieces)) {
		workers.Go(func() error {
			for {
				k := int(next.Add(1) - 1)
				if k >= len(pieces) {
					return nil
				}
				if _, err := files.HashPiece(ctx, pieces[k]); err != nil {
					return err
				}
				counted(info.PieceSize(pieces[k]))
			}
		})
	}
	return workers.Wait()
}

// proveAll hashes, while t is in the library and serves, what is in doubt.
func (e *Engine) proveAll(t *transfer) {
	o, info := t.live(), t.info
	if o == nil || o.proving {
		return
	}
	o.proving = true
	files := o.files
	t.hashed.Store(0)
	t.toHash.Store(0)
	e.box.run(func(ctx context.Context) func() {
		pieces := files.Doubtful()
		for _, p := range pieces {
			t.toHash.Add(info.PieceSize(p))
		}
		err := hashThese(ctx, info, files, pieces, func(n int64) { t.hashed.Add(n) })
		if err == nil {
			err = files.Flush(ctx)
		}
		if err != nil {
			e.log.Debug("hashing what may have changed", "id", t.id.Short(), "error", err)
		}
		return func() {
			o.proving, o.nextCheck = false, e.now().Add(checkAgain)
			if t.opened() == o.openedPhase {
				o.fault = files.Fault()
				e.lookAtProgress(t)
				e.reconcile(t)
			}
		}
	})
}
