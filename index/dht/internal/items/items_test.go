package items

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/anacrolix/dht/v2/bep44"

	"github.com/shoalnet/shoal/index/dht/internal/krpc"
)

var from = netip.MustParseAddrPort("[2001:db8::1]:6881")

func newStore() *Store { return New(rand.New(rand.NewPCG(1, 2)), 100) }

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signed makes a mutable item.
func signed(key ed25519.PrivateKey, salt []byte, seq int64, v []byte) *Item {
	return &Item{V: v, K: key.Public().(ed25519.PublicKey), Salt: salt, Seq: seq, Sig: bep44.Sign(key, salt, seq, v)}
}

// The vectors of BEP 44.
func TestVectors(t *testing.T) {
	k := unhex(t, "77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548")
	for _, c := range []struct {
		name, target string
		it           Item
	}{
		{"mutable", "4a533d47ec9c7d95b1ad75f576cffc641853b750", Item{
			V: []byte("12:Hello World!"), K: k, Seq: 1,
			Sig: unhex(t, "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01"),
		}},
		{"salt", "411eba73b6f087ca51a3795d9c8c938d365e32c1", Item{
			V: []byte("12:Hello World!"), K: k, Seq: 1, Salt: []byte("foobar"),
			Sig: unhex(t, "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17ddf9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08"),
		}},
		{"immutable", "e5f96f6f38320f0f33959cb4d3d656452117aadb", Item{V: []byte("12:Hello World!")}},
	} {
		if code := Check(&c.it); code != 0 {
			t.Errorf("%s: code %d", c.name, code)
		}
		if got := c.it.Target().String(); got != c.target {
			t.Errorf("%s: target %s, want %s", c.name, got, c.target)
		}
	}
}

func TestCheck(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*Item)
		want   int
	}{
		{"valid", func(*Item) {}, 0},
		{"value", func(it *Item) { it.V = []byte("2:xx") }, krpc.CodeSignature},
		{"sequence", func(it *Item) { it.Seq++ }, krpc.CodeSignature},
		{"salt", func(it *Item) { it.Salt = []byte("other") }, krpc.CodeSignature},
		{"no salt", func(it *Item) { it.Salt = nil }, krpc.CodeSignature},
		{"key", func(it *Item) { it.K = bytes.Repeat([]byte{1}, 32) }, krpc.CodeSignature},
		{"short key", func(it *Item) { it.K = it.K[:31] }, krpc.CodeProtocol},
		{"short signature", func(it *Item) { it.Sig = it.Sig[:63] }, krpc.CodeProtocol},
		{"not bencoded", func(it *Item) { it.V = []byte("xx") }, krpc.CodeProtocol},
		{"empty", func(it *Item) { it.V = nil }, krpc.CodeProtocol},
		{"too big", func(it *Item) { it.V = []byte("997:" + strings.Repeat("x", 997)) }, krpc.CodeTooBig},
		{"long salt", func(it *Item) { it.Salt = bytes.Repeat([]byte{1}, 65) }, krpc.CodeSaltTooBig},
	} {
		it := signed(key, []byte("salt"), 5, []byte("1:x"))
		c.change(it)
		if got := Check(it); got != c.want {
			t.Errorf("%s: code %d, want %d", c.name, got, c.want)
		}
	}
	big := signed(key, nil, 5, []byte("996:"+strings.Repeat("x", 996)))
	if code := Check(big); code != 0 {
		t.Errorf("1000 bytes: code %d", code)
	}
}

func TestSequence(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newStore()
	item := func(seq int64, v string) *Item { return signed(key, nil, seq, []byte(v)) }
	for _, c := range []struct {
		name string
		it   *Item
		cas  *int64
		want int
		then string
	}{
		{"first", item(5, "1:a"), nil, 0, "1:a"},
		{"again", item(5, "1:a"), nil, 0, "1:a"},
		{"same sequence, other value", item(5, "1:b"), nil, krpc.CodeStale, "1:a"},
		{"older", item(4, "1:b"), nil, krpc.CodeStale, "1:a"},
		{"newer", item(6, "1:b"), nil, 0, "1:b"},
		{"wrong cas", item(7, "1:c"), new(int64(5)), krpc.CodeCAS, "1:b"},
		{"right cas", item(7, "1:c"), new(int64(6)), 0, "1:c"},
		{"cas of zero is a cas", item(8, "1:d"), new(int64(0)), krpc.CodeCAS, "1:c"},
		{"older with right cas", item(3, "1:d"), new(int64(7)), krpc.CodeStale, "1:c"},
	} {
		if got := s.Put(1, c.it, c.cas, from); got != c.want {
			t.Errorf("%s: code %d, want %d", c.name, got, c.want)
		}
		if got := s.Get(2, c.it.Target()); got == nil || string(got.V) != c.then {
			t.Errorf("%s: stored %v", c.name, got)
		}
	}
	target := item(1, "1:x").Target()
	if s.Get(1+Life, target) != nil {
		t.Error("there after its life")
	}
	if code := s.Put(1+Life, item(1, "1:z"), nil, from); code != 0 {
		t.Errorf("an expired item is in the way: %d", code)
	}
}

func TestStoreIsBounded(t *testing.T) {
	s := newStore()
	for i := range 1000 {
		s.Put(1, &Item{V: []byte("i" + strings.Repeat("1", 1+i%9) + "e")}, nil, from)
		s.Put(1, &Item{V: []byte("4:" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + "xx")}, nil, from)
	}
	if s.Len() != 100 {
		t.Errorf("%d items", s.Len())
	}
	other := netip.MustParseAddrPort("[2001:db8:1::1]:6881")
	it := &Item{V: []byte("5:other")}
	if code := s.Put(1, it, nil, other); code != 0 || s.Get(1, it.Target()) == nil {
		t.Errorf("no room for others: %d", code)
	}
}

// What is stored does not change with the datagram it came in.
func TestStoreCopies(t *testing.T) {
	s := newStore()
	v := []byte("5:hello")
	it := &Item{V: v}
	target := it.Target()
	s.Put(1, it, nil, from)
	clear(v)
	if got := s.Get(1, target); string(got.V) != "5:hello" {
		t.Errorf("%q", got.V)
	}
}
