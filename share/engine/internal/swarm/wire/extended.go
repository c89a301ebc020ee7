package wire

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"

	"github.com/shoalnet/shoal/share/bencode"
	"github.com/shoalnet/shoal/share/engine/internal/compact"
)

// Names of the extensions (BEP 10), as handshakes have them.
const (
	NameMetadata  = "ut_metadata"  // BEP 9
	NamePEX       = "ut_pex"       // BEP 11
	NameDontHave  = "lt_donthave"  // BEP 54
	NameHolepunch = "ut_holepunch" // BEP 55
	// NameUploadOnly is upload_only as a message, as libtorrent sends it.
	NameUploadOnly = "upload_only"
)

// Numbers that extended messages have towards us: what Local offers.
const (
	ExtHandshake  uint8 = 0
	ExtMetadata   uint8 = 1
	ExtPEX        uint8 = 2
	ExtDontHave   uint8 = 3
	ExtHolepunch  uint8 = 4
	ExtUploadOnly uint8 = 5
	// ExtOther is the first number that is free for extensions of the caller.
	ExtOther uint8 = 16
)

// Limits of what extended messages may hold.
const (
	maxExtensions = 64
	maxClient     = 128
	// MaxInfo bounds the size of an info dictionary that a peer may name.
	MaxInfo = 4 << 20
	// MaxPEX is how many addresses of one message are read.
	MaxPEX = 200
)

// Handshake is the extended handshake (BEP 10).
type Handshake struct {
	// Extensions are the numbers of those that the sender takes messages of. A
	// number of 0 takes an extension back.
	Extensions map[string]uint8
	Client     string
	Port       uint16 // the sender's listening port
	ReqQ       int    // requests the sender keeps; 0 for not said
	InfoSize   int    // of the info dictionary; 0 for not said
	UploadOnly bool   // BEP 21
	YourIP     netip.Addr
}

var bounds = bencode.Limits{Depth: 4, Items: 1000}

// ParseHandshake reads an extended handshake. What is out of its range is left
// out.
func ParseHandshake(b []byte) (Handshake, error) {
	v, _, err := bencode.Parse(b, bounds)
	if err != nil || v.Kind != bencode.Dict {
		return Handshake{}, wrong("an extended handshake that is no dictionary")
	}
	var h Handshake
	if v.Get("m").Kind == bencode.Dict {
		h.Extensions = extensions(b)
	}
	number := func(key string, least, most int64) int {
		if n := v.Get(key); n.Kind == bencode.Int && n.Int >= least && n.Int <= most {
			return int(n.Int)
		}
		return 0
	}
	h.Port = uint16(number("p", 1, 65535))
	h.ReqQ = number("reqq", 1, 1<<20)
	h.InfoSize = number("metadata_size", 1, MaxInfo)
	h.UploadOnly = number("upload_only", 1, 255) != 0
	if c := v.Get("v"); c.Kind == bencode.String {
		h.Client = printable(c.Str)
	}
	if ip := v.Get("yourip"); ip.Kind == bencode.String {
		h.YourIP, _ = netip.AddrFromSlice(ip.Str)
	}
	return h, nil
}

// extensions reads the dictionary m of b, which Parse has read before. Of equal
// names the first counts.
func extensions(b []byte) map[string]uint8 {
	found := make(map[string]uint8)
	r := bencode.NewReader(b, bounds.Depth)
	seen := false
	_ = r.Dict(false, func(key []byte) error {
		if string(key) != "m" || seen {
			return r.Skip()
		}
		seen = true
		return r.Dict(false, func(key []byte) error {
			if r.Kind() != bencode.Int {
				return r.Skip()
			}
			n, err := r.Int()
			if _, twice := found[string(key)]; !twice && len(found) < maxExtensions && len(key) <= 32 && n >= 0 && n <= 255 {
				found[string(key)] = uint8(n)
			}
			return err
		})
	})
	return found
}

// printable is b as text that is safe to show.
func printable(b []byte) string {
	out := make([]rune, 0, min(len(b), maxClient))
	for _, c := range string(b) {
		if len(out) == maxClient {
			break
		}
		if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 || c == 0xfffd || c >= 0x200b && c <= 0x200f || c >= 0x2028 && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
			c = '?'
		}
		out = append(out, c)
	}
	return string(out)
}

// AppendHandshake adds an extended handshake to b. Extensions come in the order
// of their names.
func AppendHandshake(b []byte, h *Handshake) []byte {
	b = append(b, "d1:md"...)
	for _, name := range slices.Sorted(maps.Keys(h.Extensions)) {
		b = bencode.AppendInt(bencode.AppendString(b, name), int64(h.Extensions[name]))
	}
	b = append(b, 'e')
	number := func(key string, n int) {
		if n != 0 {
			b = bencode.AppendInt(bencode.AppendString(b, key), int64(n))
		}
	}
	number("metadata_size", h.InfoSize)
	number("p", int(h.Port))
	number("reqq", h.ReqQ)
	if h.UploadOnly {
		number("upload_only", 1)
	}
	if h.Client != "" {
		b = bencode.AppendString(bencode.AppendString(b, "v"), h.Client)
	}
	if h.YourIP.IsValid() {
		b = bencode.AppendString(bencode.AppendString(b, "yourip"), h.YourIP.AsSlice())
	}
	return append(b, 'e')
}

// The kinds of ut_metadata messages.
const (
	MetaRequest = 0
	MetaData    = 1
	MetaReject  = 2
)

// Metadata is a message of ut_metadata (BEP 9).
type Metadata struct {
	Kind  int
	Piece int
	Total int    // of MetaData; 0 for not said
	Data  []byte // of MetaData; part of what was parsed
}

// ParseMetadata reads a message of ut_metadata. Kinds that are not known are
// for the caller to ignore.
func ParseMetadata(b []byte) (Metadata, error) {
	v, rest, err := bencode.Parse(b, bounds)
	if err != nil || v.Kind != bencode.Dict {
		return Metadata{}, wrong("a ut_metadata message that is no dictionary")
	}
	kind, piece, total := v.Get("msg_type"), v.Get("piece"), v.Get("total_size")
	if kind.Kind != bencode.Int || kind.Int < 0 || kind.Int > 255 {
		return Metadata{}, wrong("a ut_metadata message without a type")
	}
	if piece.Kind != bencode.Int || piece.Int < 0 || piece.Int > MaxInfo/BlockSize {
		return Metadata{}, wrong("a ut_metadata message without a piece")
	}
	m := Metadata{Kind: int(kind.Int), Piece: int(piece.Int)}
	if m.Kind == MetaData {
		if total.Kind == bencode.Int && total.Int > 0 && total.Int <= MaxInfo {
			m.Total = int(total.Int)
		}
		if len(rest) == 0 || len(rest) > BlockSize {
			return Metadata{}, wrong("a ut_metadata block of %d bytes", len(rest))
		}
		m.Data = rest
	}
	return m, nil
}

// AppendMetadata adds a message of ut_metadata to b.
func AppendMetadata(b []byte, m *Metadata) []byte {
	b = append(b, 'd')
	b = bencode.AppendInt(bencode.AppendString(b, "msg_type"), int64(m.Kind))
	b = bencode.AppendInt(bencode.AppendString(b, "piece"), int64(m.Piece))
	if m.Kind == MetaData {
		b = bencode.AppendInt(bencode.AppendString(b, "total_size"), int64(m.Total))
	}
	b = append(b, 'e')
	return append(b, m.Data...)
}

// The flags of a peer in PEX (BEP 11).
const (
	PEXEncrypts  = 0x01
	PEXSeed      = 0x02
	PEXUTP       = 0x04
	PEXHolepunch = 0x08
	PEXReachable = 0x10
)

// PEXPeer is a peer that a message of PEX names.
type PEXPeer struct {
	Addr  netip.AddrPort
	Flags uint8
}

// PEX is a message of ut_pex (BEP 11).
type PEX struct {
	Added   []PEXPeer
	Dropped []netip.AddrPort
}

// ParsePEX reads a message of ut_pex, at most MaxPEX addresses of each list.
// Addresses are as the peer sent them, except that those without a port are
// left out.
func ParsePEX(b []byte) (PEX, error) {
	v, _, err := bencode.Parse(b, bounds)
	if err != nil || v.Kind != bencode.Dict {
		return PEX{}, wrong("a ut_pex message that is no dictionary")
	}
	var p PEX
	add := func(list, flags bencode.Value, size int, read func([]byte) []netip.AddrPort) {
		for i, ap := range read(clip(list.Str, size)) {
			peer := PEXPeer{Addr: ap}
			if i < len(flags.Str) {
				peer.Flags = flags.Str[i]
			}
			if ap.Port() != 0 && len(p.Added) < MaxPEX {
				p.Added = append(p.Added, peer)
			}
		}
	}
	add(v.Get("added6"), v.Get("added6.f"), compact.Len6, compact.Peers6)
	add(v.Get("added"), v.Get("added.f"), compact.Len4, compact.Peers4)
	p.Dropped = append(compact.Peers6(clip(v.Get("dropped6").Str, compact.Len6)), compact.Peers4(clip(v.Get("dropped").Str, compact.Len4))...)
	return p, nil
}

func clip(b []byte, size int) []byte { return b[:min(len(b), MaxPEX*size)] }

// AppendPEX adds a message of ut_pex to b.
func AppendPEX(b []byte, p *PEX) []byte {
	var added, flags, added6, flags6, dropped, dropped6 []byte
	for _, peer := range p.Added {
		if peer.Addr.Addr().Is4() {
			added, flags = compact.Append(added, peer.Addr), append(flags, peer.Flags)
		} else {
			added6, flags6 = compact.Append(added6, peer.Addr), append(flags6, peer.Flags)
		}
	}
	for _, ap := range p.Dropped {
		if ap.Addr().Is4() {
			dropped = compact.Append(dropped, ap)
		} else {
			dropped6 = compact.Append(dropped6, ap)
		}
	}
	b = append(b, 'd')
	for _, f := range []struct {
		key   string
		value []byte
	}{{"added", added}, {"added.f", flags}, {"added6", added6}, {"added6.f", flags6}, {"dropped", dropped}, {"dropped6", dropped6}} {
		b = bencode.AppendString(bencode.AppendString(b, f.key), f.value)
	}
	return append(b, 'e')
}

// ParseDontHave reads a message of lt_donthave: the piece that its sender has
// no more (BEP 54). The piece is checked against l.
func ParseDontHave(b []byte, l *Layout) (int, error) {
	if len(b) != 4 {
		return 0, wrong("an lt_donthave message of %d bytes", len(b))
	}
	pieces := MaxPieces
	if l.Known() {
		pieces = l.Pieces
	}
	i := binary.BigEndian.Uint32(b)
	if int64(i) >= int64(pieces) {
		return 0, wrong("an lt_donthave message for piece %d of %d", i, pieces)
	}
	return int(i), nil
}

// AppendDontHave adds a message of lt_donthave to b.
func AppendDontHave(b []byte, piece int) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(piece))
}

// The kinds of ut_holepunch messages.
const (
	PunchRendezvous = 0
	PunchConnect    = 1
	PunchError      = 2
)

// Holepunch is a message of ut_holepunch (BEP 55).
type Holepunch struct {
	Kind uint8
	Addr netip.AddrPort
	Code uint32 // of PunchError
}

// ParseHolepunch reads a message of ut_holepunch.
func ParseHolepunch(b []byte) (Holepunch, error) {
	if len(b) < 2 || b[0] > PunchError || b[1] > 1 {
		return Holepunch{}, wrong("a ut_holepunch message of no known form")
	}
	h := Holepunch{Kind: b[0]}
	size := 4
	if b[1] == 1 {
		size = 16
	}
	rest := b[2:]
	// The error code is left out by some where there is none.
	if len(rest) != size+2 && len(rest) != size+6 {
		return Holepunch{}, wrong("a ut_holepunch message of %d bytes", len(b))
	}
	addr, _ := netip.AddrFromSlice(rest[:size])
	h.Addr = netip.AddrPortFrom(addr, binary.BigEndian.Uint16(rest[size:]))
	if len(rest) == size+6 {
		h.Code = binary.BigEndian.Uint32(rest[size+2:])
	}
	return h, nil
}

// AppendHolepunch adds a message of ut_holepunch to b.
func AppendHolepunch(b []byte, h *Holepunch) []byte {
	family := byte(1)
	if h.Addr.Addr().Is4() {
		family = 0
	}
	b = compact.Append(append(b, h.Kind, family), h.Addr)
	return binary.BigEndian.AppendUint32(b, h.Code)
}
