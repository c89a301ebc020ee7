package storage

import (
	"testing"

	"github.com/shoalnet/shoal/share/metainfo"
)

func TestUserFilesKnowWhatIsInTheSpill(t *testing.T) {
	// Two files of two and a half pieces each; the third piece is shared.
	info := &metainfo.Info{PieceLength: 10, NumPieces: 5, Total: 50, Files: []metainfo.File{{Length: 25}, {Offset: 25, Length: 25}}}
	s := userFiles{geometry: geometry{info}}
	if s.any() || s.of(0) != nil || s.spilled(0, 2) {
		t.Error("there is a file before there is one")
	}
	b := s.take(1)
	if a := s.take(0); !s.any() || s.take(0) != a || s.of(0) != a || a == b {
		t.Error("a file is taken twice")
	}
	s.setSpilled(0, 2, true) // the last of the one
	s.setSpilled(1, 2, true) // the first of the other
	for i := range 2 {
		for p := range 5 {
			if got := s.spilled(i, p); got != (p == 2) {
				t.Errorf("piece %d of file %d is in the spill: %v", p, i, got)
			}
		}
	}
	if s.setSpilled(0, 2, false); s.spilled(0, 2) || !s.spilled(1, 2) {
		t.Error("the spill of the one is that of the other")
	}
	var order []int
	for i := range s.all() {
		order = append(order, i)
		s.drop(1)
	}
	if len(order) != 1 || order[0] != 0 || s.of(1) != nil {
		t.Errorf("gone through %v", order)
	}
	if s.drop(0); s.any() {
		t.Error("a file is left")
	}
}
