package reach

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
)

// Caller asks peers to connect to this node.
type Caller interface {
	// Helpers returns the peers that can be asked, best first.
	Helpers() []netip.AddrPort
	// Ask asks helper to connect to the endpoint. It takes a few seconds.
	Ask(ctx context.Context, helper netip.AddrPort, e Endpoint) (Called, error)
}

// Called is the result of one attempt. If neither Came nor Failed is set, it was not
// tried, or there is only the helper's claim.
type Called struct {
	Came      bool // by TCP, and was answered
	Failed    bool // by TCP
	UDPFailed bool
}

const (
	probeEvery = 2 * time.Second
	// The intervals of asking one helper about one address: the longer one normally,
	// the shorter one for a test by the user. Helpers refuse more frequent requests.
	askAgain     = 5 * time.Minute
	askAgainTest = 25 * time.Second
	// sitesAsked is the number of helpers that are asked about one address at
	// once, each of another site.
	sitesAsked = 3
	// confirmAfter is the age at which a verdict is tested again.
	confirmAfter = time.Hour
)

// Prober seeks evidence about addresses to which no strangers connect.
type Prober struct {
	Evidence  *Evidence
	Caller    Caller
	Endpoints func() []Endpoint
	Now       func() time.Time
	Logger    *slog.Logger

	mu    sync.Mutex
	asked map[question]time.Time
}

type question struct {
	addr   netip.Addr
	helper netip.Addr
}

// Run asks about every published address whose verdict is unknown or old, until ctx
// ends.
func (p *Prober) Run(ctx context.Context) error {
	clock := time.NewTicker(probeEvery)
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-clock.C:
			p.probe(ctx, askAgain, p.stale)
		}
	}
}

// Test asks about every published address now, and returns when the helpers
// have answered.
func (p *Prober) Test(ctx context.Context) {
	p.probe(ctx, askAgainTest, func(Endpoint) bool { return true })
}

// Again allows asking again about addresses that were tested recently, because
// something has changed.
func (p *Prober) Again(a netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Now()
	for q, at := range p.asked {
		if q.addr == a && now.Sub(at) > askAgainTest {
			delete(p.asked, q)
		} else if q.addr == a {
			p.asked[q] = at.Add(askAgainTest - askAgain)
		}
	}
}

func (p *Prober) stale(e Endpoint) bool {
	tcp, udp := p.Evidence.About(TCP, e.IP), p.Evidence.About(UDP, e.IP)
	if e.UDP == 0 {
		udp = tcp
	}
	if tcp.Verdict == share.NotKnown || udp.Verdict == share.NotKnown {
		return true
	}
	now := p.Now()
	return now.Sub(tcp.Time) > confirmAfter || now.Sub(udp.Time) > confirmAfter
}

func (p *Prober) probe(ctx context.Context, again time.Duration, worth func(Endpoint) bool) {
	var all sync.WaitGroup
	defer all.Wait()
	var helpers []netip.AddrPort
	for _, e := range p.Endpoints() {
		if e.Scope != Global || !e.Published || !worth(e) {
			continue
		}
		if helpers == nil {
			helpers = p.Caller.Helpers()
		}
		for _, h := range p.choose(e.IP, helpers, again) {
			all.Go(func() { p.ask(ctx, h, e) })
		}
	}
}

// choose selects helpers of different sites other than our own.
func (p *Prober) choose(a netip.Addr, helpers []netip.AddrPort, again time.Duration) (out []netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Now()
	if p.asked == nil {
		p.asked = map[question]time.Time{}
	}
	for q, at := range p.asked {
		if since := now.Sub(at); since > 2*askAgain || since < -2*askAgain {
			delete(p.asked, q)
		}
	}
	sites := map[netip.Prefix]bool{}
	for _, h := range helpers {
		q := question{a, h.Addr()}
		last, known := p.asked[q]
		if site := SiteOf(h.Addr()); len(out) < sitesAsked && !sites[site] && p.Evidence.Stranger(h.Addr()) &&
			(!known || now.Sub(last) >= again) {
			sites[site] = true
			p.asked[q] = now
			out = append(out, h)
		}
	}
	return out
}

func (p *Prober) ask(ctx context.Context, helper netip.AddrPort, e Endpoint) {
	c, err := p.Caller.Ask(ctx, helper, e)
	if err != nil {
		p.Logger.Debug("asking a peer to dial back", "peer", helper, "error", err)
		return
	}
	if c.Came {
		p.Evidence.Came(TCP, e.IP, helper.Addr(), "connected on request")
	} else if c.Failed {
		p.Evidence.Refused(TCP, e.IP, helper.Addr())
	}
	// The DHT reports the arrival of the datagram.
	if c.UDPFailed {
		p.Evidence.Refused(UDP, e.IP, helper.Addr())
	}
}
