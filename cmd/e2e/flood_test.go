//go:build linux

package e2e

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/ipv6"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

var floodTo = flag.String("flood", "", "write how a node stood a flood into this `file`, as JSON")

// floodRate is in datagrams a second.
const floodRate = 50_000

// flooding is what a node met and how it fared.
type flooding struct {
	Sent     int     // datagrams
	Arrived  int     // of them
	Answered int     // of them
	Seconds  float64 // it lasted
	Gets     []float64
	CPU      float64 // seconds of the node's
	RSS      float64 // its peak since it began, in MiB
	Gain     float64 // bytes it sent for each it received
}

// A node is flooded with queries, from one address and from many that do not
// want the answers. Meanwhile it finds and fetches what others share, and so do
// others of its network.
//
// All are on the loopback interface of one host, with an address each in a
// network of its own, and the flood's are wherever it likes:
//
//	victim, six nodes, alice, bob ── lo ── 2001:db8:8000::/33
func TestFloodedNodeServes(t *testing.T) {
	const size = 300_000
	gets := 6
	if soak() && *floodTo != "" {
		gets = 60
	}
	net := lab.New(t)
	town := at(t, net.Home("town"))
	town.IP("route add local 2001:db8:8000::/33 dev lo")
	town.Run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind")
	const nodes = 9
	var where []string
	for i := range nodes {
		a := fmt.Sprintf("2001:db8:7000:%x::1", i)
		town.IP("addr add " + a + "/128 dev lo nodad")
		where = append(where, netip.AddrPortFrom(netip.MustParseAddr(a), 7000).String())
	}
	var victim *lab.Proc
	var states []string
	for i, w := range where {
		state := filepath.Join(town.home, strconv.Itoa(i))
		states = append(states, state)
		p := town.StartCmd(town.bare("daemon", "--json", "--state", state, "--listen", w, "--no-lan", "--bootstrap", where[0]))
		p.Event("ready", nil)
		if i == 0 {
			victim = p
		}
	}
	c := &crowd{t: t, alice: &user{Host: town.Host, t: t, home: town.home, state: states[nodes-2]},
		bob: &user{Host: town.Host, t: t, home: town.home, state: states[nodes-1]}}
	watched := &user{Host: town.Host, t: t, home: town.home, state: states[0]}
	ids := c.publish(2*gets, size)
	// From now on the victim has to do with whom it knows.
	c.until(watched, "a network", func(m metrics) bool { return m["shoal_dht_nodes"] >= nodes-1 })

	results := map[string]flooding{}
	for i, many := range []bool{false, true} {
		name := []string{"one", "many"}[i]
		var f flooding
		before := c.figures(watched)
		was := cpuSeconds(t, victim.PID())
		stop := flood(t, town.Host, netip.MustParseAddrPort(where[0]), many)
		begun := time.Now()
		for j, id := range ids[i*gets : (i+1)*gets] {
			<-stop.at(j * floodRate / 6)
			f.Gets = append(f.Gets, c.firstByte(id, size, "--state", []string{c.bob.state, watched.state}[j%2]).Seconds())
		}
		f.Sent, f.Seconds = stop.now(), time.Since(begun).Seconds()
		after := c.figures(watched)
		f.CPU, f.RSS = cpuSeconds(t, victim.PID())-was, peakMiB(t, victim.PID())
		f.Arrived = int(after["shoal_dht_received_datagrams_total"] - before["shoal_dht_received_datagrams_total"])
		f.Answered = int(after["shoal_dht_sent_datagrams_total"] - before["shoal_dht_sent_datagrams_total"])
		f.Gain = (after["shoal_dht_sent_bytes_total"] - before["shoal_dht_sent_bytes_total"]) /
			(after["shoal_dht_received_bytes_total"] - before["shoal_dht_received_bytes_total"])
		t.Logf("%s: %+v", name, f)
		if f.Arrived < f.Sent/10 {
			t.Errorf("%d of %d datagrams arrived: that was no flood", f.Arrived, f.Sent)
		}
		if f.Gain >= 3 {
			t.Errorf("%s: %.2f bytes sent for each received", name, f.Gain)
		}
		if f.RSS > 250 {
			t.Errorf("%s: the node grew to %.0f MiB", name, f.RSS)
		}
		results[name] = f
	}
	if *floodTo == "" {
		return
	}
	out, err := json.Marshal(results)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*floodTo, out, 0o644); err != nil {
		t.Fatal(err)
	}
}

// deluge is a flood that is under way.
type deluge struct {
	sent       atomic.Int64
	end, ended chan struct{}
	once       sync.Once
}

// now ends it, and tells how many they were.
func (f *deluge) now() int {
	f.once.Do(func() { close(f.end) })
	<-f.ended
	return int(f.sent.Load())
}

// at is closed when that many were sent.
func (f *deluge) at(count int) <-chan struct{} {
	reached := make(chan struct{})
	go func() {
		defer close(reached)
		look := time.NewTicker(time.Millisecond)
		defer look.Stop()
		for f.sent.Load() < int64(count) {
			select {
			case <-look.C:
			case <-f.ended:
				return
			}
		}
	}()
	return reached
}

// flood sends find_node queries to a node, floodRate of them or as many as this
// machine can.
func flood(t *testing.T, from *lab.Host, to netip.AddrPort, many bool) *deluge {
	t.Helper()
	conn := from.ListenPacket(0)
	const batch = floodRate / 500
	messages := make([]ipv6.Message, batch)
	for i := range messages {
		messages[i].Addr = net.UDPAddrFromAddrPort(to)
		messages[i].Buffers = [][]byte{[]byte("d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe")}
	}
	f := &deluge{end: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		pc := ipv6.NewPacketConn(conn)
		pace := time.NewTicker(time.Second * batch / floodRate)
		defer pace.Stop()
		source := netip.MustParseAddr("2001:db8:8000::1").As16()
		n := uint32(0)
		for {
			select {
			case <-f.end:
				return
			case <-pace.C:
			}
			for i := range messages {
				n++
				if many {
					binary.BigEndian.PutUint32(source[4:8], 0x8000_0000|n)
				}
				binary.BigEndian.PutUint32(messages[i].Buffers[0][12:], n)
				messages[i].OOB = (&ipv6.ControlMessage{Src: source[:]}).Marshal()
			}
			for left := messages; len(left) > 0; {
				done, err := pc.WriteBatch(left, 0)
				if err != nil {
					done = 1 // it is dropped, as in a full queue
				} else {
					f.sent.Add(int64(done))
				}
				left = left[done:]
			}
		}
	}()
	t.Cleanup(func() { f.now() })
	return f
}

// cpuSeconds is the processor time that a process has used.
func cpuSeconds(t *testing.T, pid int) float64 {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatalf("the node is gone: %v", err)
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, err := strconv.ParseFloat(fields[12], 64)
	if err != nil {
		t.Fatal(err)
	}
	return (user + system) / 100
}

// peakMiB is the most memory a process had.
func peakMiB(t *testing.T, pid int) float64 {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatalf("the node is gone: %v", err)
	}
	_, rest, _ := strings.Cut(string(data), "VmHWM:")
	fields := strings.Fields(rest)
	kib, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib / 1024
}
