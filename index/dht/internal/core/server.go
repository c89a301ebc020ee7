package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/items"
	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/peers"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

// pingSize is the length of our ping, which counts against what an unproven
// source may be sent.
const pingSize = 67

// valuesMax is the number of peers in a reply: with eight nodes and a token
// they fit replyMax.
const valuesMax = 40

// A query whose answer is larger than its unproven source may be sent, and
// useless when cut, waits here while the source is pinged.
type parked struct {
	datagram []byte
	from     netip.AddrPort
	via      Via
	at       time.Duration
}

const (
	parkedMax  = 128
	parkedSize = 512 // bytes of a query; larger ones are puts
	parkedLife = 1500 * time.Millisecond
)

// request is a query being answered.
type request struct {
	m      *krpc.Message
	raw    []byte
	from   netip.AddrPort
	via    Via
	who    *remote
	proven bool
	again  bool // it was parked, and what it waited for happened or did not
	budget int  // bytes we may send
}

// serve answers the query m, which arrived as raw.
func (c *Core) serve(m *krpc.Message, raw []byte, from netip.AddrPort, via Via) {
	c.stats.QueriesIn[m.Method]++
	told := c.cfg.Told != nil && c.cfg.Told(m.ID)
	who, fresh := c.asker(c.now, from, told)
	if fresh && c.cfg.Unsolicited != nil {
		c.cfg.Unsolicited(from, via.Addr)
	}
	if c.cfg.ReadOnly {
		return
	}
	proven := who.isProven(c.now)
	if !c.rates.Allow(c.now, from, proven) {
		c.stats.Limited++
		return
	}
	if c.cfg.Strict && !nodeid.Fits(m.ID, from.Addr()) {
		return
	}
	c.handle(&request{m: m, raw: raw, from: from, via: via, who: who, proven: proven})
}

func (c *Core) handle(r *request) {
	m := r.m
	if len(m.Token) > 0 && !r.proven && c.tokens.Valid(c.now, r.from.Addr(), m.Token) {
		r.proven = true
		r.who = c.friend(c.now, r.from)
		r.who.proven = c.now
	}
	r.budget = replyMax
	if !r.proven {
		r.budget = min(replyMax, unprovenGain*len(r.raw)-1)
	}
	if r.again || !m.ReadOnly && c.meet(r) {
		r.budget -= pingSize
	}
	reply := krpc.Reply{TID: m.TID, ID: c.ID(), To: r.from}
	if code, text := c.fill(&reply, r); code != 0 {
		c.buf = krpc.AppendError(c.buf[:0], m.TID, code, text)
		if len(c.buf) <= r.budget {
			c.stats.ErrorsOut++
			c.transmit(r.from, r.via)
		}
	} else {
		c.respond(&reply, r)
	}
}

// fill computes the answer, or the error to answer with.
func (c *Core) fill(reply *krpc.Reply, r *request) (code int, text string) {
	m := r.m
	switch m.Method {
	case krpc.Ping:
		return 0, ""
	case krpc.AnnouncePeer:
		return c.acceptPeer(r)
	case krpc.Put:
		return c.acceptItem(r)
	case krpc.Unknown:
		if !m.HasTarget {
			return krpc.CodeUnknown, "Method Unknown"
		}
	case krpc.GetPeers:
		c.offerPeers(reply, m, r.from.Addr())
		c.offerToken(reply, r)
	case krpc.Get:
		c.offerItem(reply, m)
		c.offerToken(reply, r)
	}
	reply.HasNodes = !m.OnlyNodes4
	if reply.HasNodes {
		reply.Nodes = c.closest(m.Target, m.ID, r.from.Addr())
	}
	return 0, ""
}

func (c *Core) offerToken(reply *krpc.Reply, r *request) {
	tok := c.tokens.Make(c.now, r.from.Addr())
	reply.Token = tok[:]
}

// offerPeers names peers that announced. Those with local addresses are named on
// the local network only: they are of no use elsewhere, and nobody's business.
func (c *Core) offerPeers(reply *krpc.Reply, m *krpc.Message, to netip.Addr) {
	if m.Scrape {
		seeds, others := c.peers.Filters(c.now, m.Target)
		if seeds != (peers.Filter{}) || others != (peers.Filter{}) {
			reply.BFsd, reply.BFpe = seeds[:], others[:]
		}
		return
	}
	c.values = c.peers.Sample(c.values[:0], c.now, m.Target, valuesMax, m.NoSeed)
	if !nodeid.Local(to) {
		c.values = slices.DeleteFunc(c.values, func(a netip.AddrPort) bool { return nodeid.Local(a.Addr()) })
	}
	reply.Values = c.values
}

func (c *Core) offerItem(reply *krpc.Reply, m *krpc.Message) {
	it := c.items.Get(c.now, m.Target)
	if it == nil {
		return
	}
	if it.Mutable() {
		reply.HasSeq, reply.Seq = true, it.Seq
		if m.HasSeq && it.Seq <= m.Seq {
			return
		}
		reply.K, reply.Sig = it.K, it.Sig
	}
	reply.V = it.V
}

// closest names the nodes we know closest to target. Nodes with local addresses
// are named on the local network only.
func (c *Core) closest(target, but nodeid.ID, to netip.Addr) []krpc.Node {
	c.near = c.table.Name(c.near[:0], target, table.K, but)
	c.nodes = c.nodes[:0]
	local := nodeid.Local(to)
	for i := range c.near {
		if local || !nodeid.Local(c.near[i].Addr.Addr()) {
			c.nodes = append(c.nodes, krpc.Node(c.near[i]))
		}
	}
	return c.nodes
}

func (c *Core) acceptPeer(r *request) (int, string) {
	m := r.m
	if !c.tokens.Valid(c.now, r.from.Addr(), m.Token) {
		return krpc.CodeProtocol, "Bad token"
	}
	port := m.Port
	if m.ImpliedPort {
		port = r.from.Port()
	}
	if !c.peers.Add(c.now, m.Target, netip.AddrPortFrom(r.from.Addr(), port), m.Seed) {
		return krpc.CodeServer, "No room"
	}
	return 0, ""
}

func (c *Core) acceptItem(r *request) (int, string) {
	m := r.m
	if !c.tokens.Valid(c.now, r.from.Addr(), m.Token) {
		return krpc.CodeProtocol, "Bad token"
	}
	it := items.Item{V: m.V, K: m.K, Salt: m.Salt, Sig: m.Sig, Seq: m.Seq}
	var cas *int64
	if m.HasCas {
		cas = &m.Cas
	}
	code := c.items.Put(c.now, &it, cas, r.from)
	return code, itemErrors[code]
}

var itemErrors = map[int]string{
	krpc.CodeProtocol:   "Invalid item",
	krpc.CodeServer:     "No room",
	krpc.CodeTooBig:     "Message (v field) too big",
	krpc.CodeSignature:  "Invalid signature",
	krpc.CodeSaltTooBig: "Salt (salt field) too big",
	krpc.CodeCAS:        "CAS mismatch, re-read value and try again",
	krpc.CodeStale:      "Sequence number less than current",
}

// respond sends reply as far as it may. What is too large loses nodes, the
// farthest first; but a reply that has more than nodes to give waits until its
// asker has proven its address.
func (c *Core) respond(reply *krpc.Reply, r *request) {
	c.buf = krpc.AppendReply(c.buf[:0], reply)
	if len(c.buf) > r.budget {
		if !r.proven && !r.again && (reply.V != nil || reply.BFpe != nil || len(reply.Values) > 0) && c.park(r) {
			return
		}
		c.trim(reply, r.budget)
		if len(c.buf) > r.budget {
			return
		}
	}
	c.stats.RepliesOut++
	r.who.sent = c.now
	c.transmit(r.from, r.via)
}

// trim encodes reply anew in at most budget bytes if it can: without the item
// and the filters, with as many peers as there is room for after a few nodes.
func (c *Core) trim(reply *krpc.Reply, budget int) {
	const fewNodes = 2
	if len(reply.V) > 0 && len(c.buf) > budget {
		nodes := len(reply.Nodes) * krpc.NodeSize
		if len(c.buf)-nodes > budget {
			reply.V, reply.K, reply.Sig = nil, nil, nil
		}
	}
	reply.BFsd, reply.BFpe = nil, nil
	c.buf = krpc.AppendReply(c.buf[:0], reply)
	over := len(c.buf) - budget
	for over > 0 && len(reply.Nodes) > fewNodes {
		reply.Nodes = reply.Nodes[:len(reply.Nodes)-1]
		over -= krpc.NodeSize
	}
	for over > 0 && len(reply.Values) > 0 {
		reply.Values = reply.Values[:len(reply.Values)-1]
		over -= krpc.PeerSize + len("18:")
	}
	for over > 0 && len(reply.Nodes) > 0 {
		reply.Nodes = reply.Nodes[:len(reply.Nodes)-1]
		over -= krpc.NodeSize
	}
	c.buf = krpc.AppendReply(c.buf[:0], reply)
}

// complain answers a query that makes no sense.
func (c *Core) complain(m *krpc.Message, size int, from netip.AddrPort, via Via) {
	if c.cfg.ReadOnly || !c.errors.Take(c.now, errorRate, 1) {
		return
	}
	c.buf = krpc.AppendError(c.buf[:0], m.TID, krpc.CodeProtocol, "Protocol error")
	if len(c.buf) < unprovenGain*size {
		c.stats.ErrorsOut++
		c.transmit(from, via)
	}
}

// meet pings the node that asked us something if it may be one for the table,
// and tells whether it did.
func (c *Core) meet(r *request) bool {
	n := table.Contact{ID: r.m.ID, Addr: r.from}
	r.who.asked = c.now
	c.table.Asked(c.now, n)
	if e := c.table.Find(n.ID); e != nil && e.Addr != n.Addr && e.Fails == 0 {
		c.pings.challenge(e.Contact, n, r.via)
		return false
	}
	return c.table.Wants(n) && c.pings.ping(n, r.via)
}

// park keeps r until its source has answered a ping, or parkedLife is over. It
// tells whether it did.
func (c *Core) park(r *request) bool {
	if r.m.ReadOnly || len(c.parked) >= parkedMax || len(r.raw) > parkedSize {
		return false // a read-only node does not answer pings
	}
	if p := r.who.pinged; p == 0 || c.now-p > parkedLife {
		r.who.pinged = 0
		if !c.pings.ping(table.Contact{ID: r.m.ID, Addr: r.from}, r.via) {
			return false
		}
	}
	c.parked = append(c.parked, parked{append([]byte(nil), r.raw...), r.from, r.via, c.now})
	if len(c.parked) == 1 {
		c.set(&c.parking, parkedLife)
	}
	return true
}

// unpark answers what from has waited for; it has proven its address.
func (c *Core) unpark(from netip.AddrPort) {
	c.release(func(p *parked) bool { return p.from == from })
}

// parkedOut answers what has waited long enough, in short.
func (c *Core) parkedOut() {
	c.release(func(p *parked) bool { return c.now-p.at >= parkedLife })
	if len(c.parked) > 0 {
		c.setAt(&c.parking, c.parked[0].at+parkedLife)
	}
}

func (c *Core) release(which func(*parked) bool) {
	if len(c.parked) == 0 {
		return
	}
	var due []parked
	kept := c.parked[:0]
	for i := range c.parked {
		if which(&c.parked[i]) {
			due = append(due, c.parked[i])
		} else {
			kept = append(kept, c.parked[i])
		}
	}
	clear(c.parked[len(kept):])
	c.parked = kept
	for _, p := range due {
		var m krpc.Message
		if krpc.Decode(p.datagram, &m) != nil {
			continue
		}
		c.stats.Parked++
		who := c.friend(c.now, p.from)
		c.handle(&request{m: &m, raw: p.datagram, from: p.from, via: p.via, who: who, proven: who.isProven(c.now), again: true})
	}
}
