//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// The DHT is measured in a simulation of it, where thousands of the real nodes
// run over a virtual network, and in the lab. Both are tests of this module that
// write down what they find.

const picture = "docs/images/dht-search.svg"

// simulated is a line of the simulation's report; the test's own type explains
// the fields.
type simulated struct {
	Scenario                            string
	Size, Searches, Found, Median, Most int
	First, Late                         int64
	Join                                uint64
	Known, Keys                         int
	Took, Together, Alone               float64
	Sent, Bytes, Cores                  float64
}

// soakTest runs a long test of this module to its good end.
func soakTest(pkg, run string, args ...string) error {
	cmd := exec.Command("go", append([]string{"test", "-count=1", "-timeout", "2h", "-run", run, pkg}, args...)...)
	cmd.Env = append(os.Environ(), "SOAK=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// simulate runs scenarios of the simulation and gives what they reported, by
// the name of the scenario.
func (b *bench) simulate(run string, args ...string) (map[string][]simulated, error) {
	file := filepath.Join(b.tmp, "simulated.json")
	defer os.Remove(file)
	if err := soakTest("./index/dht/internal/sim", run, append([]string{"-report", file}, args...)...); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	all := make(map[string][]simulated)
	for line := range bytes.Lines(data) {
		var s simulated
		if err := json.Unmarshal(line, &s); err != nil {
			return nil, err
		}
		all[s.Scenario] = append(all[s.Scenario], s)
	}
	return all, nil
}

const inSimulation = "simulated, with a fixed seed: the same on every machine"

// growth shows how searches grow with the network.
func (b *bench) growth() (t table, err error) {
	t = table{
		title: "Searches in the DHT",
		how: "1,000 searches by random nodes for what other random nodes announced, in simulated networks where no node leaves or lies. " +
			"Datagrams are those sent and received for one search, until it is over; the first peer comes sooner. " +
			"The delay between two hosts is 4 to 140 ms.",
		head: []string{"nodes", "found", "datagrams, median", "90th percentile", "first peer, median", "90th percentile", "datagrams to join", "nodes known"},
	}
	file := picture
	if b.write == "" {
		file = filepath.Join(b.tmp, "picture.svg")
	}
	if file, err = filepath.Abs(file); err != nil {
		return t, err
	}
	all, err := b.simulate("^TestSoakScale$", "-draw", file)
	if err != nil {
		return t, err
	}
	for _, s := range all["scale"] {
		t.row(fmt.Sprint(s.Size), found(s), fmt.Sprint(s.Median), fmt.Sprint(s.Most),
			fmt.Sprintf("%d ms", s.First), fmt.Sprintf("%d ms", s.Late), fmt.Sprint(s.Join), fmt.Sprint(s.Known))
	}
	points := all["scale"]
	if len(points) < 2 {
		return t, fmt.Errorf("%d sizes measured", len(points))
	}
	first, last := points[0], points[len(points)-1]
	t.result = fmt.Sprintf("A network of %d times the size costs **%.1f times** the datagrams (wanted: logarithmic growth, a straight line in the picture).\n\n"+
		"![Datagrams of a search over the number of nodes, from %d to %d: nearly a straight line on a logarithmic axis](images/%s)",
		last.Size/first.Size, float64(last.Median)/float64(first.Median), first.Size, last.Size, filepath.Base(picture))
	t.setting = inSimulation
	return t, nil
}

func found(s simulated) string {
	return fmt.Sprintf("%.1f %% of %d", 100*float64(s.Found)/float64(s.Searches), s.Searches)
}

// faults shows what is found while nodes leave, datagrams get lost, and nodes
// lie.
func (b *bench) faults() (t table, err error) {
	t = table{
		title: "The DHT under faults",
		how: "Simulated networks of 2,000 nodes. A search counts as found if it named the peer that had announced. Liars accept everything they are asked to store and forget it, name false peers, and name " +
			"nodes that do not exist, or only each other, or each other by false names near the target, a third of them each. Announced together means 500 keys of one node.",
		head: []string{"", "found", "wanted", "datagrams, median", "90th percentile", "first peer, median"},
	}
	all, err := b.simulate("^TestSoak(EverythingIsFound|ChurnAndLoss|Liars)$")
	if err != nil {
		return t, err
	}
	for _, r := range []struct{ scenario, what, wanted string }{
		{"calm", "no node leaves or lies", "100 %"},
		{"churn", "half the nodes are replaced every 30 minutes, 10 % of datagrams are lost", "99.5 %"},
		{"liars", "20 % of the nodes lie", "99 %"},
		{"liars, many", "20 % of the nodes lie, keys announced together", "99 %"},
	} {
		if len(all[r.scenario]) != 1 {
			return t, fmt.Errorf("no result for %q", r.scenario)
		}
		s := all[r.scenario][0]
		t.row(r.what, found(s), r.wanted, fmt.Sprint(s.Median), fmt.Sprint(s.Most), fmt.Sprintf("%d ms", s.First))
	}
	t.setting = inSimulation
	return t, nil
}

// announcing shows what it costs to keep many keys announced.
func (b *bench) announcing() (t table, err error) {
	t = table{
		title: "Announcing 10,000 keys in the DHT",
		how: "One node of a simulated network. Datagrams are those sent and received for one key: 16 are the announcements with the eight closest nodes and their answers, " +
			"the rest is spent on finding these nodes. In the hour after, all keys are announced four to five times. Traffic is all that the node sends and receives, also for others, " +
			"and processor time does not include that of the kernel.",
		head: []string{"", "datagrams a key"},
	}
	all, err := b.simulate("^TestSoak(EverythingIsFound|Hour)$")
	if err != nil {
		return t, err
	}
	if len(all["many"]) != 1 || len(all["hour"]) != 1 {
		return t, fmt.Errorf("no result")
	}
	many, hour := all["many"][0], all["hour"][0]
	t.row("one search for each key, 2,000 nodes", fmt.Sprintf("%.1f", many.Alone))
	t.row(fmt.Sprintf("%d keys together, 2,000 nodes", many.Keys), fmt.Sprintf("%.1f", many.Together))
	t.row(fmt.Sprintf("%d keys in the hour after, %d nodes", hour.Keys, hour.Size), fmt.Sprintf("%.1f", hour.Together))
	t.result = fmt.Sprintf("Announced together, a key costs **%.2f** of what it costs alone (wanted: at most a third); the first round takes **%.0f s** for all (wanted: under 60). "+
		"In the hour after: **%.0f datagrams** sent and **%.0f kB** moved a second, **%.2f %%** of a core. All %d of %d searches succeeded.",
		many.Together/many.Alone, many.Took, hour.Sent, hour.Bytes/1000, 100*hour.Cores, many.Found+hour.Found, many.Searches+hour.Searches)
	t.setting = inSimulation + ", except processor time"
	return t, nil
}

// firstByte shows the time from a link without an address to the first byte.
func (b *bench) firstByte() (t table, err error) {
	t = table{
		title: "From a bare ID to the first byte",
		how: "`shoal get --output - ID` in a lab of 50 shoal nodes behind eight routers, for a file of 4 MiB that one of them shares; no local discovery. " +
			"Measured from the start of the process until it writes the first byte of the content. The lab's network adds no delay.",
		head: []string{"", "median", "fastest to slowest"},
	}
	file := filepath.Join(b.tmp, "first-byte.json")
	if err := soakTest("./cmd/e2e", "^TestSoakFirstByte$", "-first-byte", file); err != nil {
		return t, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return t, err
	}
	var times struct{ Running, Fresh []float64 }
	if err := json.Unmarshal(data, &times); err != nil {
		return t, err
	}
	if len(times.Running) == 0 || len(times.Fresh) == 0 {
		return t, fmt.Errorf("nothing was measured")
	}
	row := func(what string, all []float64) time.Duration {
		t.row(what, fmt.Sprintf("%.2f s", median(all)), span(all, "%.2f"))
		return time.Duration(median(all) * float64(time.Second))
	}
	running := row("a daemon that has been running for a minute downloads it", times.Running)
	fresh := row("a new node that knows one other node", times.Fresh)
	t.result = fmt.Sprintf("The first byte comes after **%.2f s** and **%.2f s** (wanted: under 1).", running.Seconds(), fresh.Seconds())
	t.setting = fmt.Sprintf("medians of %d runs, the two in turn", len(times.Running))
	return t, nil
}

var gainLine = regexp.MustCompile(`at most ([0-9.]+) bytes sent for each received`)

// flood shows how a node stands a flood, and what it can be made to send.
func (b *bench) flood() (t table, err error) {
	t = table{
		title: "A flooded DHT node",
		how: "A shoal node in a network of nine is sent 50,000 find_node queries a second, from one address or from a different address for each query. " +
			"Alternately, it and another node run `shoal get --output -` for an ID that a third node shares. CPU and RSS are the flooded node's.",
		head: []string{"from", "arrived a second", "answered", "bytes sent for each received", "CPU, % of a core", "peak RSS, MiB", "gets", "first byte, median", "slowest"},
	}
	file := filepath.Join(b.tmp, "flood.json")
	if err := soakTest("./cmd/e2e", "^TestFloodedNodeServes$", "-flood", file); err != nil {
		return t, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return t, err
	}
	var all map[string]struct {
		Sent, Arrived, Answered int
		Seconds, CPU, RSS, Gain float64
		Gets                    []float64
	}
	if err := json.Unmarshal(data, &all); err != nil {
		return t, err
	}
	for _, name := range []string{"one", "many"} {
		f := all[name]
		if len(f.Gets) == 0 {
			return t, fmt.Errorf("nothing was measured for %s", name)
		}
		t.row(map[string]string{"one": "one address", "many": "one address for each query"}[name],
			fmt.Sprintf("%.0f", float64(f.Arrived)/f.Seconds), fmt.Sprintf("%.1f %%", 100*float64(f.Answered)/float64(f.Arrived)),
			fmt.Sprintf("%.2f", f.Gain), fmt.Sprintf("%.0f", 100*f.CPU/f.Seconds), fmt.Sprintf("%.0f", f.RSS),
			fmt.Sprintf("%d of %d", len(f.Gets), len(f.Gets)), fmt.Sprintf("%.0f ms", 1000*median(f.Gets)), fmt.Sprintf("%.0f ms", 1000*slices.Max(f.Gets)))
	}
	out, err := exec.Command("go", "test", "-count=1", "-v", "-run", "^TestAmplification$", "./index/dht/internal/core").CombinedOutput()
	gain := gainLine.FindSubmatch(out)
	if err != nil || gain == nil {
		return t, fmt.Errorf("measuring amplification: %w\n%s", err, out)
	}
	t.result = fmt.Sprintf("The most that 500 sources without a proven address received from a node, with every kind of query for peers, items and filters of the largest size, "+
		"was **%s bytes** for each byte they sent (wanted: under 3).", gain[1])
	t.setting = "one run"
	return t, nil
}
