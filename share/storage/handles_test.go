package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// countedFile tells when it is closed, and that it is used after that.
type countedFile struct {
	simFile
	open   *atomic.Int32
	closed atomic.Bool
}

func (f *countedFile) Close() error {
	if f.closed.Swap(true) {
		panic("closed twice")
	}
	f.open.Add(-1)
	return nil
}

// countedOwner holds one handle and counts what it is told to forget.
type countedOwner struct {
	cache     *handles
	open      *atomic.Int32
	h         atomic.Pointer[handle]
	mu        sync.Mutex
	isDirty   atomic.Bool
	forgotten atomic.Int32
}

func (o *countedOwner) forget(h *handle) {
	o.h.CompareAndSwap(h, nil)
	o.forgotten.Add(1)
}

func (o *countedOwner) dirtyHandle(*handle) bool { return o.isDirty.Load() }

func (o *countedOwner) use(t testing.TB) *handle {
	if h := o.h.Load(); h != nil && h.pin() {
		return h
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if h := o.h.Load(); h != nil && h.pin() {
		return h
	}
	h, err := o.cache.open(o, func() (*handle, error) {
		o.open.Add(1)
		return &handle{file: &countedFile{open: o.open}, owner: o}, nil
	})
	if err != nil {
		t.Error(err)
		return nil
	}
	o.h.Store(h)
	return h
}

func newOwners(cache *handles, n int) ([]*countedOwner, *atomic.Int32) {
	var open atomic.Int32
	owners := make([]*countedOwner, n)
	for i := range owners {
		owners[i] = &countedOwner{cache: cache, open: &open}
	}
	return owners, &open
}

func TestHandlesAreBoundedAndNeverClosedInUse(t *testing.T) {
	const limit, users = 16, 8
	cache := newHandles(limit)
	owners, open := newOwners(cache, 100)
	var most atomic.Int32
	var wg sync.WaitGroup
	for u := range users {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(u), 1))
			for range 5000 {
				o := owners[r.IntN(len(owners))]
				h := o.use(t)
				if h == nil {
					return
				}
				if h.file.(*countedFile).closed.Load() {
					t.Error("a pinned handle is closed")
				}
				if n := open.Load(); n > most.Load() {
					most.Store(n)
				}
				if r.IntN(50) == 0 {
					if was := o.h.Swap(nil); was != nil {
						cache.retire(was)
					}
				}
				h.unpin()
			}
		})
	}
	wg.Wait()
	if n := most.Load(); n > limit+2*users {
		t.Fatalf("%d handles were open at once", n)
	}
	for _, o := range owners {
		if h := o.h.Swap(nil); h != nil {
			cache.retire(h)
		}
	}
	if n := open.Load(); n != 0 || len(cache.ring) != 0 {
		t.Fatalf("%d handles stay open, %d are known", n, len(cache.ring))
	}
}

func TestCleanHandlesAreClosedFirst(t *testing.T) {
	cache := newHandles(minHandles)
	owners, _ := newOwners(cache, minHandles+2)
	for i, o := range owners[:minHandles] {
		o.isDirty.Store(i != 5)
		o.use(t).unpin()
	}
	owners[minHandles].use(t).unpin()
	for i, o := range owners[:minHandles] {
		if got := o.forgotten.Load(); got != 0 != (i == 5) {
			t.Fatalf("handle %d was forgotten %d times", i, got)
		}
	}
}

func TestOutOfDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache := newHandles(100)
		owners, open := newOwners(cache, 60)
		for _, o := range owners {
			o.use(t).unpin()
		}
		// The system has room for 20; after a while another program frees one more.
		start := time.Now()
		left := func() int32 {
			if time.Since(start) > 50*time.Millisecond {
				return 20
			}
			return 0
		}
		h, err := cache.open(owners[0], func() (*handle, error) {
			if open.Load() >= left() {
				return nil, fmt.Errorf("opening x: %w", ErrHandles)
			}
			open.Add(1)
			return &handle{file: &countedFile{open: open}, owner: owners[0]}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		h.unpin()
		if cache.limit >= 60 {
			t.Fatalf("the limit is still %d", cache.limit)
		}
		before := cache.limit
		for range 3 * 60 {
			for _, o := range owners {
				o.use(t).unpin()
			}
		}
		if cache.limit <= before {
			t.Fatalf("the limit stays at %d", cache.limit)
		}

		_, err = cache.open(owners[0], func() (*handle, error) {
			return nil, fmt.Errorf("opening x: %w", ErrHandles)
		})
		if !errors.Is(kindOf(err), ErrHandles) {
			t.Fatalf("out of descriptors for good: %v", err)
		}
	})
}
