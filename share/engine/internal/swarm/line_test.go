package swarm

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// onALine is a connection that shares a line.
type onALine struct {
	net.Conn
	line    *countingLimit
	longest atomic.Int64 // of its writes
}

func (c *onALine) Line() face.Limit { return c.line }

func (c *onALine) WriteBuffers(b *net.Buffers) (int64, error) {
	n, err := b.WriteTo(c.Conn)
	c.longest.Store(max(c.longest.Load(), n))
	return n, err
}

// countingLimit lets everything pass.
type countingLimit struct{ passed atomic.Int64 }

func (l *countingLimit) Wait(n int, _ <-chan struct{}) bool { l.passed.Add(int64(n)); return true }
func (l *countingLimit) Holds() bool                        { return true }

// What is sent over a line that is held passes its limit, block by block.
func TestBlocksPassTheLine(t *testing.T) {
	m := makeContent(4<<20, 256<<10)
	c := &onALine{line: new(countingLimit)}
	seed, _ := node(t, func(cfg *Config) {
		cfg.Dial = func(ctx context.Context, a netip.AddrPort) (nc net.Conn, err error) {
			var d net.Dialer
			c.Conn, err = d.DialContext(ctx, "tcp", a.String())
			return c, err
		}
	})
	other, addr := node(t, nil)
	have, _ := m.content(true)
	want, _ := m.content(false)
	_, events := attach(t, other, want)
	s, _ := attach(t, seed, have)
	s.AddPeers([]netip.AddrPort{addr})
	await(t, events, Finished)
	if n := c.line.passed.Load(); n != int64(len(m.data)) {
		t.Errorf("%d bytes passed the line, of %d", n, len(m.data))
	}
	if n := c.longest.Load(); n > wire.BlockSize+1024 {
		t.Errorf("%d bytes were written at once", n)
	}
}
