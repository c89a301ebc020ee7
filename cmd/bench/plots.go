//go:build linux

package main

import (
	"errors"
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A plot is a picture at the top of the page. It is drawn from the table of a section,
// and has no other figures.
type plot struct {
	file    string // in images, beside the page
	section string
	title   string
	says    string // below the picture
	head    []string
	// show takes the columns of the table that the picture shows.
	show func(row []string) ([]string, error)
	draw func(shown [][]string) (string, error)
}

var plots = [...]plot{
	{
		"perf-rates.svg", "transfers", "Rates beside libtorrent",
		"1 GiB over one TCP connection on one machine of two cores, which both ends share. The source and the sinks are programs that only measure.",
		[]string{"from and to", "MiB/s"}, columns(0, 1), drawRates,
	},
	{
		"perf-lines.svg", "lines", "Far lines",
		"One transfer over a line of 100 Mbit/s, by round trip and loss, with the same program at both ends. The thin lines are intervals of 95 %.",
		[]string{"round trip and loss", "raw TCP, Mbit/s", "shoal", "libtorrent"}, columns(0, 1, 2, 3), drawLines,
	},
	{
		"perf-dht.svg", "dht-growth", "A search in the DHT",
		"The time until a search knows its first peer, in simulated networks in which two hosts are 4 to 140 ms apart.",
		[]string{"nodes", "first peer, median", "90th percentile"}, columns(0, 4, 5), drawSearches,
	},
}

func columns(all ...int) func([]string) ([]string, error) {
	return func(row []string) (shown []string, err error) {
		for _, c := range all {
			if c >= len(row) {
				return nil, fmt.Errorf("the row %q has no column %d", row, c)
			}
			shown = append(shown, row[c])
		}
		return shown, nil
	}
}

// The pictures and their tables stand between these lines of the page.
const (
	picturesBegin = "<!-- bench: pictures, drawn from the tables below -->\n"
	picturesEnd   = "<!-- bench: end of pictures -->"
)

// illustrate draws the pictures of a page, and writes them beside it.
func illustrate(path string) error {
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	page, pictures, err := illustrated(string(doc))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for file, svg := range pictures {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "images", file), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(path, []byte(page), 0o644)
}

// illustrated returns a page with its pictures as its tables are, and the pictures.
func illustrated(doc string) (page string, pictures map[string]string, err error) {
	head, rest, found := strings.Cut(doc, picturesBegin)
	_, tail, foundEnd := strings.Cut(rest, picturesEnd)
	if !found || !foundEnd {
		return "", nil, errors.New("there is no place for the pictures")
	}
	var b strings.Builder
	b.WriteString(head + picturesBegin)
	pictures = map[string]string{}
	for _, p := range plots {
		rows, err := rowsOf(doc, p.section)
		if err != nil {
			return "", nil, err
		}
		shown := make([][]string, len(rows))
		for i, r := range rows {
			if shown[i], err = p.show(r); err != nil {
				return "", nil, fmt.Errorf("the section %s: %w", p.section, err)
			}
		}
		if pictures[p.file], err = p.draw(shown); err != nil {
			return "", nil, fmt.Errorf("the section %s: %w", p.section, err)
		}
		t := table{title: p.title, how: p.says + "\n\n![" + p.title + ": the figures are in the table below](images/" + p.file + ")", head: p.head, rows: shown}
		t.write(&b)
	}
	b.WriteString("\n" + picturesEnd + tail)
	return b.String(), pictures, nil
}

// rowsOf are the rows of the table of a section.
func rowsOf(doc, section string) (rows [][]string, err error) {
	_, text, found := strings.Cut(doc, opening+section+closing)
	text, _, _ = strings.Cut(text, "<!-- bench")
	if !found {
		return nil, fmt.Errorf("there is no section %s", section)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			continue
		}
		var row []string
		for c := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			row = append(row, strings.TrimSpace(c))
		}
		rows = append(rows, row)
	}
	const heading = 2 // with the line below it
	if len(rows) <= heading {
		return nil, fmt.Errorf("the section %s has no table", section)
	}
	return rows[heading:], nil
}

// figure reads "228", "228 ms" or "95.4 ± 0.7".
func figure(cell string) (is, give float64, err error) {
	f := strings.Fields(cell)
	if len(f) == 0 {
		return 0, 0, errors.New("a figure is missing")
	}
	if is, err = strconv.ParseFloat(f[0], 64); err == nil && len(f) == 3 && f[1] == "±" {
		give, err = strconv.ParseFloat(f[2], 64)
	}
	if err != nil || is < 0 {
		return 0, 0, fmt.Errorf("%q is no figure", cell)
	}
	return is, give, nil
}

// figures reads a row but for its name.
func figures(row []string) (all []float64, give []float64, err error) {
	for _, c := range row[1:] {
		is, plus, err := figure(c)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", row[0], err)
		}
		all, give = append(all, is), append(give, plus)
	}
	return all, give, nil
}

// drawing is a picture whose colours follow those of its reader.
type drawing struct{ strings.Builder }

const (
	pictureWidth = 680
	lineHeight   = 26
)

func newDrawing(height float64, title string) *drawing {
	p := new(drawing)
	fmt.Fprintf(p, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" font-family="sans-serif" font-size="13" role="img">`+"\n<title>%s</title>\n", pictureWidth, height, html.EscapeString(title))
	p.WriteString(`<style>
.back{fill:#fff}.grid{stroke:#e3e3e3}.text{fill:#333}.shoal{stroke:#0b62c4;fill:#0b62c4}.other{stroke:#b4540a;fill:#b4540a}.plain{stroke:#8796a5;fill:#8796a5}.give{stroke:#333}
@media(prefers-color-scheme:dark){.back{fill:#14181d}.grid{stroke:#2c343d}.text{fill:#d2dae2}.shoal{stroke:#5aa9ff;fill:#5aa9ff}.other{stroke:#f0a35e;fill:#f0a35e}.plain{stroke:#7b8a99;fill:#7b8a99}.give{stroke:#d2dae2}}
path{fill:none!important}text,rect{stroke:none!important}
</style>
`)
	fmt.Fprintf(p, `<rect class="back" width="%d" height="%.0f" rx="6"/>`+"\n", pictureWidth, height)
	return p
}

func (p *drawing) text(x, y float64, anchor, text string) {
	fmt.Fprintf(p, `<text x="%.1f" y="%.1f" text-anchor="%s" class="text">%s</text>`+"\n", x, y, anchor, html.EscapeString(text))
}

func (p *drawing) bar(class string, x, y, width, height float64) {
	fmt.Fprintf(p, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2"/>`+"\n", class, x, y, width, height)
}

func (p *drawing) line(class string, points ...float64) {
	fmt.Fprintf(p, `<path class="%s" stroke-width="1.5" d="M%.1f %.1f`, class, points[0], points[1])
	for i := 2; i < len(points); i += 2 {
		fmt.Fprintf(p, "L%.1f %.1f", points[i], points[i+1])
	}
	p.WriteString(`"/>` + "\n")
}

// legend names classes of what is drawn.
func (p *drawing) legend(x, y float64, names ...string) {
	for i := 0; i < len(names); i += 2 {
		p.bar(names[i], x, y-10, 12, 12)
		p.text(x+18, y, "start", names[i+1])
		x += 34 + 7.5*float64(len(names[i+1]))
	}
}

func (p *drawing) end() string { return p.String() + "</svg>\n" }

// step is the distance of the lines of a grid up to most: three to seven of them.
func step(most float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(most)))
	for _, s := range []float64{0.2, 0.5, 1} {
		if most/(s*unit) <= 7 {
			return s * unit
		}
	}
	return 2 * unit
}

// drawRates draws a bar for each pair of programs.
func drawRates(rows [][]string) (string, error) {
	const left, right, top = 210, 620, 40
	most := 1.0
	rates := make([]float64, len(rows))
	for i, r := range rows {
		all, _, err := figures(r)
		if err != nil {
			return "", err
		}
		rates[i] = all[0]
		most = max(most, all[0])
	}
	p := newDrawing(top+float64(len(rows))*lineHeight+14, "Rates of shoal and of libtorrent over one connection, in MiB/s")
	p.legend(14, 22, "shoal", "shoal takes part", "other", "libtorrent alone", "plain", "against a bare source or sink")
	p.text(right+48, 22, "end", "MiB/s")
	for i, r := range rows {
		y := float64(top + i*lineHeight)
		class := "other"
		switch {
		case strings.Contains(r[0], "shoal"):
			class = "shoal"
		case strings.Contains(r[0], "null") || strings.Contains(r[0], "bare"):
			class = "plain"
		}
		width := rates[i] / most * (right - left)
		p.text(left-8, y+15, "end", r[0])
		p.bar(class, left, y+2, width, lineHeight-8)
		p.text(left+width+6, y+15, "start", r[1])
	}
	return p.end(), nil
}

// drawLines draws, for each line, a bar for each program.
func drawLines(rows [][]string) (string, error) {
	const left, right, top, bottom, below = 48, 668, 44, 264, 44
	classes := [...]string{"plain", "shoal", "other"}
	most := 1.0
	for _, r := range rows {
		all, give, err := figures(r)
		if err != nil {
			return "", err
		}
		if len(all) != len(classes) {
			return "", fmt.Errorf("%q has not %d figures", r, len(classes))
		}
		for i := range all {
			most = max(most, all[i]+give[i])
		}
	}
	p := newDrawing(bottom+below, "Rates over far lines of 100 Mbit/s, in Mbit/s, by round trip and loss")
	p.legend(left, 22, classes[0], "raw TCP", classes[1], "shoal", classes[2], "libtorrent")
	p.text(right, 22, "end", "Mbit/s")
	at := func(v float64) float64 { return bottom - v/most*(bottom-top) }
	for v := 0.0; v <= most; v += step(most) {
		p.line("grid", left, at(v), right, at(v))
		p.text(left-8, at(v)+4, "end", strconv.FormatFloat(v, 'f', -1, 64))
	}
	group := float64(right-left) / float64(len(rows))
	const width = 18
	for g, r := range rows {
		all, give, _ := figures(r)
		middle := left + (float64(g)+0.5)*group
		for i, v := range all {
			x := middle + (float64(i)-1.5)*(width+2)
			p.bar(classes[i], x, at(v), width, bottom-at(v))
			if give[i] > 0 {
				p.line("give", x+width/2, at(v+give[i]), x+width/2, at(max(0, v-give[i])))
			}
		}
		for i, part := range strings.SplitN(r[0], ", ", 2) {
			p.text(middle, float64(bottom+17*(i+1)), "middle", part)
		}
	}
	return p.end(), nil
}

// drawSearches draws the times until the first peer over the size of the network.
func drawSearches(rows [][]string) (string, error) {
	const left, right, top, bottom, below = 60, 640, 44, 244, 48
	var sizes []float64
	times := [2][]float64{}
	most := 1.0
	for _, r := range rows {
		size, _, err := figure(r[0])
		if err != nil || size < 1 {
			return "", fmt.Errorf("%q is no number of nodes", r[0])
		}
		all, _, err := figures(r)
		if err != nil {
			return "", err
		}
		sizes = append(sizes, math.Log(size))
		for i := range times {
			times[i] = append(times[i], all[i])
		}
		most = max(most, slices.Max(all))
	}
	if len(sizes) < 2 || !slices.IsSorted(sizes) || sizes[0] == sizes[len(sizes)-1] {
		return "", errors.New("the networks do not grow")
	}
	p := newDrawing(bottom+below, "Time until a search in the DHT knows its first peer, by the number of nodes, in ms")
	p.legend(left, 22, "shoal", "median", "plain", "90th percentile")
	p.text(right, 22, "end", "ms")
	x := func(i int) float64 {
		return left + (sizes[i]-sizes[0])/(sizes[len(sizes)-1]-sizes[0])*(right-left)
	}
	y := func(v float64) float64 { return bottom - v/most*(bottom-top) }
	for v := 0.0; v <= most; v += step(most) {
		p.line("grid", left, y(v), right, y(v))
		p.text(left-8, y(v)+4, "end", strconv.FormatFloat(v, 'f', -1, 64))
	}
	for i, class := range []string{"shoal", "plain"} {
		var points []float64
		for n, v := range times[i] {
			points = append(points, x(n), y(v))
			fmt.Fprintf(p, `<circle class="%s" cx="%.1f" cy="%.1f" r="3.5"/>`+"\n", class, x(n), y(v))
		}
		p.line(class, points...)
	}
	for i, r := range rows {
		p.text(x(i), bottom+18, "middle", r[0])
	}
	p.text((left+right)/2, bottom+38, "middle", "nodes in the network (logarithmic)")
	return p.end(), nil
}
