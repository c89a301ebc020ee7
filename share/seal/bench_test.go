package seal

import (
	"bytes"
	"testing"
)

// The unit is a record of contents that are in memory.
func BenchmarkSeal(b *testing.B) {
	benchmark(b, func(s *sealed, o *Opener) func(int64, *record) error { return s.sealer.fill })
}
func BenchmarkOpen(b *testing.B) {
	benchmark(b, func(s *sealed, o *Opener) func(int64, *record) error { return o.fill })
}
func BenchmarkCheck(b *testing.B) {
	benchmark(b, func(s *sealed, o *Opener) func(int64, *record) error {
		return func(n int64, rec *record) error {
			if err := s.sealer.plain(n, rec); err != nil {
				return err
			}
			return s.sealer.cipher.approve(n, Contents, rec, s.sealer.keep)
		}
	})
}

func benchmark(b *testing.B, pick func(*sealed, *Opener) func(int64, *record) error) {
	contents := text(1, 64*DataSize)
	s := makeShare(b, key(1), oneFile(b, int64(len(contents))), bytes.NewReader(contents))
	do, rec := pick(s, opened(b, s)), new(record)
	b.SetBytes(RecordSize)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := do(1+int64(i)%64, rec); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBlocks reads the blob as peers do.
func BenchmarkBlocks(b *testing.B) {
	contents := text(1, 64*DataSize)
	s := makeShare(b, key(1), oneFile(b, int64(len(contents))), bytes.NewReader(contents))
	p := make([]byte, 16<<10)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := s.sealer.ReadAt(p, int64(i%256*len(p))); err != nil {
			b.Fatal(err)
		}
	}
}
