//go:build linux

package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/wan"
)

// crowd is a swarm on home lines: one seed, and peers that all begin at once.
type crowd struct {
	name     string
	peers    int
	seed     float64 // Mbit/s up
	down, up float64 // Mbit/s of each peer
	mib      int64
}

var crowds = [...]crowd{
	{name: "8 lines of 50/10", peers: 8, seed: 10, down: 50, up: 10, mib: 32},
	{name: "40 lines of 10/0.3", peers: 40, seed: 10, down: 10, up: 0.3, mib: 8},
}

// headers of a TCP segment over IPv6, with timestamps.
const headers = 40 + 32

// payload is what a line has carried without headers.
func payload(c wan.Count) int64 { return c.Bytes - headers*c.Packets }

// ideal is the time until which the seed's line, one peer's line or all lines
// together must be busy, in seconds.
func (c crowd) ideal(size int64) float64 {
	bits, n := float64(size)*8/1e6, float64(c.peers)
	return max(bits/c.seed, bits/c.down, n*bits/(c.seed+n*c.up))
}

func (c crowd) network(seed uint64) (*wan.Network, error) {
	const wait = 100 * time.Millisecond
	hosts := []wan.Host{{Name: "seed", Addr: farSeed, Up: wan.Mbit(c.seed, wait), Down: wan.Mbit(c.down, wait), Delay: 10 * time.Millisecond}}
	for i := range c.peers {
		hosts = append(hosts, wan.Host{
			Name: fmt.Sprint("peer ", i+1), Addr: homeAddress(i), Up: wan.Mbit(c.up, wait), Down: wan.Mbit(c.down, wait), Delay: 10 * time.Millisecond,
		})
	}
	return wan.New(seed, hosts...)
}

// homeAddress is the address of peer i.
func homeAddress(i int) netip.Addr {
	a := farFetch.As16()
	a[15] = byte(i + 1)
	return netip.AddrFrom16(a)
}

// outcome is how a crowd did.
type outcome struct {
	last, middle float64 // seconds until the last and the median peer was done
	sent         float64 // copies that left the seed
	received     float64 // copies that reached a peer, on average
}

// member starts the client on one host: the seed, which is given no folder, or a
// peer.
type member func(folder string) (*process, error)

func (b *bench) crowdRun(c crowd, run uint64, size int64, start member) (o outcome, err error) {
	n, err := c.network(run)
	if err != nil {
		return o, err
	}
	defer n.Close()
	seed, err := in(n, 0, func() (*process, error) { return start("") })
	if err != nil {
		return o, err
	}
	defer seed.kill()
	var all []*process
	defer func() {
		for _, p := range all {
			p.kill()
		}
	}()
	for i := range c.peers {
		dir, err := b.scratch()
		if err != nil {
			return o, err
		}
		defer os.RemoveAll(dir)
		p, err := in(n, i+1, func() (*process, error) { return start(dir) })
		if err != nil {
			return o, err
		}
		all = append(all, p)
	}
	var seconds []float64
	for _, p := range all {
		var done struct{ Seconds float64 }
		if err := p.event("done", &done); err != nil {
			return o, err
		}
		seconds = append(seconds, done.Seconds)
	}
	up, _, _ := n.Counts(0)
	o = outcome{last: slices.Max(seconds), middle: median(seconds), sent: float64(payload(up)) / float64(size)}
	for i := range c.peers {
		_, down, _ := n.Counts(i + 1)
		o.received += float64(payload(down)) / float64(size) / float64(c.peers)
	}
	return o, nil
}

func (b *bench) crowds() (t table, err error) {
	t = table{
		title: "A crowd on home lines",
		how: "One seed of 10 Mbit/s up, peers that begin at once. Those of shoal know the seed's address and find each other by peer exchange; those of libtorrent are told all addresses. Lines down/up in Mbit/s, " +
			"the same program everywhere. The ideal is how long the lines must be busy at least. Copies are without headers. Medians.",
		head: []string{"", "last done, s", "to the ideal", "last to median", "copies sent by the seed", "copies received by each"},
	}
	for _, c := range crowds {
		size := c.mib << 20
		folder, err := b.scratch()
		if err != nil {
			return t, err
		}
		content := filepath.Join(folder, "content")
		if err := randomFile(content, size, 3); err != nil {
			return t, err
		}
		torrent := filepath.Join(folder, "content.torrent")
		made, err := b.start("/usr/bin/python3", b.script, "make", content, torrent)
		if err != nil {
			return t, err
		}
		var m struct{ ID string }
		if err := made.event("made", &m); err != nil {
			return t, err
		}
		var id string
		for _, side := range []struct {
			name  string
			start member
		}{
			{"shoal", func(folder string) (*process, error) {
				if folder != "" {
					return b.run(b.state(), "get", "--output", folder, "--seed", "forever", "magnet:?xt=urn:btih:"+id+"&x.pe="+at(farPort))
				}
				p, err := b.run(b.state(), "share", "--listen", at(farPort), content)
				if err != nil {
					return nil, err
				}
				var shared struct{ ID string }
				err = p.event("shared", &shared)
				id = shared.ID
				return p, err
			}},
			{"libtorrent", func(into string) (*process, error) {
				if into != "" {
					args := []string{b.script, "get", "magnet:?xt=urn:btih:" + m.ID, into, "--stay", "--listen", "[::]:" + farPort, "--peer", at(farPort)}
					for i := range c.peers {
						args = append(args, "--peer", net.JoinHostPort(homeAddress(i).String(), farPort))
					}
					return b.start("/usr/bin/python3", args...)
				}
				p, err := b.start("/usr/bin/python3", b.script, "seed", torrent, folder, "--listen", at(farPort))
				if err != nil {
					return nil, err
				}
				return p, p.event("ready", nil)
			}},
		} {
			var last, even, sent, received []float64
			for run := range b.runs {
				o, err := b.crowdRun(c, uint64(run), size, side.start)
				if err != nil {
					return t, fmt.Errorf("%s: %s: %w", c.name, side.name, err)
				}
				last, even = append(last, o.last), append(even, o.last/o.middle)
				sent, received = append(sent, o.sent), append(received, o.received)
			}
			t.row(fmt.Sprintf("%s, %d MiB, %s", c.name, c.mib, side.name), fmt.Sprintf("%.0f", median(last)),
				fmt.Sprintf("%.2f", median(last)/c.ideal(size)), fmt.Sprintf("%.2f", median(even)),
				fmt.Sprintf("%.2f", median(sent)), fmt.Sprintf("%.2f", median(received)))
		}
	}
	return t, nil
}
