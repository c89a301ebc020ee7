package node

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"github.com/shoalnet/shoal/share"
)

const socketName = "shoal.sock"

// maxSocketPath is the longest path of a socket that every system accepts.
const maxSocketPath = 100

// shortened calls f with a path of the socket that is short enough for the system: a long
// path is replaced by one through the open directory.
func shortened(name string, f func(name string) error) error {
	if len(name) <= maxSocketPath || runtime.GOOS != "linux" {
		return f(name)
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	return f(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(name)))
}

// listenSocket makes the control socket. The state is locked, so a socket that exists was
// left behind.
func listenSocket(name string) (net.Listener, error) {
	var l *net.UnixListener
	err := removeStale(name)
	if err == nil {
		err = shortened(name, func(short string) (err error) {
			l, err = net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
			return err
		})
	}
	if err != nil {
		return nil, share.Errorf(share.Disk, "making the control socket: %w", err)
	}
	// The node removes it by its long name: the short one no longer works then.
	l.SetUnlinkOnClose(false)
	if err := os.Chmod(name, 0o600); err != nil {
		l.Close()
		return nil, share.Errorf(share.Disk, "making the control socket private: %w", err)
	}
	return l, nil
}

func dialSocket(ctx context.Context, name string) (conn net.Conn, err error) {
	err = shortened(name, func(short string) (err error) {
		var d net.Dialer
		conn, err = d.DialContext(ctx, "unix", short)
		return err
	})
	return conn, err
}
