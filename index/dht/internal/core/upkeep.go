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

	// As in Config; nil for none.
	onWantContacts func()
	onJoined       func()
	onConnected    func(connected bool)

	tick     timer
	joined   bool
	isolated bool          // no node is known
	probed   time.Duration // last query while offline
	checked  time.Duration // last look for silent nodes

	// Addresses that may be nodes, not asked yet.
	contacts []table.Contact
	tried    recent.Map[netip.AddrPort, struct{}]
	asking   int // queries to contacts in flight

	lookingUp  bool          // a search for our own ID is going on
	lookedUp   time.Duration // when the last one began
	refreshing int           // searches for thin parts of the table going on

	wanting     timer // until WantContacts is called again
	wantBackoff time.Duration
}

const (
	tickEvery   = 5 * time.Second
	lookUpEvery = 15 * time.Minute
	thinEvery   = 15 * time.Minute
	probeEvery  = 15 * time.Second
	checkEvery  = 20 * time.Second

	checksAtOnce = 12

	contactsMax = 512
	askingMax   = 32 // contacts asked at a time
	// enough nodes in the table make those without a name uninteresting: every
	// peer of every transfer may tell us of one.
	enough = 64

	wantFirst = 5 * time.Second
	wantMax   = 5 * time.Minute
)

func newUpkeep(qs *queries, ss *searches, ps *pings, cfg *Config) *upkeep {
	u := &upkeep{
		clock: qs.clock, identity: qs.identity, table: qs.table, queries: qs, searches: ss, pings: ps,
		onWantContacts: cfg.WantContacts, onJoined: cfg.Joined, onConnected: cfg.OnConnected,
		isolated: true, wantBackoff: wantFirst,
	}
	u.tick.fire = u.ticked
	u.wanting.fire = u.wantContacts
	u.tried.Life, u.tried.Size = time.Minute, contactsMax
	return u
}

func (u *upkeep) begin() {
	u.set(&u.tick, u.jitter(tickEvery))
	u.askContacts()
	u.wantContacts()
}

// fewNodes reports whether we know so few nodes that they may know no others.
func (u *upkeep) fewNodes() bool { return u.queries.isolated() || u.table.Len() < table.K }

// wantContacts asks the caller for contacts while few nodes are known, less and less
// often.
func (u *upkeep) wantContacts() {
	if !u.fewNodes() {
		u.wantBackoff = wantFirst
		return
	}
	u.set(&u.wanting, u.jitter(u.wantBackoff))
	u.wantBackoff = min(2*u.wantBackoff, wantMax)
	if len(u.contacts) == 0 && u.onWantContacts != nil {
		u.onWantContacts()
	}
}

// retryNow does at once what waits for a timer.
func (u *upkeep) retryNow() {
	u.wantBackoff = wantFirst
	u.tried = recent.Map[netip.AddrPort, struct{}]{Life: u.tried.Life, Size: u.tried.Size}
	u.lookedUp = 0
	if !u.tick.Queued() {
		return // not begun
	}
	if u.fewNodes() {
		u.wantContacts()
	}
	u.lookUpSelf()
}

// add queues a node to be queried. It enters the table if it answers.
func (u *upkeep) add(n table.Contact) {
	if !krpc.Dialable(n.Addr) || len(u.contacts) >= contactsMax {
		return
	}
	if !u.fewNodes() {
		_, tried := u.tried.Get(u.now, n.Addr)
		if tried || n.ID == (nodeid.ID{}) && u.table.Len() >= enough {
			return
		}
	}
	u.tried.Put(u.now, n.Addr, struct{}{})
	u.contacts = append(u.contacts, n)
	if u.tick.Queued() {
		u.askContacts()
	}
}

func (u *upkeep) askContacts() {
	for u.asking < askingMax && len(u.contacts) > 0 {
		n := u.contacts[0]
		u.contacts = u.contacts[1:]
		u.asking++
		u.queries.ask(n, &krpc.Query{Method: krpc.FindNode, Target: u.identity.ID()}, contactAsker{u}, nil)
	}
}

type contactAsker struct{ u *upkeep }

func (g contactAsker) reply(q *query, _ *krpc.Message) { g.next(q) }
func (g contactAsker) late(q *query)                   { g.next(q) }
func (g contactAsker) fail(q *query, _ int)            { g.next(q) }

// next queries another contact, once for each query.
func (g contactAsker) next(q *query) {
	q.by = pinger{}
	g.u.asking--
	g.u.askContacts()
	// The first to answer may lie: look up our own ID when all were asked, or
	// enough have answered.
	if u := g.u; !u.joined && (u.asking == 0 || u.table.Len() >= table.K) {
		u.lookUpSelf()
	}
}

// lookUpSelf searches for our own ID. The nodes that are closest to it learn of us
// that way, and we of them.
func (u *upkeep) lookUpSelf() {
	if u.lookingUp || u.table.Len() == 0 {
		return
	}
	u.lookingUp, u.lookedUp = true, u.now
	self := u.identity.ID()
	u.searches.begin(Search{
		Method: krpc.FindNode, Target: self, Paths: Paths, Chore: true,
		Done: func(l *lookup.Lookup) {
			u.lookingUp = false
			if u.identity.ID() != self {
				u.lookUpSelf() // we have another place by now
				return
			}
			if len(l.Closest(1)) > 0 && !u.joined {
				u.joined = true
				if u.onJoined != nil {
					u.onJoined()
				}
			}
			u.refresh()
		},
	})
}

// refresh searches for nodes where the table has few, a few searches at a time.
func (u *upkeep) refresh() {
	for u.refreshing < 2 && !u.queries.isolated() {
		target, thin := u.table.Thin(u.now, thinEvery, u.rand)
		if !thin {
			return
		}
		u.refreshing++
		u.searches.begin(Search{
			Method: krpc.FindNode, Target: target, Chore: true,
			Done: func(*lookup.Lookup) {
				u.refreshing--
				u.refresh()
			},
		})
	}
}

// ticked does the regular work.
func (u *upkeep) ticked() {
	u.set(&u.tick, u.jitter(tickEvery))
	if u.identity.fit() {
		u.lookUpSelf()
	}
	if u.fewNodes() && !u.wanting.Queued() {
		u.wantContacts()
	}
	switch {
	case u.queries.isolated():
		u.probe()
	case !u.joined || u.now-u.lookedUp > lookUpEvery:
		u.lookUpSelf()
	default:
		u.refresh()
		u.check()
	}
}

// probe queries one node every probeEvery while none answers.
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

// check queries nodes that have been silent for long. Their answers name others,
// which the next searches find.
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
		if !nodeid.Shared(addr.Addr(), q.to.Addr.Addr()) || !k.pings.queries.table.Wants(n) {
			continue
		}
		k.pings.ping(n, q.via)
	}
}
func (checker) late(*query)      {}
func (checker) fail(*query, int) {}

// reportIsolation calls Config.OnConnected when the first node becomes known, and
// when none is left.
func (u *upkeep) reportIsolation() {
	isolated := u.queries.isolated()
	if isolated == u.isolated {
		return
	}
	u.isolated = isolated
	if u.onConnected != nil {
		u.onConnected(!isolated)
	}
	if !isolated && !u.joined && u.asking == 0 {
		u.lookUpSelf()
	}
}
