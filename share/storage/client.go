package storage

import (
	"context"
	"fmt"
	"io"

	torrentinfo "github.com/anacrolix/torrent/metainfo"
	torrent "github.com/anacrolix/torrent/storage"
	"github.com/shoalnet/shoal/share"
)

var (
	_ torrent.ClientImpl    = (*Transfer)(nil)
	_ torrent.PieceImpl     = piece{}
	_ io.WriterTo           = piece{}
	_ torrent.TorrentReader = (*reader)(nil)
)

// OpenTorrent implements storage.ClientImpl.
func (t *Transfer) OpenTorrent(_ context.Context, _ *torrentinfo.Info, id torrentinfo.Hash) (torrent.TorrentImpl, error) {
	if share.ID(id) != t.info.ID {
		return torrent.TorrentImpl{}, fmt.Errorf("opening %v with the storage of %v", id, t.info.ID)
	}
	return torrent.TorrentImpl{
		Piece:     func(p torrentinfo.Piece) torrent.PieceImpl { return piece{t, p} },
		NewReader: func() torrent.TorrentReader { return (*reader)(t) },
		// The client holds its lock meanwhile: Transfer.Close does the work.
		Close:        func() error { return nil },
		CloseWriters: func() error { return nil },
	}, nil
}

// reader serves peers and streams.
type reader Transfer

func (r *reader) ReadAt(p []byte, off int64) (int, error) { return (*Transfer)(r).ReadAt(p, off) }
func (r *reader) Close() error                            { return nil }

// piece is one piece as the client sees it.
type piece struct {
	t *Transfer
	p torrentinfo.Piece
}

func (p piece) ReadAt(b []byte, off int64) (int, error) {
	return p.t.ReadAt(b, p.p.Offset()+off)
}

func (p piece) WriteAt(b []byte, off int64) (int, error) {
	return p.t.write(b, p.p.Offset()+off)
}

// WriteTo is how the client reads what it hashes. Of a hybrid the client's
// pieces end where the padding begins.
func (p piece) WriteTo(w io.Writer) (int64, error) {
	return p.t.copyPiece(p.p.Index(), p.p.Length(), w)
}

func (p piece) MarkComplete() error    { return p.t.markComplete(p.p.Index()) }
func (p piece) MarkNotComplete() error { return p.t.markNotComplete(p.p.Index()) }

func (p piece) Completion() torrent.Completion {
	i := p.p.Index()
	p.t.mu.Lock()
	defer p.t.mu.Unlock()
	if p.t.unknown.has(i) || p.t.held.has(i) || p.t.clipped.has(i) {
		// Neither served nor requested.
		return torrent.Completion{}
	}
	return torrent.Completion{Ok: true, Complete: p.t.have.has(i)}
}
