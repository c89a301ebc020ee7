package punch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// Name is the name of the extension in the handshake of BEP 10.
const Name = "ut_holepunch"

// Kind is what a message says.
type Kind uint8

// The kinds of messages.
const (
	Rendezvous Kind = 0 // introduce me to Addr
	Connect    Kind = 1 // call Addr now: it calls you
	Failed     Kind = 2 // no introduction to Addr, for Code
)

// Code is why there was no introduction.
type Code uint32

// The codes of BEP 55.
const (
	NoPeer       Code = 1 // there is no such address
	NotConnected Code = 2 // we are not connected with it
	NoSupport    Code = 3 // it does not know hole punching
	NoSelf       Code = 4 // it is you
)

// Message is a message of BEP 55:
//
//	type[1] addrtype[1] addr[4 or 16] port[2] [error[4]]
type Message struct {
	Kind Kind
	Addr netip.AddrPort
	Code Code
}

// Append adds the message to b.
func (m Message) Append(b []byte) []byte {
	addr := m.Addr.Addr().Unmap()
	family := byte(0)
	if addr.Is6() {
		family = 1
	}
	b = append(append(b, byte(m.Kind), family), addr.AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, m.Addr.Port())
	return binary.BigEndian.AppendUint32(b, uint32(m.Code))
}

var errMessage = errors.New("a message about hole punching is malformed")

// Parse reads a message. Some clients leave the code out where there is none.
func Parse(b []byte) (m Message, err error) {
	if len(b) < 2 {
		return m, errMessage
	}
	size := 4
	switch b[1] {
	case 0:
	case 1:
		size = 16
	default:
		return m, fmt.Errorf("%w: address type %d", errMessage, b[1])
	}
	rest := b[2:]
	if len(rest) != size+2 && len(rest) != size+6 || Kind(b[0]) > Failed {
		return m, errMessage
	}
	addr, _ := netip.AddrFromSlice(rest[:size])
	m = Message{Kind: Kind(b[0]), Addr: netip.AddrPortFrom(addr, binary.BigEndian.Uint16(rest[size:]))}
	if len(rest) == size+6 {
		m.Code = Code(binary.BigEndian.Uint32(rest[size+2:]))
	}
	return m, nil
}
