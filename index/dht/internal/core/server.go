package core

import (
	"net/netip"
	"slices"

	"github.com/shoalnet/shoal/index/dht/internal/items"
	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/limit"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/peers"
	"github.com/shoalnet/shoal/index/dht/internal/table"
	"github.com/shoalnet/shoal/index/dht/internal/token"
)

// pingSize is the length of our ping, which counts against what an unproven
// source may be sent.
const pingSize = 67

// valuesMax is the number of peers in a reply: with eight nodes and a token
// they fit replyMax.
const valuesMax = 40

// Limits of the node. The rates of answered queries apply to each /64 that has
// proven an address, and to all others together.
const (
	replyMax     = 1400 // bytes, so that no reply is cut to pieces on its way
	unprovenGain = 3    // bytes sent for each received are fewer, until the address is proven
)

var (
	eachRate      = limit.Rate{PerSecond: 50, Burst: 200}
	strangersRate = limit.Rate{PerSecond: 2000, Burst: 2000}
	// errorRate bounds the answers to malformed datagrams.
	errorRate = limit.Rate{PerSecond: 20, Burst: 50}
)

// server answers the queries of others. It bounds how many, and what is sent to
// addresses that have not been proven.
type server struct {
	*clock
	identity    *identity
	table       *table.Table
	remotes     *remotes
	sender      *sender
	pings       *pings
	stores      *stores
	parking     *parking
	readOnly    bool
	strict      bool
	told        func(nodeid.ID) bool
	unsolicited func(from netip.AddrPort, local netip.Addr)

	tokens *token.Mint
	rates  *limit.Queries
	errors limit.Bucket
	near   []table.Contact
	nodes  []krpc.Node
	values []netip.AddrPort
	stats  ServeStats
}

// ServeStats counts the queries of others and the answers to them.
type ServeStats struct {
	QueriesIn  [krpc.Methods]uint64
	RepliesOut uint64
	ErrorsOut  uint64
	Limited    uint64 // queries refused because there were too many
	Parked     uint64 // queries answered after their address was proven
}

// request is a query that is being answered.
type request struct {
	m      *krpc.Message
	raw    []byte
	from   netip.AddrPort
	via    Via
	who    *remote
	proven bool
	again  bool // it was parked until now
	budget int  // bytes we may send
}

// serve answers the query m, which arrived as raw.
func (s *server) serve(m *krpc.Message, raw []byte, from netip.AddrPort, via Via) {
	s.stats.QueriesIn[m.Method]++
	told := s.told != nil && s.told(m.ID)
	who, fresh := s.remotes.asker(s.now, from, told)
	if fresh && s.unsolicited != nil {
		s.unsolicited(from, via.Addr)
	}
	if s.readOnly {
		return
	}
	proven := who.isProven(s.now)
	if !s.rates.Allow(s.now, from, proven) {
		s.stats.Limited++
		return
	}
	if s.strict && !nodeid.Fits(m.ID, from.Addr()) {
		return
	}
	s.handle(&request{m: m, raw: raw, from: from, via: via, who: who, proven: proven})
}

func (s *server) handle(r *request) {
	m := r.m
	if len(m.Token) > 0 && !r.proven && s.tokens.Valid(s.now, r.from.Addr(), m.Token) {
		r.proven = true
		r.who = s.remotes.friend(s.now, r.from)
		r.who.proven = s.now
	}
	r.budget = replyMax
	if !r.proven {
		r.budget = min(replyMax, unprovenGain*len(r.raw)-1)
	}
	if r.again || !m.ReadOnly && s.pingAsker(r) {
		r.budget -= pingSize
	}
	reply := krpc.Reply{TID: m.TID, ID: s.identity.ID(), To: r.from}
	if code, text := s.compose(&reply, r); code != 0 {
		s.sender.buf = krpc.AppendError(s.sender.buf[:0], m.TID, code, text)
		if len(s.sender.buf) <= r.budget {
			s.stats.ErrorsOut++
			s.sender.transmit(r.from, r.via)
		}
	} else {
		s.respond(&reply, r)
	}
}

// compose computes the answer, or the error to answer with.
func (s *server) compose(reply *krpc.Reply, r *request) (code int, text string) {
	m := r.m
	switch m.Method {
	case krpc.Ping:
		return 0, ""
	case krpc.AnnouncePeer:
		return s.acceptPeer(r)
	case krpc.Put:
		return s.acceptItem(r)
	case krpc.Unknown:
		if !m.HasTarget {
			return krpc.CodeUnknown, "Method Unknown"
		}
	case krpc.GetPeers:
		s.offerPeers(reply, m, r.from.Addr())
		s.offerToken(reply, r)
	case krpc.Get:
		s.offerItem(reply, m)
		s.offerToken(reply, r)
	}
	reply.HasNodes = !m.OnlyNodes4
	if reply.HasNodes {
		reply.Nodes = s.closest(m.Target, m.ID, r.from.Addr())
	}
	return 0, ""
}

func (s *server) offerToken(reply *krpc.Reply, r *request) {
	tok := s.tokens.Make(s.now, r.from.Addr())
	reply.Token = tok[:]
}

// offerPeers names peers that announced. Those with local addresses are named on
// their own network only: they are of no use elsewhere, and private.
func (s *server) offerPeers(reply *krpc.Reply, m *krpc.Message, to netip.Addr) {
	if m.Scrape {
		seeds, others := s.stores.peers.Filters(s.now, m.Target)
		if seeds != (peers.Filter{}) || others != (peers.Filter{}) {
			reply.BFsd, reply.BFpe = seeds[:], others[:]
		}
		return
	}
	s.values = s.stores.peers.Sample(s.values[:0], s.now, m.Target, valuesMax, m.NoSeed)
	reply.Values = slices.DeleteFunc(s.values, func(a netip.AddrPort) bool { return !nodeid.Shared(a.Addr(), to) })
}

func (s *server) offerItem(reply *krpc.Reply, m *krpc.Message) {
	it := s.stores.items.Get(s.now, m.Target)
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
// are named on their own network only.
func (s *server) closest(target, but nodeid.ID, to netip.Addr) []krpc.Node {
	s.near = s.table.Name(s.near[:0], target, table.K, but)
	s.nodes = s.nodes[:0]
	for i := range s.near {
		if nodeid.Shared(s.near[i].Addr.Addr(), to) {
			s.nodes = append(s.nodes, krpc.Node(s.near[i]))
		}
	}
	return s.nodes
}

func (s *server) acceptPeer(r *request) (int, string) {
	m := r.m
	if !s.tokens.Valid(s.now, r.from.Addr(), m.Token) {
		return krpc.CodeProtocol, "Bad token"
	}
	port := m.Port
	if m.ImpliedPort {
		port = r.from.Port()
	}
	if !s.stores.peers.Add(s.now, m.Target, netip.AddrPortFrom(r.from.Addr(), port), m.Seed) {
		return krpc.CodeServer, "No room"
	}
	return 0, ""
}

func (s *server) acceptItem(r *request) (int, string) {
	m := r.m
	if !s.tokens.Valid(s.now, r.from.Addr(), m.Token) {
		return krpc.CodeProtocol, "Bad token"
	}
	it := items.Item{V: m.V, K: m.K, Salt: m.Salt, Sig: m.Sig, Seq: m.Seq}
	var cas *int64
	if m.HasCas {
		cas = &m.Cas
	}
	code := s.stores.items.Put(s.now, &it, cas, r.from)
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

// respond sends reply within the limits. A reply that is too large loses nodes, the
// farthest first; but a reply with more than nodes waits until its asker has proven
// its address.
func (s *server) respond(reply *krpc.Reply, r *request) {
	s.sender.buf = krpc.AppendReply(s.sender.buf[:0], reply)
	if len(s.sender.buf) > r.budget {
		if !r.proven && !r.again && (reply.V != nil || reply.BFpe != nil || len(reply.Values) > 0) && s.park(r) {
			return
		}
		s.trim(reply, r.budget)
		if len(s.sender.buf) > r.budget {
			return
		}
	}
	s.stats.RepliesOut++
	r.who.sent = s.now
	s.sender.transmit(r.from, r.via)
}

// trim encodes reply anew in at most budget bytes if it can: without the item
// and the filters, with as many peers as there is room for after a few nodes.
func (s *server) trim(reply *krpc.Reply, budget int) {
	const fewNodes = 2
	if len(reply.V) > 0 && len(s.sender.buf) > budget {
		nodes := len(reply.Nodes) * krpc.NodeSize
		if len(s.sender.buf)-nodes > budget {
			reply.V, reply.K, reply.Sig = nil, nil, nil
		}
	}
	reply.BFsd, reply.BFpe = nil, nil
	s.sender.buf = krpc.AppendReply(s.sender.buf[:0], reply)
	over := len(s.sender.buf) - budget
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
	s.sender.buf = krpc.AppendReply(s.sender.buf[:0], reply)
}

// complain answers a malformed query.
func (s *server) complain(m *krpc.Message, size int, from netip.AddrPort, via Via) {
	if s.readOnly || !s.errors.Take(s.now, errorRate, 1) {
		return
	}
	s.sender.buf = krpc.AppendError(s.sender.buf[:0], m.TID, krpc.CodeProtocol, "Protocol error")
	if len(s.sender.buf) < unprovenGain*size {
		s.stats.ErrorsOut++
		s.sender.transmit(from, via)
	}
}

// pingAsker pings the node that asked us something if the table may take it, and
// reports whether it did.
func (s *server) pingAsker(r *request) bool {
	n := table.Contact{ID: r.m.ID, Addr: r.from}
	r.who.asked = s.now
	s.table.Asked(s.now, n)
	if e := s.table.Find(n.ID); e != nil && e.Addr != n.Addr && e.Fails == 0 {
		s.pings.challenge(e.Contact, n, r.via)
		return false
	}
	return s.table.Wants(n) && s.pings.ping(n, r.via)
}

// park keeps r until its source has answered a ping, or parkedLife is over. It
// reports whether it did.
func (s *server) park(r *request) bool {
	if r.m.ReadOnly || !s.parking.takes(len(r.raw)) {
		return false // a read-only node does not answer pings
	}
	if p := r.who.pinged; p == 0 || s.now-p > parkedLife {
		r.who.pinged = 0
		if !s.pings.ping(table.Contact{ID: r.m.ID, Addr: r.from}, r.via) {
			return false
		}
	}
	s.parking.add(r.raw, r.from, r.via)
	return true
}

// unpark answers p, which was parked.
func (s *server) unpark(p *parked) {
	var m krpc.Message
	if krpc.Decode(p.datagram, &m) != nil {
		return
	}
	s.stats.Parked++
	who := s.remotes.friend(s.now, p.from)
	s.handle(&request{m: &m, raw: p.datagram, from: p.from, via: p.via, who: who, proven: who.isProven(s.now), again: true})
}
