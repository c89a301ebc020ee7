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
//	share    Maker.ReadAt is what is hashed into the torrent; the tags are kept as it
//	         seals. Maker.Finish gives the Sealer.
//	seed     Sealer.ReadAt is what peers are sent. Its io.ReaderAt of the contents is
//	         the files, by Layout and Manifest. A RecordError names the records to
//	         withdraw; the pieces with a record n are those of its bytes in the blob,
//	         Span.Bytes. A piece has whole records: its length is a multiple of
//	         RecordSize.
//	verify   Sealer.Check compares tags, which is as good as hashing pieces and reads
//	         no more. After a file changed it is enough for Layout.Records of its
//	         bytes.
//	fetch    Record 0 and what else NewOpener reads come first. Blocks of 16 KiB wait
//	         as they came, in a slot of a spool file, until their record is complete.
//	         A piece whose hash is right is opened record by record, Opener.Open; the
//	         plaintext goes into the part files, the tag into the file of tags, and
//	         the slot is free. From then on the piece is seeded, by a Sealer. A tag
//	         that is missing is zeros, which no record matches.
//	unblind  With the blob on disk and the key given later, Opener.ReadAt reads the
//	         contents out of it.
package seal
