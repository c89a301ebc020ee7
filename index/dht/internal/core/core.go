// Package core keeps to itself what a DHT node does with a datagram: it is a state
// machine that is given datagrams and the time, and returns datagrams. It has no
// goroutine, clock, lock or socket, so that one process can run one of them on the
// network or ten thousand in a simulation.
//
// A Core is not safe for concurrent use. It calls the functions it was given
// from within its own methods; they must not call it back unless they say so.
//
// Times are durations since a moment of the caller's choice. They never go back.
package core

import (
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/limit"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/table"
	"github.com/shoalnet/shoal/index/dht/internal/token"
)

// Via is our end of a datagram's path: which socket, and which of its addresses.
// The zero Addr leaves the choice to the system.
type Via struct {
	Socket int
	Addr   netip.Addr
}

// AnySocket is the Via.Socket of what may leave from any.
const AnySocket = -1

// Config is what a node needs. Send is required.
type Config struct {
	// Seed makes tokens and transaction ids unpredictable.
	Seed [32]byte
	// ID to begin with; random if zero.
	ID nodeid.ID
	// Send sends a datagram, which it must not keep. It reports whether the
	// system took it.
	Send func(b []byte, to netip.AddrPort, via Via) bool
	// Port is the TCP port to announce; 0 or nil means the port of the socket.
	Port func() uint16
	// Seeding reports whether we have all of a key's content; nil for never.
	Seeding func(nodeid.ID) bool
	// WantContacts is called while few or no nodes are known, at growing intervals.
	// AddContact takes the answer.
	WantContacts func()
	// Unsolicited is called for queries from addresses that nothing was sent to for
	// at least five minutes, of hosts that wrote to us before we wrote to them:
	// proof that strangers reach us.
	Unsolicited func(from netip.AddrPort, local netip.Addr)
	// Told reports whether a host was asked to query us with this node ID, from a
	// port that nothing was sent to; nil for never. Such a query is reported to
	// Unsolicited even if we wrote to the host before.
	Told func(nodeid.ID) bool
	// OnConnected is called when the first node becomes known, and when none is left.
	OnConnected func(connected bool)
	// Joined is called once, when the node has found the nodes closest to its ID.
	Joined func()
	// ReadOnly nodes send queries and answer none (BEP 43).
	ReadOnly bool
	// Strict nodes ignore nodes whose ID does not match their address (BEP 42).
	Strict bool
	// Peers and Items bound what others may store here; 0 for the defaults.
	Peers, Items int
}

// Core is a node: it passes datagrams and the time to its parts, and passes on what
// one part learned to another. No part knows the Core.
type Core struct {
	*clock
	identity *identity
	table    *table.Table
	remotes  *remotes
	sender   *sender
	queries  *queries
	pings    *pings
	searches *searches
	stores   *stores
	server   *server
	*finder  // whose exported methods are the Core's
	upkeep   *upkeep
	announce *announcer
	received ReceiveStats
}

// New makes a node that knows no other and does nothing until Start.
func New(cfg Config) *Core {
	c := &Core{clock: newClock(cfg.Seed), remotes: newRemotes(), sender: newSender(cfg.Send)}
	var secret [32]byte
	for i := range secret {
		secret[i] = byte(c.rand.Uint32())
	}
	if cfg.ID == (nodeid.ID{}) {
		cfg.ID = nodeid.Random(c.rand)
	}
	c.table = table.New(cfg.ID, cfg.Strict)
	c.identity = &identity{clock: c.clock, table: c.table, tcp: cfg.Port}
	c.queries = &queries{
		clock: c.clock, identity: c.identity, table: c.table, remotes: c.remotes, sender: c.sender,
		readOnly: cfg.ReadOnly, strict: cfg.Strict, pending: make(map[uint32]*query),
	}
	c.pings = &pings{queries: c.queries}
	c.searches = &searches{queries: c.queries}
	c.stores = newStores(c.clock, cfg.Peers, cfg.Items)
	c.server = &server{
		clock: c.clock, identity: c.identity, table: c.table, remotes: c.remotes, sender: c.sender,
		pings: c.pings, stores: c.stores, readOnly: cfg.ReadOnly, strict: cfg.Strict,
		told: cfg.Told, unsolicited: cfg.Unsolicited,
		tokens: token.New(secret), rates: limit.NewQueries(eachRate, strangersRate),
	}
	c.server.parking = newParking(c.clock, c.server.unpark)
	c.finder = &finder{clock: c.clock, identity: c.identity, queries: c.queries, searches: c.searches, stores: c.stores}
	c.upkeep = newUpkeep(c.queries, c.searches, c.pings, &cfg)
	c.announce = newAnnouncer(c.queries, c.searches, c.stores, cfg.Seeding)
	return c
}

// ID is the node's name now; it changes with the node's address (BEP 42).
func (c *Core) ID() nodeid.ID { return c.identity.ID() }

// Start joins the network.
func (c *Core) Start(now time.Duration) {
	c.enter(now)
	c.upkeep.begin()
}

// Begin starts a search, at once or when there is room. The function returned
// cancels it. If no node is known, the search is over at once.
func (c *Core) Begin(s Search) (cancel func()) { return c.searches.begin(s) }

// Deadline is the time at which to call Wake next; false if no timer runs.
func (c *Core) Deadline() (time.Duration, bool) { return c.deadline() }

// Wake fires the timers that are due.
func (c *Core) Wake(now time.Duration) {
	c.enter(now)
	c.stores.sweep()
	c.fire()
	c.upkeep.reportIsolation()
}

// AddContact adds an address that may be a node: a bootstrap host, a peer that sent
// PORT, an address in a link.
func (c *Core) AddContact(now time.Duration, addr netip.AddrPort) {
	c.AddNode(now, table.Contact{Addr: addr})
}

// AddNode adds a node that was known once. It enters the table if it answers.
func (c *Core) AddNode(now time.Duration, n table.Contact) {
	c.enter(now)
	c.upkeep.add(n)
}

// Announce keeps id announced until Withdraw.
func (c *Core) Announce(now time.Duration, id nodeid.ID) {
	c.enter(now)
	c.announce.add(id)
}

// Withdraw stops announcing id. Other nodes forget it in time.
func (c *Core) Withdraw(id nodeid.ID) { c.announce.remove(id) }

// Contacts appends the nodes worth saving across a restart. Those that accept
// unsolicited queries come first.
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

// SetAddresses sets the node's own global addresses, best first. It queries from the
// best one, so that others see one node and not several. When that address changes,
// the node takes an ID that fits it, looks up that ID, and announces everything
// again.
func (c *Core) SetAddresses(now time.Duration, addrs []netip.Addr) {
	c.enter(now)
	if c.identity.setAddresses(addrs) {
		c.Moved(now)
	}
}

// Moved is called when the address changed or the machine slept: the node announces
// everything again and looks up its own ID.
func (c *Core) Moved(now time.Duration) {
	c.enter(now)
	c.queries.silence = 0
	c.announce.everything()
	c.upkeep.retryNow()
}

// Receive handles a datagram that arrived from there by via. It keeps no part of
// it.
func (c *Core) Receive(now time.Duration, b []byte, from netip.AddrPort, via Via) {
	c.enter(now)
	c.received.In++
	c.received.BytesIn += uint64(len(b))
	if !krpc.Dialable(from) {
		c.received.Malformed++
		return
	}
	var m krpc.Message
	if err := krpc.Decode(b, &m); err != nil {
		c.received.Malformed++
		if m.Kind == krpc.KindQuery && len(m.TID) > 0 && len(m.TID) <= krpc.MaxTID {
			c.server.complain(&m, len(b), from, via)
		}
		return
	}
	switch m.Kind {
	case krpc.KindQuery:
		c.server.serve(&m, b, from, via)
	default:
		c.answered(&m, from)
		c.upkeep.reportIsolation()
	}
}

// answered passes an answer to its query, and acts on what it says about us.
func (c *Core) answered(m *krpc.Message, from netip.AddrPort) {
	q, back := c.queries.answered(m, from)
	if q == nil {
		return
	}
	if back {
		c.upkeep.retryNow()
	}
	if m.IP.IsValid() && c.identity.vote(from, m.IP.Addr()) {
		c.upkeep.lookUpSelf()
	}
	c.queries.deliver(q, m)
	c.server.parking.proven(from)
}
