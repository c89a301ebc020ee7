package engine

import "time"

const (
	// A caller that asks for one transfer waits this long for a look, at most.
	lookPatience = 2 * time.Second
	// A look younger than this serves for the next caller.
	freshLook = time.Second
	// A file system that takes longer than this to answer is called silent.
	silentAfter = 10 * time.Second
)

// look is what one transfer knows of looks at its files. A look compares names,
// sizes and times with what is recorded; it reads no content. What is said of a
// complete transfer is what the last look showed.
type look struct {
	at        time.Time       // of the last one, in this run
	began     time.Time       // when the file system was last asked
	running   bool            // one is under way while the storage is open
	glancing  bool            // the storage is being opened for one
	restoring bool            // what it finds missing is to be fetched again
	silent    bool            // the file system does not answer
	waiters   []chan struct{} // closed when it is over, or will not be
}

// busy tells whether a look is under way.
func (l *look) busy() bool { return l.running || l.glancing }

// fresh tells whether the last look is younger than age.
func (l *look) fresh(now time.Time, age time.Duration) bool {
	return !l.at.IsZero() && now.Sub(l.at) < age && !now.Before(l.at)
}

// wait returns what is closed by release.
func (l *look) wait() chan struct{} {
	w := make(chan struct{})
	l.waiters = append(l.waiters, w)
	return w
}

// release lets those go on who wait.
func (l *look) release() {
	for _, w := range l.waiters {
		close(w)
	}
	l.waiters = nil
}

// answered is called when the storage was opened, or could not be.
func (l *look) answered() {
	l.glancing, l.silent = false, false
	l.release()
}

// fallsSilent notes that the file system does not answer, and reports whether that
// is new. asking tells that it is being asked.
func (l *look) fallsSilent(asking bool, now time.Time) bool {
	if l.silent || !asking || now.Sub(l.began) <= silentAfter {
		return false
	}
	l.silent = true
	return true
}
