package dht

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

func TestStateFormat(t *testing.T) {
	s := state{id: nodeid.ID{1, 2}, nodes: []table.Contact{
		{ID: nodeid.ID{3}, Addr: netip.MustParseAddrPort("[2001:db8::1]:6881")},
		{ID: nodeid.ID{4}, Addr: netip.MustParseAddrPort("[fe80::1%eth0]:1")},
	}}
	got, err := parseState(s.format())
	if err != nil || got.id != s.id || !slices.Equal(got.nodes, s.nodes) {
		t.Errorf("%+v, %v", got, err)
	}
	for range 1000 {
		s.nodes = append(s.nodes, s.nodes[0])
	}
	b := s.format()
	if got, err := parseState(b); err != nil || len(got.nodes) != stateNodes || len(b) > stateBytes {
		t.Errorf("%d nodes in %d bytes, %v", len(got.nodes), len(b), err)
	}
	for _, bad := range []string{
		"", "shoal dht 2\n", "shoal dht 1\nid\n", "shoal dht 1\nid xyz\n",
		"shoal dht 1\nnode " + strings.Repeat("0", 40) + "\n",
		"shoal dht 1\nnode " + strings.Repeat("0", 40) + " nowhere\n",
		"shoal dht 1\nnode " + strings.Repeat("0", 42) + " [::1]:1\n",
	} {
		if _, err := parseState([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// A state file that cannot be read is as none.
func TestBrokenStateFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dht.nodes")
	if err := os.WriteFile(file, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := startNode(t, func(c *Config) { c.StateFile = file })
	first := startNode(t, func(c *Config) { c.Bootstrap = []string{n.addr.String()} })
	waitReady(t, first)
	waitReady(t, n)
	n.stop()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := parseState(b); err != nil || len(s.nodes) != 1 {
		t.Errorf("%q: %v", b, err)
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func FuzzState(f *testing.F) {
	s := state{id: nodeid.ID{1}, nodes: []table.Contact{{Addr: netip.MustParseAddrPort("[::1]:1")}}}
	f.Add(s.format())
	f.Add([]byte("shoal dht 1\nid \nnode\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseState(b)
		if err != nil {
			return
		}
		if len(s.nodes) > stateNodes {
			t.Errorf("%d nodes", len(s.nodes))
		}
		if again, err := parseState(s.format()); err != nil || !slices.Equal(again.nodes, s.nodes) {
			t.Errorf("read %+v, then %+v, %v", s, again, err)
		}
	})
}
