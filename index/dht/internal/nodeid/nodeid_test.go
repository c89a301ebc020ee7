package nodeid

import (
	"hash/crc32"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func gen(t *rapid.T, label string) ID {
	return ID(rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, label))
}

func number(a ID) *big.Int { return new(big.Int).SetBytes(a[:]) }

// Order, distance and prefix are those of 160-bit numbers.
func TestMetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := gen(t, "a"), gen(t, "b"), gen(t, "c")
		if n := rapid.IntRange(0, 20).Draw(t, "same"); n > 0 {
			copy(b[:n], a[:n]) // far prefixes are rare by chance
		}
		if got, want := a.Less(b), number(a).Cmp(number(b)) < 0; got != want {
			t.Errorf("%v < %v: %v", a, b, got)
		}
		da, db := number(c.Xor(a)), number(c.Xor(b))
		if got, want := Closer(&c, &a, &b), da.Cmp(db) < 0; got != want {
			t.Errorf("closer: %v", got)
		}
		if got, want := a.Prefix(b), Bits-number(a.Xor(b)).BitLen(); got != want {
			t.Errorf("prefix of %v and %v: %d, want %d", a, b, got, want)
		}
	})
}

func TestSubtrees(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	rapid.Check(t, func(t *rapid.T) {
		a, n := gen(t, "a"), rapid.IntRange(0, Bits).Draw(t, "bits")
		if got := a.At(n, r).Prefix(a); got != n {
			t.Errorf("At(%d) shares %d bits", n, got)
		}
		if n < Bits && a.Flip(n).Prefix(a) != n {
			t.Errorf("Flip(%d) shares %d bits", n, a.Flip(n).Prefix(a))
		}
		low := a.Low(n)
		if low.Prefix(a) < n || a.Less(low) || low.Low(n) != low {
			t.Errorf("Low(%d) of %v is %v", n, a, low)
		}
		// After is the lowest number behind: low plus the size of the subtree.
		size := new(big.Int).Lsh(big.NewInt(1), uint(Bits-n))
		want := new(big.Int).Add(number(low), size)
		got, ok := a.After(n)
		if ok != (want.BitLen() <= Bits) || ok && number(got).Cmp(want) != 0 {
			t.Errorf("After(%d) of %v is %v, %v; want %x", n, a, got, ok, want)
		}
	})
}

// Derive and Fits follow BEP 42, computed here from its text.
func TestSecureIDs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	mask := [8]byte{0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff}
	for range 200 {
		ip := [16]byte{0x20, 0x01, 0x0d, 0xb8}
		for i := 4; i < 16; i++ {
			ip[i] = byte(r.Uint32())
		}
		addr := netip.AddrFrom16(ip)
		id := Derive(addr, r)
		var in [8]byte
		for i := range in {
			in[i] = ip[i] & mask[i]
		}
		in[0] |= id[19] & 7 << 5
		sum := crc32.Checksum(in[:], crc32.MakeTable(crc32.Castagnoli))
		if id[0] != byte(sum>>24) || id[1] != byte(sum>>16) || id[2]&0xf8 != byte(sum>>8)&0xf8 {
			t.Fatalf("%v for %v", id, addr)
		}
		if !Fits(id, addr) || Fits(id.Flip(r.IntN(21)), addr) {
			t.Fatalf("%v at %v", id, addr)
		}
		ip[15]++ // another host of the same /64
		if !Fits(id, netip.AddrFrom16(ip)) {
			t.Fatalf("%v does not fit %v", id, netip.AddrFrom16(ip))
		}
	}
}

func TestLocalAddressesMeanTheSameNearbyOnly(t *testing.T) {
	all := []string{"::1", "fe80::1", "fd00::1", "2001:db8::1"}
	for _, addr := range all {
		for _, other := range all {
			want := addr == other || addr == "2001:db8::1"
			if got := Shared(netip.MustParseAddr(addr), netip.MustParseAddr(other)); got != want {
				t.Errorf("%s tells of %s: %v", other, addr, got)
			}
		}
	}
}

func TestLocalAddressesFitAll(t *testing.T) {
	for addr, local := range map[string]bool{
		"::1": true, "fe80::1": true, "fd00::1": true, "2001:db8::1": false, "ff02::1": false,
	} {
		if a := netip.MustParseAddr(addr); Local(a) != local || local && !Fits(ID{}, a) {
			t.Errorf("Local(%s) = %v", addr, !local)
		}
	}
}
