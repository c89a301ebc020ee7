package swarm

import "testing"

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
