package native

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/punch"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// Hole punching (BEP 55): a peer that cannot be called is asked, through a peer
// that both are connected with, to call at the same moment. Here that is done
// over TCP and uTP; most clients do it over uTP.

const (
	// A call that has not been answered for this long is worth an introduction.
	punchAfter = time.Second
	// How many peers are asked for one introduction.
	introducers = 3
	// For how long a connection waits for somebody to take it up.
	punchKept = 10 * time.Second
)

// Why there was no introduction (BEP 55).
const (
	notConnected = 2 // we are not connected with it
	noSupport    = 3 // it does not know hole punching
	noSelf       = 4 // it is the one who asks
)

func punchMessage(kind uint8, addr netip.AddrPort, code uint32) []byte {
	return wire.AppendHolepunch(nil, &wire.Holepunch{Kind: kind, Addr: addr, Code: code})
}

// punches is the calls that were arranged through others.
type punches struct {
	registry  *registry
	either    *either
	limits    *punch.Limits
	from      []*net.TCPListener // whose ports calls leave from
	reachable func() bool
	met       generations[netip.AddrPort] // connections with whom ended soon

	mu      sync.Mutex
	made    map[netip.AddrPort]net.Conn
	waiting map[netip.AddrPort]chan net.Conn // dials under way
}

func newPunches(r *registry, e *either, reachable func() bool) *punches {
	if reachable == nil {
		reachable = func() bool { return false }
	}
	return &punches{
		registry: r, either: e, reachable: reachable, limits: punch.NewLimits(r.now),
		made: map[netip.AddrPort]net.Conn{}, waiting: map[netip.AddrPort]chan net.Conn{},
	}
}

// wait registers a dial under way, which takes a connection that is made
// meanwhile. The connection may be there already.
func (p *punches) wait(a netip.AddrPort) (<-chan net.Conn, func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := make(chan net.Conn, 1)
	if conn, ok := p.made[a]; ok {
		delete(p.made, a)
		c <- conn
		return c, func() {}
	}
	p.waiting[a] = c
	return c, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.waiting[a] == c {
			delete(p.waiting, a)
		}
		select {
		case conn := <-c: // nobody took it
			conn.Close()
		default:
		}
	}
}

// waitedFor tells whether a dial is under way.
func (p *punches) waitedFor(a netip.AddrPort) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting[a] != nil
}

// deliver hands a connection to the dial that waits for it. It reports false
// where none does yet; then it is kept for a little while.
func (p *punches) deliver(a netip.AddrPort, conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c, ok := p.waiting[a]; ok {
		delete(p.waiting, a)
		c <- conn
		return true
	}
	if old, ok := p.made[a]; ok {
		old.Close()
	}
	p.made[a] = conn
	return false
}

// drop ends a connection that nobody took up.
func (p *punches) drop(a netip.AddrPort, conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made[a] == conn {
		delete(p.made, a)
		conn.Close()
	}
}

// closeAll ends what nobody took up.
func (p *punches) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for a, conn := range p.made {
		delete(p.made, a)
		conn.Close()
	}
}

// able tells whether calls can be arranged.
func (p *punches) able() bool { return len(p.from) > 0 || p.either.utp != nil }

// call calls a peer that calls us at the same moment, from the address local of
// this host by which the one at guide, who introduced us, knows us. nil is for no
// connection.
func (p *punches) call(ctx context.Context, guide, local netip.Addr, to netip.AddrPort) net.Conn {
	if (netguard.Policy{}).CheckPeer(to) != nil || !p.able() || !p.limits.Call(guide, to) {
		return nil
	}
	if !p.registry.mayCall(to.Addr()) {
		p.limits.Done(guide, to, false)
		return nil
	}
	p.registry.called.note(to.Addr())
	nc, err := p.either.cross(ctx, to, func(ctx context.Context) (net.Conn, error) { return p.callTCP(ctx, local, to) })
	p.limits.Done(guide, to, errors.Is(err, syscall.ECONNREFUSED))
	if err != nil {
		p.registry.log.Debug("calling a peer that calls us", "peer", to, "error", err)
		return nil
	}
	return nc
}

// callTCP calls over TCP. Where a call from the port is under way already, that is it.
func (p *punches) callTCP(ctx context.Context, local netip.Addr, to netip.AddrPort) (net.Conn, error) {
	l := p.listener(local)
	if l == nil {
		return nil, punch.ErrPort
	}
	nc, err := punch.Dial(ctx, l, local, to)
	if errors.Is(err, punch.ErrPort) && p.waitedFor(to) {
		select {
		case <-time.After(punch.Time):
		case <-ctx.Done():
		}
	}
	return nc, err
}

// callFromListener calls from the port that we listen at, while strangers are not
// known to get in. Then the peer that answers can introduce us: other clients take
// the far end of a connection for where its peer listens.
func (p *punches) callFromListener(ctx context.Context, local netip.Addr, to netip.AddrPort) (net.Conn, error) {
	if p.reachable() {
		return nil, punch.ErrPort
	}
	if p.met.has(to) {
		// Perhaps it called us at the same time, for other content, and the two calls
		// became one connection. The next one leaves from any port.
		p.met.forget(to)
		return nil, punch.ErrPort
	}
	if !local.IsValid() {
		local = netip.IPv6Unspecified()
	}
	l := p.listener(local)
	if l == nil || !to.Addr().Is6() || to.Addr().Is4In6() {
		return nil, punch.ErrPort
	}
	return punch.Dial(ctx, l, local, to)
}

// listener is what listens at an address of this host; nil is nothing.
func (p *punches) listener(local netip.Addr) *net.TCPListener {
	for _, l := range p.from {
		if at, ok := l.Addr().(*net.TCPAddr); ok && (at.IP.IsUnspecified() || at.AddrPort().Addr() == local) {
			return l
		}
	}
	return nil
}

// reach dials to, and where that takes long has others introduce us.
func (n *Network) reach(ctx context.Context, to netip.AddrPort, dial func(context.Context) (net.Conn, error)) (net.Conn, error) {
	if (netguard.Policy{}).CheckPeer(to) != nil {
		return dial(ctx)
	}
	punched, stop := n.punches.wait(to)
	defer stop()
	type result struct {
		conn net.Conn
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dialled := make(chan result, 1)
	go func() {
		conn, err := dial(ctx)
		dialled <- result{conn, err}
	}()
	slow := time.NewTimer(punchAfter)
	defer slow.Stop()
	for {
		select {
		case r := <-dialled:
			return r.conn, r.err
		case conn := <-punched:
			cancel()
			if r := <-dialled; r.conn != nil {
				r.conn.Close()
			}
			return conn, nil
		case <-slow.C:
			n.introduce(to)
		}
	}
}

// introduce asks peers who may know to for an introduction.
func (n *Network) introduce(to netip.AddrPort) {
	if !n.punches.able() {
		return
	}
	var ask []*swarm.Peer
	for _, s := range n.swarms() {
		if s.private || !s.named(to) {
			continue
		}
		ask = append(ask, s.guides(to)...)
	}
	ask = ask[:min(len(ask), introducers)]
	if len(ask) == 0 || !n.punches.limits.Ask(to) {
		return
	}
	for _, p := range ask {
		p.Send(wire.NameHolepunch, punchMessage(wire.PunchRendezvous, to, 0))
	}
}

// heardPunch takes a message of BEP 55.
func (n *Network) heardPunch(s *Swarm, p *swarm.Peer, payload []byte) {
	m, err := wire.ParseHolepunch(payload)
	if err != nil || !p.Has(wire.NameHolepunch) {
		return
	}
	switch m.Kind {
	case wire.PunchRendezvous:
		n.tells.run(func() { n.bringTogether(s, p, m.Addr) })
	case wire.PunchConnect:
		n.tells.run(func() { n.meet(s, p, m.Addr) })
	}
}

// bringTogether introduces two peers of ours to each other.
func (n *Network) bringTogether(s *Swarm, asker *swarm.Peer, target netip.AddrPort) {
	self, other := callable(asker), (*swarm.Peer)(nil)
	for _, p := range s.running().Peers() {
		if p.Addr == target || p.Listens == target {
			other = p.Peer
		}
	}
	refuse := func(code uint32) {
		asker.Send(wire.NameHolepunch, punchMessage(wire.PunchError, target, code))
	}
	switch {
	case other == nil, !netguard.MayTell(self.Addr(), far(other).Addr()), !netguard.MayTell(target.Addr(), far(asker).Addr()):
		refuse(notConnected)
	case callable(other) == self:
		refuse(noSelf)
	case !other.Has(wire.NameHolepunch):
		refuse(noSupport)
	case !n.punches.limits.Introduce(self, target):
		refuse(notConnected)
	default:
		other.Send(wire.NameHolepunch, punchMessage(wire.PunchConnect, self, 0))
		asker.Send(wire.NameHolepunch, punchMessage(wire.PunchConnect, target, 0))
	}
}

// callable is where a peer listens, as far as is known.
func callable(p *swarm.Peer) netip.AddrPort {
	if at := p.Listens(); at.IsValid() {
		return at
	}
	return far(p)
}

// far is the far end of the connection to a peer.
func far(p *swarm.Peer) netip.AddrPort {
	a, _ := netip.ParseAddrPort(p.Conn().RemoteAddr().String())
	return a
}

// meet calls a peer that calls us at the same moment, as by has arranged.
func (n *Network) meet(s *Swarm, by *swarm.Peer, to netip.AddrPort) {
	local, ok := localAddr(by.Conn())
	guide, ok2 := by.Conn().(*tracked)
	if !ok || !ok2 {
		return
	}
	nc := n.punches.call(n.ctx, guide.peer.Addr(), local, to)
	if nc == nil || n.punches.deliver(to, nc) {
		return
	}
	// Nobody has asked for it yet.
	s.AddPeers([]face.Peer{{Addr: to, Source: share.FromPEX}})
	select {
	case <-time.After(punchKept):
	case <-n.ctx.Done():
	}
	n.punches.drop(to, nc)
}
