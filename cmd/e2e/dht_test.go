//go:build linux

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2"
	"github.com/anacrolix/dht/v2/krpc"
	"github.com/anacrolix/torrent/bencode"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// A node that only asks finds its place, and is in nobody's table.
//
//	guide ── router ─┐
//	bob   ── router ─┼─ core
//	carol ── router ─┘
func TestDHTReadOnly(t *testing.T) {
	net := lab.New(t)
	guide, bob, carol := at(t, net.Home("guide")), at(t, net.Home("bob")), at(t, net.Home("carol"))
	c := &crowd{t: t}
	knows := []string{"--no-lan", "--bootstrap", guide.At(7000)}
	guide.StartCmd(guide.command("daemon", "--listen", "[::]:7000")).Event("ready", nil)
	someone := func(m metrics) bool { return m["shoal_dht_nodes"] == 1 }

	bob.StartCmd(bob.guided("daemon", knows, "--dht-read-only")).Event("ready", nil)
	c.until(bob, "the guide in the table", someone)
	carol.StartCmd(carol.guided("daemon", knows)).Event("ready", nil)
	c.until(carol, "the guide in the table", someone)
	c.until(guide, "carol in the table, and nobody else", someone)
}

// A strict node answers those alone whose ID is one that their address may have.
//
//	guide ── router ── core ── router ── bob
func TestDHTStrict(t *testing.T) {
	net := lab.New(t)
	guide, bob := at(t, net.Home("guide")), at(t, net.Home("bob"))
	guide.StartCmd(guide.command("daemon", "--listen", "[::]:7000", "--dht-strict")).Event("ready", nil)

	conn, err := bob.Dial(t.Context(), "udp6", guide.At(7000))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var unfit krpc.ID
	fit := unfit
	dht.SecureNodeId(&fit, bob.Addr.AsSlice())
	for tid, id := range []krpc.ID{unfit, fit} {
		if _, err := fmt.Fprintf(conn, "d1:ad2:id20:%se1:q4:ping1:t1:%d1:y1:qe", id[:], tid); err != nil {
			t.Fatal(err)
		}
	}
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	b := make([]byte, 1500)
	for {
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		var m krpc.Msg
		if err := bencode.Unmarshal(b[:n], &m); err != nil {
			t.Fatalf("%q: %v", b[:n], err)
		}
		if m.Y == "r" {
			if m.T != "1" {
				t.Error("who has an ID that does not fit was answered")
			}
			return
		}
	}
}
