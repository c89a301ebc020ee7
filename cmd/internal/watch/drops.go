package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

const (
	// giveUpTime is how long an invalid file counts as perhaps incomplete.
	giveUpTime = 30 * time.Second
	// The suffixes of files that were read.
	addedSuffix   = ".added"
	refusedSuffix = ".refused"
	maxLinkFile   = 1 << 20
	maxTorrent    = 10 << 20 // larger files are refused anyway
)

// drops downloads what the files in a folder name. Each file is read once and then
// renamed to NAME.added or NAME.refused; if it cannot be renamed, it is remembered.
type drops struct {
	dir   string
	log   *slog.Logger
	book  *book
	now   func() time.Time
	fetch func(context.Context, api.FetchRequest) (share.Transfer, error)
}

func (d *drops) scan(ctx context.Context) error {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return err
	}
	var again error
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") || !isDrop(e.Name()) {
			continue
		}
		if err := d.take(ctx, filepath.Join(d.dir, e.Name())); errors.Is(err, errUnsettled) {
			again = err
		} else if err != nil {
			d.log.Warn("cannot take a file from a watched folder", "file", e.Name(), "error", err)
		}
	}
	return again
}

// isDrop reports whether the name of a file is that of a torrent or of links.
func isDrop(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".torrent", ".magnet", ".link", ".txt":
		return true
	}
	return false
}

func (d *drops) take(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	mark := fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
	if was, err := d.book.get(ctx, path); err != nil || was == mark {
		return err
	}
	age := d.now().Sub(info.ModTime())
	if age >= 0 && age < restTime {
		return errUnsettled
	}
	requests, err := readDrop(path)
	if err == nil {
		err = d.fetchAll(ctx, requests)
	}
	suffix := addedSuffix
	if err != nil {
		if kind := share.KindOf(err); kind != share.Refused && kind != share.Usage {
			return err // such as a full disk: try again later
		}
		if age >= 0 && age < giveUpTime {
			return nil // perhaps it is not complete yet
		}
		suffix = refusedSuffix
		d.log.Warn("a file in a watched folder is refused", "file", path, "error", err)
	} else {
		d.log.Info("a file in a watched folder was taken", "file", path)
	}
	if rerr := renameAside(path, suffix); rerr != nil {
		d.log.Debug("a file that was taken cannot be renamed", "file", path, "error", rerr)
		return d.book.put(ctx, path, mark)
	}
	return nil
}

func (d *drops) fetchAll(ctx context.Context, requests []api.FetchRequest) error {
	for _, r := range requests {
		if _, err := d.fetch(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// readDrop reads a torrent file, or a file with one link in each line.
func readDrop(path string) ([]api.FetchRequest, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, share.Errorf(share.Disk, "reading %s: %w", path, err)
	}
	defer f.Close()
	isTorrent := strings.EqualFold(filepath.Ext(path), ".torrent")
	limit := int64(maxLinkFile)
	if isTorrent {
		limit = maxTorrent
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, share.Errorf(share.Disk, "reading %s: %w", path, err)
	}
	if int64(len(b)) > limit {
		return nil, share.Errorf(share.Refused, "it has more than %d bytes", limit)
	}
	if isTorrent {
		return []api.FetchRequest{{Torrent: b}}, nil
	}
	var out []api.FetchRequest
	for line := range bytes.Lines(b) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if _, err := share.ParseLink(string(line)); err != nil {
			return nil, err
		}
		out = append(out, api.FetchRequest{Link: string(line)})
	}
	if len(out) == 0 {
		return nil, share.Errorf(share.Refused, "it names nothing")
	}
	return out, nil
}

// renameAside adds suffix to a name, and a number if that name exists.
func renameAside(path, suffix string) error {
	to := path + suffix
	for i := 2; ; i++ {
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			return os.Rename(path, to)
		}
		if i > 1000 {
			return fs.ErrExist
		}
		to = fmt.Sprintf("%s%s.%d", path, suffix, i)
	}
}
