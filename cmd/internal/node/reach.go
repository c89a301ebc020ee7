package node

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/reach"
	"github.com/shoalnet/shoal/webui/api"
)

// After the peers have answered, a test waits this long for a verdict, and looks for it
// this often.
const (
	lookAgain = 100 * time.Millisecond
	lookFor   = 3 * time.Second
)

var _ api.Network = (*reachability)(nil)

// reachability gathers the evidence of whether strangers can reach this node.
type reachability struct {
	n        *Node
	evidence *reach.Evidence
	prober   *reach.Prober
	pinholes *reach.Pinholes
}

func newReachability(n *Node) *reachability {
	r := &reachability{n: n, evidence: reach.NewEvidence(n.o.Now)}
	r.evidence.SetAddresses(n.watcher.Addresses())
	r.prober = &reach.Prober{
		Evidence: r.evidence, Caller: caller{n}, Endpoints: r.endpoints, Now: n.o.Now, Logger: n.part("reach"),
	}
	r.pinholes = reach.NewPinholes(reach.PinholeConfig{
		Logger: n.part("reach"), Now: n.o.Now, Endpoints: r.endpoints,
		Needed: func(p reach.Protocol, a netip.Addr) bool { return r.evidence.About(p, a).Verdict != share.Reachable },
		Opened: func(a netip.Addr) {
			// Attempts that failed while it was closed prove nothing any more.
			r.evidence.Forget(reach.TCP, a)
			r.evidence.Forget(reach.UDP, a)
			r.prober.Again(a)
		},
	})
	return r
}

// run follows the addresses and looks for proof until ctx ends.
func (r *reachability) run(ctx context.Context) error {
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { _ = r.prober.Run(ctx) })
	if !r.n.current().NoPinholes {
		parts.Go(func() { _ = r.pinholes.Run(ctx) })
	}
	changed := r.n.watcher.Changed()
	r.evidence.SetAddresses(r.n.watcher.Addresses())
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			r.evidence.SetAddresses(r.n.watcher.Addresses())
			r.n.engine.Moved(r.own())
			parts.Go(func() { r.refresh(ctx) })
		}
	}
}

// own returns every address of this host.
func (r *reachability) own() (out []netip.Addr) {
	for _, a := range r.n.watcher.Addresses() {
		out = append(out, a.IP)
	}
	return out
}

// refresh asks the router again, unless it must not be asked.
func (r *reachability) refresh(ctx context.Context) {
	if !r.n.current().NoPinholes {
		r.pinholes.Refresh(ctx)
	}
}

// stranger is called by the engine when a stranger connected.
func (r *reachability) stranger(local netip.Addr, from netip.AddrPort) {
	if r.evidence.Came(reach.TCP, local, from.Addr(), "connected unasked") {
		r.n.part("reach").Debug("a stranger connected", "from", from, "to", local)
	}
}

// unsolicited is called by the DHT when a stranger sent a query.
func (r *reachability) unsolicited(from netip.AddrPort, local netip.Addr, _ time.Time) {
	if !local.IsValid() { // then the socket is bound to one address
		if a, err := netip.ParseAddrPort(r.n.ports.udp[0].LocalAddr().String()); err == nil {
			local = a.Addr()
		}
	}
	r.evidence.Came(reach.UDP, local.WithZone(""), from.Addr(), "asked the DHT unasked")
}

// endpoints returns the addresses of this host that the node listens at.
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
			e := reach.Endpoint{Address: a, Port: l.Port(), Published: slices.Contains(published, at)}
			if r.n.dht != nil {
				e.UDP = r.n.udpPort()
			}
			out = append(out, e)
		}
	}
	return out
}

// Report says what is known now.
func (r *reachability) Report() share.Report {
	s := reach.Situation{
		Endpoints: r.endpoints(), Evidence: r.evidence,
		Pinholes: r.pinholes.Holes(), Gateways: r.pinholes.Problems(),
	}
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
	count := map[netip.Addr]int{}
	for _, a := range r.n.engine.SeenAs() {
		count[a]++
	}
	for _, a := range slices.SortedFunc(maps.Keys(count), netip.Addr.Compare) {
		s.Seen = append(s.Seen, share.SeenAs{Address: a, By: "peers", Count: count[a]})
	}
	return s.Report()
}

// linkAddresses are the node's addresses as in links, proven ones first.
func (n *Node) linkAddresses() []netip.AddrPort {
	out := forLinks(n.ports.addresses(), n.ownAddresses())
	n.reach.evidence.Sort(out)
	return out
}

// forLinks leaves out loopback addresses, which would lead the reader of a link to their
// own host, unless the node listens at no other address.
func forLinks(listen, own []netip.AddrPort) []netip.AddrPort {
	loopback := func(a netip.AddrPort) bool { return a.Addr().Unmap().IsLoopback() }
	for _, l := range listen {
		if !loopback(l) {
			return slices.DeleteFunc(own, loopback)
		}
	}
	return own
}

// Test asks peers to dial back. What arrives over UDP is reported by the DHT, perhaps
// a little later.
func (r *reachability) Test(ctx context.Context) share.Report {
	r.refresh(ctx)
	r.prober.Test(ctx)
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	clock := time.NewTicker(lookAgain)
	defer clock.Stop()
	for {
		now := r.Report()
		if now.Verdict != share.NotKnown {
			return now
		}
		select {
		case <-ctx.Done():
			return now
		case <-clock.C:
		}
	}
}

// caller lets the engine ask peers to dial this node.
type caller struct{ n *Node }

func (c caller) Helpers() []netip.AddrPort { return c.n.engine.Helpers() }

func (c caller) Ask(ctx context.Context, helper netip.AddrPort, e reach.Endpoint) (reach.Called, error) {
	got, err := c.n.engine.AskDialBack(ctx, helper, e.IP, e.Port, e.UDP)
	return reach.Called{Came: got.Came, Failed: got.Failed, UDPFailed: got.UDPFailed}, err
}
