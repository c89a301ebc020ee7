package door

import (
	"context"
	"hash/crc32"
	"io"
	"sync"

	"github.com/shoalnet/shoal/share"
)

// maxSums bounds the checksums that are kept: about 50 MB.
const maxSums = 500_000

// sums computes the CRC-32 of files once and keeps them. The content of an ID never
// changes. Computing goes on when who asked has gone: a later request needs it as well.
type sums struct {
	open func(context.Context, share.ID, int) (io.ReadSeekCloser, error)
	turn chan struct{} // two at once
	over context.Context
	stop context.CancelFunc
	work sync.WaitGroup

	mu     sync.Mutex
	closed bool
	known  map[fileOf]uint32
	under  map[fileOf]*summing
}

// fileOf names a file of any transfer.
type fileOf struct {
	id   share.ID
	file int
}

type summing struct {
	done chan struct{}
	crc  uint32
	err  error
}

func newSums(open func(context.Context, share.ID, int) (io.ReadSeekCloser, error)) *sums {
	s := &sums{open: open, turn: make(chan struct{}, 2), known: map[fileOf]uint32{}, under: map[fileOf]*summing{}}
	s.over, s.stop = context.WithCancel(context.Background())
	return s
}

// close ends what is being computed.
func (s *sums) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.work.Wait()
}

// of returns the CRC-32 of a file.
func (s *sums) of(ctx context.Context, f fileOf) (uint32, error) {
	s.mu.Lock()
	if crc, ok := s.known[f]; ok {
		s.mu.Unlock()
		return crc, nil
	}
	j := s.under[f]
	if j == nil {
		if s.closed {
			s.mu.Unlock()
			return 0, context.Canceled
		}
		j = &summing{done: make(chan struct{})}
		s.under[f] = j
		s.work.Go(func() { s.compute(f, j) })
	}
	s.mu.Unlock()
	select {
	case <-j.done:
		return j.crc, j.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (s *sums) compute(f fileOf, j *summing) {
	defer close(j.done)
	select {
	case s.turn <- struct{}{}:
		j.crc, j.err = s.read(f)
		<-s.turn
	case <-s.over.Done():
		j.err = s.over.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.under, f)
	if j.err != nil {
		return
	}
	for old := range s.known { // any of them
		if len(s.known) < maxSums {
			break
		}
		delete(s.known, old)
	}
	s.known[f] = j.crc
}

func (s *sums) read(f fileOf) (uint32, error) {
	r, err := s.open(s.over, f.id, f.file)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	h := crc32.NewIEEE()
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, r, make([]byte, 256<<10)); err != nil {
		return 0, err
	}
	return h.Sum32(), nil
}
