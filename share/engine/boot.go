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

// open makes everything that the loop works with and loads the transfers of
// the last run. The function it returns undoes it all.
func (e *Engine) open(ctx context.Context) (stop func() error, err error) {
	if !e.cfg.Look {
		if err := os.MkdirAll(e.cfg.Dir, 0o700); err != nil {
			return nil, share.Errorf(share.Disk, "making the folder for torrents: %w", err)
		}
	}
	var rows []row
	if e.state, rows, err = openState(ctx, e.cfg.DB); err != nil {
		return nil, err
	}
	if !e.cfg.Look {
		e.state.notes = newNotebook(e.cfg.Dir, e.cfg.DB, e.log)
	}
	kept := &ledger{e.cfg.DB, e.state.notes}
	store, err := storage.New(storage.Config{Logger: e.log, Ledger: kept, Preallocate: e.cfg.Preallocate, Now: e.cfg.Now})
	if err != nil {
		return nil, fmt.Errorf("preparing storage: %w", err)
	}
	e.work = &worker{
		log: e.log, store: store, ledger: kept, torrents: e.torrents, swarms: e.swarms, mounts: e.mounts, readOnly: e.cfg.Look,
	}
	if err := e.swarms.Start(); err != nil {
		return nil, err
	}
	e.trackers, err = tracker.New(tracker.Config{
		Logger: e.log, Policy: e.discovery.far, PeerID: e.swarms.PeerID(), Agent: e.cfg.Client, Now: e.cfg.Now,
		Port:     e.port,
		Progress: e.progress,
		Found:    func(id share.ID, peers []netip.AddrPort) { e.discovery.hint(id, share.FromTracker, peers) },
	})
	if err != nil {
		return nil, errors.Join(err, e.swarms.Close())
	}
	e.discovery.trackers = e.trackers
	e.announce = &announcer{finders: e.cfg.Finders, noTrackers: e.cfg.NoTrackers, network: e.swarms, trackers: e.trackers}

	// Services go on while the transfers are being put away.
	service, halt := context.WithCancel(context.WithoutCancel(ctx))
	e.box.open(service)
	var services, announcer sync.WaitGroup
	farewell, endAnnouncer := context.WithCancel(service)
	services.Go(func() { e.state.run(service, func(err error) { e.log.Error("the state was not saved", "error", err) }) })
	services.Go(func() { e.report("storage", store.Run(service)) })
	services.Go(func() { e.serial.run(service) })
	if e.state.notes != nil {
		services.Go(func() { e.state.notes.run(service, rows) })
	}
	announcer.Go(func() { e.report("trackers", e.trackers.Run(farewell)) })

	for _, r := range rows {
		e.load(r)
	}
	e.totals.sampled, e.rounds.began = time.Now(), e.now()
	for t := range e.awake {
		e.reconcile(t)
	}
	return func() error {
		deadline := time.Now().Add(stopTime)
		for _, t := range e.transfers.byID {
			e.announce.keep(t)
		}
		endAnnouncer()
		e.putAway(deadline)
		err := e.swarms.Close()
		announcer.Wait()
		halt()
		services.Wait()
		if e.state.notes != nil {
			e.state.notes.write(context.Background())
		}
		return err
	}, nil
}

func (e *Engine) report(what string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		e.log.Error("a part of the engine ended", "part", what, "error", err)
	}
}

// port is where peers reach us over TCP.
func (e *Engine) port() uint16 {
	for _, l := range e.cfg.Listeners {
		if ap, err := netip.ParseAddrPort(l.Addr().String()); err == nil {
			return ap.Port()
		}
	}
	return 0
}

// load brings back a transfer of the last run. Those that are complete stay at
// rest: their files are looked at in turn, see lookInTurn.
func (e *Engine) load(r row) {
	if r.kind == kindEnded {
		e.shelf.add(r)
		return
	}
	t := &transfer{row: r, done: r.kind == kindOwn || !r.completed.IsZero() && !r.options.Lost}
	if !e.settleOwners(t) {
		if e.cfg.Look {
			return // the next node that is not there to look ends it
		}
		if t.kind == kindOwn {
			e.shelve(t)
		} else {
			e.state.remove(t.id, false)
		}
		return
	}
	if t.done && t.size == t.total {
		t.options.Counted = true // older releases did not note it
	}
	e.transfers.add(t)
	t.shown.State = t.state()
	switch {
	case e.cfg.Look:
		e.rounds.add(t)
	case t.options.Verify && t.known(): // recovered, or interrupted
		e.awake[t] = struct{}{}
		e.slots.stale = true
	case t.options.Paused:
		if t.done {
			e.rounds.add(t)
		}
	case t.done && t.options.Damage == "":
		e.announce.show(t)
		e.rounds.add(t)
	case t.done:
		e.rounds.add(t)
		e.awake[t] = struct{}{}
	default:
		e.awake[t] = struct{}{}
		e.slots.stale = true
	}
}

// putAway ends all jobs and closes what is open, until deadline.
func (e *Engine) putAway(deadline time.Time) {
	e.stopping = true
	e.box.cancel()
	e.settle(e.box.tasks.Wait, deadline)

	var closing sync.WaitGroup
	for t := range e.awake {
		t.streams.end(ErrStopped)
		l, o := t.live(), t.opened()
		if l != nil {
			t.fold()
			t.options.Durable = t.haveBytes()
			e.save(t)
		}
		if o == nil {
			continue
		}
		closing.Go(func() {
			if l != nil {
				l.net.Detach()
			}
			if err := o.files.Close(context.WithoutCancel(e.box.ctx)); err != nil {
				e.log.Warn("closing the files of a transfer", "id", t.id.Short(), "error", err)
			}
		})
	}
	e.settle(closing.Wait, deadline)
	for t := range e.awake { // a block may have come until its transfer left the library
		if t.level() == live {
			t.fold()
			e.save(t)
		}
	}
	e.box.close()
}

// settle lets jobs report until wait returns.
func (e *Engine) settle(wait func(), deadline time.Time) {
	if !e.box.settle(wait, deadline) {
		e.log.Error("not everything stopped in time")
	}
}
