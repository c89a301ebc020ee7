package core

import (
	"testing"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/lookup"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

// Nodes that know nothing of items, and pass over queries about them or refuse
// them, keep their places in the table, and searches for items go by them all
// the same, without waiting for an answer again.
func TestNodesWithoutItems(t *testing.T) {
	for name, refuse := range map[string]bool{"silent": false, "refusing": true} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, nil)
			nodes := h.know(6)
			gets := 0
			for _, n := range nodes[:3] {
				f := h.answer[n.Addr]
				h.answer[n.Addr] = func(m *krpc.Message) []byte {
					if m.Method != krpc.Get {
						return f(m)
					}
					gets++
					if refuse {
						return krpc.AppendError(nil, m.TID, krpc.CodeUnknown, "Method Unknown")
					}
					return nil
				}
			}
			search := func() (took time.Duration, answered int) {
				t.Helper()
				begun, over := h.at, false
				h.Begin(Search{Method: krpc.Get, Target: nodeid.ID{1}, Done: func(l *lookup.Lookup) {
					over, took, answered = true, h.at-begun, l.Got()
				}})
				h.flush()
				h.run(time.Minute)
				if !over {
					t.Fatal("the search did not end")
				}
				return took, answered
			}
			search()
			if gets != 3 {
				t.Fatalf("%d of 3 were asked", gets)
			}
			took, answered := search()
			if gets != 3 || answered != 6 || took > time.Second {
				t.Errorf("asked again: %d; %d answers after %v", gets-3, answered, took)
			}
			if s := h.Stats(h.at); s.Good != 6 {
				t.Errorf("%d of 6 kept their places", s.Good)
			}
		})
	}
}

// One that is gone loses its place, though the query was about an item.
func TestGoneIsNotMute(t *testing.T) {
	h := newHarness(t, nil)
	gone := h.know(6)[0]
	delete(h.answer, gone.Addr)
	for range failsNeeded {
		h.Begin(Search{Method: krpc.Get, Target: gone.ID})
		h.flush()
		h.run(10 * time.Second)
	}
	if e := h.table.Find(gone.ID); e != nil && e.Fails == 0 {
		t.Errorf("it has its place still: %+v", e)
	}
	if h.remotes.friend(h.at, gone.Addr).lacksItems(h.at) {
		t.Error("it is taken for mute")
	}
}

const failsNeeded = 3

// No survey asks for the ID of zeros, which some take for no ID and refuse.
func TestNobodyIsAskedForZeros(t *testing.T) {
	h := newHarness(t, nil)
	zeros := 0
	for _, n := range h.know(10) {
		f := h.answer[n.Addr]
		h.answer[n.Addr] = func(m *krpc.Message) []byte {
			if m.Target == (nodeid.ID{}) && m.HasTarget {
				zeros++
			}
			return f(m)
		}
	}
	for i := range 2 * groupMin {
		h.Announce(h.at, nodeid.ID{byte(40 * i), 1})
	}
	h.run(time.Minute)
	if s := h.Stats(h.at).Announce; zeros > 0 || s.Announced < 2*groupMin || s.Waiting > 0 {
		t.Errorf("asked for zeros %d times; %+v", zeros, s)
	}
}
