package uplink

// Guest is an upload to somebody who is no peer. It is safe for concurrent use.
type Guest struct{ link *Link }

// Guest begins an upload that no swarm decides on.
func (l *Link) Guest() *Guest {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.guests++
	return &Guest{l}
}

// Sent counts bytes that were sent.
func (g *Guest) Sent(n int) { g.link.sent.Add(int64(n)) }

// Leave gives back the slot. It is called once.
func (g *Guest) Leave() {
	g.link.mu.Lock()
	defer g.link.mu.Unlock()
	g.link.guests--
}

// Given is how many bytes all guests were sent since the line was made.
func (l *Link) Given() int64 { return l.sent.Load() }
