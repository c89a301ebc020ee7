package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/shoalnet/shoal/share"
)

func peersVerb() *verb {
	return &verb{
		name: "peers", args: "ID...", short: "list the peers that a transfer is connected to", group: "Inspect", min: 1, max: -1, ids: true,
		long: `HAS is the part of the content that the peer has. FROM is how the peer was found: link, dht, lan, pex (peer ` +
			`exchange), tracker, user, or "in" if the peer connected to this node.`,
		examples: []example{{"shoal peers 3fa9", "show addresses, clients and rates"}},
		flags:    nodeFlags(),
		run: func(ctx context.Context, c *call) error {
			return withNode(ctx, c, true, func(ctx context.Context, n client, _ lifetime) error {
				return each(ctx, n, c, func(t share.Transfer) error { return runPeers(ctx, n, t, c.out) })
			})
		},
	}
}

func runPeers(ctx context.Context, n client, t share.Transfer, out *output) error {
	peers, err := n.Peers(ctx, t.ID)
	if err != nil {
		return err
	}
	if out.json {
		records(out, peers)
		return nil
	}
	if t.IPv4Only > 0 {
		defer out.say("%s", ipv4Only(t))
	}
	if len(peers) == 0 {
		out.say("%s has no peers connected", escape(nameOf(t)))
		return nil
	}
	slices.SortFunc(peers, func(a, b share.Peer) int {
		if a.Down+a.Up != b.Down+b.Up {
			return int(min(1, max(-1, b.Down+b.Up-a.Down-a.Up)))
		}
		return strings.Compare(a.Address, b.Address)
	})
	rows := make([]row, len(peers))
	for i, p := range peers {
		from := string(p.Source)
		if p.Source == share.FromIncoming {
			from = "in"
		}
		rows[i] = row{cells: []string{
			fmt.Sprintf("%d%%", int(p.Progress*100)), shortRate(p.Down), shortRate(p.Up), from, p.Address,
		}, note: manner(p)}
	}
	out.table([]column{
		{title: "HAS", right: true}, {title: "DOWN/S", right: true}, {title: "UP/S", right: true}, {title: "FROM"},
		{title: "ADDRESS"},
	}, rows)
	return nil
}

// manner describes the peer's client and the connection.
func manner(p share.Peer) string {
	parts := []string{escape(orElse(p.Client, "unknown client"))}
	for _, x := range []struct {
		is   bool
		word string
	}{{p.Encrypted, "encrypted"}, {p.UTP, "uTP"}, {p.Incoming && p.Source != share.FromIncoming, "incoming"}} {
		if x.is {
			parts = append(parts, x.word)
		}
	}
	return strings.Join(parts, ", ")
}
