// Package opening keeps to itself how the first bytes of a connection show what is
// spoken on it:
//
//	\x13BitTorrent protocol             the peer protocol in the clear
//	\x16 \x03 0..4 length[2] \x01       TLS: the record of a ClientHello (RFC 8446)
//	GET, HEAD, POST and so on, " /"     HTTP/1 (RFC 9112)
//	anything else                       message stream encryption (package mse)
//
// Encryption begins with the 96 bytes of a public key, which look random: one key in
// 800 million looks like TLS, one in 10^12 like HTTP. Who encrypts makes a new key for
// each connection.
package opening

import (
	"bufio"
	"net"
)

// Kind is what is spoken on a connection.
type Kind uint8

// The kinds. No first byte leaves Unclear for longer than a few others.
const (
	Unclear    Kind = iota // more bytes are needed
	BitTorrent             // in the clear
	TLS
	HTTP
	Encrypted // or what nobody knows
)

// Greeting begins a connection in the clear (BEP 3).
const Greeting = "\x13BitTorrent protocol"

// helloLen is how much of a TLS record shows that it is a ClientHello.
const helloLen = 6

// methods are the requests that a browser, a script or a program may begin with.
var methods = [...]string{"GET /", "HEAD /", "POST /", "PUT /", "PATCH /", "DELETE /", "OPTIONS /"}

// Decide tells what a connection that begins with b is. Once that is clear, no further
// byte changes it.
func Decide(b []byte) Kind {
	k := Encrypted
	found := func(kind Kind, is, may bool) {
		if is {
			k = kind
		} else if may {
			k = Unclear
		}
	}
	is, may := begins(b, Greeting)
	found(BitTorrent, is, may)
	is, may = clientHello(b)
	found(TLS, is, may)
	for _, m := range methods {
		is, may = begins(b, m)
		found(HTTP, is, may)
	}
	return k
}

// begins tells whether b begins with whole, or may when more of it has come.
func begins(b []byte, whole string) (is, may bool) {
	n := min(len(b), len(whole))
	may = string(b[:n]) == whole[:n]
	return may && n == len(whole), may
}

func clientHello(b []byte) (is, may bool) {
	b = b[:min(len(b), helloLen)]
	for i, c := range b {
		switch {
		case i == 0 && c != 0x16, // a record of a handshake
			i == 1 && c != 3, i == 2 && c > 4, // SSL 3.0 to TLS 1.3
			i == 5 && c != 1: // client_hello
			return false, false
		}
	}
	return len(b) == helloLen, true
}

// Read waits until it is clear what is spoken, and for no byte more. It leaves what
// came in r, whose buffer must hold twenty bytes.
func Read(r *bufio.Reader) (Kind, error) {
	for {
		b, err := r.Peek(max(r.Buffered(), 1))
		if err != nil {
			return Unclear, err
		}
		if k := Decide(b); k != Unclear {
			return k, nil
		}
		if _, err := r.Peek(len(b) + 1); err != nil {
			return Unclear, err
		}
	}
}

// Conn is a connection of which something was read, which its reader gets first.
type Conn struct {
	net.Conn
	read []byte
}

// Again is conn as if nobody had read from it. read is what was.
func Again(conn net.Conn, read []byte) *Conn { return &Conn{Conn: conn, read: read} }

func (c *Conn) Read(b []byte) (int, error) {
	if len(c.read) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.read)
	if c.read = c.read[n:]; len(c.read) == 0 {
		c.read = nil
	}
	return n, nil
}

// NetConn is the connection that was read from.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// CloseWrite ends what we send, if the connection can. A server waits for its client
// then: what was sent last would be lost otherwise.
func (c *Conn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}
