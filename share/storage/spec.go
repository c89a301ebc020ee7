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
	// MaxHandles limits the open files and folders. 0 derives it from the limit of
	// the process. A Store works with fewer when the system runs out.
	MaxHandles int
	// Preallocate reserves the space of each file before its first byte is written,
	// if the file system can.
	Preallocate bool
	Now         func() time.Time // nil is time.Now
}

// Ledger keeps, for each transfer, where its files are and what is durable. The
// content of a Record is opaque to it.
type Ledger interface {
	// Load returns the record of id, or nil if there is none.
	Load(ctx context.Context, id share.ID) (*Record, error)
	// Save saves records, all or none of them. Once it returns, they survive a
	// power cut. A nil field leaves what was saved before. It is never called
	// concurrently.
	Save(ctx context.Context, records []Record) error
	// Delete deletes the record of id. It is no error if there is none.
	Delete(ctx context.Context, id share.ID) error
}

// Record is what a Ledger keeps for one transfer.
type Record struct {
	ID       share.ID
	Layout   []byte // the names on disk; rarely changes after the first record
	Progress []byte // the durable pieces and the states of the files; in each batch
	// Owners is the part of Progress that hashing cannot recover: see Forget. It is
	// saved with each Progress, and not loaded.
	Owners []byte
}

// Spec says what to open, and where it is.
type Spec struct {
	// Info describes the content. It is kept and not modified.
	Info *metainfo.Info
	// Layers are the layers of Info, to which others may add; see Transfer.Layered.
	// nil if there are none. A piece whose hash is in a missing layer is not known
	// to be right or wrong, even if its data exists.
	Layers *metainfo.Layers
	// Seal is needed if Info has the files of a sealed share.
	Seal Seal
	// Dir is the folder that holds, or will hold, the content: a folder or file
	// named Info.Name, or "NAME (2)" and so on if that is taken. It is absolute. If
	// it does not exist, the transfer opens with a fault.
	Dir string
	// Taken reports whether a path in Dir belongs to another transfer. It is called
	// only when the transfer is opened for the first time. nil means never.
	Taken func(path string) bool

	// Since is the time until which a record without change times is trusted: it
	// recognises files that were not changed later.
	Since time.Time

	// Adopt completes the user's files in place: a file with a right piece becomes
	// the transfer's own, but is never deleted by it. It is used when the transfer
	// is opened for the first time; see Transfer.Adopt.
	Adopt bool

	// Own, if not nil, is content that the user shares from where it is. It is only
	// ever read. Dir and Taken are not used.
	Own *Own

	// Notify is called with each change, by one goroutine of Run, which holds no
	// lock and delivers no other event until it returns. It may call any method of
	// the Transfer except Close, Remove and Flush. It may be nil.
	Notify func(Event)
}

// Own is what the user shares.
type Own struct {
	// Path is the file or folder, absolute.
	Path string
	// Sources say, for each entry of Info.Files, what was hashed. They are needed
	// only when the transfer is opened for the first time: all its pieces are then
	// durable, provided that the files have not changed. Sources with only a Path say
	// only where files are: as without Sources, every piece has to be hashed first
	// unless there is a Record. Files without a Path are where Info.Files says.
	Sources []Source
	// Foreign says that another program made the files: it may have left out empty
	// ones.
	Foreign bool
	// FollowSymlinks follows symlinks in a path, even out of Path.
	FollowSymlinks bool
}

// Source is one file that was hashed for sharing.
type Source struct {
	Path string // below Own.Path, with slashes; "" if Own.Path is the file
	// Info describes the file when it was opened to be hashed; nil for pad files, and
	// for files that were not hashed.
	Info fs.FileInfo
	// Read is when its hashing began.
	Read time.Time
}

// Event is what changed about a Transfer.
type Event struct {
	// Durable says that more pieces, or fewer, are durable.
	Durable bool
	// Refresh lists pieces whose Completion changed other than by a call of the
	// peer protocol, which has to query it again.
	Refresh []Span
	// Verify lists pieces that have to be hashed, because nothing is known about
	// them. Refresh them first.
	Verify []Span
	// Fault is what Transfer.Fault returns now.
	Fault error
	// Found says what happened to the user's files that were found.
	Found []share.Found
}

// Span is pieces From up to, not including, To.
type Span struct{ From, To int }

// Progress counts what is known to be on disk.
type Progress struct {
	Pieces int
	Bytes  int64 // of files; pad bytes do not count
	// Unknown counts pieces that have to be hashed, because nothing is known about
	// them.
	Unknown int
	// Doubtful counts pieces that become durable only when they are hashed again.
	// They are served meanwhile, each after it was hashed; see Transfer.Doubtful.
	Doubtful int
}

// Errors that a Fault wraps. Each comes in an error of kind share.Disk.
var (
	ErrFull     = errors.New("the disk is full")
	ErrReadOnly = errors.New("the disk is read-only")
	ErrDenied   = errors.New("permission is denied")
	ErrMissing  = errors.New("the file or its folder is missing")
	ErrChanged  = errors.New("the file was changed by another program")
	ErrBroken   = errors.New("the disk does not work")
	ErrHandles  = errors.New("too many files are open")
)

// ErrClosed is returned by methods after Close, or after Run returned.
var ErrClosed = errors.New("the storage is closed")

// ErrOwn is returned by writes to what the user shares.
var ErrOwn = errors.New("shared files are only read")
