package infofetch

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/bencode"
)

// The parts of the wire protocol that are used here:
//
//	handshake  19 "BitTorrent protocol" reserved[8] ID[20] peer-id[20]   BEP 3
//	message    length[4] type[1] payload
//	extended   type 20, extension[1], bencoded dictionary, data          BEP 10
const (
	protocol     = "\x13BitTorrent protocol"
	handshakeLen = len(protocol) + 8 + 20 + 20

	typePort     = 9
	typeExtended = 20

	// Our numbers of the extensions, which peers use in messages to us.
	ourMetadata = 1
	ourPEX      = 2

	blockSize = 16 << 10
	// A longer extended message is skipped. The longest useful one is a block with
	// its header.
	maxExtended = blockSize + 1024
	// A longer message is invalid: a bit field of 8 million pieces fits.
	maxMessage = 1 << 20
)

func handshake(id share.ID, peerID [20]byte, dht bool) []byte {
	b := make([]byte, 0, handshakeLen)
	b = append(b, protocol...)
	var reserved [8]byte
	reserved[5] = 0x10 // BEP 10
	if dht {
		reserved[7] = 0x01 // BEP 5
	}
	b = append(b, reserved[:]...)
	b = append(b, id[:]...)
	return append(b, peerID[:]...)
}

var (
	errNotBitTorrent = errors.New("the peer does not speak unencrypted BitTorrent")
	errOtherContent  = errors.New("the peer has other content")
	errNoExtensions  = errors.New("the peer does not support extensions")
)

// readHandshake checks the peer's side of the handshake.
func readHandshake(r io.Reader, id share.ID) error {
	var b [handshakeLen]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return fmt.Errorf("%w: %w", errNotBitTorrent, err)
	}
	if string(b[:len(protocol)]) != protocol {
		return errNotBitTorrent
	}
	reserved := b[len(protocol):]
	if !bytes.Equal(reserved[8:28], id[:]) {
		return errOtherContent
	}
	if reserved[5]&0x10 == 0 {
		return errNoExtensions
	}
	return nil
}

// message is a message of a type that is used here; others are skipped.
type message struct {
	port    uint16 // of a PORT message
	ext     byte
	payload []byte // of an extended message
	kind    byte
}

// readMessage returns the next PORT or extended message of useful size. The
// payload is valid until the next call; buf is its memory.
func readMessage(r *bufio.Reader, buf []byte) (message, error) {
	for {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return message{}, fmt.Errorf("reading a message: %w", err)
		}
		n := int(binary.BigEndian.Uint32(head[:]))
		if n == 0 {
			continue
		}
		if n > maxMessage {
			return message{}, fmt.Errorf("a message of %d bytes", n)
		}
		kind, err := r.ReadByte()
		if err != nil {
			return message{}, fmt.Errorf("reading a message: %w", err)
		}
		n--
		switch {
		case kind == typePort && n == 2:
			if _, err := io.ReadFull(r, head[:2]); err != nil {
				return message{}, fmt.Errorf("reading a message: %w", err)
			}
			return message{kind: kind, port: binary.BigEndian.Uint16(head[:2])}, nil
		case kind == typeExtended && n >= 1 && n <= len(buf):
			if _, err := io.ReadFull(r, buf[:n]); err != nil {
				return message{}, fmt.Errorf("reading a message: %w", err)
			}
			return message{kind: kind, ext: buf[0], payload: buf[1:n]}, nil
		}
		if _, err := r.Discard(n); err != nil {
			return message{}, fmt.Errorf("skipping a message: %w", err)
		}
	}
}

func extended(ext byte, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload)+2))
	b = append(b, typeExtended, ext)
	return append(b, payload...)
}

// extensionHandshake is our BEP 10 handshake.
func extensionHandshake(client string, port uint16) []byte {
	b := []byte("d1:md")
	b = bencode.AppendInt(bencode.AppendString(b, "ut_metadata"), ourMetadata)
	b = bencode.AppendInt(bencode.AppendString(b, "ut_pex"), ourPEX)
	b = append(b, 'e')
	if port != 0 {
		b = bencode.AppendInt(bencode.AppendString(b, "p"), int64(port))
	}
	if client != "" {
		b = bencode.AppendString(bencode.AppendString(b, "v"), client)
	}
	return extended(0, append(b, 'e'))
}

// The kinds of ut_metadata messages (BEP 9).
const (
	metaRequest = 0
	metaData    = 1
	metaReject  = 2
)

func metadataRequest(ext byte, piece int) []byte {
	b := []byte("d")
	b = bencode.AppendInt(bencode.AppendString(b, "msg_type"), metaRequest)
	b = bencode.AppendInt(bencode.AppendString(b, "piece"), int64(piece))
	return extended(ext, append(b, 'e'))
}

func metadataReject(ext byte, piece int64) []byte {
	b := []byte("d")
	b = bencode.AppendInt(bencode.AppendString(b, "msg_type"), metaReject)
	b = bencode.AppendInt(bencode.AppendString(b, "piece"), piece)
	return extended(ext, append(b, 'e'))
}
