package metainfo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/shoalnet/shoal/share"
)

// entry is a file to share, an empty folder, or padding between files.
type entry struct {
	path []string // below the shared folder, and the mark of an empty one; nil of a single file
	file string   // absolute path, "" of an empty folder and of padding
	pad  int64    // bytes of padding
	info fs.FileInfo
	read time.Time // when reading it began
}

func (e *entry) size() int64 {
	if e.file == "" {
		return e.pad
	}
	return e.info.Size()
}

func (e *entry) source() Source {
	if e.file == "" {
		return Source{}
	}
	return Source{Path: e.file, Size: e.info.Size(), ModTime: e.info.ModTime(), Info: e.info, Read: e.read}
}

func (e *entry) attr() string {
	switch {
	case e.file == "":
		return "p"
	case e.info.Mode()&0o111 != 0:
		return "x"
	}
	return ""
}

// usableElement returns an error for the name of a file or folder that cannot be
// in a torrent.
func usableElement(name string) error {
	switch {
	case !utf8.ValidString(name):
		return errors.New("its name is not UTF-8, which torrents require; rename it")
	case strings.HasPrefix(name, padPrefix):
		return errors.New("other clients treat a file of this name as padding; rename it")
	}
	return nil
}

type walker struct {
	o       *MakeOptions
	multi   bool
	entries []entry
	items   []Item   // for a List
	list    bool     // items are wanted
	hidden  int      // files among entries
	exclude []string // patterns
	idle    []string // those of them that have matched nothing yet
	leftOut share.LeftOut
	unread  bool          // something was left out because it could not be read
	above   []fs.FileInfo // the folders that are being read, to notice circles
}

// walk lists the files at root in the order of the torrent.
func walk(ctx context.Context, root string, o *MakeOptions) (*walker, error) {
	return walkFor(ctx, root, o, false)
}

// walkFor is walk; with list it lists the folders, too.
func walkFor(ctx context.Context, root string, o *MakeOptions, list bool) (*walker, error) {
	w := &walker{o: o, list: list}
	for _, g := range o.Exclude {
		w.exclude = append(w.exclude, strings.TrimSuffix(strings.TrimPrefix(g, "./"), "/"))
	}
	w.idle = slices.Clone(w.exclude)
	info, err := os.Stat(root) // root may be a link: it was named
	if err != nil {
		return nil, share.Errorf(share.Disk, "share %w", bare(err))
	}
	real := resolved(root)
	if err := w.guard(root, real, info); err != nil {
		return nil, err
	}
	w.item(nil, info)
	switch {
	case info.Mode().IsRegular():
		w.entries = []entry{{file: root, info: info}}
	case info.IsDir():
		w.multi = true
		list, err := os.ReadDir(root) // sorted by name
		if err != nil {
			return nil, share.Errorf(share.Disk, "share %w", bare(err))
		}
		if err := w.folder(ctx, place{file: root, real: real, info: info}, list); err != nil {
			return nil, err
		}
	default:
		return nil, share.Errorf(share.Usage, "share %s: neither a file nor a folder", root)
	}
	if len(w.idle) > 0 {
		return nil, share.Errorf(share.Usage, "share %s: nothing in it matches the excluded pattern %s", root, strings.Join(w.idle, ", "))
	}
	return w, nil
}

// nothing is the error for a folder without any data to share.
func (w *walker) nothing(root string) error {
	if w.leftOut.Count == 0 {
		if len(w.exclude) > 0 {
			return share.Errorf(share.Usage, "share %s: it contains no data besides what is excluded", root)
		}
		return share.Errorf(share.Usage, "share %s: it contains no data", root)
	}
	kind := share.Usage
	if w.unread {
		kind = share.Disk
	}
	first, more := w.leftOut.Items[0], ""
	if n := w.leftOut.Count - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return share.Errorf(kind, "share %s: it contains no data that can be shared: %s: %s%s", root, first.Path, first.Reason, more)
}

// bare formats an error of package os as "PATH: reason".
func bare(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: "read", Path: pe.Path, Err: pe.Err}
	}
	return err
}

// place is a file or folder that the walk has come to.
type place struct {
	path []string // below the shared folder
	file string   // absolute path
	real string   // the same without symbolic links
	info fs.FileInfo
}

func (w *walker) guard(file, real string, info fs.FileInfo) error {
	if w.o.Guard == nil {
		return nil
	}
	if err := w.o.Guard(real, info); err != nil {
		return share.Errorf(share.Usage, "share %s: %w", file, err)
	}
	return nil
}

func (w *walker) folder(ctx context.Context, p place, list []fs.DirEntry) error {
	if err := ctx.Err(); err != nil {
		return share.Errorf(share.Interrupted, "share %s: %w", p.file, err)
	}
	if len(p.path) > maxPathDepth {
		return share.Errorf(share.Usage, "share %s: folders are nested more than %d deep", p.file, maxPathDepth)
	}
	w.above = append(w.above, p.info)
	defer func() { w.above = w.above[:len(w.above)-1] }()

	before := len(w.entries)
	for _, d := range list {
		below := place{
			path: append(slices.Clip(p.path), d.Name()),
			file: filepath.Join(p.file, d.Name()), real: filepath.Join(p.real, d.Name()),
		}
		if w.excluded(below.path) {
			continue
		}
		if err := w.visit(ctx, below, d); err != nil {
			return err
		}
	}
	if len(w.entries) == before && len(p.path) > 0 && !w.list {
		mark := append(slices.Clip(p.path), folderMarkDir, folderMarkName)
		w.entries = append(w.entries, entry{path: mark})
	}
	return nil
}

func (w *walker) excluded(path []string) bool {
	if len(w.exclude) == 0 {
		return false
	}
	whole := strings.Join(path, "/")
	matches := func(g string) bool { return share.MatchPath(g, whole) }
	is := slices.ContainsFunc(w.exclude, matches)
	if is {
		w.idle = slices.DeleteFunc(w.idle, matches)
	}
	return is
}

// visit takes in one entry of a folder, and all below it, or leaves it out.
func (w *walker) visit(ctx context.Context, p place, d fs.DirEntry) (err error) {
	if err := usableElement(d.Name()); err != nil {
		return w.cannot(p, share.Usage, err)
	}
	if w.list && !share.IsName(d.Name()) {
		return w.cannot(p, share.Usage, share.Wrapf("its name has a character that no sealed share may have; rename it"))
	}
	if p.info, err = d.Info(); err != nil {
		return w.cannot(p, share.Disk, err)
	}
	if p.info.Mode()&fs.ModeSymlink != 0 {
		if !w.o.FollowSymlinks {
			w.omit(p, share.Say("a symbolic link"))
			return nil
		}
		if p.info, err = os.Stat(p.file); err != nil {
			return w.cannot(p, share.Disk, share.Wrapf("a symbolic link: %w", cause(err)))
		}
		p.real = resolved(p.file)
	}
	switch {
	case p.info.Mode().IsRegular():
		if err := w.guard(p.file, p.real, p.info); err != nil {
			return err
		}
		if err := readable(p.file); err != nil {
			return w.cannot(p, share.Disk, err)
		}
		w.entries = append(w.entries, entry{path: p.path, file: p.file, info: p.info})
		w.item(p.path, p.info)
		if slices.ContainsFunc(p.path, func(name string) bool { return name[0] == '.' }) {
			w.hidden++
		}
		return nil
	case !p.info.IsDir():
		return w.cannot(p, share.Usage, errors.New(special(p.info.Mode())))
	case w.isAbove(p.info):
		w.omit(p, share.Say("it leads back to a folder that it is in"))
		return nil
	}
	if err := w.guard(p.file, p.real, p.info); err != nil {
		return err
	}
	list, err := os.ReadDir(p.file)
	if err != nil {
		return w.cannot(p, share.Disk, err)
	}
	w.item(p.path, p.info)
	return w.folder(ctx, p, list)
}

// item notes what was taken for a List.
func (w *walker) item(path []string, info fs.FileInfo) {
	if w.list {
		w.items = append(w.items, Item{Path: path, Folder: info.IsDir(), Mode: info.Mode().Perm(), Time: info.ModTime(), Size: info.Size()})
	}
}

// cannot leaves p out, or returns the error that it is where nothing may be.
func (w *walker) cannot(p place, kind share.Kind, why error) error {
	why = cause(why)
	if w.o.Strict {
		return share.Errorf(kind, "share %q: %w", p.file, why)
	}
	w.unread = w.unread || kind == share.Disk
	w.omit(p, share.TextOf(why))
	return nil
}

func (w *walker) omit(p place, reason share.Text) { w.leftOut.Add(strings.Join(p.path, "/"), reason) }

// cause is an error of package os without the path.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// resolved is a path without symbolic links, as far as that can be told.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// readable tries to open a file. It does not wait for the other end of a pipe
// that has come in its place.
func readable(file string) error {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func special(m fs.FileMode) string {
	switch {
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "neither a file nor a folder"
}

func (w *walker) isAbove(info fs.FileInfo) bool {
	return slices.ContainsFunc(w.above, func(a fs.FileInfo) bool { return os.SameFile(a, info) })
}
