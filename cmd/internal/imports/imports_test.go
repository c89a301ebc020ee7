package imports

import (
	"bytes"
	"database/sql"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/bencode"
	"github.com/shoalnet/shoal/share/metainfo"
)

type (
	dict map[string]any
	list []any
)

// enc bencodes what resume data is made of.
func enc(v any) []byte {
	switch v := v.(type) {
	case int:
		return bencode.AppendInt(nil, int64(v))
	case string:
		return bencode.AppendString(nil, v)
	case list:
		b := []byte{'l'}
		for _, e := range v {
			b = append(b, enc(e)...)
		}
		return append(b, 'e')
	case dict:
		b := []byte{'d'}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			b = append(bencode.AppendString(b, k), enc(v[k])...)
		}
		return append(b, 'e')
	}
	panic(fmt.Sprintf("%T", v))
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// content is a folder of downloads with a torrent of each thing in it.
type content struct {
	dir                    string
	folder, single, hybrid *metainfo.Made
}

func newContent(t testing.TB) content {
	c := content{dir: t.TempDir()}
	for name, n := range map[string]int{"holiday/a b.txt": 40_000, "holiday/sub/ü.txt": 30_000, "holiday/empty": 0, "single.bin": 100_000, "both/x": 50_000, "both/y": 20_000} {
		write(t, filepath.Join(c.dir, name), bytes.Repeat([]byte(name), n)[:n])
	}
	make := func(name string, o metainfo.MakeOptions) *metainfo.Made {
		o.Name, o.PieceLength = name, 16<<10
		made, err := metainfo.Make(t.Context(), filepath.Join(c.dir, name), o)
		if err != nil {
			t.Fatal(err)
		}
		made.Trackers = [][]string{{"http://of.torrent/announce"}}
		return made
	}
	c.folder, c.single, c.hybrid = make("holiday", metainfo.MakeOptions{}), make("single.bin", metainfo.MakeOptions{Private: true}), make("both", metainfo.MakeOptions{Hybrid: true})
	return c
}

// file is the number of a file of a torrent.
func file(t testing.TB, m *metainfo.Made, path string) int {
	t.Helper()
	i := slices.IndexFunc(m.Info.Files, func(f metainfo.File) bool { return strings.Join(f.Path, "/") == path })
	if i < 0 {
		t.Fatalf("no %s", path)
	}
	return i
}

// named are n names, of which one is given.
func named(n, i int, name string) list {
	all := make(list, n)
	for k := range all {
		all[k] = ""
	}
	all[i] = name
	return all
}

func find1(t testing.TB, all []Transfer, name string) Transfer {
	t.Helper()
	i := slices.IndexFunc(all, func(t Transfer) bool { return t.Name == name })
	if i < 0 {
		t.Fatalf("no %s in %+v", name, all)
	}
	return all[i]
}

// listing is what there is below dir, with times and sizes.
func listing(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	if err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil {
			fi, _ := d.Info()
			fmt.Fprintln(&b, p, fi.Mode(), fi.Size(), fi.ModTime())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTransmission(t *testing.T) {
	c := newContent(t)
	link := filepath.Join(t.TempDir(), "downloads")
	if err := os.Symlink(c.dir, link); err != nil {
		t.Fatal(err)
	}
	complete := dict{"blocks": "all", "have": "all", "time-checked": list{1, list{1, 2}}}
	folder := c.folder.Info.ID.String()
	for _, x := range []struct {
		what    string
		torrent string // below the folder; empty is a usual one
		resume  string
		data    dict
		want    Transfer
		says    string // in Err
	}{
		{"complete", "", "", dict{"destination": c.dir, "paused": 0, "progress": complete},
			Transfer{Path: c.dir + "/holiday"}, ""},
		{"paused, with names of 2.x", "holiday." + folder[:16], "holiday." + folder[:16], dict{"destination": c.dir, "paused": 1, "progress": complete},
			Transfer{Path: c.dir + "/holiday", Paused: true}, ""},
		{"upgraded, but for one file", "holiday." + folder[:16], folder, dict{"destination": c.dir, "progress": complete},
			Transfer{Path: c.dir + "/holiday"}, ""},
		{"in a folder behind a link", "", "", dict{"destination": link, "progress": complete},
			Transfer{Path: link + "/holiday"}, ""},
		{"a file renamed", "", "", dict{"destination": c.dir, "progress": complete, "files": named(3, file(t, c.folder, "a b.txt"), "holiday/sub/ü.txt")},
			Transfer{Path: c.dir + "/holiday", Places: map[int]string{file(t, c.folder, "a b.txt"): "sub/ü.txt"}}, "30000 bytes"},
		{"all bits", "", "", dict{"destination": c.dir, "progress": dict{"blocks": "\xff"}},
			Transfer{Path: c.dir + "/holiday"}, ""},
		{"some bits", "", "", dict{"destination": c.dir, "progress": dict{"blocks": "\xe8"}},
			Transfer{Skip: "partial: 80 % complete"}, ""},
		{"nothing", "", "", dict{"destination": c.dir, "progress": dict{"blocks": "none"}},
			Transfer{Skip: "partial: 0 % complete"}, ""},
		{"no progress", "", "", dict{"destination": c.dir}, Transfer{Skip: "partial: 0 % complete"}, ""},
		{"moved away", "", "", dict{"destination": "/nowhere", "progress": complete}, Transfer{}, "/nowhere/holiday/a b.txt is missing"},
		{"no destination", "", "", dict{"progress": complete}, Transfer{}, "not an absolute path"},
		{"no resume data", "", "another", dict{}, Transfer{}, "resume data is missing"},
	} {
		t.Run(x.what, func(t *testing.T) {
			dir := t.TempDir()
			stem := func(s string) string {
				if s == "" {
					return folder
				}
				return s
			}
			write(t, filepath.Join(dir, "torrents", stem(x.torrent)+".torrent"), c.folder.Encode())
			write(t, filepath.Join(dir, "resume", stem(x.resume)+".resume"), enc(x.data))
			before := listing(t, dir)
			all, err := Transmission(dir)
			if err != nil || len(all) != 1 {
				t.Fatalf("%+v, %v", all, err)
			}
			got := all[0]
			if got.Name != "holiday" || got.Size != 70_000 || got.Files != 3 || got.IDs[0] != c.folder.Info.ID {
				t.Errorf("%+v", got)
			}
			if x.says != "" && (got.Err == nil || !strings.Contains(got.Err.Error(), x.says)) || x.says == "" && got.Err != nil {
				t.Errorf("the error is %v", got.Err)
			}
			if got.Err == nil && (got.Path != x.want.Path || got.Paused != x.want.Paused || got.Skip != x.want.Skip || len(got.Places) != len(x.want.Places)) {
				t.Errorf("got %+v, want %+v", got, x.want)
			}
			if after := listing(t, dir); after != before {
				t.Errorf("from\n%sto\n%s", before, after)
			}
		})
	}
}

// What a transfer was limited to and what it did is taken over: by the keys of releases
// before 4.1 and of later ones, and only where it is the transfer's own.
func TestTransmissionPast(t *testing.T) {
	c := newContent(t)
	limit := func(on, bytes int) dict {
		return dict{"speed-Bps": bytes, "use-global-speed-limit": 1, "use-speed-limit": on}
	}
	ratio := func(mode int, of string) dict { return dict{"ratio-mode": mode, "ratio-limit": of} }
	past := share.Past{Added: time.Unix(1_700_000_000, 0), Downloaded: 70_001, Uploaded: 1 << 40}
	for _, x := range []struct {
		what string
		data dict
		want Transfer
	}{
		{"as 3.00 writes it", dict{"added-date": 1_700_000_000, "downloaded": 70_001, "uploaded": 1 << 40,
			"speed-limit-down": limit(1, 20_000), "speed-limit-up": limit(1, 10_000), "ratio-limit": ratio(1, "1.500000")},
			Transfer{Limits: share.Limits{Down: 20_000, Up: 10_000}, Ratio: 1.5, Before: past}},
		{"as 4.1 writes it", dict{"added_date": 1_700_000_000, "downloaded": 70_001, "uploaded": 1 << 40,
			"speed_limit_down": dict{"speed_Bps": 20_000, "use_speed_limit": 1},
			"speed_limit_up":   dict{"speed_Bps": 10_000, "use_speed_limit": 1},
			"ratio_limit":      dict{"ratio_limit": "1.500000", "ratio_mode": 1}},
			Transfer{Limits: share.Limits{Down: 20_000, Up: 10_000}, Ratio: 1.5, Before: past}},
		{"limits that are off", dict{"speed-limit-down": limit(0, 20_000), "speed-limit-up": limit(0, 10_000), "ratio-limit": ratio(0, "2.000000")}, Transfer{}},
		{"seeded whatever the ratio", dict{"ratio-limit": ratio(2, "2.000000")}, Transfer{}},
		{"nothing is to be uploaded", dict{"speed-limit-up": limit(1, 0)}, Transfer{Limits: share.Limits{Up: 1}}},
		{"nonsense", dict{"added-date": -1, "downloaded": -1, "uploaded": "many", "speed-limit-up": list{}, "ratio-limit": ratio(1, "nan")}, Transfer{}},
		{"more nonsense", dict{"added-date": math.MaxInt64, "speed-limit-up": limit(1, -5), "ratio-limit": ratio(1, "inf")}, Transfer{Limits: share.Limits{Up: 1}}},
	} {
		dir := t.TempDir()
		stem := c.folder.Info.ID.String()
		x.data["destination"], x.data["progress"] = c.dir, dict{"blocks": "all"}
		write(t, filepath.Join(dir, "torrents", stem+".torrent"), c.folder.Encode())
		write(t, filepath.Join(dir, "resume", stem+".resume"), enc(x.data))
		all, err := Transmission(dir)
		if err != nil || len(all) != 1 || all[0].Err != nil {
			t.Fatalf("%s: %+v, %v", x.what, all, err)
		}
		checkPast(t, x.what, all[0], x.want)
	}
}

// checkPast compares what became of a transfer, and its limits.
func checkPast(t *testing.T, what string, got, want Transfer) {
	t.Helper()
	if got.Limits != want.Limits || got.Ratio != want.Ratio || got.Before != want.Before {
		t.Errorf("%s: %+v %v %+v, not %+v %v %+v", what, got.Limits, got.Ratio, got.Before, want.Limits, want.Ratio, want.Before)
	}
}

func TestTransmissionFolder(t *testing.T) {
	c, dir := newContent(t), t.TempDir()
	if _, err := Transmission(dir); share.KindOf(err) != share.Disk {
		t.Errorf("no such folder: %v", err)
	}
	at := filepath.Join(dir, "info", "torrents")
	write(t, filepath.Join(at, "0123.magnet"), []byte("magnet:?xt=urn:btih:0123"))
	write(t, filepath.Join(at, "bad.torrent"), []byte("d"))
	write(t, filepath.Join(at, "notes.txt"), nil)
	write(t, filepath.Join(at, c.single.Info.ID.String()+".torrent"), c.single.Encode())
	write(t, filepath.Join(dir, "info", "resume", c.single.Info.ID.String()+".resume"),
		enc(dict{"destination": c.dir, "progress": dict{"blocks": "all"}, "files": list{"holiday"}}))
	all, err := Transmission(dir)
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	if m := find1(t, all, "0123"); !strings.Contains(m.Skip, "magnet") {
		t.Errorf("%+v", m)
	}
	if b := find1(t, all, "bad"); share.KindOf(b.Err) != share.Refused {
		t.Errorf("%+v", b)
	}
	if s := find1(t, all, "single.bin"); s.Err == nil || !strings.Contains(s.Err.Error(), "not a regular file") {
		t.Errorf("%+v", s)
	}
}

func fastresume(base string, pieces int, more dict) []byte {
	d := dict{"save_path": base, "pieces": strings.Repeat("\x01", pieces), "paused": 0, "auto_managed": 1,
		"trackers": list{list{"http://of.resume/announce", "nonsense"}, list{"udp://second.example:1"}}, "qBt-savePath": base}
	maps.Copy(d, more)
	return enc(d)
}

func TestQBittorrent(t *testing.T) {
	c := newContent(t)
	n := c.folder.Info.NumPieces
	away := filepath.Join(t.TempDir(), "away.txt")
	if err := os.Link(filepath.Join(c.dir, "holiday", "a b.txt"), away); err != nil {
		t.Fatal(err)
	}
	at := file(t, c.folder, "a b.txt")
	other := file(t, c.folder, "sub/ü.txt")
	flat := t.TempDir()
	if err := os.CopyFS(flat, os.DirFS(filepath.Join(c.dir, "holiday"))); err != nil {
		t.Fatal(err)
	}
	nosub := list{"", "", ""}
	for i, f := range c.folder.Info.Files {
		nosub[i] = strings.Join(f.Path, "/")
	}
	for _, x := range []struct {
		what string
		data []byte
		want Transfer
		says string
	}{
		{"complete", fastresume(c.dir, n, nil), Transfer{Path: c.dir + "/holiday"}, ""},
		{"stopped", fastresume(c.dir, n, dict{"paused": 1, "auto_managed": 0}), Transfer{Path: c.dir + "/holiday", Paused: true}, ""},
		{"queued", fastresume(c.dir, n, dict{"paused": 1}), Transfer{Path: c.dir + "/holiday"}, ""},
		{"without a folder of its own", fastresume(flat, n, dict{"mapped_files": nosub}), Transfer{Path: flat}, ""},
		{"a file elsewhere", fastresume(c.dir, n, dict{"mapped_files": named(3, at, away)}), Transfer{Path: commonOf(c.dir, away),
			Places: map[int]string{at: "", other: "", file(t, c.folder, "empty"): ""}}, ""},
		{"partial", fastresume(c.dir, n, dict{"pieces": "\x01" + strings.Repeat("\x00", n-1)}), Transfer{Skip: "partial: 20 % complete"}, ""},
		{"too few pieces", fastresume(c.dir, n-1, nil), Transfer{Skip: "partial: 80 % complete"}, ""},
		{"no pieces", fastresume(c.dir, 0, nil), Transfer{Skip: "partial: 0 % complete"}, ""},
		{"moved away", fastresume("/nowhere", n, nil), Transfer{}, "is missing"},
		{"in a relative folder", fastresume("downloads", n, nil), Transfer{}, "not an absolute path"},
		{"damaged", []byte("d9:save_path"), Transfer{}, "damaged"},
		{"more than one value", append(fastresume(c.dir, n, nil), "i1e"...), Transfer{}, "damaged"},
	} {
		t.Run(x.what, func(t *testing.T) {
			dir := t.TempDir()
			stem := filepath.Join(dir, "qBittorrent", "data", "BT_backup", c.folder.Info.ID.String())
			write(t, stem+".torrent", (&metainfo.Torrent{Info: c.folder.Info}).Encode())
			write(t, stem+".fastresume", x.data)
			for _, sub := range []string{"", "qBittorrent", "qBittorrent/data", "qBittorrent/data/BT_backup"} {
				all, err := QBittorrent(filepath.Join(dir, sub))
				if err != nil || len(all) != 1 {
					t.Fatalf("%s: %+v, %v", sub, all, err)
				}
				got := all[0]
				if x.says != "" && (got.Err == nil || !strings.Contains(got.Err.Error(), x.says)) || x.says == "" && got.Err != nil {
					t.Errorf("the error is %v", got.Err)
				}
				if got.Err == nil && (got.Path != x.want.Path || got.Paused != x.want.Paused || got.Skip != x.want.Skip || len(got.Places) != len(x.want.Places)) {
					t.Errorf("got %+v, want %+v", got, x.want)
				}
				for i, p := range got.Places {
					if fi, err := os.Stat(filepath.Join(got.Path, p)); err != nil || fi.Size() != c.folder.Info.Files[i].Length {
						t.Errorf("file %d is not at %s: %v", i, p, err)
					}
				}
			}
		})
	}
}

func TestQBittorrentPast(t *testing.T) {
	c := newContent(t)
	for _, x := range []struct {
		what string
		more dict
		want Transfer
	}{
		{"all of it", dict{"added_time": 1_700_000_000, "total_downloaded": 70_001, "total_uploaded": 1 << 40,
			"download_rate_limit": 20_000, "upload_rate_limit": 10_000, "qBt-ratioLimit": 1500},
			Transfer{Limits: share.Limits{Down: 20_000, Up: 10_000}, Ratio: 1.5,
				Before: share.Past{Added: time.Unix(1_700_000_000, 0), Downloaded: 70_001, Uploaded: 1 << 40}}},
		{"no limits", dict{"download_rate_limit": -1, "upload_rate_limit": 0, "qBt-ratioLimit": -1000}, Transfer{}},
		{"those of the client", dict{"qBt-ratioLimit": -2000}, Transfer{}},
		{"nonsense", dict{"added_time": -1, "total_downloaded": -1, "total_uploaded": "many", "qBt-ratioLimit": math.MaxInt64}, Transfer{}},
	} {
		dir := t.TempDir()
		stem := filepath.Join(dir, c.folder.Info.ID.String())
		write(t, stem+".torrent", c.folder.Encode())
		write(t, stem+".fastresume", fastresume(c.dir, c.folder.Info.NumPieces, x.more))
		all, err := QBittorrent(dir)
		if err != nil || len(all) != 1 || all[0].Err != nil {
			t.Fatalf("%s: %+v, %v", x.what, all, err)
		}
		checkPast(t, x.what, all[0], x.want)
	}
}

func commonOf(a, b string) string {
	for !holds(a, b) {
		a = filepath.Dir(a)
	}
	return a
}

// The trackers of qBittorrent are in the resume data alone, as are those of a torrent
// that has none any more.
func TestQBittorrentTrackers(t *testing.T) {
	c, dir := newContent(t), t.TempDir()
	stem := filepath.Join(dir, c.hybrid.Info.ID.String())
	write(t, stem+".torrent", c.hybrid.Encode())
	for want, more := range map[string]dict{
		"[[http://of.resume/announce] [udp://second.example:1]]": nil,
		"[]": {"trackers": list{}},
	} {
		write(t, stem+".fastresume", fastresume(c.dir, c.hybrid.Info.NumPieces, more))
		all, err := QBittorrent(dir)
		if err != nil || len(all) != 1 || all[0].Err != nil {
			t.Fatalf("%+v, %v", all, err)
		}
		b, err := all[0].Torrent()
		if err != nil {
			t.Fatal(err)
		}
		tor, err := metainfo.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(tor.Trackers); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if d := cmp.Diff(c.hybrid.Info.IDs(), tor.Info.IDs()); d != "" || !tor.Layers.Complete() {
			t.Error("the torrent is another: ", d)
		}
		if d := cmp.Diff(all[0].IDs, tor.Info.IDs()); d != "" {
			t.Error(d)
		}
	}
}

func TestQBittorrentDatabase(t *testing.T) {
	c, dir := newContent(t), t.TempDir()
	name := filepath.Join(dir, "a folder ?#%", "torrents.db")
	write(t, name, nil)
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(name))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range []string{
		`PRAGMA journal_mode = WAL`,
		"CREATE TABLE `torrents` (`id` INTEGER PRIMARY KEY, `torrent_id` BLOB NOT NULL UNIQUE, `queue_position` INTEGER NOT NULL DEFAULT -1, `name` TEXT," +
			"`stopped` INTEGER NOT NULL, `libtorrent_resume_data` BLOB NOT NULL, `metadata` BLOB)",
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range []*metainfo.Made{c.folder, c.single} {
		if _, err := db.Exec(`INSERT INTO torrents VALUES (NULL, ?, 1, '', ?, ?, ?)`, m.Info.ID.String(), m == c.single,
			fastresume(c.dir, m.Info.NumPieces, nil), m.Encode()); err != nil {
			t.Fatal(err)
		}
	}
	for id, resume := range map[string][]byte{"magnet": fastresume(c.dir, 0, nil), "bad": []byte("x")} {
		if _, err := db.Exec(`INSERT INTO torrents VALUES (NULL, ?, 1, '', 0, ?, ?)`, id, resume, map[string][]byte{"bad": c.hybrid.Encode()}[id]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := QBittorrent(filepath.Dir(name)); err == nil || !strings.Contains(err.Error(), "quit qBittorrent") {
		t.Errorf("a database in use: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before := listing(t, dir)
	all, err := QBittorrent(filepath.Dir(name))
	if err != nil || len(all) != 4 {
		t.Fatalf("%+v, %v", all, err)
	}
	if f := find1(t, all, "holiday"); f.Err != nil || f.Path != c.dir+"/holiday" || f.Paused {
		t.Errorf("%+v", f)
	}
	if s := find1(t, all, "single.bin"); s.Err != nil || s.Path != c.dir+"/single.bin" || !s.Paused {
		t.Errorf("%+v", s)
	}
	if m := find1(t, all, "magnet"); !strings.Contains(m.Skip, "magnet") {
		t.Errorf("%+v", m)
	}
	if b := find1(t, all, "bad"); share.KindOf(b.Err) != share.Refused {
		t.Errorf("%+v", b)
	}
	if after := listing(t, dir); after != before {
		t.Errorf("from\n%sto\n%s", before, after)
	}
	// The ratio is in a column, where the database has it.
	if db, err = sql.Open("sqlite", "file:"+strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(name)); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		`ALTER TABLE torrents ADD COLUMN ratio_limit INTEGER NOT NULL DEFAULT -2000`,
		`UPDATE torrents SET ratio_limit = 2500 WHERE torrent_id = '` + c.folder.Info.ID.String() + `'`,
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if all, err = QBittorrent(filepath.Dir(name)); err != nil {
		t.Fatal(err)
	}
	if f, s := find1(t, all, "holiday"), find1(t, all, "single.bin"); f.Ratio != 2.5 || s.Ratio != 0 {
		t.Errorf("ratios %v and %v", f.Ratio, s.Ratio)
	}
	write(t, name, []byte("no database"))
	if _, err := QBittorrent(filepath.Dir(name)); share.KindOf(err) != share.Disk {
		t.Errorf("a file that is no database: %v", err)
	}
}

// A name on disk may be that of the torrent or what the client makes of it.
func TestNamesOnDisk(t *testing.T) {
	info := `d5:filesld6:lengthi3e4:pathl10:` + "c\\d \u202ee.t" + `eed6:lengthi0e4:pathl5:emptyeee4:name4:a\b?12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae`
	tor, err := metainfo.Parse([]byte("d4:info" + info + "e"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ab?/cd e.t", "a\\b?/c\\d \u202ee.t", "a\\b?/c\\d _e.t"} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, name), []byte("abc"))
		rec := &record{base: dir, have: bitmap{all: true}}
		got := rec.transfer("x", func() ([]byte, error) { return tor.Encode(), nil }, libtorrentName)
		if got.Err != nil {
			t.Errorf("%s: %v", name, got.Err)
			continue
		}
		at := strings.Join(tor.Info.Files[0].Path, "/")
		if p := got.Places[0]; p != "" {
			at = p
		}
		if filepath.Join(got.Path, at) != filepath.Join(dir, name) {
			t.Errorf("%s is at %s", name, filepath.Join(got.Path, at))
		}
	}
}

// FuzzTransmission and FuzzQBittorrent: no resume data is a crash, or out of bounds.
func FuzzTransmission(f *testing.F) {
	f.Add(enc(dict{"destination": "/d", "files": list{"", "a/b", 1}, "paused": 1, "progress": dict{"blocks": "all"}}))
	fuzz(f, readTransmission)
}

func FuzzQBittorrent(f *testing.F) {
	f.Add(fastresume("/d", 5, dict{"mapped_files": list{"", "a/b", "/x", "../y"}}))
	fuzz(f, readFastresume)
}

func fuzz(f *testing.F, read func([]byte) (*record, error)) {
	c := newContent(f)
	torrent := c.folder.Encode()
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := read(b)
		if err != nil {
			if share.KindOf(err) != share.Refused {
				t.Errorf("%v is not Refused", err)
			}
			return
		}
		if len(rec.base) > len(b) || len(rec.names) > len(b) || len(rec.have.bits) > len(b) {
			t.Error("it is more than there was")
		}
		rec.have.all = true // so that names are looked at
		got := rec.transfer("x", func() ([]byte, error) { return torrent, nil }, libtorrentName)
		if got.Err != nil {
			return
		}
		if !filepath.IsAbs(got.Path) {
			t.Errorf("%s is not absolute", got.Path)
		}
		for i, p := range got.Places {
			if !filepath.IsLocal(p) || i < 0 || i >= len(c.folder.Info.Files) {
				t.Errorf("file %d is at %s", i, p)
			}
		}
	})
}
