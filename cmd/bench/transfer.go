//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// In a namespace of our own every port is free.
const seederAddress = "[::1]:7001"

func (b *bench) link() string { return "magnet:?xt=urn:btih:" + b.id + "&x.pe=" + seederAddress }

// startLibtorrentSeed serves the content with libtorrent.
func (b *bench) startLibtorrentSeed() (*process, error) {
	p, err := b.start("/usr/bin/python3", b.script, "seed", b.torrent, filepath.Dir(b.content), "--listen", seederAddress)
	if err != nil {
		return nil, err
	}
	return p, p.event("ready", nil)
}

// startShoalSeed shares the content with shoal, and tells its ID.
func (b *bench) startShoalSeed() (p *process, id string, err error) {
	if p, err = b.run(b.state(), "share", "--listen", seederAddress, b.content); err != nil {
		return nil, "", err
	}
	var shared struct{ ID string }
	if err := p.event("shared", &shared); err != nil {
		return nil, "", err
	}
	return p, shared.ID, nil
}

// fetcher fetches a link or torrent into dir.
type fetcher func(source, dir string) (*process, error)

func (b *bench) libtorrentGet(source, dir string) (*process, error) {
	return b.start("/usr/bin/python3", b.script, "get", source, dir, "--listen", "[::1]:0", "--peer", seederAddress)
}

func (b *bench) shoalGet(source, dir string) (*process, error) {
	return b.run(b.state(), "get", "--listen", "[::1]:0", "--output", dir, source)
}

// pair is a seeder and a downloader, and what was measured of them.
type pair struct {
	name string
	run  func(*pair) error

	seconds            []float64
	fetchCPU, fetchRSS []float64 // of the downloader, unless it is a null sink
	seedCPU, seedRSS   []float64 // of the seeder, unless it is a null source
}

// transfers measures who downloads how fast from whom. Every pair of programs has one
// figure, so that all ratios are of the same run.
func (b *bench) transfers() (t table, err error) {
	cut, err := b.readLayout()
	if err != nil {
		return t, err
	}
	sink := &pair{name: "libtorrent to a null sink", run: func(p *pair) error { return b.throughSink(p, cut) }}
	bare := &pair{name: "libtorrent to a bare sink", run: func(p *pair) error { return b.throughBareSink(p, cut) }}
	source := &pair{name: "a null source to libtorrent", run: func(p *pair) error { return b.fromSource(p, cut) }}
	theirs := &pair{name: "libtorrent to libtorrent", run: func(p *pair) error { return b.fromLibtorrent(p, b.libtorrentGet) }}
	fetch := &pair{name: "libtorrent to shoal", run: func(p *pair) error { return b.fromLibtorrent(p, b.shoalGet) }}
	seed := &pair{name: "shoal to libtorrent", run: func(p *pair) error { return b.fromShoal(p, b.libtorrentGet) }}
	ours := &pair{name: "shoal to shoal", run: func(p *pair) error { return b.fromShoal(p, b.shoalGet) }}
	all := []*pair{theirs, sink, bare, fetch, source, seed, ours}
	for range b.runs {
		for _, p := range all {
			if err := p.run(p); err != nil {
				return t, fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	t = table{
		title: "Downloading and seeding",
		how: fmt.Sprintf("%d MiB in one file over one TCP connection, beside libtorrent 2.0. The null sink requests all and "+
			"keeps nothing; the null source only reads and sends. With them libtorrent is as fast as with anybody. "+
			"The bare sink also hashes and writes what comes: with it libtorrent has as much of the two cores as any downloader can leave it. "+
			"libtorrent maps files into memory, which counts as RSS.", b.size>>20),
		head: []string{"", "MiB/s", "slowest to fastest", "downloader: CPU s/GiB", "RSS, MiB", "seeder: CPU s/GiB", "RSS, MiB"},
	}
	for _, p := range all {
		t.row(p.row(b.size)...)
	}
	rate := func(p *pair) float64 { return 1 / median(p.seconds) }
	t.result = fmt.Sprintf("Downloading from libtorrent, shoal has **%.2f** of the null sink's rate, and seeding to it **%.2f** of the null source's "+
		"(wanted: 0.95); of the bare sink's rate it has %.2f, with %.2f times its CPU. shoal to shoal is **%.1f times** libtorrent to libtorrent (wanted: 2). shoal's CPU is **%.2f** of libtorrent's when it "+
		"downloads (wanted: 0.6), **%.2f** when it seeds (wanted: 0.35). It uses at most **%.0f MiB** (wanted: under 64).",
		rate(fetch)/rate(sink), rate(seed)/rate(source), rate(fetch)/rate(bare), median(fetch.fetchCPU)/median(bare.fetchCPU), rate(ours)/rate(theirs),
		median(fetch.fetchCPU)/median(theirs.fetchCPU), median(seed.seedCPU)/median(theirs.seedCPU),
		max(median(fetch.fetchRSS), median(ours.fetchRSS), median(seed.seedRSS), median(ours.seedRSS)))
	return t, nil
}

func (p *pair) row(size int64) []string {
	var rates []float64
	for _, s := range p.seconds {
		rates = append(rates, float64(size)/(1<<20)/s)
	}
	cells := []string{p.name, fmt.Sprintf("%.0f", median(rates)), span(rates, "%.0f")}
	for _, end := range []struct{ cpu, rss []float64 }{{p.fetchCPU, p.fetchRSS}, {p.seedCPU, p.seedRSS}} {
		cpu, rss := "", ""
		if len(end.cpu) > 0 {
			cpu = fmt.Sprintf("%.2f", median(end.cpu)*(1<<30)/float64(size))
		}
		if len(end.rss) > 0 {
			rss = fmt.Sprintf("%.0f", median(end.rss))
		}
		cells = append(cells, cpu, rss)
	}
	return cells
}

// fetched runs a download and notes what it took. The seconds are the downloader's
// own, from being given the link to all being verified.
func (p *pair) fetched(b *bench, get fetcher, source string) error {
	return p.fetchedThen(b, get, source, func(string) error { return nil })
}

// fetchedThen also hands over the folder with what came, before it is removed.
func (p *pair) fetchedThen(b *bench, get fetcher, source string, then func(dir string) error) error {
	dir, err := b.scratch()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	got, err := get(source, dir)
	if err != nil {
		return err
	}
	var done struct{ Seconds float64 }
	if err := got.event("done", &done); err != nil {
		return err
	}
	if err := got.wait(); err != nil {
		return err
	}
	cpu, rss := got.used()
	p.seconds = append(p.seconds, done.Seconds)
	p.fetchCPU, p.fetchRSS = append(p.fetchCPU, cpu), append(p.fetchRSS, rss)
	return then(dir)
}

// beside runs work while seeder seeds, notes what that took of the seeder, and ends it.
func (p *pair) beside(seeder *process, work func() error) error {
	defer seeder.kill()
	before, err := seeder.cpu()
	if err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	after, err := seeder.cpu()
	if err != nil {
		return err
	}
	rss, err := seeder.memory("VmHWM")
	p.seedCPU, p.seedRSS = append(p.seedCPU, after-before), append(p.seedRSS, rss)
	return err
}

func (b *bench) fromLibtorrent(p *pair, get fetcher) error {
	seeder, err := b.startLibtorrentSeed()
	if err != nil {
		return err
	}
	return p.beside(seeder, func() error { return p.fetched(b, get, b.link()) })
}

func (b *bench) fromShoal(p *pair, get fetcher) error {
	seeder, id, err := b.startShoalSeed()
	if err != nil {
		return err
	}
	return p.beside(seeder, func() error {
		return p.fetched(b, get, "magnet:?xt=urn:btih:"+id+"&x.pe="+seederAddress)
	})
}

func (b *bench) throughSink(p *pair, l layout) error {
	seeder, err := b.startLibtorrentSeed()
	if err != nil {
		return err
	}
	return p.beside(seeder, func() error {
		seconds, err := b.nullSink(l, io.Discard)
		p.seconds = append(p.seconds, seconds)
		return err
	})
}

func (b *bench) throughBareSink(p *pair, l layout) error {
	seeder, err := b.startLibtorrentSeed()
	if err != nil {
		return err
	}
	return p.beside(seeder, func() error {
		seconds, cpu, err := b.bareSink(l)
		p.seconds, p.fetchCPU = append(p.seconds, seconds), append(p.fetchCPU, cpu)
		return err
	})
}

func (b *bench) fromSource(p *pair, l layout) error {
	end, err := b.nullSource(l)
	if err != nil {
		return err
	}
	defer end()
	return p.fetched(b, b.libtorrentGet, b.torrent)
}
