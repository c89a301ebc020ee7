package engine

import (
	"context"
	"log/slog"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/flow"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/tracker"
)

// seldom is how often everySoOften is called.
const seldom = 30 * time.Second

// loop owns every transfer, and decides what happens to each next. Its methods run in one
// goroutine, that of run; what takes time it leaves to jobs. All it remembers beside the
// transfers is in its parts.
type loop struct {
	cfg      Config
	log      *slog.Logger
	box      *mailbox
	swarms   face.Network
	down, up *flow.Bucket // of the node
	intake   *Intake
	serial   *serial // calls of swarms, which may take long
	mounts   *mounts

	// Made by open.
	state    *state
	torrents torrents
	work     *worker
	trackers *tracker.Announcer
	announce *announcer

	transfers register
	claims    claims
	leases    leases
	shelf     shelf
	awake     map[*transfer]struct{} // those of which something may change by itself
	events    *publisher
	discovery *discovery
	hashing   hashing
	slots     slots
	rounds    rounds
	totals    totals
	ahead     *precedence
	stopping  bool
}

func newLoop(cfg Config, box *mailbox, swarms face.Network, hub *hub, far netguard.Policy, down, up *flow.Bucket, intake *Intake) *loop {
	own := &self{ask: cfg.Addresses, ofHost: cfg.HostAddresses}
	lp := &loop{
		cfg: cfg, log: cfg.Logger, box: box, swarms: swarms, down: down, up: up, intake: intake,
		serial:    newSerial(),
		mounts:    new(mounts),
		torrents:  torrents(cfg.Dir),
		transfers: newRegister(),
		claims:    make(claims),
		leases:    make(leases),
		shelf:     shelf{rows: make(map[share.ID]row), most: maxShelved, bytes: maxShelvedBytes},
		awake:     make(map[*transfer]struct{}),
		events:    &publisher{hub: hub, log: cfg.Logger, now: cfg.Now, own: own, webSeeds: cfg.WebSeeds},
		slots:     slots{most: cfg.MaxFetching},
		ahead:     newPrecedence(),
	}
	lp.discovery = &discovery{
		now: cfg.Now, box: box, serial: lp.serial, events: lp.events, transfers: &lp.transfers,
		finders: newFinders(cfg.Finders), resolver: newResolver(cfg.IPv4), noTrackers: cfg.NoTrackers, own: own, onDHTNode: cfg.OnDHTNode,
		far:       far,
		near:      netguard.Policy{AllowPrivate: true, IPv4: cfg.IPv4},
		reachable: cfg.Reachable,
		changed:   lp.foundPeers,
	}
	return lp
}

func (lp *loop) now() time.Time { return lp.cfg.Now() }

// run does what callers and jobs bring, and what is due, until ctx ends.
func (lp *loop) run(ctx context.Context) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	rest := time.NewTicker(seldom)
	defer rest.Stop()
	for {
		if lp.slots.stale {
			for _, t := range lp.slots.assign(lp.awake) {
				lp.reconcile(t)
			}
		}
		select {
		case <-ctx.Done():
			return
		case f := <-lp.box.calls: // requests, results of jobs
			f()
		case f := <-lp.box.hints: // addresses of peers
			f()
		case <-second.C:
			lp.everySecond()
		case <-rest.C:
			lp.everySoOften()
		}
	}
}

// start begins a job of t, which has none. What run returns is then called on the loop,
// also when the job was cancelled.
func (lp *loop) start(t *transfer, what jobKind, run func(ctx context.Context) func()) {
	ctx, cancel := context.WithCancel(lp.box.ctx)
	t.job = &job{what, cancel}
	lp.awake[t] = struct{}{}
	lp.box.run(func(context.Context) func() {
		then := run(ctx)
		return func() {
			t.job = nil
			then() // may ask ctx whether the job was called off
			cancel()
			lp.reconcile(t)
			lp.lookAfterJob(t)
		}
	})
}

// everySecond does for transfers that are awake what has to be done each second.
func (lp *loop) everySecond() {
	now := lp.now()
	elapsed := lp.totals.sample(time.Now(), lp.intake.with(lp.swarms.Figures()))
	if lp.ahead.look(lp.awake, now) {
		lp.log.Info("other downloads are slowed down for a player", "rate", lp.ahead.hold.rate)
	}
	idle := 0
	for t := range lp.awake {
		lp.tick(t, now, elapsed)
		if l := t.live(); t.done && l != nil && l.net.Figures().Peers == 0 {
			idle++
		}
	}
	lp.totals.idle = idle
	lp.lookInTurn()
	if !lp.cfg.Look {
		lp.discovery.scanNext()
	}
}

// everySoOften does what is not urgent: it wakes what soon reaches its goal, saves counters, and lets swarms
// try again.
func (lp *loop) everySoOften() {
	now := lp.now()
	lp.swarms.Tend()
	for _, t := range lp.transfers.byID {
		if t.endsSoon(now) {
			lp.awake[t] = struct{}{}
		}
		l := t.live()
		if l == nil {
			continue
		}
		t.fold()
		lp.save(t)
		if t.kind == kindFetch && l.fault == nil {
			lp.serial.do(l.net.Retry)
		}
	}
}
