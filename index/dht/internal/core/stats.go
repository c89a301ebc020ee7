package core

import (
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/krpc"
)

// Stats counts what a node did since it was made, and what it holds now.
type Stats struct {
	In         uint64 // datagrams
	BytesIn    uint64
	QueriesIn  [krpc.Methods]uint64
	RepliesOut uint64
	ErrorsOut  uint64
	Malformed  uint64 // not a message
	Limited    uint64 // queries not answered for their number
	Parked     uint64 // queries answered after their address was proven
	SendStats
	QueryStats

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

// Stats returns the counters.
func (c *Core) Stats(now time.Duration) Stats {
	c.enter(now)
	s := c.stats
	s.SendStats, s.QueryStats = c.sender.stats, c.queries.stats
	s.Nodes, s.Good = c.table.Len(), c.table.Good(c.now)
	s.Searches = len(c.searches.active) + len(c.searches.waiting)
	s.PeersHeld, s.KeysHeld, s.ItemsHeld = c.peers.Len(), c.peers.Keys(), c.items.Len()
	s.Joined, s.Offline = c.upkeep.joined, c.offline()
	s.RTT = c.rtt.mean
	s.External = c.votes.winner
	s.Announce = c.announce.report()
	return s
}
