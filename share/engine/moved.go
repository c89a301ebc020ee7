package engine

import "net/netip"

// Moved tells which addresses this host has now. A connection from another one
// is dead, and neither end will notice for minutes: it is ended, and the peer is
// called again from where this host is now.
func (e *Engine) Moved(own []netip.Addr) {
	if e.box.call(func() {}) {
		e.swarms.Moved(own)
	}
}
