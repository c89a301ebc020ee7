package share

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

type linkVector struct {
	About    string      `json:"about"`
	Link     string      `json:"link"`
	ID       ID          `json:"id"`
	V2       string      `json:"v2"`
	V2Only   bool        `json:"v2_only"`
	Name     string      `json:"name"`
	Length   int64       `json:"length"`
	Trackers []string    `json:"trackers"`
	WebSeeds []string    `json:"web_seeds"`
	Select   [][2]int    `json:"select"`
	Peers    []string    `json:"peers"`
	Extra    [][2]string `json:"extra"`
	Prints   string      `json:"prints"`
	Secret   string      `json:"secret"`
	Reveals  string      `json:"reveals"` // where it is not Prints
}

func (v linkVector) want(t *testing.T) Link {
	l := Link{ID: v.ID, Name: v.Name, Length: v.Length, Trackers: v.Trackers, WebSeeds: v.WebSeeds, Peers: v.Peers}
	if v.V2 != "" {
		v2, err := ParseV2(v.V2)
		if err != nil {
			t.Fatal(err)
		}
		l.V2 = v2
	}
	if v.Secret != "" {
		secret, err := ParseSecret(v.Secret)
		if err != nil {
			t.Fatal(err)
		}
		l.Secret = secret
	}
	for _, r := range v.Select {
		l.Select = append(l.Select, Range{r[0], r[1]})
	}
	for _, p := range v.Extra {
		l.Extra = append(l.Extra, Param{p[0], p[1]})
	}
	return l
}

func TestLinkVectors(t *testing.T) {
	b, err := os.ReadFile("testdata/vectors/links.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct{ Accept, Refuse []linkVector }
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors.Accept) == 0 || len(vectors.Refuse) == 0 {
		t.Fatal("the vectors are missing")
	}
	for _, v := range vectors.Accept {
		t.Run(v.About, func(t *testing.T) {
			got, err := ParseLink(v.Link)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.want(t), got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if got.String() != v.Prints {
				t.Errorf("prints\n%s, want\n%s", got, v.Prints)
			}
			reveals := v.Prints
			if v.Reveals != "" {
				reveals = v.Reveals
			}
			if got.Reveal() != reveals {
				t.Errorf("reveals\n%s, want\n%s", got.Reveal(), reveals)
			}
			if got.V2Only() != v.V2Only {
				t.Errorf("V2Only is %v", got.V2Only())
			}
		})
	}
	for _, v := range vectors.Refuse {
		t.Run(v.About, func(t *testing.T) {
			got, err := ParseLink(v.Link)
			if KindOf(err) != Refused {
				t.Errorf("got %+v and %v, want Refused", got, err)
			}
		})
	}
}

func TestLinkLimits(t *testing.T) {
	base := "magnet:?xt=urn:btih:" + strings.Repeat("a", 40)
	for _, tt := range []struct {
		name, link string
		ok         bool
	}{
		{"longest", base + "&dn=" + strings.Repeat("x", MaxLink-len(base)-4), true},
		{"too long", base + "&dn=" + strings.Repeat("x", MaxLink-len(base)-3), false},
		{"most parameters", base + strings.Repeat("&a=1", MaxLinkParams-1), true},
		{"too many parameters", base + strings.Repeat("&a=1", MaxLinkParams), false},
	} {
		if _, err := ParseLink(tt.link); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestLinkForChannelSaysSo(t *testing.T) {
	_, err := ParseLink("magnet:?xs=urn:btpk:" + strings.Repeat("0", 64))
	if err == nil || !strings.Contains(err.Error(), "channel") {
		t.Errorf("%v, want a word about channels", err)
	}
}

// anyLink draws links of the kind that programs build, not only those that
// ParseLink gives back.
func anyLink(t *rapid.T) Link {
	id := rapid.SliceOfN(rapid.Byte(), 20, 20).Filter(func(b []byte) bool { return !ID(b).IsZero() }).Draw(t, "id")
	text := rapid.String()
	host := rapid.OneOf(
		rapid.StringMatching(`[a-z][a-z0-9_]{0,9}(\.[a-z]{2,5})?`),
		rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprintf("[2001:db8::%x]", rapid.IntRange(1, 65535).Draw(t, "host"))
		}),
		rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("192.0.2.%d", rapid.Byte().Draw(t, "host")) }),
	)
	peer := rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("%s:%d", host.Draw(t, "host"), rapid.IntRange(1, 65535).Draw(t, "port"))
	})
	url := func(schemes ...string) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			return rapid.SampledFrom(schemes).Draw(t, "scheme") + "://" + host.Draw(t, "host") +
				"/" + rapid.StringMatching(`[ -~]{0,20}`).Filter(func(s string) bool { return !strings.Contains(s, "%") }).Draw(t, "path")
		})
	}
	same := func(s string) string { return s }
	rng := rapid.Custom(func(t *rapid.T) Range {
		first := rapid.IntRange(0, 1000).Draw(t, "first")
		return Range{first, first + rapid.IntRange(0, 1000).Draw(t, "more")}
	})
	param := rapid.Custom(func(t *rapid.T) Param {
		return Param{strings.ToLower(rapid.StringMatching(`[a-w][a-z.]{0,5}[0-9&=%+]{1,3}[a-z]`).Draw(t, "key")), text.Draw(t, "value")}
	})
	l := Link{
		ID:       ID(id),
		Name:     text.Draw(t, "name"),
		Length:   rapid.Int64Min(0).Draw(t, "length"),
		Trackers: rapid.SliceOfNDistinct(url("http", "https", "udp"), 0, 4, same).Draw(t, "trackers"),
		WebSeeds: rapid.SliceOfNDistinct(url("http", "https"), 0, 4, same).Draw(t, "webseeds"),
		Select:   rapid.SliceOfN(rng, 0, 5).Draw(t, "select"),
		Peers:    rapid.SliceOfNDistinct(peer, 0, 5, same).Draw(t, "peers"),
		Extra:    rapid.SliceOfN(param, 0, 5).Draw(t, "extra"),
	}
	if rapid.Bool().Draw(t, "hybrid") {
		l.V2 = V2(rapid.SliceOfN(rapid.ByteMin(1), 32, 32).Draw(t, "v2"))
	}
	if rapid.Bool().Draw(t, "sealed") {
		l.Secret = SecretOf([SecretSize]byte(rapid.SliceOfN(rapid.ByteMin(1), SecretSize, SecretSize).Draw(t, "secret")))
	}
	return l
}

func TestLinkRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := anyLink(t)
		printed := l.Reveal()
		got, err := ParseLink(printed)
		if err != nil {
			t.Fatalf("%s: %v", printed, err)
		}
		if diff := cmp.Diff(l, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s\nwant -, got +:\n%s", printed, diff)
		}
		if strings.IndexFunc(printed, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`"<>\^{}|`+"`", c) }) >= 0 {
			t.Fatalf("%q has characters that do not survive in text", printed)
		}
	})
}

func FuzzLink(f *testing.F) {
	b, err := os.ReadFile("testdata/vectors/links.json")
	if err != nil {
		f.Fatal(err)
	}
	var vectors struct{ Accept, Refuse []linkVector }
	if err := json.Unmarshal(b, &vectors); err != nil {
		f.Fatal(err)
	}
	for _, v := range append(vectors.Accept, vectors.Refuse...) {
		f.Add(v.Link)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseLink(s)
		if err != nil {
			if KindOf(err) != Refused {
				t.Errorf("%v is not Refused", err)
			}
			return
		}
		if l.Key().IsZero() {
			t.Error("accepted, but it names nothing")
		}
		printed := l.Reveal()
		if len(printed) > MaxLink { // escapes make three bytes of one
			return
		}
		again, err := ParseLink(printed)
		if err != nil {
			t.Fatalf("printed as %s: %v", printed, err)
		}
		if diff := cmp.Diff(l, again); diff != "" {
			t.Errorf("printed as %s\nwant -, got +:\n%s", printed, diff)
		}
	})
}

func TestIsMagnet(t *testing.T) {
	for s, want := range map[string]bool{
		"magnet:?xt=": true, " <MAGNET:?x>": true, "'magnet:'": true, "magnet%3A%3Fxt": true, "mag\n net:?x": true,
		"": false, "magnet": false, "magnets.torrent": false, "http://magnet:1/": false,
	} {
		if got := IsMagnet(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}
