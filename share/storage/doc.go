// Package storage keeps to itself how the bytes of transfers are stored on disk, and
// which of them are known to be right and durable.
//
// The promise: a piece that Durable counts has the right bytes on the disk itself,
// whatever happens and at any instant: kill -9, a power cut, a full disk, a sync that
// fails. Nothing outside a transfer's own place is written or removed. No symlink
// below it is followed or made. Files that the transfer's record does not call its
// own are only read: those that the user shares, those that existed before, and those
// changed after they were complete. See docs/decisions/0007-whose-file.md.
//
// On disk, a fetched torrent of several files and one of a single file:
//
//	Spec.Dir/
//	├── holiday/                 the transfer's own folder, opened as an os.Root
//	│   ├── beach.jpg            every piece of it is right and synced
//	│   ├── clip.mkv             was there, and is the user's
//	│   ├── clip (2).mkv         the right one
//	│   ├── video.mkv.shoal-3fa9c1.part   being fetched; sparse unless Config.Preallocate
//	│   ├── notes.txt            0 bytes: made when all else is complete
//	│   ├── Notes (2).txt        the torrent's second name for the same file
//	│   └── empty/               made when all else is complete
//	└── debian.iso.shoal-91bd04.part      renamed to debian.iso once complete and synced
//
// Pad files (BEP 47) are never on disk. Names are chosen when a transfer is first
// opened, and kept in the Ledger, together with the durable pieces and the size,
// times and inode of each file:
//
//	Ledger.Save ─▶ make ─▶ write ─▶ hash ─▶ MarkComplete ─▶ fsync ─▶ fsync folder ─▶ Ledger.Save ─▶ Durable
//	└ whose it is ┘                 └ in memory, served to peers ┘  └ in batches: a second or 128 MiB ┘
//	                                                 of a complete file: ─▶ rename ─▶ fsync folder ─▶ Ledger.Save
//
// # Parts
//
// Transfer coordinates parts that have one job each. No part knows the Transfer. A
// part knows some of the parts above it, and what is listed on the right:
//
//	memory      all that is remembered, under one mutex           its parts
//	  geometry    where files lie in pieces                       the info dictionary
//	  place       the folder, the names, the kind of file system  the disk
//	  pieces      what is known of each piece
//	  unsynced    what has to be synced, and which syncs failed
//	  troubles    the files that are missing or were changed
//	  standstill  why the whole transfer has stopped
//	  userFiles   the user's files that have the name of an entry
//	job         when the Store works for the transfer             the Store
//	handles     how many files of all transfers are open
//	naming      new names for files                               other transfers' paths
//	openFiles   the open files and the folder                     an interface to sync them
//	faults      what an error of the disk means
//	syncer      syncs of files and folders
//	watcher     what became of files, by their stamps             the clock
//	reader      what is in files, right or wrong
//	verifier    hashes of pieces; reads what is right
//	recorder    what the ledger is told                           the ledger
//	settler     what becomes of the user's files
//	writer      blocks from peers, copies of other files
//	healer      what a failed sync left in doubt
//	publisher   final names; files without bytes
//	clipper     part files of files that are not wanted
//
// Content that the user shares has no naming and none of the last five. Some parts
// exist for one call: opener opens a transfer and chooser names a new one, prober
// tries the disk after a fault, remover deletes.
//
// The remembered state changes together: a wrong piece concerns the piece, its file
// and the record. So one mutex, memory.mu, guards all of it. It is held briefly, and
// never during disk operations. The other locks are for disk operations. They are
// taken in this order:
//
//	recorder.batching   one batch at a time: sync, record, rename
//	verifier.proving    one hash of a piece in doubt for readers
//	place.opening       names and handles: make, open, rename
//	openFiles.fileLock  a write, or the rename, and the stamp after it
//	unsynced.lock       a sync and what became of it
//	handles.mu          which handles are open
//	memory.mu           all that is remembered
//	Store.mu            the queues of batches, probes and events
//
// Reading a block for a peer takes memory.mu a fixed number of times.
//
// # Sealed shares
//
// The files of a sealed share hold the plaintext, and Spec.Info is a view of the
// torrent's dictionary with the plaintext's offsets and the blob's pieces. All parts
// work as with plain content, except that the hash of a piece is computed over the
// sealed records. Sealed turns reads and writes of peers, at offsets of the blob, into
// reads and writes of plaintext. See package share/seal and docs/protocol/sealed.md.
//
// # What is trusted
//
// A file whose size, times and inode are as recorded is trusted without being read.
// The pieces of any other file are hashed again before they count. If only ctime or
// inode differ, they are served meanwhile, each after it was hashed. After each
// block that is read for a peer the open file is compared once more, and the pieces
// of a changed file are withheld. See watcher and verifier.
package storage
