// Package punch keeps to itself how a TCP connection is opened between two hosts
// whose firewalls let nothing in: both begin it at once (RFC 9293, 3.5,
// simultaneous open), and each firewall takes the other's SYN for an answer to the
// SYN that it has just let out. RFC 6092 (REC-31) requires IPv6 firewalls to
// support that.
//
// Both must call from the port that they listen at, since that is the one that
// the other knows. Linux lets a second socket have that port only if both agree
// to share it; the listener agrees for as long as the second one takes to bind.
package punch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// Time is for how long both sides try. The kernel sends a SYN again after 1, 3
// and 7 seconds.
const Time = 10 * time.Second

// ErrPort is wrapped by an error of Dial that says nothing about the other host: no call
// can leave from the port of the listener, or there is a connection to that host from
// it already.
var ErrPort = errors.New("the port of the listener cannot be called from")

// Dial connects from the address local of this host, and the port of l, to a
// host that does the same at the same time.
func Dial(ctx context.Context, l *net.TCPListener, local netip.Addr, to netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, Time)
	defer cancel()
	nc, err := dial(ctx, l, local, to)
	if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EADDRINUSE) {
		err = fmt.Errorf("%w: %w", ErrPort, err)
	}
	return nc, err
}
