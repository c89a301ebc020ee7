package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// How far ahead of the reader pieces are wanted before all others.
const (
	readAhead       = 16 << 20
	readAheadPieces = 4
)

// stream reads one file, waiting where data has yet to arrive.
type stream struct {
	e     *Engine
	t     *transfer
	ctx   context.Context
	info  *metainfo.Info
	file  *metainfo.File
	files *storage.Transfer
	plan  *plan

	pos int64

	mu    sync.Mutex
	ended error         // set by end
	over  chan struct{} // closed by end
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
		// What is not there yet is no fault of the disk.
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
		return 0, errors.New("seeking from nowhere")
	}
	if offset < 0 {
		return 0, errors.New("seeking before the start")
	}
	s.pos = offset
	return offset, nil
}

// Close lets the pieces around the reader be fetched like all others again.
func (s *stream) Close() error {
	s.end(errors.New("the stream is closed"))
	s.plan.setWindow(s, window{})
	s.plan.apply()
	s.e.call(func() {
		delete(s.t.streams, s)
		s.e.reconcile(s.t)
	})
	return nil
}

// Open reads one file of a transfer, blocking where data has yet to arrive:
// pieces are then fetched in the order of the reading. Reads fail when ctx
// ends, the transfer is removed or paused while data is missing, or the disk
// fails. Not safe for concurrent use.
func (e *Engine) Open(ctx context.Context, id share.ID, fileIndex int) (io.ReadSeekCloser, error) {
	s := &stream{e: e, ctx: ctx, over: make(chan struct{})}
	awake := make(chan struct{})
	err := e.on(id, func(t *transfer) error {
		switch {
		case !t.known():
			return share.Errorf(share.Failed, "the files of %s are not known yet", id.Short())
		case t.failure != nil:
			return t.failure
		}
		s.t = t
		if t.streams == nil {
			t.streams = make(map[*stream]struct{})
		}
		t.streams[s] = struct{}{}
		t.waiters = append(t.waiters, awake)
		e.reconcile(t)
		return nil
	})
	if err != nil {
		return nil, err
	}
	select {
	case <-awake:
	case <-ctx.Done():
		err = share.Errorf(share.Interrupted, "opening a file of %s: %w", id.Short(), context.Cause(ctx))
	case <-e.done:
		err = stopped()
	}
	if err == nil && !e.call(func() { err = s.begin(fileIndex) }) {
		err = stopped()
	}
	if err != nil {
		e.call(func() {
			delete(s.t.streams, s)
			e.reconcile(s.t)
		})
		return nil, err
	}
	return s, nil
}

// begin is called on the loop when the transfer is awake, or could not be woken.
func (s *stream) begin(index int) error {
	t := s.t
	o := t.opened()
	switch {
	case t.failure != nil:
		return t.failure
	case o == nil:
		return share.Errorf(share.Failed, "the files of %s could not be opened", t.id.Short())
	case index < 0 || index >= len(t.info.Files) || t.info.Files[index].Pad || t.info.Files[index].Symlink:
		return share.Errorf(share.Usage, "%q has no file %d", t.name, index)
	}
	s.info, s.files, s.plan, s.file = t.info, o.files, o.plan, &t.info.Files[index]
	return nil
}

// endStreams ends those that wait for what will not come.
func (t *transfer) endStreams() {
	var err error
	switch {
	case t.removing != nil:
		err = errors.New("the transfer was removed")
	case t.failure != nil:
		err = t.failure
	case t.fault() != nil:
		err = t.fault()
	case t.options.Paused && !t.done:
		err = errors.New("the transfer is paused")
	default:
		return
	}
	for s := range t.streams {
		s.end(err)
	}
}
