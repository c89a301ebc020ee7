package node

// File descriptors are divided in advance. What strangers can use is bounded, so that the
// disk, the control socket and the databases get theirs however many connections there
// are.
//
// Go raises the soft limit to the hard one when a process starts.
const (
	// For databases, listeners, watched folders, trackers, and verbs that use the
	// control socket.
	ownDescriptors = 96
	mostPeers      = 500
	fewestPeers    = 16
	mostVisitors   = 256
	fewestVisitors = 8
	// Package storage uses at most a quarter of the limit.
	handlesPart = 4
)

// shares returns how many connections to peers and to the page there may be if the
// process may have limit descriptors.
func shares(limit int) (peers, visitors int) {
	// A dial over TCP and uTP, and a connection that is being closed for another one,
	// have one more descriptor than they count for a moment.
	left := (limit - limit/handlesPart - ownDescriptors) * 9 / 10
	peers = min(max(left*2/3, fewestPeers), mostPeers)
	visitors = min(max(left/3, fewestVisitors), mostVisitors)
	return peers, visitors
}
