package library

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
	"github.com/shoalnet/shoal/share/engine/internal/admission"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
)

const (
	dialTimeout = 10 * time.Second
	// Pause after a failed accept, doubled up to the second: running out of
	// file descriptors must not turn into a busy loop.
	acceptPause    = 20 * time.Millisecond
	acceptPauseMax = time.Second
)

// gate is passed by every connection to a peer, whichever side began it. Who gets
// in, who gives way and who may be called is decided by the rules of package
// admission; the gate has the sockets.
type gate struct {
	log    *slog.Logger
	policy netguard.Policy
	now    func() time.Time
	closed chan struct{} // closed once the client library has stopped accepting

	refused atomic.Int64
	called  called

	mu      sync.Mutex
	rules   *admission.Policy
	conns   map[*admission.Conn]*conn
	dialled map[netip.AddrPort]int // open outgoing connections
}

func newGate(log *slog.Logger, policy netguard.Policy, max int, now func() time.Time) *gate {
	return &gate{
		log: log, policy: policy, now: now,
		closed:  make(chan struct{}),
		rules:   admission.New(max),
		conns:   make(map[*admission.Conn]*conn),
		dialled: make(map[netip.AddrPort]int),
	}
}

// near is the policy for those who are on our network or were named by the
// user: private addresses are welcome.
func (g *gate) near() netguard.Policy {
	return netguard.Policy{AllowPrivate: true, IPv4: g.policy.IPv4}
}

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
	return g.rules.Len()
}

// look measures what the connections are good for; it is called now and then.
func (g *gate) look() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rules.Look(g.now())
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
	c := &conn{Conn: nc, gate: g, peer: ap, incoming: true}
	c.addr = &acceptedAddr{Addr: shown(nc, ap), conn: c}
	g.mu.Lock()
	defer g.mu.Unlock()
	place, gone, err := g.rules.Accept(g.now(), ap.Addr(), c.use)
	if err != nil {
		return nil, err
	}
	g.endLocked(gone)
	boundSilence(nc)
	c.place = place
	g.conns[place] = c
	return c, nil
}

// endLocked closes a connection that gave way to another; nil is none.
func (g *gate) endLocked(gone *admission.Conn) {
	if c := g.conns[gone]; c != nil {
		g.refused.Add(1)
		g.removeLocked(c)
		go c.Conn.Close()
	}
}

func (g *gate) removeLocked(c *conn) {
	if _, ok := g.conns[c.place]; !ok {
		return
	}
	g.rules.Leave(c.place)
	delete(g.conns, c.place)
	if c.incoming {
		return
	}
	if g.dialled[c.peer]--; g.dialled[c.peer] <= 0 {
		delete(g.dialled, c.peer)
	}
}

// shook notes that the handshake on a connection is over: who is there is a peer.
func (g *gate) shook(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rules.Proved(g.now(), c.place)
}

// strike notes that a peer broke the protocol.
func (g *gate) strike(a netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rules.Strike(g.now(), a)
}

// mayCall counts a call that does not come by way of a dialer, and reports
// whether it may be made.
func (g *gate) mayCall(a netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.rules.MayCall(g.now(), a)
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
	for _, c := range g.conns {
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
	for _, c := range g.conns {
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
	for _, c := range g.conns {
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
	place    *admission.Conn
	peer     netip.AddrPort
	addr     net.Addr
	incoming bool
	moved    atomic.Int64 // bytes both ways
	got      atomic.Int64
	sent     atomic.Int64
	tap      atomic.Pointer[tap] // of its transfer, once that is known
	unchoked atomic.Bool         // the peer lets us ask
	wanted   atomic.Bool         // the peer wants what we have; it may always ask then
	once     sync.Once

	// What the side that began it said first tells the rest: which transfer it
	// is for and whether it is encrypted.
	head      []byte // only touched by that side's one reader or writer
	seen      atomic.Bool
	encrypted atomic.Bool
	id        atomic.Pointer[share.ID]

	// How the one that we called answered, as far as its greeting; only touched
	// by the one reader.
	answer []byte
	heard  bool

	claimed bool // guarded by gate.mu: connOf has returned it
}

// use is what the connection is good for.
func (c *conn) use() admission.Use {
	return admission.Use{Moved: c.moved.Load(), Choked: !c.unchoked.Load() && !c.wanted.Load()}
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
	switch {
	case c.incoming && !c.seen.Load():
		c.overhear(b[:n])
	case !c.incoming && !c.heard:
		c.answered(b[:n])
	}
	return n, err
}

// answered looks whether the one that we called speaks our protocol. Of an
// encrypted answer the library tells that, later.
func (c *conn) answered(b []byte) {
	c.answer = append(c.answer, b[:min(len(b), len(greeting)-len(c.answer))]...)
	if k := len(c.answer); string(c.answer) != greeting[:k] {
		c.heard = true
	} else if k == len(greeting) {
		c.heard = true
		c.gate.shook(c)
	}
	if c.heard {
		c.answer = nil
	}
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
	place, err := g.reserve(ap)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", addr, err)
	}
	g.called.note(ap.Addr())
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	nc, err := d.dial(ctx, netguard.RestoreZone(ap).String())
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		g.rules.Leave(place)
		return nil, share.Errorf(share.Failed, "connecting to %s: %w", addr, err)
	}
	boundSilence(nc)
	c := &conn{Conn: nc, gate: g, place: place, peer: ap, addr: shown(nc, ap)}
	g.rules.Answered(g.now(), place, c.use)
	g.conns[place] = c
	g.dialled[ap]++
	return c, nil
}

// reserve takes a place for a call, which is answered or leaves it again.
func (g *gate) reserve(ap netip.AddrPort) (*admission.Conn, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	place, gone, err := g.rules.Call(g.now(), ap.Addr())
	if err == nil {
		g.endLocked(gone)
	}
	return place, err
}

// peerAddr is an address as the client library gets it. The library remembers
// for ever the AddrPort of every address that it failed to connect to, in order
// to ask others for help with it, which they could not give: it is told none
// before a connection stands.
type peerAddr struct {
	ap   netip.AddrPort
	gate *gate
}

func (a *peerAddr) String() string { return a.ap.String() }

// AddrPort is the address to tell to others by peer exchange.
func (a *peerAddr) AddrPort() netip.AddrPort {
	if a.gate.hasDialled(a.ap) {
		return a.ap
	}
	return netip.AddrPort{}
}
