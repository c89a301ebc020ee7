// Package engine moves content: it publishes folders, fetches links, seeds,
// verifies, pauses, limits and streams.
//
// What it promises: a piece counts as complete only after its bytes hashed
// right and reached the disk; what the user shares is only ever read; a disk
// that fails stops only the transfers on it, which resume by themselves; and
// nothing a peer, a tracker or a torrent says ends the process or makes it grow
// without bound. What sees to the last is internal/swarm (connections and
// messages), internal/swarm/infofetch (info dictionaries), internal/netguard
// (addresses) and the book (addresses of peers).
//
// An Engine is one event loop that owns every transfer. Whatever takes time
// (hashing, opening storage, attaching to a swarm) is a job in its own goroutine
// that hands its result back to the loop. The peer protocol is known to it by
// the interfaces of internal/swarm/face alone.
package engine

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/flow"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/tracker"
)

// Finder finds peers of an ID and makes this node known as one.
type Finder interface {
	// Find streams peers of id to found until ctx ends or the search is over.
	// found is never called concurrently or after Find returned.
	Find(ctx context.Context, id share.ID, found func([]netip.AddrPort)) error
	// Announce keeps id announced until Withdraw; it returns at once. A second
	// Announce of the same id changes nothing.
	Announce(id share.ID)
	// Withdraw ends Announce; it returns at once.
	Withdraw(id share.ID)
	// Source names this finder in events and peer lists.
	Source() share.Source
}

// Config holds what an Engine depends on.
type Config struct {
	Logger *slog.Logger // nil discards
	// DB is the node's state.db. The engine makes and upgrades its own tables,
	// whose names begin with "engine_", and never closes it.
	DB *sql.DB
	// Dir keeps a copy of each torrent as ID.torrent. It is made when missing.
	Dir string

	// Listeners accept peers over TCP, all on one port. The engine closes them.
	Listeners []net.Listener
	// UTP carries peers over uTP on the same port; nil turns uTP off. The
	// engine closes it.
	UTP net.PacketConn

	IPv4         bool // dial and accept IPv4 peers, too
	NoTrackers   bool // leave trackers named in links alone
	Preallocate  bool // reserve the space of a file before writing to it
	AllowPrivate bool // follow trackers, web seeds and peer exchange to private addresses
	Limits       share.Limits
	MaxFetching  int // how many fetch at once, others are queued; 0 is no limit
	MaxConns     int // connections in all; 0 is 500

	// Look leaves all as it is: transfers rest, none is offered, announced or
	// looked for, and nothing is written but to DB, which is to be a copy. The
	// files of complete ones are looked at.
	Look bool

	// Finders look for peers of each transfer and announce it.
	Finders []Finder
	// Addresses tells where strangers reach this node, best first. Links carry
	// them; nil or an empty result makes links without addresses. It must not
	// block.
	Addresses func() []netip.AddrPort
	// DHTPort is the UDP port told to peers (BEP 5 PORT); nil or 0 tells none.
	DHTPort func() uint16
	// OnDHTNode receives addresses where a DHT node may be: of a peer that told
	// its PORT, and of the peers that a link names. It is called in goroutines of
	// its own.
	OnDHTNode func(netip.AddrPort)

	// DialFrom is the address that calls over TCP leave from; with nil, or where
	// it gives none, the system chooses. It must not block.
	DialFrom func() netip.Addr
	// OnStranger is told of each TCP connection to the address local of this
	// host from a host that this node never called, once its handshake is over:
	// proof that strangers get through. It is called in a goroutine of its own.
	OnStranger func(local netip.Addr, from netip.AddrPort)

	// OwnerOf tells who owns what is at a path, for transfers of versions that
	// noted no owners. Empty is the user; nil is always that.
	OwnerOf func(path string) Owner
	// Guard is asked about each file and folder before it is shared, by its path
	// without symbolic links, but for the lists of channels. Its error refuses the
	// share. Nil lets all pass.
	Guard func(path string, info fs.FileInfo) error

	Client string           // name and version told to peers, such as "shoal 1.0"
	Now    func() time.Time // nil is time.Now
}

// ShareRequest says what to share and who wants it.
type ShareRequest struct {
	Path string // file or folder, absolute
	share.ShareOptions
	// Owner wants it; empty is User. With a Lease it is the command of that, and
	// with Owner, too, the command only until it is hashed, then Owner.
	Owner Owner
	Lease Lease
}

// FetchRequest says what to fetch, where to put it and who wants it.
type FetchRequest struct {
	Link share.Link
	// Torrent is the content of a .torrent file; where given it wins over Link,
	// whose peers, trackers and selection still count.
	Torrent []byte
	Output  string // folder that will hold the content, absolute
	share.FetchOptions
	// MaxSize in bytes; content that turns out to be larger is not fetched, and
	// the transfer stops with share.Refused. 0 is no limit.
	MaxSize int64
	// Only, where not empty, is a pattern for the name of a single file: other
	// content is not fetched, and stops as with MaxSize.
	Only string
	// Anywhere tells that Output is not the user's choice: what is here already
	// may be where it is.
	Anywhere bool
	// Owner wants it; empty is User, and Lease the command of that.
	Owner Owner
	Lease Lease
}

const (
	// stopTime bounds how long Run takes to return once it is told to.
	stopTime        = 10 * time.Second
	defaultMaxConns = 500
	// Every so often, what no event announces is looked at.
	seldom = 30 * time.Second
)

// Engine is the transfers of a node.
type Engine struct {
	cfg      Config
	log      *slog.Logger
	hub      *hub
	torrents torrents
	swarms   face.Network
	down     *flow.Bucket
	up       *flow.Bucket
	ready    chan struct{}
	box      *mailbox

	// Made by Run.
	state    *state
	work     *worker
	trackers *tracker.Announcer
	announce *announcer
	serial   *serial // calls of swarms that nobody waits for

	// Owned by the loop.
	transfers register
	claims    claims
	leases    leases
	shelf     shelf
	awake     map[*transfer]struct{}
	events    *publisher
	hashing   hashing
	slots     slots
	discovery *discovery
	rounds    rounds
	mounts    *mounts
	totals    totals
	own       *self
	stopping  bool
}

// New checks the configuration. It starts nothing and touches no disk.
func New(cfg Config) (*Engine, error) {
	switch {
	case cfg.DB == nil:
		return nil, errors.New("engine: Config.DB is needed")
	case !filepath.IsAbs(cfg.Dir):
		return nil, errors.New("engine: Config.Dir must be an absolute path")
	}
	if err := cfg.Limits.Check(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = defaultMaxConns
	}
	if cfg.Client == "" {
		cfg.Client = "shoal"
	}
	e := &Engine{
		cfg:       cfg,
		log:       cfg.Logger,
		hub:       newHub(),
		torrents:  torrents(cfg.Dir),
		down:      flow.NewBucket(cfg.Limits.Down),
		up:        flow.NewBucket(cfg.Limits.Up),
		ready:     make(chan struct{}),
		box:       newMailbox(),
		own:       &self{ask: cfg.Addresses},
		slots:     slots{most: cfg.MaxFetching},
		mounts:    new(mounts),
		serial:    newSerial(),
		transfers: newRegister(),
		claims:    make(claims),
		leases:    make(leases),
		shelf:     shelf{rows: make(map[share.ID]row), most: maxShelved, bytes: maxShelvedBytes},
		awake:     make(map[*transfer]struct{}),
	}
	e.events = &publisher{hub: e.hub, log: e.log, now: cfg.Now, own: e.own}
	e.discovery = &discovery{
		now: cfg.Now, box: e.box, serial: e.serial, events: e.events, transfers: &e.transfers,
		finders: newFinders(cfg.Finders), resolver: newResolver(cfg.IPv4), noTrackers: cfg.NoTrackers, own: e.own, onDHTNode: cfg.OnDHTNode,
		far:     netguard.Policy{AllowPrivate: cfg.AllowPrivate, IPv4: cfg.IPv4},
		near:    netguard.Policy{AllowPrivate: true, IPv4: cfg.IPv4},
		changed: e.foundPeers,
	}
	e.swarms = newNetwork(face.Config{
		Logger: e.log, Client: cfg.Client, Now: cfg.Now,
		Listeners: cfg.Listeners, UTP: cfg.UTP, DialFrom: cfg.DialFrom, DHTPort: cfg.DHTPort,
		Policy: e.discovery.far, MaxConns: cfg.MaxConns,
		Events: face.Events{Wake: e.awaken, Found: e.discovery.hint, DHTNode: cfg.OnDHTNode, Stranger: cfg.OnStranger},
	})
	return e, nil
}

func (e *Engine) now() time.Time { return e.cfg.Now() }

// Ready is closed when the transfers of the last run are loaded.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// Run loads the transfers of the last run and carries on with them until ctx
// ends. It returns after everything it started has stopped, within ten seconds.
// It is called once. Every other method waits until Run is Ready.
func (e *Engine) Run(ctx context.Context) error {
	defer e.hub.close()
	stop, err := e.open(ctx)
	if err != nil {
		e.box.close()
		return err
	}
	close(e.ready)
	e.loop(ctx)
	return stop()
}

// loop is what an engine does.
func (e *Engine) loop(ctx context.Context) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	rest := time.NewTicker(seldom)
	defer rest.Stop()
	for {
		if e.slots.stale {
			for _, t := range e.slots.assign(e.awake) {
				e.reconcile(t)
			}
		}
		select {
		case <-ctx.Done():
			return
		case f := <-e.box.calls: // requests, results of jobs
			f()
		case f := <-e.box.hints: // addresses of peers
			f()
		case <-second.C:
			e.everySecond()
		case <-rest.C:
			e.everySoOften()
		}
	}
}

// start runs a job for t, one at a time. What run returns is then done on the
// loop, also when the job was cancelled meanwhile.
func (e *Engine) start(t *transfer, what jobKind, run func(ctx context.Context) func()) {
	ctx, cancel := context.WithCancel(e.box.ctx)
	t.job = &job{what, cancel}
	e.awake[t] = struct{}{}
	e.box.run(func(context.Context) func() {
		then := run(ctx)
		return func() {
			t.job = nil
			then() // may ask ctx whether the job was called off
			cancel()
			e.reconcile(t)
			e.lookAfterJob(t)
		}
	})
}

// everySecond looks at the transfers that are awake.
func (e *Engine) everySecond() {
	now := e.now()
	elapsed := e.totals.sample(time.Now(), e.swarms.Figures())
	idle := 0
	for t := range e.awake {
		e.tick(t, now, elapsed)
		if l := t.live(); t.done && l != nil && l.net.Figures().Peers == 0 {
			idle++
		}
	}
	e.totals.idle = idle
	e.lookInTurn()
}

// everySoOften does what has no other occasion.
func (e *Engine) everySoOften() {
	now := e.now()
	e.swarms.Tend()
	for _, t := range e.transfers.byID {
		if t.done && !t.options.Paused {
			e.checkGoal(t, now)
		}
		l := t.live()
		if l == nil {
			continue
		}
		t.fold()
		e.save(t)
		if t.kind == kindFetch && l.fault == nil {
			e.serial.do(l.net.Retry)
		}
	}
	e.discovery.scanNext()
}
