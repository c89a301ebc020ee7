package core

import (
	"time"
)

// window decides how many requests are kept with one peer. By Little's law what
// is outstanding is the peer's rate times the age of requests when they are
// answered. So the window grows by a block with each that arrives younger than
// the age to be reached, which doubles it in a round trip, and shrinks with each
// that is older. An age tells of the window as it was when the request was made. So
// the window shrinks only to what the peer sends in the age to be reached.
type window struct {
	size int
	// age is the usual age of requests when they are answered, rtt the least.
	age, rtt time.Duration
}

// Bounds of windows. 2048 blocks are 32 MiB.
const (
	firstWindow = 16
	firstOfWeb  = 128 // a request of its own costs a web server more than a peer
	leastWindow = 2
	mostWindow  = 2048
	// targetAge is the work kept with a peer; half of it while a reader waits.
	targetAge = time.Second
	// smallAge is that of windows of up to smallWindow. Requests may be so old because our own uplink
	// is busy, which a smaller window does not change: a window that shrank by that
	// would leave a fast peer idle.
	smallAge    = 5 * time.Second / 2
	smallWindow = 8
)

// arrived takes the age of a request that was answered, and how many blocks the
// peer sent since it was made. full says that the window was, hurried that a reader
// waits.
func (w *window) arrived(age time.Duration, sent int, full, hurried bool) {
	if w.age == 0 {
		w.age, w.rtt = age, age
	}
	w.age += (age - w.age) / 8
	w.rtt = min(w.rtt, age)
	target := targetAge
	switch {
	case hurried:
		target /= 2
	case w.size <= smallWindow:
		target = smallAge
	}
	target = max(target, 2*w.rtt)
	smaller := w.size - 1
	switch {
	case age < target && full:
		w.size = min(w.size+1, mostWindow)
		return
	case age <= target+target/4:
		return
	case age > 4*target:
		smaller = w.size * 3 / 4
	}
	due := int(float64(sent) * target.Seconds() / age.Seconds())
	w.size = max(min(w.size, max(smaller, due)), leastWindow)
}

// unanswered takes that a request was given up.
func (w *window) unanswered() {
	w.size = max(1, w.size/2)
	if w.age == 0 {
		w.size = 1 // until it answers at all
	}
}

// overdue tells whether a request of that age should have been answered.
func (w *window) overdue(age time.Duration) bool {
	return age > min(3*time.Second, time.Second+2*w.age)
}

// usual is the age of requests when they are answered, also of who never did.
func (w *window) usual() time.Duration {
	if w.age == 0 {
		return 5 * time.Second
	}
	return w.age
}

// patience is how long a request may stay unanswered. alive says that the peer
// answers others.
func (w *window) patience(alive bool) time.Duration {
	if w.age == 0 {
		return 20 * time.Second // its line may be slow, and others are served, too
	}
	if alive {
		return max(4*time.Second, 4*w.age)
	}
	return max(10*time.Second, 6*w.age)
}
