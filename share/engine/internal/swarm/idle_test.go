package swarm

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"testing"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/mse"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// idler is a peer that has half of so many pieces and wants nothing.
func idler(t *testing.T, to netip.AddrPort, id ID, pieces, n int, encrypted bool) net.Conn {
	t.Helper()
	raw, err := net.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	first := append([]byte(protocol), 0, 0, 0, 0, 0, 0x10, 0, 0x04)
	first = append(append(first, id[:]...), fmt.Sprintf("-XX0000-%012d", n)...)
	c := &mse.Conn{Conn: raw}
	if encrypted {
		c, err = mse.Initiate(raw, id, first, mse.RC4)
	} else {
		_, err = raw.Write(first)
	}
	if err == nil {
		_, err = readHello(c)
	}
	if err != nil {
		t.Fatal(err)
	}
	said := wire.Append(nil, &wire.Message{Type: wire.Bitfield, Payload: bytes.Repeat([]byte{0x55}, pieces/8)})
	said = wire.Append(said, &wire.Message{Type: wire.Extended, Payload: wire.AppendHandshake(nil, &wire.Handshake{
		Extensions: map[string]uint8{wire.NamePEX: 1, wire.NameMetadata: 2}, Client: "an idle peer", ReqQ: 500,
	})})
	c.Seal(said)
	if _, err := raw.Write(said); err != nil {
		t.Fatal(err)
	}
	// What we are told comes before anything is measured.
	in := wire.NewReader(c, wire.ReaderConfig{Fast: true, Extended: true, Buffer: 64})
	for {
		var m wire.Message
		if err := in.Read(&m); err != nil {
			t.Fatal(err)
		}
		if m.Type == wire.Extended {
			return raw
		}
	}
}

// weight is the memory of what is alive, stacks included.
func weight() int64 {
	for range 4 { // stacks shrink by half with each
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// Many connections that are idle are held, in little memory and with two goroutines
// at most. The memory of the other ends counts here, too.
func TestIdleConnectionsAreSmall(t *testing.T) {
	if raced {
		t.Skip("the race detector takes memory of its own")
	}
	for _, x := range []struct {
		conns     int
		encrypted bool
		most      int64 // bytes for each connection
	}{{2000, false, 12 << 10}, {200, true, 16 << 10}} {
		t.Run(fmt.Sprintf("encrypted=%v", x.encrypted), func(t *testing.T) {
			n, addr := node(t, func(c *Config) { c.Logger = quiet() })
			const pieces = 8000
			c := Content{ID: ID{1}, Layout: wire.NewLayout(pieces*16<<10, 16<<10), Hashes: make([][20]byte, pieces), Have: make([]byte, pieces/8), MaxPeers: x.conns + 10}
			for i := range c.Have {
				c.Have[i] = 0xff
			}
			s, _ := attach(t, n, c)
			before, goroutines := weight(), runtime.NumGoroutine()
			all := make([]net.Conn, x.conns)
			for i := range all {
				all[i] = idler(t, addr, c.ID, pieces, i, x.encrypted)
			}
			until(t, "peers that have said what they have", func() bool {
				return !slices.ContainsFunc(s.Peers(), func(p PeerInfo) bool { return p.Client == "" }) && len(s.Peers()) == x.conns
			})
			if more := runtime.NumGoroutine() - goroutines; more > 2*x.conns+10 {
				t.Errorf("%d goroutines for %d connections", more, x.conns)
			}
			until(t, "writers that ended", func() bool { return runtime.NumGoroutine()-goroutines <= x.conns+10 })
			each := (weight() - before) / int64(x.conns)
			t.Logf("%d bytes for each connection", each)
			if each > x.most {
				t.Errorf("an idle connection takes %d bytes, not %d", each, x.most)
			}
			runtime.KeepAlive(all)
		})
	}
}
