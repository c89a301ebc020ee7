package table

import "github.com/shoalnet/shoal/index/dht/internal/nodeid"

// Closest appends to dst the n nodes closest to target that answered our last
// query, closest first, leaving out the one called but: where to start a lookup.
//
// All nodes of the bucket that target falls into are closer to it than all of
// the deeper buckets, and these closer than those of the next one up, so only
// as many buckets as needed are looked at.
func (t *Table) Closest(dst []Contact, target nodeid.ID, n int, but nodeid.ID) []Contact {
	return t.closest(dst, target, n, but, false)
}

// Failing appends to dst up to n nodes that did not answer our last query: worth
// another try when there are no others.
func (t *Table) Failing(dst []Contact, n int) []Contact {
	for e := range t.All {
		if e.Fails > 0 && n > 0 {
			dst = append(dst, e.Contact)
			n--
		}
	}
	return dst
}

// Name appends to dst the nodes to name to a node that searches for target:
// the n closest, and after them up to half as many of those that anybody can
// reach, as far as we know, where not all of the n are of that kind. New nodes
// would not be found if we left them out, nor others if all that we named were
// behind firewalls.
func (t *Table) Name(dst []Contact, target nodeid.ID, n int, but nodeid.ID) []Contact {
	start := len(dst)
	dst = t.closest(dst, target, n, but, false)
	var room [2 * K]Contact
	open := t.closest(room[:0], target, n, but, true)
	for _, c := range open {
		if len(dst)-start < n+n/2 && !contains(dst[start:], c.ID) {
			dst = append(dst, c)
		}
	}
	return dst
}

func contains(cs []Contact, id nodeid.ID) bool {
	for i := range cs {
		if cs[i].ID == id {
			return true
		}
	}
	return false
}

func (t *Table) closest(dst []Contact, target nodeid.ID, n int, but nodeid.ID, open bool) []Contact {
	t.cand = t.cand[:0]
	home := min(t.self.Prefix(target), len(t.buckets))
	if home < len(t.buckets) {
		t.collect(home, open, but)
	}
	if len(t.cand) < n {
		for i := home + 1; i < len(t.buckets); i++ {
			t.collect(i, open, but)
		}
	}
	for i := home - 1; i >= 0 && len(t.cand) < n; i-- {
		t.collect(i, open, but)
	}
	return appendClosest(dst, t.cand, target, n)
}

func (t *Table) collect(i int, open bool, but nodeid.ID) {
	nodes := t.buckets[i].nodes
	for j := range nodes {
		e := &nodes[j]
		if e.Fails == 0 && (e.Open || !open) && e.ID != but {
			t.cand = append(t.cand, e)
		}
	}
}

// appendClosest selects the n closest of cand by insertion: n is small.
func appendClosest(dst []Contact, cand []*Entry, target nodeid.ID, n int) []Contact {
	start := len(dst)
	for _, e := range cand {
		have := len(dst) - start
		if have == n {
			if n == 0 || !nodeid.Closer(&target, &e.ID, &dst[len(dst)-1].ID) {
				continue
			}
		} else {
			dst = append(dst, Contact{})
		}
		i := len(dst) - 1
		for i > start && nodeid.Closer(&target, &e.ID, &dst[i-1].ID) {
			dst[i] = dst[i-1]
			i--
		}
		dst[i] = e.Contact
	}
	return dst
}
