package imports

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/bencode"
)

// QBittorrent lists the transfers of qBittorrent 4.2 to 5.x, whose profile, data folder or
// BT_backup is dir:
//
//	dir/ID.torrent            without trackers
//	dir/ID.fastresume         libtorrent's resume data, and keys that begin with qBt-
//	dir/../torrents.db        instead of both, if it is set so (SQLite)
func QBittorrent(dir string) ([]Transfer, error) {
	var all []Transfer
	seen := map[string]bool{} // by the ID that qBittorrent gives a transfer
	found := false
	take := func(id string, t Transfer) {
		if id = strings.ToLower(id); !seen[id] {
			seen[id] = true
			all = append(all, t)
		}
	}
	for _, sub := range []string{"", "data", "qBittorrent/data", "qBittorrent"} {
		at := filepath.Join(dir, filepath.FromSlash(sub))
		switch here, err := readDatabase(filepath.Join(at, "torrents.db"), take); {
		case err != nil:
			return nil, err
		case here:
			found = true
		}
		for _, at := range []string{at, filepath.Join(at, "BT_backup")} {
			here, err := readBackup(at, filepath.Base(at) == "BT_backup", take)
			if err != nil {
				return nil, err
			}
			found = found || here
		}
		if found {
			return byName(all), nil
		}
	}
	return nil, share.Errorf(share.Disk, "%s is not the folder of qBittorrent's data: it has no BT_backup and no torrents.db (usual places are ~/.local/share/qBittorrent and the folder of --profile)", dir)
}

// readBackup gives the transfers in a folder of .fastresume files. One that is called
// BT_backup need not have any.
func readBackup(at string, named bool, take func(id string, t Transfer)) (here bool, err error) {
	entries, err := os.ReadDir(at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, share.Errorf(share.Disk, "reading the state of qBittorrent: %w", err)
	}
	for _, e := range entries {
		stem, ok := strings.CutSuffix(e.Name(), ".fastresume")
		if !ok {
			continue
		}
		named = true
		b, err := readFile(filepath.Join(at, e.Name()), maxResume)
		var rec *record
		if err == nil {
			rec, err = readFastresume(b)
		}
		if err != nil {
			take(stem, Transfer{Name: stem, Err: err})
			continue
		}
		load := torrentAt(filepath.Join(at, stem+".torrent"))
		if _, err := load(); errors.Is(err, fs.ErrNotExist) {
			take(stem, bare(stem))
			continue
		}
		take(stem, rec.transfer(stem, load, libtorrentName))
	}
	return named, nil
}

// readFastresume reads resume data as libtorrent and qBittorrent write it.
func readFastresume(b []byte) (*record, error) {
	rec := &record{trackers: [][]string{}}
	r := bencode.NewReader(b, maxDepth)
	paused, managed := false, false
	err := whole(&r, fields{
		r: &r,
		bytes: map[string]func([]byte){
			"save_path": func(b []byte) { rec.base = string(b) },
			"pieces":    func(b []byte) { rec.have.bits = packed(b) },
		},
		ints: map[string]func(int64){
			"paused":              func(n int64) { paused = n != 0 },
			"auto_managed":        func(n int64) { managed = n != 0 },
			"added_time":          func(n int64) { rec.added = n },
			"total_downloaded":    func(n int64) { rec.before.Downloaded = n },
			"total_uploaded":      func(n int64) { rec.before.Uploaded = n },
			"download_rate_limit": func(n int64) { rec.down = rate{n > 0, n} },
			"upload_rate_limit":   func(n int64) { rec.up = rate{n > 0, n} },
			"qBt-ratioLimit":      func(n int64) { rec.ratio = thousandths(n) },
		},
		lists: map[string]func() error{
			"mapped_files": func() (err error) {
				rec.names, err = readStrings(&r)
				return err
			},
			"trackers": func() error {
				return r.List(func() error {
					if r.Kind() != bencode.List {
						return r.Skip()
					}
					tier, err := readStrings(&r)
					rec.trackers = append(rec.trackers, tier)
					return err
				})
			},
		},
	}.read())
	if err != nil {
		return nil, err
	}
	rec.paused = paused && !managed
	return rec, nil
}

// thousandths is a ratio as qBittorrent keeps it. Those below 0 stand for the setting of
// the client, and for none.
func thousandths(n int64) float64 { return float64(n) / 1000 }

// packed makes a bit of each byte, whose lowest bit says whether a piece is there.
func packed(pieces []byte) []byte {
	bits := make([]byte, (len(pieces)+7)/8)
	for i, p := range pieces {
		if p&1 != 0 {
			bits[i/8] |= 0x80 >> (i % 8)
		}
	}
	return bits
}

// libtorrentName is the name on disk that libtorrent makes of one in a torrent: without
// slashes and characters that change the direction of text.
func libtorrentName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '/', r == '\\', r >= 0x202a && r <= 0x202e, r == 0x200e, r == 0x200f:
			return -1
		case r < ' ':
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
}
