package channel

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// state stores channels in the node's state.db. A change is on disk when its method
// returns.
type state struct{ db *sql.DB }

// row is one channel.
type row struct {
	// link's Name is the one given here, or the channel's own; its Secret is that of a
	// sealed channel, if it is known.
	link  index.ChannelLink
	about string
	own   bool
	added time.Time

	// item is the newest one that was seen; Seq is -1 for none. A lower sequence
	// is never accepted.
	item index.Item
	// loaded is the catalogue in use, zero for none, and updated the time of its
	// arrival.
	loaded  share.ID
	updated time.Time
	// before is the previous catalogue of an own channel, which is still seeded
	// for followers that have not seen the newer one.
	before share.ID

	// sealed says that the catalogue in use is sealed, whether it can be read or not.
	sealed  bool
	entries int // number of entries

	mirror int64 // most bytes of its entries to fetch; 0 for none

	// dirty says that an own channel has changed since it was published;
	// restoring that its key was imported and its earlier entries are unknown
	// yet.
	dirty     bool
	restoring bool
}

func (r *row) id() index.ChannelID { return r.link.Local() }

// kind is what an own channel's entries are written as.
func (r *row) kind() listKind {
	if r.link.Secret.IsZero() {
		return plainList
	}
	return sealedList
}

// versionOf is the version that the local catalogue has after a catalogue was loaded. It
// differs where the same one is read with the secret.
func (r *row) versionOf(id share.ID) string {
	if r.link.Secret.IsZero() {
		return id.String()
	}
	return id.String() + " opened"
}

const stateVersion = 1

// ErrNewer is wrapped by the error for tables that a later release wrote.
var ErrNewer = errors.New("the channels were written by a later version of shoal")

// CheckState reports whether a Manager could read its tables, which need not exist.
// With deep it reads all of them. It changes nothing.
func CheckState(ctx context.Context, db *sql.DB, deep bool) error {
	var version int
	err := db.QueryRowContext(ctx, `SELECT version FROM versions WHERE package = 'channel'`).Scan(&version)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := checkVersion(version); err != nil || !deep {
		return err
	}
	_, err = (&state{db}).list(ctx)
	return err
}

func checkVersion(version int) error {
	if version > stateVersion {
		return share.Errorf(share.Failed, "%w (schema %d, this version reads up to %d)", ErrNewer, version, stateVersion)
	}
	return nil
}

func openState(ctx context.Context, db *sql.DB) (*state, error) {
	for _, stmt := range [...]string{
		`CREATE TABLE IF NOT EXISTS versions (package TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID`,
		`CREATE TABLE IF NOT EXISTS channel_list (
			id BLOB PRIMARY KEY, key BLOB NOT NULL, salt BLOB NOT NULL, name TEXT NOT NULL, about TEXT NOT NULL,
			own INTEGER NOT NULL, added INTEGER NOT NULL, seq INTEGER NOT NULL, value BLOB, sig BLOB,
			loaded TEXT NOT NULL, before TEXT NOT NULL, updated INTEGER NOT NULL, entries INTEGER NOT NULL, mirror INTEGER NOT NULL,
			dirty INTEGER NOT NULL, restoring INTEGER NOT NULL, sealed BLOB
		) WITHOUT ROWID`,
		// The entries of an own channel. state is 0 for published, 1 for added
		// since, 2 for dropped.
		`CREATE TABLE IF NOT EXISTS channel_entries (
			channel BLOB NOT NULL, id BLOB NOT NULL, state INTEGER NOT NULL, entry TEXT NOT NULL, PRIMARY KEY (channel, id)
		) WITHOUT ROWID`,
		// The highest sequences of channels that are no longer followed.
		`CREATE TABLE IF NOT EXISTS channel_seen (id BLOB PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID`,
		// The content that was fetched for mirrored channels.
		`CREATE TABLE IF NOT EXISTS channel_mirrored (channel BLOB NOT NULL, id BLOB NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (channel, id)) WITHOUT ROWID`,
		`INSERT OR IGNORE INTO versions VALUES ('channel', 1)`,
	} {
		if _, err := db.ExecContext(ctx, stmt); err != nil {
			return nil, share.Errorf(share.Disk, "preparing the state of channels: %w", err)
		}
	}
	var version int
	if err := db.QueryRowContext(ctx, `SELECT version FROM versions WHERE package = 'channel'`).Scan(&version); err != nil {
		return nil, share.Errorf(share.Disk, "reading the state of channels: %w", err)
	}
	if err := checkVersion(version); err != nil {
		return nil, err
	}
	if sealedColumn(ctx, db) != "sealed" {
		if _, err := db.ExecContext(ctx, `ALTER TABLE channel_list ADD COLUMN sealed BLOB`); err != nil {
			return nil, share.Errorf(share.Disk, "preparing the state of channels: %w", err)
		}
	}
	return &state{db}, nil
}

// sealedColumn is what to select for the secret of a sealed channel: NULL for one that is
// not sealed, unknownSecret for one that cannot be read here. A database that was last
// used before there were sealed channels does not have the column.
func sealedColumn(ctx context.Context, db *sql.DB) string {
	var n int
	err := db.QueryRowContext(ctx, `SELECT count(*) FROM pragma_table_info('channel_list') WHERE name = 'sealed'`).Scan(&n)
	if err != nil || n == 0 {
		return "NULL"
	}
	return "sealed"
}

// unknownSecret is not empty, since drivers take an empty value for NULL.
var unknownSecret = []byte{0}

// setSealed sets what the column of that name says.
func (r *row) setSealed(secret []byte) {
	r.sealed = secret != nil
	if len(secret) == share.SecretSize {
		r.link.Secret = share.SecretOf([share.SecretSize]byte(secret))
	}
}

// sealedValue is what to store in the column.
func (r *row) sealedValue() []byte {
	switch secret := r.link.Secret.Bytes(); {
	case !r.link.Secret.IsZero():
		return secret[:]
	case r.sealed:
		return unknownSecret
	}
	return nil
}

func (s *state) list(ctx context.Context) ([]*row, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT key, salt, name, about, own, added, seq, value, sig, loaded, before, updated, entries, mirror, dirty, restoring, `+
		sealedColumn(ctx, s.db)+` FROM channel_list ORDER BY added, id`)
	if err != nil {
		return nil, share.Errorf(share.Disk, "reading the state of channels: %w", err)
	}
	defer rows.Close()
	var all []*row
	for rows.Next() {
		var r row
		var key, sig, sealed []byte
		var added, updated int64
		var loaded, before string
		if err := rows.Scan(&key, &r.link.Salt, &r.link.Name, &r.about, &r.own, &added, &r.item.Seq, &r.item.Value, &sig,
			&loaded, &before, &updated, &r.entries, &r.mirror, &r.dirty, &r.restoring, &sealed); err != nil {
			return nil, share.Errorf(share.Disk, "reading the state of channels: %w", err)
		}
		copy(r.link.ID[:], key)
		if len(r.link.Salt) == 0 {
			r.link.Salt = nil
		}
		r.item.Key, r.item.Salt = r.link.ID, r.link.Salt
		copy(r.item.Sig[:], sig)
		r.setSealed(sealed)
		r.added, r.updated = fromUnix(added), fromUnix(updated)
		r.loaded, r.before = idOf(loaded), idOf(before)
		all = append(all, &r)
	}
	return all, rows.Err()
}

func fromUnix(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

func toUnix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func idOf(s string) share.ID {
	id, err := share.ParseID(s)
	if err != nil {
		return share.ID{}
	}
	return id
}

func textOf(id share.ID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}

// put stores a channel. The stored sequence never decreases.
func (s *state) put(ctx context.Context, r *row) error {
	id := r.id()
	salt := r.link.Salt
	if salt == nil {
		salt = []byte{}
	}
	_, err := s.db.ExecContext(ctx, `INSERT INTO channel_list
		(id, key, salt, name, about, own, added, seq, value, sig, loaded, before, updated, entries, mirror, dirty, restoring, sealed)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, about = excluded.about, own = excluded.own,
			seq = excluded.seq, value = excluded.value, sig = excluded.sig, loaded = excluded.loaded, before = excluded.before,
			updated = excluded.updated, entries = excluded.entries, mirror = excluded.mirror, dirty = excluded.dirty, restoring = excluded.restoring, sealed = excluded.sealed
		WHERE excluded.seq >= channel_list.seq`,
		id[:], r.link.ID[:], salt, r.link.Name, r.about, r.own, toUnix(r.added), r.item.Seq, r.item.Value, r.item.Sig[:],
		textOf(r.loaded), textOf(r.before), toUnix(r.updated), r.entries, r.mirror, r.dirty, r.restoring, r.sealedValue())
	if err != nil {
		return share.Errorf(share.Disk, "saving channel %s: %w", id.Short(), err)
	}
	return nil
}

// drop deletes a channel but keeps the highest sequence seen, so that a user who
// follows it again never gets an older catalogue.
func (s *state) drop(ctx context.Context, id index.ChannelID) error {
	return s.tx(ctx, "dropping channel "+id.Short(), func(tx *sql.Tx) error {
		for _, stmt := range [...]string{
			`INSERT INTO channel_seen SELECT id, seq FROM channel_list WHERE id = ? AND seq >= 0
				ON CONFLICT (id) DO UPDATE SET seq = max(seq, excluded.seq)`,
			`DELETE FROM channel_list WHERE id = ?`, `DELETE FROM channel_entries WHERE channel = ?`, `DELETE FROM channel_mirrored WHERE channel = ?`,
		} {
			if _, err := tx.ExecContext(ctx, stmt, id[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// seen is the highest sequence seen of a dropped channel, -1 for none.
func (s *state) seen(ctx context.Context, id index.ChannelID) (int64, error) {
	var seq int64
	err := s.db.QueryRowContext(ctx, `SELECT seq FROM channel_seen WHERE id = ?`, id[:]).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return -1, nil
	}
	if err != nil {
		return -1, share.Errorf(share.Disk, "reading the state of channels: %w", err)
	}
	return seq, nil
}

func (s *state) tx(ctx context.Context, what string, do func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err == nil {
		if err = do(tx); err == nil {
			err = tx.Commit()
		} else {
			err = errors.Join(err, tx.Rollback())
		}
	}
	if _, ok := errors.AsType[*share.Error](err); err != nil && !ok {
		err = share.Errorf(share.Disk, "%s: %w", what, err)
	}
	return err
}

// The states of an entry of an own channel.
const (
	published = 0
	addedNow  = 1
	dropped   = 2
)

// entries returns the entries of an own channel, including unpublished changes.
func (s *state) entries(ctx context.Context, id index.ChannelID) ([]index.Entry, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT entry FROM channel_entries WHERE channel = ? AND state <> ?`, id[:], dropped)
	if err != nil {
		return nil, share.Errorf(share.Disk, "reading channel %s: %w", id.Short(), err)
	}
	defer rows.Close()
	var all []index.Entry
	for rows.Next() {
		var text string
		var e index.Entry
		if err := rows.Scan(&text); err != nil {
			return nil, share.Errorf(share.Disk, "reading channel %s: %w", id.Short(), err)
		}
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return nil, share.Errorf(share.Disk, "reading channel %s: %w", id.Short(), err)
		}
		e.Channel = id
		all = append(all, e)
	}
	return all, rows.Err()
}

// add adds entries to an own channel and returns their new number.
func (s *state) add(ctx context.Context, id index.ChannelID, entries []index.Entry) (n int, err error) {
	err = s.tx(ctx, "adding to channel "+id.Short(), func(tx *sql.Tx) error {
		for _, e := range entries {
			if err := putEntry(ctx, tx, id, e, addedNow); err != nil {
				return err
			}
		}
		if n, err = countEntries(ctx, tx, id); err == nil && n > MaxEntries {
			err = share.Errorf(share.Failed, "a channel has at most %d entries", MaxEntries)
		}
		return err
	})
	return n, err
}

func countEntries(ctx context.Context, tx *sql.Tx, id index.ChannelID) (n int, err error) {
	err = tx.QueryRowContext(ctx, `SELECT count(*) FROM channel_entries WHERE channel = ? AND state <> ?`, id[:], dropped).Scan(&n)
	return n, err
}

func putEntry(ctx context.Context, tx *sql.Tx, id index.ChannelID, e index.Entry, as int) error {
	text, err := marshal(e)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO channel_entries VALUES (?, ?, ?, ?)`, id[:], e.ID[:], as, text)
	return err
}

// marshal encodes an entry for the database.
func marshal(e index.Entry) (string, error) {
	e.Channel = index.ChannelID{}
	b, err := json.Marshal(e)
	return string(b), err
}

// remove removes entries of an own channel and returns how many it removed and how
// many are left.
func (s *state) remove(ctx context.Context, id index.ChannelID, ids []share.ID) (n, left int, err error) {
	err = s.tx(ctx, "dropping from channel "+id.Short(), func(tx *sql.Tx) error {
		for _, e := range ids {
			done, err := tx.ExecContext(ctx, `UPDATE channel_entries SET state = ? WHERE channel = ? AND id = ? AND state <> ?`, dropped, id[:], e[:], dropped)
			if err != nil {
				return err
			}
			k, err := done.RowsAffected()
			if err != nil {
				return err
			}
			n += int(k)
		}
		left, err = countEntries(ctx, tx, id)
		return err
	})
	return n, left, err
}

// settle records that the entries as they were read are now published. Later changes
// remain to be published.
func (s *state) settle(ctx context.Context, id index.ChannelID, had []index.Entry) error {
	return s.tx(ctx, "settling channel "+id.Short(), func(tx *sql.Tx) error {
		kept := make(map[share.ID]bool, len(had))
		for _, e := range had {
			kept[e.ID] = true
			text, err := marshal(e)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `UPDATE channel_entries SET state = ? WHERE channel = ? AND id = ? AND state = ? AND entry = ?`,
				published, id[:], e.ID[:], addedNow, text); err != nil {
				return err
			}
		}
		gone, err := droppedIDs(ctx, tx, id)
		if err != nil {
			return err
		}
		for _, e := range gone {
			if kept[e] {
				continue
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM channel_entries WHERE channel = ? AND id = ?`, id[:], e[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

func droppedIDs(ctx context.Context, tx *sql.Tx, id index.ChannelID) ([]share.ID, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id FROM channel_entries WHERE channel = ? AND state = ?`, id[:], dropped)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []share.ID
	for rows.Next() {
		var raw []byte
		if err := rows.Scan(&raw); err != nil {
			return nil, err
		}
		var e share.ID
		copy(e[:], raw)
		all = append(all, e)
	}
	return all, rows.Err()
}

// adopt adopts a catalogue that was published elsewhere with the same key as the
// published state; entries added or dropped here stay added or dropped.
func (s *state) adopt(ctx context.Context, id index.ChannelID, entries []index.Entry) error {
	return s.tx(ctx, "adopting channel "+id.Short(), func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM channel_entries WHERE channel = ? AND state = ?`, id[:], published); err != nil {
			return err
		}
		for _, e := range entries {
			text, err := marshal(e)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO channel_entries VALUES (?, ?, ?, ?)`, id[:], e.ID[:], published, text); err != nil {
				return err
			}
		}
		return nil
	})
}

// mirrored returns the IDs that were fetched for the mirror, with their sizes.
func (s *state) mirrored(ctx context.Context, id index.ChannelID) (map[share.ID]int64, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, bytes FROM channel_mirrored WHERE channel = ?`, id[:])
	if err != nil {
		return nil, share.Errorf(share.Disk, "reading the mirrored content: %w", err)
	}
	defer rows.Close()
	all := make(map[share.ID]int64)
	for rows.Next() {
		var raw []byte
		var n int64
		if err := rows.Scan(&raw, &n); err != nil {
			return nil, share.Errorf(share.Disk, "reading the mirrored content: %w", err)
		}
		var e share.ID
		copy(e[:], raw)
		all[e] = n
	}
	return all, rows.Err()
}

func (s *state) mirror(ctx context.Context, id index.ChannelID, e share.ID, bytes int64) error {
	if _, err := s.db.ExecContext(ctx, `INSERT OR IGNORE INTO channel_mirrored VALUES (?, ?, ?)`, id[:], e[:], bytes); err != nil {
		return share.Errorf(share.Disk, "recording mirrored content: %w", err)
	}
	return nil
}
