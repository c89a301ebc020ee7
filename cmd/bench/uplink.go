//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/wan"
)

// The line of somebody at home who seeds, and who else is there.
const (
	homeRate = 10 // Mbit/s upwards
	homeWait = 400 * time.Millisecond
	homeTrip = 50 * time.Millisecond // to everybody
	leechers = 5
	// settled is how long a seed has until its steady state is measured, for so long.
	settled = 12 * time.Second
	steady  = 30 * time.Second
	pingGap = 50 * time.Millisecond
	// The rival has so long to get his part of the line, and is measured for so long.
	rivalStart, rivalTime = 5 * time.Second, 10 * time.Second
	rivalFile             = 3 << 20
	// It fills a queue, as what most systems have does, and every namespace may have it.
	congestionControl = "reno"
)

// office is the host that is pinged and uploaded to; the leechers come after it.
var office = netip.MustParseAddr("2001:db8:2::ff")

func leecher(i int) netip.Addr {
	a := farFetch.As16()
	a[7] = byte(i) // each in a network of its own
	return netip.AddrFrom16(a)
}

// home makes the network: host 0 is at home, 1 the office, the others are leechers.
func home(seed uint64, up wan.Line, others []wan.Host) (*wan.Network, error) {
	hosts := []wan.Host{
		{Name: "home", Addr: farSeed, Up: up, Delay: homeTrip / 4},
		{Name: "office", Addr: office, Delay: homeTrip / 4},
	}
	for i, h := range others {
		h.Name, h.Addr = fmt.Sprint("leecher ", i), leecher(i)
		hosts = append(hosts, h)
	}
	n, err := wan.New(seed, hosts...)
	for i := 0; err == nil && i < len(hosts); i++ {
		err = n.In(i, func() error {
			return os.WriteFile("/proc/sys/net/ipv4/tcp_congestion_control", []byte(congestionControl), 0)
		})
		if err != nil {
			n.Close()
		}
	}
	return n, err
}

// busy is how usable a line was while somebody seeded.
type busy struct {
	typical, worst time.Duration // that a ping took more than on an idle line, at the median and for 95 of 100
	used           float64       // part of the line
	rival          float64       // part of the line that a TCP upload got that began later
	file           time.Duration // that the rival needed for its first rivalFile bytes
}

// client seeds at host 0 of a network and fetches at the leechers.
type client struct {
	name  string
	seed  func() (*process, string, error) // and what a leecher is given
	fetch func(what, dir string) (*process, error)
}

func (b *bench) shoalClient(name string, flags ...string) client {
	return client{name,
		func() (*process, string, error) {
			p, err := b.run(b.state(), "share", append(flags, "--listen", at(farPort), b.content)...)
			if err != nil {
				return nil, "", err
			}
			var shared struct{ ID string }
			err = p.event("shared", &shared)
			return p, "magnet:?xt=urn:btih:" + shared.ID + "&x.pe=" + at(farPort), err
		},
		func(what, dir string) (*process, error) {
			return b.run(b.state(), "get", append(flags, "--output", dir, what)...)
		},
	}
}

func (b *bench) libtorrentClient() client {
	return client{"libtorrent",
		func() (*process, string, error) {
			p, err := b.start("/usr/bin/python3", b.script, "seed", b.torrent, filepath.Dir(b.content), "--utp", "--listen", at(farPort))
			if err != nil {
				return nil, "", err
			}
			go io.Copy(io.Discard, p.lines)
			return p, "magnet:?xt=urn:btih:" + b.id, nil
		},
		func(what, dir string) (*process, error) {
			return b.start("/usr/bin/python3", b.script, "get", what, dir, "--utp", "--peer", at(farPort))
		},
	}
}

// uplink measures what others notice of a seed.
func (b *bench) uplink() (t table, err error) {
	t = table{
		title: "Beside a seed, at home",
		how: fmt.Sprintf("A line of %d Mbit/s upwards with a queue of %d ms; %d peers, %d ms away, download from a seed behind it. The same program is at both ends. "+
			"Ping is what a round trip takes more than on the idle line, in ms. Then one plain TCP upload begins beside the seed: its part of the line after %d s, and its seconds for the first %d MiB (%.1f at best). "+
			"Wanted: at most 60 and 100 ms with at least 90 %% of the line used, and 70 %% for the upload.",
			homeRate, homeWait.Milliseconds(), leechers, homeTrip.Milliseconds(), int(rivalStart.Seconds()), rivalFile>>20, float64(rivalFile)*8/(homeRate*1e6)),
		head: []string{"", "ping, median", "ping, 95 of 100", "of the line used", "the upload's part", "its 3 MiB, s"},
	}
	clients := []client{b.shoalClient("shoal"), b.shoalClient("shoal --adaptive-upload=false", "--adaptive-upload=false"), b.libtorrentClient()}
	all := make([][]busy, len(clients))
	for run := range b.runs {
		for i, c := range clients {
			x, err := b.beside(uint64(run), c)
			if err != nil {
				return t, fmt.Errorf("%s: %w", c.name, err)
			}
			all[i] = append(all[i], x)
		}
	}
	for i, c := range clients {
		of := func(f func(busy) float64) float64 {
			var v []float64
			for _, x := range all[i] {
				v = append(v, f(x))
			}
			return median(v)
		}
		t.row(c.name,
			fmt.Sprintf("%.0f", of(func(x busy) float64 { return x.typical.Seconds() * 1000 })),
			fmt.Sprintf("%.0f", of(func(x busy) float64 { return x.worst.Seconds() * 1000 })),
			fmt.Sprintf("%.0f %%", of(func(x busy) float64 { return x.used * 100 })),
			fmt.Sprintf("%.0f %%", of(func(x busy) float64 { return x.rival * 100 })),
			fmt.Sprintf("%.1f", of(func(x busy) float64 { return x.file.Seconds() })))
	}
	t.setting = fmt.Sprintf("data in memory, TCP with %s; medians of %d runs", congestionControl, b.runs)
	return t, nil
}

// beside has c seed, and measures.
func (b *bench) beside(run uint64, c client) (x busy, err error) {
	n, err := home(run, wan.Mbit(homeRate, homeWait), slices.Repeat([]wan.Host{{Delay: homeTrip / 4}}, leechers))
	if err != nil {
		return x, err
	}
	defer n.Close()
	end, err := b.seedTo(n, c, leechers)
	defer end()
	if err != nil {
		return x, err
	}
	ping, err := newPinger(n)
	if err != nil {
		return x, err
	}
	defer ping.close()
	sent := func() int64 { return sentBy(n, 0) }
	if err := underWay(n); err != nil {
		return x, err
	}
	time.Sleep(settled)
	before, began := sent(), time.Now()
	trips, err := ping.run(steady)
	if err != nil {
		return x, err
	}
	x.used = float64(sent()-before) * 8 / 1e6 / time.Since(began).Seconds() / homeRate
	slices.Sort(trips)
	x.typical, x.worst = trips[len(trips)/2]-homeTrip, trips[len(trips)*95/100]-homeTrip
	x.rival, x.file, err = rival(n)
	return x, err
}

func sentBy(n *wan.Network, host int) int64 {
	up, _, _ := n.Counts(host)
	return up.Bytes
}

// underWay waits until the seed has sent something.
func underWay(n *wan.Network) error {
	for deadline := time.Now().Add(time.Minute); sentBy(n, 0) < 1<<20; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return errors.New("nothing was sent within a minute")
		}
	}
	return nil
}

// seedTo starts a seed at home and as many leechers.
func (b *bench) seedTo(n *wan.Network, c client, leechers int) (end func(), err error) {
	var all []*process
	var dirs []string
	end = func() {
		for _, p := range all {
			p.kill()
		}
		for _, d := range dirs {
			os.RemoveAll(d)
		}
	}
	var what string
	err = n.In(0, func() error {
		p, w, err := c.seed()
		if p != nil {
			all = append(all, p)
		}
		what = w
		return err
	})
	for i := 0; err == nil && i < leechers; i++ {
		dir, derr := b.scratch()
		if derr != nil {
			return end, derr
		}
		dirs = append(dirs, dir)
		p, perr := in(n, 2+i, func() (*process, error) { return c.fetch(what, dir) })
		if err = perr; err == nil {
			all = append(all, p)
			go io.Copy(io.Discard, p.lines)
		}
	}
	return end, err
}

// pinger measures round trips from home to the office.
type pinger struct{ here, there net.PacketConn }

func newPinger(n *wan.Network) (p *pinger, err error) {
	p = &pinger{}
	if err := n.In(1, func() (err error) {
		p.there, err = net.ListenPacket("udp", net.JoinHostPort(office.String(), "7007"))
		return err
	}); err != nil {
		return nil, err
	}
	if err := n.In(0, func() (err error) { p.here, err = net.ListenPacket("udp", at("0")); return err }); err != nil {
		p.there.Close()
		return nil, err
	}
	go func() {
		for b := make([]byte, 64); ; {
			k, from, err := p.there.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = p.there.WriteTo(b[:k], from)
		}
	}()
	return p, nil
}

func (p *pinger) close() { p.here.Close(); p.there.Close() }

// run pings for d. A ping that is lost took as long as the queue can be.
func (p *pinger) run(d time.Duration) ([]time.Duration, error) {
	trips := make([]time.Duration, d/pingGap)
	sent := make([]time.Time, len(trips))
	for i := range trips {
		trips[i] = homeTrip + homeWait
	}
	failed := make(chan error, 1)
	var count atomic.Int64
	began := time.Now()
	go func() {
		for i := range sent {
			time.Sleep(time.Until(began.Add(time.Duration(i) * pingGap)))
			sent[i] = time.Now()
			count.Store(int64(i + 1))
			if _, err := p.here.WriteTo([]byte{byte(i >> 8), byte(i)}, p.there.LocalAddr()); err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	_ = p.here.SetReadDeadline(began.Add(d + time.Second))
	for b := make([]byte, 64); ; {
		k, _, err := p.here.ReadFrom(b)
		if err != nil {
			break
		}
		if i := int(b[0])<<8 | int(b[1]); k == 2 && i < int(count.Load()) {
			trips[i] = time.Since(sent[i])
		}
	}
	return trips, <-failed
}

// rival uploads from home to the office by one TCP connection. It gives its part of
// the line once it has had its time, and how long its first bytes took.
func rival(n *wan.Network) (part float64, file time.Duration, err error) {
	var l net.Listener
	to := net.JoinHostPort(office.String(), "7008")
	if err := n.In(1, func() (err error) { l, err = net.Listen("tcp", to); return err }); err != nil {
		return 0, 0, err
	}
	defer l.Close()
	began := time.Now()
	var c net.Conn
	if err := n.In(0, func() (err error) { c, err = net.DialTimeout("tcp", to, time.Minute); return err }); err != nil {
		return 0, 0, err
	}
	defer c.Close()
	go func() {
		for zeros := make([]byte, 64<<10); ; {
			if _, err := c.Write(zeros); err != nil {
				return
			}
		}
	}()
	far, err := l.Accept()
	if err != nil {
		return 0, 0, err
	}
	defer far.Close()
	got, counted := 0, 0
	for b := make([]byte, 64<<10); time.Since(began) < rivalStart+rivalTime || file == 0; {
		k, err := far.Read(b)
		if err != nil {
			return 0, 0, err
		}
		if got += k; got >= rivalFile && file == 0 {
			file = time.Since(began)
		}
		if after := time.Since(began); after > rivalStart && after < rivalStart+rivalTime {
			counted += k
		}
	}
	return float64(counted) * 8 / 1e6 / rivalTime.Seconds() / homeRate, file, nil
}
