package policy

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a Kept that outlives a restart.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
}

func (m *memory) Load(name string, v any) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.values[name]
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(b, v)
}

func (m *memory) Save(name string, v any) (err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[name], err = json.Marshal(v)
	return err
}

func newMemory() *memory { return &memory{values: map[string][]byte{}} }

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
	s := newMemory()
	id, own := share.ID{1}, share.ID{2}
	c := &crew{transfers: []share.Transfer{
		{ID: id, State: share.Fetching, Path: "/disk/a"}, {ID: own, State: share.Fetching, Path: "/disk/own", Own: true},
	}}
	space := int64(1000)
	make1 := func() *Guard {
		g := NewGuard(c, s, quiet(), 500)
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
	if g.Explain(&p); p.State != share.Waiting || !strings.Contains(p.Reason, "625 B") {
		t.Errorf("it is %s, the reason is %q", p.State, p.Reason)
	}
	for paused, want := range map[int]int{0: 0, 1: 0, 3: 2} {
		states := map[share.State]int{share.Paused: paused}
		if g.Count(states); states[share.Paused] != want || states[share.Waiting] != paused-want {
			t.Errorf("of %d paused transfers, the count is %v", paused, states)
		}
	}
	if got := g.Problems(); len(got) != 1 || !strings.Contains(got[0].String(), "/disk") {
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
	g.Forget(id)
	step(100, "pause") // still nearly full
	g.Forget(id)       // the user paused it: it is his
	step(9999)
	if p := c.List()[0]; p.State != share.Paused {
		t.Errorf("what the user paused was resumed: %s", p.State)
	}
	g.SetMinFree(0)
	c.transfers[0].State = share.Fetching
	step(1)
}

func TestLimiter(t *testing.T) {
	s := newMemory()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.Local) // a Monday
	morning := func(at time.Time, others share.Limits) (share.Limits, string) {
		if at.Hour() < 10 {
			return share.Limits{Down: others.Down, Up: 1000}, "mon 08:00-10:00 up=1000"
		}
		return others, ""
	}
	nothing := Plan{DownSource: api.SourceDefault, UpSource: api.SourceDefault}
	flag := nothing
	flag.Limits.Up, flag.UpSource = 9, api.SourceFlag
	var applied share.Limits
	make1 := func(p Plan) *Limiter {
		l, err := NewLimiter(p, s, quiet(), func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		l.apply = func(v share.Limits) error { applied = v; return nil }
		return l
	}
	l := make1(Plan{DownSource: api.SourceDefault, UpSource: api.SourceDefault, Window: morning})
	if got := l.Limits(); got.Now != (share.Limits{Up: 1000}) || got.Source != api.SourceDefault || !strings.Contains(got.Reason, "mon 08:00") {
		t.Errorf("at nine: %+v", got)
	}
	if err := l.Change(share.Limits{Down: 5, Up: 6}.Change()); err != nil || applied != (share.Limits{Down: 5, Up: 1000}) {
		t.Errorf("%+v %v", applied, err)
	}
	now = now.Add(2 * time.Hour)
	l.Held(func() int64 { return 4 })
	l.mu.Lock()
	l.decide()
	l.mu.Unlock()
	if got := l.Limits(); got.Now != (share.Limits{Down: 5, Up: 4}) || got.Limits != (share.Limits{Down: 5, Up: 6}) || !strings.Contains(got.Reason, "line") {
		t.Errorf("at eleven: %+v", got)
	}
	// After a restart the saved ones hold, unless a flag says otherwise.
	if got := make1(nothing).Limits(); got.Limits != (share.Limits{Down: 5, Up: 6}) || got.Source != api.SourceSaved {
		t.Errorf("restarted: %+v", got)
	}
	// A limit saved for one direction survives a setting of the other.
	l = make1(flag)
	if got := l.Limits(); got.Limits != (share.Limits{Down: 5, Up: 9}) || got.Source != api.SourceFlag {
		t.Errorf("restarted with a flag: %+v", got)
	}
	if down, up := l.Chosen(); !down || up {
		t.Errorf("saved: down %v, up %v", down, up)
	}
	if err := l.Change(share.Limits{Down: 7, Up: 9}.Change()); err != nil || l.Limits().Limits != (share.Limits{Down: 7, Up: 9}) {
		t.Errorf("set while running: %+v %v", l.Limits(), err)
	}
	// The flag's limit was not changed and so is not kept for later.
	l = make1(nothing)
	if got := l.Limits(); got.Limits != (share.Limits{Down: 7, Up: 6}) || got.Source != api.SourceSaved {
		t.Errorf("without the flag again: %+v", got)
	}
	l.Reread()
	if err := l.Change(share.Limits{Up: 6}.Change()); err != nil || l.Limits().Limits != (share.Limits{Up: 6}) {
		t.Errorf("no limit is a limit that was set: %+v %v", l.Limits(), err)
	}
	if got := make1(flag).Limits(); got.Limits != (share.Limits{Up: 9}) {
		t.Errorf("and stays: %+v", got)
	}
}

// A limit saved for one direction survives a setting of the other, also one at
// the same moment.
func TestLimitsOfTheTwoDirectionsChangeApart(t *testing.T) {
	l, err := NewLimiter(Plan{}, newMemory(), quiet(), time.Now)
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
				if err := l.Change(c); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := l.Limits(); got.Limits != want || applied != want {
			t.Fatalf("set %+v, in force %+v, want %+v", got.Limits, applied, want)
		}
	}
}
