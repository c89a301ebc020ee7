package engine

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// infoOf returns the info dictionary of a transfer, from memory or from disk.
func (e *Engine) infoOf(id share.ID) (*metainfo.Info, error) {
	var info *metainfo.Info
	known := false
	err := e.on(id, func(lp *loop, t *transfer) error {
		id, info, known = t.id, t.info, t.known()
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case info != nil:
		return info, nil
	case !known:
		return nil, share.Errorf(share.Failed, "the files of %s are not known yet", id.Short())
	}
	tor, err := e.torrents.read(id)
	if err != nil {
		return nil, err
	}
	return tor.Info, nil
}

// awakeParts is what can be used of a transfer outside the loop.
type awakeParts struct {
	known bool
	done  bool
	prio  map[int]share.Priority
	files *storage.Transfer
	net   face.Swarm
	own   bool
}

func (e *Engine) parts(id share.ID) (p awakeParts, err error) {
	err = e.on(id, func(lp *loop, t *transfer) error {
		p = awakeParts{known: t.known(), done: t.done, prio: t.options.Priorities, own: t.own()}
		if o := t.opened(); o != nil {
			p.files = o.files
		}
		if l := t.live(); l != nil {
			p.net = l.net
		}
		return nil
	})
	return p, err
}

// Files lists the files of a transfer; none until they are known.
func (e *Engine) Files(id share.ID) ([]share.File, error) {
	p, err := e.parts(id)
	if err != nil || !p.known {
		return nil, err
	}
	info, err := e.infoOf(id)
	if err != nil {
		return nil, err
	}
	var have []int64
	if p.files != nil {
		have = p.files.FileBytes()
	}
	out := listFiles(info, p.prio, func(i int) int64 {
		switch {
		case have != nil:
			return have[i]
		case p.done && p.prio[i] != share.Skip:
			return info.Files[i].Length
		}
		return 0
	})
	nameFiles(out, info, p)
	return out, nil
}

// nameFiles fills in the name of a file on disk where it differs from that in the torrent;
// for a share, the name that it will have on Windows.
func nameFiles(files []share.File, info *metainfo.Info, p awakeParts) {
	for i := range files {
		f := &files[i]
		if p.own {
			elements := slices.Clone(info.Files[f.Index].Path)
			for j, e := range elements {
				elements[j] = metainfo.WindowsName(e)
			}
			if w := strings.Join(elements, "/"); w != f.Path {
				f.Windows = w
			}
			continue
		}
		if p.files == nil {
			continue
		}
		disk := filepath.Base(p.files.FilePath(f.Index))
		if info.Multi {
			rel, err := filepath.Rel(p.files.Path(), p.files.FilePath(f.Index))
			if err != nil {
				continue
			}
			disk = filepath.ToSlash(rel)
		}
		if disk != f.Path {
			f.Disk = disk
		}
	}
}

// Pieces returns the state of every piece; State is empty while unknown.
func (e *Engine) Pieces(id share.ID) (share.Pieces, error) {
	p, err := e.parts(id)
	if err != nil || !p.known {
		return share.Pieces{}, err
	}
	info, err := e.infoOf(id)
	if err != nil {
		return share.Pieces{}, err
	}
	out := share.Pieces{Length: info.PieceLength, State: make([]byte, info.NumPieces)}
	wanted := make([]bool, info.NumPieces)
	for i := range info.Files {
		if f := &info.Files[i]; !f.Pad && p.prio[i] != share.Skip {
			from, to := piecesOf(info, f)
			for j := from; j < to; j++ {
				wanted[j] = true
			}
		}
	}
	for j, w := range wanted {
		switch {
		case !w:
			out.State[j] = share.PieceSkipped
		case p.done && p.files == nil:
			out.State[j] = share.PieceComplete
		}
	}
	if p.files != nil {
		for _, s := range p.files.DurablePieces() {
			for j := s.From; j < s.To; j++ {
				out.State[j] = share.PieceComplete
			}
		}
	}
	if p.net != nil {
		for j, is := range p.net.Pieces() {
			switch {
			case is == face.Checking:
				out.State[j] = share.PieceChecking
			case is == face.Begun && out.State[j] == share.PieceMissing:
				out.State[j] = share.PiecePartial
			}
		}
	}
	return out, nil
}

// Peers lists the connected peers of a transfer.
func (e *Engine) Peers(id share.ID) ([]share.Peer, error) {
	p, err := e.parts(id)
	if err != nil || p.net == nil {
		return nil, err
	}
	return p.net.Peers(), nil
}

// LinkChanged tells the engine that Config.WebSeeds has changed for a transfer.
func (e *Engine) LinkChanged(id share.ID) error {
	return e.on(id, func(lp *loop, t *transfer) error {
		lp.events.tell(t, share.EventChanged, share.Text{})
		return nil
	})
}

// Torrent returns the .torrent file of a transfer whose metadata is known,
// without trackers.
func (e *Engine) Torrent(id share.ID) ([]byte, error) {
	info, err := e.infoOf(id)
	if err != nil {
		return nil, err
	}
	tor := &metainfo.Torrent{Info: info}
	if info.HasV2() {
		// Its piece layers are not in the info dictionary.
		if kept, err := e.torrents.read(id); err == nil {
			tor = kept.Content()
		}
	}
	if e.cfg.WebSeeds == nil {
		return tor.Encode(), nil
	}
	err = e.on(id, func(_ *loop, t *transfer) error {
		tor.WebSeeds = e.cfg.WebSeeds(t.id, t.added)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return tor.Encode(), nil
}

// Stats returns the figures of the node.
func (e *Engine) Stats() (s share.Stats) {
	all := e.intake.with(e.swarms.Figures())
	if !e.call(func(lp *loop) { s = lp.totals.stats(lp.transfers.byID, all) }) {
		s = (&totals{}).stats(nil, all)
	}
	return s
}
