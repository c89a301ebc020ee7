package reach

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/shoalnet/shoal/share"
)

// Situation is the input of a Report.
type Situation struct {
	Endpoints []Endpoint
	Evidence  *Evidence
	Pinholes  []share.Pinhole
	Gateways  []share.GatewayProblem
	Seen      []share.SeenAs
	DHT       *share.DHTReport
	Host      []Address         // all addresses of this host
	IPv4      *share.IPv4Report // nil if IPv4 is off
	Local     bool              // only this host should reach this node
	Inside    *share.Inside     // nil outside containers and virtual machines
}

// Endpoint is an address with the port on which this node listens there.
type Endpoint struct {
	Address
	Port      uint16
	UDP       uint16 // the DHT's; 0 if it is off
	Published bool   // announced to others
}

// Report derives the report from the situation.
func (s Situation) Report() share.Report {
	r := share.Report{
		Addresses: []share.AddressReport{}, Pinholes: append([]share.Pinhole{}, s.Pinholes...),
		Seen: append([]share.SeenAs{}, s.Seen...), Gateways: append([]share.GatewayProblem{}, s.Gateways...),
		IPv4: s.IPv4, DHT: s.DHT, Inside: s.Inside,
	}
	for _, e := range s.Endpoints {
		if e.Scope == Loopback {
			continue
		}
		a := share.AddressReport{
			Address: e.IP, Port: e.Port, Scope: string(e.Scope), Kind: string(e.Kind),
			Interface: e.Interface, Published: e.Published, TCP: share.NotKnown, UDP: share.NotKnown,
		}
		var evidence share.Text
		switch e.Scope {
		case Global:
			tcp, udp := s.Evidence.About(TCP, e.IP), s.Evidence.About(UDP, e.IP)
			a.TCP, a.Time, evidence = tcp.Verdict, tcp.Time.Round(0), tcp.Evidence
			a.UDP, a.UDPTime = udp.Verdict, udp.Time.Round(0)
			a.UDPEvidence, a.UDPEvidenceText = udp.Evidence.String(), udp.Evidence.Of()
			if evidence.Pattern == "" {
				a.Time, evidence = a.UDPTime, udp.Evidence
			}
		case ULA:
			evidence = share.Say("local network only: strangers cannot use it")
		case LinkLocal:
			evidence = share.Say("link-local: only machines on the same link can use it")
		}
		a.Evidence, a.EvidenceText = evidence.String(), evidence.Of()
		r.Addresses = append(r.Addresses, a)
	}
	slices.SortStableFunc(r.Addresses, func(a, b share.AddressReport) int {
		return cmp.Or(cmp.Compare(order(a), order(b)), a.Address.Compare(b.Address), cmp.Compare(a.Port, b.Port))
	})
	r.Verdict = verdict(&r)
	warning, answer, next := s.lack(), answer(&r), next(&r, s)
	r.Warning, r.Answer, r.Next = warning.String(), answer.String(), next.String()
	r.WarningText, r.AnswerText, r.NextText = warning.Of(), answer.Of(), next.Of()
	return r
}

// order sorts published addresses first, and proven ones first among them.
func order(a share.AddressReport) int {
	scopes := map[string]int{string(Global): 0, string(ULA): 10, string(LinkLocal): 20}
	n := scopes[a.Scope]
	if !a.Published {
		n += 4
	}
	switch a.TCP {
	case share.NotKnown:
		n++
	case share.Unreachable:
		n += 2
	}
	return n
}

func published(all []share.AddressReport) (out []share.AddressReport) {
	for _, a := range all {
		if a.Published && a.Scope == string(Global) {
			out = append(out, a)
		}
	}
	return out
}

func verdict(r *share.Report) share.Verdict {
	told := published(r.Addresses)
	count := map[share.Verdict]int{}
	for _, a := range told {
		count[a.TCP]++
	}
	switch {
	case count[share.Reachable] > 0:
		return share.Reachable
	case len(told) == 0 && mapped(r) != "":
		return share.NotKnown // nobody tests IPv4
	case len(told) == 0 || count[share.Unreachable] == len(told):
		return share.Unreachable
	}
	return share.NotKnown
}

// mapped is the IPv4 address and port of the router that lead to this node; empty without
// one that strangers may use.
func mapped(r *share.Report) string {
	if r.IPv4 == nil || r.IPv4.Mapping == nil || r.IPv4.Mapping.Error != "" {
		return ""
	}
	return r.IPv4.Mapping.External.String()
}

func where(a share.AddressReport) string { return netip.AddrPortFrom(a.Address, a.Port).String() }

func answer(r *share.Report) share.Text {
	told := published(r.Addresses)
	local := slices.ContainsFunc(r.Addresses, func(a share.AddressReport) bool { return a.Scope == string(ULA) && a.Published })
	switch {
	case len(told) == 0 && mapped(r) != "":
		return share.Say("The router forwards %s to this node over IPv4. Whether strangers can reach you there is not known.", mapped(r))
	case len(told) == 0 && local:
		return share.Say("Only your own network can reach you: this machine has no global IPv6 address.")
	case len(told) == 0 && len(r.Addresses) > 0 && !slices.ContainsFunc(r.Addresses, func(a share.AddressReport) bool { return a.Scope != string(LinkLocal) }):
		return share.Say("Strangers cannot reach you: all IPv6 addresses of this machine are link-local.")
	case len(told) == 0:
		return share.Say("Strangers cannot reach you: this node has no IPv6 address that others can connect to.")
	}
	best := told[0] // Report has ordered them
	switch {
	case r.Verdict == share.Reachable && best.UDP == share.Unreachable:
		return share.Say("Strangers can reach you at %s by TCP, but not by UDP.", where(best))
	case r.Verdict == share.Reachable:
		return share.Say("Strangers can reach you at %s.", where(best))
	case r.Verdict == share.Unreachable:
		return share.Say("Strangers cannot reach you at %s.", where(best))
	}
	return share.Say("It is not known yet whether strangers can reach you.")
}

func next(r *share.Report, s Situation) share.Text {
	told := published(r.Addresses)
	switch {
	case len(told) == 0 && mapped(r) != "":
		return share.Say("Ask somebody outside your network to download what you share: shoal can test only IPv6 addresses.")
	case len(told) == 0 && s.host().Pattern != "":
		return share.Say("%v Without IPv6 at the host, ask your provider or network administrator for it.", s.host())
	case len(told) == 0:
		return share.Say("Ask your provider or network administrator for IPv6. " +
			"Until then you can share with machines on your own network.")
	}
	best := told[0]
	var closed share.Text
	switch {
	case best.TCP != share.Reachable && best.UDP == share.Reachable:
		closed = share.Say("TCP")
	case best.TCP != share.Reachable:
		closed = share.Say("TCP and UDP")
	case best.UDP == share.Unreachable:
		closed = share.Say("UDP")
	}
	advice := share.Say("Open %s %d to %s in your router's IPv6 firewall.", closed, best.Port, best.Address)
	switch {
	case r.Verdict == share.NotKnown:
		return share.Say("Wait until a stranger connects, or test now with shoal doctor --wait 30s. " +
			"The test needs peers in two other networks.")
	case closed.Pattern == "":
		return share.Say("No action is needed.")
	case open(r.Pinholes, best):
		return share.Say("The router reports that it opened port %d, but strangers still cannot connect. Allow %s %d in this machine's "+
			"own firewall, and check for a second router in front of the first.", best.Port, closed, best.Port)
	}
	if refused := refusedBy(r.Pinholes); len(refused) > 0 {
		by := share.Say("%s", refused[0])
		if len(refused) > 1 {
			by = share.Say("%s and %s", refused[0], strings.Join(refused[1:], ", "))
		}
		advice = share.Say("%v The router refused to open it by %v.", advice, by)
	}
	if besides := s.besides(); besides.Pattern != "" {
		advice = share.Say("%v %v", advice, besides)
	}
	return advice
}

func open(all []share.Pinhole, a share.AddressReport) bool {
	return slices.ContainsFunc(all, func(p share.Pinhole) bool {
		return p.Address == a.Address && p.Port == a.Port && p.Error == "" && !p.Until.IsZero()
	})
}

func refusedBy(all []share.Pinhole) (names []string) {
	for _, p := range all {
		if p.Error != "" && !slices.Contains(names, p.Method) {
			names = append(names, p.Method)
		}
	}
	return names
}

// Sort puts proven addresses first and refuted ones last, and otherwise keeps the
// order. Links list addresses in this order.
func (e *Evidence) Sort(all []netip.AddrPort) {
	rank := map[share.Verdict]int{share.Reachable: 0, share.NotKnown: 1, share.Unreachable: 2}
	slices.SortStableFunc(all, func(a, b netip.AddrPort) int {
		return cmp.Compare(rank[e.About(TCP, a.Addr()).Verdict], rank[e.About(TCP, b.Addr()).Verdict])
	})
}
