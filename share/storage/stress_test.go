package storage

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// Everything at once, with too few handles.
func TestConcurrentUse(t *testing.T) {
	b := newBench(t)
	b.store, _ = New(Config{Ledger: b.ledger, MaxHandles: minHandles})
	b.run()
	var entries []entryOf
	for i := range 60 {
		entries = append(entries, entryOf{path: fmt.Sprintf("%d/%d", i%7, i), data: content(uint64(i), 500*i)})
	}
	info, all := torrentOf(t, "set", 16*kib, entries...)
	tr := b.open(info)
	var complete atomic.Bool
	var others sync.WaitGroup
	for _, f := range []func(){
		func() { _ = tr.Flush(context.Background()) },
		func() { tr.probe(context.Background()) },
		func() { tr.Progress(); tr.FileBytes(); tr.FilePath(3) },
		func() {
			got := make([]byte, 3*16*kib)
			for off := 0; off+len(got) <= len(all); off += 16 * kib {
				if _, err := tr.ReadAt(got, int64(off)); err == nil && !bytes.Equal(got, all[off:off+len(got)]) {
					t.Errorf("what is read at %d is wrong", off)
				}
			}
		},
	} {
		others.Go(func() {
			for !complete.Load() {
				f()
			}
		})
	}
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := w; i < info.NumPieces; i += 4 {
				if err := tryPut(tr, all, i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	complete.Store(true)
	others.Wait()
	flush(t, tr)
	if p := tr.Progress(); p.Pieces != info.NumPieces || tr.Fault() != nil {
		t.Fatalf("%+v of %d, %v", p, info.NumPieces, tr.Fault())
	}
	for _, e := range entries {
		wantFile(t, filepath.Join(b.dir, "set", filepath.FromSlash(e.path)), e.data)
	}
}
