package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// gossip is what peers are told of each other (BEP 11): only of those we are
// connected with and whose listening address we know, and of a private one only those
// who have such an address, too. It keeps one log of who
// came and went, of which each peer was told up to some point.
type gossip struct {
	*clock
	*content
	*roster
	*sender
	private bool

	log []arrival
	seq uint64
}

// gossiping is what one peer was told.
type gossiping struct {
	told  uint64        // it was told of those that came up to here
	due   time.Duration // when it is told again
	heard time.Duration // when it told us
	entry uint64        // the number of its arrival in the log; 0 for none
}

// arrival is an entry of the log. An address that left has the number of its
// arrival in came.
type arrival struct {
	seq  uint64
	came uint64 // 0 for an arrival
	addr netip.AddrPort
	peer *Peer // of an arrival
}

const (
	pexEvery = time.Minute
	pexFirst = 2 * time.Second
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

// met takes that p is connected. It is told of others soon.
func (g *gossip) met(p *Peer) {
	p.gossip.due = g.now + pexFirst
	g.joined(p)
}

// joined takes that others reach p at its listening address.
func (g *gossip) joined(p *Peer) {
	if g.private || !p.listen.IsValid() {
		return
	}
	g.add(arrival{addr: p.listen, peer: p})
	p.gossip.entry = g.seq
}

// flags is what is told of p beside its address.
func (g *gossip) flags(p *Peer) (f uint8) {
	for _, x := range []struct {
		is   bool
		flag uint8
	}{
		{p.Encrypted, wire.PEXEncrypts},
		{g.peerComplete(p), wire.PEXSeed},
		{p.UTP, wire.PEXUTP},
		{p.ext[wire.NameHolepunch] != 0, wire.PEXHolepunch},
		{p.Outgoing, wire.PEXReachable},
	} {
		if x.is {
			f |= x.flag
		}
	}
	return f
}

// left takes that p is gone.
func (g *gossip) left(p *Peer) {
	if p.gossip.entry == 0 {
		return
	}
	g.add(arrival{addr: p.listen, came: p.gossip.entry})
	// Nobody new is to be told of the arrival.
	g.log = slices.DeleteFunc(g.log, func(a arrival) bool { return a.seq == p.gossip.entry })
}

// tell tells those whose minute is over.
func (g *gossip) tell() {
	if g.private {
		return
	}
	for _, p := range g.snapshot() {
		n := p.ext[wire.NamePEX]
		if n == 0 || g.now < p.gossip.due {
			continue
		}
		var m wire.PEX
		told := p.gossip.told
		for _, a := range g.log {
			if a.seq <= told {
				continue
			}
			if !netguard.MayTell(a.addr.Addr(), p.Addr.Addr()) {
				p.gossip.told = a.seq
				continue
			}
			if a.came == 0 && a.addr != p.listen {
				if len(m.Added) == pexMost {
					break
				}
				m.Added = append(m.Added, wire.PEXPeer{Addr: a.addr, Flags: g.flags(a.peer)})
			} else if a.came != 0 && a.came <= told {
				if len(m.Dropped) == pexMost {
					break
				}
				m.Dropped = append(m.Dropped, a.addr)
			}
			p.gossip.told = a.seq
		}
		p.gossip.due = g.now + pexEvery
		if len(m.Added)+len(m.Dropped) > 0 {
			g.send(p, wire.Message{Type: wire.Extended, Ext: n, Payload: wire.AppendPEX(nil, &m)})
		}
	}
}

// heard takes what a peer tells of others. It returns them, and whether the peer
// does that too often.
func (g *gossip) heard(p *Peer, b []byte) (all []wire.PEXPeer, tooSoon bool, err error) {
	if g.private {
		return nil, false, nil
	}
	if p.gossip.heard != 0 && g.now-p.gossip.heard < pexTooSoon {
		return nil, true, nil
	}
	p.gossip.heard = g.now
	m, err := wire.ParsePEX(b)
	if err != nil {
		return nil, false, err
	}
	return m.Added[:min(len(m.Added), 2*pexMost)], false, nil
}
