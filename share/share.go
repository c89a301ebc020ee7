// Package share is the vocabulary of how content moves: what a transfer is
// called, what it is doing, and why it stopped. It does nothing by itself and
// imports the standard library only.
//
// A link printed by any 1.x release is read by every later one.
package share

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// ID names content: the v1 info-hash of BEP 3, SHA-1 over the info dictionary.
// Its text form is 40 lower-case hex digits.
type ID [20]byte

// ParseID reads 40 hex digits in either case.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 40 {
		return id, Errorf(Refused, "an ID has 40 hex digits, this has %d characters", len(s))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, Errorf(Refused, "an ID has hex digits only: %w", err)
	}
	return id, nil
}

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero tells whether id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText writes 40 hex digits.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(b []byte) error {
	v, err := ParseID(string(b))
	if err == nil {
		*id = v
	}
	return err
}

// State is what a transfer is doing now.
type State string

// The states. A transfer is in exactly one.
const (
	Hashing  State = "hashing"  // a folder being shared is read for the first time
	Checking State = "checking" // data already on disk is hashed before it is trusted
	Finding  State = "finding"  // only the ID is known; looking for someone who knows the rest
	Queued   State = "queued"   // waits until fewer others fetch
	Fetching State = "fetching"
	Seeding  State = "seeding"
	Paused   State = "paused"
	Stopped  State = "error" // Transfer.Reason says why; resumes by itself where it can
)

// States lists every state in the order people meet them.
var States = [...]State{Hashing, Checking, Finding, Queued, Fetching, Seeding, Paused, Stopped}

// Source tells who told us of a peer.
type Source string

// The sources of peers.
const (
	FromLink     Source = "link" // x.pe of BEP 9
	FromDHT      Source = "dht"
	FromLAN      Source = "lan"
	FromPEX      Source = "pex"
	FromTracker  Source = "tracker"
	FromWebSeed  Source = "webseed" // BEP 19: an HTTP server that has the files
	FromIncoming Source = "incoming"
	FromUser     Source = "user"
)

// Transfer is a snapshot of one piece of content on this node. Sizes are in
// bytes, rates in bytes per second.
type Transfer struct {
	// ID is provisional, a random number, while State is Hashing: the real one
	// is known when hashing is over, and EventShared carries both.
	ID    ID     `json:"id"`
	Name  string `json:"name"`
	State State  `json:"state"`
	// Reason is one plain sentence without a full stop: why the transfer is
	// paused, stopped or not getting on. Empty when all is well.
	Reason string `json:"reason,omitempty"`
	// Code is the Kind.Code of what stopped a transfer in state Stopped, else empty.
	Code string `json:"code,omitempty"`
	// Bytes of Total are on disk and verified; both count selected files only.
	// While hashing or checking, Bytes are the bytes read so far.
	Bytes int64 `json:"bytes"`
	Total int64 `json:"total"`
	// Size is that of the whole content, selected or not; 0 until it is known.
	Size  int64 `json:"size"`
	Files int   `json:"files"`

	Down       int64 `json:"down"`
	Up         int64 `json:"up"`
	Downloaded int64 `json:"downloaded"`
	Uploaded   int64 `json:"uploaded"`
	Peers      int   `json:"peers"` // connected
	Seeds      int   `json:"seeds"` // of those, how many have everything

	// Path is the file or folder on disk. Own tells that the user shared it
	// from there: it is only ever read.
	Path string `json:"path"`
	Own  bool   `json:"own"`
	Link string `json:"link"`
	// Channel is set of the list of a channel, which comes and goes with it: what
	// the node calls the channel, 64 hex digits.
	Channel string `json:"channel,omitempty"`

	Added     time.Time `json:"added"`
	Completed time.Time `json:"completed,omitzero"`
	// Looked is when the files of a complete transfer were last compared with what
	// they were when they were verified; zero is not since the node was started.
	Looked time.Time `json:"looked,omitzero"`
	Limits Limits    `json:"limits"`
	Goal   Goal      `json:"goal"`
}

// Limits cap the rates of one transfer or of the node, in bytes per second.
// Zero is no limit.
type Limits struct {
	Down int64 `json:"down"`
	Up   int64 `json:"up"`
}

// Goal tells when a complete transfer stops seeding: when the first of the
// given conditions is met. The zero Goal seeds for ever.
type Goal struct {
	None  bool          `json:"none,omitempty"`  // do not seed at all
	Ratio float64       `json:"ratio,omitempty"` // uploaded to size
	For   time.Duration `json:"for,omitempty"`   // nanoseconds since completion
}

// Priority orders files and pieces; Skip leaves a file out.
type Priority int8

// The priorities of a file.
const (
	Skip   Priority = -1
	Normal Priority = 0
	High   Priority = 1
)

// File is one file of a transfer. Index counts every entry of the info
// dictionary, pad files included, from 0.
type File struct {
	Index    int      `json:"index"`
	Path     string   `json:"path"` // with slashes, relative to the transfer's own folder
	Bytes    int64    `json:"bytes"`
	Total    int64    `json:"total"`
	Priority Priority `json:"priority"`
	// Disk is the path on disk, below the transfer's own folder, where that is
	// another.
	Disk string `json:"disk,omitempty"`
	// Windows is, of a share, the path that it gets on Windows, where that is
	// another.
	Windows string `json:"windows,omitempty"`
}

// Peer is one connection of a transfer.
type Peer struct {
	Address    string  `json:"address"`
	Client     string  `json:"client"`
	Source     Source  `json:"source"`
	Incoming   bool    `json:"incoming"`
	Encrypted  bool    `json:"encrypted"`
	UTP        bool    `json:"utp"`
	Down       int64   `json:"down"`
	Up         int64   `json:"up"`
	Downloaded int64   `json:"downloaded"`
	Uploaded   int64   `json:"uploaded"`
	Progress   float64 `json:"progress"` // share of the pieces it has, 0 to 1
}

// Pieces is the state of every piece of a transfer, one byte a piece.
type Pieces struct {
	Length int64  `json:"length"` // bytes a piece; the last may be shorter
	State  []byte `json:"state"`
}

// The states of a piece in Pieces.State.
const (
	PieceMissing  byte = 0
	PiecePartial  byte = 1
	PieceChecking byte = 2
	PieceComplete byte = 3
	PieceSkipped  byte = 4
)

// EventType tells what happened.
type EventType string

// The events of a node. Consumers ignore types they do not know.
const (
	EventAdded   EventType = "added"
	EventChanged EventType = "changed" // at most one a second for each transfer, but at once when State changes
	EventRemoved EventType = "removed"
	EventShared  EventType = "shared" // hashing is over, the link is known
	EventDone    EventType = "done"   // every selected file is complete
	EventFailed  EventType = "error"
	EventFound   EventType = "found" // Source told of Count peers
	EventNote    EventType = "note"  // a line for the transfer's log
)

// Event is something that happened to a transfer.
type Event struct {
	Time     time.Time `json:"time"`
	Type     EventType `json:"event"`
	ID       ID        `json:"id"`
	Was      ID        `json:"was,omitzero"`       // with EventShared: the provisional ID
	Transfer *Transfer `json:"transfer,omitempty"` // as it is after the event; shared, never changed
	Source   Source    `json:"source,omitempty"`
	Count    int       `json:"count,omitempty"`
	Message  string    `json:"message,omitempty"`
}

// Kind classifies an error by what the caller can do about it. Its value is
// the exit status of the command line.
type Kind int

// The kinds of errors.
const (
	Failed      Kind = 1
	Usage       Kind = 2
	Nobody      Kind = 3 // no peer was found in time
	NoNode      Kind = 4
	Refused     Kind = 5 // a link or torrent that is not accepted
	Disk        Kind = 6
	Interrupted Kind = 130
)

var kindCodes = map[Kind]string{
	Failed: "failed", Usage: "usage", Nobody: "nobody", NoNode: "no-node",
	Refused: "refused", Disk: "disk", Interrupted: "interrupted",
}

// Code is the stable name of k in JSON.
func (k Kind) Code() string {
	if c, ok := kindCodes[k]; ok {
		return c
	}
	return kindCodes[Failed]
}

// KindOfCode is the inverse of Code; an unknown code is Failed.
func KindOfCode(code string) Kind {
	for k, c := range kindCodes {
		if c == code {
			return k
		}
	}
	return Failed
}

// Error is an error with a kind. Its message says what went wrong and, where
// there is something to do, what.
type Error struct {
	Kind Kind
	Err  error
}

// Errorf makes an Error as fmt.Errorf does, %w included.
func Errorf(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Err: fmt.Errorf(format, args...)}
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Short is the first eight hex digits, for people.
func (id ID) Short() string { return id.String()[:8] }

// KindOf finds the kind of err, Failed when it has none. A nil error has kind 0.
func KindOf(err error) Kind {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Failed
}
