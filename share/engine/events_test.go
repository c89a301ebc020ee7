package engine

import (
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

func TestLaggingReaderIsCutOff(t *testing.T) {
	h := newHub()
	slow, quick := h.subscribe(2), h.subscribe(10)
	for i := range 5 {
		h.publish(time.Unix(int64(i), 0), share.Event{Type: share.EventNote})
	}
	n := 0
	for range slow.C {
		n++
	}
	if n != 2 || !slow.Lagged() {
		t.Errorf("the slow reader got %d events, lagged %v", n, slow.Lagged())
	}
	slow.Close()
	if !slow.Lagged() {
		t.Error("Close made the reader forget that it lagged")
	}
	if len(quick.C) != 5 || quick.Lagged() {
		t.Errorf("the quick reader has %d events, lagged %v", len(quick.C), quick.Lagged())
	}
	quick.Close()
	quick.Close()
	h.close()
	if _, ok := <-h.subscribe(1).C; ok {
		t.Error("an event after the end")
	}
}
