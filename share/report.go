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
	Warning string `json:"warning,omitempty" doc:"what this host lacks to reach others, and what would help; absent if nothing is lacking"`
	Answer  string `json:"answer" doc:"one sentence"`
	Next    string `json:"next" doc:"what to do next"`
	// WarningText, AnswerText and NextText are Warning, Answer and Next for other
	// languages.
	WarningText *Text            `json:"warning_text,omitempty"`
	AnswerText  *Text            `json:"answer_text,omitempty"`
	NextText    *Text            `json:"next_text,omitempty"`
	Verdict     Verdict          `json:"verdict" enum:"reachable,unreachable,unknown" doc:"whether a stranger's TCP connection to an address in the links succeeds"`
	Addresses   []AddressReport  `json:"addresses" doc:"addresses, those in links first"`
	Pinholes    []Pinhole        `json:"pinholes" doc:"pinholes that the router was asked for, open or not"`
	Seen        []SeenAs         `json:"seen" doc:"addresses at which others see this node"`
	IPv4        *IPv4Report      `json:"ipv4,omitempty" doc:"absent if IPv4 is off"`
	DHT         *DHTReport       `json:"dht,omitempty" doc:"absent if the DHT is off"`
	Gateways    []GatewayProblem `json:"gateways" doc:"protocols for pinholes that do not work with the router, and why"`
	Web         *WebReport       `json:"web,omitempty" doc:"absent if web links are not served"`
	Inside      *Inside          `json:"inside,omitempty" doc:"the container or virtual machine that the node runs in; absent if none is recognised"`
}

// InsideKind is the kind of environment that a node runs in.
type InsideKind string

// The kinds.
const (
	InContainer InsideKind = "container"
	InVM        InsideKind = "vm"
	InWSL       InsideKind = "wsl"
)

// Inside is the container or virtual machine that a node runs in; its network then
// depends on the host.
type Inside struct {
	Kind     InsideKind `json:"kind" enum:"container,vm,wsl"`
	Name     string     `json:"name" doc:"such as Docker, Podman or QEMU; empty if unknown"`
	Evidence string     `json:"evidence" doc:"how it was recognised"`
	NAT      bool       `json:"nat" doc:"an address indicates that the host translates addresses; always false for containers"`
}

// AddressReport is one address of this host.
type AddressReport struct {
	Address   netip.Addr `json:"address"`
	Port      uint16     `json:"port"`
	Scope     string     `json:"scope" doc:"global, ula or link-local"`
	Kind      string     `json:"kind" doc:"stable, temporary, deprecated, tentative or unknown"`
	Interface string     `json:"interface"`
	Published bool       `json:"published" doc:"announced to others, and in links"`
	TCP       Verdict    `json:"tcp" enum:"reachable,unreachable,unknown"`
	UDP       Verdict    `json:"udp" enum:"reachable,unreachable,unknown"`
	// Evidence is the evidence for TCP, or for UDP if there is none for TCP.
	Evidence    string    `json:"evidence" doc:"evidence for the verdict; empty if there is none"`
	Time        time.Time `json:"time,omitzero" doc:"time of the evidence"`
	UDPEvidence string    `json:"udp_evidence,omitempty"`
	UDPTime     time.Time `json:"udp_time,omitzero"`
	// EvidenceText and UDPEvidenceText are Evidence and UDPEvidence for other
	// languages.
	EvidenceText    *Text `json:"evidence_text,omitempty"`
	UDPEvidenceText *Text `json:"udp_evidence_text,omitempty"`
}

// Pinhole is a pinhole in the router's firewall for one address, port and protocol.
type Pinhole struct {
	Address  netip.Addr `json:"address"`
	Port     uint16     `json:"port"`
	Protocol string     `json:"protocol" enum:"tcp,udp"`
	Method   string     `json:"method" doc:"PCP or UPnP"`
	Gateway  string     `json:"gateway" doc:"address of the router that was asked"`
	Until    time.Time  `json:"until,omitzero" doc:"when the lease ends unless it is renewed; absent if the pinhole is not open"`
	// Error says why it is not open or, if Until is set, why its lease was not
	// renewed.
	Error string `json:"error,omitempty"`
	// ErrorText is Error for other languages.
	ErrorText *Text `json:"error_text,omitempty"`
}

// IPv4Report says at which address this node should be reachable over IPv4. It is no
// evidence that strangers can connect.
type IPv4Report struct {
	Addresses []netip.AddrPort `json:"addresses" doc:"in links"`
	Mapping   *PortMapping     `json:"mapping,omitempty" doc:"absent if the router has mapped no port"`
	Gateways  []GatewayProblem `json:"gateways" doc:"protocols for port mappings that do not work with the router, and why"`
}

// PortMapping is a TCP port of the router that leads to this node.
type PortMapping struct {
	External netip.AddrPort `json:"external" doc:"the router's address and port"`
	Internal netip.AddrPort `json:"internal" doc:"this node's address and port"`
	Method   string         `json:"method" doc:"PCP, NAT-PMP or UPnP"`
	Gateway  netip.Addr     `json:"gateway" doc:"address of the router"`
	Until    time.Time      `json:"until,omitzero" doc:"when the lease ends unless it is renewed; absent if it does not end"`
	// Error says why strangers cannot use it, or why its lease was not renewed.
	Error string `json:"error,omitempty"`
	// ErrorText is Error for other languages.
	ErrorText *Text `json:"error_text,omitempty"`
}

// SeenAs is an address at which others see this node.
type SeenAs struct {
	Address netip.Addr `json:"address"`
	By      string     `json:"by" enum:"dht,peers"`
	Count   int        `json:"count,omitempty" doc:"how many reported this address; 0 for most of the DHT"`
}

// DHTReport is the state of the DHT node.
type DHTReport struct {
	Nodes     int    `json:"nodes" doc:"number of known nodes"`
	Answering int    `json:"answering" doc:"number of known nodes that were heard from in the last 15 minutes"`
	Problem   string `json:"problem,omitempty"`
	// ProblemText is Problem for other languages.
	ProblemText *Text `json:"problem_text,omitempty"`
}

// GatewayProblem says why a method of asking the router does not work.
type GatewayProblem struct {
	Method string `json:"method" doc:"PCP, NAT-PMP or UPnP"`
	Error  string `json:"error"`
	// ErrorText is Error for other languages.
	ErrorText *Text `json:"error_text,omitempty"`
}

// WebReport says where browsers reach the web links of this node, and with which
// certificate.
type WebReport struct {
	Doors       []DoorReport      `json:"doors" doc:"addresses and ports of web links in addition to those for peers, best first"`
	Refused     []RefusedPort     `json:"refused,omitempty" doc:"ports at which this node should serve web links but cannot listen"`
	Certificate CertificateReport `json:"certificate"`
}

// DoorReport is an address and port at which web links are served.
type DoorReport struct {
	Address  netip.Addr `json:"address"`
	Port     uint16     `json:"port"`
	TCP      Verdict    `json:"tcp" enum:"reachable,unreachable,unknown"`
	Evidence string     `json:"evidence,omitempty"`
	Time     time.Time  `json:"time,omitzero" doc:"time of the evidence"`
	// EvidenceText is Evidence for other languages.
	EvidenceText *Text `json:"evidence_text,omitempty"`
}

// RefusedPort is a port on which this node may not or cannot listen.
type RefusedPort struct {
	Port  uint16 `json:"port"`
	Error string `json:"error" doc:"why, and what to do"`
	// ErrorText is Error for other languages.
	ErrorText *Text `json:"error_text,omitempty"`
}

// CertificateState is the state of a certificate for browsers.
type CertificateState string

// The states. If Until is set, a certificate is in use, and the states other than
// CertificateOwn and CertificateIssued are about its renewal.
const (
	CertificateNone     CertificateState = "none"           // none was requested
	CertificateOwn      CertificateState = "own"            // the owner's, from a file
	CertificateNoPort   CertificateState = "no-port"        // the CA tests ports 80 and 443, and this node listens on neither
	CertificateUnproven CertificateState = "not-reachable"  // strangers, or the CA, cannot connect
	CertificatePending  CertificateState = "pending"        // requested from the CA now
	CertificateIssued   CertificateState = "issued"         // not yet due for renewal
	CertificateRefused  CertificateState = "refused"        // by the CA
	CertificateLimited  CertificateState = "limited"        // the CA accepts no request before Retry
	CertificateNoCA     CertificateState = "ca-unreachable" // the CA cannot be reached or fails
	CertificateFailed   CertificateState = "failed"         // a fault of this node, such as its disk
)

// CertificateReport says whether browsers can use TLS with this node. Its state is that
// of the best address.
type CertificateReport struct {
	State     CertificateState     `json:"state" enum:"none,own,no-port,not-reachable,pending,issued,refused,limited,ca-unreachable,failed"`
	Answer    string               `json:"answer" doc:"one sentence"`
	Next      string               `json:"next" doc:"what to do next; empty for nothing"`
	CA        string               `json:"ca,omitempty" doc:"directory URL of the CA (RFC 8555)"`
	Until     time.Time            `json:"until,omitzero" doc:"when the owner's certificate expires"`
	Addresses []AddressCertificate `json:"addresses,omitempty" doc:"addresses, each with a certificate of its own, best first"`
}

// AddressCertificate is the certificate for one address.
type AddressCertificate struct {
	Address netip.Addr       `json:"address"`
	State   CertificateState `json:"state" enum:"no-port,not-reachable,pending,issued,refused,limited,ca-unreachable,failed"`
	Until   time.Time        `json:"until,omitzero" doc:"when the certificate in use expires; absent if there is none"`
	Renew   time.Time        `json:"renew,omitzero" doc:"when it is renewed"`
	Retry   time.Time        `json:"retry,omitzero" doc:"when the CA is asked again after a failure"`
	Error   string           `json:"error,omitempty" doc:"why the last attempt failed, in the words of the CA"`
}
