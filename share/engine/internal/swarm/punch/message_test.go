package punch

import (
	"net/netip"
	"testing"
)

func TestMessages(t *testing.T) {
	for _, m := range []Message{
		{Rendezvous, netip.MustParseAddrPort("[2001:db8::1]:6881"), 0},
		{Connect, netip.MustParseAddrPort("192.0.2.1:1"), 0},
		{Failed, netip.MustParseAddrPort("[2001:db8::1]:65535"), NotConnected},
	} {
		b := m.Append(nil)
		if got, err := Parse(b); got != m || err != nil {
			t.Errorf("%+v became %+v, %v", m, got, err)
		}
		if m.Code == 0 {
			if got, err := Parse(b[:len(b)-4]); got != m || err != nil {
				t.Errorf("without a code %+v became %+v, %v", m, got, err)
			}
		}
	}
}

// Whatever comes is refused or means what it says.
func FuzzParse(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("\x01\x02aaaaaaaaaaaaaaaaaaaaaa"))
	f.Add(Message{Connect, netip.MustParseAddrPort("[2001:db8::1]:6881"), 0}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		if got, err := Parse(m.Append(nil)); err != nil || got.Addr != netip.AddrPortFrom(m.Addr.Addr().Unmap(), m.Addr.Port()) || got.Kind != m.Kind {
			t.Errorf("%x: %+v became %+v, %v", b, m, got, err)
		}
	})
}
