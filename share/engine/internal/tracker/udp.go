package tracker

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/compact"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
)

// BEP 15, all big-endian:
//
//	connect   magic[8] action=0 tid[4]              -> action tid connection[8]
//	announce  connection[8] action=1 tid[4] ...[82] -> action tid interval leechers seeders peers
//	error                                           -> action=3 tid text
const (
	udpMagic    = 0x41727101980
	udpConnect  = 0
	udpAnnounce = 1
	udpError    = 3

	connectionLife = time.Minute
	maxDatagram    = 8 << 10
	// The waits between retransmissions. BEP 15 begins with 15 s; networks have
	// become faster, and announces are retried with backoff anyway.
	firstRepeat = 4 * time.Second
)

type udpClient struct {
	policy netguard.Policy
	peerID [20]byte
	now    func() time.Time
	repeat time.Duration // the first wait before sending again

	mu          sync.Mutex
	connections map[netip.AddrPort]connection
}

// connection is a tracker's connection ID, which proves our address.
type connection struct {
	id    uint64
	until time.Time
}

func newUDPClient(policy netguard.Policy, peerID [20]byte, now func() time.Time) *udpClient {
	return &udpClient{
		policy: policy, peerID: peerID, now: now, repeat: firstRepeat,
		connections: map[netip.AddrPort]connection{},
	}
}

func (c *udpClient) announce(ctx context.Context, t *target, req request) (reply, error) {
	r, err := c.exchange(ctx, t, req)
	if err != nil {
		return reply{}, share.Wrapf("announcing to %s: %w", t.text, err)
	}
	return r, nil
}

func (c *udpClient) exchange(ctx context.Context, t *target, req request) (reply, error) {
	// A connected socket receives datagrams only from the tracker and reports closed
	// ports.
	conn, err := c.policy.DialContext(ctx, "udp", t.host())
	if err != nil {
		return reply{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	x := udpExchange{ctx: ctx, conn: conn, repeat: c.repeat}

	remote, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return reply{}, share.Wrapf("the tracker's address: %w", err)
	}
	id, cached := c.cached(remote)
	for {
		if !cached {
			if id, err = x.connect(); err != nil {
				return reply{}, err
			}
			c.keep(remote, id)
		}
		body, err := x.roundTrip(udpAnnounce, announceDatagram(id, c.peerID, t, req))
		var no *refusal
		if errors.As(err, &no) && cached {
			// The connection ID may have expired; retry once with a new one.
			cached = false
			continue
		}
		if err != nil {
			return reply{}, err
		}
		return parseUDP(body, remote.Addr().Unmap().Is4(), c.policy)
	}
}

func (c *udpClient) cached(remote netip.AddrPort) (uint64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.connections[remote]
	return k.id, ok && c.now().Before(k.until)
}

func (c *udpClient) keep(remote netip.AddrPort, id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for r, k := range c.connections {
		if now.After(k.until) {
			delete(c.connections, r)
		}
	}
	if len(c.connections) < 1000 {
		c.connections[remote] = connection{id, now.Add(connectionLife - 5*time.Second)}
	}
}

// udpExchange is an exchange over one socket.
type udpExchange struct {
	ctx    context.Context
	conn   net.Conn
	repeat time.Duration
}

func (x udpExchange) connect() (uint64, error) {
	body, err := x.roundTrip(udpConnect, binary.BigEndian.AppendUint64(nil, udpMagic))
	if err != nil {
		return 0, share.Wrapf("connecting: %w", err)
	}
	if len(body) < 8 {
		return 0, share.Wrapf("connecting: short answer")
	}
	return binary.BigEndian.Uint64(body), nil
}

// roundTrip sends head, action, a new transaction number and the rest of the
// datagram until the answer comes; head is the first eight bytes of datagram.
func (x udpExchange) roundTrip(action uint32, datagram []byte) ([]byte, error) {
	var tid [4]byte
	if _, err := rand.Read(tid[:]); err != nil {
		return nil, fmt.Errorf("making a transaction number: %w", err)
	}
	out := append([]byte{}, datagram[:8]...)
	out = binary.BigEndian.AppendUint32(out, action)
	out = append(out, tid[:]...)
	out = append(out, datagram[8:]...)

	in := make([]byte, maxDatagram)
	for wait := x.repeat; ; wait *= 2 {
		if _, err := x.conn.Write(out); err != nil {
			return nil, x.failed("sending", err)
		}
		if err := x.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return nil, x.failed("waiting", err)
		}
		for {
			n, err := x.conn.Read(in)
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() && x.ctx.Err() == nil {
				break // send again
			}
			if err != nil {
				return nil, x.failed("waiting for the answer", err)
			}
			if n < 8 || [4]byte(in[4:8]) != tid {
				continue
			}
			switch binary.BigEndian.Uint32(in) {
			case action:
				return in[8:n], nil
			case udpError:
				return nil, &refusal{reason: clean(in[8:n])}
			}
		}
	}
}

// failed returns the reason for giving up rather than the error of the closed socket.
func (x udpExchange) failed(doing string, err error) error {
	if cause := context.Cause(x.ctx); cause != nil {
		err = cause
	}
	return share.Wrapf("%s: %w", doing, err)
}

// announceDatagram leaves out action and transaction number, which roundTrip inserts
// after the first eight bytes.
func announceDatagram(id uint64, peerID [20]byte, t *target, req request) []byte {
	b := binary.BigEndian.AppendUint64(nil, id)
	b = append(b, req.id[:]...)
	b = append(b, peerID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(req.progress.Downloaded))
	b = binary.BigEndian.AppendUint64(b, uint64(req.progress.left()))
	b = binary.BigEndian.AppendUint64(b, uint64(req.progress.Uploaded))
	b = binary.BigEndian.AppendUint32(b, uint32(req.event))
	b = binary.BigEndian.AppendUint32(b, 0) // our address: what the datagram came from
	b = binary.BigEndian.AppendUint32(b, req.key)
	b = binary.BigEndian.AppendUint32(b, uint32(req.want))
	b = binary.BigEndian.AppendUint16(b, req.port)
	return appendURLData(b, t.url.RequestURI())
}

// appendURLData adds path and query of the tracker's URL (BEP 41), for trackers that
// identify users by it.
func appendURLData(b []byte, uri string) []byte {
	if uri == "" || uri == "/" || strings.EqualFold(uri, "/announce") {
		return b
	}
	const option = 2
	for len(uri) > 0 {
		n := min(len(uri), 255)
		b = append(append(b, option, byte(n)), uri[:n]...)
		uri = uri[n:]
	}
	return b
}

// parseUDP reads the answer to an announce. The addresses are of the address family
// of the connection.
func parseUDP(b []byte, v4 bool, policy netguard.Policy) (reply, error) {
	if len(b) < 12 {
		return reply{}, share.Wrapf("short answer")
	}
	r := reply{
		interval: time.Duration(min(binary.BigEndian.Uint32(b), 7*86400)) * time.Second,
		leechers: int(min(binary.BigEndian.Uint32(b[4:]), 1<<30)),
		seeders:  int(min(binary.BigEndian.Uint32(b[8:]), 1<<30)),
	}
	if v4 {
		r.peers = compact.Peers4(b[12:])
	} else {
		r.peers = compact.Peers6(b[12:])
	}
	r.peers = allowed(r.peers, policy)
	return r, nil
}
