package engine

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	g "github.com/anacrolix/generics"
	libinfo "github.com/anacrolix/torrent/metainfo"
	libstorage "github.com/anacrolix/torrent/storage"
)

var errDetached = errors.New("the transfer is being taken from the network")

// tap stands between the client library and the storage of one transfer. It is
// where bytes are counted and rates are capped, and what lets a transfer be
// taken from the library without waiting: once shut, whatever the library
// still does with the storage fails at once and changes nothing.
type tap struct {
	inner    libstorage.ClientImpl
	down, up throttle
	totals   *totals
	arrival  func() // called after a piece was found right

	written atomic.Int64 // bytes that peers sent and that were put to disk
	read    atomic.Int64 // bytes read for peers
	sent    atomic.Int64 // of them, bytes that have left for a peer

	stop chan struct{}
	ops  sync.RWMutex // read-locked during every operation
}

// totals counts the bytes of all transfers.
type totals struct{ down, up atomic.Int64 }

func newTap(inner libstorage.ClientImpl, down, up throttle, node *totals, arrival func()) *tap {
	return &tap{inner: inner, down: down, up: up, totals: node, arrival: arrival, stop: make(chan struct{})}
}

// close fails what is under way and what comes later. It is called once,
// before the library is told to forget the transfer.
func (t *tap) close() { close(t.stop) }

// left is told how many bytes, of whatever kind, a connection of the transfer has
// sent. The library reads up to megabytes for a peer before it sends them, and
// drops them when the peer goes: what was read is no measure of what was given.
func (t *tap) left(n int64) {
	for {
		sent := t.sent.Load()
		n = min(n, t.read.Load()-sent)
		if n <= 0 {
			return
		}
		if t.sent.CompareAndSwap(sent, sent+n) {
			t.totals.up.Add(n)
			return
		}
	}
}

// drain returns when no operation is under way any more, after close.
func (t *tap) drain() {
	t.ops.Lock()
	defer t.ops.Unlock()
}

// enter reports whether an operation may begin; leave ends it.
func (t *tap) enter() bool {
	t.ops.RLock()
	select {
	case <-t.stop:
		t.ops.RUnlock()
		return false
	default:
	}
	return true
}

func (t *tap) leave() { t.ops.RUnlock() }

// OpenTorrent implements the library's storage.ClientImpl. It is called with the
// library's lock held, after the info dictionary was read and before anything
// was made of it.
func (t *tap) OpenTorrent(ctx context.Context, info *libinfo.Info, id libinfo.Hash) (libstorage.TorrentImpl, error) {
	asV1(info)
	impl, err := t.inner.OpenTorrent(ctx, info, id)
	if err != nil {
		return libstorage.TorrentImpl{}, err
	}
	piece := func(p libinfo.Piece, hash g.Option[[]byte]) *tapPiece {
		if impl.PieceWithHash != nil {
			return &tapPiece{impl.PieceWithHash(p, hash), t, p.Length()}
		}
		return &tapPiece{impl.Piece(p), t, p.Length()}
	}
	return libstorage.TorrentImpl{
		PieceWithHash: func(p libinfo.Piece, hash g.Option[[]byte]) libstorage.PieceImpl { return piece(p, hash) },
		// The engine closes the storage itself, when nothing uses it any more.
		Close: func() error { return nil },
		NewReader: func() libstorage.TorrentReader {
			if impl.NewReader != nil {
				return &tapReader{impl.NewReader(), t}
			}
			return &tapReader{&piecewise{info, func(i int) io.ReaderAt {
				return piece(info.Piece(i), g.None[[]byte]()).PieceImpl
			}}, t}
		},
	}, nil
}

// tapReader is how the library reads what it sends to peers.
type tapReader struct {
	libstorage.TorrentReader
	tap *tap
}

func (r *tapReader) ReadAt(b []byte, off int64) (int, error) {
	if !r.tap.enter() {
		return 0, errDetached
	}
	defer r.tap.leave()
	if !r.tap.up.wait(len(b), r.tap.stop) {
		return 0, errDetached
	}
	n, err := r.TorrentReader.ReadAt(b, off)
	r.tap.read.Add(int64(n))
	return n, err
}

// piecewise reads across pieces.
type piecewise struct {
	info  *libinfo.Info
	piece func(int) io.ReaderAt
}

func (p *piecewise) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) && err == nil {
		i := int((off + int64(n)) / p.info.PieceLength)
		at := (off + int64(n)) % p.info.PieceLength
		end := min(int64(len(b)-n), p.info.PieceLength-at)
		var m int
		m, err = p.piece(i).ReadAt(b[n:n+int(end)], at)
		n += m
		if int64(m) == end {
			err = nil
		} else if err == nil {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

func (p *piecewise) Close() error { return nil }

// tapPiece is one piece: written by peers, read to be hashed.
type tapPiece struct {
	libstorage.PieceImpl
	tap    *tap
	length int64
}

func (p *tapPiece) WriteAt(b []byte, off int64) (int, error) {
	if !p.tap.enter() {
		return 0, errDetached
	}
	defer p.tap.leave()
	if !p.tap.down.wait(len(b), p.tap.stop) {
		return 0, errDetached
	}
	n, err := p.PieceImpl.WriteAt(b, off)
	p.tap.written.Add(int64(n))
	p.tap.totals.down.Add(int64(n))
	return n, err
}

func (p *tapPiece) ReadAt(b []byte, off int64) (int, error) {
	if !p.tap.enter() {
		return 0, errDetached
	}
	defer p.tap.leave()
	return p.PieceImpl.ReadAt(b, off)
}

// WriteTo is how the library reads a piece to hash it.
func (p *tapPiece) WriteTo(w io.Writer) (int64, error) {
	if !p.tap.enter() {
		return 0, errDetached
	}
	defer p.tap.leave()
	hw := &hashWriter{w, p.tap}
	if f, ok := p.PieceImpl.(io.WriterTo); ok {
		return f.WriteTo(hw)
	}
	return io.Copy(hw, io.NewSectionReader(p.PieceImpl, 0, p.length))
}

func (p *tapPiece) MarkComplete() error {
	if !p.tap.enter() {
		return errDetached
	}
	defer p.tap.leave()
	err := p.PieceImpl.MarkComplete()
	if err == nil {
		p.tap.arrival()
	}
	return err
}

func (p *tapPiece) MarkNotComplete() error {
	if !p.tap.enter() {
		return errDetached
	}
	defer p.tap.leave()
	return p.PieceImpl.MarkNotComplete()
}

// hashWriter breaks hashing off.
type hashWriter struct {
	w   io.Writer
	tap *tap
}

func (h *hashWriter) Write(b []byte) (int, error) {
	select {
	case <-h.tap.stop:
		return 0, errDetached
	default:
		return h.w.Write(b)
	}
}
