package node

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/shoalnet/shoal/share"
)

// state is the locked state directory with its database, or a copy of it.
type state struct {
	dir  string   // of the databases
	copy bool     // dir is a copy, which close removes
	lock *os.File // nil for a copy
	db   *sql.DB
}

// nodeSchema is the version of the tables below.
const nodeSchema = 1

// openState locks a state directory and opens its database. It makes a directory that is
// missing. If the directory cannot be used, nothing in it was changed: see ErrLocked,
// ErrForeign, ErrDamaged and ErrNewer.
func openState(dir string) (_ *state, err error) {
	made, err := makeStateDir(dir)
	if err != nil {
		return nil, err
	}
	s := &state{dir: dir}
	if s.lock, err = lockState(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.lock.Close())
		}
	}()
	fresh, err := inspect(context.Background(), dir, false)
	if err != nil {
		return nil, err
	}
	// From here on the directory is ours. The socket in it relies on the mode.
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return nil, share.Errorf(share.Disk, "making the state directory private: %w", err)
		}
	}
	if s.db, err = openDB(filepath.Join(dir, stateName)); err != nil {
		if fresh {
			removeDB(filepath.Join(dir, stateName))
		}
		if made {
			os.Remove(filepath.Join(dir, lockName))
			os.Remove(dir)
		}
		return nil, openingError(dir, err)
	}
	return s, nil
}

// openCopy opens a copy of the databases of a state directory, which need not exist. It
// locks the directory only while it copies, and never changes it: whatever is written,
// such as by an upgrade of the tables, goes to the copy.
func openCopy(dir string) (_ *state, err error) {
	has, err := HasState(dir)
	if err != nil {
		return nil, err
	}
	away, err := os.MkdirTemp("", "shoal-look-")
	if err != nil {
		return nil, share.Errorf(share.Disk, "making a folder for a copy of the state, to read it: %w", err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(away)
		}
	}()
	if has {
		if err := copyState(dir, away); err != nil {
			return nil, err
		}
	}
	s := &state{dir: away, copy: true}
	if s.db, err = openDB(filepath.Join(away, stateName)); err != nil {
		return nil, openingError(dir, err)
	}
	return s, nil
}

func copyState(from, to string) error {
	lock, err := lockState(from)
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := inspect(context.Background(), from, false); err != nil {
		return err
	}
	for _, name := range [...]string{stateName, stateName + "-wal", indexName, indexName + "-wal"} {
		if err := copyFile(filepath.Join(from, name), filepath.Join(to, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return share.Errorf(share.Disk, "copying the state, to read it: %w", err)
		}
	}
	return nil
}

func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}

// lockState locks a state directory.
func lockState(dir string) (*os.File, error) {
	f, err := lockFile(filepath.Join(dir, lockName))
	switch {
	case errors.Is(err, ErrLocked):
		return nil, share.Errorf(share.Failed, "%w: %s belongs to a running node; stop it, or give another directory with --state", ErrLocked, dir)
	case err != nil:
		return nil, share.Errorf(share.Disk, "locking the state directory: %w", err)
	}
	return f, nil
}

func (s *state) close() error {
	if s.copy {
		return errors.Join(s.db.Close(), os.RemoveAll(s.dir))
	}
	err := s.seal()
	// The file stays: without it, two nodes could lock different files.
	return errors.Join(err, s.lock.Close())
}

// dsn is the name of a database for SQLite.
func dsn(name string, params url.Values) string {
	slashed := filepath.ToSlash(name)
	if slashed[0] != '/' { // C:/...
		slashed = "/" + slashed
	}
	u := url.URL{Scheme: "file", Path: slashed, RawQuery: params.Encode()}
	return u.String()
}

func openDB(name string) (*sql.DB, error) {
	// Made here because SQLite would make it readable by everyone.
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	f.Close()
	// busy_timeout comes first: the change to WAL may have to wait, too.
	db, err := sql.Open("sqlite", dsn(name, url.Values{
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}, "_txlock": {"immediate"},
	}))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	if err := prepareDB(db); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

func prepareDB(db *sql.DB) error {
	for _, stmt := range [...]string{
		`CREATE TABLE IF NOT EXISTS versions (package TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID`,
		`CREATE TABLE IF NOT EXISTS node_values (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
		`INSERT OR IGNORE INTO versions VALUES ('node', 1)`,
	} {
		if _, err := db.Exec(stmt); err != nil {
			return err
		}
	}
	var version int
	if err := db.QueryRow(`SELECT version FROM versions WHERE package = 'node'`).Scan(&version); err != nil {
		return err
	}
	if version > nodeSchema {
		return fmt.Errorf("%w (schema %d, this one knows %d)", ErrNewer, version, nodeSchema)
	}
	return nil
}

// Load reads a value that Save stored; ok is false if there is none.
func (s *state) Load(name string, v any) (ok bool, err error) {
	var text string
	err = s.db.QueryRow(`SELECT value FROM node_values WHERE name = ?`, name).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), v)
	}
	if err != nil {
		return false, share.Errorf(share.Disk, "reading %s from the state: %w", name, err)
	}
	return true, nil
}

// Save stores a value. The value is durable when it returns.
func (s *state) Save(name string, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = s.db.Exec(`INSERT OR REPLACE INTO node_values VALUES (?, ?)`, name, string(b))
	}
	if err != nil {
		return share.Errorf(share.Disk, "saving %s: %w", name, err)
	}
	return nil
}

// removeStale removes a file that a killed node left behind.
func removeStale(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
