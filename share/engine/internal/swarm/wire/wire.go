// Package wire keeps to itself how the messages of the peer protocol are encoded
// (BEP 3, 6, 10, 52), and which of them are valid. Everything a peer sends is
// checked here: lengths before memory is allocated for them, numbers against the
// shape of the content, and whether a message may come at this point at all. What a
// Reader returns is valid; whether it was requested is not known here.
//
//	message      length[4] type[1] payload          length 0: keep-alive
//	choke 0, unchoke 1, interested 2, not interested 3
//	have 4       piece[4]
//	bitfield 5   one bit for each piece, the first is the highest
//	request 6    piece[4] begin[4] length[4]        also cancel 8, reject 16
//	piece 7      piece[4] begin[4] block
//	port 9       port[2]
//	suggest 13   piece[4]                           also allowed fast 17
//	have all 14, have none 15
//	extended 20  extension[1] payload
//	hash request 21  root[32] layer[4] index[4] length[4] proofs[4]   also reject 23
//	hashes 22    the same, and hashes of 32 bytes
package wire

import (
	"encoding/binary"
	"fmt"
)

// Type is the type of a message.
type Type uint8

// The types of messages. KeepAlive has no number on the wire.
const (
	Choke         Type = 0
	Unchoke       Type = 1
	Interested    Type = 2
	NotInterested Type = 3
	Have          Type = 4
	Bitfield      Type = 5
	Request       Type = 6
	Piece         Type = 7
	Cancel        Type = 8
	Port          Type = 9
	Suggest       Type = 13
	HaveAll       Type = 14
	HaveNone      Type = 15
	Reject        Type = 16
	AllowedFast   Type = 17
	Extended      Type = 20
	HashRequest   Type = 21
	Hashes        Type = 22
	HashReject    Type = 23
	KeepAlive     Type = 255
)

var names = map[Type]string{
	Choke: "choke", Unchoke: "unchoke", Interested: "interested", NotInterested: "not interested",
	Have: "have", Bitfield: "bitfield", Request: "request", Piece: "piece", Cancel: "cancel", Port: "port",
	Suggest: "suggest", HaveAll: "have all", HaveNone: "have none", Reject: "reject", AllowedFast: "allowed fast",
	Extended: "extended", HashRequest: "hash request", Hashes: "hashes", HashReject: "hash reject", KeepAlive: "keep-alive",
}

func (t Type) String() string {
	if s, ok := names[t]; ok {
		return s
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Limits of the protocol as we speak it.
const (
	// BlockSize is the most we ask for at once, and the longest block we take.
	BlockSize = 16 << 10
	// MaxRequest is the longest block that others may ask of us.
	MaxRequest = 128 << 10
	// MaxPieces bounds bit fields that come before the content is known.
	MaxPieces = 1 << 21
	// MaxExtended is the longest extended message that is read: a block of the
	// info dictionary with its header.
	MaxExtended = BlockSize + 1024
	// MaxHashes is the most hashes that may be asked for at once (BEP 52).
	MaxHashes = 512
	maxLayers = 40      // of a hash tree: 2^40 leaves of 16 KiB
	maxSkip   = 1 << 20 // a longer message of an unknown type is no message
)

// Message is one message. Which fields count depends on Type.
type Message struct {
	Type                 Type
	Ext                  uint8 // of Extended: the number of the extension
	Port                 uint16
	Index, Begin, Length uint32
	// Block is the data of a Piece. Of one that was read, it is the Reader's memory.
	Block []byte
	// Payload is of Extended, and the bits of a Bitfield. Of a message that was
	// read it is valid until the next is read.
	Payload []byte
	// Hash is of the three types of BEP 52.
	Hash *HashSpan
}

// HashSpan names hashes of one layer of a file's hash tree, and carries them in
// a Hashes message (BEP 52).
type HashSpan struct {
	Root                         [32]byte
	Layer, Index, Length, Proofs uint32
	Hashes                       [][32]byte
}

// Layout says how the content is cut into pieces. The zero Layout is of content
// that is not known yet.
type Layout struct {
	Pieces      int
	PieceLength int
	// Last is the length of the last piece.
	Last int
	// Short holds the lengths of other pieces that are shorter than
	// PieceLength, as the last ones of the files of a v2 torrent are. May be nil.
	Short map[int]int
}

// NewLayout is the layout of total bytes cut evenly, as of a v1 torrent.
func NewLayout(total int64, pieceLength int) Layout {
	l := Layout{PieceLength: pieceLength}
	if total > 0 && pieceLength > 0 {
		l.Pieces = int((total + int64(pieceLength) - 1) / int64(pieceLength))
		l.Last = int(total - int64(l.Pieces-1)*int64(pieceLength))
	}
	return l
}

// Known tells whether the content is.
func (l *Layout) Known() bool { return l.PieceLength > 0 }

// Len is the length of piece i, which exists.
func (l *Layout) Len(i int) int {
	if i == l.Pieces-1 {
		return l.Last
	}
	if n, ok := l.Short[i]; ok {
		return n
	}
	return l.PieceLength
}

// Room is how much of piece i may be asked for: its length, or up to the end of the
// last block of a piece in Short. libtorrent asks for whole blocks there, and wants
// zeros after the end.
func (l *Layout) Room(i int) int {
	if _, short := l.Short[i]; short {
		return min(l.PieceLength, l.Blocks(i)*BlockSize)
	}
	return l.Len(i)
}

// Blocks is the number of blocks of piece i.
func (l *Layout) Blocks(i int) int { return (l.Len(i) + BlockSize - 1) / BlockSize }

// BlockLen is the length of block b of piece i.
func (l *Layout) BlockLen(i, b int) int { return min(BlockSize, l.Len(i)-b*BlockSize) }

// Total is the number of bytes of all pieces.
func (l *Layout) Total() int64 {
	if l.Pieces == 0 {
		return 0
	}
	n := int64(l.Pieces-1)*int64(l.PieceLength) + int64(l.Last)
	for _, short := range l.Short {
		n -= int64(l.PieceLength - short)
	}
	return n
}

// Append adds m to b as it goes over the wire. Of a Piece it adds the header
// and the Block; AppendPieceHeader leaves the block to the caller.
func Append(b []byte, m *Message) []byte {
	if m.Type == KeepAlive {
		return append(b, 0, 0, 0, 0)
	}
	start := len(b)
	b = append(b, 0, 0, 0, 0, byte(m.Type))
	switch m.Type {
	case Have, Suggest, AllowedFast:
		b = binary.BigEndian.AppendUint32(b, m.Index)
	case Bitfield:
		b = append(b, m.Payload...)
	case Request, Cancel, Reject:
		b = binary.BigEndian.AppendUint32(b, m.Index)
		b = binary.BigEndian.AppendUint32(b, m.Begin)
		b = binary.BigEndian.AppendUint32(b, m.Length)
	case Piece:
		b = binary.BigEndian.AppendUint32(b, m.Index)
		b = binary.BigEndian.AppendUint32(b, m.Begin)
		b = append(b, m.Block...)
	case Port:
		b = binary.BigEndian.AppendUint16(b, m.Port)
	case Extended:
		b = append(b, m.Ext)
		b = append(b, m.Payload...)
	case HashRequest, Hashes, HashReject:
		b = append(b, m.Hash.Root[:]...)
		for _, n := range [...]uint32{m.Hash.Layer, m.Hash.Index, m.Hash.Length, m.Hash.Proofs} {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		if m.Type == Hashes {
			for i := range m.Hash.Hashes {
				b = append(b, m.Hash.Hashes[i][:]...)
			}
		}
	}
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// PieceHeader is the number of bytes before the block in a Piece message.
const PieceHeader = 13

// AppendPieceHeader adds to b what precedes a block of length bytes.
func AppendPieceHeader(b []byte, index, begin, length uint32) []byte {
	b = binary.BigEndian.AppendUint32(b, 9+length)
	b = append(b, byte(Piece))
	b = binary.BigEndian.AppendUint32(b, index)
	return binary.BigEndian.AppendUint32(b, begin)
}
