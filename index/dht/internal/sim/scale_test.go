package sim

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"testing"
	"time"
)

var scale = flag.String("scale", "", "measure searches in networks of 100 to 10,000 nodes and draw them into this SVG `file`")

type point struct {
	size             int
	median, most     int // datagrams of a search
	first, mostFirst time.Duration
	join             uint64 // datagrams a node sends until it has its place
	nodes            int    // known
}

// TestScale shows how the cost of a search grows with the network. Run it with
//
//	go test ./index/dht/internal/sim -run Scale -scale dht.svg -timeout 1h
func TestScale(t *testing.T) {
	if *scale == "" {
		t.Skip("needs -scale FILE")
	}
	var points []point
	for _, size := range []int{100, 200, 500, 1000, 2000, 5000, 10000} {
		begin := time.Now()
		c := grow(t, Config{Seed: 8}, size, honest)
		p := point{size: size, join: c.Sent / uint64(size)}
		c.announce(100)
		f := c.find(1000)
		f.atLeast(t, 1)
		for _, h := range c.nodes {
			p.nodes += h.Stats(c.now).Nodes
		}
		p.nodes /= size
		p.median, p.most = quantile(f.messages, .5), quantile(f.messages, .9)
		p.first, p.mostFirst = quantile(f.times, .5), quantile(f.times, .9)
		points = append(points, p)
		t.Logf("took %v", time.Since(begin).Round(time.Second))
	}
	t.Log("| nodes | datagrams a search, median | 9 of 10 | first peer after, median | 9 of 10 | datagrams sent to join | nodes known |")
	t.Log("|---|---|---|---|---|---|---|")
	for _, p := range points {
		t.Logf("| %d | %d | %d | %d ms | %d ms | %d | %d |", p.size, p.median, p.most, p.first.Milliseconds(), p.mostFirst.Milliseconds(), p.join, p.nodes)
	}
	if err := os.WriteFile(*scale, plot(points), 0o644); err != nil {
		t.Fatal(err)
	}
}

// plot draws datagrams over the logarithm of the size: a straight line where
// growth is logarithmic.
func plot(points []point) []byte {
	const width, height, left, right, top, bottom = 640, 360, 56, 24, 24, 48
	high := 0
	for _, p := range points {
		high = max(high, p.most)
	}
	high = (high/20 + 1) * 20
	lo, hi := math.Log10(float64(points[0].size)), math.Log10(float64(points[len(points)-1].size))
	x := func(size int) float64 {
		return left + (math.Log10(float64(size))-lo)/(hi-lo)*(width-left-right)
	}
	y := func(v int) float64 { return height - bottom - float64(v)/float64(high)*(height-top-bottom) }
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" role="img">`+"\n", width, height)
	fmt.Fprintf(&b, "<title>Datagrams of a search over the size of the network</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", width, height)
	for v := 0; v <= high; v += 20 {
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end" fill="#444">%d</text>`+"\n", left, y(v), width-right, left-8, y(v)+4, v)
	}
	line := func(colour string, value func(point) int) {
		d := "M"
		for i, p := range points {
			if i > 0 {
				d += "L"
			}
			d += fmt.Sprintf("%.1f %.1f", x(p.size), y(value(p)))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", x(p.size), y(value(p)), colour)
		}
		fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", d, colour)
	}
	line("#9ab", func(p point) int { return p.most })
	line("#06c", func(p point) int { return p.median })
	for _, p := range points {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle" fill="#444">%d</text>`+"\n", x(p.size), height-bottom+18, p.size)
	}
	last := points[len(points)-1]
	fmt.Fprintf(&b, `<text x="%d" y="%.1f" text-anchor="end" fill="#678">9 of 10 searches under</text>`+"\n", width-right, y(last.most)-10)
	fmt.Fprintf(&b, `<text x="%d" y="%.1f" text-anchor="end" fill="#06c">median search</text>`+"\n", width-right, y(last.median)+20)
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle" fill="#444">nodes in the network (logarithmic)</text>`+"\n", width/2, height-10)
	fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#444">datagrams sent and received for one search</text>`+"\n", left, top-8)
	b.WriteString("</svg>\n")
	return b.Bytes()
}
