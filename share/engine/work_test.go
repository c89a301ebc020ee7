package engine

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// anyContent is a network that can handle everything.
type anyContent struct{ face.Network }

func (anyContent) Check([]byte) error { return nil }

// newWorker makes a worker without an engine, and a share of one folder.
func newWorker(t *testing.T) (w *worker, dir string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	kept := &ledger{db: db}
	store, err := storage.New(storage.Config{Ledger: kept})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		_ = store.Run(ctx)
		close(ended)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	dir = filepath.Join(t.TempDir(), "folder")
	makeFiles(t, dir, map[string]int{"a": 100_000, "b": 70_000})
	return &worker{
		log: slog.New(slog.DiscardHandler), store: store, ledger: kept, torrents: torrents(t.TempDir()),
		swarms: anyContent{}, mounts: new(mounts),
	}, dir
}

func never(share.ID) bool { return false }

// A share is hashed, opened with its torrent kept, and closed; the next time its
// torrent is made of what was kept.
func TestWorkerOnAShare(t *testing.T) {
	w, dir := newWorker(t)
	made, err := w.hash(t.Context(), dir, metainfo.MakeOptions{}, never)
	if err != nil {
		t.Fatal(err)
	}
	x := &transfer{row: row{kind: kindOwn, path: dir}, making: making{made: made}}
	o := opening{
		id: made.Info.ID, at: dir, made: made, info: made.Info, heard: func(*metainfo.Info, storage.Event) {},
		spec: storage.Spec{Own: &storage.Own{Path: dir, Sources: x.sources()}},
	}
	_, files, err := w.open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if p := files.Progress(); p.Unknown != 0 {
		t.Errorf("what was just hashed has to be hashed again: %+v", p)
	}
	if kept, err := w.giveUp(t.Context(), o.id, o.spec, files, deleteFiles, true); err != nil || len(kept) != 0 {
		t.Errorf("%v, %v", kept, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); err != nil {
		t.Error("what the user shares was deleted: ", err)
	}
	if again := w.madeBefore(t.Context(), o.id, dir, metainfo.MakeOptions{}); again == nil || again.Info.ID != o.id {
		t.Errorf("it is not known again: %v", again)
	}
	if w.madeBefore(t.Context(), share.ID{1}, dir, metainfo.MakeOptions{}) != nil {
		t.Error("it knows what was never shared")
	}

	// Hashed as an ended share that has changed: nothing recorded is believed.
	if _, err := w.hash(t.Context(), dir, metainfo.MakeOptions{}, func(share.ID) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if w.madeBefore(t.Context(), o.id, dir, metainfo.MakeOptions{}) != nil {
		t.Error("what was recorded before is still believed")
	}
}

// A fetch is checked, copied into, given up and begun again in every way.
func TestWorkerOnAFetch(t *testing.T) {
	w, src := newWorker(t)
	made, err := w.hash(t.Context(), src, metainfo.MakeOptions{}, never)
	if err != nil {
		t.Fatal(err)
	}
	id, out := made.Info.ID, t.TempDir()
	o := opening{id: id, at: out, spec: storage.Spec{Dir: out}, heard: func(*metainfo.Info, storage.Event) {}}
	if _, _, err := w.open(t.Context(), o); !isLost(err) {
		t.Errorf("without a torrent: %v", err)
	}
	refused := errors.New("refused")
	if _, err := w.accept(id, made.Info.Bytes(), func(*metainfo.Info) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("%v", err)
	}
	if _, _, err := w.open(t.Context(), o); !isLost(err) {
		t.Errorf("the torrent was kept although it was refused: %v", err)
	}
	info, err := w.accept(id, made.Info.Bytes(), func(*metainfo.Info) error { return nil })
	if err != nil || info.ID != id {
		t.Fatalf("%v, %v", info, err)
	}
	open := func() (*metainfo.Info, *storage.Transfer) {
		t.Helper()
		tor, files, err := w.open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return tor.Info, files
	}
	var c count
	info, files := open()
	if err := w.check(t.Context(), info, files, nil, &c); err != nil || files.Progress().Unknown != 0 {
		t.Errorf("%v, %+v", err, files.Progress())
	}
	all := []storage.Span{{From: 0, To: info.NumPieces}}
	c.start(info.Size())
	if n, err := copyPieces(t.Context(), info, files, src, all, &c); err != nil || n != info.NumPieces || c.done.Load() != info.Size() {
		t.Errorf("%d of %d pieces copied, %d bytes, %v", n, info.NumPieces, c.done.Load(), err)
	}
	if err := w.check(t.Context(), info, files, files.Recheck, &c); err != nil || c.done.Load() < c.all.Load() || c.all.Load() != info.Size() {
		t.Errorf("%d of %d bytes hashed, %v", c.done.Load(), c.all.Load(), err)
	}
	if kept, err := w.giveUp(t.Context(), id, o.spec, files, keepFiles, true); err != nil || len(kept) != 0 {
		t.Errorf("%v, %v", kept, err)
	}
	if kept, err := w.giveUp(t.Context(), id, o.spec, nil, keepFiles, true); err != nil || len(kept) != 0 {
		t.Errorf("closed: %v, %v", kept, err)
	}
	if left, err := os.ReadDir(out); err != nil || len(left) == 0 {
		t.Errorf("%v, %v", left, err)
	}
	if err := w.restart(t.Context(), id, filepath.Join(out, info.Name), storage.Seal{}, true); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(out); err != nil || len(left) != 0 {
		t.Errorf("what was begun is left: %v, %v", left, err)
	}
	if r, err := w.ledger.Load(t.Context(), id); err != nil || r != nil {
		t.Errorf("it is still recorded: %v, %v", r, err)
	}
	if err := w.torrents.remove(id); err != nil {
		t.Fatal(err)
	}
	if _, err := w.giveUp(t.Context(), id, o.spec, nil, deleteFiles, true); err == nil {
		t.Error("files are deleted without a torrent")
	}
	if _, err := w.giveUp(t.Context(), id, o.spec, nil, leaveFiles, true); err != nil {
		t.Errorf("nothing is left to anybody, and that fails: %v", err)
	}
}
