package peerguard

import (
	"errors"
	"fmt"
	"time"

	pp "github.com/anacrolix/torrent/peer_protocol"

	"github.com/shoalnet/shoal/share/engine/internal/netguard"
)

// Shape is what a peer's messages are checked against.
type Shape struct {
	NumPieces   int
	PieceLength int64
	Total       int64 // bytes of all pieces
	InfoSize    int   // bytes of the info dictionary
	PEX         bool  // not for private torrents (BEP 27)
	Policy      netguard.Policy
}

const (
	chunkSize = 16 << 10
	// Nobody needs more in one request, and the upload limiter's burst must
	// cover it.
	maxRequest     = 128 << 10
	maxAllowedFast = 64
	// Messages out of place that are put up with.
	maxStrikes = 64
)

type availability uint8

const (
	unsaid availability = iota
	some
	all
)

// Conn checks the messages of one peer. Not safe for concurrent use.
type Conn struct {
	shape Shape
	now   func() time.Time

	has         availability
	strikes     int
	allowedFast int
	handshakes  int
	dialbacks   int
	punches     int
	lastPEX     time.Time
	learned     int
	// owed is an upper bound of the bytes the client has been made to write in
	// answer to small messages and that are not known to be written.
	owed int64
	// blocks of the info dictionary that were asked for, at most all.
	blocks int64
}

// NewConn begins a connection.
func NewConn(shape Shape, now func() time.Time) *Conn {
	return &Conn{shape: shape, now: now}
}

// Check judges m and may change it: to a keep-alive, when it is to be ignored;
// to an equivalent that is safe to process; or, when it returns an error, to
// one that makes the client end the connection.
func (c *Conn) Check(m *pp.Message) error {
	if m.Keepalive {
		return nil
	}
	err := c.check(m)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errIgnore):
		ignore(m)
		return nil
	case errors.Is(err, errStrike):
		if c.strikes++; c.strikes <= maxStrikes {
			ignore(m)
			return nil
		}
		err = errors.New("too many messages out of place")
	}
	err = fmt.Errorf("%s message: %w", typeName(m.Type), err)
	end(m)
	return err
}

func typeName(t pp.MessageType) string { return t.String() }

var (
	errIgnore = errors.New("ignored")
	errStrike = errors.New("out of place")
)

func ignore(m *pp.Message) { *m = pp.Message{Keepalive: true} }

// end makes m a message of a type that does not exist, at which the client
// returns from its read loop.
func end(m *pp.Message) { *m = pp.Message{Type: 0xff} }

func (c *Conn) check(m *pp.Message) error {
	switch m.Type {
	case pp.Choke, pp.Unchoke, pp.Interested, pp.NotInterested:
		return nil
	case pp.Have:
		return c.have(m)
	case pp.Bitfield:
		return c.bitfield(m)
	case pp.HaveAll:
		return c.first(all)
	case pp.HaveNone:
		return c.first(some)
	case pp.Request:
		c.owed += smallReply
		return c.inPiece(m, int64(m.Length), maxRequest)
	case pp.Cancel:
		c.owed += smallReply
		return c.inPiece(m, int64(m.Length), maxRequest)
	case pp.Reject:
		return c.chunk(m, int64(m.Length))
	case pp.Piece:
		return c.chunk(m, int64(len(m.Piece)))
	case pp.AllowedFast:
		return c.fast(m)
	case pp.Extended:
		return c.extended(m)
	}
	// Suggest makes the client work and changes nothing; Port is handled by the
	// guard; hashes are of v2 torrents, which we do not have; and what else
	// there may be in a later version of the client is not known to be safe.
	return errIgnore
}

// first lets one statement about everything the peer has through. The client
// cannot take a second: its counts of who has which piece go wrong and end the
// process when the torrent is dropped.
func (c *Conn) first(to availability) error {
	if c.shape.NumPieces == 0 {
		return errIgnore
	}
	if c.has != unsaid {
		return errStrike
	}
	c.has = to
	return nil
}

func (c *Conn) have(m *pp.Message) error {
	if int64(m.Index) >= int64(c.shape.NumPieces) {
		return fmt.Errorf("piece %d of %d", m.Index, c.shape.NumPieces)
	}
	if c.has == all {
		return errIgnore
	}
	c.has = some
	return nil
}

func (c *Conn) bitfield(m *pp.Message) error {
	n := c.shape.NumPieces
	if len(m.Bitfield) != (n+7)/8*8 {
		return fmt.Errorf("%d bits for %d pieces", len(m.Bitfield), n)
	}
	to := all
	for i, set := range m.Bitfield {
		if i >= n && set {
			return errors.New("a spare bit is set")
		}
		if i < n && !set {
			to = some
		}
	}
	return c.first(to)
}

func (c *Conn) pieceLength(i pp.Integer) int64 {
	return min(c.shape.PieceLength, c.shape.Total-int64(i)*c.shape.PieceLength)
}

// inPiece checks that a range of bytes lies in one piece.
func (c *Conn) inPiece(m *pp.Message, length, most int64) error {
	if int64(m.Index) >= int64(c.shape.NumPieces) {
		return fmt.Errorf("piece %d of %d", m.Index, c.shape.NumPieces)
	}
	if length < 1 || length > most || int64(m.Begin)+length > c.pieceLength(m.Index) {
		return fmt.Errorf("%d bytes at %d of a piece of %d", length, m.Begin, c.pieceLength(m.Index))
	}
	return nil
}

// chunk checks that a range begins where one that we ask for does; of others
// the client takes the chunk that they begin in.
func (c *Conn) chunk(m *pp.Message, length int64) error {
	if err := c.inPiece(m, length, chunkSize); err != nil {
		return err
	}
	if m.Begin%chunkSize != 0 {
		return fmt.Errorf("%d bytes at %d are no chunk", length, m.Begin)
	}
	return nil
}

func (c *Conn) fast(m *pp.Message) error {
	if int64(m.Index) >= int64(c.shape.NumPieces) {
		return fmt.Errorf("piece %d of %d", m.Index, c.shape.NumPieces)
	}
	if c.allowedFast++; c.allowedFast > maxAllowedFast {
		return errIgnore
	}
	return nil
}
