package node

// File descriptors are divided before anybody asks for one: what strangers can
// take is bounded, so that the disk, the control socket and the databases find
// theirs however many connections there are.
//
// Go raises the soft limit to the hard one when a process starts.
const (
	// Databases, sockets that listen, watched folders, trackers, verbs at the
	// control socket.
	ownDescriptors = 96
	mostPeers      = 500
	fewestPeers    = 16
	mostVisitors   = 256
	fewestVisitors = 8
	// The file handles of package storage are at most a quarter of the limit.
	handlesPart = 4
)

// shares are how many connections to peers and to the page there may be, where
// the process may have limit descriptors.
func shares(limit int) (peers, visitors int) {
	// A call over TCP and uTP, and a connection that gives way and is not closed
	// yet, take one more than they count for a moment.
	left := (limit - limit/handlesPart - ownDescriptors) * 9 / 10
	peers = min(max(left*2/3, fewestPeers), mostPeers)
	visitors = min(max(left/3, fewestVisitors), mostVisitors)
	return peers, visitors
}
