package punch

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// binding is held while a listener shares its port.
var binding sync.Mutex

func dial(ctx context.Context, l *net.TCPListener, local netip.Addr, to netip.AddrPort) (net.Conn, error) {
	at, ok := l.Addr().(*net.TCPAddr)
	listening, err := l.SyscallConn()
	if !ok || err != nil {
		return nil, fmt.Errorf("calling from the port of the listener: %w", err)
	}
	d := net.Dialer{KeepAlive: -1, FallbackDelay: -1, Control: func(_, _ string, calling syscall.RawConn) error {
		binding.Lock()
		defer binding.Unlock()
		if err := shares(listening, 1); err != nil {
			return fmt.Errorf("sharing the port of the listener: %w", err)
		}
		err := shares(calling, 1)
		if err == nil {
			err = bind(calling, netip.AddrPortFrom(local, uint16(at.Port)))
		}
		if off := shares(listening, 0); err == nil {
			err = off
		}
		return err
	}}
	return d.DialContext(ctx, "tcp6", to.String())
}

func shares(c syscall.RawConn, on int) error {
	var err error
	if cerr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, on)
	}); cerr != nil {
		return cerr
	}
	return err
}

func bind(c syscall.RawConn, local netip.AddrPort) error {
	var err error
	if cerr := c.Control(func(fd uintptr) {
		if err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err == nil {
			err = unix.Bind(int(fd), &unix.SockaddrInet6{Addr: local.Addr().As16(), Port: int(local.Port())})
		}
	}); cerr != nil {
		return cerr
	}
	return err
}
