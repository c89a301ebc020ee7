package swarm

import (
	"crypto/sha1"
	"hash"
	"io"
	"sync"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
	"github.com/shoalnet/shoal/share/merkle"
)

// hasher hashes pieces while they come. What came out of order and could not be
// held, it reads back from the storage.
type hasher struct {
	content func() *Content

	mu     sync.Mutex
	pieces map[int]*hashing
	held   int // bytes of blocks that wait for their turn
}

// hashing is a piece that is hashed while it comes. Blocks that come before
// their turn are held, as far as there is room; the others are read back. The hashes
// of BEP 52 know no turn.
type hashing struct {
	mu   sync.Mutex
	sum  hash.Hash      // nil if BEP 3 does not describe the content
	next int            // the first block that is not in sum
	wait map[int][]byte // those that came before their turn; nil if not held

	leaves []merkle.Hash // nil if BEP 52 does not describe the content
	got    map[int]bool  // the blocks whose leaf is there
}

// maxHeld bounds what a swarm holds of blocks that wait for their turn.
const maxHeld = 16 << 20

func (s *hasher) hashing(piece int) *hashing {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.pieces[piece]
	if h == nil {
		h = &hashing{}
		if s.content().Hashes != nil {
			h.sum = sha1.New()
		}
		if s.content().V2 != nil {
			h.leaves = make([]merkle.Hash, s.content().Layout.Blocks(piece))
			h.got = make(map[int]bool, len(h.leaves))
		}
		s.pieces[piece] = h
	}
	return h
}

// feed hashes a block, or holds a copy of it.
func (s *hasher) feed(piece, n int, b []byte) {
	h := s.hashing(piece)
	var leaf merkle.Hash
	if h.leaves != nil {
		leaf = s.content().V2.leaf(piece, n, b)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.leaves != nil {
		h.leaves[n], h.got[n] = leaf, true
	}
	if h.sum == nil {
		return
	}
	if n < h.next || h.wait[n] != nil {
		s.again(h)
	}
	if n != h.next {
		if h.wait == nil {
			h.wait = make(map[int][]byte)
		}
		if s.hold(len(b)) {
			held := blocks.Get().(*[wire.BlockSize]byte)
			h.wait[n] = held[:copy(held[:], b)]
		}
		return
	}
	h.sum.Write(b)
	h.next++
	for {
		b := h.wait[h.next]
		if b == nil {
			return
		}
		delete(h.wait, h.next)
		h.sum.Write(b)
		s.drop(b)
		h.next++
	}
}

// hold takes room for n bytes, if there is any.
func (s *hasher) hold(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held+n > maxHeld {
		return false
	}
	s.held += n
	return true
}

// drop gives back a block that was held.
func (s *hasher) drop(b []byte) {
	s.mu.Lock()
	s.held -= len(b)
	s.mu.Unlock()
	blocks.Put((*[wire.BlockSize]byte)(b[:wire.BlockSize]))
}

// again begins the hash in order anew, since blocks of the piece come again. h.mu is
// held.
func (s *hasher) again(h *hashing) {
	if h.sum == nil {
		return
	}
	h.sum.Reset()
	h.next = 0
	for n, b := range h.wait {
		delete(h.wait, n)
		s.drop(b)
	}
}

// remove takes what is known of a piece that was hashed while it came. What comes
// of it later is hashed anew.
func (s *hasher) remove(piece int) *hashing {
	h := s.hashing(piece)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pieces, piece)
	return h
}

// forget gives up a piece.
func (s *hasher) forget(piece int) {
	h := s.remove(piece)
	h.mu.Lock()
	defer h.mu.Unlock()
	s.again(h)
}

// judge tells what the hashes say of a piece, and the sums of its blocks if they are
// asked for or it is not right: of their bytes without padding, if BEP 52 describes
// the content.
func (s *hasher) judge(piece int, sums bool) (v verdict, each [][20]byte, err error) {
	h := s.remove(piece)
	h.mu.Lock()
	defer h.mu.Unlock()
	defer s.again(h) // what is held is given back
	c := s.content()
	if h.leaves != nil && len(h.got) < len(h.leaves) {
		return s.reread(piece)
	}
	f := found{leaves: h.leaves}
	if h.sum != nil {
		if h.next < c.Layout.Blocks(piece) {
			if err := c.readBack(piece, &behind{h.sum, h.next * wire.BlockSize}); err != nil {
				return wrong, nil, err
			}
		}
		f.v1 = [20]byte(h.sum.Sum(nil))
	}
	v = c.judge(piece, &f)
	switch {
	case v == differ:
		// What is on disk may have changed in between: it decides.
		return s.reread(piece)
	case !sums && v == right:
	case h.leaves != nil:
		each = f.sums()
	default:
		w := &blockSums{sum: sha1.New()}
		if err := c.readBack(piece, w); err != nil {
			return wrong, nil, err
		}
		each = w.all()
	}
	return v, each, nil
}

// reread judges a piece that has leaves by what is on disk.
func (s *hasher) reread(piece int) (v verdict, each [][20]byte, err error) {
	f, err := s.content().look(piece, nil)
	if err != nil {
		return wrong, nil, err
	}
	return s.content().judge(piece, f), f.sums(), nil
}

// readBack writes a piece as it is on disk to w. The error wraps io.EOF if some of it is
// not there.
func (c *Content) readBack(piece int, w io.Writer) error {
	length := int64(c.Layout.Len(piece))
	n, err := c.Storage.CopyPiece(piece, length, w)
	if err == nil && n < length {
		err = io.EOF
	}
	return err
}

// behind passes on what comes after the first skip bytes.
type behind struct {
	w    io.Writer
	skip int
}

func (b *behind) Write(p []byte) (int, error) {
	n := min(b.skip, len(p))
	b.skip -= n
	if n == len(p) {
		return n, nil
	}
	m, err := b.w.Write(p[n:])
	return n + m, err
}

// blockSums hashes each block of what is written to it.
type blockSums struct {
	sum  hash.Hash
	n    int // bytes in sum
	each [][20]byte
}

func (b *blockSums) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), wire.BlockSize-b.n)
		b.sum.Write(rest[:n])
		rest = rest[n:]
		if b.n += n; b.n == wire.BlockSize {
			b.close()
		}
	}
	return len(p), nil
}

func (b *blockSums) close() {
	b.each = append(b.each, [20]byte(b.sum.Sum(nil)))
	b.sum.Reset()
	b.n = 0
}

func (b *blockSums) all() [][20]byte {
	if b.n > 0 {
		b.close()
	}
	return b.each
}
