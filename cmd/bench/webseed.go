//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/wan"
)

// webShare is a share that has a web seed.
type webShare struct {
	process *process
	link    string // with the web seed and the peer
	peer    string // a link with the peer only
	torrent []byte // of the same content, with the web seed only
}

// shareWithWebSeed shares the content at an address.
func (b *bench) shareWithWebSeed(at string) (*webShare, error) {
	state := b.state()
	p, err := b.run(state, "share", "--web-seed", "--listen", at, b.content)
	if err != nil {
		return nil, err
	}
	var shared struct{ ID, Link string }
	if err := p.event("shared", &shared); err != nil {
		return nil, err
	}
	link, err := url.Parse(shared.Link)
	if err != nil {
		return nil, err
	}
	seed := link.Query().Get("ws")
	if seed == "" {
		return nil, fmt.Errorf("%s has no web seed", shared.Link)
	}
	file, err := os.ReadFile(filepath.Join(state, "torrents", shared.ID+".torrent"))
	if err != nil {
		return nil, err
	}
	torrent, ok := bytes.CutSuffix(file, []byte("e"))
	if !ok {
		return nil, fmt.Errorf("the .torrent file of %s is no dictionary", shared.ID)
	}
	return &webShare{
		process: p, link: shared.Link, peer: "magnet:?xt=urn:btih:" + shared.ID + "&x.pe=" + at,
		torrent: fmt.Appendf(torrent, "8:url-list%d:%se", len(seed), seed),
	}, nil
}

// A webWay is one of those by which a share with a web seed is fetched: from the peer, from
// the web seed, or from both.
type webWay struct {
	name string
	// source makes what get is given.
	source func(w *webShare, dir string) (string, error)
}

var webWays = [...]webWay{
	{"the peer", func(w *webShare, _ string) (string, error) {
		return w.peer, nil
	}},
	{"the web seed", func(w *webShare, dir string) (string, error) {
		file := filepath.Join(dir, "content.torrent")
		return file, os.WriteFile(file, w.torrent, 0o600)
	}},
	{"both", func(w *webShare, _ string) (string, error) { return w.link, nil }},
}

// webSeeds compares the ways over the loopback and over lines.
func (b *bench) webSeeds() (t table, err error) {
	t = table{
		title: "A web seed or a peer",
		how: fmt.Sprintf("The same share is fetched from shoal by shoal: by the peer protocol, from its web seed over HTTP, and from both. Loopback: %d MiB, MiB/s, medians. "+
			"Lines: as in \"Far away\", Mbit/s, means with their intervals of 95 %%.", b.size>>20),
		head: []string{"", "the peer", "the web seed", "both", "web seed to peer", "both to peer"},
	}
	if err := b.addAddress(); err != nil {
		return t, err
	}
	pairs := make([]*pair, len(webWays))
	for i, way := range webWays {
		pairs[i] = &pair{name: way.name}
	}
	for range b.runs {
		for i, way := range webWays {
			if err := b.fetchBy(pairs[i], way); err != nil {
				return t, fmt.Errorf("%s: %w", way.name, err)
			}
		}
	}
	var rates [len(webWays)]float64
	cells := []string{"loopback"}
	for i, p := range pairs {
		rates[i] = float64(b.size) / (1 << 20) / median(p.seconds)
		cells = append(cells, fmt.Sprintf("%.0f", rates[i]))
	}
	t.row(append(cells, fmt.Sprintf("%.2f", rates[1]/rates[0]), fmt.Sprintf("%.2f", rates[2]/rates[0]))...)
	cells = []string{"loopback, CPU s/GiB of both ends"}
	for _, p := range pairs {
		cells = append(cells, fmt.Sprintf("%.2f", (median(p.fetchCPU)+median(p.seedCPU))*(1<<30)/float64(b.size)))
	}
	t.row(append(cells, "", "")...)
	for _, loss := range []float64{0, 0.005} {
		for _, rtt := range []time.Duration{10, 50, 150} {
			l := farLine{rtt: rtt * time.Millisecond, loss: loss}
			var steady [len(webWays)][]float64
			for run := range b.runs {
				for i, way := range webWays {
					rate, err := b.steady(l, uint64(run), func(n *wan.Network) (func(), error) { return b.farBy(n, way) })
					if err != nil {
						return t, fmt.Errorf("%v, %s: %w", l, way.name, err)
					}
					steady[i] = append(steady[i], rate)
				}
			}
			cells := []string{l.String()}
			for i := range steady {
				var half float64
				rates[i], half = mean(steady[i])
				cells = append(cells, fmt.Sprintf("%.1f ± %.1f", rates[i], half))
			}
			t.row(append(cells, fmt.Sprintf("%.2f", rates[1]/rates[0]), fmt.Sprintf("%.2f", rates[2]/rates[0]))...)
		}
	}
	return t, nil
}

// addAddress gives the loopback an address that a torrent may name as a web seed: those of
// the host itself are refused.
func (b *bench) addAddress() error {
	p, err := b.start("ip", "address", "add", farSeed.String()+"/128", "dev", "lo", "nodad")
	if err != nil {
		return err
	}
	return p.wait()
}

func (b *bench) fetchBy(p *pair, way webWay) error {
	w, err := b.shareWithWebSeed(net.JoinHostPort(farSeed.String(), farPort))
	if err != nil {
		return err
	}
	dir, err := b.scratch()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	source, err := way.source(w, dir)
	if err != nil {
		return err
	}
	return p.beside(w.process, func() error { return p.fetched(b, b.shoalGet, source) })
}

func (b *bench) farBy(n *wan.Network, way webWay) (end func(), err error) {
	var w *webShare
	if err := n.In(0, func() (err error) { w, err = b.shareWithWebSeed(at(farPort)); return err }); err != nil {
		return nil, err
	}
	dir, err := b.scratch()
	if err != nil {
		return nil, err
	}
	source, err := way.source(w, dir)
	if err != nil {
		return nil, err
	}
	fetch, err := in(n, 1, func() (*process, error) { return b.run(b.state(), "get", "--output", dir, source) })
	if err != nil {
		return nil, err
	}
	return func() { fetch.kill(); w.process.kill(); os.RemoveAll(dir) }, nil
}
