package storage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/metainfo"
)

// shares makes n single-file shares and their records.
func (b *bench) shares(n int) []Spec {
	specs := make([]Spec, n)
	for i := range specs {
		data := content(uint64(i), 100)
		info, _ := torrentOf(b.t, fmt.Sprintf("file %d", i), 16*kib, entryOf{data: data})
		path := filepath.Join(b.dir, info.Name)
		writeFile(b.t, path, data)
		fi, err := os.Stat(path)
		if err != nil {
			b.t.Fatal(err)
		}
		specs[i] = Spec{Info: info, Own: &Own{Path: path, Sources: []Source{{Info: fi, Read: time.Now().Add(time.Minute)}}}}
		b.openSpec(specs[i])
		specs[i].Own.Sources = nil
	}
	return specs
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestManySharesAreCheap(t *testing.T) {
	const n = 2000
	b := newBench(t)
	specs := b.shares(n)
	b.restart()
	for _, s := range specs {
		if p := b.openSpec(s).Progress(); p.Pieces != 1 || p.Unknown != 0 {
			t.Fatalf("%q: %+v", s.Info.Name, p)
		}
	}
	open := len(b.store.handles.ring)
	with := heap()
	b.restart()
	// Less than 1,000 bytes would mean that something keeps the shares alive.
	if each := (with - heap()) / n; each < 1000 || each > 2500 {
		t.Errorf("a share takes %d bytes of memory", each)
	}
	if open != 0 {
		t.Errorf("%d handles are open though nothing was read", open)
	}
	runtime.KeepAlive(specs)
}

func BenchmarkOpenShares(b *testing.B) {
	bb := newBench(b)
	specs := bb.shares(10_000)
	for b.Loop() {
		bb.restart()
		for _, s := range specs {
			bb.openSpec(s)
		}
	}
}

func benchTransfer(b *testing.B, size int) (*bench, *Transfer, []byte, *metainfo.Info) {
	bb := newBench(b)
	if fi, err := os.Stat("/dev/shm"); err == nil && fi.IsDir() {
		dir, err := os.MkdirTemp("/dev/shm", "shoal")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { os.RemoveAll(dir) })
		bb.dir = dir
	}
	bb.store, _ = New(Config{Ledger: bb.ledger})
	info, all := torrentOf(b, "big", 1<<20, entryOf{data: content(1, size)})
	return bb, bb.open(info), all, info
}

func BenchmarkWriteBlocks(b *testing.B) {
	const block = 16 * kib
	_, tr, all, _ := benchTransfer(b, 64<<20)
	b.SetBytes(block)
	i := 0
	for b.Loop() {
		off := i % (len(all) / block) * block
		if _, err := tr.WriteAt(all[off:off+block], int64(off)); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkReadBlocks(b *testing.B) {
	const block = 16 * kib
	_, tr, all, _ := benchTransfer(b, 64<<20)
	putAll(b, tr, all)
	if err := tr.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(block)
	buf := make([]byte, block)
	i := 0
	for b.Loop() {
		if _, err := tr.ReadAt(buf, int64(i%(len(all)/block)*block)); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkHashPieces(b *testing.B) {
	_, tr, all, info := benchTransfer(b, 64<<20)
	putAll(b, tr, all)
	b.SetBytes(info.PieceLength)
	i := 0
	for b.Loop() {
		if good, err := tr.HashPiece(context.Background(), i%info.NumPieces); !good || err != nil {
			b.Fatal(good, err)
		}
		i++
	}
}
