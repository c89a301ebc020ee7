package core

import (
	"encoding/binary"
	"errors"
	"time"
)

type kind uint8

const (
	kindData  kind = 0
	kindFin   kind = 1
	kindState kind = 2
	kindReset kind = 3
	kindSyn   kind = 4
)

const (
	headerSize = 20
	version    = 1

	extSelective = 1
	// A number that no implementation gives a meaning to.
	extPadding = 0x70

	// Selective acknowledgements cover at most so many packets, and no receiver
	// keeps more than that out of order.
	maxReorder = 1024
	// The extensions of an honest packet are at most three.
	maxExtensions = 8
)

var errPacket = errors.New("utp: malformed packet")

// packet is a datagram, decoded.
type packet struct {
	kind       kind
	id         uint16
	timestamp  uint32
	difference uint32
	window     uint32
	seq, ack   uint16
	selective  []byte // nil if there is none
	padding    int    // bytes by which the datagram is made longer: 0, or 2 to 257
	payload    []byte
}

// decode reads a datagram. The packet's slices are parts of b.
func decode(b []byte) (packet, error) {
	if len(b) < headerSize || b[0]&0xf != version || b[0]>>4 > byte(kindSyn) {
		return packet{}, errPacket
	}
	p := packet{
		kind:       kind(b[0] >> 4),
		id:         binary.BigEndian.Uint16(b[2:]),
		timestamp:  binary.BigEndian.Uint32(b[4:]),
		difference: binary.BigEndian.Uint32(b[8:]),
		window:     binary.BigEndian.Uint32(b[12:]),
		seq:        binary.BigEndian.Uint16(b[16:]),
		ack:        binary.BigEndian.Uint16(b[18:]),
	}
	ext := b[1]
	b = b[headerSize:]
	for n := 0; ext != 0; n++ {
		if n == maxExtensions || len(b) < 2 || len(b) < 2+int(b[1]) {
			return packet{}, errPacket
		}
		body := b[2 : 2+int(b[1])]
		switch ext {
		case extSelective:
			// BEP 29 wants a multiple of four bytes; libtorrent sends one.
			if len(body) == 0 || p.selective != nil {
				return packet{}, errPacket
			}
			p.selective = body[:min(len(body), maxReorder/8)]
		case extPadding:
			p.padding += 2 + len(body)
		}
		ext, b = b[0], b[2+len(body):]
	}
	if p.kind == kindData {
		// Data of a SYN or FIN has no meaning, and the others have no number for it.
		p.payload = b
	}
	return p, nil
}

// size is that of the datagram.
func (p *packet) size() int {
	n := headerSize + p.padding + len(p.payload)
	if len(p.selective) > 0 {
		n += 2 + len(p.selective)
	}
	return n
}

// append adds the datagram to b.
func (p *packet) append(b []byte) []byte {
	at := len(b)
	b = append(b, byte(p.kind)<<4|version, 0)
	b = binary.BigEndian.AppendUint16(b, p.id)
	b = binary.BigEndian.AppendUint32(b, p.timestamp)
	b = binary.BigEndian.AppendUint32(b, p.difference)
	b = binary.BigEndian.AppendUint32(b, p.window)
	b = binary.BigEndian.AppendUint16(b, p.seq)
	b = binary.BigEndian.AppendUint16(b, p.ack)
	next := at + 1 // where the kind of the next extension stands
	if len(p.selective) > 0 {
		b[next], next = extSelective, len(b)
		b = append(b, 0, byte(len(p.selective)))
		b = append(b, p.selective...)
	}
	if p.padding > 0 {
		b[next] = extPadding
		b = append(b, 0, byte(p.padding-2))
		b = append(b, make([]byte, p.padding-2)...)
	}
	return append(b, p.payload...)
}

// before reports whether a comes before b, where numbers wrap.
func before(a, b uint16) bool { return int16(a-b) < 0 }

// Header is what tells to which connection of an address a datagram belongs.
type Header struct {
	ID         uint16
	Seq        uint16
	Syn, Reset bool
}

// ParseHeader reads the begin of a datagram; false if it is no uTP.
func ParseHeader(b []byte) (Header, bool) {
	if len(b) < headerSize || b[0]&0xf != version || b[0]>>4 > byte(kindSyn) {
		return Header{}, false
	}
	k := kind(b[0] >> 4)
	return Header{
		ID: binary.BigEndian.Uint16(b[2:]), Seq: binary.BigEndian.Uint16(b[16:]),
		Syn: k == kindSyn, Reset: k == kindReset,
	}, true
}

// AppendReset adds the answer to a datagram that is of no connection to b.
func AppendReset(b []byte, now time.Duration, to Header) []byte {
	p := packet{kind: kindReset, id: to.ID, timestamp: uint32(now.Microseconds()), ack: to.Seq}
	return p.append(b)
}
