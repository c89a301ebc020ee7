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

// How fast we query one node. Many clients ban an address after 50 queries in ten
// seconds; shoal allows more.
var (
	paceRate     = limit.Rate{PerSecond: 3, Burst: 12}
	paceRateOurs = limit.Rate{PerSecond: 30, Burst: 100}
)

// Bounds of the time after which a query is slow, and lost.
const (
	slowMin   = 150 * time.Millisecond
	slowFirst = time.Second // until a node has answered
	slowMax   = 2 * time.Second
	lostMin   = 2 * time.Second
)

// offlineAfter is the number of unanswered queries in a row to nodes of the table
// after which we assume that our own connection is down, and the nodes keep their
// places. With few nodes it is two queries for each.
const offlineAfter = 16

// queries sends queries, at a pace that each node accepts, and matches answers to
// them. From both it learns which nodes are alive and whether we are offline.
type queries struct {
	*clock
	identity *identity
	table    *table.Table
	remotes  *remotes
	sender   *sender
	readOnly bool
	strict   bool

	pending map[uint32]*query
	rtt     estimate
	silence int // queries in a row, to nodes of the table, that were not answered
	stats   QueryStats
}

// QueryStats counts queries to others and their answers.
type QueryStats struct {
	QueriesOut          [krpc.Methods]uint64
	RepliesIn, ErrorsIn uint64
	Stray               uint64 // an answer that fits no query
	Timeouts            uint64
}

// asker receives the outcome of its query: late at most once, then reply or fail
// exactly once.
type asker interface {
	reply(q *query, m *krpc.Message)
	late(q *query)
	// fail gets the code of the error message, or 0 if there was no answer.
	fail(q *query, code int)
}

type query struct {
	timer
	qs    *queries
	tid   uint32
	items bool          // it is about items
	known bool          // to is a node of the table
	to    table.Contact // with a zero ID if it is not known
	via   Via
	who   *remote
	sent  time.Duration
	phase phase
	by    asker
	node  *lookup.Node  // for searches
	rtt   time.Duration // once it was answered
	held  []byte        // the datagram, while it is paced
}

type phase uint8

const (
	paced phase = iota
	flying
	slow
)

// ask sends a query to a node. It fills in what all queries have.
func (qs *queries) ask(to table.Contact, kq *krpc.Query, by asker, node *lookup.Node) *query {
	via := Via{Socket: AnySocket}
	if !nodeid.Local(to.Addr.Addr()) {
		via.Addr = qs.identity.out
	}
	return qs.askVia(via, to, kq, by, node)
}

func (qs *queries) askVia(via Via, to table.Contact, kq *krpc.Query, by asker, node *lookup.Node) *query {
	q := &query{qs: qs, to: to, via: via, who: qs.remotes.friend(qs.now, to.Addr), by: by, node: node}
	q.items = kq.Method == krpc.Get || kq.Method == krpc.Put
	if e := qs.table.Find(to.ID); e != nil && e.Addr == to.Addr {
		q.known = true
	}
	for {
		q.tid = qs.rand.Uint32()
		if _, taken := qs.pending[q.tid]; !taken {
			break
		}
	}
	qs.pending[q.tid] = q
	q.fire = q.due
	binary.BigEndian.PutUint32(kq.TID[:], q.tid)
	kq.ID, kq.ReadOnly = qs.identity.ID(), qs.readOnly
	qs.sender.buf = krpc.AppendQuery(qs.sender.buf[:0], kq)
	qs.stats.QueriesOut[kq.Method]++
	if wait := q.who.pace.Wait(qs.now, q.who.rate()); wait > 0 {
		q.held = append([]byte(nil), qs.sender.buf...)
		qs.set(&q.timer, wait)
		return q
	}
	q.launch()
	return q
}

// launch sends the content of qs.sender.buf as q.
func (q *query) launch() {
	qs := q.qs
	q.phase, q.sent = flying, qs.now
	q.who.sent = qs.now
	qs.remotes.calling(qs.now, q.to.Addr)
	qs.sender.transmit(q.to.Addr, q.via)
	qs.set(&q.timer, qs.patience(q.to.ID))
}

// due is called when q has been held back long enough, is slow, or is lost.
func (q *query) due() {
	qs := q.qs
	switch q.phase {
	case paced:
		qs.sender.buf = append(qs.sender.buf[:0], q.held...)
		q.held = nil
		q.launch()
	case flying:
		q.phase = slow
		qs.setAt(&q.timer, q.sent+max(lostMin, 4*(qs.now-q.sent)))
		q.by.late(q)
	case slow:
		delete(qs.pending, q.tid)
		qs.stats.Timeouts++
		if q.known {
			// Other nodes may never have existed: names in answers, forged sources.
			qs.silence++
		}
		q.who.silent = !qs.offline()
		if !qs.offline() && q.to.ID != (nodeid.ID{}) {
			if q.items && (q.who.isProven(qs.now) || qs.table.Find(q.to.ID) != nil) {
				qs.ask(q.to, &krpc.Query{Method: krpc.Ping}, doubter{}, q.node)
			} else {
				qs.table.Failed(q.to)
			}
		}
		q.by.fail(q, 0)
	}
}

// doubter pings nodes that did not answer a query about items. Several programs
// ignore BEP 44 and are good nodes for everything else.
type doubter struct{}

func (doubter) reply(q *query, _ *krpc.Message) { q.who.noItems = q.qs.now }
func (doubter) late(*query)                     {}
func (doubter) fail(*query, int)                {}

// forget drops q: a later answer is a stray.
func (qs *queries) forget(q *query) {
	delete(qs.pending, q.tid)
	qs.stop(&q.timer)
}

// abandon ends q for its asker. A query that was sent stays, because its answer shows
// that the node is alive; one that is held back is not sent.
func (qs *queries) abandon(q *query) {
	switch {
	case qs.pending[q.tid] != q:
	case q.phase == paced:
		qs.forget(q)
	default:
		q.by = pinger{}
	}
}

// offline reports whether our own connection seems to be gone.
func (qs *queries) offline() bool {
	return qs.silence > 0 && qs.silence >= min(offlineAfter, 2*qs.table.Len())
}

// isolated reports whether there is no node to ask.
func (qs *queries) isolated() bool { return qs.table.Len() == 0 || qs.offline() }

// answered finds the query that m answers, nil if there is none, and notes that
// its node is alive. It reports whether we were offline until now.
func (qs *queries) answered(m *krpc.Message, from netip.AddrPort) (q *query, back bool) {
	if m.Kind == krpc.KindReply {
		qs.stats.RepliesIn++
	} else {
		qs.stats.ErrorsIn++
	}
	if len(m.TID) == 4 {
		q = qs.pending[binary.BigEndian.Uint32(m.TID)]
	}
	if q == nil || q.to.Addr != from || q.phase == paced {
		qs.stats.Stray++
		return nil, false
	}
	qs.forget(q)
	q.rtt = qs.now - q.sent
	qs.rtt.sample(q.rtt)
	back = qs.offline()
	qs.silence = 0
	q.who.proven, q.who.silent = qs.now, false
	if m.Kind == krpc.KindReply {
		q.who.ours = krpc.Ours(m.Version)
	}
	return q, back
}

// deliver passes m to the asker of q.
func (qs *queries) deliver(q *query, m *krpc.Message) {
	if m.Kind == krpc.KindReply {
		qs.credit(q, m)
		return
	}
	if q.items && m.Code == krpc.CodeUnknown {
		q.who.noItems = qs.now
	}
	q.by.fail(q, m.Code)
}

// credit marks the sender of a reply as alive if its ID is the one we queried.
func (qs *queries) credit(q *query, m *krpc.Message) {
	renamed := q.to.ID != (nodeid.ID{}) && q.to.ID != m.ID
	if renamed {
		qs.table.Failed(q.to)
	}
	if m.ID != qs.identity.ID() && !m.ReadOnly {
		qs.table.Answered(qs.now, table.Contact{ID: m.ID, Addr: q.to.Addr}, q.rtt, q.who.asked)
	}
	if renamed || m.ID == qs.identity.ID() || qs.strict && !nodeid.Fits(m.ID, q.to.Addr.Addr()) {
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

// patience is how long we wait for an answer of the node with that ID.
func (qs *queries) patience(id nodeid.ID) time.Duration {
	if qs.rtt.mean == 0 {
		return slowFirst
	}
	limit := min(max(slowMin, qs.rtt.mean+4*qs.rtt.spread), slowMax)
	if e := qs.table.Find(id); e != nil && e.RTT > 0 {
		return min(max(slowMin, 2*e.RTT+e.RTT/2), limit)
	}
	return limit
}
