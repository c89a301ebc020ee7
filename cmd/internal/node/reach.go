package node

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/index/dht"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
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
	addresses *addresses
	log       *slog.Logger
	evidence  *reach.Evidence
	prober    *reach.Prober
	pinholes  *reach.Pinholes
	askRouter bool // for pinholes
	local     bool // this node is for its own host only
	inside    *share.Inside

	// Set before run.
	engine *engine.Engine
	dht    *dht.Node // nil where it is off
	web    *webLinks
}

func newReachability(a *addresses, c *config.Config, log *slog.Logger, now func() time.Time) *reachability {
	r := &reachability{
		addresses: a, log: log, askRouter: !c.NoPinholes, local: a.ports.local(c.Listen),
		inside: reach.FindInside(reach.System{}), evidence: reach.NewEvidence(now),
	}
	r.evidence.SetAddresses(a.host.Addresses())
	r.prober = &reach.Prober{Evidence: r.evidence, Caller: caller{r}, Endpoints: r.endpoints, Now: now, Logger: log}
	r.pinholes = reach.NewPinholes(reach.PinholeConfig{
		Logger: log, Now: now,
		Endpoints: func() []reach.Endpoint { return append(r.endpoints(), r.web.endpoints()...) },
		Needed: func(p reach.Protocol, a netip.AddrPort) bool {
			if p == reach.TCP && !r.addresses.ports.has(a.Port()) {
				return r.evidence.AboutPort(a).Verdict != share.Reachable
			}
			return r.evidence.About(p, a.Addr()).Verdict != share.Reachable
		},
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
	if r.askRouter {
		parts.Go(func() { _ = r.pinholes.Run(ctx) })
	}
	if m := r.addresses.ipv4; m != nil {
		parts.Go(func() { _ = m.Run(ctx) })
	}
	changed := r.addresses.host.Changed()
	r.evidence.SetAddresses(r.addresses.host.Addresses())
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			r.evidence.SetAddresses(r.addresses.host.Addresses())
			r.engine.Moved(r.addresses.ofHost())
			r.web.look(false)
			parts.Go(func() {
				r.refresh(ctx)
				r.web.look(false)
			})
		}
	}
}

// endpoints returns what the prober tries and pinholes are for.
func (r *reachability) endpoints() []reach.Endpoint {
	udp := uint16(0)
	if r.dht != nil {
		udp = r.addresses.ports.udpPort()
	}
	return r.addresses.endpoints(udp)
}

// links returns the node's addresses as in links, proven ones first.
func (r *reachability) links() []netip.AddrPort {
	out := forLinks(r.addresses.ports.addresses(), r.addresses.own())
	r.evidence.Sort(out)
	return ipv4Second(out)
}

// proven tells whether strangers are known to get in.
func (r *reachability) proven() bool {
	return slices.ContainsFunc(r.endpoints(), func(e reach.Endpoint) bool {
		return r.evidence.About(reach.TCP, e.IP).Verdict == share.Reachable
	})
}

// asked tells whether the router was asked to let strangers in at an address, if it is to be
// asked at all.
func (r *reachability) asked(a netip.Addr) bool { return !r.askRouter || r.pinholes.Asked(a) }

// refresh asks the router again, unless it must not be asked.
func (r *reachability) refresh(ctx context.Context) {
	if !r.askRouter {
		return
	}
	var both sync.WaitGroup
	defer both.Wait()
	both.Go(func() { r.pinholes.Refresh(ctx) })
	if m := r.addresses.ipv4; m != nil {
		both.Go(func() { m.Refresh(ctx) })
	}
}

// stranger is called by the engine when a stranger connected.
func (r *reachability) stranger(local netip.Addr, from netip.AddrPort) {
	known := r.evidence.About(reach.TCP, local).Verdict == share.Reachable
	if r.evidence.Came(reach.TCP, local, from.Addr(), "connected on its own") {
		r.log.Debug("a stranger connected", "from", from, "to", local)
		if !known && r.web != nil {
			r.web.look(false)
		}
	}
}

// unsolicited is called by the DHT when a stranger sent a query.
func (r *reachability) unsolicited(from netip.AddrPort, local netip.Addr, _ time.Time) {
	if !local.IsValid() { // then the socket is bound to one address
		if a, err := netip.ParseAddrPort(r.addresses.ports.udp[0].LocalAddr().String()); err == nil {
			local = a.Addr()
		}
	}
	r.evidence.Came(reach.UDP, local.WithZone(""), from.Addr(), "queried this node's DHT on its own")
}

// Report says what is known now.
func (r *reachability) Report() share.Report {
	s := reach.Situation{
		Endpoints: r.endpoints(), Evidence: r.evidence,
		Pinholes: r.pinholes.Holes(), Gateways: r.pinholes.Problems(),
		Host: r.addresses.host.Addresses(), Local: r.local, Inside: r.inside,
	}
	if m := r.addresses.ipv4; m != nil {
		s.IPv4 = m.Report()
	}
	if d := r.dht; d != nil {
		st := d.Stats()
		s.DHT = &share.DHTReport{Nodes: st.Nodes, Answering: st.Good}
		var problem share.Text
		switch {
		case st.Offline:
			problem = share.Say("nobody in the DHT answers")
		case st.Nodes == 0:
			problem = share.Say("no node of the DHT is known yet")
		}
		s.DHT.Problem, s.DHT.ProblemText = problem.String(), problem.Of()
		if st.External.IsValid() {
			s.Seen = append(s.Seen, share.SeenAs{Address: st.External, By: "dht"})
		}
	}
	count := map[netip.Addr]int{}
	for _, a := range r.engine.SeenAs() {
		count[a]++
	}
	for _, a := range slices.SortedFunc(maps.Keys(count), netip.Addr.Compare) {
		s.Seen = append(s.Seen, share.SeenAs{Address: a, By: "peers", Count: count[a]})
	}
	report := s.Report()
	report.Web = r.web.report()
	return report
}

// Test asks peers to dial back. What arrives over UDP is reported by the DHT, perhaps
// a little later.
func (r *reachability) Test(ctx context.Context) share.Report {
	r.refresh(ctx)
	r.prober.Test(ctx)
	r.web.look(true)
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
type caller struct{ r *reachability }

func (c caller) Helpers() []netip.AddrPort { return c.r.engine.Helpers() }

func (c caller) Ask(ctx context.Context, helper netip.AddrPort, e reach.Endpoint) (reach.Called, error) {
	got, err := c.r.engine.AskDialBack(ctx, helper, e.IP, e.Port, e.UDP)
	return reach.Called{Came: got.Came, Failed: got.Failed, UDPFailed: got.UDPFailed}, err
}
