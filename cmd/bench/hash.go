//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// hash compares the time from starting the program to knowing the torrent.
func (b *bench) hash() (t table, err error) {
	t = table{
		title: "Hashing for a share",
		how: fmt.Sprintf("%d MiB in one file, pieces of 1 MiB, from the start of the program until the link or torrent file is written. "+
			"shoal also opens its state, records the share and begins to seed.", b.size>>20),
		head: []string{"", "seconds", "fastest to slowest", "CPU s", "peak RSS, MiB"},
	}
	var theirs, ours samples
	for i := range b.runs {
		out := filepath.Join(b.tmp, fmt.Sprintf("hash-%d.torrent", i))
		p, err := b.start("mktorrent", "-t", "2", "-l", "20", "-o", out, b.content)
		if err != nil {
			return t, err
		}
		if err := p.wait(); err != nil {
			return t, err
		}
		seconds := time.Since(p.began).Seconds()
		cpu, rss := p.used()
		theirs.add(seconds, cpu, rss)
		os.Remove(out)

		if p, err = b.run(b.state(), "share", "--piece-length", "1MiB", "--listen", "[::1]:0", b.content); err != nil {
			return t, err
		}
		if err := p.event("shared", nil); err != nil {
			return t, err
		}
		seconds = time.Since(p.began).Seconds()
		if cpu, err = p.cpu(); err != nil {
			return t, err
		}
		if rss, err = p.memory("VmHWM"); err != nil {
			return t, err
		}
		p.interrupt()
		ours.add(seconds, cpu, rss)
	}
	for _, side := range []struct {
		name string
		s    *samples
	}{{"mktorrent -t 2", &theirs}, {"shoal share", &ours}} {
		t.row(side.name, fmt.Sprintf("%.2f", median(side.s.seconds)), span(side.s.seconds, "%.2f"),
			fmt.Sprintf("%.2f", median(side.s.cpu)), fmt.Sprintf("%.0f", median(side.s.rss)))
	}
	t.result = fmt.Sprintf("shoal takes **%.2f times** as long as mktorrent (wanted: at most 1.1).",
		median(ours.seconds)/median(theirs.seconds))
	return t, nil
}
