// Package node is the composition root: the only place where storage, engine,
// finders, API and page meet. A Node owns one state directory, which it locks;
// it is run by the daemon verb for months, and by any other verb for itself
// when no node is running, over an in-memory listener and the same API client.
//
// What it promises: a second node on the same state directory changes nothing
// and says so; stopping takes a bounded time; what the user configured is known
// with its source, and a key that does not exist is an error; no state on disk,
// however damaged or newer, is a crash or a silent loss.
//
// The state directory:
//
//	lock         flock of the running node
//	shoal.sock   the API, mode 0600
//	state.db     SQLite; the node's own table is node_values
//	state.sum    checksum of state.db as it was last closed
//	torrents/    ID.torrent and ID.note, kept by the engine
package node
