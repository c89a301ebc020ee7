//go:build linux

package lab

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Protocol is a way to ask a router for a pinhole.
type Protocol string

// The protocols that a Gateway may speak.
const (
	IGD2 Protocol = "IGD2" // UPnP WANIPv6FirewallControl:1
	PCP  Protocol = "PCP"  // RFC 6887, and NAT-PMP
)

// Gateway runs miniupnpd, a real home router's daemon, on the router: hosts on
// the LAN may open pinholes in the firewall by the protocols given. It announces
// itself by SSDP and answers PCP on the router's addresses. Killing it and
// starting another is a router that restarts; Unpin closes its pinholes.
func (r *Router) Gateway(protocols ...Protocol) *Proc {
	t := r.lab.t
	t.Helper()
	daemon := Tool(t, "miniupnpd", "miniupnpd-nftables")
	speaks := func(p Protocol) string {
		for _, q := range protocols {
			if p == q {
				return "yes"
			}
		}
		return "no"
	}
	// It insists on IPv4 addresses of its own: without one inside it does not
	// start, without one outside it says it is not connected. Hosts get none.
	for dev, addr := range map[string]string{r.bridge: "192.168.1.1/24", "wan": "192.0.2.1/32"} {
		if _, err := r.space.pipe("", "ip", "-4", "addr", "replace", addr, "dev", dev); err != nil {
			t.Fatal(err)
		}
	}
	r.space.ip(fmt.Sprintf("addr replace %s/64 dev %s nodad", r.Inside(), r.bridge))
	r.space.nft(`
table inet filter {
	chain miniupnpd { }
	chain prerouting_miniupnpd { }
	chain postrouting_miniupnpd { }
}
flush chain inet filter pinholes
add rule inet filter pinholes jump miniupnpd
`)
	// It answers PCP over IPv6 also where that is off.
	mute := "flush chain inet filter mute\n"
	if speaks(PCP) == "no" {
		mute += "add rule inet filter mute udp dport 5351 drop\n"
	}
	r.space.nft(mute)
	id := make([]byte, 16)
	rand.Read(id)
	dir := t.TempDir()
	config := strings.Join([]string{
		"ext_ifname=wan",
		"ext_ip=1.2.3.4",
		"listening_ip=" + r.bridge,
		"ipv6_disable=no",
		"enable_upnp=" + speaks(IGD2),
		"enable_natpmp=" + speaks(PCP), // PCP with it
		"secure_mode=no",
		"notify_interval=5",
		"system_uptime=yes",
		"upnp_table_name=filter",
		"upnp_nat_table_name=filter",
		"upnp_forward_chain=miniupnpd",
		"upnp_nat_chain=prerouting_miniupnpd",
		"upnp_nat_postrouting_chain=postrouting_miniupnpd",
		"lease_file=" + filepath.Join(dir, "leases"),
		fmt.Sprintf("uuid=%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]),
		"allow 0-65535 0.0.0.0/0 0-65535",
		"",
	}, "\n")
	file := filepath.Join(dir, "miniupnpd.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return r.Box.Start(daemon, "-d", "-f", file, "-P", filepath.Join(dir, "pid"))
}

// Pinholes lists the firewall rules that a Gateway made, as nft shows them.
func (r *Router) Pinholes() []string { return r.rules("miniupnpd", "accept") }

// Ports lists the ports that a Gateway has mapped, in the same way.
func (r *Router) Ports() []string { return r.rules("prerouting_miniupnpd", "dnat") }

// rules lists the rules of a chain that have a word.
func (r *Router) rules(chain, word string) (rules []string) {
	r.lab.t.Helper()
	out, err := r.space.pipe("", "nft", "-n", "list", "chain", "inet", "filter", chain)
	if err != nil {
		r.lab.t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); strings.Contains(line, word) {
			rules = append(rules, line)
		}
	}
	return rules
}

// Unpin closes every pinhole, as a restart of the router does.
func (r *Router) Unpin() {
	r.lab.t.Helper()
	r.space.nft("flush chain inet filter miniupnpd")
}
