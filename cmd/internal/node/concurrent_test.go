package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// Requests for one ID that arrive at the same time. What went wrong once:
//
//   - 16 of 160 removals, mixed with additions, were never answered;
//   - data=true was lost when two removals ran at the same time.
//
// What must hold: every request is answered, and the answers and the final state are
// those of some order of the requests that agrees with their times. Removals that run at
// the same time count as one, which deletes the data if any of them says so.

// asked is a request that was answered. Times are ticks of a counter.
type asked struct {
	remove     bool
	data       bool
	unknown    bool  // a removal found nothing
	added      int64 // a fetch: which transfer it was told of
	start, end int64
}

func (r asked) String() string {
	if r.remove {
		return fmt.Sprintf("remove data=%v unknown=%v %d-%d", r.data, r.unknown, r.start, r.end)
	}
	return fmt.Sprintf("fetch got %d %d-%d", r.added%1e9, r.start, r.end)
}

// explained reports whether some order of done explains the answers, from the transfer
// that existed before to the one at the end; 0 is none.
func explained(before, after int64, done []asked) bool {
	var try func(cur int64, last *asked, rest []asked, seen []int64) bool
	try = func(cur int64, last *asked, rest []asked, seen []int64) bool {
		if len(rest) == 0 {
			return cur == after
		}
		for i := range rest {
			r := &rest[i]
			if slices.ContainsFunc(rest, func(o asked) bool { return o.end < r.start }) {
				continue // another was over before it began
			}
			next, known := cur, seen
			switch {
			case !r.remove && cur == 0 && !slices.Contains(seen, r.added):
				next, known = r.added, append(slices.Clone(seen), r.added)
			case !r.remove && cur != 0 && r.added == cur:
			case r.remove && r.unknown && cur == 0:
			case r.remove && !r.unknown && cur != 0:
				next = 0
			case r.remove && !r.unknown && last != nil && last.remove && !last.unknown && r.start < last.end && last.start < r.end:
			default:
				continue
			}
			if try(next, r, append(slices.Clone(rest[:i]), rest[i+1:]...), known) {
				return true
			}
		}
		return false
	}
	return try(before, nil, done, []int64{before})
}

// This tests the check of the test below.
func TestExplained(t *testing.T) {
	fetch := func(added, start, end int64) asked { return asked{added: added, start: start, end: end} }
	remove := func(unknown bool, start, end int64) asked {
		return asked{remove: true, unknown: unknown, start: start, end: end}
	}
	for name, c := range map[string]struct {
		before, after int64
		done          []asked
		want          bool
	}{
		"nothing":                        {1, 1, nil, true},
		"removed":                        {1, 0, []asked{remove(false, 1, 2)}, true},
		"it stayed":                      {1, 1, []asked{remove(false, 1, 2)}, false},
		"two that met":                   {1, 0, []asked{remove(false, 1, 3), remove(false, 2, 4)}, true},
		"two that did not meet":          {1, 0, []asked{remove(false, 1, 2), remove(false, 3, 4)}, false},
		"the last word is an addition":   {1, 2, []asked{remove(false, 1, 4), fetch(2, 2, 5)}, true},
		"the addition was lost":          {1, 0, []asked{remove(false, 1, 2), fetch(2, 3, 4)}, false},
		"told of one that was gone":      {1, 0, []asked{remove(false, 1, 2), fetch(1, 3, 4)}, false},
		"unknown while it was there":     {1, 1, []asked{remove(true, 1, 2)}, false},
		"two additions, two transfers":   {0, 2, []asked{fetch(1, 1, 3), fetch(2, 2, 4)}, false},
		"two additions, one transfer":    {0, 1, []asked{fetch(1, 1, 3), fetch(1, 2, 4)}, true},
		"added, removed and added again": {0, 2, []asked{fetch(1, 1, 9), remove(false, 2, 8), fetch(2, 3, 7)}, true},
	} {
		if got := explained(c.before, c.after, c.done); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestConcurrentRequests(t *testing.T) {
	giver, taker := open(t, options(t, stateDir(t), nil)), open(t, options(t, stateDir(t), nil))
	defer closed(t, giver)
	defer closed(t, taker)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var given []share.Transfer
	for i := range 4 {
		path := filepath.Join(t.TempDir(), fmt.Sprintf("file%d.bin", i))
		if err := os.WriteFile(path, []byte(strings.Repeat(fmt.Sprint(i), 40_000)), 0o600); err != nil {
			t.Fatal(err)
		}
		given = append(given, shared(t, giver.Client, path))
	}
	var all sync.WaitGroup
	for i, g := range given {
		torrent, err := giver.Client.Torrent(testContext(t), g.ID)
		if err != nil {
			t.Fatal(err)
		}
		p := &player{t: t, c: taker.Client, given: g, torrent: torrent, rand: rand.New(rand.NewPCG(seed, uint64(i)))}
		all.Go(func() {
			for round := range 25 {
				p.out = filepath.Join(t.TempDir(), fmt.Sprint(i, "-", round))
				if !p.mixed() || !p.removals() {
					return
				}
			}
		})
	}
	all.Wait()
}

// player sends requests for one ID.
type player struct {
	t       *testing.T
	c       *api.Client
	given   share.Transfer
	torrent []byte
	out     string
	rand    *rand.Rand
	clock   atomic.Int64
}

func (p *player) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}

func (p *player) fetch(asTorrent bool) (int64, error) {
	ctx, cancel := p.context()
	defer cancel()
	r := api.FetchRequest{Link: p.given.Link, Output: p.out}
	if asTorrent {
		r.Link, r.Torrent = "", p.torrent
	}
	s, err := p.c.Fetch(ctx, r)
	return s.Added.UnixNano(), err
}

// there returns which transfer exists.
func (p *player) there() int64 {
	ctx, cancel := p.context()
	defer cancel()
	s, err := p.c.Transfer(ctx, p.given.ID)
	if errors.Is(err, share.ErrUnknown) {
		return 0
	}
	if err != nil {
		p.t.Error(err)
	}
	return s.Added.UnixNano()
}

// together sends requests at the same time, with others that change nothing that the
// test checks, and waits for all answers.
func (p *player) together(all []asked) bool {
	c, id := p.c, p.given.ID
	noise := []func(context.Context) error{
		func(ctx context.Context) error { return c.Pause(ctx, id) },
		func(ctx context.Context) error { return c.Resume(ctx, id) },
		func(ctx context.Context) error { return c.Verify(ctx, id) },
		func(ctx context.Context) error { return c.SetLimits(ctx, id, share.Limits{Up: 1 << 30}) },
		func(ctx context.Context) error { return c.SetPriority(ctx, id, map[int]share.Priority{0: share.High}) },
		func(ctx context.Context) error { _, err := c.Files(ctx, id); return err },
		func(ctx context.Context) error { _, err := c.Peers(ctx, id); return err },
		func(ctx context.Context) error { _, err := c.Transfers(ctx); return err },
	}
	var answers sync.WaitGroup
	for range 3 {
		f := noise[p.rand.IntN(len(noise))]
		answers.Go(func() {
			ctx, cancel := p.context()
			defer cancel()
			if err := f(ctx); ctx.Err() != nil {
				p.t.Errorf("a request was not answered: %v", err)
			}
		})
	}
	// A read may wait for peers for as long as the transfer exists.
	reading, stop := p.context()
	var reader sync.WaitGroup
	if p.rand.IntN(3) == 0 {
		reader.Go(func() {
			if r, err := c.Content(reading, id, 0); err == nil {
				_, _ = io.Copy(io.Discard, r)
				r.Close()
			}
		})
	}
	for i := range all {
		r, asTorrent := &all[i], p.rand.IntN(2) == 0
		answers.Go(func() {
			r.start = p.clock.Add(1)
			var err error
			if r.remove {
				ctx, cancel := p.context()
				defer cancel()
				if _, err = c.Remove(ctx, id, r.data); errors.Is(err, share.ErrUnknown) {
					r.unknown, err = true, nil
				}
			} else {
				r.added, err = p.fetch(asTorrent)
			}
			r.end = p.clock.Add(1)
			if err != nil {
				p.t.Errorf("%v: %v", *r, err)
			}
		})
	}
	answers.Wait()
	stop()
	reader.Wait()
	return !p.t.Failed()
}

// mixed adds and removes at the same time.
func (p *player) mixed() bool {
	before := p.there()
	all := make([]asked, 5)
	for i := range all {
		if p.rand.IntN(2) == 0 {
			all[i] = asked{remove: true, data: p.rand.IntN(2) == 0}
		}
	}
	if !p.together(all) {
		return false
	}
	if after := p.there(); !explained(before, after, all) {
		p.t.Errorf("from %d to %d by no order of %v", before%1e9, after%1e9, all)
		return false
	}
	return true
}

// removals removes what is complete, several times at once.
func (p *player) removals() bool {
	ctx, cancel := p.context()
	defer cancel()
	if _, err := p.c.Remove(ctx, p.given.ID, true); err != nil && !errors.Is(err, share.ErrUnknown) {
		p.t.Error(err)
		return false
	}
	p.out += "-whole"
	before, err := p.fetch(true)
	if err == nil {
		_, err = p.fetch(false) // for the peers of the link
	}
	if err != nil {
		p.t.Error(err)
		return false
	}
	var path string
	for _, err := range p.c.Events(ctx, p.given.ID) {
		if err != nil {
			p.t.Error(err)
			return false
		}
		// An event may still be about the transfer before.
		if s, err := p.c.Transfer(ctx, p.given.ID); err == nil && s.Added.UnixNano() == before && !s.Completed.IsZero() {
			path = s.Path
			break
		}
	}
	all := make([]asked, 3)
	for i := range all {
		all[i] = asked{remove: true, data: p.rand.IntN(3) == 0}
	}
	if !p.together(all) {
		return false
	}
	if !explained(before, p.there(), all) {
		p.t.Errorf("by no order of %v", all)
		return false
	}
	deleted := slices.ContainsFunc(all, func(r asked) bool { return r.data && !r.unknown })
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) != deleted {
		p.t.Errorf("%s: %v after %v", path, err, all)
		return false
	}
	return true
}
