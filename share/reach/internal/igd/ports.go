package igd

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/huin/goupnp/dcps/internetgateway2"

	"github.com/shoalnet/shoal/share"
)

// wan is what a router's services for ports have in common: WANIPConnection:1 and 2, and
// WANPPPConnection:1.
type wan interface {
	AddPortMappingCtx(ctx context.Context, remote string, external uint16, protocol string, internal uint16, client string,
		enabled bool, description string, lease uint32) error
	DeletePortMappingCtx(ctx context.Context, remote string, external uint16, protocol string) error
	GetExternalIPAddressCtx(ctx context.Context) (string, error)
}

// Ports asks one router for ports of its IPv4 address.
type Ports struct {
	local   netip.Addr
	service wan
}

// ConnectPorts reads the description of a router, for requests that leave from local: a
// router passes ports only to the host that asks.
func ConnectPorts(ctx context.Context, d Device, local netip.Addr) (*Ports, error) {
	c := client(d, local)
	root, u, err := description(ctx, c, d)
	if err != nil {
		return nil, share.Wrapf("asking the router at %s what it can do: %w", d.Addr.Addr(), err)
	}
	// An error is that there is none.
	if all, _ := internetgateway2.NewWANIPConnection2ClientsFromRootDevice(root, u); len(all) > 0 {
		all[0].SOAPClient.HTTPClient = *c
		return &Ports{local, all[0]}, nil
	}
	if all, _ := internetgateway2.NewWANIPConnection1ClientsFromRootDevice(root, u); len(all) > 0 {
		all[0].SOAPClient.HTTPClient = *c
		return &Ports{local, all[0]}, nil
	}
	if all, _ := internetgateway2.NewWANPPPConnection1ClientsFromRootDevice(root, u); len(all) > 0 {
		all[0].SOAPClient.HTTPClient = *c
		return &Ports{local, all[0]}, nil
	}
	return nil, share.Wrapf("asking the router at %s what it can do: %w", d.Addr.Addr(), share.Wrapf("it has no service for ports"))
}

var names = map[uint8]string{TCP: "TCP", UDP: "UDP"}

// permanent is the refusal of a router that knows mappings without an end only.
const permanent fault = 725

// Add has the router pass external of its address to port of this host, or go on, and
// returns for how long; 0 is until Delete.
func (p *Ports) Add(ctx context.Context, protocol uint8, external, port uint16, lease time.Duration) (time.Duration, error) {
	add := func(lease time.Duration) error {
		return explain(p.service.AddPortMappingCtx(ctx, "", external, names[protocol], port, p.local.String(), true, "shoal", uint32(lease/time.Second)))
	}
	err := add(lease)
	if errors.Is(err, permanent) {
		return 0, add(0)
	}
	return lease, err
}

// Delete undoes Add.
func (p *Ports) Delete(ctx context.Context, protocol uint8, external uint16) error {
	return explain(p.service.DeletePortMappingCtx(ctx, "", external, names[protocol]))
}

// External is the router's address.
func (p *Ports) External(ctx context.Context) (netip.Addr, error) {
	text, err := p.service.GetExternalIPAddressCtx(ctx)
	if err != nil {
		return netip.Addr{}, explain(err)
	}
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is4() {
		return netip.Addr{}, share.Wrapf("it does not know its own address")
	}
	return a, nil
}
