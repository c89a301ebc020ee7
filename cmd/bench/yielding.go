//go:build linux

package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/wan"
)

// yielding measures what it costs to leave the line usable where the line is not what
// holds anything up.
func (b *bench) yielding() (t table, err error) {
	t = table{
		title: "The price of leaving the line usable",
		how: "Rates in Mbit/s once a transfer is under way, from a seed whose own line has no limit, with `--adaptive-upload` on and off; headers count. " +
			"Wanted: at least 0.95. Hosts on one link and on loopback are not held to anything.",
		head: []string{"what holds it up", "on", "off", "on to off"},
	}
	far := wan.Host{Delay: 20 * time.Millisecond}
	with := func(change func(*wan.Host)) wan.Host { h := far; change(&h); return h }
	for _, row := range []struct {
		name   string
		others []wan.Host
	}{
		{"the line of the only peer, 20 Mbit/s with a queue of 200 ms", []wan.Host{with(func(h *wan.Host) { h.Down = wan.Mbit(20, 200*time.Millisecond) })}},
		{"the lines of five peers, 4 Mbit/s each with queues of 300 ms", slices.Repeat([]wan.Host{with(func(h *wan.Host) { h.Down = wan.Mbit(4, 300*time.Millisecond) })}, 5)},
		{"loss, 0.5 %, on the way to three peers", slices.Repeat([]wan.Host{with(func(h *wan.Host) { h.Loss = 0.005 })}, 3)},
	} {
		var rates [2][]float64
		for run := range b.runs {
			for i, on := range []bool{true, false} {
				rate, err := b.arriving(uint64(run), row.others, b.shoalClient("", fmt.Sprintf("--adaptive-upload=%t", on)))
				if err != nil {
					return t, fmt.Errorf("%s: %w", row.name, err)
				}
				rates[i] = append(rates[i], rate)
			}
		}
		on, off := median(rates[0]), median(rates[1])
		t.row(row.name, fmt.Sprintf("%.1f", on), fmt.Sprintf("%.1f", off), fmt.Sprintf("%.2f", on/off))
	}
	t.setting = fmt.Sprintf("data in memory, TCP with %s; medians of %d runs", congestionControl, b.runs)
	return t, nil
}

// arriving is the rate at which these peers, which also send to each other, download.
func (b *bench) arriving(run uint64, others []wan.Host, c client) (float64, error) {
	n, err := home(run, wan.Line{}, others)
	if err != nil {
		return 0, err
	}
	defer n.Close()
	end, err := b.seedTo(n, c, len(others))
	defer end()
	if err == nil {
		err = underWay(n)
	}
	if err != nil {
		return 0, err
	}
	arrived := func() (sum int64) {
		for i := range others {
			_, down, _ := n.Counts(2 + i)
			sum += down.Bytes
		}
		return sum
	}
	time.Sleep(5 * time.Second)
	before, began := arrived(), time.Now()
	time.Sleep(2 * measured)
	return float64(arrived()-before) * 8 / 1e6 / time.Since(began).Seconds(), nil
}
