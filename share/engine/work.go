package engine

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// worker does what jobs do outside the loop: it reads and writes disks and waits for
// swarms. It knows no transfer. Its methods may take long, and end with their
// context where that is given.
type worker struct {
	log      *slog.Logger
	store    *storage.Store
	ledger   *ledger
	torrents torrents
	swarms   face.Network
	mounts   *mounts
	readOnly bool // nothing is written, see Config.Look
}

// count is how far the hashing or copying of one transfer has come. It is safe for
// concurrent use.
type count struct{ done, all atomic.Int64 }

func (c *count) start(all int64) {
	c.done.Store(0)
	c.all.Store(all)
}

// accept reads the info dictionary of id that a peer sent, and keeps it. check may
// refuse it.
func (w *worker) accept(id share.ID, b []byte, check func(*metainfo.Info) error) (*metainfo.Info, error) {
	info, err := metainfo.ParseInfo(b)
	if err != nil {
		return nil, err
	}
	if !namesOf(info).has(id) {
		return nil, share.Errorf(share.Refused, "the content of %s is described for another version of BitTorrent than that of this ID", id.Short())
	}
	if err := w.swarms.Check(info.Bytes()); err != nil {
		return nil, share.Errorf(share.Refused, "the content of %s cannot be handled: %w", id.Short(), err)
	}
	if err := check(info); err != nil {
		return nil, err
	}
	return info, w.torrents.keep(id, (&metainfo.Torrent{Info: info}).Encode())
}

// hash reads and hashes what is at path. ended tells whether an ID is that of an
// ended share: what was recorded of its files is dropped, since they have changed.
func (w *worker) hash(ctx context.Context, path string, o metainfo.MakeOptions, ended func(share.ID) bool) (*metainfo.Made, error) {
	made, err := metainfo.Make(ctx, path, o)
	if err != nil {
		return nil, err
	}
	if id := made.Info.ID; ended(id) {
		if err := w.ledger.Delete(ctx, id); err != nil {
			return nil, err
		}
	}
	return made, w.swarms.Check(made.Info.Bytes())
}

// madeBefore returns the torrent of an ended share if what is at path now has the
// same names, sizes and marks, and its files were recorded when they were read; else
// nil. Only the storage tells whether the files have changed since.
func (w *worker) madeBefore(ctx context.Context, id share.ID, path string, o metainfo.MakeOptions) *metainfo.Made {
	tor, err := w.torrents.read(id)
	if err != nil {
		return nil
	}
	r, err := w.ledger.Load(ctx, id)
	if err != nil || r == nil || len(r.Progress) == 0 {
		return nil
	}
	same := metainfo.Same
	if tor.Info.Sealed != nil {
		same = sameSealed
	}
	made, err := same(ctx, path, o, tor)
	if err != nil {
		return nil
	}
	return made
}

// lostTorrent is the error for a .torrent file that is gone or damaged.
type lostTorrent struct{ error }

// opening is what open needs. spec has no Info.
type opening struct {
	id   share.ID
	at   string // a path on the file system of the files
	made *metainfo.Made
	tags string         // where those of made are, if it was just sealed
	info *metainfo.Info // nil where it has to be read
	spec storage.Spec
	// wanted tells which files of a sealed share are.
	wanted func(file int) bool
	// heard is called when the storage has something to tell.
	heard func(*metainfo.Info, storage.Event)
}

// open opens the storage of a transfer. It waits while too many others wait for the
// same file system.
func (w *worker) open(ctx context.Context, o opening) (*metainfo.Torrent, *storage.Transfer, error) {
	leave, err := w.mounts.enter(ctx, o.at)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	tor := &metainfo.Torrent{Info: o.info}
	switch {
	case o.made != nil:
		tor = o.made.Torrent
		if err := w.keepMade(o.made, o.tags); err != nil {
			return nil, nil, err
		}
	case o.info == nil || o.info.HasV2(): // of which there may be piece layers
		if tor, err = w.torrents.read(o.id); err != nil {
			return nil, nil, lostTorrent{err}
		}
	}
	if tor.Info.Sealed == nil && !o.spec.Seal.Secret.IsZero() {
		return nil, nil, lostTorrent{share.Errorf(share.Disk, "the manifest of the sealed share %s is lost", o.id.Short())}
	}
	if o.spec.Own == nil && !w.readOnly {
		if err := os.MkdirAll(o.spec.Dir, 0o777); err != nil {
			w.log.Debug("making the folder of a transfer", "path", o.spec.Dir, "error", err) // the storage reports it
		}
	}
	o.spec.Info, o.spec.Layers = tor.Info, tor.Layers
	if o.made == nil {
		o.spec.Info = under(o.id, tor.Info)
	}
	o.spec.Notify = func(ev storage.Event) { o.heard(tor.Info, ev) }
	files, err := w.store.Open(ctx, o.spec)
	if err == nil && tor.Info.Sealed != nil && o.spec.Own == nil && !w.readOnly {
		if err := w.takeHead(ctx, o.id, tor.Info, files, o.wanted); err != nil { // it comes again
			w.log.Debug("taking over the first pieces", "id", o.id.Short(), "error", err)
		}
	}
	return tor, files, err
}

// attach makes content available to peers, and tells the swarm what is wanted.
func (w *worker) attach(c face.Content, p *plan, webSeeds []string) (face.Swarm, error) {
	net, err := w.swarms.Attach(c)
	if err != nil {
		return nil, err
	}
	p.attach(net)
	p.apply()
	if !c.ReadOnly {
		net.AddWebSeeds(webSeeds)
	}
	return net, nil
}

// check hashes all pieces that are not known to be right, after first has changed
// which these are. first may be nil.
func (w *worker) check(ctx context.Context, info *metainfo.Info, files *storage.Transfer, first func(context.Context) error, c *count) error {
	if first != nil {
		if err := first(ctx); err != nil {
			return err
		}
	}
	pieces, size := unknownPieces(info, files)
	for _, p := range files.Doubtful() {
		pieces = append(pieces, p)
		size += info.PieceSize(p)
	}
	c.all.Store(size)
	if err := hashThese(ctx, info, files, pieces, c); err != nil {
		return err
	}
	return files.Flush(ctx)
}

// prove hashes the pieces that are in doubt.
func (w *worker) prove(ctx context.Context, info *metainfo.Info, files *storage.Transfer, c *count) error {
	pieces := files.Doubtful()
	for _, p := range pieces {
		c.all.Add(info.PieceSize(p))
	}
	if err := hashThese(ctx, info, files, pieces, c); err != nil {
		return err
	}
	return files.Flush(ctx)
}

// unknownPieces lists the pieces of which it is not known whether they are right.
func unknownPieces(info *metainfo.Info, files *storage.Transfer) (pieces []int, size int64) {
	for i := range info.NumPieces {
		if known, _ := files.Completion(i); !known {
			pieces = append(pieces, i)
			size += info.PieceSize(i)
		}
	}
	return pieces, size
}

// hashThese hashes pieces on all cores.
func hashThese(ctx context.Context, info *metainfo.Info, files *storage.Transfer, pieces []int, c *count) error {
	var next atomic.Int64
	var workers errgroup.Group
	for range min(runtime.NumCPU(), len(pieces)) {
		workers.Go(func() error {
			for {
				k := int(next.Add(1) - 1)
				if k >= len(pieces) {
					return nil
				}
				if _, err := files.HashPiece(ctx, pieces[k]); err != nil {
					return err
				}
				c.done.Add(info.PieceSize(pieces[k]))
			}
		})
	}
	return workers.Wait()
}

// fate is what becomes of the files of a transfer that ends.
type fate int

const (
	keepFiles   fate = iota // all stay as they are
	leaveFiles              // unfinished ones are left to a later fetch
	deleteFiles             // what was fetched is deleted
)

// giveUp closes the files of a transfer and deletes what is to be deleted. It returns
// the files that stay although they were to go. files may be nil: then the storage is
// opened where that is needed and known says that there is a torrent.
func (w *worker) giveUp(ctx context.Context, id share.ID, spec storage.Spec, files *storage.Transfer, how fate, known bool) ([]share.Kept, error) {
	if files == nil {
		if how == keepFiles || spec.Own != nil || !known {
			return nil, nil
		}
		tor, err := w.torrents.read(id)
		if err == nil {
			if tor.Info.Sealed == nil && !spec.Seal.Secret.IsZero() {
				return nil, nil // nothing was fetched without the manifest
			}
			spec.Info, spec.Layers = under(id, tor.Info), tor.Layers
			files, err = w.store.Open(ctx, spec)
		}
		switch {
		case err != nil && how == leaveFiles:
			w.log.Debug("looking for unfinished files", "id", id.Short(), "error", err)
			return nil, nil // no later fetch will find them either
		case err != nil:
			return nil, err
		}
	}
	if spec.Own == nil && how != keepFiles {
		return files.Remove(ctx, how == deleteFiles)
	}
	return nil, files.Close(ctx)
}

// restart drops what is known of the files of a fetch, which is to begin again in
// another folder. With wipe it deletes what was begun at from.
func (w *worker) restart(ctx context.Context, id share.ID, from string, sealed storage.Seal, wipe bool) error {
	if wipe {
		if _, err := w.giveUp(ctx, id, storage.Spec{Dir: filepath.Dir(from), Seal: sealed}, nil, deleteFiles, true); err != nil {
			w.log.Warn("what was begun in another folder stays", "id", id.Short(), "error", err)
		}
	}
	if err := w.ledger.Delete(ctx, id); err != nil {
		return share.Errorf(share.Disk, "fetching into another folder: %w", err)
	}
	return nil
}

// isLost tells whether err is that of a lost .torrent file.
func isLost(err error) bool {
	var lost lostTorrent
	return errors.As(err, &lost)
}
