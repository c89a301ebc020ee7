// Package lan keeps to itself how peers are found on the local network without a
// server or router: by Local Service Discovery (BEP 14) over IPv6 multicast.
//
// It announces the node's IDs on every interface that can multicast, listens to
// the announces of others, and stays within the traffic that BEP 14 allows. Each
// ID is announced every five minutes. A new ID, or one that a newcomer asks for, is
// announced at once, then at growing intervals. All IDs together cause at most two
// datagrams a second on each interface. No received datagram can exceed that rate
// or make memory grow without bound.
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
	// Port is the TCP port for peers. While it is 0, the node listens but
	// announces nothing.
	Port func() uint16
	// Found is called with peers that announce an ID which this node announces
	// or recently searched for, if no Find is running for it. Calls are not
	// concurrent and must not block for long. May be nil.
	Found func(id share.ID, peers []netip.AddrPort)
	// Changed optionally signals changes of interfaces or addresses. Without it
	// a change is noticed within five seconds.
	Changed <-chan struct{}
	Now     func() time.Time
}

const (
	// BEP 14: [ff15::efc0:988f]:6771.
	groupText = "[ff15::efc0:988f]:6771"

	searchTime  = 5 * time.Second // how long Find waits for answers
	askAgain    = 2 * time.Second // multicast is lossy, above all on Wi-Fi
	interestFor = 10 * time.Minute
)

var group = netip.MustParseAddrPort(groupText)

// Node discovers peers on the networks this host is attached to. It implements the
// engine's Finder; its methods may be called concurrently, before and during Run.
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

// search is one running Find.
type search struct{ found chan netip.AddrPort }

// New creates a node; it does nothing before Run.
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

// Source names this source of peers.
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

// maxSearchPeers bounds the peers that one Find reports.
const maxSearchPeers = 200

// Find reports the peers of id that announced it recently, asks the local network,
// and reports the peers that answer within five seconds. Later answers go to
// Config.Found. The error is nil; found is not called concurrently.
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

// maxWanted bounds the IDs that were searched for but not announced.
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

// Limits of incoming traffic. Honest traffic is far below them.
const (
	sourceRate  = 5 // datagrams a second
	sourceBurst = 500
	maxSources  = 1000
)

type source struct {
	*rate.Limiter
	last time.Time
}

// admit reports whether another datagram of from is within the limits.
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

// receive handles a datagram. Only one goroutine calls it.
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
		n.out.noteAnnounce(id, isNew, now)
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
