package imports

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// readDatabase gives the transfers in a database of qBittorrent. It is read as a file that
// nobody changes: SQLite then makes no other beside it.
func readDatabase(name string, take func(id string, t Transfer)) (here bool, err error) {
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if fi, err := os.Stat(name + "-wal"); err == nil && fi.Size() > 0 {
		return false, share.Errorf(share.Failed, "%s is in use, or was not closed: quit qBittorrent; if it crashed, start it and quit it once", name)
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return false, share.Errorf(share.Disk, "finding the current folder: %w", err)
	}
	at := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: "mode=ro&immutable=1"}
	db, err := sql.Open("sqlite", at.String())
	if err == nil {
		defer db.Close()
		err = readRows(db, take)
	}
	if err != nil {
		return false, share.Errorf(share.Disk, "reading %s: %w", name, err)
	}
	return true, nil
}

func readRows(db *sql.DB, take func(id string, t Transfer)) error {
	ratio := "-1"
	var has bool
	if err := db.QueryRow(`SELECT count(*) FROM pragma_table_info('torrents') WHERE name = 'ratio_limit'`).Scan(&has); err != nil {
		return err
	}
	if has {
		ratio = "CAST(ratio_limit AS INTEGER)"
	}
	rows, err := db.Query(fmt.Sprintf(`SELECT CAST(torrent_id AS TEXT), stopped, coalesce(%s, -1),
		CASE WHEN length(libtorrent_resume_data) <= %d THEN libtorrent_resume_data END,
		CASE WHEN length(metadata) <= %d THEN metadata END, metadata IS NULL OR length(metadata) = 0
		FROM torrents`, ratio, maxResume, metainfo.MaxTorrent))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var stopped, without bool
		var ratio int64
		var resume, torrent []byte
		if err := rows.Scan(&id, &stopped, &ratio, &resume, &torrent, &without); err != nil {
			return err
		}
		rec, err := readFastresume(resume)
		switch {
		case without:
			take(id, bare(id))
		case err != nil:
			take(id, Transfer{Name: id, Err: err})
		default:
			rec.paused, rec.ratio = stopped, thousandths(ratio)
			take(id, rec.transfer(id, func() ([]byte, error) { return torrent, nil }, libtorrentName))
		}
	}
	return rows.Err()
}
