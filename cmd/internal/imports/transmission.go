package imports

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/bencode"
)

// blockSize is what a bit in the progress of Transmission stands for.
const blockSize = 16 << 10

// Transmission lists the transfers of Transmission 2.20 to 4.x, whose configuration
// folder is dir, or is in it:
//
//	dir/torrents/STEM.torrent     STEM is the ID, or NAME.ID with 16 digits
//	dir/torrents/ID.magnet        only a link so far
//	dir/resume/STEM.resume        libtransmission/resume.cc
func Transmission(dir string) ([]Transfer, error) {
	for _, sub := range []string{"", "info", "transmission-daemon", "transmission"} {
		at := filepath.Join(dir, sub)
		entries, err := os.ReadDir(filepath.Join(at, "torrents"))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, share.Errorf(share.Disk, "reading the state of Transmission: %w", err)
		}
		var all []Transfer
		for _, e := range entries {
			if t, ok := transmissionOne(at, e.Name()); ok {
				all = append(all, t)
			}
		}
		return byName(all), nil
	}
	return nil, share.Errorf(share.Disk, "%s is not the configuration folder of Transmission: it has no folder torrents (usual places are ~/.config/transmission, ~/.config/transmission-daemon and /var/lib/transmission-daemon/info)", dir)
}

// transmissionOne reads the transfer of one file in the folder torrents.
func transmissionOne(at, file string) (Transfer, bool) {
	ext := filepath.Ext(file)
	stem := strings.TrimSuffix(file, ext)
	switch ext {
	case ".magnet":
		return bare(stem), true
	case ".torrent":
	default:
		return Transfer{}, false
	}
	load := torrentAt(filepath.Join(at, "torrents", file))
	r, err := transmissionRecord(at, stem, load)
	if err == nil {
		return r.transfer(stem, load, func(name string) string { return name }), true
	}
	t := (&record{}).transfer(stem, load, nil)
	if t.Err == nil {
		t.Skip, t.Err = "", err // not partial, but unknown
	}
	return t, true
}

// transmissionRecord reads the resume data of a transfer. An upgrade renames the files,
// but maybe not both of them yet.
func transmissionRecord(at, stem string, load func() ([]byte, error)) (*record, error) {
	stems := []string{stem}
	if tor, err := (&record{}).torrentOf(load)(); err == nil {
		id := tor.Info.ID.String()
		stems = append(stems, id, tor.Info.Name+"."+id[:16])
	}
	for _, s := range stems {
		b, err := readFile(filepath.Join(at, "resume", s+".resume"), maxResume)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return readTransmission(b)
	}
	return nil, share.Errorf(share.Failed, "its resume data is missing, so where its files are is not known")
}

// readTransmission reads a file of the folder resume.
func readTransmission(b []byte) (*record, error) {
	rec := &record{unit: blockSize}
	r := bencode.NewReader(b, maxDepth)
	ratio, own := 0.0, false
	ratios := fields{r: &r, key: kebab,
		bytes: map[string]func([]byte){"ratio-limit": func(b []byte) { ratio, _ = strconv.ParseFloat(string(b), 64) }},
		ints:  map[string]func(int64){"ratio-mode": func(n int64) { own = n == 1 }}, // 0 is the session's, 2 none
	}
	progress := fields{r: &r, bytes: map[string]func([]byte){
		"blocks": func(b []byte) { rec.have = bitmap{all: string(b) == "all", bits: b} },
	}}
	err := whole(&r, fields{
		r:     &r,
		bytes: map[string]func([]byte){"destination": func(b []byte) { rec.base = string(b) }},
		key:   kebab,
		ints: map[string]func(int64){
			"paused":     func(n int64) { rec.paused = n != 0 },
			"added-date": func(n int64) { rec.added = n },
			"downloaded": func(n int64) { rec.before.Downloaded = n },
			"uploaded":   func(n int64) { rec.before.Uploaded = n },
		},
		lists: map[string]func() error{"files": func() (err error) {
			rec.names, err = readStrings(&r)
			return err
		}},
		dicts: map[string]func() error{
			"progress":         progress.read,
			"speed-limit-down": rec.down.reader(&r),
			"speed-limit-up":   rec.up.reader(&r),
			"ratio-limit":      ratios.read,
		},
	}.read())
	if err != nil {
		return nil, err
	}
	if own {
		rec.ratio = ratio
	}
	if string(rec.have.bits) == "none" {
		rec.have.bits = nil
	}
	return rec, nil
}

// reader reads a limit as Transmission keeps it.
func (l *rate) reader(r *bencode.Reader) func() error {
	return fields{r: r, key: kebab, ints: map[string]func(int64){
		"use-speed-limit": func(n int64) { l.on = n != 0 },
		"speed-Bps":       func(n int64) { l.of = n },
	}}.read
}

// kebab is how releases before 4.1 write a key; later ones write some with underscores.
func kebab(key string) string { return strings.ReplaceAll(key, "_", "-") }
