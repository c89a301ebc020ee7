package core

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/limit"
	"github.com/shoalnet/shoal/index/dht/internal/lookup"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

// How fast we ask one node. Much of the network bans whom it hears more than
// 50 times in ten seconds; our own program takes more.
var (
	paceRate     = limit.Rate{PerSecond: 3, Burst: 12}
	paceRateOurs = limit.Rate{PerSecond: 30, Burst: 100}
)

// Bounds of the time after which a query is slow, and lost.
const (
	slowMin   = 150 * time.Millisecond
	slowFirst = time.Second // until anybody answered
	slowMax   = 2 * time.Second
	lostMin   = 2 * time.Second
)

// offlineAfter is the number of queries in a row to nodes of the table, with
// fewer nodes two for each, without any answer by anybody, after which
// the fault is taken to be ours, and the nodes asked keep their places.
const offlineAfter = 16

// asker is told what became of its query: late at most once, then reply or
// fail exactly once.
type asker interface {
	reply(q *query, m *krpc.Message)
	late(q *query)
	// fail has the code of an error message, 0 if there was no answer.
	fail(q *query, code int)
}

type query struct {
	timer
	c     *Core
	tid   uint32
	items bool          // it is about items
	known bool          // to is a node of the table
	to    table.Contact // with a zero ID if it is not known
	via   Via
	who   *remote
	sent  time.Duration
	phase phase
	by    asker
	node  *lookup.Node // for searches
	held  []byte       // the datagram, while it is paced
}

type phase uint8

const (
	paced phase = iota
	flying
	slow
)

// ask sends a query to a node. It fills in what all queries have.
func (c *Core) ask(to table.Contact, kq *krpc.Query, by asker, node *lookup.Node) *query {
	via := Via{Socket: AnySocket}
	if !nodeid.Local(to.Addr.Addr()) {
		via.Addr = c.out
	}
	return c.askVia(via, to, kq, by, node)
}

func (c *Core) askVia(via Via, to table.Contact, kq *krpc.Query, by asker, node *lookup.Node) *query {
	q := &query{c: c, to: to, via: via, who: c.friend(c.now, to.Addr), by: by, node: node}
	q.items = kq.Method == krpc.Get || kq.Method == krpc.Put
	if e := c.table.Find(to.ID); e != nil && e.Addr == to.Addr {
		q.known = true
	}
	for {
		q.tid = c.rand.Uint32()
		if _, taken := c.pending[q.tid]; !taken {
			break
		}
	}
	c.pending[q.tid] = q
	q.fire = q.due
	binary.BigEndian.PutUint32(kq.TID[:], q.tid)
	kq.ID, kq.ReadOnly = c.ID(), c.cfg.ReadOnly
	c.buf = krpc.AppendQuery(c.buf[:0], kq)
	c.stats.QueriesOut[kq.Method]++
	if wait := q.who.pace.Wait(c.now, q.who.rate()); wait > 0 {
		q.held = append([]byte(nil), c.buf...)
		c.set(&q.timer, wait)
		return q
	}
	q.launch()
	return q
}

// launch sends what c.buf holds as q.
func (q *query) launch() {
	c := q.c
	q.phase, q.sent = flying, c.now
	q.who.sent = c.now
	c.calling(c.now, q.to.Addr)
	c.transmit(q.to.Addr, q.via)
	c.set(&q.timer, c.patience(q.to.ID))
}

// due is called when q was paced long enough, got slow, or got lost.
func (q *query) due() {
	c := q.c
	switch q.phase {
	case paced:
		c.buf = append(c.buf[:0], q.held...)
		q.held = nil
		q.launch()
	case flying:
		q.phase = slow
		c.setAt(&q.timer, q.sent+max(lostMin, 4*(c.now-q.sent)))
		q.by.late(q)
	case slow:
		delete(c.pending, q.tid)
		c.stats.Timeouts++
		if q.known {
			// Others may never have been there: names in answers, forged askers.
			c.silence++
		}
		q.who.silent = !c.offline()
		if !c.offline() && q.to.ID != (nodeid.ID{}) {
			if q.items && (q.who.isProven(c.now) || c.table.Find(q.to.ID) != nil) {
				c.ask(q.to, &krpc.Query{Method: krpc.Ping}, doubter{}, q.node)
			} else {
				c.table.Failed(q.to)
			}
		}
		q.by.fail(q, 0)
	}
}

// doubter asks those who did not answer a query about items for a sign of life.
// Several programs know nothing of BEP 44 and pass over it, and are good nodes
// for all else.
type doubter struct{}

func (doubter) reply(q *query, _ *krpc.Message) { q.who.mute = q.c.now }
func (doubter) late(*query)                     {}
func (doubter) fail(*query, int)                {}

// forget drops q: whatever comes now is a stray.
func (c *Core) forget(q *query) {
	delete(c.pending, q.tid)
	c.stop(&q.timer)
}

func (c *Core) offline() bool {
	return c.silence > 0 && c.silence >= min(offlineAfter, 2*c.table.Len())
}

// answered finds the query that m answers.
func (c *Core) answered(m *krpc.Message, from netip.AddrPort) {
	if m.Kind == krpc.KindReply {
		c.stats.RepliesIn++
	} else {
		c.stats.ErrorsIn++
	}
	var q *query
	if len(m.TID) == 4 {
		q = c.pending[binary.BigEndian.Uint32(m.TID)]
	}
	if q == nil || q.to.Addr != from || q.phase == paced {
		c.stats.Stray++
		return
	}
	c.forget(q)
	rtt := c.now - q.sent
	c.rtt.sample(rtt)
	c.revive()
	q.who.proven, q.who.silent = c.now, false
	if m.IP.IsValid() && c.vote(from, m.IP.Addr()) {
		c.upkeep.settle()
	}
	if m.Kind == krpc.KindReply {
		q.who.ours = krpc.Ours(m.Version)
	}
	if m.Kind == krpc.KindError {
		if q.items && m.Code == krpc.CodeUnknown {
			q.who.mute = c.now
		}
		q.by.fail(q, m.Code)
	} else {
		c.credit(q, m, from, rtt)
	}
	c.unpark(from)
}

// credit uses a reply: its sender is a live node, if it is who we asked.
func (c *Core) credit(q *query, m *krpc.Message, from netip.AddrPort, rtt time.Duration) {
	renamed := q.to.ID != (nodeid.ID{}) && q.to.ID != m.ID
	if renamed {
		c.table.Failed(q.to)
	}
	if m.ID != c.ID() && !m.ReadOnly {
		c.table.Answered(c.now, table.Contact{ID: m.ID, Addr: from}, rtt, q.who.asked)
	}
	if renamed || m.ID == c.ID() || c.cfg.Strict && !nodeid.Fits(m.ID, from.Addr()) {
		q.by.fail(q, krpc.CodeProtocol)
		return
	}
	q.by.reply(q, m)
}

// estimate is the round-trip time to the network, as RFC 6298 has it.
type estimate struct {
	mean, spread time.Duration
}

func (e *estimate) sample(rtt time.Duration) {
	if e.mean == 0 {
		e.mean, e.spread = rtt, rtt/2
		return
	}
	e.spread += ((rtt - e.mean).Abs() - e.spread) / 4
	e.mean += (rtt - e.mean) / 8
}

// patience is the time in which the node called id should answer.
func (c *Core) patience(id nodeid.ID) time.Duration {
	if c.rtt.mean == 0 {
		return slowFirst
	}
	limit := min(max(slowMin, c.rtt.mean+4*c.rtt.spread), slowMax)
	if e := c.table.Find(id); e != nil && e.RTT > 0 {
		return min(max(slowMin, 2*e.RTT+e.RTT/2), limit)
	}
	return limit
}
