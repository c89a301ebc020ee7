package library

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/anacrolix/torrent"
	pp "github.com/anacrolix/torrent/peer_protocol"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/bencode"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/dialback"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/peerguard"
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
	gate   *gate
	client string
	helper *dialback.Helper

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

func newDialbacks(g *gate, client string) *dialbacks {
	return &dialbacks{
		gate: g, client: client,
		helper:  dialback.NewHelper(g.now),
		helpers: map[netip.AddrPort]helper{},
		calls:   map[dialback.Nonce]chan struct{}{},
		asked:   map[dialback.Nonce]struct{}{},
		seen:    map[netip.Addr]sighting{},
	}
}

// Helpers implements face.DialBacks.
func (d *dialbacks) Helpers() []netip.AddrPort {
	now := d.gate.now()
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
	now := d.gate.now()
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
func (d *dialbacks) Ask(ctx context.Context, helper netip.AddrPort, from netip.Addr, tcp, udp uint16) (face.DialBack, error) {
	r := dialback.Request{Nonce: dialback.NewNonce(), TCP: tcp, UDP: udp}
	came := make(chan struct{})
	d.mu.Lock()
	k, ok := d.helpers[helper]
	d.calls[r.Nonce], d.asked[r.Nonce] = came, struct{}{}
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.calls, r.Nonce)
		delete(d.asked, r.Nonce)
	}()
	if !ok {
		return face.DialBack{}, share.Errorf(share.Failed, "%s is not known to dial back", helper)
	}
	d.gate.called.note(helper.Addr())
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, Timeout: dialTimeout, KeepAlive: -1, FallbackDelay: -1}
	conn, err := dialer.DialContext(ctx, "tcp6", helper.String())
	if err != nil {
		return face.DialBack{}, share.Errorf(share.Failed, "asking %s to dial back: %w", helper, err)
	}
	a, err := dialback.Ask(ctx, conn, k.id, d.client, r)
	if errors.Is(err, dialback.ErrNoHelp) {
		d.mu.Lock()
		delete(d.helpers, helper)
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

// The functions below run with the library's lock held.

// meet reads the handshake of BEP 10 as the guard has left it.
func (c *Network) meet(pc *torrent.PeerConn, a *Swarm, payload []byte) {
	v, _, err := bencode.Parse(payload, bencode.Small)
	if err != nil {
		return
	}
	port := v.Get("p").Int
	if port < 1 || port > 65535 {
		port = 0
	}
	a.mu.Lock()
	s := a.peers[pc]
	if s != nil {
		s.listens = uint16(port)
		s.punch = v.Get("m").Get(peerguard.PunchAlias).Kind == bencode.Int
	}
	a.mu.Unlock()
	if s == nil || s.conn == nil {
		return
	}
	d, now := c.dialbacks, c.gate.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if ip := v.Get("yourip").Str; len(ip) == 16 {
		maps.DeleteFunc(d.seen, func(_ netip.Addr, s sighting) bool { return now.Sub(s.at) >= helperLife })
		if len(d.seen) < maxHelpers {
			d.seen[s.conn.peer.Addr()] = sighting{netip.AddrFrom16([16]byte(ip)).Unmap(), now}
		}
	}
	if v.Get("m").Get(dialback.Name).Kind != bencode.Int {
		return
	}
	at := s.conn.peer
	if s.conn.incoming {
		if port == 0 {
			return
		}
		at = netip.AddrPortFrom(at.Addr(), uint16(port))
	}
	if len(d.helpers) >= maxHelpers {
		oldest := at
		for ap, k := range d.helpers {
			if o, ok := d.helpers[oldest]; !ok || k.seen.Before(o.seen) {
				oldest = ap
			}
		}
		delete(d.helpers, oldest)
	}
	d.helpers[at] = helper{a.id, now}
}

// helpOut calls back a peer that asked for it.
func (c *Network) helpOut(pc *torrent.PeerConn, a *Swarm, payload []byte) {
	r, _, err := dialback.Parse(payload)
	from, err2 := netip.ParseAddrPort(pc.RemoteAddr.String())
	if err != nil || err2 != nil || r == nil {
		return
	}
	c.tells.Go(func() {
		answer := c.dialbacks.helper.Help(c.ctx, from.Addr(), a.id, *r)
		// It may have gone meanwhile.
		_ = pc.WriteExtendedMessage(pp.ExtensionName(dialback.Name), answer.Append(nil))
	})
}
