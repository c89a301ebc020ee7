// Package catalog keeps to itself how entries are stored and searched: those of the
// node's own transfers and those of the channels it follows.
//
// The catalogue is derived data: all of it can be loaded again from transfers and
// channel files. So a damaged file is replaced by an empty one, an older layout is
// rebuilt rather than migrated, and a power cut may lose the last changes but never
// prevents a start.
//
// An entry is stored in three tables: entries has the columns of lists, details has
// the rest, and words is a contentless full-text index of its folded words. Filters
// are words, too: the index has one for each type, tag, channel, month, year and
// size threshold, so that a search for a common word among rare files reads only
// the rare list. Sizes and days are then compared exactly.
//
// The word index is written in segments, which Tend merges.
//
// Row numbers grow with the time of addition. A search walks the index from the
// newest end, stops after enough matches, and ranks them here: names before tags
// before descriptions and paths.
package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"

	"github.com/shoalnet/shoal/index"

	_ "modernc.org/sqlite" // database/sql's driver "sqlite"
)

// layout numbers the tables below. Another number in the file means: rebuild.
const layout = 4

const schema = `
CREATE TABLE channels (
	num     INTEGER PRIMARY KEY,
	key     BLOB NOT NULL UNIQUE,
	version TEXT NOT NULL DEFAULT ''
);
CREATE TABLE entries (
	num     INTEGER PRIMARY KEY,
	channel INTEGER NOT NULL,
	id      BLOB NOT NULL,
	sum     INTEGER NOT NULL,
	name    TEXT NOT NULL,
	link    TEXT NOT NULL,
	bytes   INTEGER NOT NULL,
	time    INTEGER NOT NULL,
	tags    TEXT NOT NULL,
	sealed  INTEGER NOT NULL
);
CREATE UNIQUE INDEX entries_id ON entries (channel, id);
CREATE TABLE details (
	num   INTEGER PRIMARY KEY,
	about TEXT NOT NULL,
	files BLOB
);
CREATE VIRTUAL TABLE words USING fts5 (
	name, tags, about, files, meta,
	content='', contentless_delete=1, tokenize='ascii', prefix='2 3'
);
INSERT INTO words (words, rank) VALUES ('hashsize', 16777216);
INSERT INTO words (words, rank) VALUES ('automerge', 0);
`

// Config holds what a Catalog depends on.
type Config struct {
	Logger *slog.Logger // nil discards
	Path   string       // of index.db
}

// Catalog is open until Close. It is safe for concurrent use: searches continue while
// a channel is replaced, and see its old entries until the replacement is complete.
type Catalog struct {
	log     *slog.Logger
	reads   *sql.DB
	writes  *sql.DB
	rebuilt bool
	changed chan struct{}

	writing sync.Mutex // one change at a time
}

// Open opens the catalogue, or creates an empty one if there is no usable file. In
// that case Rebuilt returns true, and the caller must fill it.
func Open(ctx context.Context, cfg Config) (*Catalog, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c, err := open(ctx, cfg)
	if err == nil {
		return c, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("opening the catalogue: %w", err)
	}
	if !errors.Is(err, errOtherLayout) {
		cfg.Logger.Warn("the catalogue is damaged and will be built anew", "path", cfg.Path, "error", err)
	}
	if err := Remove(cfg.Path); err != nil {
		return nil, err
	}
	if c, err = open(ctx, cfg); err != nil {
		return nil, fmt.Errorf("creating the catalogue: %w", err)
	}
	return c, nil
}

var errOtherLayout = errors.New("made by another version")

func open(ctx context.Context, cfg Config) (*Catalog, error) {
	// Created here because SQLite would make it readable to all users.
	f, err := os.OpenFile(cfg.Path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	f.Close()
	dsn := func(params string) string {
		u := url.URL{Scheme: "file", OmitHost: true, Path: cfg.Path, RawQuery: params}
		return u.String()
	}
	// Derived data: a power cut may lose the last transactions, not the file.
	common := "_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(10000)&_pragma=trusted_schema(OFF)" +
		"&_pragma=journal_size_limit(16777216)" // shrink the journal after a large change
	writes, err := sql.Open("sqlite", dsn(common+"&_pragma=cache_size(-65536)&_txlock=immediate"))
	if err != nil {
		return nil, err
	}
	writes.SetMaxOpenConns(1)
	c := &Catalog{log: cfg.Logger, writes: writes, changed: make(chan struct{}, 1)}
	if err := c.prepare(ctx); err != nil {
		writes.Close()
		return nil, err
	}
	if c.reads, err = sql.Open("sqlite", dsn(common+"&_pragma=cache_size(-16384)&_pragma=query_only(ON)")); err != nil {
		writes.Close()
		return nil, err
	}
	c.reads.SetMaxOpenConns(4)
	c.reads.SetMaxIdleConns(2)
	return c, nil
}

func (c *Catalog) prepare(ctx context.Context) error {
	var version, tables int
	if err := c.writes.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if err := c.writes.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return err
	}
	if tables == 0 {
		c.rebuilt = true
		_, err := c.writes.ExecContext(ctx, "PRAGMA page_size = 8192; VACUUM;"+schema+fmt.Sprintf("PRAGMA user_version = %d;", layout))
		return err
	}
	if version != layout {
		return errOtherLayout
	}
	// Reading from every table detects a truncated or overwritten file. Deeper
	// damage shows only when it is read: see Check.
	for _, q := range []string{
		"SELECT count(*) FROM channels", "SELECT max(num) FROM entries", "SELECT max(num) FROM details",
		"SELECT rowid FROM words WHERE words MATCH 'zz' LIMIT 1",
	} {
		rows, err := c.writes.QueryContext(ctx, q)
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Rebuilt reports whether Open created an empty catalogue, which must be filled.
func (c *Catalog) Rebuilt() bool { return c.rebuilt }

// Check reads the whole catalogue. An error means that it is damaged: close it,
// remove the file and open it again.
func (c *Catalog) Check(ctx context.Context) error {
	var result string
	if err := c.reads.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&result); err != nil {
		return fmt.Errorf("checking the catalogue: %w", err)
	}
	if result != "ok" {
		return fmt.Errorf("checking the catalogue: %s", result)
	}
	return nil
}

// Close waits for running changes.
func (c *Catalog) Close() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := errors.Join(c.reads.Close(), c.writes.Close()); err != nil {
		return fmt.Errorf("closing the catalogue: %w", err)
	}
	return nil
}

// Versions returns the version of each channel's last Replace, or "" if it has only
// had single entries added.
func (c *Catalog) Versions(ctx context.Context) (map[index.ChannelID]string, error) {
	rows, err := c.reads.QueryContext(ctx, "SELECT key, version FROM channels")
	if err != nil {
		return nil, fmt.Errorf("listing the catalogue: %w", err)
	}
	defer rows.Close()
	versions := make(map[index.ChannelID]string)
	for rows.Next() {
		var key []byte
		var version string
		if err := rows.Scan(&key, &version); err != nil {
			return nil, fmt.Errorf("listing the catalogue: %w", err)
		}
		var id index.ChannelID
		copy(id[:], key)
		versions[id] = version
	}
	return versions, rows.Err()
}

// Counts returns the number of entries of each channel; the zero ChannelID is this
// node.
func (c *Catalog) Counts(ctx context.Context) (map[index.ChannelID]int, error) {
	rows, err := c.reads.QueryContext(ctx, "SELECT key, count(entries.num) FROM channels LEFT JOIN entries ON channel = channels.num GROUP BY channels.num")
	if err != nil {
		return nil, fmt.Errorf("counting the catalogue: %w", err)
	}
	defer rows.Close()
	counts := make(map[index.ChannelID]int)
	for rows.Next() {
		var key []byte
		var n int
		if err := rows.Scan(&key, &n); err != nil {
			return nil, fmt.Errorf("counting the catalogue: %w", err)
		}
		var id index.ChannelID
		copy(id[:], key)
		counts[id] = n
	}
	return counts, rows.Err()
}
