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

	"golang.org/x/sync/errgroup"

	"github.com/shoalnet/shoal/cmd/internal/wan"
)

const (
	seeks = 100
	// lanes are players that each have a seed and a line of their own, so that all
	// of them together take a fraction of the time.
	lanes = 5
	// firstBytes are what a player needs before it shows something.
	firstBytes = 64 << 10
	// filmRate is that of the seed, in bytes per second; the film takes half of it.
	filmRate  = 500_000
	filmSize  = 256 << 20
	otherSize = 64 << 20
	others    = 4
	filmPiece = "256KiB"
	pieceSize = 256 << 10
)

// play measures how long a player waits after a seek: it reads what a player
// reads, at the film's bitrate, and jumps.
func (b *bench) play() (t table, err error) {
	l := farLine{rtt: 50 * time.Millisecond}
	wanted := 2 + l.rtt.Seconds() + pieceSize/float64(filmRate)
	t = table{
		title: "Seeking in a film",
		how: fmt.Sprintf("A film of %d kB/s is played from a seed that sends %d kB/s, %d ms away, pieces of %s. After each of %d seeks to where nothing is yet, "+
			"the seconds until the first %d KiB, then two seconds are played. %d players at once, each with a seed and a line of its own. Wanted: a median under %.2f s, 95 of 100 under %.2f s.",
			filmRate/2000, filmRate/1000, l.rtt.Milliseconds(), filmPiece, seeks, firstBytes>>10, lanes, wanted, 2*wanted),
		head: []string{"", "median, s", "95 of 100, s", "longest, s"},
	}
	folder, err := b.scratch()
	if err != nil {
		return t, err
	}
	defer os.RemoveAll(folder)
	films := []string{filepath.Join(folder, "film")}
	if err := randomFile(films[0], filmSize, 4); err != nil {
		return t, err
	}
	for i := range others {
		films = append(films, filepath.Join(folder, fmt.Sprint("other-", i)))
		if err := randomFile(films[i+1], otherSize, byte(5+i)); err != nil {
			return t, err
		}
	}
	for _, row := range []struct {
		name  string
		films []string
	}{
		{"nothing else", films[:1]},
		{fmt.Sprintf("beside %d other downloads", others), films},
	} {
		waits, err := b.playRun(l, row.films)
		if err != nil {
			return t, err
		}
		slices.Sort(waits)
		t.row(row.name, fmt.Sprintf("%.2f", median(waits)), fmt.Sprintf("%.2f", waits[len(waits)*95/100-1]), fmt.Sprintf("%.2f", waits[len(waits)-1]))
	}
	t.setting = "data in memory; one run"
	return t, nil
}

// playRun plays and seeks in all lanes at once, and gives the seconds that each
// seek took. The first file is the film.
func (b *bench) playRun(l farLine, films []string) (all []float64, err error) {
	var theaters []*theater
	defer func() {
		for _, t := range theaters {
			t.close()
		}
	}()
	for range lanes {
		t, err := b.newTheater(l, films)
		if err != nil {
			return nil, err
		}
		theaters = append(theaters, t)
	}
	waits := make([][]float64, lanes)
	var group errgroup.Group
	for i, t := range theaters {
		group.Go(func() (err error) {
			waits[i], err = t.play(seeks/lanes, uint64(i))
			return err
		})
	}
	err = group.Wait()
	return slices.Concat(waits...), err
}

// theater is a player, with its seed at the other end of a line.
type theater struct {
	network *wan.Network
	seed    *process
	node    *process
	got     string // where the player's node puts what it fetches
	film    string // its ID
	ask     *watcher
}

func (b *bench) newTheater(l farLine, films []string) (_ *theater, err error) {
	t := &theater{}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	if t.network, err = wan.New(1,
		wan.Host{Name: "seed", Addr: farSeed, Up: wan.Line{Rate: filmRate, Queue: filmRate / 5}, Delay: l.rtt / 4},
		wan.Host{Name: "player", Addr: farFetch, Delay: l.rtt / 4}); err != nil {
		return nil, err
	}
	if t.got, err = b.scratch(); err != nil {
		return nil, err
	}
	if t.seed, err = in(t.network, 0, func() (*process, error) {
		return b.run(b.state(), "share", append([]string{"--listen", at(farPort), "--piece-length", filmPiece}, films...)...)
	}); err != nil {
		return nil, err
	}
	state := b.state()
	if t.node, err = in(t.network, 1, func() (*process, error) { return b.run(state, "daemon") }); err != nil {
		return nil, err
	}
	if err := t.node.event("ready", nil); err != nil {
		return nil, err
	}
	get := []string{"--detach", "--output", t.got}
	for range films {
		var shared struct{ ID, Name string }
		if err := t.seed.event("shared", &shared); err != nil {
			return nil, err
		}
		if shared.Name == filepath.Base(films[0]) {
			t.film = shared.ID
		}
		get = append(get, "magnet:?xt=urn:btih:"+shared.ID+"&x.pe="+at(farPort))
	}
	p, err := in(t.network, 1, func() (*process, error) { return b.run(state, "get", get...) })
	if err != nil {
		return nil, err
	}
	if err := p.wait(); err != nil {
		return nil, err
	}
	t.ask = &watcher{socket: filepath.Join(state, "shoal.sock")}
	return t, t.ask.known(t.film)
}

func (t *theater) close() {
	for _, p := range []*process{t.node, t.seed} {
		if p != nil {
			p.kill()
		}
	}
	if t.network != nil {
		t.network.Close()
	}
	os.RemoveAll(t.got)
}

// play seeks to places where nothing is yet, and gives the seconds of each.
func (t *theater) play(n int, seed uint64) (waits []float64, err error) {
	random := rand.New(rand.NewPCG(1, seed))
	for len(waits) < n {
		from := random.Int64N(filmSize - 4*filmRate)
		data, err := t.ask.read("/api/v1/transfers/" + t.film + "/pieces")
		if err != nil {
			return nil, err
		}
		var pieces struct{ State []byte }
		if err := json.Unmarshal(data, &pieces); err != nil {
			return nil, err
		}
		first, last := from/pieceSize, (from+firstBytes-1)/pieceSize
		if slices.ContainsFunc(pieces.State[first:last+1], func(state byte) bool { return state != 0 }) {
			continue
		}
		wait, err := t.ask.seek(t.film, from)
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
