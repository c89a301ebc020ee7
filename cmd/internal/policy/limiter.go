package policy

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// Kept stores limits that were set while running, across restarts.
type Kept interface {
	Load(name string, v any) (ok bool, err error)
	Save(name string, v any) error
}

// Plan is the configuration of the node's limits.
type Plan struct {
	Limits               share.Limits
	DownSource, UpSource string // words of api.Source
	// Window returns the limits that a schedule sets at a time, given those of
	// other times, and the text of the schedule; empty if it sets none. It may be
	// nil.
	Window func(now time.Time, others share.Limits) (l share.Limits, says string)
}

// Limiter decides which limits of the node are in force: those of the schedule, or
// else those that were set.
type Limiter struct {
	log   *slog.Logger
	kept  Kept
	now   func() time.Time
	apply func(share.Limits) error
	held  func() int64
	wake  chan struct{}

	// applying is held from reading the limits in force until the engine has them,
	// so that an older value never arrives last. It is taken before mu.
	applying sync.Mutex

	mu     sync.Mutex
	plan   Plan
	saved  share.LimitChange // set while running, stored; former releases stored share.Limits
	set    share.LimitChange // set while running, until the configuration is read again
	force  share.Limits
	reason share.Text
}

const savedLimits = "limits"

// NewLimiter reads the stored limits.
func NewLimiter(p Plan, kept Kept, log *slog.Logger, now func() time.Time) (*Limiter, error) {
	l := &Limiter{log: log, kept: kept, now: now, plan: p, wake: make(chan struct{}, 1), held: func() int64 { return 0 }}
	if _, err := kept.Load(savedLimits, &l.saved); err != nil {
		return nil, err
	}
	l.decide()
	return l, nil
}

// Apply is called with the limits when they change. Set it before Run.
func (l *Limiter) Apply(f func(share.Limits) error) { l.apply = f }

// Held tells the rate that the engine holds uploads to for the sake of the line; 0 is
// none. It is shown, not applied. Set it before Run.
func (l *Limiter) Held(f func() int64) { l.held = f }

// base are the limits that were set, and the source of each; mu is held.
func (l *Limiter) base() (v share.Limits, down, up string) {
	v.Down, down = oneLimit(l.set.Down, l.saved.Down, l.plan.Limits.Down, l.plan.DownSource)
	v.Up, up = oneLimit(l.set.Up, l.saved.Up, l.plan.Limits.Up, l.plan.UpSource)
	return v, down, up
}

// oneLimit decides one direction; the other does not matter.
func oneLimit(set, saved *int64, configured int64, source string) (int64, string) {
	switch {
	case set != nil:
		return *set, api.SourceSaved
	case saved != nil && (source == api.SourceDefault || source == ""):
		return *saved, api.SourceSaved
	}
	return configured, source
}

// strongest returns the source with the higher precedence.
func strongest(a, b string) string {
	for _, s := range [...]string{api.SourceFlag, api.SourceEnv, api.SourceFile, api.SourceSaved} {
		if a == s || b == s {
			return s
		}
	}
	return api.SourceDefault
}

// decide computes the limits in force now; mu is held, or l is not in use yet.
func (l *Limiter) decide() {
	l.force, _, _ = l.base()
	l.reason = share.Text{}
	if l.plan.Window != nil {
		if now, says := l.plan.Window(l.now(), l.force); says != "" {
			l.force, l.reason = now, share.Say("schedule: %s", says)
		}
	}
}

// Limits returns the limits that are set and those that hold, that of the line
// included.
func (l *Limiter) Limits() api.Limits {
	l.mu.Lock()
	defer l.mu.Unlock()
	set, down, up := l.base()
	now, reason := l.force, l.reason
	if held := l.held(); held > 0 && (now.Up == 0 || held < now.Up) {
		now.Up = held
		line := share.Say("uploads are limited to what the line can carry")
		if reason.Pattern != "" {
			line = share.Say("%v; %v", reason, line)
		}
		reason = line
	}
	return api.Limits{Limits: set, Now: now, Reason: reason.String(), ReasonText: reason.Of(), Source: strongest(down, up)}
}

// Chosen reports for each direction whether its limit was set while running.
func (l *Limiter) Chosen() (down, up bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, fromDown, fromUp := l.base()
	return fromDown == api.SourceSaved, fromUp == api.SourceSaved
}

// InForce are the limits in force now.
func (l *Limiter) InForce() share.Limits {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.force
}

// Change changes limits. Those that differ from the ones set before are stored
// across restarts. After the next start, a flag, a variable or the file overrides
// them.
func (l *Limiter) Change(c share.LimitChange) error {
	l.mu.Lock()
	was, _, _ := l.base()
	v := c.Apply(was)
	saved, set := l.saved, l.set
	if v.Down != was.Down {
		saved.Down, set.Down = &v.Down, &v.Down
	}
	if v.Up != was.Up {
		saved.Up, set.Up = &v.Up, &v.Up
	}
	err := l.kept.Save(savedLimits, saved)
	if err == nil {
		l.saved, l.set = saved, set
		l.decide()
	}
	l.mu.Unlock()
	if err != nil {
		return err
	}
	l.applying.Lock()
	defer l.applying.Unlock()
	return l.apply(l.InForce())
}

// Reread drops the limits that were set while running: the configuration was read again.
func (l *Limiter) Reread() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set = share.LimitChange{}
}

// Follow sets another configuration.
func (l *Limiter) Follow(p Plan) {
	l.mu.Lock()
	l.plan = p
	l.mu.Unlock()
	signal(l.wake)
}

// Run applies the limits in force until ctx ends.
func (l *Limiter) Run(ctx context.Context) error {
	const look = 15 * time.Second // a schedule is exact to the minute
	tick := time.NewTicker(look)
	defer tick.Stop()
	l.mu.Lock()
	last, lastReason := l.force, l.reason.String()
	l.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-l.wake:
		}
		l.mu.Lock()
		l.decide()
		l.mu.Unlock()
		l.applying.Lock()
		l.mu.Lock()
		now, reason := l.force, l.reason.String()
		l.mu.Unlock()
		var err error
		if now != last {
			err = l.apply(now)
		}
		l.applying.Unlock()
		if now == last {
			continue
		}
		if err != nil {
			if ctx.Err() == nil {
				l.log.Error("cannot change the limits", "error", err)
			}
			continue
		}
		if reason != lastReason {
			l.log.Info("other limits are in force", "down", now.Down, "up", now.Up, "because", reason)
		}
		last, lastReason = now, reason
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
