package swarm

import (
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/core"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// store writes a block that is wanted, hashes it if it is its turn, and tells
// the Core.
func (s *Swarm) store(piece, begin int, b []byte) {
	if !s.enter() {
		free(b)
		return
	}
	defer s.using.Done()
	if _, err := s.content.Storage.WriteAt(b, s.content.at(piece, begin)); err != nil {
		free(b)
		s.do(func(c *core.Core, now time.Duration) { c.Written(now, piece, begin, true) })
		s.fail(err)
		return
	}
	s.written.Add(int64(len(b)))
	s.hasher.feed(piece, begin/wire.BlockSize, b)
	s.do(func(c *core.Core, now time.Duration) { c.Written(now, piece, begin, false) })
}

// verify finishes the hash of a piece and tells the Core whether it is right.
func (s *Swarm) verify(piece int, sums bool) {
	if !s.enter() {
		return
	}
	defer s.using.Done()
	right, each, err := s.hasher.judge(piece, sums)
	if err == nil && right {
		err = s.content.Storage.MarkComplete(piece)
	} else if err == nil {
		err = s.content.Storage.MarkNotComplete(piece)
	}
	if err != nil {
		s.do(func(c *core.Core, now time.Duration) { c.Unverified(now, piece) })
		s.fail(err)
		return
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
			k.know(&layout)
		}
		c.SetInfo(now, info, known.Layout, known.Have)
	})
	s.tell(Event{Kind: InfoKnown, Info: info})
}
