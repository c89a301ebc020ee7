package reach

import (
	"testing"

	"golang.org/x/sys/windows"
)

func TestKindsOfAddresses(t *testing.T) {
	type address = windows.IpAdapterUnicastAddress
	const long = 86400
	for name, c := range map[string]struct {
		a    address
		want Kind
	}{
		"by hand":    {address{DadState: windows.IpDadStatePreferred, PrefixOrigin: windows.IpPrefixOriginManual, SuffixOrigin: windows.IpSuffixOriginManual, PreferredLifetime: long}, Stable},
		"public":     {address{DadState: windows.IpDadStatePreferred, PrefixOrigin: windows.IpPrefixOriginRouterAdvertisement, SuffixOrigin: windows.IpSuffixOriginLinkLayerAddress, PreferredLifetime: long}, Stable},
		"temporary":  {address{DadState: windows.IpDadStatePreferred, PrefixOrigin: windows.IpPrefixOriginRouterAdvertisement, SuffixOrigin: windows.IpSuffixOriginRandom, PreferredLifetime: long}, Temporary},
		"deprecated": {address{DadState: windows.IpDadStateDeprecated, SuffixOrigin: windows.IpSuffixOriginRandom}, Deprecated},
		"tentative":  {address{DadState: windows.IpDadStateTentative, PreferredLifetime: long}, Tentative},
		"duplicate":  {address{DadState: windows.IpDadStateDuplicate, PreferredLifetime: long}, Tentative},
	} {
		if got := kindOf(&c.a); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
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
