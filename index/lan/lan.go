// Package lan finds peers on the local network without any server or router:
// Local Service Discovery (BEP 14) over IPv6 multicast.
//
// It announces what this node has on every interface that can multicast, hears
// what others announce, and keeps to the traffic that BEP 14 allows: an ID goes
// out every five minutes, at once when it is new or asked for by a newcomer but
// then at growing intervals, and all IDs together make at most two datagrams a
// second on each interface, however many there are. Nothing that arrives can
// make it send more than that or remember without bound.
package lan

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoalnet/shoal/share"
)

// Config is what a Node needs.
type Config struct {
	Logger *slog.Logger
	// Port is where peers reach us over TCP. While it is 0 we listen, and
	// announce nothing.
	Port func() uint16
	// Found is called with peers of IDs that are announced or were searched for
	// within the last minutes, outside of Find: whoever has what we want or
	// wants what we have. It is not called concurrently and must not block
	// long. May be nil.
	Found func(id share.ID, peers []netip.AddrPort)
	// Changed may signal that interfaces or addresses have changed. Without it
	// a change is noticed within five seconds.
	Changed <-chan struct{}
	Now     func() time.Time
}

const (
	// BEP 14: [ff15::efc0:988f]:6771.
	groupText = "[ff15::efc0:988f]:6771"

	searchTime  = 5 * time.Second // that Find waits for answers
	askAgain    = 2 * time.Second // multicast gets lost, over radio above all
	interestFor = 10 * time.Minute
)

var group = netip.MustParseAddrPort(groupText)

// Node discovers peers on the networks this host is attached to. It has the
// methods of the engine's Finder; they may be called by many at once, before
// and during Run.
type Node struct {
	cfg        Config
	cookie     string
	open       func() (socket, error)
	interfaces func() ([]network, error)
	wake       chan struct{}

	mu       sync.Mutex
	out      *outbox
	heard    *memory
	searches map[share.ID]map[*search]struct{}
	wanted   map[share.ID]time.Time // searched for, until when
	limits   map[netip.Addr]*source
	swept    time.Time // limits
}

// search is one Find under way.
type search struct{ found chan netip.AddrPort }

// New makes a node; it does nothing before Run.
func New(cfg Config) (*Node, error) {
	if cfg.Logger == nil || cfg.Port == nil {
		return nil, errors.New("lan: Logger and Port are needed")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Node{
		cfg:        cfg,
		cookie:     rand.Text(),
		open:       openSocket,
		interfaces: usableInterfaces,
		wake:       make(chan struct{}, 1),
		out:        newOutbox(),
		heard:      newMemory(),
		searches:   map[share.ID]map[*search]struct{}{},
		wanted:     map[share.ID]time.Time{},
		limits:     map[netip.Addr]*source{},
	}, nil
}

// Source names this way of finding peers.
func (n *Node) Source() share.Source { return share.FromLAN }

// Announce keeps id announced until Withdraw.
func (n *Node) Announce(id share.ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.out.add(id, n.cfg.Now())
	n.nudge()
}

// Withdraw ends Announce.
func (n *Node) Withdraw(id share.ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.out.remove(id)
}

func (n *Node) nudge() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// maxSearchPeers is how many peers one Find reports.
const maxSearchPeers = 200

// Find reports the peers of id that were heard of lately, asks the local
// network, and reports who answers within five seconds. Who turns up later is
// told by Config.Found. The error is nil; found is not called concurrently.
func (n *Node) Find(ctx context.Context, id share.ID, found func([]netip.AddrPort)) error {
	s := &search{found: make(chan netip.AddrPort, maxSearchPeers)}
	n.mu.Lock()
	now := n.cfg.Now()
	known := n.heard.peers(id, now)
	if n.searches[id] == nil {
		n.searches[id] = map[*search]struct{}{}
	}
	n.searches[id][s] = struct{}{}
	n.want(id, now)
	n.out.ask(id, now)
	n.nudge()
	n.mu.Unlock()

	defer func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.searches[id], s)
		if len(n.searches[id]) == 0 {
			delete(n.searches, id)
		}
	}()
	if len(known) > 0 {
		found(known)
	}
	over := time.NewTimer(searchTime)
	defer over.Stop()
	again := time.NewTimer(askAgain)
	defer again.Stop()
	for reported := 0; reported < maxSearchPeers; {
		select {
		case peer := <-s.found:
			reported++
			again.Stop()
			found([]netip.AddrPort{peer})
		case <-again.C:
			n.mu.Lock()
			n.out.ask(id, n.cfg.Now())
			n.nudge()
			n.mu.Unlock()
		case <-over.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// maxWanted is for how many IDs that were only searched for interest is kept.
const maxWanted = 10_000

func (n *Node) want(id share.ID, now time.Time) {
	if len(n.wanted) >= maxWanted {
		for old, until := range n.wanted {
			if now.After(until) {
				delete(n.wanted, old)
			}
		}
	}
	if len(n.wanted) < maxWanted {
		n.wanted[id] = now.Add(interestFor)
	}
}

// Bounds of what is taken from others. Honest traffic is far below them.
const (
	sourceRate  = 5 // datagrams a second
	sourceBurst = 500
	maxSources  = 1000
)

type source struct {
	*rate.Limiter
	last time.Time
}

// admit tells whether another datagram of from is to be looked at.
func (n *Node) admit(from netip.Addr, now time.Time) bool {
	s := n.limits[from]
	if s == nil {
		if len(n.limits) >= maxSources && now.Sub(n.swept) > sweepEvery {
			n.swept = now
			for a, o := range n.limits {
				if now.Sub(o.last) > time.Minute {
					delete(n.limits, a)
				}
			}
		}
		if len(n.limits) >= maxSources {
			return false
		}
		s = &source{Limiter: rate.NewLimiter(sourceRate, sourceBurst)}
		n.limits[from] = s
	}
	s.last = now
	return s.AllowN(now, 1)
}

// receive handles a datagram. It is called by one goroutine.
func (n *Node) receive(b []byte, from netip.AddrPort) {
	now := n.cfg.Now()
	addr := from.Addr()
	n.mu.Lock()
	ok := n.admit(addr, now)
	n.mu.Unlock()
	if !ok || !addr.Is6() || addr.Is4In6() || addr.IsMulticast() || addr.IsUnspecified() {
		return
	}
	m, err := parse(b)
	if err != nil {
		n.cfg.Logger.Debug("unusable announce on the local network", "from", from, "error", err)
		return
	}
	if m.cookie == n.cookie {
		return
	}
	peer := netip.AddrPortFrom(addr, m.port)
	var tell []share.ID
	n.mu.Lock()
	for _, id := range m.ids {
		isNew := n.heard.add(id, peer, now)
		n.out.heard(id, isNew, now)
		for s := range n.searches[id] {
			select {
			case s.found <- peer:
			default:
			}
		}
		if len(n.searches[id]) == 0 && isNew && (n.out.has(id) || n.wanted[id].After(now)) {
			tell = append(tell, id)
		}
	}
	n.nudge()
	n.mu.Unlock()
	if n.cfg.Found == nil {
		return
	}
	for _, id := range tell {
		n.cfg.Found(id, []netip.AddrPort{peer})
	}
}
