package reach

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/reach/internal/igd"
	"github.com/shoalnet/shoal/share/reach/internal/pcp"
)

// The names of the methods of asking a router.
const (
	byPCP  = "PCP"
	byUPnP = "UPnP"
)

var numbers = map[Protocol]uint8{TCP: pcp.TCP, UDP: pcp.UDP}

// hole is a port of one address.
type hole struct {
	protocol Protocol
	port     uint16
}

// opening is the result of asking for a pinhole.
type opening struct {
	method  string
	gateway string
	until   time.Time // the lease ends; zero where there is none
	once    bool      // it was open
	resets  int       // of the PCP server when it was opened
	id      uint16    // of UPnP
	err     error     // why it is not open, or its lease was not renewed
}

// leased reports whether the lease is still valid, renewed or not.
func (o *opening) leased(now time.Time) bool { return o != nil && now.Before(o.until) }

// door manages the pinholes for one address. Only one goroutine uses it at a time.
type door struct {
	p       *Pinholes
	addr    netip.Addr
	iface   string
	gateway Gateway

	session  *pcp.Session
	router   *igd.Client
	holes    map[hole]*opening
	problems map[string]error     // by method
	quiet    map[string]time.Time // not to be asked before
	pause    map[string]time.Duration
}

func newDoor(p *Pinholes, a netip.Addr, iface string) *door {
	return &door{
		p: p, addr: a, iface: iface, holes: map[hole]*opening{}, problems: map[string]error{},
		quiet: map[string]time.Time{}, pause: map[string]time.Duration{},
	}
}

// route records the router of the address.
func (d *door) route(all []Gateway, i int) {
	var g Gateway
	if i >= 0 {
		g = all[i]
	}
	if g == d.gateway {
		return
	}
	d.gateway = g
	d.end()
	for _, o := range d.holes {
		o.err, o.until = share.Wrapf("the default router has changed"), time.Time{}
	}
	d.impatient()
}

// impatient makes routers that did not answer be asked again now.
func (d *door) impatient() {
	clear(d.quiet)
	clear(d.pause)
}

func (d *door) end() {
	if d.session != nil {
		d.session.Close()
	}
	d.session, d.router = nil, nil
}

func (d *door) isOpen(h hole) bool {
	o := d.holes[h]
	return o.leased(d.p.cfg.Now()) && o.err == nil
}

// wasOpen reports whether a pinhole was open and must be kept: the proof of
// reachability may depend on it.
func (d *door) wasOpen(h hole) bool {
	o := d.holes[h]
	return o != nil && o.once
}

// method is the method that opened the open pinholes.
func (d *door) method() string {
	for h, o := range d.holes {
		if d.isOpen(h) {
			return o.method
		}
	}
	return ""
}

// look opens the wanted pinholes and closes the others.
func (d *door) look(ctx context.Context, wanted []hole) {
	keep := map[hole]bool{}
	for _, h := range wanted {
		keep[h] = true
	}
	for h := range d.holes {
		if !keep[h] {
			d.close(ctx, h)
		}
	}
	if len(wanted) == 0 {
		clear(d.problems)
		return
	}
	if d.method() != byUPnP && d.askPCP(ctx, wanted) {
		delete(d.problems, byUPnP)
		return
	}
	d.askUPnP(ctx, wanted)
}

// failed records that a method got no answer, and pauses it for a while.
func (d *door) failed(method string, err error) {
	d.problems[method] = err
	pause := min(max(2*d.pause[method], quietFirst), quietMost)
	d.pause[method] = pause
	d.quiet[method] = d.p.cfg.Now().Add(pause)
	for _, o := range d.holes {
		if o.method == method {
			// A router that answered before is likely to come back soon.
			d.quiet[method] = time.Time{}
			if o.err == nil {
				o.err = err
			}
		}
	}
}

func (d *door) rests(method string) bool { return d.p.cfg.Now().Before(d.quiet[method]) }

// opened records a success.
func (d *door) opened(h hole, o *opening, life time.Duration) {
	was := d.holes[h]
	anew := was == nil || was.err != nil || was.resets != o.resets || !was.leased(d.p.cfg.Now())
	o.until, o.once, o.err = d.p.cfg.Now().Add(life), true, nil
	d.holes[h] = o
	delete(d.problems, o.method)
	delete(d.pause, o.method)
	if anew {
		d.p.cfg.Logger.Info("the router opened a pinhole", "address", d.addr, "port", h.port, "protocol", h.protocol, "method", o.method)
		d.p.cfg.Opened(d.addr)
	}
}

// askPCP opens the wanted pinholes by PCP and reports whether any is open.
func (d *door) askPCP(ctx context.Context, wanted []hole) bool {
	if !d.gateway.Addr.IsValid() {
		d.problems[byPCP] = share.Wrapf("it is not known which router is in charge of %s", d.iface)
		return false
	}
	if d.rests(byPCP) {
		return false
	}
	if d.session == nil {
		s, err := pcp.Open(d.addr, netip.AddrPortFrom(d.gateway.Addr, d.p.cfg.PCPPort), d.p.cfg.Now)
		if err != nil {
			d.problems[byPCP] = err
			return false
		}
		d.session = s
	}
	s := d.session
	open := false
	for _, h := range wanted {
		// Renew every time: some routers lose their pinholes without a change of their
		// epoch.
		next := &opening{method: byPCP, gateway: s.Server().Addr().String(), once: d.wasOpen(h)}
		life, err := s.Map(ctx, numbers[h.protocol], h.port, lease)
		next.resets = s.Resets()
		if _, refused := errors.AsType[pcp.Result](err); err != nil && !refused && errors.Is(err, pcp.ErrSilence) {
			d.silent(ctx, err)
			return false
		}
		if err != nil {
			next.err = err
			if o := d.holes[h]; o != nil && o.method == byPCP && o.resets == next.resets {
				next.until = o.until // a refusal to renew does not end the lease
			}
			d.holes[h] = next
			continue
		}
		d.opened(h, next, life)
		open = true
	}
	return open
}

// silent handles a server that does not answer or cannot be asked.
func (d *door) silent(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // the node ends
	}
	d.failed(byPCP, err)
	d.session.Close()
	d.session = nil
}

// askUPnP opens the wanted pinholes by UPnP. If the router no longer answers, it is
// discovered again at once: it may have restarted at another port.
func (d *door) askUPnP(ctx context.Context, wanted []hole) {
	if d.rests(byUPnP) {
		return
	}
	for range 2 {
		if d.router == nil && !d.find(ctx) {
			return
		}
		if d.tryUPnP(ctx, wanted) || ctx.Err() != nil {
			return
		}
		d.router = nil
	}
}

func (d *door) find(ctx context.Context) bool {
	found, err := d.p.cfg.Search(ctx, d.addr, d.iface)
	for _, device := range found {
		if d.router, err = igd.Connect(ctx, device, d.addr); err == nil {
			delete(d.problems, byUPnP)
			return true
		}
	}
	if ctx.Err() == nil {
		d.router = nil
		d.failed(byUPnP, err)
	}
	return false
}

// tryUPnP returns false if the router no longer answers.
func (d *door) tryUPnP(ctx context.Context, wanted []hole) bool {
	for _, h := range wanted {
		o := d.holes[h]
		if d.isOpen(h) && o.method == byUPnP {
			err := d.router.Update(ctx, o.id, lease)
			if err == nil {
				d.opened(h, o, lease)
				continue
			}
			if ctx.Err() != nil {
				return false
			}
			o.err = err
		}
		next := &opening{method: byUPnP, gateway: d.router.Router().String(), once: d.wasOpen(h)}
		next.id, next.err = d.router.Add(ctx, d.addr, numbers[h.protocol], h.port, lease)
		switch {
		case ctx.Err() != nil:
			return false
		case next.err == nil:
			d.opened(h, next, lease)
		case igd.Refused(next.err):
			if o == nil || o.method != byPCP || o.err == nil {
				d.holes[h] = next
			}
		default:
			d.holes[h] = next
			return false
		}
	}
	return true
}

// close closes one pinhole.
func (d *door) close(ctx context.Context, h hole) {
	o := d.holes[h]
	delete(d.holes, h)
	if !o.leased(d.p.cfg.Now()) {
		return
	}
	var err error
	switch {
	case o.method == byPCP && d.session != nil:
		err = d.session.Unmap(ctx, numbers[h.protocol], h.port)
	case o.method == byUPnP && d.router != nil:
		err = d.router.Delete(ctx, o.id)
	}
	if err != nil {
		d.p.cfg.Logger.Debug("closing a pinhole", "address", d.addr, "port", h.port, "error", err)
	}
}
