// Package share keeps nothing to itself: it is the vocabulary for moving content,
// namely IDs, links, transfers, their states, events and errors. It contains only
// types and the code to parse and print them, and imports only the standard
// library.
//
// A link printed by any 1.x release is read by every later one.
package share

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// ID names content: the v1 info-hash of BEP 3, SHA-1 over the info dictionary, or the
// truncated info-hash of BEP 52, see V2. Its text form is 40 lower-case hex digits.
type ID [20]byte

// ParseID reads 40 hex digits in either case.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 40 {
		return id, Errorf(Refused, "an ID has 40 hex digits, but this one has %d characters", len(s))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, Errorf(Refused, "an ID has only hex digits: %w", err)
	}
	return id, nil
}

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id is the zero ID.
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

// V2 is the info-hash of BEP 52, SHA-256 over the info dictionary. Its text form is 64
// lower-case hex digits.
type V2 [32]byte

// ParseV2 reads 64 hex digits in either case.
func ParseV2(s string) (V2, error) {
	var v V2
	if len(s) != hex.EncodedLen(len(v)) {
		return v, Errorf(Refused, "a v2 ID has 64 hex digits, but this one has %d characters", len(s))
	}
	if _, err := hex.Decode(v[:], []byte(s)); err != nil {
		return V2{}, Errorf(Refused, "a v2 ID has only hex digits: %w", err)
	}
	return v, nil
}

func (v V2) String() string { return hex.EncodeToString(v[:]) }

// IsZero reports whether v is zero, which stands for no v2 ID.
func (v V2) IsZero() bool { return v == V2{} }

// ID is the first 20 bytes, by which peers, trackers and the DHT know the content.
func (v V2) ID() ID { return ID(v[:len(ID{})]) }

// MarshalText writes 64 hex digits.
func (v V2) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (v *V2) UnmarshalText(b []byte) error {
	is, err := ParseV2(string(b))
	if err == nil {
		*v = is
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
	Queued   State = "queued"   // waits until another transfer is complete
	Fetching State = "fetching"
	Seeding  State = "seeding"
	Paused   State = "paused"
	// Waiting is a download that the node holds until the disk has space again; then it
	// resumes by itself. Transfer.Reason says how much is needed.
	Waiting State = "waiting"
	Stopped State = "error" // Transfer.Reason says why; resumes by itself where it can
)

// States lists every state in the order in which a transfer passes through them.
var States = [...]State{Hashing, Checking, Finding, Queued, Fetching, Seeding, Paused, Waiting, Stopped}

// Source says where a peer's address came from.
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

// Seal says who can read content that may be a sealed share; it is empty for plain
// content. See docs/protocol/sealed.md.
type Seal string

const (
	SealOpen  Seal = "open"  // this node has the key
	SealBlind Seal = "blind" // it has the form of a sealed share, and this node has no key
)

// Transfer is a snapshot of one piece of content on this node. Sizes are in
// bytes, rates in bytes per second.
type Transfer struct {
	// ID is provisional, a random number, while State is Hashing. The real ID is
	// known when hashing is complete; EventShared has both.
	//
	// It never changes afterwards. For content with a v2 ID it is whichever of V1
	// and V2.ID() became known first; the other one finds the transfer as well.
	ID ID `json:"id"`
	// V1 and V2 are the IDs of content that has a v2 ID, as far as they are known. V1
	// is zero in v2-only content, and both are zero in v1-only content.
	V1    ID     `json:"v1,omitzero"`
	V2    V2     `json:"v2,omitzero"`
	Name  string `json:"name"`
	State State  `json:"state"`
	// Reason is one sentence without a full stop: why the transfer is paused,
	// stopped or not progressing. It is empty if there is no problem.
	Reason string `json:"reason,omitempty"`
	// ReasonText is Reason for other languages.
	ReasonText *Text `json:"reason_text,omitempty"`
	// Code is the Kind.Code of the error that stopped a transfer in state Stopped,
	// else empty.
	Code string `json:"code,omitempty"`
	// Bytes of Total are on disk and verified; both count selected files only.
	// While hashing or checking, Bytes are the bytes read so far.
	Bytes int64 `json:"bytes"`
	Total int64 `json:"total"`
	// Size is the size of the whole content, selected or not; 0 until it is known.
	Size  int64 `json:"size"`
	Files int   `json:"files"`
	// Seal is set for a sealed share and for content that looks like one.
	Seal Seal `json:"seal,omitempty" enum:"open,blind"`
	// Hidden counts the files of a share whose name begins with a dot, or that are
	// in such a folder below the shared one.
	Hidden int `json:"hidden,omitempty"`
	// LeftOut lists what is missing in a share; nil if nothing is.
	LeftOut *LeftOut `json:"left_out,omitempty"`

	Down       int64 `json:"down"`
	Up         int64 `json:"up"`
	Downloaded int64 `json:"downloaded"`
	Uploaded   int64 `json:"uploaded"`
	Peers      int   `json:"peers"` // connected
	Seeds      int   `json:"seeds"` // how many of them have everything
	// Availability is how many copies of the content the connected peers have together:
	// the integer part is the number of copies of the rarest piece, the fraction is the
	// share of the pieces with more copies, in hundredths, rounded down.
	Availability float64 `json:"availability,omitempty"`
	// IPv4Only is how many addresses of peers were skipped because IPv4 is off.
	IPv4Only int `json:"ipv4_only,omitempty"`

	// Path is the file or folder on disk. Own says that the user shared it from
	// there; it is then only read.
	Path string `json:"path"`
	Own  bool   `json:"own"`
	Link string `json:"link"`
	// Channel is set for the list of a channel, which is removed with the channel:
	// the channel's ID on this node, 64 hex digits.
	Channel string `json:"channel,omitempty"`

	Added     time.Time `json:"added"`
	Completed time.Time `json:"completed,omitzero"`
	// Looked is when the files of a complete transfer were last checked for changes
	// since their verification; zero if the node has not checked them since it
	// started.
	Looked time.Time `json:"looked,omitzero"`
	Limits Limits    `json:"limits"`
	Goal   Goal      `json:"goal"`
	// Priority says which downloads go first where not all may run at once.
	Priority Precedence `json:"priority,omitempty"`
}

// Limits cap the rates of one transfer or of the node, in bytes per second.
// Zero is no limit.
type Limits struct {
	Down int64 `json:"down"`
	Up   int64 `json:"up"`
}

// LimitChange changes limits: a direction that is left out stays as it is.
type LimitChange struct {
	Down *int64 `json:"down,omitempty"`
	Up   *int64 `json:"up,omitempty"`
}

// Apply returns l with the change.
func (c LimitChange) Apply(l Limits) Limits {
	if c.Down != nil {
		l.Down = *c.Down
	}
	if c.Up != nil {
		l.Up = *c.Up
	}
	return l
}

// Change sets both directions.
func (l Limits) Change() LimitChange { return LimitChange{&l.Down, &l.Up} }

// Goal says when a complete transfer stops seeding: when the first of the given
// conditions is true. The zero Goal seeds forever.
type Goal struct {
	None  bool          `json:"none,omitempty"`  // do not seed at all
	Ratio float64       `json:"ratio,omitempty"` // uploaded to size
	For   time.Duration `json:"for,omitempty"`   // nanoseconds since completion
}

// Priority orders files and pieces; Skip excludes a file.
type Priority int8

// The priorities of a file.
const (
	Skip   Priority = -1
	Normal Priority = 0
	High   Priority = 1
)

// Precedence says which downloads go first where not all may run at once.
type Precedence int8

// The precedences. Downloads of the same one run in the order in which they were added.
const (
	Last   Precedence = -1
	InTurn Precedence = 0
	First  Precedence = 1
)

// Check refuses any other value.
func (p Precedence) Check() error {
	if p < Last || p > First {
		return Errorf(Usage, "the priority of a transfer must be -1, 0 or 1, not %d", p)
	}
	return nil
}

// File is one file of a transfer. Index counts every entry of the info
// dictionary, pad files included, from 0.
type File struct {
	Index    int      `json:"index"`
	Path     string   `json:"path"` // with slashes, relative to the transfer's own folder
	Bytes    int64    `json:"bytes"`
	Total    int64    `json:"total"`
	Priority Priority `json:"priority"`
	// Named is the path that the torrent gives the file, if it differs from Path,
	// whose names have no characters that are dangerous on any system.
	Named string `json:"named,omitempty"`
	// Disk is the path on disk, below the transfer's own folder, if it differs from
	// Path.
	Disk string `json:"disk,omitempty"`
	// Windows is the path that a file of a share gets on Windows, if it differs
	// from Path.
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

// Pieces is the state of every piece of a transfer, one byte per piece.
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

// EventType is the type of an event.
type EventType string

// The events of a node. Consumers ignore types they do not know.
const (
	EventAdded   EventType = "added"
	EventChanged EventType = "changed" // at most one a second for each transfer, but at once when State changes
	EventRemoved EventType = "removed"
	EventShared  EventType = "shared" // hashing is complete, the link is known
	EventDone    EventType = "done"   // every selected file is complete
	EventFailed  EventType = "error"
	EventFound   EventType = "found"   // Source named Count peers
	EventNote    EventType = "note"    // a line for the transfer's log
	EventFetched EventType = "fetched" // By has all of the content and fetched some of it from this node
	EventBeside  EventType = "beside"  // a user's file has the name of a wanted one: File has the outcome
)

// Content returns a link that has only the IDs of the content.
func (t *Transfer) Content() Link {
	if t.V2.IsZero() {
		return Link{ID: t.ID}
	}
	return Link{ID: t.V1, V2: t.V2}
}

// Names are the IDs by which t is found: ID, and the other one of V1 and V2.ID().
func (t *Transfer) Names() []ID {
	ids := []ID{t.ID}
	for _, id := range t.Content().IDs() {
		if id != t.ID {
			ids = append(ids, id)
		}
	}
	return ids
}

// Event is an event of a transfer.
type Event struct {
	Time     time.Time `json:"time"`
	Type     EventType `json:"event"`
	ID       ID        `json:"id"`
	Was      ID        `json:"was,omitzero"`       // with EventShared: the provisional ID
	Transfer *Transfer `json:"transfer,omitempty"` // as it is after the event; shared, never changed
	Source   Source    `json:"source,omitempty"`
	Count    int       `json:"count,omitempty"`
	Message  string    `json:"message,omitempty"`
	// MessageText is Message for other languages.
	MessageText *Text    `json:"message_text,omitempty"`
	File        *Found   `json:"file,omitempty"` // with EventBeside
	By          *Fetcher `json:"by,omitempty"`   // with EventFetched
}

// Fetcher is a peer that has fetched content.
type Fetcher struct {
	Address string `json:"address"`
	Client  string `json:"client"` // what it calls itself; may be empty
}

func (f Fetcher) String() string {
	if f.Client == "" {
		return f.Address
	}
	return f.Address + " (" + f.Client + ")"
}

// Found is a user's file with the name that a transfer wanted to give to one of its
// own.
type Found struct {
	Index int    `json:"index"`
	Path  string `json:"path"` // of the user's file
	// Beside is where the transfer's own file goes instead; the user's is not
	// changed. Empty means that the user's file is completed in place.
	Beside string `json:"beside,omitempty"`
	Right  int64  `json:"right"`  // bytes known to be right
	Length int64  `json:"length"` // bytes of the complete file
}

func (f *Found) String() string {
	percent := int64(100)
	if f.Length > 0 {
		percent = f.Right * 100 / f.Length
	}
	if f.Beside == "" {
		return fmt.Sprintf("%s is completed in place: %d %% of it is right", f.Path, percent)
	}
	return fmt.Sprintf("%s exists with other content (%d %% of it is right); it is kept, and the download goes to %s", f.Path, percent, f.Beside)
}

// Kept is a file that was left on disk when a transfer was removed.
type Kept struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`         // such as "it was there before"
	Part   bool   `json:"part,omitempty"` // an unfinished file, with which a later download of the same content continues
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

// ErrUnknown is wrapped by errors for an ID that the node does not have. A Client
// returns it, too.
var ErrUnknown = errors.New("no such transfer")

// ErrBusy is wrapped by errors for an operation that conflicts with the current one
// of a transfer, such as a verification while it is being hashed. A Client returns
// it, too.
var ErrBusy = errors.New("the transfer is busy")

// Error is an error with a kind. Its message says what went wrong and, if possible,
// what to do about it.
type Error struct {
	Kind Kind
	Err  error
}

// Errorf formats an Error as fmt.Errorf does, including %w.
func Errorf(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Err: Wrapf(format, args...)}
}

func (e *Error) Error() string { return Redact(e.Err.Error()) }
func (e *Error) Unwrap() error { return e.Err }

// Short is the first eight hex digits, for people.
func (id ID) Short() string { return id.String()[:8] }

// KindOf returns the kind of err, or Failed if it has none. A nil error has kind 0.
func KindOf(err error) Kind {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Failed
}
