package api

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// A ring has the latest frames without a gap, and is bounded, whatever is added.
func TestRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRing()
		most := rapid.SampledFrom([]int{10, ringBytes / ringFrames, ringBytes}).Draw(t, "most")
		for range rapid.IntRange(0, 3*ringFrames).Draw(t, "frames") {
			// One frame may be larger than the whole ring.
			r.add(&frame{seq: r.seq + 1, data: big[:rapid.IntRange(0, most+most/2).Draw(t, "size")]})
		}
		bytes := 0
		for i, f := range r.frames {
			bytes += f.size()
			if f.seq != r.seq-uint64(len(r.frames)-1-i) {
				t.Fatalf("frame %d of %d has number %d, the last %d", i, len(r.frames), f.seq, r.seq)
			}
		}
		if bytes != r.bytes || bytes > ringBytes || len(r.frames) > ringFrames {
			t.Fatalf("%d frames of %d bytes, counted as %d", len(r.frames), bytes, r.bytes)
		}
		oldest := r.seq + 1 - uint64(len(r.frames))
		for _, seq := range []uint64{0, oldest - 1, oldest, r.seq, r.seq + 1, r.seq + 2} {
			want := seq >= oldest && seq <= r.seq+1
			if r.has(seq) != want {
				t.Fatalf("has(%d) is %v with %d to %d", seq, !want, oldest, r.seq)
			}
			if want && len(r.from(seq)) != int(r.seq+1-seq) {
				t.Fatalf("from(%d) are %d frames", seq, len(r.from(seq)))
			}
			after := uint64(0)
			if seq <= r.seq && seq+1 >= oldest {
				after = seq + 1
			}
			if got := r.after(r.id(seq)); got != after {
				t.Fatalf("after %d comes %d, not %d, with %d to %d", seq, got, after, oldest, r.seq)
			}
		}
		for _, id := range []string{"", "-", "x-1", r.boot, fmt.Sprint(r.boot, "-", -1)} {
			if got := r.after(id); got != 0 {
				t.Fatalf("after %q comes %d", id, got)
			}
		}
	})
}

var big [2 * ringBytes]byte
