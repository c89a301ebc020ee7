//go:build linux

package lab

import (
	"fmt"
	"net/netip"
)

// Link is an Ethernet with hosts on it.
type Link struct {
	lab    *Lab
	space  *space // holds the bridge
	bridge string
	prefix netip.Prefix // the current /64
	hosts  []*Host
	ports  int
}

// Prefix is the /64 that hosts on the link have addresses from.
func (k *Link) Prefix() netip.Prefix { return k.prefix }

func (k *Link) build() {
	k.lab.t.Helper()
	k.space.ip(
		// Snooping would keep multicast from listeners until a querier has spoken.
		"link add "+k.bridge+" type bridge mcast_snooping 0",
		"link set "+k.bridge+" up")
}

// Host puts a new host on the link.
func (k *Link) Host(name string) *Host {
	k.lab.t.Helper()
	h := &Host{Name: name, lab: k.lab, space: k.lab.space(name)}
	k.lab.t.Cleanup(h.end)
	h.Attach(k)
	return h
}

// Option makes a home other than open and unlimited.
type Option func(*home)

type home struct {
	firewalled bool
}

// Firewalled blocks connections from outside, as most home routers do.
func Firewalled(h *home) { h.firewalled = true }

// Router joins a home's LAN to the internet. Its firewall keeps state: what
// begins on the LAN may leave, and its answers may come back.
type Router struct {
	Link
	// Box is the router as a machine, to run programs on.
	Box *Host

	number  int // 2001:db8:number::/48 is this home's
	subnets int // /64s used up
}

// Address is the router's own address on the internet side.
func (r *Router) Address() netip.Addr {
	return address(fmt.Sprintf("2001:db8:0:%x::2", r.number))
}

// Inside is the router's global address on its LAN.
func (r *Router) Inside() netip.Addr { return in(r.prefix, 1) }

func (r *Router) build(o home) {
	t := r.lab.t
	t.Helper()
	core, port := r.lab.core, fmt.Sprintf("home%d", r.number)
	r.space.sysctl("ipv6/conf/all/forwarding", "1")
	core.wire(port, r.space, "wan")
	core.ip(
		fmt.Sprintf("addr add fe80::1/64 dev %s nodad", port),
		fmt.Sprintf("addr add 2001:db8:0:%x::1/64 dev %s nodad", r.number, port),
		fmt.Sprintf("route add 2001:db8:%x::/48 via fe80::2 dev %s", r.number, port))
	r.space.ip(
		"addr add fe80::2/64 dev wan nodad",
		fmt.Sprintf("addr add %s/64 dev wan nodad", r.Address()),
		"route add default via fe80::1 dev wan",
		// Packets to unused addresses of the home are dropped instead of routed in circles.
		fmt.Sprintf("route add unreachable 2001:db8:%x::/48 metric 4096", r.number))
	r.Link.build()
	r.space.ip("addr add fe80::1/64 dev lan nodad")
	r.advance()
	r.space.nft(`
table inet filter {
	chain loss { }
	chain inbound { }
	chain pinholes { }
	chain mute { }
	chain forward {
		type filter hook forward priority filter; policy drop;
		jump loss
		ct state established,related accept
		iifname "lan" accept
		icmpv6 type echo-request accept
		jump pinholes
		jump inbound
	}
	chain input {
		type filter hook input priority filter; policy drop;
		jump mute
		ct state established,related accept
		iifname { "lan", "lo" } accept
		meta l4proto ipv6-icmp accept
	}
}`)
	if !o.firewalled {
		r.Open()
	}
}

// advance uses the next /64 of the home.
func (r *Router) advance() {
	r.lab.t.Helper()
	r.subnets++
	r.prefix = netip.PrefixFrom(address(fmt.Sprintf("2001:db8:%x:%x::", r.number, r.subnets)), 64)
	r.space.ip(fmt.Sprintf("addr add %s/64 dev lan nodad", r.Inside()))
}

// Open lets strangers in.
func (r *Router) Open() {
	r.lab.t.Helper()
	r.space.nft("flush chain inet filter inbound\nadd rule inet filter inbound accept")
}

// Firewall keeps strangers out from now on. Existing connections continue.
func (r *Router) Firewall() {
	r.lab.t.Helper()
	r.space.nft("flush chain inet filter inbound")
}

// Forget makes the firewall lose its state, as a restart of the router does.
func (r *Router) Forget() {
	r.lab.t.Helper()
	tool := Tool(r.lab.t, "conntrack", "conntrack")
	if _, err := r.space.pipe("", tool, "-F"); err != nil {
		r.lab.t.Fatal(err)
	}
}

// Loss drops that many of 1,000 packets in each direction, at random.
func (r *Router) Loss(permille int) {
	r.lab.t.Helper()
	script := "flush chain inet filter loss\n"
	switch {
	case permille >= 1000:
		script += "add rule inet filter loss drop\n"
	case permille > 0:
		script += fmt.Sprintf("add rule inet filter loss numgen random mod 1000 < %d drop\n", permille)
	}
	r.space.nft(script)
}

// Bandwidth caps the home's line, in bytes per second; 0 is no cap.
func (r *Router) Bandwidth(down, up int64) {
	r.lab.t.Helper()
	r.lab.core.bandwidth(fmt.Sprintf("home%d", r.number), down)
	r.space.bandwidth("wan", up)
}

// Unplug disconnects the home from the internet; its LAN stays up.
func (r *Router) Unplug() {
	r.lab.t.Helper()
	r.space.ip("link set wan down")
}

// Plug undoes Unplug.
func (r *Router) Plug() {
	r.lab.t.Helper()
	r.space.ip("link set wan up",
		"addr replace fe80::2/64 dev wan nodad",
		fmt.Sprintf("addr replace %s/64 dev wan nodad", r.Address()),
		"route replace default via fe80::1 dev wan")
}

// Renumber gives the home another /64, as providers do. Hosts get an address of
// it and keep the old one, deprecated (RFC 4862, 5.5.4), until Retire.
func (r *Router) Renumber() (old netip.Prefix) {
	r.lab.t.Helper()
	old = r.prefix
	r.advance()
	for _, h := range r.hosts {
		h.space.ip(fmt.Sprintf("addr change %s/64 dev %s nodad valid_lft 7200 preferred_lft 0", h.Addr, h.device))
		h.number(r.prefix)
	}
	return old
}

// Retire withdraws a prefix: hosts lose their addresses of it, and nothing sent to it
// arrives.
func (r *Router) Retire(old netip.Prefix) {
	r.lab.t.Helper()
	r.space.ip(fmt.Sprintf("addr del %s/64 dev lan", in(old, 1)))
	for _, h := range r.hosts {
		h.space.ip(fmt.Sprintf("addr del %s/64 dev %s", in(old, h.station), h.device))
	}
}
