package node

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/reach"
)

// lookAgain is how often a test looks whether there is an answer yet.
const lookAgain = 250 * time.Millisecond

// reachability gathers what shows whether strangers reach this node.
type reachability struct {
	n        *Node
	evidence *reach.Evidence
}

func newReachability(n *Node) *reachability {
	r := &reachability{n: n, evidence: reach.NewEvidence(n.o.Now)}
	r.evidence.SetAddresses(n.watcher.Addresses())
	return r
}

// run follows the addresses until ctx ends.
func (r *reachability) run(ctx context.Context) error {
	changed := r.n.watcher.Changed()
	r.evidence.SetAddresses(r.n.watcher.Addresses())
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			r.evidence.SetAddresses(r.n.watcher.Addresses())
		}
	}
}

// stranger is told by the engine of those who connected unasked.
func (r *reachability) stranger(local netip.Addr, from netip.AddrPort) {
	if r.evidence.Came(reach.TCP, local, from.Addr(), "connected unasked") {
		r.n.part("reach").Debug("a stranger connected", "from", from, "to", local)
	}
}

// unsolicited is told by the DHT of those who asked it something unasked.
func (r *reachability) unsolicited(from netip.AddrPort, local netip.Addr, _ time.Time) {
	if !local.IsValid() { // the socket is bound to one address
		if a, err := netip.ParseAddrPort(r.n.ports.udp[0].LocalAddr().String()); err == nil {
			local = a.Addr()
		}
	}
	r.evidence.Came(reach.UDP, local.WithZone(""), from.Addr(), "asked the DHT unasked")
}

// endpoints are the addresses of this host at which the node listens.
func (r *reachability) endpoints() (out []reach.Endpoint) {
	all, published := r.n.watcher.Addresses(), r.n.ownAddresses()
	for _, l := range r.n.ports.addresses() {
		if !l.Addr().Is6() || l.Addr().Is4In6() {
			continue
		}
		for _, a := range all {
			if !l.Addr().IsUnspecified() && l.Addr() != a.IP {
				continue
			}
			at := netip.AddrPortFrom(a.IP.WithZone(""), l.Port())
			out = append(out, reach.Endpoint{Address: a, Port: l.Port(), Published: slices.Contains(published, at)})
		}
	}
	return out
}

func (r *reachability) report() share.Report {
	s := reach.Situation{Endpoints: r.endpoints(), Evidence: r.evidence}
	if d := r.n.dht; d != nil {
		st := d.Stats()
		s.DHT = &share.DHTReport{Nodes: st.Nodes, Answering: st.Good}
		switch {
		case st.Offline:
			s.DHT.Problem = "nobody in the DHT answers"
		case st.Nodes == 0:
			s.DHT.Problem = "no node of the DHT is known yet"
		}
		if st.External.IsValid() {
			s.Seen = append(s.Seen, share.SeenAs{Address: st.External, By: "dht"})
		}
	}
	return s.Report()
}

// linkAddresses are where peers reach this node, proven ones first.
func (n *Node) linkAddresses() []netip.AddrPort {
	out := n.ownAddresses()
	n.reach.evidence.Sort(out)
	return out
}

func (s *served) Network() share.Report { return s.n.reach.report() }

// TestNetwork looks again until the verdict is known.
func (s *served) TestNetwork(ctx context.Context) share.Report {
	clock := time.NewTicker(lookAgain)
	defer clock.Stop()
	for {
		r := s.n.reach.report()
		if r.Verdict != share.NotKnown {
			return r
		}
		select {
		case <-ctx.Done():
			return r
		case <-clock.C:
		}
	}
}
