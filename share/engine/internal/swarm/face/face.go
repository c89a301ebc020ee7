// Package face keeps nothing to itself: it is all that the engine knows of the peer
// protocol, namely how content enters and leaves a swarm, what the engine asks for,
// and what it is told. Package native implements it; package
// conform tests an implementation.
package face

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// ErrNotNow is wrapped by the error of a call that was not made, because there is no
// room for it now. A later one may be.
var ErrNotNow = errors.New("there is no room for a call now")

// Config is what a Network depends on.
type Config struct {
	Logger *slog.Logger
	Client string           // name and version told to peers
	Now    func() time.Time // for what is remembered of peers

	// Listeners accept peers over TCP, UTP carries them over uTP; nil is none.
	// Network closes them.
	Listeners []net.Listener
	UTP       net.PacketConn
	// DialFrom is the address that calls over TCP leave from; with nil, or where
	// it gives none, the system chooses. It must not block.
	DialFrom func() netip.Addr
	// Reachable tells whether strangers are known to get in; nil is no. It must not
	// block.
	Reachable func() bool
	// DHTPort is the UDP port told to peers (BEP 5 PORT); nil tells none.
	DHTPort func() uint16

	// Policy judges the addresses that strangers name.
	Policy   netguard.Policy
	MaxConns int // connections in all
	Uploads  int // peers uploaded to at once, in all swarms; 0 for the Network to decide
	// Yield holds uploads to what leaves the line usable for others, see Network.
	Yield bool

	// Web serves browsers that connect to Listeners; nil serves none.
	Web Web

	Events Events
}

// Web serves browsers. Its methods must not block.
type Web interface {
	// Open tells whether connections that begin with TLS, or without it with HTTP, are
	// served.
	Open(tls bool) bool
	// Serve takes such a connection, from its first byte on. It bounds how many there are,
	// and closes them.
	Serve(conn net.Conn, tls bool)
}

// Events is what a Network tells. Wake may take its time and ends with its
// context; the others must not block. A nil one is not called.
type Events struct {
	// Wake attaches the content of an ID that was offered, since a peer asks for
	// it.
	Wake func(ctx context.Context, id share.ID)
	// Found is told of addresses that peers sent; of private ones, where Config.Policy
	// refuses those, only if the peer is itself where such an address means the same. It
	// is told from where each peer called, too, as share.FromIncoming.
	Found func(id share.ID, s share.Source, addrs []netip.AddrPort)
	// DHTNode is told where a peer says that it runs a node of the DHT. It is
	// called in goroutines of its own.
	DHTNode func(netip.AddrPort)
	// Stranger is told of each TCP connection to the address local of this host
	// from a host that this node never called, once its handshake is over or, of a
	// browser that Web takes, its request has begun. It is called in goroutines of its
	// own.
	Stranger func(local netip.Addr, from netip.AddrPort)
}

// Network is this node among its peers: it has the sockets. Swarms are attached
// between Start and Close.
type Network interface {
	// Start begins to accept peers.
	Start() error
	// Close ends every connection, and returns when nothing uses the storage of a
	// swarm any more. Swarms must have been detached.
	Close() error
	// PeerID is the ID by which peers know this node.
	PeerID() [20]byte

	// Check tells whether the content of an info dictionary, which
	// share/metainfo has accepted, can be attached.
	Check(info []byte) error
	// Learn begins to ask peers for an info dictionary by its IDs: that of v1 first, if
	// both are known. right recognises it.
	Learn(ids []share.ID, right func(info []byte) bool) (Learning, error)
	// Attach begins to exchange content with peers. It may take as long as
	// reading from disk does. It goes on with the connections of a Learning of the
	// same ID.
	Attach(Content) (Swarm, error)
	// Offer lets peers ask for content that is not attached: Events.Wake is
	// called then. Withdraw ends that.
	Offer(share.ID)
	Withdraw(share.ID)

	// Upload begins to send content to somebody who is no peer, over conn, which may
	// be nil where it is not known.
	Upload(conn net.Conn) Upload

	// Dial connects to a peer within the limits for all connections. An error that
	// wraps ErrNotNow says nothing about the peer.
	Dial(context.Context, netip.AddrPort) (net.Conn, error)
	// Moved ends connections from addresses that this host no longer has, and
	// calls their peers again.
	Moved(own []netip.Addr)
	// Yield turns on or off that uploads to peers that are not on the same link are
	// held to what the line bears without a long queue. Held is the rate, in bytes a
	// second; 0 if nothing is held at present.
	Yield(on bool)
	Held() int64
	// Tend measures what connections are good for; to be called now and then.
	Tend()
	Figures() NetworkFigures
	DialBacks() DialBacks
}

// Learning asks peers for an info dictionary (BEP 9).
type Learning interface {
	// AddPeers calls these.
	AddPeers([]Peer)
	// Info waits for the info dictionary, of at most 4 MiB, and is called once.
	// Nothing was checked but what right says. Connections are kept for a little
	// while then, for Attach. If ctx ends first the learning ends, with the cause.
	Info(ctx context.Context) ([]byte, error)
	// End closes the connections, unless Attach has taken them.
	End()
}

// NetworkFigures counts over all swarms since the Network was made.
type NetworkFigures struct {
	Down, Up int64 // bytes of content, also to those who are no peers
	Open     int   // connections, handshake included
	Refused  int64 // connections turned away by a cap or a ban
}

// DialBacks asks peers to call this node, to learn whether strangers can.
type DialBacks interface {
	// Helpers are peers that call back when asked, the latest first.
	Helpers() []netip.AddrPort
	// SeenAs is what peers said lately that this node's address is, one of each.
	SeenAs() []netip.Addr
	// ToldToCall tells whether a helper was told to call with this ID just now.
	ToldToCall(id [20]byte) bool
	// Ask asks one of Helpers to call this node at from, an address of this
	// host, by TCP and UDP on these ports; a port of 0 is not called.
	Ask(ctx context.Context, helper netip.AddrPort, from netip.Addr, tcp, udp uint16) (DialBack, error)
}

// DialBack is what came of asking one peer to call this node.
type DialBack struct {
	// Came tells that the call was answered by this node: proof for TCP.
	Came bool
	// Failed tells that the peer called by TCP, UDPFailed by UDP, and that
	// nobody answered. Neither that nor Came means that it did not try.
	Failed, UDPFailed bool
	Seen              netip.Addr // where the peer sees this node; may be zero
}

// Content is what a swarm exchanges.
type Content struct {
	// ID is what events and figures are about: one of those that Info has. Peers
	// may ask for the content by any of them.
	ID      share.ID
	Info    []byte // the info dictionary
	Storage Storage
	// Layers are the piece layers of content that is described for BEP 52. Those
	// that are missing are fetched from peers, and put in. nil if none is known.
	Layers *metainfo.Layers
	// ReadOnly content is served and never fetched.
	ReadOnly bool
	// Down and Up hold back what is taken from peers and read for them.
	Down, Up Limit
	// Arrived is called after a piece was found right, possibly with locks held:
	// it must not block nor call the swarm.
	Arrived func()
	// Layered is called once, when the last piece layer that was missing has come;
	// Differs once, when the two descriptions of a hybrid contradict each other, so
	// that nothing is fetched any more: the error says where. Both are as Arrived.
	// nil is not called.
	Layered func()
	Differs func(error)
	// Fetched is told of a peer that has all of the content, some of which came from
	// here: it says so, or it was sent all that it lacked and then closed the
	// connection. It is as Arrived.
	Fetched func(share.Fetcher)
}

// Storage is the disk under a swarm. Its methods are safe for concurrent use;
// the last three touch memory only.
type Storage interface {
	io.ReaderAt // of content that is known to be right
	io.WriterAt // of blocks from peers
	// CopyPiece writes the first n bytes of piece i, right or wrong, to w. It returns
	// io.EOF where there is no data.
	CopyPiece(i int, n int64, w io.Writer) (int64, error)
	// Completion tells whether piece i is known to be right or wrong, and which.
	// What is not known is neither served nor requested.
	Completion(i int) (known, complete bool)
	// MarkComplete and MarkNotComplete take the verdict about a piece.
	MarkComplete(i int) error
	MarkNotComplete(i int) error
}

// Limit holds bytes back.
type Limit interface {
	// Wait blocks until n bytes may pass, and reports false when stop closed
	// first.
	Wait(n int, stop <-chan struct{}) bool
	// Holds tells whether anything is held back at present.
	Holds() bool
}

// Upload is content on its way out to somebody who is no peer, such as a browser. It
// takes one of the upload slots. The Limit is that of the line.
type Upload interface {
	Limit
	// Sent counts bytes that were sent.
	Sent(n int)
	// End is called once.
	End()
}

// Swarm is one content among its peers. Its methods may wait for as long as
// hashing a piece takes, except Figures, Connected and WebSeeds.
type Swarm interface {
	// Detach ends every connection. When it returns, the storage is used no more
	// and nothing is served.
	Detach()

	// AddPeers calls these when there is need for more peers.
	AddPeers([]Peer)
	// Connected are the addresses that were called and answered.
	Connected() map[netip.AddrPort]bool
	// Peers are those connected.
	Peers() []share.Peer

	// AddWebSeeds fetches from these, too (BEP 19). Those that it has stay.
	AddWebSeeds(urls []string)
	WebSeeds() []WebSeed

	// SetPriorities changes how soon some pieces are wanted. At first none is.
	SetPriorities(Change)
	// Retry fetches again after the storage has failed and works again.
	Retry()
	// Refresh asks the storage again what is complete.
	Refresh([]storage.Span)
	// Verify hashes pieces, and returns when all are done or ctx ends.
	Verify(context.Context, []storage.Span)
	// Pieces is what is under way with each piece.
	Pieces() []PieceState

	// Figures are of this swarm since it was attached.
	Figures() Figures
	// Sample measures the rates of connections; to be called each second.
	Sample(elapsed time.Duration)
}

// Peer is where somebody may be.
type Peer struct {
	Addr   netip.AddrPort
	Source share.Source
	V2     bool // it was named as one that knows the content by its ID of BEP 52
}

// Figures are of one swarm.
type Figures struct {
	Down, Up     int64 // bytes of content put to disk, and sent
	Peers, Seeds int   // connected
	// Availability is how many copies of the content these peers have together: the whole
	// part counts those of the rarest piece, the rest is the part of the pieces of which
	// there are more. Web seeds do not count.
	Availability float64
	// LastPeer is when a connection last came or went, or the swarm was attached.
	LastPeer time.Time
}

// Priority is how soon a piece is wanted.
type Priority uint8

// The priorities. Soon and Now are deadlines: Soon before whatever has none, Now
// before everything.
const (
	Never Priority = iota
	Normal
	High
	Soon
	Now
)

// Change is a priority of pieces From up to, not including, To, which is the
// same for all of them, as was the one before.
type Change struct {
	From, To int
	Was, Is  Priority
}

// PieceState is what is under way with a piece.
type PieceState uint8

// The states of pieces.
const (
	Still    PieceState = iota // nothing: missing, or complete and on disk
	Begun                      // some of it is here, or all and not yet on disk
	Checking                   // it is being hashed
)

// WebSeed is how a web seed does.
type WebSeed struct {
	URL  string
	Last time.Time // when it last sent something; zero for never
	Next time.Time // it is not asked before
	Err  error     // of the latest request
}

// MaxWebSeeds bounds how many web seeds of one swarm are used.
const MaxWebSeeds = 20

// UsableSeeds leaves out web seeds that may not be asked, and those beyond the
// most that are used.
func UsableSeeds(urls []string) []string {
	var out []string
	for _, u := range urls {
		if netguard.CheckURL(u) == nil && len(out) < MaxWebSeeds {
			out = append(out, u)
		}
	}
	return out
}

// Seconds writes a wait the way reasons do.
func Seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%d s", int(d/time.Second)+1)
	}
	return fmt.Sprintf("%d min", int((d+30*time.Second)/time.Minute))
}
