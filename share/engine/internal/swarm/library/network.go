// Package library keeps to itself that the peer protocol is run by torrent.Client
// of github.com/anacrolix/torrent, and everything around it that makes it safe to
// expose to strangers. Only infofetch and peerguard import other parts of
// that library.
//
// What peers say goes past package peerguard before the library sees it;
// connections pass the gate; the info dictionary is read once more the way the
// library will; and the storage is behind a tap that can be shut.
package library

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	utp "github.com/anacrolix/go-utp"
	"github.com/anacrolix/torrent"
	libinfo "github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/mse"
	"golang.org/x/time/rate"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/peerguard"
)

const (
	peerIDPrefix = "-SH0100-"
	maxPeerConns = 80 // of one transfer
	// Peers that ask and do not read make us hold this much for each.
	maxPeerBuffer = 512 << 10
	// Data received and not yet hashed, of all transfers. It lies on disk, not
	// in memory; the limit keeps a fetch from running ahead of a slow hasher.
	maxUnhashed   = 256 << 20
	dialsASecond  = 60
	maxDialling   = 300
	handshakeTime = 10 * time.Second
	wakeTime      = handshakeTime - 2*time.Second
)

// Network implements face.Network. Swarms that nobody is interested in are not in
// the library: a handshake that asks for one of them waits until it has been
// attached.
type Network struct {
	cfg       face.Config
	id        [20]byte
	gate      *gate
	dialbacks *dialbacks
	punches   *puncher
	punchFrom []*net.TCPListener
	totals    totals
	tells     sync.WaitGroup // calls of Events

	// Made by Start.
	lib   *torrent.Client
	guard *peerguard.Guard
	tcp   *dialer
	web   *netguard.Streams
	close []func() error

	ctx    context.Context // of Events.Wake, and of calls that others arranged
	cancel context.CancelFunc

	// Read by callbacks, which may run with the library's lock held: whoever
	// holds these locks must not call the library.
	mu       sync.RWMutex
	known    map[share.ID]struct{} // what a stranger may ask for
	attached map[share.ID]*Swarm
}

var _ face.Network = (*Network)(nil)

// New makes a Network, which starts nothing.
func New(cfg face.Config) *Network {
	g := newGate(cfg.Logger, cfg.Policy, cfg.MaxConns, cfg.Now)
	c := &Network{
		cfg:       cfg,
		gate:      g,
		dialbacks: newDialbacks(g, cfg.Client),
		punches:   newPuncher(g.now),
		known:     make(map[share.ID]struct{}),
		attached:  make(map[share.ID]*Swarm),
	}
	copy(c.id[:], peerIDPrefix+rand.Text())
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// PeerID implements face.Network.
func (c *Network) PeerID() [20]byte { return c.id }

// DialBacks implements face.Network.
func (c *Network) DialBacks() face.DialBacks { return c.dialbacks }

// Start implements face.Network.
func (c *Network) Start() error {
	cfg, log, g := &c.cfg, c.cfg.Logger, c.gate
	lib := torrent.NewDefaultClientConfig()
	lib.Slogger = slog.New(quietHandler{log.Handler()})
	lib.PeerID = string(c.id[:])
	lib.ExtendedHandshakeClientVersion = cfg.Client
	lib.HTTPUserAgent = cfg.Client
	lib.DefaultStorage = noStorage{}

	// What is not the library's business: it opens no socket and finds no peer.
	lib.NoDHT, lib.PeriodicallyAnnounceTorrentsToDht = true, false
	lib.DisableTCP, lib.DisableUTP, lib.DisableTrackers = true, true, true
	lib.NoDefaultPortForwarding, lib.DisableWebtorrent = true, true
	lib.DisableIPv4Peers = !cfg.Policy.IPv4
	lib.AlwaysWantConns = true // transfers at rest are not in the library

	lib.Seed = true
	lib.UploadRateLimiter = rate.NewLimiter(rate.Inf, maxPeerBuffer) // the default is shared by all clients
	lib.HandshakesTimeout = handshakeTime
	lib.EstablishedConnsPerTorrent = maxPeerConns
	lib.TotalHalfOpenConns = maxDialling
	lib.DialRateLimiter = rate.NewLimiter(dialsASecond, dialsASecond)
	lib.MaxAllocPeerRequestDataPerConn = maxPeerBuffer
	lib.MaxUnverifiedBytes = maxUnhashed
	lib.PieceHashersPerTorrent = runtime.NumCPU()
	lib.DropDuplicatePeerIds = false // a stranger would throw an honest peer out by using its ID
	// Encrypted handshakes are accepted, and tried where a plain one failed.
	lib.HeaderObfuscationPolicy = torrent.HeaderObfuscationPolicy{Preferred: false}
	lib.CryptoProvides = mse.AllSupportedCrypto
	c.web = netguard.Transport(netguard.ClientConfig{Policy: g.policy, UserAgent: cfg.Client})
	lib.WebTransport = c.web

	cb := &lib.Callbacks
	cb.CompletedHandshake = c.completedHandshake
	cb.ReceiveEncryptedHandshakeSkeys = c.secretKeys
	cb.PeerConnAdded = []func(*torrent.PeerConn){c.peerAdded}
	cb.PeerConnClosed = c.peerClosed
	cb.ReadMessage = c.readMessage
	cb.PeerConnReadExtensionMessage = []func(torrent.PeerConnReadExtensionMessageEvent){c.readExtension}
	c.guard = peerguard.Install(cb, peerguard.Config{
		Logger: log,
		PeerID: c.id,
		Policy: g.near(), // the book judges what PEX brings
		InfoSize: func(id share.ID) int {
			if a := c.swarmOf(id); a != nil {
				return a.infoSize
			}
			return 0
		},
		OnPort: func(pc *torrent.PeerConn, port uint16) { c.dhtNode(pc, port, cfg.Events.DHTNode) },
		OnHostile: func(pc *torrent.PeerConn, err error) {
			if ap, err := netip.ParseAddrPort(pc.RemoteAddr.String()); err == nil {
				g.strike(ap.Addr())
			}
		},
	})

	var err error
	if c.lib, err = torrent.NewClient(lib); err != nil {
		c.cancel()
		return share.Errorf(share.Failed, "starting the peer protocol: %w", err)
	}
	c.listen()
	if cfg.DHTPort != nil {
		c.lib.AddDhtServer(dhtPort{cfg.DHTPort})
	}
	return nil
}

// listen gives the library its ways in and out. It must come before the first
// transfer is added.
func (c *Network) listen() {
	cfg, log := &c.cfg, c.cfg.Logger
	for _, l := range cfg.Listeners {
		c.lib.AddListener(&listener{l, c.gate})
		c.close = append(c.close, l.Close)
		if t, ok := l.(*net.TCPListener); ok && t.Addr().(*net.TCPAddr).IP.To4() == nil {
			c.punchFrom = append(c.punchFrom, t)
		}
	}
	network := "tcp6"
	if cfg.Policy.IPv4 {
		network = "tcp"
	}
	tcp := net.Dialer{KeepAlive: -1, FallbackDelay: -1}
	c.tcp = &dialer{c.gate, network, func(ctx context.Context, addr string) (net.Conn, error) {
		to, err := netip.ParseAddrPort(addr)
		if err != nil {
			return nil, fmt.Errorf("connecting to %q: %w", addr, err)
		}
		d := dialFrom(tcp, cfg.DialFrom, to.Addr())
		plain := func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, network, addr) }
		return c.reach(ctx, to, plain)
	}}
	c.lib.AddDialer(c.tcp)
	if cfg.UTP == nil {
		return
	}
	socket, err := utp.NewSocketFromPacketConn(cfg.UTP)
	if err != nil {
		log.Warn("uTP is not available", "error", err)
		c.close = append(c.close, cfg.UTP.Close)
		return
	}
	c.close = append(c.close, socket.Close)
	c.lib.AddListener(&listener{socket, c.gate})
	c.lib.AddDialer(&dialer{c.gate, "udp6", func(ctx context.Context, addr string) (net.Conn, error) {
		return socket.DialContext(ctx, "", addr)
	}})
}

// Close implements face.Network.
func (c *Network) Close() error {
	c.cancel()
	errs := c.lib.Close()
	close(c.gate.closed)
	for _, f := range c.close {
		if err := f(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	c.gate.closeAll()
	c.punches.closeAll()
	c.web.CloseIdleConnections()
	c.guard.Wait()
	c.tells.Wait()
	return errors.Join(errs...)
}

// Offer implements face.Network.
func (c *Network) Offer(id share.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[id] = struct{}{}
}

// Withdraw implements face.Network.
func (c *Network) Withdraw(id share.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, id)
}

// Offered tells whether a peer that asks for id is let in.
func (c *Network) Offered(id share.ID) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, known := c.known[id]
	return known || c.attached[id] != nil
}

// Banned counts the addresses that were caught sending wrong data.
func (c *Network) Banned() int { return len(c.lib.BadPeerIPs()) }

// Dial implements face.Network.
func (c *Network) Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	return c.tcp.Dial(ctx, to.String())
}

// Tend implements face.Network.
func (c *Network) Tend() {
	sweepCounters()
	c.gate.look()
}

// Figures implements face.Network.
func (c *Network) Figures() face.NetworkFigures {
	return face.NetworkFigures{Down: c.totals.down.Load(), Up: c.totals.up.Load(), Open: c.gate.open(), Refused: c.gate.refused.Load()}
}

func (c *Network) swarmOf(id share.ID) *Swarm {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.attached[id]
}

// Attach implements face.Network. The info dictionary has been accepted by
// share/metainfo; what the library makes of it is checked once more.
func (c *Network) Attach(content face.Content) (face.Swarm, error) {
	a, err := c.attach(content)
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (c *Network) attach(content face.Content) (*Swarm, error) {
	id := content.ID
	pieces, err := preflight(content.Info)
	if err != nil {
		return nil, share.Errorf(share.Refused, "the content of %s cannot be handled: %w", id.Short(), err)
	}
	a := &Swarm{
		of: c, id: id, readOnly: content.ReadOnly, pieces: pieces, infoSize: len(content.Info),
		tap:   newTap(content.Storage, content.Down, content.Up, &c.totals, content.Arrived),
		peers: make(map[*torrent.PeerConn]*peerState), offered: make(map[netip.AddrPort]struct{}),
	}
	a.web.next = c.web
	a.lastPeer.Store(c.gate.now().Unix())
	c.mu.Lock()
	c.attached[id] = a
	c.mu.Unlock()
	a.tor, _ = c.lib.AddTorrentOpt(torrent.AddTorrentOpts{
		InfoHash:  libinfo.Hash(id),
		InfoBytes: content.Info,
		Storage:   a.tap,
	})
	if a.tor.Info() == nil {
		a.Detach()
		return nil, share.Errorf(share.Disk, "opening the storage of %s failed", id.Short())
	}
	if a.readOnly {
		a.tor.DisallowDataDownload()
	}
	a.ready.Store(true)
	return a, nil
}

// Check implements face.Network.
func (c *Network) Check(info []byte) error {
	_, err := preflight(info)
	return err
}

// preflight reads an info dictionary the way the library will, where a mistake
// of its own cannot end the process, and returns the number of pieces.
func preflight(infoBytes []byte) (pieces int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("the peer protocol cannot describe it")
		}
	}()
	mi := libinfo.MetaInfo{InfoBytes: infoBytes}
	info, err := mi.UnmarshalInfo()
	if err != nil {
		return 0, err
	}
	if !info.HasV1() {
		return 0, errors.New("it has no v1 description")
	}
	asV1(&info)
	pieces = info.NumPieces()
	if pieces == 0 {
		return 0, errors.New("it has no pieces")
	}
	info.Piece(pieces - 1).Length()
	return pieces, nil
}

// asV1 makes a hybrid (BEP 52) look like a v1 torrent. Of a hybrid the library
// takes the pieces at the ends of files for shorter than the padding makes them,
// so that it hangs up on every peer that goes by the v1 description, and files
// without bytes end the process.
func asV1(info *libinfo.Info) {
	info.MetaVersion, info.FileTree = 0, libinfo.FileTree{}
}
