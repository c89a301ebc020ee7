package engine

import (
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/tracker"
)

const notYet = "not asked: what the content consists of has to come from a peer first"

// text is the message of err; empty without one.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Discovery returns the state of each source of peers of a transfer.
func (e *Engine) Discovery(id share.ID) (out []share.Way, err error) {
	err = e.on(id, func(lp *loop, t *transfer) error {
		out = lp.discovery.ways(t)
		var all []tracker.Status
		for _, id := range t.ids() {
			all = append(all, lp.trackers.Status(id)...)
		}
		out = append(out, trackerWays(all)...)
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

// trackerWays is the state of each tracker, which is asked by each name of a transfer. An
// error is told where no name has an answer.
func trackerWays(all []tracker.Status) (out []share.Way) {
	at := make(map[string]int)
	for _, s := range all {
		w := share.Way{Source: share.FromTracker, Name: s.URL, On: true, Last: s.Last, Next: s.Next, Found: s.Peers, Error: text(s.Err)}
		i, again := at[s.URL]
		if !again {
			at[s.URL] = len(out)
			out = append(out, w)
			continue
		}
		old := &out[i]
		if old.Error == "" || w.Error == "" {
			old.Error = ""
		}
		if w.Last.After(old.Last) {
			old.Last = w.Last
		}
		if w.Next.Before(old.Next) {
			old.Next = w.Next
		}
		old.Found = max(old.Found, w.Found)
	}
	return out
}

// ways is the state of each source of addresses for t, but for trackers.
func (d *discovery) ways(t *transfer) (out []share.Way) {
	now := d.now()
	for _, s := range []share.Source{share.FromLink, share.FromDHT, share.FromLAN, share.FromPEX, share.FromIncoming, share.FromUser} {
		w := *t.peers.tallyOf(s)
		way := share.Way{Source: s, Busy: w.busy > 0, Last: w.last, Found: w.found, Error: text(w.err), On: w.found > 0}
		switch s {
		case share.FromLink:
			way.On = len(t.options.Peers) > 0
		case share.FromPEX:
			way.On = !t.private()
		case share.FromIncoming:
			way.On = true
		case share.FromDHT, share.FromLAN:
			way.On = d.finders.has(s) && !t.private()
			if way.On && !way.Busy && t.searching() && t.peers.search.next.After(now) {
				way.Next = t.peers.search.next
			}
		}
		out = append(out, way)
	}
	return out
}
