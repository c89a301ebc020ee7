package engine

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
)

// migrations are the steps from one version of the engine's tables to the next, each at
// the index of the version that it starts from.
var migrations = [...]string{
	`CREATE TABLE engine_transfers (
		id         BLOB PRIMARY KEY, -- 20 bytes; random until a share is hashed
		kind       INTEGER NOT NULL,
		name       TEXT NOT NULL,
		path       TEXT NOT NULL,    -- of a share: what is shared; else the folder that holds the content
		added      INTEGER NOT NULL, -- times are Unix nanoseconds, 0 for never
		completed  INTEGER NOT NULL,
		size       INTEGER NOT NULL,
		total      INTEGER NOT NULL, -- bytes of the selected files
		files      INTEGER NOT NULL,
		downloaded INTEGER NOT NULL,
		uploaded   INTEGER NOT NULL,
		options    TEXT NOT NULL     -- JSON, see options in state.go
	) WITHOUT ROWID;
	CREATE TABLE engine_ledger ( -- what the storage keeps, see storage.Record
		id       BLOB PRIMARY KEY,
		layout   BLOB,
		progress BLOB
	) WITHOUT ROWID;`,
	// The key of a sealed share, 32 bytes. It is in no other file.
	`ALTER TABLE engine_transfers ADD COLUMN secret BLOB;`,
}

type kind int

const (
	kindUnhashed kind = 1 // a share being hashed for the first time
	kindOwn      kind = 2 // a share
	kindFetch    kind = 3
	kindEnded    kind = 4 // a share that has ended, see shelf; no transfer
)

// row is what is kept of a transfer in the database.
type row struct {
	id         share.ID
	kind       kind
	name       string
	path       string
	added      time.Time
	completed  time.Time
	size       int64
	total      int64
	files      int
	downloaded int64
	uploaded   int64
	options    options
	secret     share.Secret // of a sealed share
}

// options are the parts of a row that no query needs by itself. When an earlier version
// saves a row, the fields that it does not know are lost.
type options struct {
	Paused bool   `json:"paused,omitempty"`
	Reason string `json:"reason,omitempty"` // why it is paused, when not by the user
	// ReasonText and DamageText are Reason and Damage for other languages.
	ReasonText share.Text       `json:"reasontext,omitzero"`
	DamageText share.Text       `json:"damagetext,omitzero"`
	GoalDone   bool             `json:"goaldone,omitempty"` // resumed although the goal is met
	Owners     owners           `json:"owners,omitempty"`
	Then       Owner            `json:"then,omitempty"` // owns a share once it is hashed, in place of the command
	Data       bool             `json:"data,omitempty"` // an owner that ended wanted the data deleted with it
	Goal       share.Goal       `json:"goal,omitzero"`
	Limits     share.Limits     `json:"limits,omitzero"`
	Turn       share.Precedence `json:"turn,omitempty"`  // among the downloads that wait for a slot
	Names      *names           `json:"names,omitempty"` // nil of a share before it is hashed, and in rows of versions that did not keep them

	// of a share
	PieceLength    int64          `json:"piecelength,omitempty"`
	FollowSymlinks bool           `json:"followsymlinks,omitempty"`
	Private        bool           `json:"private,omitempty"`
	Hybrid         bool           `json:"hybrid,omitempty"`
	Exclude        []string       `json:"exclude,omitempty"`
	Strict         bool           `json:"strict,omitempty"`
	Sealed         bool           `json:"sealed,omitempty"` // of a fetch, too: this node has the key
	Hidden         int            `json:"hidden,omitempty"`
	LeftOut        *share.LeftOut `json:"leftout,omitempty"` // never changed

	// of an import
	Given  bool           `json:"given,omitempty"`  // it has the .torrent file that came with it, and is not made anew
	Places map[int]string `json:"places,omitempty"` // by file: where it is below path, if its torrent names it otherwise; never changed
	Hold   bool           `json:"hold,omitempty"`   // it is paused once its files are known to be right

	// of a fetch, and the first of an import
	Trackers   []string               `json:"trackers,omitempty"`
	WebSeeds   []string               `json:"webseeds,omitempty"`
	Peers      []string               `json:"peers,omitempty"` // HOST:PORT of the link
	Globs      []string               `json:"globs,omitempty"`
	Select     []share.Range          `json:"select,omitempty"`
	Priorities map[int]share.Priority `json:"priorities,omitempty"` // other than Normal, once the files are known
	Sequential bool                   `json:"sequential,omitempty"`
	MaxSize    int64                  `json:"maxsize,omitempty"`
	Blob       string                 `json:"blob,omitempty"`    // folder of the blob that it was before its key was known
	Unseal     bool                   `json:"unseal,omitempty"`  // its files are yet to be written out of that
	Blind      bool                   `json:"blind,omitempty"`   // it looks like a sealed share, and there is no key
	Adopt      bool                   `json:"adopt,omitempty"`   // the user's files are completed in place
	Only       string                 `json:"only,omitempty"`    // see FetchRequest
	From       string                 `json:"from,omitempty"`    // where the same content is, to be copied
	Restart    bool                   `json:"restart,omitempty"` // what is known of the files is of another place
	Root       string                 `json:"root,omitempty"`    // name on disk below path
	Verify     bool                   `json:"verify,omitempty"`  // data on disk is to be hashed again
	Mend       bool                   `json:"mend,omitempty"`    // with Verify: only of files that are missing or were changed
	Damage     string                 `json:"damage,omitempty"`  // what was last found to be wrong with files that were complete
	Lost       bool                   `json:"lost,omitempty"`    // it was complete, and is so no longer
	Durable    int64                  `json:"durable,omitempty"` // bytes of the selected files, when last seen
	Counted    bool                   `json:"counted,omitempty"` // all of it was complete once: trackers are not told again
}

// state keeps rows in the database. Writes are gathered: rows put within a second are
// written in one transaction, so that many active transfers cost one sync and not one
// each.
type state struct {
	db    *sql.DB
	notes *notebook
	wake  chan struct{}

	mu      sync.Mutex
	puts    uint64
	waiting int               // for a write that has not ended
	pending map[share.ID]*row // nil deletes
	left    map[share.ID]bool // deleted, but the ledger record stays
	waiters []chan error
}

// gatherTime is how long a write waits for others, unless a caller waits for it.
const gatherTime = time.Second

// ErrNewer is wrapped by the error for tables that a later version wrote.
var ErrNewer = errors.New("the transfers were written by a later version of shoal")

// CheckState reports whether an engine could read its tables, which need not exist. With
// deep it reads all of them. It changes nothing.
func CheckState(ctx context.Context, db *sql.DB, deep bool) error {
	var tables int
	err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE name = 'engine_schema'`).Scan(&tables)
	if err != nil || tables == 0 {
		return err
	}
	version := 0
	if err := db.QueryRowContext(ctx, `SELECT version FROM engine_schema`).Scan(&version); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err := checkSchema(version); err != nil || version < len(migrations) || !deep {
		return err
	}
	_, err = loadRows(ctx, db)
	return err
}

func checkSchema(version int) error {
	switch {
	case version > len(migrations):
		return share.Errorf(share.Failed, "%w (schema %d, this one knows %d)", ErrNewer, version, len(migrations))
	case version < 0:
		return fmt.Errorf("the transfers have schema %d", version)
	}
	return nil
}

func openState(ctx context.Context, db *sql.DB) (*state, []row, error) {
	if err := migrate(ctx, db); err != nil {
		return nil, nil, fmt.Errorf("opening the table of transfers: %w", err)
	}
	rows, err := loadRows(ctx, db)
	if err != nil {
		return nil, nil, fmt.Errorf("loading the transfers: %w", err)
	}
	s := &state{db: db, wake: make(chan struct{}, 1), pending: make(map[share.ID]*row)}
	return s, rows, nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS engine_schema (version INTEGER NOT NULL)`); err != nil {
		return err
	}
	version := 0
	err = tx.QueryRowContext(ctx, `SELECT version FROM engine_schema`).Scan(&version)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = tx.ExecContext(ctx, `INSERT INTO engine_schema VALUES (0)`)
	}
	if err != nil {
		return err
	}
	if err := checkSchema(version); err != nil {
		return err
	}
	for ; version < len(migrations); version++ {
		if _, err := tx.ExecContext(ctx, migrations[version]); err != nil {
			return fmt.Errorf("upgrading from schema %d: %w", version, err)
		}
	}
	if _, err := tx.ExecContext(ctx, `UPDATE engine_schema SET version = ?`, version); err != nil {
		return err
	}
	return tx.Commit()
}

func loadRows(ctx context.Context, db *sql.DB) ([]row, error) {
	return queryRows(ctx, db, `ORDER BY added, id`)
}

func queryRows(ctx context.Context, db *sql.DB, which string, args ...any) ([]row, error) {
	q, err := db.QueryContext(ctx, `SELECT id, kind, name, path, added, completed, size, total, files, downloaded, uploaded, options, secret
		FROM engine_transfers `+which, args...)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	var out []row
	for q.Next() {
		var r row
		var id, opts, secret []byte
		var added, completed int64
		if err := q.Scan(&id, &r.kind, &r.name, &r.path, &added, &completed, &r.size, &r.total, &r.files, &r.downloaded, &r.uploaded, &opts, &secret); err != nil {
			return nil, err
		}
		if len(id) != len(r.id) {
			return nil, fmt.Errorf("an ID of %d bytes", len(id))
		}

		r.id = share.ID(id)
		if r.kind < kindUnhashed || r.kind > kindEnded {
			return nil, fmt.Errorf("%s is of kind %d", r.id.Short(), r.kind)
		}
		r.added, r.completed = fromNano(added), fromNano(completed)
		if err := json.Unmarshal(opts, &r.options); err != nil {
			return nil, fmt.Errorf("options of %s: %w", r.id, err)
		}
		switch len(secret) {
		case 0:
		case share.SecretSize:
			r.secret = share.SecretOf([share.SecretSize]byte(secret))
		default:
			return nil, fmt.Errorf("%s has a key of %d bytes", r.id.Short(), len(secret))
		}
		out = append(out, r)
	}
	return out, q.Err()
}

func toNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNano(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}

// put saves r within a second. The maps and slices of r must not be changed afterwards.
func (s *state) put(r row) { s.enqueue(r.id, &r, nil) }

// putNow saves r at once. The channel, which is buffered, gets the result when r is on
// disk.
func (s *state) putNow(r row) <-chan error {
	done := make(chan error, 1)
	s.enqueue(r.id, &r, done)
	return done
}

// remove deletes the row of id, and drops what was put before and waits. The ledger record
// goes as well, unless left tells that files stay which the storage has to know later.
func (s *state) remove(id share.ID, left bool) <-chan error {
	done := make(chan error, 1)
	s.mu.Lock()
	if s.left == nil {
		s.left = make(map[share.ID]bool)
	}
	s.left[id] = left
	s.mu.Unlock()
	s.enqueue(id, nil, done)
	return done
}

// version counts what was put so far.
func (s *state) version() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.puts
}

// since saves at once what was put after a version. The channel, which is buffered, gets
// the result, also that of what others wait for already; it is nil if there is nothing.
func (s *state) since(version uint64) <-chan error {
	s.mu.Lock()
	if s.puts == version && s.waiting == 0 {
		s.mu.Unlock()
		return nil
	}
	done := make(chan error, 1)
	s.wait(done)
	s.mu.Unlock()
	s.hurry()
	return done
}

// wait has done get the result of the next write. The caller holds the lock.
func (s *state) wait(done chan error) {
	s.waiters = append(s.waiters, done)
	s.waiting++
}

// hurry has run write now.
func (s *state) hurry() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *state) enqueue(id share.ID, r *row, done chan error) {
	s.mu.Lock()
	s.puts++
	s.pending[id] = r
	if done != nil {
		s.wait(done)
	}
	s.mu.Unlock()
	if done != nil {
		s.hurry()
	}
}

// run writes until ctx ends, and then what is still pending. The rows of a failed write
// stay pending and are tried again with the next one.
func (s *state) run(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(gatherTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			// The last write needs a context that has not ended.
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime/2)
			defer cancel()
			if err := s.flush(last); err != nil {
				failed(err)
			}
			return
		case <-tick.C:
		case <-s.wake:
		}
		if err := s.flush(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}

func (s *state) flush(ctx context.Context) error {
	s.mu.Lock()
	batch, waiters := s.pending, s.waiters
	s.pending, s.waiters = make(map[share.ID]*row), nil
	s.mu.Unlock()
	var err error
	if len(batch) > 0 {
		err = s.write(ctx, batch)
	}
	if err != nil {
		err = share.Errorf(share.Disk, "saving the state of %d transfers: %w", len(batch), err)
		s.mu.Lock()
		for id, r := range batch {
			if _, newer := s.pending[id]; !newer {
				s.pending[id] = r
			}
		}
		s.mu.Unlock()
	}
	for _, w := range waiters {
		w <- err
	}
	s.mu.Lock()
	s.waiting -= len(waiters)
	s.mu.Unlock()
	return err
}

func (s *state) write(ctx context.Context, batch map[share.ID]*row) error {
	// Not within the transaction: the notebook reads the database while it holds the lock
	// that remove waits for, and writers that wait may hold every connection.
	if err := s.removeNotes(batch); err != nil {
		return err
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for id, r := range batch {
		if r == nil {
			tables := []string{"engine_transfers", "engine_ledger"}
			s.mu.Lock()
			if s.left[id] {
				tables = tables[:1]
			}
			s.mu.Unlock()
			for _, table := range tables {
				if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE id = ?`, id[:]); err != nil {
					return err
				}
			}
			continue
		}
		opts, err := json.Marshal(r.options)
		if err != nil {
			return err
		}
		if err := insertRow(ctx, tx, r, opts); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	for _, r := range batch {
		if r != nil {
			s.notes.saved(r)
		}
	}
	// One may have been written in between, from the row that was still there.
	return s.removeNotes(batch)
}

// removeNotes removes the notes of what batch deletes.
func (s *state) removeNotes(batch map[share.ID]*row) error {
	for id, r := range batch {
		if r == nil {
			if err := s.notes.remove(id); err != nil {
				return err
			}
		}
	}
	return nil
}

func insertRow(ctx context.Context, tx *sql.Tx, r *row, opts []byte) error {
	var secret []byte
	if key := r.secret.Bytes(); !r.secret.IsZero() {
		secret = key[:]
	}
	_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO engine_transfers
		(id, kind, name, path, added, completed, size, total, files, downloaded, uploaded, options, secret)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.id[:], r.kind, r.name, r.path, toNano(r.added), toNano(r.completed), r.size, r.total, r.files, r.downloaded, r.uploaded, opts, secret)
	return err
}
