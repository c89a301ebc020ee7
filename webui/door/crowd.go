package door

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoalnet/shoal/share"
)

// network is what one person has of the addresses: a /64, or an address of IPv4.
func network(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	p, _ := ip.Prefix(bits)
	return p
}

// seats bounds how many answers send content at once. When all are taken, who has the most
// gives one up for who has fewer.
type seats struct {
	mu    sync.Mutex
	taken map[*seat]struct{}
	of    map[netip.Prefix]int
	count uint64
}

// seat is one answer that sends content.
type seat struct {
	link    string   // ID
	of      share.ID // of the transfer; zero for a link for receiving
	network netip.Prefix
	number  uint64
	end     func() // ends the answer
}

const (
	maxSeats     = 64
	seatsOfOne   = 16 // of one network
	seatsWaiting = "5"
)

func newSeats() *seats { return &seats{taken: map[*seat]struct{}{}, of: map[netip.Prefix]int{}} }

// take takes a seat, or reports that there is none for ip.
func (s *seats) take(ip netip.Addr, link *Link, end func()) (leave func(), ok bool) {
	me := &seat{link: link.ID, of: link.Transfer, network: network(ip), end: end}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[me.network] >= seatsOfOne {
		return nil, false
	}
	if len(s.taken) >= maxSeats {
		var least *seat
		for o := range s.taken {
			if least == nil || s.of[o.network] > s.of[least.network] ||
				s.of[o.network] == s.of[least.network] && o.number > least.number {
				least = o
			}
		}
		if s.of[least.network] <= s.of[me.network]+1 {
			return nil, false
		}
		s.leave(least)
		least.end()
	}
	s.count++
	me.number = s.count
	s.taken[me] = struct{}{}
	s.of[me.network]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.leave(me)
	}, true
}

// leave gives a seat back; mu is held.
func (s *seats) leave(me *seat) {
	if _, ok := s.taken[me]; !ok {
		return
	}
	delete(s.taken, me)
	if s.of[me.network]--; s.of[me.network] == 0 {
		delete(s.of, me.network)
	}
}

// end ends the answers of a link.
func (s *seats) end(link string) { s.endIf(func(o *seat) bool { return o.link == link }) }

func (s *seats) endIf(which func(*seat) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o := range s.taken {
		if which(o) {
			s.leave(o)
			o.end()
		}
	}
}

// transfers are those that answers are under way of.
func (s *seats) transfers() map[share.ID]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[share.ID]bool{}
	for o := range s.taken {
		if !o.of.IsZero() {
			all[o.of] = true
		}
	}
	return all
}

// misses limits how often a network may give a capability that does not exist.
type misses struct {
	now func() time.Time

	mu     sync.Mutex
	by     map[netip.Prefix]*list.Element // of *missing
	recent list.List                      // the latest is last
}

type missing struct {
	of   netip.Prefix
	left *rate.Limiter
}

const (
	// Several people behind one address may open an old link.
	missesAtOnce = 30
	missesAgain  = 2 * time.Second
	maxMissing   = 16_384
)

func newMisses(now func() time.Time) *misses {
	return &misses{now: now, by: map[netip.Prefix]*list.Element{}}
}

// tooMany reports whether ip has to wait.
func (m *misses) tooMany(ip netip.Addr) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.by[network(ip)]
	return e != nil && e.Value.(*missing).left.TokensAt(m.now()) < 1
}

// add records a miss.
func (m *misses) add(ip netip.Addr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := network(ip)
	e := m.by[n]
	if e == nil {
		if m.recent.Len() >= maxMissing {
			old := m.recent.Front()
			delete(m.by, old.Value.(*missing).of)
			m.recent.Remove(old)
		}
		e = m.recent.PushBack(&missing{of: n, left: rate.NewLimiter(rate.Every(missesAgain), missesAtOnce)})
		m.by[n] = e
	}
	m.recent.MoveToBack(e)
	e.Value.(*missing).left.AllowN(m.now(), 1)
}
