//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

var firstByteTo = flag.String("first-byte", "", "write the times to the first byte into this `file`, as JSON")

// crowd is a network of 50 nodes, each with an address in a /64 of its own,
// which all began with the first of them; alice and bob are two of it.
//
//	town 1 with 8 nodes ── router ──┐
//	...                             │
//	town 6 with 8 nodes ── router ──┼── core
//	alice ──────────────── router ──┤
//	bob ────────────────── router ──┘
type crowd struct {
	t          *testing.T
	alice, bob *user
	knows      []string // the flags that name the first node
}

func gather(t *testing.T) *crowd {
	t.Helper()
	const towns, nodes = 6, 8
	net := lab.New(t)
	c := &crowd{t: t}
	var daemons []*lab.Proc
	for i := range towns {
		router := net.Router(fmt.Sprintf("town %d", i+1))
		town := at(t, router.Host(fmt.Sprintf("town %d", i+1)))
		for j, addr := range districts(router, town, nodes) {
			where := netip.AddrPortFrom(addr, 7000).String()
			if c.knows == nil {
				c.knows = []string{"--no-lan", "--bootstrap", where}
			}
			state := filepath.Join(town.home, strconv.Itoa(j))
			args := append([]string{"daemon", "--json", "--state", state, "--listen", where}, c.knows...)
			daemons = append(daemons, town.StartCmd(town.bare(args...)))
		}
	}
	c.alice, c.bob = at(t, net.Home("alice")), at(t, net.Home("bob"))
	for _, u := range []*user{c.alice, c.bob} {
		daemons = append(daemons, u.StartCmd(u.guided("daemon", c.knows, "--listen", "[::]:7000")))
	}
	for _, d := range daemons {
		d.Event("ready", nil)
	}
	return c
}

// districts gives a host that many addresses more, each in a /64 of its own, and
// has the router of its home send all of them there.
func districts(r *lab.Router, u *user, count int) []netip.Addr {
	const first = 0x100
	var all []netip.Addr
	ip := r.Prefix().Addr().As16()
	ip[6], ip[7] = first>>8, 0
	r.Box.IP(fmt.Sprintf("route add %s via %s dev lan", netip.PrefixFrom(netip.AddrFrom16(ip), 56), u.Addr))
	for i := range count {
		ip[7], ip[15] = byte(i), 1
		a := netip.AddrFrom16(ip)
		u.IP(fmt.Sprintf("addr add %s/128 dev lo nodad", a))
		all = append(all, a)
	}
	return all
}

// publish has alice's node share files of that size, and waits until the
// network knows. It gives their IDs.
func (c *crowd) publish(count, size int) []string {
	c.t.Helper()
	dir := c.t.TempDir()
	var ids []string
	for i := range count {
		file := random(c.t, filepath.Join(dir, fmt.Sprintf("song-%d.ogg", i)), int64(size), byte(100+i))
		share := c.alice.StartCmd(c.alice.bare("share", "--json", "--state", c.alice.state, "--no-addresses", file))
		var shared published
		share.Event("shared", &shared)
		ids = append(ids, shared.ID)
	}
	c.until(c.alice, "everything announced", func(m metrics) bool {
		return m["shoal_dht_announced_ids"] == float64(count) && m["shoal_dht_waiting_ids"] == 0
	})
	return ids
}

// firstByte runs a get that writes to its standard output, and gives the time
// from its start until the first byte of the content came. The rest is read to
// the end.
func (c *crowd) firstByte(id string, size int, args ...string) time.Duration {
	c.t.Helper()
	from, to, err := os.Pipe()
	if err != nil {
		c.t.Fatal(err)
	}
	defer from.Close()
	cmd := c.bob.bare(append(append([]string{"get", "--output", "-"}, args...), id)...)
	cmd.Stdout = to
	begun := time.Now()
	get := c.bob.StartCmd(cmd)
	to.Close()
	var one [1]byte
	if _, err := io.ReadFull(from, one[:]); err != nil {
		c.t.Fatalf("get ended without a byte: %v; %s", err, get.Stderr())
	}
	took := time.Since(begun)
	rest, err := io.Copy(io.Discard, from)
	if err != nil || rest+1 != int64(size) {
		c.t.Fatalf("%d bytes came, of %d: %v", rest+1, size, err)
	}
	if status := get.Wait(); status != 0 {
		c.t.Fatalf("get ended with status %d: %s", status, get.Stderr())
	}
	return took
}

// A node that is there, and one that has only just begun and knows nobody but
// the first, find what somebody in the crowd has by its ID, and fetch it.
func TestFoundInACrowd(t *testing.T) {
	const size = 300_000
	c := gather(t)
	ids := c.publish(2, size)
	t.Logf("a node that is there: first byte after %v", c.firstByte(ids[0], size, "--state", c.bob.state))
	fresh := append([]string{"--state", filepath.Join(c.bob.home, "fresh"), "--listen", "[::]:0"}, c.knows...)
	t.Logf("a new node: first byte after %v", c.firstByte(ids[1], size, fresh...))
}

// The time from a link without an address to the first byte, for the benchmark.
func TestSoakFirstByte(t *testing.T) {
	if !soak() {
		t.Skip("a measurement; set SOAK=1 to run it")
	}
	const runs, size = 20, 4 << 20
	c := gather(t)
	ids := c.publish(2*runs, size)
	for _, u := range []*user{c.alice, c.bob} {
		c.until(u, "a network around", func(m metrics) bool { return m["shoal_dht_good_nodes"] >= 16 })
	}
	times := map[string][]float64{}
	for i := range runs {
		there := c.firstByte(ids[2*i], size, "--state", c.bob.state)
		state := filepath.Join(c.bob.home, fmt.Sprintf("fresh-%d", i))
		fresh := c.firstByte(ids[2*i+1], size, append([]string{"--state", state, "--listen", "[::]:0"}, c.knows...)...)
		times["running"] = append(times["running"], there.Seconds())
		times["fresh"] = append(times["fresh"], fresh.Seconds())
	}
	for which, all := range times {
		slices.Sort(all)
		t.Logf("%s: median %.3f s, %.3f to %.3f", which, all[len(all)/2], all[0], all[len(all)-1])
	}
	if *firstByteTo == "" {
		return
	}
	out, err := json.Marshal(times)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*firstByteTo, out, 0o644); err != nil {
		t.Fatal(err)
	}
}

// metrics are the figures of a node by name, those without labels.
type metrics map[string]float64

var metricLine = regexp.MustCompile(`(?m)^(shoal_[a-z_]+) ([0-9.e+]+)$`)

// until looks at the metrics of u's daemon until they are as wanted.
func (c *crowd) until(u *user, what string, ok func(metrics) bool) {
	c.t.Helper()
	var m metrics
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if m = c.figures(u); ok(m) {
			return
		}
	}
	c.t.Fatalf("%s: not in time: %v", what, m)
}

// figures are the metrics of u's daemon.
func (c *crowd) figures(u *user) metrics {
	c.t.Helper()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(u.state, "shoal.sock"))
		},
	}}
	answer, err := client.Get("http://shoal/metrics")
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	m := metrics{}
	for _, line := range metricLine.FindAllSubmatch(text, -1) {
		if m[string(line[1])], err = strconv.ParseFloat(string(line[2]), 64); err != nil {
			c.t.Fatal(err)
		}
	}
	return m
}
