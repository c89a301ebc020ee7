package node

import (
	"net/netip"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share/reach"
)

// publish says which addresses of the host are announced.
func publish(c *config.Config) reach.Policy {
	p := reach.Policy{Interface: c.Interface}
	if c.Prefix != "" {
		p.Prefix, _ = netip.ParsePrefix(c.Prefix) // was checked with the configuration
	}
	return p
}

// dialFrom is the address that the node dials from; the zero Addr leaves it to the system.
func (n *Node) dialFrom() netip.Addr { return publish(n.current()).Dialling(n.watcher.Addresses()) }
