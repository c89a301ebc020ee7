package policy

import (
	"context"
	"log/slog"
	"maps"
	"path/filepath"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/shoalnet/shoal/share"
)

// Transfers are the transfers that the guard watches and pauses.
type Transfers interface {
	Stats() share.Stats
	List() []share.Transfer
	Pause(share.ID) error
	Resume(share.ID) error
}

// Guard pauses downloads to a disk that is nearly full, and resumes them when there
// is space again. It remembers across restarts what it paused.
type Guard struct {
	engine Transfers
	kept   Kept
	log    *slog.Logger
	free   func(dir string) int64

	mu      sync.Mutex
	minFree int64
	held    map[share.ID]string // to the folder on the full disk
}

const (
	guardTime  = 5 * time.Second
	heldValues = "held"
)

// room is the free space at which downloads resume. It is more than the minimum, so
// that they do not stop and start all the time.
func room(minFree int64) int64 { return minFree + minFree/4 }

// NewGuard makes a Guard that keeps minFree bytes of each disk free.
func NewGuard(m Transfers, kept Kept, log *slog.Logger, minFree int64) *Guard {
	return &Guard{engine: m, kept: kept, log: log, free: FreeAt, minFree: minFree, held: map[share.ID]string{}}
}

// SetMinFree changes how much stays free.
func (g *Guard) SetMinFree(n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.minFree = n
}

// Forget gives up a transfer that the user paused or resumed.
func (g *Guard) Forget(id share.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.held[id]; ok {
		delete(g.held, id)
		g.save()
	}
}

// save stores what is held; mu is held. After a failure the user has to resume the
// transfers after a restart.
func (g *Guard) save() {
	if err := g.kept.Save(heldValues, g.held); err != nil {
		g.log.Warn("cannot remember what waits for room on the disk", "error", err)
	}
}

// Problems describes the waiting transfers for people.
func (g *Guard) Problems() []share.Text {
	g.mu.Lock()
	defer g.mu.Unlock()
	dirs := map[string]int{}
	for _, dir := range g.held {
		dirs[dir]++
	}
	var out []share.Text
	for dir, n := range dirs {
		out = append(out, share.Say("%v until the disk of %s has %s free", share.Count(n, "transfer waits", "transfers wait"), dir, humanize.IBytes(uint64(room(g.minFree)))))
	}
	return out
}

// Run checks the disks every few seconds until ctx ends.
func (g *Guard) Run(ctx context.Context) error {
	g.mu.Lock()
	if _, err := g.kept.Load(heldValues, &g.held); err != nil {
		g.log.Warn("cannot read what waited for room on the disk", "error", err)
	}
	g.mu.Unlock()
	tick := time.NewTicker(guardTime)
	defer tick.Stop()
	for {
		g.look()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look pauses and resumes transfers by the space that is free now.
func (g *Guard) look() {
	g.mu.Lock()
	defer g.mu.Unlock()
	states := g.engine.Stats().States
	if len(g.held) == 0 && (g.minFree == 0 || states[share.Fetching]+states[share.Finding] == 0) {
		return
	}
	before := maps.Clone(g.held)
	space := map[string]int64{} // by folder, so that each is read once
	free := func(dir string) int64 {
		n, ok := space[dir]
		if !ok {
			n = g.free(dir)
			space[dir] = n
		}
		return n
	}
	present := map[share.ID]bool{}
	for _, t := range g.engine.List() {
		present[t.ID] = true
		dir, held := g.held[t.ID]
		going := t.State == share.Fetching || t.State == share.Finding
		switch {
		case held && t.State == share.Paused && free(dir) >= room(g.minFree):
			if g.act(t, g.engine.Resume, "there is room on the disk again: a transfer goes on", free(dir)) {
				delete(g.held, t.ID)
			}
		case held && going, held && t.State == share.Seeding:
			delete(g.held, t.ID) // it was changed otherwise
		case !held && going && !t.Own:
			g.hold(t, free(filepath.Dir(t.Path)))
		}
	}
	maps.DeleteFunc(g.held, func(id share.ID, _ string) bool { return !present[id] })
	if !maps.Equal(before, g.held) {
		g.save()
	}
}

// hold pauses t if there is too little free space, or if that is not known; mu is held.
func (g *Guard) hold(t share.Transfer, free int64) {
	if free < 0 || free >= g.minFree {
		return
	}
	g.held[t.ID] = filepath.Dir(t.Path) // set before the event of the pause, so that it has the reason
	if !g.act(t, g.engine.Pause, "the disk is nearly full: a transfer waits", free) {
		delete(g.held, t.ID)
	}
}

// Explain makes a transfer that is held Waiting, and says for what.
func (g *Guard) Explain(t *share.Transfer) {
	if t.State != share.Paused {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.held[t.ID]; ok {
		t.State = share.Waiting
		why := share.Say("waits until the disk has %s free", humanize.IBytes(uint64(room(g.minFree))))
		t.Reason, t.ReasonText = why.String(), why.Of()
	}
}

// Count moves the transfers that are held from Paused to Waiting in a count by state.
func (g *Guard) Count(states map[share.State]int) {
	g.mu.Lock()
	n := len(g.held)
	g.mu.Unlock()
	n = min(n, states[share.Paused]) // one of them may just have been resumed
	states[share.Paused] -= n
	states[share.Waiting] += n
}

func (g *Guard) act(t share.Transfer, do func(share.ID) error, what string, free int64) bool {
	if err := do(t.ID); err != nil {
		g.log.Warn("cannot act on a transfer whose disk is nearly full", "id", t.ID, "error", err)
		return false
	}
	g.log.Warn(what, "id", t.ID, "name", t.Name, "free", free)
	return true
}

// FreeAt is how much may still be written to the disk of dir, which need not exist
// yet; -1 if that is not known.
func FreeAt(dir string) int64 {
	for {
		if n := freeBytes(dir); n >= 0 {
			return n
		}
		up := filepath.Dir(dir)
		if up == dir {
			return -1
		}
		dir = up
	}
}

// DiskOf names the disk that dir is on, or will be on; "" if that is not known.
func DiskOf(dir string) string {
	for {
		if name := diskName(dir); name != "" {
			return name
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}
