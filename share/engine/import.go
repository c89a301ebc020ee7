package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/merkle"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// ImportRequest says which files of the user to share under which torrent.
type ImportRequest struct {
	Torrent []byte // content of a .torrent file that describes them
	Path    string // absolute: the file, or the folder that the files are in
	share.ImportOptions
}

// Import shares complete files, such as those that another client has downloaded, under
// the torrent that describes them. They are only read, as with Share. It returns at
// once: the transfer is Hashing until all files are known to be right; EventShared then
// follows. If they are not, the transfer ends like a failed Share. An unfinished Import
// continues after a restart.
//
// Files that are missing or have another size are refused at once, with an error of kind
// share.Disk. Content that the node already has stays as it is, and its transfer is
// returned.
func (e *Engine) Import(ctx context.Context, r ImportRequest) (s share.Transfer, err error) {
	if !filepath.IsAbs(r.Path) {
		return s, share.Errorf(share.Usage, "the path to import must be absolute, not %q", r.Path)
	}
	goal := forever(r.Goal)
	for _, check := range []func() error{goal.Check, r.Limits.Check, r.Before.Check} {
		if err := check(); err != nil {
			return s, err
		}
	}
	added := e.cfg.Now().Round(0)
	if past := r.Before.Added; !past.IsZero() && past.Before(added) {
		added = past.Round(0)
	}
	tor, err := metainfo.Parse(r.Torrent)
	if err != nil {
		return s, err
	}
	info, n := tor.Info, namesOf(tor.Info)
	if err := e.swarms.Check(info.Bytes()); err != nil {
		return s, share.Errorf(share.Refused, "the content of %q cannot be handled: %w", info.Name, err)
	}
	t := &transfer{row: row{
		id: info.ID, kind: kindUnhashed, path: filepath.Clean(r.Path), name: info.Name, added: added,
		downloaded: r.Before.Downloaded, uploaded: r.Before.Uploaded,
		options: options{
			Given: true, Places: maps.Clone(r.Files), Hold: r.Paused, Goal: goal, Limits: r.Limits, Names: &n,
			Private: info.Private, Blind: looksSealed(info),
		},
	}}
	if !r.NoTrackers {
		for _, tier := range tor.Trackers {
			t.options.Trackers = appendNew(t.options.Trackers, tier)
		}
	}
	release, err := e.claim(ctx, t.ids(), func(lp *loop, old *transfer) { s = lp.events.snapshot(old) })
	if release == nil {
		return s, err
	}
	defer release()
	if err := e.present(t, info); err != nil {
		return s, err
	}
	for _, id := range t.ids() {
		if err := e.unshelve(ctx, id); err != nil {
			return s, err
		}
	}
	if err := e.torrents.keep(t.id, tor.Content().Encode()); err != nil {
		return s, err
	}
	return e.add(ctx, t, User, "")
}

// present refuses files of an import that are missing, cannot be read, or have another
// size than the torrent says, and what must not be shared. It reads none of them.
func (e *Engine) present(t *transfer, info *metainfo.Info) error {
	for i, p := range t.options.Places {
		if i < 0 || i >= len(info.Files) || !info.Multi || p == "" || p != path.Clean(p) || !filepath.IsLocal(filepath.FromSlash(p)) {
			return share.Errorf(share.Usage, "%q cannot be where file %d of %q is: give a path below the folder", p, i, info.Name)
		}
	}
	above, root := filepath.Dir(t.path), filepath.Base(t.path)
	if info.Multi {
		above, root = t.path, ""
	}
	real, err := filepath.EvalSymlinks(above)
	if err != nil {
		return share.Errorf(share.Disk, "importing %s: %w", t.path, err)
	}
	root = filepath.Join(real, root)
	seen := map[string]bool{}
	for i := range info.Files {
		f := &info.Files[i]
		if f.Pad || f.Symlink {
			continue
		}
		file, shown := t.placeOf(root, info, i), t.placeOf(t.path, info, i)
		if seen[file] {
			return share.Errorf(share.Usage, "%s would be two files of %q", shown, info.Name)
		}
		seen[file] = true
		fi, err := os.Lstat(file)
		switch {
		case errors.Is(err, fs.ErrNotExist) && f.Length == 0:
			continue // not every client makes empty files
		case err != nil:
			return share.Errorf(share.Disk, "importing %s: %w", shown, errors.Unwrap(err))
		case !fi.Mode().IsRegular():
			return share.Errorf(share.Disk, "importing %s: it is not a regular file", shown)
		case fi.Size() != f.Length:
			return share.Errorf(share.Disk, "importing %s: it has %d bytes, and the torrent says %d", shown, fi.Size(), f.Length)
		}
		if e.cfg.Guard != nil {
			if err := e.cfg.Guard(file, fi); err != nil {
				return share.Errorf(share.Usage, "importing %s: %w", shown, err)
			}
		}
		h, err := os.Open(file) // what can be looked at may not be readable
		if err != nil {
			return share.Errorf(share.Disk, "importing %s: %w", shown, errors.Unwrap(err))
		}
		h.Close()
	}
	return nil
}

// placeOf is where file i of an import is, if root is its file or folder.
func (t *transfer) placeOf(root string, info *metainfo.Info, i int) string {
	if !info.Multi {
		return root
	}
	if p := t.options.Places[i]; p != "" {
		return filepath.Join(root, filepath.FromSlash(p))
	}
	return filepath.Join(root, filepath.Join(info.Files[i].Path...))
}

// places tells the storage where the files of an import are that its torrent names otherwise.
func (t *transfer) places() []storage.Source {
	last := -1
	for i := range t.options.Places {
		last = max(last, i)
	}
	all := make([]storage.Source, last+1)
	for i, p := range t.options.Places {
		all[i].Path = p
	}
	return all
}

// startMatch hashes the files of an import.
func (lp *loop) startMatch(t *transfer) {
	id, own := t.id, &storage.Own{Path: t.path, Sources: t.places(), Foreign: true}
	place := func(info *metainfo.Info, i int) string { return t.placeOf(t.path, info, i) } // of what never changes
	t.count.start(0)
	lp.start(t, jobHash, func(ctx context.Context) func() {
		made, err := lp.work.match(ctx, id, own, place, &t.count)
		return func() {
			lp.hashing.end()
			defer lp.hashNext()
			switch {
			case err == nil && t.removing == nil:
				t.making.reused = true // its files are recorded, and it is hashed again if they have changed
				lp.madeTorrent(t, made)
			case err != nil && ctx.Err() == nil:
				lp.failShare(t, err)
			}
		}
	})
}

// match hashes the user's files against the torrent of id, and has the storage record
// those that are right. place tells where a file is.
func (w *worker) match(ctx context.Context, id share.ID, own *storage.Own, place func(*metainfo.Info, int) string, c *count) (*metainfo.Made, error) {
	tor, err := w.torrents.read(id)
	if err != nil {
		return nil, fmt.Errorf("%w; remove this transfer, and import it again", err)
	}
	if err := fillLayers(ctx, tor, place); err != nil {
		return nil, err
	}
	files, err := w.openOwn(ctx, storage.Spec{Info: under(id, tor.Info), Layers: tor.Layers, Own: own})
	if err != nil {
		return nil, err
	}
	err = w.check(ctx, tor.Info, files, nil, c)
	p, fault, bytes := files.Progress(), files.Fault(), files.FileBytes()
	if e := files.Close(context.WithoutCancel(ctx)); err == nil {
		err = e
	}
	right := p.Pieces == tor.Info.NumPieces
	switch {
	case err != nil:
		return nil, err
	case fault != nil && (right || !errors.Is(fault, storage.ErrChanged)):
		return nil, fault
	case !right:
		return nil, notAsSaid(place(tor.Info, mostLacking(tor.Info, bytes)))
	}
	return &metainfo.Made{Torrent: tor}, nil
}

// notAsSaid is the error for a file with wrong data.
func notAsSaid(file string) error {
	return share.Errorf(share.Disk, "%s is not what the torrent says: it was changed, or is not complete", file)
}

// mostLacking finds the file that most is wrong of. Others share pieces with it.
func mostLacking(info *metainfo.Info, right []int64) (most int) {
	lacks := func(i int) int64 { return info.Files[i].Length - right[i] }
	for i := range right {
		if !info.Files[i].Pad && (info.Files[most].Pad || lacks(i) > lacks(most)) {
			most = i
		}
	}
	return most
}

// openOwn opens the storage of files of the user.
func (w *worker) openOwn(ctx context.Context, spec storage.Spec) (*storage.Transfer, error) {
	leave, err := w.mounts.enter(ctx, spec.Own.Path)
	if err != nil {
		return nil, err
	}
	defer leave()
	return w.store.Open(ctx, spec)
}

// fillLayers computes the piece layers that a torrent lacks from its files. Those of
// files that are wrong stay missing.
func fillLayers(ctx context.Context, tor *metainfo.Torrent, place func(*metainfo.Info, int) string) error {
	for _, root := range tor.Layers.Missing() {
		i, _ := tor.Layers.File(root)
		layer, err := layerOf(ctx, place(tor.Info, i), tor.Info.PieceLength)
		if err != nil {
			return share.Errorf(share.Disk, "reading the files of %q: %w", tor.Info.Name, err)
		}
		if err := tor.Layers.Set(root, layer); err != nil {
			return notAsSaid(place(tor.Info, i))
		}
	}
	return nil
}

// layerOf hashes the pieces of a file.
func layerOf(ctx context.Context, name string, pieceLength int64) (layer []merkle.Hash, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	height := merkle.Height(merkle.Blocks(pieceLength))
	for {
		var sum merkle.Sum
		n, err := io.CopyN(&sum, f, pieceLength)
		if n > 0 {
			layer = append(layer, sum.Root(height))
		}
		switch {
		case errors.Is(err, io.EOF):
			return slices.Clip(layer), ctx.Err()
		case err != nil:
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
	}
}
