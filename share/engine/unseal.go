package engine

import (
	"context"
	"crypto/sha1"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/seal"
	"github.com/shoalnet/shoal/share/storage"
)

// A blob whose key becomes known stays where it is, under a ledger record of its own,
// until the files in it are written. The storage so knows which of it is right, and
// deletes it only if it made it and nobody has changed it since.

// blobKey is the key of that record.
func blobKey(id share.ID) share.ID { return sha1.Sum(append([]byte("blob of "), id[:]...)) }

// keepBlob puts the record of a blob aside. It reports false if that was done before.
func (w *worker) keepBlob(ctx context.Context, id share.ID) (kept bool, err error) {
	err = func() error {
		old, err := w.ledger.Load(ctx, blobKey(id))
		if err != nil || old != nil {
			return err
		}
		r, err := w.ledger.Load(ctx, id)
		if err != nil || r == nil {
			return err
		}
		tor, err := w.torrents.read(id)
		if err != nil {
			return nil // peers are asked for all of it again
		}
		moved, err := storage.Rekey(*r, under(id, tor.Info), blobKey(id))
		if err != nil {
			return err
		}
		if err := w.ledger.Save(ctx, []storage.Record{moved}); err != nil {
			return err
		}
		kept = true
		return w.ledger.Delete(ctx, id)
	}()
	if err != nil {
		return kept, share.Errorf(share.Disk, "opening a sealed share that is here: %w", err)
	}
	return kept, nil
}

// openBlob opens the blob of id that is in dir.
func (w *worker) openBlob(ctx context.Context, id share.ID, blob *metainfo.Info, dir string) (*storage.Transfer, error) {
	return w.store.Open(ctx, storage.Spec{Info: under(blobKey(id), blob), Dir: dir})
}

// manifestIn gets the manifest out of a blob, and keeps it.
func (w *worker) manifestIn(ctx context.Context, id share.ID, blob *metainfo.Info, secret share.Secret, dir string) (*metainfo.Info, error) {
	files, err := w.openBlob(ctx, id, blob, dir)
	if err != nil {
		return nil, err
	}
	defer files.Close(context.WithoutCancel(ctx))
	o, err := seal.NewOpener(secret, files, blob.Total, nil)
	if err != nil {
		return nil, err
	}
	info, err := reveal(blob, o.Bytes)
	if err != nil {
		return nil, err
	}
	return info, writeWhole(w.torrents.manifest(id), o.Bytes)
}

// takeBlob writes the wanted pieces out of the blob in dir, as far as they are right
// there. It returns how many.
func (w *worker) takeBlob(ctx context.Context, id share.ID, info *metainfo.Info, files *storage.Transfer, dir string, wanted []storage.Span, c *count) (n int, err error) {
	blob, err := w.openBlob(ctx, id, info.Sealed.Blob, dir)
	if err != nil {
		return 0, err
	}
	defer blob.Close(context.WithoutCancel(ctx))
	buf := make([]byte, info.Sealed.Blob.PieceLength)
	for _, s := range wanted {
		for i := s.From; i < s.To; i++ {
			if ctx.Err() != nil {
				return n, ctx.Err()
			}
			c.done.Add(info.PieceSize(i))
			if _, complete := files.Completion(i); complete {
				continue
			}
			if known, _ := blob.Completion(i); !known {
				_, _ = blob.HashPiece(ctx, i) // if it cannot be read, it is fetched
			}
			p, off := buf[:info.Sealed.Blob.PieceSize(i)], int64(i)*info.Sealed.Blob.PieceLength
			if m, _ := blob.ReadAt(p, off); m < len(p) {
				continue
			}
			if _, err := files.Sealed().WriteAt(p, off); err != nil {
				return n, err
			}
			if err := files.Sealed().MarkComplete(i); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, files.Flush(ctx)
}

// leaveBlob forgets the blob of id in dir, and with data deletes it.
func (w *worker) leaveBlob(ctx context.Context, id share.ID, dir string, data bool) ([]share.Kept, error) {
	if data {
		return w.dropBlob(ctx, id, dir)
	}
	return nil, w.ledger.Delete(ctx, blobKey(id))
}

// startUnseal writes the wanted files of t out of its blob.
func (lp *loop) startUnseal(t *transfer, wanted []storage.Span) {
	o, id, info, dir := t.opened(), t.id, t.info, t.options.Blob
	lp.start(t, jobCopy, func(ctx context.Context) func() {
		n, err := lp.work.takeBlob(ctx, id, info, o.files, dir, wanted, &t.count)
		return func() {
			if t.opened() != o || ctx.Err() != nil {
				return
			}
			if err != nil {
				lp.events.note(t, "reading the blob: %v", err)
				if share.KindOf(err) == share.Disk && o.files.Fault() != nil {
					return // when that is over, it goes on
				}
			}
			lp.events.note(t, "%d of the pieces were in the blob", n)
			t.options.Unseal = false
			lp.save(t)
			lp.checkProgress(t)
		}
	})
}

// dropBlob deletes the blob of id in dir, unless it is not the transfer's own or was
// changed, and forgets it.
func (w *worker) dropBlob(ctx context.Context, id share.ID, dir string) ([]share.Kept, error) {
	tor, err := w.torrents.read(id)
	if err != nil {
		return nil, err
	}
	blob := tor.Info
	if blob.Sealed != nil {
		blob = blob.Sealed.Blob
	}
	files, err := w.openBlob(ctx, id, blob, dir)
	if err != nil {
		return nil, err
	}
	return files.Remove(ctx, true)
}

// spentBlob is the folder of the blob out of which all files of t were written; empty if
// there is none.
func (lp *loop) spentBlob(t *transfer) string {
	if t.size != t.total || lp.cfg.Look {
		return ""
	}
	return t.options.Blob
}

// blobGone deletes a blob. It reports false if that may succeed another time.
func (lp *loop) blobGone(ctx context.Context, id share.ID, dir string) bool {
	kept, err := lp.work.dropBlob(ctx, id, dir)
	if err != nil {
		lp.log.Warn("the blob of a sealed share stays, though its files are complete", "id", id.Short(), "error", err)
		return false
	}
	for _, k := range kept {
		lp.log.Info("the blob of a sealed share stays", "id", id.Short(), "path", k.Path, "reason", k.Reason)
	}
	return true
}

// dropBlob has a blob deleted that was left when the node ended.
func (lp *loop) dropBlob(t *transfer) {
	id, dir := t.id, lp.spentBlob(t)
	if dir == "" {
		return
	}
	lp.box.run(func(ctx context.Context) func() {
		gone := lp.blobGone(ctx, id, dir)
		return func() {
			if gone && t.options.Blob == dir {
				t.options.Blob = ""
				lp.save(t)
			}
		}
	})
}
