package api

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/shoalnet/shoal/share"
)

func TestWatchFollowsAcrossBrokenConnections(t *testing.T) {
	f := newFake(1)
	a, err := New(f.config())
	if err != nil {
		t.Fatal(err)
	}
	runCtx, stop := context.WithCancel(context.Background())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: a.Handler()}
	var wg sync.WaitGroup
	wg.Go(func() { _ = a.Run(runCtx) })
	wg.Go(func() { _ = srv.Serve(l) })
	var mu sync.Mutex
	var conns []net.Conn
	c := NewClient(func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", l.Addr().String())
		mu.Lock()
		defer mu.Unlock()
		conns = append(conns, conn)
		return conn, err
	})
	t.Cleanup(func() { c.Close(); stop(); srv.Close(); wg.Wait() })
	resets := 0
	next, end := pull(c.Watch(quietContext(t), WatchOptions{}))
	defer end()
	upload := func(u Update) int64 {
		if u.Reset {
			resets++
		}
		for _, tr := range u.Transfers {
			if tr.ID == testID(0) {
				return tr.Up
			}
		}
		return -1
	}
	for i := range int64(3) {
		f.set(testID(0), func(t *share.Transfer) { t.Up = i + 10 })
		for {
			u, err, ok := next()
			if err != nil || !ok {
				t.Fatal(err, ok)
			}
			if upload(u) == i+10 {
				if u.Transfers[0].Name != "transfer 0" {
					t.Errorf("a patch lost the rest: %+v", u.Transfers[0])
				}
				break
			}
		}
		mu.Lock()
		for _, conn := range conns {
			conn.Close()
		}
		conns = nil
		mu.Unlock()
	}
	if resets != 1 {
		t.Errorf("%d resets", resets)
	}
	srv.Close()
	for {
		_, err, ok := next()
		if !ok {
			t.Fatal("ended without an error")
		}
		if err != nil {
			if share.KindOf(err) != share.NoNode {
				t.Errorf("a node that stays away: %v", err)
			}
			return
		}
	}
}

func TestEventsOfOneTransfer(t *testing.T) {
	f := newFake(2)
	c, _, _ := serve(t, f)
	ctx, cancel := context.WithCancel(quietContext(t))
	next, end := pull(c.Events(ctx, testID(0)))
	defer end()
	must := func(kind share.EventType) share.Event {
		t.Helper()
		for {
			ev, err, ok := next()
			if err != nil || !ok {
				t.Fatal(err, ok)
			}
			if ev.ID == testID(1) {
				t.Errorf("an event of another: %+v", ev)
			}
			if ev.Type == kind {
				return ev
			}
		}
	}
	if ev := must(share.EventChanged); ev.Transfer == nil || ev.Transfer.Name != "transfer 0" {
		t.Errorf("first: %+v", ev)
	}
	f.set(testID(1), func(t *share.Transfer) { t.Up = 3 })
	done := testTransfer(0)
	done.Up = 9
	f.event(share.Event{Type: share.EventDone, ID: done.ID, Transfer: &done})
	if ev := must(share.EventDone); ev.Transfer.Up != 9 {
		t.Errorf("done: %+v", ev)
	}
	f.event(share.Event{Type: share.EventRemoved, ID: done.ID})
	must(share.EventRemoved)
	cancel()
	for {
		_, err, ok := next()
		if !ok {
			t.Fatal("ended without an error")
		}
		if err != nil {
			if share.KindOf(err) != share.Interrupted {
				t.Errorf("after cancelling: %v", err)
			}
			return
		}
	}
}

// A share that is hashed before a reader asks for its events is still found by its
// provisional ID.
func TestEventsOfWhatIsHashedAlready(t *testing.T) {
	f := newFake(2)
	provisional := share.ID{0xff}
	f.aliases = map[share.ID]share.ID{provisional: testID(1)}
	c, _, _ := serve(t, f)
	next, end := pull(c.Events(quietContext(t), provisional))
	defer end()
	for {
		ev, err, ok := next()
		if err != nil || !ok {
			t.Fatal(err, ok)
		}
		if ev.Type == share.EventShared {
			if ev.Was != provisional || ev.ID != testID(1) || ev.Transfer == nil || ev.Transfer.Link == "" {
				t.Errorf("%+v", ev)
			}
			return
		}
	}
}

// A share whose new row was published before the notice of its new ID is told whole to
// those who know it by its provisional ID.
func TestEventsOfARowThatCameBeforeItsNotice(t *testing.T) {
	f := newFake(1)
	c, _, _ := serve(t, f)
	provisional, real := testID(0), testTransfer(7)
	real.State = share.Checking
	next, end := pull(c.Events(quietContext(t), provisional))
	defer end()
	others, endOthers := pull(c.Events(quietContext(t)))
	defer endOthers()
	until := func(next func() (share.Event, error, bool), what string, ok func(share.Event) bool) share.Event {
		t.Helper()
		for {
			ev, err, more := next()
			if err != nil || !more {
				t.Fatalf("waiting for %s: %v, %v", what, err, more)
			}
			if ok(ev) {
				return ev
			}
		}
	}
	until(next, "the provisional row", func(ev share.Event) bool { return ev.ID == provisional })
	f.mu.Lock()
	f.put(real)
	f.tell(share.Event{Type: share.EventChanged, ID: real.ID, Transfer: &real})
	f.mu.Unlock()
	until(others, "the row", func(ev share.Event) bool { return ev.ID == real.ID })
	f.event(share.Event{Type: share.EventShared, ID: real.ID, Was: provisional, Transfer: &real})
	f.set(real.ID, func(t *share.Transfer) { t.State = share.Seeding })
	ev := until(next, "its end", func(ev share.Event) bool {
		return ev.ID != provisional && ev.Transfer != nil && ev.Transfer.State == share.Seeding
	})
	if want := testTransfer(7); ev.Transfer.Link != want.Link || ev.Transfer.Name != want.Name {
		t.Errorf("a part of it: %+v", ev.Transfer)
	}
}

// A watcher of a share never has it under two IDs: who takes the last of the rows would
// wait for ever for the end of the provisional one.
func TestAShareIsFollowedByOneID(t *testing.T) {
	for name, told := range map[string]bool{"found by its alias": false, "told by a notice": true} {
		t.Run(name, func(t *testing.T) {
			f := newFake(1)
			c, _, _ := serve(t, f)
			provisional, real := testID(0), testTransfer(7)
			real.State = share.Seeding
			others, endOthers := pull(c.Watch(quietContext(t), WatchOptions{}))
			defer endOthers()
			until := func(next func() (Update, error, bool), what string, ok func(Update) bool) {
				t.Helper()
				for {
					u, err, more := next()
					if err != nil || !more {
						t.Fatalf("waiting for %s: %v, %v", what, err, more)
					}
					if ok(u) {
						return
					}
				}
			}
			has := func(u Update, id share.ID) bool {
				return slices.ContainsFunc(u.Transfers, func(t share.Transfer) bool { return t.ID == id })
			}
			if told {
				next, end := pull(c.Watch(quietContext(t), WatchOptions{IDs: []share.ID{provisional}, NoStats: true}))
				defer end()
				until(next, "the provisional row", func(u Update) bool { return has(u, provisional) })
				f.mu.Lock()
				f.put(real)
				f.tell(share.Event{Type: share.EventChanged, ID: real.ID, Transfer: &real})
				f.mu.Unlock()
				until(others, "the row", func(u Update) bool { return has(u, real.ID) })
				f.event(share.Event{Type: share.EventShared, ID: real.ID, Was: provisional, Transfer: &real})
				until(next, "its row", func(u Update) bool {
					if has(u, real.ID) && has(u, provisional) {
						t.Errorf("both in %+v", u.Transfers)
					}
					return has(u, real.ID)
				})
				return
			}
			f.mu.Lock()
			f.put(real)
			f.tell(share.Event{Type: share.EventChanged, ID: real.ID, Transfer: &real})
			f.mu.Unlock()
			until(others, "the row", func(u Update) bool { return has(u, real.ID) })
			f.mu.Lock()
			f.aliases = map[share.ID]share.ID{provisional: real.ID}
			f.mu.Unlock()
			// Also one that connects again, which names both.
			for _, ids := range [][]share.ID{{provisional}, {provisional, real.ID}} {
				next, end := pull(c.Watch(quietContext(t), WatchOptions{IDs: ids, NoStats: true}))
				last := share.ID{}
				resets := 0
				until(next, "the reset that has the real one only", func(u Update) bool {
					if u.Reset {
						resets++
					}
					for _, row := range u.Transfers {
						last = row.ID
					}
					return resets == 2
				})
				if last != real.ID {
					t.Errorf("the last row is of %s", last)
				}
				end()
			}
		})
	}
}

func pull[T any](seq func(func(T, error) bool)) (next func() (T, error, bool), stop func()) {
	type pair struct {
		v   T
		err error
	}
	c, quit := make(chan pair), make(chan struct{})
	var once sync.Once
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(c)
		seq(func(v T, err error) bool {
			select {
			case c <- pair{v, err}:
				return true
			case <-quit:
				return false
			}
		})
	}()
	return func() (T, error, bool) { p, ok := <-c; return p.v, p.err, ok },
		func() { once.Do(func() { close(quit) }) }
}
