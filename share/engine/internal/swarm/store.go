package swarm

import (
	"errors"
	"io"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/core"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
	"github.com/shoalnet/shoal/share/merkle"
)

// store writes blocks that are wanted and next to each other in a piece, hashes those
// whose turn it is, and tells the Core.
func (s *Swarm) store(piece, begin int, b []byte) {
	if !s.enter() {
		return
	}
	defer s.using.Done()
	_, err := s.content().Storage.WriteAt(b, s.content().at(piece, begin))
	if err == nil {
		s.written.Add(int64(len(b)))
		for at := 0; at < len(b); at += wire.BlockSize {
			s.hasher.feed(piece, (begin+at)/wire.BlockSize, b[at:min(at+wire.BlockSize, len(b))])
		}
	}
	s.do(func(c *core.Core, now time.Duration) {
		for at := 0; at < len(b); at += wire.BlockSize {
			c.Written(now, piece, begin+at, err != nil)
		}
	})
	if err != nil {
		s.fail(err)
	}
}

// verify finishes the hash of a piece and tells the Core whether it is right.
func (s *Swarm) verify(piece int, sums bool) {
	if !s.enter() {
		return
	}
	defer s.using.Done()
	v, each, err := s.hasher.judge(piece, sums)
	// Another program removed some of it since it was written: nobody is to blame.
	taken := errors.Is(err, io.EOF)
	switch {
	case err == nil && v == right:
		err = s.content().Storage.MarkComplete(piece)
	case err == nil && (v == wrong || v == differ), taken:
		err = s.content().Storage.MarkNotComplete(piece)
	}
	if err != nil || taken || v == unknown || v == differ {
		s.do(func(c *core.Core, now time.Duration) { c.Unverified(now, piece) })
	}
	switch {
	case err != nil:
		s.fail(err)
	case v == differ:
		s.disagree(disagreement(piece))
	case v != unknown && !taken:
		s.do(func(c *core.Core, now time.Duration) { c.Verified(now, piece, v == right, each) })
		if v == right {
			s.tell(Event{Kind: PieceDone, Piece: piece})
		}
	}
}

// checkInfo takes what may be the info dictionary. If it is, Fill is to follow.
func (s *Swarm) checkInfo(info []byte) {
	if s.content().CheckInfo == nil || !s.content().CheckInfo(info) {
		s.do(func(c *core.Core, now time.Duration) { c.BadInfo(now) })
		return
	}
	s.tell(Event{Kind: InfoKnown, Info: info})
}

// hashBlocks hashes the blocks of a piece for peers. What is not right any more is
// not told: who gets it would believe that we lie.
func (s *Swarm) hashBlocks(piece int) {
	if !s.enter() {
		return
	}
	defer s.using.Done()
	var leaves []merkle.Hash
	f, err := s.content().look(piece, nil)
	if err == nil && s.content().judge(piece, f) == right {
		leaves = f.leaves
	}
	s.do(func(c *core.Core, now time.Duration) { c.Hashed(now, piece, leaves) })
}

// makeLayer computes the piece layer of the file that begins with a piece, all of
// which is here. The pieces were checked by BEP 3 alone.
func (s *Swarm) makeLayer(first int) {
	if !s.enter() {
		return
	}
	defer s.using.Done()
	v := s.content().V2
	i := slices.IndexFunc(v.Files, func(f core.File) bool { return f.First == first })
	layer := make([]merkle.Hash, v.Files[i].Pieces)
	for n := range layer {
		f, err := s.content().look(first+n, func(w io.Writer) io.Writer { return &stoppable{w, s.ctx, s.ctx} })
		if err != nil || s.content().judge(first+n, f) != right {
			s.node.cfg.Logger.Debug("no piece layer is made of a piece that cannot be read", "piece", first+n, "error", err)
			return
		}
		_, height, _ := v.Piece(first + n)
		layer[n] = merkle.Top(f.leaves[:merkle.Blocks(int64(v.Data(first+n)))], 0, height)
	}
	if err := v.Layers.Set(v.Files[i].Root, layer); err != nil {
		s.disagree(disagreement(first))
		return
	}
	s.do(func(c *core.Core, now time.Duration) { c.Computed(now) })
}

// disagree has nothing asked for any more, ever.
func (s *Swarm) disagree(err error) {
	news := false
	s.do(func(c *core.Core, now time.Duration) {
		news = !s.torn
		s.torn = true
		c.SetHalt(now, true)
	})
	if news {
		s.tell(Event{Kind: Differs, Err: err})
	}
}
