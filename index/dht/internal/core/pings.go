package core

import (
	"net/netip"

	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/limit"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

// pingRate bounds the pings to nodes that asked us something.
var pingRate = limit.Rate{PerSecond: 10, Burst: 40}

// pings sends the pings that strangers can cause: to nodes that query us, and to those
// that answers name. It bounds how many and how often.
type pings struct {
	queries *queries
	bucket  limit.Bucket
}

// ping pings n, at most once in half a minute, and reports whether it did. It
// goes the way n's own query came, since a firewall there may let nothing else in.
func (p *pings) ping(n table.Contact, via Via) bool {
	if !p.may(n.Addr) {
		return false
	}
	p.queries.askVia(via, n, &krpc.Query{Method: krpc.Ping}, pinger{}, nil)
	return true
}

// may reports whether addr may be pinged now, and counts it as pinged.
func (p *pings) may(addr netip.AddrPort) bool {
	now := p.queries.now
	f, _ := p.queries.remotes.asker(now, addr, false)
	if f.pinged != 0 && now-f.pinged < pingedLife || !p.bucket.Take(now, pingRate, 1) {
		return false
	}
	f.pinged = now
	return true
}

// challenge pings a node of the table whose ID another address has just used: it
// may have moved there. While it answers it keeps its place.
func (p *pings) challenge(old, claimant table.Contact, via Via) {
	if p.may(old.Addr) {
		p.queries.ask(old, &krpc.Query{Method: krpc.Ping}, claim{p, claimant, via, challenges}, nil)
	}
}

// challenges is how many pings in a row must be lost before a node loses its place.
const challenges = 2

type claim struct {
	pings *pings
	by    table.Contact
	via   Via
	left  int
}

func (claim) reply(*query, *krpc.Message) {}
func (claim) late(*query)                 {}
func (m claim) fail(q *query, code int) {
	p, qs := m.pings, m.pings.queries
	if m.left--; code == 0 && m.left > 0 {
		qs.ask(q.to, &krpc.Query{Method: krpc.Ping}, m, nil)
		return
	}
	if e := qs.table.Find(q.to.ID); code == 0 && e != nil && e.Addr == q.to.Addr && e.Fails == 0 {
		// The table keeps silent nodes while we are offline. We are not: the claimant
		// got through.
		qs.table.Failed(q.to)
	}
	if qs.table.Wants(m.by) && p.bucket.Take(qs.now, pingRate, 1) {
		qs.askVia(m.via, m.by, &krpc.Query{Method: krpc.Ping}, pinger{}, nil)
	}
}

// pinger ignores the answers to pings: every answer is handled before it gets here.
type pinger struct{}

func (pinger) reply(*query, *krpc.Message) {}
func (pinger) late(*query)                 {}
func (pinger) fail(*query, int)            {}
