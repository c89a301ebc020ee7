package peerguard

import (
	"errors"

	"github.com/anacrolix/torrent"
)

// The client puts its answers to requests into a buffer without a limit, so a
// peer that asks and does not read makes it grow as fast as it can send. What a
// peer provokes is counted, and compared now and then with what the connection
// really wrote.
const (
	smallReply  = 17 // a reject
	checkBeyond = 256 << 10
	maxOwed     = 1 << 20
	// Reached only when a comparison takes longer than it takes to provoke this
	// much: the client is that busy because of this peer.
	hardOwed = 8 << 20
)

var errNotReading = errors.New("the peer asks and does not read the answers")

// backlog is called with the client's lock held, so the comparison, which
// needs it, is made apart.
func (g *Guard) backlog(pc *torrent.PeerConn, c *guarded) error {
	if c.owed < checkBeyond {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owed = max(0, c.owed-c.settled)
	c.settled = 0
	info := c.blocks * metaBlock
	switch {
	case c.owed < checkBeyond:
	case c.owed > hardOwed+info, c.compared && c.owed > maxOwed+info:
		return errNotReading
	case !c.checking:
		c.checking = true
		g.checks.Go(func() { c.compare(pc) })
	}
	c.compared = false
	return nil
}

// compare notes how much the connection has written since the last time.
func (c *guarded) compare(pc *torrent.PeerConn) {
	stats := pc.Stats()
	written := stats.BytesWritten.Int64()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checking = false
	c.compared = true
	c.settled += written - c.written
	c.written = written
}
