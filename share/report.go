package share

import (
	"net/netip"
	"time"
)

// Verdict answers one question about reachability. Unknown is not the same as no.
type Verdict string

// The verdicts.
const (
	Reachable   Verdict = "reachable"   // a stranger got through
	Unreachable Verdict = "unreachable" // several tried and none got through
	NotKnown    Verdict = "unknown"     // there is no evidence either way
)

// Report says whether strangers can reach this node, on what evidence, and what to
// do about it.
type Report struct {
	Warning   string           `json:"warning,omitempty" doc:"what this host lacks to reach others, and what would help; absent where nothing is lacking"`
	Answer    string           `json:"answer" doc:"one sentence"`
	Next      string           `json:"next" doc:"what to do next"`
	Verdict   Verdict          `json:"verdict" enum:"reachable,unreachable,unknown" doc:"whether a stranger's TCP connection to an address in the links succeeds"`
	Addresses []AddressReport  `json:"addresses" doc:"those in links first"`
	Pinholes  []Pinhole        `json:"pinholes" doc:"asked of the router, open or not"`
	Seen      []SeenAs         `json:"seen" doc:"what others say our address is"`
	IPv4      *IPv4Report      `json:"ipv4,omitempty" doc:"absent where IPv4 is off"`
	DHT       *DHTReport       `json:"dht,omitempty" doc:"absent where the DHT is off"`
	Gateways  []GatewayProblem `json:"gateways" doc:"ways of asking the router for pinholes that do not work, and why"`
}

// AddressReport is one address of this host.
type AddressReport struct {
	Address   netip.Addr `json:"address"`
	Port      uint16     `json:"port"`
	Scope     string     `json:"scope" doc:"global, ula or link-local"`
	Kind      string     `json:"kind" doc:"stable, temporary, deprecated, tentative or unknown"`
	Interface string     `json:"interface"`
	Published bool       `json:"published" doc:"told to others, and in links"`
	TCP       Verdict    `json:"tcp" enum:"reachable,unreachable,unknown"`
	UDP       Verdict    `json:"udp" enum:"reachable,unreachable,unknown"`
	// Evidence is that for TCP, or for UDP if there is none for TCP.
	Evidence    string    `json:"evidence" doc:"how the verdict is known; empty where nothing is"`
	Time        time.Time `json:"time,omitzero" doc:"of the evidence"`
	UDPEvidence string    `json:"udp_evidence,omitempty"`
	UDPTime     time.Time `json:"udp_time,omitzero"`
}

// Pinhole is a pinhole in the router's firewall for one address, port and protocol.
type Pinhole struct {
	Address  netip.Addr `json:"address"`
	Port     uint16     `json:"port"`
	Protocol string     `json:"protocol" enum:"tcp,udp"`
	Method   string     `json:"method" doc:"PCP or UPnP"`
	Gateway  string     `json:"gateway" doc:"address of the router that was asked"`
	Until    time.Time  `json:"until,omitzero" doc:"when the lease ends unless it is renewed; absent where it is not open"`
	// Error is why it is not open or, if Until is set, why its lease was not
	// renewed.
	Error string `json:"error,omitempty"`
}

// IPv4Report says where this node is to be reached over IPv4. It is no evidence that
// strangers can.
type IPv4Report struct {
	Addresses []netip.AddrPort `json:"addresses" doc:"in links"`
	Mapping   *PortMapping     `json:"mapping,omitempty" doc:"absent where the router has mapped no port"`
	Gateways  []GatewayProblem `json:"gateways" doc:"ways of asking the router for a port that do not work, and why"`
}

// PortMapping is a TCP port of the router that leads to this node.
type PortMapping struct {
	External netip.AddrPort `json:"external" doc:"the router's address and port"`
	Internal netip.AddrPort `json:"internal" doc:"this node's"`
	Method   string         `json:"method" doc:"PCP, NAT-PMP or UPnP"`
	Gateway  netip.Addr     `json:"gateway" doc:"address of the router"`
	Until    time.Time      `json:"until,omitzero" doc:"when the lease ends unless it is renewed; absent where it has no end"`
	// Error is why strangers cannot use it, or why its lease was not renewed.
	Error string `json:"error,omitempty"`
}

// SeenAs is an address at which others see this node.
type SeenAs struct {
	Address netip.Addr `json:"address"`
	By      string     `json:"by" enum:"dht,peers"`
	Count   int        `json:"count,omitempty" doc:"how many said so; 0 for most of the DHT"`
}

// DHTReport is the state of the DHT node.
type DHTReport struct {
	Nodes     int    `json:"nodes" doc:"known"`
	Answering int    `json:"answering" doc:"of them, heard in the last 15 minutes"`
	Problem   string `json:"problem,omitempty"`
}

// GatewayProblem is why a method of asking the router does not work.
type GatewayProblem struct {
	Method string `json:"method" doc:"PCP, NAT-PMP or UPnP"`
	Error  string `json:"error"`
}
