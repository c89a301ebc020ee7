package catalog

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// The bytes of one entry that are indexed. The rest is shown but cannot be searched;
// a folder of a million files must not dominate the index.
const (
	maxNameText  = 1 << 10
	maxAboutText = 8 << 10
	maxFilesText = 64 << 10
	maxTags      = 64
)

// thresholds of size, as powers of two, each a word in the index.
var thresholds = [...]int{20, 23, 26, 28, 30, 32, 34, 37, 40}

// Change is the result of a Replace.
type Change struct {
	Added, Changed, Removed, Same int
}

// Replace replaces all entries of the channel in one transaction: searches see the
// old entries until it is complete, and an error of the sequence or the disk leaves
// them unchanged. If several entries have one ID, the first is used. Unchanged
// entries are only compared. version is stored for Versions.
func (c *Catalog) Replace(ctx context.Context, channel index.ChannelID, version string, entries iter.Seq2[index.Entry, error]) (Change, error) {
	var change Change
	c.checkpoint(ctx, "PASSIVE")
	err := c.write(ctx, channel, func(w *writer) error {
		old, err := w.existing(ctx)
		if err != nil {
			return err
		}
		for e, err := range entries {
			if err != nil {
				return err
			}
			sum := checksum(&e)
			was, there := old[e.ID]
			switch {
			case there && was.seen:
				continue
			case there && was.sum == sum:
				change.Same++
				was.seen = true
				old[e.ID] = was
				continue
			case there:
				if err := w.remove(ctx, was.num); err != nil {
					return err
				}
				was.seen = true
				old[e.ID] = was
			}
			added, err := w.add(ctx, &e, sum)
			if err != nil {
				return err
			}
			switch {
			case there:
				change.Changed++
			case added:
				change.Added++
			}
		}
		for _, was := range old {
			if !was.seen {
				change.Removed++
				if err := w.remove(ctx, was.num); err != nil {
					return err
				}
			}
		}
		_, err = w.tx.ExecContext(ctx, "UPDATE channels SET version = ? WHERE num = ?", version, w.channel)
		return err
	})
	if err != nil {
		return Change{}, fmt.Errorf("loading channel %s: %w", channel.Short(), err)
	}
	return change, nil
}

// Put adds entries to a channel, or replaces those with the same ID.
func (c *Catalog) Put(ctx context.Context, channel index.ChannelID, entries ...index.Entry) error {
	err := c.write(ctx, channel, func(w *writer) error {
		for _, e := range entries {
			if err := w.removeID(ctx, e.ID); err != nil {
				return err
			}
			if _, err := w.add(ctx, &e, checksum(&e)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("adding to the catalogue: %w", err)
	}
	return nil
}

// Remove removes entries from a channel. Missing ones are not an error.
func (c *Catalog) Remove(ctx context.Context, channel index.ChannelID, ids ...share.ID) error {
	err := c.write(ctx, channel, func(w *writer) error {
		for _, id := range ids {
			if err := w.removeID(ctx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("removing from the catalogue: %w", err)
	}
	return nil
}

// Drop removes a channel with all its entries.
func (c *Catalog) Drop(ctx context.Context, channel index.ChannelID) error {
	err := c.write(ctx, channel, func(w *writer) error {
		old, err := w.existing(ctx)
		if err != nil {
			return err
		}
		for _, r := range old {
			if err := w.remove(ctx, r.num); err != nil {
				return err
			}
		}
		_, err = w.tx.ExecContext(ctx, "DELETE FROM channels WHERE num = ?", w.channel)
		return err
	})
	if err != nil {
		return fmt.Errorf("dropping channel %s: %w", channel.Short(), err)
	}
	return nil
}

// writer is one transaction on one channel.
type writer struct {
	tx      *sql.Tx
	channel int64
	next    int64 // number of the next row
	buf     []byte
	pack    *zstd.Encoder
	// gone are the rows to remove from the word index. The index flushes its
	// buffer whenever it gets a smaller row number than the last, so the rows
	// are removed at the end, in order.
	gone []int64

	insert, detail, index, deleteRow, deleteDetail, deleteIndex, find *sql.Stmt
}

func (c *Catalog) write(ctx context.Context, channel index.ChannelID, do func(*writer) error) (err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	tx, err := c.writes.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			// On a full disk SQLite has already rolled back.
			if rolled := tx.Rollback(); !errors.Is(rolled, sql.ErrTxDone) {
				err = errors.Join(err, rolled)
			}
			c.checkpoint(ctx, "TRUNCATE")
		}
	}()
	w := &writer{tx: tx}
	if w.pack, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1)); err != nil {
		return err
	}
	defer w.pack.Close()
	if err := w.prepare(ctx, channel); err != nil {
		return err
	}
	if err := do(w); err != nil {
		return err
	}
	slices.Sort(w.gone)
	for _, num := range w.gone {
		if _, err := w.deleteIndex.ExecContext(ctx, num); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	select {
	case c.changed <- struct{}{}:
	default:
	}
	return nil
}

// checkpoint moves the journal into the file. Before a large change it moves what
// it can without blocking readers, so that after a failed change the journal can be
// truncated at once: the disk may be full, and others need the space.
func (c *Catalog) checkpoint(ctx context.Context, how string) {
	if ctx.Err() != nil {
		return
	}
	if _, err := c.writes.ExecContext(ctx, "PRAGMA wal_checkpoint("+how+")"); err != nil {
		c.log.Debug("emptying the journal of the catalogue", "error", err)
	}
}

func (w *writer) prepare(ctx context.Context, channel index.ChannelID) error {
	if _, err := w.tx.ExecContext(ctx, "INSERT INTO channels (key) VALUES (?) ON CONFLICT DO NOTHING", channel[:]); err != nil {
		return err
	}
	if err := w.tx.QueryRowContext(ctx, "SELECT num FROM channels WHERE key = ?", channel[:]).Scan(&w.channel); err != nil {
		return err
	}
	if err := w.tx.QueryRowContext(ctx, "SELECT coalesce(max(num), 0) + 1 FROM entries").Scan(&w.next); err != nil {
		return err
	}
	for _, s := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&w.insert, "INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&w.detail, "INSERT INTO details VALUES (?, ?, ?)"},
		{&w.index, "INSERT INTO words (rowid, name, tags, about, files, meta) VALUES (?, ?, ?, ?, ?, ?)"},
		{&w.deleteRow, "DELETE FROM entries WHERE num = ?"},
		{&w.deleteDetail, "DELETE FROM details WHERE num = ?"},
		{&w.deleteIndex, "DELETE FROM words WHERE rowid = ?"},
		{&w.find, "SELECT num FROM entries WHERE channel = ? AND id = ?"},
	} {
		var err error
		if *s.stmt, err = w.tx.PrepareContext(ctx, s.text); err != nil {
			return err
		}
	}
	return nil
}

type row struct {
	num  int64
	sum  int64
	seen bool
}

func (w *writer) existing(ctx context.Context) (map[share.ID]row, error) {
	old := make(map[share.ID]row)
	rows, err := w.tx.QueryContext(ctx, "SELECT num, id, sum FROM entries WHERE channel = ?", w.channel)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		var raw sql.RawBytes
		if err := rows.Scan(&r.num, &raw, &r.sum); err != nil {
			return nil, err
		}
		var id share.ID
		copy(id[:], raw)
		old[id] = r
	}
	return old, rows.Err()
}

func (w *writer) removeID(ctx context.Context, id share.ID) error {
	var num int64
	err := w.find.QueryRowContext(ctx, w.channel, id[:]).Scan(&num)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return w.remove(ctx, num)
}

func (w *writer) remove(ctx context.Context, num int64) error {
	for _, s := range []*sql.Stmt{w.deleteDetail, w.deleteRow} {
		if _, err := s.ExecContext(ctx, num); err != nil {
			return err
		}
	}
	w.gone = append(w.gone, num)
	return nil
}

// add returns false if the channel already has an entry with that ID.
func (w *writer) add(ctx context.Context, e *index.Entry, sum int64) (bool, error) {
	num := w.next
	done, err := w.insert.ExecContext(ctx, num, w.channel, e.ID[:], sum, e.Name, e.Link, e.Bytes, e.Time.Unix(), strings.Join(e.Tags, "\n"), e.Sealed)
	if err != nil {
		return false, err
	}
	if n, err := done.RowsAffected(); n == 0 || err != nil {
		return false, err
	}
	w.next++
	files, err := w.files(e.Files)
	if err != nil {
		return false, err
	}
	if e.About != "" || files != nil {
		if _, err := w.detail.ExecContext(ctx, num, e.About, files); err != nil {
			return false, err
		}
	}
	name := string(appendWords(w.buf[:0], e.Name, maxNameText))
	tags := string(appendWords(w.buf[:0], strings.Join(e.Tags, " "), maxNameText))
	about := string(appendWords(w.buf[:0], e.About, maxAboutText))
	w.buf = w.buf[:0]
	for _, f := range e.Files {
		if w.buf = appendWords(w.buf, f.Path, maxFilesText); len(w.buf) >= maxFilesText-maxWord {
			break
		}
	}
	paths := string(w.buf)
	w.buf = w.meta(w.buf[:0], e)
	_, err = w.index.ExecContext(ctx, num, name, tags, about, paths, string(w.buf))
	return err == nil, err
}

// files encodes the file list as JSON, compressed with zstd if it is long.
func (w *writer) files(files []index.File) ([]byte, error) {
	if len(files) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(files)
	if err != nil {
		return nil, err
	}
	if len(b) > 512 {
		b = w.pack.EncodeAll(b, nil)
	}
	return b, nil
}

// meta returns the words for filters: "all" for every entry; c and the number of its
// channel; k and a kind; g and a tag; y and its year, m and its month; and for each
// size threshold s if it is at least as large, else l.
func (w *writer) meta(b []byte, e *index.Entry) []byte {
	b = append(b, "all c"...)
	b = strconv.AppendInt(b, w.channel, 10)
	for _, k := range kindsOf(e) {
		b = append(append(b, " k"...), k...)
	}
	for i, t := range e.Tags {
		if token := tagToken(t); token != "" && i < maxTags {
			b = append(append(b, " g"...), token...)
		}
	}
	at := clampTime(e.Time)
	b = at.AppendFormat(b, " y2006 m200601")
	for _, bit := range thresholds {
		letter := byte('l')
		if e.Bytes >= 1<<bit {
			letter = 's'
		}
		b = strconv.AppendInt(append(b, ' ', letter), int64(bit), 10)
	}
	return b
}

// Times outside this range are clamped: the words for years must be few enough to
// list.
var (
	firstTime = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(2099, 12, 31, 0, 0, 0, 0, time.UTC)
)

func clampTime(t time.Time) time.Time {
	t = t.UTC()
	switch {
	case t.Before(firstTime):
		return firstTime
	case t.After(lastTime):
		return lastTime
	}
	return t
}

// checksum detects whether an entry changed. It only saves work and need not resist
// attacks: a publisher who makes two entries collide only hides their own change.
func checksum(e *index.Entry) int64 {
	h := fnv.New64a()
	var n [8]byte
	text := func(s string) {
		binary.LittleEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	number := func(v int64) {
		binary.LittleEndian.PutUint64(n[:], uint64(v))
		h.Write(n[:])
	}
	text(e.Name)
	text(e.Link)
	text(e.About)
	if e.Sealed {
		number(1)
	}
	number(e.Bytes)
	number(e.Time.Unix())
	number(int64(len(e.Tags)))
	for _, t := range e.Tags {
		text(t)
	}
	for _, f := range e.Files {
		text(f.Path)
		number(f.Size)
	}
	return int64(h.Sum64())
}
