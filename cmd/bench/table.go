//go:build linux

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
)

// table is what one comparison came to.
type table struct {
	title  string
	how    string
	head   []string
	rows   [][]string
	result string // the ratio that counts
	// setting is where and how often it was measured, in place of what most
	// sections have in common.
	setting string
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer) {
	fmt.Fprintf(w, "\n### %s\n\n%s\n\n| %s |\n|%s\n", t.title, t.how,
		strings.Join(t.head, " | "), strings.Repeat("---|", len(t.head)))
	for _, row := range t.rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
	if t.result != "" {
		fmt.Fprintf(w, "\n%s\n", t.result)
	}
}

// samples are the measurements of one side.
type samples struct {
	seconds, cpu, rss []float64
}

func (s *samples) add(seconds, cpu, rss float64) {
	s.seconds = append(s.seconds, seconds)
	s.cpu = append(s.cpu, cpu)
	s.rss = append(s.rss, rss)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if len(v)%2 == 1 {
		return v[len(v)/2]
	}
	return (v[len(v)/2-1] + v[len(v)/2]) / 2
}

// span shows the slowest and the fastest run.
func span(v []float64, format string) string {
	return fmt.Sprintf(format+" to "+format, slices.Min(v), slices.Max(v))
}

func randomFile(path string, size int64, seed byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.CopyN(f, rand.NewChaCha8([32]byte{seed}), size); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
