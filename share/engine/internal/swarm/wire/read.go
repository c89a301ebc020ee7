package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"
	"sync/atomic"
)

// Error is what a peer did against the protocol. It ends the connection.
type Error struct{ what string }

func (e *Error) Error() string { return e.what }

func wrong(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// IsPeersFault tells whether err is a breach of the protocol, not a failure of
// the connection.
func IsPeersFault(err error) bool {
	var e *Error
	return errors.As(err, &e)
}

// ReaderConfig is what a Reader needs.
type ReaderConfig struct {
	// Fast, Extended and V2 tell what both sides offered in the handshake: BEP
	// 6, 10 and 52.
	Fast, Extended, V2 bool
	// Refill is called before more is read from the connection: the memory of the
	// blocks that came is used again. Its error ends Read. It may be nil.
	Refill func() error
	// Buffer is the size of the read buffer, which an idle connection keeps;
	// 1 KiB if 0.
	Buffer int
}

// While more waits on a connection than its own buffer takes, it has a large one.
// A peer that stops just then keeps it, so there are only so many: a connection
// that gets none reads block by block.
const (
	largeBuffer  = 16 * (4 + 9 + BlockSize) // whole blocks
	largeBuffers = 32
)

var (
	larges = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
	lent   atomic.Int32 // large buffers in use
	blocks = sync.Pool{New: func() any { return new([BlockSize]byte) }}
)

// Reader reads the messages of one peer. SetLayout and SpeakV2 may be called while
// another goroutine reads.
type Reader struct {
	cfg    ReaderConfig
	in     io.Reader
	buf    []byte // own, or large
	r, w   int
	own    []byte
	large  *[largeBuffer]byte // nil if it has none
	block  *[BlockSize]byte   // memory of the last block, if that is not in buf
	busy   bool               // the last read filled the buffer: more waits
	layout atomic.Pointer[Layout]
	v2     atomic.Bool
	long   []byte // memory of one payload that is longer than the buffer

	availability bool // a bit field, have all or have none came
	moved        bool // a have or a request came: availability is late
}

// NewReader reads messages from in, which begins after the handshake.
func NewReader(in io.Reader, cfg ReaderConfig) *Reader {
	if cfg.Buffer == 0 {
		cfg.Buffer = 1 << 10
	}
	r := &Reader{cfg: cfg, in: in, own: make([]byte, max(cfg.Buffer, 64))}
	r.buf = r.own
	r.layout.Store(&Layout{})
	r.v2.Store(cfg.V2)
	return r
}

// SetLayout tells what the content is, once it is known.
func (r *Reader) SetLayout(l *Layout) { r.layout.Store(l) }

// SpeakV2 lets messages of BEP 52 through, once it is known that both sides know the
// content by that.
func (r *Reader) SpeakV2() { r.v2.Store(true) }

// Release gives back what the Reader has borrowed. Nothing may be read after it.
func (r *Reader) Release() {
	r.giveBlock()
	r.giveLarge()
}

func (r *Reader) giveBlock() {
	if r.block != nil {
		blocks.Put(r.block)
		r.block = nil
	}
}

func (r *Reader) giveLarge() {
	if r.large != nil {
		larges.Put(r.large)
		lent.Add(-1)
		r.large = nil
	}
}

// borrow has a large buffer, if there is one.
func (r *Reader) borrow() bool {
	if r.large != nil {
		return true
	}
	if lent.Add(1) > largeBuffers {
		lent.Add(-1)
		return false
	}
	r.large = larges.Get().(*[largeBuffer]byte)
	r.w = copy(r.large[:], r.buf[r.r:r.w])
	r.r, r.buf = 0, r.large[:]
	return true
}

// refill is to be called before more is read from the connection. A large buffer is
// given back when no more waits and what is left of it fits the own one.
func (r *Reader) refill() error {
	if r.cfg.Refill != nil {
		if err := r.cfg.Refill(); err != nil {
			return err
		}
	}
	if r.large != nil && !r.busy && r.w-r.r <= len(r.own) {
		r.w = copy(r.own, r.buf[r.r:r.w])
		r.giveLarge()
		r.buf, r.r = r.own, 0
	}
	return nil
}

// fill sees to it that n bytes are in the buffer, which holds as many.
func (r *Reader) fill(n int) error {
	if r.w-r.r >= n {
		return nil
	}
	if err := r.refill(); err != nil {
		return err
	}
	if r.r > 0 {
		copy(r.buf, r.buf[r.r:r.w])
		r.w -= r.r
		r.r = 0
	}
	got, err := io.ReadAtLeast(r.in, r.buf[r.w:], n-r.w)
	r.w += got
	r.busy = r.w == len(r.buf)
	return err
}

// full reads len(b) bytes into b.
func (r *Reader) full(b []byte) error {
	n := copy(b, r.buf[r.r:r.w])
	r.r += n
	if n == len(b) {
		return nil
	}
	r.busy = false
	if err := r.refill(); err != nil {
		return err
	}
	_, err := io.ReadFull(r.in, b[n:])
	return noEOF(err)
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// skip throws n bytes away.
func (r *Reader) skip(n int) error {
	for n > 0 {
		if r.r == r.w {
			r.r, r.w = 0, 0
			if err := r.fill(1); err != nil {
				return noEOF(err)
			}
		}
		k := min(n, r.w-r.r)
		r.r += k
		n -= k
	}
	return nil
}

// payload is the next n bytes. They follow the data that arrives, so that a
// peer that names a length takes no memory by it.
func (r *Reader) payload(n int) ([]byte, error) {
	if n <= max(len(r.own), r.w-r.r) {
		if err := r.fill(n); err != nil {
			return nil, noEOF(err)
		}
		b := r.buf[r.r : r.r+n : r.r+n]
		r.r += n
		return b, nil
	}
	const step = 32 << 10
	r.long = make([]byte, 0, min(n, step))
	for len(r.long) < n {
		have := len(r.long)
		next := min(n, max(have*2, step))
		if cap(r.long) < next {
			grown := make([]byte, have, next)
			copy(grown, r.long)
			r.long = grown
		}
		r.long = r.long[:next]
		if err := r.full(r.long[have:]); err != nil {
			return nil, err
		}
	}
	return r.long, nil
}

// Read reads the next message into m. Messages of unknown types, and of
// extensions that were not agreed on, are skipped. An error for which
// IsPeersFault holds is the peer's; io.EOF is the end between two messages.
//
// A block is valid until Refill is called. Until then a later one may be appended to
// it: where it has capacity for that, what lies there has been read.
func (r *Reader) Read(m *Message) error {
	r.long = nil
	if r.block != nil {
		if err := r.refill(); err != nil {
			return err
		}
		r.giveBlock()
	}
	for {
		*m = Message{}
		if err := r.fill(4); err != nil {
			if r.w > r.r {
				return noEOF(err)
			}
			return err
		}
		n := binary.BigEndian.Uint32(r.buf[r.r:])
		r.r += 4
		if n == 0 {
			m.Type = KeepAlive
			return nil
		}
		if err := r.fill(1); err != nil {
			return noEOF(err)
		}
		m.Type = Type(r.buf[r.r])
		r.r++
		skipped, err := r.body(m, n-1)
		if err != nil || !skipped {
			return err
		}
	}
}

// fixed is the length of payloads that have one.
func fixed(t Type) (uint32, bool) {
	switch t {
	case Choke, Unchoke, Interested, NotInterested, HaveAll, HaveNone:
		return 0, true
	case Have, Suggest, AllowedFast:
		return 4, true
	case Request, Cancel, Reject:
		return 12, true
	case Port:
		return 2, true
	case HashRequest, HashReject:
		return 48, true
	}
	return 0, false
}

func (r *Reader) body(m *Message, n uint32) (skipped bool, err error) {
	switch m.Type {
	case Suggest, HaveAll, HaveNone, Reject, AllowedFast:
		if !r.cfg.Fast {
			return false, wrong("a %v message without the fast extension", m.Type)
		}
	case HashRequest, Hashes, HashReject:
		if !r.v2.Load() {
			return true, r.unknown(m.Type, n)
		}
	}
	if want, ok := fixed(m.Type); ok {
		if n != want {
			return false, wrong("a %v message of %d bytes", m.Type, n)
		}
		b, err := r.payload(int(n))
		if err != nil {
			return false, err
		}
		return false, r.small(m, b)
	}
	switch m.Type {
	case Bitfield:
		return false, r.bitfield(m, n)
	case Piece:
		return false, r.piece(m, n)
	case Extended:
		return r.extended(m, n)
	case Hashes:
		return false, r.hashes(m, n)
	}
	return true, r.unknown(m.Type, n)
}

func (r *Reader) unknown(t Type, n uint32) error {
	if n > maxSkip {
		return wrong("a message of type %d with %d bytes", uint8(t), n)
	}
	return r.skip(int(n))
}

// small takes the messages whose length is fixed.
func (r *Reader) small(m *Message, b []byte) error {
	switch m.Type {
	case HaveAll, HaveNone:
		return r.first(m.Type)
	case Have, Suggest, AllowedFast:
		m.Index = binary.BigEndian.Uint32(b)
		r.moved = r.moved || m.Type == Have
		return r.inRange(m)
	case Request, Cancel, Reject:
		m.Index = binary.BigEndian.Uint32(b)
		m.Begin = binary.BigEndian.Uint32(b[4:])
		m.Length = binary.BigEndian.Uint32(b[8:])
		r.moved = true
		return r.span(m, MaxRequest)
	case Port:
		m.Port = binary.BigEndian.Uint16(b)
	case HashRequest, HashReject:
		return hashSpan(m, b)
	}
	return nil
}

// first allows that a peer has nothing to be said only before anything else of
// what it has. That it has more may come later, too: aria2 sends a bit field in
// place of many haves.
func (r *Reader) first(t Type) error {
	if t == HaveNone && (r.availability || r.moved) {
		return wrong("a %v message that is not the first", t)
	}
	r.availability = true
	return nil
}

func (r *Reader) inRange(m *Message) error {
	pieces := MaxPieces
	if l := r.layout.Load(); l.Known() {
		pieces = l.Pieces
	}
	if int64(m.Index) >= int64(pieces) {
		return wrong("a %v message for piece %d of %d", m.Type, m.Index, pieces)
	}
	return nil
}

func (r *Reader) span(m *Message, longest uint32) error {
	l := r.layout.Load()
	if !l.Known() {
		return wrong("a %v message before the content is known", m.Type)
	}
	if err := r.inRange(m); err != nil {
		return err
	}
	size := uint64(l.Len(int(m.Index)))
	if m.Type == Request || m.Type == Cancel {
		size = uint64(l.Room(int(m.Index)))
	}
	if m.Length == 0 || m.Length > longest || uint64(m.Begin)+uint64(m.Length) > size {
		return wrong("a %v message for %d bytes at %d of a piece of %d", m.Type, m.Length, m.Begin, size)
	}
	return nil
}

func (r *Reader) bitfield(m *Message, n uint32) error {
	if err := r.first(Bitfield); err != nil {
		return err
	}
	l := r.layout.Load()
	if !l.Known() {
		if n > MaxPieces/8 {
			return wrong("a bit field of %d bytes", n)
		}
	} else if int64(n) != int64(l.Pieces+7)/8 {
		return wrong("a bit field of %d bytes for %d pieces", n, l.Pieces)
	}
	b, err := r.payload(int(n))
	if err != nil {
		return err
	}
	m.Payload = b
	if l.Known() {
		return CheckBits(b, l.Pieces)
	}
	return nil
}

// CheckBits tells what is wrong with a bit field of so many pieces. Reader asks
// it, except for bit fields that come before the content is known.
func CheckBits(b []byte, pieces int) error {
	if len(b) != (pieces+7)/8 {
		return wrong("a bit field of %d bytes for %d pieces", len(b), pieces)
	}
	if spare := pieces % 8; spare != 0 && b[len(b)-1]&(0xff>>spare) != 0 {
		return wrong("a bit field with pieces beyond the last")
	}
	return nil
}

func (r *Reader) piece(m *Message, n uint32) error {
	if n <= 8 || n > 8+BlockSize {
		return wrong("a piece message of %d bytes", n)
	}
	head, err := r.payload(8)
	if err != nil {
		return err
	}
	m.Index = binary.BigEndian.Uint32(head)
	m.Begin = binary.BigEndian.Uint32(head[4:])
	m.Length = n - 8
	if err := r.span(m, BlockSize); err != nil {
		return err
	}
	m.Block, err = r.data(int(m.Length))
	return err
}

// data is the data of a block. What has come whole stays where it is; what more is
// waited for has memory of its own, since the wait may be long.
func (r *Reader) data(n int) ([]byte, error) {
	if r.w-r.r >= n || r.busy && r.borrow() {
		if err := r.fill(n); err != nil {
			return nil, noEOF(err)
		}
		b := r.buf[r.r : r.r+n]
		r.r += n
		return b, nil
	}
	if r.block == nil {
		r.block = blocks.Get().(*[BlockSize]byte)
	}
	b := r.block[:n:n]
	return b, r.full(b)
}

func (r *Reader) extended(m *Message, n uint32) (skipped bool, err error) {
	if n == 0 {
		return false, wrong("an extended message without a number")
	}
	if !r.cfg.Extended {
		return true, r.unknown(m.Type, n)
	}
	if n > 1+MaxExtended {
		return true, r.unknown(m.Type, n)
	}
	b, err := r.payload(int(n))
	if err != nil {
		return false, err
	}
	m.Ext, m.Payload = b[0], b[1:]
	return false, nil
}

func hashSpan(m *Message, b []byte) error {
	h := &HashSpan{
		Root: [32]byte(b), Layer: binary.BigEndian.Uint32(b[32:]), Index: binary.BigEndian.Uint32(b[36:]),
		Length: binary.BigEndian.Uint32(b[40:]), Proofs: binary.BigEndian.Uint32(b[44:]),
	}
	m.Hash = h
	switch {
	case h.Length == 0 || h.Length > MaxHashes || bits.OnesCount32(h.Length) != 1:
		return wrong("a %v message for %d hashes", m.Type, h.Length)
	case h.Index%h.Length != 0:
		return wrong("a %v message for %d hashes from the %dth", m.Type, h.Length, h.Index)
	case h.Layer > maxLayers || h.Proofs > maxLayers:
		return wrong("a %v message for layer %d with %d proofs", m.Type, h.Layer, h.Proofs)
	}
	return nil
}

func (r *Reader) hashes(m *Message, n uint32) error {
	if n < 48 || (n-48)%32 != 0 || n > 48+32*(MaxHashes+maxLayers) {
		return wrong("a hashes message of %d bytes", n)
	}
	b, err := r.payload(int(n))
	if err != nil {
		return err
	}
	if err := hashSpan(m, b); err != nil {
		return err
	}
	count := (n - 48) / 32
	if count < m.Hash.Length || count > m.Hash.Length+m.Hash.Proofs {
		return wrong("a hashes message with %d hashes for %d and %d proofs", count, m.Hash.Length, m.Hash.Proofs)
	}
	m.Hash.Hashes = make([][32]byte, count)
	for i := range m.Hash.Hashes {
		m.Hash.Hashes[i] = [32]byte(b[48+32*i:])
	}
	return nil
}
