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
	c       *Core
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

func (u *upkeep) init(c *Core) {
	u.c, u.alone = c, true
	u.tick.fire = u.ticked
	u.fasting.fire = u.beg
	u.tried.Life, u.tried.Size = time.Minute, contactsMax
	u.patience = hungryFirst
}

func (u *upkeep) begin() {
	u.c.set(&u.tick, u.c.jitter(tickEvery))
	u.greet()
	u.beg()
}

// poor tells whether we know so few that these may know no others either.
func (u *upkeep) poor() bool { return u.c.lonely() || u.c.table.Len() < table.K }

// beg asks for contacts while there are too few, less and less often.
func (u *upkeep) beg() {
	if !u.poor() {
		u.patience = hungryFirst
		return
	}
	u.c.set(&u.fasting, u.c.jitter(u.patience))
	u.patience = min(2*u.patience, hungryMax)
	if len(u.contacts) == 0 && u.c.cfg.Hungry != nil {
		u.c.cfg.Hungry()
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

// AddContact tells of an address that may be a node: a bootstrap host, a peer
// that sent PORT, an address in a link.
func (c *Core) AddContact(now time.Duration, addr netip.AddrPort) {
	c.AddNode(now, table.Contact{Addr: addr})
}

// AddNode tells of a node that was known once. It gets into the table if it
// answers.
func (c *Core) AddNode(now time.Duration, n table.Contact) {
	c.enter(now)
	u := &c.upkeep
	if !krpc.Dialable(n.Addr) || len(u.contacts) >= contactsMax {
		return
	}
	if !u.poor() {
		_, tried := u.tried.Get(c.now, n.Addr)
		if tried || n.ID == (nodeid.ID{}) && c.table.Len() >= enough {
			return
		}
	}
	u.tried.Put(c.now, n.Addr, struct{}{})
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
		u.c.ask(n, &krpc.Query{Method: krpc.FindNode, Target: u.c.ID()}, greeter{u}, nil)
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
	if u := g.u; !u.joined && (u.greeting == 0 || u.c.table.Len() >= table.K) {
		u.settle()
	}
}

// settle looks for our own ID: the search makes us known to the nodes that
// share most of it, and them to us.
func (u *upkeep) settle() {
	c := u.c
	if u.settling || c.table.Len() == 0 {
		return
	}
	u.settling, u.settled = true, c.now
	self := c.ID()
	c.Begin(Search{
		Method: krpc.FindNode, Target: self, Paths: Paths, Chore: true,
		Done: func(l *lookup.Lookup) {
			u.settling = false
			if c.ID() != self {
				u.settle() // we have another place by now
				return
			}
			if len(l.Closest(1)) > 0 && !u.joined {
				u.joined = true
				if c.cfg.Joined != nil {
					c.cfg.Joined()
				}
			}
			u.fill()
		},
	})
}

// fill looks for nodes in the thin parts of the table, a few at a time.
func (u *upkeep) fill() {
	c := u.c
	for u.filling < 2 && !u.c.lonely() {
		target, thin := c.table.Thin(c.now, thinEvery, c.rand)
		if !thin {
			return
		}
		u.filling++
		c.Begin(Search{
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
	c := u.c
	c.set(&u.tick, c.jitter(tickEvery))
	c.stores.sweep()
	if c.fit() {
		u.settle()
	}
	if u.poor() && !u.fasting.Queued() {
		u.beg()
	}
	switch {
	case u.c.lonely():
		u.probe()
	case !u.joined || c.now-u.settled > settleEvery:
		u.settle()
	default:
		u.fill()
		u.check()
	}
}

// probe asks one node now and then while nobody answers.
func (u *upkeep) probe() {
	c := u.c
	if c.table.Len() == 0 || c.now-u.probed < probeEvery {
		return
	}
	u.probed = c.now
	near := c.table.Closest(nil, nodeid.Random(c.rand), 1, c.ID())
	if len(near) == 0 {
		failing := c.table.Failing(nil, table.K)
		near = failing[c.rand.IntN(len(failing)):]
	}
	c.ask(near[0], &krpc.Query{Method: krpc.FindNode, Target: c.ID()}, pinger{}, nil)
}

// check asks the nodes that were not heard for long. Their answers name others,
// which the searches to come will meet.
func (u *upkeep) check() {
	c := u.c
	if c.now-u.checked < checkEvery {
		return
	}
	u.checked = c.now
	for _, n := range c.table.Check(nil, c.now, checksAtOnce) {
		c.ask(n, &krpc.Query{
			Method: krpc.FindNode, Target: c.ID().At(c.ID().Prefix(n.ID), c.rand),
		}, checker{c.pings}, nil)
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

// Contacts appends the nodes worth remembering across a restart, those first
// that can be reached by anybody.
func (c *Core) Contacts(dst []table.Contact) []table.Contact {
	for _, open := range []bool{true, false} {
		for e := range c.table.All {
			if e.Fails == 0 && e.Open == open {
				dst = append(dst, e.Contact)
			}
		}
	}
	return dst
}
