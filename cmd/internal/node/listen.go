package node

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"runtime"
	"syscall"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share"
)

// lowPorts are those that need a permission on most systems.
const lowPorts = 1024

// wsaAddressInUse is EADDRINUSE of Windows, where package syscall has another number for it.
const wsaAddressInUse = syscall.Errno(10048)

// advised adds to the error of listening at a port what can be done about it.
func advised(err error, port uint16) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // without the address, which the message has already
	}
	switch {
	case errors.Is(err, fs.ErrPermission) && port < lowPorts && runtime.GOOS == "linux":
		return fmt.Errorf("%w: allow it with a systemd socket (shoal-web-link.socket), with 'setcap cap_net_bind_service=+ep' on the program, "+
			"or with 'sysctl net.ipv4.ip_unprivileged_port_start=%d'", err, httpPort)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: this user may not listen there; use a port of 1024 or more, or another user", err)
	case errors.Is(err, syscall.EADDRINUSE), runtime.GOOS == "windows" && errors.Is(err, wsaAddressInUse):
		return fmt.Errorf("%w: another program listens there (%s lists them); end it, or choose another port", err, lister())
	}
	return err
}

// lister is the command that lists who listens where.
func lister() string {
	switch runtime.GOOS {
	case "linux":
		return "ss -ltnp"
	case "windows":
		return "netstat -abn"
	}
	return "lsof -nP -iTCP -sTCP:LISTEN"
}

// A binder listens for what a setting names.
type binder func(network, what string, at netip.AddrPort) (net.Listener, error)

// listen opens the listeners for web links: those that systemd opened, those that are
// configured, and with certificates those at which the CA tests.
func (w *webLinks) listen(c *config.Config, inherited []net.Listener, bind binder) error {
	w.listeners = append(w.listeners, inherited...)
	open := func(what string, at netip.AddrPort) error {
		network := "tcp6"
		if at.Addr().Unmap().Is4() {
			network = "tcp4"
		}
		l, err := bind(network, what, at)
		if err != nil {
			return advised(err, at.Port())
		}
		w.listeners = append(w.listeners, l)
		return nil
	}
	for _, text := range c.WebLinkListen {
		at, err := config.ParseEndpoint(text)
		if err != nil {
			return err
		}
		if at.Port() != 0 && w.listensAt(at) {
			continue // systemd's, or the port for peers
		}
		if err := open("web-link-listen "+text, at); err != nil {
			return share.Errorf(share.Failed, "serving web links at %s: %w", text, err)
		}
	}
	if !c.ACME {
		return nil
	}
	for _, port := range []uint16{httpsPort, httpPort} {
		if w.listensAtPort(port) {
			continue
		}
		if err := open(fmt.Sprintf("acme %d", port), netip.AddrPortFrom(netip.IPv6Unspecified(), port)); err != nil {
			w.refused = append(w.refused, share.RefusedPort{Port: port, Error: err.Error(), ErrorText: share.TextOf(err).Of()})
		}
	}
	return nil
}

// listensAtPort tells whether a port is bound at any address.
func (w *webLinks) listensAtPort(port uint16) bool {
	for _, l := range append(w.at(), w.ports.addresses()...) {
		if l.Port() == port && !l.Addr().Unmap().Is4() {
			return true
		}
	}
	return false
}
