package dht

import (
	"context"
	crand "crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/shoalnet/shoal/index/dht/internal/core"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/share"
)

// ErrStopped is returned by calls that were running when Run returned.
var ErrStopped = errors.New("the DHT node has stopped")

// Node is a DHT node. Its methods are safe for concurrent use and may be called at
// any time; nothing happens before Run.
type Node struct {
	cfg     Config
	log     *slog.Logger
	start   time.Time
	sockets []*socket
	other   *otherConn

	ready        chan struct{} // closed when the node has joined
	stopped      chan struct{} // closed when Run returns
	kick         chan struct{} // the deadline has moved forward
	wantContacts chan struct{} // contacts are wanted

	mu        sync.Mutex
	core      *core.Core
	armed     time.Duration // when the timer will fire
	connected chan struct{} // closed while a node is known
	events    []unsolicited
	ran       bool
}

type unsolicited struct {
	from  netip.AddrPort
	local netip.Addr
	at    time.Time
}

const (
	// addressesEvery is how often Config.Addresses is called unasked.
	addressesEvery = 15 * time.Second
	saveEvery      = 10 * time.Minute
	// clockJump is how much the wall clock must have gone faster or slower than
	// the monotonic one before we assume that the machine slept. A machine that
	// wakes with a wrong hardware clock may be in the past.
	clockJump = 30 * time.Second
)

// New makes a node. It reads the state file, which need not exist, and starts
// nothing.
func New(cfg Config) (*Node, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, log: cfg.Logger, start: time.Now(),
		ready: make(chan struct{}), stopped: make(chan struct{}),
		kick: make(chan struct{}, 1), wantContacts: make(chan struct{}, 1),
		connected: make(chan struct{}),
	}
	for _, c := range cfg.Conns {
		n.sockets = append(n.sockets, newSocket(c))
	}
	n.other = newOtherConn(n)
	saved := n.load()
	var seed [32]byte
	crand.Read(seed[:])
	n.core = core.New(core.Config{
		Seed: seed, ID: saved.id,
		Send:         n.send,
		Port:         cfg.Port,
		Seeding:      n.seeding(),
		WantContacts: func() { signal(n.wantContacts) },
		OnConnected:  n.setConnected,
		Joined:       func() { close(n.ready) },
		Unsolicited:  n.unsolicited(),
		Told:         n.told(),
		ReadOnly:     cfg.ReadOnly, Strict: cfg.EnforceBEP42,
	})
	for _, c := range saved.nodes {
		n.core.AddNode(0, c)
	}
	return n, nil
}

func (n *Node) seeding() func(nodeid.ID) bool {
	if n.cfg.Seeding == nil {
		return nil
	}
	return func(id nodeid.ID) bool { return n.cfg.Seeding(share.ID(id)) }
}

func (n *Node) told() func(nodeid.ID) bool {
	if n.cfg.Told == nil {
		return nil
	}
	return func(id nodeid.ID) bool { return n.cfg.Told(id) }
}

func (n *Node) unsolicited() func(netip.AddrPort, netip.Addr) {
	if n.cfg.OnUnsolicited == nil {
		return nil
	}
	return func(from netip.AddrPort, local netip.Addr) {
		n.events = append(n.events, unsolicited{from, local, n.cfg.Now()})
	}
}

// setConnected is called by the core, with the lock held.
func (n *Node) setConnected(connected bool) {
	if connected {
		close(n.connected)
	} else {
		n.connected = make(chan struct{})
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run runs the node until ctx ends and then returns nil, or returns why a socket
// failed. It is called once.
func (n *Node) Run(ctx context.Context) error {
	n.mu.Lock()
	if n.ran {
		n.mu.Unlock()
		return errors.New("a DHT node can run only once")
	}
	n.ran = true
	n.mu.Unlock()
	defer close(n.stopped)

	g, ctx := errgroup.WithContext(ctx)
	for i := range n.sockets {
		g.Go(func() error { return n.read(ctx, i) })
	}
	g.Go(func() error { n.keepTime(ctx); return nil })
	g.Go(func() error { n.bootstrap(ctx); return nil })
	g.Go(func() error {
		<-ctx.Done()
		for _, s := range n.sockets {
			s.conn.Close()
		}
		n.other.Close()
		return nil
	})
	n.followAddresses()
	n.do(func(now time.Duration) { n.core.Start(now) })
	err := g.Wait()
	n.save()
	return err
}

// Ready is closed when the node has joined the network: it has found the nodes
// closest to its ID.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// do calls f with the core locked, and wakes keepTime if f moved the deadline
// forward.
func (n *Node) do(f func(now time.Duration)) {
	n.mu.Lock()
	f(n.since())
	events := n.events
	n.events = nil
	at, any := n.core.Deadline()
	sooner := any && at < n.armed
	n.mu.Unlock()
	if sooner {
		signal(n.kick)
	}
	for _, e := range events {
		n.cfg.OnUnsolicited(e.from, e.local, e.at)
	}
}

// since is the time on the core's clock, which stands still while the machine
// sleeps and does not follow the wall clock.
func (n *Node) since() time.Duration { return time.Since(n.start) }

// keepTime wakes the core when a timer is due, notices changed addresses and that
// the machine slept, and saves the state.
func (n *Node) keepTime(ctx context.Context) {
	const never = time.Duration(1<<63 - 1)
	timer := time.NewTimer(0)
	defer timer.Stop()
	wall, mono := n.cfg.Now(), n.since()
	saved, looked := mono, mono
	joined := n.Ready()
	for {
		select {
		case <-ctx.Done():
			return
		case <-joined:
			// If the node is killed from now on, it keeps its ID.
			joined = nil
			n.save()
			continue
		case <-n.kick:
		case <-timer.C:
		}
		var next time.Duration
		n.do(func(now time.Duration) {
			n.core.Wake(now)
			var any bool
			if next, any = n.core.Deadline(); !any {
				next = never
			}
			next = min(next, now+addressesEvery)
			n.armed = next
		})
		now := n.since()
		slept := n.cfg.Now().Round(0).Sub(wall.Round(0)) - (now - mono)
		if slept.Abs() > clockJump {
			n.log.Info("the clock jumped; announcing everything again", "by", slept)
			n.do(n.core.Moved)
		}
		if slept.Abs() > clockJump || now-mono > clockJump {
			wall, mono = n.cfg.Now(), now
		}
		if now-looked >= addressesEvery {
			looked = now
			n.followAddresses()
		}
		if now-saved >= saveEvery {
			saved = now
			n.save()
		}
		timer.Reset(max(0, next-n.since()))
	}
}

// AddressesChanged makes the node call Config.Addresses at once.
func (n *Node) AddressesChanged() { n.followAddresses() }

func (n *Node) followAddresses() {
	if n.cfg.Addresses == nil {
		return
	}
	addrs := n.cfg.Addresses()
	n.do(func(now time.Duration) { n.core.SetAddresses(now, addrs) })
}

// AddNode adds the possible address of a DHT node, from a PORT message or a link.
func (n *Node) AddNode(addr netip.AddrPort) {
	n.do(func(now time.Duration) { n.core.AddContact(now, addr) })
}

// read passes what arrives at a socket to the core, or to the other protocol that
// shares the socket.
func (n *Node) read(ctx context.Context, i int) error {
	buf := make([]byte, joinedMax)
	s := n.sockets[i]
	var backoff time.Duration
	for {
		all, size, from, local, err := s.receive(buf)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			// Errors of earlier sends are reported here by some systems.
			backoff = min(max(2*backoff, time.Millisecond), 100*time.Millisecond)
			n.log.Debug("receiving a datagram", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(backoff):
			}
			continue
		}
		backoff = 0
		if size == 0 || size >= datagramMax {
			continue // empty, or longer than what we take
		}
		n.arrived(buf[:all], size, from, core.Via{Socket: i, Addr: local})
	}
}

// arrived gives away datagrams that came together: to the core, or, those that come
// one after the other at once, to the other protocol.
func (n *Node) arrived(b []byte, size int, from netip.AddrPort, via core.Via) {
	for len(b) > 0 {
		end := min(size, len(b))
		if b[0] == 'd' {
			n.do(func(now time.Duration) { n.core.Receive(now, b[:end], from, via) })
		} else {
			for end < len(b) && b[end] != 'd' {
				end = min(end+size, len(b))
			}
			n.other.arrived(b[:end], size, from, via)
		}
		b = b[end:]
	}
}

// send is how the core sends, with the lock held. A reply leaves from where its
// query came to or not at all; a query may leave from elsewhere when the address
// it should leave from has just left the host.
func (n *Node) send(b []byte, to netip.AddrPort, via core.Via) bool {
	if via.Socket != core.AnySocket {
		return n.sockets[via.Socket].send(b, to, via.Addr) == nil
	}
	if via.Addr.IsValid() {
		i := slices.IndexFunc(n.sockets, func(s *socket) bool { return s.bound(via.Addr) })
		if i >= 0 && n.sockets[i].send(b, to, via.Addr) == nil {
			return true
		}
	}
	return n.sockets[n.socketFor(to.Addr())].send(b, to, netip.Addr{}) == nil
}

// socketFor finds the socket for a destination that no address was chosen for:
// one bound to no address, else one whose address has the scope of to.
func (n *Node) socketFor(to netip.Addr) int {
	best := 0
	for i, s := range n.sockets {
		switch {
		case s.local.IsUnspecified():
			return i
		case s.local.IsLoopback() == to.IsLoopback() && s.local.IsLinkLocalUnicast() == to.IsLinkLocalUnicast() &&
			s.local.IsPrivate() == to.IsPrivate():
			best = i
		}
	}
	return best
}
