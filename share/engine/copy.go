package engine

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sort"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// copyPieces copies wanted pieces that are missing and that are right below from. It
// returns how many. The rest is left for peers.
func copyPieces(ctx context.Context, info *metainfo.Info, files *storage.Transfer, from string, wanted []storage.Span, c *count) (n int, err error) {
	src := source{info: info, from: from}
	defer src.close()
	buf := make([]byte, info.PieceLength)
	copied, err := src.copyFiles(ctx, files, wanted)
	if err != nil {
		return 0, err
	}
	for _, s := range wanted {
		for i := s.From; i < s.To; i++ {
			if ctx.Err() != nil {
				return n, ctx.Err()
			}
			size, at := info.PieceSize(i), int64(i)*info.PieceLength
			c.done.Add(size)
			p := buf[:size]
			if copied[i] {
				ok, err := files.HashPiece(ctx, i)
				if err != nil {
					return n, err
				}
				if ok {
					n++
					continue
				}
			}
			if files.Durable(i) || src.read(p, at) != nil || !isRight(files.NewSum(i), p) {
				continue
			}
			if _, err := files.WriteAt(p, at); err != nil {
				return n, err
			}
			ok, err := files.HashPiece(ctx, i)
			if err != nil {
				return n, err
			}
			if ok {
				n++
			}
		}
	}
	return n, files.Flush(ctx)
}

// isRight tells whether p is all of a piece, and right.
func isRight(s storage.Sum, p []byte) bool {
	s.Write(p)
	return s.Verdict() == metainfo.Right
}

// MatchFolder reads the files in dir whose names occur in the content, and returns how
// much of them is right. It changes nothing.
func MatchFolder(ctx context.Context, tor *metainfo.Torrent, dir string) (m share.Match, err error) {
	info := tor.Info
	src := source{info: info, from: filepath.Join(dir, info.Name)}
	defer src.close()
	there := make([]bool, len(info.Files))
	for i, f := range info.Files {
		fi, err := os.Lstat(src.name(i))
		if f.Pad || f.Symlink || err != nil || !fi.Mode().IsRegular() || fi.Size() == 0 {
			continue
		}
		there[i] = true
		m.Files, m.Bytes = m.Files+1, m.Bytes+fi.Size()
	}
	buf := make([]byte, info.PieceLength)
	last, right := -1, false // the last piece that was read; files may share it
	for i, f := range info.Files {
		if !there[i] {
			continue
		}
		for p := int(f.Offset / info.PieceLength); int64(p)*info.PieceLength < f.Offset+f.Length; p++ {
			if err := ctx.Err(); err != nil {
				return m, share.Errorf(share.Interrupted, "comparing with %s: %w", src.from, err)
			}
			off, b := int64(p)*info.PieceLength, buf[:info.PieceSize(p)]
			if p != last {
				last, right = p, src.read(b, off) == nil && isRight(info.NewSum(p, tor.Layers), b)
			}
			if right {
				m.Right += min(off+int64(len(b)), f.Offset+f.Length) - max(off, f.Offset)
			}
		}
	}
	return m, nil
}

// source reads content by offset from files in another folder.
type source struct {
	info *metainfo.Info
	from string
	at   int // the file that is open
	file *os.File
}

// copyFiles has the operating system copy whole files whose pieces are all wanted, and
// returns these pieces. They have yet to be hashed.
func (s *source) copyFiles(ctx context.Context, files *storage.Transfer, wanted []storage.Span) (map[int]bool, error) {
	pieces := make(map[int]bool)
	for i, f := range s.info.Files {
		from, to := int(f.Offset/s.info.PieceLength), int((f.Offset+f.Length-1)/s.info.PieceLength)+1
		w := sort.Search(len(wanted), func(k int) bool { return wanted[k].To >= to })
		all := w < len(wanted) && wanted[w].From <= from
		if f.Length == 0 || f.Pad || !all || s.open(i) != nil {
			continue
		}
		ok, err := files.CopyIn(ctx, i, s.file)
		if err != nil {
			return nil, err
		}
		for p := from; ok && p < to; p++ {
			pieces[p] = true
		}
	}
	return pieces, nil
}

func (s *source) name(i int) string {
	if !s.info.Multi {
		return s.from
	}
	return filepath.Join(append([]string{s.from}, s.info.Files[i].Path...)...)
}

func (s *source) close() {
	if s.file != nil {
		s.file.Close()
	}
}

func (s *source) read(p []byte, off int64) error {
	files := s.info.Files
	first := sort.Search(len(files), func(i int) bool { return files[i].Offset+files[i].Length > off })
	for i := first; i < len(files) && len(p) > 0; i++ {
		f := &files[i]
		if f.Length == 0 {
			continue
		}
		if hole := min(f.Offset-off, int64(len(p))); hole > 0 { // of a sealed share
			clear(p[:hole])
			p, off = p[hole:], off+hole
			if len(p) == 0 {
				break
			}
		}
		n := min(int64(len(p)), f.Offset+f.Length-off)
		if f.Pad {
			clear(p[:n])
		} else if err := s.readFile(i, p[:n], off-f.Offset); err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	if int64(len(p)) > s.info.Total-off {
		return io.ErrUnexpectedEOF
	}
	clear(p)
	return nil
}

// open makes file i the one that is open.
func (s *source) open(i int) error {
	if s.file != nil && s.at == i {
		return nil
	}
	s.close()
	s.file = nil
	name := s.name(i)
	info, err := os.Lstat(name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > s.info.Files[i].Length {
		return os.ErrInvalid
	}
	s.at = i
	s.file, err = os.Open(name)
	if err != nil {
		s.file = nil
	}
	return err
}

func (s *source) readFile(i int, p []byte, at int64) error {
	if err := s.open(i); err != nil {
		return err
	}
	_, err := s.file.ReadAt(p, at)
	return err
}
