package main

import (
	"bytes"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// column is the heading of one column of a table. The last column is never padded,
// and on a terminal it is clipped at the width of the terminal.
type column struct {
	title string
	right bool // aligned right, for numbers
	toned bool // has the tone of its row; all columns before it are ASCII
}

// row is one line of a table and an optional note below it.
type row struct {
	cells []string
	note  string
	tone  tone
}

// table prints rows under their titles on stdout.
func (o *output) table(columns []column, rows []row) {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = cells(c.title)
		for _, r := range rows {
			widths[i] = max(widths[i], cells(r.cells[i]))
		}
	}
	titles := make([]string, len(columns))
	for i, c := range columns {
		titles[i] = c.title
	}
	var b bytes.Buffer
	line := func(s string) {
		b.WriteString(s)
		b.WriteByte('\n')
	}
	line(o.layout(columns, widths, titles, plainly))
	for _, r := range rows {
		line(o.layout(columns, widths, r.cells, r.tone))
		if r.note != "" {
			line(o.fit("  " + r.note))
		}
	}
	o.lines(b.Bytes())
}

func (o *output) layout(columns []column, widths []int, fields []string, t tone) string {
	var b strings.Builder
	last := len(columns) - 1
	from, to := 0, 0 // the toned field, in bytes
	for i, c := range columns {
		if c.toned {
			from, to = b.Len(), b.Len()+len(fields[i])
		}
		switch {
		case c.right:
			b.WriteString(padLeft(fields[i], widths[i]))
		case i == last:
			b.WriteString(fields[i])
		default:
			b.WriteString(pad(fields[i], widths[i]))
		}
		if i < last {
			b.WriteString("  ")
		}
	}
	whole := o.fit(strings.TrimRight(b.String(), " "))
	if from == to || to > len(whole) || whole[from:to] != b.String()[from:to] {
		return whole
	}
	return whole[:from] + o.paint(t, whole[from:to]) + whole[to:]
}

// fit clips a line of data to the width of the terminal; a pipe gets the whole line.
func (o *output) fit(line string) string {
	if o.page == nil {
		return line
	}
	return clip(line, o.page())
}

// facts prints "title  value" lines with the values in one column. Values with
// line breaks continue in that column; empty ones are left out.
func (o *output) facts(pairs ...[2]string) {
	w := 0
	for _, p := range pairs {
		if p[1] != "" {
			w = max(w, cells(p[0]))
		}
	}
	for _, p := range pairs {
		if p[1] == "" {
			continue
		}
		for i, line := range strings.Split(p[1], "\n") {
			title := p[0]
			if i > 0 {
				title = ""
			}
			o.data(pad(title, w) + "  " + line)
		}
	}
}

// size writes bytes for people, in decimal units.
func size(n int64) string {
	if n < 0 {
		n = 0
	}
	return humanize.Bytes(uint64(n))
}

// exact is size followed by the number itself.
func exact(n int64) string {
	if n < 1000 {
		return count(n, "byte")
	}
	return size(n) + " (" + humanize.Comma(n) + " bytes)"
}

func rate(n int64) string { return size(n) + "/s" }

// count writes "1 file", "2 files".
func count[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return humanize.Comma(int64(n)) + " " + noun + "s"
}

// percent rounds down, so that only complete content shows 100 %.
func percent(done, total int64) int {
	switch {
	case total <= 0:
		return 0
	case done >= total:
		return 100
	}
	return min(99, int(float64(done)/float64(total)*100))
}

// span writes a duration in its two largest units: "4s", "1m 20s", "2h 5m".
func span(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	units := []struct {
		name string
		secs int64
	}{{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}}
	var parts []string
	for i, u := range units {
		if n := s / u.secs; n > 0 || (len(parts) == 0 && i == len(units)-1) {
			parts = append(parts, humanize.Comma(n)+u.name)
			s %= u.secs
		} else if len(parts) > 0 {
			break
		}
		if len(parts) == 2 {
			break
		}
	}
	return strings.Join(parts, " ")
}
