//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/wan"
)

// small measures how many round trips 1 MiB takes.
func (b *bench) small() (t table, err error) {
	const size = 1 << 20
	l := farLine{rtt: 150 * time.Millisecond}
	t = table{
		title: "A small file from far away",
		how: fmt.Sprintf("1 MiB in pieces of 32 KiB, by a link with an address, over a line of %d Mbit/s and %d ms. "+
			"shoal and libtorrent tell the time from being given the link to all being verified. Raw TCP is one connection, from dialling to the last byte. "+
			"The player asks a node that was just given the link for the file's first byte; what the node asked for before it knew of the player comes in between, "+
			"so the fastest run shows when the first piece is verified. Wanted: that within 6 round trips, all within those of raw TCP and 4.", farRate, l.rtt.Milliseconds()),
		head: []string{"", "seconds", "fastest to slowest", "round trips"},
	}
	folder, err := b.scratch()
	if err != nil {
		return t, err
	}
	content := filepath.Join(folder, "small")
	if err := randomFile(content, size, 2); err != nil {
		return t, err
	}
	torrent := filepath.Join(folder, "small.torrent")
	made, err := b.start("/usr/bin/python3", b.script, "make", content, torrent)
	if err != nil {
		return t, err
	}
	var m struct{ ID string }
	if err := made.event("made", &m); err != nil {
		return t, err
	}
	var seconds float64
	done := func(p *process) error {
		var d struct{ Seconds float64 }
		err := p.event("done", &d)
		seconds = d.Seconds
		return err
	}
	rows := []struct {
		name string
		send sender
		all  []float64
	}{
		{name: "raw TCP", send: func(n *wan.Network) (func(), error) {
			seconds, err = rawFetch(n, size)
			return func() {}, err
		}},
		{name: "shoal", send: func(n *wan.Network) (func(), error) {
			return b.shoalOver(n, content, done, smallPieces...)
		}},
		{name: "shoal, a player's first byte", send: func(n *wan.Network) (end func(), err error) {
			seconds, end, err = b.firstToPlayer(n, content)
			return end, err
		}},
		{name: "libtorrent", send: func(n *wan.Network) (func(), error) {
			return b.libtorrentOver(n, torrent, m.ID, folder, done)
		}},
	}
	for run := range b.runs {
		for i := range rows {
			n, err := l.network(uint64(run))
			if err != nil {
				return t, err
			}
			end, err := rows[i].send(n)
			if err == nil {
				end()
			}
			n.Close()
			if err != nil {
				return t, fmt.Errorf("%s: %w", rows[i].name, err)
			}
			rows[i].all = append(rows[i].all, seconds)
		}
	}
	for _, r := range rows {
		s := median(r.all)
		t.row(r.name, fmt.Sprintf("%.2f", s), span(r.all, "%.2f"), fmt.Sprintf("%.1f", s/l.rtt.Seconds()))
	}
	return t, nil
}

// smallPieces has a share cut into many pieces for its size.
var smallPieces = []string{"--piece-length", "32KiB"}

// firstToPlayer shares content at one end, gives the link to a node at the other, and
// tells the seconds until a player there has the first byte.
func (b *bench) firstToPlayer(n *wan.Network, content string) (seconds float64, end func(), err error) {
	var seed, node *process
	dir, err := b.scratch()
	if err != nil {
		return 0, nil, err
	}
	end = func() {
		for _, p := range []*process{node, seed} {
			if p != nil {
				p.kill()
			}
		}
		os.RemoveAll(dir)
	}
	defer func() {
		if err != nil {
			end()
		}
	}()
	if seed, err = in(n, 0, func() (*process, error) {
		return b.run(b.state(), "share", append(smallPieces, "--listen", at(farPort), content)...)
	}); err != nil {
		return 0, nil, err
	}
	var shared struct{ ID string }
	if err = seed.event("shared", &shared); err != nil {
		return 0, nil, err
	}
	state := b.state()
	if node, err = in(n, 1, func() (*process, error) { return b.run(state, "daemon") }); err != nil {
		return 0, nil, err
	}
	if err = node.event("ready", nil); err != nil {
		return 0, nil, err
	}
	w := &watcher{socket: filepath.Join(state, "shoal.sock")}
	seconds, err = w.first(shared.ID, "magnet:?xt=urn:btih:"+shared.ID+"&x.pe="+at(farPort), dir)
	return seconds, end, err
}

// first gives a link to the node and tells the seconds until it can read the first
// byte.
func (w *watcher) first(id, link, output string) (float64, error) {
	c := w.client()
	defer c.CloseIdleConnections()
	order, err := json.Marshal(map[string]string{"link": link, "output": output})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	resp, err := c.Post("http://shoal/api/v1/transfers", "application/json", bytes.NewReader(order))
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return 0, fmt.Errorf("giving the link to the node: %s", resp.Status)
	}
	for time.Since(began) < time.Minute {
		resp, err := c.Get("http://shoal/api/v1/transfers/" + id + "/files/0/content")
		if err != nil {
			return 0, err
		}
		if resp.StatusCode == http.StatusOK {
			defer resp.Body.Close()
			_, err := io.ReadFull(resp.Body, make([]byte, 1))
			return time.Since(began).Seconds(), err
		}
		resp.Body.Close()
		time.Sleep(time.Millisecond)
	}
	return 0, errors.New("the first byte is not there after a minute")
}

// rawFetch takes size bytes over one TCP connection, and gives the seconds.
func rawFetch(n *wan.Network, size int64) (float64, error) {
	var l net.Listener
	if err := n.In(0, func() (err error) { l, err = net.Listen("tcp", at(rawPort)); return err }); err != nil {
		return 0, err
	}
	defer l.Close()
	go func() {
		if s, err := l.Accept(); err == nil {
			_, _ = s.Write(make([]byte, size))
			s.Close()
		}
	}()
	var c net.Conn
	began := time.Now()
	if err := n.In(1, func() (err error) { c, err = net.DialTimeout("tcp", at(rawPort), time.Minute); return err }); err != nil {
		return 0, err
	}
	defer c.Close()
	got, err := io.Copy(io.Discard, c)
	if err == nil && got != size {
		err = fmt.Errorf("%d of %d bytes", got, size)
	}
	return time.Since(began).Seconds(), err
}
