package metainfo

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shoalnet/shoal/share"
)

// entry is a file to share, or an empty folder.
type entry struct {
	path []string // below the shared folder, and the mark of an empty one; nil of a single file
	file string   // absolute path, "" of an empty folder
	info fs.FileInfo
	read time.Time // when reading it began
}

func (e *entry) size() int64 {
	if e.file == "" {
		return 0
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

func (e *entry) check() error {
	for _, name := range e.path {
		switch {
		case !utf8.ValidString(name):
			return share.Errorf(share.Usage, "share %q: its name is not UTF-8, which torrents require; rename it", e.file)
		case strings.HasPrefix(name, padPrefix):
			return share.Errorf(share.Usage, "share %q: other clients treat a file of this name as padding; rename it", e.file)
		}
	}
	return nil
}

type walker struct {
	follow  bool
	multi   bool
	entries []entry
	skipped []string
	above   []fs.FileInfo // the folders that are being read, to notice circles
}

// walk lists the files at root in the order of the torrent.
func walk(ctx context.Context, root string, follow bool) (*walker, error) {
	w := &walker{follow: follow}
	info, err := os.Stat(root) // root may be a link: it was named
	switch {
	case err != nil:
		return nil, share.Errorf(share.Disk, "share %w", bare(err))
	case info.Mode().IsRegular():
		w.entries = []entry{{file: root, info: info}}
		return w, nil
	case !info.IsDir():
		return nil, share.Errorf(share.Usage, "share %s: neither a file nor a folder", root)
	}
	w.multi = true
	return w, w.folder(ctx, root, info, nil)
}

// bare formats an error of package os as "PATH: reason".
func bare(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: "read", Path: pe.Path, Err: pe.Err}
	}
	return err
}

func (w *walker) folder(ctx context.Context, dir string, self fs.FileInfo, path []string) error {
	if err := ctx.Err(); err != nil {
		return share.Errorf(share.Interrupted, "share %s: %w", dir, err)
	}
	if len(path) > maxPathDepth {
		return share.Errorf(share.Usage, "share %s: folders are nested more than %d deep", dir, maxPathDepth)
	}
	w.above = append(w.above, self)
	defer func() { w.above = w.above[:len(w.above)-1] }()

	list, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return share.Errorf(share.Disk, "share %w", bare(err))
	}
	before := len(w.entries)
	for _, d := range list {
		full := filepath.Join(dir, d.Name())
		info, err := d.Info()
		if err == nil && info.Mode()&fs.ModeSymlink != 0 && w.follow {
			info, err = os.Stat(full)
		}
		if err != nil {
			return share.Errorf(share.Disk, "share %w", bare(err))
		}
		below := append(slices.Clip(path), d.Name())
		switch {
		case info.Mode().IsRegular():
			w.entries = append(w.entries, entry{path: below, file: full, info: info})
		case info.IsDir() && !w.isAbove(info):
			if err := w.folder(ctx, full, info, below); err != nil {
				return err
			}
		default:
			w.skipped = append(w.skipped, full)
		}
	}
	if len(w.entries) == before && len(path) > 0 {
		mark := append(slices.Clip(path), folderMarkDir, folderMarkName)
		w.entries = append(w.entries, entry{path: mark})
	}
	return nil
}

func (w *walker) isAbove(info fs.FileInfo) bool {
	return slices.ContainsFunc(w.above, func(a fs.FileInfo) bool { return os.SameFile(a, info) })
}
