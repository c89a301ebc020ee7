package node

import (
	"fmt"
	"net/netip"

	"github.com/shoalnet/shoal/share/reach"
)

// word is any text; a prefix is one of IPv6. Empty is none.
type (
	word   string
	prefix string
)

func (w *word) set(text []string) error { *w = word(text[0]); return nil }
func (w *word) words() []string         { return one(string(*w)) }

func (p *prefix) set(w []string) error {
	*p = ""
	if w[0] == "" {
		return nil
	}
	n, err := netip.ParsePrefix(w[0])
	if err != nil || !n.Addr().Is6() || n.Addr().Is4In6() {
		return fmt.Errorf("%q is not an IPv6 prefix such as 2001:db8:1:2::/64", w[0])
	}
	*p = prefix(n.Masked().String())
	return nil
}
func (p *prefix) words() []string { return one(string(*p)) }

// policy is which of the host's addresses others are told.
func (c *Config) policy() reach.Policy {
	p := reach.Policy{Interface: c.Interface}
	if c.Prefix != "" {
		p.Prefix, _ = netip.ParsePrefix(c.Prefix) // checked by set
	}
	return p
}

// dialFrom is the address that calls leave from; the zero Addr is the system's
// choice.
func (n *Node) dialFrom() netip.Addr { return n.current().policy().Dialling(n.watcher.Addresses()) }
