// Package node keeps to itself how the parts of a node are built, joined and run: it
// is the only place where storage, engine, finders, API and page meet. A Node owns one
// state directory, which it locks. The daemon verb runs one for months, and any other
// verb runs one for itself if no node is running, over an in-memory listener and with
// the same API client.
//
// It promises: a second node on the same state directory changes nothing and says so;
// stopping takes a bounded time; no state on disk, however damaged or new, crashes the
// node or is lost silently.
//
// The state directory:
//
//	lock         flock of the running node
//	shoal.sock   the API, mode 0600
//	state.db     SQLite; the node's own table is node_values
//	state.sum    checksum of state.db as it was last closed
//	spool/       what commands share that is no file of the user's
//	torrents/    ID.torrent and ID.note, kept by the engine
package node
