// Package krpc reads and writes the datagrams of the DHT: BEP 5 with BEP 32,
// 33, 42, 43 and 44, for IPv6.
//
// Decode keeps slices of the datagram instead of copies, allocates nothing, and
// returns an error for every input that is not a message, never a panic.
//
//	query    {"t": tid, "y": "q", "q": method, "a": {"id": 20 bytes, ...}, "ro": 1?}
//	reply    {"t": tid, "y": "r", "r": {"id": 20 bytes, ...}, "ip": your address}
//	error    {"t": tid, "y": "e", "e": [code, text]}
//	node     20 bytes id, 16 bytes IPv6 address, 2 bytes port   (38)
//	peer     16 bytes IPv6 address, 2 bytes port                (18)
package krpc

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

// The sizes of compact addresses and the longest transaction id we echo.
const (
	NodeSize  = 38
	PeerSize  = 18
	MaxTID    = 32
	BloomSize = 256
)

// Kind tells queries, replies and errors apart.
type Kind byte

// The kinds, as on the wire.
const (
	KindQuery Kind = 'q'
	KindReply Kind = 'r'
	KindError Kind = 'e'
)

// Method is what a query asks.
type Method uint8

// The methods. Unknown ones that carry a target are answered as FindNode is.
const (
	Unknown Method = iota
	Ping
	FindNode
	GetPeers
	AnnouncePeer
	Get
	Put
	Methods // their number
)

var methodNames = [Methods]string{"", "ping", "find_node", "get_peers", "announce_peer", "get", "put"}

func (m Method) String() string { return methodNames[m] }

// Error codes of BEP 5 and BEP 44.
const (
	CodeGeneric    = 201
	CodeServer     = 202
	CodeProtocol   = 203
	CodeUnknown    = 204
	CodeTooBig     = 205
	CodeSignature  = 206
	CodeSaltTooBig = 207
	CodeCAS        = 301
	CodeStale      = 302
)

// Message is a decoded datagram. Slices point into it. A nil slice means that
// the field was absent.
type Message struct {
	Kind     Kind
	TID      []byte
	Method   Method
	ReadOnly bool           // BEP 43
	Version  []byte         // of the sender's client
	IP       netip.AddrPort // how the sender sees us, BEP 42

	HasID     bool
	ID        nodeid.ID
	HasTarget bool // "target", or "info_hash" where that is the method's word
	Target    nodeid.ID

	Token       []byte
	Port        uint16
	ImpliedPort bool
	Seed        bool
	NoSeed      bool
	Scrape      bool
	OnlyNodes4  bool // BEP 32: "want" is there and does not want IPv6 nodes

	HasNodes6  bool
	Nodes6     []byte
	BFsd, BFpe []byte // BloomSize each, BEP 33
	values     []byte // the raw list

	V, K, Sig, Salt []byte // BEP 44; V is raw bencoding
	HasSeq, HasCas  bool
	Seq, Cas        int64

	Code int
	Text []byte
}

// Reasons for refusing a message that is bencoded.
var (
	errKind   = errors.New("neither query, reply nor error")
	errTID    = errors.New("no usable transaction id")
	errField  = errors.New("a field has the wrong type or length")
	errNeeded = errors.New("a required field is missing")
)

// Decode reads a datagram into m. After an error m.Kind and m.TID are set as
// far as they were understood, so that a query can be answered with an error.
func Decode(b []byte, m *Message) error {
	*m = Message{}
	r := reader{b: b}
	if !r.open('d') {
		return errSyntax
	}
	var infoHash bool
	for r.more() {
		key, err := r.str()
		if err != nil {
			return err
		}
		if err := m.top(&r, key, &infoHash); err != nil {
			return errors.Join(err, r.rest(m))
		}
	}
	// Bytes after the message are ignored: some senders pad.
	return m.check()
}

// rest looks for the transaction id and kind behind a field that was refused,
// so that the sender of a broken query gets an answer.
func (r *reader) rest(m *Message) error {
	again := reader{b: r.b, i: 1}
	for again.more() {
		key, err := again.str()
		if err != nil {
			return err
		}
		v, err := again.raw(2)
		if err != nil {
			return err
		}
		f := reader{b: v}
		switch string(key) {
		case "t":
			m.TID, _ = f.str()
		case "y":
			if k, _ := f.str(); len(k) == 1 {
				m.Kind = Kind(k[0])
			}
		}
	}
	return nil
}

func (m *Message) top(r *reader, key []byte, infoHash *bool) (err error) {
	if len(key) > 2 {
		return r.skip(2)
	}
	switch string(key) {
	case "t":
		m.TID, err = r.str()
	case "y":
		var k []byte
		if k, err = r.str(); err == nil && len(k) == 1 {
			m.Kind = Kind(k[0])
		}
	case "q":
		var q []byte
		if q, err = r.str(); err == nil {
			m.Method = methodOf(q)
		}
	case "a", "r":
		err = m.body(r, infoHash)
	case "e":
		err = m.failure(r)
	case "v":
		if c := r.peek(); c >= '0' && c <= '9' {
			m.Version, err = r.str()
		} else {
			err = r.skip(2)
		}
	case "ip":
		var ip []byte
		if ip, err = r.str(); err == nil && len(ip) == PeerSize {
			m.IP = AddrPort(ip)
		}
	case "ro":
		var n int64
		n, err = r.integer()
		m.ReadOnly = n != 0
	default:
		err = r.skip(2)
	}
	return err
}

func methodOf(q []byte) Method {
	for i := Ping; i < Methods; i++ {
		if string(q) == methodNames[i] {
			return i
		}
	}
	return Unknown
}

func (m *Message) check() error {
	if len(m.TID) == 0 || len(m.TID) > MaxTID {
		return errTID
	}
	switch m.Kind {
	case KindQuery:
		if !m.HasID {
			return errNeeded
		}
		switch m.Method {
		case FindNode, GetPeers, AnnouncePeer, Get:
			if !m.HasTarget {
				return errNeeded
			}
		}
		switch m.Method {
		case AnnouncePeer:
			if len(m.Token) == 0 || m.Port == 0 && !m.ImpliedPort {
				return errNeeded
			}
		case Put:
			if len(m.Token) == 0 || m.V == nil || m.K != nil && (m.Sig == nil || !m.HasSeq) {
				return errNeeded
			}
		}
	case KindReply:
		if !m.HasID {
			return errNeeded
		}
		if m.K != nil && m.V != nil && (m.Sig == nil || !m.HasSeq) {
			return errNeeded
		}
	case KindError:
	default:
		return errKind
	}
	return nil
}

// body reads the dictionary of a query's arguments or a reply's results.
func (m *Message) body(r *reader, infoHash *bool) error {
	if !r.open('d') {
		return errField
	}
	for r.more() {
		key, err := r.str()
		if err != nil {
			return err
		}
		if err := m.field(r, key, infoHash); err != nil {
			return err
		}
	}
	return nil
}

func (m *Message) field(r *reader, key []byte, infoHash *bool) (err error) {
	switch string(key) {
	case "id":
		m.HasID = true
		return r.id(&m.ID)
	case "target":
		m.HasTarget = true
		if *infoHash {
			return r.skip(3) // get_peers and announce_peer mean info_hash
		}
		return r.id(&m.Target)
	case "info_hash":
		m.HasTarget, *infoHash = true, true
		return r.id(&m.Target)
	case "token":
		m.Token, err = r.str()
	case "port":
		var n int64
		if n, err = r.integer(); err == nil && n > 0 && n <= 65535 {
			m.Port = uint16(n)
		}
	case "implied_port":
		m.ImpliedPort, err = r.flag()
	case "seed":
		m.Seed, err = r.flag()
	case "noseed":
		m.NoSeed, err = r.flag()
	case "scrape":
		m.Scrape, err = r.flag()
	case "want":
		return m.want(r)
	case "nodes6":
		m.HasNodes6 = true
		m.Nodes6, err = r.str()
	case "values":
		m.values, err = r.raw(3)
		if err == nil && m.values[0] != 'l' {
			m.values = nil
		}
	case "BFsd":
		m.BFsd, err = r.exactly(BloomSize)
	case "BFpe":
		m.BFpe, err = r.exactly(BloomSize)
	case "v":
		m.V, err = r.raw(3)
	case "k":
		m.K, err = r.exactly(32)
	case "sig":
		m.Sig, err = r.exactly(64)
	case "salt":
		m.Salt, err = r.str()
	case "seq":
		m.HasSeq = true
		m.Seq, err = r.integer()
	case "cas":
		m.HasCas = true
		m.Cas, err = r.integer()
	default:
		return r.skip(3)
	}
	return err
}

func (m *Message) want(r *reader) error {
	if !r.open('l') {
		return errField
	}
	m.OnlyNodes4 = true
	for r.more() {
		w, err := r.str()
		if err != nil {
			return err
		}
		if string(w) == "n6" {
			m.OnlyNodes4 = false
		}
	}
	return nil
}

func (m *Message) failure(r *reader) error {
	if r.peek() != 'l' {
		return r.skip(2) // some send a bare string
	}
	r.i++
	for i := 0; r.more(); i++ {
		var err error
		switch c := r.peek(); {
		case i == 0 && c == 'i':
			var n int64
			n, err = r.integer()
			m.Code = int(n)
		case i == 1 && c >= '0' && c <= '9':
			m.Text, err = r.str()
		default:
			err = r.skip(3)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) id(id *nodeid.ID) error {
	s, err := r.exactly(len(id))
	copy(id[:], s)
	return err
}

func (r *reader) exactly(n int) ([]byte, error) {
	s, err := r.str()
	if err == nil && len(s) != n {
		err = errField
	}
	return s, err
}

func (r *reader) flag() (bool, error) {
	n, err := r.integer()
	return n != 0, err
}

// Peers calls yield for each IPv6 peer in the reply until it returns false.
func (m *Message) Peers(yield func(netip.AddrPort) bool) {
	r := reader{b: m.values}
	if !r.open('l') {
		return
	}
	for r.more() {
		if c := r.peek(); c < '0' || c > '9' {
			if r.skip(4) != nil {
				return
			}
			continue
		}
		s, err := r.str()
		if err != nil {
			return
		}
		if len(s) == PeerSize {
			if a := AddrPort(s); Dialable(a) && !yield(a) {
				return
			}
		}
	}
}

// Nodes calls yield for each usable node in the reply until it returns false.
func (m *Message) Nodes(yield func(nodeid.ID, netip.AddrPort) bool) {
	for b := m.Nodes6; len(b) >= NodeSize; b = b[NodeSize:] {
		a := AddrPort(b[20:NodeSize])
		if Dialable(a) && !yield(nodeid.ID(b[:20]), a) {
			return
		}
	}
}

// AddrPort reads PeerSize bytes.
func AddrPort(b []byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b)), binary.BigEndian.Uint16(b[16:]))
}

// Dialable tells whether a can be the address of a peer or node: IPv6, one
// host, and a port.
func Dialable(a netip.AddrPort) bool {
	ip := a.Addr()
	return a.Port() != 0 && ip.Is6() && !ip.Is4In6() && !ip.IsMulticast() && !ip.IsUnspecified()
}
