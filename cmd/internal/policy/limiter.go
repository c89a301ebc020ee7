package policy

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// Kept is where what is decided while running survives a restart.
type Kept interface {
	Load(name string, v any) (ok bool, err error)
	Save(name string, v any) error
}

// Plan is what is configured about the limits of the node.
type Plan struct {
	Limits               share.Limits
	DownSource, UpSource string // words of api.Source
	// Window gives the limits that a schedule has for now, where others hold at
	// other times, and what the schedule says; empty is nothing. It may be nil.
	Window   func(now time.Time, others share.Limits) (l share.Limits, says string)
	Adaptive bool
}

// Limiter decides which limits of the node are in force: those of the schedule,
// else the ones set; and for uploading, less while the connection queues.
type Limiter struct {
	log   *slog.Logger
	kept  Kept
	now   func() time.Time
	apply func(share.Limits) error
	wake  chan struct{}

	// applying is held from reading what is in force until the engine has it, so
	// that an older value never arrives last. It is taken before mu.
	applying sync.Mutex

	mu     sync.Mutex
	plan   Plan
	saved  share.LimitChange // set while running and kept; former releases kept share.Limits
	set    share.LimitChange // set while running, until the configuration is read again
	line   int64             // what the line bears, 0 when that is not a matter
	force  share.Limits
	reason string
}

const savedLimits = "limits"

// NewLimiter reads what was kept.
func NewLimiter(p Plan, kept Kept, log *slog.Logger, now func() time.Time) (*Limiter, error) {
	l := &Limiter{log: log, kept: kept, now: now, plan: p, wake: make(chan struct{}, 1)}
	if _, err := kept.Load(savedLimits, &l.saved); err != nil {
		return nil, err
	}
	l.decide()
	return l, nil
}

// Apply is called with the limits when they change. It is set before Run.
func (l *Limiter) Apply(f func(share.Limits) error) { l.apply = f }

// base are the limits set, and where each comes from; mu is held.
func (l *Limiter) base() (v share.Limits, down, up string) {
	v.Down, down = oneLimit(l.set.Down, l.saved.Down, l.plan.Limits.Down, l.plan.DownSource)
	v.Up, up = oneLimit(l.set.Up, l.saved.Up, l.plan.Limits.Up, l.plan.UpSource)
	return v, down, up
}

// oneLimit decides for one direction: what is said of the other does not count.
func oneLimit(set, saved *int64, configured int64, source string) (int64, string) {
	switch {
	case set != nil:
		return *set, api.SourceSaved
	case saved != nil && (source == api.SourceDefault || source == ""):
		return *saved, api.SourceSaved
	}
	return configured, source
}

// strongest is the first of the two in the order of precedence.
func strongest(a, b string) string {
	for _, s := range [...]string{api.SourceFlag, api.SourceEnv, api.SourceFile, api.SourceSaved} {
		if a == s || b == s {
			return s
		}
	}
	return api.SourceDefault
}

// decide works out what is in force now; mu is held, or nobody else knows l.
func (l *Limiter) decide() {
	now, reason := l.scheduled()
	if l.plan.Adaptive && l.line > 0 && (now.Up == 0 || l.line < now.Up) {
		now.Up = l.line
		if reason != "" {
			reason += "; "
		}
		reason += "sending is held to what the line bears"
	}
	l.force, l.reason = now, reason
}

// scheduled are the limits before the line is looked at; mu is held.
func (l *Limiter) scheduled() (share.Limits, string) {
	set, _, _ := l.base()
	if l.plan.Window != nil {
		if now, says := l.plan.Window(l.now(), set); says != "" {
			return now, "schedule: " + says
		}
	}
	return set, ""
}

// Limits tells what is set and what is in force.
func (l *Limiter) Limits() api.Limits {
	l.mu.Lock()
	defer l.mu.Unlock()
	set, down, up := l.base()
	return api.Limits{Limits: set, Now: l.force, Reason: l.reason, Source: strongest(down, up)}
}

// Chosen tells of each direction whether its limit was set while running.
func (l *Limiter) Chosen() (down, up bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, fromDown, fromUp := l.base()
	return fromDown == api.SourceSaved, fromUp == api.SourceSaved
}

// InForce are the limits now.
func (l *Limiter) InForce() share.Limits {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.force
}

// Change changes limits. Those that differ from the ones set before are kept
// over restarts; where a flag, a variable or the file says otherwise, those win
// after the next start.
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

// Reread forgets what was set while running: the configuration was read again.
func (l *Limiter) Reread() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set = share.LimitChange{}
}

// Follow takes another configuration.
func (l *Limiter) Follow(p Plan) {
	l.mu.Lock()
	l.plan = p
	l.mu.Unlock()
	signal(l.wake)
}

// bears tells what the line bears without queueing, 0 for no limit.
func (l *Limiter) bears(line int64) {
	l.mu.Lock()
	l.line = line
	l.mu.Unlock()
	signal(l.wake)
}

// Run keeps what is in force in force until ctx ends.
func (l *Limiter) Run(ctx context.Context) error {
	const look = 15 * time.Second // a schedule is exact to the minute
	tick := time.NewTicker(look)
	defer tick.Stop()
	l.mu.Lock()
	last, lastReason := l.force, l.reason
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
		now, reason := l.force, l.reason
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
