// Package table keeps to itself how the routing table is maintained: which nodes of
// the network we know, and which of them are worth naming to others.
//
// A node enters only after it answered us. Bucket i holds nodes that share
// exactly i leading bits with our own ID. The first buckets, which every lookup
// starts from, are wider than the k = 8 of the Kademlia paper, so that a first
// step gains seven bits instead of three. No network (a /64 or a /48) gets more
// than a few places, whatever number of nodes it pretends to run.
package table

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

// K is the number of nodes in an answer, and the size of a bucket far from the
// root.
const K = 8

// Limits on nodes of one network. One owner controls all addresses of a /64, so these
// limits are hard. A /48 may belong to one attacker or to a provider with
// many customers: its nodes take places that are free, and give them up to others.
const (
	bucket64 = 1 // in a bucket of K; in proportion in wider ones
	whole64  = 4 // in the table
	bucket48 = 3 // in a bucket of K, once others want a place
)

// Times after which what we know about a node may be out of date.
const (
	// Fresh is how long a node is good after it was last heard (BEP 5).
	Fresh = 15 * time.Minute
	// Settled is how long after its last query to us an answer shows that a
	// node accepts unsolicited queries: a firewall that lets answers in has
	// forgotten us by then.
	Settled = 4 * time.Minute
)

// thinMax is the last bucket that is searched for: 2^24 nodes fill it.
const thinMax = 24 - 3

// spares is the size of a bucket's replacement cache.
const spares = 8

// failsMax is the number of queries in a row a node may leave unanswered when
// there is no node to take its place.
const failsMax = 3

// Contact is a node's name and address.
type Contact struct {
	ID   nodeid.ID
	Addr netip.AddrPort
}

// Entry is what is known of a node. Times are zero when it never happened.
type Entry struct {
	Contact
	Heard   time.Duration // last answer, or query since it first answered
	Asked   time.Duration // last query it sent us
	Tried   time.Duration // last query we sent it to check it for the table
	RTT     time.Duration // smoothed
	Fails   uint8         // queries unanswered in a row
	Open    bool          // answered when no firewall could have expected it
	Entitle bool          // its ID fits its address (BEP 42)
}

type bucket struct {
	nodes  []Entry
	heads  []uint64 // the first bits of their IDs, to find one fast
	nets   []uint64 // their /64s, to count them fast
	spare  []Entry  // answered once; most recently heard last
	looked time.Duration
}

func head(id *nodeid.ID) uint64 { return binary.BigEndian.Uint64(id[:8]) }

func (b *bucket) add(e Entry) {
	b.nodes = append(b.nodes, e)
	b.heads = append(b.heads, head(&e.ID))
	b.nets = append(b.nets, network(e.Addr))
}

func (b *bucket) set(i int, e Entry) {
	b.nodes[i], b.heads[i], b.nets[i] = e, head(&e.ID), network(e.Addr)
}

func (b *bucket) remove(i int) {
	last := len(b.nodes) - 1
	b.set(i, b.nodes[last])
	b.nodes, b.heads, b.nets = b.nodes[:last], b.heads[:last], b.nets[:last]
}

func (b *bucket) find(id nodeid.ID) int {
	h := head(&id)
	for i := range b.heads {
		if b.heads[i] == h && b.nodes[i].ID == id {
			return i
		}
	}
	return -1
}

// Table is a routing table around one ID. It is not safe for concurrent use.
type Table struct {
	self    nodeid.ID
	strict  bool
	buckets []bucket
	count   int
	cand    []*Entry // buffer of Closest
}

// New makes an empty table for a node called self. A strict table takes only
// nodes whose ID fits their address (BEP 42).
func New(self nodeid.ID, strict bool) *Table {
	return &Table{self: self, strict: strict}
}

// Self is the ID the table is built around.
func (t *Table) Self() nodeid.ID { return t.self }

// Len counts the nodes.
func (t *Table) Len() int { return t.count }

// width of bucket i.
func width(i int) int {
	if i < 4 {
		return 128 >> i
	}
	return K
}

func (t *Table) bucket(id nodeid.ID) *bucket {
	i := t.self.Prefix(id)
	if i >= nodeid.Bits {
		return nil
	}
	for len(t.buckets) <= i {
		t.buckets = append(t.buckets, bucket{})
	}
	return &t.buckets[i]
}

// Find returns the entry of the node called id, nil if there is none. It is
// valid until the table changes.
func (t *Table) Find(id nodeid.ID) *Entry {
	if i := t.self.Prefix(id); i < len(t.buckets) {
		b := &t.buckets[i]
		if j := b.find(id); j >= 0 {
			return &b.nodes[j]
		}
	}
	return nil
}

// Answered records that a node answered a query, rtt after it was sent; asked
// is when it last sent us a query, zero if never or not recently. It reports
// whether the node is in the table now.
func (t *Table) Answered(now time.Duration, c Contact, rtt, asked time.Duration) bool {
	b := t.bucket(c.ID)
	if b == nil {
		return false
	}
	open := asked == 0 || now-asked > Settled
	if i := b.find(c.ID); i >= 0 {
		e := &b.nodes[i]
		if e.Addr != c.Addr {
			// Another node with its ID. The old one keeps the place while it
			// answers: otherwise any host could push it out.
			if e.Fails == 0 {
				return false
			}
			t.remove(b, i)
			return t.insert(now, b, c, rtt, asked, open)
		}
		e.Heard, e.Fails = now, 0
		e.Open = e.Open || open
		e.Asked = max(e.Asked, asked)
		if e.RTT == 0 {
			e.RTT = rtt
		}
		e.RTT += (rtt - e.RTT) / 4
		return true
	}
	return t.insert(now, b, c, rtt, asked, open)
}

func (t *Table) insert(now time.Duration, b *bucket, c Contact, rtt, asked time.Duration, open bool) bool {
	e := Entry{Contact: c, Heard: now, Asked: asked, RTT: rtt, Open: open, Entitle: nodeid.Fits(c.ID, c.Addr.Addr())}
	if t.strict && !e.Entitle {
		return false
	}
	if len(b.nodes) >= width(t.self.Prefix(c.ID)) && b.worst(&e) < 0 {
		b.keep(e)
		return false
	}
	if !t.admit(b, c) {
		return false
	}
	b.drop(c.ID)
	// admit may have made room.
	if len(b.nodes) < width(t.self.Prefix(c.ID)) {
		t.add(b, e)
	} else {
		b.set(b.worst(&e), e)
	}
	return true
}

// worst finds the place in a full bucket that e may take: of a node that does
// not answer, else of one whose ID does not fit its address if e's does, else
// of one from a crowded network.
func (b *bucket) worst(e *Entry) int {
	worst := -1
	for i := range b.nodes {
		n := &b.nodes[i]
		if n.Fails > 0 && (worst < 0 || n.Fails > b.nodes[worst].Fails) {
			worst = i
		}
	}
	if worst >= 0 || !e.Open {
		return worst
	}
	if e.Entitle {
		for i := range b.nodes {
			if !b.nodes[i].Entitle {
				return i
			}
		}
	}
	return b.crowded(e)
}

// drop forgets the spare called id.
func (b *bucket) drop(id nodeid.ID) {
	b.spare = slices.DeleteFunc(b.spare, func(e Entry) bool { return e.ID == id })
}

// keep puts e last among the spares.
func (b *bucket) keep(e Entry) {
	b.drop(e.ID)
	if len(b.spare) == spares {
		b.spare = append(b.spare[:0], b.spare[1:]...)
	}
	b.spare = append(b.spare, e)
}

// admit reports whether the /64 of c has a place left. A node that has c's very
// address under another name makes room: one address, one place, and it was c
// that answered from there last.
func (t *Table) admit(b *bucket, c Contact) bool {
	net := network(c.Addr)
	var here, all int
	for i := range t.buckets {
		o := &t.buckets[i]
		for j := 0; j < len(o.nets); j++ {
			if o.nets[j] != net {
				continue
			}
			if o.nodes[j].Addr == c.Addr {
				t.remove(o, j)
				j--
				continue
			}
			all++
			if o == b {
				here++
			}
		}
	}
	if nodeid.Local(c.Addr.Addr()) {
		return true
	}
	return here < bucket64*width(t.self.Prefix(c.ID))/K && all < whole64
}

// network is the /64 of a, as a number.
func network(a netip.AddrPort) uint64 {
	ip := a.Addr().As16()
	return binary.BigEndian.Uint64(ip[:8])
}

// crowded finds the node heard longest ago of a /48 that has more than its
// share of b, if e is of another. It looks at the /48 of one node, which e's ID
// chooses: the more crowded one is, the sooner it is found.
func (b *bucket) crowded(e *Entry) int {
	i := int(e.ID[19]) % len(b.nodes)
	net := b.nets[i] >> 16
	if nodeid.Local(b.nodes[i].Addr.Addr()) || net == network(e.Addr)>>16 {
		return -1
	}
	count, oldest := 0, -1
	for i := range b.nets {
		if b.nets[i]>>16 == net {
			count++
			if oldest < 0 || b.nodes[i].Heard < b.nodes[oldest].Heard {
				oldest = i
			}
		}
	}
	if count <= bucket48*len(b.nodes)/K {
		return -1
	}
	return oldest
}

func (t *Table) add(b *bucket, e Entry) {
	b.add(e)
	t.count++
}

func (t *Table) remove(b *bucket, i int) {
	b.remove(i)
	t.count--
}

// Wants reports whether an answer from c could bring it into the table: worth a
// ping when it asked us something.
func (t *Table) Wants(c Contact) bool {
	b := t.bucket(c.ID)
	if b == nil || t.strict && !nodeid.Fits(c.ID, c.Addr.Addr()) {
		return false
	}
	if i := b.find(c.ID); i >= 0 {
		return b.nodes[i].Fails > 0 && b.nodes[i].Addr != c.Addr
	}
	if len(b.nodes) < width(t.self.Prefix(c.ID)) || len(b.spare) < spares/2 {
		return true
	}
	for i := range b.nodes {
		if b.nodes[i].Fails > 0 {
			return true
		}
	}
	return false
}

// Asked records a query from c.
func (t *Table) Asked(now time.Duration, c Contact) {
	if e := t.Find(c.ID); e != nil && e.Addr == c.Addr {
		e.Asked = now
		if e.Fails == 0 {
			e.Heard = now
		}
	}
}

// Failed records that c left a query unanswered.
func (t *Table) Failed(c Contact) {
	i := t.self.Prefix(c.ID)
	if i >= len(t.buckets) {
		return
	}
	b := &t.buckets[i]
	j := b.find(c.ID)
	if j < 0 || b.nodes[j].Addr != c.Addr {
		b.spare = slices.DeleteFunc(b.spare, func(e Entry) bool { return e.Contact == c })
		return
	}
	e := &b.nodes[j]
	e.Fails++
	if n := len(b.spare); n > 0 {
		// The most recent spare takes the place at once: it is more likely to
		// answer the next query than one that just did not. One lost datagram
		// is no proof, though, so the two change places once.
		failed, spare := *e, b.spare[n-1]
		t.remove(b, j)
		copy(b.spare[1:], b.spare[:n-1])
		b.spare[0] = failed
		if failed.Fails > 1 {
			b.spare = b.spare[1:]
		}
		if t.admit(b, spare.Contact) {
			t.add(b, spare)
		}
		return
	}
	if e.Fails >= failsMax {
		t.remove(b, j)
	}
}

// Rename builds the table anew around another ID.
func (t *Table) Rename(self nodeid.ID) {
	old := t.buckets
	t.self, t.buckets, t.count = self, nil, 0
	for i := range old {
		for _, e := range append(old[i].nodes, old[i].spare...) {
			b := t.bucket(e.ID)
			if b == nil || b.find(e.ID) >= 0 || !t.admit(b, e.Contact) {
				continue
			}
			if len(b.nodes) < width(self.Prefix(e.ID)) {
				t.add(b, e)
			} else {
				b.keep(e)
			}
		}
	}
}

// All calls yield for every entry until it returns false.
func (t *Table) All(yield func(*Entry) bool) {
	for i := range t.buckets {
		for j := range t.buckets[i].nodes {
			if !yield(&t.buckets[i].nodes[j]) {
				return
			}
		}
	}
}

// Random returns one of the nodes that answered our last query.
func (t *Table) Random(r *rand.Rand) (Contact, bool) {
	if t.count == 0 {
		return Contact{}, false
	}
	i := r.IntN(t.count)
	for _, b := range t.buckets {
		if i < len(b.nodes) {
			return b.nodes[i].Contact, b.nodes[i].Fails == 0
		}
		i -= len(b.nodes)
	}
	return Contact{}, false
}

// Good counts the nodes heard within Fresh that answered our last query.
func (t *Table) Good(now time.Duration) int {
	n := 0
	for e := range t.All {
		if e.Fails == 0 && now-e.Heard < Fresh {
			n++
		}
	}
	return n
}

// Depth estimates how many leading bits n nodes share on average. Nodes that may
// have chosen their ID to be near ours are not counted.
func (t *Table) Depth(n int) int {
	count := 0
	for i := len(t.buckets) - 1; i >= 0; i-- {
		for j := range t.buckets[i].nodes {
			if t.buckets[i].nodes[j].Entitle {
				count++
			}
		}
		if count >= K {
			// All of those that share i bits with us are known.
			return max(0, i+int(math.Round(math.Log2(float64(count)/float64(n)))))
		}
	}
	return 0
}

// Check appends to dst up to n nodes that should be asked whether they are still
// there: those not heard for longer than Fresh, and those that came into the
// table by asking us, once it is long enough ago to see whether others can reach
// them, too. It takes them for asked.
func (t *Table) Check(dst []Contact, now time.Duration, n int) []Contact {
	for e := range t.All {
		due := e.Heard + Fresh
		if !e.Open {
			due = min(due, max(e.Heard, e.Asked)+Settled)
		}
		if due > now || e.Tried != 0 && now-e.Tried < Settled {
			continue
		}
		e.Tried = now
		if dst = append(dst, e.Contact); len(dst) == n {
			break
		}
	}
	return dst
}

// Looked records that a lookup for target was done.
func (t *Table) Looked(now time.Duration, target nodeid.ID) {
	i := t.self.Prefix(target)
	for j := range t.buckets {
		if j == i || i >= len(t.buckets) && j == len(t.buckets)-1 {
			t.buckets[j].looked = now
		}
	}
}

// Thin finds a bucket that is not full and in which nothing was looked up for
// longer than age, and returns a random ID of its range. Buckets deeper than
// the deepest that holds anything are covered by looking up our own ID, as are
// those that only a much larger network than there is could fill.
func (t *Table) Thin(now, age time.Duration, r *rand.Rand) (nodeid.ID, bool) {
	deepest := -1
	for i := range t.buckets {
		if len(t.buckets[i].nodes) > 0 {
			deepest = i
		}
	}
	for i := 0; i <= min(deepest, thinMax); i++ {
		b := &t.buckets[i]
		if len(b.nodes) < min(width(i), 2*K) && (b.looked == 0 || now-b.looked > age) {
			return t.self.At(i, r), true
		}
	}
	return nodeid.ID{}, false
}
