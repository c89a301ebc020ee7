package dialback

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
)

const (
	tcpTime   = 5 * time.Second
	pingEvery = time.Second
	pings     = 3
)

// Helper dials back peers that ask for it.
type Helper struct {
	// DialTCP connects; nil is the DialContext of a net.Dialer. ListenUDP opens a
	// port chosen by the system.
	DialTCP   func(ctx context.Context, addr string) (net.Conn, error)
	ListenUDP func() (net.PacketConn, error)

	limits limits
}

// NewHelper returns a helper that uses the network.
func NewHelper(now func() time.Time) *Helper {
	d := net.Dialer{KeepAlive: -1, FallbackDelay: -1}
	return &Helper{
		DialTCP: func(ctx context.Context, addr string) (net.Conn, error) { return d.DialContext(ctx, "tcp6", addr) },
		ListenUDP: func() (net.PacketConn, error) {
			return net.ListenPacket("udp6", "[::]:0")
		},
		limits: limits{now: now},
	}
}

// Help dials the host at from, which sent r over a connection for id, and returns
// when the result is known or ctx ends.
func (h *Helper) Help(ctx context.Context, from netip.Addr, id share.ID, r Request) Answer {
	from = from.Unmap()
	a := Answer{Nonce: r.Nonce, TCP: Declined, UDP: Declined, Seen: from.WithZone("")}
	// Stricter than for other dials, because a stranger chooses the port.
	if (netguard.Policy{}).Check(from) != nil || !h.limits.take(from) {
		return a
	}
	defer h.limits.done()
	var both sync.WaitGroup
	if r.TCP >= minPort {
		both.Go(func() { a.TCP = h.tcp(ctx, netip.AddrPortFrom(from, r.TCP), id, r.Nonce) })
	}
	if r.UDP >= minPort {
		both.Go(func() { a.UDP = h.udp(ctx, netip.AddrPortFrom(from, r.UDP), r.Nonce) })
	}
	both.Wait()
	return a
}

const greeting = "\x13BitTorrent protocol"

// handshake is that of BEP 3, with the bit of BEP 10.
func handshake(id share.ID, peer Nonce) []byte {
	b := append([]byte(greeting), 0, 0, 0, 0, 0, 0x10, 0, 0)
	b = append(b, id[:]...)
	return append(b, peer[:]...)
}

func (h *Helper) tcp(ctx context.Context, to netip.AddrPort, id share.ID, nonce Nonce) Outcome {
	ctx, cancel := context.WithTimeout(ctx, tcpTime)
	defer cancel()
	conn, err := h.DialTCP(ctx, to.String())
	if err != nil {
		// Timeout, or an error of the network.
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EHOSTUNREACH) {
			return Rejected
		}
		return Silence
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write(handshake(id, nonce)); err != nil {
		return Stranger
	}
	reply := make([]byte, len(handshake(id, nonce)))
	if _, err := io.ReadFull(conn, reply); err != nil {
		return Stranger
	}
	at := len(greeting) + 8
	if string(reply[:len(greeting)]) != greeting || !bytes.Equal(reply[at:at+len(id)], id[:]) {
		return Stranger
	}
	return Worked
}

// ping is a DHT ping from a read-only node.
func ping(nonce Nonce) []byte {
	b := append([]byte("d1:ad2:id20:"), nonce[:]...)
	return append(b, "e1:q4:ping2:roi1e1:t2:db1:y1:qe"...)
}

func (h *Helper) udp(ctx context.Context, to netip.AddrPort, nonce Nonce) Outcome {
	conn, err := h.ListenUDP()
	if err != nil {
		return Declined
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	buf := make([]byte, 512)
	addr := net.UDPAddrFromAddrPort(to)
	for range pings {
		if _, err := conn.WriteTo(ping(nonce), addr); err != nil {
			return Rejected
		}
		_ = conn.SetReadDeadline(time.Now().Add(pingEvery))
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				break
			}
			if u, ok := from.(*net.UDPAddr); ok && u.AddrPort() == to && bytes.Contains(buf[:n], []byte("2:db")) {
				return Worked
			}
		}
		if ctx.Err() != nil {
			break
		}
	}
	return Silence
}
