package reach

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Of <netinet6/in6_var.h>.
const (
	getAddressFlags = 0xc1206949 // SIOCGIFAFLAG_IN6

	flagTentative  = 0x02
	flagDuplicated = 0x04
	flagDetached   = 0x08
	flagDeprecated = 0x10
	flagTemporary  = 0x80
	flagOptimistic = 0x200
)

// addressRequest is struct in6_ifreq. The largest member of its union has 34 counters.
type addressRequest struct {
	name [unix.IFNAMSIZ]byte
	data [34 * 8]byte
}

// kinds asks the system for the kinds of addresses.
type kinds struct{ socket int }

func newKinds() (kinds, error) {
	s, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM, 0)
	if err != nil {
		return kinds{}, fmt.Errorf("reading the kinds of the IPv6 addresses: %w", err)
	}
	return kinds{s}, nil
}

func (k kinds) close() { _ = unix.Close(k.socket) }

// of is the kind of an address; Unknown if the system does not tell.
func (k kinds) of(iface string, ip netip.Addr) Kind {
	var r addressRequest
	if len(iface) >= len(r.name) {
		return Unknown
	}
	copy(r.name[:], iface)
	at := (*unix.RawSockaddrInet6)(unsafe.Pointer(&r.data))
	at.Len, at.Family, at.Addr = unix.SizeofSockaddrInet6, unix.AF_INET6, ip.As16()
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(k.socket), getAddressFlags, uintptr(unsafe.Pointer(&r))); e != 0 {
		return Unknown
	}
	return kindOf(binary.NativeEndian.Uint32(r.data[:]))
}

// kindOf checks the flags in the order of their weight.
func kindOf(flags uint32) Kind {
	switch {
	case flags&(flagDuplicated|flagDetached) != 0, flags&flagTentative != 0 && flags&flagOptimistic == 0:
		return Tentative
	case flags&flagDeprecated != 0:
		return Deprecated
	case flags&flagTemporary != 0:
		return Temporary
	}
	return Stable
}
