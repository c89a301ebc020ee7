package core

import (
	"slices"

	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/lookup"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

// regionSize is the number of nodes a region should have: several times the
// eight that every key of it needs, so that few regions have less.
const regionSize = 24

// cellsMax bounds the searches of a survey.
const cellsMax = 32

// region is a part of the key space whose nodes a survey finds: the IDs that share
// their first bits with a key.
//
// A search for a target ends when the eight nodes closest to it have answered.
// So it knows all nodes that share more bits with the target than the eighth
// does: a cell. Nodes that chose their IDs could make it as small as they like,
// so most of the eight must have one that fits their address. The survey
// searches for the lowest ID of the region, then for the first ID behind its
// cell, and so on to the region's end. Each search begins with the nodes the
// last one found, and so costs little more than asking those of its cell.
type region struct {
	bits  int       // of the first key that make the region
	at    nodeid.ID // target of the search going on
	cells int
	known map[nodeid.ID]*lookup.Node
}

// survey finds the nodes of the region of the first key.
func (j *job) survey() {
	j.region = region{bits: j.a.queries.table.Depth(regionSize), known: make(map[nodeid.ID]*lookup.Node)}
	j.region.at = j.first.id.Low(j.region.bits)
	if j.region.at == (nodeid.ID{}) {
		j.region.at[len(j.region.at)-1] = 1 // some programs take a zero target for none
	}
	j.nextCell()
}

func (j *job) nextCell() {
	a, r := j.a, &j.region
	a.stats.Lookups++
	s := Search{Method: krpc.GetPeers, Target: r.at, Done: j.cell, Starts: r.near(r.at, 2*table.K)}
	if r.cells == 0 {
		s.Paths = Paths
	}
	r.cells++
	a.searches.begin(s)
}

// near are the n known nodes closest to target.
func (r *region) near(target nodeid.ID, n int) []table.Contact {
	all := r.sorted(target)
	out := make([]table.Contact, 0, n)
	for _, m := range all[:min(n, len(all))] {
		out = append(out, m.Contact)
	}
	return out
}

func (r *region) sorted(target nodeid.ID) []*lookup.Node {
	all := make([]*lookup.Node, 0, len(r.known))
	for _, n := range r.known {
		all = append(all, n)
	}
	slices.SortFunc(all, func(x, y *lookup.Node) int {
		if nodeid.Closer(&target, &x.ID, &y.ID) {
			return -1
		}
		return 1
	})
	return all
}

// cell is called at the end of a search, and continues with the next cell.
func (j *job) cell(l *lookup.Lookup) {
	j.count(l)
	r := &j.region
	for _, n := range l.Closest(4 * table.K) {
		if len(n.Token) > 0 {
			r.known[n.ID] = n
		}
	}
	bits := 0 // with fewer than eight nodes, that was all there are
	if answered := lookup.Best(l.Closest(4*table.K), table.K); len(answered) >= table.K {
		bits = r.at.Prefix(answered[len(answered)-1].ID) + 1
	}
	next, more := r.at.After(bits)
	switch {
	case r.cells == cellsMax:
		// Somebody answers so that this never ends.
		for _, k := range j.keys {
			k.alone = true
		}
		j.release()
		j.search()
	case more && next.Prefix(j.first.id) >= r.bits:
		r.at = next
		j.nextCell()
	case bits > 0 && r.bits > 0 && len(r.inside(j.first.id)) < table.K:
		// Not enough of them. Go on with the other half of a region twice the
		// size.
		r.bits--
		r.at = j.first.id.Flip(r.bits).Low(r.bits + 1)
		j.nextCell()
	default:
		j.surveyed()
	}
}

// inside are the known nodes of the region.
func (r *region) inside(key nodeid.ID) []*lookup.Node {
	var in []*lookup.Node
	for _, n := range r.sorted(key) {
		if n.ID.Prefix(key) >= r.bits {
			in = append(in, n)
		}
	}
	return in
}

// surveyed begins to announce the keys of the region.
func (j *job) surveyed() {
	r := &j.region
	j.nodes = r.inside(j.first.id)
	if len(j.nodes) < table.K {
		j.nodes = r.sorted(j.first.id) // the whole network
	}
	j.begin()
}
