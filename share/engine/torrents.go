package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// torrents is the folder with a .torrent file of each transfer whose info dictionary is
// known.
type torrents string

func (dir torrents) path(id share.ID) string {
	return dir.beside(id, ".torrent")
}

// beside is another file of id.
func (dir torrents) beside(id share.ID, ending string) string {
	return filepath.Join(string(dir), id.String()+ending)
}

// read reads the file of id. Of a sealed share it has the files, if they are known.
func (dir torrents) read(id share.ID) (*metainfo.Torrent, error) {
	b, err := os.ReadFile(dir.path(id))
	if err != nil {
		return nil, share.Errorf(share.Disk, "reading the torrent of %s: %w", id.Short(), err)
	}
	tor, err := metainfo.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("reading the torrent of %s: %w", id.Short(), err)
	}
	if !namesOf(tor.Info).has(id) {
		return nil, share.Errorf(share.Disk, "the torrent of %s has the content of %s", id.Short(), tor.Info.ID.Short())
	}
	return tor, dir.reveal(id, tor)
}

// keep writes the file of id, whole or not at all.
func (dir torrents) keep(id share.ID, data []byte) error {
	if err := writeWhole(dir.path(id), data); err != nil {
		return share.Errorf(share.Disk, "keeping the torrent of %s: %w", id.Short(), err)
	}
	return nil
}

// remove deletes the files of id, which need not be there.
func (dir torrents) remove(id share.ID) error {
	for _, name := range []string{dir.path(id), dir.manifest(id), dir.tags(id), dir.head(id)} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return share.Errorf(share.Disk, "removing the torrent of %s: %w", id.Short(), err)
		}
	}
	return nil
}

// writeWhole writes a file whole or not at all. It survives a power cut once its folder is
// synced.
func writeWhole(name string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)[:8]+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
