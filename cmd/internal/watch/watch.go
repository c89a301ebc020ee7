// Package watch keeps to itself how watched folders are followed: when a file in
// one is complete, and what has been dealt with already. It downloads what torrent
// and link files in one kind of folder name, and shares the contents of the other
// kind.
package watch

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sync/errgroup"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

const (
	// rescanTime finds what no notification told: network file systems send none.
	rescanTime = 30 * time.Second
	// restTime is how long a file or folder must not have changed before it is
	// taken: it may still be being copied.
	restTime = 2 * time.Second
)

// Node is what a Watcher asks of the node.
type Node interface {
	Fetch(context.Context, api.FetchRequest) (share.Transfer, error)
	Share(context.Context, api.ShareRequest) (share.Transfer, error)
	List() []share.Transfer
	Remove(id share.ID, data bool) ([]share.Kept, error)
}

// Config is what a Watcher depends on.
type Config struct {
	DB     *sql.DB // state.db
	Logger *slog.Logger
	Now    func() time.Time
	Node   Node
	// Fetch are folders of links and torrents, Share folders of what to share.
	Fetch, Share []string
	// Retire ends the former share of what was shared again or is gone.
	Retire bool
}

// Watcher follows folders.
type Watcher struct {
	cfg  Config
	book *book
}

// New makes a Watcher. Errors are of kind share.Disk.
func New(c Config) (*Watcher, error) {
	// What has been dealt with, and its state then.
	_, err := c.DB.Exec(`CREATE TABLE IF NOT EXISTS node_watched (path TEXT PRIMARY KEY, mark TEXT NOT NULL) WITHOUT ROWID`)
	if err != nil {
		return nil, share.Errorf(share.Disk, "preparing the record of watched folders: %w", err)
	}
	return &Watcher{c, &book{c.DB}}, nil
}

// Run follows the folders until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	c := w.cfg
	var all errgroup.Group
	for _, dir := range c.Fetch {
		d := &drops{dir: dir, log: c.Logger, book: w.book, now: c.Now, fetch: c.Node.Fetch}
		all.Go(func() error { return follow(ctx, dir, c.Logger, d.scan) })
	}
	for _, dir := range c.Share {
		s := &shelf{dir: dir, log: c.Logger, book: w.book, now: c.Now, retire: c.Retire, node: c.Node, seen: map[string]sighting{}}
		all.Go(func() error { return follow(ctx, dir, c.Logger, s.scan) })
	}
	return all.Wait()
}

// follow calls scan when anything in dir changes, and every rescanTime, until ctx
// ends. It waits for a folder that does not exist yet.
func follow(ctx context.Context, dir string, log *slog.Logger, scan func(context.Context) error) error {
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
			// Each time: the folder may have been created or replaced.
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

// book remembers what has been dealt with in watched folders.
type book struct{ db *sql.DB }

func (b *book) get(ctx context.Context, path string) (mark string, err error) {
	err = b.db.QueryRowContext(ctx, `SELECT mark FROM node_watched WHERE path = ?`, path).Scan(&mark)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return mark, err
}

func (b *book) put(ctx context.Context, path, mark string) error {
	_, err := b.db.ExecContext(ctx, `INSERT OR REPLACE INTO node_watched VALUES (?, ?)`, path, mark)
	return err
}

func (b *book) drop(ctx context.Context, path string) error {
	_, err := b.db.ExecContext(ctx, `DELETE FROM node_watched WHERE path = ?`, path)
	return err
}

// below lists the entries of dir that are remembered.
func (b *book) below(ctx context.Context, dir string) ([]string, error) {
	rows, err := b.db.QueryContext(ctx, `SELECT path FROM node_watched`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var path string
		if err := rows.Scan(&path); err != nil {
			return nil, err
		}
		if filepath.Dir(path) == dir {
			out = append(out, path)
		}
	}
	return out, rows.Err()
}
