package engine

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
	"sync/atomic"
	"time"

	utp "github.com/anacrolix/go-utp"
	"github.com/anacrolix/torrent"
	libinfo "github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/mse"
	"golang.org/x/time/rate"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/peerguard"
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

// client is the client library with everything around it that makes it safe to
// show to strangers. Transfers that nobody is interested in are not in it: a
// handshake that asks for one of them waits until it has been added.
type client struct {
	lib   *torrent.Client
	gate  *gate
	guard *peerguard.Guard
	tcp   *dialer
	web   *netguard.Streams
	close []func() error
	id    [20]byte
	tells sync.WaitGroup // calls of Config.OnDHTNode

	// wake adds the transfer of an ID to the library, if this node has it.
	wake  func(ctx context.Context, id share.ID)
	found func(id share.ID, s share.Source, addrs []netip.AddrPort)

	onStranger func(local netip.Addr, from netip.AddrPort)
	dialbacks  *dialbacks
	punches    *puncher
	punchFrom  []*net.TCPListener

	ctx    context.Context // of wake
	cancel context.CancelFunc

	// Read by callbacks, which may run with the library's lock held: whoever
	// holds these locks must not call the library.
	mu       sync.RWMutex
	known    map[share.ID]struct{} // what a stranger may ask for
	attached map[share.ID]*attachment
}

// attachment is one transfer that is in the library.
type attachment struct {
	id     share.ID
	tor    *torrent.Torrent
	tap    *tap
	pieces int

	infoSize int // bytes

	mu    sync.Mutex
	peers map[*torrent.PeerConn]*peerState
	seeds int
	// offered are addresses that the library was told of lately.
	offered map[netip.AddrPort]struct{}

	web mirrors

	lastPeer atomic.Int64 // Unix seconds when a connection last came or went
	ready    atomic.Bool  // the library accepts connections for it
}

// peerState is what the engine notes about one connection. It is guarded by
// attachment.mu.
type peerState struct {
	conn *conn // nil when it could not be told which it is
	have int
	seed bool
	port bool // it has told the port of its DHT node

	punch   bool   // it knows BEP 55
	listens uint16 // the port that it says it listens at; 0 when it did not

	down, up meter // of its connection
}

func newClient(cfg *Config, log *slog.Logger, g *gate, d *dialbacks) (*client, error) {
	c := &client{
		gate:     g,
		known:    make(map[share.ID]struct{}),
		attached: make(map[share.ID]*attachment),

		onStranger: cfg.OnStranger,
		dialbacks:  d,
		punches:    newPuncher(g.now),
	}
	copy(c.id[:], peerIDPrefix+rand.Text())
	c.ctx, c.cancel = context.WithCancel(context.Background())

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
	lib.DisableIPv4Peers = !cfg.IPv4
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
			if a := c.attachmentOf(id); a != nil {
				return a.infoSize
			}
			return 0
		},
		OnPort: func(pc *torrent.PeerConn, port uint16) { c.dhtNode(pc, port, cfg.OnDHTNode) },
		OnHostile: func(pc *torrent.PeerConn, err error) {
			if ap, err := netip.ParseAddrPort(pc.RemoteAddr.String()); err == nil {
				g.strike(ap.Addr())
			}
		},
	})

	var err error
	if c.lib, err = torrent.NewClient(lib); err != nil {
		c.cancel()
		return nil, share.Errorf(share.Failed, "starting the peer protocol: %w", err)
	}
	c.listen(cfg, log)
	if cfg.DHTPort != nil {
		c.lib.AddDhtServer(dhtPort{cfg.DHTPort})
	}
	return c, nil
}

// listen gives the library its ways in and out. It must come before the first
// transfer is added.
func (c *client) listen(cfg *Config, log *slog.Logger) {
	for _, l := range cfg.Listeners {
		c.lib.AddListener(&listener{l, c.gate})
		c.close = append(c.close, l.Close)
		if t, ok := l.(*net.TCPListener); ok && t.Addr().(*net.TCPAddr).IP.To4() == nil {
			c.punchFrom = append(c.punchFrom, t)
		}
	}
	network := "tcp6"
	if cfg.IPv4 {
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

// shutdown ends every connection and returns when nothing of the library uses
// the storage any more. Transfers must have been detached.
func (c *client) shutdown() error {
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

// offer tells strangers that they may ask for id.
func (c *client) offer(id share.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[id] = struct{}{}
}

func (c *client) withdraw(id share.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, id)
}

func (c *client) attachmentOf(id share.ID) *attachment {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.attached[id]
}

// attach adds a transfer to the library. The info dictionary has been accepted
// by share/metainfo; what the library makes of it is checked once more.
func (c *client) attach(id share.ID, infoBytes []byte, tap *tap) (*attachment, error) {
	pieces, err := preflight(infoBytes)
	if err != nil {
		return nil, share.Errorf(share.Refused, "the content of %s cannot be handled: %w", id.Short(), err)
	}
	a := &attachment{id: id, tap: tap, pieces: pieces, infoSize: len(infoBytes), peers: make(map[*torrent.PeerConn]*peerState), offered: make(map[netip.AddrPort]struct{})}
	a.web.next = c.web
	a.lastPeer.Store(c.gate.now().Unix())
	c.mu.Lock()
	c.attached[id] = a
	c.mu.Unlock()
	tor, _ := c.lib.AddTorrentOpt(torrent.AddTorrentOpts{
		InfoHash:  libinfo.Hash(id),
		InfoBytes: infoBytes,
		Storage:   tap,
	})
	a.tor = tor
	if tor.Info() == nil {
		c.detach(a)
		return nil, share.Errorf(share.Disk, "opening the storage of %s failed", id.Short())
	}
	a.ready.Store(true)
	return a, nil
}

// detach takes a transfer from the library. It may take as long as a read from
// or a write to disk does.
func (c *client) detach(a *attachment) {
	a.tap.close()
	a.tor.Drop()
	a.tap.drain()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.attached[a.id] == a {
		delete(c.attached, a.id)
	}
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

// counts returns how many peers are connected, and how many of them have
// everything.
func (a *attachment) counts() (peers, seeds int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.peers), a.seeds
}

func (a *attachment) busy() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.peers) > 0
}
