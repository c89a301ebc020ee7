//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/wan"
)

const (
	seeks = 100
	// firstBytes are what a player needs before it shows something.
	firstBytes = 64 << 10
	// filmRate is that of the seed, in bytes per second; the film takes half of it.
	filmRate  = 500_000
	filmSize  = 512 << 20
	otherSize = 64 << 20
	others    = 4
	filmPiece = "256KiB"
)

// play measures how long a player waits after a seek: it reads what a player
// reads, at the film's bitrate, and jumps.
func (b *bench) play() (t table, err error) {
	l := farLine{rtt: 50 * time.Millisecond}
	piece := 256 * 1024 / float64(filmRate)
	wanted := 2 + l.rtt.Seconds() + piece
	t = table{
		title: "Seeking in a film",
		how: fmt.Sprintf("A film of %d kB/s is played from a seed that sends %d kB/s, %d ms away, pieces of %s. After each of %d seeks to where nothing is yet, "+
			"the seconds until the first %d KiB, then two seconds are played. Wanted: a median under %.2f s, 95 of 100 under %.2f s.",
			filmRate/2000, filmRate/1000, l.rtt.Milliseconds(), filmPiece, seeks, firstBytes>>10, wanted, 2*wanted),
		head: []string{"", "median, s", "95 of 100, s", "longest, s"},
	}
	for _, busy := range []bool{false, true} {
		waits, err := b.seekRun(l, busy)
		if err != nil {
			return t, err
		}
		slices.Sort(waits)
		name := "nothing else"
		if busy {
			name = fmt.Sprintf("beside %d other downloads", others)
		}
		t.row(name, fmt.Sprintf("%.2f", median(waits)), fmt.Sprintf("%.2f", waits[len(waits)*95/100]), fmt.Sprintf("%.2f", waits[len(waits)-1]))
	}
	t.setting = "data in memory; one run"
	return t, nil
}

// seekRun plays and seeks, and gives the seconds that each seek took.
func (b *bench) seekRun(l farLine, busy bool) (waits []float64, err error) {
	n, err := wan.New(1,
		wan.Host{Name: "seed", Addr: farSeed, Up: wan.Line{Rate: filmRate, Queue: filmRate / 5}, Delay: l.rtt / 4},
		wan.Host{Name: "player", Addr: farFetch, Delay: l.rtt / 4})
	if err != nil {
		return nil, err
	}
	defer n.Close()
	folder, err := b.scratch()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	films := []string{filepath.Join(folder, "film")}
	if err := randomFile(films[0], filmSize, 4); err != nil {
		return nil, err
	}
	for i := range others {
		if !busy {
			break
		}
		films = append(films, filepath.Join(folder, fmt.Sprint("other-", i)))
		if err := randomFile(films[i+1], otherSize, byte(5+i)); err != nil {
			return nil, err
		}
	}
	seed, err := in(n, 0, func() (*process, error) {
		return b.run(b.state(), "share", append([]string{"--listen", at(farPort), "--piece-length", filmPiece}, films...)...)
	})
	if err != nil {
		return nil, err
	}
	defer seed.kill()
	state := b.state()
	node, err := in(n, 1, func() (*process, error) { return b.run(state, "daemon") })
	if err != nil {
		return nil, err
	}
	defer node.kill()
	if err := node.event("ready", nil); err != nil {
		return nil, err
	}
	get := []string{"--detach", "--output", folder + "-got"}
	if err := os.Mkdir(folder+"-got", 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder + "-got")
	var film string
	for range films {
		var shared struct{ ID string }
		if err := seed.event("shared", &shared); err != nil {
			return nil, err
		}
		if film == "" {
			film = shared.ID
		}
		get = append(get, "magnet:?xt=urn:btih:"+shared.ID+"&x.pe="+at(farPort))
	}
	p, err := in(n, 1, func() (*process, error) { return b.run(state, "get", get...) })
	if err != nil {
		return nil, err
	}
	if err := p.wait(); err != nil {
		return nil, err
	}
	w := &watcher{socket: filepath.Join(state, "shoal.sock")}
	if err := w.known(film); err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range seeks {
		wait, err := w.seek(film, random.Int64N(filmSize-4*filmRate))
		if err != nil {
			return nil, err
		}
		waits = append(waits, wait.Seconds())
	}
	return waits, nil
}

// known waits until the files of a transfer are.
func (w *watcher) known(id string) error {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		data, err := w.read("/api/v1/transfers/" + id + "/files")
		var files []any
		if err == nil && json.Unmarshal(data, &files) == nil && len(files) > 0 {
			return nil
		}
	}
	return errors.New("the film's files are not known after a minute")
}

// seek reads from a position, and gives the time until the first bytes. It then
// plays on for two seconds.
func (w *watcher) seek(id string, from int64) (time.Duration, error) {
	c := w.client()
	defer c.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodGet, "http://shoal/api/v1/transfers/"+id+"/files/0/content", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	began := time.Now()
	resp, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent {
		return 0, fmt.Errorf("reading the film: %s", resp.Status)
	}
	if _, err := io.CopyN(io.Discard, resp.Body, firstBytes); err != nil {
		return 0, err
	}
	wait := time.Since(began)
	const step = 100 * time.Millisecond
	for range 2 * time.Second / step {
		time.Sleep(step)
		if _, err := io.CopyN(io.Discard, resp.Body, filmRate/2/10); err != nil {
			return 0, err
		}
	}
	return wait, nil
}
