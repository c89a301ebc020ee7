package uploads

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	slash "path"
	"strings"
	"syscall"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

const (
	chunk = 256 << 10
	// syncEvery bounds what is sent again after a crash.
	syncEvery = 32 << 20
)

// Append implements api.Box. The caller holds the file.
func (b *box) Append(ctx context.Context, id string, r io.Reader) (int64, error) {
	f, err := b.known(id)
	if err != nil {
		return 0, err
	}
	if f.Number > 0 {
		return 0, share.Errorf(share.Usage, "this file is complete already")
	}
	n, err := b.write(ctx, &f, r)
	if err != nil {
		err = b.failed(err)
	}
	return n, err
}

// write adds r to the part file of f.
func (b *box) write(ctx context.Context, f *file, r io.Reader) (n int64, err error) {
	root, err := openRoot(b.Folder)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	part, err := openPart(root, f.Part, f.sent)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, part.Close()) }()
	if f.sent == 0 {
		if err := syncFolder(b.Folder); err != nil {
			return 0, err
		}
	}
	begin, at, synced := f.sent, f.sent, f.sent
	buf := make([]byte, chunk)
	for at < f.Size && err == nil {
		if err = ctx.Err(); err != nil {
			break
		}
		var got int
		var rerr error
		got, rerr = r.Read(buf[:min(chunk, f.Size-at)])
		var wrote int
		wrote, err = part.Write(buf[:got])
		at += int64(wrote)
		b.store.mu.Lock()
		if f := b.files[f.ID]; f != nil {
			f.sent = at
		}
		b.store.mu.Unlock()
		if err == nil && at-synced >= syncEvery {
			if err = b.secure(part, f.ID, at); err == nil {
				synced = at
				err = b.spare()
			}
		}
		if rerr != nil {
			break // the reader knows why
		}
	}
	err = noRoom(err)
	if serr := b.secure(part, f.ID, at); serr != nil {
		// What a failed sync was to write may be lost: it is sent again.
		at = min(at, synced)
		b.store.mu.Lock()
		if f := b.files[f.ID]; f != nil {
			f.sent = at
		}
		b.store.mu.Unlock()
		err = errors.Join(err, noRoom(serr))
	}
	return at - begin, err
}

// secure records that the first bytes of a file are on the disk, and sees to it.
func (b *box) secure(part *os.File, id string, at int64) error {
	if err := part.Sync(); err != nil {
		return share.Errorf(share.Disk, "storing an upload: %w", err)
	}
	return b.change(id, func(f *file) { f.Synced, f.sent = at, at })
}

// spare stops a file while the disk is full: others may fill it, too.
func (b *box) spare() error {
	free := b.store.cfg.Free(b.Folder)
	if free >= 0 && free < b.store.cfg.MinFree() {
		return share.Errorf(share.Disk, "%w: some space must stay free", api.ErrNoRoom)
	}
	return nil
}

// noRoom recognizes a full disk.
func noRoom(err error) error {
	switch {
	case err == nil || share.KindOf(err) == share.Disk && errors.Is(err, api.ErrNoRoom):
		return err
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return share.Errorf(share.Disk, "%w: %w", api.ErrNoRoom, err)
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return share.Errorf(share.Disk, "storing an upload: %w", err)
	}
	return err
}

// openPart opens a part file to write at an offset, and removes what is behind it: it was
// written, and is not known to be on the disk.
func openPart(root *os.Root, name string, at int64) (*os.File, error) {
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|nonblock, 0o666)
	if err == nil {
		err = func() error {
			info, err := f.Stat()
			switch {
			case err != nil:
				return err
			case !info.Mode().IsRegular() || info.Size() < at:
				return share.Errorf(share.Disk, "the part file %s was changed by another program", name)
			case info.Size() > at:
				if err := f.Truncate(at); err != nil {
					return err
				}
			}
			_, err = f.Seek(at, io.SeekStart)
			return err
		}()
		if err != nil {
			f.Close()
		}
	}
	if err != nil {
		return nil, share.Errorf(share.Disk, "opening the file of an upload: %w", err)
	}
	return f, nil
}

// check compares a file that is not complete with what is on the disk. What is gone of the
// part file, perhaps with the folder, is sent again.
func (b *box) check(id string) error {
	f, err := b.known(id)
	if err != nil || f.Number > 0 || f.sent == 0 && f.Placing == "" {
		return err
	}
	root, err := openRoot(b.Folder)
	if err != nil {
		return err
	}
	defer root.Close()
	info, err := root.Lstat(f.Part)
	switch {
	case err == nil && info.Mode().IsRegular():
		if info.Size() >= f.sent {
			return nil
		}
		return b.change(id, func(f *file) {
			f.sent = min(f.sent, info.Size())
			f.Synced = f.sent
		})
	case err == nil:
		return share.Errorf(share.Disk, "%s is not a file", f.Part)
	case !errors.Is(err, fs.ErrNotExist):
		return share.Errorf(share.Disk, "looking at the file of an upload: %w", err)
	}
	if f.Placing != "" {
		// The process ended between the rename and its record.
		if info, err := root.Lstat(f.Placing); err == nil && info.Mode().IsRegular() && info.Size() == f.Size {
			return b.arrived(id, f.Placing, info)
		}
	}
	return b.change(id, func(f *file) { f.sent, f.Synced = 0, 0 })
}

// Finish implements api.Box. The caller holds the file.
func (b *box) Finish(id string) error {
	if err := b.finish(id); err != nil {
		return b.failed(err)
	}
	return nil
}

func (b *box) finish(id string) error {
	f, err := b.known(id)
	if err != nil || f.Number > 0 {
		return err
	}
	if f.sent != f.Size || f.Loose {
		return share.Errorf(share.Usage, "only %d of %d bytes were received", f.sent, f.Size)
	}
	root, err := openRoot(b.Folder)
	if err != nil {
		return err
	}
	defer root.Close()
	if f.Size == 0 {
		part, err := openPart(root, f.Part, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(part.Sync(), part.Close()); err != nil {
			return share.Errorf(share.Disk, "storing an upload: %w", err)
		}
	}
	if now := b.store.cfg.Now(); f.Modified.Year() > 1980 && f.Modified.Before(now.Add(24*time.Hour)) {
		// A nicety that not every file system has.
		_ = root.Chtimes(f.Part, now, f.Modified)
	}
	folder, err := enter(root, slash.Dir(f.Path))
	if err != nil {
		return err
	}
	final, err := place(root, f.Part, folder, slash.Base(f.Path), func(name string) error {
		return b.change(id, func(f *file) { f.Placing = name })
	})
	if err != nil {
		return err
	}
	if err := syncFolder(root.Name(), strings.Split(slash.Dir(final), "/")...); err != nil {
		return err
	}
	info, err := root.Lstat(final)
	if err != nil {
		return share.Errorf(share.Disk, "looking at an upload: %w", err)
	}
	if err := b.arrived(id, final, info); err != nil {
		return err
	}
	// Otherwise the next start removes it.
	b.store.warn(b.removePart(f.Part))
	return nil
}

// arrived records that a file is complete.
func (b *box) arrived(id, stored string, info fs.FileInfo) error {
	return b.change(id, func(f *file) {
		b.numbers++
		f.Number, f.Stored, f.Stamp = b.numbers, stored, info.ModTime().UnixNano()
		f.sent, f.Synced = f.Size, f.Size
	})
}

// removePart removes a part file that may be gone.
func (b *box) removePart(name string) error {
	root, err := os.OpenRoot(b.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		defer root.Close()
		err = root.Remove(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return share.Errorf(share.Disk, "removing the part file of an upload: %w", err)
	}
	return nil
}

// deleteArrived deletes the complete files as they arrived. One that was changed since, or
// is gone, is the owner's.
func (b *box) deleteArrived() error {
	root, err := os.OpenRoot(b.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return share.Errorf(share.Disk, "opening the folder for uploads: %w", err)
	}
	defer root.Close()
	for _, f := range b.list() {
		if f.Number == 0 {
			continue
		}
		info, err := root.Lstat(f.Stored)
		if err != nil || !info.Mode().IsRegular() || info.Size() != f.Size || info.ModTime().UnixNano() != f.Stamp {
			continue
		}
		if err := root.Remove(f.Stored); err != nil {
			return share.Errorf(share.Disk, "deleting an upload: %w", err)
		}
		for at := slash.Dir(f.Stored); at != "." && root.Remove(at) == nil; {
			at = slash.Dir(at)
		}
	}
	return nil
}

// removeFolder removes the folder that was made for an upload if nothing is in it.
func (b *box) removeFolder() error {
	if !b.Tree {
		return nil
	}
	if entries, err := os.ReadDir(b.Folder); err != nil || len(entries) > 0 {
		return nil
	}
	if err := os.Remove(b.Folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return share.Errorf(share.Disk, "removing the folder of an upload: %w", err)
	}
	return nil
}

// enter makes the folders of a path. One whose name a file or a link has gets another
// name.
func enter(root *os.Root, path string) (string, error) {
	at := ""
	if path == "." {
		return at, nil
	}
	for _, e := range strings.Split(path, "/") {
		next := ""
		for name := range others(e) {
			p := slash.Join(at, name)
			err := root.Mkdir(p, 0o777)
			if errors.Is(err, fs.ErrExist) {
				info, lerr := root.Lstat(p)
				if lerr != nil || !info.IsDir() {
					continue
				}
			} else if err != nil {
				return "", share.Errorf(share.Disk, "making a folder for uploads: %w", err)
			}
			next = p
			break
		}
		if next == "" {
			return "", share.Errorf(share.Disk, "there are too many folders named like %q", e)
		}
		at = next
	}
	return at, nil
}

// place gives a complete part file its name, and never one that is taken. With hard links
// the part file stays, too. Without them, placing is told the name before the file gets it.
func place(root *os.Root, part, folder, name string, placing func(name string) error) (string, error) {
	mine, err := root.Lstat(part)
	if err != nil {
		return "", share.Errorf(share.Disk, "looking at an upload: %w", err)
	}
	for n := range others(name) {
		p := slash.Join(folder, n)
		err := root.Link(part, p)
		if err == nil {
			return p, nil
		}
		if info, lerr := root.Lstat(p); lerr == nil {
			if os.SameFile(mine, info) {
				return p, nil // the process ended after it made the link
			}
			continue
		}
		return p, rename(root, part, p, placing)
	}
	return "", share.Errorf(share.Disk, "there are too many files named like %q", name)
}

// rename gives a part file a name that is free, where the file system has no hard links. A
// file that is made at that name meanwhile is not replaced.
func rename(root *os.Root, part, to string, placing func(name string) error) error {
	reserved, err := root.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return share.Errorf(share.Disk, "making a file for the upload: %w", err)
	}
	before, err := reserved.Stat()
	if err = errors.Join(err, reserved.Close()); err != nil {
		return share.Errorf(share.Disk, "making a file for the upload: %w", err)
	}
	if err := placing(to); err != nil {
		return err
	}
	if now, err := root.Lstat(to); err != nil || !os.SameFile(before, now) || now.Size() > 0 {
		return share.Errorf(share.Disk, "another program uses %s", to)
	}
	if err := root.Rename(part, to); err != nil {
		return share.Errorf(share.Disk, "naming an upload: %w", err)
	}
	return nil
}
