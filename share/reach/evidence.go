package reach

import (
	"net/netip"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
)

// Protocol is the transport that evidence is about.
type Protocol string

// The protocols.
const (
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
)

const (
	// proofLife is how long a proof is valid: routers and firewalls change without
	// notice.
	proofLife = 24 * time.Hour
	// refusalLife is how long a failed attempt counts against an address.
	refusalLife = 2 * time.Hour
	// refusersNeeded is the number of networks from which attempts must fail
	// before an address is unreachable: a single peer may lie or be behind a
	// firewall.
	refusersNeeded = 2
	maxRefusals    = 16
	// siteBits is the prefix of one household or company (RFC 6177): a connection
	// from inside has not passed its firewall.
	siteBits = 48
)

// SiteOf returns the site prefix of an address.
func SiteOf(a netip.Addr) netip.Prefix {
	p, err := a.WithZone("").Prefix(siteBits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// Evidence collects the evidence of whether strangers can reach the addresses of
// this host. It trusts only connections, not claims: an address counts as reachable
// only after a connection from outside has succeeded.
//
// It is safe for concurrent use.
type Evidence struct {
	now func() time.Time

	mu    sync.Mutex
	own   map[netip.Addr]bool
	sites map[netip.Prefix]bool
	about map[subject]*dossier
}

// A subject is what evidence is about. Port is 0 for the ports at which peers connect.
type subject struct {
	addr  netip.Addr
	proto Protocol
	port  uint16
}

type dossier struct {
	proof    Finding
	refusals []refusal // one from each site
}

type refusal struct {
	site netip.Prefix
	at   time.Time
}

// Finding is a verdict with its evidence.
type Finding struct {
	Verdict  share.Verdict
	Evidence share.Text
	Time     time.Time
}

// NewEvidence starts without any evidence.
func NewEvidence(now func() time.Time) *Evidence {
	return &Evidence{now: now, about: map[subject]*dossier{}}
}

// SetAddresses sets the addresses of this host and drops the evidence about others.
func (e *Evidence) SetAddresses(all []Address) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.own, e.sites = map[netip.Addr]bool{}, map[netip.Prefix]bool{}
	for _, a := range all {
		e.own[a.IP] = true
		if a.Scope == Global {
			e.sites[SiteOf(a.IP)] = true
		}
	}
	for s := range e.about {
		if !e.own[s.addr] {
			delete(e.about, s)
		}
	}
}

// Stranger reports whether from is outside every network of this host, so that a
// connection from there has passed their firewalls.
func (e *Evidence) Stranger(from netip.Addr) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stranger(from)
}

func (e *Evidence) stranger(from netip.Addr) bool {
	scope, ok := ScopeOf(from)
	return ok && scope == Global && !e.own[from] && !e.sites[SiteOf(from)]
}

// Came records that from contacted the address to of this host unsolicited. It
// reports whether that is proof: a neighbour has not passed the firewall.
func (e *Evidence) Came(p Protocol, to, from netip.Addr, how string) bool {
	return e.came(subject{addr: to, proto: p}, from, how)
}

// CameTo is Came for TCP at a port that is not for peers. A firewall may let strangers in
// at one port and not at another, so this proves nothing about other ports.
func (e *Evidence) CameTo(to netip.AddrPort, from netip.Addr, how string) bool {
	return e.came(subject{to.Addr(), TCP, to.Port()}, from, how)
}

func (e *Evidence) came(to subject, from netip.Addr, how string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if scope, ok := ScopeOf(to.addr); !ok || scope != Global || !e.own[to.addr] || !e.stranger(from) {
		return false
	}
	d := e.dossier(to)
	d.proof = Finding{share.Reachable, share.Say("%s "+how, from), e.now()}
	d.refusals = nil
	return true
}

// Refused records that the peer at from was asked to connect to the address to and
// failed.
func (e *Evidence) Refused(p Protocol, to, from netip.Addr) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.own[to] || !e.stranger(from) {
		return
	}
	d := e.dossier(subject{addr: to, proto: p})
	site := SiteOf(from)
	kept := d.refusals[:0]
	for _, r := range d.refusals {
		if r.site != site {
			kept = append(kept, r)
		}
	}
	d.refusals = append(kept, refusal{site, e.now()})
	if len(d.refusals) > maxRefusals {
		d.refusals = append(d.refusals[:0], d.refusals[1:]...)
	}
}

func (e *Evidence) dossier(s subject) *dossier {
	d := e.about[s]
	if d == nil {
		d = &dossier{}
		e.about[s] = d
	}
	return d
}

// About returns the finding about an address.
func (e *Evidence) About(p Protocol, a netip.Addr) Finding { return e.find(subject{addr: a, proto: p}) }

// AboutPort returns the finding about TCP at a port that is not for peers.
func (e *Evidence) AboutPort(a netip.AddrPort) Finding {
	return e.find(subject{a.Addr(), TCP, a.Port()})
}

func (e *Evidence) find(s subject) Finding {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := e.about[s]
	if d == nil {
		return Finding{Verdict: share.NotKnown}
	}
	now := e.now()
	var failed int
	var last time.Time
	for _, r := range d.refusals {
		if now.Sub(r.at) < refusalLife {
			failed++
			last = r.at // they are in the order of time
		}
	}
	proven := d.proof.Verdict == share.Reachable && now.Sub(d.proof.Time) < proofLife
	who := share.Say("peers of %d networks were asked to connect and failed", failed)
	switch {
	case failed >= refusersNeeded:
		return Finding{share.Unreachable, who, last}
	case proven:
		return d.proof
	case failed == 1:
		return Finding{share.NotKnown, share.Say("one peer was asked to connect and failed, which proves nothing"), last}
	}
	return Finding{Verdict: share.NotKnown}
}

// Forget drops the evidence against an address, for example after its firewall has
// changed.
func (e *Evidence) Forget(p Protocol, a netip.Addr) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if d := e.about[subject{addr: a, proto: p}]; d != nil {
		d.refusals = nil
	}
}
