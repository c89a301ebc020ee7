//go:build !linux && !darwin && !windows

package reach

import "net/netip"

// kinds tells no kinds: this system is not asked for them.
type kinds struct{}

func newKinds() (kinds, error) { return kinds{}, nil }

func (kinds) of(string, netip.Addr) Kind { return Unknown }

func (kinds) close() {}
