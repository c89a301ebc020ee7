package sim

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// plotStyle makes the plot legible on light and dark pages, whichever of the
// two the page follows: it has its own background.
const plotStyle = `<style>
.back{fill:#fff}.grid{stroke:#e3e3e3}.text{fill:#444}.most{stroke:#607284;fill:#607284}.median{stroke:#0b62c4;fill:#0b62c4}.fit{stroke:#b4540a;fill:#b4540a}
@media(prefers-color-scheme:dark){.back{fill:#14181d}.grid{stroke:#2c343d}.text{fill:#c5ced8}.most{stroke:#94a5b5;fill:#94a5b5}.median{stroke:#5aa9ff;fill:#5aa9ff}.fit{stroke:#f0a35e;fill:#f0a35e}}
path{fill:none!important}text{stroke:none!important}
</style>`

// plot draws messages over the logarithm of the size, where a + b log10(size) is
// a straight line.
func plot(points []result, a, b float64) []byte {
	const width, height, left, right, top, bottom = 680, 380, 48, 28, 44, 52
	const step = 20
	high := 0
	for _, p := range points {
		high = max(high, p.Most)
	}
	high = (high/step + 1) * step
	first, last := points[0], points[len(points)-1]
	lo, hi := math.Log10(float64(first.Size)), math.Log10(float64(last.Size))
	x := func(size int) float64 {
		return left + (math.Log10(float64(size))-lo)/(hi-lo)*(width-left-right)
	}
	y := func(v float64) float64 { return height - bottom - v/float64(high)*(height-top-bottom) }
	var w bytes.Buffer
	text := func(x, y float64, anchor, class, format string, args ...any) {
		fmt.Fprintf(&w, `<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>`+"\n", x, y, anchor, class, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" role="img">`+"\n", width, height)
	fmt.Fprintf(&w, "<title>Datagrams of a search over the size of the network</title>\n%s\n", plotStyle)
	fmt.Fprintf(&w, `<rect class="back" width="%d" height="%d" rx="6"/>`+"\n", width, height)
	text(left, 24, "start", "text", "datagrams sent and received for one search")
	for v := 0; v <= high; v += step {
		fmt.Fprintf(&w, `<path class="grid" d="M%d %.1fH%d"/>`+"\n", left, y(float64(v)), width-right)
		text(left-8, y(float64(v))+4, "end", "text", "%d", v)
	}
	fit := func(size int) float64 { return a + b*math.Log10(float64(size)) }
	fmt.Fprintf(&w, `<path class="fit" stroke-width="1.5" stroke-dasharray="6 5" d="M%.1f %.1fL%.1f %.1f"/>`+"\n",
		x(first.Size), y(fit(first.Size)), x(last.Size), y(fit(last.Size)))
	line := func(class string, value func(result) int) {
		d := "M"
		for i, p := range points {
			if i > 0 {
				d += "L"
			}
			d += fmt.Sprintf("%.1f %.1f", x(p.Size), y(float64(value(p))))
			fmt.Fprintf(&w, `<circle class="%s" cx="%.1f" cy="%.1f" r="3.5"/>`+"\n", class, x(p.Size), y(float64(value(p))))
		}
		fmt.Fprintf(&w, `<path class="%s" stroke-width="2" d="%s"/>`+"\n", class, d)
	}
	line("most", func(p result) int { return p.Most })
	line("median", func(p result) int { return p.Median })
	for _, p := range points {
		text(x(p.Size), height-bottom+20, "middle", "text", "%s", thousands(p.Size))
	}
	text(width/2, height-12, "middle", "text", "nodes in the network (logarithmic)")
	text(width-right, y(float64(last.Most))-12, "end", "most", "nine searches in ten at most")
	// Below the lines, where nothing else is.
	text(width-right, y(float64(last.Median)/2)-10, "end", "median", "median search")
	text(width-right, y(float64(last.Median)/2)+10, "end", "fit", "%.1f + %.1f log₁₀(nodes), fitted", a, b)
	w.WriteString("</svg>\n")
	return w.Bytes()
}

// thousands writes n with a comma, as far as a plot needs.
func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
