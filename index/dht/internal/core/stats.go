package core

import (
	"net/netip"
	"time"
)

// Stats counts what a node has done since New, and what it stores now.
type Stats struct {
	ReceiveStats
	SendStats
	QueryStats
	ServeStats

	Nodes, Good     int // in the routing table
	Searches        int // going on
	PeersHeld       int
	KeysHeld        int
	ItemsHeld       int
	Joined, Offline bool
	RTT             time.Duration // smoothed, of all nodes
	External        netip.Addr    // as others see us; zero until enough agree
	Announce        AnnounceStats
}

// ReceiveStats counts datagrams from others.
type ReceiveStats struct {
	In        uint64 // datagrams
	BytesIn   uint64
	Malformed uint64 // not a message
}

// Stats returns the counters.
func (c *Core) Stats(now time.Duration) Stats {
	c.enter(now)
	s := Stats{ReceiveStats: c.received, SendStats: c.sender.stats, QueryStats: c.queries.stats, ServeStats: c.server.stats}
	s.Nodes, s.Good = c.table.Len(), c.table.Good(c.now)
	s.Searches = len(c.searches.active) + len(c.searches.waiting)
	s.PeersHeld, s.KeysHeld, s.ItemsHeld = c.stores.peers.Len(), c.stores.peers.Keys(), c.stores.items.Len()
	s.Joined, s.Offline = c.upkeep.joined, c.queries.offline()
	s.RTT = c.queries.rtt.mean
	s.External = c.identity.votes.winner
	s.Announce = c.announce.report()
	return s
}
