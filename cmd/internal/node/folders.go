package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/webui/api"
)

const (
	// rescanTime finds what no notification told: network file systems send none.
	rescanTime = 30 * time.Second
	// restTime is how long a file or folder must not have changed before it is
	// taken: it may still be being copied.
	restTime = 2 * time.Second
	// giveUpTime is how long a file that makes no sense may still be incomplete.
	giveUpTime = 30 * time.Second
	// What becomes of a file that was read.
	addedSuffix   = ".added"
	refusedSuffix = ".refused"
	maxLinkFile   = 1 << 20
)

// folders are the watched ones, each followed in a goroutine of its own.
func (n *Node) folders() []func(context.Context) error {
	var run []func(context.Context) error
	log := n.part("watch")
	book := &watchBook{n.state.db}
	for _, dir := range n.config.Watch {
		d := &drops{dir: dir, log: log, book: book, now: n.o.Now, fetch: (&served{n}).Fetch}
		run = append(run, func(ctx context.Context) error { return watchFolder(ctx, dir, log, d.scan) })
	}
	for _, dir := range n.config.ShareWatch {
		s := &shelf{
			dir: dir, log: log, book: book, now: n.o.Now, retire: n.config.ShareWatchOld == "retire", engine: &served{n},
			seen: map[string]sighting{},
		}
		run = append(run, func(ctx context.Context) error { return watchFolder(ctx, dir, log, s.scan) })
	}
	return run
}

// watchFolder calls scan when something in dir changed and every rescanTime,
// until ctx ends. A folder that is not there yet is waited for.
func watchFolder(ctx context.Context, dir string, log *slog.Logger, scan func(context.Context) error) error {
	events := make(<-chan fsnotify.Event)
	w, err := fsnotify.NewWatcher()
	if err == nil {
		defer w.Close()
		events = w.Events
	} else {
		log.Warn("a watched folder is only looked at now and then", "folder", dir, "error", err)
	}
	tick := time.NewTicker(rescanTime)
	defer tick.Stop()
	rest := time.NewTimer(0)
	defer rest.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-events:
			if !ok {
				events = nil
			}
			rest.Reset(restTime)
			continue
		case <-tick.C:
		case <-rest.C:
		}
		if w != nil {
			// Again each time: it may have come, or be another one by now.
			_ = w.Add(dir)
		}
		err := scan(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			told = ""
		case errors.Is(err, errUnsettled):
			rest.Reset(restTime)
		case err.Error() != told:
			told = err.Error()
			log.Warn("a watched folder cannot be read", "folder", dir, "error", err)
		}
	}
}

// errUnsettled asks for another scan soon.
var errUnsettled = errors.New("something is still changing")

// watchBook remembers what was taken from watched folders.
type watchBook struct{ db *sql.DB }

func (b *watchBook) get(ctx context.Context, path string) (mark string, err error) {
	err = b.db.QueryRowContext(ctx, `SELECT mark FROM node_watched WHERE path = ?`, path).Scan(&mark)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return mark, err
}

func (b *watchBook) put(ctx context.Context, path, mark string) error {
	_, err := b.db.ExecContext(ctx, `INSERT OR REPLACE INTO node_watched VALUES (?, ?)`, path, mark)
	return err
}

func (b *watchBook) drop(ctx context.Context, path string) error {
	_, err := b.db.ExecContext(ctx, `DELETE FROM node_watched WHERE path = ?`, path)
	return err
}

// drops fetches what files in a folder name. Each is taken once and then
// renamed, NAME.added or NAME.refused; where it cannot be renamed it is
// remembered.
type drops struct {
	dir   string
	log   *slog.Logger
	book  *watchBook
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

// isDrop tells files that name content by what they are called.
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
			return err // such as a disk that is full: try again later
		}
		if age >= 0 && age < giveUpTime {
			return nil // perhaps not all of it is there yet
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

// readDrop reads a torrent file, or links, one in each line.
func readDrop(path string) ([]api.FetchRequest, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, share.Errorf(share.Disk, "reading %s: %w", path, err)
	}
	defer f.Close()
	isTorrent := strings.EqualFold(filepath.Ext(path), ".torrent")
	limit := int64(maxLinkFile)
	if isTorrent {
		limit = metainfo.MaxTorrent
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, share.Errorf(share.Disk, "reading %s: %w", path, err)
	}
	if int64(len(b)) > limit {
		return nil, share.Errorf(share.Refused, "it has more than %d bytes", limit)
	}
	if isTorrent {
		if _, err := metainfo.Parse(b); err != nil {
			return nil, err
		}
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

// renameAside adds suffix to a name, and a number where that is taken.
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
