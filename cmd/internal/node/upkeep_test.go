package node

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func testState(t *testing.T) *state {
	t.Helper()
	s, err := openState(stateDir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// crew is an engine that only keeps lists.
type crew struct {
	mu        sync.Mutex
	transfers []share.Transfer
	done      []string
}

func (c *crew) List() []share.Transfer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.transfers)
}

func (c *crew) Stats() share.Stats {
	s := share.Stats{States: map[share.State]int{}}
	for _, t := range c.List() {
		s.States[t.State]++
	}
	return s
}

func (c *crew) set(id share.ID, state share.State, what string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.transfers {
		if c.transfers[i].ID == id {
			c.transfers[i].State = state
			c.done = append(c.done, what)
			return nil
		}
	}
	return share.Errorf(share.Failed, "%w", share.ErrUnknown)
}

func (c *crew) Pause(id share.ID) error  { return c.set(id, share.Paused, "pause") }
func (c *crew) Resume(id share.ID) error { return c.set(id, share.Fetching, "resume") }

func TestGuardPausesAndResumes(t *testing.T) {
	s := testState(t)
	id, own := share.ID{1}, share.ID{2}
	c := &crew{transfers: []share.Transfer{
		{ID: id, State: share.Fetching, Path: "/disk/a"}, {ID: own, State: share.Fetching, Path: "/disk/own", Own: true},
	}}
	space := int64(1000)
	make1 := func() *guard {
		g := newGuard(c, s, quiet(), 500)
		g.free = func(dir string) int64 {
			if dir != "/disk" {
				t.Errorf("asked for the space of %s", dir)
			}
			return space
		}
		if _, err := s.Load(heldValues, &g.held); err != nil {
			t.Fatal(err)
		}
		return g
	}
	g := make1()
	step := func(free int64, want ...string) {
		t.Helper()
		space = free
		g.look()
		if !slices.Equal(c.done, want) {
			t.Errorf("with %d free: %v, not %v", free, c.done, want)
		}
		c.done = nil
	}
	step(1000)
	step(-1)
	step(499, "pause")
	p := c.List()[0]
	if g.explain(&p); !strings.Contains(p.Reason, "625 B") {
		t.Errorf("the reason is %q", p.Reason)
	}
	if got := g.problems(); len(got) != 1 || !strings.Contains(got[0], "/disk") {
		t.Errorf("problems: %v", got)
	}
	g = make1() // restarted
	step(510)   // not enough to go on
	step(625, "resume")
	step(100, "pause")
	if err := c.Resume(id); err != nil {
		t.Fatal(err)
	}
	c.done = nil
	g.forget(id)
	step(100, "pause") // still nearly full
	g.forget(id)       // the user paused it: it is his
	step(9999)
	if p := c.List()[0]; p.State != share.Paused {
		t.Errorf("what the user paused was resumed: %s", p.State)
	}
	g.setMinFree(0)
	c.transfers[0].State = share.Fetching
	step(1)
}

func TestLimiter(t *testing.T) {
	s := testState(t)
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.Local) // a Monday
	configured := func(flags map[string][]string) *config.Config { return options(t, stateDir(t), flags).Config }
	var applied share.Limits
	make1 := func(c *config.Config) *limiter {
		l, err := newLimiter(c, s, quiet(), func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		l.apply = func(v share.Limits) error { applied = v; return nil }
		return l
	}
	l := make1(configured(map[string][]string{"schedule": {"mon 08:00-10:00 up=1000"}, "adaptive-upload": {"true"}}))
	if got := l.limits(); got.Now != (share.Limits{Up: 1000}) || got.Source != api.SourceDefault || !strings.Contains(got.Reason, "mon 08:00") {
		t.Errorf("at nine: %+v", got)
	}
	if err := l.change(share.Limits{Down: 5, Up: 6}.Change()); err != nil || applied != (share.Limits{Down: 5, Up: 1000}) {
		t.Errorf("%+v %v", applied, err)
	}
	now = now.Add(2 * time.Hour)
	l.bears(4)
	l.mu.Lock()
	l.decide()
	l.mu.Unlock()
	if got := l.limits(); got.Now != (share.Limits{Down: 5, Up: 4}) || got.Limits != (share.Limits{Down: 5, Up: 6}) || !strings.Contains(got.Reason, "line") {
		t.Errorf("at eleven: %+v", got)
	}
	// After a restart the saved ones hold, unless a flag says otherwise.
	if got := make1(configured(nil)).limits(); got.Limits != (share.Limits{Down: 5, Up: 6}) || got.Source != api.SourceSaved {
		t.Errorf("restarted: %+v", got)
	}
	// A limit saved for one direction survives a setting of the other.
	l = make1(configured(map[string][]string{"up": {"9"}}))
	if got := l.limits(); got.Limits != (share.Limits{Down: 5, Up: 9}) || got.Source != api.SourceFlag {
		t.Errorf("restarted with a flag: %+v", got)
	}
	if down, up := l.kept(); !down || up {
		t.Errorf("saved: down %v, up %v", down, up)
	}
	if err := l.change(share.Limits{Down: 7, Up: 9}.Change()); err != nil || l.limits().Limits != (share.Limits{Down: 7, Up: 9}) {
		t.Errorf("set while running: %+v %v", l.limits(), err)
	}
	// The flag's limit was not changed and so is not kept for later.
	l = make1(configured(nil))
	if got := l.limits(); got.Limits != (share.Limits{Down: 7, Up: 6}) || got.Source != api.SourceSaved {
		t.Errorf("without the flag again: %+v", got)
	}
	l.reload()
	if err := l.change(share.Limits{Up: 6}.Change()); err != nil || l.limits().Limits != (share.Limits{Up: 6}) {
		t.Errorf("no limit is a limit that was set: %+v %v", l.limits(), err)
	}
	if got := make1(configured(map[string][]string{"up": {"9"}})).limits(); got.Limits != (share.Limits{Up: 9}) {
		t.Errorf("and stays: %+v", got)
	}
}

// A limit saved for one direction survives a setting of the other, also one at
// the same moment.
func TestLimitsOfTheTwoDirectionsChangeApart(t *testing.T) {
	l, err := newLimiter(&config.Config{}, testState(t), quiet(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	var applied share.Limits // guarded by l.applying
	l.apply = func(v share.Limits) error { applied = v; return nil }
	for i := range int64(20) {
		want := share.Limits{Down: 100 + i, Up: 200 + i}
		var wg sync.WaitGroup
		for _, c := range []share.LimitChange{{Down: &want.Down}, {Up: &want.Up}} {
			wg.Go(func() {
				if err := l.change(c); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := l.limits(); got.Limits != want || applied != want {
			t.Fatalf("set %+v, in force %+v, want %+v", got.Limits, applied, want)
		}
	}
}
