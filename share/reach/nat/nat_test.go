package nat

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
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/shoalnet/shoal/share/reach"
	"github.com/shoalnet/shoal/share/reach/internal/igd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var here = netip.MustParseAddr("127.0.0.1")

// router is a home router on the loopback interface: it has the public address and maps
// ports by the ways that it knows.
type router struct {
	t        *testing.T
	conn     *net.UDPConn
	web      *httptest.Server
	knows    string // "PCP", "NAT-PMP" or "UPnP"; nothing else is answered
	external netip.Addr

	mu    sync.Mutex
	ports map[uint16]uint16 // external to internal
	taken uint16            // by another host
	asked int
}

func newRouter(t *testing.T, knows string) *router {
	r := &router{t: t, knows: knows, external: netip.MustParseAddr("8.8.8.8"), ports: map[uint16]uint16{}}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	r.conn = conn
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		b := make([]byte, 2000)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if answer := r.datagram(b[:n]); answer != nil {
				_, _ = conn.WriteToUDPAddrPort(answer, from)
			}
		}
	}()
	r.web = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.web.Close)
	return r
}

// grant maps a port, or with no lifetime ends that, and returns the external one.
func (r *router) grant(internal, external uint16, lifetime uint32) uint16 {
	r.asked++
	if lifetime == 0 {
		for e, i := range r.ports {
			if i == internal {
				delete(r.ports, e)
			}
		}
		return external
	}
	if external == 0 || external == r.taken {
		external = internal + 100
	}
	r.ports[external] = internal
	return external
}

func (r *router) datagram(q []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.knows == "UPnP" || r.knows == "":
		return nil
	case q[0] == 2 && r.knows == "NAT-PMP":
		return []byte{0, 0x80, 0, 1, 0, 0, 0, 9}
	case q[0] == 2:
		b := append([]byte(nil), q[:60]...)
		b[1] |= 0x80
		copy(b[8:24], make([]byte, 16))
		external := r.grant(binary.BigEndian.Uint16(q[40:]), binary.BigEndian.Uint16(q[42:]), binary.BigEndian.Uint32(q[4:]))
		binary.BigEndian.PutUint16(b[42:], external)
		ip := r.external.As16()
		copy(b[44:], ip[:])
		return b
	case q[0] == 0 && r.knows == "NAT-PMP" && q[1] == 0:
		ip := r.external.As4()
		return append([]byte{0, 0x80, 0, 0, 0, 0, 0, 9}, ip[:]...)
	case q[0] == 0 && r.knows == "NAT-PMP" && q[1] == 2:
		external := r.grant(binary.BigEndian.Uint16(q[4:]), binary.BigEndian.Uint16(q[6:]), binary.BigEndian.Uint32(q[8:]))
		b := append([]byte{0, 0x82, 0, 0, 0, 0, 0, 9}, q[4:]...)
		binary.BigEndian.PutUint16(b[10:], external)
		return b
	}
	return nil
}

const description = `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion>
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><serviceList>
<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><serviceId>x</serviceId>
<SCPDURL>/x.xml</SCPDURL><controlURL>/ctl</controlURL><eventSubURL>/evt</eventSubURL></service>
</serviceList></device></root>`

func (r *router) serve(w http.ResponseWriter, q *http.Request) {
	if q.Method == http.MethodGet {
		_, _ = io.WriteString(w, description)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	body, _ := io.ReadAll(io.LimitReader(q.Body, 10_000))
	field := func(name string) (n uint16) {
		_, rest, _ := strings.Cut(string(body), "<"+name+">")
		_, _ = fmt.Sscan(strings.ReplaceAll(rest, "<", " "), &n)
		return n
	}
	_, action, _ := strings.Cut(strings.Trim(q.Header.Get("Soapaction"), `"`), "#")
	out := ""
	switch external := field("NewExternalPort"); action {
	case "GetExternalIPAddress":
		out = "<NewExternalIPAddress>" + r.external.String() + "</NewExternalIPAddress>"
	case "AddPortMapping":
		if !strings.Contains(string(body), "<NewInternalClient>127.0.0.1<") {
			r.t.Errorf("for whom? %s", body)
		}
		if external == r.taken {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>718</errorCode></UPnPError></detail></s:Fault></s:Body></s:Envelope>`)
			return
		}
		r.grant(field("NewInternalPort"), external, 1)
	case "DeletePortMapping":
		delete(r.ports, external)
	}
	fmt.Fprintf(w, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body><u:%sResponse xmlns:u="urn:schemas-upnp-org:service:WANIPConnection:1">%s</u:%sResponse></s:Body></s:Envelope>`, action, out, action)
}

// search finds the router where it speaks UPnP.
func (r *router) search(_ context.Context, local, gateway netip.Addr) ([]igd.Device, error) {
	if local != here || gateway != here {
		r.t.Errorf("looks for %s from %s", gateway, local)
	}
	if r.knows != "UPnP" {
		return nil, errors.New("no router on this network answers")
	}
	u, _ := url.Parse(r.web.URL + "/rootDesc.xml")
	return []igd.Device{{Addr: netip.MustParseAddrPort(u.Host), Location: u}}, nil
}

func (r *router) has() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprint(r.ports)
}

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newMapper(r *router) (*Mapper, *clock) {
	c := &clock{t: time.Unix(2_000_000_000, 0)}
	return New(Config{
		Logger: slog.New(slog.DiscardHandler), Now: c.now, Listen: netip.MustParseAddrPort("0.0.0.0:7000"), Ask: true,
		Allows: func(_ netip.Addr, iface string) bool { return iface != "other" },
		Addresses: func() ([]Address, error) {
			return []Address{{netip.MustParseAddr("10.9.9.9"), "other"}, {here, "lo"}}, nil
		},
		Gateways: func() ([]reach.Gateway, error) { return []reach.Gateway{{Addr: here, Interface: "lo"}}, nil },
		Search:   r.search, Wait: 50 * time.Millisecond, Port: r.conn.LocalAddr().(*net.UDPAddr).AddrPort().Port(),
	}), c
}

func text(all []netip.AddrPort) string { return strings.Trim(fmt.Sprint(all), "[]") }

// A port is mapped by whatever the router knows, is kept, is mapped anew when the router
// has forgotten it, and is given back at the end.
func TestAPortIsMapped(t *testing.T) {
	for _, knows := range []string{"PCP", "NAT-PMP", "UPnP"} {
		t.Run(knows, func(t *testing.T) {
			t.Parallel()
			r := newRouter(t, knows)
			m, c := newMapper(r)
			if got := text(m.Addresses()); got != "127.0.0.1:7000" {
				t.Errorf("before: %s", got)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- m.Run(ctx) }()
			m.Refresh(t.Context())
			if got := text(m.Addresses()); got != "8.8.8.8:7000 127.0.0.1:7000" || r.has() != "map[7000:7000]" {
				t.Errorf("%s, the router has %s, %+v", got, r.has(), m.Report())
			}
			p := m.Report().Mapping
			if p == nil || p.Method != knows || p.Gateway != here || p.Internal != netip.AddrPortFrom(here, 7000) || !p.Until.Equal(c.now().Add(time.Hour)) {
				t.Errorf("%+v", p)
			}
			r.mu.Lock()
			clear(r.ports)
			r.mu.Unlock()
			c.pass(2 * time.Minute)
			m.Refresh(t.Context())
			if p = m.Report().Mapping; r.has() != "map[7000:7000]" || p == nil || !p.Until.Equal(c.now().Add(time.Hour)) {
				t.Errorf("renewed: the router has %s, %+v", r.has(), p)
			}
			cancel()
			if err := <-ended; err != nil || r.has() != "map[]" || m.Report().Mapping != nil {
				t.Errorf("at the end: %v, the router has %s", err, r.has())
			}
		})
	}
}

// Another external port than ours will do, and links have it.
func TestAnotherPortIsMapped(t *testing.T) {
	for knows, want := range map[string]string{"PCP": "8.8.8.8:7100", "NAT-PMP": "8.8.8.8:7100", "UPnP": "8.8.8.8:7001"} {
		t.Run(knows, func(t *testing.T) {
			t.Parallel()
			r := newRouter(t, knows)
			r.mu.Lock()
			r.taken = 7000
			r.mu.Unlock()
			m, _ := newMapper(r)
			m.round(t.Context())
			if got := text(m.Addresses()); got != want+" 127.0.0.1:7000" {
				t.Errorf("%s", got)
			}
			m.end(t.Context())
			if r.has() != "map[]" {
				t.Errorf("the router still has %s", r.has())
			}
		})
	}
}

// A router that is behind another one is of no use, and says so.
func TestARouterBehindARouter(t *testing.T) {
	for _, external := range []string{"100.64.1.2", "192.168.0.3", "10.0.0.1", "0.0.0.0", "127.0.0.1", "224.0.0.1"} {
		r := newRouter(t, "NAT-PMP")
		r.mu.Lock()
		r.external = netip.MustParseAddr(external)
		r.mu.Unlock()
		m, _ := newMapper(r)
		m.round(t.Context())
		p := m.Report().Mapping
		if got := text(m.Addresses()); got != "127.0.0.1:7000" || p == nil || !strings.Contains(p.Error, external) {
			t.Errorf("%s: %s, %+v", external, got, p)
		}
		m.end(t.Context())
	}
}

// A router that stops answering keeps what it has mapped until the lease ends; then links
// no longer have it.
func TestARouterThatFallsSilent(t *testing.T) {
	r := newRouter(t, "NAT-PMP")
	m, c := newMapper(r)
	m.round(t.Context())
	if !m.current().External.IsValid() {
		t.Fatal("nothing is mapped")
	}
	r.mu.Lock()
	r.knows = ""
	r.mu.Unlock()
	r.conn.Close() // the system refuses what is sent there
	c.pass(2 * time.Minute)
	m.round(t.Context())
	if p := m.Report().Mapping; p == nil || p.Error == "" || m.way != nil {
		t.Errorf("%+v", p)
	}
	c.pass(time.Hour)
	if m.Report().Mapping != nil || text(m.Addresses()) != "127.0.0.1:7000" {
		t.Errorf("%+v, %v", m.Report().Mapping, m.Addresses())
	}
	m.round(t.Context())
	want := []string{"PCP", "NAT-PMP", "UPnP"}
	for i, g := range m.Report().Gateways {
		if g.Method != want[i] || g.Error == "" {
			t.Errorf("%+v", g)
		}
	}
}

// Nothing is asked where the user forbids it, or where the host has a public address.
func TestNobodyIsAsked(t *testing.T) {
	for name, change := range map[string]func(*Mapper){
		"forbidden": func(m *Mapper) { m.cfg.Ask = false },
		"public": func(m *Mapper) {
			m.cfg.Addresses = func() ([]Address, error) { return []Address{{netip.MustParseAddr("8.8.4.4"), "lo"}}, nil }
		},
		"nowhere": func(m *Mapper) { m.cfg.Addresses = func() ([]Address, error) { return nil, nil } },
	} {
		r := newRouter(t, "PCP")
		m, _ := newMapper(r)
		change(m)
		m.round(t.Context())
		if r.asked != 0 || m.Report().Mapping != nil {
			t.Errorf("%s: asked %d times", name, r.asked)
		}
	}
}

func TestPublic(t *testing.T) {
	for a, want := range map[string]bool{
		"8.8.8.8": true, "203.0.113.5": true, "10.0.0.1": false, "192.168.1.1": false, "172.16.0.1": false, "100.64.0.1": false,
		"100.127.255.255": false, "100.128.0.1": true, "127.0.0.1": false, "169.254.0.1": false, "0.0.0.0": false, "0.1.2.3": false,
		"224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "2001:db8::1": false,
	} {
		if got := public(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %v", a, got)
		}
	}
}
