package metainfo

import (
	"context"
	"crypto/sha1"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/merkle"
)

const (
	chunkBytes = 256 << 10 // read at once
	runBytes   = 4 << 20   // read by one worker before another may, at least
	heldBytes  = 16 << 20  // and at most
	poolBytes  = 128 << 20 // of memory for all workers
)

// hasher distributes the content to workers in runs of whole pieces. Only one worker
// reads at a time, and hashes its run while the others read: so the bytes are read
// in order, and each stays with one worker.
type hasher struct {
	*maker
	run      int64 // bytes; a multiple of the piece length
	progress func(done, total int64)
	sumOf    func(piece int64) Summer // instead of SHA-1; nil of plain content
	sums     []byte                   // each worker writes those of its own pieces; so with forest.nodes

	mu     sync.Mutex // guards what follows
	reader contentReader
	done   int64
	err    error
}

func (m *maker) hash(ctx context.Context, workers int, progress func(done, total int64)) ([]byte, error) {
	return m.hashBy(ctx, workers, progress, nil)
}

// hashBy is hash with another sum of pieces than SHA-1 of their bytes.
func (m *maker) hashBy(ctx context.Context, workers int, progress func(done, total int64), sumOf func(piece int64) Summer) ([]byte, error) {
	h := &hasher{
		maker:    m,
		run:      m.pieceLength * max(1, runBytes/m.pieceLength),
		progress: progress,
		sumOf:    sumOf,
		sums:     make([]byte, m.pieces()*sha1.Size),
		reader:   contentReader{entries: m.entries},
	}
	defer h.reader.close()
	buffer := min(h.run, heldBytes, m.total)
	workers = int(min(int64(workers), poolBytes/buffer, (m.total+h.run-1)/h.run))
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { (&worker{hasher: h, buf: make([]byte, buffer)}).work(ctx) })
	}
	wg.Wait()
	if h.err == nil {
		h.err = h.reader.finish()
	}
	return h.sums, h.err
}

// worker hashes runs with a buffer of its own.
type worker struct {
	*hasher
	buf  []byte
	tree merkle.Sum
}

// work hashes runs until there are none left.
func (h *worker) work(ctx context.Context) {
	buf := h.buf
	for {
		h.mu.Lock()
		offset := h.done
		n := min(h.run, h.total-offset)
		if n > int64(len(buf)) { // a piece too large to be held
			h.hashWhileReading(ctx, n)
			n = 0
		}
		if n > 0 {
			h.read(ctx, buf[:n])
		}
		more := h.err == nil && h.done < h.total
		failed := h.err != nil
		h.mu.Unlock()
		if failed {
			return
		}
		for data := buf[:n]; len(data) > 0; {
			piece := data[:min(h.pieceLength, int64(len(data)))]
			i := offset / h.pieceLength
			h.sum(i, piece)
			if h.forest != nil {
				h.tree.Write(piece[:h.forest.data[i]])
				h.forest.grow(i, &h.tree)
			}
			data, offset = data[len(piece):], offset+int64(len(piece))
		}
		if !more {
			return
		}
	}
}

// sum hashes piece i.
func (h *hasher) sum(i int64, piece []byte) {
	if h.sumOf == nil {
		sum := sha1.Sum(piece)
		copy(h.sums[i*sha1.Size:], sum[:])
		return
	}
	s := h.sumOf(i)
	s.Write(piece)
	s.Sum(h.sums[i*sha1.Size : i*sha1.Size])
}

// hashWhileReading hashes the next piece, which has n bytes, while reading it.
func (h *worker) hashWhileReading(ctx context.Context, n int64) {
	i := h.done / h.pieceLength
	var sum Summer = sha1.New()
	if h.sumOf != nil {
		sum = h.sumOf(i)
	}
	var data int64
	if h.forest != nil {
		data = h.forest.data[i]
	}
	for n > 0 && h.err == nil {
		part := h.buf[:min(chunkBytes, n)]
		h.read(ctx, part)
		sum.Write(part)
		n -= int64(len(part))
		h.tree.Write(part[:min(data, int64(len(part)))])
		data -= min(data, int64(len(part)))
	}
	sum.Sum(h.sums[i*sha1.Size : i*sha1.Size])
	if h.forest != nil {
		h.forest.grow(i, &h.tree)
	}
}

// read fills buf, and keeps the error for all workers.
func (h *hasher) read(ctx context.Context, buf []byte) {
	for len(buf) > 0 && h.err == nil {
		if err := ctx.Err(); err != nil {
			h.err = share.Errorf(share.Interrupted, "hash %s: %w", h.name, err)
			return
		}
		part := buf[:min(chunkBytes, len(buf))]
		if h.err = h.reader.read(part); h.err != nil {
			return
		}
		buf = buf[len(part):]
		h.done += int64(len(part))
		if h.progress != nil {
			h.progress(h.done, h.total)
		}
	}
}

// contentReader reads the files as one stream.
type contentReader struct {
	entries []entry
	next    int // the entry after the one that is open
	file    *os.File
	left    int64 // bytes of it not yet read, or of padding
}

// read fills buf, which must not exceed the remaining content.
func (r *contentReader) read(buf []byte) error {
	for len(buf) > 0 {
		if r.left == 0 {
			if err := r.advance(); err != nil {
				return err
			}
			continue
		}
		if r.file == nil {
			n := min(int64(len(buf)), r.left)
			clear(buf[:n])
			buf, r.left = buf[n:], r.left-n
			continue
		}
		n, err := r.file.Read(buf[:min(int64(len(buf)), r.left)])
		buf, r.left = buf[n:], r.left-int64(n)
		switch {
		case err == nil || n > 0:
		case errors.Is(err, io.EOF):
			return r.changed()
		default:
			return share.Errorf(share.Disk, "hash %w", bare(err))
		}
	}
	return nil
}

func (r *contentReader) changed() error {
	return share.Errorf(share.Disk, "hash %s: the file changed while it was being read; share it again when it no longer changes", r.entries[r.next-1].file)
}

// advance checks that the open file has not changed, and opens the next.
func (r *contentReader) advance() error {
	if err := r.verify(); err != nil {
		return err
	}
	r.close()
	e := &r.entries[r.next]
	r.next++
	if e.file == "" {
		r.left = e.pad
		return nil
	}
	// If the file was replaced by a pipe, opening it must not wait for a writer.
	f, err := os.OpenFile(e.file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return share.Errorf(share.Disk, "hash %w", bare(err))
	}
	r.file, r.left, e.read = f, e.size(), time.Now()
	return r.verify()
}

// finish visits the empty files after the last byte.
func (r *contentReader) finish() error {
	for r.next < len(r.entries) {
		if err := r.advance(); err != nil {
			return err
		}
	}
	return r.verify()
}

func (r *contentReader) verify() error {
	if r.file == nil {
		return nil
	}
	now, err := r.file.Stat()
	if err != nil {
		return share.Errorf(share.Disk, "hash %w", bare(err))
	}
	was := r.entries[r.next-1].info
	if !sameState(was, now) {
		return r.changed()
	}
	return nil
}

func sameState(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && b.Mode().IsRegular()
}

func (r *contentReader) close() {
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
}
