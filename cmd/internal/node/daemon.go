package node

import (
	"context"
	"errors"
	"net/netip"
	"os"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sync/errgroup"

	"github.com/shoalnet/shoal/cmd/internal/config"
)

// Daemon runs a node and, each time its owner restarts it, another one with the settings
// saved meanwhile. It stays one process: systemd and the like see a service that reloads
// its configuration.
type Daemon struct {
	// Options are those of every node, except Config, which Load returns.
	Options Options
	// Load reads flags, variables and the configuration file.
	Load func() (*config.Config, error)
	// Ready is called with each node once it serves.
	Ready func(*Node)
	// Reread makes the node read its configuration again; Reloaded is called with
	// the result.
	Reread   <-chan os.Signal
	Reloaded func(restart []string, err error)
}

// Run runs nodes until ctx ends or one fails. It is called once.
func (d *Daemon) Run(ctx context.Context) error {
	o := d.Options
	o.Daemon, o.load = true, d.Load
	o.files = activation.Files(true)
	defer func() {
		for _, f := range o.files {
			f.Close()
		}
	}()
	var err error
	if o.Config, err = d.Load(); err != nil {
		return err
	}
	for {
		n, err := New(o)
		if err != nil {
			return err
		}
		if err := d.one(ctx, n); err != nil || n.following.Load() == nil || ctx.Err() != nil {
			return err
		}
		o.Config, o.former = n.following.Load(), n.bound
	}
}

// errEnded ends what accompanies a node.
var errEnded = errors.New("the node has ended")

// one runs one node to its end.
func (d *Daemon) one(ctx context.Context, n *Node) error {
	g, beside := errgroup.WithContext(ctx)
	g.Go(func() error {
		select {
		case <-n.Ready():
		case <-beside.Done():
			return nil
		}
		d.Ready(n)
		for {
			select {
			case <-beside.Done():
				return nil
			case <-d.Reread:
			}
			c, err := d.Load()
			if err != nil {
				d.Reloaded(nil, err)
				continue
			}
			d.Reloaded(n.Reload(c), nil)
		}
	})
	err := n.Run(ctx)
	g.Go(func() error { return errEnded })
	_ = g.Wait()
	return err
}

// bound are the addresses of a node's listeners for which the configuration leaves the
// port open, by the setting and its words. The node that follows has them again.
type bound map[string]netip.AddrPort

// at is where to listen for a configured address, first choice first.
func (b bound) at(what string, a netip.AddrPort) []netip.AddrPort {
	if was, ok := b[what]; ok && a.Port() == 0 {
		return []netip.AddrPort{netip.AddrPortFrom(a.Addr(), was.Port()), a}
	}
	return []netip.AddrPort{a}
}
