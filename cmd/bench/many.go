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

// idle is how long a node that has nothing to do is watched.
const idle = 20 * time.Second

// manyShares restarts a node that has many small shares.
func (b *bench) manyShares() (t table, err error) {
	t = table{
		title: fmt.Sprintf("%d shares", b.many),
		how:   fmt.Sprintf("One small file each, all seeding. Restart is from starting the program to the last share seeding, without hashing; idle is the mean of %v without peers.", idle),
		head:  []string{"", "restart, s", "RSS, MiB", "idle CPU, % of a core"},
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
	const batch = 500
	for from := 0; from < b.many; from += batch {
		args := []string{"--detach"}
		for i := from; i < min(from+batch, b.many); i++ {
			name := filepath.Join(dir, fmt.Sprintf("file-%05d", i))
			if err := randomFile(name, 1000+int64(i), byte(i)); err != nil {
				return t, err
			}
			args = append(args, name)
		}
		p, err := b.run(state, "share", args...)
		if err != nil {
			return t, err
		}
		if err := p.wait(); err != nil {
			return t, err
		}
	}
	if err := b.untilSeeding(state, time.Now().Add(10*time.Minute)); err != nil {
		return t, err
	}
	var restart, rss, cpu []float64
	for range b.runs {
		node.interrupt()
		if node, err = b.daemon(state); err != nil {
			return t, err
		}
		if err := b.untilSeeding(state, time.Now().Add(5*time.Minute)); err != nil {
			return t, err
		}
		restart = append(restart, time.Since(node.began).Seconds())
		before, err := node.cpu()
		if err != nil {
			return t, err
		}
		time.Sleep(idle)
		after, err := node.cpu()
		if err != nil {
			return t, err
		}
		now, err := node.memory("VmRSS")
		if err != nil {
			return t, err
		}
		rss = append(rss, now)
		cpu = append(cpu, (after-before)/idle.Seconds()*100)
	}
	t.row("shoal", fmt.Sprintf("%.1f", median(restart)), fmt.Sprintf("%.0f", median(rss)), fmt.Sprintf("%.1f", median(cpu)))
	t.result = "Wanted: restart under 5 s, RSS under 250 MiB, under 1 % of a core."
	return t, nil
}

func (b *bench) daemon(state string) (*process, error) {
	p, err := b.run(state, "daemon", "--listen", "[::1]:7001")
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
