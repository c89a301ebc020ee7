//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// pageFigures are what the tests in webui/app measured. Times are milliseconds,
// memory and traffic bytes.
type pageFigures struct {
	First, Longest        []float64
	Heap, Memory, Traffic float64
	Paused                float64
}

// page measures the web page with many transfers: of a real node that is at
// rest, and of a script that changes 200 of them each second.
func (b *bench) page() (t table, err error) {
	t = table{
		title: fmt.Sprintf("The page with %d transfers", b.many),
		how: "In Debian's Chromium, headless and without a graphics processor, at 1280 by 820. First rows is the time from the request for the page " +
			"until transfers are visible, in a browser that has shown the page before. The longest task is on the browser's main thread while the list is scrolled by 90,000 pixels " +
			"in three seconds. Memory is the memory of the page's process that is not backed by files, after a garbage collection. " +
			"Traffic is the event stream of a node at rest. Half are paused is the time from the click, with half of the transfers selected, until the page shows all of them paused.",
		head: []string{"", "first rows, ms", "longest task, ms", "script memory, MiB", "memory, MiB", "traffic, KiB a minute", "half are paused, ms"},
	}
	app, err := filepath.Abs("webui/app")
	if err != nil {
		return t, err
	}
	if _, err := os.Stat(filepath.Join(app, "node_modules")); err != nil {
		return t, errors.New("the page is measured from the top of the source tree, after: cd webui/app && npm ci")
	}
	state := b.state()
	dir, err := b.scratch()
	if err != nil {
		return t, err
	}
	node, err := b.daemon(state, "--web", "[::1]:7080")
	if err != nil {
		return t, err
	}
	defer node.kill()
	if err := b.shareMany(state, dir); err != nil {
		return t, err
	}
	// At rest is after the first announcements.
	if _, err := node.load(settling); err != nil {
		return t, err
	}
	open, err := b.start(b.shoal, "open", "--json", "--state", state)
	if err != nil {
		return t, err
	}
	var link struct{ URL string }
	if err := json.NewDecoder(open.lines).Decode(&link); err != nil {
		return t, err
	}
	if err := open.wait(); err != nil {
		return t, err
	}
	real, err := b.browse(app, "bench.test.ts", "BENCH_URL="+link.URL)
	if err != nil {
		return t, err
	}
	scripted, err := b.browse(app, "many.test.ts")
	if err != nil {
		return t, err
	}
	mib := func(n float64) string { return fmt.Sprintf("%.0f", n/(1<<20)) }
	ms := func(v []float64) string { return fmt.Sprintf("%.0f", median(v)) }
	worst := max(slices.Max(real.Longest), slices.Max(scripted.Longest))
	t.row("a real node at rest", ms(real.First), fmt.Sprintf("%.0f", slices.Max(real.Longest)), mib(real.Heap), mib(real.Memory), fmt.Sprintf("%.1f", real.Traffic/1024), fmt.Sprintf("%.0f", real.Paused))
	t.row("200 change each second", ms(scripted.First), fmt.Sprintf("%.0f", slices.Max(scripted.Longest)), mib(scripted.Heap), "", "", "")
	t.result = fmt.Sprintf("First rows in **%s ms** (wanted: under 200), no task over **%.0f ms** (wanted: 50), **%s MiB** (wanted: under 100), "+
		"**%.1f KiB** a minute at rest (wanted: under 1024), half of the transfers paused in **%.0f ms** (wanted: under 1000).", ms(real.First), worst, mib(real.Memory), real.Traffic/1024, real.Paused)
	t.setting = fmt.Sprintf("data in %s, IPv6 loopback; medians of %d runs, of tasks the longest of all", b.dir, b.runs)
	return t, nil
}

// browse runs one test of the page and reads what it measured.
func (b *bench) browse(app, test string, env ...string) (f pageFigures, err error) {
	out := filepath.Join(b.tmp, test+".json")
	c := exec.Command("npx", "vitest", "run", "test/"+test)
	c.Dir = app
	c.Env = append(os.Environ(), append(env, "BENCH_OUT="+out, fmt.Sprintf("BENCH_MANY=%d", b.many), fmt.Sprintf("BENCH_RUNS=%d", b.runs), "SHOAL_BINARY="+b.shoal)...)
	if said, err := c.CombinedOutput(); err != nil {
		return f, fmt.Errorf("%s: %w\n%s", test, err, said)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(data, &f)
}
