package node

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/shoalnet/shoal/share"
)

// inherited are the sockets that systemd opened: TCP and UDP sockets for peers and the
// DHT, a Unix socket as the control socket, a TCP socket named "web"
// (FileDescriptorName=) for the page, and those named "web-link" for web links.
type inherited struct {
	tcp   []net.Listener
	udp   []*net.UDPConn
	api   net.Listener
	web   net.Listener
	links []net.Listener
}

func (a *inherited) close() {
	for _, l := range append(slices.Concat(a.tcp, a.links), a.api, a.web) {
		if l != nil {
			l.Close()
		}
	}
	for _, c := range a.udp {
		c.Close()
	}
}

// activated takes over copies of the sockets that a daemon inherited.
func activated(files []*os.File) (*inherited, error) {
	a := &inherited{}
	for _, f := range files {
		if err := a.take(f); err != nil {
			a.close()
			return nil, share.Errorf(share.Failed, "taking the socket %s over from systemd: %w", f.Name(), err)
		}
	}
	return a, nil
}

func (a *inherited) take(f *os.File) error {
	if l, err := net.FileListener(f); err == nil {
		_, isTCP := l.Addr().(*net.TCPAddr)
		switch {
		case isTCP && f.Name() == "web":
			a.web = l
		case isTCP && f.Name() == "web-link":
			a.links = append(a.links, l)
		case isTCP:
			a.tcp = append(a.tcp, l)
		default:
			a.api = l
		}
		return nil
	}
	c, err := net.FilePacketConn(f)
	if err != nil {
		return err
	}
	u, ok := c.(*net.UDPConn)
	if !ok {
		c.Close()
		return fmt.Errorf("it is neither TCP nor UDP nor a stream")
	}
	a.udp = append(a.udp, u)
	return nil
}

// supervisor is systemd, where it runs this process as a daemon.
type supervisor struct {
	on   bool
	port func() uint16 // that the status names
	log  *slog.Logger
}

// watch says that the node is alive, each time that alive returns.
func (s *supervisor) watch(ctx context.Context, alive func()) error {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every <= 0 {
		return nil
	}
	tick := time.NewTicker(every / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		alive()
		s.say(daemon.SdNotifyWatchdog)
	}
}

func (s *supervisor) ready() {
	s.say(fmt.Sprintf("%s\nSTATUS=%s at port %d", daemon.SdNotifyReady, "seeding and fetching", s.port()))
}

func (s *supervisor) stopping() { s.say(daemon.SdNotifyStopping) }

// reloading is followed by ready.
func (s *supervisor) reloading() { s.say(daemon.SdNotifyReloading + monotonic()) }

func (s *supervisor) say(state string) {
	if !s.on {
		return
	}
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.log.Warn("cannot notify systemd", "error", err)
	}
}
