package compact

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestPeers(t *testing.T) {
	a6 := netip.MustParseAddrPort("[2001:db8::1]:6881")
	b6 := netip.MustParseAddrPort("[::ffff:1.2.3.4]:1")
	a4 := netip.MustParseAddrPort("1.2.3.4:65535")
	six := Append(Append(nil, a6), b6)
	if len(six) != 2*Len6 {
		t.Fatalf("%d bytes", len(six))
	}
	if got := Peers6(append(six, "partial"...)); fmt.Sprint(got) != fmt.Sprint([]netip.AddrPort{a6, b6}) {
		t.Errorf("IPv6: %v", got)
	}
	four := Append(nil, a4)
	if got := Peers4(append(four, 1, 2, 3)); len(four) != Len4 || len(got) != 1 || got[0] != a4 {
		t.Errorf("IPv4: %v", got)
	}
	if len(Peers6(nil))+len(Peers4([]byte{1})) != 0 {
		t.Error("addresses out of nothing")
	}
}
