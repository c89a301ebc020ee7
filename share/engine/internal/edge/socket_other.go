//go:build !linux

package edge

import (
	"errors"
	"net/netip"
)

// Supported says that this system does not hand out the answers of routers.
const Supported = false

// socket asks routers. There is none on this system.
type socket struct{}

// open returns an error.
func open(func(seq uint16)) (*socket, error) {
	return nil, errors.New("this system does not hand out what routers answer")
}

// send does nothing.
func (*socket) send(probe, netip.AddrPort) {}

// close does nothing.
func (*socket) close() {}
