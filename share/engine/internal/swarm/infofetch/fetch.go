// Package infofetch keeps to itself how an info dictionary of which only the ID is
// known is fetched, from peers that support BEP 9 over BEP 10.
//
// The library's own client could do this, too, but it shares one buffer among all
// peers, so that a single malicious peer can block a fetch forever. Here every peer
// fills its own buffer of at most 4 MiB, which grows only as bytes arrive; several
// peers are asked at once; a peer whose bytes have the wrong hash is not asked
// again; and a slow peer is replaced by the next.
package infofetch

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/shoalnet/shoal/share"
)

// MaxSize is the most bytes an info dictionary fetched from peers may have.
const MaxSize = 4 << 20

// Config describes one fetch.
type Config struct {
	ID share.ID
	// Fits tells whether an info dictionary has the hash that was asked for; nil
	// compares its SHA-1 with ID.
	Fits func(info []byte) bool
	// Dial connects to a peer. It should have a timeout.
	Dial func(ctx context.Context, addr netip.AddrPort) (net.Conn, error)
	// NotNow reports whether an error of Dial says only that it has not dialled, and
	// nothing about the peer; nil reports that of none.
	NotNow func(error) bool
	// Allow reports whether an address from peer exchange may be dialled; nil
	// allows none. The caller must check addresses that it passes to Add.
	Allow func(netip.AddrPort) bool
	// PeerID identifies us to peers; a zero one is replaced by a random one.
	PeerID [20]byte
	// Client is the name and version told to peers, e.g. "shoal 1.0".
	Client string
	// Port is our port for peers, which is sent to peers; 0 sends none.
	Port uint16
	// OnDHTNode is called with the address of a peer's DHT node (the PORT message
	// of BEP 5). It must not block. With nil we do not ask for it.
	OnDHTNode func(netip.AddrPort)
	// Parallel is the number of peers that send data at once; 0 is 8. Memory is
	// bounded by Parallel times MaxSize. More connections are attempted.
	Parallel int
	// Patience bounds each step of a peer: the handshake, and the wait for the
	// next block. 0 is 10 seconds.
	Patience time.Duration
	Logger   *slog.Logger
}

// Result is a fetched info dictionary and the peers that were found meanwhile.
type Result struct {
	// Bytes are the raw info dictionary, of which Config.Fits was true; nothing else
	// was checked. share/metainfo.ParseInfo validates it; if it refuses, another
	// fetch does not help.
	Bytes []byte
	// Peers are the peers that are part of the swarm; the one that sent the
	// dictionary is the first.
	Peers []netip.AddrPort
	// More are addresses from peer exchange that were not tried.
	More []netip.AddrPort
}

// Fetch fetches one info dictionary. Create it with New and add peers with Add
// before and during Run.
type Fetch struct {
	cfg   Config
	queue *queue
	// slots are held by sessions that have completed the handshake.
	slots   chan struct{}
	waiting atomic.Int32 // for a slot
}

// New prepares a fetch; nothing happens before Run.
func New(cfg Config) (*Fetch, error) {
	if cfg.Dial == nil || cfg.Logger == nil {
		return nil, errors.New("infofetch: Dial and Logger are needed")
	}
	if cfg.Parallel <= 0 {
		cfg.Parallel = 8
	}
	if cfg.Patience <= 0 {
		cfg.Patience = 10 * time.Second
	}
	if cfg.PeerID == ([20]byte{}) {
		copy(cfg.PeerID[:], "-SH0100-"+rand.Text())
	}
	return &Fetch{
		cfg:   cfg,
		queue: newQueue(),
		slots: make(chan struct{}, cfg.Parallel),
	}, nil
}

// Add adds addresses of peers. It never blocks, may be called concurrently, and drops
// addresses beyond the bounds of the queue. A known address is not tried again before
// its backoff ends.
func (f *Fetch) Add(peers ...netip.AddrPort) {
	for _, p := range peers {
		if p.IsValid() && p.Port() != 0 {
			f.queue.add(p, time.Now(), false)
		}
	}
}

// dialsPerSlot is the number of connection attempts for each slot: most addresses
// are dead and only time out.
const dialsPerSlot = 4

// Run asks peers until one has sent the info dictionary or ctx is done. In the latter
// case the error wraps the cause of ctx; after a deadline its kind is share.Nobody.
// No goroutine or connection outlives Run. Call Run only once.
func (f *Fetch) Run(ctx context.Context) (*Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	outcomes := make(chan outcome)
	running := map[*session]bool{}
	// Whatever ends Run, wait for the sessions: each gives exactly one outcome.
	defer func() {
		cancel()
		for range running {
			<-outcomes
		}
	}()

	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		f.makeRoom(running)
		for len(running) < f.cfg.Parallel*dialsPerSlot {
			addr, ok := f.queue.next(time.Now())
			if !ok {
				break
			}
			running[f.start(ctx, addr, outcomes)] = true
		}
		// The queue waits while all slots are taken, but a session that is too slow
		// may have to give up its slot.
		wait := f.cfg.Patience / 4
		if len(running) < f.cfg.Parallel*dialsPerSlot {
			wait = f.queue.wait(time.Now())
			if f.waiting.Load() > 0 {
				wait = min(wait, f.cfg.Patience/4)
			}
		}
		tick.Reset(wait)

		select {
		case <-ctx.Done():
			return nil, f.stopped(ctx)
		case <-f.queue.changed:
		case <-tick.C:
		case o := <-outcomes:
			delete(running, o.s)
			if o.verdict == untried {
				f.queue.later(o.s.addr, time.Now())
				continue
			}
			f.queue.done(o.s.addr, o.verdict, time.Now())
			f.cfg.Logger.Debug("asked a peer for the info dictionary", "id", f.cfg.ID.Short(),
				"peer", o.s.addr, "verdict", o.verdict.String(), "error", o.err)
			if o.info != nil {
				peers, more := f.queue.known(o.s.addr)
				return &Result{Bytes: o.info, Peers: peers, More: more}, nil
			}
		}
	}
}

func (f *Fetch) stopped(ctx context.Context) error {
	err := context.Cause(ctx)
	tried, answered := f.queue.counts()
	if errors.Is(err, context.DeadlineExceeded) {
		return share.Errorf(share.Nobody, "no peer sent the file list of %s in time (%d addresses tried, %d answered): %w",
			f.cfg.ID.Short(), tried, answered, err)
	}
	return share.Errorf(share.Interrupted, "fetching the file list of %s: %w", f.cfg.ID.Short(), err)
}

// makeRoom ends the exchange with the least progress when others wait for its slot,
// so that slow peers cannot block an honest one for long.
func (f *Fetch) makeRoom(running map[*session]bool) {
	if f.waiting.Load() == 0 {
		return
	}
	var worst *session
	for s := range running {
		since := s.holds.Load()
		if since == 0 || time.Since(time.Unix(0, since)) < f.cfg.Patience/2 {
			continue
		}
		if worst == nil || s.received.Load() < worst.received.Load() {
			worst = s
		}
	}
	if worst != nil {
		worst.cancel(errSlow)
	}
}

var errSlow = errors.New("too slow while others wait")
