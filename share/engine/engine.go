// Package engine keeps to itself how transfers live: what happens to each, when, and in
// which order. It shares files and folders, fetches links, seeds, verifies, pauses,
// limits and streams.
//
// What it promises: a piece counts as complete only after its hash was right and its
// bytes reached the disk; what the user shares is only ever read; a disk that fails
// stops only the transfers on it, and they resume by themselves; and nothing that a
// peer, a tracker or a torrent sends ends the process or makes it grow without
// bound. Three parts ensure the last: internal/swarm (connections and messages),
// internal/netguard (addresses) and the book (addresses of peers).
//
// An Engine is what callers see. Behind it one goroutine, the loop, owns every transfer.
// After each change reconcile compares how a transfer is with how it should be, and
// begins the next step: a job, which a worker does in its own goroutine. The result
// returns to the loop through the mailbox. Decisions that do not need the loop are made
// in parts that do not know it; docs/architecture.md lists them.
//
// The engine knows the peer protocol only by the interfaces of internal/swarm/face.
package engine

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/flow"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/native"
)

// Finder finds peers of an ID, and announces this node as one.
type Finder interface {
	// Find passes peers of id to found until ctx ends or the search is over. It never
	// calls found concurrently, nor after it has returned. In the DHT, it passes on
	// private addresses only from a node that it asked at such an address.
	Find(ctx context.Context, id share.ID, found func([]netip.AddrPort)) error
	// Announce keeps id announced until Withdraw, and returns at once. A second
	// Announce of the same ID changes nothing.
	Announce(id share.ID)
	// Withdraw ends Announce; it returns at once.
	Withdraw(id share.ID)
	// Source names this finder in events and peer lists.
	Source() share.Source
}

// Web serves browsers that connect to the port for peers. Its methods must not block.
type Web interface {
	// Open reports whether connections that begin with TLS, or with plain HTTP, are
	// served. All others are treated as peers.
	Open(tls bool) bool
	// Serve takes over such a connection, from its first byte on. It limits their number,
	// separately from MaxConns, and closes them.
	Serve(conn net.Conn, tls bool)
}

// Config holds what an Engine depends on.
type Config struct {
	Logger *slog.Logger // nil discards
	// DB is the node's state.db. The engine makes and upgrades its own tables,
	// whose names begin with "engine_", and never closes it.
	DB *sql.DB
	// Dir holds a copy of each torrent as ID.torrent. It is created if missing.
	Dir string

	// Listeners accept peers over TCP, all on one port. The engine closes them.
	Listeners []net.Listener
	// UTP accepts peers over uTP on the same port; nil turns uTP off. The engine closes
	// it.
	UTP net.PacketConn

	IPv4         bool // dial and accept IPv4 peers as well
	NoTrackers   bool // do not use the trackers in links
	Preallocate  bool // reserve the space of a file before writing to it
	AllowPrivate bool // use private addresses from trackers, web seeds and peer exchange
	Limits       share.Limits
	MaxFetching  int // transfers that fetch at once, the others are queued; 0 is no limit
	MaxUploads   int // peers uploaded to at once, in all transfers; 0 is as many as the line serves well
	MaxConns     int // connections in all; 0 is 500
	// Yield limits uploads to peers beyond this link so that the line stays usable for
	// others; SetYield changes it.
	Yield bool

	// Look changes nothing: transfers stay at rest, none is served, announced or
	// searched for, and only DB is written to, which should be a copy. The files of
	// complete transfers are checked.
	Look bool

	// Finders find peers of each transfer and announce it.
	Finders []Finder
	// Addresses returns where strangers reach this node, best first; links carry them.
	// It may be nil, and must not block.
	Addresses func() []netip.AddrPort
	// HostAddresses returns all addresses of this host. If one is unique local, peers of
	// the same site that others there named are dialled. It may be nil, and must not
	// block.
	HostAddresses func() []netip.Addr
	// WebSeeds returns URLs at which this node serves the transfer that was added at a
	// time to clients over HTTP (BEP 19); links carry them. With nil there are none. It
	// must not block.
	WebSeeds func(id share.ID, added time.Time) []string
	// DHTPort is the UDP port announced to peers (BEP 5 PORT); nil or 0 announces
	// none.
	DHTPort func() uint16
	// OnDHTNode is called with possible addresses of DHT nodes: of a peer that sent
	// its PORT, and of the peers in a link. It is called in goroutines of its own.
	OnDHTNode func(netip.AddrPort)

	// DialFrom returns the local address for TCP connections that we dial. With nil, or
	// when it returns none, the system chooses. It must not block.
	DialFrom func() netip.Addr
	// Reachable reports whether strangers are known to reach one of Addresses. While
	// they are not, or with nil, complete transfers look for peers and dial them. It
	// must not block.
	Reachable func() bool
	// OnStranger is called after the handshake of each TCP connection from a host that
	// this node never dialled, and of each that Web takes from such a host, to the address
	// local of this host: proof that strangers can connect. It is called in a goroutine of
	// its own.
	OnStranger func(local netip.Addr, from netip.AddrPort)

	// OwnerOf returns the owner of the content at a path, for transfers from versions
	// that kept no owners. Empty is the user; with nil it is always the user.
	OwnerOf func(path string) Owner
	// Guard is called for each file and folder before it is shared, with its path
	// without symbolic links, except for the lists of channels. Its error refuses the
	// share. With nil everything may be shared.
	Guard func(path string, info fs.FileInfo) error

	// Web serves browsers that connect to Listeners; nil serves none.
	Web Web

	Client string           // name and version sent to peers, such as "shoal 1.0"
	Now    func() time.Time // nil is time.Now
}

// ShareRequest says what to share and who owns it.
type ShareRequest struct {
	Path string // file or folder, absolute
	share.ShareOptions
	// Owner owns the share; empty is User. With a Lease its command owns the share;
	// with both, the command until the share is hashed, and then Owner.
	Owner Owner
	Lease Lease
}

// FetchRequest says what to fetch, where to put it and who owns it.
type FetchRequest struct {
	Link share.Link
	// Torrent is the content of a .torrent file. If given, it decides what is fetched;
	// the peers, trackers and selection of Link are still used.
	Torrent []byte
	Output  string // folder that will hold the content, absolute
	share.FetchOptions
	// MaxSize is in bytes; 0 is no limit. Larger content is not fetched: the transfer
	// stops with share.Refused.
	MaxSize int64
	// Only is a pattern for the name of a single file; empty is any content. Other
	// content is not fetched, as with MaxSize.
	Only string
	// Anywhere says that Output is not the user's choice: content that the node already
	// has stays where it is.
	Anywhere bool
	// Owner owns the transfer; empty is User. With a Lease its command owns it.
	Owner Owner
	Lease Lease
}

const (
	// Run returns this long after its context has ended, at the latest.
	stopTime        = 10 * time.Second
	defaultMaxConns = 500
)

// Engine is the transfers of a node, as callers see them. Its methods are safe for
// concurrent use. They check their arguments, read what they need from the disk, and
// leave the rest to the loop.
type Engine struct {
	cfg      Config
	hub      *hub
	torrents torrents
	swarms   face.Network
	down, up *flow.Bucket
	intake   *Intake
	ready    chan struct{}
	box      *mailbox
	loop     *loop // touched only by what box runs on it
}

// New checks the configuration. It starts nothing and touches no disk.
func New(cfg Config) (*Engine, error) {
	switch {
	case cfg.DB == nil:
		return nil, errors.New("engine: Config.DB is needed")
	case !filepath.IsAbs(cfg.Dir):
		return nil, errors.New("engine: Config.Dir must be an absolute path")
	}
	if err := cfg.Limits.Check(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = defaultMaxConns
	}
	if cfg.Client == "" {
		cfg.Client = "shoal"
	}
	e := &Engine{
		cfg:      cfg,
		hub:      newHub(),
		torrents: torrents(cfg.Dir),
		down:     flow.NewBucket(cfg.Limits.Down),
		up:       flow.NewBucket(cfg.Limits.Up),
		ready:    make(chan struct{}),
		box:      newMailbox(),
	}
	e.intake = &Intake{limit: e.down}
	far := netguard.Policy{AllowPrivate: cfg.AllowPrivate, IPv4: cfg.IPv4}
	e.swarms = native.New(face.Config{
		Logger: cfg.Logger, Client: cfg.Client, Now: cfg.Now,
		Listeners: cfg.Listeners, UTP: cfg.UTP, DialFrom: cfg.DialFrom, Reachable: cfg.Reachable, DHTPort: cfg.DHTPort,
		Policy: far, MaxConns: cfg.MaxConns, Uploads: cfg.MaxUploads, Yield: cfg.Yield,
		Web:    cfg.Web,
		Events: face.Events{Wake: e.awaken, Found: e.found, DHTNode: cfg.OnDHTNode, Stranger: cfg.OnStranger},
	})
	e.loop = newLoop(e.cfg, e.box, e.swarms, e.hub, far, e.down, e.up, e.intake)
	return e, nil
}

// found takes addresses from callbacks that must not wait.
func (e *Engine) found(id share.ID, s share.Source, addrs []netip.AddrPort) {
	e.box.hint(func() { e.loop.discovery.found(foundPeers{id, s, addrs}) })
}

// Ready is closed when the transfers of the last run are loaded.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// Run loads the transfers of the last run and continues them until ctx ends. It returns
// when everything it started has stopped, within ten seconds. It is called once. Every
// other method waits until Ready is closed.
func (e *Engine) Run(ctx context.Context) error {
	defer e.hub.close()
	stop, err := e.loop.open(ctx)
	if err != nil {
		e.box.close()
		return err
	}
	close(e.ready)
	e.loop.run(ctx)
	return stop()
}

// call runs f on the loop and returns when it is done, and when what it changed or may have
// seen of transfers would survive a power cut: nothing is told that a crash undoes. It
// reports false when the loop has ended.
func (e *Engine) call(f func(*loop)) bool {
	var saved <-chan error
	ok := e.box.call(func() {
		before := e.loop.state.version()
		f(e.loop)
		saved = e.loop.state.since(before)
	})
	if saved != nil {
		select {
		case <-saved: // an error is logged, and the change is written again
		case <-e.box.closed:
		}
	}
	return ok
}
