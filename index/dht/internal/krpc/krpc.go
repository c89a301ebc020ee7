// Package krpc keeps to itself how the datagrams of the DHT are encoded: BEP 5 with
// BEP 32, 33, 42, 43 and 44, for IPv6.
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
	"github.com/shoalnet/shoal/share/bencode"
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
	r := newReader(b, maxDepth)
	if err := r.Enter(bencode.Dict); err != nil {
		return err
	}
	var infoHash bool
	for {
		more, err := r.More()
		if err != nil {
			return err
		}
		if !more {
			// Bytes after the message are ignored: some senders pad.
			return m.check()
		}
		key, err := r.Bytes()
		if err != nil {
			return err
		}
		if err := m.top(&r, key, &infoHash); err != nil {
			return errors.Join(err, m.rest(b))
		}
	}
}

// rest looks for the transaction id and kind behind a field that was refused,
// so that the sender of a broken query gets an answer.
func (m *Message) rest(b []byte) error {
	r := newReader(b, maxDepth)
	return r.Dict(false, func(key []byte) error {
		v, err := r.Raw()
		if err != nil {
			return err
		}
		f := newReader(v, maxDepth)
		switch string(key) {
		case "t":
			m.TID, _ = f.Bytes()
		case "y":
			if k, _ := f.Bytes(); len(k) == 1 {
				m.Kind = Kind(k[0])
			}
		}
		return nil
	})
}

func (m *Message) top(r *reader, key []byte, infoHash *bool) (err error) {
	if len(key) > 2 {
		return r.Skip()
	}
	switch string(key) {
	case "t":
		m.TID, err = r.Bytes()
	case "y":
		var k []byte
		if k, err = r.Bytes(); err == nil && len(k) == 1 {
			m.Kind = Kind(k[0])
		}
	case "q":
		var q []byte
		if q, err = r.Bytes(); err == nil {
			m.Method = methodOf(q)
		}
	case "a", "r":
		err = m.body(r, infoHash)
	case "e":
		err = m.failure(r)
	case "v":
		if r.Kind() == bencode.String {
			m.Version, err = r.Bytes()
		} else {
			err = r.Skip()
		}
	case "ip":
		var ip []byte
		if ip, err = r.Bytes(); err == nil && len(ip) == PeerSize {
			m.IP = AddrPort(ip)
		}
	case "ro":
		var n int64
		n, err = r.Int()
		m.ReadOnly = n != 0
	default:
		err = r.Skip()
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
	if r.Enter(bencode.Dict) != nil {
		return errField
	}
	for {
		more, err := r.More()
		if !more || err != nil {
			return err
		}
		key, err := r.Bytes()
		if err != nil {
			return err
		}
		if err := m.field(r, key, infoHash); err != nil {
			return err
		}
	}
}

func (m *Message) field(r *reader, key []byte, infoHash *bool) (err error) {
	switch string(key) {
	case "id":
		m.HasID = true
		return r.id(&m.ID)
	case "target":
		m.HasTarget = true
		if *infoHash {
			return r.Skip() // get_peers and announce_peer mean info_hash
		}
		return r.id(&m.Target)
	case "info_hash":
		m.HasTarget, *infoHash = true, true
		return r.id(&m.Target)
	case "token":
		m.Token, err = r.Bytes()
	case "port":
		var n int64
		if n, err = r.Int(); err == nil && n > 0 && n <= 65535 {
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
		m.Nodes6, err = r.Bytes()
	case "values":
		m.values, err = r.Raw()
		if err == nil && m.values[0] != 'l' {
			m.values = nil
		}
	case "BFsd":
		m.BFsd, err = r.exactly(BloomSize)
	case "BFpe":
		m.BFpe, err = r.exactly(BloomSize)
	case "v":
		m.V, err = r.Raw()
	case "k":
		m.K, err = r.exactly(32)
	case "sig":
		m.Sig, err = r.exactly(64)
	case "salt":
		m.Salt, err = r.Bytes()
	case "seq":
		m.HasSeq = true
		m.Seq, err = r.Int()
	case "cas":
		m.HasCas = true
		m.Cas, err = r.Int()
	default:
		return r.Skip()
	}
	return err
}

func (m *Message) want(r *reader) error {
	if r.Enter(bencode.List) != nil {
		return errField
	}
	m.OnlyNodes4 = true
	for {
		more, err := r.More()
		if !more || err != nil {
			return err
		}
		w, err := r.Bytes()
		if err != nil {
			return err
		}
		if string(w) == "n6" {
			m.OnlyNodes4 = false
		}
	}
}

func (m *Message) failure(r *reader) error {
	if r.Kind() != bencode.List {
		return r.Skip() // some send a bare string
	}
	i := -1
	return r.List(func() (err error) {
		i++
		switch k := r.Kind(); {
		case i == 0 && k == bencode.Int:
			var n int64
			n, err = r.Int()
			m.Code = int(n)
		case i == 1 && k == bencode.String:
			m.Text, err = r.Bytes()
		default:
			err = r.Skip()
		}
		return err
	})
}

func (r *reader) id(id *nodeid.ID) error {
	s, err := r.exactly(len(id))
	copy(id[:], s)
	return err
}

func (r *reader) exactly(n int) ([]byte, error) {
	s, err := r.Bytes()
	if err == nil && len(s) != n {
		err = errField
	}
	return s, err
}

func (r *reader) flag() (bool, error) {
	n, err := r.Int()
	return n != 0, err
}

// Peers calls yield for each IPv6 peer in the reply until it returns false.
func (m *Message) Peers(yield func(netip.AddrPort) bool) {
	r := newReader(m.values, maxDepth)
	if r.Enter(bencode.List) != nil {
		return
	}
	for {
		if more, err := r.More(); !more || err != nil {
			return
		}
		if r.Kind() != bencode.String {
			if r.Skip() != nil {
				return
			}
			continue
		}
		s, err := r.Bytes()
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

// Dialable reports whether a can be the address of a peer or node: IPv6, one
// host, and a port.
func Dialable(a netip.AddrPort) bool {
	ip := a.Addr()
	return a.Port() != 0 && ip.Is6() && !ip.Is4In6() && !ip.IsMulticast() && !ip.IsUnspecified()
}
