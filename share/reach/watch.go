package reach

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// WatchConfig holds what a Watcher needs. Every field has a default.
type WatchConfig struct {
	Logger *slog.Logger
	Policy Policy
	// List reads the addresses of this host; nil is ListAddresses.
	List func() ([]Address, error)
	// Signals delivers a value when addresses may have changed; nil uses the
	// system's notifications if it has any.
	Signals func(ctx context.Context) <-chan struct{}
	// Poll is the interval of reading the addresses without a signal: lifetimes
	// expire silently, and not every system has notifications. Zero is 15 s.
	Poll time.Duration
}

// settle is how long the addresses must be unchanged before a change is reported: a
// renumbering changes several addresses within milliseconds.
const settle = 500 * time.Millisecond

// Watcher follows the IPv6 addresses of this host.
type Watcher struct {
	cfg WatchConfig

	mu      sync.Mutex
	all     []Address
	policy  Policy
	changed []chan struct{}
}

// NewWatcher reads the addresses once and follows them when it runs.
func NewWatcher(cfg WatchConfig) *Watcher {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.List == nil {
		cfg.List = ListAddresses
	}
	if cfg.Signals == nil {
		cfg.Signals = signals
	}
	if cfg.Poll <= 0 {
		cfg.Poll = 15 * time.Second
	}
	w := &Watcher{cfg: cfg, policy: cfg.Policy}
	w.read()
	return w
}

// Run follows changes until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signal := w.cfg.Signals(ctx)
	poll := time.NewTicker(w.cfg.Poll)
	defer poll.Stop()
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-signal:
			if !ok {
				signal = nil
				continue
			}
			rest.Reset(settle)
		case <-rest.C:
			w.update()
		case <-poll.C:
			w.update()
		}
	}
}

// Addresses returns every address this host has, unordered.
func (w *Watcher) Addresses() []Address {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.all)
}

// Published returns the addresses that the policy allows to publish, best first.
func (w *Watcher) Published() []Address {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.policy.Published(w.all)
}

// SetPolicy replaces the policy and reports a change.
func (w *Watcher) SetPolicy(p Policy) {
	w.mu.Lock()
	same := w.policy == p
	w.policy = p
	w.mu.Unlock()
	if !same {
		w.tell()
	}
}

// Changed returns a channel that receives a value after a change of the set of
// addresses, of a kind or of the policy. Unread changes are merged into one.
func (w *Watcher) Changed() <-chan struct{} {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	w.changed = append(w.changed, c)
	w.mu.Unlock()
	return c
}

func (w *Watcher) update() {
	if w.read() {
		w.cfg.Logger.Info("addresses of this host changed", "published", len(w.Published()))
		w.tell()
	}
}

func (w *Watcher) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.changed {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// read reports whether anything other than the lifetimes has changed. After a failure
// the previous addresses stay.
func (w *Watcher) read() bool {
	all, err := w.cfg.List()
	if err != nil {
		w.cfg.Logger.Warn("cannot read the addresses of this host", "error", err)
		return false
	}
	slices.SortFunc(all, func(a, b Address) int { return a.IP.Compare(b.IP) })
	w.mu.Lock()
	defer w.mu.Unlock()
	same := slices.EqualFunc(w.all, all, func(a, b Address) bool {
		return a.IP == b.IP && a.Kind == b.Kind && a.Interface == b.Interface && a.Routed == b.Routed
	})
	w.all = all
	return !same
}
