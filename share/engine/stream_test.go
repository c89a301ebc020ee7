package engine

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

// pieceByPiece is content that arrives while it is read.
type pieceByPiece struct {
	mu   sync.Mutex
	b    []byte
	have int
	err  error
	miss func() // called when something that is missing was read
}

func (p *pieceByPiece) ReadAt(b []byte, at int64) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.err != nil:
		return 0, p.err
	case at+int64(len(b)) > int64(p.have):
		go p.miss()
		return 0, errors.New("it is missing")
	}
	return copy(b, p.b[at:]), nil
}

// A stream waits for what is missing, wants it first, and reads on when it arrives.
func TestStream(t *testing.T) {
	info := threeFiles()
	plan := newPlan(info, &onDisk{info: info}, map[int]share.Priority{0: share.Skip, 1: share.Skip, 2: share.Skip})
	swarm := &told{is: make([]face.Priority, info.NumPieces)}
	plan.attach(swarm)
	whole := content("three", int(info.Files[2].Offset+info.Files[2].Length))
	files := &pieceByPiece{b: whole, have: 20}
	files.miss = func() {
		files.mu.Lock()
		files.have = min(files.have+10_000, len(whole))
		files.mu.Unlock()
		plan.arrival()
	}
	closed := 0
	s := newStream(t.Context(), false, func() { closed++ })
	if err := s.open(info, 3, files, plan); share.KindOf(err) != share.Usage {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := s.open(info, 1, files, plan); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(s)
	f := info.Files[1]
	if want := whole[f.Offset : f.Offset+f.Length]; err != nil || string(b) != string(want) {
		t.Errorf("%d bytes of %d, %v", len(b), len(want), err)
	}
	if at, err := s.Seek(-1, io.SeekEnd); err != nil || at != f.Length-1 {
		t.Errorf("%d, %v", at, err)
	}
	if n, err := s.Read(make([]byte, 10)); n != 1 || err != nil {
		t.Errorf("the last byte: %d, %v", n, err)
	}
	if swarm.is[7] != face.Now || swarm.is[8] != face.Never {
		t.Errorf("what is read is not wanted first: %v", swarm.is)
	}
	if err := s.Close(); err != nil || closed != 1 {
		t.Errorf("%v, closed %d times", err, closed)
	}
	if swarm.is[7] != face.Never {
		t.Errorf("what is read no more is still wanted: %v", swarm.is)
	}
}

// A Read that waits ends with the stream, its context and the disk.
func TestStreamEnds(t *testing.T) {
	info := threeFiles()
	ended := errors.New("ended")
	for name, test := range map[string]struct {
		disk error
		miss func(*stream, context.CancelCauseFunc)
		want error
	}{
		"by its owner":    {miss: func(s *stream, _ context.CancelCauseFunc) { s.end(ended); s.end(errors.New("again")) }, want: ended},
		"by its context":  {miss: func(_ *stream, cancel context.CancelCauseFunc) { cancel(ended) }, want: ended},
		"by a disk error": {disk: share.Errorf(share.Disk, "%w", ended), want: ended},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		s := newStream(ctx, false, func() {})
		files := &pieceByPiece{err: test.disk, miss: func() { test.miss(s, cancel) }}
		if err := s.open(info, 0, files, newPlan(info, &onDisk{info: info}, nil)); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Read(make([]byte, 1)); n != 0 || !errors.Is(err, test.want) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}
