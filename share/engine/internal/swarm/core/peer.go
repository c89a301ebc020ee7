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
	Encrypted      bool
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
	answering             // of requests
	trust                 // of poison
	asking                // of uploads
	suggestions           // of suggester
	manners               // of greeter
	gossip      gossiping // of gossip
	info        sourcing  // of infoExchange
}

// Refusals of Connected.
var (
	ErrBanned = errors.New("the peer sent wrong data before")
	ErrSelf   = errors.New("the peer is this node")
	ErrTwin   = errors.New("another connection to the peer is preferred")
	ErrFull   = errors.New("there are enough peers")
)
