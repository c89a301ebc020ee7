// Package pcp keeps to itself how a router is asked by the Port Control Protocol
// (RFC 6887) for pinholes in its IPv6 firewall, and for ports of its IPv4 address. Of the
// protocol it has what is needed for that: MAP with the option PREFER_FAILURE.
//
//	request   2  1     0 0       lifetime[4]  client[16]      mapping  2 0 0 0
//	response  2  0x81  0 result  lifetime[4]  epoch[4] 0[12]  mapping  options
//	mapping   nonce[12]  protocol[1]  0[3]  internal port[2]  external port[2]  external address[16]
package pcp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/share"
)

// Port is where servers listen.
const Port = 5351

// The protocols of RFC 6887, by their numbers in IP.
const (
	TCP = 6
	UDP = 17
)

const (
	version  = 2
	opMap    = 1
	response = 0x80

	headerLen = 24
	mapLen    = 36
	maxLen    = 1100

	optPreferFailure = 2
)

// Nonce identifies the answer to a request.
type Nonce [12]byte

// Mapping is a pinhole.
type Mapping struct {
	Nonce    Nonce
	Protocol uint8
	Internal uint16
	External netip.AddrPort
}

// Response is the answer of a server.
type Response struct {
	Result   Result
	Lifetime time.Duration
	Epoch    uint32 // seconds since the server lost its state
	Mapping  Mapping
}

// Result is the code of an answer; 0 is success.
type Result uint8

// WrongVersion is the result of a server that speaks another version, or NAT-PMP.
const WrongVersion Result = 1

func (r Result) Error() string { return r.Text().String() }

// Text explains a result.
func (r Result) Text() share.Text {
	names := map[Result]share.Text{
		1: share.Say("it supports another version of PCP"), 2: share.Say("it is not allowed"), 3: share.Say("it could not read the request"),
		4: share.Say("it does not support MAP"), 5: share.Say("it does not support an option"), 6: share.Say("it could not read an option"),
		7: share.Say("its own network is down"), 8: share.Say("it has no resources left"), 9: share.Say("it does not support this protocol"),
		10: share.Say("this host has opened too many already"), 11: share.Say("it cannot open this port"),
		12: share.Say("a second router is in between"), 13: share.Say("there are too many peers"),
	}
	if n, ok := names[r]; ok {
		return share.Say("%s (PCP result %d)", n, int(r))
	}
	return share.Say("PCP result %d", int(r))
}

// mapRequest is the request for m; if exact, for that and no other port. A lifetime of 0
// deletes it.
func mapRequest(client netip.Addr, lifetime time.Duration, m Mapping, exact bool) []byte {
	b := append(make([]byte, 0, headerLen+mapLen+4), version, opMap, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(lifetime/time.Second))
	ip := client.As16()
	b = append(b, ip[:]...)
	b = append(b, m.Nonce[:]...)
	b = append(b, m.Protocol, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, m.Internal)
	b = binary.BigEndian.AppendUint16(b, m.External.Port())
	ip = m.External.Addr().As16()
	b = append(b, ip[:]...)
	if lifetime > 0 && exact {
		// Another port than the one in links is of no use.
		b = append(b, optPreferFailure, 0, 0, 0)
	}
	return b
}

// versionRefused is the answer of a server that speaks NAT-PMP only (RFC 6886, 3.5); it is
// shorter than one of PCP.
func versionRefused(b []byte) bool {
	return len(b) >= 8 && b[0] == 0 && b[1]&response != 0 && binary.BigEndian.Uint16(b[2:]) == 1
}

var errResponse = errors.New("not a PCP response")

// Parse reads the answer of a server.
func Parse(b []byte) (r Response, err error) {
	switch {
	case len(b) < headerLen && versionRefused(b):
		return Response{Result: WrongVersion}, nil
	case len(b) < headerLen || len(b) > maxLen || len(b)%4 != 0:
		return r, fmt.Errorf("%w: %d bytes", errResponse, len(b))
	case b[0] != version && Result(b[3]) != 1:
		return r, fmt.Errorf("%w: version %d", errResponse, b[0])
	case b[1] != opMap|response:
		return r, fmt.Errorf("%w: opcode %#x", errResponse, b[1])
	}
	r.Result = Result(b[3])
	r.Lifetime = time.Duration(binary.BigEndian.Uint32(b[4:])) * time.Second
	r.Epoch = binary.BigEndian.Uint32(b[8:])
	p := b[headerLen:]
	if len(p) < mapLen {
		return r, fmt.Errorf("%w: %d bytes for a mapping", errResponse, len(p))
	}
	r.Mapping = Mapping{
		Nonce: Nonce(p[:12]), Protocol: p[12], Internal: binary.BigEndian.Uint16(p[16:]),
		External: netip.AddrPortFrom(netip.AddrFrom16([16]byte(p[20:36])), binary.BigEndian.Uint16(p[18:])),
	}
	return r, nil
}
