package engine

import (
	"context"
	"slices"
	"testing"
	"time"
)

// What tasks return, calls and posts all run on the loop, also while it is being
// put away; afterwards nothing waits.
func TestMailbox(t *testing.T) {
	t.Parallel()
	m := newMailbox()
	m.open(t.Context())
	var ran []string // by the loop alone
	note := func(s string) func() { return func() { ran = append(ran, s) } }
	called := make(chan bool, 1)
	go func() { called <- m.call(note("call")) }()
	(<-m.calls)()
	if !<-called {
		t.Error("a call was refused")
	}
	m.run(func(context.Context) func() { return note("task") })
	(<-m.calls)()

	// A task that ends when it is told to, and another that it starts.
	m.run(func(ctx context.Context) func() {
		<-ctx.Done()
		return func() {
			note("cancelled")()
			m.run(func(context.Context) func() { return note("late") })
		}
	})
	m.cancel()
	if !m.finish(time.Now().Add(patience)) {
		t.Error("it took until the deadline")
	}
	if want := []string{"call", "task", "cancelled", "late"}; !slices.Equal(ran, want) {
		t.Errorf("%q ran, want %q", ran, want)
	}
	hangs := make(chan struct{})
	defer close(hangs)
	if m.settle(func() { <-hangs }, time.Now()) {
		t.Error("it waits beyond the deadline")
	}
	m.close()
	m.post(note("post"))
	if m.call(note("call")) {
		t.Error("a call was taken when all is over")
	}
	if len(ran) != 4 {
		t.Errorf("%q ran when all was over", ran[4:])
	}
}

// A hint never waits: too many are dropped, and none runs while the loop is put
// away.
func TestMailboxHints(t *testing.T) {
	t.Parallel()
	m := newMailbox()
	m.open(t.Context())
	for range maxHints + 10 {
		m.hint(func() { t.Error("a hint ran") })
	}
	if len(m.hints) != maxHints {
		t.Errorf("%d wait", len(m.hints))
	}
	ended := make(chan struct{})
	go func() {
		for len(m.hints) > 0 {
			m.post(func() {})
		}
		close(ended)
	}()
	m.settle(func() { <-ended }, time.Now().Add(patience))
	if len(m.hints) > 0 {
		t.Errorf("%d are left", len(m.hints))
	}
}
