package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// A stream wants this much after the place where it reads before all other pieces.
const (
	readAhead       = 16 << 20
	readAheadPieces = 4
)

// stream reads one file. A read waits while its piece is missing.
type stream struct {
	ctx    context.Context
	closed func() // called by Close

	// Set by open.
	info  *metainfo.Info
	file  *metainfo.File
	files io.ReaderAt
	plan  *plan

	pos int64

	mu    sync.Mutex
	ended error         // set by end
	over  chan struct{} // closed by end
}

func newStream(ctx context.Context, closed func()) *stream {
	return &stream{ctx: ctx, closed: closed, over: make(chan struct{})}
}

// open makes the stream read one file. files fails with share.Disk where the disk
// does, and with any other error where the piece is missing.
func (s *stream) open(info *metainfo.Info, index int, files io.ReaderAt, plan *plan) error {
	if index < 0 || index >= len(info.Files) || info.Files[index].Pad || info.Files[index].Symlink {
		return share.Errorf(share.Usage, "%q has no file %d", info.Name, index)
	}
	s.info, s.files, s.plan, s.file = info, files, plan, &info.Files[index]
	return nil
}

// end makes every further Read fail where data is missing.
func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		s.ended = err
		close(s.over)
	}
}

func (s *stream) reason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

func (s *stream) Read(b []byte) (int, error) {
	if s.pos >= s.file.Length {
		return 0, io.EOF
	}
	if len(b) == 0 {
		return 0, nil
	}
	at := s.file.Offset + s.pos
	piece := int(at / s.info.PieceLength)
	last := (s.file.Offset + s.file.Length - 1) / s.info.PieceLength
	ahead := max(readAhead/s.info.PieceLength, readAheadPieces)
	s.plan.setWindow(s, window{piece, int(min(last, int64(piece)+ahead)) + 1})
	s.plan.apply()
	n := min(int64(len(b)), s.file.Length-s.pos, int64(piece+1)*s.info.PieceLength-at)
	for {
		changed := s.plan.changed()
		m, err := s.files.ReadAt(b[:n], at)
		if m > 0 {
			s.pos += int64(m)
			return m, nil
		}
		if share.KindOf(err) == share.Disk {
			return 0, err
		}
		select {
		case <-changed:
		case <-s.over:
			return 0, fmt.Errorf("reading %q at %d: %w", s.info.Name, s.pos, s.reason())
		case <-s.ctx.Done():
			return 0, share.Errorf(share.Interrupted, "reading %q at %d: %w", s.info.Name, s.pos, context.Cause(s.ctx))
		}
	}
}

func (s *stream) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.pos
	case io.SeekEnd:
		offset += s.file.Length
	case io.SeekStart:
	default:
		return 0, fmt.Errorf("seeking: there is no whence %d", whence)
	}
	if offset < 0 {
		return 0, errors.New("seeking before the start")
	}
	s.pos = offset
	return offset, nil
}

// Close gives the pieces around the reader the priority of all others again.
func (s *stream) Close() error {
	s.end(errors.New("the stream is closed"))
	s.plan.setWindow(s, window{})
	s.plan.apply()
	s.closed()
	return nil
}

// streams are those of one transfer.
type streams map[*stream]struct{}

func (all *streams) add(s *stream) {
	if *all == nil {
		*all = make(streams)
	}
	(*all)[s] = struct{}{}
}

func (all streams) end(err error) {
	for s := range all {
		s.end(err)
	}
}

// endStreams ends the streams of t when the data they wait for will not come.
func (t *transfer) endStreams() {
	switch {
	case t.removing != nil:
		t.streams.end(errors.New("the transfer was removed"))
	case t.failure != nil:
		t.streams.end(t.failure)
	case t.fault() != nil:
		t.streams.end(t.fault())
	case t.options.Paused && !t.done:
		t.streams.end(errors.New("the transfer is paused"))
	}
}

// Open reads one file of a transfer, and waits where data has yet to arrive: pieces
// are then fetched in the order of the reading. Reads fail when ctx ends, when the
// transfer is removed or paused while data is missing, or when the disk fails. The
// result is not safe for concurrent use.
func (e *Engine) Open(ctx context.Context, id share.ID, fileIndex int) (io.ReadSeekCloser, error) {
	var t *transfer
	var s *stream
	s = newStream(ctx, func() {
		e.call(func(lp *loop) {
			delete(t.streams, s)
			lp.reconcile(t)
		})
	})
	var awake <-chan struct{}
	err := e.on(id, func(lp *loop, found *transfer) error {
		switch {
		case !found.known():
			return share.Errorf(share.Failed, "the files of %s are not known yet", id.Short())
		case found.failure != nil:
			return found.failure
		}
		t = found
		t.streams.add(s)
		awake = t.wait()
		lp.reconcile(t)
		return nil
	})
	if err != nil {
		return nil, err
	}
	select {
	case <-awake:
	case <-ctx.Done():
		err = share.Errorf(share.Interrupted, "opening a file of %s: %w", id.Short(), context.Cause(ctx))
	case <-e.box.closed:
		err = stopped()
	}
	if err == nil && !e.call(func(lp *loop) {
		switch o := t.opened(); {
		case t.failure != nil:
			err = t.failure
		case o == nil:
			err = share.Errorf(share.Failed, "the files of %s could not be opened", t.id.Short())
		default:
			err = s.open(t.info, fileIndex, o.files, o.plan)
		}
	}) {
		err = stopped()
	}
	if err != nil {
		s.closed()
		return nil, err
	}
	return s, nil
}
