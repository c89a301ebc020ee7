// Package infofetch gets the info dictionary of content that is known by ID
// alone, from peers that speak BEP 9 over BEP 10.
//
// The library's own client would do it too, but shares one buffer among all
// peers, so that a single liar can hold a fetch up for as long as it likes.
// Here every peer fills a buffer of its own, of at most 4 MiB and only as fast
// as bytes really arrive; several peers are asked at once; a peer whose bytes
// do not have the right hash is not asked again; and a peer that gets nowhere
// makes room for the next.
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
	// Dial connects to a peer. It should bound the wait.
	Dial func(ctx context.Context, addr netip.AddrPort) (net.Conn, error)
	// Allow tells whether an address that a peer told us of may be dialled;
	// nil takes none. Addresses given to Add are the caller's to judge.
	Allow func(netip.AddrPort) bool
	// PeerID identifies us to peers; a zero one is replaced by a random one.
	PeerID [20]byte
	// Client is the name and version told to peers, e.g. "shoal 1.0".
	Client string
	// Port is where we accept peers, told to those we connect to; 0 tells nothing.
	Port uint16
	// OnDHTNode is called with the address of a DHT node that a peer runs (the
	// PORT message of BEP 5). It must not block. nil asks for none.
	OnDHTNode func(netip.AddrPort)
	// Parallel is how many peers give their bytes at once; 0 is 8. Memory is
	// bounded by Parallel times MaxSize. More connections are attempted.
	Parallel int
	// Patience bounds each step of a peer: the handshake, and the wait for the
	// next block. 0 is 10 seconds.
	Patience time.Duration
	Logger   *slog.Logger
}

// Result is a fetched info dictionary and what was learned on the way.
type Result struct {
	// Bytes are the raw info dictionary: their SHA-1 is the ID. Nothing more is
	// known about them; share/metainfo.ParseInfo judges the rest, and its
	// refusal is final.
	Bytes []byte
	// Peers are those that have shown to be part of the swarm, the one that
	// gave the dictionary first.
	Peers []netip.AddrPort
	// More are addresses that peers told of by PEX and that were not tried.
	More []netip.AddrPort
}

// Fetch gets one info dictionary. Make it with New, give it peers with Add and
// Incoming before and during Run.
type Fetch struct {
	cfg      Config
	queue    *queue
	accepted chan incoming
	// slots are held by those that have shaken hands and fill a buffer.
	slots   chan struct{}
	waiting atomic.Int32 // for a slot
	over    chan struct{}
}

// incoming is an address to be dialled, or one that has connected to us.
type incoming struct {
	conn   net.Conn
	addr   netip.AddrPort
	shaken bool
	done   chan struct{} // closed when conn is not used any more
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
		cfg:      cfg,
		queue:    newQueue(),
		accepted: make(chan incoming),
		slots:    make(chan struct{}, cfg.Parallel),
		over:     make(chan struct{}),
	}, nil
}

// Add gives addresses of peers. It never blocks, may be called by many at
// once, and forgets what is beyond the bounds of the queue. An address that is
// known already is tried again no sooner than its backoff allows.
func (f *Fetch) Add(peers ...netip.AddrPort) {
	for _, p := range peers {
		if p.IsValid() && p.Port() != 0 {
			f.queue.add(p, time.Now(), false)
		}
	}
}

// Incoming gives a connection that a peer made to us for this ID: a peer that
// we cannot reach can help that way. Its handshake is in the clear; with shaken
// it has been read and answered already, with the bit of BEP 10 set. Incoming
// returns when nobody uses the connection any more and it is closed, which may
// be when Run ends.
func (f *Fetch) Incoming(conn net.Conn, addr netip.AddrPort, shaken bool) {
	in := incoming{conn: conn, addr: addr, shaken: shaken, done: make(chan struct{})}
	select {
	case f.accepted <- in:
		<-in.done
	case <-f.over:
	}
	conn.Close()
}

// Tried tells how many distinct addresses were connected to so far, and how
// many of them answered as members of the swarm.
func (f *Fetch) Tried() (tried, answered int) { return f.queue.counts() }

// dialsPerSlot is how many connections are attempted for each that may fill a
// buffer: most addresses that are found lead nowhere, and take long to do so.
const dialsPerSlot = 4

// Run asks peers until one gave the info dictionary or ctx is done; then the
// error wraps the cause of ctx and is of kind share.Nobody when a deadline was
// missed. No goroutine or connection outlives Run. Run once.
func (f *Fetch) Run(ctx context.Context) (*Result, error) {
	defer close(f.over)
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
			running[f.start(ctx, incoming{addr: addr}, outcomes)] = true
		}
		// Nothing waits for the queue while every place is taken, but one that
		// is too slow may have to go.
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
		case in := <-f.accepted:
			if len(running) >= 2*f.cfg.Parallel*dialsPerSlot {
				close(in.done)
				continue
			}
			running[f.start(ctx, in, outcomes)] = true
		case o := <-outcomes:
			delete(running, o.s)
			f.queue.done(o.s.addr, o.verdict, o.s.conn == nil, time.Now())
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
		return share.Errorf(share.Nobody, "nobody gave the description of %s in time (%d addresses tried, %d answered): %w",
			f.cfg.ID.Short(), tried, answered, err)
	}
	return share.Errorf(share.Interrupted, "fetching the description of %s: %w", f.cfg.ID.Short(), err)
}

// makeRoom ends the exchange that has done least when others wait for its
// slot, so that no number of slow peers holds an honest one up for long.
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
