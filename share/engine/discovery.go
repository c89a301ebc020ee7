package engine

import (
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/tracker"
)

// failed notes the error of the last attempt, if any.
func failed(w share.Way, err error) share.Way {
	if w.Error, w.ErrorText = "", nil; err != nil {
		w.Error, w.ErrorText = err.Error(), share.TextOf(err).Of()
	}
	return w
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
				out = append(out, failed(share.Way{Source: share.FromWebSeed, Name: w.URL, On: true, Last: w.Last, Next: w.Next}, w.Err))
			}
		case !t.known():
			notYet := share.Wrapf("not asked: what the content consists of has to come from a peer first")
			for _, u := range face.UsableSeeds(t.options.WebSeeds) {
				out = append(out, failed(share.Way{Source: share.FromWebSeed, Name: u, On: true}, notYet))
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
		w := failed(share.Way{Source: share.FromTracker, Name: s.URL, On: true, Last: s.Last, Next: s.Next, Found: s.Peers}, s.Err)
		i, again := at[s.URL]
		if !again {
			at[s.URL] = len(out)
			out = append(out, w)
			continue
		}
		old := &out[i]
		if old.Error == "" || w.Error == "" {
			*old = failed(*old, nil)
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
		way := failed(share.Way{Source: s, Busy: w.busy > 0, Last: w.last, Found: w.found, On: w.found > 0}, w.err)
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
