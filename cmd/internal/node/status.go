package node

import (
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/shoalnet/shoal/cmd/internal/policy"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

var _ api.Node = (*Node)(nil)

// Info describes the node. It is called after Ready.
func (n *Node) Info() api.Info {
	i := api.Info{
		Name: "shoal", Version: n.o.Version, API: api.Version, Boot: n.api.Boot(), PID: os.Getpid(),
		Started: n.started, Daemon: n.o.Daemon, State: n.o.Config.State, Downloads: n.current().Downloads, Uploads: n.uploads.Folder(),
		Listen: text(n.ports.addresses()), Addresses: text(n.reach.links()), Socket: n.socket,
	}
	i.Free, i.Problems = policy.FreeAt(i.Downloads), sentences(n.problems())
	if n.access.page != nil {
		i.Web = n.access.page.server.URL()
	}
	i.Door, i.ACME = n.webLinks.scheme(), n.webLinks.keeper != nil
	return i
}

// OtherPages are the addresses of the page for other machines, if they can reach it. It is
// called after Ready.
func (n *Node) OtherPages() []string {
	if n.access.page == nil {
		return nil
	}
	var own []netip.Addr
	for _, a := range n.watcher.Published() {
		own = append(own, a.IP)
	}
	if all, err := net.InterfaceAddrs(); err == nil {
		for _, a := range all {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
				own = append(own, p.Addr())
			}
		}
	}
	return n.access.page.server.OtherURLs(own)
}

// Health says what is wrong with the node. It is called after Ready.
func (n *Node) Health() api.Health {
	all := append(n.guard.Problems(), n.problems()...)
	if n := n.engine.Stats().States[share.Stopped]; n > 0 {
		all = append(all, share.Say("%v stopped with an error", share.Count(n, "transfer", "transfers")))
	}
	if len(n.addresses.own()) == 0 {
		all = append(all, share.Say("this host has no IPv6 address that others could reach"))
	}
	if n.dht != nil && n.dht.Stats().Offline {
		all = append(all, share.Say("nobody in the DHT answers"))
	}
	return api.Health{OK: true, Problems: sentences(all), ProblemTexts: all}
}

func sentences(all []share.Text) (out []string) {
	for _, t := range all {
		out = append(out, t.String())
	}
	return out
}

// problems are what is wrong with the state of a node that runs nevertheless.
func (n *Node) problems() []share.Text {
	all := n.channels.Keyless()
	if f := n.live.Failed(); f != nil {
		all = append(all, share.Say("the node could not start with the settings saved last (%s) and has the former ones: %v",
			strings.Join(slices.Sorted(maps.Keys(f.Settings)), ", "), f.Text()))
	}
	if n.access.broken != nil {
		all = append(all, share.TextOf(n.access.broken))
	}
	if k := n.webLinks.pair; k != nil {
		if text := k.expired(n.o.Now()); text.Pattern != "" {
			all = append(all, text)
		}
	}
	if lost := n.webLinks.links.Damaged(); lost > 0 {
		all = append(all, share.Say("%v could not be read from the state and no longer work: make new ones (shoal share --web-link)", share.Count(lost, "web link", "web links")))
	}
	if lost := n.uploads.Damaged(); lost > 0 {
		all = append(all, share.Say("%v of uploads could not be read from the state: what belonged to them is in %s", share.Count(lost, "record", "records"), n.uploads.Folder()))
	}
	return all
}

// Stats returns the totals of the node. It is called after Ready.
func (n *Node) Stats() share.Stats {
	out := n.engine.Stats()
	n.guard.Count(out.States)
	out.Free, out.Limits = policy.FreeAt(n.current().Downloads), n.limiter.Limits().Now
	// Free space changes all the time: less than a mebibyte is no news.
	if out.Free > 0 {
		out.Free -= out.Free % (1 << 20)
	}
	return out
}

// History returns the rates of a transfer, or with a zero ID of the node. It is
// called after Ready.
func (n *Node) History(span api.Span, id share.ID) (api.History, error) {
	if !id.IsZero() {
		t, err := n.engine.Get(id)
		if err != nil {
			return api.History{}, err
		}
		id = t.ID // of a provisional one
	}
	return n.history.Get(span, id)
}
