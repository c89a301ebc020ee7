package door

import (
	"context"
	"hash/crc32"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
)

const (
	// maxSums bounds the checksums in memory: about 50 MB.
	maxSums = 500_000
	// saveSums is how often what was computed is saved.
	saveSums = 10 * time.Second
)

// sums computes the CRC-32 of files once and keeps them, also across restarts. The content
// of an ID never changes. Computing goes on when who asked has gone: a later request needs
// it as well.
type sums struct {
	open func(context.Context, share.ID, int) (io.ReadSeekCloser, error)
	kept *Sums // nil keeps nothing
	log  *slog.Logger
	turn chan struct{} // two at once
	over context.Context
	stop context.CancelFunc
	work sync.WaitGroup
	news chan struct{} // something is to be saved

	mu     sync.Mutex
	closed bool
	known  map[share.ID]*known
	count  int    // in all of known
	uses   uint64 // counts calls of of
	under  map[fileOf]*summing
}

// known are the sums of one transfer.
type known struct {
	sums  map[int]uint32 // by the index of the file
	used  uint64
	dirty bool // not saved
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

func newSums(open func(context.Context, share.ID, int) (io.ReadSeekCloser, error), kept *Sums, log *slog.Logger) *sums {
	s := &sums{
		open: open, kept: kept, log: log, turn: make(chan struct{}, 2), news: make(chan struct{}, 1),
		known: map[share.ID]*known{}, under: map[fileOf]*summing{},
	}
	s.over, s.stop = context.WithCancel(context.Background())
	return s
}

// run saves what was computed until ctx ends. Then it ends what is being computed.
func (s *sums) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-s.news:
		case <-ctx.Done():
		}
		wait := time.NewTimer(saveSums)
		select {
		case <-wait.C:
		case <-ctx.Done():
		}
		wait.Stop()
		s.save()
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.work.Wait()
	s.save()
}

// save saves what is not saved. What cannot be saved is computed again after a restart.
func (s *sums) save() {
	if s.kept == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, k := range s.known {
		if !k.dirty {
			continue
		}
		k.dirty = false
		if err := s.kept.save(id, k.sums); err != nil {
			s.log.Warn("the checksums for archives are computed again after a restart", "id", id, "error", err)
		}
	}
}

// of returns the CRC-32 of a file.
func (s *sums) of(ctx context.Context, f fileOf) (uint32, error) {
	s.mu.Lock()
	if crc, ok := s.transfer(f.id).sums[f.file]; ok {
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

// transfer is what is known of a transfer, in memory or kept. mu is held.
func (s *sums) transfer(id share.ID) *known {
	s.uses++
	k := s.known[id]
	if k == nil {
		k = &known{}
		if s.kept != nil {
			var err error
			if k.sums, err = s.kept.load(id); err != nil {
				s.log.Warn("the checksums for an archive are computed again", "id", id, "error", err)
			}
		}
		if k.sums == nil {
			k.sums = map[int]uint32{}
		}
		s.known[id] = k
		s.count += len(k.sums)
	}
	k.used = s.uses
	return k
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
	k := s.transfer(f.id)
	if s.room(f.id); s.count >= maxSums {
		return // of one transfer: those that do not fit are computed each time
	}
	k.sums[f.file], k.dirty = j.crc, true
	s.count++
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// room forgets other transfers than one until there is room, those first that were not used
// for longest. They are kept. mu is held.
func (s *sums) room(but share.ID) {
	for s.count >= maxSums && len(s.known) > 1 {
		var oldest share.ID
		var k *known
		for id, o := range s.known {
			if id != but && (k == nil || o.used < k.used) {
				oldest, k = id, o
			}
		}
		if k.dirty && s.kept != nil {
			if err := s.kept.save(oldest, k.sums); err != nil {
				s.log.Debug("checksums are lost", "id", oldest, "error", err)
			}
		}
		s.count -= len(k.sums)
		delete(s.known, oldest)
	}
}

// forget drops what is known of a transfer.
func (s *sums) forget(id share.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.known[id]; k != nil {
		s.count -= len(k.sums)
		delete(s.known, id)
	}
	if s.kept != nil {
		if err := s.kept.drop(id); err != nil {
			s.log.Debug("checksums stay in the state", "id", id, "error", err)
		}
	}
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
