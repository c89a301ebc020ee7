// Package storage keeps to itself how the bytes of transfers are stored on disk, and
// which of them are known to be right and durable.
//
// The promise: a piece that Durable counts has the right bytes on the disk
// itself, through kill -9, a power cut, a full disk or a sync that fails, at
// any instant; nothing outside a transfer's own place is written or removed, no
// symlink below it is followed or made; and what the transfer's record does not
// call its own is only read: what the user shares, what was there before, and what
// was changed after it was complete. See docs/decisions/0007-whose-file.md.
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
// Pad files (BEP 47) are never on disk. Names are decided once, when a transfer
// is first opened, and kept in the Ledger; so is what is durable, with the size,
// the times and the inode of each file:
//
//	Ledger.Save ─▶ make ─▶ write ─▶ hash ─▶ MarkComplete ─▶ fsync ─▶ fsync folder ─▶ Ledger.Save ─▶ Durable
//	└ whose it is ┘                 └ in memory, served to peers ┘  └ in batches: a second or 128 MiB ┘
//	                                                 of a complete file: ─▶ rename ─▶ fsync folder ─▶ Ledger.Save
//
// # Parts
//
// Transfer coordinates parts that have one job each. No part knows the Transfer; each
// knows some of those above it. On the right is what else it knows.
//
//	memory      all that is remembered, under one mutex           nothing
//	  geometry    where files lie in pieces                       the info dictionary
//	  place       the folder, the names, the kind of file system  the disk
//	  pieces      what is known of each piece                     nothing
//	  unsynced    what has to be synced, and which syncs failed   nothing
//	  troubles    the files that are not what they were           nothing
//	  standstill  why the whole transfer has stopped              nothing
//	  userFiles   the user's files that are used, or left beside  nothing
//	job         when the Store works for the transfer             the Store
//	handles     how many files of all transfers are open          nothing
//	openFiles   the open files and the folder                     handles
//	faults      what an error of the disk means                   nothing
//	syncer      syncs of files and folders                        nothing
//	watcher     what became of files, by their stamps             the clock
//	reader      what is in files, right or wrong                  nothing
//	verifier    hashes of pieces; reads what is right             nothing
//	recorder    what the ledger is told                           the ledger
//
// Only a transfer that is fetched has the parts that change files:
//
//	naming      new names for files                               claims of other transfers
//	settler     what becomes of the user's files                  nothing
//	writer      blocks from peers, copies of other files          nothing
//	healer      what a failed sync left in doubt                  nothing
//	publisher   final names; files without bytes                  nothing
//	clipper     part files of files that are not wanted           nothing
//
// Others live for one call: opener takes up a transfer and chooser names a new one,
// prober tries the disk after a fault, remover deletes.
//
// What they remember changes together: a piece that turns out to be wrong concerns
// the piece, its file and the ledger. So one mutex, that of memory, guards all of
// it. It is held for moments, and never while the disk works. The other locks are
// for what the disk does. They are taken in this order:
//
//	recorder.batching   one batch at a time: sync, record, rename
//	verifier.proving    one hash of a piece in doubt for readers
//	place.opening       names and handles: make, open, rename
//	openFiles.fileLock  a write and the stamp after it
//	unsynced.lock       a sync and what became of it
//	handles.mu          which handles are open
//	memory.mu           all that is remembered
//	Store.mu            the queues of batches, probes and events
//
// Reading a block for a peer takes memory.mu a fixed number of times, however many
// parts are asked.
//
// # What is trusted
//
// A file whose size, times and inode are as recorded is trusted without reading
// it; the pieces of any other file are hashed again before they count. Where only
// ctime or inode differ, they are served meanwhile, each once it was hashed. After
// each block that is read for a peer the open file is compared once more, and the
// pieces of a file that changed are withheld. See watcher and verifier.
package storage
