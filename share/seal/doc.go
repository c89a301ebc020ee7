// Package seal keeps to itself how content is sealed: how the records of a sealed
// share are made and opened, where the contents lie in them, and how its manifest
// is read.
//
// The promise: whoever lacks the key learns nothing from a blob but its size. Whoever
// has it gets the sharer's bytes or an error, never any other byte, whatever the blob
// holds. Every IV is computed from the very bytes that are encrypted with it. A
// Sealer gives out a record only if its tag is the kept one. No input causes a panic,
// and memory is bounded by the limits below.
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
// The torrent describes the blob, which is not on disk. On disk are the plaintext
// files and, beside the transfer's record, the manifest's bytes and a file with the
// tag of each record.
//
//	share    The output of Stream for the plaintext is hashed into the torrent, and
//	         Stream reports the tags. (Maker does the same for reads at offsets.)
//	seed     Peers are sent what Sealer.ReadAt returns. Its io.ReaderAt of the contents
//	         is the files, by Layout and Manifest. A RecordError names the records to
//	         withdraw; the pieces with a record are those of its bytes in the blob,
//	         Span.Bytes. A piece has whole records: its length is a multiple of
//	         RecordSize.
//	verify   The output of Stream for a piece has the torrent's hash, or the piece is
//	         wrong. That needs no tags, and recovers lost ones.
//	fetch    The records that NewOpener reads come first. Blocks of 16 KiB wait in a
//	         slot of a spool until their record is complete. Then it is opened, and
//	         the plaintext goes into the part files, where it counts like a block of a
//	         plain download: if the hash of the piece is right, the tags are kept, and
//	         a Sealer seeds the piece. A record that cannot be opened stays in its slot
//	         until the hash has shown who sent it. A missing tag is zeros, which no
//	         record matches.
package seal
