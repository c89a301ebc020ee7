package sim

import (
	"math"
	"os"
	"runtime/debug"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // thousands of nodes: memory is cheaper than time
	os.Exit(m.Run())
}

// The scenarios, each for a network of any size. Here they run in networks of a
// few hundred nodes, with the thresholds that hold for the large ones of the
// soak tests.

// calm is a network where nobody lies or leaves: all is found. Then one host
// announces many keys; what a key costs, and what one costs that is announced by
// itself, is in datagrams sent and received.
func calm(t *testing.T, size, keys, searches int) (f, many *findings, alone, together float64, took time.Duration) {
	c := grow(t, Config{Seed: 1}, size, honest)
	alone = c.announce(300)
	f = c.find(searches)
	f.atLeast(t, 1)
	m := &crowd{Net: c.Net, t: t, by: make(map[nodeid.ID]*Node)}
	h := c.Honest()
	was, begun := h.Stats(c.now).Announce, c.now
	m.announceBy(h, keys)
	took = c.now - begun
	s := h.Stats(c.now).Announce
	together = float64(s.Datagrams-was.Datagrams) / float64(keys)
	t.Logf("%d keys in %v: %.1f datagrams a key, 16 being the announcements themselves; a key alone costs %.1f",
		keys, took, together, alone)
	many = m.find(searches)
	many.atLeast(t, 1)
	if together > alone/3 {
		t.Errorf("%.1f datagrams a key, want at most a third of %.1f", together, alone)
	}
	if took > time.Minute {
		t.Errorf("it took %v, want a minute", took)
	}
	return f, many, alone, together, took
}

func TestEverythingIsFound(t *testing.T) { calm(t, 200, 1000, 300) }

// churn is a network half of whose hosts are replaced every 30 minutes, while
// every tenth datagram is lost.
func churn(t *testing.T, size, keys int, searchEvery time.Duration) *findings {
	const halfLife, lasts = 30 * time.Minute, 25 * time.Minute
	c := grow(t, Config{Seed: 2, Loss: .1}, size, honest)
	c.announce(keys)
	var f findings
	sent, since := c.Sent, c.now
	var owed float64
	searched := c.now + lasts/3
	for c.now-since < lasts {
		// Half of those there leave in a half-life, at random.
		for owed += float64(size) * math.Ln2 / halfLife.Seconds(); owed >= 1; owed-- {
			c.replace()
		}
		c.Run(time.Second)
		for ; searched <= c.now; searched += searchEvery {
			c.search(&f, func() {})
		}
	}
	c.Run(time.Minute)
	t.Logf("each host sent %.2f datagrams a second", float64(c.Sent-sent)/float64(size)/(c.now-since).Seconds())
	f.atLeast(t, .995)
	return &f
}

func TestChurnAndLoss(t *testing.T) { churn(t, 120, 100, 3*time.Second) }

// lied is a network a fifth of which lies, in these ways in turn.
func lied(t *testing.T, size, searches int, lies ...Lie) (f, many *findings) {
	c := grow(t, Config{Seed: 3}, size, func(i int) Kind {
		if i%5 == 4 {
			return Kind{Lie: lies[i/5%len(lies)]}
		}
		return Kind{}
	})
	c.announce(100)
	f = c.find(searches)
	f.atLeast(t, .99)
	// The keys of one host are found, too, which are announced together.
	m := &crowd{Net: c.Net, t: t, by: make(map[nodeid.ID]*Node)}
	m.announceBy(c.Honest(), 500)
	many = m.find(searches)
	many.atLeast(t, .99)
	return f, many
}

func TestLiars(t *testing.T) {
	for _, l := range []struct {
		name string
		lies []Lie
	}{
		{"all", []Lie{Ghosts, Ring, Masks}},
		{"ghosts", []Lie{Ghosts}},
		{"ring", []Lie{Ring}},
		{"masks", []Lie{Masks}},
	} {
		t.Run(l.name, func(t *testing.T) { lied(t, 100, 200, l.lies...) })
	}
}

// Every third host is behind a firewall that lets nobody in.
func firewalled(t *testing.T, size, searches int) {
	c := grow(t, Config{Seed: 5}, size, func(i int) Kind { return Kind{Firewalled: i%3 == 2} })
	c.announce(100)
	c.find(searches).atLeast(t, 1)
	c.Run(20 * time.Minute)
	c.find(searches).atLeast(t, 1)
	t.Logf("%d datagrams stopped by firewalls", c.Blocked)
}

func TestFirewalls(t *testing.T) { firewalled(t, 100, 200) }

// Fifty hosts that begin at the same moment, and know one of them, know nearly all
// of each other within minutes.
func TestYoungNetwork(t *testing.T) {
	c := &crowd{Net: New(Config{Seed: 10}), t: t}
	first := c.Add(Kind{})
	for range 49 {
		c.Add(Kind{}, first)
	}
	for _, stage := range []struct {
		after time.Duration
		knows int
	}{{30 * time.Second, 15}, {5 * time.Minute, 40}, {20 * time.Minute, 45}} {
		c.Run(stage.after)
		for i, h := range c.nodes {
			if n := h.Stats(c.now).Good; n < stage.knows {
				t.Errorf("after %v host %d knows %d of 49, want %d", c.now, i, n, stage.knows)
			}
		}
	}
}

// A host that comes back after an hour, in which a third of the others were
// replaced, is where it was within a second of the network's time, with nobody
// to begin with but those it knew.
func TestRestart(t *testing.T) {
	c := grow(t, Config{Seed: 9}, 150, honest)
	h := c.Honest()
	c.Run(time.Minute)
	id, saved := h.ID(), h.Contacts(nil)
	c.Kill(h)
	for range 50 {
		c.replace()
		c.Run(time.Hour / 50)
	}
	alive := 0
	for _, s := range saved {
		if c.byAddr[s.Addr] != nil {
			alive++
		}
	}
	h = c.Add(Kind{Addr: h.Addr, ID: id, Saved: saved})
	if !c.RunUntil(time.Second, func() bool { return h.Stats(c.now).Joined }) {
		t.Error("it has not found its place")
	}
	c.Run(time.Second)
	s, sent := h.Stats(c.now), h.Out
	t.Logf("of %d saved %d are there; it knows %d after %d datagrams", len(saved), alive, s.Good, sent)
	if h.ID() != id || s.Good < alive*9/10 {
		t.Errorf("it knows %d of %d", s.Good, alive)
	}
	c.Run(10 * time.Second)
	if more := h.Out - sent; more > sent/2 {
		t.Errorf("%d datagrams at first, and then %d", sent, more)
	}
}

func TestSameSeedSameRun(t *testing.T) {
	run := func() (uint64, string) {
		c := grow(t, Config{Seed: 7, Loss: .1}, 40, func(i int) Kind { return Kind{Lie: Lie(i % 4)} })
		c.announce(10)
		return c.Sent, c.find(20).String()
	}
	sent, found := run()
	if sent2, found2 := run(); sent2 != sent || found2 != found {
		t.Errorf("%d datagrams, %s; then %d, %s", sent, found, sent2, found2)
	}
}
