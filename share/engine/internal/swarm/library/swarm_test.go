package library

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/anacrolix/torrent"
)

// Figures are of what went over the line. The instances:
//
//   - 1.6 GB/s was shown for a peer that got 64 MB/s: the speed of one write
//     into the buffer of the system;
//   - what had been read for a peer that then left counted as given.

func TestRatesOfAPeer(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	go func() { _, _ = io.Copy(io.Discard, there) }()
	c := &conn{Conn: here}
	a := &Swarm{peers: map[*torrent.PeerConn]*peerState{new(torrent.PeerConn): {conn: c}, new(torrent.PeerConn): {}}}
	for range 10 {
		for range 64 {
			if _, err := c.Write(make([]byte, 16<<10)); err != nil { // at once, however fast that is
				t.Fatal(err)
			}
		}
		a.Sample(time.Second)
	}
	for _, s := range a.peers {
		want := 0
		if s.conn != nil {
			want = 64 * 16 << 10
		}
		if int(s.up.Rate()) != want || s.down.Rate() != 0 {
			t.Errorf("up %v, down %v, not %d and 0", s.up.Rate(), s.down.Rate(), want)
		}
	}
}

func TestOnlyWhatLeftIsGiven(t *testing.T) {
	var node totals
	tap := &tap{totals: &node}
	tap.left(500) // a handshake, and what a fetch asks for
	tap.read.Add(4 << 20)
	tap.left(16 << 10)
	if got := tap.sent.Load(); got != 16<<10 || node.up.Load() != got {
		t.Errorf("given %d, in all %d", got, node.up.Load())
	}
	tap.left(8 << 20)
	if got := tap.sent.Load(); got != 4<<20 || node.up.Load() != got {
		t.Errorf("given %d, in all %d: more than was read", got, node.up.Load())
	}
}
