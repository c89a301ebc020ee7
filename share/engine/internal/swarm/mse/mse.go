// Package mse keeps to itself how message stream encryption works, the obfuscation
// that BitTorrent clients put around their connections: a Diffie-Hellman exchange,
// then RC4 with keys that follow from it and from the ID of the content. It hides
// the protocol from observers of the packets, and proves nobody's identity.
//
//	A to B   Ya[96] padding
//	B to A   Yb[96] padding
//	A to B   SHA1("req1" S), SHA1("req2" ID) xor SHA1("req3" S),
//	         encrypted: zero[8] methods[4] length[2] padding length[2] first bytes
//	B to A   encrypted: zero[8] method[4] length[2] padding
//
// S is the secret that both can compute from Ya and Yb. What follows is
// encrypted, or in the clear if B chose that method.
package mse

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/rc4"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
)

// The methods of what follows the handshake.
const (
	Clear uint32 = 1
	RC4   uint32 = 2
)

const (
	keyLen = 96
	maxPad = 512
	// maxFirst bounds the first bytes that come with the handshake, which are a
	// BitTorrent handshake and perhaps a few messages.
	maxFirst = 4 << 10
)

var (
	prime, _ = new(big.Int).SetString("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563", 16)
	two      = big.NewInt(2)
	zero8    [8]byte
)

// Conn is a connection after the handshake. Read decrypts; what is to be sent
// is encrypted in place by Seal and written to the connection below, so that
// neither way needs memory of its own.
type Conn struct {
	net.Conn
	in, out *rc4.Cipher // nil in the clear
	rest    []byte      // came with the handshake, in the clear already
}

// Encrypted tells whether anything is.
func (c *Conn) Encrypted() bool { return c.out != nil }

// Read reads in the clear.
func (c *Conn) Read(b []byte) (int, error) {
	if len(c.rest) > 0 {
		n := copy(b, c.rest)
		if c.rest = c.rest[n:]; len(c.rest) == 0 {
			c.rest = nil
		}
		return n, nil
	}
	n, err := c.Conn.Read(b)
	if c.in != nil {
		c.in.XORKeyStream(b[:n], b[:n])
	}
	return n, err
}

// Seal encrypts b, which is to be sent next, in place.
func (c *Conn) Seal(b []byte) {
	if c.out != nil {
		c.out.XORKeyStream(b, b)
	}
}

// Key is what the receiver knows an ID by: SHA1("req2" ID).
func Key(id [20]byte) [20]byte { return digest([]byte("req2"), id[:]) }

func digest(parts ...[]byte) (sum [20]byte) {
	h := sha1.New()
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(sum[:0])
	return sum
}

func xor(a, b [20]byte) (c [20]byte) {
	for i := range a {
		c[i] = a[i] ^ b[i]
	}
	return c
}

// exchange is one end's part of the key exchange.
type exchange struct {
	conn net.Conn
	in   *bufio.Reader
	x    *big.Int
	s    [keyLen]byte
}

func begin(conn net.Conn, in *bufio.Reader) (*exchange, error) {
	var b [20]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, err
	}
	return &exchange{conn: conn, in: in, x: new(big.Int).SetBytes(b[:])}, nil
}

func padding() ([]byte, error) {
	var n [2]byte
	if _, err := rand.Read(n[:]); err != nil {
		return nil, err
	}
	b := make([]byte, int(binary.BigEndian.Uint16(n[:]))%(maxPad+1))
	_, err := rand.Read(b)
	return b, err
}

// offer sends our half.
func (e *exchange) offer() error {
	pad, err := padding()
	if err != nil {
		return err
	}
	b := make([]byte, keyLen, keyLen+len(pad))
	new(big.Int).Exp(two, e.x, prime).FillBytes(b)
	_, err = e.conn.Write(append(b, pad...))
	return err
}

var errKey = errors.New("the peer's half of the key exchange is worthless")

// accept reads the other half.
func (e *exchange) accept() error {
	var b [keyLen]byte
	if _, err := io.ReadFull(e.in, b[:]); err != nil {
		return fmt.Errorf("reading the peer's half of the key exchange: %w", err)
	}
	y := new(big.Int).SetBytes(b[:])
	if y.Cmp(big.NewInt(1)) <= 0 || y.Cmp(new(big.Int).Sub(prime, big.NewInt(1))) >= 0 {
		return errKey
	}
	y.Exp(y, e.x, prime).FillBytes(e.s[:])
	return nil
}

// cipher is the key stream of one direction.
func (e *exchange) cipher(name string, id [20]byte) *rc4.Cipher {
	key := digest([]byte(name), e.s[:], id[:])
	c, err := rc4.NewCipher(key[:])
	if err != nil {
		panic(err) // 20 bytes are a key
	}
	var drop [1024]byte
	c.XORKeyStream(drop[:], drop[:])
	return c
}

var errSync = errors.New("the peer's padding does not end: it does not speak our encryption, or of other content")

// find reads up to and with mark, which comes after at most maxPad bytes.
func (e *exchange) find(mark []byte) error {
	window := make([]byte, len(mark))
	if _, err := io.ReadFull(e.in, window); err != nil {
		return err
	}
	for range maxPad + 1 {
		if bytes.Equal(window, mark) {
			return nil
		}
		c, err := e.in.ReadByte()
		if err != nil {
			return err
		}
		copy(window, window[1:])
		window[len(window)-1] = c
	}
	return errSync
}

// open reads len(b) encrypted bytes.
func (e *exchange) open(c *rc4.Cipher, b []byte) error {
	_, err := io.ReadFull(e.in, b)
	c.XORKeyStream(b, b)
	return err
}

// skip reads encrypted padding, whose length comes first.
func (e *exchange) skip(c *rc4.Cipher) error {
	var n [2]byte
	if err := e.open(c, n[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint16(n[:])
	if size > maxPad {
		return errSync
	}
	return e.open(c, make([]byte, size))
}

// rest is what the reader holds beyond the handshake.
func (e *exchange) rest(c *rc4.Cipher) []byte {
	b, _ := e.in.Peek(e.in.Buffered())
	b = bytes.Clone(b)
	if c != nil {
		c.XORKeyStream(b, b)
	}
	return b
}

// Initiate makes the handshake of the side that connected, about the content
// id. first is sent with it. methods are those that may follow.
func Initiate(conn net.Conn, id [20]byte, first []byte, methods uint32) (*Conn, error) {
	e, err := begin(conn, bufio.NewReaderSize(conn, 1<<10))
	if err != nil {
		return nil, err
	}
	if err := e.offer(); err != nil {
		return nil, fmt.Errorf("sending our half of the key exchange: %w", err)
	}
	if err := e.accept(); err != nil {
		return nil, err
	}
	out, in := e.cipher("keyA", id), e.cipher("keyB", id)
	one := digest([]byte("req1"), e.s[:])
	which := xor(Key(id), digest([]byte("req3"), e.s[:]))
	b := append(one[:], which[:]...)
	plain := append([]byte(nil), zero8[:]...)
	plain = binary.BigEndian.AppendUint32(plain, methods)
	plain = binary.BigEndian.AppendUint16(plain, 0)
	plain = binary.BigEndian.AppendUint16(plain, uint16(len(first)))
	plain = append(plain, first...)
	out.XORKeyStream(plain, plain)
	if _, err := conn.Write(append(b, plain...)); err != nil {
		return nil, fmt.Errorf("sending what content is spoken of: %w", err)
	}
	mark := zero8
	in.XORKeyStream(mark[:], mark[:])
	if err := e.find(mark[:]); err != nil {
		return nil, fmt.Errorf("reading the peer's answer: %w", err)
	}
	var method [4]byte
	if err := e.open(in, method[:]); err != nil {
		return nil, fmt.Errorf("reading the peer's answer: %w", err)
	}
	if err := e.skip(in); err != nil {
		return nil, fmt.Errorf("reading the peer's answer: %w", err)
	}
	return e.finish(binary.BigEndian.Uint32(method[:]), methods, in, out, nil)
}

func (e *exchange) finish(method, allowed uint32, in, out *rc4.Cipher, first []byte) (*Conn, error) {
	switch {
	case method&allowed != method || method != Clear && method != RC4:
		return nil, fmt.Errorf("the peer chose method %#x of %#x", method, allowed)
	case method == Clear:
		return &Conn{Conn: e.conn, rest: append(first, e.rest(nil)...)}, nil
	}
	return &Conn{Conn: e.conn, in: in, out: out, rest: append(first, e.rest(in)...)}, nil
}

// Receive makes the handshake of the side that was connected to. in reads from
// conn, of which something may have been read ahead. find gives the ID of the
// content with a Key. allowed are the methods that may follow; in the clear is
// preferred, since it costs nothing.
func Receive(conn net.Conn, in *bufio.Reader, find func(key [20]byte) (id [20]byte, ok bool), allowed uint32) (*Conn, [20]byte, error) {
	none := [20]byte{}
	e, err := begin(conn, in)
	if err != nil {
		return nil, none, err
	}
	if err := e.accept(); err != nil {
		return nil, none, err
	}
	if err := e.offer(); err != nil {
		return nil, none, fmt.Errorf("sending our half of the key exchange: %w", err)
	}
	one := digest([]byte("req1"), e.s[:])
	if err := e.find(one[:]); err != nil {
		return nil, none, fmt.Errorf("reading what content is spoken of: %w", err)
	}
	var which [20]byte
	if _, err := io.ReadFull(e.in, which[:]); err != nil {
		return nil, none, fmt.Errorf("reading what content is spoken of: %w", err)
	}
	id, ok := find(xor(which, digest([]byte("req3"), e.s[:])))
	if !ok {
		return nil, none, errors.New("the peer speaks of content that is not here")
	}
	inCipher, out := e.cipher("keyA", id), e.cipher("keyB", id)
	var head [12]byte
	if err := e.open(inCipher, head[:]); err != nil {
		return nil, none, fmt.Errorf("reading the peer's methods: %w", err)
	}
	if [8]byte(head[:]) != zero8 {
		return nil, none, errSync
	}
	method := binary.BigEndian.Uint32(head[8:]) & allowed
	switch {
	case method&Clear != 0:
		method = Clear
	case method&RC4 != 0:
		method = RC4
	default:
		return nil, none, fmt.Errorf("the peer offers methods %#x, we allow %#x", binary.BigEndian.Uint32(head[8:]), allowed)
	}
	if err := e.skip(inCipher); err != nil {
		return nil, none, fmt.Errorf("reading the peer's padding: %w", err)
	}
	var n [2]byte
	if err := e.open(inCipher, n[:]); err != nil {
		return nil, none, fmt.Errorf("reading the peer's first bytes: %w", err)
	}
	size := int(binary.BigEndian.Uint16(n[:]))
	if size > maxFirst {
		return nil, none, fmt.Errorf("the peer sends %d bytes with the handshake", size)
	}
	first := make([]byte, size)
	if err := e.open(inCipher, first); err != nil {
		return nil, none, fmt.Errorf("reading the peer's first bytes: %w", err)
	}
	answer := append([]byte(nil), zero8[:]...)
	answer = binary.BigEndian.AppendUint32(answer, method)
	answer = binary.BigEndian.AppendUint16(answer, 0)
	out.XORKeyStream(answer, answer)
	if _, err := conn.Write(answer); err != nil {
		return nil, none, fmt.Errorf("answering: %w", err)
	}
	c, err := e.finish(method, allowed, inCipher, out, first)
	return c, id, err
}

// Plain is a connection in the clear of which in has read ahead.
func Plain(conn net.Conn, in *bufio.Reader) *Conn {
	e := &exchange{in: in}
	return &Conn{Conn: conn, rest: e.rest(nil)}
}
