package sim

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"os"
	"runtime/debug"
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
	for range 300 {
		c.Run(time.Second)
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

// big skips what takes too long under the race detector: there is one goroutine
// here, and the small tests run the same code.
func big(t *testing.T) {
	if raceEnabled {
		t.Skip("too slow under the race detector; runs without it")
	}
	t.Parallel()
}

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // thousands of nodes: memory is cheaper than time
	os.Exit(m.Run())
}

// In a network where nobody lies or leaves, all is found, and placed well: the
// second part counts what announcing costs one host with many keys.
func TestEverythingIsFound(t *testing.T) {
	big(t)
	c := grow(t, Config{Seed: 1}, 2000, honest)
	alone := c.announce(300)
	c.find(1000).atLeast(t, 1)
	t.Run("many keys", func(t *testing.T) {
		const keys = 10_000
		m := &crowd{Net: c.Net, t: t, by: make(map[nodeid.ID]*Node)}
		h := c.Honest()
		was, begun := h.Stats(c.now).Announce, c.now
		m.announceBy(h, keys)
		took := c.now - begun
		s := h.Stats(c.now).Announce
		cost := float64(s.Datagrams-was.Datagrams) / keys
		t.Logf("%d keys in %v: %.1f datagrams a key, 16 being the announcements themselves; a key alone costs %.1f",
			keys, took, cost, alone)
		m.find(1000).atLeast(t, 1)
		if cost > alone/3 {
			t.Errorf("%.1f datagrams a key, want at most a third of %.1f", cost, alone)
		}
		if took > time.Minute {
			t.Errorf("it took %v, want a minute", took)
		}
	})
}

// Half of the hosts are replaced every 30 minutes, and every tenth datagram is
// lost.
func TestChurnAndLoss(t *testing.T) {
	big(t)
	const size, halfLife = 2000, 30 * time.Minute
	c := grow(t, Config{Seed: 2, Loss: .1}, size, honest)
	c.announce(300)
	var f findings
	begin, sent, since := time.Now(), c.Sent, c.now
	steps := int(25 * time.Minute / time.Second)
	var owed float64
	for i := range steps {
		// Half of those there leave in a half-life, at random.
		for owed += size * math.Ln2 / halfLife.Seconds(); owed >= 1; owed-- {
			c.replace()
		}
		c.Run(time.Second)
		if i > steps/3 && i%2 == 0 {
			c.search(&f, func() {})
		}
	}
	c.Run(time.Minute)
	t.Logf("%v took %v; each host sent %.2f datagrams a second", (c.now - since).Round(time.Minute),
		time.Since(begin).Round(time.Second), float64(c.Sent-sent)/size/(c.now-since).Seconds())
	f.atLeast(t, .995)
}

// A fifth of the hosts lie: each in one of three ways, and all in the same way in
// smaller networks.
func TestLiars(t *testing.T) {
	big(t)
	for _, l := range []struct {
		name string
		size int
		lies []Lie
	}{
		{"all", 2000, []Lie{Ghosts, Ring, Masks}},
		{"ghosts", 400, []Lie{Ghosts}},
		{"ring", 400, []Lie{Ring}},
		{"masks", 400, []Lie{Masks}},
	} {
		t.Run(l.name, func(t *testing.T) {
			c := grow(t, Config{Seed: 3}, l.size, func(i int) Kind {
				if i%5 == 4 {
					return Kind{Lie: l.lies[i/5%len(l.lies)]}
				}
				return Kind{}
			})
			c.announce(100)
			c.find(500).atLeast(t, .99)
			// The keys of one host are found, too, which are announced together.
			m := &crowd{Net: c.Net, t: t, by: make(map[nodeid.ID]*Node)}
			m.announceBy(c.Honest(), 500)
			m.find(500).atLeast(t, .99)
		})
	}
}

// Every third host is behind a firewall that lets nobody in.
func TestFirewalls(t *testing.T) {
	size := 600
	if raceEnabled {
		size = 150
	}
	c := grow(t, Config{Seed: 5}, size, func(i int) Kind { return Kind{Firewalled: i%3 == 2} })
	c.announce(100)
	c.find(300).atLeast(t, 1)
	c.Run(20 * time.Minute)
	c.find(300).atLeast(t, 1)
	t.Logf("%d datagrams stopped by firewalls", c.Blocked)
}

// Everything again in small, for runs with the race detector and for a first
// impression.
func TestSmall(t *testing.T) {
	c := grow(t, Config{Seed: 6, Loss: .05}, 150, func(i int) Kind {
		return Kind{Firewalled: i%10 == 7, Lie: []Lie{Honest, Ghosts}[i%10/9]}
	})
	c.announce(30)
	for range 100 {
		c.replace()
		c.Run(5 * time.Second)
	}
	c.find(100).atLeast(t, .95)
}

func TestSameSeedSameRun(t *testing.T) {
	run := func() (uint64, string) {
		c := grow(t, Config{Seed: 7, Loss: .1}, 60, func(i int) Kind { return Kind{Lie: Lie(i % 4)} })
		c.announce(10)
		return c.Sent, c.find(20).String()
	}
	sent, found := run()
	if sent2, found2 := run(); sent2 != sent || found2 != found {
		t.Errorf("%d datagrams, %s; then %d, %s", sent, found, sent2, found2)
	}
}
