package swarm

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/mse"
)

// table finds content by what handshakes name. Content may have two IDs. Its user
// has the lock.
type table struct {
	attached map[ID]*Swarm
	offers   map[ID]bool     // what Wake is called for
	keys     map[[20]byte]ID // what encrypted handshakes name content by
}

func newTable() table {
	return table{attached: make(map[ID]*Swarm), offers: make(map[ID]bool), keys: make(map[[20]byte]ID)}
}

func (t *table) offer(id ID) {
	t.offers[id] = true
	t.keys[mse.Key(id)] = id
}

func (t *table) withdraw(id ID) {
	delete(t.offers, id)
	t.forget(id)
}

// forget takes the key of an ID out that names nothing any more.
func (t *table) forget(name ID) {
	if !t.offers[name] && t.attached[name] == nil {
		delete(t.keys, mse.Key(name))
	}
}

// add takes in a swarm, which may be there by other names; false if one of the names
// is that of another swarm.
func (t *table) add(s *Swarm, names []ID) bool {
	if slices.ContainsFunc(names, func(name ID) bool { return t.attached[name] != nil && t.attached[name] != s }) {
		return false
	}
	s.names = names
	for _, name := range names {
		t.attached[name] = s
		t.keys[mse.Key(name)] = name
	}
	return true
}

func (t *table) remove(s *Swarm) {
	for _, name := range s.names {
		if t.attached[name] == s {
			delete(t.attached, name)
			t.forget(name)
		}
	}
}

// swarms are those attached.
func (t *table) swarms() (all []*Swarm) {
	for name, s := range t.attached {
		if name == s.names[0] {
			all = append(all, s)
		}
	}
	return all
}

// callees are addresses where content is known by its ID of BEP 52, as we were told.
type callees struct {
	mu    sync.Mutex
	addrs map[netip.AddrPort]struct{}
}

// maxCallees bounds the addresses; with more, all are forgotten.
const maxCallees = 4096

func (c *callees) note(addrs []netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.addrs == nil || len(c.addrs)+len(addrs) > maxCallees {
		c.addrs = make(map[netip.AddrPort]struct{})
	}
	for _, a := range addrs[:min(len(addrs), maxCallees)] {
		c.addrs[a] = struct{}{}
	}
}

func (c *callees) has(a netip.AddrPort) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.addrs[a]
	return ok
}
