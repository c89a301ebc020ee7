package share

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// damage does once what mail, web pages, shells and hands do to a link.
func damage(t *rapid.T, link string) string {
	i := rapid.IntRange(0, len(link)-1).Draw(t, "at")
	switch rapid.IntRange(0, 10).Draw(t, "damage") {
	case 0:
		return link[:i] + link[i+1:]
	case 1:
		return link[:i] + rapid.SampledFrom([]string{"g", "O", "%", "=", "&", "\"", "'", "?", ":", "é", "\x00", "\xff", ".", "7"}).Draw(t, "insert") + link[i:]
	case 2:
		return link[:i] + rapid.SampledFrom([]string{"g", "O", "%", "=", "&", " ", ":", "."}).Draw(t, "replace") + link[i+1:]
	case 3:
		return link[:i] + rapid.SampledFrom([]string{"\n", "\r\n", "\n    ", " ", "=\n", "\t"}).Draw(t, "break") + link[i:]
	case 4:
		return url.QueryEscape(link)
	case 5:
		return strings.ReplaceAll(link, "&", "&amp;")
	case 6:
		return strings.ToUpper(link)
	case 7:
		return fmt.Sprintf(rapid.SampledFrom([]string{"<%s>", "\"%s\"", "http://[::1]/#%s", "see %s now", "%s: no such file"}).Draw(t, "around"), link)
	case 8: // the front is lost, and at most the name of the parameter
		if k := strings.LastIndex(strings.ToLower(link), "k="); k > 0 {
			return link[min(i, k):]
		}
		return link
	case 9:
		return strings.ReplaceAll(link, ".", "%2e")
	}
	if i+1 == len(link) {
		return link + link
	}
	return link[:i] + link[i+1:i+2] + link[i:i+1] + link[i+2:]
}

// shows returns 16 digits of the key that text has in order, or "".
func shows(text string, key Secret) string {
	text = strings.ToLower(text)
	digits := key.Reveal()
	for i := 0; i+16 <= len(digits); i++ {
		if strings.Contains(text, digits[i:i+16]) {
			return digits[i : i+16]
		}
	}
	return ""
}

func TestErrorsAboutDamagedLinksHaveNoKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Link{ID: ID(rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "id"))}
		l.Secret = SecretOf([32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key")))
		if l.Secret.IsZero() || shows(l.ID.String()+strings.Repeat("0", 64), l.Secret) != "" {
			t.Skip("no key that a digit of it could show")
		}
		if rapid.Bool().Draw(t, "hybrid") {
			l.V2 = V2(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "v2"))
		}
		if rapid.Bool().Draw(t, "peers") {
			l.Peers = []string{"[2001:db8::1]:6881"}
		}
		if rapid.Bool().Draw(t, "extra") {
			l.Extra = []Param{{"x.a", "b"}}
		}
		link := l.Reveal()
		for range rapid.IntRange(0, 2).Draw(t, "damages") {
			link = damage(t, link)
		}
		if shows(link, l.Secret) == "" {
			t.Skip("nothing of the key is left")
		}
		said := map[string]string{"Quote": Quote(link)}
		if keyParam.MatchString(link) || linkLike.MatchString(link) {
			said["Error"] = Errorf(Usage, "there is no verb %q (shoal help lists them)", link).Error()
			said["a wrapping Error"] = Errorf(Failed, "reading: %w", fmt.Errorf("open %s: %w", link, errors.New("file name too long"))).Error()
			said["a log line"] = Redact("msg=" + strconv.Quote("cannot take "+link))
			said["twice"] = Redact(Redact(link))
		}
		if got, err := ParseLink(link); err != nil {
			said["ParseLink"] = err.Error()
		} else {
			said["String"] = got.String()
			said["%v"] = fmt.Sprintf("%v %+v", got, got)
		}
		for how, text := range said {
			if part := shows(text, l.Secret); part != "" {
				t.Fatalf("%s of\n%s\nhas %s of the key:\n%s", how, link, part, text)
			}
		}
	})
}

func TestRedactLeavesWhatIsNoKey(t *testing.T) {
	id, key := strings.Repeat("a1", 20), strings.Repeat("b2", 32)
	for _, s := range []string{
		"", "no peer has " + id, "channel " + key + " is not known", "max.keep is no setting", "reading photos/x.kml: permission denied",
		"the parameter x.k, which has the key", "magnet:?xt=urn:btih:" + id + "&dn=a%20name: not now", "the x.k= is damaged",
		"the link's urn:btmh: is not 1220 and 64 hex digits", "link \"magnet:?xt=urn:btih:" + id + "\" was added",
	} {
		if got := Redact(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	for s, want := range map[string]string{
		"magnet:?xt=urn:btih:" + id + "&x.k=" + key + "&dn=added: no":     "magnet:?xt=urn:btih:" + id + "&x.k=(secret)&dn=added: no",
		"\"magnet:?xt=urn:btih:" + id + "&x.k=" + key + "\" is not known": "\"magnet:?xt=urn:btih:" + id + "&x.k=(secret)\" is not known",
		"x.k=" + key[:40] + "\n  " + key[40:] + " and more":               "x.k=(secret) and more",
	} {
		if got := Redact(s); got != want {
			t.Errorf("%q became\n%q, want\n%q", s, got, want)
		}
	}
	if got := Quote("photos/a \"b\".jpg"); got != `"photos/a \"b\".jpg"` {
		t.Errorf("a name is quoted as %s", got)
	}
	if got := Quote(key); got != `"(secret)"` {
		t.Errorf("a bare key is quoted as %s", got)
	}
}
