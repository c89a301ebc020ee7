//go:build linux

package main

import (
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const thePage = "../../docs/performance.md"

// The pictures of the page, and the tables beside them, are those of the tables below.
func TestPicturesAreOfTheTables(t *testing.T) {
	doc, err := os.ReadFile(thePage)
	if err != nil {
		t.Fatal(err)
	}
	page, pictures, err := illustrated(string(doc))
	if err != nil {
		t.Fatal(err)
	}
	if page != string(doc) {
		t.Error("the tables at the top of the page are not those below: go run ./cmd/bench -draw docs/performance.md")
	}
	for file, svg := range pictures {
		if kept, err := os.ReadFile(filepath.Join(filepath.Dir(thePage), "images", file)); err != nil || string(kept) != svg {
			t.Errorf("%s is not drawn from the table (%v): go run ./cmd/bench -draw docs/performance.md", file, err)
		}
		d := xml.NewDecoder(strings.NewReader(svg))
		for err = nil; err == nil; _, err = d.Token() {
		}
		if err != io.EOF {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// A figure that changes in a table changes in its picture, and in no other; what is no
// figure is not drawn.
func TestAPictureShowsItsTable(t *testing.T) {
	const doc = "head\n" + picturesBegin + picturesEnd + "\n" + begin +
		opening + "transfers" + closing + "\n| | MiB/s |\n|---|---|\n| shoal to libtorrent | 300 |\n| libtorrent to libtorrent | 150 |\n\n" +
		opening + "lines" + closing + "\n| | a | b | c |\n|---|---|---|---|\n| 10 ms, 0 % loss | 90.5 ± 1.5 | 80 | 70 |\n\n" +
		opening + "dht-growth" + closing + "\n| n | f | d | p | m | l |\n|---|---|---|---|---|---|\n| 100 | x | 1 | 2 | 50 ms | 80 ms |\n| 1000 | x | 1 | 2 | 150 ms | 250 ms |\n\n" + end
	page, pictures, err := illustrated(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{"| shoal to libtorrent | 300 |", "| 10 ms, 0 % loss | 90.5 ± 1.5 | 80 | 70 |", "| 1000 | 150 ms | 250 ms |", "(images/perf-dht.svg)"} {
		if top, _, _ := strings.Cut(page, picturesEnd); !strings.Contains(top, row) {
			t.Errorf("the top of the page has no %q:\n%s", row, top)
		}
	}
	if again, _, err := illustrated(page); err != nil || again != page {
		t.Errorf("drawn twice the page is another one: %v", err)
	}
	for _, c := range []struct{ old, new, file string }{
		{"| 150 |", "| 151 |", "perf-rates.svg"},
		{"± 1.5", "± 2.5", "perf-lines.svg"},
		{"| 70 |", "| 71 |", "perf-lines.svg"},
		{"150 ms", "151 ms", "perf-dht.svg"},
		{"| 100 |", "| 101 |", "perf-dht.svg"},
	} {
		_, changed, err := illustrated(strings.Replace(doc, c.old, c.new, 1))
		if err != nil {
			t.Fatal(err)
		}
		for file, svg := range changed {
			if (svg != pictures[file]) != (file == c.file) {
				t.Errorf("%q for %q: %s differs: %v", c.new, c.old, file, svg != pictures[file])
			}
		}
	}
	for _, c := range []struct{ old, new string }{
		{"| 150 |", "| fast |"}, {"| 150 |", "|  |"}, {"| 70 |", "|"}, {"| 1000 |", "| 10 |"}, {"± 1.5", "± some"},
		{opening + "lines" + closing, ""}, {picturesBegin, ""}, {"| 100 | x | 1 | 2 | 50 ms | 80 ms |\n", ""},
	} {
		if _, _, err := illustrated(strings.Replace(doc, c.old, c.new, 1)); err == nil {
			t.Errorf("%q for %q is drawn", c.new, c.old)
		}
	}
}
