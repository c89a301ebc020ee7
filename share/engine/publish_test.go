package engine

import (
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// Subscribers hear of each new state at once, of other changes when refresh is
// called, and of nothing twice.
func TestPublisher(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	hub := newHub()
	p := publisher{
		hub: hub, log: slog.New(slog.DiscardHandler), now: func() time.Time { return now },
		own: &self{ask: func() []netip.AddrPort { return addrs("[2001:db8::1]:1") }},
	}
	x := &transfer{row: row{id: share.ID{1}, kind: kindOwn, files: 1, name: "x"}, done: true}
	p.tell(x, share.EventAdded, share.Text{Pattern: "nobody listens"})
	sub := hub.subscribe(10)
	defer sub.Close()
	expect := func(when string, want ...share.EventType) {
		t.Helper()
		for _, w := range want {
			select {
			case ev := <-sub.C:
				if ev.Type != w || ev.ID != x.id || !ev.Time.Equal(now) {
					t.Errorf("%s: %+v, want %s", when, ev, w)
				}
				if w == share.EventChanged && (ev.Transfer == nil || ev.Transfer.Link == "" || ev.Transfer.State != x.state()) {
					t.Errorf("%s: %+v", when, ev.Transfer)
				}
			default:
				t.Errorf("%s: no %s", when, w)
			}
		}
		if n := len(sub.C); n > 0 {
			t.Errorf("%s: %d events too many", when, n)
		}
	}
	expect("before anybody listened")
	p.changed(x)
	expect("nothing is different")
	x.uploaded = 7
	p.changed(x)
	expect("the same state")
	p.refresh(x)
	expect("a second later", share.EventChanged)
	p.refresh(x)
	expect("nothing is new")
	x.failure, x.retry = errors.New("it failed"), now.Add(9*time.Second)
	p.changed(x)
	expect("a new state", share.EventChanged)
	now = now.Add(time.Second)
	p.refresh(x)
	expect("only the countdown goes on")
	x.removing = &removal{}
	x.failure = nil
	p.changed(x)
	expect("it is being removed")
	p.note(x, "line %d", 1)
	expect("a line of the log", share.EventNote)
}

// A fetch that never learned what its ID names does not stand in for the share of the same
// content: that would seed nothing.
func TestShareOfWhatAFetchSoughtInVain(t *testing.T) {
	dir := someFiles(t)
	info, _ := torrentOf(t, dir, metainfo.MakeOptions{})
	for _, paused := range []bool{true, false} {
		n := newNode(t)
		n.fetch("magnet:?xt=urn:btih:"+info.ID.String(), t.TempDir(), func(r *FetchRequest) { r.Paused = paused })
		s := n.shareWith(dir)
		if !s.Own || s.ID != info.ID || s.Path != dir || s.Size != info.Size() || s.Bytes != s.Size || len(n.List()) != 1 {
			t.Errorf("paused %v: %+v", paused, s)
		}
		other := newNode(t)
		got := other.fetch(s.Link, t.TempDir())
		other.waitState(got.ID, share.Seeding)
	}
}
