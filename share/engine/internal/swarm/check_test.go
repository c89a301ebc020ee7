package swarm

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
)

// noData is a disk on which nothing is there any more.
type noData struct{ *memory }

func (noData) CopyPiece(int, int64, io.Writer) (int64, error) { return 0, io.EOF }

// What cannot be read because it is not there is missing. It would be unknown for ever, and
// never asked for.
func TestWhatIsNotThereIsMissing(t *testing.T) {
	m := makeContent(4*64<<10, 64<<10)
	n, _ := node(t, nil)
	want, disk := m.content(true)
	want.Storage = noData{disk}
	s, _ := attach(t, n, want)
	for i := range 4 {
		if err := s.Check(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.States(); !slices.Equal(got, []State{Absent, Absent, Absent, Absent}) {
		t.Errorf("%v", got)
	}
}

// What is on disk is found by Check, and what is there no more by Refresh.
func TestChecksFindAndLose(t *testing.T) {
	m := makeContent(4*64<<10, 64<<10)
	n, _ := node(t, nil)
	want, disk := m.content(false)
	copy(disk.data, m.data[:2*64<<10])
	s, _ := attach(t, n, want)
	for i := range 4 {
		if err := s.Check(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.States(); !slices.Equal(got, []State{Here, Here, Absent, Absent}) {
		t.Errorf("%v", got)
	}
	disk.mu.Lock()
	disk.complete[0], disk.complete[3] = false, true
	disk.mu.Unlock()
	if known := s.Refresh(0, 4); !slices.Equal(known, []bool{true, true, true, true}) {
		t.Errorf("known are %v", known)
	}
	if got := s.States(); !slices.Equal(got, []State{Absent, Here, Absent, Here}) {
		t.Errorf("%v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Check(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("checked although it ended: %v", err)
	}
	s.Detach()
	if err := s.Check(t.Context(), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("checked although it was detached: %v", err)
	}
}
