package sim

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/lookup"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

// crowd is a grown network and what its nodes announced.
type crowd struct {
	*Net
	t    testing.TB
	ids  []nodeid.ID
	by   map[nodeid.ID]*Node
	kind func(i int) Kind
}

func grow(t testing.TB, cfg Config, size int, kind func(i int) Kind) *crowd {
	begin := time.Now()
	c := &crowd{Net: New(cfg), t: t, by: make(map[nodeid.ID]*Node), kind: kind}
	c.Grow(size, kind)
	joined, nodes := 0, 0
	for _, h := range c.nodes {
		s := h.Stats(c.now)
		nodes += s.Good
		if s.Joined {
			joined++
		}
	}
	t.Logf("%d nodes: %d joined, knowing %d each, after %d datagrams each (%v)",
		size, joined, nodes/size, c.Sent/uint64(size), time.Since(begin).Round(time.Millisecond))
	return c
}

func honest(int) Kind { return Kind{} }

// announce has count random hosts announce a key each, and waits until they
// have. It returns how many datagrams each cost.
func (c *crowd) announce(count int) float64 {
	var by []*Node
	var before uint64
	for range count {
		id, h := nodeid.Random(c.rand), c.Honest()
		c.ids, c.by[id] = append(c.ids, id), h
		by = append(by, h)
		before += h.Stats(c.now).Announce.Datagrams
		h.Do(func(now time.Duration) { h.Announce(now, id) })
	}
	c.waitAnnounced()
	var after uint64
	for _, h := range by {
		after += h.Stats(c.now).Announce.Datagrams
	}
	return float64(after-before) / float64(count)
}

// announceBy has one host announce count keys.
func (c *crowd) announceBy(h *Node, count int) {
	h.Do(func(now time.Duration) {
		for range count {
			id := nodeid.Random(c.rand)
			c.ids, c.by[id] = append(c.ids, id), h
			h.Announce(now, id)
		}
	})
	c.waitAnnounced()
}

func (c *crowd) waitAnnounced() {
	for range 600 {
		c.Run(500 * time.Millisecond)
		waiting := 0
		seen := make(map[*Node]bool)
		for _, h := range c.by {
			if !seen[h] {
				seen[h] = true
				waiting += h.Stats(c.now).Announce.Waiting
			}
		}
		if waiting == 0 {
			return
		}
	}
	c.t.Error("not everything was announced in five minutes")
}

// replace has one random host leave and another come.
func (c *crowd) replace() {
	c.Kill(c.Any())
	c.Join(c.kind(c.rand.IntN(1 << 30)))
}

type findings struct {
	hits, all int
	messages  []int // of each search, sent and received
	times     []time.Duration
}

// find has random hosts search for random keys whose announcers are there, some
// at a time.
func (c *crowd) find(count int) *findings {
	f := new(findings)
	for f.all < count {
		open := 0
		for range min(50, count-f.all) {
			open++
			c.search(f, func() { open-- })
		}
		if !c.RunUntil(2*time.Minute, func() bool { return open == 0 }) {
			c.t.Fatalf("%d searches did not end", open)
		}
	}
	return f
}

// search has one host begin to search.
func (c *crowd) search(f *findings, done func()) {
	id := c.ids[c.rand.IntN(len(c.ids))]
	want := c.by[id]
	for want.dead {
		id = c.ids[c.rand.IntN(len(c.ids))]
		want = c.by[id]
	}
	h := c.Honest()
	for h == want || !h.Stats(c.now).Joined {
		h = c.Honest()
	}
	f.all++
	hit := false
	begun := c.now
	h.Do(func(time.Duration) {
		h.GetPeers(id, false, func(peers []netip.AddrPort) {
			if !hit && slices.Contains(peers, want.Addr) {
				hit = true
				f.hits++
				f.times = append(f.times, c.now-begun)
			}
		}, func(l *lookup.Lookup) {
			f.messages = append(f.messages, l.Sent()+l.Got())
			done()
		})
	})
}

func (f *findings) String() string {
	return fmt.Sprintf("found %d of %d (%.2f %%); messages a search: median %d, 9 of 10 under %d; time to the first: median %v, 9 of 10 under %v",
		f.hits, f.all, 100*float64(f.hits)/float64(f.all), quantile(f.messages, .5), quantile(f.messages, .9),
		quantile(f.times, .5).Round(time.Millisecond), quantile(f.times, .9).Round(time.Millisecond))
}

func quantile[T cmp.Ordered](all []T, q float64) T {
	var none T
	if len(all) == 0 {
		return none
	}
	s := slices.Sorted(slices.Values(all))
	return s[int(q*float64(len(s)-1))]
}

// atLeast fails unless share of the searches were hits.
func (f *findings) atLeast(t testing.TB, share float64) {
	t.Helper()
	t.Log(f)
	if float64(f.hits) < share*float64(f.all) {
		t.Errorf("found %d of %d, want %.1f %%", f.hits, f.all, 100*share)
	}
}
