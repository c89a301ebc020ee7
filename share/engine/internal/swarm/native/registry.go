package native

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

	"golang.org/x/time/rate"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/admission"
	"github.com/shoalnet/shoal/share/engine/internal/flow"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/opening"
)

const (
	dialTimeout  = 10 * time.Second
	dialsASecond = 60
)

// registry has every connection to a peer, whichever side began it. The rules of
// package admission decide who gets in, who gives way and who may be called.
type registry struct {
	log    *slog.Logger
	policy netguard.Policy
	now    func() time.Time
	pace   *rate.Limiter // of calls
	called called
	line   *line

	refused atomic.Int64

	mu         sync.Mutex
	rules      *admission.Policy
	conns      map[*admission.Conn]*tracked
	banned     map[netip.Addr]bool // who sent wrong data
	unanswered unanswered
}

// maxBanned bounds the addresses that are kept out until the end.
const maxBanned = 4096

func newRegistry(log *slog.Logger, policy netguard.Policy, most int, yield bool, now func() time.Time) *registry {
	return &registry{
		log: log, policy: policy, now: now, pace: rate.NewLimiter(dialsASecond, dialsASecond), line: newLine(log, yield),
		rules: admission.New(most), conns: make(map[*admission.Conn]*tracked), banned: make(map[netip.Addr]bool),
	}
}

// near is the policy for those who are on our network or were named by the
// user: private addresses are welcome.
func (r *registry) near() netguard.Policy {
	return netguard.Policy{AllowPrivate: true, IPv4: r.policy.IPv4}
}

// tracked is a connection in a registry.
type tracked struct {
	net.Conn
	of       *registry
	place    *admission.Conn
	peer     netip.AddrPort // a zone is inside, see netguard.EmbedZone
	incoming bool
	got      atomic.Int64 // bytes
	sent     atomic.Int64
	idle     atomic.Bool // neither side may ask for, or wants, anything
	told     atomic.Bool // the peer has told the port of its DHT node
	once     sync.Once
	mute     func() // told when one that we called says nothing; nil is nothing
	brief    func() // told when one that we called ends soon; nil is nothing
	since    time.Time
	outlet   outlet

	down, up flow.Meter // guarded by the lock of its Swarm

	// How the one that we called answers, until it is clear whether that is the
	// greeting of a peer; only touched by the one reader.
	answer []byte
	heard  bool
}

// briefTime is how long a connection lasts of which something comes.
const briefTime = 5 * time.Second

// within tells whether less than d has passed since at; not when the clock was set back.
func within(now, at time.Time, d time.Duration) bool { return now.Sub(at) < d && !now.Before(at) }

// silence is how long a peer may leave unacknowledged, or unread, what it was
// sent. The system's own patience is a quarter of an hour, in which nobody else is
// asked for the blocks that were asked of a peer whose address is gone. Who reads
// slowly, since his user wants it so, must not be taken for one.
const silence = time.Minute

func (r *registry) track(nc net.Conn, peer netip.AddrPort, incoming bool) *tracked {
	boundSilence(nc, silence)
	c := &tracked{Conn: nc, of: r, peer: peer, incoming: incoming, since: r.now()}
	c.outlet.line, c.outlet.conn = r.line, nc
	c.idle.Store(true)
	return c
}

// use is what the connection is good for.
func (c *tracked) use() admission.Use {
	return admission.Use{Moved: c.got.Load() + c.sent.Load(), Choked: c.idle.Load()}
}

func (c *tracked) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.got.Add(int64(n))
	if err != nil && c.mute != nil && c.got.Load() == 0 && !errors.Is(err, net.ErrClosed) {
		c.mute()
	}
	if !c.incoming && !c.heard {
		c.hear(b[:n])
	}
	return n, err
}

// hear looks whether the one that we called greets as a peer does. The swarm tells
// that of those that encrypt, and of its own; others dial, too.
func (c *tracked) hear(b []byte) {
	const whole = len(opening.Greeting)
	c.answer = append(c.answer, b[:min(len(b), whole-len(c.answer))]...)
	n := len(c.answer)
	same := string(c.answer) == opening.Greeting[:n]
	if c.heard = !same || n == whole; !c.heard {
		return
	}
	c.answer = nil
	if same {
		c.of.proved(c)
	}
}

func (c *tracked) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent.Add(int64(n))
	return n, err
}

// WriteBuffers writes all of b at once, if the system can.
func (c *tracked) WriteBuffers(b *net.Buffers) (int64, error) {
	var n int64
	var err error
	if w, ok := c.Conn.(swarm.BuffersWriter); ok {
		n, err = w.WriteBuffers(b)
	} else {
		n, err = b.WriteTo(c.Conn)
	}
	c.sent.Add(n)
	return n, err
}

// OverUTP implements swarm.Datagrams.
func (c *tracked) OverUTP() bool { return overUTP(c.Conn) }

// BoundUnsent implements swarm.Bounded.
func (c *tracked) BoundUnsent(bytes int) { boundUnsent(c.Conn, bytes) }

// RemoteAddr is the address of the peer, with a zone inside.
func (c *tracked) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.peer) }

func (c *tracked) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		if c.brief != nil && within(c.of.now(), c.since, briefTime) {
			c.brief()
		}
		c.of.mu.Lock()
		defer c.of.mu.Unlock()
		c.of.forget(c)
	})
	return err
}

// forget takes a connection out. r.mu is held.
func (r *registry) forget(c *tracked) {
	if _, ok := r.conns[c.place]; ok {
		r.rules.Leave(c.place)
		delete(r.conns, c.place)
	}
}

// release gives the place of a connection back that turned out to be no peer's. It stays
// open.
func (r *registry) release(c *tracked) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(c)
}

// giveWay closes a connection that gave way to another; nil is none. r.mu is held.
func (r *registry) giveWay(gone *admission.Conn) {
	if c := r.conns[gone]; c != nil {
		r.refused.Add(1)
		r.forget(c)
		go c.Conn.Close()
	}
}

// admit takes in a connection that a peer began, or tells why it has to go.
func (r *registry) admit(nc net.Conn) (*tracked, error) {
	ap, err := netip.ParseAddrPort(nc.RemoteAddr().String())
	if err != nil {
		return nil, fmt.Errorf("reading the address of %s: %w", nc.RemoteAddr(), err)
	}
	if ap, err = netguard.EmbedZone(netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())); err != nil {
		return nil, err
	}
	if err := r.near().Check(ap.Addr()); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.banned[ap.Addr()] {
		return nil, admission.ErrBanned
	}
	c := r.track(nc, ap, true)
	place, gone, err := r.rules.Accept(r.now(), ap.Addr(), c.use)
	if err != nil {
		return nil, err
	}
	r.giveWay(gone)
	c.place = place
	r.conns[place] = c
	return c, nil
}

// dialer makes the connection of a call.
type dialer func(ctx context.Context, to netip.AddrPort) (net.Conn, error)

// call connects to a peer by way of dial, if the rules allow it.
func (r *registry) call(ctx context.Context, to netip.AddrPort, dial dialer) (*tracked, error) {
	// Which sources may name private addresses was decided when the address
	// came in; here is the last check against what nobody may name.
	if err := r.near().CheckPeer(to); err != nil {
		return nil, err
	}
	if r.inVain(to) {
		return nil, share.Errorf(share.Failed, "connecting to %s: nobody answered there a moment ago", to)
	}
	if err := r.turn(ctx); err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", to, err)
	}
	place, err := r.reserve(to.Addr())
	if errors.Is(err, admission.ErrFull) || errors.Is(err, admission.ErrCalled) {
		err = fmt.Errorf("%w: %w", face.ErrNotNow, err)
	}
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", to, err)
	}
	r.called.note(to.Addr())
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	nc, err := dial(ctx, to)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.rules.Leave(place)
		r.unanswered.note(r.now(), to)
		return nil, share.Errorf(share.Failed, "connecting to %s: %w", to, err)
	}
	c := r.track(nc, to, false)
	c.place = place
	r.rules.Answered(r.now(), place, c.use)
	r.conns[place] = c
	return c, nil
}

// inVain tells whether a call was just made to an address where nobody answered. Hosts
// that are known to be peers may be back at any time.
func (r *registry) inVain(to netip.AddrPort) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	return r.unanswered.has(now, to) && !r.rules.Knows(now, to.Addr())
}

// turn waits until a call may begin, at most half of the time there is: the rest
// is for the call.
func (r *registry) turn(ctx context.Context) error {
	wait := ctx
	if end, bounded := ctx.Deadline(); bounded {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	err := r.pace.Wait(wait)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", face.ErrNotNow, err)
	}
	return err
}

// reserve takes a place for a call, which is answered or leaves it again.
func (r *registry) reserve(to netip.Addr) (*admission.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.banned[to] {
		return nil, admission.ErrBanned
	}
	place, gone, err := r.rules.Call(r.now(), to)
	if err == nil {
		r.giveWay(gone)
	}
	return place, err
}

// ban keeps out an address that sent wrong data, in all swarms.
func (r *registry) ban(a netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.banned) < maxBanned {
		r.banned[a] = true
	}
}

// convicts counts the addresses that sent wrong data.
func (r *registry) convicts() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.banned)
}

// mayCall counts a call that does not come by way of call, and reports whether it
// may be made.
func (r *registry) mayCall(a netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rules.MayCall(r.now(), a)
}

// proved notes that the handshake on a connection is over: who is there is a peer.
func (r *registry) proved(c *tracked) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules.Proved(r.now(), c.place)
}

// strike notes that a peer broke the protocol.
func (r *registry) strike(a netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules.Strike(r.now(), a)
}

// look measures what the connections are good for; it is called now and then.
func (r *registry) look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules.Look(r.now())
}

// open counts the connections, calls under way included.
func (r *registry) open() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rules.Len()
}

// closeAll ends what is left.
func (r *registry) closeAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Conn.Close()
	}
}

// listener accepts what the registry admits.
type listener struct {
	net.Listener
	of *registry
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c, err := l.of.admit(nc)
		if err == nil {
			return c, nil
		}
		l.of.refused.Add(1)
		l.of.log.Debug("a connection was refused", "peer", nc.RemoteAddr().String(), "reason", err)
		nc.Close()
	}
}
