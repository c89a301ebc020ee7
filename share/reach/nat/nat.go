// Package nat keeps to itself how this node is reached over IPv4: at which addresses of
// its host, and at which port of its router, which it has mapped by PCP, NAT-PMP or UPnP,
// keeps mapped, and gives back when it ends.
//
// Nothing here proves that strangers can connect. Only what the default router says is
// believed, where the system tells who that is.
package nat

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/reach"
	"github.com/shoalnet/shoal/share/reach/internal/igd"
	"github.com/shoalnet/shoal/share/reach/internal/pcp"
)

const (
	// lease is the requested lifetime of a mapping; it ends by itself if the node is
	// killed.
	lease = time.Hour
	// renewEvery is far shorter: a router loses its mappings when it restarts.
	renewEvery = time.Minute
	lookEvery  = 15 * time.Second
	// A router that maps nothing is asked again after the first of these times, doubled
	// each time up to the second.
	quietFirst = 30 * time.Second
	quietMost  = 10 * time.Minute
	// closeTime bounds how long the shutdown waits for the router.
	closeTime = 3 * time.Second
	// maxAddresses keeps links short.
	maxAddresses = 2
)

// Config is what a Mapper needs.
type Config struct {
	Logger *slog.Logger
	Now    func() time.Time
	// Listen is where this node accepts peers over IPv4; the address may be unspecified.
	Listen netip.AddrPort
	// Allows tells which addresses are published.
	Allows func(a netip.Addr, iface string) bool
	// Ask has the router asked for a port.
	Ask bool

	// For tests; nil or zero is the system's.
	Addresses func() ([]Address, error)
	Gateways  func() ([]reach.Gateway, error)
	Search    func(ctx context.Context, local, router netip.Addr) ([]igd.Device, error)
	Port      uint16        // of PCP and NAT-PMP
	Wait      time.Duration // for the first answer by these; zero is as their RFCs say
}

// Address is an IPv4 address of this host.
type Address struct {
	IP        netip.Addr
	Interface string
}

// Mapper knows where this node is reached over IPv4, and keeps a port of the router
// mapped.
type Mapper struct {
	cfg  Config
	kick chan chan struct{}

	// Only touched by Run.
	at      place
	way     way // what has mapped the port; nil is nothing
	renewed time.Time
	quiet   time.Time // the router is not to be asked before
	pause   time.Duration

	mu       sync.Mutex
	local    []netip.Addr // in links
	mapping  *share.PortMapping
	problems []share.GatewayProblem
}

// place is where this host is in its network. The router is unknown where the system does
// not tell.
type place struct{ local, router netip.Addr }

// New reads the addresses once, and follows them when it runs.
func New(cfg Config) *Mapper {
	if cfg.Addresses == nil {
		cfg.Addresses = listAddresses
	}
	if cfg.Gateways == nil {
		cfg.Gateways = reach.ListGateways4
	}
	if cfg.Search == nil {
		cfg.Search = igd.Search4
	}
	if cfg.Port == 0 {
		cfg.Port = pcp.Port
	}
	m := &Mapper{cfg: cfg, kick: make(chan chan struct{})}
	m.at = m.look()
	return m
}

// listAddresses reads the IPv4 addresses of the interfaces that are up, without loopback
// and link-local ones.
func listAddresses() (all []Address, err error) {
	ifaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, i := range ifaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if ip := p.Addr().Unmap(); err == nil && ip.Is4() && ip.IsGlobalUnicast() {
				all = append(all, Address{ip, i.Name})
			}
		}
	}
	return all, nil
}

// look reads the addresses, notes those for links, and returns where we are. Where there
// is a router, only addresses on its side count.
func (m *Mapper) look() place {
	all, err := m.cfg.Addresses()
	if err != nil {
		m.cfg.Logger.Warn("cannot read the IPv4 addresses of this host", "error", err)
		return m.at
	}
	gateways, err := m.cfg.Gateways()
	if err != nil {
		m.cfg.Logger.Debug("cannot tell who the router is", "error", err)
	}
	all = slices.DeleteFunc(all, func(a Address) bool {
		bound := m.cfg.Listen.Addr()
		return !m.cfg.Allows(a.IP, a.Interface) || !bound.IsUnspecified() && a.IP != bound
	})
	var at place
	for _, g := range gateways {
		onSide := slices.DeleteFunc(slices.Clone(all), func(a Address) bool { return a.Interface != g.Interface })
		if g.Addr.Is4() && len(onSide) > 0 {
			all, at.router = onSide, g.Addr
			break
		}
	}
	var local []netip.Addr
	for _, a := range all[:min(len(all), maxAddresses)] {
		local = append(local, a.IP)
	}
	if len(local) > 0 {
		at.local = local[0]
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.local = local
	return at
}

// Addresses are those for links: the router's, where it leads here, and the host's own.
func (m *Mapper) Addresses() (out []netip.AddrPort) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.mapping; p != nil && p.Error == "" && m.leased(p) {
		out = append(out, p.External)
	}
	for _, a := range m.local {
		out = append(out, netip.AddrPortFrom(a, m.cfg.Listen.Port()))
	}
	return out
}

// leased reports whether a mapping is still valid, renewed or not.
func (m *Mapper) leased(p *share.PortMapping) bool {
	return p.Until.IsZero() || m.cfg.Now().Before(p.Until)
}

// Report says what is known now.
func (m *Mapper) Report() *share.IPv4Report {
	r := &share.IPv4Report{Addresses: append([]netip.AddrPort{}, m.Addresses()...)}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mapping != nil && m.leased(m.mapping) {
		p := *m.mapping
		r.Mapping = &p
	}
	r.Gateways = append([]share.GatewayProblem{}, m.problems...)
	return r
}

// Run follows the addresses and keeps the port mapped until ctx ends.
func (m *Mapper) Run(ctx context.Context) error {
	defer m.end(ctx)
	clock := time.NewTimer(0)
	defer clock.Stop()
	for {
		var done chan struct{}
		select {
		case <-ctx.Done():
			return nil
		case done = <-m.kick:
			m.quiet, m.pause, m.renewed = time.Time{}, 0, time.Time{}
		case <-clock.C:
		}
		m.round(ctx)
		if done != nil {
			close(done)
		}
		clock.Reset(lookEvery)
	}
}

// Refresh asks the router again now, and returns when it has answered or timed out.
func (m *Mapper) Refresh(ctx context.Context) {
	done := make(chan struct{})
	select {
	case m.kick <- done:
	case <-ctx.Done():
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// round keeps the mapping, or has one made.
func (m *Mapper) round(ctx context.Context) {
	if at := m.look(); at != m.at {
		// The old router may be out of reach: its lease ends by itself.
		m.drop()
		m.set(nil, nil)
		m.at, m.quiet, m.pause = at, time.Time{}, 0
	}
	now := m.cfg.Now()
	if !m.cfg.Ask || !m.at.local.IsValid() || public(m.at.local) {
		return
	}
	if m.way != nil && now.Sub(m.renewed) < renewEvery && !now.Before(m.renewed) || m.way == nil && now.Before(m.quiet) {
		return
	}
	if m.way != nil && m.keep(ctx) || ctx.Err() != nil {
		return
	}
	m.find(ctx)
}

// keep renews the mapping. Where the router no longer answers or has changed its mind, it
// reports false, and the way is dropped.
func (m *Mapper) keep(ctx context.Context) bool {
	old := m.current()
	p, err := m.way.keep(ctx, m.cfg.Listen.Port(), old.External)
	if err == nil {
		m.opened(p)
		return true
	}
	if ctx.Err() == nil {
		m.drop()
		old.Error, old.ErrorText = err.Error(), share.TextOf(err).Of()
		m.set(&old, nil)
	}
	return false
}

// find has the port mapped by the first way that works.
func (m *Mapper) find(ctx context.Context) {
	var problems []share.GatewayProblem
	wanted := netip.AddrPortFrom(netip.IPv4Unspecified(), m.cfg.Listen.Port())
	if old := m.current(); old.External.IsValid() {
		wanted = old.External // links may have it
	}
	for _, open := range []func(context.Context, *Mapper) (way, error){openPCP, openPMP, openUPnP} {
		w, err := open(ctx, m)
		if err == nil {
			var p opening
			if p, err = w.keep(ctx, m.cfg.Listen.Port(), wanted); err == nil {
				m.way = w
				m.opened(p)
				return
			}
		}
		if ctx.Err() != nil {
			w.close()
			return
		}
		problems = append(problems, share.GatewayProblem{Method: w.name(), Error: err.Error(), ErrorText: share.TextOf(err).Of()})
		w.close()
	}
	m.pause = min(max(2*m.pause, quietFirst), quietMost)
	m.quiet = m.cfg.Now().Add(m.pause)
	old := m.current()
	if !old.External.IsValid() || !m.leased(&old) {
		m.set(nil, problems)
		return
	}
	m.set(&old, problems)
}

// opened notes a mapping that was made or renewed.
func (m *Mapper) opened(p opening) {
	now := m.cfg.Now()
	s := share.PortMapping{
		External: p.external, Internal: netip.AddrPortFrom(m.at.local, m.cfg.Listen.Port()), Method: m.way.name(), Gateway: p.router,
	}
	if p.life > 0 {
		s.Until = now.Add(p.life).Round(0)
	}
	if !public(p.external.Addr()) {
		why := share.Say("the router has no public IPv4 address itself, but %s, behind another router", p.external.Addr())
		s.Error, s.ErrorText = why.String(), why.Of()
	}
	if old := m.current(); old.External != s.External {
		m.cfg.Logger.Info("the router mapped a port", "external", s.External, "method", s.Method)
	}
	m.renewed, m.quiet, m.pause = now, time.Time{}, 0
	m.set(&s, nil)
}

// current is the mapping; zero without one.
func (m *Mapper) current() share.PortMapping {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mapping == nil {
		return share.PortMapping{}
	}
	return *m.mapping
}

func (m *Mapper) set(p *share.PortMapping, problems []share.GatewayProblem) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mapping, m.problems = p, problems
}

func (m *Mapper) drop() {
	if m.way != nil {
		m.way.close()
	}
	m.way = nil
}

// end gives the port back.
func (m *Mapper) end(ctx context.Context) {
	if m.way == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if err := m.way.end(ctx, m.cfg.Listen.Port(), m.current().External); err != nil {
		m.cfg.Logger.Debug("giving back a port of the router", "error", err)
	}
	m.drop()
	m.set(nil, nil)
}

var shared = []netip.Prefix{
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
}

// public reports whether strangers may know a host by an IPv4 address: it is neither of a
// private network nor of the one between a provider and its customers (RFC 6598).
func public(a netip.Addr) bool {
	return a.Is4() && a.IsGlobalUnicast() && !a.IsPrivate() &&
		!slices.ContainsFunc(shared, func(p netip.Prefix) bool { return p.Contains(a) })
}
