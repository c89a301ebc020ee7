package watch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// quietTime is how long a file or folder must be unchanged before it is shared.
const quietTime = 10 * time.Second

// shelf shares each file and folder in a directory, and again when it changes.
type shelf struct {
	dir    string
	log    *slog.Logger
	book   *book
	now    func() time.Time
	retire bool // remove the old share when there is a new one
	node   Node

	seen map[string]sighting // by path
}

// sighting is the last known state of an entry.
type sighting struct {
	mark  string
	since time.Time
}

func (s *shelf) scan(ctx context.Context) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	var again error
	present := map[string]bool{}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".part") || !e.IsDir() && !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(s.dir, name)
		present[path] = true
		if err := s.look(ctx, path); errors.Is(err, errUnsettled) {
			again = err
		} else if err != nil && ctx.Err() == nil {
			s.log.Warn("cannot share from a watched folder", "path", path, "error", err)
		}
	}
	for path := range s.seen {
		if !present[path] {
			delete(s.seen, path)
		}
	}
	if err := s.settle(ctx); errors.Is(err, errUnsettled) {
		again = err
	} else if err != nil && ctx.Err() == nil {
		s.log.Warn("cannot end shares of a watched folder", "folder", s.dir, "error", err)
	}
	return again
}

// look shares what no longer changes and differs from what was shared last.
func (s *shelf) look(ctx context.Context, path string) error {
	mark, err := fingerprint(ctx, path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return errUnsettled
		}
		return err
	}
	was, err := s.book.get(ctx, path)
	if err != nil || was == mark {
		return err
	}
	now := s.now()
	if seen := s.seen[path]; seen.mark != mark {
		s.seen[path] = sighting{mark, now}
		return errUnsettled
	} else if now.Sub(seen.since) < quietTime {
		return errUnsettled
	}
	_, err = s.node.Share(ctx, api.ShareRequest{Path: path})
	if err != nil {
		return err
	}
	s.log.Info("sharing from a watched folder", "path", path)
	return s.book.put(ctx, path, mark)
}

// settle ends old shares, if that is configured: of files that are gone, and of those
// that have been shared again.
func (s *shelf) settle(ctx context.Context) error {
	paths, err := s.book.below(ctx, s.dir)
	if err != nil || len(paths) == 0 {
		return err
	}
	shares := map[string][]share.Transfer{}
	hashing := map[string]bool{}
	for _, t := range s.node.List() {
		if t.Own && slices.Contains(paths, t.Path) {
			shares[t.Path] = append(shares[t.Path], t)
			hashing[t.Path] = hashing[t.Path] || t.State == share.Hashing
		}
	}
	var again error
	for _, path := range paths {
		_, err := os.Lstat(path)
		gone := errors.Is(err, fs.ErrNotExist)
		former := shares[path]
		switch {
		case gone:
			if err := s.book.drop(ctx, path); err != nil {
				return err
			}
		case hashing[path]:
			// The ID tells which of them is the old one, if any.
			again, former = errUnsettled, nil
		case len(former) > 0:
			slices.SortFunc(former, func(a, b share.Transfer) int { return a.Added.Compare(b.Added) })
			former = former[:len(former)-1]
		}
		if !s.retire {
			continue
		}
		for _, t := range former {
			if _, err := s.node.Remove(t.ID, false); err != nil && !errors.Is(err, share.ErrUnknown) {
				return err
			}
			s.log.Info("a former share has ended", "path", path, "id", t.ID)
		}
	}
	return again
}

// fingerprint tells whether anything below a path changed: names, sizes and
// times.
func fingerprint(ctx context.Context, path string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !e.Type().IsRegular() {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(path, name)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(h, "%q %d %d\n", rel, info.Size(), info.ModTime().UnixNano())
		return err
	})
	if err != nil {
		return "", fmt.Errorf("looking at %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
