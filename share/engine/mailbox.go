package engine

import (
	"context"
	"time"
)

// maxHints is how many hints wait for the loop.
const maxHints = 256

// mailbox brings functions to the loop, the one goroutine that owns all transfers,
// and runs tasks beside it. It knows nothing of what they do.
type mailbox struct {
	calls  chan func()
	hints  chan func()
	closed chan struct{} // the loop takes no more

	// Set by open.
	ctx    context.Context // of tasks
	cancel context.CancelFunc

	running int // tasks whose result has not come back; owned by the loop
}

func newMailbox() *mailbox {
	return &mailbox{calls: make(chan func()), hints: make(chan func(), maxHints), closed: make(chan struct{})}
}

// open lets tasks run until ctx ends or cancel is called.
func (m *mailbox) open(ctx context.Context) { m.ctx, m.cancel = context.WithCancel(ctx) }

// call runs f on the loop and returns when it is done. It reports false when the
// loop has ended.
func (m *mailbox) call(f func()) bool {
	ran := make(chan struct{})
	select {
	case m.calls <- func() { defer close(ran); f() }:
		<-ran
		return true
	case <-m.closed:
		return false
	}
}

// post runs f on the loop and returns when the loop has taken it. The loop itself
// must not call it.
func (m *mailbox) post(f func()) {
	select {
	case m.calls <- f:
	case <-m.closed:
	}
}

// hint runs f on the loop some time, and never waits. f is dropped when too many
// hints wait already.
func (m *mailbox) hint(f func()) {
	select {
	case m.hints <- f:
	default:
	}
}

// run runs task in a goroutine of its own, and then what it returns, which may be
// nil, on the loop. Only the loop calls it.
func (m *mailbox) run(task func(context.Context) (then func())) {
	m.running++
	go func() {
		then := task(m.ctx)
		m.post(func() {
			m.running--
			if then != nil {
				then()
			}
		})
	}()
}

// finish works for the loop, which has ended, until no task runs. It reports false when
// that takes until the deadline: a disk that hangs must not keep the process from ending.
func (m *mailbox) finish(deadline time.Time) bool {
	return m.serve(func() bool { return m.running == 0 }, nil, deadline)
}

// settle works for the loop, which has ended, while wait runs. It reports false when that
// takes until the deadline.
func (m *mailbox) settle(wait func(), deadline time.Time) bool {
	done := make(chan struct{})
	go func() {
		wait()
		close(done)
	}()
	return m.serve(func() bool { return false }, done, deadline)
}

// serve takes calls and drops hints until enough, done or the deadline.
func (m *mailbox) serve(enough func() bool, done <-chan struct{}, deadline time.Time) bool {
	late := time.NewTimer(time.Until(deadline))
	defer late.Stop()
	for !enough() {
		select {
		case <-done:
			return true
		case f := <-m.calls:
			f()
		case <-m.hints:
		case <-late.C:
			return false
		}
	}
	return true
}

// close makes every further call return false.
func (m *mailbox) close() { close(m.closed) }
