package sim

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

// The scenarios in networks of thousands of nodes, and what the benchmark
// measures in them. They take minutes of a core each:
//
//	SOAK=1 go test ./index/dht/internal/sim -run Soak -timeout 1h -v

var (
	reportTo = flag.String("report", "", "append what was measured to this `file`, a JSON object a line")
	drawTo   = flag.String("draw", "", "draw how searches grow with the network into this SVG `file`")
)

// result is a line of the report. Times are in milliseconds, messages are
// datagrams sent and received.
type result struct {
	Scenario string `json:"scenario"`
	Size     int    `json:"size"`
	Searches int    `json:"searches"`
	Found    int    `json:"found"`
	Median   int    `json:"median"` // messages of a search
	Most     int    `json:"most"`   // of nine searches in ten at most
	First    int64  `json:"first"`  // until the announcer was named, median
	Late     int64  `json:"late"`   // in nine of ten at most

	Join  uint64  `json:"join,omitempty"`  // messages a node sends until it has its place
	Known int     `json:"known,omitempty"` // nodes a node knows
	Keys  int     `json:"keys,omitempty"`  // announced by one node
	Took  float64 `json:"took,omitempty"`  // in seconds, until all were
	// Messages for each key, of those announced together, and of one by itself.
	Together float64 `json:"together,omitempty"`
	Alone    float64 `json:"alone,omitempty"`
	// Of the node that keeps all keys announced for an hour.
	Sent  float64 `json:"sent,omitempty"`  // datagrams a second
	Bytes float64 `json:"bytes,omitempty"` // a second, both ways
	Cores float64 `json:"cores,omitempty"` // processor time for each second
}

func (f *findings) result(scenario string, size int) result {
	return result{
		Scenario: scenario, Size: size, Searches: f.all, Found: f.hits,
		Median: quantile(f.messages, .5), Most: quantile(f.messages, .9),
		First: quantile(f.times, .5).Milliseconds(), Late: quantile(f.times, .9).Milliseconds(),
	}
}

func report(t *testing.T, r result) {
	t.Helper()
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", line)
	if *reportTo == "" {
		return
	}
	f, err := os.OpenFile(*reportTo, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
}

func soak(t *testing.T) {
	if os.Getenv("SOAK") == "" {
		t.Skip("takes minutes; set SOAK=1 to run it")
	}
	t.Parallel()
}

const large = 2000

func TestSoakEverythingIsFound(t *testing.T) {
	soak(t)
	const keys = 10_000
	f, many, alone, together, took := calm(t, large, keys, 1000)
	report(t, f.result("calm", large))
	r := many.result("many", large)
	r.Keys, r.Alone, r.Together, r.Took = keys, alone, together, took.Seconds()
	report(t, r)
}

func TestSoakChurnAndLoss(t *testing.T) {
	soak(t)
	report(t, churn(t, large, 300, time.Second).result("churn", large))
}

func TestSoakLiars(t *testing.T) {
	soak(t)
	f, many := lied(t, large, 1000, Ghosts, Ring, Masks)
	report(t, f.result("liars", large))
	report(t, many.result("liars, many", large))
	for name, lie := range map[string]Lie{"ghosts": Ghosts, "ring": Ring, "masks": Masks} {
		t.Run(name, func(t *testing.T) {
			f, _ := lied(t, 400, 500, lie)
			report(t, f.result(name, 400))
		})
	}
}

func TestSoakFirewalls(t *testing.T) {
	soak(t)
	firewalled(t, 600, 300)
}

// An hour of one node that keeps 10,000 keys announced, after the first minute
// in which it announces them all.
func TestSoakHour(t *testing.T) {
	soak(t)
	const size, keys, hour = 500, 10_000, time.Hour
	c := grow(t, Config{Seed: 4}, size, honest)
	m := &crowd{Net: c.Net, t: t, by: make(map[nodeid.ID]*Node)}
	h := c.Honest()
	m.announceBy(h, keys)
	was := h.Stats(c.now)
	h.timed = true
	c.Run(hour)
	s := h.Stats(c.now)
	r := m.find(500).result("hour", size)
	r.Keys, r.Together = keys, float64(s.Announce.Datagrams-was.Announce.Datagrams)/float64(s.Announce.Announced-was.Announce.Announced)
	r.Sent = float64(s.Out-was.Out) / hour.Seconds()
	r.Bytes = float64(s.BytesOut+s.BytesIn-was.BytesOut-was.BytesIn) / hour.Seconds()
	r.Cores = h.Spent.Seconds() / hour.Seconds()
	report(t, r)
	if r.Found < r.Searches {
		t.Errorf("found %d of %d", r.Found, r.Searches)
	}
}

// The cost of a search grows with the logarithm of the network's size.
func TestSoakScale(t *testing.T) {
	soak(t)
	var points []result
	for _, size := range []int{100, 200, 500, 1000, 2000, 5000, 10_000} {
		c := grow(t, Config{Seed: 8}, size, honest)
		join := c.Sent / uint64(size)
		c.announce(100)
		f := c.find(1000)
		f.atLeast(t, 1)
		p := f.result("scale", size)
		p.Join = join
		for _, h := range c.nodes {
			p.Known += h.Stats(c.now).Nodes
		}
		p.Known /= size
		points = append(points, p)
		report(t, p)
	}
	a, b, r2 := logarithm(points)
	t.Logf("median = %.1f + %.1f log10(nodes), R² = %.3f", a, b, r2)
	if r2 < .95 {
		t.Errorf("a logarithm explains %.0f %% of the growth", 100*r2)
	}
	if *drawTo != "" {
		if err := os.WriteFile(*drawTo, plot(points, a, b), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// logarithm finds the median messages as a + b log10(size), by least squares,
// and the share of their variance that this explains.
func logarithm(points []result) (a, b, r2 float64) {
	n := float64(len(points))
	var sx, sy, sxx, sxy, syy float64
	for _, p := range points {
		x, y := math.Log10(float64(p.Size)), float64(p.Median)
		sx, sy, sxx, sxy, syy = sx+x, sy+y, sxx+x*x, sxy+x*y, syy+y*y
	}
	b = (n*sxy - sx*sy) / (n*sxx - sx*sx)
	a = (sy - b*sx) / n
	r := (n*sxy - sx*sy) / math.Sqrt((n*sxx-sx*sx)*(n*syy-sy*sy))
	return a, b, r * r
}

func TestLogarithm(t *testing.T) {
	var exact []result
	for _, size := range []int{10, 100, 1000, 10_000} {
		exact = append(exact, result{Size: size, Median: 5 + 7*int(math.Round(math.Log10(float64(size))))})
	}
	if a, b, r2 := logarithm(exact); math.Abs(a-5) > 1e-9 || math.Abs(b-7) > 1e-9 || math.Abs(r2-1) > 1e-9 {
		t.Errorf("%v + %v log10(n), %v", a, b, r2)
	}
	linear := []result{{Size: 10, Median: 10}, {Size: 100, Median: 100}, {Size: 1000, Median: 1000}, {Size: 10_000, Median: 10_000}}
	if _, _, r2 := logarithm(linear); r2 > .8 {
		t.Errorf("linear growth passes for logarithmic: %v", r2)
	}
}
