package token

import (
	"net/netip"
	"testing"
	"time"
)

func TestTokens(t *testing.T) {
	m := New([32]byte{1})
	a, b := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	start := 100 * time.Hour
	tok := m.Make(start, a)
	for age := time.Duration(0); age < Period; age += time.Minute {
		if !m.Valid(start+age, a, tok[:]) {
			t.Errorf("invalid after %v", age)
		}
	}
	if m.Valid(start+2*Period, a, tok[:]) {
		t.Error("valid after two periods")
	}
	if m.Valid(start, b, tok[:]) {
		t.Error("valid for another address")
	}
	if New([32]byte{2}).Valid(start, a, tok[:]) {
		t.Error("valid with another secret")
	}
	for _, bad := range [][]byte{nil, {}, tok[:7], append(tok[:], 0)} {
		if m.Valid(start, a, bad) {
			t.Errorf("%x is valid", bad)
		}
	}
}
