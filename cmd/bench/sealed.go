//go:build linux

package main

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// largeShare is how large a share is whose cost on disk is measured. The file is sparse.
const largeShare = 10 << 30

// sealed measures what it costs that a share is sealed: the same content is moved plain
// and sealed, in one run.
func (b *bench) sealed() (t table, err error) {
	type row struct {
		name          string
		rss           func(*pair) []float64 // of shoal
		plain, sealed *pair
	}
	seeder := func(p *pair) []float64 { return p.seedRSS }
	downloader := func(p *pair) []float64 { return p.fetchRSS }
	var plain, sealed seeded
	rows := []row{
		{"shoal to shoal", func(p *pair) []float64 { return append(p.fetchRSS, p.seedRSS...) },
			&pair{run: func(p *pair) error { return b.fromShare(p, &plain, b.shoalGet, false) }},
			&pair{run: func(p *pair) error { return b.fromShare(p, &sealed, b.shoalGet, false, "--sealed") }}},
		{"shoal to libtorrent, which lacks the key", seeder,
			&pair{run: func(p *pair) error { return b.fromShare(p, &plain, b.libtorrentGet, true) }},
			&pair{run: func(p *pair) error { return b.fromShare(p, &sealed, b.libtorrentGet, true, "--sealed") }}},
		{"libtorrent, which lacks the key, to shoal", downloader,
			&pair{run: func(p *pair) error { return b.fromBlind(p, &plain) }},
			&pair{run: func(p *pair) error { return b.fromBlind(p, &sealed) }}},
	}
	defer plain.remove()
	defer sealed.remove()
	for range b.runs {
		for _, r := range rows {
			for _, p := range []*pair{r.plain, r.sealed} {
				if err := p.run(p); err != nil {
					return t, fmt.Errorf("%s: %w", r.name, err)
				}
			}
		}
	}
	var share [2]shareCost
	for i, flags := range [][]string{nil, {"--sealed"}} {
		if share[i], err = b.shareLarge(flags...); err != nil {
			return t, err
		}
	}
	t = table{
		title: "Sealed shares",
		how: fmt.Sprintf("%d MiB in one file over one TCP connection, plain and sealed. libtorrent has the link without the key. Memory is the peak of shoal's processes. "+
			"Wanted: at least 0.80 of the plain rate for downloading and for seeding, and at most 64 MiB more. In the first row both ends, which seal and open, share two cores.", b.size>>20),
		head: []string{"", "plain, MiB/s", "sealed, MiB/s", "sealed to plain", "RSS plain, MiB", "sealed, MiB"},
	}
	for _, r := range rows {
		rate := func(p *pair) float64 { return float64(b.size) / (1 << 20) / median(p.seconds) }
		t.row(r.name, fmt.Sprintf("%.0f", rate(r.plain)), fmt.Sprintf("%.0f", rate(r.sealed)), fmt.Sprintf("%.2f", rate(r.sealed)/rate(r.plain)),
			fmt.Sprintf("%.0f", slices.Max(r.rss(r.plain))), fmt.Sprintf("%.0f", slices.Max(r.rss(r.sealed))))
	}
	t.result = fmt.Sprintf("A sealed share of %d GiB reads its files **%.2f times** before its link is there, after %.0f s (plain: %.0f), and takes **%.3f %%** of its size on disk (plain: %.3f %%; wanted: under 0.1 %%).",
		int64(largeShare>>30), share[1].read/largeShare, share[1].seconds, share[0].seconds, share[1].disk/largeShare*100, share[0].disk/largeShare*100)
	return t, nil
}

// seeded is what was shared, as others may have it.
type seeded struct {
	link string
	dir  string // where somebody has all of it, with the torrent; empty until then
}

func (s *seeded) torrent() string { return filepath.Join(s.dir, "torrent") }

func (s *seeded) remove() {
	if s.dir != "" {
		os.RemoveAll(s.dir)
	}
}

// fromShare has somebody download from a share of the content. keep keeps the first
// download, for others to seed.
func (b *bench) fromShare(p *pair, s *seeded, get fetcher, keep bool, flags ...string) error {
	state := b.state()
	seed, err := b.run(state, "share", append(flags, "--listen", seederAddress, b.content)...)
	if err != nil {
		return err
	}
	var shared struct{ ID, Link string }
	if err := seed.event("shared", &shared); err != nil {
		return err
	}
	s.link = shared.Link
	link := "magnet:?xt=urn:btih:" + shared.ID + "&x.pe=" + seederAddress
	if !keep {
		return p.beside(seed, func() error { return p.fetched(b, get, link+keyOf(shared.Link)) })
	}
	return p.beside(seed, func() error {
		return p.fetchedThen(b, get, link, func(dir string) error {
			if s.dir != "" {
				return nil
			}
			all, err := os.ReadDir(dir)
			if err != nil {
				return err
			}
			if len(all) != 1 {
				return fmt.Errorf("%d files were downloaded instead of one", len(all))
			}
			if s.dir, err = b.scratch(); err != nil {
				return err
			}
			if err := os.Rename(filepath.Join(dir, all[0].Name()), filepath.Join(s.dir, all[0].Name())); err != nil {
				return err
			}
			torrent, err := os.ReadFile(filepath.Join(state, "torrents", shared.ID+".torrent"))
			if err != nil {
				return err
			}
			return os.WriteFile(s.torrent(), torrent, 0o600)
		})
	})
}

// keyOf is the key in a link as a parameter of another link; empty without one.
func keyOf(link string) string {
	u, err := url.Parse(link)
	if err != nil || !u.Query().Has("x.k") {
		return ""
	}
	return "&x.k=" + u.Query().Get("x.k")
}

// fromBlind has shoal download from a libtorrent that has the blob.
func (b *bench) fromBlind(p *pair, s *seeded) error {
	seed, err := b.start("/usr/bin/python3", b.script, "seed", s.torrent(), s.dir, "--listen", seederAddress)
	if err != nil {
		return err
	}
	defer seed.kill()
	if err := seed.event("ready", nil); err != nil {
		return err
	}
	u, err := url.Parse(s.link)
	if err != nil {
		return err
	}
	return p.fetched(b, b.shoalGet, "magnet:?xt="+u.Query().Get("xt")+"&x.pe="+seederAddress+keyOf(s.link))
}

// shareCost is what it took to share something large.
type shareCost struct{ seconds, read, disk float64 }

// shareLarge shares a sparse file.
func (b *bench) shareLarge(flags ...string) (c shareCost, err error) {
	dir, err := b.scratch()
	if err != nil {
		return c, err
	}
	defer os.RemoveAll(dir)
	large := filepath.Join(dir, "large")
	f, err := os.Create(large)
	if err != nil {
		return c, err
	}
	defer f.Close()
	if err := f.Truncate(largeShare); err != nil {
		return c, err
	}
	state := b.state()
	p, err := b.run(state, "share", append(flags, "--listen", "[::1]:0", large)...)
	if err != nil {
		return c, err
	}
	defer p.interrupt()
	if err := p.event("shared", nil); err != nil {
		return c, err
	}
	c.seconds = time.Since(p.began).Seconds()
	if c.read, err = p.read(); err != nil {
		return c, err
	}
	err = filepath.WalkDir(state, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		i, err := d.Info()
		if err == nil {
			c.disk += float64(i.Size())
		}
		return err
	})
	return c, err
}

// read is how many bytes a process has read so far.
func (p *process) read() (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, found := strings.CutPrefix(line, "rchar:"); found {
			return strconv.ParseFloat(strings.TrimSpace(rest), 64)
		}
	}
	return 0, fmt.Errorf("no rchar in %s", data)
}
