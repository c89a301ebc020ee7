//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/wan"
)

// The two ends of a line, and the ports that the seed listens on.
var (
	farSeed  = netip.MustParseAddr("2001:db8:1::5eed")
	farFetch = netip.MustParseAddr("2001:db8:2::fe7c")
)

const (
	farPort = "7001"
	rawPort = "7002"
	farRate = 100 // Mbit/s
	// measured is how long a steady rate is measured.
	measured = 6 * time.Second
)

// farLine is a line with nothing but delay and loss on it.
type farLine struct {
	rtt  time.Duration
	loss float64
}

func (l farLine) String() string {
	return fmt.Sprintf("%d ms, %g %% loss", l.rtt.Milliseconds(), 100*l.loss)
}

// network makes the line: the rate is that of the seed's way up.
func (l farLine) network(seed uint64) (*wan.Network, error) {
	return wan.New(seed,
		wan.Host{Name: "seed", Addr: farSeed, Up: wan.Mbit(farRate, 100*time.Millisecond), Delay: l.rtt / 4, Loss: l.loss},
		wan.Host{Name: "fetcher", Addr: farFetch, Delay: l.rtt / 4})
}

// A sender has a seed at one end of the line and a fetcher at the other. It gives
// what ends both.
type sender func(n *wan.Network) (end func(), err error)

// in starts a process on a host of the network.
func in(n *wan.Network, host int, start func() (*process, error)) (p *process, err error) {
	err = n.In(host, func() error {
		p, err = start()
		return err
	})
	return p, err
}

func at(port string) string { return net.JoinHostPort(farSeed.String(), port) }

// raw sends zeros over one TCP connection.
func (b *bench) raw(n *wan.Network) (end func(), err error) {
	var l net.Listener
	if err := n.In(0, func() (err error) { l, err = net.Listen("tcp", at(rawPort)); return err }); err != nil {
		return nil, err
	}
	var c net.Conn
	if err := n.In(1, func() (err error) { c, err = net.DialTimeout("tcp", at(rawPort), time.Minute); return err }); err != nil {
		l.Close()
		return nil, err
	}
	go func() {
		s, err := l.Accept()
		if err != nil {
			return
		}
		defer s.Close()
		for zeros := make([]byte, 256<<10); err == nil; {
			_, err = s.Write(zeros)
		}
	}()
	go io.Copy(io.Discard, c)
	return func() { c.Close(); l.Close() }, nil
}

// farShoal is shoal at both ends.
func (b *bench) farShoal(n *wan.Network) (func(), error) { return b.shoalOver(n, b.content, nil) }

// shoalOver shares content at one end and gets it at the other.
func (b *bench) shoalOver(n *wan.Network, content string, got func(*process) error, flags ...string) (func(), error) {
	seed, err := in(n, 0, func() (*process, error) {
		return b.run(b.state(), "share", append(flags, "--listen", at(farPort), content)...)
	})
	if err != nil {
		return nil, err
	}
	var shared struct{ ID string }
	if err := seed.event("shared", &shared); err != nil {
		return nil, err
	}
	dir, err := b.scratch()
	if err != nil {
		return nil, err
	}
	fetch, err := in(n, 1, func() (*process, error) {
		return b.run(b.state(), "get", "--output", dir, "magnet:?xt=urn:btih:"+shared.ID+"&x.pe="+at(farPort))
	})
	if err == nil && got != nil {
		err = got(fetch)
	}
	end := func() { fetch.kill(); seed.kill(); os.RemoveAll(dir) }
	if err != nil {
		end()
	}
	return end, err
}

// farLibtorrent is libtorrent at both ends.
func (b *bench) farLibtorrent(n *wan.Network) (func(), error) {
	return b.libtorrentOver(n, b.torrent, b.id, filepath.Dir(b.content), nil)
}

func (b *bench) libtorrentOver(n *wan.Network, torrent, id, folder string, got func(*process) error) (func(), error) {
	seed, err := in(n, 0, func() (*process, error) {
		return b.start("/usr/bin/python3", b.script, "seed", torrent, folder, "--listen", at(farPort))
	})
	if err != nil {
		return nil, err
	}
	if err := seed.event("ready", nil); err != nil {
		return nil, err
	}
	dir, err := b.scratch()
	if err != nil {
		return nil, err
	}
	fetch, err := in(n, 1, func() (*process, error) {
		return b.start("/usr/bin/python3", b.script, "get", "magnet:?xt=urn:btih:"+id, dir, "--peer", at(farPort))
	})
	if err == nil && got != nil {
		err = got(fetch)
	}
	end := func() { fetch.kill(); seed.kill(); os.RemoveAll(dir) }
	if err != nil {
		end()
	}
	return end, err
}

// steady is the rate in Mbit/s at which bytes arrive once a transfer is under way,
// headers included.
func (b *bench) steady(l farLine, run uint64, send sender) (float64, error) {
	n, err := l.network(run)
	if err != nil {
		return 0, err
	}
	defer n.Close()
	end, err := send(n)
	if err != nil {
		return 0, err
	}
	defer end()
	arrived := func() int64 {
		_, down, _ := n.Counts(1)
		return down.Bytes
	}
	for deadline := time.Now().Add(time.Minute); arrived() < 1<<20; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return 0, errors.New("nothing arrived within a minute")
		}
	}
	time.Sleep(3*time.Second + 20*l.rtt)
	before, began := arrived(), time.Now()
	time.Sleep(measured)
	return float64(arrived()-before) * 8 / 1e6 / time.Since(began).Seconds(), nil
}

// mean is the mean and half of its interval of 95 %.
func mean(v []float64) (m, half float64) {
	for _, x := range v {
		m += x / float64(len(v))
	}
	var squares float64
	for _, x := range v {
		squares += (x - m) * (x - m)
	}
	if len(v) > 1 {
		half = 1.96 * math.Sqrt(squares/float64(len(v)-1)/float64(len(v)))
	}
	return m, half
}

func (b *bench) lines() (t table, err error) {
	t = table{
		title: "Far away",
		how: fmt.Sprintf("Rates in Mbit/s once a transfer is under way, over a line of %d Mbit/s with a queue of 100 ms, by round trip and loss; headers count. "+
			"The same program is at both ends; raw TCP is one connection. Means, with their intervals of 95 %%.", farRate),
		head: []string{"", "raw TCP", "shoal", "libtorrent", "shoal to raw TCP", "shoal to libtorrent"},
	}
	for _, loss := range []float64{0, 0.005} {
		for _, rtt := range []time.Duration{10, 50, 150, 300} {
			l := farLine{rtt: rtt * time.Millisecond, loss: loss}
			senders := []sender{b.raw, b.farShoal, b.farLibtorrent}
			rates := make([][]float64, len(senders))
			for run := range b.runs {
				for i, send := range senders {
					rate, err := b.steady(l, uint64(run), send)
					if err != nil {
						return t, fmt.Errorf("%v: %w", l, err)
					}
					rates[i] = append(rates[i], rate)
				}
			}
			cells, means := []string{l.String()}, make([]float64, len(rates))
			for i, r := range rates {
				var half float64
				means[i], half = mean(r)
				cells = append(cells, fmt.Sprintf("%.1f ± %.1f", means[i], half))
			}
			t.row(append(cells, fmt.Sprintf("%.2f", means[1]/means[0]), fmt.Sprintf("%.2f", means[1]/means[2]))...)
		}
	}
	return t, nil
}
