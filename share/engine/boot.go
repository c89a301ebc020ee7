package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/tracker"
	"github.com/shoalnet/shoal/share/storage"
)

// open makes what the loop works with and loads the transfers of the last run. stop undoes
// it all.
func (lp *loop) open(ctx context.Context) (stop func() error, err error) {
	if !lp.cfg.Look {
		if err := os.MkdirAll(lp.cfg.Dir, 0o700); err != nil {
			return nil, share.Errorf(share.Disk, "making the folder for torrents: %w", err)
		}
	}
	var rows []row
	if lp.state, rows, err = openState(ctx, lp.cfg.DB); err != nil {
		return nil, err
	}
	if !lp.cfg.Look {
		lp.state.notes = newNotebook(lp.cfg.Dir, lp.cfg.DB, lp.log)
	}
	kept := &ledger{lp.cfg.DB, lp.state.notes}
	store, err := storage.New(storage.Config{Logger: lp.log, Ledger: kept, Preallocate: lp.cfg.Preallocate, Now: lp.cfg.Now})
	if err != nil {
		return nil, fmt.Errorf("preparing storage: %w", err)
	}
	lp.work = &worker{
		log: lp.log, store: store, ledger: kept, torrents: lp.torrents, swarms: lp.swarms, mounts: lp.mounts, readOnly: lp.cfg.Look,
	}
	if err := lp.swarms.Start(); err != nil {
		return nil, err
	}
	lp.trackers, err = tracker.New(tracker.Config{
		Logger: lp.log, Policy: lp.discovery.far, PeerID: lp.swarms.PeerID(), Agent: lp.cfg.Client, Now: lp.cfg.Now,
		Port:     lp.port,
		Progress: lp.progress,
		Found:    func(id share.ID, peers []netip.AddrPort) { lp.discovery.hint(id, share.FromTracker, peers) },
	})
	if err != nil {
		return nil, errors.Join(err, lp.swarms.Close())
	}
	lp.discovery.trackers = lp.trackers
	lp.announce = &announcer{finders: lp.cfg.Finders, noTrackers: lp.cfg.NoTrackers, network: lp.swarms, trackers: lp.trackers}

	// Services go on while transfers are being closed.
	service, halt := context.WithCancel(context.WithoutCancel(ctx))
	lp.box.open(service)
	var services, announcer sync.WaitGroup
	farewell, endAnnouncer := context.WithCancel(service)
	services.Go(func() {
		lp.state.run(service, func(err error) { lp.log.Error("the state was not saved", "error", err) })
	})
	services.Go(func() { lp.report("storage", store.Run(service)) })
	services.Go(func() { lp.serial.run(service) })
	if lp.state.notes != nil {
		services.Go(func() { lp.state.notes.run(service, rows) })
	}
	announcer.Go(func() { lp.report("trackers", lp.trackers.Run(farewell)) })

	for _, r := range rows {
		lp.load(r)
	}
	lp.totals.sampled, lp.rounds.began = time.Now(), lp.now()
	for t := range lp.awake {
		lp.reconcile(t)
	}
	if !lp.cfg.Look {
		lp.nameOld()
	}
	return func() error {
		deadline := time.Now().Add(stopTime)
		for _, t := range lp.transfers.byID {
			lp.announce.keep(t)
		}
		endAnnouncer()
		lp.putAway(deadline)
		err := lp.swarms.Close()
		announcer.Wait()
		halt()
		services.Wait()
		if lp.state.notes != nil {
			lp.state.notes.write(context.Background())
		}
		return err
	}, nil
}

func (lp *loop) report(what string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		lp.log.Error("a part of the engine stopped", "part", what, "error", err)
	}
}

// port is the TCP port that accepts peers.
func (lp *loop) port() uint16 {
	for _, l := range lp.cfg.Listeners {
		if ap, err := netip.ParseAddrPort(l.Addr().String()); err == nil {
			return ap.Port()
		}
	}
	return 0
}

// load adds a transfer of the last run. Complete ones stay at rest: their files are looked
// at in turn, see lookInTurn.
func (lp *loop) load(r row) {
	if r.kind == kindEnded {
		lp.shelf.add(r)
		return
	}
	t := &transfer{row: r, done: r.kind == kindOwn || !r.completed.IsZero() && !r.options.Lost}
	if !lp.settleOwners(t) {
		if lp.cfg.Look {
			return // the next node that may write ends it
		}
		if t.kind == kindOwn {
			lp.shelve(t)
		} else {
			lp.state.remove(t.id, false)
		}
		return
	}
	if t.done && t.size == t.total {
		t.options.Counted = true // older versions did not keep it
	}
	lp.transfers.add(t)
	t.shown.State = t.state()
	if t.done {
		lp.dropBlob(t) // if there is one
	}
	switch {
	case lp.cfg.Look:
		lp.rounds.add(t)
	case t.options.Verify && t.known(): // recovered, or interrupted
		lp.awake[t] = struct{}{}
		lp.slots.stale = true
	case t.options.Paused:
		if t.done {
			lp.rounds.add(t)
		}
	case t.done && t.options.Damage == "":
		lp.announce.show(t)
		lp.rounds.add(t)
	case t.done:
		lp.rounds.add(t)
		lp.awake[t] = struct{}{}
	default:
		lp.awake[t] = struct{}{}
		lp.slots.stale = true
	}
}

// putAway ends all jobs and closes all storage, until the deadline.
func (lp *loop) putAway(deadline time.Time) {
	lp.stopping = true
	lp.box.cancel()
	ended := lp.box.finish(deadline)

	var closing sync.WaitGroup
	for t := range lp.awake {
		t.streams.end(ErrStopped)
		l, o := t.live(), t.opened()
		if l != nil {
			t.fold()
			t.options.Durable = t.haveBytes()
			lp.save(t)
		}
		if o == nil {
			continue
		}
		closing.Go(func() {
			if l != nil {
				l.net.Detach()
			}
			if err := o.files.Close(context.WithoutCancel(lp.box.ctx)); err != nil {
				lp.log.Warn("closing the files of a transfer", "id", t.id.Short(), "error", err)
			}
		})
	}
	if closed := lp.box.settle(closing.Wait, deadline); !ended || !closed {
		lp.log.Error("not everything stopped in time")
	}
	for t := range lp.awake { // blocks may have arrived until the swarm was detached
		if t.level() == live {
			t.fold()
			lp.save(t)
		}
	}
	lp.box.close()
}
