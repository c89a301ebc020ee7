// Package storage keeps the bytes of transfers on disk.
//
// The promise: a piece that Durable counts has the right bytes on the disk
// itself, through kill -9, a power cut, a full disk or a sync that fails, at
// any instant; nothing outside a transfer's own place is written or removed, no
// symlink below it is followed or made; and what the transfer's record does not
// call its own is only ever read: what the user shares, what was there before, and
// what was changed after it was complete. See docs/decisions/0007-whose-file.md.
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
// A file whose size, times and inode are as recorded is trusted without reading
// it; the pieces of any other file are hashed again before they count. Where only
// ctime or inode differ, they are served meanwhile, each once it was hashed. After
// each block that is read for a peer the open file is compared once more, and the
// pieces of a file that changed are withheld. See doubt.go.
package storage
