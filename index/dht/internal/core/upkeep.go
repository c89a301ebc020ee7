package core

import (
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/lookup"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/recent"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

// upkeep finds the network and keeps the routing table true.
type upkeep struct {
	*clock
	identity *identity
	table    *table.Table
	queries  *queries
	searches *searches
	pings    *pings

	// As in Config; nil for nobody to tell.
	onHungry func()
	onJoined func()
	onMet    func(anybody bool)

	tick    timer
	joined  bool
	alone   bool          // nobody is known
	probed  time.Duration // last query while offline
	checked time.Duration // last look for silent nodes

	// Addresses that may be nodes, not asked yet.
	contacts []table.Contact
	tried    recent.Map[netip.AddrPort, struct{}]
	greeting int // queries to contacts in flight

	settling bool          // a search for our own ID is going on
	settled  time.Duration // when the last one began
	filling  int           // searches for thin parts of the table going on

	fasting  timer // until Hungry is called again
	patience time.Duration
}

const (
	tickEvery   = 5 * time.Second
	settleEvery = 15 * time.Minute
	thinEvery   = 15 * time.Minute
	probeEvery  = 15 * time.Second
	checkEvery  = 20 * time.Second

	checksAtOnce = 12

	contactsMax = 512
	greetings   = 32 // contacts asked at a time
	// enough nodes in the table make those without a name uninteresting: every
	// peer of every transfer may tell us of one.
	enough = 64

	hungryFirst = 5 * time.Second
	hungryMax   = 5 * time.Minute
)

func newUpkeep(qs *queries, ss *searches, ps *pings, cfg *Config) *upkeep {
	u := &upkeep{
		clock: qs.clock, identity: qs.identity, table: qs.table, queries: qs, searches: ss, pings: ps,
		onHungry: cfg.Hungry, onJoined: cfg.Joined, onMet: cfg.Met,
		alone: true, patience: hungryFirst,
	}
	u.tick.fire = u.ticked
	u.fasting.fire = u.beg
	u.tried.Life, u.tried.Size = time.Minute, contactsMax
	return u
}

func (u *upkeep) begin() {
	u.set(&u.tick, u.jitter(tickEvery))
	u.greet()
	u.beg()
}

// poor tells whether we know so few that these may know no others either.
func (u *upkeep) poor() bool { return u.queries.lonely() || u.table.Len() < table.K }

// beg asks for contacts while there are too few, less and less often.
func (u *upkeep) beg() {
	if !u.poor() {
		u.patience = hungryFirst
		return
	}
	u.set(&u.fasting, u.jitter(u.patience))
	u.patience = min(2*u.patience, hungryMax)
	if len(u.contacts) == 0 && u.onHungry != nil {
		u.onHungry()
	}
}

// hurry does at once what would be done later.
func (u *upkeep) hurry() {
	u.patience = hungryFirst
	u.tried = recent.Map[netip.AddrPort, struct{}]{Life: u.tried.Life, Size: u.tried.Size}
	u.settled = 0
	if !u.tick.Queued() {
		return // not begun
	}
	if u.poor() {
		u.beg()
	}
	u.settle()
}

// add takes a node to be asked, which gets into the table if it answers.
func (u *upkeep) add(n table.Contact) {
	if !krpc.Dialable(n.Addr) || len(u.contacts) >= contactsMax {
		return
	}
	if !u.poor() {
		_, tried := u.tried.Get(u.now, n.Addr)
		if tried || n.ID == (nodeid.ID{}) && u.table.Len() >= enough {
			return
		}
	}
	u.tried.Put(u.now, n.Addr, struct{}{})
	u.contacts = append(u.contacts, n)
	if u.tick.Queued() {
		u.greet()
	}
}

func (u *upkeep) greet() {
	for u.greeting < greetings && len(u.contacts) > 0 {
		n := u.contacts[0]
		u.contacts = u.contacts[1:]
		u.greeting++
		u.queries.ask(n, &krpc.Query{Method: krpc.FindNode, Target: u.identity.ID()}, greeter{u}, nil)
	}
}

type greeter struct{ u *upkeep }

func (g greeter) reply(q *query, _ *krpc.Message) { g.next(q) }
func (g greeter) late(q *query)                   { g.next(q) }
func (g greeter) fail(q *query, _ int)            { g.next(q) }

// next lets another contact have its turn, once for each query.
func (g greeter) next(q *query) {
	q.by = pinger{}
	g.u.greeting--
	g.u.greet()
	// The first to answer may lie: look for our place when all had a chance, or
	// enough have answered.
	if u := g.u; !u.joined && (u.greeting == 0 || u.table.Len() >= table.K) {
		u.settle()
	}
}

// settle looks for our own ID: the search makes us known to the nodes that
// share most of it, and them to us.
func (u *upkeep) settle() {
	if u.settling || u.table.Len() == 0 {
		return
	}
	u.settling, u.settled = true, u.now
	self := u.identity.ID()
	u.searches.begin(Search{
		Method: krpc.FindNode, Target: self, Paths: Paths, Chore: true,
		Done: func(l *lookup.Lookup) {
			u.settling = false
			if u.identity.ID() != self {
				u.settle() // we have another place by now
				return
			}
			if len(l.Closest(1)) > 0 && !u.joined {
				u.joined = true
				if u.onJoined != nil {
					u.onJoined()
				}
			}
			u.fill()
		},
	})
}

// fill looks for nodes in the thin parts of the table, a few at a time.
func (u *upkeep) fill() {
	for u.filling < 2 && !u.queries.lonely() {
		target, thin := u.table.Thin(u.now, thinEvery, u.rand)
		if !thin {
			return
		}
		u.filling++
		u.searches.begin(Search{
			Method: krpc.FindNode, Target: target, Chore: true,
			Done: func(*lookup.Lookup) {
				u.filling--
				u.fill()
			},
		})
	}
}

// ticked does the regular work.
func (u *upkeep) ticked() {
	u.set(&u.tick, u.jitter(tickEvery))
	if u.identity.fit() {
		u.settle()
	}
	if u.poor() && !u.fasting.Queued() {
		u.beg()
	}
	switch {
	case u.queries.lonely():
		u.probe()
	case !u.joined || u.now-u.settled > settleEvery:
		u.settle()
	default:
		u.fill()
		u.check()
	}
}

// probe asks one node now and then while nobody answers.
func (u *upkeep) probe() {
	if u.table.Len() == 0 || u.now-u.probed < probeEvery {
		return
	}
	u.probed = u.now
	near := u.table.Closest(nil, nodeid.Random(u.rand), 1, u.identity.ID())
	if len(near) == 0 {
		failing := u.table.Failing(nil, table.K)
		near = failing[u.rand.IntN(len(failing)):]
	}
	u.queries.ask(near[0], &krpc.Query{Method: krpc.FindNode, Target: u.identity.ID()}, pinger{}, nil)
}

// check asks the nodes that were not heard for long. Their answers name others,
// which the searches to come will meet.
func (u *upkeep) check() {
	if u.now-u.checked < checkEvery {
		return
	}
	u.checked = u.now
	for _, n := range u.table.Check(nil, u.now, checksAtOnce) {
		u.queries.ask(n, &krpc.Query{
			Method: krpc.FindNode, Target: u.identity.ID().At(u.identity.ID().Prefix(n.ID), u.rand),
		}, checker{u.pings}, nil)
	}
}

// checker pings the nodes that an answer names where the table has room.
type checker struct{ pings *pings }

func (k checker) reply(q *query, m *krpc.Message) {
	for id, addr := range m.Nodes {
		n := table.Contact{ID: id, Addr: addr}
		if nodeid.Local(addr.Addr()) && !nodeid.Local(q.to.Addr.Addr()) || !k.pings.queries.table.Wants(n) {
			continue
		}
		k.pings.ping(n, q.via)
	}
}
func (checker) late(*query)      {}
func (checker) fail(*query, int) {}

// company tells when somebody or nobody is known.
func (u *upkeep) company() {
	lonely := u.queries.lonely()
	if lonely == u.alone {
		return
	}
	u.alone = lonely
	if u.onMet != nil {
		u.onMet(!lonely)
	}
	if !lonely && !u.joined && u.greeting == 0 {
		u.settle()
	}
}
