package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
)

const (
	defaultMaxConns = 500
	// One network may hold a quarter of all connections, and this many that
	// have not finished their handshake.
	netShare         = 4
	maxShakingPerNet = 32
	maxShaking       = 256
	dialTimeout      = 10 * time.Second
	// When full, a newcomer may take the place of one that was accepted this
	// long ago and moved less than this many bytes a second since.
	idleAge  = time.Minute
	idleRate = 1024
	// An address that broke the protocol this often is kept out for a while. One
	// odd message is more often a program's mistake than an attack.
	strikes = 3
	banTime = 15 * time.Minute
	maxBans = 10_000
	// Pause after a failed accept, doubled up to the second: running out of
	// file descriptors must not turn into a busy loop.
	acceptPause    = 20 * time.Millisecond
	acceptPauseMax = time.Second
)

// gate is passed by every connection to a peer, whichever side began it. It
// caps how many there are in all and from one network, and keeps out for a
// while those that broke the protocol.
type gate struct {
	log    *slog.Logger
	policy netguard.Policy
	max    int
	now    func() time.Time
	closed chan struct{} // closed once the client library has stopped accepting

	refused atomic.Int64
	called  called

	mu      sync.Mutex
	conns   map[*conn]struct{}
	pending int // dials not yet answered
	perNet  map[netip.Prefix]int
	shaking int
	netShak map[netip.Prefix]int
	dialled map[netip.AddrPort]int // open outgoing connections
	bans    map[netip.Addr]ban
}

func newGate(log *slog.Logger, policy netguard.Policy, max int, now func() time.Time) *gate {
	return &gate{
		log: log, policy: policy, max: max, now: now,
		closed:  make(chan struct{}),
		conns:   make(map[*conn]struct{}),
		perNet:  make(map[netip.Prefix]int),
		netShak: make(map[netip.Prefix]int),
		dialled: make(map[netip.AddrPort]int),
		bans:    make(map[netip.Addr]ban),
	}
}

// near is the policy for those who are on our network or were named by the
// user: private addresses are welcome.
func (g *gate) near() netguard.Policy {
	return netguard.Policy{AllowPrivate: true, IPv4: g.policy.IPv4}
}

// networkOf is what one household or server usually holds: a /64 in IPv6.
func networkOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

var errFull = errors.New("too many connections")

// shown is the address of nc as the client library may see it: it knows no
// zones, so a link-local address has its zone inside (see netguard.EmbedZone).
// That is the form of every address in the gate and the book.
func shown(nc net.Conn, ap netip.AddrPort) net.Addr {
	if ap.Addr().IsLinkLocalUnicast() {
		return net.TCPAddrFromAddrPort(ap)
	}
	return nc.RemoteAddr()
}

// open counts the connections, dials under way included.
func (g *gate) open() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns) + g.pending
}

// admit registers an accepted connection or tells why it has to go.
func (g *gate) admit(nc net.Conn) (*conn, error) {
	ap, err := netip.ParseAddrPort(nc.RemoteAddr().String())
	if err != nil {
		return nil, fmt.Errorf("reading the address of %s: %w", nc.RemoteAddr(), err)
	}
	if ap, err = netguard.EmbedZone(netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())); err != nil {
		return nil, err
	}
	if err := g.near().Check(ap.Addr()); err != nil {
		return nil, err
	}
	network := networkOf(ap.Addr())
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.bannedLocked(ap.Addr()) {
		return nil, fmt.Errorf("%s is banned", ap.Addr())
	}
	if g.perNet[network] >= max(g.max/netShare, 8) || g.netShak[network] >= maxShakingPerNet || g.shaking >= maxShaking {
		return nil, errFull
	}
	if len(g.conns)+g.pending >= g.max && !g.evictLocked() {
		return nil, errFull
	}
	boundSilence(nc)
	c := &conn{Conn: nc, gate: g, peer: ap, network: network, incoming: true, shaking: true, born: g.now()}
	c.addr = &acceptedAddr{Addr: shown(nc, ap), conn: c}
	g.conns[c] = struct{}{}
	g.perNet[network]++
	g.netShak[network]++
	g.shaking++
	return c, nil
}

// evictLocked makes room by closing the accepted connection that did least.
func (g *gate) evictLocked() bool {
	var worst *conn
	var worstRate float64 = idleRate
	now := g.now()
	for c := range g.conns {
		age := now.Sub(c.born)
		if !c.incoming || age < idleAge {
			continue
		}
		if r := float64(c.moved.Load()) / age.Seconds(); r < worstRate {
			worst, worstRate = c, r
		}
	}
	if worst == nil {
		return false
	}
	g.removeLocked(worst)
	go worst.Conn.Close()
	return true
}

func (g *gate) removeLocked(c *conn) {
	if _, ok := g.conns[c]; !ok {
		return
	}
	delete(g.conns, c)
	g.endShakeLocked(c)
	if c.incoming {
		decrement(g.perNet, c.network)
	} else {
		decrement(g.dialled, c.peer)
	}
}

func (g *gate) endShakeLocked(c *conn) {
	if c.shaking {
		c.shaking = false
		g.shaking--
		decrement(g.netShak, c.network)
	}
}

func decrement[K comparable](m map[K]int, k K) {
	if m[k]--; m[k] <= 0 {
		delete(m, k)
	}
}

// shook notes that the handshake on an accepted connection is over.
func (g *gate) shook(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.endShakeLocked(c)
}

type ban struct {
	strikes int
	until   time.Time // when all is forgotten
}

// strike notes that a peer broke the protocol. The own machine is never banned:
// it is where several peers share one address.
func (g *gate) strike(a netip.Addr) {
	a = a.Unmap().WithZone("")
	if a.IsLoopback() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if len(g.bans) >= maxBans {
		for k, b := range g.bans {
			if now.After(b.until) || len(g.bans) >= maxBans {
				delete(g.bans, k)
			}
		}
	}
	g.bans[a] = ban{g.bans[a].strikes + 1, now.Add(banTime)}
}

func (g *gate) bannedLocked(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	b, ok := g.bans[a]
	if ok && g.now().After(b.until) {
		delete(g.bans, a)
		return false
	}
	return b.strikes >= strikes
}

// connOf finds the connection behind a remote address that the client library
// shows. Of several that were dialled to one address it takes the one that was
// heard to be for id.
func (g *gate) connOf(remote fmt.Stringer, id share.ID) *conn {
	if a, ok := remote.(*acceptedAddr); ok {
		return a.conn
	}
	ap, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var found *conn
	for c := range g.conns {
		if c.incoming || c.peer != ap || c.claimed {
			continue
		}
		heard := c.id.Load()
		if heard != nil && *heard == id {
			found = c
			break
		}
		if heard == nil {
			found = c
		}
	}
	if found != nil {
		found.claimed = true
		found.id.Store(&id)
	}
	return found
}

// dialledFor is the addresses to which connections are open for id.
func (g *gate) dialledFor(id share.ID) map[netip.AddrPort]bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make(map[netip.AddrPort]bool)
	for c := range g.conns {
		if heard := c.id.Load(); !c.incoming && heard != nil && *heard == id {
			out[c.peer] = true
		}
	}
	return out
}

// closeAll ends what is left, so that no goroutine of the client library keeps
// waiting for bytes.
func (g *gate) closeAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		_ = c.Conn.Close()
	}
}

func (g *gate) hasDialled(ap netip.AddrPort) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.dialled[ap] > 0
}

// conn is a connection that the gate counts.
type conn struct {
	net.Conn
	gate     *gate
	peer     netip.AddrPort
	network  netip.Prefix
	addr     net.Addr
	incoming bool
	born     time.Time
	moved    atomic.Int64 // bytes both ways
	got      atomic.Int64
	sent     atomic.Int64
	tap      atomic.Pointer[tap] // of its transfer, once that is known
	once     sync.Once

	// What the side that began it said first tells the rest: which transfer it
	// is for and whether it is encrypted.
	head      []byte // only touched by that side's one reader or writer
	seen      atomic.Bool
	encrypted atomic.Bool
	id        atomic.Pointer[share.ID]

	shaking bool // guarded by gate.mu
	claimed bool // guarded by gate.mu: connOf has returned it
}

const greeting = "\x13BitTorrent protocol"

// overhear looks at the beginning of a handshake: greeting, 8 bytes, ID.
func (c *conn) overhear(b []byte) {
	const enough = len(greeting) + 8 + len(share.ID{})
	c.head = append(c.head, b[:min(len(b), enough-len(c.head))]...)
	switch k := min(len(c.head), len(greeting)); {
	case string(c.head[:k]) != greeting[:k]:
		c.encrypted.Store(true)
	case len(c.head) < enough:
		return
	default:
		id := share.ID(c.head[enough-len(share.ID{}):])
		c.id.Store(&id)
	}
	c.head = nil
	c.seen.Store(true)
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.moved.Add(int64(n))
	c.got.Add(int64(n))
	if c.incoming && !c.seen.Load() {
		c.overhear(b[:n])
	}
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	if !c.incoming && !c.seen.Load() {
		c.overhear(b)
	}
	n, err := c.Conn.Write(b)
	c.moved.Add(int64(n))
	c.sent.Add(int64(n))
	if t := c.tap.Load(); t != nil {
		t.left(int64(n))
	}
	return n, err
}

func (c *conn) RemoteAddr() net.Addr { return c.addr }

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.gate.mu.Lock()
		defer c.gate.mu.Unlock()
		c.gate.removeLocked(c)
	})
	return err
}

// The client library panics when a deadline cannot be set, as on a connection
// that was just evicted; its next read or write fails anyway.

func (c *conn) SetDeadline(t time.Time) error {
	_ = c.Conn.SetDeadline(t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	_ = c.Conn.SetReadDeadline(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	_ = c.Conn.SetWriteDeadline(t)
	return nil
}

// acceptedAddr is the remote address of an accepted connection; through it the
// callbacks of the client library find the conn.
type acceptedAddr struct {
	net.Addr
	conn *conn
}

// AddrPort is how the client library reads the address for peer exchange.
func (a *acceptedAddr) AddrPort() netip.AddrPort { return a.conn.peer }

// listener accepts through the gate. Its Accept fails only once the client
// library has closed, which else would call it again without pause.
type listener struct {
	net.Listener
	gate *gate
}

func (l *listener) Accept() (net.Conn, error) {
	pause := acceptPause
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				<-l.gate.closed
				return nil, err
			}
			l.gate.log.Warn("accepting a connection failed", "listener", l.Addr().String(), "error", err)
			select {
			case <-l.gate.closed:
				return nil, err
			case <-time.After(pause):
			}
			pause = min(2*pause, acceptPauseMax)
			continue
		}
		pause = acceptPause
		c, err := l.gate.admit(nc)
		if err != nil {
			l.gate.refused.Add(1)
			l.gate.log.Debug("connection refused", "peer", nc.RemoteAddr().String(), "reason", err)
			nc.Close()
			continue
		}
		return c, nil
	}
}

// dialer connects through the gate. It implements torrent.Dialer.
type dialer struct {
	gate    *gate
	network string // as the client library tells TCP from uTP by it
	dial    func(ctx context.Context, addr string) (net.Conn, error)
}

func (d *dialer) DialerNetwork() string { return d.network }

func (d *dialer) Dial(ctx context.Context, addr string) (net.Conn, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("connecting to %q: %w", addr, err)
	}
	g := d.gate
	// Which sources may name private addresses was decided when the address
	// came in; here is the last check against what nobody may name.
	if err := g.near().CheckPeer(ap); err != nil {
		return nil, err
	}
	if err := g.reserve(ap); err != nil {
		return nil, err
	}
	g.called.note(ap.Addr())
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	nc, err := d.dial(ctx, netguard.RestoreZone(ap).String())
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pending--
	if err != nil {
		return nil, share.Errorf(share.Failed, "connecting to %s: %w", addr, err)
	}
	boundSilence(nc)
	c := &conn{Conn: nc, gate: g, peer: ap, network: networkOf(ap.Addr()), addr: shown(nc, ap), born: g.now()}
	g.conns[c] = struct{}{}
	g.dialled[ap]++
	return c, nil
}

func (g *gate) reserve(ap netip.AddrPort) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.bannedLocked(ap.Addr()) {
		return fmt.Errorf("%s is banned", ap.Addr())
	}
	if len(g.conns)+g.pending >= g.max {
		return errFull
	}
	g.pending++
	return nil
}
