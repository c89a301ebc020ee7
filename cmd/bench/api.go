//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// active is how many transfers move, each at about activeRate.
	active     = 50
	activeRate = 20 << 10
	activeSize = 12 << 20
	// window is how long the processor time of one state of things is taken.
	window = 10 * time.Second
	// stalled is how many readers stop reading, and cutOff by when each of them
	// must be gone.
	stalled = 20
	cutOff  = 15 * time.Second
)

// api measures what it costs to watch a node with many shares of which some
// move: real files, a real second node that fetches nothing but slowly gives.
func (b *bench) api() (t table, err error) {
	t = table{
		title: fmt.Sprintf("Watching %d shares and %d active transfers", b.many, active),
		how: fmt.Sprintf("A node with %d small shares downloads %d files from a second node, %d KiB/s each. "+
			"Lists are requested over the control socket, one after the other, with all fields; `shoal list` is timed as a whole program that writes into a pipe. "+
			"CPU is in %% of one core, in alternating periods of %v without and with one reader of the event stream; the difference is the cost of the reader. "+
			"Then %d readers open the stream and do not read.", b.many, active, activeRate>>10, window, stalled),
		head: []string{"", "median", "smallest to largest"},
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
	seeder, err := b.keepBusy(state)
	if err != nil {
		return t, err
	}
	defer seeder.kill()
	w := &watcher{socket: filepath.Join(state, "shoal.sock")}

	lists, size, err := w.lists(10 * b.runs)
	if err != nil {
		return t, err
	}
	verbs, err := b.listVerb(state, 2*b.runs)
	if err != nil {
		return t, err
	}
	without, with, received, err := w.turns(node, b.runs)
	if err != nil {
		return t, err
	}
	var costs []float64
	for i := range with {
		costs = append(costs, with[i]-without[i])
	}
	ended, extra, growth, err := w.stall(node, median(without))
	if err != nil {
		return t, err
	}
	rss, err := node.memory("VmRSS")
	if err != nil {
		return t, err
	}
	moving, err := w.moving()
	if err != nil {
		return t, err
	}
	row := func(name, unit, format string, v []float64) {
		t.row(name+", "+unit, fmt.Sprintf(format, median(v)), span(v, format))
	}
	row(fmt.Sprintf("a list, %.1f MB of JSON", size/1e6), "ms", "%.0f", lists)
	row("`shoal list`", "ms", "%.0f", verbs)
	row("the node without a reader", "% of a core", "%.2f", without)
	row("the node with a reader", "% of a core", "%.2f", with)
	row("the reader costs", "% of a core", "%.2f", costs)
	row("the reader receives", "KiB/s", "%.1f", received)
	t.row("the node's memory, MiB", fmt.Sprintf("%.0f", rss), "")
	t.row(fmt.Sprintf("%d readers that do not read: still connected after %v", stalled, cutOff), strconv.Itoa(ended), "")
	t.row("additional CPU meanwhile, % of a core", fmt.Sprintf("%.2f", extra), "")
	t.row("additional memory afterwards, MiB", fmt.Sprintf("%.1f", growth), "")
	t.result = fmt.Sprintf("A list takes **%.0f ms** (wanted: under 100), the event stream **%.2f %%** of a core (wanted: under 2), the node **%.0f MiB** (wanted: under 300); %d transfers were active until the end.",
		median(lists), median(costs), rss, moving)
	return t, nil
}

// keepBusy has the node on a state directory fetch from another one, and gives
// that when every fetch is under way.
func (b *bench) keepBusy(state string) (*process, error) {
	from, into := filepath.Join(b.tmp, "busy-from"), filepath.Join(b.tmp, "busy-into")
	for _, d := range []string{from, into} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return nil, err
		}
	}
	args := []string{"--listen", "[::1]:7002", "--up", strconv.Itoa(active * activeRate)}
	for i := range active {
		name := filepath.Join(from, fmt.Sprintf("busy-%02d", i))
		if err := randomFile(name, activeSize, byte(i)); err != nil {
			return nil, err
		}
		args = append(args, name)
	}
	seeder, err := b.run(b.state(), "share", args...)
	if err != nil {
		return nil, err
	}
	get := []string{"--detach", "--output", into}
	for range active {
		var shared struct{ ID string }
		if err := seeder.event("shared", &shared); err != nil {
			return nil, err
		}
		get = append(get, "magnet:?xt=urn:btih:"+shared.ID+"&x.pe=[::1]:7002")
	}
	p, err := b.run(state, "get", get...)
	if err != nil {
		return nil, err
	}
	if err := p.wait(); err != nil {
		return nil, err
	}
	w := &watcher{socket: filepath.Join(state, "shoal.sock")}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		n, err := w.moving()
		switch {
		case err != nil:
			return nil, err
		case n == active:
			return seeder, nil
		case time.Now().After(end):
			return nil, fmt.Errorf("%d of %d downloads are running", n, active)
		}
	}
}

// watcher asks a node over its control socket.
type watcher struct{ socket string }

func (w *watcher) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", w.socket)
		},
	}}
}

func (w *watcher) get(c *http.Client, path string) (*http.Response, error) {
	resp, err := c.Get("http://shoal" + path)
	if err == nil && resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		err = fmt.Errorf("%s: %s", path, resp.Status)
	}
	return resp, err
}

// read gives all that is at a path.
func (w *watcher) read(path string) ([]byte, error) {
	c := w.client()
	defer c.CloseIdleConnections()
	resp, err := w.get(c, path)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// moving counts the fetches that receive something.
func (w *watcher) moving() (n int, err error) {
	data, err := w.read("/api/v1/transfers?fields=state,down")
	if err != nil {
		return 0, err
	}
	var all []struct {
		State string
		Down  int64
	}
	if err := json.Unmarshal(data, &all); err != nil {
		return 0, err
	}
	for _, t := range all {
		if t.State == "fetching" && t.Down > 0 {
			n++
		}
	}
	return n, nil
}

// lists asks for everything n times, over one connection, and gives the
// milliseconds to the last byte.
func (w *watcher) lists(n int) (ms []float64, bytes float64, err error) {
	c := w.client()
	defer c.CloseIdleConnections()
	for range n {
		began := time.Now()
		resp, err := w.get(c, "/api/v1/transfers")
		if err != nil {
			return nil, 0, err
		}
		size, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil {
			return nil, 0, err
		}
		ms, bytes = append(ms, time.Since(began).Seconds()*1000), float64(size)
	}
	return ms, bytes, nil
}

// listVerb runs the program n times.
func (b *bench) listVerb(state string, n int) (ms []float64, err error) {
	for range n {
		p, err := b.start(b.shoal, "list", "--state", state)
		if err != nil {
			return nil, err
		}
		if err := p.wait(); err != nil {
			return nil, err
		}
		ms = append(ms, time.Since(p.began).Seconds()*1000)
	}
	return ms, nil
}

// turns takes the load of the node without and with a reader, by turns, and
// what the reader gets a second once it knows everything.
func (w *watcher) turns(node *process, n int) (without, with, received []float64, err error) {
	for range n {
		load, err := node.load(window)
		if err != nil {
			return nil, nil, nil, err
		}
		without = append(without, load)

		c := w.client()
		resp, err := w.get(c, "/api/v1/events")
		if err != nil {
			return nil, nil, nil, err
		}
		r := bufio.NewReader(resp.Body)
		whole := make(chan error, 1) // it has been told everything
		counted := make(chan int64, 1)
		go func() {
			_, err := until(r, "event: reset")
			whole <- err
			n, _ := io.Copy(io.Discard, r)
			counted <- n
		}()
		if err := <-whole; err != nil {
			return nil, nil, nil, fmt.Errorf("the event stream: %w", err)
		}
		load, err = node.load(window)
		resp.Body.Close()
		if err != nil {
			return nil, nil, nil, err
		}
		with = append(with, load)
		received = append(received, float64(<-counted)/window.Seconds()/1024)
	}
	return without, with, received, nil
}

// until reads to the end of the first event that begins with a line.
func until(r *bufio.Reader, first string) (n int, err error) {
	seen := false
	for {
		line, err := r.ReadBytes('\n')
		n += len(line)
		if err != nil {
			return n, err
		}
		line = bytes.TrimSpace(line)
		if seen && len(line) == 0 {
			return n, nil
		}
		seen = seen || string(line) == first
	}
}

// stall opens the stream many times and reads nothing. It gives how many are
// still there later, how much more than usual the node was busy meanwhile, and
// how much memory it has kept.
func (w *watcher) stall(node *process, usual float64) (left int, extra, growth float64, err error) {
	before, err := node.memory("VmRSS")
	if err != nil {
		return 0, 0, 0, err
	}
	already, err := w.streams()
	if err != nil {
		return 0, 0, 0, err
	}
	for range stalled {
		conn, err := net.Dial("unix", w.socket)
		if err != nil {
			return 0, 0, 0, err
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET /api/v1/events HTTP/1.1\r\nHost: shoal\r\n\r\n"); err != nil {
			return 0, 0, 0, err
		}
	}
	load, err := node.load(cutOff)
	if err != nil {
		return 0, 0, 0, err
	}
	n, err := w.streams()
	if err != nil {
		return 0, 0, 0, err
	}
	after, err := node.memory("VmRSS")
	return n - already, load - usual, after - before, err
}

// streams is how many event streams the node says are open.
func (w *watcher) streams() (int, error) {
	data, err := w.read("/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if n, found := strings.CutPrefix(line, "shoal_event_streams "); found {
			return strconv.Atoi(strings.TrimSpace(n))
		}
	}
	return 0, fmt.Errorf("the metrics do not include the number of event streams")
}
