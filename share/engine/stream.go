package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

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
	plays  bool   // others yield to it
	closed func() // called by Close

	// Set by open.
	index int
	info  *metainfo.Info
	file  *metainfo.File
	files io.ReaderAt
	plan  *plan

	pos   atomic.Int64 // only the reader changes it
	waits atomic.Bool  // a Read waits for a piece

	mu    sync.Mutex
	ended error         // set by end
	over  chan struct{} // closed by end
}

func newStream(ctx context.Context, plays bool, closed func()) *stream {
	return &stream{ctx: ctx, plays: plays, closed: closed, over: make(chan struct{})}
}

// open makes the stream read one file. files fails with share.Disk where the disk
// does, and with any other error where the piece is missing.
func (s *stream) open(info *metainfo.Info, index int, files io.ReaderAt, plan *plan) error {
	if index < 0 || index >= len(info.Files) || info.Files[index].Pad || info.Files[index].Symlink {
		return share.Errorf(share.Usage, "%q has no file %d", info.Name, index)
	}
	s.index, s.info, s.files, s.plan, s.file = index, info, files, plan, &info.Files[index]
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
	pos := s.pos.Load()
	if pos >= s.file.Length {
		return 0, io.EOF
	}
	if len(b) == 0 {
		return 0, nil
	}
	at := s.file.Offset + pos
	piece := int(at / s.info.PieceLength)
	s.plan.setWindow(s, s.window())
	s.plan.apply()
	n := min(int64(len(b)), s.file.Length-pos, int64(piece+1)*s.info.PieceLength-at)
	defer s.waits.Store(false)
	for {
		changed := s.plan.changed()
		m, err := s.files.ReadAt(b[:n], at)
		if m > 0 {
			s.pos.Store(pos + int64(m))
			return m, nil
		}
		if share.KindOf(err) == share.Disk {
			return 0, err
		}
		s.waits.Store(true)
		select {
		case <-changed:
		case <-s.over:
			return 0, fmt.Errorf("reading %q at %d: %w", s.info.Name, pos, s.reason())
		case <-s.ctx.Done():
			return 0, share.Errorf(share.Interrupted, "reading %q at %d: %w", s.info.Name, pos, context.Cause(s.ctx))
		}
	}
}

// window is the pieces that s wants before all others, from the one that it reads on;
// none at the end of the file.
func (s *stream) window() window {
	pos := s.pos.Load()
	if pos >= s.file.Length {
		return window{}
	}
	piece := (s.file.Offset + pos) / s.info.PieceLength
	last := (s.file.Offset + s.file.Length - 1) / s.info.PieceLength
	ahead := max(readAhead/s.info.PieceLength, readAheadPieces)
	return window{int(piece), int(min(last, piece+ahead)) + 1}
}

func (s *stream) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.pos.Load()
	case io.SeekEnd:
		offset += s.file.Length
	case io.SeekStart:
	default:
		return 0, fmt.Errorf("seeking: there is no whence %d", whence)
	}
	if offset < 0 {
		return 0, errors.New("seeking before the start")
	}
	s.pos.Store(offset)
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

// Open reads one file of a transfer, and waits for missing data: pieces are then
// fetched in reading order. Reads fail when ctx ends, when the transfer is removed
// or paused while data is missing, or when the disk fails. The result is not safe
// for concurrent use.
func (e *Engine) Open(ctx context.Context, id share.ID, fileIndex int) (io.ReadSeekCloser, error) {
	return e.openFile(ctx, id, fileIndex, false)
}

// Play is Open for a player: while data is missing ahead of the reader, other
// downloads are slowed down.
func (e *Engine) Play(ctx context.Context, id share.ID, fileIndex int) (io.ReadSeekCloser, error) {
	return e.openFile(ctx, id, fileIndex, true)
}

func (e *Engine) openFile(ctx context.Context, id share.ID, fileIndex int, plays bool) (io.ReadSeekCloser, error) {
	s, err := e.openStream(ctx, id, plays, func(t *transfer, o *openedPhase, s *stream) error {
		return s.open(t.info, fileIndex, o.files, o.plan)
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openStream makes a stream of a transfer once its files are open. set, which is called on
// the loop, has it read one of them.
func (e *Engine) openStream(ctx context.Context, id share.ID, plays bool, set func(*transfer, *openedPhase, *stream) error) (*stream, error) {
	var t *transfer
	var s *stream
	s = newStream(ctx, plays, func() {
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
			err = set(t, o, s)
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
