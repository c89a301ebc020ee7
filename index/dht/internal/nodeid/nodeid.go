// Package nodeid keeps to itself the arithmetic of the DHT's 160-bit key space: its
// XOR metric, and which IDs an address entitles a node to (BEP 42).
package nodeid

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"math/rand/v2"
	"net/netip"

	"github.com/anacrolix/dht/v2"
	"github.com/anacrolix/dht/v2/krpc"
)

// Bits is the length of an ID.
const Bits = 160

// ID names a node or a key, big-endian.
type ID [20]byte

func (a ID) String() string { return hex.EncodeToString(a[:]) }

// Xor is the distance between a and b.
func (a ID) Xor(b ID) ID {
	var d ID
	for i := range d {
		d[i] = a[i] ^ b[i]
	}
	return d
}

// Less orders IDs as numbers.
func (a ID) Less(b ID) bool {
	if x, y := binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(b[:8]); x != y {
		return x < y
	}
	if x, y := binary.BigEndian.Uint64(a[8:16]), binary.BigEndian.Uint64(b[8:16]); x != y {
		return x < y
	}
	return binary.BigEndian.Uint32(a[16:]) < binary.BigEndian.Uint32(b[16:])
}

// Prefix counts the leading bits a and b share, at most Bits.
func (a ID) Prefix(b ID) int {
	if d := binary.BigEndian.Uint64(a[:8]) ^ binary.BigEndian.Uint64(b[:8]); d != 0 {
		return bits.LeadingZeros64(d)
	}
	if d := binary.BigEndian.Uint64(a[8:16]) ^ binary.BigEndian.Uint64(b[8:16]); d != 0 {
		return 64 + bits.LeadingZeros64(d)
	}
	return 128 + bits.LeadingZeros32(binary.BigEndian.Uint32(a[16:])^binary.BigEndian.Uint32(b[16:]))
}

// Closer reports whether a is strictly closer to target than b.
func Closer(target, a, b *ID) bool {
	t := binary.BigEndian.Uint64(target[:8])
	x, y := binary.BigEndian.Uint64(a[:8])^t, binary.BigEndian.Uint64(b[:8])^t
	if x != y {
		return x < y
	}
	return target.Xor(*a).Less(target.Xor(*b))
}

// Random is a uniformly random ID.
func Random(r *rand.Rand) ID {
	var id ID
	binary.BigEndian.PutUint64(id[:8], r.Uint64())
	binary.BigEndian.PutUint64(id[8:16], r.Uint64())
	binary.BigEndian.PutUint32(id[16:], r.Uint32())
	return id
}

// At is a random ID that shares exactly prefix leading bits with a; with Bits
// or more it is a itself.
func (a ID) At(prefix int, r *rand.Rand) ID {
	if prefix >= Bits {
		return a
	}
	id := Random(r)
	whole := prefix / 8
	copy(id[:whole], a[:whole])
	keep := byte(0xff) << (8 - prefix%8)
	flip := byte(0x80) >> (prefix % 8)
	id[whole] = a[whole]&keep | ^a[whole]&flip | id[whole]&^(keep|flip)
	return id
}

// Derive is a random ID among those BEP 42 allows a node at addr.
func Derive(addr netip.Addr, r *rand.Rand) ID {
	id := krpc.ID(Random(r))
	ip := addr.As16()
	dht.SecureNodeId(&id, ip[:])
	return ID(id)
}

// Fits reports whether BEP 42 allows a node at addr to call itself id. Local
// addresses may use any.
func Fits(id ID, addr netip.Addr) bool {
	if Local(addr) {
		return true
	}
	ip := addr.As16()
	return dht.NodeIdSecure(id, ip[:])
}

// Local reports whether addr has a meaning on this host, link or site only, so
// that nobody outside can claim it: loopback, link-local and fc00::/7.
func Local(addr netip.Addr) bool {
	return addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsPrivate()
}

// Shared reports whether the one at other can know what is at addr: local addresses mean
// the same only to those who have one of the same kind.
func Shared(addr, other netip.Addr) bool {
	return !Local(addr) || addr.IsLoopback() == other.IsLoopback() &&
		addr.IsLinkLocalUnicast() == other.IsLinkLocalUnicast() && addr.IsPrivate() == other.IsPrivate()
}

// Low is the lowest ID that shares the first bits with a.
func (a ID) Low(bits int) ID {
	if bits >= Bits {
		return a
	}
	a[bits/8] &= ^(byte(0xff) >> (bits % 8))
	clear(a[bits/8+1:])
	return a
}

// Flip is a with one bit, counted from the first, inverted.
func (a ID) Flip(bit int) ID {
	a[bit/8] ^= 0x80 >> (bit % 8)
	return a
}

// After is the first ID behind those that share the first bits with a; false if
// there is none.
func (a ID) After(bits int) (ID, bool) {
	for bits--; bits >= 0; bits-- {
		a = a.Low(bits + 1)
		if a[bits/8]&(0x80>>(bits%8)) == 0 {
			return a.Flip(bits), true
		}
	}
	return ID{}, false
}
