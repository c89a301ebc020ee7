package swarm

import (
	"bytes"
	"slices"
	"testing"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// Blocks of many pieces share memory: one of 16 KiB does not take a chunk.
func TestBlocksShareChunks(t *testing.T) {
	w := writer{}
	for range chunkSize / 1000 {
		if b := w.room(1000); len(b) != 1000 || cap(b) != 1000 {
			t.Fatalf("%d bytes of %d", len(b), cap(b))
		}
	}
	if len(w.chunks) != 1 {
		t.Errorf("%d chunks for %d bytes", len(w.chunks), chunkSize)
	}
	if w.room(1000); len(w.chunks) != 2 {
		t.Errorf("%d chunks for more", len(w.chunks))
	}
}

// Blocks are written together if they are neighbours in a piece, whatever comes
// between them.
func TestRunsAreOfNeighbours(t *testing.T) {
	m := makeContent(8*wire.BlockSize, 4*wire.BlockSize)
	block := func(i int) []byte { return m.data[i*wire.BlockSize:][:wire.BlockSize] }
	var in []byte
	order := []int{0, 1, 5, 2, 4, 5, 7, 3, 4} // 5 at first is not wanted
	for _, i := range order {
		in = wire.Append(in, &wire.Message{Type: wire.Piece, Index: uint32(i / 4), Begin: uint32(i % 4 * wire.BlockSize), Block: block(i)})
	}
	var r run
	var wrote [][2]int // the first block and how many
	flush := func() error {
		if len(r.b) > 0 {
			first := r.piece*4 + r.begin/wire.BlockSize
			wrote = append(wrote, [2]int{first, len(r.b) / wire.BlockSize})
			if !bytes.Equal(r.b, m.data[first*wire.BlockSize:][:len(r.b)]) {
				t.Errorf("what begins with block %d is not what came", first)
			}
		}
		r = run{}
		return nil
	}
	reader := wire.NewReader(bytes.NewReader(in), wire.ReaderConfig{Refill: flush, Buffer: len(in) + 1})
	defer reader.Release()
	reader.SetLayout(&m.layout)
	for n := range order {
		var got wire.Message
		if err := reader.Read(&got); err != nil {
			t.Fatal(err)
		}
		if n == 2 || r.join(int(got.Index), int(got.Begin), got.Block) {
			continue
		}
		_ = flush()
		r = run{int(got.Index), int(got.Begin), got.Block}
	}
	_ = flush()
	if want := [][2]int{{0, 3}, {4, 2}, {7, 1}, {3, 1}, {4, 1}}; !slices.Equal(wrote, want) {
		t.Errorf("%v were written, not %v", wrote, want)
	}
}
