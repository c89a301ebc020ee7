package library

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	libinfo "github.com/anacrolix/torrent/metainfo"
	libstorage "github.com/anacrolix/torrent/storage"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

var errDetached = errors.New("the transfer is being taken from the network")

// tap stands between the client library and the storage of one transfer. It is
// where bytes are counted and rates are capped, and what lets a transfer be
// taken from the library without waiting: once shut, whatever the library
// still does with the storage fails at once and changes nothing.
type tap struct {
	inner    face.Storage
	down, up face.Limit
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

func newTap(inner face.Storage, down, up face.Limit, node *totals, arrival func()) *tap {
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
func (t *tap) OpenTorrent(_ context.Context, info *libinfo.Info, _ libinfo.Hash) (libstorage.TorrentImpl, error) {
	asV1(info)
	return libstorage.TorrentImpl{
		Piece: func(p libinfo.Piece) libstorage.PieceImpl {
			return &tapPiece{t, p.Index(), p.Offset(), p.Length()}
		},
		NewReader: func() libstorage.TorrentReader { return tapReader{t} },
		// The engine closes the storage itself, when nothing uses it any more.
		Close: func() error { return nil },
	}, nil
}

// tapReader is how the library reads what it sends to peers.
type tapReader struct{ tap *tap }

func (r tapReader) ReadAt(b []byte, off int64) (int, error) {
	if !r.tap.enter() {
		return 0, errDetached
	}
	defer r.tap.leave()
	if !r.tap.up.Wait(len(b), r.tap.stop) {
		return 0, errDetached
	}
	n, err := r.tap.inner.ReadAt(b, off)
	r.tap.read.Add(int64(n))
	return n, err
}

func (tapReader) Close() error { return nil }

// tapPiece is one piece: written by peers, read to be hashed.
type tapPiece struct {
	tap            *tap
	index          int
	offset, length int64
}

func (p *tapPiece) WriteAt(b []byte, off int64) (int, error) {
	if !p.tap.enter() {
		return 0, errDetached
	}
	defer p.tap.leave()
	if !p.tap.down.Wait(len(b), p.tap.stop) {
		return 0, errDetached
	}
	n, err := p.tap.inner.WriteAt(b, p.offset+off)
	p.tap.written.Add(int64(n))
	p.tap.totals.down.Add(int64(n))
	return n, err
}

func (p *tapPiece) ReadAt(b []byte, off int64) (int, error) {
	if !p.tap.enter() {
		return 0, errDetached
	}
	defer p.tap.leave()
	return p.tap.inner.ReadAt(b, p.offset+off)
}

// WriteTo is how the library reads a piece to hash it.
func (p *tapPiece) WriteTo(w io.Writer) (int64, error) {
	if !p.tap.enter() {
		return 0, errDetached
	}
	defer p.tap.leave()
	return p.tap.inner.CopyPiece(p.index, p.length, &hashWriter{w, p.tap})
}

func (p *tapPiece) Completion() libstorage.Completion {
	known, complete := p.tap.inner.Completion(p.index)
	return libstorage.Completion{Ok: known, Complete: complete}
}

func (p *tapPiece) MarkComplete() error {
	if !p.tap.enter() {
		return errDetached
	}
	defer p.tap.leave()
	err := p.tap.inner.MarkComplete(p.index)
	if err == nil && p.tap.arrival != nil {
		p.tap.arrival()
	}
	return err
}

func (p *tapPiece) MarkNotComplete() error {
	if !p.tap.enter() {
		return errDetached
	}
	defer p.tap.leave()
	return p.tap.inner.MarkNotComplete(p.index)
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
