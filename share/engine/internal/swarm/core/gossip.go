package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// gossip is what peers are told of each other (BEP 11): only of those we are
// connected with and whose listening address we know. It keeps one log of who
// came and went, of which each peer was told up to some point.
type gossip struct {
	log []arrival
	seq uint64
}

// arrival is an entry of the log. An address that left has the number of its
// arrival in came.
type arrival struct {
	seq  uint64
	came uint64 // 0 for an arrival
	addr netip.AddrPort
	flag uint8
}

const (
	pexEvery = time.Minute
	pexMost  = 50 // addresses of each list in a minute
	pexLog   = 1024
	// A peer that tells us sooner than so is ignored.
	pexTooSoon = 30 * time.Second
)

func (g *gossip) add(a arrival) {
	if len(g.log) >= pexLog {
		g.log = slices.Delete(g.log, 0, pexLog/4)
	}
	g.seq++
	a.seq = g.seq
	g.log = append(g.log, a)
}

func (g *gossip) joined(c *Core, p *Peer) {
	if c.cfg.Private || !p.listen.IsValid() {
		return
	}
	flag := uint8(0)
	if p.Outgoing {
		flag |= wire.PEXReachable
	}
	if p.Encrypted {
		flag |= wire.PEXEncrypts
	}
	g.add(arrival{addr: p.listen, flag: flag})
	p.entry = g.seq
}

func (g *gossip) left(c *Core, p *Peer) {
	if p.entry == 0 {
		return
	}
	g.add(arrival{addr: p.listen, came: p.entry})
	// Nobody new is to be told of the arrival.
	g.log = slices.DeleteFunc(g.log, func(a arrival) bool { return a.seq == p.entry })
}

// gossip tells those whose minute is over.
func (c *Core) gossip() {
	if c.cfg.Private {
		return
	}
	for _, p := range c.snapshot() {
		n := p.ext[wire.NamePEX]
		if n == 0 || c.now < p.pexDue {
			continue
		}
		var m wire.PEX
		told := p.told
		for _, a := range c.pex.log {
			if a.seq <= told {
				continue
			}
			if a.came == 0 && a.addr != p.listen {
				if len(m.Added) == pexMost {
					break
				}
				m.Added = append(m.Added, wire.PEXPeer{Addr: a.addr, Flags: a.flag})
			} else if a.came != 0 && a.came <= told {
				if len(m.Dropped) == pexMost {
					break
				}
				m.Dropped = append(m.Dropped, a.addr)
			}
			p.told = a.seq
		}
		p.pexDue = c.now + pexEvery
		if len(m.Added)+len(m.Dropped) > 0 {
			c.send(p, wire.Message{Type: wire.Extended, Ext: n, Payload: wire.AppendPEX(nil, &m)})
		}
	}
}

func (c *Core) heardPEX(p *Peer, b []byte) {
	if c.cfg.Private {
		return
	}
	if p.pexHeard != 0 && c.now-p.pexHeard < pexTooSoon {
		c.strike(p, "it sends its peers again and again")
		return
	}
	p.pexHeard = c.now
	m, err := wire.ParsePEX(b)
	if err != nil {
		c.drop(p, err.Error())
		return
	}
	for i, x := range m.Added {
		if i == 2*pexMost {
			break
		}
		if c.complete && x.Flags&wire.PEXSeed != 0 {
			continue
		}
		if c.cfg.Judge == nil || c.cfg.Judge(p.Addr, x.Addr) {
			c.book.learn(c, x.Addr, FromPeer)
		}
	}
	c.connect()
}
