package dht

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/share"
)

// Config is what a Node needs. Conns is required; the zero value of every other
// field is a sensible default.
type Config struct {
	// Conns are the sockets, made with network "udp6". Run closes them. Queries
	// leave from the first that suits the destination, replies from the one that
	// received the query.
	Conns []*net.UDPConn
	// Logger gets messages for the operator.
	Logger *slog.Logger
	// Now is the wall clock, which may jump; time.Now if nil.
	Now func() time.Time

	// Bootstrap are hosts as HOST:PORT that are queried when no other node is
	// known; literal addresses in brackets. DefaultBootstrap has public ones.
	Bootstrap []string
	// Resolve finds the IPv6 addresses of a host; nil is the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// StateFile keeps the node's ID and the nodes it knew across restarts; it
	// may be deleted. Empty for none.
	StateFile string

	// ReadOnly nodes send queries and answer none (BEP 43).
	ReadOnly bool
	// EnforceBEP42 ignores nodes whose ID does not match their address, as in part
	// of the network. Otherwise such nodes get only free places.
	EnforceBEP42 bool

	// Port is the TCP port to announce; if nil or 0, the port of the socket.
	Port func() uint16
	// Addresses are this host's own addresses, best first: the first global
	// one is announced and determines the node's ID. It is called periodically
	// and after AddressesChanged. With nil the system chooses the address, and
	// other nodes report which one it is.
	Addresses func() []netip.Addr
	// Seeding reports whether we have all of an ID (BEP 33); nil: never.
	Seeding func(share.ID) bool
	// OnUnsolicited is called for queries from addresses to which nothing was sent
	// in the last five minutes, of hosts that wrote to this node before it wrote to
	// them: proof that strangers reach local. It must not block.
	OnUnsolicited func(from netip.AddrPort, local netip.Addr, at time.Time)
	// Told reports whether a host was asked to query this node with this node ID,
	// from a port that is new to this node (the dial-back of the peer protocol);
	// nil: never. OnUnsolicited is also called for such a query, although this node
	// may have written to that host first. It must not block.
	Told func(id [20]byte) bool
}

// DefaultBootstrap are public hosts that answer over IPv6.
func DefaultBootstrap() []string {
	return []string{"router.silotis.us:6881", "dht.libtorrent.org:25401", "dht.transmissionbt.com:6881"}
}

func (cfg *Config) complete() error {
	if len(cfg.Conns) == 0 {
		return errors.New("a DHT node needs a socket")
	}
	for _, host := range cfg.Bootstrap {
		if _, _, err := net.SplitHostPort(host); err != nil {
			return share.Errorf(share.Usage, "bootstrap host %q: %w", host, err)
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Resolve == nil {
		cfg.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip6", host)
			if err != nil {
				return nil, fmt.Errorf("resolving %s: %w", host, err)
			}
			return addrs, nil
		}
	}
	return nil
}
