package storage

import (
	"io"
	"iter"
	"slices"
	"sort"

	"github.com/shoalnet/shoal/share/metainfo"
)

// geometry maps files to pieces and back. It never changes.
type geometry struct{ info *metainfo.Info }

func (g geometry) numPieces() int { return g.info.NumPieces }

// noFile stands for the bytes of a sealed share that are before or after its files.
const noFile = -1

// onDisk tells whether entry i is a file on disk. Pad files and links never are.
func (g geometry) onDisk(i int) bool {
	return i != noFile && !g.info.Files[i].Pad && !g.info.Files[i].Symlink
}

// pieces returns the pieces that have a byte of file i.
func (g geometry) pieces(i int) Span {
	f := &g.info.Files[i]
	if f.Length == 0 {
		return Span{}
	}
	return g.span(f.Offset, f.Length)
}

// span returns the pieces that hold the n bytes at off.
func (g geometry) span(off, n int64) Span {
	if n == 0 {
		return Span{}
	}
	return Span{int(off / g.info.PieceLength), int((off+n-1)/g.info.PieceLength) + 1}
}

// firstFile returns the first file at or after the given one that ends after off.
func (g geometry) firstFile(from int, off int64) int {
	n, _ := slices.BinarySearchFunc(g.info.Files[from:], off, func(f metainfo.File, off int64) int {
		if f.Offset+f.Length > off {
			return 1
		}
		return -1
	})
	return from + n
}

// filesOf are the files on disk that have a byte of piece p.
func (g geometry) filesOf(p int) iter.Seq[int] {
	return func(yield func(int) bool) {
		from := int64(p) * g.info.PieceLength
		to := from + g.info.PieceSize(p)
		for i := g.firstFile(0, from); i < len(g.info.Files) && g.info.Files[i].Offset < to; i++ {
			if g.onDisk(i) && g.info.Files[i].Length > 0 && !yield(i) {
				return
			}
		}
	}
}

// shared tells whether a file other than i has a byte of piece p on disk.
func (g geometry) shared(p, i int) bool {
	for k := range g.filesOf(p) {
		if k != i {
			return true
		}
	}
	return false
}

// byPiece splits p, which lies at offset at of entry i, at the borders of pieces
// and calls f for each part.
func (g geometry) byPiece(i int, at int64, p []byte, f func(piece int, at int64, p []byte) (int, error)) (n int, err error) {
	for n < len(p) {
		off := g.info.Files[i].Offset + at + int64(n)
		piece := int(off / g.info.PieceLength)
		part := p[n:min(int64(len(p)), int64(n)+(int64(piece)+1)*g.info.PieceLength-off)]
		m, err := f(piece, at+int64(n), part)
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// partOf returns the offset and the number of the bytes of file i that lie in piece
// p.
func (g geometry) partOf(p, i int) (at, n int64) {
	f := &g.info.Files[i]
	from := max(int64(p)*g.info.PieceLength, f.Offset)
	to := min(int64(p)*g.info.PieceLength+g.info.PieceSize(p), f.Offset+f.Length)
	return from - f.Offset, to - from
}

// each splits p, which lies at off of the content, at the borders of files and
// calls f for each part. Bytes that no entry has are noFile.
func (g geometry) each(off int64, p []byte, f func(i int, at int64, p []byte) (int, error)) (n int, err error) {
	files := g.info.Files
	i := sort.Search(len(files), func(i int) bool { return files[i].Offset+files[i].Length > off })
	for ; n < len(p); i++ {
		at, next := off+int64(n), g.info.Total
		if i < len(files) {
			next = files[i].Offset
		}
		if hole := min(next-at, int64(len(p)-n)); hole > 0 {
			m, err := f(noFile, at, p[n:int64(n)+hole])
			if n += m; err != nil {
				return n, err
			}
			if n == len(p) {
				break
			}
			at += hole
		}
		if i == len(files) {
			return n, io.EOF
		}
		at -= files[i].Offset
		part := p[n:]
		if left := files[i].Length - at; int64(len(part)) > left {
			part = part[:left]
		}
		if len(part) == 0 {
			continue
		}
		m, err := f(i, at, part)
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// bytesIn counts the bytes of file i in pieces of d.
func (g geometry) bytesIn(d bitmap, i int) int64 {
	return g.bytesOf(d, g.info.Files[i].Offset, g.info.Files[i].Length)
}

// bytesOf counts the bytes in pieces of d among length bytes at off.
func (g geometry) bytesOf(d bitmap, off, length int64) (n int64) {
	s := g.span(off, length)
	for p := s.From; p < s.To; p++ {
		if d.has(p) {
			from := int64(p) * g.info.PieceLength
			n += min(from+g.info.PieceLength, off+length) - max(from, off)
		}
	}
	return n
}

// hollow counts the bytes in pieces of d that belong to no file on disk.
func (g geometry) hollow(d bitmap) (n int64) {
	end := int64(0)
	for i := range g.info.Files {
		f := &g.info.Files[i]
		n += g.bytesOf(d, end, f.Offset-end)
		if f.Pad {
			n += g.bytesIn(d, i)
		}
		end = f.Offset + f.Length
	}
	return n + g.bytesOf(d, end, g.info.Total-end)
}

// bare are the pieces without a byte of a file on disk.
func (g geometry) bare() []Span {
	b := newBitmap(g.info.NumPieces)
	b.setSpan(Span{0, g.info.NumPieces})
	for i := range g.info.Files {
		if g.onDisk(i) {
			b.unsetSpan(g.pieces(i))
		}
	}
	return b.spans()
}
