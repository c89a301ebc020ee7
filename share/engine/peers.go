package engine

import (
	"net/netip"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/tracker"
)

// peers is how a transfer finds its peers and is found by them.
type peers struct {
	book      *book
	search    search
	tallies   []tally
	callers   callers
	asking    interface{ AddPeers([]face.Peer) } // who is asked about the content, if it is not known
	told      []share.ID                         // by which trackers or peers know of it
	announced []share.ID                         // to finders
	called    time.Time                          // when it last looked for peers though it is complete
}

// tell notes that trackers or peers know of an ID.
func (p *peers) tell(id share.ID) {
	if !slices.Contains(p.told, id) {
		p.told = append(p.told, id)
	}
}

// tally counts what one source did for one transfer.
type tally struct {
	source share.Source
	busy   int
	last   time.Time
	found  int
	err    error
}

// tallyOf finds or makes the tally of a source. There are seven at most.
func (p *peers) tallyOf(s share.Source) *tally {
	for i := range p.tallies {
		if p.tallies[i].source == s {
			return &p.tallies[i]
		}
	}
	p.tallies = append(p.tallies, tally{source: s})
	return &p.tallies[len(p.tallies)-1]
}

// searched notes the end of a search.
func (p *peers) searched(s share.Source, err error, now time.Time) {
	w := p.tallyOf(s)
	w.busy--
	if w.err = err; err == nil {
		w.last = now
	}
}

// brought notes how many new addresses a source told of.
func (p *peers) brought(s share.Source, fresh int, now time.Time) {
	w := p.tallyOf(s)
	w.found += fresh
	w.last = now
}

// callers are the hosts that called for a transfer: the latest, so that a million of them
// take no more room than a thousand.
type callers map[netip.Addr]bool

// add returns how many of them are new.
func (c *callers) add(from []netip.AddrPort) (n int) {
	for _, a := range from {
		if host := a.Addr(); !(*c)[host] {
			if *c == nil || len(*c) == mostCallers {
				*c = make(callers)
			}
			(*c)[host] = true
			n++
		}
	}
	return n
}

const mostCallers = 1000

// searching tells whether t is looking for peers.
func (t *transfer) searching() bool {
	if t.removing != nil || t.failure != nil || t.options.Paused || t.kind != kindFetch {
		return false
	}
	return !t.known() || t.level() == live && !t.done
}

// private tells whether t may be found through its trackers only (BEP 27).
func (t *transfer) private() bool {
	return t.options.Private || t.info != nil && t.info.Private
}

// figures are what trackers are told. Files that are not wanted count as left, too: a
// peer that lacks them is no seed.
func (t *transfer) figures() tracker.Progress {
	p := tracker.Progress{Left: -1}
	p.Downloaded, p.Uploaded = t.traffic()
	p.Uploaded -= t.given.bytes.Load() // trackers count what peers give each other
	switch o := t.opened(); {
	case !t.known():
	case o != nil:
		p.Left = max(t.size-o.files.Progress().Bytes, 0)
	default:
		p.Left = max(t.size-t.total, 0) + max(t.total-t.haveBytes(), 0)
	}
	return p
}
