package igd

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/huin/goupnp"
	"github.com/huin/goupnp/dcps/internetgateway2"
	"github.com/huin/goupnp/soap"

	"github.com/shoalnet/shoal/share"
)

// The protocols, by their numbers in IP.
const (
	TCP = 6
	UDP = 17
)

const (
	callTime       = 5 * time.Second
	maxDescription = 256 << 10
	maxAnswer      = 64 << 10
)

// Client is one address of this host towards one router.
type Client struct {
	device  Device
	service *internetgateway2.WANIPv6FirewallControl1
	http    *http.Client
}

// Connect reads the description of a router, for requests that leave from
// local: a router opens pinholes only to the host that asks.
func Connect(ctx context.Context, d Device, local netip.Addr) (*Client, error) {
	c := &Client{device: d, http: client(d, local)}
	if err := c.describe(ctx); err != nil {
		return nil, share.Wrapf("asking the router at %s what it can do: %w", d.Addr.Addr(), err)
	}
	allowed, err := c.allowed(ctx)
	if err == nil && !allowed {
		err = share.Wrapf("it does not allow pinholes")
	}
	if err != nil {
		return nil, share.Wrapf("asking the router at %s: %w", d.Addr.Addr(), err)
	}
	return c, nil
}

// client makes requests of one device, from local.
func client(d Device, local netip.Addr) *http.Client {
	dialer := &net.Dialer{Timeout: callTime, KeepAlive: -1, LocalAddr: &net.TCPAddr{IP: local.WithZone("").AsSlice()}}
	return &http.Client{
		Timeout: callTime,
		// Requests go to this host, whatever the description names.
		Transport: &bounded{&http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "tcp", d.Addr.String())
			},
			DisableKeepAlives: true, MaxResponseHeaderBytes: 16 << 10, ResponseHeaderTimeout: callTime,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return share.Wrapf("it redirects") },
	}
}

// description reads how a device describes itself, and from where.
func description(ctx context.Context, c *http.Client, d Device) (*goupnp.RootDevice, *url.URL, error) {
	// Zones are for the dialer alone: a router that got one in a Host header
	// would not know it.
	u := *d.Location
	u.Host = net.JoinHostPort(stripZone(u.Hostname()), fmt.Sprint(d.Addr.Port()))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, nil, plain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, share.Wrapf("it answers %s", resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxDescription))
	if err != nil {
		return nil, nil, err
	}
	root, err := parseDescription(b)
	if err != nil {
		return nil, nil, err
	}
	root.SetURLBase(&u)
	return root, &u, nil
}

func (c *Client) describe(ctx context.Context) error {
	root, u, err := description(ctx, c.http, c.device)
	if err != nil {
		return err
	}
	services, err := internetgateway2.NewWANIPv6FirewallControl1ClientsFromRootDevice(root, u)
	if err != nil || len(services) == 0 {
		return share.Wrapf("it has no IPv6 firewall control")
	}
	c.service = services[0]
	c.service.SOAPClient.HTTPClient = *c.http
	return nil
}

func parseDescription(b []byte) (*goupnp.RootDevice, error) {
	root := new(goupnp.RootDevice)
	d := xml.NewDecoder(bytes.NewReader(b))
	d.DefaultSpace = goupnp.DeviceXMLNamespace
	if err := d.Decode(root); err != nil {
		return nil, share.Wrapf("its description is not valid: %w", err)
	}
	return root, nil
}

func (c *Client) allowed(ctx context.Context) (bool, error) {
	firewall, inbound, err := c.service.GetFirewallStatusCtx(ctx)
	return !firewall || inbound, explain(err)
}

// Add opens port on client for all hosts, and returns the pinhole's number.
func (c *Client) Add(ctx context.Context, client netip.Addr, protocol uint8, port uint16, lease time.Duration) (uint16, error) {
	id, err := c.service.AddPinholeCtx(ctx, "", 0, client.WithZone("").String(), port, uint16(protocol), uint32(lease/time.Second))
	return id, explain(err)
}

// Update keeps a pinhole open.
func (c *Client) Update(ctx context.Context, id uint16, lease time.Duration) error {
	return explain(c.service.UpdatePinholeCtx(ctx, id, uint32(lease/time.Second)))
}

// Delete closes a pinhole.
func (c *Client) Delete(ctx context.Context, id uint16) error {
	return explain(c.service.DeletePinholeCtx(ctx, id))
}

// Router is the router that is asked.
func (c *Client) Router() netip.Addr { return c.device.Addr.Addr() }

// explain turns the error of a request into one for people.
func explain(err error) error {
	if err == nil {
		return nil
	}
	var f *soap.SOAPFaultError
	if errors.As(err, &f) {
		return fault(f.Detail.UPnPError.Errorcode)
	}
	return plain(err)
}

// fault is a refusal by the router.
type fault int

func (f fault) Error() string { return f.Text().String() }

// Text explains a refusal: WANIPv6FirewallControl:1, section 2.6.
func (f fault) Text() share.Text {
	names := map[fault]share.Text{
		606: share.Say("it does not allow this host to do that"),
		701: share.Say("the pinhole is for another host"),
		702: share.Say("its firewall is turned off"),
		703: share.Say("it does not allow pinholes"),
		704: share.Say("it knows no such pinhole"),
		705: share.Say("it does not support this protocol"),
		706: share.Say("it does not accept this port"),
		707: share.Say("it does not open pinholes for this protocol"),
		708: share.Say("it does not accept wildcards"),
		709: share.Say("no packet has come through"),
		// WANIPConnection:1 and 2, section 2.4, 2.5.
		715: share.Say("it does not accept wildcards for hosts"),
		716: share.Say("it does not accept wildcards for ports"),
		718: share.Say("another host has this port"),
		725: share.Say("it knows mappings without an end only"),
		728: share.Say("it has too many mappings"),
		729: share.Say("it has a mapping that conflicts with this one"),
	}
	if name, ok := names[f]; ok {
		return share.Say("%s (UPnP error %d)", name, int(f))
	}
	return share.Say("UPnP error %d", int(f))
}

// Refused reports whether the router answered and refused.
func Refused(err error) bool {
	_, ok := errors.AsType[fault](err)
	return ok
}

// plain drops the prefixes of the libraries and the text of the router from an error.
func plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	text := err.Error()
	if i := strings.LastIndex(text, "\": "); i >= 0 {
		text = text[i+3:]
	}
	if len(text) > 200 {
		text = text[:200]
	}
	if text = strings.ToValidUTF8(text, ""); text == err.Error() {
		return err
	}
	return errors.New(text)
}

// bounded limits how much a router can send.
type bounded struct{ next http.RoundTripper }

func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	limit := int64(maxAnswer)
	if r.Method == http.MethodGet {
		limit = maxDescription
	}
	resp.Body = &limited{io.LimitReader(resp.Body, limit), resp.Body}
	return resp, nil
}

type limited struct {
	io.Reader
	io.Closer
}
