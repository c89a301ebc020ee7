package core

import (
	"errors"
	"net/netip"
	"time"
)

// PeerInfo is what a handshake tells of a peer.
type PeerInfo struct {
	Addr     netip.AddrPort // the other end of the connection
	ID       [20]byte
	Outgoing bool // we connected
	// Fast and Extended say that both sides have BEP 6 and BEP 10.
	Fast, Extended bool
	// V2 says that both sides exchange hashes (BEP 52).
	V2        bool
	Encrypted bool
	// UTP: the connection is over uTP, so that it comes from where the peer listens.
	UTP bool
	// DHTPort is the port of our DHT node, which the peer is told; 0 for none
	// (BEP 5).
	DHTPort uint16
	// Web is no peer but a place that has content, as a web seed (BEP 19). It is
	// sent requests and cancels, may be sent other messages and need not heed
	// them, and says by a bit field or HaveAll what it has.
	Web bool
}

// Peer is one connection. The exported fields are to be read only. Each part of
// the Core keeps here what it knows of the peer.
type Peer struct {
	PeerInfo
	Client     string
	Downloaded int64 // bytes of blocks that it sent
	Uploaded   int64 // bytes of blocks that it was sent

	gone    bool
	since   time.Duration
	heard   time.Duration // last message from it
	spoke   time.Duration // last message to it
	strikes int
	listen  netip.AddrPort // where others reach it; invalid while not known

	outbox                // of sender
	holding               // of holdings
	hearing               // of herald
	answering             // of requests
	trust                 // of poison
	asking                // of uploads
	given       giving    // of uploads
	suggestions           // of suggester
	manners               // of greeter
	gossip      gossiping // of gossip
	info        sourcing  // of infoExchange
	inquired    inquired  // of inquiries
	inquiring   inquiring // of hashServer
	layering    layering  // of layersFirst
}

// Listens is where others reach p; invalid while that is not known.
func (p *Peer) Listens() netip.AddrPort { return p.listen }

// Pieces is how many pieces p has.
func (p *Peer) Pieces() int { return p.count }

// Idle tells whether p lets us ask for nothing and wants nothing.
func (p *Peer) Idle() bool { return p.chokesUs && !p.interested }

// Refusals of Connected.
var (
	ErrBanned = errors.New("the peer sent wrong data before")
	ErrSelf   = errors.New("the peer is this node")
	ErrTwin   = errors.New("another connection to the peer is preferred")
	ErrFull   = errors.New("there are enough peers")
)
