package native

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/dialback"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

const (
	// Peers that dial back are remembered for this long after they were seen.
	helperLife = 30 * time.Minute
	maxHelpers = 64
	// callTime is how much later than the helper's word its call may be noticed.
	callTime = 2 * time.Second
)

// dialbacks is this node's part in dial-back, on either side. It implements
// face.DialBacks.
type dialbacks struct {
	registry *registry
	client   string
	helper   *dialback.Helper

	mu      sync.Mutex
	helpers map[netip.AddrPort]helper // whom we may ask
	calls   map[dialback.Nonce]chan struct{}
	asked   map[dialback.Nonce]struct{} // until the helper has answered
	seen    map[netip.Addr]sighting     // by peer
}

// sighting is what a peer said is our address.
type sighting struct {
	addr netip.Addr
	at   time.Time
}

// helper is a peer that dials back, and the content that it has.
type helper struct {
	id   share.ID
	seen time.Time
}

func newDialbacks(r *registry, client string) *dialbacks {
	return &dialbacks{
		registry: r, client: client, helper: dialback.NewHelper(r.now),
		helpers: map[netip.AddrPort]helper{},
		calls:   map[dialback.Nonce]chan struct{}{},
		asked:   map[dialback.Nonce]struct{}{},
		seen:    map[netip.Addr]sighting{},
	}
}

// Helpers implements face.DialBacks.
func (d *dialbacks) Helpers() []netip.AddrPort {
	now := d.registry.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []netip.AddrPort
	for ap, k := range d.helpers {
		if now.Sub(k.seen) < helperLife {
			out = append(out, ap)
		}
	}
	slices.SortFunc(out, func(a, b netip.AddrPort) int { return d.helpers[b].seen.Compare(d.helpers[a].seen) })
	return out
}

// ToldToCall implements face.DialBacks.
func (d *dialbacks) ToldToCall(id [20]byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.asked[id]
	return ok
}

// SeenAs implements face.DialBacks.
func (d *dialbacks) SeenAs() []netip.Addr {
	now := d.registry.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []netip.Addr
	for _, s := range d.seen {
		if now.Sub(s.at) < helperLife {
			out = append(out, s.addr)
		}
	}
	return out
}

// Ask implements face.DialBacks.
func (d *dialbacks) Ask(ctx context.Context, to netip.AddrPort, from netip.Addr, tcp, udp uint16) (face.DialBack, error) {
	r := dialback.Request{Nonce: dialback.NewNonce(), TCP: tcp, UDP: udp}
	came := make(chan struct{})
	d.mu.Lock()
	k, ok := d.helpers[to]
	d.calls[r.Nonce], d.asked[r.Nonce] = came, struct{}{}
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.calls, r.Nonce)
		delete(d.asked, r.Nonce)
	}()
	if !ok {
		return face.DialBack{}, share.Errorf(share.Failed, "%s is not known to dial back", to)
	}
	d.registry.called.note(to.Addr())
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, Timeout: dialTimeout, KeepAlive: -1, FallbackDelay: -1}
	conn, err := dialer.DialContext(ctx, "tcp6", to.String())
	if err != nil {
		return face.DialBack{}, share.Errorf(share.Failed, "asking %s to dial back: %w", to, err)
	}
	a, err := dialback.Ask(ctx, conn, k.id, d.client, r)
	if errors.Is(err, dialback.ErrNoHelp) {
		d.mu.Lock()
		delete(d.helpers, to)
		d.mu.Unlock()
	}
	if err != nil {
		return face.DialBack{}, share.Errorf(share.Failed, "%w", err)
	}
	out := face.DialBack{
		Failed:    a.TCP == dialback.Silence || a.TCP == dialback.Rejected,
		UDPFailed: a.UDP == dialback.Silence || a.UDP == dialback.Rejected,
		Seen:      a.Seen,
	}
	if a.TCP == dialback.Worked {
		select {
		case <-came:
			out.Came = true
		case <-time.After(callTime): // its word alone is nothing
		case <-ctx.Done():
		}
	}
	return out, nil
}

// answered notes the handshake of a call that was asked for.
func (d *dialbacks) answered(nonce dialback.Nonce) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, ok := d.calls[nonce]; ok {
		close(c)
		delete(d.calls, nonce)
	}
}

// sees notes that the peer at from sees us as addr.
func (d *dialbacks) sees(from, addr netip.Addr) {
	now := d.registry.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.seen, func(_ netip.Addr, s sighting) bool { return now.Sub(s.at) >= helperLife })
	if len(d.seen) < maxHelpers {
		d.seen[from] = sighting{addr, now}
	}
}

// helps notes that the peer that listens at dials back, over a connection for id.
func (d *dialbacks) helps(at netip.AddrPort, id share.ID) {
	now := d.registry.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.helpers) >= maxHelpers {
		oldest := at
		for ap, k := range d.helpers {
			if o, ok := d.helpers[oldest]; !ok || k.seen.Before(o.seen) {
				oldest = ap
			}
		}
		delete(d.helpers, oldest)
	}
	d.helpers[at] = helper{id, now}
}

// met takes that a peer has said which extensions it has.
func (n *Network) met(s *Swarm, p *swarm.Peer, seen netip.Addr) {
	c, ok := p.Conn().(*tracked)
	if !ok {
		return
	}
	if seen.Is6() {
		n.dialbacks.sees(c.peer.Addr(), seen.Unmap())
	}
	if at := p.Listens(); at.IsValid() && p.Has(dialback.Name) {
		n.dialbacks.helps(at, s.id)
	}
}

// helpOut calls back a peer that asked for it.
func (n *Network) helpOut(s *Swarm, p *swarm.Peer, payload []byte) {
	r, _, err := dialback.Parse(payload)
	c, ok := p.Conn().(*tracked)
	if err != nil || !ok || r == nil {
		return
	}
	n.tells.run(func() {
		answer := n.dialbacks.helper.Help(n.ctx, c.peer.Addr(), s.id, *r)
		p.Send(dialback.Name, answer.Append(nil))
	})
}
