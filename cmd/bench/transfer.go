//go:build linux

package main

import (
	"fmt"
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

// fetcher fetches link into dir and tells the seconds it took.
type fetcher func(link, dir string) (*process, error)

func (b *bench) libtorrentGet(link, dir string) (*process, error) {
	return b.start("/usr/bin/python3", b.script, "get", link, dir, "--listen", "[::1]:0", "--peer", seederAddress)
}

func (b *bench) shoalGet(link, dir string) (*process, error) {
	return b.run(b.state(), "get", "--listen", "[::1]:0", "--output", dir, link)
}

// timeFetch runs one fetch to its end. The seconds are the fetcher's own, from
// being given the link to all being verified.
func (b *bench) timeFetch(get fetcher, link string) (seconds float64, p *process, err error) {
	dir, err := b.scratch()
	if err != nil {
		return 0, nil, err
	}
	defer os.RemoveAll(dir)
	if p, err = get(link, dir); err != nil {
		return 0, nil, err
	}
	var done struct{ Seconds float64 }
	if err := p.event("done", &done); err != nil {
		return 0, nil, err
	}
	return done.Seconds, p, p.wait()
}

func (b *bench) fetch() (t table, err error) {
	t = table{
		title: "Downloading",
		how: fmt.Sprintf("%d MiB from one libtorrent 2.0 seeder, by magnet link, over one TCP connection. "+
			"libtorrent maps files into memory, which counts as RSS.", b.size>>20),
		head: speedHead,
	}
	seeder, err := b.startLibtorrentSeed()
	if err != nil {
		return t, err
	}
	defer seeder.kill()
	var theirs, ours samples
	for range b.runs {
		for _, side := range []struct {
			get fetcher
			s   *samples
		}{{b.libtorrentGet, &theirs}, {b.shoalGet, &ours}} {
			seconds, p, err := b.timeFetch(side.get, b.link())
			if err != nil {
				return t, err
			}
			cpu, rss := p.used()
			side.s.add(seconds, cpu, rss)
		}
	}
	t.row(speedRow("libtorrent downloads", &theirs, b.size)...)
	t.row(speedRow("shoal downloads", &ours, b.size)...)
	t.result = fmt.Sprintf("shoal downloads at **%.2f times** libtorrent's rate (wanted: at least 1.0) with **%.0f MiB** (wanted: under 100).",
		median(theirs.seconds)/median(ours.seconds), median(ours.rss))
	return t, nil
}

func (b *bench) seed() (t table, err error) {
	t = table{
		title: "Seeding",
		how:   fmt.Sprintf("%d MiB to one libtorrent 2.0 downloader, over one TCP connection. CPU and RSS are the seeder's.", b.size>>20),
		head:  speedHead,
	}
	var theirs, ours samples
	for range b.runs {
		seeder, err := b.startLibtorrentSeed()
		if err != nil {
			return t, err
		}
		if err := b.timeSeed(seeder, b.link(), &theirs); err != nil {
			return t, err
		}
		seeder, err = b.run(b.state(), "share", "--listen", seederAddress, b.content)
		if err != nil {
			return t, err
		}
		var shared struct{ ID string }
		if err := seeder.event("shared", &shared); err != nil {
			return t, err
		}
		if err := b.timeSeed(seeder, "magnet:?xt=urn:btih:"+shared.ID, &ours); err != nil {
			return t, err
		}
	}
	t.row(speedRow("libtorrent seeds", &theirs, b.size)...)
	t.row(speedRow("shoal seeds", &ours, b.size)...)
	t.result = fmt.Sprintf("shoal seeds at **%.2f times** libtorrent's rate (wanted: at least 0.9).",
		median(theirs.seconds)/median(ours.seconds))
	return t, nil
}

// timeSeed has libtorrent fetch from seeder, and ends the seeder.
func (b *bench) timeSeed(seeder *process, link string, s *samples) error {
	defer seeder.kill()
	before, err := seeder.cpu()
	if err != nil {
		return err
	}
	seconds, _, err := b.timeFetch(b.libtorrentGet, link)
	if err != nil {
		return err
	}
	after, err := seeder.cpu()
	if err != nil {
		return err
	}
	rss, err := seeder.memory("VmHWM")
	if err != nil {
		return err
	}
	s.add(seconds, after-before, rss)
	return nil
}
