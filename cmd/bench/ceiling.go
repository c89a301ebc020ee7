//go:build linux

package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Null peers hash nothing and keep nothing: what the client at the other end does with
// one is the most that this client can do with anybody.

// layout is how the content is cut into pieces.
type layout struct {
	PieceLength int64 `json:"piece_length"`
	Total       int64 `json:"total"`
}

func (l layout) pieces() int { return int((l.Total + l.PieceLength - 1) / l.PieceLength) }

// readLayout asks libtorrent.
func (b *bench) readLayout() (l layout, err error) {
	p, err := b.start("/usr/bin/python3", b.script, "layout", b.torrent, "-")
	if err != nil {
		return l, err
	}
	if err := json.NewDecoder(p.lines).Decode(&l); err != nil {
		return l, fmt.Errorf("reading the layout of %s: %w", b.torrent, err)
	}
	return l, p.wait()
}

// The messages of BEP 3 that a null peer knows, by their numbers.
const (
	msgUnchoke    = 1
	msgInterested = 2
	msgBitfield   = 5
	msgRequest    = 6
	msgPiece      = 7
)

const (
	blockLength = 16 << 10
	// outstanding is how many requests a null sink keeps open: more than any line
	// of a loopback needs.
	outstanding = 400
)

// greet exchanges handshakes.
func greet(c net.Conn, r io.Reader, id string) error {
	hash, err := hex.DecodeString(id)
	if err != nil {
		return err
	}
	b := append([]byte("\x13BitTorrent protocol\x00\x00\x00\x00\x00\x00\x00\x00"), hash...)
	b = append(b, "-XX0000-ofthebenchmk"...)
	if _, err := c.Write(b); err != nil {
		return err
	}
	_, err = io.ReadFull(r, b)
	return err
}

// next reads a message up to its payload of n bytes; kind is -1 for a keep-alive.
func next(r *bufio.Reader) (kind int, n int, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, 0, err
	}
	if n = int(binary.BigEndian.Uint32(head[:])); n == 0 {
		return -1, 0, nil
	}
	k, err := r.ReadByte()
	return int(k), n - 1, err
}

func message(b []byte, kind byte, payload ...uint32) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(1+4*len(payload)))
	b = append(b, kind)
	for _, v := range payload {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// meet connects to a seed, which may not be ready at once.
func (b *bench) meet() (c net.Conn, r *bufio.Reader, err error) {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if c, err = net.Dial("tcp", seederAddress); err == nil {
			r = bufio.NewReaderSize(c, 1<<20)
			if err = greet(c, r, b.id); err == nil {
				return c, r, nil
			}
			c.Close()
		}
		if time.Now().After(deadline) {
			return nil, nil, fmt.Errorf("libtorrent's seed does not answer: %w", err)
		}
	}
}

// nullSink takes everything from a seed and passes it to keep. It tells how long that
// took once the seed had answered.
func (b *bench) nullSink(l layout, keep io.Writer) (float64, error) {
	c, r, err := b.meet()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	began := time.Now()
	if _, err := c.Write(message(nil, msgInterested)); err != nil {
		return 0, err
	}
	var at int64 // of the next request
	ask := func(n int) error {
		var out []byte
		for ; n > 0 && at < l.Total; n-- {
			begin := at % l.PieceLength
			length := min(blockLength, l.PieceLength-begin, l.Total-at)
			out = message(out, msgRequest, uint32(at/l.PieceLength), uint32(begin), uint32(length))
			at += length
		}
		_, err := c.Write(out)
		return err
	}
	for got, owed := int64(0), 0; got < l.Total; {
		kind, n, err := next(r)
		if err != nil {
			return 0, fmt.Errorf("from libtorrent's seed, after %d bytes: %w", got, err)
		}
		if err := pass(r, kind, n, keep); err != nil {
			return 0, err
		}
		switch kind {
		case msgUnchoke:
			err = ask(outstanding)
		case msgPiece:
			got += int64(n) - 8
			if owed++; owed == outstanding/8 {
				err, owed = ask(owed), 0
			}
		}
		if err != nil {
			return 0, err
		}
	}
	return time.Since(began).Seconds(), nil
}

// pass takes the payload of a message; what is in a piece message goes to keep.
func pass(r *bufio.Reader, kind, n int, keep io.Writer) error {
	if kind != msgPiece {
		_, err := r.Discard(n)
		return err
	}
	b, err := r.Peek(n)
	if err != nil {
		return err
	}
	if _, err := keep.Write(b[8:]); err != nil {
		return err
	}
	_, err = r.Discard(n)
	return err
}

// bareSink does only what a download cannot do without: it hashes with SHA-1 and
// writes to a file. It tells the CPU time of that, too.
func (b *bench) bareSink(l layout) (seconds, cpu float64, err error) {
	dir, err := b.scratch()
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	f, err := os.Create(filepath.Join(dir, "content"))
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	before, err := ownCPU()
	if err != nil {
		return 0, 0, err
	}
	file := bufio.NewWriterSize(f, 256<<10)
	if seconds, err = b.nullSink(l, io.MultiWriter(sha1.New(), file)); err != nil {
		return 0, 0, err
	}
	if err := file.Flush(); err != nil {
		return 0, 0, err
	}
	after, err := ownCPU()
	return seconds, after - before, err
}

// ownCPU is the CPU time of this process in seconds.
func ownCPU() (float64, error) {
	var u unix.Rusage
	err := unix.Getrusage(unix.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9, err
}

// nullSource serves the content to one peer, until it is ended.
func (b *bench) nullSource(l layout) (end func(), err error) {
	data, err := os.Open(b.content)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", seederAddress)
	if err != nil {
		data.Close()
		return nil, err
	}
	done := make(chan error, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			done <- nil
			return
		}
		defer c.Close()
		done <- b.serveFrom(c, data, l)
	}()
	return func() { ln.Close(); <-done; data.Close() }, nil
}

// serveFrom answers all requests of one peer.
func (b *bench) serveFrom(c net.Conn, data io.ReaderAt, l layout) error {
	r := bufio.NewReaderSize(c, 1<<16)
	if err := greet(c, r, b.id); err != nil {
		return err
	}
	bits := make([]byte, (l.pieces()+7)/8)
	for i := range l.pieces() {
		bits[i/8] |= 0x80 >> (i % 8)
	}
	hello := binary.BigEndian.AppendUint32(nil, uint32(1+len(bits)))
	hello = append(append(hello, msgBitfield), bits...)
	if _, err := c.Write(message(hello, msgUnchoke)); err != nil {
		return err
	}
	var out []byte
	for {
		// What was asked for leaves before the next message is waited for.
		if len(out) > 0 && (r.Buffered() < 17 || len(out) >= 512<<10) {
			if _, err := c.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
		kind, n, err := next(r)
		if err != nil {
			return err
		}
		if kind != msgRequest {
			if _, err := r.Discard(max(n, 0)); err != nil {
				return err
			}
			continue
		}
		var ask [12]byte
		if _, err := io.ReadFull(r, ask[:]); err != nil {
			return err
		}
		index, begin, length := binary.BigEndian.Uint32(ask[:]), binary.BigEndian.Uint32(ask[4:]), binary.BigEndian.Uint32(ask[8:])
		at := int64(index)*l.PieceLength + int64(begin)
		if at+int64(length) > l.Total {
			return errors.New("a request beyond the end")
		}
		out = binary.BigEndian.AppendUint32(out, 9+length)
		out = append(append(out, msgPiece), ask[:8]...)
		from := len(out)
		out = slices.Grow(out, int(length))[:from+int(length)]
		if _, err := data.ReadAt(out[from:], at); err != nil {
			return err
		}
	}
}
