// Package seal keeps to itself how content is sealed: how the records of a sealed
// share are made and opened, where what lies in them, and how its manifest is read.
//
// The promise: whoever lacks the key learns nothing from a blob but its size. Whoever
// has it gets the sharer's bytes or an error, never a byte of anything else, whatever
// the blob holds. No record is encrypted under an IV that was not computed from the
// very bytes that are encrypted, and none leaves a Sealer whose tag is not the kept
// one. No input panics, and memory is bounded by the limits below.
//
// The format is specified in docs/protocol/sealed.md, with test vectors. A blob is a
// sequence of records:
//
//	blob      head records │ contents records │ padding records
//	record    tag, 32 bytes │ AES-256-CTR of 65,504 bytes, the IV is the tag's first 16
//	tag       HMAC-SHA-256 of version │ kind │ zeros │ record number │ plaintext
//	head      version, 4 bytes │ length of the manifest, 4 bytes │ manifest │ zeros
//	contents  the files, in the manifest's order, without gaps │ zeros
//
// # How storage uses it
//
// The torrent describes the blob, and no blob is on disk. What is on disk are the
// plaintext files, and beside the transfer's record the manifest's bytes and a file
// with the tag of each record.
//
//	share    What Sealer.Stream makes of the plaintext is hashed into the torrent; it
//	         tells the tags. (Maker does the same for who reads the blob at offsets.)
//	seed     Sealer.ReadAt is what peers are sent. Its io.ReaderAt of the contents is
//	         the files, by Layout and Manifest. A RecordError names the records to
//	         withdraw; the pieces with a record n are those of its bytes in the blob,
//	         Span.Bytes. A piece has whole records: its length is a multiple of
//	         RecordSize.
//	verify   What Sealer.Stream makes of a piece has the torrent's hash, or the piece is
//	         wrong. That needs no tags, and finds out again those that were lost.
//	fetch    Record 0 and what else NewOpener reads come first. Blocks of 16 KiB wait
//	         as they came, in a slot of a spool, until their record is complete. Then
//	         it is opened, and the plaintext goes into the part files, where it counts
//	         no more than a block of a plain download: if the hash of the piece is
//	         right, the tags are kept, and the piece is seeded by a Sealer. A record
//	         that cannot be opened stays in its slot until the hash has told who sent
//	         it. A tag that is missing is zeros, which no record matches.
package seal
