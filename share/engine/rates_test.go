package engine

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/anacrolix/torrent"

	"github.com/shoalnet/shoal/share"
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
	a := &attachment{peers: map[*torrent.PeerConn]*peerState{new(torrent.PeerConn): {conn: c}, new(torrent.PeerConn): {}}}
	for range 10 {
		for range 64 {
			if _, err := c.Write(make([]byte, 16<<10)); err != nil { // at once, however fast that is
				t.Fatal(err)
			}
		}
		a.sample(time.Second)
	}
	for _, s := range a.peers {
		want := 0
		if s.conn != nil {
			want = 64 * 16 << 10
		}
		if int(s.up.rate) != want || s.down.rate != 0 {
			t.Errorf("up %v, down %v, not %d and 0", s.up.rate, s.down.rate, want)
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

// Both ends of a transfer agree about it.
func TestFiguresOfBothEnds(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	shared := a.share(someFiles(t))
	b.fetch(shared.Link, t.TempDir())
	b.waitState(shared.ID, share.Seeding)
	size := shared.Size
	given := a.wait(shared.ID, "all of it to be given", func(s share.Transfer) bool { return s.Uploaded >= size })
	got, err := b.Get(shared.ID)
	if err != nil || given.Uploaded != size || got.Downloaded != size || got.Uploaded != 0 {
		t.Errorf("given %d, got %d and gave %d, of %d: %v", given.Uploaded, got.Downloaded, got.Uploaded, size, err)
	}
}
