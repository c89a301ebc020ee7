package native

import (
	"net"
	"net/netip"

	"github.com/shoalnet/shoal/share/engine/internal/swarm"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

// upload implements face.Upload. It leaves by the line as what goes to peers does.
type upload struct {
	*swarm.Guest
	outlet *outlet // nil where it does not leave by the line
}

// Upload implements face.Network.
func (n *Network) Upload(conn net.Conn) face.Upload {
	u := &upload{Guest: n.node.Guest()}
	if conn == nil {
		return u
	}
	peer := peerOf(conn)
	peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
	if local, ok := localAddr(conn); ok && peer.IsValid() && !onLink(local, peer.Addr()) {
		u.outlet = &outlet{line: n.registry.line, conn: conn}
	}
	return u
}

func (u *upload) Wait(n int, stop <-chan struct{}) bool {
	return u.outlet == nil || u.outlet.Wait(n, stop)
}

func (u *upload) Holds() bool { return u.outlet != nil && u.outlet.Holds() }

func (u *upload) End() { u.Leave() }
