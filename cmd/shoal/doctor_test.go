package main

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

func reportOf(v share.Verdict) share.Report {
	a := netip.MustParseAddr("2001:db8:1234:5678:9abc:def0:1234:5678")
	return share.Report{
		Answer: "The answer.", Next: "Open TCP and UDP 51413 to " + a.String() + " in your router's IPv6 firewall.", Verdict: v,
		Addresses: []share.AddressReport{
			{Address: a, Port: 51413, Scope: "global", Kind: "stable", Interface: "eth0", Published: true, TCP: v, UDP: share.NotKnown,
				Evidence: "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\x1b[2J connected on its own", Time: time.Now().Add(-3 * time.Minute)},
			{Address: netip.MustParseAddr("fe80::1%eth0"), Port: 51413, Scope: "link-local", Kind: "stable"},
		},
		Pinholes: []share.Pinhole{
			{Address: a, Port: 51413, Protocol: "tcp", Method: "PCP", Until: time.Now().Add(time.Hour)},
			{Address: a, Port: 51413, Protocol: "udp", Method: "UPnP", Error: strings.Repeat("no ", 50)},
		},
		Gateways: []share.GatewayProblem{{Method: "PCP", Error: "no router answers"}},
		IPv4: &share.IPv4Report{
			Addresses: []netip.AddrPort{netip.MustParseAddrPort("8.8.8.8:51413"), netip.MustParseAddrPort("192.168.100.200:51413")},
			Mapping: &share.PortMapping{
				External: netip.MustParseAddrPort("8.8.8.8:51413"), Internal: netip.MustParseAddrPort("192.168.100.200:51413"),
				Method: "NAT-PMP", Until: time.Now().Add(time.Hour),
			},
			Gateways: []share.GatewayProblem{{Method: "PCP", Error: strings.Repeat("no ", 50)}},
		},
		Seen: []share.SeenAs{{Address: a, By: "dht"}, {Address: a, By: "peers", Count: 2}},
		DHT:  &share.DHTReport{Nodes: 120, Answering: 100},

		Inside: &share.Inside{Kind: share.InContainer, Name: "Podman", Evidence: "there is /run/.containerenv"},
	}
}

func TestDoctorFitsTheTerminal(t *testing.T) {
	f := newFake()
	f.reports = []share.Report{reportOf(share.Unreachable)}
	out, stdout, _ := testOutput(false)
	if err := runDoctor(t.Context(), f, itsOwn, doctorOptions{}, out); err != nil {
		t.Fatal(err)
	}
	checkScreen(t, stdout.String(), columns)
	for _, part := range []string{"The answer.\n", "TCP  unreachable: ", "3m ago", "UDP  unknown\n", "TCP 51413 to 2001:db8:1234", "opened with PCP, expires in",
		"not opened with UPnP: no", "PCP: no router answers", "TCP 8.8.8.8:51413 of the router\n    mapped to 192.168.100.200:51413 with NAT-PMP, expires in", "  192.168.100.200:51413\n", "120 nodes known, 100 answered recently", "2 peers saw this node at 2001",
		"This node runs in a container (Podman): there is /run/.containerenv.\n"} {
		if !strings.Contains(stdout.String(), part) {
			t.Errorf("%s\nlacks %q", stdout, part)
		}
	}
	if strings.Contains(stdout.String(), "fe80") {
		t.Errorf("%s\nshows a link-local address", stdout)
	}
}

func TestDoctorWaitsForProof(t *testing.T) {
	f := newFake()
	f.reports = []share.Report{reportOf(share.NotKnown), reportOf(share.Reachable)}
	out, stdout, _ := testOutput(true)
	if err := runDoctor(t.Context(), f, itsOwn, doctorOptions{wait: time.Hour}, out); err != nil {
		t.Fatal(err)
	}
	lines := jsonLines(t, stdout.String())
	if len(lines) != 1 || lines[0]["verdict"] != "reachable" || f.tests != 2 {
		t.Errorf("%d tests, then %v", f.tests, lines)
	}
	// It does not wait for ever.
	f = newFake()
	f.reports = []share.Report{reportOf(share.NotKnown)}
	out, stdout, stderr := testOutput(false)
	if err := runDoctor(t.Context(), f, ours, doctorOptions{wait: time.Millisecond}, out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stdout.String(), "The answer.") || !strings.Contains(stderr.String(), "shoal daemon") {
		t.Errorf("%s\n%s", stdout, stderr)
	}
}

func TestDoctorWatches(t *testing.T) {
	f := newFake()
	later := reportOf(share.NotKnown)
	later.Addresses[0].Time, later.Pinholes[0].Until, later.DHT.Nodes = time.Now(), time.Now().Add(2*time.Hour), 7
	f.reports = []share.Report{reportOf(share.NotKnown), later, reportOf(share.Reachable)}
	out, stdout, _ := testOutput(true)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- runDoctor(ctx, f, itsOwn, doctorOptions{watch: true}, out) }()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		out.mu.Lock()
		lines := strings.Count(stdout.String(), "\n")
		out.mu.Unlock()
		if lines == 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the change was not told")
		}
	}
	cancel()
	checkKind(t, <-ended, share.Interrupted)
	if lines := jsonLines(t, stdout.String()); lines[1]["verdict"] != "reachable" {
		t.Errorf("got %v", lines)
	}
}

func TestShareWarnsOfALinkNobodyCanUse(t *testing.T) {
	id := testID(t, "a")
	link := "magnet:?xt=urn:btih:" + id.String() + "&dn=x&x.pe=[2001:db8::1]:7777"
	for v, want := range map[share.Verdict]bool{share.Reachable: false, share.NotKnown: false, share.Unreachable: true} {
		for _, asJSON := range []bool{false, true} {
			f := newFake(share.Transfer{ID: id, Name: "x", State: share.Seeding, Path: "/x", Size: 10, Files: 1, Link: link})
			f.reports = []share.Report{reportOf(v)}
			out, stdout, stderr := testOutput(asJSON)
			if err := runShare(t.Context(), f, itsOwn, shareOptions{told: map[string]bool{}, paths: []string{"/x"}}, out); err != nil {
				t.Fatal(err)
			}
			text := stderr.String()
			if asJSON {
				text, _ = jsonLines(t, stdout.String())[0]["warning"].(string)
			}
			if got := strings.Contains(text, "Open TCP and UDP"); got != want {
				t.Errorf("%s, JSON %v: %q", v, asJSON, text)
			}
		}
	}
}

// While it shares, it tells what comes out.
func TestShareTellsWhenItIsKnown(t *testing.T) {
	f := newFake()
	f.reports = []share.Report{reportOf(share.NotKnown), reportOf(share.Unreachable), reportOf(share.Unreachable), reportOf(share.Reachable)}
	out, stdout, stderr := testOutput(false)
	tellReach(t.Context(), f, share.NotKnown, time.Millisecond, out)
	if got := stderr.String(); strings.Count(got, "The answer.") != 2 || strings.Count(got, "Strangers cannot use the link now") != 1 || stdout.Len() > 0 {
		t.Errorf("%q, %q", got, stdout)
	}
	checkScreen(t, stderr.String(), columns)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tellReach(ctx, newFake(), share.NotKnown, time.Hour, out)
}

// Web links have a section only where somebody has asked for a certificate or another port.
func TestDoctorSpeaksOfWebLinksWhereTheyAreSetUp(t *testing.T) {
	none := share.CertificateReport{State: share.CertificateNone, Answer: "Web links are plain HTTP.", Next: "Start the node with --acme."}
	door := share.DoorReport{Address: netip.MustParseAddr("2001:db8::5"), Port: 8080, TCP: share.NotKnown}
	for name, c := range map[string]struct {
		web   *share.WebReport
		shown bool
	}{
		"nothing":        {&share.WebReport{Certificate: none}, false},
		"another port":   {&share.WebReport{Certificate: none, Doors: []share.DoorReport{door}}, true},
		"a port refused": {&share.WebReport{Certificate: none, Refused: []share.RefusedPort{{Port: 443, Error: "permission denied"}}}, true},
		"a certificate":  {&share.WebReport{Certificate: share.CertificateReport{State: share.CertificatePending, Answer: "The CA is asked."}}, true},
	} {
		f := newFake()
		r := reportOf(share.Reachable)
		r.Web = c.web
		f.reports = []share.Report{r}
		out, stdout, _ := testOutput(false)
		if err := runDoctor(t.Context(), f, itsOwn, doctorOptions{}, out); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(stdout.String(), "\nweb links\n") != c.shown {
			t.Errorf("%s:\n%s", name, stdout)
		}
	}
}
