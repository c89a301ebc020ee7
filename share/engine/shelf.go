package engine

import (
	"cmp"
	"context"
	"slices"

	"github.com/shoalnet/shoal/share"
)

// shelf remembers shares that have ended. Their torrents and ledger records stay, so that
// sharing them again does not read files that have not changed. They are not served,
// announced or listed. It is owned by the loop.
type shelf struct {
	rows  map[share.ID]row
	most  int   // rows
	bytes int64 // on disk, roughly
}

const (
	maxShelved      = 1000
	maxShelvedBytes = 256 << 20
)

func (s *shelf) add(r row)        { s.rows[r.id] = r }
func (s *shelf) drop(id share.ID) { delete(s.rows, id) }

// cost is roughly the bytes on disk for a row: hashes once, and names twice.
func (r *row) cost() int64 {
	length := cmp.Or(r.options.PieceLength, max(16<<10, min(16<<20, r.size/2000)))
	return 4096 + 25*(r.size/length) + 300*int64(r.files)
}

// excess lists the oldest, as far as there are too many.
func (s *shelf) excess() (over []share.ID) {
	var all []row
	var total int64
	for _, r := range s.rows {
		all = append(all, r)
		total += r.cost()
	}
	slices.SortFunc(all, func(a, b row) int {
		return cmp.Or(a.completed.Compare(b.completed), slices.Compare(a.id[:], b.id[:]))
	})
	for len(all) > 0 && (len(all) > s.most || total > s.bytes) {
		over = append(over, all[0].id)
		total -= all[0].cost()
		all = all[1:]
	}
	return over
}

// like finds the latest that was shared in the same way as t.
func (s *shelf) like(t *transfer) (found row, ok bool) {
	for _, r := range s.rows {
		if r.path == t.path && r.name == t.name && r.options.asMade(&t.options) && (!ok || r.completed.After(found.completed)) {
			found, ok = r, true
		}
	}
	return found, ok
}

// asMade tells whether the same files make the same torrent with both options.
func (o *options) asMade(p *options) bool {
	return o.PieceLength == p.PieceLength && o.FollowSymlinks == p.FollowSymlinks && o.Private == p.Private &&
		o.Hybrid == p.Hybrid && o.Sealed == p.Sealed && slices.Equal(o.Exclude, p.Exclude)
}

// shelve puts a share that has no owner any more on the shelf. Its files are closed. The
// channel gets the result when it would survive a power cut.
func (lp *loop) shelve(t *transfer) <-chan error {
	r := t.row
	r.kind, r.completed = kindEnded, lp.now().Round(0)
	// Versions without a shelf see a paused share.
	r.options.Owners, r.options.Paused, r.options.Reason = nil, true, ""
	lp.shelf.add(r)
	saved := lp.state.putNow(r)
	for _, id := range lp.shelf.excess() {
		lp.shelf.drop(id)
		gone := lp.state.remove(id, false)
		lp.box.run(func(context.Context) func() {
			err := <-gone
			if err == nil {
				err = lp.torrents.remove(id)
			}
			if err != nil {
				lp.log.Warn("removing what is kept of an ended share", "id", id.Short(), "error", err)
			}
			return nil
		})
	}
	return saved
}

// unshelve removes what is kept of an ended share, if there is any.
func (e *Engine) unshelve(ctx context.Context, id share.ID) error {
	var gone <-chan error
	e.call(func(lp *loop) {
		if _, ok := lp.shelf.rows[id]; ok {
			lp.shelf.drop(id)
			gone = lp.state.remove(id, false)
		}
	})
	if gone == nil {
		return nil
	}
	select {
	case err := <-gone:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return share.Errorf(share.Interrupted, "removing what is kept of an ended share: %w", context.Cause(ctx))
	case <-e.box.closed:
		return stopped()
	}
	return e.torrents.remove(id)
}

// hasEnded tells whether id is that of an ended share. It is called outside the loop.
func (lp *loop) hasEnded(id share.ID) (ended bool) {
	lp.box.call(func() { _, ended = lp.shelf.rows[id] })
	return ended
}

// unmake drops the torrent of an ended share from t, whose files have changed: they are
// hashed.
func (lp *loop) unmake(t *transfer) {
	lp.transfers.unhash(t.making.made.Info.ID)
	t.info, t.making = nil, making{afresh: true, parked: t.making.parked}
}
