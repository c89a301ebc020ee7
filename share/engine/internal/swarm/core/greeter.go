package core

import (
	"slices"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// greeter tells peers who we are, and learns from their extended handshakes who
// they are (BEP 10).
type greeter struct {
	*content
	*sender
	client     string
	port       uint16
	private    bool
	extensions map[string]uint8 // those of the caller
}

// manners is what one peer said of itself.
type manners struct {
	ext map[string]uint8 // the numbers of messages towards it; 0 for not offered
}

// Extension is the number of one of the caller's extensions towards p; 0 if p
// does not have it.
func (m *manners) Extension(name string) uint8 { return m.ext[name] }

// owns tells whether a message is of one of the caller's extensions.
func (g *greeter) owns(n uint8) bool {
	for _, own := range g.extensions {
		if own == n {
			return true
		}
	}
	return false
}

// greet sends what comes first. infoSize is that of the info dictionary; 0 while
// it is not known.
func (g *greeter) greet(p *Peer, infoSize int) {
	if g.layout.Known() {
		p.have = newBits(g.layout.Pieces)
	}
	switch n := g.count(); {
	case n == 0 || !g.layout.Known():
		if p.Fast {
			g.send(p, wire.Message{Type: wire.HaveNone})
		}
	case n == g.layout.Pieces && p.Fast:
		g.send(p, wire.Message{Type: wire.HaveAll})
	default:
		g.send(p, wire.Message{Type: wire.Bitfield, Payload: slices.Clone(g.have)})
	}
	if p.DHTPort != 0 && !g.private {
		g.send(p, wire.Message{Type: wire.Port, Port: p.DHTPort})
	}
	if p.Extended {
		g.introduce(p, infoSize)
	}
}

// introduce sends our extended handshake, which may be sent again.
func (g *greeter) introduce(p *Peer, infoSize int) {
	h := wire.Handshake{
		Extensions: map[string]uint8{
			wire.NameMetadata: wire.ExtMetadata, wire.NameDontHave: wire.ExtDontHave, wire.NameUploadOnly: wire.ExtUploadOnly,
		},
		Client: g.client, Port: g.port, ReqQ: ReqQ, InfoSize: infoSize,
		UploadOnly: g.finished, YourIP: p.Addr.Addr().Unmap(),
	}
	if !g.private {
		h.Extensions[wire.NamePEX] = wire.ExtPEX
	}
	for name, n := range g.extensions {
		h.Extensions[name] = n
	}
	g.send(p, wire.Message{Type: wire.Extended, Ext: wire.ExtHandshake, Payload: wire.AppendHandshake(nil, &h)})
}

// heard takes the extended handshake of p.
func (g *greeter) heard(p *Peer, b []byte) (wire.Handshake, error) {
	h, err := wire.ParseHandshake(b)
	if err != nil {
		return h, err
	}
	if p.ext == nil {
		p.ext = make(map[string]uint8)
	}
	for name, n := range h.Extensions {
		switch name {
		case wire.NameMetadata, wire.NamePEX, wire.NameDontHave, wire.NameUploadOnly:
		default:
			if _, ours := g.extensions[name]; !ours {
				continue // of no use, and memory
			}
		}
		p.ext[name] = n
	}
	if h.Client != "" {
		p.Client = h.Client
	}
	if h.ReqQ != 0 {
		p.reqq = h.ReqQ
	}
	if p.info.size == 0 { // it may not change its mind
		p.info.size = h.InfoSize
	}
	return h, nil
}
