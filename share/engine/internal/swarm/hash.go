package swarm

import (
	"crypto/sha1"
	"hash"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/core"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// hashing is a piece that is hashed while it comes. Blocks that come before
// their turn are held, as far as there is room; the others are read back.
type hashing struct {
	mu   sync.Mutex
	sum  hash.Hash
	next int            // the first block that is not in sum
	wait map[int][]byte // those that came before their turn; nil if not held
}

// maxHeld bounds what a swarm holds of blocks that wait for their turn.
const maxHeld = 16 << 20

// store writes a block that is wanted, hashes it if it is its turn, and tells
// the Core.
func (s *Swarm) store(piece, begin int, b []byte) {
	if err := s.content.Storage.WritePiece(b, piece, begin); err != nil {
		free(b)
		s.do(func(c *core.Core, now time.Duration) { c.Written(now, piece, begin, true) })
		s.fail(err)
		return
	}
	s.feed(piece, begin/wire.BlockSize, b)
	s.do(func(c *core.Core, now time.Duration) { c.Written(now, piece, begin, false) })
}

func (s *Swarm) hashing(piece int) *hashing {
	s.hash.Lock()
	defer s.hash.Unlock()
	h := s.pieces[piece]
	if h == nil {
		h = &hashing{sum: sha1.New()}
		s.pieces[piece] = h
	}
	return h
}

// feed hashes a block, or holds it. It takes the block's memory.
func (s *Swarm) feed(piece, n int, b []byte) {
	h := s.hashing(piece)
	h.mu.Lock()
	defer h.mu.Unlock()
	if n != h.next {
		if h.wait == nil {
			h.wait = make(map[int][]byte)
		}
		s.hash.Lock()
		room := s.held+len(b) <= maxHeld && h.wait[n] == nil
		if room {
			s.held += len(b)
		}
		s.hash.Unlock()
		if room {
			h.wait[n] = b
		} else {
			free(b)
		}
		return
	}
	h.sum.Write(b)
	free(b)
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

// drop gives back a block that was held.
func (s *Swarm) drop(b []byte) {
	s.hash.Lock()
	s.held -= len(b)
	s.hash.Unlock()
	free(b)
}

// verify finishes the hash of a piece and tells the Core whether it is right.
func (s *Swarm) verify(piece int, sums bool) {
	h := s.hashing(piece)
	s.hash.Lock()
	delete(s.pieces, piece)
	s.hash.Unlock()
	layout := &s.content.Layout
	h.mu.Lock()
	defer h.mu.Unlock()
	buf := blocks.Get().(*[wire.BlockSize]byte)
	defer blocks.Put(buf)
	for ; h.next < layout.Blocks(piece); h.next++ {
		b := h.wait[h.next]
		if b != nil {
			delete(h.wait, h.next)
			h.sum.Write(b)
			s.drop(b)
			continue
		}
		b = buf[:layout.BlockLen(piece, h.next)]
		if err := s.content.Storage.ReadBack(b, piece, h.next*wire.BlockSize); err != nil {
			s.fail(err)
			return
		}
		h.sum.Write(b)
	}
	for _, b := range h.wait {
		s.drop(b)
	}
	right := [20]byte(h.sum.Sum(nil)) == s.content.Hashes[piece]
	var each [][20]byte
	if sums || !right {
		each = make([][20]byte, layout.Blocks(piece))
		for n := range each {
			b := buf[:layout.BlockLen(piece, n)]
			if err := s.content.Storage.ReadBack(b, piece, n*wire.BlockSize); err != nil {
				s.fail(err)
				return
			}
			each[n] = sha1.Sum(b)
		}
	}
	if right {
		if err := s.content.Storage.Complete(piece); err != nil {
			s.fail(err)
			return
		}
	}
	s.do(func(c *core.Core, now time.Duration) { c.Verified(now, piece, right, each) })
	if right {
		s.tell(Event{Kind: PieceDone, Piece: piece})
	}
}

// checkInfo takes what may be the info dictionary.
func (s *Swarm) checkInfo(info []byte) {
	var known *Content
	if s.content.CheckInfo != nil {
		known = s.content.CheckInfo(info)
	}
	if known == nil {
		s.do(func(c *core.Core, now time.Duration) { c.BadInfo(now) })
		return
	}
	s.do(func(c *core.Core, now time.Duration) {
		s.content.Info, s.content.Layout, s.content.Hashes = info, known.Layout, known.Hashes
		s.content.Storage, s.content.Have = known.Storage, known.Have
		layout := known.Layout
		for _, k := range s.conns {
			k.reader.SetLayout(&layout)
		}
		c.SetInfo(now, info, known.Layout, known.Have)
	})
	s.tell(Event{Kind: InfoKnown, Info: info})
}
