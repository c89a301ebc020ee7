package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/shoalnet/shoal/cmd/internal/policy"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
)

// The spool is a folder of the state directory with what commands share that is no file
// of the user's, such as their standard input. Each file is alone in a folder with a name
// that is never used again, so no hash of an earlier one can be taken for its own:
//
//	spool/0f3c…/stdin     the file
//	spool/0f3c….lock      flock of the command that shares it
//
// A file is deleted when no command holds its lock and no transfer has its path.
const (
	spoolName  = "spool"
	spoolLock  = ".lock"
	spoolDigit = 32
)

// Spooled is a file in the spool, and holds its lock.
type Spooled struct {
	dir  string
	name string
	lock *os.File
	size int64
}

// SpoolOptions say what is written to the spool.
type SpoolOptions struct {
	State    string // directory
	Name     string // of the file
	What     string // the name of the content in errors
	MinFree  int64  // bytes of the disk that stay free
	Progress func(bytes int64)
}

// Spool writes r to a new file. It returns when all of r was read and is on the disk.
// If it fails, or ctx ends first, nothing is left.
func Spool(ctx context.Context, o SpoolOptions, r io.Reader) (*Spooled, error) {
	s, f, err := newSpooled(o)
	if err != nil {
		return nil, share.Errorf(share.Disk, "making a file for %s: %w", o.What, err)
	}
	done := make(chan error, 1)
	go func() { done <- s.fill(ctx, f, o, r) }()
	select {
	case err = <-done:
	case <-ctx.Done(): // r may not return for long
		err = share.Errorf(share.Interrupted, "reading %s: %w", o.What, context.Cause(ctx))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, s.Delete())
	}
	return s, nil
}

// newSpooled makes a file under a name that nobody has had.
func newSpooled(o SpoolOptions) (*Spooled, *os.File, error) {
	root := filepath.Join(o.State, spoolName)
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, nil, err
	}
	for {
		var b [spoolDigit / 2]byte
		_, _ = rand.Read(b[:])
		s := &Spooled{dir: filepath.Join(root, hex.EncodeToString(b[:])), name: o.Name}
		var err error
		if s.lock, err = lockFile(s.dir + spoolLock); errors.Is(err, ErrLocked) || err == nil && !s.locked() {
			if s.lock != nil {
				s.lock.Close()
			}
			continue // a node swept the spool just now
		}
		if err != nil {
			return nil, nil, err
		}
		if err := os.Mkdir(s.dir, 0o700); err != nil {
			return nil, nil, errors.Join(err, s.Delete())
		}
		f, err := os.OpenFile(s.Path(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if err != nil {
			return nil, nil, errors.Join(err, s.Delete())
		}
		return s, f, nil
	}
}

// locked tells whether the lock is that of the file that has the name now.
func (s *Spooled) locked() bool {
	a, aerr := s.lock.Stat()
	b, berr := os.Stat(s.dir + spoolLock)
	return aerr == nil && berr == nil && os.SameFile(a, b)
}

const (
	spoolChunk = 1 << 20
	// spoolLook is how much is written before the free space is looked at again.
	spoolLook = 16 << 20
)

func (s *Spooled) fill(ctx context.Context, f *os.File, o SpoolOptions, r io.Reader) error {
	buf := make([]byte, spoolChunk)
	room := int64(0) // that may be written before the next look
	for {
		n, rerr := r.Read(buf)
		if ctx.Err() != nil {
			return share.Errorf(share.Interrupted, "reading %s: %w", o.What, context.Cause(ctx))
		}
		if room -= int64(n); room < 0 {
			room = spoolLook
			if free := policy.FreeAt(s.dir); free >= 0 && free-int64(n) < o.MinFree {
				return share.Errorf(share.Disk, "%s does not fit on the disk of %s: %s are free after the first %s, and %s stay free (--min-free); --state DIR uses another disk",
					o.What, o.State, humanize.Bytes(uint64(free)), humanize.Bytes(uint64(s.size)), humanize.Bytes(uint64(o.MinFree)))
			}
		}
		if _, err := f.Write(buf[:n]); err != nil {
			return share.Errorf(share.Disk, "%s does not fit in %s: %w; --state DIR uses another disk", o.What, o.State, bareError(err))
		}
		s.size += int64(n)
		if o.Progress != nil && n > 0 {
			o.Progress(s.size)
		}
		switch {
		case errors.Is(rerr, io.EOF):
			if err := f.Sync(); err != nil {
				return share.Errorf(share.Disk, "writing %s to %s: %w", o.What, o.State, bareError(err))
			}
			return nil
		case rerr != nil:
			return share.Errorf(share.Failed, "reading %s: %w", o.What, bareError(rerr))
		}
	}
}

// bareError leaves the path out of an error of package os.
func bareError(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// Path is where the file is.
func (s *Spooled) Path() string { return filepath.Join(s.dir, s.name) }

// Size is how many bytes it has.
func (s *Spooled) Size() int64 { return s.size }

// Leave releases the lock: the node deletes the file when nothing shares it any more.
func (s *Spooled) Leave() {
	if s.lock != nil {
		s.lock.Close()
		s.lock = nil
	}
}

// Delete deletes the file.
func (s *Spooled) Delete() error {
	err := os.RemoveAll(s.dir)
	// The lock goes last, and while it is held where the system allows that.
	gone := os.Remove(s.dir + spoolLock)
	s.Leave()
	if gone != nil {
		gone = os.Remove(s.dir + spoolLock)
	}
	if errors.Is(gone, fs.ErrNotExist) {
		gone = nil
	}
	if err = errors.Join(err, gone); err != nil {
		return share.Errorf(share.Disk, "deleting what was spooled: %w", err)
	}
	return nil
}

// sweeper deletes what is in the spool and is of no use any more.
type sweeper struct {
	root   string
	engine *engine.Engine
	log    *slog.Logger
}

// run sweeps at the start, where what a killed command left is found, and whenever a
// transfer was removed.
func (s *sweeper) run(ctx context.Context) error {
	for ctx.Err() == nil {
		sub := s.engine.Subscribe(1024)
		s.sweep()
		again := s.follow(ctx, sub)
		sub.Close()
		if !again {
			return nil
		}
	}
	return nil
}

func (s *sweeper) follow(ctx context.Context, sub *engine.Subscription) (again bool) {
	for {
		select {
		case <-ctx.Done():
			return false
		case ev, ok := <-sub.C:
			if !ok {
				return sub.Lagged()
			}
			if ev.Type == share.EventRemoved {
				s.sweep()
			}
		}
	}
}

func (s *sweeper) sweep() {
	entries, err := os.ReadDir(s.root)
	if err != nil || len(entries) == 0 {
		return // nothing was ever spooled
	}
	used := map[string]bool{}
	for _, t := range s.engine.List() {
		used[filepath.Base(filepath.Dir(t.Path))] = true
	}
	seen := map[string]bool{}
	for _, e := range entries {
		id := strings.TrimSuffix(e.Name(), spoolLock)
		if !isSpoolID(id) || used[id] || seen[id] {
			continue
		}
		seen[id] = true
		left := &Spooled{dir: filepath.Join(s.root, id)}
		if left.lock, err = lockFile(left.dir + spoolLock); err != nil {
			continue // its command runs
		}
		if err := left.Delete(); err != nil {
			s.log.Warn("cannot delete what is of no use any more", "error", err)
		}
	}
}

func isSpoolID(name string) bool {
	return len(name) == spoolDigit && strings.Trim(name, "0123456789abcdef") == ""
}

// inSpool tells whether path, without symbolic links, is that of a file in the spool of a
// state directory.
func inSpool(state, path string) bool {
	rel, err := filepath.Rel(filepath.Join(state, spoolName), path)
	if err != nil {
		return false
	}
	id, name, ok := strings.Cut(filepath.ToSlash(rel), "/")
	return ok && isSpoolID(id) && name != "" && !strings.Contains(name, "/")
}
