// Package lookup keeps to itself how the nodes closest to a target are found: it is
// one iterative search, a state machine without clock or socket that says which
// node to query next, takes the answers, and knows when it is complete.
//
// The nodes named so far are kept in order of their distance. Those in the
// window, the closest Width that have not failed, are asked; when all of them
// have answered, the search is over. Against nodes that lie, four things help:
//   - IDs cannot be chosen: there is a second window, of the closest nodes whose
//     ID matches their address (BEP 42), which equals the first if all do;
//   - with several paths, what one node names stays on its path, and each path
//     goes on to its own end, whatever the others claim;
//   - a node that names nodes which do not answer is soon not trusted any more;
//   - one /64 is asked at most twice.
package lookup

import (
	"encoding/binary"
	"net/netip"

	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

const (
	// nodesMax bounds the nodes remembered.
	nodesMax = 160
	// namedMax is the number of nodes of one answer that are looked at.
	namedMax = 16
	// networkMax is the number of nodes of one /64 that are remembered.
	networkMax = 2
	// pathWidth is the number of live nodes each of several paths must end in.
	pathWidth = 3
)

type state uint8

const (
	fresh    state = iota // not asked yet
	asked                 // an answer is awaited
	slow                  // an answer would still be welcome
	answered              // and its own answer was used
	passed                // used for the way only: it cannot be one of the nodes to find
	failed                // no answer, or a useless one
)

// Node is a node that the search has learned of.
type Node struct {
	table.Contact
	Token []byte // of its answer, if it gave one
	Fits  bool   // its ID is one its address may have
	// Silent says that it did not answer the last time: if there are too few other
	// nodes, the search does not wait for it longer than most nodes need.
	Silent bool

	state     state
	path      uint8
	from      *Node // who named it first; nil for a start
	several   bool  // others named it, too
	good, bad uint8 // nodes it named first that answered, and that did not
}

// Lookup is a search in progress. It is not safe for concurrent use.
type Lookup struct {
	Target nodeid.ID
	Width  int // how many of the closest nodes must have answered
	Alpha  int // how many are queried at a time
	Paths  int // disjoint paths, at least 1
	Max    int // queries in all

	nodes  []*Node // in order of distance
	flying int     // asked, not slow
	sent   int
	got    int
	turn   int
}

// Start adds a node to begin with, on one of the paths, which count from 0.
func (l *Lookup) Start(c table.Contact, path int) {
	if n := l.add(c); n != nil {
		n.path = uint8(path)
	}
}

// Sent counts the queries so far.
func (l *Lookup) Sent() int { return l.sent }

// Got counts the answers so far.
func (l *Lookup) Got() int { return l.got }

// add puts c in its place; nil if it is there already or not wanted.
func (l *Lookup) add(c table.Contact) *Node {
	i, found := l.search(&c.ID)
	if found {
		return nil
	}
	local := nodeid.Local(c.Addr.Addr())
	net, same := network(c.Addr), 0
	for _, n := range l.nodes {
		if n.Addr == c.Addr {
			return nil
		}
		if !local && network(n.Addr) == net {
			if same++; same == networkMax {
				return nil
			}
		}
	}
	if len(l.nodes) == nodesMax {
		last := len(l.nodes) - 1
		if i > last || l.nodes[last].state != fresh {
			return nil
		}
		l.nodes = l.nodes[:last]
	}
	n := &Node{Contact: c, Fits: nodeid.Fits(c.ID, c.Addr.Addr())}
	l.nodes = append(l.nodes, nil)
	copy(l.nodes[i+1:], l.nodes[i:])
	l.nodes[i] = n
	return n
}

func network(a netip.AddrPort) uint64 {
	ip := a.Addr().As16()
	return binary.BigEndian.Uint64(ip[:8])
}

// search finds the place of id in the order of distance.
func (l *Lookup) search(id *nodeid.ID) (int, bool) {
	lo, hi := 0, len(l.nodes)
	for lo < hi {
		mid := (lo + hi) / 2
		if nodeid.Closer(&l.Target, &l.nodes[mid].ID, id) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(l.nodes) && l.nodes[lo].ID == *id
}

// Next is the node to query now; nil if there is none, now or ever.
func (l *Lookup) Next() *Node {
	if l.flying >= l.Alpha || l.sent >= l.Max {
		return nil
	}
	n := l.pick()
	if n != nil {
		n.state = asked
		l.flying++
		l.sent++
	}
	return n
}

// pick alternates between the windows, so that none can block the others.
func (l *Lookup) pick() *Node {
	windows := 2
	if l.Paths > 1 {
		windows += l.Paths
	}
	for range windows {
		i := l.turn % windows
		l.turn++
		var n *Node
		switch i {
		case 0:
			n = l.window(l.Width, func(*Node) bool { return true })
		case 1:
			n = l.window(l.Width, func(n *Node) bool { return n.Fits })
		default:
			n = l.window(pathWidth, func(n *Node) bool { return int(n.path) == i-2 })
		}
		if n != nil {
			return n
		}
	}
	return nil
}

// window finds the closest node to ask among the width closest live ones of a
// kind.
func (l *Lookup) window(width int, kind func(*Node) bool) *Node {
	for _, n := range l.nodes {
		if n.state == failed || n.state == passed || n.state == slow || !kind(n) {
			continue
		}
		if n.state == fresh {
			if n.doubtful() {
				continue
			}
			return n
		}
		if width--; width == 0 {
			return nil
		}
	}
	return nil
}

// doubtful reports whether the only one who named n has named too many that did
// not answer.
func (n *Node) doubtful() bool {
	return n.from != nil && !n.several && n.from.bad > 2+2*n.from.good
}

// Over reports whether the search has ended: no node is left to query,
// and no answer is awaited that could still be one of the closest.
func (l *Lookup) Over() bool {
	if l.flying > 0 || l.sent < l.Max && l.pick() != nil {
		return false
	}
	width, silent := l.Width, false
	for _, n := range l.nodes {
		switch n.state {
		case slow:
			if !n.Silent || l.got == 0 {
				return false
			}
			silent = true
		case answered:
			if width--; width == 0 {
				return !silent
			}
		}
	}
	return true
}

// Passed records the answer of n, whose names are used although it cannot be
// one of the nodes looked for.
func (l *Lookup) Passed(n *Node, named func(yield func(nodeid.ID, netip.AddrPort) bool)) {
	l.Answered(n, named)
	if n.state == answered {
		n.state = passed
	}
}

// Answered records the answer of n: it is a live node, and named others.
func (l *Lookup) Answered(n *Node, named func(yield func(nodeid.ID, netip.AddrPort) bool)) {
	switch n.state {
	case asked:
		l.flying--
	case slow:
		n.blame(-1)
	default:
		return
	}
	n.state = answered
	l.got++
	if n.from != nil && n.from.good < 255 {
		n.from.good++
	}
	seen := 0
	for id, addr := range named {
		if seen++; seen > namedMax {
			return
		}
		if !nodeid.Shared(addr.Addr(), n.Addr.Addr()) {
			continue // the loopback address of another host is ours
		}
		if i, found := l.search(&id); found {
			if o := l.nodes[i]; o.Addr == addr && o.from != n {
				o.several = true
			}
			continue
		}
		if m := l.add(table.Contact{ID: id, Addr: addr}); m != nil {
			m.path, m.from = n.path, n
		}
	}
}

// Slow records that n has not answered in the time most need. The search goes
// on without it, but its answer is still used if it comes.
func (l *Lookup) Slow(n *Node) {
	if n.state == asked {
		n.state = slow
		l.flying--
		n.blame(1)
	}
}

// Failed records that n will not answer, or answered something useless.
func (l *Lookup) Failed(n *Node) {
	switch n.state {
	case asked:
		l.flying--
		n.blame(1)
	case slow:
	default:
		return
	}
	n.state = failed
}

func (n *Node) blame(by int) {
	if n.from != nil {
		n.from.bad = uint8(min(max(int(n.from.bad)+by, 0), 255))
	}
}

// Closest returns up to n of the nodes that answered, closest first.
func (l *Lookup) Closest(n int) []*Node {
	var out []*Node
	for _, m := range l.nodes {
		if m.state == answered && len(out) < n {
			out = append(out, m)
		}
	}
	return out
}

// Best returns the nodes to store something with: the n closest nodes that answered,
// since others will search for it there, and more where these cannot be trusted to
// keep it.
func (l *Lookup) Best(n int) []*Node {
	var closest []*Node
	for _, m := range l.nodes {
		if m.state == answered && len(m.Token) > 0 {
			closest = append(closest, m)
		}
	}
	return Best(closest, n)
}

// Best returns the first n of closest, and more until most of n have an ID that
// fits their address: the others may have chosen theirs for the key's sake.
func Best(closest []*Node, n int) []*Node {
	fitting := 0
	for i, m := range closest {
		if i >= n && fitting >= n*5/8 || i >= 2*n {
			return closest[:i:i]
		}
		if m.Fits {
			fitting++
		}
	}
	return closest
}
