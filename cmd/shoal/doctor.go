package main

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share"
)

func doctorVerb() *verb {
	return &verb{
		name: "doctor", short: "check whether strangers can reach this node", group: "Inspect",
		long: `To download what you share, a peer must be able to connect to this machine. For each of its addresses doctor ` +
			`shows whether that works. reachable: a peer from another network has connected. unreachable: peers in two ` +
			`other networks were asked to connect and failed. unknown: there is no proof either way. doctor then lists the ` +
			`pinholes that the router was asked to open in its firewall, and ends with what to do next.`,
		examples: []example{
			{"shoal doctor", "what is known now"},
			{"shoal doctor --wait 30s", "test now: ask the router and peers, and wait for their answers"},
			{"shoal doctor --json | jq -r .answer", "the answer in one sentence, for a script"},
		},
		flags: append([]cli.Flag{
			stringFlag("wait", "test now, and wait up to `TIME` for the result"),
			// No environment variable: SHOAL_WATCH is a setting of the daemon.
			&cli.BoolFlag{Name: "watch", Usage: "keep running, and print the report whenever it changes"},
		}, nodeFlags()...),
		run: func(ctx context.Context, c *call) error {
			opts := doctorOptions{watch: c.Bool("watch")}
			if s := c.String("wait"); s != "" {
				var err error
				if opts.wait, err = config.ParseSpan(s); err != nil || opts.wait <= 0 {
					return usageErrorf("--wait takes a time such as 30s, not %q", s)
				}
			}
			return withNode(ctx, c, false, func(ctx context.Context, n client, life lifetime) error {
				return runDoctor(ctx, n, life, opts, c.out)
			})
		},
	}
}

type doctorOptions struct {
	wait  time.Duration
	watch bool
}

func runDoctor(ctx context.Context, n client, life lifetime, opts doctorOptions, out *output) error {
	r, err := examine(ctx, n, opts.wait, out)
	if err != nil {
		return err
	}
	writeReport(r, time.Now(), out)
	if life == ours && r.Verdict == share.NotKnown && !opts.watch {
		out.say("\nNo node was running, so no peer could connect. Start one (shoal daemon, or\nshoal share PATH) and run shoal doctor again.")
	}
	if !opts.watch {
		return nil
	}
	clock := time.NewTicker(tick)
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return errInterrupted
		case <-clock.C:
		}
		now, err := n.Network(ctx)
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(steady(r), steady(now)) {
			r = now
			if !out.json {
				out.data("\n" + time.Now().Format("15:04:05"))
			}
			writeReport(r, time.Now(), out)
		}
	}
}

// examine returns the report. With a wait it has the node test itself until the
// result is known or the time is over.
func examine(ctx context.Context, n client, wait time.Duration, out *output) (share.Report, error) {
	if wait <= 0 {
		return n.Network(ctx)
	}
	out.status("asking the router and peers ...")
	defer out.status("")
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	began := time.Now()
	for {
		r, err := n.TestNetwork(limited)
		switch {
		case ctx.Err() != nil:
			return r, errInterrupted
		case limited.Err() != nil:
			return n.Network(ctx)
		case err != nil || r.Verdict == share.Reachable || r.Verdict == share.Unreachable && !outdated(r, began):
			return r, err
		}
		select {
		case <-limited.Done():
		case <-time.After(tick):
		}
	}
}

// outdated reports whether a published address was last tested before a time.
func outdated(r share.Report, began time.Time) bool {
	for _, a := range r.Addresses {
		if a.Published && a.Scope == "global" && a.Time.Before(began) {
			return true
		}
	}
	return false
}

// steady is a report without the times and counts that change constantly.
func steady(r share.Report) share.Report {
	r.DHT = nil
	addresses := append([]share.AddressReport(nil), r.Addresses...)
	for i := range addresses {
		addresses[i].Time, addresses[i].UDPTime = time.Time{}, time.Time{}
		addresses[i].Evidence, addresses[i].UDPEvidence = "", ""
	}
	holes := append([]share.Pinhole(nil), r.Pinholes...)
	for i := range holes {
		if !holes[i].Until.IsZero() {
			holes[i].Until = time.Unix(1, 0)
		}
	}
	if r.IPv4 != nil && r.IPv4.Mapping != nil && !r.IPv4.Mapping.Until.IsZero() {
		four, mapping := *r.IPv4, *r.IPv4.Mapping
		mapping.Until = time.Unix(1, 0)
		four.Mapping = &mapping
		r.IPv4 = &four
	}
	r.Addresses, r.Pinholes = addresses, holes
	if r.Web != nil {
		web := *r.Web
		web.Doors = append([]share.DoorReport(nil), web.Doors...)
		for i := range web.Doors {
			web.Doors[i].Time, web.Doors[i].Evidence = time.Time{}, ""
		}
		r.Web = &web
	}
	return r
}

func writeReport(r share.Report, now time.Time, out *output) {
	if out.json {
		out.record(r)
		return
	}
	if r.Warning != "" {
		out.data(out.paint(bad, out.fill(escape(r.Warning), "")) + "\n")
	}
	out.data(out.paint(toneOfVerdict(r.Verdict), out.fill(escape(r.Answer), "")))
	for _, a := range r.Addresses {
		if a.Scope == "link-local" {
			continue // only usable on the same link
		}
		tags := []string{a.Scope, a.Kind}
		if a.Published {
			tags = append(tags, "in links")
		}
		at := netip.AddrPortFrom(a.Address, a.Port).String()
		out.data("\n" + at + "\n  " + escape(a.Interface) + ": " + strings.Join(tags, ", "))
		if a.Scope != "global" {
			continue
		}
		tcp, when := a.Evidence, a.Time
		if tcp == a.UDPEvidence && a.TCP == share.NotKnown {
			tcp, when = "", time.Time{}
		}
		writeVerdict("TCP", a.TCP, tcp, when, now, out)
		writeVerdict("UDP", a.UDP, a.UDPEvidence, a.UDPTime, now, out)
	}
	if len(r.Pinholes)+len(r.Gateways) > 0 {
		out.data("\npinholes in the router's firewall")
	}
	for _, p := range r.Pinholes {
		what := fmt.Sprintf("%s %d to %s", strings.ToUpper(p.Protocol), p.Port, p.Address)
		how := "opened with " + p.Method + ", expires in " + span(p.Until.Sub(now).Round(time.Second)) + ", renewed before then"
		switch {
		case p.Error != "" && !p.Until.IsZero():
			how = "opened with " + p.Method + ", expires in " + span(p.Until.Sub(now).Round(time.Second)) + ", renewal failed: " + escape(p.Error)
		case p.Error != "" || p.Until.IsZero():
			how = "not opened with " + p.Method + ": " + escape(p.Error)
		}
		out.data("  " + what + "\n" + out.fill(how, "    "))
	}
	for _, g := range r.Gateways {
		out.data(out.fill(g.Method+": "+escape(g.Error), "  "))
	}
	writeWeb(r.Web, now, out)
	writeIPv4(r.IPv4, now, out)
	writeSeen(r, out)
	if r.Inside != nil && r.Verdict != share.Reachable {
		out.data("\n" + out.fill(inside(r.Inside), ""))
	}
	out.data("\n" + out.fill(escape(r.Next), ""))
}

// inside says what this node runs in, and how that is known.
func inside(in *share.Inside) string {
	what := map[share.InsideKind]string{share.InContainer: "a container", share.InVM: "a virtual machine", share.InWSL: "Windows"}[in.Kind]
	if in.Name != "" {
		what += " (" + in.Name + ")"
	}
	return escape("This node runs in " + what + ": " + in.Evidence + ".")
}

// writeWeb says how browsers get in, unless nobody has asked for more than the port for peers.
func writeWeb(w *share.WebReport, now time.Time, out *output) {
	if w == nil || len(w.Doors)+len(w.Refused) == 0 && w.Certificate.State == share.CertificateNone {
		return
	}
	out.data("\nweb links")
	for _, d := range w.Doors {
		out.data("  " + netip.AddrPortFrom(d.Address, d.Port).String())
		writeVerdict("  TCP", d.TCP, d.Evidence, d.Time, now, out)
	}
	c := w.Certificate
	for _, p := range w.Refused {
		if c.State != share.CertificateNoPort { // which says so itself
			out.data(out.fill(fmt.Sprintf("port %d: %s", p.Port, escape(p.Error)), "  "))
		}
	}
	out.data(out.fill(escape(c.Answer), "  "))
	if c.Next != "" {
		out.data(out.fill(escape(c.Next), "  "))
	}
	if len(c.Addresses) < 2 {
		return
	}
	for _, a := range c.Addresses[1:] {
		text := a.Address.String() + ": " + string(a.State)
		if !a.Until.IsZero() {
			text += ", valid until " + a.Until.Local().Format("2006-01-02 15:04")
		}
		if a.Error != "" {
			text += ": " + escape(a.Error)
		}
		out.data(out.fill(text, "  "))
	}
}

// writeIPv4 lists the addresses in links, and what the router was asked for.
func writeIPv4(r *share.IPv4Report, now time.Time, out *output) {
	if r == nil {
		return
	}
	out.data("\nIPv4 (whether strangers get in is not tested)")
	for _, a := range r.Addresses {
		out.data("  " + a.String() + "\n    in links")
	}
	if m := r.Mapping; m != nil {
		how := "mapped to " + m.Internal.String() + " with " + m.Method
		if !m.Until.IsZero() {
			how += ", expires in " + span(m.Until.Sub(now).Round(time.Second)) + ", renewed before then"
		}
		if m.Error != "" {
			how += "; of no use: " + escape(m.Error)
		}
		out.data("  TCP " + m.External.String() + " of the router\n" + out.fill(how, "    "))
	}
	for _, g := range r.Gateways {
		out.data(out.fill(g.Method+": "+escape(g.Error), "  "))
	}
}

func writeVerdict(name string, v share.Verdict, evidence string, at, now time.Time, out *output) {
	text := string(v)
	if evidence != "" {
		text += ": " + escape(evidence) + ", " + ago(now.Sub(at))
	}
	filled := strings.TrimLeft(out.fill(text, "       "), " ")
	out.data("  " + name + "  " + out.paint(toneOfVerdict(v), string(v)) + strings.TrimPrefix(filled, string(v)))
}

func ago(d time.Duration) string {
	if d < time.Second {
		return "just now"
	}
	return span(d.Round(time.Second)) + " ago"
}

func writeSeen(r share.Report, out *output) {
	var lines []string
	if d := r.DHT; d != nil {
		line := fmt.Sprintf("%s known, %d answered recently", count(d.Nodes, "node"), d.Answering)
		if d.Problem != "" {
			line = d.Problem
		}
		lines = append(lines, "DHT: "+escape(line))
	}
	for _, s := range r.Seen {
		by := "most DHT nodes see"
		if s.By == "peers" {
			by = count(s.Count, "peer") + " saw"
		}
		lines = append(lines, by+" this node at "+s.Address.String())
	}
	if len(lines) > 0 {
		out.data("")
	}
	for _, l := range lines {
		out.data(out.fill(l, ""))
	}
}
