package merkle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// plain computes a root from the definition: all leaves in memory, padded.
func plain(leaves []Hash, height int) Hash {
	n := 1
	for n < len(leaves) || n < 1<<height {
		n *= 2
	}
	row := make([]Hash, n)
	copy(row, leaves)
	for len(row) > 1 {
		for i := range len(row) / 2 {
			row[i] = sha256.Sum256(append(bytes.Clone(row[2*i][:]), row[2*i+1][:]...))
		}
		row = row[:len(row)/2]
	}
	return row[0]
}

func leavesOf(data []byte) []Hash {
	var l []Hash
	for len(data) > 0 {
		n := min(BlockSize, len(data))
		l = append(l, sha256.Sum256(data[:n]))
		data = data[n:]
	}
	return l
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

// The root of one block is its hash: what other clients call the pieces root of a
// small file.
func TestRootOfOneBlock(t *testing.T) {
	var s Sum
	s.Write([]byte("abc"))
	got := s.Root(0)
	if want := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; hex.EncodeToString(got[:]) != want {
		t.Errorf("got %x, want %s", got, want)
	}
}

func TestSumIsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := random(rapid.IntRange(0, 20).Draw(t, "blocks")*BlockSize + rapid.SampledFrom([]int{0, 1, 100, BlockSize - 1}).Draw(t, "rest"))
		height := rapid.IntRange(0, 6).Draw(t, "height")
		want := plain(leavesOf(data), height)
		var s Sum
		for range 2 { // a Sum can be used again
			for rest := data; len(rest) > 0; {
				n := min(len(rest), rapid.SampledFrom([]int{1, 999, BlockSize, 3 * BlockSize, 1 << 20}).Draw(t, "write"))
				s.Write(rest[:n])
				rest = rest[n:]
			}
			if got := s.Root(height); got != want {
				t.Fatalf("%d bytes at height %d: got %x, want %x", len(data), height, got, want)
			}
		}
	})
}

// A root over a higher layer is the root over the leaves.
func TestRootOfALayer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		leaves := leavesOf(random(rapid.IntRange(1, 40).Draw(t, "blocks") * BlockSize))
		height := rapid.IntRange(0, 4).Draw(t, "height")
		var layer []Hash
		for i := 0; i < len(leaves); i += 1 << height {
			layer = append(layer, plain(leaves[i:min(len(leaves), i+1<<height)], height))
		}
		want := plain(leaves, height)
		if got := Root(layer, height); got != want {
			t.Fatalf("%d leaves by layer %d: got %x, want %x", len(leaves), height, got, want)
		}
		tree := NewTree(layer, height)
		if tree.Root() != want || tree.Height() != height+Height(int64(len(layer))) {
			t.Fatalf("the tree of %d leaves by layer %d has the root %x at %d", len(leaves), height, tree.Root(), tree.Height())
		}
	})
}

// Every answer proves its nodes, and none with a wrong hash does.
func TestHashesProveThemselves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		leaves := leavesOf(random(rapid.IntRange(2, 70).Draw(t, "blocks") * BlockSize))
		tree := NewTree(leaves, 0)
		s := Span{
			Layer:  rapid.IntRange(0, tree.Height()-1).Draw(t, "layer"),
			Length: 1 << rapid.IntRange(0, 4).Draw(t, "length"),
		}
		width := 1 << (tree.Height() - s.Layer)
		s.Length = min(s.Length, width)
		s.Index = rapid.IntRange(0, width/s.Length-1).Draw(t, "index") * s.Length
		s.Proofs = rapid.IntRange(0, tree.Height()-s.Layer-1).Draw(t, "proofs")
		hashes := tree.Hashes(s)
		if len(hashes) != s.Length+s.Uncles() {
			t.Fatalf("%+v: %d hashes", s, len(hashes))
		}
		for i, h := range hashes[:s.Length] {
			if h != tree.node(s.Layer, s.Index+i) {
				t.Fatalf("%+v: node %d is another", s, i)
			}
		}
		layer, index, top := s.Top(hashes)
		if top != tree.node(layer, index) {
			t.Fatalf("%+v leads to another node of layer %d", s, layer)
		}
		if s.Proofs == tree.Height()-s.Layer-1 && (layer != tree.Height() || top != tree.Root()) {
			t.Fatalf("%+v with all proofs leads to layer %d of %d", s, layer, tree.Height())
		}
		bad := rapid.IntRange(0, len(hashes)-1).Draw(t, "bad")
		hashes[bad][7] ^= 1
		if _, _, top := s.Top(hashes); top == tree.node(layer, index) {
			t.Fatalf("%+v is believed with hash %d wrong", s, bad)
		}
	})
}

func TestSpansThatNoTreeHas(t *testing.T) {
	tree := NewTree(leavesOf(random(16*BlockSize)), 0) // of height 4
	if s := (Span{Layer: 0, Index: 8, Length: 8, Proofs: 3}); tree.Hashes(s) == nil {
		t.Errorf("%+v is in the tree", s)
	}
	for _, s := range []Span{
		{Layer: -1, Length: 2}, {Layer: 4, Length: 2}, {Layer: 1 << 40, Length: 2},
		{Length: 0}, {Length: -2}, {Length: 3}, {Length: 32}, {Length: 1024},
		{Index: 1, Length: 2}, {Index: -2, Length: 2}, {Index: 16, Length: 2}, {Index: 1 << 62, Length: 2},
		{Length: 2, Proofs: 4}, {Length: 2, Proofs: -1}, {Layer: 3, Length: 2, Proofs: 1}, {Layer: 3, Length: 4},
	} {
		if tree.Hashes(s) != nil {
			t.Errorf("%+v is answered", s)
		}
	}
	if above := NewTree(tree.layers[2], 2); above.Hashes(Span{Layer: 1, Length: 2}) != nil || above.Hashes(Span{Layer: 2, Length: 2}) == nil {
		t.Error("a tree above layer 2 answers for layer 1, or not for its own")
	}
}

func BenchmarkSum(b *testing.B) {
	data := random(4 << 20)
	b.SetBytes(int64(len(data)))
	var s Sum
	for b.Loop() {
		s.Write(data)
		s.Root(0)
	}
}
