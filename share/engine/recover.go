package engine

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// Hint is the location of content according to a damaged database. Nothing else in
// such a row is used.
type Hint struct {
	Path  string // the content itself
	Fetch bool   // it was fetched there
}

// Recovered is the result of Recover for one transfer.
type Recovered struct {
	ID   share.ID
	Name string
	Path string // of the content; empty if it was not found
	// Own says that the transfer is a share: all files count as the user's own.
	Own bool
	// Noted says that the settings were restored from the transfer's note. Otherwise
	// the transfer was made from its .torrent file and the files on disk.
	Noted bool
	// Err says why the transfer was not recovered.
	Err error
}

// Hints reads the locations of content from a damaged database, as far as possible.
func Hints(ctx context.Context, db *sql.DB) map[share.ID]Hint {
	hints := map[share.ID]Hint{}
	q, err := db.QueryContext(ctx, `SELECT id, kind, name, path, options FROM engine_transfers`)
	if err != nil {
		return hints
	}
	defer q.Close()
	for q.Next() {
		var id, opts []byte
		var k kind
		var name, path string
		if q.Scan(&id, &k, &name, &path, &opts) != nil || len(id) != len(share.ID{}) || !filepath.IsAbs(path) {
			continue
		}
		h := Hint{Path: path, Fetch: k == kindFetch}
		if h.Fetch {
			var o options
			if json.Unmarshal(opts, &o) != nil || o.Root == "" {
				o.Root = name
			}
			if !filepath.IsLocal(o.Root) {
				continue
			}
			h.Path = filepath.Join(path, o.Root)
		}
		hints[share.ID(id)] = h
	}
	return hints // also those read before an error
}

// Recover fills the tables of a new database from the folder of a lost one, see
// Config.Dir. A transfer with a note gets its settings back. One without a note becomes a
// share, if its files are where a hint says or in one of folders; they count as the
// user's own. All data is hashed before it is trusted. Transfers that are already in the
// tables stay as they are.
func Recover(ctx context.Context, db *sql.DB, dir string, hints map[share.ID]Hint, folders []string, now time.Time) ([]Recovered, error) {
	if err := migrate(ctx, db); err != nil {
		return nil, fmt.Errorf("making the table of transfers: %w", err)
	}
	there, err := loadRows(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("loading the transfers: %w", err)
	}
	have := map[share.ID]bool{}
	for _, r := range there {
		have[r.id] = true
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, share.Errorf(share.Disk, "reading the folder of torrents: %w", err)
	}
	var all []Recovered
	seen := map[share.ID]bool{}
	for _, e := range entries {
		stem, ext, _ := strings.Cut(e.Name(), ".")
		id, err := share.ParseID(stem)
		if err != nil || "."+ext != noteSuffix && ext != "torrent" || seen[id] || have[id] {
			continue
		}
		seen[id] = true
		r, rec, what := recoverOne(dir, id, hints[id], folders, now)
		if what.Err == nil {
			if err := insert(ctx, db, r, rec); err != nil {
				return all, fmt.Errorf("recovering %s: %w", id.Short(), err)
			}
		}
		all = append(all, what)
	}
	slices.SortFunc(all, func(a, b Recovered) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// errKeyLost is the error for a sealed share: its key is nowhere but in the database.
var errKeyLost = share.Errorf(share.Failed, "the key of this sealed share was in the lost database: share it again, or get it again with its link; files that are there are used")

// recoverOne makes the row of one transfer from what there is of it.
func recoverOne(dir string, id share.ID, hint Hint, folders []string, now time.Time) (*row, *storage.Record, Recovered) {
	what := Recovered{ID: id, Name: id.Short()}
	tor, torErr := torrents(dir).read(id)
	if torErr == nil {
		what.Name = tor.Info.Name
	}
	text, err := os.ReadFile(filepath.Join(dir, id.String()+noteSuffix))
	if err == nil {
		var n *note
		if n, err = decodeNote(text); err == nil && n.ID != id {
			err = fmt.Errorf("it belongs to %s", n.ID.Short())
		}
		if err == nil && n.Options.Sealed {
			what.Name, what.Noted, what.Err = n.Name, true, errKeyLost
			return nil, nil, what
		}
		if err == nil {
			r, rec := n.recovered(tor)
			what.Noted, what.Own, what.Name = true, r.kind != kindFetch, r.name
			what.Path = (&transfer{row: *r}).shownPath()
			return r, rec, what
		}
	}
	switch {
	case errors.Is(err, errLaterNote):
		what.Err = share.Errorf(share.Disk, "%s: %w", id.String()+noteSuffix, err)
		return nil, nil, what
	case torErr != nil:
		what.Err = torErr
		return nil, nil, what
	case tor.Info.Sealed != nil:
		what.Err = errKeyLost
		return nil, nil, what
	}
	r := &row{
		id: id, kind: kindOwn, name: tor.Info.Name, added: now, completed: now, size: tor.Info.Size(), total: tor.Info.Size(), files: countFiles(tor.Info),
		options: options{Verify: true},
	}
	places := make([]string, 0, len(folders)+1)
	if hint.Path != "" {
		places = append(places, hint.Path)
	}
	for _, f := range folders {
		places = append(places, filepath.Join(f, tor.Info.Name))
	}
	for _, p := range places {
		if contains(p, tor) {
			r.path, what.Path, what.Own = p, p, true
			return r, nil, what
		}
	}
	what.Err = share.Errorf(share.Disk, "the location of its files is not known")
	if hint.Path != "" {
		what.Err = share.Errorf(share.Disk, "some or all of its files are missing at %s", hint.Path)
	}
	return nil, nil, what
}

// recovered returns what goes into the database for a note. tor is nil when the .torrent
// file is gone or damaged.
func (n *note) recovered(tor *metainfo.Torrent) (*row, *storage.Record) {
	r := n.row()
	if tor == nil || r.kind == kindUnhashed {
		// A share is hashed again; a fetch asks peers for the info dictionary again.
		if r.files = 0; r.own() {
			r.kind = kindUnhashed
		}
		return &r, nil
	}
	r.options.Verify = r.files > 0
	rec := storage.Record{ID: n.ID, Layout: n.Layout, Progress: n.Owners}
	if short, err := storage.Forget(rec, tor.Info); err == nil {
		return &r, &short
	}
	return &r, nil // all files that are there count as the user's own
}

func (r *row) own() bool { return r.kind != kindFetch }

// contains tells whether the files of a torrent are at path: all of them have the right
// size, and the first and last piece the right hash. The rest is hashed before it counts.
func contains(path string, tor *metainfo.Torrent) bool {
	info := tor.Info
	name := func(f *metainfo.File) string {
		if !info.Multi {
			return path
		}
		return filepath.Join(append([]string{path}, f.Path...)...)
	}
	for i := range info.Files {
		f := &info.Files[i]
		if f.Pad || f.Symlink {
			continue
		}
		if fi, err := os.Lstat(name(f)); err != nil || !fi.Mode().IsRegular() || fi.Size() != f.Length {
			return false
		}
	}
	return info.NumPieces > 0 && pieceFits(tor, 0, name) && pieceFits(tor, info.NumPieces-1, name)
}

// pieceFits hashes one piece. All files have the right size.
func pieceFits(tor *metainfo.Torrent, piece int, name func(*metainfo.File) string) bool {
	info := tor.Info
	from := int64(piece) * info.PieceLength
	to := from + info.PieceSize(piece)
	sum := info.NewSum(piece, tor.Layers)
	for i := range info.Files {
		f := &info.Files[i]
		start, end := max(from, f.Offset), min(to, f.Offset+f.Length)
		if start >= end {
			continue
		}
		if f.Pad {
			if _, err := io.CopyN(sum, zeros{}, end-start); err != nil {
				return false
			}
			continue
		}
		if err := hashRange(sum, name(f), start-f.Offset, end-start); err != nil {
			return false
		}
	}
	return sum.Verdict() == metainfo.Right
}

func hashRange(w io.Writer, name string, from, n int64) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, io.NewSectionReader(f, from, n))
	return err
}

// insert adds a transfer to the database, whole or not at all.
func insert(ctx context.Context, db *sql.DB, r *row, rec *storage.Record) error {
	opts, err := json.Marshal(r.options)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := insertRow(ctx, tx, r, opts); err != nil {
		return err
	}
	if rec != nil {
		if err := insertRecord(ctx, tx, rec); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// zeros reads zeros without end, as in padding files.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
