// Package metainfo keeps to itself how untrusted torrents are read, and how
// torrents are made of files.
//
// The promise: the results of Parse and ParseInfo are safe to use. Every number is
// in range and consistent with the others, every name is one path element that
// cannot escape its folder on any operating system, and memory use is proportional
// to the input, which is bounded. Everything else is refused with an error of kind
// share.Refused that says why. Torrents that are refused although other clients
// accept them are listed with the reasons in
// docs/decisions/0002-torrents-accepted-and-refused.md.
//
// The wire format is bencoding, BEP 3:
//
//	torrent = d  announce, announce-list (BEP 12), nodes (BEP 5), url-list (BEP 19),
//	             comment, created by, creation date,
//	             info, piece layers (BEP 52)  e
//	info    = d  name, piece length, pieces, private (BEP 27),
//	             length | files = l d length, path, attr (BEP 47) e ... e,
//	             or, in a hybrid and: meta version, file tree (BEP 52)  e
//
// The bytes of an info dictionary are kept unchanged: its hashes are the IDs.
package metainfo

import (
	"bytes"
	"crypto/sha256"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/merkle"
)

// The limits. Exceeding one is a refusal.
const (
	MaxTorrent     = 10_000_000          // bytes of a .torrent file
	MaxInfo        = 4 << 20             // bytes of an info dictionary got from peers
	MaxPieces      = 1 << 21             // 2,097,152
	MaxPieceLength = 0x7fff * (16 << 10) // 536,854,528 bytes, what other clients take at most
	MaxName        = share.MaxName       // bytes of one path element

	maxDepth       = 100      // of nested lists and dictionaries in a torrent
	maxInfoDepth   = 99       // in an info dictionary, which a torrent has one deep
	maxRenames     = 500      // attempts a client must make to tell files of equal names apart
	maxPathBytes   = 4000     // of a file's path below the transfer's folder; PATH_MAX is 4,096
	maxPathDepth   = 100      // elements of a file's path
	maxPaths       = 64 << 20 // bytes that all paths of a file tree take in memory
	elementBytes   = 40       // that an element of such a path takes besides its own
	maxTrackers    = 200
	maxWebSeeds    = 100
	maxNodes       = 100
	maxTextBytes   = 64 << 10 // of a comment
	maxCreatedSecs = 1 << 40  // years from now; keeps time.Time printable
)

// Info is a validated info dictionary. It never changes.
type Info struct {
	// Name is one clean path element: the name of the file or, if Multi, of the
	// folder. It is the ID if the torrent's name is not usable.
	Name string
	// ID is the SHA-1 of the dictionary, or, of one that is described for BEP 52
	// only, the first 20 bytes of its SHA-256.
	ID share.ID
	// V2 is the SHA-256 of a dictionary that describes the content for BEP 52;
	// zeros if it does not.
	V2 [sha256.Size]byte
	// PieceLength is in bytes, 1 to MaxPieceLength, and a power of two of at
	// least 16 KiB in v2.
	PieceLength int64
	NumPieces   int   // 1 to MaxPieces
	Total       int64 // bytes of all files, pad files included; above (NumPieces-1)*PieceLength
	// Files are in the order of the content. In v2 only, pad files that are not in
	// the dictionary let each file with data begin with a piece.
	Files []File
	// Named has, by index, the paths of those Files whose Path is not what the
	// torrent calls them: as it does, for people to read.
	Named map[int]string
	// Folders are the clean paths of empty folders. Each stands in Files as a
	// pad file of length 0, see Make.
	Folders [][]string
	Multi   bool
	Private bool // BEP 27: peers from trackers only
	// Hybrid says that the dictionary describes the content for BEP 3 and BEP 52.
	// Files and pieces are the v1 description, which was compared with the other.
	Hybrid bool
	// Sealed is set where Files are those of a sealed share, see Holding.
	Sealed *Sealed

	raw    []byte
	pieces []byte
}

// File is one entry of an info dictionary.
type File struct {
	// Path is one or more clean elements below the transfer's folder; for a
	// single-file torrent it is its Name. Paths may collide, exactly or in letter
	// case: the code that creates the files must make them unique.
	Path   []string
	Length int64 // bytes
	Offset int64 // of the first byte in the content
	// Pad marks bytes that are zeros and belong to no file. BEP 47.
	Pad bool
	// Symlink marks a link of BEP 47. Its length is 0, whatever the torrent says;
	// links are never made.
	Symlink bool
	Exec    bool // executable, BEP 47
	// Root is the root of the file's hash tree, BEP 52; zeros of an empty file, of
	// padding, and in v1 only.
	Root merkle.Hash
}

// Bytes is the unchanged info dictionary. It must not be modified.
func (in *Info) Bytes() []byte { return in.raw }

// HasV1 tells whether the content is described for BEP 3, as that of a hybrid is.
func (in *Info) HasV1() bool { return len(in.pieces) > 0 }

// HasV2 tells whether the content is described for BEP 52, as that of a hybrid is.
func (in *Info) HasV2() bool { return in.V2 != [sha256.Size]byte{} }

// IDs are what peers, trackers and the DHT know the content by: the SHA-1 of the
// dictionary, then the first 20 bytes of its SHA-256, as far as it has them.
func (in *Info) IDs() []share.ID {
	ids := []share.ID{in.ID}
	if in.Hybrid {
		ids = append(ids, share.ID(in.V2[:len(share.ID{})]))
	}
	return ids
}

// PieceHash is the SHA-1 of piece i, 0 to NumPieces-1. There must be a description
// for BEP 3. To check a piece, use NewSum.
func (in *Info) PieceHash(i int) [20]byte { return [20]byte(in.pieces[20*i:]) }

// PieceSize is the number of bytes of piece i: PieceLength except for the last.
// Padding counts.
func (in *Info) PieceSize(i int) int64 {
	return min(in.PieceLength, in.Total-int64(i)*in.PieceLength)
}

// WireSize is the number of bytes of piece i that peers are asked for. BEP 52 knows
// no padding, so in v2 only the last piece of a file is shorter than the others.
// Peers may ask for more, up to PieceSize: libtorrent asks for whole blocks of 16
// KiB, and takes zeros for what is behind the file's end.
func (in *Info) WireSize(i int) int64 {
	if in.HasV1() {
		return in.PieceSize(i)
	}
	return in.DataSize(i)
}

// DataSize is the number of bytes of piece i that belong to the file that it begins
// with. Of content that is described for BEP 52 the others are padding.
func (in *Info) DataSize(i int) int64 {
	if in.Sealed != nil {
		return in.Sealed.Blob.DataSize(i)
	}
	f := &in.Files[in.fileOf(i)]
	return min(in.PieceLength, f.Offset+f.Length-int64(i)*in.PieceLength)
}

// Size is the number of bytes of all files without pad files.
func (in *Info) Size() int64 {
	n := in.Total
	if in.Sealed != nil {
		n = 0
		for i := range in.Files {
			n += in.Files[i].Length
		}
		return n
	}
	for i := range in.Files {
		if in.Files[i].Pad {
			n -= in.Files[i].Length
		}
	}
	return n
}

// Torrent is a validated .torrent file.
type Torrent struct {
	Info *Info
	// Trackers are tiers of http, https and udp URLs. BEP 12.
	Trackers [][]string
	// WebSeeds are http and https URLs; those of a multi-file torrent end in a
	// slash. BEP 19.
	WebSeeds  []string
	Nodes     []string  // HOST:PORT of DHT nodes, BEP 5
	Created   time.Time // zero when unknown
	Comment   string    // valid UTF-8; escape it before showing it
	CreatedBy string

	// Layers are those of content that is described for BEP 52; nil of other
	// content, and where nothing is known of them.
	Layers *Layers
}

// Content is the torrent without what says where to find peers, who made it and
// when.
func (t *Torrent) Content() *Torrent { return &Torrent{Info: t.Info, Layers: t.Layers} }

// Encode returns the .torrent file: the unchanged info dictionary with the other
// fields. Piece layers are left out if one is missing.
func (t *Torrent) Encode() []byte {
	var b bytes.Buffer
	b.WriteByte('d')
	if len(t.Trackers) > 0 && len(t.Trackers[0]) > 0 {
		putString(&b, "announce", t.Trackers[0][0])
	}
	if len(t.Trackers) > 1 || len(t.Trackers) == 1 && len(t.Trackers[0]) > 1 {
		writeString(&b, "announce-list")
		b.WriteByte('l')
		for _, tier := range t.Trackers {
			writeStrings(&b, tier)
		}
		b.WriteByte('e')
	}
	if t.Comment != "" {
		putString(&b, "comment", t.Comment)
	}
	if t.CreatedBy != "" {
		putString(&b, "created by", t.CreatedBy)
	}
	if !t.Created.IsZero() {
		putInt(&b, "creation date", t.Created.Unix())
	}
	writeString(&b, "info")
	b.Write(t.Info.raw)
	if len(t.Nodes) > 0 {
		writeString(&b, "nodes")
		writeNodes(&b, t.Nodes)
	}
	if t.Layers != nil && t.Layers.Complete() {
		writeString(&b, "piece layers")
		t.Layers.encode(&b)
	}
	if len(t.WebSeeds) > 0 {
		writeString(&b, "url-list")
		writeStrings(&b, t.WebSeeds)
	}
	b.WriteByte('e')
	return b.Bytes()
}
