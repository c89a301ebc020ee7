package engine

import (
	"context"
	"net/netip"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

// DialBack is the result of asking one peer to dial this node.
type DialBack = face.DialBack

// Helpers lists peers that dial back when asked, the latest first.
func (e *Engine) Helpers() []netip.AddrPort {
	if !e.call(func(lp *loop) {}) {
		return nil
	}
	return e.swarms.DialBacks().Helpers()
}

// ToldToCall reports whether a helper was just asked to dial with this ID. It does not
// wait for Ready.
func (e *Engine) ToldToCall(id [20]byte) bool { return e.swarms.DialBacks().ToldToCall(id) }

// SeenAs lists the addresses at which peers have seen this node lately, each once.
func (e *Engine) SeenAs() []netip.Addr {
	if !e.call(func(lp *loop) {}) {
		return nil
	}
	return e.swarms.DialBacks().SeenAs()
}

// AskDialBack asks one of Helpers to dial this node at from, an address of this host,
// over TCP and UDP on these ports; port 0 is not dialled.
func (e *Engine) AskDialBack(ctx context.Context, helper netip.AddrPort, from netip.Addr, tcp, udp uint16) (DialBack, error) {
	if !e.call(func(lp *loop) {}) {
		return DialBack{}, stopped()
	}
	return e.swarms.DialBacks().Ask(ctx, helper, from, tcp, udp)
}

// Moved tells the engine which addresses this host has now. A connection from any other
// address is dead, and neither end would notice for minutes. The engine closes it and
// dials the peer again.
func (e *Engine) Moved(own []netip.Addr) {
	if e.call(func(lp *loop) {}) {
		e.swarms.Moved(own)
	}
}
