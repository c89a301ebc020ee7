package reach

import (
	"testing"
	"unsafe"
)

func TestKindsOfAddresses(t *testing.T) {
	const autoconf, secured = 0x40, 0x400
	for flags, want := range map[uint32]Kind{
		0: Stable, autoconf: Stable, autoconf | secured: Stable, autoconf | flagTemporary: Temporary,
		autoconf | flagTemporary | flagDeprecated: Deprecated, flagTentative: Tentative, flagTentative | flagOptimistic: Stable,
		autoconf | flagDetached: Tentative, flagDuplicated | flagTentative: Tentative,
	} {
		if got := kindOf(flags); got != want {
			t.Errorf("%#x: %s, want %s", flags, got, want)
		}
	}
	if size := unsafe.Sizeof(addressRequest{}); size != getAddressFlags>>16&0x1fff {
		t.Errorf("the request has %d bytes", size)
	}
	all, err := ListAddresses()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.Scope == Loopback && a.Kind != Stable {
			t.Errorf("%+v", a)
		}
	}
}
