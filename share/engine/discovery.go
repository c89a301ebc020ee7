package engine

import (
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

const notYet = "not asked: what the content consists of has to come from a peer first"

// tally is what one source did for one transfer.
type tally struct {
	source share.Source
	busy   int
	last   time.Time
	found  int
	err    error
}

// tallyOf finds or makes the tally of a source. There are seven at most.
func (t *transfer) tallyOf(s share.Source) *tally {
	for i := range t.peers.tallies {
		if t.peers.tallies[i].source == s {
			return &t.peers.tallies[i]
		}
	}
	t.peers.tallies = append(t.peers.tallies, tally{source: s})
	return &t.peers.tallies[len(t.peers.tallies)-1]
}

// asked notes the end of a search.
func (t *transfer) asked(s share.Source, err error, now time.Time) {
	w := t.tallyOf(s)
	w.busy--
	if w.err = err; err == nil {
		w.last = now
	}
}

// brought notes addresses that a source told of.
func (t *transfer) brought(s share.Source, fresh int, now time.Time) {
	w := t.tallyOf(s)
	w.found += fresh
	w.last = now
}

// text is the message of err; empty without one.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Discovery returns the state of each source of peers of a transfer.
func (e *Engine) Discovery(id share.ID) ([]share.Way, error) {
	var out []share.Way
	err := e.on(id, func(t *transfer) error {
		now := e.now()
		for _, s := range []share.Source{share.FromLink, share.FromDHT, share.FromLAN, share.FromPEX, share.FromTracker, share.FromIncoming, share.FromUser} {
			w := *t.tallyOf(s)
			way := share.Way{Source: s, Busy: w.busy > 0, Last: w.last, Found: w.found, Error: text(w.err), On: w.found > 0}
			switch s {
			case share.FromTracker:
				continue // each by itself, below
			case share.FromLink:
				way.On = len(t.options.Peers) > 0
			case share.FromPEX:
				way.On = !t.private()
			case share.FromIncoming:
				way.On = true
			case share.FromDHT, share.FromLAN:
				way.On = e.finders.has(s) && !t.private()
				if way.On && !way.Busy && t.searching() && t.peers.search.next.After(now) {
					way.Next = t.peers.search.next
				}
			}
			out = append(out, way)
		}
		for _, s := range e.trackers.Status(t.id) {
			out = append(out, share.Way{
				Source: share.FromTracker, Name: s.URL, On: true, Last: s.Last, Next: s.Next, Found: s.Peers, Error: text(s.Err),
			})
		}
		switch l := t.live(); {
		case l != nil:
			for _, w := range l.net.WebSeeds() {
				out = append(out, share.Way{Source: share.FromWebSeed, Name: w.URL, On: true, Last: w.Last, Next: w.Next, Error: text(w.Err)})
			}
		case !t.known():
			for _, u := range face.UsableSeeds(t.options.WebSeeds) {
				out = append(out, share.Way{Source: share.FromWebSeed, Name: u, On: true, Error: notYet})
			}
		}
		return nil
	})
	return out, err
}
