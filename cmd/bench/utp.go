//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/wan"
)

const (
	utpRate = 32 // Mbit/s
	// A transfer is measured by what has arrived when it is over, and that is known by
	// pieces: small ones.
	utpPiece = 32 << 10
	utpMost  = 200 << 20 // bytes of content
)

// utpLine is one row of the section.
type utpLine struct {
	rtt  time.Duration
	loss float64
	name string // of what is special about it
	more func(seed, fetcher *wan.Host)
}

func (l utpLine) String() string {
	s := fmt.Sprintf("%d ms, %g %%", l.rtt.Milliseconds(), 100*l.loss)
	if l.name != "" {
		s += ", " + l.name
	}
	return s
}

func swirl(seed, _ *wan.Host) { seed.Reorder, seed.Duplicate = 0.05, 0.05 }

func narrow(seed, fetcher *wan.Host) { seed.MTU, fetcher.MTU = 1280, 1280 }

func utpLines() (all []utpLine) {
	for _, rtt := range []time.Duration{0, 50, 150} {
		for _, loss := range []float64{0, 0.01, 0.05} {
			all = append(all, utpLine{rtt: rtt * time.Millisecond, loss: loss})
		}
	}
	const far = 50 * time.Millisecond
	return append(all, utpLine{rtt: far, name: "5 % out of order, 5 % doubled", more: swirl}, utpLine{rtt: far, name: "MTU 1280", more: narrow})
}

func (l utpLine) network(seed uint64, tcp bool) (*wan.Network, error) {
	const wait = 200 * time.Millisecond
	s := wan.Host{Name: "seed", Addr: farSeed, Up: wan.Mbit(utpRate, wait), Delay: l.rtt / 4, Loss: l.loss, OnlyUDP: !tcp}
	f := wan.Host{Name: "fetcher", Addr: farFetch, Up: wan.Mbit(utpRate, wait), Delay: l.rtt / 4}
	if l.more != nil {
		l.more(&s, &f)
	}
	return wan.New(seed, s, f)
}

// cargo is what a transfer moves.
type cargo struct {
	content, torrent, id string
	size                 int64
	most                 time.Duration // a transfer is broken off after it
}

func (b *bench) utpCargo() (c cargo, err error) {
	c = cargo{content: filepath.Join(b.tmp, "utp", "film"), torrent: filepath.Join(b.tmp, "film.torrent"), size: min(b.size, utpMost), most: b.most}
	if err := os.Mkdir(filepath.Dir(c.content), 0o700); err != nil {
		return c, err
	}
	if err := randomFile(c.content, c.size, 3); err != nil {
		return c, err
	}
	made, err := b.start("/usr/bin/python3", b.script, "--piece", strconv.Itoa(utpPiece), "make", c.content, c.torrent)
	if err != nil {
		return c, err
	}
	var m struct{ ID string }
	if err := made.event("made", &m); err != nil {
		return c, err
	}
	c.id = m.ID
	return c, made.wait()
}

// mover moves a cargo over a line, and gives the rate in Mbit/s.
type mover func(*wan.Network, cargo) (float64, error)

func (b *bench) utpFromShoal(n *wan.Network, c cargo) (float64, error) {
	seed, err := in(n, 0, func() (*process, error) {
		return b.run(b.state(), "share", "--utp", "--piece-length", strconv.Itoa(utpPiece), "--listen", at(farPort), c.content)
	})
	if err != nil {
		return 0, err
	}
	defer seed.kill()
	var shared struct{ ID string }
	if err := seed.event("shared", &shared); err != nil {
		return 0, err
	}
	c.id = shared.ID
	return b.utpToLibtorrent(n, c)
}

func (b *bench) utpLibtorrents(n *wan.Network, c cargo) (float64, error) {
	seed, err := b.utpLibtorrentSeed(n, c)
	if err != nil {
		return 0, err
	}
	defer seed.kill()
	return b.utpToLibtorrent(n, c)
}

func (b *bench) utpToShoal(n *wan.Network, c cargo) (float64, error) {
	seed, err := b.utpLibtorrentSeed(n, c)
	if err != nil {
		return 0, err
	}
	defer seed.kill()
	return b.arrive(n, c, func(link, dir string) (*process, error) {
		return b.run(b.state(), "get", "--utp", "--output", dir, link+"&x.pe="+at(farPort))
	})
}

func (b *bench) utpLibtorrentSeed(n *wan.Network, c cargo) (*process, error) {
	seed, err := in(n, 0, func() (*process, error) {
		return b.start("/usr/bin/python3", b.script, "seed", c.torrent, filepath.Dir(c.content), "--utp", "--no-tcp", "--listen", at(farPort))
	})
	if err != nil {
		return nil, err
	}
	return seed, seed.event("ready", nil)
}

func (b *bench) utpToLibtorrent(n *wan.Network, c cargo) (float64, error) {
	return b.arrive(n, c, func(link, dir string) (*process, error) {
		return b.start("/usr/bin/python3", b.script, "get", link, dir, "--utp", "--no-tcp", "--peer", at(farPort))
	})
}

func rawTCP(n *wan.Network, c cargo) (float64, error) {
	size := min(c.size, int64(utpRate*1e6/8*c.most.Seconds()))
	seconds, err := rawFetch(n, size)
	return mbits(size, seconds), err
}

func mbits(bytes int64, seconds float64) float64 { return float64(bytes) * 8 / 1e6 / seconds }

// arrive fetches a cargo, and compares it if all of it arrived in time. What is reported
// as arrived is verified and, with shoal, synced, and so comes a little late: the rate is
// that from the first report on.
func (b *bench) arrive(n *wan.Network, c cargo, get fetcher) (float64, error) {
	dir, err := b.scratch()
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	began := time.Now()
	p, err := in(n, 1, func() (*process, error) { return get("magnet:?xt=urn:btih:"+c.id, dir) })
	if err != nil {
		return 0, err
	}
	defer p.kill()
	var late atomic.Bool
	limit := time.AfterFunc(c.most+time.Minute, func() { late.Store(true); p.cmd.Process.Kill() })
	defer limit.Stop()
	var had, has int64 // when the first report came, and now
	reported := false
	for {
		line, err := p.lines.ReadBytes('\n')
		if late.Load() {
			return mbits(has-had, time.Since(began).Seconds()), nil // nothing moves: that is what is measured
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w\n%s", p.cmd, err, p.stderr.Bytes())
		}
		var e struct {
			Event string
			Bytes int64
		}
		if json.Unmarshal(line, &e) != nil || e.Bytes == 0 {
			continue
		}
		now := time.Now()
		has = e.Bytes
		switch done := e.Event == "done"; {
		case done:
			if err := same(c.content, filepath.Join(dir, filepath.Base(c.content))); err != nil {
				return 0, err
			}
			return mbits(has-had, now.Sub(began).Seconds()), nil
		case !reported:
			reported, began, had = true, now, has
			limit.Reset(c.most + time.Minute)
		case now.Sub(began) >= c.most:
			return mbits(has-had, now.Sub(began).Seconds()), nil
		}
	}
}

func same(want, got string) error {
	w, err := os.ReadFile(want)
	if err != nil {
		return err
	}
	g, err := os.ReadFile(got)
	if err == nil && !bytes.Equal(w, g) {
		err = fmt.Errorf("%s differs from %s", got, want)
	}
	return err
}

// utpHead names the movers.
var utpHead = [...]string{"shoal to libtorrent", "libtorrent to shoal", "libtorrent to libtorrent", "raw TCP"}

// utpMovers are the columns of the section, by utpHead.
func (b *bench) utpMovers() []mover {
	return []mover{b.utpFromShoal, b.utpToShoal, b.utpLibtorrents, rawTCP}
}

// utpRow measures one line: the rates of each mover, by run.
func (b *bench) utpRow(l utpLine, c cargo) ([][]float64, error) {
	movers := b.utpMovers()
	rates := make([][]float64, len(movers))
	for run := range b.runs {
		for i, move := range movers {
			tcp := i == len(movers)-1
			if tcp && l.loss > 0 {
				continue // it is no measure there
			}
			n, err := l.network(uint64(run), tcp)
			if err != nil {
				return nil, err
			}
			rate, err := move(n, c)
			n.Close()
			if err != nil {
				return nil, fmt.Errorf("%v: %w", l, err)
			}
			fmt.Fprintf(os.Stderr, "utp: %v, run %d of %d: %s %.2f Mbit/s\n", l, run+1, b.runs, utpHead[i], rate)
			rates[i] = append(rates[i], rate)
		}
	}
	return rates, nil
}

// utp measures as many lines at a time as there are cores: each has a network of its
// own, and most of them are slow.
func (b *bench) utp() (t table, err error) {
	wanted, err := regexp.Compile(b.rows)
	if err != nil {
		return t, fmt.Errorf("-rows: %w", err)
	}
	c, err := b.utpCargo()
	if err != nil {
		return t, err
	}
	t = table{
		title: "uTP",
		how: fmt.Sprintf("Rates in Mbit/s at which content arrives over one connection, over a line of %d Mbit/s with a queue of 200 ms, by round trip and loss "+
			"each way: %d MiB, or what arrives in %v. What arrived whole is compared. The four take turns; medians of %d runs, in brackets the slowest and the fastest.", utpRate, c.size>>20, c.most, b.runs),
		head: append(append([]string{""}, utpHead[:]...), "shoal to libtorrent's", "to shoal to libtorrent's", "shoal to TCP"),
	}
	lines := slices.DeleteFunc(utpLines(), func(l utpLine) bool { return !wanted.MatchString(l.String()) })
	rows, errs := make([][][]float64, len(lines)), make([]error, len(lines))
	var all sync.WaitGroup
	turn := make(chan struct{}, runtime.NumCPU())
	for i, l := range lines {
		all.Go(func() {
			turn <- struct{}{}
			rows[i], errs[i] = b.utpRow(l, c)
			<-turn
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return t, err
	}
	var short [2][]string
	for i, l := range lines {
		cells := []string{l.String()}
		m := make([]float64, len(rows[i]))
		for k, r := range rows[i] {
			cells = append(cells, rateOf(r))
			if len(r) > 0 {
				m[k] = median(r)
			}
		}
		for k := range short {
			cells = append(cells, ratio(m[k], m[2]))
			if m[k] < 0.95*m[2] {
				short[k] = append(short[k], l.String())
			}
		}
		t.row(append(cells, ratio(m[0], m[3]))...)
	}
	t.result = "Wanted: at least 0.95 of libtorrent to libtorrent in each direction, and 0.8 of TCP where nothing is lost. " +
		"Where packets are lost, single runs vary widely; libtorrent gives up a connection when a packet was lost three times, " +
		"and the rate is then also that of the time until the next one."
	for k, rows := range short {
		if len(rows) > 0 {
			t.result += fmt.Sprintf(" In this run %s has less than 0.95 with: %s.", utpHead[k], strings.Join(rows, "; "))
		}
	}
	return t, nil
}

// rateOf shows the median and, of several runs, the least and the most.
func rateOf(r []float64) string {
	switch len(r) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("%.2f", r[0])
	}
	return fmt.Sprintf("%.2f (%s)", median(r), span(r, "%.2f"))
}

func ratio(a, b float64) string {
	if b <= 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", a/b)
}
