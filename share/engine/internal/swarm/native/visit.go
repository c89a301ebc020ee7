package native

import (
	"bytes"
	"net"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/opening"
)

// visit hands the connection of a browser to Config.Web, and reports whether it did. The
// place among the peers, by whose rules it was let in, is free again. A browser proves as
// much as a peer that strangers get in.
func (n *Network) visit(nc net.Conn, kind opening.Kind, read []byte) bool {
	c, ok := nc.(*tracked)
	tls := kind == opening.TLS
	if !ok || c.OverUTP() || n.cfg.Web == nil || !n.cfg.Web.Open(tls) {
		return false
	}
	if local, ok := c.LocalAddr().(*net.TCPAddr); ok {
		n.stranger(c, local)
	}
	n.registry.release(c)
	_ = c.SetDeadline(time.Time{})
	boundSilence(c.Conn, 0) // a browser reads nothing while a film is paused
	n.cfg.Web.Serve(opening.Again(c.Conn, bytes.Clone(read)), tls)
	return true
}
