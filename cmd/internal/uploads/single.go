package uploads

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	slash "path"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// Upload stores a file of length bytes, -1 if that is not known. When it returns,
// the file is complete and on the disk, or there is none.
func (s *Store) Upload(ctx context.Context, u api.Upload, length int64, r io.Reader) (api.Uploaded, error) {
	if err := errors.Join(checkName(u.Name), checkFolder(u)); err != nil {
		return api.Uploaded{}, err
	}
	base := s.Folder()
	root, err := openRoot(base)
	if err != nil {
		return api.Uploaded{}, err
	}
	defer root.Close()
	spare := int64(-1) // not known
	if free := s.cfg.Free(base); free >= 0 {
		spare = max(0, free-s.cfg.MinFree())
		if length > spare {
			return api.Uploaded{}, share.Errorf(share.Disk, "%s do not fit: %s has %s to spare", humanize.IBytes(uint64(length)), base, humanize.IBytes(uint64(spare)))
		}
	}
	first, folder := "", ""
	if u.Folder != "" {
		if first, folder, err = inFolder(root, u); err != nil {
			return api.Uploaded{}, err
		}
	}
	if spare >= 0 {
		// One byte more shows that a body of unknown length does not fit.
		r = io.LimitReader(r, spare+1)
	}
	part := partName(u.Name, newID())
	top := first
	if top == "" {
		top = part
	}
	defer s.busy(top)()
	name, n, err := keep(root, folder, part, u.Name, contextReader{ctx, r}, spare)
	if err != nil {
		// Also remove the folders made for it, unless they have other files.
		for at := folder; first != "" && !u.Join && at != "." && root.Remove(at) == nil; {
			at = slash.Dir(at)
		}
		if share.KindOf(err) == share.Failed {
			err = share.Errorf(share.Interrupted, "receiving %q: %w", u.Name, err)
		}
		return api.Uploaded{}, err
	}
	out := api.Uploaded{Path: filepath.Join(base, filepath.FromSlash(name)), Folder: first, Bytes: n}
	out.Root = out.Path
	if first != "" {
		out.Root = filepath.Join(base, first)
	}
	return out, nil
}

// Delete deletes path, which must be directly in the folder.
func (s *Store) Delete(path string) error {
	if !s.Has(path) {
		return share.Errorf(share.Usage, "%s is no upload", path)
	}
	root, err := openRoot(s.Folder())
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.RemoveAll(filepath.Base(path)); err != nil {
		return share.Errorf(share.Disk, "deleting an upload: %w", err)
	}
	return nil
}

// Has reports whether path is directly in the folder, not in a subfolder.
func (s *Store) Has(path string) bool { return path != "" && filepath.Dir(path) == s.Folder() }

// openRoot opens the folder for uploads, and creates it if it is missing.
func openRoot(base string) (*os.Root, error) {
	if err := os.MkdirAll(base, 0o777); err != nil {
		return nil, share.Errorf(share.Disk, "making the folder for uploads: %w", err)
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return nil, share.Errorf(share.Disk, "opening the folder for uploads: %w", err)
	}
	return root, nil
}

// inFolder creates the folder of u, or finds the one that an earlier upload created.
// It returns the first element of its path, and the whole path.
func inFolder(root *os.Root, u api.Upload) (first, whole string, err error) {
	first, rest, _ := strings.Cut(u.Folder, "/")
	if u.Join {
		if info, err := root.Lstat(first); err != nil || !info.IsDir() {
			return "", "", share.Errorf(share.Usage, "no earlier upload made the folder %q", first)
		}
	} else if first, err = makeOne(root, first); err != nil {
		return "", "", err
	}
	whole = slash.Join(first, rest)
	if rest != "" {
		if err := root.MkdirAll(whole, 0o777); err != nil {
			return "", "", share.Errorf(share.Disk, "making a folder for uploads: %w", err)
		}
	}
	return first, whole, nil
}

// makeOne creates a folder of that name, or of the next free name like it.
func makeOne(root *os.Root, name string) (string, error) {
	for n := range others(name) {
		err := root.Mkdir(n, 0o777)
		if err == nil {
			return n, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", share.Errorf(share.Disk, "making a folder for uploads: %w", err)
		}
	}
	return "", share.Errorf(share.Disk, "there are too many folders named like %q", name)
}

// keep writes r to a new file, which gets its name when all of it is on the disk.
func keep(root *os.Root, folder, part, name string, r io.Reader, spare int64) (string, int64, error) {
	part, f, err := create(root, folder, part)
	if err != nil {
		return "", 0, err
	}
	n, err := io.Copy(f, r)
	if err == nil && spare >= 0 && n > spare {
		err = share.Errorf(share.Disk, "it does not fit: there are %s to spare", humanize.IBytes(uint64(spare)))
	}
	if err == nil {
		if err = f.Sync(); err != nil {
			err = share.Errorf(share.Disk, "keeping %q: %w", name, err)
		}
	}
	err = errors.Join(err, f.Close())
	var final string
	if err == nil {
		final, err = place(root, part, folder, name, func(string) error { return nil })
	}
	if rerr := root.Remove(part); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	if err != nil {
		return "", 0, err
	}
	return final, n, nil
}

// create creates a part file.
func create(root *os.Root, folder, name string) (string, *os.File, error) {
	p := slash.Join(folder, name)
	f, err := root.OpenFile(p, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return "", nil, share.Errorf(share.Disk, "making a file for the upload: %w", err)
	}
	return p, f, nil
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
