package metainfo

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkMake hashes 1 GiB that the system has in memory.
func BenchmarkMake(b *testing.B) {
	const size = 1 << 30
	path := filepath.Join(b.TempDir(), "data")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	for i := range uint64(size / chunkBytes) {
		if _, err := f.Write(random(chunkBytes, i)); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	for _, pieceLength := range []int64{256 << 10, 1 << 20, 16 << 20} {
		b.Run(fmt.Sprintf("piece=%dKiB", pieceLength>>10), func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				if _, err := Make(context.Background(), path, MakeOptions{PieceLength: pieceLength}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("only reading", func(b *testing.B) {
		b.SetBytes(size)
		buf := make([]byte, chunkBytes)
		for b.Loop() {
			f, err := os.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			for err == nil {
				_, err = f.Read(buf)
			}
			f.Close()
			if err != io.EOF {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkParseInfo(b *testing.B) {
	var files list
	for i := range 20_000 {
		files = append(files, file(50_000, fmt.Sprintf("folder %d", i/100), fmt.Sprintf("file %d.txt", i)))
	}
	info := multi(files...)
	info["piece length"], info["pieces"] = 1<<20, hashes(954)
	raw := enc(info)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseInfo(raw); err != nil {
			b.Fatal(err)
		}
	}
}
