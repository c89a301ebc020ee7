package dht

import (
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/core"
	"github.com/shoalnet/shoal/index/dht/internal/krpc"
)

// Stats counts what a node has done since New, and what it stores now.
type Stats struct {
	Joined  bool          `json:"joined"`  // it has found the nodes closest to its ID
	Offline bool          `json:"offline"` // no node answers: our own connection seems to be down
	Nodes   int           `json:"nodes"`   // in the routing table
	Good    int           `json:"good"`    // of them, heard from in the last 15 minutes
	RTT     time.Duration `json:"rtt"`     // to the network, smoothed
	// External is our address as most other nodes see it; zero while few have
	// reported it.
	External netip.Addr `json:"external"`
	Searches int        `json:"searches"` // running

	Peers int `json:"peers"` // announcements of others stored here
	Keys  int `json:"keys"`  // IDs of these announcements
	Items int `json:"items"` // items of others stored here

	In         uint64            `json:"in"` // datagrams
	Out        uint64            `json:"out"`
	BytesIn    uint64            `json:"bytes_in"`
	BytesOut   uint64            `json:"bytes_out"`
	QueriesIn  map[string]uint64 `json:"queries_in"` // by method; "other" for unknown ones
	QueriesOut map[string]uint64 `json:"queries_out"`
	RepliesIn  uint64            `json:"replies_in"`
	RepliesOut uint64            `json:"replies_out"`
	ErrorsIn   uint64            `json:"errors_in"`
	ErrorsOut  uint64            `json:"errors_out"`
	Timeouts   uint64            `json:"timeouts"`  // queries that were not answered
	Malformed  uint64            `json:"malformed"` // datagrams that are not messages
	Stray      uint64            `json:"stray"`     // answers that fit no query
	Limited    uint64            `json:"limited"`   // queries refused because there were too many
	Parked     uint64            `json:"parked"`    // queries answered once their sender had proven its address
	Unsent     uint64            `json:"unsent"`    // datagrams that the system refused to send

	Announce AnnounceStats `json:"announce"`
}

// AnnounceStats counts the results and the cost of announcing.
type AnnounceStats struct {
	Keys      int    `json:"keys"`      // kept announced
	Waiting   int    `json:"waiting"`   // of them not yet announced, or not since our address changed
	Announced uint64 `json:"announced"` // times a key was announced with at least one node
	Refused   uint64 `json:"refused"`   // times no node took it; it is tried again
	Lookups   uint64 `json:"lookups"`
	Datagrams uint64 `json:"datagrams"` // sent and received for all this
}

// Stats returns the node's counters.
func (n *Node) Stats() Stats {
	var s core.Stats
	n.do(func(now time.Duration) { s = n.core.Stats(now) })
	return publish(&s)
}

func publish(s *core.Stats) Stats {
	return Stats{
		Joined: s.Joined, Offline: s.Offline, Nodes: s.Nodes, Good: s.Good,
		RTT: s.RTT, External: s.External, Searches: s.Searches,
		Peers: s.PeersHeld, Keys: s.KeysHeld, Items: s.ItemsHeld,
		In: s.In, Out: s.Out, BytesIn: s.BytesIn, BytesOut: s.BytesOut,
		QueriesIn: byMethod(&s.QueriesIn), QueriesOut: byMethod(&s.QueriesOut),
		RepliesIn: s.RepliesIn, RepliesOut: s.RepliesOut,
		ErrorsIn: s.ErrorsIn, ErrorsOut: s.ErrorsOut, Timeouts: s.Timeouts,
		Malformed: s.Malformed, Stray: s.Stray, Limited: s.Limited,
		Parked: s.Parked, Unsent: s.Unsent,
		Announce: AnnounceStats(s.Announce),
	}
}

func byMethod(counts *[krpc.Methods]uint64) map[string]uint64 {
	m := make(map[string]uint64)
	for i, n := range counts {
		switch name := krpc.Method(i).String(); {
		case n == 0:
		case name == "":
			m["other"] = n
		default:
			m[name] = n
		}
	}
	return m
}
