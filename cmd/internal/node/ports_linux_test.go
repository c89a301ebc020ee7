package node

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// apart runs f in a network namespace of its own, in which the system chooses ports from
// first to last.
func apart(t *testing.T, first, last int, f func()) {
	t.Helper()
	lab.Root(t)
	done := make(chan error)
	go func() {
		// The thread is not used for anything else: it ends with the goroutine.
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", fmt.Appendf(nil, "%d %d", first, last), 0)
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// A port that the node chooses is none at which a browser would not open a link; one that
// the user chooses may be.
func TestChosenPortsWorkInBrowsers(t *testing.T) {
	for name, listen := range map[string][]string{"saved": nil, "any": {"[::]:0"}} {
		t.Run(name, func(t *testing.T) {
			apart(t, 6664, 6671, func() { // two of them, or four, are not blocked
				for range 10 {
					s, err := openState(t.TempDir())
					if err != nil {
						t.Error(err)
						return
					}
					defer s.close()
					p, _, err := openPorts(&config.Config{Listen: listen}, s, nil)
					if err != nil {
						t.Error(err)
						return
					}
					if slices.Contains(blocked[:], p.port()) {
						t.Errorf("the node chose %d", p.port())
					}
					p.close()
				}
				p, _, err := openPorts(&config.Config{Listen: []string{"[::]:6667"}}, nil, nil)
				if err != nil || p.port() != 6667 {
					t.Errorf("the port that the user chose is not used: %v", err)
					return
				}
				p.close()
			})
			apart(t, 6665, 6669, func() {
				if _, _, err := openPorts(&config.Config{Listen: []string{"[::]:0"}}, nil, nil); err == nil {
					t.Error("a port was chosen that browsers block")
				}
			})
		})
	}
}
