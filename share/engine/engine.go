// Package engine moves content: it publishes folders, fetches links, seeds,
// verifies, pauses, limits and streams.
//
// What it promises: a piece counts as complete only after its bytes hashed
// right and reached the disk; what the user shares is only ever read; a disk
// that fails stops only the transfers on it, which resume by themselves; and
// nothing a peer, a tracker or a torrent says ends the process or makes it grow
// without bound. What sees to the last is internal/swarm (connections and
// messages), internal/swarm/infofetch (info dictionaries), internal/netguard
// (addresses) and the book (addresses of peers).
//
// An Engine is one event loop that owns every transfer. Whatever takes time
// (hashing, opening storage, attaching to a swarm) is a job in its own goroutine
// that hands its result back to the loop. The peer protocol is known to it by
// the interfaces of internal/swarm/face alone.
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
)

// Finder finds peers of an ID and makes this node known as one.
type Finder interface {
	// Find streams peers of id to found until ctx ends or the search is over.
	// found is never called concurrently or after Find returned.
	Find(ctx context.Context, id share.ID, found func([]netip.AddrPort)) error
	// Announce keeps id announced until Withdraw; it returns at once. A second
	// Announce of the same id changes nothing.
	Announce(id share.ID)
	// Withdraw ends Announce; it returns at once.
	Withdraw(id share.ID)
	// Source names this finder in events and peer lists.
	Source() share.Source
}

// Config holds what an Engine depends on.
type Config struct {
	Logger *slog.Logger // nil discards
	// DB is the node's state.db. The engine makes and upgrades its own tables,
	// whose names begin with "engine_", and never closes it.
	DB *sql.DB
	// Dir keeps a copy of each torrent as ID.torrent. It is made when missing.
	Dir string

	// Listeners accept peers over TCP, all on one port. The engine closes them.
	Listeners []net.Listener
	// UTP carries peers over uTP on the same port; nil turns uTP off. The
	// engine closes it.
	UTP net.PacketConn

	IPv4         bool // dial and accept IPv4 peers, too
	NoTrackers   bool // leave trackers named in links alone
	Preallocate  bool // reserve the space of a file before writing to it
	AllowPrivate bool // follow trackers, web seeds and peer exchange to private addresses
	Limits       share.Limits
	MaxFetching  int // how many fetch at once, others are queued; 0 is no limit
	MaxConns     int // connections in all; 0 is 500

	// Look leaves all as it is: transfers rest, none is offered, announced or
	// looked for, and nothing is written but to DB, which is to be a copy. The
	// files of complete ones are looked at.
	Look bool

	// Finders look for peers of each transfer and announce it.
	Finders []Finder
	// Addresses tells where strangers reach this node, best first. Links carry
	// them; nil or an empty result makes links without addresses. It must not
	// block.
	Addresses func() []netip.AddrPort
	// DHTPort is the UDP port told to peers (BEP 5 PORT); nil or 0 tells none.
	DHTPort func() uint16
	// OnDHTNode receives addresses where a DHT node may be: of a peer that told
	// its PORT, and of the peers that a link names. It is called in goroutines of
	// its own.
	OnDHTNode func(netip.AddrPort)

	// DialFrom is the address that calls over TCP leave from; with nil, or where
	// it gives none, the system chooses. It must not block.
	DialFrom func() netip.Addr
	// OnStranger is told of each TCP connection to the address local of this
	// host from a host that this node never called, once its handshake is over:
	// proof that strangers get through. It is called in a goroutine of its own.
	OnStranger func(local netip.Addr, from netip.AddrPort)

	// OwnerOf tells who owns what is at a path, for transfers of versions that
	// noted no owners. Empty is the user; nil is always that.
	OwnerOf func(path string) Owner
	// Guard is asked about each file and folder before it is shared, by its path
	// without symbolic links, but for the lists of channels. Its error refuses the
	// share. Nil lets all pass.
	Guard func(path string, info fs.FileInfo) error

	Client string           // name and version told to peers, such as "shoal 1.0"
	Now    func() time.Time // nil is time.Now
}

// ShareRequest says what to share and who wants it.
type ShareRequest struct {
	Path string // file or folder, absolute
	share.ShareOptions
	// Owner wants it; empty is User. With a Lease it is the command of that, and
	// with Owner, too, the command only until it is hashed, then Owner.
	Owner Owner
	Lease Lease
}

// FetchRequest says what to fetch, where to put it and who wants it.
type FetchRequest struct {
	Link share.Link
	// Torrent is the content of a .torrent file; where given it wins over Link,
	// whose peers, trackers and selection still count.
	Torrent []byte
	Output  string // folder that will hold the content, absolute
	share.FetchOptions
	// MaxSize in bytes; content that turns out to be larger is not fetched, and
	// the transfer stops with share.Refused. 0 is no limit.
	MaxSize int64
	// Only, where not empty, is a pattern for the name of a single file: other
	// content is not fetched, and stops as with MaxSize.
	Only string
	// Anywhere tells that Output is not the user's choice: what is here already
	// may be where it is.
	Anywhere bool
	// Owner wants it; empty is User, and Lease the command of that.
	Owner Owner
	Lease Lease
}

const (
	// stopTime bounds how long Run takes to return once it is told to.
	stopTime        = 10 * time.Second
	defaultMaxConns = 500
)

// Engine is the transfers of a node, as callers see them. Its methods are safe for
// concurrent use. They check what they are given, read what they need of the disk, and
// leave the rest to the loop.
type Engine struct {
	cfg      Config
	hub      *hub
	torrents torrents
	swarms   face.Network
	down, up *flow.Bucket
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
	far := netguard.Policy{AllowPrivate: cfg.AllowPrivate, IPv4: cfg.IPv4}
	e.swarms = newNetwork(face.Config{
		Logger: cfg.Logger, Client: cfg.Client, Now: cfg.Now,
		Listeners: cfg.Listeners, UTP: cfg.UTP, DialFrom: cfg.DialFrom, DHTPort: cfg.DHTPort,
		Policy: far, MaxConns: cfg.MaxConns,
		Events: face.Events{Wake: e.awaken, Found: e.found, DHTNode: cfg.OnDHTNode, Stranger: cfg.OnStranger},
	})
	e.loop = newLoop(e.cfg, e.box, e.swarms, e.hub, far, e.down, e.up)
	return e, nil
}

// found takes addresses from callbacks that must not wait.
func (e *Engine) found(id share.ID, s share.Source, addrs []netip.AddrPort) {
	e.box.hint(func() { e.loop.discovery.found(foundPeers{id, s, addrs}) })
}

// Ready is closed when the transfers of the last run are loaded.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// Run loads the transfers of the last run and carries on with them until ctx
// ends. It returns after everything it started has stopped, within ten seconds.
// It is called once. Every other method waits until Run is Ready.
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

// call runs f on the loop and returns when it is done. It reports false when the loop has
// ended.
func (e *Engine) call(f func(*loop)) bool {
	return e.box.call(func() { f(e.loop) })
}
