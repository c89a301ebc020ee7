package node

import (
	"net/netip"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share/reach"
)

// publish is which of the host's addresses others are told.
func publish(c *config.Config) reach.Policy {
	p := reach.Policy{Interface: c.Interface}
	if c.Prefix != "" {
		p.Prefix, _ = netip.ParsePrefix(c.Prefix) // checked when it was loaded
	}
	return p
}

// dialFrom is the address that calls leave from; the zero Addr is the system's
// choice.
func (n *Node) dialFrom() netip.Addr { return publish(n.current()).Dialling(n.watcher.Addresses()) }
