package engine

import (
	"context"
	"net/netip"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

// DialBack is what came of asking one peer to call this node.
type DialBack = face.DialBack

// Helpers are peers that call back when asked, the latest first.
func (e *Engine) Helpers() []netip.AddrPort {
	if !e.call(func(lp *loop) {}) {
		return nil
	}
	return e.swarms.DialBacks().Helpers()
}

// ToldToCall tells whether a helper was told to call with this ID just now. It
// does not wait for the engine, which need not run yet.
func (e *Engine) ToldToCall(id [20]byte) bool { return e.swarms.DialBacks().ToldToCall(id) }

// SeenAs is what peers said lately that this node's address is, one of each.
func (e *Engine) SeenAs() []netip.Addr {
	if !e.call(func(lp *loop) {}) {
		return nil
	}
	return e.swarms.DialBacks().SeenAs()
}

// AskDialBack asks one of Helpers to call this node at from, an address of this
// host, by TCP and UDP on these ports; a port of 0 is not called.
func (e *Engine) AskDialBack(ctx context.Context, helper netip.AddrPort, from netip.Addr, tcp, udp uint16) (DialBack, error) {
	if !e.call(func(lp *loop) {}) {
		return DialBack{}, stopped()
	}
	return e.swarms.DialBacks().Ask(ctx, helper, from, tcp, udp)
}

// Moved tells which addresses this host has now. A connection from another one
// is dead, and neither end will notice for minutes: it is ended, and the peer is
// called again from where this host is now.
func (e *Engine) Moved(own []netip.Addr) {
	if e.call(func(lp *loop) {}) {
		e.swarms.Moved(own)
	}
}
