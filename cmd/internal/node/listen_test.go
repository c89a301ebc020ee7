package node

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share"
)

// Where listening is refused, the error says what to do.
func TestRefusedPortsComeWithAdvice(t *testing.T) {
	denied := &net.OpError{Op: "listen", Err: syscall.EACCES}
	if text := advised(denied, 443).Error(); runtime.GOOS == "linux" && (!strings.Contains(text, "setcap") || !strings.Contains(text, "shoal-web-link.socket") || !strings.Contains(text, "sysctl")) {
		t.Error(text)
	}
	if text := advised(denied, 8080).Error(); !strings.Contains(text, "1024") {
		t.Error(text)
	}
	if err := advised(denied, 443); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v wraps nothing", err)
	}
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := &webLinks{ports: &ports{}}
	bind := func(network, _ string, at netip.AddrPort) (net.Listener, error) {
		return net.Listen(network, at.String())
	}
	defer w.close()
	err = w.listen(&config.Config{WebLinkListen: []string{l.Addr().String()}}, nil, bind)
	if share.KindOf(err) != share.Failed || !strings.Contains(err.Error(), "another program listens there") {
		t.Errorf("a port in use: %v", err)
	}
	// One that systemd opened is not opened again.
	if err := w.listen(&config.Config{WebLinkListen: []string{l.Addr().String()}}, []net.Listener{l}, bind); err != nil || len(w.listeners) != 1 {
		t.Errorf("%v, %d listeners", err, len(w.listeners))
	}
}
