package imports

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/bencode"
	"github.com/shoalnet/shoal/share/metainfo"
)

// Transfer is a transfer of another client.
type Transfer struct {
	IDs   []share.ID // of the content, the first as file names have it; empty if the torrent is not readable
	Name  string
	Size  int64
	Files int
	// Path is the file, or the folder that the files are in. Places are the files with
	// other names than the torrent's, by number: paths with slashes below Path.
	Path   string
	Places map[int]string
	Paused bool
	Limits share.Limits
	Ratio  float64 // at which it stops seeding; 0 if it has no limit of its own
	Before share.Past
	// Skip says why the transfer is not complete, and Err why it cannot be imported
	// although it is.
	Skip string
	Err  error

	load func() (*metainfo.Torrent, error)
}

// Torrent returns the transfer's .torrent file, with its present trackers.
func (t *Transfer) Torrent() ([]byte, error) {
	tor, err := t.load()
	if err != nil {
		return nil, err
	}
	return tor.Encode(), nil
}

// bare is a transfer without a torrent.
func bare(stem string) Transfer { return Transfer{Name: stem, Skip: "only a magnet link so far"} }

// record is what a client remembers of one transfer.
type record struct {
	base   string   // the folder that file names are relative to
	names  []string // of files on disk, by number; empty for the usual one
	paused bool
	have   bitmap
	unit   int64 // bytes that a bit of have stands for; 0 is a piece

	up, down rate
	ratio    float64
	added    int64 // in Unix time
	before   share.Past

	trackers [][]string // nil if they are in the .torrent file
}

// rate is a limit in bytes a second.
type rate struct {
	on bool
	of int64
}

// limit is r as shoal has it, where 0 is no limit.
func (r rate) limit() int64 {
	if !r.on {
		return 0
	}
	return max(r.of, 1)
}

// bitmap says what of a transfer is on disk.
type bitmap struct {
	all  bool
	bits []byte // one bit each, high bits first
}

// done is how much of n is set, in percent, rounded down. Only 100 is complete.
func (b bitmap) done(n int64) int {
	if b.all {
		return 100
	}
	var set int64
	for i := range min(n, int64(len(b.bits))*8) {
		if b.bits[i/8]&(0x80>>(i%8)) != 0 {
			set++
		}
	}
	if n <= 0 {
		return 0
	}
	return int(set * 100 / n)
}

// torrentOf loads a transfer's torrent with the trackers of its record.
func (r *record) torrentOf(load func() ([]byte, error)) func() (*metainfo.Torrent, error) {
	return func() (*metainfo.Torrent, error) {
		b, err := load()
		if err != nil {
			return nil, err
		}
		tor, err := metainfo.Parse(b)
		if err != nil || r.trackers == nil {
			return tor, err
		}
		// They are written and read again, so that what is not valid is dropped.
		with := *tor
		with.Trackers = r.trackers
		return metainfo.Parse(with.Encode())
	}
}

// transfer makes a Transfer of a record and a torrent. stem stands for its name where
// that cannot be known. clean makes the client's name on disk of one in a torrent.
func (r *record) transfer(stem string, load func() ([]byte, error), clean func(string) string) Transfer {
	t := Transfer{
		Name: stem, Paused: r.paused, load: r.torrentOf(load),
		Limits: share.Limits{Down: r.down.limit(), Up: r.up.limit()},
		Before: share.Past{Downloaded: max(r.before.Downloaded, 0), Uploaded: max(r.before.Uploaded, 0)},
	}
	if r.ratio > 0 && r.ratio <= mostRatio { // nor is it infinite, or no number
		t.Ratio = r.ratio
	}
	if r.added > 0 && r.added <= math.MaxUint32 {
		t.Before.Added = time.Unix(r.added, 0)
	}
	tor, err := t.load()
	if err != nil {
		t.Err = err
		return t
	}
	info := tor.Info
	t.IDs, t.Name, t.Size = info.IDs(), info.Name, info.Size()
	for i := range info.Files {
		if !info.Files[i].Pad {
			t.Files++
		}
	}
	units := int64(info.NumPieces)
	if r.unit > 0 {
		units = (info.Total + r.unit - 1) / r.unit
	}
	if done := r.have.done(units); done < 100 {
		t.Skip = fmt.Sprintf("partial: %d %% complete", done)
		return t
	}
	t.Err = t.locate(r, info, clean)
	return t
}

// locate finds the files of a transfer.
func (t *Transfer) locate(r *record, info *metainfo.Info, clean func(string) string) error {
	if !filepath.IsAbs(r.base) {
		return share.Errorf(share.Failed, "its folder %s is not an absolute path", share.Quote(r.base))
	}
	usual := usualNames(info, clean)
	full := make([]string, len(info.Files))
	for i := range info.Files {
		f := &info.Files[i]
		if f.Pad || f.Symlink {
			continue
		}
		var err error
		if i < len(r.names) && r.names[i] != "" {
			full[i], err = find([]string{under(r.base, r.names[i])}, f.Length)
		} else {
			full[i], err = find(usual(r.base, i), f.Length)
		}
		if err != nil {
			return err
		}
	}
	if !info.Multi {
		t.Path = full[0]
		return nil
	}
	t.place(r.base, info, full)
	return nil
}

// place chooses the folder to share, and says what is where in it: the folder of the
// transfer in base if all files are in one, else base, or what else they have in common.
func (t *Transfer) place(base string, info *metainfo.Info, full []string) {
	t.Path = commonFolder(base, full)
	for i, name := range full {
		if name == "" {
			continue
		}
		rel, err := filepath.Rel(t.Path, name)
		if err != nil { // not between absolute paths
			continue
		}
		if rel = filepath.ToSlash(rel); rel != strings.Join(info.Files[i].Path, "/") {
			if t.Places == nil {
				t.Places = map[int]string{}
			}
			t.Places[i] = rel
		}
	}
}

// commonFolder is the deepest folder that holds all files, but not below the first
// folder in base.
func commonFolder(base string, full []string) string {
	common := ""
	for _, name := range full {
		if name == "" {
			continue
		}
		dir := filepath.Dir(name)
		if common == "" {
			common = dir
		}
		for !holds(common, dir) {
			common = filepath.Dir(common)
		}
	}
	if rel, err := filepath.Rel(base, common); err == nil && filepath.IsLocal(rel) {
		first, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
		return filepath.Join(base, first)
	}
	return common
}

// holds tells whether path is dir or below it.
func holds(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// under is name in a folder, unless it is absolute.
func under(base, name string) string {
	if name = filepath.FromSlash(name); filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(base, name)
}

// usualNames returns a function for the paths that a file may have which was not renamed:
// as the client writes it, as the torrent does, and as shoal does.
func usualNames(info *metainfo.Info, clean func(string) string) func(base string, i int) []string {
	root := rawName(info)
	return func(base string, i int) []string {
		raw, plain := strings.Split(info.Named[i], "/"), info.Files[i].Path
		if info.Named[i] == "" {
			raw = plain
		}
		if info.Multi {
			raw, plain = append([]string{root}, raw...), append([]string{info.Name}, plain...)
		} else {
			raw = []string{root}
		}
		own := make([]string, len(raw))
		for k, e := range raw {
			own[k] = clean(e)
		}
		var all []string
		for _, elements := range [][]string{own, raw, plain} {
			// A name that is none is of no file.
			if p := path.Join(elements...); !slices.ContainsFunc(elements, func(e string) bool { return e == ".." || strings.Contains(e, "/") }) && p != "" {
				all = append(all, filepath.Join(base, filepath.FromSlash(p)))
			}
		}
		return slices.Compact(all)
	}
}

// rawName is the name that a torrent gives its file or folder.
func rawName(info *metainfo.Info) string {
	name, utf := "", ""
	r := bencode.NewReader(info.Bytes(), maxDepth)
	_ = r.Dict(false, func(key []byte) error { // its syntax was checked
		b, err := r.Raw()
		if s := bencode.NewReader(b, maxDepth); s.Kind() == bencode.String {
			switch text, _ := s.Bytes(); string(key) {
			case "name":
				name = string(text)
			case "name.utf-8":
				utf = string(text)
			}
		}
		return err
	})
	if utf != "" {
		return utf
	}
	return name
}

// find returns the first of some paths at which there is something, and the error if that
// is no file of the size. A file that this user may not look at is left to the node, which
// may run as another.
func find(paths []string, size int64) (string, error) {
	for _, p := range paths {
		fi, err := os.Lstat(p)
		switch {
		case errors.Is(err, fs.ErrPermission):
			return p, nil
		case err != nil:
			continue
		case !fi.Mode().IsRegular():
			return p, share.Errorf(share.Disk, "%s is not a regular file", p)
		case fi.Size() != size:
			return p, share.Errorf(share.Disk, "%s has %d bytes, and the torrent says %d", p, fi.Size(), size)
		}
		return p, nil
	}
	if size == 0 { // not every client makes empty files
		return paths[0], nil
	}
	return paths[0], share.Errorf(share.Disk, "%s is missing", paths[0])
}

const (
	maxDepth  = 100      // of nested lists and dictionaries
	maxResume = 64 << 20 // bytes of the resume data of one transfer
	maxFiles  = 1 << 20  // names in it
	mostRatio = 1e6      // that somebody may have meant
)

// readFile reads a file of bounded size.
func readFile(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, share.Errorf(share.Disk, "%w", err)
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return nil, share.Errorf(share.Disk, "%s is not a regular file", name)
	}
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, share.Errorf(share.Disk, "%w", err)
	case int64(len(b)) > most:
		return nil, share.Errorf(share.Refused, "%s has more than %d bytes", name, most)
	}
	return b, nil
}

// torrentAt reads a .torrent file each time it is called.
func torrentAt(name string) func() ([]byte, error) {
	return func() ([]byte, error) { return readFile(name, metainfo.MaxTorrent) }
}

// byName sorts transfers for people.
func byName(all []Transfer) []Transfer {
	slices.SortStableFunc(all, func(a, b Transfer) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// readStrings reads a list of strings; what else is in it counts as empty.
func readStrings(r *bencode.Reader) (all []string, err error) {
	err = r.List(func() error {
		if len(all) == maxFiles {
			return r.Errorf("a list of more than %d names", maxFiles)
		}
		if r.Kind() != bencode.String {
			all = append(all, "")
			return r.Skip()
		}
		s, err := r.Bytes()
		all = append(all, string(s))
		return err
	})
	return all, err
}

// fields reads the values of a dictionary by a function for each key. Other keys, and
// values of other kinds, are skipped. The first of equal keys counts.
type fields struct {
	r     *bencode.Reader
	key   func(string) string // the key of a function, of one that was read; nil if it is the same
	bytes map[string]func([]byte)
	ints  map[string]func(int64)
	lists map[string]func() error // reads the list
	dicts map[string]func() error // reads the dictionary
}

func (f fields) read() error {
	seen := map[string]bool{}
	return f.r.Dict(false, func(key []byte) error {
		k, kind := string(key), f.r.Kind()
		if f.key != nil {
			k = f.key(k)
		}
		switch {
		case seen[k]:
		case kind == bencode.String && f.bytes[k] != nil:
			seen[k] = true
			b, err := f.r.Bytes()
			if err == nil {
				f.bytes[k](b)
			}
			return err
		case kind == bencode.Int && f.ints[k] != nil:
			seen[k] = true
			n, err := f.r.Int()
			if err == nil {
				f.ints[k](n)
			}
			return err
		case kind == bencode.List && f.lists[k] != nil:
			seen[k] = true
			return f.lists[k]()
		case kind == bencode.Dict && f.dicts[k] != nil:
			seen[k] = true
			return f.dicts[k]()
		}
		return f.r.Skip()
	})
}

// whole refuses what follows a value.
func whole(r *bencode.Reader, err error) error {
	if err == nil && !r.AtEnd() {
		err = r.Errorf("something follows the resume data")
	}
	if err != nil {
		return share.Errorf(share.Refused, "its resume data is damaged: %w", err)
	}
	return nil
}
