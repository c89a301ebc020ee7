package igd

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestParseReply(t *testing.T) {
	local := netip.MustParseAddr("2001:db8:1:1::5")
	answer := func(status, st, location string) string {
		return "HTTP/1.1 " + status + "\r\nST: " + st + "\r\nLOCATION: " + location + "\r\nEXT:\r\n\r\n"
	}
	good := answer("200 OK", Service, "http://[2001:db8:1:1::1]:5000/rootDesc.xml")
	for name, c := range map[string]struct{ from, reply, want string }{
		"from the link":           {"fe80::1", good, "[2001:db8:1:1::1]:5000"},
		"from the prefix":         {"2001:db8:1:1::1", good, "[2001:db8:1:1::1]:5000"},
		"a link-local location":   {"fe80::1", answer("200 OK", Service, "http://[fe80::1]:5000/x"), "[fe80::1%eth0]:5000"},
		"a location with a zone":  {"fe80::1", answer("200 OK", Service, "http://[fe80::1%25lan]:5000/x"), "[fe80::1%eth0]:5000"},
		"the port of HTTP":        {"fe80::1", answer("200 OK", Service, "http://[fe80::1]/x"), "[fe80::1%eth0]:80"},
		"from beyond the link":    {"2001:db8:2:1::1", good, ""},
		"a location beyond it":    {"fe80::1", answer("200 OK", Service, "http://[2001:db8:2:1::1]:5000/x"), ""},
		"this machine":            {"fe80::1", answer("200 OK", Service, "http://[::1]:5000/x"), ""},
		"IPv4":                    {"fe80::1", answer("200 OK", Service, "http://192.168.1.1:5000/x"), ""},
		"mapped IPv4":             {"fe80::1", answer("200 OK", Service, "http://[::ffff:192.168.1.1]:5000/x"), ""},
		"a name":                  {"fe80::1", answer("200 OK", Service, "http://router.example:5000/x"), ""},
		"another scheme":          {"fe80::1", answer("200 OK", Service, "file:///etc/passwd"), ""},
		"with a password":         {"fe80::1", answer("200 OK", Service, "http://a:b@[fe80::1]:5000/x"), ""},
		"port 0":                  {"fe80::1", answer("200 OK", Service, "http://[fe80::1]:0/x"), ""},
		"another service":         {"fe80::1", answer("200 OK", "urn:schemas-upnp-org:service:WANIPConnection:1", "http://[fe80::1]:5000/x"), ""},
		"not found":               {"fe80::1", answer("404 Not Found", Service, "http://[fe80::1]:5000/x"), ""},
		"an announcement":         {"fe80::1", "NOTIFY * HTTP/1.1\r\nNT: " + Service + "\r\nLOCATION: http://[fe80::1]:5000/x\r\n\r\n", ""},
		"garbage":                 {"fe80::1", "\x00\x01\x02", ""},
		"nothing":                 {"fe80::1", "", ""},
		"a location out of sense": {"fe80::1", answer("200 OK", Service, "http://[fe80::1"), ""},
	} {
		d, err := pinholes(local, "eth0").parse([]byte(c.reply), netip.MustParseAddr(c.from))
		if c.want == "" && err == nil || c.want != "" && (err != nil || d.Addr.String() != c.want) {
			t.Errorf("%s: %v, %v", name, d.Addr, err)
		}
	}
}

func FuzzParseReply(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nST: " + Service + "\r\nLOCATION: http://[fe80::1]:5000/rootDesc.xml\r\n\r\n"))
	local, from := netip.MustParseAddr("2001:db8:1:1::5"), netip.MustParseAddr("fe80::1")
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := pinholes(local, "eth0").parse(b, from)
		if err == nil && (!onLink(d.Addr.Addr(), local) || d.Addr.Port() == 0) {
			t.Fatalf("%q leads to %s", b, d.Addr)
		}
	})
}

const descriptionXML = `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>1</minor></specVersion>
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:2</deviceType><deviceList><device><serviceList>
<service><serviceType>urn:schemas-upnp-org:service:WANIPv6FirewallControl:1</serviceType><serviceId>x</serviceId>
<SCPDURL>/6.xml</SCPDURL><controlURL>/ctl</controlURL><eventSubURL>/evt</eventSubURL></service>
</serviceList></device></deviceList></device></root>`

func FuzzDescription(f *testing.F) {
	f.Add([]byte(descriptionXML))
	f.Add([]byte(`<!DOCTYPE x [<!ENTITY a "b">]><root>&a;</root>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		root, err := parseDescription(b)
		if err != nil {
			return
		}
		base := &url.URL{Scheme: "http", Host: "[::1]:1"}
		root.SetURLBase(base)
		root.Device.FindService(Service)
	})
}

// box is a router's web server on the loopback interface.
type box struct {
	*httptest.Server
	mu    sync.Mutex
	calls []string // actions
	hosts []string // of requests
	holes map[string]bool
	// override answers instead where it is not nil and returns true.
	override func(w http.ResponseWriter, r *http.Request, action string) bool
}

func newBox(t *testing.T) *box {
	t.Helper()
	b := &box{holes: map[string]bool{}}
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	b.Server = httptest.NewUnstartedServer(http.HandlerFunc(b.serve))
	b.Listener.Close()
	b.Listener = l
	b.Start()
	t.Cleanup(b.Close)
	return b
}

func (b *box) device() Device {
	u, _ := url.Parse(b.URL + "/rootDesc.xml")
	return Device{b.Listener.Addr().(*net.TCPAddr).AddrPort(), u}
}

func fail(w http.ResponseWriter, code int) {
	w.WriteHeader(http.StatusInternalServerError)
	fmt.Fprintf(w, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>%d</errorCode><errorDescription>x</errorDescription></UPnPError></detail></s:Fault></s:Body></s:Envelope>`, code)
}

func (b *box) serve(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, action, _ := strings.Cut(strings.Trim(r.Header.Get("Soapaction"), `"`), "#")
	b.calls, b.hosts = append(b.calls, action), append(b.hosts, r.Host)
	if b.override != nil && b.override(w, r, action) {
		return
	}
	if r.Method == http.MethodGet {
		_, _ = io.WriteString(w, descriptionXML)
		return
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 10_000))
	out := map[string]string{
		"GetFirewallStatus": "<FirewallEnabled>1</FirewallEnabled><InboundPinholeAllowed>1</InboundPinholeAllowed>",
		"AddPinhole":        "<UniqueID>7</UniqueID>",
	}[action]
	switch action {
	case "AddPinhole":
		b.holes["7"] = strings.Contains(string(body), "<InternalPort>51413</InternalPort>")
	case "UpdatePinhole", "DeletePinhole":
		if !b.holes["7"] {
			fail(w, 704)
			return
		}
		if action == "DeletePinhole" {
			delete(b.holes, "7")
		}
	}
	fmt.Fprintf(w, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body><u:%sResponse xmlns:u="%s">%s</u:%sResponse></s:Body></s:Envelope>`, action, Service, out, action)
}

func TestPinhole(t *testing.T) {
	b := newBox(t)
	ctx, self := t.Context(), netip.IPv6Loopback()
	c, err := Connect(ctx, b.device(), self)
	if err != nil {
		t.Fatal(err)
	}
	id, err := c.Add(ctx, self, TCP, 51413, time.Hour)
	if err != nil || id != 7 || !b.holes["7"] {
		t.Fatalf("%d, %v", id, err)
	}
	if err := c.Update(ctx, id, time.Hour); err != nil {
		t.Error(err)
	}
	if err := c.Delete(ctx, id); err != nil || len(b.holes) != 0 {
		t.Error(err)
	}
	if err := c.Update(ctx, id, time.Hour); !Refused(err) || !strings.Contains(err.Error(), "it knows no such pinhole (UPnP error 704)") {
		t.Errorf("of a pinhole that is gone: %v", err)
	}
}

func TestBadRouters(t *testing.T) {
	var elsewhere *box
	for name, c := range map[string]struct {
		behave func(w http.ResponseWriter, r *http.Request, action string) bool
		want   string
	}{
		"no such page": {func(w http.ResponseWriter, r *http.Request, _ string) bool { w.WriteHeader(404); return true }, "404"},
		"garbage":      {func(w http.ResponseWriter, r *http.Request, _ string) bool { io.WriteString(w, "<a><b>"); return true }, "is not valid"},
		"no service": {func(w http.ResponseWriter, r *http.Request, _ string) bool {
			io.WriteString(w, `<root xmlns="urn:schemas-upnp-org:device-1-0"><device></device></root>`)
			return true
		}, "no IPv6 firewall control"},
		"without end": {func(w http.ResponseWriter, r *http.Request, _ string) bool {
			for range 10_000 {
				if _, err := io.WriteString(w, strings.Repeat("<a>", 1000)); err != nil {
					return true
				}
			}
			t.Error("read 30 MB of a description")
			return true
		}, "is not valid"},
		"redirects": {func(w http.ResponseWriter, r *http.Request, _ string) bool {
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
			return true
		}, "redirects"},
		"pinholes are off": {func(w http.ResponseWriter, r *http.Request, action string) bool {
			if action == "" {
				return false
			}
			io.WriteString(w, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body><u:GetFirewallStatusResponse xmlns:u="x"><FirewallEnabled>1</FirewallEnabled><InboundPinholeAllowed>0</InboundPinholeAllowed></u:GetFirewallStatusResponse></s:Body></s:Envelope>`)
			return true
		}, "does not allow pinholes"},
		"nonsense for SOAP": {func(w http.ResponseWriter, r *http.Request, action string) bool {
			if action != "" {
				io.WriteString(w, strings.Repeat("\xff", 1000))
			}
			return action != ""
		}, "asking the router"},
		"an unknown error": {func(w http.ResponseWriter, r *http.Request, action string) bool {
			if action != "" {
				fail(w, 499)
			}
			return action != ""
		}, "UPnP error 499"},
	} {
		t.Run(name, func(t *testing.T) {
			elsewhere = newBox(t)
			b := newBox(t)
			b.override = c.behave
			_, err := Connect(t.Context(), b.device(), netip.IPv6Loopback())
			if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 400 {
				t.Errorf("%v", err)
			}
			if len(elsewhere.calls) > 0 {
				t.Error("it was led elsewhere")
			}
		})
	}
}

// A description that sends requests to another host has them sent to the
// router.
func TestNobodyElseIsCalled(t *testing.T) {
	elsewhere, b := newBox(t), newBox(t)
	b.override = func(w http.ResponseWriter, r *http.Request, action string) bool {
		if action == "" {
			io.WriteString(w, strings.Replace(descriptionXML, "<controlURL>/ctl", "<controlURL>"+elsewhere.URL+"/ctl", 1))
		}
		return action == ""
	}
	c, err := Connect(t.Context(), b.device(), netip.IPv6Loopback())
	if err == nil {
		_, err = c.Add(t.Context(), netip.IPv6Loopback(), TCP, 51413, time.Hour)
	}
	if len(elsewhere.calls) > 0 {
		t.Errorf("another host was called: %q", elsewhere.calls)
	}
	if err != nil {
		t.Errorf("%v", err)
	}
}

func TestSearch(t *testing.T) {
	listen := func() net.PacketConn {
		c, err := net.ListenPacket("udp6", "[::1]:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	us, router := listen(), listen()
	go func() {
		buf := make([]byte, 2000)
		n, from, err := router.ReadFrom(buf)
		if err != nil || !strings.HasPrefix(string(buf[:n]), "M-SEARCH * HTTP/1.1\r\n") || !strings.Contains(string(buf[:n]), "ST: "+Service) {
			return
		}
		for _, b := range []string{"garbage", "HTTP/1.1 200 OK\r\n\r\n",
			"HTTP/1.1 200 OK\r\nST: " + Service + "\r\nLOCATION: http://[2001:db8::1]:5000/x\r\n\r\n",
			"HTTP/1.1 200 OK\r\nST: " + Service + "\r\nLOCATION: http://[fe80::1]:5000/x\r\n\r\n",
			"HTTP/1.1 200 OK\r\nST: " + Service + "\r\nLOCATION: http://[fe80::1]:5000/x\r\n\r\n"} {
			_, _ = router.WriteTo([]byte(b), from)
		}
	}()
	found, err := pinholes(netip.IPv6Loopback(), "eth0").search(t.Context(), us, router.LocalAddr())
	if err != nil || len(found) != 1 || found[0].Addr.String() != "[fe80::1%eth0]:5000" {
		t.Errorf("%v, %v", found, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pinholes(netip.IPv6Loopback(), "eth0").search(ctx, listen(), router.LocalAddr()); err == nil {
		t.Error("found a router that does not answer")
	}
}
