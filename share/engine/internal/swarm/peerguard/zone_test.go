package peerguard

import (
	"bufio"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	pp "github.com/anacrolix/torrent/peer_protocol"

	"github.com/shoalnet/shoal/share/engine/internal/netguard"
)

// nearby is a listener whose peers all come from a link-local address, shown
// the way netguard says.
type nearby struct{ net.Listener }

func (l nearby) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	ap, err := netguard.EmbedZone(netip.MustParseAddrPort("[fe80::1234%7]:5000"))
	return nearbyConn{c, net.TCPAddrFromAddrPort(ap)}, err
}

type nearbyConn struct {
	net.Conn
	remote net.Addr
}

func (c nearbyConn) RemoteAddr() net.Addr { return c.remote }

// The client bans who sent a bad piece, by an address that it must be able to
// read: one with a zone ends the process.
func TestLinkLocalPeerIsBanned(t *testing.T) {
	h := newHost(t, hostOptions{pieces: pieces})
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	h.cl.AddListener(nearby{l})
	h.addr = l.Addr().String()
	p := h.dial(peerOptions{})
	p.send(haveAll, pp.Message{Type: pp.Unchoke}, hello())
	for {
		m, err := p.next(isType(pp.Request))
		if err != nil {
			break // banned
		}
		p.send(pp.Message{Type: pp.Piece, Index: m.Index, Begin: m.Begin, Piece: make([]byte, m.Length)})
	}
	again, err := net.Dial("tcp6", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(again).ReadByte(); err != io.EOF {
		t.Errorf("the banned peer is let in again: %v", err)
	}
}
