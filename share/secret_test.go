package share

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// digits are those of a key, in hex, in decimal as a list of bytes, and as raw bytes:
// the forms in which it could get out.
func digits(s Secret) []string {
	key := s.Bytes()
	list := fmt.Sprint(key[:])
	return []string{s.Reveal(), strings.ToUpper(s.Reveal()), list[1 : len(list)-1], strings.ReplaceAll(list[1:len(list)-1], " ", ","), string(key[:])}
}

func testSecret() Secret {
	var key [SecretSize]byte
	for i := range key {
		key[i] = byte(0xa0 + i)
	}
	return SecretOf(key)
}

func TestNothingPrintsASecret(t *testing.T) {
	secret := testSecret()
	type inside struct {
		unexported Secret
		list       []Secret
		byName     map[string]Secret
		bySecret   map[Secret]string
		link       Link
		pointer    *Secret
	}
	link := Link{ID: ID{1}, Secret: secret}
	for _, v := range []any{
		secret, &secret, []Secret{secret}, map[Secret]int{secret: 1}, link, &link, struct{ S Secret }{secret},
		inside{secret, []Secret{secret}, map[string]Secret{"a": secret}, map[Secret]string{secret: "a"}, link, &secret},
		fmt.Errorf("opening %v: %w", link, errors.New("no")), fmt.Errorf("%v %s %x", secret, secret, secret),
	} {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%b", "%c", "%T", "%p"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, v)
		json.NewEncoder(&out).Encode(v)
		gob.NewEncoder(&out).Encode(v)
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("a line", "value", v, slog.Group("group", "value", v))
		}
		for _, form := range digits(secret) {
			if bytes.Contains(out.Bytes(), []byte(form)) {
				t.Errorf("%T shows the key as %q:\n%s", v, form, out.Bytes())
			}
		}
	}
	if got := fmt.Sprint(secret, Secret{}); got != "(secret) " {
		t.Errorf("printed %q", got)
	}
}

func TestParseSecret(t *testing.T) {
	secret := testSecret()
	for _, s := range []string{secret.Reveal(), strings.ToUpper(secret.Reveal())} {
		if got, err := ParseSecret(s); err != nil || got != secret || got.Bytes() != secret.Bytes() {
			t.Errorf("read as %v, %v", got, err)
		}
	}
	whole := secret.Reveal()
	for name, s := range map[string]string{
		"nothing": "", "too short": whole[:62], "odd": whole[:63], "too long": whole + "aa", "no hex": whole[:63] + "g", "zeros": strings.Repeat("0", 64),
		"huge": strings.Repeat(whole, 1000),
	} {
		got, err := ParseSecret(s)
		if KindOf(err) != Refused || !got.IsZero() {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if err != nil && strings.Contains(err.Error(), whole[:16]) {
			t.Errorf("%s: the error shows what it was given: %v", name, err)
		}
	}
}

// Each way to lose the key on the way to a link that may be given away.
func TestBlindLinksHaveNothingOfTheContent(t *testing.T) {
	secret := testSecret()
	text := "magnet:?xt=urn:btih:" + strings.Repeat("a", 40) + "&dn=diary&xl=131072&so=3&x.pe=[2001:db8::1]:4000&X.K=" + secret.Reveal() + "&note=diary"
	l, err := ParseLink(text)
	if err != nil || l.Secret != secret {
		t.Fatalf("%v, %v", l, err)
	}
	want := "magnet:?xt=urn:btih:" + strings.Repeat("a", 40) + "&xl=131072&x.pe=[2001:db8::1]:4000"
	if got := l.Blind().Reveal(); got != want {
		t.Errorf("the blind link is %s, want %s", got, want)
	}
	if strings.Contains(l.String(), secret.Reveal()) {
		t.Error("String has the key")
	}
	if again, err := ParseLink(l.Reveal()); err != nil || again.Secret != secret {
		t.Errorf("%v, %v", again, err)
	}
}
