package reach

import (
	"slices"

	"github.com/shoalnet/shoal/share"
)

// lack says what this host is without and what would help. It is empty if the host has a
// global IPv6 address, or is to be reached from itself only.
func (s Situation) lack() share.Text {
	lack, host := s.missing(), s.host()
	if lack.Pattern == "" || host.Pattern == "" {
		return lack
	}
	return share.Say("%v %v", lack, host)
}

func (s Situation) missing() share.Text {
	has := func(want Scope) bool {
		return slices.ContainsFunc(s.Host, func(a Address) bool { return a.Scope == want })
	}
	// A private address with a default route is translated by a VPN or a container host.
	translated := slices.ContainsFunc(s.Host, func(a Address) bool { return a.Scope == ULA && a.Routed })
	help := share.Say("IPv6 from your provider, a tunnel, or a mesh network such as Tailscale, Yggdrasil or WireGuard.")
	switch {
	case s.Local || has(Global) || translated:
		return share.Text{}
	case s.IPv4 != nil && has(ULA):
		return share.Say("This machine has no global IPv6 address: it reaches peers with IPv4 and those on its own private network, and finds others "+
			"only through links, trackers and peers. What helps: %v", help)
	case s.IPv4 != nil:
		return share.Say("This machine has no usable IPv6 address: it reaches only peers with IPv4, and finds them "+
			"only through links, trackers and peers. What helps: %v", help)
	case has(ULA):
		return share.Say("This machine has no global IPv6 address: it reaches only peers on its own private network. "+
			"What helps: --ipv4, which uses peers with IPv4, %v", help)
	}
	return share.Say("This machine has no usable IPv6 address: it can neither reach peers nor be reached. "+
		"What helps: --ipv4, which uses peers with IPv4, %v", help)
}
