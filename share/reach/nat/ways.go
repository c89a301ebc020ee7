package nat

import (
	"context"
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/reach/internal/igd"
	"github.com/shoalnet/shoal/share/reach/internal/natpmp"
	"github.com/shoalnet/shoal/share/reach/internal/pcp"
)

// opening is a mapping that a router made.
type opening struct {
	external netip.AddrPort
	router   netip.Addr
	life     time.Duration // 0 is without end
}

// way is a protocol by which one router is asked. A way that could not be opened has a
// name and nothing to close.
type way interface {
	name() string
	// keep has port mapped, or goes on. wanted is the external address that is
	// preferred.
	keep(ctx context.Context, port uint16, wanted netip.AddrPort) (opening, error)
	// end undoes keep.
	end(ctx context.Context, port uint16, external netip.AddrPort) error
	close()
}

var errNoRouter = share.Wrapf("it is not known who the router is")

type byPCP struct {
	*pcp.Session
	server netip.AddrPort
}

func openPCP(_ context.Context, m *Mapper) (way, error) {
	if !m.at.router.IsValid() {
		return byPCP{}, errNoRouter
	}
	server := netip.AddrPortFrom(m.at.router, m.cfg.Port)
	s, err := pcp.Open(m.at.local, server, m.cfg.Now)
	if err == nil && m.cfg.Wait > 0 {
		s.SetWait(m.cfg.Wait)
	}
	return byPCP{s, server}, err
}

func (byPCP) name() string { return "PCP" }

func (w byPCP) keep(ctx context.Context, port uint16, wanted netip.AddrPort) (opening, error) {
	got, life, err := w.Translate(ctx, pcp.TCP, port, wanted, lease)
	return opening{got, w.server.Addr(), life}, err
}

func (w byPCP) end(ctx context.Context, port uint16, external netip.AddrPort) error {
	_, _, err := w.Translate(ctx, pcp.TCP, port, external, 0)
	return err
}

func (w byPCP) close() {
	if w.Session != nil {
		_ = w.Close()
	}
}

type byPMP struct {
	*natpmp.Session
	router netip.Addr
}

func openPMP(_ context.Context, m *Mapper) (way, error) {
	if !m.at.router.IsValid() {
		return byPMP{}, errNoRouter
	}
	s, err := natpmp.Open(m.at.local, netip.AddrPortFrom(m.at.router, m.cfg.Port))
	if err == nil && m.cfg.Wait > 0 {
		s.SetWait(m.cfg.Wait)
	}
	return byPMP{s, m.at.router}, err
}

func (byPMP) name() string { return "NAT-PMP" }

func (w byPMP) keep(ctx context.Context, port uint16, wanted netip.AddrPort) (opening, error) {
	a, err := w.Address(ctx)
	if err != nil {
		return opening{}, err
	}
	p, err := w.Map(ctx, port, wanted.Port(), lease)
	return opening{netip.AddrPortFrom(a, p.External), w.router, p.Lifetime}, err
}

func (w byPMP) end(ctx context.Context, port uint16, _ netip.AddrPort) error {
	return w.Unmap(ctx, port)
}

func (w byPMP) close() {
	if w.Session != nil {
		_ = w.Close()
	}
}

type byUPnP struct {
	*igd.Ports
	router netip.Addr
}

func openUPnP(ctx context.Context, m *Mapper) (way, error) {
	found, err := m.cfg.Search(ctx, m.at.local, m.at.router)
	for _, d := range found {
		var p *igd.Ports
		if p, err = igd.ConnectPorts(ctx, d, m.at.local); err == nil {
			return byUPnP{p, d.Addr.Addr()}, nil
		}
	}
	return byUPnP{}, err
}

func (byUPnP) name() string { return "UPnP" }

// portsTried is how many external ports are asked for: another host may have the first.
const portsTried = 4

func (w byUPnP) keep(ctx context.Context, port uint16, wanted netip.AddrPort) (opening, error) {
	a, err := w.External(ctx)
	if err != nil {
		return opening{}, err
	}
	external := wanted.Port()
	for range portsTried {
		var life time.Duration
		if life, err = w.Add(ctx, pcp.TCP, external, port, lease); err == nil {
			return opening{netip.AddrPortFrom(a, external), w.router, life}, nil
		}
		if !igd.Refused(err) {
			break
		}
		external = max(external+1, 1024)
	}
	return opening{}, err
}

func (w byUPnP) end(ctx context.Context, _ uint16, external netip.AddrPort) error {
	return w.Delete(ctx, pcp.TCP, external.Port())
}

func (byUPnP) close() {}
