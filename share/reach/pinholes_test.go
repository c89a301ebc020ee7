package reach

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/reach/internal/igd"
)

// fakeRouter opens pinholes by PCP and by UPnP, on the loopback interface.
type fakeRouter struct {
	pcp  net.PacketConn
	upnp *httptest.Server

	mu      sync.Mutex
	holes   map[string]bool // "PCP 6 51413"
	result  byte            // of PCP; 255 does not answer
	refuses bool            // by UPnP
	absent  bool            // no UPnP
	told    int             // of what was opened
	epoch   uint32          // of PCP
}

func newFakeRouter(t *testing.T) *fakeRouter {
	t.Helper()
	r := &fakeRouter{holes: map[string]bool{}}
	var err error
	if r.pcp, err = net.ListenPacket("udp6", "[::1]:0"); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { r.pcp.Close(); <-done })
	go func() {
		defer close(done)
		b := make([]byte, 2000)
		for {
			n, from, err := r.pcp.ReadFrom(b)
			if err != nil {
				return
			}
			r.mu.Lock()
			if n >= 60 && r.result != 255 {
				key := fmt.Sprintf("PCP %d %d", b[36], binary.BigEndian.Uint16(b[40:]))
				if r.result == 0 {
					r.holes[key] = binary.BigEndian.Uint32(b[4:]) > 0
				}
				b[1], b[3] = 0x81, r.result
				copy(b[8:24], make([]byte, 16))
				binary.BigEndian.PutUint32(b[8:], r.epoch)
				_, _ = r.pcp.WriteTo(b[:60], from)
			}
			r.mu.Unlock()
		}
	}()
	r.upnp = httptest.NewUnstartedServer(http.HandlerFunc(r.serve))
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	r.upnp.Listener.Close()
	r.upnp.Listener = l
	r.upnp.Start()
	t.Cleanup(r.upnp.Close)
	return r
}

func (r *fakeRouter) serve(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.Method == http.MethodGet {
		io.WriteString(w, `<root xmlns="urn:schemas-upnp-org:device-1-0"><device><serviceList><service><serviceType>`+igd.Service+
			`</serviceType><controlURL>/c</controlURL></service></serviceList></device></root>`)
		return
	}
	_, action, _ := strings.Cut(strings.Trim(q.Header.Get("Soapaction"), `"`), "#")
	body, _ := io.ReadAll(q.Body)
	out, code := "", 0
	switch action {
	case "GetFirewallStatus":
		out = "<FirewallEnabled>1</FirewallEnabled><InboundPinholeAllowed>1</InboundPinholeAllowed>"
	case "AddPinhole":
		id := "6"
		if strings.Contains(string(body), "<Protocol>17<") {
			id = "17"
		}
		if code = 606; !r.refuses {
			code, out = 0, "<UniqueID>"+id+"</UniqueID>"
			r.holes["UPnP "+id] = true
		}
	default: // UpdatePinhole, DeletePinhole
		_, id, _ := strings.Cut(string(body), "<UniqueID>")
		id, _, _ = strings.Cut(id, "<")
		if !r.holes["UPnP "+id] {
			code = 704
		} else if action == "DeletePinhole" {
			delete(r.holes, "UPnP "+id)
		}
	}
	if code != 0 {
		w.WriteHeader(500)
		out = fmt.Sprintf("<s:Fault><detail><UPnPError><errorCode>%d</errorCode></UPnPError></detail></s:Fault>", code)
	} else {
		out = fmt.Sprintf(`<u:%sResponse xmlns:u="%s">%s</u:%sResponse>`, action, igd.Service, out, action)
	}
	fmt.Fprintf(w, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>%s</s:Body></s:Envelope>`, out)
}

// open lists what is open in the router.
func (r *fakeRouter) open() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for n, is := range r.holes {
		if is {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func (r *fakeRouter) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// asking is Pinholes for one address behind r.
func asking(t *testing.T, r *fakeRouter) (p *Pinholes, ends *[]Endpoint) {
	t.Helper()
	at := r.pcp.LocalAddr().(*net.UDPAddr).AddrPort()
	ends = &[]Endpoint{{Address{IP: at.Addr(), Scope: Global, Kind: Stable, Interface: "lo"}, 51413, 51413, true}}
	p = NewPinholes(PinholeConfig{
		Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Endpoints: func() []Endpoint { return *ends },
		Needed:    func(Protocol, netip.AddrPort) bool { return true },
		Opened:    func(netip.Addr) { r.set(func() { r.told++ }) },
		Gateways:  func() ([]Gateway, error) { return []Gateway{{at.Addr(), "lo"}}, nil },
		PCPPort:   at.Port(),
		Search: func(context.Context, netip.Addr, string) ([]igd.Device, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.absent {
				return nil, errors.New("no router on this network answers")
			}
			u, err := url.Parse(r.upnp.URL + "/desc.xml")
			return []igd.Device{{Addr: r.upnp.Listener.Addr().(*net.TCPAddr).AddrPort(), Location: u}}, err
		},
	})
	return p, ends
}

func (p *Pinholes) text() string {
	var out []string
	for _, h := range p.Holes() {
		state := "open"
		if h.Error != "" || h.Until.IsZero() {
			state = h.Error
		}
		out = append(out, fmt.Sprintf("%s %d by %s: %s", h.Protocol, h.Port, h.Method, state))
	}
	return strings.Join(out, "; ")
}

func wantText(t *testing.T, step, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", step, got, want)
	}
}

func TestPinholesByPCP(t *testing.T) {
	r := newFakeRouter(t)
	p, ends := asking(t, r)
	both := "tcp 51413 by PCP: open; udp 51413 by PCP: open"
	p.round(t.Context())
	wantText(t, "asked", p.text(), both)
	wantText(t, "the router", r.open(), "PCP 17 51413, PCP 6 51413")
	r.set(func() { clear(r.holes) })
	p.round(t.Context())
	wantText(t, "a router that forgot and does not say so", r.open(), "PCP 17 51413, PCP 6 51413")
	r.set(func() { r.result, r.absent = 2, true })
	p.round(t.Context())
	wantText(t, "not allowed any more", p.text(), "tcp 51413 by PCP: it is not allowed (PCP result 2); udp 51413 by PCP: it is not allowed (PCP result 2)")
	r.set(func() { r.result = 0 })
	p.round(t.Context())
	wantText(t, "allowed again", p.text(), both)
	if r.told != 4 {
		t.Errorf("told of %d openings", r.told)
	}
	unpublished := (*ends)[0]
	unpublished.Published = false
	published := *ends
	*ends = []Endpoint{unpublished}
	p.round(t.Context())
	wantText(t, "not published any more", p.text()+r.open(), "")
	*ends = published
	p.round(t.Context())
	*ends = nil
	p.round(t.Context())
	wantText(t, "the address is gone", p.text(), "")
	wantText(t, "a router that nobody can ask from there", r.open(), "PCP 17 51413, PCP 6 51413")
	if len(p.doors) != 0 {
		t.Error("remembers an address that is gone")
	}
}

// What is open stays open while an address is deprecated, and nothing new is opened there.
func TestPinholesOfADeprecatedAddress(t *testing.T) {
	r := newFakeRouter(t)
	p, ends := asking(t, r)
	deprecated := (*ends)[0]
	deprecated.Kind, deprecated.Published = Deprecated, false
	*ends = []Endpoint{deprecated}
	p.round(t.Context())
	wantText(t, "never published", r.open()+p.text(), "")
	published := deprecated
	published.Kind, published.Published = Stable, true
	*ends = []Endpoint{published}
	p.round(t.Context())
	more := deprecated
	more.Port = 6000
	*ends = []Endpoint{deprecated, more}
	for range 3 {
		p.round(t.Context())
		wantText(t, "deprecated", r.open(), "PCP 17 51413, PCP 6 51413")
	}
	*ends = nil
	p.round(t.Context())
	wantText(t, "gone", p.text(), "")
}

func TestPinholesByUPnP(t *testing.T) {
	r := newFakeRouter(t)
	r.set(func() { r.result = 9 }) // PCP is there, and no use
	p, _ := asking(t, r)
	p.round(t.Context())
	wantText(t, "asked", p.text(), "tcp 51413 by UPnP: open; udp 51413 by UPnP: open")
	r.set(func() { delete(r.holes, "UPnP 6") })
	p.round(t.Context())
	wantText(t, "one was forgotten", r.open(), "UPnP 17, UPnP 6")
	r.set(func() { clear(r.holes); r.refuses = true })
	p.round(t.Context())
	wantText(t, "refused", p.text(), "tcp 51413 by UPnP: it does not allow this host to do that (UPnP error 606); udp 51413 by UPnP: it does not allow this host to do that (UPnP error 606)")
	r.set(func() { r.refuses = false })
	p.round(t.Context())
	wantText(t, "allowed again", p.text(), "tcp 51413 by UPnP: open; udp 51413 by UPnP: open")
}

func TestNoRouterAnswers(t *testing.T) {
	r := newFakeRouter(t)
	r.set(func() { r.absent = true })
	p, _ := asking(t, r)
	p.cfg.Gateways = func() ([]Gateway, error) { return nil, errors.New("no routes") }
	p.round(t.Context())
	unknown, absent := share.Say("it is not known which router is in charge of %s", "lo"), share.Say("no router on this network answers")
	want := []share.GatewayProblem{{Method: byPCP, Error: unknown.String(), ErrorText: &unknown}, {Method: byUPnP, Error: absent.String(), ErrorText: &absent}}
	if got := p.Problems(); !reflect.DeepEqual(got, want) || len(p.Holes()) != 0 {
		t.Errorf("%+v", got)
	}
	searches := 0
	p.cfg.Search = func(context.Context, netip.Addr, string) ([]igd.Device, error) {
		searches++
		return nil, errors.New("no router on this network answers")
	}
	for range 10 {
		p.round(t.Context())
	}
	if searches != 0 {
		t.Errorf("looked %d times more at once", searches)
	}
}

// Run takes back what it opened, and leaves alone what needs nothing.
func TestPinholesEnd(t *testing.T) {
	r := newFakeRouter(t)
	p, _ := asking(t, r)
	needed := true
	p.cfg.Needed = func(p Protocol, _ netip.AddrPort) bool { return needed && p == TCP }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	p.Refresh(t.Context())
	wantText(t, "running", r.open(), "PCP 6 51413")
	p.Refresh(t.Context())
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	wantText(t, "ended", r.open(), "")
	needed = false
	q, _ := asking(t, r)
	q.cfg.Needed = p.cfg.Needed
	q.round(t.Context())
	wantText(t, "nothing is needed", r.open()+q.text(), "")
}
