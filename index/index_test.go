package index

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shoalnet/shoal/share"
)

const keyText = "8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e"

func TestChannelID(t *testing.T) {
	id, err := ParseChannelID(strings.ToUpper(keyText))
	if err != nil || id.String() != keyText || id.Short() != "8543d3e6" || id.IsZero() {
		t.Errorf("%s, %v", id, err)
	}
	for _, bad := range []string{"", keyText[1:], keyText + "0", "z" + keyText[1:]} {
		if id, err := ParseChannelID(bad); share.KindOf(err) != share.Refused || !id.IsZero() {
			t.Errorf("%q: %s, %v", bad, id, err)
		}
	}
	b, err := json.Marshal(Entry{Channel: id})
	if err != nil || !strings.Contains(string(b), `"channel":"`+keyText+`"`) {
		t.Errorf("%s, %v", b, err)
	}
	var e Entry
	if err := json.Unmarshal(b, &e); err != nil || e.Channel != id {
		t.Errorf("%+v, %v", e, err)
	}
	if b, _ := json.Marshal(Entry{}); strings.Contains(string(b), "channel") {
		t.Errorf("an entry without a channel: %s", b)
	}
}

func TestChannelLink(t *testing.T) {
	rows := []struct{ in, out string }{
		{"magnet:?xs=urn:btpk:" + keyText, "magnet:?xs=urn:btpk:" + keyText},
		{" " + keyText + "\n", "magnet:?xs=urn:btpk:" + keyText},
		{"MAGNET:?dn=My%20films&xs=URN:BTPK:" + strings.ToUpper(keyText) + "&s=6e&x=y", "magnet:?xs=urn:btpk:" + keyText + "&s=6e&dn=My%20films"},
		{"magnet:?xs=urn:btpk:" + keyText + "&s=", "magnet:?xs=urn:btpk:" + keyText},
	}
	for _, r := range rows {
		l, err := ParseChannelLink(r.in)
		if err != nil || l.String() != r.out {
			t.Errorf("%s: %s, %v", r.in, l, err)
		}
	}
	for _, bad := range []string{
		"", "magnet:?", "magnet:?xt=urn:btih:" + keyText[:40], "http:?xs=urn:btpk:" + keyText, "magnet:?xs=urn:btpk:" + keyText[1:],
		"magnet:?xs=urn:btpk:" + keyText + "&s=0", "magnet:?xs=urn:btpk:" + keyText + "&s=" + strings.Repeat("00", 65),
		"magnet:?xs=urn:btpk:" + keyText + "&dn=%zz", "magnet:?xs=urn:btpk:" + keyText + "&dn=" + strings.Repeat("x", share.MaxLink),
	} {
		if l, err := ParseChannelLink(bad); share.KindOf(err) != share.Refused {
			t.Errorf("%.60q: %+v, %v", bad, l, err)
		}
	}
}

const secretText = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

// The secret of a sealed channel is read in any form that links come in, and printed by
// Reveal alone. A damaged one refuses the link, and the error does not have it.
func TestChannelSecrets(t *testing.T) {
	const channel = "magnet:?xs=urn:btpk:" + keyText
	for _, in := range []string{
		channel + "&x.k=" + secretText, channel + "&X.K=" + strings.ToUpper(secretText), channel + "&x.k=" + secretText + "&x.k=" + secretText,
		channel + "&x.k=" + secretText[:30] + "%0A" + secretText[30:],
	} {
		l, err := ParseChannelLink(in)
		if err != nil || l.Secret.Reveal() != secretText || l.Reveal() != channel+"&x.k="+secretText || l.String() != channel {
			t.Errorf("%s: %s, %v", in, l.Reveal(), err)
		}
		b, err := json.Marshal(l)
		if shown := fmt.Sprintf("%s %v %+v %#v %s", l, l, l, l, b); err != nil || strings.Contains(shown, secretText[:16]) {
			t.Errorf("it shows itself: %s, %v", shown, err)
		}
	}
	for _, bad := range []string{secretText[1:], secretText + "0", "", strings.Repeat("0", 64), secretText[:63] + "g", secretText + "&x.k=" + strings.Repeat("1", 64)} {
		l, err := ParseChannelLink(channel + "&x.k=" + bad)
		if share.KindOf(err) != share.Refused || !l.Secret.IsZero() || strings.Contains(err.Error(), secretText[1:40]) {
			t.Errorf("%q: %+v, %v", bad, l, err)
		}
	}
	l, err := ParseChannelLink(channel + "&s=6e&dn=Family&x.k=" + secretText)
	if err != nil || l.Blind().Reveal() != channel+"&s=6e" || l.Local() != l.Blind().Local() {
		t.Errorf("blind it is %s, %v", l.Blind().Reveal(), err)
	}
}

func TestChannelLinksRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := ChannelLink{Name: rapid.String().Filter(utf8.ValidString).Draw(t, "name")}
		copy(l.ID[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"))
		if salt := rapid.SliceOfN(rapid.Byte(), 0, MaxSalt).Draw(t, "salt"); len(salt) > 0 {
			l.Salt = salt
		}
		l.Secret = share.SecretOf([share.SecretSize]byte(rapid.SliceOfN(rapid.Byte(), share.SecretSize, share.SecretSize).Draw(t, "secret")))
		got, err := ParseChannelLink(l.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(l, got); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzChannelLink(f *testing.F) {
	f.Add("magnet:?xs=urn:btpk:" + keyText + "&s=6e&dn=x")
	f.Add(keyText)
	f.Add("magnet:?xs=urn:btpk:" + keyText + "&x.k=" + secretText)
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseChannelLink(s)
		if err != nil {
			return
		}
		again, err := ParseChannelLink(l.Reveal())
		if err != nil || !cmp.Equal(l, again) {
			t.Errorf("%q became %+v, then %+v, %v", s, l, again, err)
		}
	})
}

func TestUnknown(t *testing.T) {
	err := Unknown("no channel x")
	if !errors.Is(err, ErrUnknown) || share.KindOf(err) != share.Failed || err.Error() != "no channel x" {
		t.Error(err)
	}
}
