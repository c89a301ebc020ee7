// Package native keeps to itself how package face is implemented by our own swarm:
// package swarm runs the peer protocol, and this package connects it to the engine.
// It decides which connections to accept and to make, attaches content when a peer
// asks for it, translates what the engine wants for the core, and carries the messages
// of dial-back and hole punching.
package native

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/edge"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/dialback"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/punch"
	"github.com/shoalnet/shoal/share/metainfo"
)

const (
	peerIDPrefix = "-SH0100-"
	maxPeers     = 80 // of one transfer
	// maxTells bounds what is told, or done for peers, at once.
	maxTells = 256
)

// Network implements face.Network.
type Network struct {
	cfg       face.Config
	id        [20]byte
	registry  *registry
	node      *swarm.Node
	dialbacks *dialbacks
	punches   *punches
	either    either
	web       *netguard.Streams // to web seeds: it decides what may be dialled

	ctx    context.Context
	cancel context.CancelFunc
	serves sync.WaitGroup // accepting
	moves  sync.WaitGroup // what Moved began
	tells  tells

	mu        sync.Mutex
	attached  map[share.ID]*Swarm
	learnings map[share.ID]*learning
	down, up  int64 // of swarms that were detached
}

var _ face.Network = (*Network)(nil)

// New makes a Network, which starts nothing.
func New(cfg face.Config) *Network {
	n := &Network{
		cfg:       cfg,
		registry:  newRegistry(cfg.Logger, cfg.Policy, cfg.MaxConns, cfg.Yield, cfg.Now),
		attached:  make(map[share.ID]*Swarm),
		learnings: make(map[share.ID]*learning),
		tells:     newTells(maxTells),
	}
	copy(n.id[:], peerIDPrefix+rand.Text())
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.dialbacks = newDialbacks(n.registry, cfg.Client)
	n.punches = newPunches(n.registry, &n.either, cfg.Reachable)
	n.web = netguard.Transport(netguard.ClientConfig{Policy: cfg.Policy, UserAgent: cfg.Client})
	const closing = 64 // handshakes of connections that gave way and have not ended yet
	own := swarm.Config{
		Coming: cfg.MaxConns + closing,
		Logger: cfg.Logger, PeerID: n.id, Client: cfg.Client, DHTPort: cfg.DHTPort, Uploads: cfg.Uploads,
		Dial: n.Dial, Greeted: n.greeted, Wake: n.wake, Visit: n.visit,
	}
	if own.DHTPort == nil && cfg.Events.DHTNode != nil {
		own.DHTPort = func() uint16 { return 0 } // tells nothing, and has peers tell theirs
	}
	for _, l := range cfg.Listeners {
		t, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			continue
		}
		if own.Port == 0 {
			own.Port = uint16(t.Port)
		}
		if tcp, ok := l.(*net.TCPListener); ok && t.IP.To4() == nil {
			n.punches.from = append(n.punches.from, tcp)
		}
	}
	if u, ok := utpPort(cfg.UTP); ok && own.Port == 0 {
		own.Port = u
	}
	n.node = swarm.New(own)
	return n
}

// PeerID implements face.Network.
func (n *Network) PeerID() [20]byte { return n.id }

// DialBacks implements face.Network.
func (n *Network) DialBacks() face.DialBacks { return n.dialbacks }

// utpPort is the port at which peers are accepted over uTP.
func utpPort(pc net.PacketConn) (uint16, bool) {
	if pc == nil {
		return 0, false
	}
	u, ok := pc.LocalAddr().(*net.UDPAddr)
	if !ok {
		return 0, false
	}
	return uint16(u.Port), true
}

// Start implements face.Network.
func (n *Network) Start() error {
	if n.cfg.Yield && !edge.Supported {
		n.either.yields = n.cfg.UTP != nil
		n.cfg.Logger.Info("this system does not show the queue of the line: only what is sent over uTP leaves the line usable for others", "utp_first", n.either.yields)
	}
	listeners := n.cfg.Listeners
	if n.cfg.UTP != nil {
		n.either.utp = openUTP(n.cfg.UTP)
		listeners = append(slices.Clip(listeners), n.either.utp)
	}
	for _, l := range listeners {
		n.serves.Go(func() {
			if err := n.node.Serve(&listener{l, n.registry}); err != nil {
				n.cfg.Logger.Warn("accepting peers", "listener", l.Addr().String(), "error", err)
			}
		})
	}
	return nil
}

// Close implements face.Network.
func (n *Network) Close() error {
	n.cancel()
	n.node.Close()
	var errs []error
	shut := func(f func() error) {
		if err := f(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for _, l := range n.cfg.Listeners {
		shut(l.Close)
	}
	if n.either.utp != nil {
		shut(n.either.utp.Close)
	} else if n.cfg.UTP != nil {
		shut(n.cfg.UTP.Close)
	}
	n.serves.Wait()
	n.registry.line.turn(false)
	n.registry.closeAll()
	n.punches.closeAll()
	n.web.CloseIdleConnections()
	n.tells.wait()
	n.moves.Wait()
	return errors.Join(errs...)
}

// Offer implements face.Network.
func (n *Network) Offer(id share.ID) { n.node.Offer(swarm.ID(id)) }

// Withdraw implements face.Network.
func (n *Network) Withdraw(id share.ID) { n.node.Withdraw(swarm.ID(id)) }

// Offered tells whether a peer that asks for id is let in.
func (n *Network) Offered(id share.ID) bool { return n.node.Knows(swarm.ID(id)) }

// Banned counts the addresses that were caught sending wrong data.
func (n *Network) Banned() int { return n.registry.convicts() }

// Dial implements face.Network.
func (n *Network) Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	network := "tcp6"
	if n.cfg.Policy.IPv4 {
		network = "tcp"
	}
	c, err := n.registry.call(ctx, to, func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
		tcp := func(ctx context.Context) (net.Conn, error) {
			d := net.Dialer{KeepAlive: -1, FallbackDelay: -1}
			// A neighbour is called from whatever address the system takes.
			if (netguard.Policy{}).Check(to.Addr()) == nil {
				var local netip.Addr
				if from := n.cfg.DialFrom; from != nil {
					local = from()
				}
				if nc, err := n.punches.callFromListener(ctx, local, to); !errors.Is(err, punch.ErrPort) {
					return nc, err
				}
				if local.IsValid() {
					d.LocalAddr = &net.TCPAddr{IP: local.AsSlice()}
				}
			}
			return d.DialContext(ctx, network, netguard.RestoreZone(to).String())
		}
		return n.reach(ctx, to, func(ctx context.Context) (net.Conn, error) {
			return n.either.call(ctx, netguard.RestoreZone(to), tcp)
		})
	})
	if err != nil {
		return nil, err
	}
	if !overUTP(c.Conn) {
		// A peer can let TCP in and not speak with it.
		c.mute = func() { n.either.better.note(netguard.RestoreZone(to)) }
		c.brief = func() { n.punches.met.note(to) }
	}
	return c, nil
}

// Tend implements face.Network.
func (n *Network) Tend() {
	for _, s := range n.swarms() {
		s.noteIdle()
	}
	n.registry.look()
}

// Figures implements face.Network.
func (n *Network) Figures() face.NetworkFigures {
	n.mu.Lock()
	f := face.NetworkFigures{Down: n.down, Up: n.up + n.node.Given()}
	for _, s := range n.attached {
		down, up := s.run.Moved()
		f.Down += down
		f.Up += up
	}
	n.mu.Unlock()
	f.Open, f.Refused = n.registry.open(), n.registry.refused.Load()
	return f
}

// swarms are all that run.
func (n *Network) swarms() (all []*Swarm) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.learnings {
		all = append(all, l.swarm)
	}
	for _, s := range n.attached {
		all = append(all, s)
	}
	return all
}

// Moved implements face.Network. A connection from an address that is gone is
// dead, and neither end will notice for minutes.
func (n *Network) Moved(own []netip.Addr) {
	n.registry.line.moved()
	has := make(map[netip.Addr]bool, len(own))
	for _, a := range own {
		has[a.WithZone("")] = true
	}
	for _, s := range n.swarms() {
		n.moves.Go(func() {
			s.run.SetSelf(own)
			for _, p := range s.run.Peers() {
				if local, ok := localAddr(p.Conn); ok && local.Is6() && !has[local] {
					p.Peer.Renew()
				}
			}
		})
	}
}

// Check implements face.Network.
func (n *Network) Check(info []byte) error {
	_, err := metainfo.ParseInfo(info)
	return err
}

// Attach implements face.Network.
func (n *Network) Attach(c face.Content) (face.Swarm, error) {
	info, err := metainfo.ParseInfo(c.Info)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(info.IDs(), c.ID) {
		return nil, share.Errorf(share.Refused, "the info dictionary is not that of %s", c.ID.Short())
	}
	layers := c.Layers
	if layers == nil {
		layers = metainfo.NewLayers(info)
	}
	wishes := newWishes(info.NumPieces, info.PieceLength, c.ReadOnly)
	own := swarm.Describe(info, layers)
	own.Have, own.Storage, own.Down, own.Up = make([]byte, (info.NumPieces+7)/8), c.Storage, c.Down, c.Up
	had := 0
	for i := range info.NumPieces {
		known, complete := c.Storage.Completion(i)
		wishes.known[i] = known
		if known && complete {
			own.Have[i/8] |= 0x80 >> (i % 8)
			had++
		}
	}
	s := n.takeLearning(info.IDs()...)
	if s != nil && (info.Private || had > maxTold) {
		s.Detach()
		s = nil
	}
	learned := s != nil
	if !learned {
		s = n.newSwarm(c.ID)
	}
	// Whoever looks for s finds it with what runs it, or not at all.
	n.mu.Lock()
	s.mu.Lock()
	s.info, s.content, s.private, s.wishes = c.Info, c, info.Private, wishes
	if !learned {
		err = s.start(own)
	}
	if err == nil {
		n.attached[s.id] = s
	}
	s.mu.Unlock()
	n.mu.Unlock()
	if learned {
		if err = s.run.Fill(own); err != nil {
			s.Detach()
		}
	}
	if err != nil {
		return nil, share.Errorf(share.Failed, "attaching %s: %w", c.ID.Short(), err)
	}
	return s, nil
}

// detached takes that a swarm has ended, with its bytes.
func (n *Network) detached(s *Swarm) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.attached[s.id] == s {
		delete(n.attached, s.id)
		down, up := s.run.Moved()
		n.down += down
		n.up += up
	}
}

// wake attaches content that was offered.
func (n *Network) wake(ctx context.Context, id swarm.ID) {
	if f := n.cfg.Events.Wake; f != nil {
		f(ctx, share.ID(id))
	}
}

// greeted takes that the handshake of the other end has come.
func (n *Network) greeted(nc net.Conn, id swarm.ID, peer [20]byte) {
	c, ok := nc.(*tracked)
	if !ok {
		return
	}
	n.registry.proved(c)
	if !c.incoming {
		return
	}
	local, ok := c.LocalAddr().(*net.TCPAddr)
	if !ok {
		return // what came over uTP does not show that TCP is let in
	}
	n.dialbacks.answered(dialback.Nonce(peer))
	n.stranger(c, local)
}

// stranger tells that somebody came to an address of this host, unless a call of ours may
// have opened the way for them.
func (n *Network) stranger(c *tracked, local *net.TCPAddr) {
	if tell := n.cfg.Events.Stranger; tell != nil && !n.registry.called.has(c.peer.Addr()) {
		n.tells.run(func() { tell(local.AddrPort().Addr().Unmap().WithZone(""), c.peer) })
	}
}

// tells runs what is not to be waited for, so much of it at a time. What is
// beyond that is left undone: strangers make most of it.
type tells struct {
	room chan struct{}
	wg   *sync.WaitGroup
}

func newTells(most int) tells { return tells{make(chan struct{}, most), &sync.WaitGroup{}} }

func (t tells) run(f func()) {
	select {
	case t.room <- struct{}{}:
	default:
		return
	}
	t.wg.Go(func() {
		defer func() { <-t.room }()
		f()
	})
}

func (t tells) wait() { t.wg.Wait() }

// seconds is a time as LastPeer keeps it.
func seconds(unix int64) time.Time { return time.Unix(unix, 0) }
