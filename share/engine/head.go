package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/flow"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/seal"
	"github.com/shoalnet/shoal/share/storage"
)

// asking is who is asked for what has to be known before the files of a transfer are:
// the info dictionary, and the manifest of a sealed share. It is safe for concurrent
// use.
type asking struct {
	mu    sync.Mutex
	to    interface{ AddPeers([]face.Peer) } // nil in between
	peers []face.Peer
}

// mostAsked bounds the peers that are told to the next who asks.
const mostAsked = 1000

// AddPeers has these asked, too.
func (a *asking) AddPeers(p []face.Peer) {
	a.mu.Lock()
	a.peers = append(a.peers, p[:min(len(p), max(0, mostAsked-len(a.peers)))]...)
	to := a.to
	a.mu.Unlock()
	if to != nil {
		to.AddPeers(p)
	}
}

// pass has the peers so far, and those to come, told to another; nil is nobody.
func (a *asking) pass(to interface{ AddPeers([]face.Peer) }) {
	a.mu.Lock()
	a.to = to
	a.mu.Unlock()
	a.again()
}

// again tells the peers so far once more.
func (a *asking) again() {
	a.mu.Lock()
	to, peers := a.to, append([]face.Peer(nil), a.peers...)
	a.mu.Unlock()
	if to != nil && len(peers) > 0 {
		to.AddPeers(peers)
	}
}

// headStore is the first pieces of a blob, as long as it is not known what is in it. It
// keeps them as they are, in a file beside the .torrent file: the storage takes them
// over when it is opened.
type headStore struct {
	info    *metainfo.Info
	file    *os.File
	arrived chan struct{} // with room for one

	mu    sync.Mutex
	right map[int]bool
}

// errNotYet is the error for a piece of a headStore that has not come.
type errNotYet struct{ piece int }

func (e errNotYet) Error() string { return fmt.Sprintf("piece %d has not come yet", e.piece) }

// openHead opens the file, and finds out what is in it.
func openHead(ctx context.Context, name string, info *metainfo.Info) (*headStore, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	h := &headStore{info: info, file: f, arrived: make(chan struct{}, 1), right: make(map[int]bool)}
	if err := h.check(ctx); err != nil {
		f.Close()
		return nil, err
	}
	return h, nil
}

// check hashes what is in the file, which ends behind the last piece that came.
func (h *headStore) check(ctx context.Context) error {
	fi, err := h.file.Stat()
	if err != nil {
		return err
	}
	for i := range h.info.NumPieces {
		if fi.Size() < int64(i)*h.info.PieceLength+h.info.PieceSize(i) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		sum := h.info.NewSum(i, nil)
		if _, err := h.CopyPiece(i, h.info.PieceSize(i), sum); err == nil && sum.Verdict() == metainfo.Right {
			h.right[i] = true
		}
	}
	return nil
}

func (h *headStore) has(i int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.right[i]
}

// ReadAt reads pieces that are right.
func (h *headStore) ReadAt(p []byte, off int64) (int, error) {
	for i := off / h.info.PieceLength; i*h.info.PieceLength < off+int64(len(p)); i++ {
		if !h.has(int(i)) {
			return 0, errNotYet{int(i)}
		}
	}
	return h.file.ReadAt(p, off)
}

func (h *headStore) WriteAt(p []byte, off int64) (int, error) { return h.file.WriteAt(p, off) }

func (h *headStore) CopyPiece(i int, n int64, w io.Writer) (int64, error) {
	return io.Copy(w, io.NewSectionReader(h.file, int64(i)*h.info.PieceLength, n))
}

func (h *headStore) Completion(i int) (known, complete bool) { return true, h.has(i) }

func (h *headStore) MarkComplete(i int) error {
	h.mu.Lock()
	h.right[i] = true
	h.mu.Unlock()
	select {
	case h.arrived <- struct{}{}:
	default:
	}
	return nil
}

func (h *headStore) MarkNotComplete(i int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.right, i)
	return nil
}

// manifest gets the manifest of a sealed share from peers, and keeps it. It goes on
// until a peer has sent it.
func (w *worker) manifest(ctx context.Context, id share.ID, blob *metainfo.Info, secret share.Secret, ask *asking, c face.Content) ([]byte, error) {
	if name, err := seal.Name(secret); err != nil || !looksSealed(blob) || blob.Name != name || !blob.HasV1() {
		return nil, share.Errorf(share.Refused, "the key in the link does not belong to the content of %s", id.Short())
	}
	head, err := openHead(ctx, w.torrents.head(id), blob)
	if err != nil {
		return nil, share.Errorf(share.Disk, "keeping the first pieces of %s: %w", id.Short(), err)
	}
	defer head.file.Close()
	var net face.Swarm
	defer func() {
		if net != nil {
			ask.pass(nil)
			net.Detach()
		}
	}()
	told := make(map[int]bool)
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		o, err := seal.NewOpener(secret, head, blob.Total, nil)
		if err == nil {
			if _, err := reveal(blob, o.Bytes); err != nil {
				return nil, err
			}
			if err := writeWhole(w.torrents.manifest(id), o.Bytes); err != nil {
				return nil, share.Errorf(share.Disk, "keeping the manifest of %s: %w", id.Short(), err)
			}
			return o.Bytes, nil
		}
		missing, ok := errors.AsType[errNotYet](err)
		if !ok {
			if errors.Is(err, seal.ErrForged) {
				err = share.Errorf(share.Refused, "the content of %s was not sealed with the key in the link: %w", id.Short(), err)
			}
			return nil, err
		}
		if net == nil {
			c.ID, c.Info, c.Storage = id, blob.Bytes(), head
			if net, err = w.swarms.Attach(c); err != nil {
				return nil, err
			}
			ask.pass(net)
		}
		last := missing.piece
		if last > 0 { // the manifest is longer than a piece
			var rec [seal.RecordSize]byte
			if _, err := head.ReadAt(rec[:], 0); err != nil {
				return nil, err
			}
			all, err := seal.HeadOf(secret, &rec, blob.Total)
			if err != nil {
				return nil, err
			}
			last = int((all.To - 1) * seal.RecordSize / blob.PieceLength)
		}
		for i := missing.piece; i <= last; i++ {
			if !told[i] {
				told[i] = true
				net.SetPriorities(face.Change{From: i, To: i + 1, Was: face.Never, Is: face.Now})
			}
		}
		select {
		case <-head.arrived:
		case <-again.C:
			net.Retry()
			ask.again()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// askAgain is when peers are called again that did not answer.
const askAgain = 30 * time.Second

// takeHead puts what came with the manifest into the files, as far as they are wanted.
func (w *worker) takeHead(ctx context.Context, id share.ID, info *metainfo.Info, files *storage.Transfer, wanted func(file int) bool) error {
	blob := info.Sealed.Blob
	name := w.torrents.head(id)
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	head, err := openHead(ctx, name, blob)
	if err != nil {
		return err
	}
	defer func() {
		head.file.Close()
		os.Remove(name)
	}()
	s := files.Sealed()
	buf := make([]byte, blob.PieceLength)
	for i := range head.right {
		if _, complete := s.Completion(i); complete || !holdsWanted(info, i, wanted) {
			continue
		}
		p, off := buf[:blob.PieceSize(i)], int64(i)*blob.PieceLength
		if _, err := head.file.ReadAt(p, off); err != nil {
			return err
		}
		if _, err := s.WriteAt(p, off); err != nil {
			return err
		}
		if err := s.MarkComplete(i); err != nil {
			return err
		}
	}
	return nil
}

// holdsWanted tells whether piece i has a byte of a wanted file.
func holdsWanted(info *metainfo.Info, i int, wanted func(file int) bool) bool {
	from := int64(i) * info.PieceLength
	to := from + info.PieceSize(i)
	for k := range info.Files {
		if f := &info.Files[k]; f.Offset < to && f.Offset+f.Length > from && f.Length > 0 && wanted(k) {
			return true
		}
	}
	return false
}

// startAskSealed gets the info dictionary and then the manifest of t, a sealed share
// whose key is known.
func (lp *loop) startAskSealed(t *transfer) {
	id, names, secret := t.id, t.names(), t.secret
	down, up := t.limits.buckets(t.options.Limits)
	content := face.Content{Down: lp.ahead.limit(t, down, lp.down), Up: flow.Throttle{Own: up, Node: lp.up}}
	most, only, blobDir := t.options.MaxSize, t.options.Only, t.options.Blob
	ask := &asking{}
	t.peers.asking = ask
	t.peers.search = search{}
	if t.peers.book != nil {
		ask.AddPeers(t.peers.book.peers())
	}
	lp.start(t, jobAsk, func(ctx context.Context) func() {
		info, err := lp.work.askSealed(ctx, id, names, secret, blobDir, ask, content)
		if err == nil {
			err = errors.Join(checkSize(info, most), checkOnly(info, only))
		}
		return func() {
			t.peers.asking = nil
			if ctx.Err() != nil || errors.Is(err, errUnasked) {
				return
			}
			if err == nil {
				err = lp.name(t, namesOf(info))
			}
			if err != nil {
				lp.fail(t, err)
				return
			}
			lp.learn(t, info)
			lp.discovery.again(t)
		}
	})
}

// errUnasked means that asking for the info dictionary has ended without an answer.
var errUnasked = errors.New("the asking has ended")

// askSealed returns the description of a sealed share with its files. blobDir is where
// some of its blob is, if that is not empty.
func (w *worker) askSealed(ctx context.Context, id share.ID, n names, secret share.Secret, blobDir string, ask *asking, c face.Content) (*metainfo.Info, error) {
	var blob *metainfo.Info
	if tor, err := w.torrents.read(id); err == nil {
		if tor.Info.Sealed != nil {
			return tor.Info, nil
		}
		blob = tor.Info
	} else {
		learning, err := w.swarms.Learn(n.ids(), n.fits)
		if err != nil {
			return nil, err
		}
		ask.pass(learning)
		b, err := learning.Info(ctx)
		ask.pass(nil)
		if err != nil {
			return nil, errors.Join(errUnasked, err)
		}
		if blob, err = w.accept(id, b, func(*metainfo.Info) error { return nil }); err != nil {
			learning.End()
			return nil, err
		}
	}
	if blobDir != "" {
		info, err := w.manifestIn(ctx, id, blob, secret, blobDir)
		if err == nil {
			return info, nil
		}
		w.log.Debug("reading the manifest of a blob", "id", id.Short(), "error", err)
	}
	manifest, err := w.manifest(ctx, id, blob, secret, ask, c)
	if err != nil {
		return nil, err
	}
	return reveal(blob, manifest)
}
