package conform

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

const (
	pieceLength    = 64 << 10
	blocksPerPiece = pieceLength / (16 << 10)
)

// content is a torrent of one file.
type content struct {
	id      share.ID
	info    []byte
	data    []byte
	private bool
}

// newContent makes n pieces, the last of which is short, from a seed.
func newContent(seed byte, n int) content {
	data := make([]byte, n*pieceLength-1000)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data)
	return describe(data, false)
}

func describe(data []byte, private bool) content {
	var hashes []byte
	for rest := data; len(rest) > 0; rest = rest[min(len(rest), pieceLength):] {
		sum := sha1.Sum(rest[:min(len(rest), pieceLength)])
		hashes = append(hashes, sum[:]...)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "d6:lengthi%de4:name4:file12:piece lengthi%de6:pieces%d:%s", len(data), pieceLength, len(hashes), hashes)
	if private {
		b.WriteString("7:privatei1e")
	}
	b.WriteString("e")
	return content{id: sha1.Sum(b.Bytes()), info: b.Bytes(), data: data, private: private}
}

func (c content) asPrivate() content { return describe(c.data, true) }

func (c content) pieces() int { return (len(c.data) + pieceLength - 1) / pieceLength }

// disk is a face.Storage in memory that watches how it is used.
type disk struct {
	mu      sync.Mutex
	data    []byte
	known   []bool
	have    []bool
	touched map[int]bool // pieces that were written to
	err     error        // of writes
	erred   bool         // one has failed
	closed  bool
	misuse  bool // used although closed
	arrived int
}

var errClosed = errors.New("the storage is closed")

func (c content) empty() *disk {
	d := &disk{data: make([]byte, len(c.data)), known: make([]bool, c.pieces()), have: make([]bool, c.pieces()), touched: map[int]bool{}}
	for i := range d.known {
		d.known[i] = true
	}
	return d
}

func (c content) full() *disk {
	d := c.empty()
	for i := range d.have {
		d.give(c, i)
	}
	return d
}

// give completes a piece.
func (d *disk) give(c content, i int) {
	copy(d.data[i*pieceLength:], c.data[i*pieceLength:min((i+1)*pieceLength, len(c.data))])
	d.have[i] = true
}

// do runs f unless the disk is closed.
func (d *disk) do(f func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		d.misuse = true
		return errClosed
	}
	return f()
}

func (d *disk) ReadAt(p []byte, off int64) (n int, err error) {
	err = d.do(func() error {
		if i := int(off / pieceLength); !d.have[i] {
			return fmt.Errorf("piece %d is not here", i)
		}
		if n = copy(p, d.data[off:]); n < len(p) {
			return io.EOF
		}
		return nil
	})
	return n, err
}

func (d *disk) WriteAt(p []byte, off int64) (n int, err error) {
	err = d.do(func() error {
		if d.err != nil {
			d.erred = true
			return d.err
		}
		d.touched[int(off/pieceLength)] = true
		n = copy(d.data[off:], p)
		return nil
	})
	return n, err
}

func (d *disk) CopyPiece(i int, n int64, w io.Writer) (written int64, err error) {
	var b []byte
	if err := d.do(func() error {
		b = bytes.Clone(d.data[i*pieceLength:][:n])
		return nil
	}); err != nil {
		return 0, err
	}
	return io.Copy(w, bytes.NewReader(b))
}

func (d *disk) Completion(i int) (known, complete bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known[i], d.known[i] && d.have[i]
}

func (d *disk) MarkComplete(i int) error {
	return d.do(func() error {
		d.known[i], d.have[i] = true, true
		return nil
	})
}

func (d *disk) MarkNotComplete(i int) error {
	return d.do(func() error {
		d.known[i], d.have[i] = true, false
		return nil
	})
}

func (d *disk) arrival() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.arrived++
}

// complete counts pieces.
func (d *disk) complete() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range d.have {
		if h {
			n++
		}
	}
	return n
}

// await waits until n pieces are complete and were told.
func (d *disk) await(t *testing.T, n int) {
	t.Helper()
	until(t, fmt.Sprintf("%d pieces", n), func() bool {
		d.mu.Lock()
		told := d.arrived
		d.mu.Unlock()
		return told >= n && d.complete() >= n
	})
}

func (d *disk) holds(c content) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.Equal(d.data, c.data)
}

// written lists the pieces that were written to.
func (d *disk) written() (list []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.have {
		if d.touched[i] {
			list = append(list, i)
		}
	}
	return list
}

func (d *disk) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

func (d *disk) shut()        { d.set(func() { d.closed = true }) }
func (d *disk) open()        { d.set(func() { d.closed = false }) }
func (d *disk) lose(i int)   { d.set(func() { d.have[i] = false }) }
func (d *disk) fail(e error) { d.set(func() { d.err = e }) }
func (d *disk) doubt(from, to int) {
	d.set(func() {
		for i := from; i < to; i++ {
			d.known[i] = false
		}
	})
}

func (d *disk) used() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.misuse
}

// failed waits for a write that fails.
func (d *disk) failed(t *testing.T) {
	t.Helper()
	until(t, "a write", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.erred
	})
}

// free holds nothing back.
type free struct{}

func (free) Wait(int, <-chan struct{}) bool { return true }

func (free) Holds() bool { return false }

// few lets so many pass, and then nobody.
type few struct {
	mu   sync.Mutex
	left int
	over chan struct{} // closed when somebody waits
	once sync.Once
}

var _ face.Limit = (*few)(nil)

func newFew(n int) *few { return &few{left: n, over: make(chan struct{})} }

func (f *few) Holds() bool { return true }

func (f *few) Wait(_ int, stop <-chan struct{}) bool {
	f.mu.Lock()
	f.left--
	ok := f.left >= 0
	f.mu.Unlock()
	if ok {
		return true
	}
	f.once.Do(func() { close(f.over) })
	<-stop
	return false
}

func (f *few) reached(t *testing.T) {
	t.Helper()
	select {
	case <-f.over:
	case <-time.After(patience):
		t.Fatal("waited in vain for the limit")
	}
}
