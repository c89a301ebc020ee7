//go:build linux

package main

import (
	"os/exec"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
	"github.com/shoalnet/shoal/cmd/internal/wan"
)

// What arrives over uTP at libtorrent from shoal, and the other way round, is
// identical, whatever the line does to packets. A mover compares.
func TestUTPArrivesWhole(t *testing.T) {
	lab.Root(t)
	if exec.Command("/usr/bin/python3", "-c", "import libtorrent").Run() != nil {
		lab.Skip(t, "needs libtorrent: apt-get install python3-libtorrent")
	}
	b, err := prepare(options{dir: t.TempDir(), size: 1 << 20, most: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	c, err := b.utpCargo()
	if err != nil {
		t.Fatal(err)
	}
	rough := func(seed, fetcher *wan.Host) { swirl(seed, fetcher); narrow(seed, fetcher) }
	l := utpLine{rtt: 10 * time.Millisecond, loss: 0.01, more: rough}
	for name, move := range map[string]mover{"from shoal": b.utpFromShoal, "to shoal": b.utpToShoal} {
		n, err := l.network(1, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := move(n, c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		n.Close()
	}
}
