package engine

import (
	"context"
	"slices"
	"testing"
)

// Functions run in the order they came, also those that come from a function, and
// nobody waits for one that takes long.
func TestSerial(t *testing.T) {
	t.Parallel()
	s := newSerial()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		s.run(ctx)
		close(ended)
	}()
	var ran []int
	release := make(chan struct{})
	s.do(func() { <-release; ran = append(ran, 0) })
	for i := range 100 {
		s.do(func() { ran = append(ran, i+1) })
	}
	close(release)
	done := make(chan struct{})
	s.do(func() { s.do(func() { ran = append(ran, 101); close(done) }) })
	<-done
	if len(ran) != 102 || !slices.IsSorted(ran) {
		t.Errorf("they ran as %v", ran)
	}
	cancel()
	<-ended
	s.do(func() { t.Error("it runs after the end") })
}
