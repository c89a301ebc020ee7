package node

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/index/channel"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
)

// Recovery says what Recover did.
type Recovery struct {
	// Why says what was wrong; nil if the state was sound.
	Why error
	// Aside is the new path of the damaged database; empty if there was none.
	Aside     string
	Transfers []engine.Recovered
	Channels  []channel.Recovered
}

// newDBName is the name of a new database until it replaces state.db.
const newDBName = stateName + "-new"

// Recover builds a new database for a state directory whose database is damaged or
// missing, and keeps the damaged one under another name. Without damage it changes
// nothing, except that it searches the given folders for the files of transfers that
// have a torrent but no row. If a node runs on the directory, a later release wrote the
// state, or the disk fails, it returns an error and changes nothing.
//
// The new database replaces the old one atomically, when it is complete. After a crash
// before that, everything is as it was, and Recover can be run again.
func Recover(ctx context.Context, c *config.Config, version string, folders []string) (_ *Recovery, err error) {
	dir := c.State
	found, err := checkStateDir(dir)
	if err != nil {
		return nil, err
	}
	if !found.database && !found.lost() {
		return nil, share.Errorf(share.Failed, "there is no state in %s, and nothing to recover it from", dir)
	}
	lock, err := lockState(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	fresh, why := inspect(ctx, dir, true)
	switch {
	case fresh:
		return nil, share.Errorf(share.Failed, "there is no state in %s, and nothing to recover it from", dir)
	case why != nil && !errors.Is(why, ErrDamaged):
		return nil, why
	case why == nil:
		return recoverMore(ctx, dir, folders)
	}
	r := &Recovery{Why: why}
	made := filepath.Join(dir, newDBName)
	removeDB(made) // of a recovery that was interrupted
	if err := r.build(ctx, c, made, version, folders); err != nil {
		removeDB(made)
		return nil, openingError(dir, err)
	}
	if err := r.replace(dir, made, time.Now()); err != nil {
		return nil, share.Errorf(share.Disk, "putting the new state in its place: %w (run it again)", err)
	}
	return r, nil
}

// build fills the new database.
func (r *Recovery) build(ctx context.Context, c *config.Config, name, version string, folders []string) (err error) {
	db, err := openDB(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var old *sql.DB
	if damagedDB := filepath.Join(c.State, stateName); checkHeader(c.State, damagedDB) == nil {
		var done func()
		if old, done, err = readOnly(damagedDB, sizeOf(damagedDB+"-wal") > 0); err != nil {
			return err
		}
		defer done()
	}
	s := &state{dir: c.State, db: db}
	if err := s.sign(version); err != nil {
		return err
	}
	hints := map[share.ID]engine.Hint{}
	if old != nil {
		if err := s.keepPort(ctx, old); err != nil {
			return err
		}
		hints = engine.Hints(ctx, old)
	}
	folders = append(folders, c.Downloads)
	if r.Transfers, err = engine.Recover(ctx, db, filepath.Join(c.State, torrentsDir), hints, folders, time.Now()); err != nil {
		return err
	}
	r.Channels, err = channel.Recover(ctx, db, old, ChannelDir(c.State), time.Now())
	return err
}

// keepPort copies the port that is in links. A wrong one does no harm.
func (s *state) keepPort(ctx context.Context, old *sql.DB) error {
	var text string
	var port uint16
	if old.QueryRowContext(ctx, `SELECT value FROM node_values WHERE name = 'port'`).Scan(&text) != nil || json.Unmarshal([]byte(text), &port) != nil || port == 0 {
		return nil
	}
	return s.Save("port", port)
}

// replace renames the damaged database and puts the new one in its place.
func (r *Recovery) replace(dir, made string, now time.Time) error {
	name := filepath.Join(dir, stateName)
	aside := name + ".damaged-" + now.UTC().Format("20060102-150405")
	for n := 2; ; n++ {
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
		aside = fmt.Sprintf("%s.damaged-%s-%d", name, now.UTC().Format("20060102-150405"), n)
	}
	// Files that belong to the old one go first: whenever this is interrupted, they must
	// not be taken for the new one's.
	for _, suffix := range [...]string{"-wal", "-shm", "-journal"} {
		if err := moveAway(name+suffix, aside+suffix); err != nil {
			return err
		}
	}
	if err := moveAway(filepath.Join(dir, sumName), aside+".sum"); err != nil {
		return err
	}
	switch fi, err := os.Lstat(name); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case fi.Mode().IsRegular() && os.Link(name, aside) == nil: // a link, so that there is always a state.db
		r.Aside = aside
	default:
		if err := os.Rename(name, aside); err != nil {
			return err
		}
		r.Aside = aside
	}
	if err := os.Rename(made, name); err != nil {
		return err
	}
	return syncDir(dir)
}

func moveAway(from, to string) error {
	if err := os.Rename(from, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// recoverMore searches folders for the files of transfers that have a torrent but no row
// in a sound database.
func recoverMore(ctx context.Context, dir string, folders []string) (_ *Recovery, err error) {
	r := &Recovery{}
	if len(folders) == 0 {
		return r, nil
	}
	db, err := openDB(filepath.Join(dir, stateName))
	if err != nil {
		return nil, openingError(dir, err)
	}
	s := &state{dir: dir, db: db}
	defer func() { err = errors.Join(err, s.seal()) }()
	if r.Transfers, err = engine.Recover(ctx, db, filepath.Join(dir, torrentsDir), nil, folders, time.Now()); err != nil {
		return nil, openingError(dir, err)
	}
	return r, nil
}
