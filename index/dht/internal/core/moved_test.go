package core

import (
	"testing"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

// A node that comes back at another address under its old ID is known again
// there, also where it was the only one, and whether or not its silence was
// noticed before.
func TestMovedNodeIsMetAgain(t *testing.T) {
	for _, n := range []int{1, 2, 40} {
		for _, noticed := range []bool{false, true} {
			var met []bool
			h := newHarness(t, func(c *Config) { c.OnConnected = func(connected bool) { met = append(met, connected) } })
			nodes := h.know(n)
			old, at := nodes[0], stranger(1)
			delete(h.answer, old.Addr)
			h.node(at, old.ID)
			if noticed {
				for range 3 {
					h.GetItem(nodeid.ID(old.ID), nil, nil, -1, nil, func() {})
					h.run(10 * time.Second)
				}
			}
			q := aQuery(krpc.FindNode)
			q.ID = old.ID
			h.ask(at, q)
			h.run(10 * time.Second)
			if e := h.table.Find(old.ID); e == nil || e.Addr != at || e.Fails > 0 {
				t.Errorf("%d nodes, noticed %v: the table has %+v, want it at %v", n, noticed, e, at)
			}
			if !met[len(met)-1] {
				t.Errorf("%d nodes, noticed %v: no node is known", n, noticed)
			}
		}
	}
}

// Whoever claims the ID of a node that is there gets nothing, and has it asked
// now and then only.
func TestClaimedIDIsDefended(t *testing.T) {
	h := newHarness(t, nil)
	owner := h.know(3)[1]
	thief := stranger(1)
	h.node(thief, owner.ID)
	q := aQuery(krpc.FindNode)
	q.ID = owner.ID
	const minutes = 3
	for range minutes * 60 {
		h.ask(thief, q)
		h.run(time.Second)
		if e := h.table.Find(owner.ID); e == nil || e.Addr != owner.Addr {
			t.Fatalf("the table has %+v", e)
		}
	}
	asked := 0
	for _, p := range h.take() {
		var m krpc.Message
		if p.addr == owner.Addr && krpc.Decode(p.b, &m) == nil && m.Method == krpc.Ping {
			asked++
		}
	}
	if asked == 0 || asked > 2*minutes+1 {
		t.Errorf("the owner was pinged %d times in %d minutes", asked, minutes)
	}
}

// One lost datagram does not cost a place.
func TestClaimNeedsMoreThanOneLoss(t *testing.T) {
	h := newHarness(t, nil)
	owner := h.know(2)[0]
	thief := stranger(1)
	h.node(thief, owner.ID)
	answer := h.answer[owner.Addr]
	lost := 0
	h.answer[owner.Addr] = func(m *krpc.Message) []byte {
		if lost++; lost == 1 {
			return nil
		}
		return answer(m)
	}
	q := aQuery(krpc.FindNode)
	q.ID = owner.ID
	h.ask(thief, q)
	h.run(10 * time.Second)
	if e := h.table.Find(owner.ID); lost < 2 || e == nil || e.Addr != owner.Addr {
		t.Errorf("after %d pings the table has %+v", lost, e)
	}
}
