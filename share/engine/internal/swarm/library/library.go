package library

import (
	"context"
	"errors"
	"expvar"
	"io"
	"log/slog"
	"net"

	"github.com/anacrolix/dht/v2/krpc"
	"github.com/anacrolix/torrent"
	libinfo "github.com/anacrolix/torrent/metainfo"
	libstorage "github.com/anacrolix/torrent/storage"
)

// sweepCounters empties the one counter of the library that strangers can make
// grow for ever: it has an entry for each pattern of eight bytes ever received.
func sweepCounters() {
	all, ok := expvar.Get("torrent").(*expvar.Map)
	if !ok {
		return
	}
	if m, ok := all.Get("successful_peer_wire_protocol_handshake_peer_reserved_bytes").(*expvar.Map); ok {
		m.Init()
	}
}

// noStorage refuses what is added without a storage of its own.
type noStorage struct{}

func (noStorage) OpenTorrent(context.Context, *libinfo.Info, libinfo.Hash) (libstorage.TorrentImpl, error) {
	return libstorage.TorrentImpl{}, errors.New("a transfer without storage")
}

// dhtPort makes the library tell peers the port of our DHT node (BEP 5), which
// is not the library's. What peers tell of theirs comes by way of the guard.
type dhtPort struct{ port func() uint16 }

var _ torrent.DhtServer = dhtPort{}

func (d dhtPort) Addr() net.Addr            { return &net.UDPAddr{Port: int(d.port())} }
func (dhtPort) ID() (id [20]byte)           { return id }
func (dhtPort) Stats() any                  { return nil }
func (dhtPort) AddNode(krpc.NodeInfo) error { return nil }
func (dhtPort) Ping(*net.UDPAddr)           {}
func (dhtPort) WriteStatus(io.Writer)       {}
func (dhtPort) Announce([20]byte, int, bool) (torrent.DhtAnnounce, error) {
	return nil, errors.New("the DHT is not the library's")
}

// quietHandler makes what the library thinks worth a warning a debug message:
// most of it is about what strangers did wrong.
type quietHandler struct{ slog.Handler }

func (h quietHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, slog.LevelDebug)
}

func (h quietHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return h.Handler.Handle(ctx, r)
}

func (h quietHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return quietHandler{h.Handler.WithAttrs(a)}
}

func (h quietHandler) WithGroup(name string) slog.Handler {
	return quietHandler{h.Handler.WithGroup(name)}
}
