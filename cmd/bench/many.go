//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// A node is watched while it announces what it has, which takes it about a
// minute, and afterwards.
const (
	settling = 90 * time.Second
	idle     = 30 * time.Second
)

// manyShares restarts a node that has many small shares.
func (b *bench) manyShares() (t table, err error) {
	t = table{
		title: fmt.Sprintf("%d shares", b.many),
		how: fmt.Sprintf("One small file each, all seeding. Restart is the time from the start of the program until the last share is seeding, "+
			"without hashing. CPU is in %% of one core without peers: in the first %v, when everything is announced on the local network, and in the %v after.",
			settling, idle),
		head: []string{"", "restart, s", "fastest to slowest", "RSS, MiB", "CPU settling, %", "CPU idle, %"},
	}
	dir, err := b.scratch()
	if err != nil {
		return t, err
	}
	state := b.state()
	node, err := b.daemon(state)
	if err != nil {
		return t, err
	}
	defer func() { node.kill() }()
	if err := b.shareMany(state, dir); err != nil {
		return t, err
	}
	var restart []float64
	for range b.runs {
		node.interrupt()
		if node, err = b.daemon(state); err != nil {
			return t, err
		}
		if err := b.untilSeeding(state, time.Now().Add(5*time.Minute)); err != nil {
			return t, err
		}
		restart = append(restart, time.Since(node.began).Seconds())
	}
	busy, err := node.load(settling)
	if err != nil {
		return t, err
	}
	rest, err := node.load(idle)
	if err != nil {
		return t, err
	}
	rss, err := node.memory("VmRSS")
	if err != nil {
		return t, err
	}
	t.row("shoal", fmt.Sprintf("%.2f", median(restart)), span(restart, "%.2f"), fmt.Sprintf("%.0f", rss),
		fmt.Sprintf("%.1f", busy), fmt.Sprintf("%.2f", rest))
	t.result = fmt.Sprintf("Restart in **%.2f s** (wanted: under 5), **%.0f MiB** (wanted: under 250), **%.2f %%** of a core (wanted: under 1).",
		median(restart), rss, rest)
	return t, nil
}

// shareMany has the node on a state directory share many small files, which it
// makes in dir, and waits until all are seeding.
func (b *bench) shareMany(state, dir string) error {
	const batch = 500
	for from := 0; from < b.many; from += batch {
		args := []string{"--detach"}
		for i := from; i < min(from+batch, b.many); i++ {
			name := filepath.Join(dir, fmt.Sprintf("file-%05d", i))
			if err := randomFile(name, 1000+int64(i), byte(i)); err != nil {
				return err
			}
			args = append(args, name)
		}
		p, err := b.run(state, "share", args...)
		if err != nil {
			return err
		}
		if err := p.wait(); err != nil {
			return err
		}
	}
	return b.untilSeeding(state, time.Now().Add(10*time.Minute))
}

func (b *bench) daemon(state string, args ...string) (*process, error) {
	p, err := b.run(state, "daemon", append([]string{"--listen", "[::1]:7001"}, args...)...)
	if err != nil {
		return nil, err
	}
	return p, p.event("ready", nil)
}

// untilSeeding waits until every share is seeding.
func (b *bench) untilSeeding(state string, deadline time.Time) error {
	for {
		p, err := b.start(b.shoal, "list", "--json", "--state", state)
		if err != nil {
			return err
		}
		out, err := io.ReadAll(p.lines)
		if err != nil {
			return err
		}
		if err := p.wait(); err != nil {
			return err
		}
		seeding := 0
		for line := range bytes.Lines(out) {
			var transfer struct{ State string }
			if err := json.Unmarshal(line, &transfer); err != nil {
				return err
			}
			if transfer.State == "seeding" {
				seeding++
			}
		}
		if seeding == b.many {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d shares are seeding", seeding, b.many)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
