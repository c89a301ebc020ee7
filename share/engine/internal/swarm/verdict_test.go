package swarm

import (
	"bytes"
	"crypto/sha1"
	"net/netip"
	"testing"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
	"github.com/shoalnet/shoal/share/merkle"
)

// padded is a piece of 40,000 bytes and padding, as BEP 3 and BEP 52 have it.
func padded(hybrid bool) (*Content, *memory, []byte) {
	const length = 64 << 10
	data := make([]byte, length)
	copy(data, makeContent(40_000, length).data)
	var sum merkle.Sum
	_, _ = sum.Write(data[:40_000])
	node := sum.Root(2)
	c := &Content{V2: &V2{
		Piece: func(int) (merkle.Hash, int, bool) { return node, 2, true },
		Data:  func(int) int { return 40_000 },
	}}
	c.Layout = wire.Layout{Pieces: 1, PieceLength: length, Last: 40_000}
	if hybrid {
		c.Layout.Last = length
		c.Hashes = [][20]byte{sha1.Sum(data)}
	}
	disk := newMemory(c.Layout, length, nil)
	copy(disk.data, data)
	c.Storage = disk
	return c, disk, data
}

// A piece is judged by each of its hashes, whatever the order of its blocks, by what
// came or by what is on disk.
func TestVerdicts(t *testing.T) {
	no := func(*Content, []byte) {}
	for _, x := range []struct {
		name   string
		hybrid bool
		change func(c *Content, data []byte)
		want   verdict
		bad    int // the block that is wrong; -1 for none
	}{
		{"v2", false, no, right, -1},
		{"hybrid", true, no, right, -1},
		{"v2, a wrong block", false, func(_ *Content, b []byte) { b[20_000]++ }, wrong, 1},
		{"hybrid, a wrong block", true, func(_ *Content, b []byte) { b[20_000]++ }, wrong, 1},
		{"hybrid, padding that is not zeros", true, func(_ *Content, b []byte) { b[64<<10-1]++ }, wrong, 3},
		{"hybrid, padding after the last byte", true, func(_ *Content, b []byte) { b[40_000]++ }, wrong, 2},
		{"hybrid, v1 says wrong", true, func(c *Content, _ []byte) { c.Hashes[0][0]++ }, differ, -1},
		{"hybrid, v2 says wrong", true, func(c *Content, _ []byte) {
			c.V2.Piece = func(int) (merkle.Hash, int, bool) { return merkle.Hash{1}, 2, true }
		}, differ, -1},
		{"hybrid without its layer", true, func(c *Content, _ []byte) {
			c.V2.Piece = func(int) (merkle.Hash, int, bool) { return merkle.Hash{}, 0, false }
		}, right, -1},
		{"hybrid without its layer, wrong", true, func(c *Content, b []byte) {
			c.V2.Piece = func(int) (merkle.Hash, int, bool) { return merkle.Hash{}, 0, false }
			b[5]++
		}, wrong, 0},
		{"v2 without its layer", false, func(c *Content, _ []byte) {
			c.V2.Piece = func(int) (merkle.Hash, int, bool) { return merkle.Hash{}, 0, false }
		}, unknown, -1},
	} {
		for _, order := range [][]int{{0, 1, 2, 3}, {2, 0, 3, 1}, {1}, {}} {
			c, disk, data := padded(x.hybrid)
			good := &found{}
			for n := range c.Layout.Blocks(0) {
				good.leaves = append(good.leaves, c.V2.leaf(0, n, data[n*wire.BlockSize:][:c.Layout.BlockLen(0, n)]))
			}
			x.change(c, data)
			copy(disk.data, data)
			h := &hasher{content: always(c), pieces: make(map[int]*hashing)}
			for _, n := range order {
				if n < c.Layout.Blocks(0) {
					h.feed(0, n, append(make([]byte, 0, wire.BlockSize), data[n*wire.BlockSize:][:c.Layout.BlockLen(0, n)]...))
				}
			}
			v, each, err := h.judge(0, true)
			if v != x.want || err != nil || len(each) != c.Layout.Blocks(0) {
				t.Errorf("%s, in the order %v: %d, %d sums, %v", x.name, order, v, len(each), err)
				continue
			}
			for n, sum := range good.sums() {
				if (sum != each[n]) != (n == x.bad) {
					t.Errorf("%s: block %d has the sum %x", x.name, n, each[n])
				}
			}
			if h.held != 0 || len(h.pieces) != 0 {
				t.Errorf("%s: %d bytes are held of %d pieces", x.name, h.held, len(h.pieces))
			}
			if f, err := c.look(0, nil); err != nil || c.judge(0, f) != x.want {
				t.Errorf("%s: what is on disk is judged otherwise, %v", x.name, err)
			}
		}
	}
}

// What came differs from what is on disk: only that counts when the hashes disagree.
func TestADifferenceIsLookedAtOnDisk(t *testing.T) {
	c, _, data := padded(true)
	h := &hasher{content: always(c), pieces: make(map[int]*hashing)}
	for n := range 4 {
		h.feed(0, n, append(make([]byte, 0, wire.BlockSize), data[n*wire.BlockSize:][:wire.BlockSize]...))
	}
	h.pieces[0].leaves[1][0]++ // as if it had been written to in between
	if v, _, err := h.judge(0, false); v != right || err != nil {
		t.Errorf("%d, %v", v, err)
	}
}

// One of two peers sends wrong bytes now and then: with the hashes of blocks it is
// found out by its first piece, and its other blocks are as good as any.
func TestAPoisonerOfV2IsFoundOut(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			m := makeTwofold(t, kind, 128<<10, 3_000_001, 700_000)
			var seeds []netip.AddrPort
			for i := range 2 {
				n, addr := nodeAt(t, []string{"[::1]:0", "127.0.0.1:0"}[i], nil)
				have, disk := m.content(true, m.Layers)
				if i == 1 {
					have.Storage = &liar{memory: disk}
				} else {
					have.Up = &trickle{rate: 2 << 20} // not all of it before the other has its turn
				}
				attach(t, n, have)
				seeds = append(seeds, addr)
			}
			n, _ := node(t, nil)
			want, disk := m.content(false, m.Layers)
			s, events := attach(t, n, want)
			s.AddV2Peers(seeds[1:])
			await(t, events, PeerCame)
			s.AddV2Peers(seeds[:1])
			if e := await(t, events, PeerBanned); e.Addr != seeds[1] {
				t.Errorf("%v is banned, who is honest", e.Addr)
			}
			await(t, events, Finished)
			if !bytes.Equal(disk.data, m.data) {
				t.Error("other data arrived")
			}
			if st := s.Stats(); st.Convicted != 1 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// liar is content of which every fifth block is sent wrong.
type liar struct{ *memory }

func (l *liar) ReadAt(p []byte, off int64) (int, error) {
	n, err := l.memory.ReadAt(p, off)
	for at := range p[:n] {
		if (off+int64(at))/wire.BlockSize%5 == 0 {
			p[at] ^= 0x55
		}
	}
	return n, err
}
