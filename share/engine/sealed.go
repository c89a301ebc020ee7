package engine

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"hash"
	"io/fs"
	"os"
	"sync/atomic"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/seal"
	"github.com/shoalnet/shoal/share/storage"
)

// looksSealed tells whether content has the form of a sealed share.
func looksSealed(info *metainfo.Info) bool {
	return info.Sealed == nil && !info.Multi && seal.Fits(info.Name, info.Total, info.PieceLength)
}

// seal says who can read t.
func (t *transfer) seal() share.Seal {
	switch {
	case t.options.Sealed:
		return share.SealOpen
	case t.options.Blind:
		return share.SealBlind
	}
	return ""
}

// key is that of a sealed share, none of other content.
func (t *transfer) key() share.Secret {
	if t.making.made != nil {
		return t.making.secret
	}
	return t.secret
}

// sealSpec is what the storage of t needs besides the files.
func (lp *loop) sealSpec(t *transfer) storage.Seal {
	id := t.id
	if t.making.made != nil {
		id = t.making.made.Info.ID
	}
	return storage.Seal{
		Secret: t.key(), Tags: lp.torrents.tags(id),
		Forged: func(err error) {
			lp.told(func() {
				if t.opened() != nil && t.failure == nil {
					lp.fail(t, err)
					lp.reconcile(t)
				}
			})
		},
	}
}

// The files of a sealed share beside its .torrent file: the tags of its records, and
// its manifest, if its files are known.
func (dir torrents) tags(id share.ID) string     { return dir.beside(id, ".tags") }
func (dir torrents) manifest(id share.ID) string { return dir.beside(id, ".manifest") }

// head is the file with the first pieces of a sealed share, until the storage has them.
func (dir torrents) head(id share.ID) string { return dir.beside(id, ".head") }

// reveal gives a torrent the files of the sealed share that it is, if they are known.
func (dir torrents) reveal(id share.ID, tor *metainfo.Torrent) error {
	b, err := os.ReadFile(dir.manifest(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return share.Errorf(share.Disk, "reading the manifest of %s: %w", id.Short(), err)
	}
	tor.Info, err = reveal(tor.Info, b)
	return err
}

// reveal returns blob with the files of its manifest.
func reveal(blob *metainfo.Info, manifest []byte) (*metainfo.Info, error) {
	m, err := seal.ParseManifest(manifest)
	if err != nil {
		return nil, err
	}
	l, err := seal.NewLayout(int64(len(manifest)), m.Contents)
	if err != nil {
		return nil, err
	}
	if !looksSealed(blob) || !blob.HasV1() || l.Size() != blob.Total {
		return nil, share.Errorf(share.Refused, "the torrent %s is not one of a sealed share of %d bytes", blob.ID.Short(), l.Size())
	}
	h := metainfo.Holding{
		Manifest: manifest, Name: m.Entries[0].Name, Multi: m.Entries[0].Folder,
		First: l.Head().To * seal.DataSize, PieceLength: blob.PieceLength / seal.RecordSize * seal.DataSize, Total: l.Count() * seal.DataSize,
	}
	for i, e := range m.Entries {
		path := m.Path(i)[1:]
		switch {
		case !e.Folder:
			h.Files = append(h.Files, metainfo.HeldFile{Path: path, Length: e.Size, Exec: e.Mode&0o100 != 0})
		case i > 0 && (i+1 == len(m.Entries) || m.Entries[i+1].Parent != i):
			h.Folders = append(h.Folders, path)
		}
	}
	if len(h.Files) == 0 {
		return nil, share.Errorf(share.Refused, "the sealed share %s holds no files", blob.ID.Short())
	}
	return blob.Holding(h)
}

// manifestOf describes what was found for sharing, under another name.
func manifestOf(l *metainfo.Listing, name string) ([]byte, error) {
	m := &seal.Manifest{Entries: make([]seal.Entry, 0, len(l.Items))}
	above := make([]int, 0, 16) // the folder at each depth
	for i, item := range l.Items {
		depth := len(item.Path)
		e := seal.Entry{Parent: -1, Name: name, Folder: item.Folder, Mode: item.Mode, Time: item.Time}
		if depth > 0 {
			e.Parent, e.Name = above[depth-1], item.Path[depth-1]
		}
		if !item.Folder {
			e.Size = item.Size
		}
		above = append(above[:depth], i)
		m.Entries = append(m.Entries, e)
	}
	return m.Encode()
}

// sealed is a share that was just sealed.
type sealed struct {
	made   *metainfo.Made
	secret share.Secret
}

// seal seals and hashes what is at path, and puts the tags of its records where tags
// says. With a secret it is sealed with that, if the ID comes out as id.
func (w *worker) seal(ctx context.Context, path string, o metainfo.MakeOptions, tags string, id share.ID, secret share.Secret) (sealed, error) {
	l, err := metainfo.List(ctx, path, o)
	if err != nil {
		return sealed{}, err
	}
	manifest, err := manifestOf(l, o.Name)
	if err != nil {
		return sealed{}, err
	}
	if !secret.IsZero() {
		made, err := w.sealWith(ctx, l, manifest, o, tags, secret)
		if err != nil || made.Info.ID == id {
			return sealed{made, secret}, err
		}
		// Other content never gets the same key.
		if l, err = metainfo.List(ctx, path, o); err != nil {
			return sealed{}, err
		}
		if manifest, err = manifestOf(l, o.Name); err != nil {
			return sealed{}, err
		}
	}
	secret = seal.NewSecret()
	made, err := w.sealWith(ctx, l, manifest, o, tags, secret)
	return sealed{made, secret}, err
}

func (w *worker) sealWith(ctx context.Context, l *metainfo.Listing, manifest []byte, o metainfo.MakeOptions, tags string, secret share.Secret) (*metainfo.Made, error) {
	name, err := seal.Name(secret)
	if err != nil {
		return nil, err
	}
	s, err := seal.NewSealer(seal.Config{Secret: secret, Manifest: manifest}, nil)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(tags, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, share.Errorf(share.Disk, "keeping the tags of a sealed share: %w", err)
	}
	defer f.Close()
	var failed atomic.Pointer[error]
	keep := func(n int64, tag [seal.TagSize]byte) {
		if _, err := f.WriteAt(tag[:], n*seal.TagSize); err != nil {
			failed.CompareAndSwap(nil, &err)
		}
	}
	layout := s.Layout()
	made, err := l.Make(ctx, metainfo.Sealing{
		Name: name, Data: seal.DataSize, Record: seal.RecordSize, Head: layout.Head().To, Records: layout.Count(),
		PieceLength: o.PieceLength, Private: o.Private, Progress: o.Progress, Workers: o.Workers,
		Sum: func(first int64) metainfo.Summer {
			sum := sha1.New()
			return sealedSum{s.Stream(first, sum, keep), sum}
		},
	})
	if err != nil {
		return nil, err
	}
	if p := failed.Load(); p != nil {
		err = *p
	} else {
		err = f.Sync()
	}
	if err != nil {
		return nil, share.Errorf(share.Disk, "keeping the tags of a sealed share: %w", err)
	}
	if made.Info, err = reveal(made.Info, manifest); err != nil {
		return nil, err
	}
	return made, w.swarms.Check(made.Info.Bytes())
}

// sealedSum hashes the records that plaintext makes.
type sealedSum struct {
	*seal.Stream
	sum hash.Hash
}

func (s sealedSum) Sum(to []byte) []byte { return s.sum.Sum(to) }

// sameSealed is metainfo.Same for the torrent of a sealed share: its manifest says what
// was there.
func sameSealed(ctx context.Context, path string, o metainfo.MakeOptions, tor *metainfo.Torrent) (*metainfo.Made, error) {
	l, err := metainfo.List(ctx, path, o)
	if err != nil {
		return nil, err
	}
	manifest, err := manifestOf(l, o.Name)
	if err != nil {
		return nil, err
	}
	if tor.Info.Sealed == nil || !bytes.Equal(manifest, tor.Info.Sealed.Manifest) {
		return nil, share.Errorf(share.Failed, "what is at %s is not %s", path, tor.Info.ID.Short())
	}
	return l.Same(tor), nil
}

// alike finds a share of the same path that was sealed in the same way as t: one that
// is shared now and whose files are not known to have changed, or else one that has
// ended.
func (lp *loop) alike(t *transfer) (row, bool) {
	for _, o := range lp.transfers.byID {
		if o != t && o.kind == kindOwn && o.path == t.path && o.name == t.name && o.options.asMade(&t.options) &&
			o.removing == nil && o.failure == nil && o.fault() == nil && o.options.Damage == "" && t.options.Sealed {
			return o.row, true
		}
	}
	return lp.shelf.like(t)
}

// keepMade keeps what was made of a share: the .torrent file last, which says that the
// rest is there.
func (w *worker) keepMade(made *metainfo.Made, tags string) error {
	id := made.Info.ID
	if s := made.Info.Sealed; s != nil {
		if tags != "" {
			if err := os.Rename(tags, w.torrents.tags(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return share.Errorf(share.Disk, "keeping the tags of a sealed share: %w", err)
			}
		}
		if err := writeWhole(w.torrents.manifest(id), s.Manifest); err != nil {
			return share.Errorf(share.Disk, "keeping the manifest of %s: %w", id.Short(), err)
		}
	}
	return w.torrents.keep(id, made.Encode())
}
