package node

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// limiter decides which limits of the node are in force: those of the first
// window of the schedule that covers the present, else the ones set; and for
// sending, less while the line queues.
type limiter struct {
	log   *slog.Logger
	state *state
	now   func() time.Time
	apply func(share.Limits) error
	wake  chan struct{}

	mu     sync.Mutex
	config *Config
	saved  *share.Limits // set while running and kept
	set    *share.Limits // set while running, until the configuration is read again
	line   int64         // what the line bears, 0 when that is not a matter
	force  share.Limits
	reason string
}

const savedLimits = "limits"

func newLimiter(c *Config, s *state, log *slog.Logger, now func() time.Time) (*limiter, error) {
	l := &limiter{log: log, state: s, now: now, config: c, wake: make(chan struct{}, 1)}
	var saved share.Limits
	ok, err := s.load(savedLimits, &saved)
	if err != nil {
		return nil, err
	}
	if ok {
		l.saved = &saved
	}
	l.decide()
	return l, nil
}

// base are the limits set, and where they come from; mu is held.
func (l *limiter) base() (share.Limits, string) {
	source := strongest(l.config.origins["up"].source, l.config.origins["down"].source)
	switch {
	case l.set != nil:
		return *l.set, api.SourceSaved
	case source == api.SourceDefault && l.saved != nil:
		return *l.saved, api.SourceSaved
	}
	return share.Limits{Down: l.config.Down, Up: l.config.Up}, source
}

// strongest is the first of the two in the order of precedence.
func strongest(a, b string) string {
	for _, s := range [...]string{api.SourceFlag, api.SourceEnv, api.SourceFile} {
		if a == s || b == s {
			return s
		}
	}
	return api.SourceDefault
}

// decide works out what is in force now; mu is held, or nobody else knows l.
func (l *limiter) decide() {
	now, reason := l.scheduled()
	if l.config.AdaptiveUp && l.line > 0 && (now.Up == 0 || l.line < now.Up) {
		now.Up = l.line
		if reason != "" {
			reason += "; "
		}
		reason += "sending is held to what the line bears"
	}
	l.force, l.reason = now, reason
}

// scheduled are the limits before the line is looked at; mu is held.
func (l *limiter) scheduled() (share.Limits, string) {
	set, _ := l.base()
	if w, ok := l.config.Schedule.At(l.now()); ok {
		return w.limits(set), "schedule: " + w.String()
	}
	return set, ""
}

// limits tells what is set and what is in force.
func (l *limiter) limits() api.Limits {
	l.mu.Lock()
	defer l.mu.Unlock()
	set, source := l.base()
	return api.Limits{Limits: set, Now: l.force, Reason: l.reason, Source: source}
}

// inForce are the limits now.
func (l *limiter) inForce() share.Limits {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.force
}

// setLimits changes the limits. They are kept over restarts; where a flag, a
// variable or the file says otherwise, those win after the next start.
func (l *limiter) setLimits(v share.Limits) error {
	l.mu.Lock()
	err := l.state.save(savedLimits, v)
	if err == nil {
		l.saved, l.set = &v, &v
		l.decide()
	}
	l.mu.Unlock()
	if err != nil {
		return err
	}
	return l.apply(l.inForce())
}

// reload forgets what was set while running: the configuration was read again.
func (l *limiter) reload() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set = nil
}

// follow takes another configuration.
func (l *limiter) follow(c *Config) {
	l.mu.Lock()
	l.config = c
	l.mu.Unlock()
	signal(l.wake)
}

// bears tells what the line bears without queueing, 0 for no limit.
func (l *limiter) bears(line int64) {
	l.mu.Lock()
	l.line = line
	l.mu.Unlock()
	signal(l.wake)
}

// run keeps what is in force in force until ctx ends.
func (l *limiter) run(ctx context.Context) error {
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
		now, reason := l.force, l.reason
		l.mu.Unlock()
		if now == last {
			continue
		}
		if err := l.apply(now); err != nil {
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
