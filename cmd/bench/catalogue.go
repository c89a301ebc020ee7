//go:build linux

package main

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// catalogue measures a benchmark of this module: a million entries, loaded,
// searched, and searched while a channel of 10,000 is replaced.
func (b *bench) catalogue() (t table, err error) {
	runs := min(b.runs, 3)
	t = table{
		title: "A catalogue of a million entries",
		how: "Entries have names of 3 to 8 words by Zipf's law, a tag, 1 to 5 files and, one in four, a description. " +
			"1,000 searches of 1, 2 and 3 words, most with a filter, give the 50 best hits with snippets; so do 300 more while every " +
			"entry of a channel of 10,000 is replaced. Segments are merged in the background after each change, between searches. " +
			"RSS is the peak of the whole process, including the code that generates the entries.",
		head: []string{"", "median", "best to worst"},
	}
	measured := map[string][]float64{}
	for range runs {
		cmd := exec.Command("go", "test", "-count=1", "-timeout", "15m", "-run", "^$", "-bench", "^BenchmarkMillion$", "-benchtime", "1x", "./index/catalog")
		out, err := cmd.CombinedOutput()
		if err != nil {
			return t, fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
		for line := range strings.Lines(string(out)) {
			if !strings.HasPrefix(line, "BenchmarkMillion") {
				continue
			}
			fields := strings.Fields(line)[2:]
			for i := 0; i+1 < len(fields); i += 2 {
				v, err := strconv.ParseFloat(fields[i], 64)
				if err != nil {
					return t, fmt.Errorf("reading %q: %w", line, err)
				}
				measured[fields[i+1]] = append(measured[fields[i+1]], v)
			}
		}
	}
	for _, row := range []struct{ what, unit, format string }{
		{"load, s", "load-s", "%.0f"},
		{"merging after that, s", "tend-s", "%.1f"},
		{"peak RSS, MiB", "rss-MiB", "%.0f"},
		{"database, MiB", "db-MiB", "%.0f"},
		{"search, median, ms", "search-p50-ms", "%.1f"},
		{"search, 99th percentile, ms", "search-p99-ms", "%.0f"},
		{"replacing 10,000 entries while others search, s", "update-s", "%.2f"},
		{"search meanwhile, median, ms", "busy-p50-ms", "%.1f"},
		{"search meanwhile, 99th percentile, ms", "busy-p99-ms", "%.0f"},
	} {
		v := measured[row.unit]
		if len(v) != runs {
			return t, fmt.Errorf("%d measurements of %s", len(v), row.unit)
		}
		t.row(row.what, fmt.Sprintf(row.format, median(v)), span(v, row.format))
	}
	m := func(unit string) float64 { return median(measured[unit]) }
	t.result = fmt.Sprintf("Loaded in **%.0f s** (wanted: under 90) with **%.0f MiB** (wanted: under 300); searches take **%.1f ms** "+
		"(wanted: under 30), 99th percentile **%.0f ms** (wanted: under 150); 10,000 entries are replaced in **%.2f s** (wanted: under 2).",
		m("load-s"), m("rss-MiB"), m("search-p50-ms"), m("search-p99-ms"), m("update-s"))
	t.setting = fmt.Sprintf("medians of %d runs, on the disk", runs)
	if runs == 1 {
		t.setting = "one run, on the disk"
	}
	return t, nil
}
