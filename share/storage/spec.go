package storage

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// Config holds what a Store depends on.
type Config struct {
	Logger *slog.Logger // nil discards
	Ledger Ledger
	// MaxHandles bounds the open files and folders; 0 chooses by the process's
	// limit on descriptors. A Store gets by with fewer when the system runs out.
	MaxHandles int
	// Preallocate reserves the space of each file before its first byte is
	// written, where the file system can.
	Preallocate bool
	Now         func() time.Time // nil is time.Now
}

// Ledger remembers, for each transfer, where its files are and what is durable.
// Both parts of a Record are opaque to it.
type Ledger interface {
	// Load returns the record of id, or nil when there is none.
	Load(ctx context.Context, id share.ID) (*Record, error)
	// Save keeps records, all or none of them, and returns once they would
	// survive a power cut. A part that is nil leaves what was saved of it as
	// it was. It is never called concurrently.
	Save(ctx context.Context, records []Record) error
	// Delete forgets id; it is no error when there is no record of it.
	Delete(ctx context.Context, id share.ID) error
}

// Record is what a Ledger keeps for one transfer.
type Record struct {
	ID       share.ID
	Layout   []byte // the names on disk: written when first opened, seldom again
	Progress []byte // the durable pieces and the state of the files: every batch
	// Owners is what of Progress hashing would not find out again: see Forget.
	// It comes with each Progress that is saved, and is not loaded.
	Owners []byte
}

// Spec says what to open and where it is.
type Spec struct {
	// Info describes the content. It is kept and never changed.
	Info *metainfo.Info
	// Dir is the folder that holds, or will hold, the content: a folder or
	// file named after Info.Name, or "NAME (2)" and so on where that is taken.
	// Absolute. It must exist, else the transfer opens with a fault.
	Dir string
	// Taken tells whether a path, Dir and a name, belongs to another transfer.
	// It is asked only when the transfer is opened for the first time; nil is
	// never.
	Taken func(path string) bool

	// Since is when what an old record says was last known to be so: files that
	// were not changed after it are recognised by what such a record tells.
	Since time.Time

	// Adopt tells to complete what the user has in place: a file of which some
	// piece is right becomes the transfer's own, but is never deleted by it. It
	// counts when the transfer is opened for the first time; see Transfer.Adopt.
	Adopt bool

	// Own, where not nil, is content that the user shares from its own place.
	// It is only ever read. Dir and Taken are not used.
	Own *Own

	// Notify is told what changed, one call at a time, from a goroutine of the
	// Store's Run that holds no lock. Until it returns, no other transfer is
	// served its events. It may call any method of the Transfer but Close,
	// Remove and Flush. nil ignores.
	Notify func(Event)
}

// Own is what the user shares.
type Own struct {
	// Path is the file or folder, absolute.
	Path string
	// Sources tell, for each entry of Info.Files, what was hashed. Needed only
	// when the transfer is opened for the first time: all its pieces are then
	// durable, as long as the files are still what they were. Without Sources
	// and without a Record every piece has to be hashed first, and files are
	// where Info.Files says.
	Sources []Source
	// FollowSymlinks lets a path go through symlinks, also out of Path.
	FollowSymlinks bool
}

// Source is one file that was hashed for sharing.
type Source struct {
	Path string // below Own.Path, with slashes; "" when Own.Path is the file
	// Info is what the file was when it was opened to be hashed; nil of pad files.
	Info fs.FileInfo
	// Read is when its hashing began.
	Read time.Time
}

// Event tells what changed about a Transfer.
type Event struct {
	// Durable tells that more pieces, or fewer, are durable.
	Durable bool
	// Refresh are pieces whose Completion changed without the peer protocol's
	// doing: it has to ask for it again.
	Refresh []Span
	// Verify are pieces whose data has to be hashed before anything is known
	// of them, after Refresh.
	Verify []Span
	// Fault is what Transfer.Fault returns now.
	Fault error
	// Found tells what became of the user's files that were there.
	Found []share.Found
}

// Span is pieces From up to, not including, To.
type Span struct{ From, To int }

// Progress counts what is known to be on disk.
type Progress struct {
	Pieces int
	Bytes  int64 // of files; pad bytes do not count
	// Unknown are pieces that have to be hashed before anything is known of
	// them.
	Unknown int
	// Doubtful are pieces that are served, each once it was hashed again, and are
	// not durable before; see Transfer.Doubtful.
	Doubtful int
}

// What a Fault wraps; each comes in an error of kind share.Disk.
var (
	ErrFull     = errors.New("the disk is full")
	ErrReadOnly = errors.New("the disk is read-only")
	ErrDenied   = errors.New("permission is denied")
	ErrMissing  = errors.New("the file or its folder is missing")
	ErrChanged  = errors.New("the file was changed by another program")
	ErrBroken   = errors.New("the disk does not work")
	ErrHandles  = errors.New("too many files are open")
)

// ErrClosed is returned by what is called after Close, or after Run returned.
var ErrClosed = errors.New("the storage is closed")

// ErrOwn is returned by attempts to write to what the user shares.
var ErrOwn = errors.New("shared files are only read")
