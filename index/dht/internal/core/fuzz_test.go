package core

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/items"
	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

// Whatever arrives, from a stranger, from a node of the table, or as the answer
// to a query of ours, the node goes on, keeps what it has within bounds, and
// sends nothing that is no message. The first byte chooses who sends it, and each
// line is a datagram.
func FuzzReceive(f *testing.F) {
	const id = "2:id20:abcdefghij0123456789"
	for _, b := range []string{
		"d1:ad" + id + "e1:q4:ping1:t2:aa1:y1:qe",
		"d1:ad" + id + "6:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
		"d1:ad" + id + "9:info_hash20:mnopqrstuvwxyz1234566:scrapei1ee1:q9:get_peers1:t2:aa1:y1:qe",
		"d1:ad" + id + "6:target20:mnopqrstuvwxyz123456e1:q3:get1:t2:aa1:y1:qe",
		"d1:ad" + id + "5:token8:TOKEN___1:v5:hello1:k32:" + strings.Repeat("k", 32) + "3:seqi1e3:sig64:" + strings.Repeat("s", 64) + "e1:q3:put1:t2:aa1:y1:qe",
		"d1:ad" + id + "9:info_hash20:mnopqrstuvwxyz1234564:porti1e5:token8:TOKEN___e1:q13:announce_peer1:t2:aa1:y1:qe",
		"d1:q13:announce_peer1:t2:aa1:y1:qe",
		"d2:ip18:" + strings.Repeat("i", 18) + "1:rd" + id + "5:token1:x6:nodes638:" + strings.Repeat("n", 38) + "6:valuesl18:" + strings.Repeat("p", 18) + "ee1:t4:TIDS1:y1:re",
		"d1:rd" + id + "1:k32:" + strings.Repeat("k", 32) + "1:v1:xe1:t4:TIDS1:y1:re",
		"d1:eli204e14:Method Unknowne1:t4:TIDS1:y1:ee",
	} {
		for who := range 3 {
			f.Add([]byte(string(rune('0'+who)) + b))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		h := newHarness(t, nil)
		nodes := h.know(9)
		h.stores.items.Put(h.at, &items.Item{V: []byte("5:hello")}, nil, stranger(1))
		h.Begin(Search{Method: krpc.GetPeers, Target: nodeid.ID{1}, Paths: Paths})
		h.Begin(Search{Method: krpc.Get, Target: nodeid.ID{2}})
		h.Announce(h.at, nodeid.ID{3})
		for i, line := range bytes.Split(in, []byte("\n")) {
			if len(line) == 0 || i == 20 {
				break
			}
			b, from := line[1:], stranger(2)
			switch line[0] % 3 {
			case 1:
				from = nodes[i%len(nodes)].Addr
			case 2: // the answer to one of ours
				if tids := slices.Sorted(maps.Keys(h.queries.pending)); len(tids) > 0 {
					b = bytes.Replace(b, []byte("TIDS"), binary.BigEndian.AppendUint32(nil, tids[0]), 1)
					from = h.queries.pending[tids[0]].to.Addr
				}
			}
			tok := h.server.tokens.Make(h.at, from.Addr())
			h.send(from, bytes.Replace(b, []byte("TOKEN___"), tok[:], 1))
			h.run(time.Second)
		}
		h.run(time.Minute)
		for _, p := range h.take() {
			var m krpc.Message
			if err := krpc.Decode(p.b, &m); err != nil || len(p.b) > replyMax {
				t.Errorf("it sent %d bytes: %q, %v", len(p.b), p.b, err)
			}
		}
		if len(h.queries.pending) > 100 || len(h.server.parking.list) > parkedMax || h.table.Len() < 1 {
			t.Errorf("%d pending, %d parked, %d nodes", len(h.queries.pending), len(h.server.parking.list), h.table.Len())
		}
		if m := reply(t, h.ask(stranger(5000), aQuery(krpc.Ping))); m == nil {
			t.Error("it does not answer any more")
		}
	})
}
