package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// note is a copy of a transfer's row, kept beside the .torrent file as ID.note for when
// the database is lost, see Recover. The file has two lines: JSON, and "sha256 " with the
// sum of the first line in hex. It is written a moment after the database, so it may be
// older than that, and is never newer.
type note struct {
	Version    int      `json:"shoal"` // noteVersion
	ID         share.ID `json:"id"`
	Kind       kind     `json:"kind"`
	Name       string   `json:"name"`
	Path       string   `json:"path"`
	Added      int64    `json:"added"`
	Completed  int64    `json:"completed,omitempty"`
	Size       int64    `json:"size"`
	Total      int64    `json:"total"`
	Files      int      `json:"files"`
	Options    options  `json:"options"`
	Downloaded int64    `json:"downloaded,omitempty"` // these two alone are not worth writing it again
	Uploaded   int64    `json:"uploaded,omitempty"`
	Layout     []byte   `json:"layout,omitempty"` // see storage.Record
	Owners     []byte   `json:"owners,omitempty"`
}

const (
	noteVersion = 1
	noteSuffix  = ".note"
)

// errLaterNote is wrapped by the error for a note that a later version wrote.
var errLaterNote = errors.New("it was written by a later version of shoal")

// noteOf is a note without what the storage knows.
func noteOf(r *row) *note {
	n := &note{
		Version: noteVersion, ID: r.id, Kind: r.kind, Name: r.name, Path: r.path, Added: toNano(r.added), Completed: toNano(r.completed),
		Size: r.size, Total: r.total, Files: r.files, Options: r.options, Downloaded: r.downloaded, Uploaded: r.uploaded,
	}
	// These change with the data.
	n.Options.Durable, n.Options.Verify = 0, false
	return n
}

func (n *note) row() row {
	return row{
		id: n.ID, kind: n.Kind, name: n.Name, path: n.Path, added: fromNano(n.Added), completed: fromNano(n.Completed),
		size: n.Size, total: n.Total, files: n.Files, options: n.Options, downloaded: n.Downloaded, uploaded: n.Uploaded,
	}
}

// print is a fingerprint of n; a note is written again when it is different.
func (n *note) print() [32]byte {
	m := *n
	m.Downloaded, m.Uploaded = 0, 0
	b, err := json.Marshal(&m)
	if err != nil {
		return [32]byte{}
	}
	return sha256.Sum256(b)
}

func (n *note) encode() ([]byte, error) {
	b, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(b, "\nsha256 %x\n", sha256.Sum256(b)), nil
}

// decodeNote reads a note, all of it or none.
func decodeNote(b []byte) (*note, error) {
	first, rest, ok := bytes.Cut(b, []byte("\n"))
	if !ok || string(rest) != fmt.Sprintf("sha256 %x\n", sha256.Sum256(first)) {
		return nil, errors.New("it is damaged")
	}
	var v struct {
		Version int `json:"shoal"`
	}
	if err := json.Unmarshal(first, &v); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if v.Version > noteVersion {
		return nil, errLaterNote
	}
	n := &note{}
	if err := json.Unmarshal(first, n); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if n.Kind < kindUnhashed || n.Kind > kindEnded || !filepath.IsAbs(n.Path) {
		return nil, errors.New("its kind or path is not valid")
	}
	return n, nil
}

// notebook keeps notes in step with the database. A nil one does nothing.
type notebook struct {
	dir  string
	db   *sql.DB
	log  *slog.Logger
	wake chan struct{}

	writing sync.Mutex // held while files are changed; before mu

	mu      sync.Mutex
	pending map[share.ID]*changes
	rows    map[share.ID][32]byte // fingerprints of rows, as last saved
	owners  map[share.ID][32]byte // the same of storage.Record.Owners
}

// changes are what a note does not have yet. Nil is unchanged.
type changes struct{ layout, owners []byte }

func newNotebook(dir string, db *sql.DB, log *slog.Logger) *notebook {
	return &notebook{
		dir: dir, db: db, log: log, wake: make(chan struct{}, 1), pending: make(map[share.ID]*changes),
		rows: make(map[share.ID][32]byte), owners: make(map[share.ID][32]byte),
	}
}

func (b *notebook) path(id share.ID) string { return filepath.Join(b.dir, id.String()+noteSuffix) }

// change makes the note of id pending. mu is held.
func (b *notebook) change(id share.ID) *changes {
	c := b.pending[id]
	if c == nil {
		c = &changes{}
		b.pending[id] = c
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return c
}

// saved is called when a row is in the database.
func (b *notebook) saved(r *row) {
	if b == nil {
		return
	}
	print := noteOf(r).print()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rows[r.id] != print {
		b.rows[r.id] = print
		b.change(r.id)
	}
}

// recorded is called when a record of the storage is in the database.
func (b *notebook) recorded(r storage.Record) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	print := sha256.Sum256(r.Owners)
	if r.Layout == nil && (r.Owners == nil || b.owners[r.ID] == print) {
		return
	}
	c := b.change(r.ID)
	if r.Layout != nil {
		c.layout = r.Layout
	}
	if r.Owners != nil {
		c.owners = r.Owners
		b.owners[r.ID] = print
	}
}

// remove deletes a note. That has to happen before the row is deleted, so that a removed
// transfer is never recovered.
func (b *notebook) remove(id share.ID) error {
	if b == nil {
		return nil
	}
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	delete(b.pending, id)
	delete(b.rows, id)
	delete(b.owners, id)
	b.mu.Unlock()
	if err := os.Remove(b.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// noteAgain is when notes are tried again that could not be written.
const noteAgain = 30 * time.Second

// run writes notes until ctx ends. rows are the transfers of the last run; those without
// a note get one.
func (b *notebook) run(ctx context.Context, rows []row) {
	names, err := os.ReadDir(b.dir)
	if err != nil {
		b.log.Warn("listing the notes of transfers", "error", err)
	}
	have := make(map[string]bool, len(names))
	for _, e := range names {
		have[e.Name()] = true
	}
	b.mu.Lock()
	for i := range rows {
		if id := rows[i].id; !have[id.String()+noteSuffix] {
			b.change(id)
		}
	}
	b.mu.Unlock()
	for {
		var again <-chan time.Time
		if !b.write(ctx) {
			again = time.After(noteAgain)
		}
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
		case <-again:
		}
	}
}

// write writes what is pending, and tells whether all of it is on disk.
func (b *notebook) write(ctx context.Context) bool {
	b.mu.Lock()
	var ids []share.ID
	for id := range b.pending {
		ids = append(ids, id)
	}
	b.mu.Unlock()
	failures := 0
	for _, id := range ids {
		if ctx.Err() != nil {
			return false
		}
		if err := b.writeOne(ctx, id); err != nil && ctx.Err() == nil {
			if failures++; failures == 1 {
				b.log.Warn("a note of a transfer was not written; it is tried again", "id", id.Short(), "error", err)
			}
		}
	}
	if len(ids) > 0 {
		if err := syncFolder(b.dir); err != nil {
			b.log.Warn("the notes of transfers may not survive a power cut", "error", err)
		}
	}
	return failures == 0
}

func (b *notebook) writeOne(ctx context.Context, id share.ID) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	c := b.pending[id]
	delete(b.pending, id)
	b.mu.Unlock()
	if c == nil { // removed
		return nil
	}
	err := b.put(ctx, id, c)
	if err != nil {
		b.mu.Lock()
		if newer := b.pending[id]; newer == nil {
			b.pending[id] = c
		} else {
			if newer.layout == nil {
				newer.layout = c.layout
			}
			if newer.owners == nil {
				newer.owners = c.owners
			}
		}
		b.mu.Unlock()
	}
	return err
}

// put writes the note of id from its row.
func (b *notebook) put(ctx context.Context, id share.ID, c *changes) error {
	rows, err := queryRows(ctx, b.db, `WHERE id = ?`, id[:])
	if err != nil {
		return err
	}
	if len(rows) == 0 { // saved is called when there is one
		return nil
	}
	n := noteOf(&rows[0])
	n.Layout, n.Owners = c.layout, c.owners
	var old *note
	if text, err := os.ReadFile(b.path(id)); err == nil {
		old, err = decodeNote(text)
		if errors.Is(err, errLaterNote) {
			return nil // it is left as it is
		}
	}
	if old != nil {
		if n.Layout == nil {
			n.Layout = old.Layout
		}
		if n.Owners == nil {
			n.Owners = old.Owners
		}
	}
	if (n.Layout == nil || n.Owners == nil) && n.Kind != kindUnhashed {
		if err := b.askLedger(ctx, n); err != nil {
			return err
		}
	}
	if old != nil && old.print() == n.print() {
		return nil
	}
	text, err := n.encode()
	if err != nil {
		return err
	}
	return writeWhole(b.path(id), text)
}

// askLedger fills in what the storage recorded before there was a note.
func (b *notebook) askLedger(ctx context.Context, n *note) error {
	rec, err := (&ledger{db: b.db}).Load(ctx, n.ID)
	if err != nil || rec == nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(b.dir, n.ID.String()+".torrent"))
	if err != nil {
		return nil // without it a layout is of no use
	}
	tor, err := metainfo.Parse(text)
	if err != nil {
		return nil
	}
	if short, err := storage.Forget(*rec, tor.Info); err == nil {
		n.Layout, n.Owners = short.Layout, short.Owners
	}
	return nil
}
