package library

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/anacrolix/torrent"
	pp "github.com/anacrolix/torrent/peer_protocol"
	holepunch "github.com/anacrolix/torrent/peer_protocol/ut-holepunch"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/peerguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/punch"
)

// Hole punching (BEP 55): a peer that cannot be called is asked, through a peer
// that both are connected with, to call at the same moment. Here that is done
// over TCP.

const (
	// A call that has not been answered for this long is worth an introduction.
	punchAfter = 2 * time.Second
	// How many peers are asked for one introduction.
	introducers = 3
	maxOffered  = 1000 // addresses remembered
	// For how long a connection waits for the library to take it up.
	punchKept = 10 * time.Second
)

// puncher is the calls that were arranged through others.
type puncher struct {
	limits *punch.Limits

	mu      sync.Mutex
	made    map[netip.AddrPort]net.Conn
	waiting map[netip.AddrPort]chan net.Conn // dials under way
}

func newPuncher(now func() time.Time) *puncher {
	return &puncher{limits: punch.NewLimits(now), made: map[netip.AddrPort]net.Conn{}, waiting: map[netip.AddrPort]chan net.Conn{}}
}

// wait registers a dial under way, which takes a connection that is made
// meanwhile. The connection may be there already.
func (p *puncher) wait(a netip.AddrPort) (<-chan net.Conn, func()) {
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

// deliver hands a connection to the dial that waits for it. It reports false
// where none does yet; then it is kept for a little while.
func (p *puncher) deliver(a netip.AddrPort, conn net.Conn) bool {
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
func (p *puncher) drop(a netip.AddrPort, conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made[a] == conn {
		delete(p.made, a)
		conn.Close()
	}
}

// closeAll ends what nobody took up.
func (p *puncher) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for a, conn := range p.made {
		delete(p.made, a)
		conn.Close()
	}
}

// reach dials to, and where that takes long has others introduce us.
func (c *Network) reach(ctx context.Context, to netip.AddrPort, dial func(context.Context) (net.Conn, error)) (net.Conn, error) {
	if (netguard.Policy{}).CheckPeer(to) != nil {
		return dial(ctx)
	}
	punched, stop := c.punches.wait(to)
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
			c.introduce(to)
		}
	}
}

// introduce asks peers who may know to for an introduction.
func (c *Network) introduce(to netip.AddrPort) {
	if len(c.punchFrom) == 0 {
		return
	}
	c.mu.RLock()
	var all []*Swarm
	for _, a := range c.attached {
		all = append(all, a)
	}
	c.mu.RUnlock()
	var ask []*torrent.PeerConn
	for _, a := range all {
		a.mu.Lock()
		if _, wanted := a.offered[to]; wanted {
			for pc, s := range a.peers {
				if s.punch && len(ask) < introducers {
					ask = append(ask, pc)
				}
			}
		}
		a.mu.Unlock()
	}
	if len(ask) == 0 || !c.punches.limits.Ask(to) {
		return
	}
	for _, pc := range ask {
		c.tells.Go(func() { writePunch(pc, holepunch.Msg{MsgType: holepunch.Rendezvous, AddrPort: to}) })
	}
}

func writePunch(pc *torrent.PeerConn, m holepunch.Msg) {
	b, err := m.MarshalBinary()
	if err != nil {
		return
	}
	// It may have gone meanwhile.
	_ = pc.WriteExtendedMessage(pp.ExtensionName(peerguard.PunchAlias), b)
}

// heardPunch handles a message of BEP 55. It runs with the library's lock held.
func (c *Network) heardPunch(pc *torrent.PeerConn, a *Swarm, payload []byte) {
	var m holepunch.Msg
	if m.UnmarshalBinary(payload) != nil {
		return
	}
	a.mu.Lock()
	s := a.peers[pc]
	ok := s != nil && s.punch && s.conn != nil
	a.mu.Unlock()
	if !ok {
		return
	}
	switch m.MsgType {
	case holepunch.Rendezvous:
		c.bringTogether(pc, s, a, m.AddrPort)
	case holepunch.Connect:
		c.tells.Go(func() { c.punch(a, s.conn, m.AddrPort) })
	}
}

// bringTogether introduces two peers of ours to each other.
func (c *Network) bringTogether(asker *torrent.PeerConn, s *peerState, a *Swarm, target netip.AddrPort) {
	refuse := func(code holepunch.ErrCode) {
		c.tells.Go(func() { writePunch(asker, holepunch.Msg{MsgType: holepunch.Error, AddrPort: target, ErrCode: code}) })
	}
	a.mu.Lock()
	self := s.callable()
	var other *torrent.PeerConn
	able := false
	for pc, o := range a.peers {
		if o.conn != nil && (o.conn.peer == target || o.callable() == target) {
			other, able = pc, o.punch
		}
	}
	a.mu.Unlock()
	switch {
	case other == asker:
		refuse(holepunch.NoSelf)
	case other == nil:
		refuse(holepunch.NotConnected)
	case !able:
		refuse(holepunch.NoSupport)
	case !c.punches.limits.Introduce(self, target):
		refuse(holepunch.NotConnected)
	default:
		c.tells.Go(func() { writePunch(other, holepunch.Msg{MsgType: holepunch.Connect, AddrPort: self}) })
		c.tells.Go(func() { writePunch(asker, holepunch.Msg{MsgType: holepunch.Connect, AddrPort: target}) })
	}
}

// callable is where a peer listens, as far as is known.
func (s *peerState) callable() netip.AddrPort {
	if s.conn.incoming && s.listens != 0 {
		return netip.AddrPortFrom(s.conn.peer.Addr(), s.listens)
	}
	return s.conn.peer
}

// punch calls a peer that calls us at the same moment. The call leaves from the
// address by which the one that introduced us knows us.
func (c *Network) punch(a *Swarm, by *conn, to netip.AddrPort) {
	local, ok := by.LocalAddr().(*net.TCPAddr)
	if !ok || (netguard.Policy{}).CheckPeer(to) != nil {
		return
	}
	from := local.AddrPort().Addr().Unmap().WithZone("")
	for _, l := range c.punchFrom {
		at, ok := l.Addr().(*net.TCPAddr)
		if !ok || !at.IP.IsUnspecified() && at.AddrPort().Addr() != from {
			continue
		}
		guide := by.peer.Addr()
		if !c.punches.limits.Call(guide, to) {
			return
		}
		if !c.gate.mayCall(to.Addr()) {
			c.punches.limits.Done(guide, to, false)
			return
		}
		c.gate.called.note(to.Addr())
		nc, err := punch.Dial(c.ctx, l, from, to)
		c.punches.limits.Done(guide, to, errors.Is(err, syscall.ECONNREFUSED))
		if err != nil {
			c.gate.log.Debug("calling a peer that calls us", "peer", to, "error", err)
			return
		}
		if c.punches.deliver(to, nc) {
			return
		}
		// Nobody has asked for it yet.
		a.AddPeers([]face.Peer{{Addr: to, Source: share.FromPEX}})
		select {
		case <-time.After(punchKept):
		case <-c.ctx.Done():
		}
		c.punches.drop(to, nc)
		return
	}
}

// offer notes that the library was told of an address.
func (a *Swarm) offer(to netip.AddrPort) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.offered) >= maxOffered {
		clear(a.offered)
	}
	a.offered[to] = struct{}{}
}
