package reach

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/reach/internal/igd"
	"github.com/shoalnet/shoal/share/reach/internal/pcp"
)

// Gateway is a default router; a link-local address has its zone.
type Gateway struct {
	Addr      netip.Addr
	Interface string
}

const (
	// lease is the requested lifetime of a pinhole; it expires by itself if the
	// node is killed.
	lease = time.Hour
	// lookEvery is the interval of renewals: a router loses its pinholes when it
	// restarts, and not every router reports that.
	lookEvery = 15 * time.Second
	// A router that never answered is asked again after the first of these times,
	// doubled each time up to the second.
	quietFirst = 30 * time.Second
	quietMost  = 10 * time.Minute
	// closeTime bounds how long the shutdown waits for routers.
	closeTime = 3 * time.Second
)

// PinholeConfig is what Pinholes need.
type PinholeConfig struct {
	Logger *slog.Logger
	Now    func() time.Time
	// Endpoints are the endpoints that may need pinholes.
	Endpoints func() []Endpoint
	// Needed reports whether an address and port may need a pinhole to be reachable.
	Needed func(Protocol, netip.AddrPort) bool
	// Opened is called with an address for which a pinhole was opened.
	Opened func(netip.Addr)

	// For tests; nil or zero is the system's.
	Gateways func() ([]Gateway, error)
	Search   func(ctx context.Context, local netip.Addr, iface string) ([]igd.Device, error)
	PCPPort  uint16
}

// Pinholes keeps the router's firewall open for the published addresses, by PCP
// or else by UPnP, and closes what it opened when it ends.
type Pinholes struct {
	cfg  PinholeConfig
	kick chan chan struct{}

	doors map[netip.Addr]*door // only touched by Run

	mu       sync.Mutex
	asked    map[netip.Addr]bool
	holes    []share.Pinhole
	problems []share.GatewayProblem
}

// NewPinholes starts nothing.
func NewPinholes(cfg PinholeConfig) *Pinholes {
	if cfg.Gateways == nil {
		cfg.Gateways = ListGateways
	}
	if cfg.Search == nil {
		cfg.Search = igd.Search
	}
	if cfg.PCPPort == 0 {
		cfg.PCPPort = pcp.Port
	}
	return &Pinholes{cfg: cfg, kick: make(chan chan struct{}), doors: map[netip.Addr]*door{}}
}

// Holes returns the current state of the requested pinholes, open or not.
func (p *Pinholes) Holes() []share.Pinhole {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := slices.Clone(p.holes)
	for i := range all {
		// The machine may have been suspended since the last round.
		if h := &all[i]; !h.Until.IsZero() && !p.cfg.Now().Before(h.Until) {
			if h.Error == "" {
				ended := share.Say("the lease has ended and was not renewed")
				h.Error, h.ErrorText = ended.String(), ended.Of()
			}
			h.Until = time.Time{}
		}
	}
	return all
}

// Problems returns why methods of asking routers do not work.
func (p *Pinholes) Problems() []share.GatewayProblem {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.problems)
}

// Asked reports whether everything that an address needs was requested from its router,
// whatever the router answered.
func (p *Pinholes) Asked(a netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[a]
}

// Run keeps pinholes until ctx ends.
func (p *Pinholes) Run(ctx context.Context) error {
	defer p.closeAll(ctx)
	clock := time.NewTimer(0)
	defer clock.Stop()
	for {
		var done chan struct{}
		select {
		case <-ctx.Done():
			return nil
		case done = <-p.kick:
			for _, d := range p.doors {
				d.impatient()
			}
		case <-clock.C:
		}
		p.round(ctx)
		if done != nil {
			close(done)
		}
		clock.Reset(lookEvery)
	}
}

// Refresh asks routers again now, including those that did not answer, and returns
// when they have answered or timed out.
func (p *Pinholes) Refresh(ctx context.Context) {
	done := make(chan struct{})
	select {
	case p.kick <- done:
	case <-ctx.Done():
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// round updates the pinholes of every address once.
func (p *Pinholes) round(ctx context.Context) {
	gateways, err := p.cfg.Gateways()
	if err != nil {
		p.cfg.Logger.Debug("cannot tell who the router is", "error", err)
	}
	wanted, asked, here := map[netip.Addr][]hole{}, map[netip.Addr]bool{}, map[netip.Addr]bool{}
	for _, e := range p.cfg.Endpoints() {
		here[e.IP] = true
		d := p.doors[e.IP]
		// An address that is deprecated still works for whoever has it in a link: what is
		// open there stays open until the address is gone.
		leaving := e.Kind == Deprecated && d != nil
		if e.Scope != Global || !e.Published && !leaving {
			continue
		}
		asked[e.IP] = true
		if d == nil {
			d = newDoor(p, e.IP, e.Interface)
			p.doors[e.IP] = d
		}
		i := slices.IndexFunc(gateways, func(g Gateway) bool { return g.Interface == e.Interface })
		d.route(gateways, i)
		for _, h := range []hole{{TCP, e.Port}, {UDP, e.UDP}} {
			if h.port != 0 && (d.wasOpen(h) || !leaving && p.cfg.Needed(h.protocol, netip.AddrPortFrom(e.IP, h.port))) {
				wanted[e.IP] = append(wanted[e.IP], h)
			}
		}
	}
	var all sync.WaitGroup
	for a, d := range p.doors {
		if !here[a] {
			// A router closes a pinhole at the request of its address only, and nobody can send
			// from one that is gone: the lease ends by itself.
			clear(d.holes)
			continue
		}
		all.Go(func() { d.look(ctx, wanted[a]) })
	}
	all.Wait()
	for a, d := range p.doors {
		if len(wanted[a]) == 0 && len(d.holes) == 0 {
			d.end()
			delete(p.doors, a)
		}
	}
	p.publish(asked)
}

func (p *Pinholes) publish(asked map[netip.Addr]bool) {
	holes, problems := []share.Pinhole{}, []share.GatewayProblem{}
	for a, d := range p.doors {
		for h, o := range d.holes {
			s := share.Pinhole{Address: a, Port: h.port, Protocol: string(h.protocol), Method: o.method, Gateway: o.gateway}
			if o.err != nil {
				s.Error, s.ErrorText = o.err.Error(), share.TextOf(o.err).Of()
			}
			s.Until = o.until.Round(0)
			holes = append(holes, s)
		}
		for method, err := range d.problems {
			g := share.GatewayProblem{Method: method, Error: err.Error(), ErrorText: share.TextOf(err).Of()}
			if !slices.ContainsFunc(problems, func(o share.GatewayProblem) bool { return o.Method == g.Method && o.Error == g.Error }) {
				problems = append(problems, g)
			}
		}
	}
	slices.SortFunc(holes, func(a, b share.Pinhole) int {
		return cmp.Or(a.Address.Compare(b.Address), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port))
	})
	slices.SortFunc(problems, func(a, b share.GatewayProblem) int {
		return cmp.Or(cmp.Compare(a.Method, b.Method), cmp.Compare(a.Error, b.Error))
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked, p.holes, p.problems = asked, holes, problems
}

// closeAll closes the pinholes that were opened.
func (p *Pinholes) closeAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	var all sync.WaitGroup
	for _, d := range p.doors {
		all.Go(func() {
			for h := range d.holes {
				d.close(ctx, h)
			}
			d.end()
		})
	}
	all.Wait()
	clear(p.doors)
	p.publish(nil)
}
