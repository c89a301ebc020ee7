package core

import (
	"slices"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/limit"
	"github.com/shoalnet/shoal/index/dht/internal/lookup"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/recent"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

// announcer keeps keys announced.
//
// Where several keys that are due lie close together, they are done together: a
// survey finds all nodes of that region of the key space, and every key of the
// region is announced with the closest of them. Keys are taken in their order.
// A key by itself has a search of its own.
type announcer struct {
	*clock
	identity *identity
	queries  *queries
	searches *searches
	stores   *stores
	has      func(nodeid.ID) bool // whether we have all of a key's content; nil for never

	keys   []*key // by ID
	cursor nodeid.ID
	tick   timer
	jobs   []*job
	spent  limit.Bucket
	shape  limit.Rate // of spent, as of the last pump
	burst  int        // keys not announced when there were most, since there were none
	cost   float64    // queries for a key, averaged over recent ones
	// bound are the nodes whose tokens are good for one key only.
	bound recent.Map[nodeid.ID, struct{}]
	stats AnnounceStats
}

// AnnounceStats counts what announcing has done and what it costs.
type AnnounceStats struct {
	Keys      int    // kept announced
	Waiting   int    // of them, not announced yet, or not since our address changed
	Announced uint64 // times a key was announced with at least one node
	Refused   uint64 // times no node accepted it
	Lookups   uint64
	Datagrams uint64 // sent and received for all this
}

type key struct {
	id    nodeid.ID
	due   time.Duration
	tried int // in vain, in a row
	thin  int // in a row, times too few nodes took it
	added time.Duration
	known bool // announced once
	done  bool // and since something changed
	busy  bool
	gone  bool
	alone bool // it is not announced along with others, which failed
}

const (
	// interval between announcements of a key. The network forgets them after
	// 30 minutes or more, and within half of that a quarter of the nodes that
	// have one may have left.
	interval = 15 * time.Minute
	// early is how long before its time a key is announced along with others.
	early = interval / 3
	retry = 20 * time.Second
	// young is how soon a key is announced again when there were too few nodes
	// to take it, doubled each time: the network, or our view of it, is growing.
	young = 5 * time.Second

	jobsMax   = 8   // looking for nodes; as many again may be announcing, and any with new keys
	groupMin  = 3   // keys worth a survey
	groupMax  = 256 // keys of a job, so that the tokens do not expire on the way
	groupOpen = 8   // keys of a job in the course of being announced

	// behindMax is how far our queries to a node may run ahead of its pace, and
	// freshMax for keys never announced before.
	behindMax = 2 * time.Second
	freshMax  = 10 * time.Second
	// within is the time in which all keys are announced after a change.
	within  = 45 * time.Second
	rateMin = 40
	rateMax = 1500 // queries a second, whatever the number of keys
)

func newAnnouncer(qs *queries, ss *searches, st *stores, seeding func(nodeid.ID) bool) *announcer {
	a := &announcer{
		clock: qs.clock, identity: qs.identity, queries: qs, searches: ss, stores: st, has: seeding,
		cost: table.K + 2,
	}
	a.tick.fire = a.pump
	a.bound.Life, a.bound.Size = time.Hour, 4096
	return a
}

// add keeps id announced until remove.
func (a *announcer) add(id nodeid.ID) {
	i, found := a.search(id)
	if found {
		return
	}
	a.keys = slices.Insert(a.keys, i, &key{id: id, due: a.now, added: a.now})
	a.soon()
}

func (a *announcer) remove(id nodeid.ID) {
	if i, found := a.search(id); found {
		a.keys[i].gone = true
		a.keys = slices.Delete(a.keys, i, i+1)
	}
}

func (a *announcer) search(id nodeid.ID) (int, bool) {
	return slices.BinarySearchFunc(a.keys, id, func(k *key, id nodeid.ID) int {
		switch {
		case k.id == id:
			return 0
		case k.id.Less(id):
			return -1
		}
		return 1
	})
}

// everything announces all keys again.
func (a *announcer) everything() {
	for _, k := range a.keys {
		k.due, k.done, k.tried, k.thin = a.now, false, 0, 0
	}
	if len(a.keys) > 0 {
		a.soon()
	}
}

func (a *announcer) soon() {
	if !a.tick.Queued() || a.tick.at > a.now {
		a.setAt(&a.tick, a.now)
	}
}

// pump starts the jobs that are due and continues those that run, as fast as the
// rate allows.
func (a *announcer) pump() {
	if len(a.keys) == 0 && len(a.jobs) == 0 {
		return
	}
	next := time.Second
	defer func() { a.set(&a.tick, next) }()
	if a.queries.isolated() {
		return
	}
	a.shape = a.rate()
	for a.seeking() < jobsMax {
		k := a.next()
		if k == nil || !a.allowed(!k.known) || k.done && len(a.jobs) >= 2*jobsMax {
			break
		}
		a.begin(k)
	}
	for _, j := range slices.Clone(a.jobs) {
		j.step()
	}
	if len(a.jobs) > 0 {
		next = 100 * time.Millisecond
	}
}

// seeking counts the jobs that do not know their nodes yet.
func (a *announcer) seeking() int {
	n := 0
	for _, j := range a.jobs {
		if !j.found {
			n++
		}
	}
	return n
}

// allowed reports whether the rate allows more queries now. Keys that were announced
// before leave a part of it to new ones. spend counts a query.
func (a *announcer) allowed(fresh bool) bool {
	free := a.spent.Free(a.now, a.shape)
	return free > 0 && (fresh || free > a.shape.Burst/4)
}

func (a *announcer) spend() { a.spent.Wait(a.now, a.shape) }

// learn adds the cost of a job to the average.
func (a *announcer) learn(queries, keys int) {
	a.cost += (float64(queries)/float64(keys) - a.cost) / 8
}

// rate is what the announcements of all keys need, evenly spread, twice over,
// so that it is a bound and not a schedule; more after a change.
func (a *announcer) rate() limit.Rate {
	pending := 0
	for _, k := range a.keys {
		if !k.done {
			pending++
		}
	}
	a.burst = max(a.burst, pending)
	if pending == 0 {
		a.burst = 0
	}
	perSecond := max(
		2*a.cost*float64(len(a.keys))/interval.Seconds(),
		a.cost*float64(a.burst)/within.Seconds(),
	)
	perSecond = min(max(perSecond, rateMin), rateMax)
	return limit.Rate{PerSecond: perSecond, Burst: perSecond}
}

// next finds the key to begin with: those never announced before others, the
// latest of them first, then those not announced since something changed, then
// those that are due, and in each class the next in key order.
func (a *announcer) next() *key {
	start, _ := a.search(a.cursor)
	var best *key
	for i := range a.keys {
		k := a.keys[(start+i)%len(a.keys)]
		if !k.busy && k.due <= a.now && (best == nil || k.before(best)) {
			best = k
		}
	}
	if best != nil {
		a.cursor = best.id
	}
	return best
}

func (k *key) before(o *key) bool {
	switch {
	case k.known != o.known:
		return !k.known
	case !k.known:
		return k.added/time.Second > o.added/time.Second
	}
	return !k.done && o.done
}

// begin announces k, and the keys near it along with it.
func (a *announcer) begin(k *key) {
	j := &job{a: a, first: k, fresh: !k.known, next: a.jitter(interval * 4 / 5)}
	k.busy = true
	a.jobs = append(a.jobs, j)
	if !k.alone {
		j.gather(a.queries.table.Depth(regionSize))
	}
	if 1+len(j.keys) >= groupMin {
		j.survey()
	} else {
		j.release()
		j.search()
	}
}

// ripe reports whether k may be announced along with others now.
func (a *announcer) ripe(k *key) bool {
	return !k.busy && !k.gone && !k.alone && k.due <= a.now+early
}

func (a *announcer) seeding(id nodeid.ID) bool { return a.has != nil && a.has(id) }

// holdOwn stores our own announcement here if we are one of the nodes closest to
// its key ourselves, apart from which nodes are.
func (a *announcer) holdOwn(id nodeid.ID, nodes []*lookup.Node) {
	self := a.identity.self()
	ours := a.identity.ID()
	if self.Port() != 0 && self.Addr().IsValid() && (len(nodes) < table.K || nodeid.Closer(&id, &ours, &nodes[table.K-1].ID)) {
		a.stores.peers.Add(a.now, id, self, a.seeding(id))
	}
}

func (a *announcer) report() AnnounceStats {
	s := a.stats
	s.Keys = len(a.keys)
	for _, k := range a.keys {
		if !k.done {
			s.Waiting++
		}
	}
	return s
}
