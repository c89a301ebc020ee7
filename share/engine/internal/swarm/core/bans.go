package core

import "net/netip"

// bans is who sent wrong data and is not to be dealt with any more.
type bans struct {
	addrs map[netip.Addr]bool
	nets  map[netip.Prefix]int // convicts in each /64
}

const (
	maxBanned = 4096
	netBan    = 4 // convicts in a /64 that have all of it banned
)

func newBans() *bans {
	return &bans{addrs: make(map[netip.Addr]bool), nets: make(map[netip.Prefix]int)}
}

// ban adds an address.
func (o *bans) ban(a netip.Addr) {
	if len(o.addrs) < maxBanned {
		a = a.Unmap()
		o.addrs[a] = true
		o.nets[network(a)]++
	}
}

// bans tells whether an address is banned.
func (o *bans) bans(a netip.Addr) bool {
	a = a.Unmap()
	return o.addrs[a] || a.Is6() && o.nets[network(a)] >= netBan
}

// network is what one line has: a /64, or an IPv4 address.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits)
	return p
}
