package sim

import (
	"net/netip"

	"github.com/shoalnet/shoal/index/dht/internal/core"
	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

// Lie is how a host answers searches. Every liar names false peers, and accepts and
// forgets everything it is asked to store. It answers pings truthfully, so that
// others know it.
type Lie uint8

// The lies differ in the nodes named.
const (
	Honest Lie = iota
	Ghosts     // nodes near the target that do not exist
	Ring       // only liars, by their true names, those closest to the target
	Masks      // liars, by false names near the target, to which they answer
)

// lied answers a search with lies. It reports whether b was one; other datagrams
// are for the node that the host also is.
func (h *Node) lied(b []byte, from netip.AddrPort) bool {
	var m krpc.Message
	if krpc.Decode(b, &m) != nil || m.Kind != krpc.KindQuery || m.Method == krpc.Ping {
		return false
	}
	reply := krpc.Reply{TID: m.TID, ID: h.ID(), To: from, Token: []byte("believe!")}
	if m.Method == krpc.FindNode || m.Method == krpc.GetPeers || m.Method == krpc.Get {
		reply.HasNodes = true
		switch h.lie {
		case Ghosts:
			reply.Nodes = h.ghosts(m.Target)
		case Ring:
			reply.Nodes = h.ring(m.Target)
		case Masks:
			reply.ID = mask(m.Target, h.Addr)
			reply.Nodes = h.ring(m.Target)
			for i := range reply.Nodes {
				reply.Nodes[i].ID = mask(m.Target, reply.Nodes[i].Addr)
			}
		}
	}
	if m.Method == krpc.GetPeers {
		for range 5 {
			reply.Values = append(reply.Values, h.Net.anywhere())
		}
	}
	h.send(krpc.AppendReply(nil, &reply), from, core.Via{})
	return true
}

func (h *Node) ghosts(target nodeid.ID) []krpc.Node {
	var out []krpc.Node
	for range 8 {
		out = append(out, krpc.Node{ID: target.At(30+h.Net.rand.IntN(60), h.Net.rand), Addr: h.Net.anywhere()})
	}
	return out
}

func (h *Node) ring(target nodeid.ID) []krpc.Node {
	var out []krpc.Node
	for _, l := range h.Net.liars {
		c := krpc.Node{ID: l.ID(), Addr: l.Addr}
		i := len(out)
		for i > 0 && nodeid.Closer(&target, &c.ID, &out[i-1].ID) {
			i--
		}
		if i == 8 {
			continue
		}
		out = append(out, krpc.Node{})
		copy(out[i+1:], out[i:])
		out[i] = c
		out = out[:min(len(out), 8)]
	}
	return out
}

// mask is the false name of the liar at addr for a target. All liars use the same.
func mask(target nodeid.ID, addr netip.AddrPort) nodeid.ID {
	id := target
	id[18] ^= byte(addr.Port() >> 8)
	id[19] ^= byte(addr.Port())
	return id
}
