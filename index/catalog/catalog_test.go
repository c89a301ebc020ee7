package catalog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func fresh(t testing.TB) *Catalog {
	t.Helper()
	c, err := Open(context.Background(), Config{Path: filepath.Join(t.TempDir(), "index.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func id(n int) (id share.ID) {
	id[0], id[1], id[2], id[19] = byte(n>>16), byte(n>>8), byte(n), 1
	return
}

func entry(n int, name string, change ...func(*index.Entry)) index.Entry {
	e := index.Entry{ID: id(n), Name: name, Link: "magnet:?xt=urn:btih:" + id(n).String(), Bytes: 1000,
		Time: time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)}
	for _, c := range change {
		c(&e)
	}
	return e
}

func seq(entries ...index.Entry) iter.Seq2[index.Entry, error] {
	return func(yield func(index.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

var library = []index.Entry{
	entry(1, "Blue Sky over Zürich", func(e *index.Entry) {
		e.Tags = []string{"photo", "night sky"}
		e.Files = []index.File{{Path: "raw/IMG_0001.CR2", Size: 900}, {Path: "readme.txt", Size: 10}}
	}),
	entry(2, "ubuntu-24.04-desktop-amd64.iso", func(e *index.Entry) {
		e.Bytes, e.Time = 6<<30, time.Date(2024, 4, 25, 0, 0, 0, 0, time.UTC)
		e.Tags = []string{"linux"}
	}),
	entry(3, "The sky is blue", func(e *index.Entry) { e.About = "A lecture about Rayleigh scattering, with slides" }),
	entry(4, "東京の夜景 4K", func(e *index.Entry) {
		e.Files = []index.File{{Path: "tokyo.mkv", Size: 1 << 32}, {Path: "cover.jpg", Size: 1 << 10}}
		e.Bytes = 1 << 32
	}),
	entry(5, "Nocturne: album", func(e *index.Entry) { e.Files = []index.File{{Path: "01 - Blue.flac", Size: 1 << 25}} }),
	entry(6, "skyline drawings", nil...),
}

func names(r index.Results) []string {
	var all []string
	for _, h := range r.Hits {
		all = append(all, h.Name)
	}
	return all
}

func TestSearch(t *testing.T) {
	ctx := context.Background()
	c := fresh(t)
	other := index.ChannelID{7}
	if err := c.Put(ctx, index.ChannelID{}, library[:3]...); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Replace(ctx, other, "v", seq(library[3:]...)); err != nil {
		t.Fatal(err)
	}
	b, u, s, j, n, d := library[0].Name, library[1].Name, library[2].Name, library[3].Name, library[4].Name, library[5].Name
	for _, x := range []struct {
		query string
		want  []string // in this order; a leading "?" entry: in any order
	}{
		{"blue sky", []string{b, s}},
		{`"sky is blue"`, []string{s}},
		{`"blue sky"`, []string{b}},
		{"sky", []string{s, b, d}}, // whole words first
		{`"sky"`, []string{"?", s, b}},
		{"ZURICH", []string{b}},
		{"zürich", []string{b}},
		{"sky -blue", []string{d}},
		{"sky -tag:photo -skyline", []string{s}},
		{`sky -"sky over"`, []string{"?", s, d}},
		{"file:readme", []string{b}},
		{"file:blue", []string{n}},
		{"blue", []string{"?", s, b, n}},
		{"tag:photo", []string{b}},
		{`tag:"Night Sky"`, []string{b}},
		{"tag:night", nil},
		{"24.04", []string{u}},
		{"ubuntu-24", []string{u}},
		{"type:video", []string{j}},
		{"type:movies", []string{j}},
		{"type:audio", []string{n}},
		{"type:image", []string{b}},
		{"type:image type:audio", []string{"?", b, n}},
		{"size:>1G", []string{"?", u, j}},
		{"size:>5G", []string{u}},
		{"size:4G", []string{"?", u, j}},
		{"size:>=4G size:<5GiB", []string{j}},
		{"size:<1k", []string{"?", b, s, d, n}},
		{"since:2026", []string{"?", b, s, j, n, d}},
		{"since:2026-01-16", nil},
		{"before:2025", []string{u}},
		{"since:2024-04 before:2024-05", []string{u}},
		{"since:2024-04-25 before:2024-04-26", []string{u}},
		{"channel:me", []string{"?", b, u, s}},
		{"channel:07 sky", []string{d}},
		{"channel:08 sky", nil},
		{"channel:films", []string{"?", d, n, j}},
		{"channel:ÉTÉ sky", []string{d}},
		{`CHANNEL:"our films"`, []string{"?", d, n, j}},
		{"channel:fil channel:me sky", []string{s, b, d}},
		{"夜景", []string{j}},
		{"京の", []string{j}},
		{"京夜", nil},
		{"rayleigh", []string{s}},
		{"rayl", []string{s}},
		{"nocturne:album", []string{n}},
		{"-sky type:program", []string{u}},
		{`"unclosed sky`, nil},
		{`sky:"`, []string{s, b}},
		{`" OR 1`, nil},
		{`* NEAR( ^ { } name :`, nil},
		{"", []string{"?", b, u, s, j, n, d}},
	} {
		r, err := c.Search(ctx, index.Query{Text: x.query, Names: map[index.ChannelID]string{other: "Our films of été"}})
		if err != nil {
			t.Errorf("%q: %v", x.query, err)
			continue
		}
		got, want := names(r), x.want
		if len(want) > 0 && want[0] == "?" {
			want = slices.Sorted(slices.Values(want[1:]))
			slices.Sort(got)
		}
		if x.want == nil && x.query == `* NEAR( ^ { } name :` {
			continue // must only not be an error: what it finds is words
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q found %q, want %q", x.query, got, want)
		}
		if r.Total != len(got) {
			t.Errorf("%q: total %d of %d", x.query, r.Total, len(got))
		}
	}
	r, err := c.Search(ctx, index.Query{Text: "sky", Channel: other})
	if err != nil || len(r.Hits) != 1 {
		t.Errorf("in one channel: %v, %v", names(r), err)
	}
	r, err = c.Search(ctx, index.Query{Text: "", Limit: 2, Offset: 5})
	if err != nil || len(r.Hits) != 1 || r.Total != 6 {
		t.Errorf("last page: %v of %d, %v", names(r), r.Total, err)
	}
}

// What is too much to rank is said to be so, and never counted as if it were all.
func TestMoreThanIsRanked(t *testing.T) {
	c := fresh(t)
	var all []index.Entry
	for i := range candidates + 1 {
		all = append(all, entry(i, fmt.Sprintf("many %d", i)))
	}
	for _, x := range []struct {
		entries []index.Entry
		more    bool
	}{{all[:candidates], false}, {all, true}} {
		if err := c.Put(t.Context(), index.ChannelID{}, x.entries...); err != nil {
			t.Fatal(err)
		}
		for _, query := range []string{"many", "size:<1T"} {
			r, err := c.Search(t.Context(), index.Query{Text: query, Limit: 5, Offset: candidates - 5})
			if err != nil || r.Total != candidates || len(r.Hits) != 5 || r.More != x.more {
				t.Errorf("%q of %d: %d of %d, more %v, %v", query, len(x.entries), len(r.Hits), r.Total, r.More, err)
			}
		}
	}
}

func TestSearchRefuses(t *testing.T) {
	c := fresh(t)
	for query, hint := range map[string]string{
		"size:big": "700M", "size:>": "700M", "size:-1": "700M", "size:1e300": "700M", "since:soon": "2026-01-31", "type:thing": "video",
		"channel:xyz": "channel list", `channel:"!?"`: "channel list", `channel:"films our"`: "channel list", "-size:>1G": "minus", strings.Repeat("a ", 40): "32", strings.Repeat("a", 1001): "1000",
	} {
		_, err := c.Search(context.Background(), index.Query{Text: query, Names: map[index.ChannelID]string{{7}: "Our films"}})
		if share.KindOf(err) != share.Usage || !strings.Contains(err.Error(), hint) {
			t.Errorf("%.20q: %v, want a hint at %q", query, err, hint)
		}
	}
}

func TestSnippets(t *testing.T) {
	ctx := context.Background()
	c := fresh(t)
	evil := entry(9, "evil \x02name\x03 <script>", func(e *index.Entry) {
		e.About = strings.Repeat("long before ", 40) + "the hidden word" + strings.Repeat(" long after", 40)
	})
	if err := c.Put(ctx, index.ChannelID{}, append(slices.Clone(library), evil)...); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"zurich":          "Blue Sky over \x02Zürich\x03",
		`"blue sky"`:      "\x02Blue Sky\x03 over Zürich",
		"zurich file:raw": "\x02raw\x03/IMG_0001.CR2",
		"夜景":              "東京の\x02夜景\x03 4K",
		"script":          "evil name <\x02script\x03>",
		"hidden":          "\x02hidden\x03",
	} {
		r, err := c.Search(ctx, index.Query{Text: query})
		if err != nil || len(r.Hits) == 0 || !strings.Contains(r.Hits[0].Snippet, want) {
			t.Errorf("%q: %q, %v, want %q", query, fmt.Sprint(r.Hits), err, want)
			continue
		}
		if len(r.Hits[0].Snippet) > 200 {
			t.Errorf("%q: a snippet of %d bytes", query, len(r.Hits[0].Snippet))
		}
	}
}

func TestReplace(t *testing.T) {
	ctx := context.Background()
	c := fresh(t)
	ch := index.ChannelID{1}
	if got, err := c.Replace(ctx, ch, "v", seq(entry(1, "one"), entry(2, "two"), entry(3, "three"), entry(3, "again"))); err != nil || got != (Change{Added: 3}) {
		t.Fatalf("%+v, %v", got, err)
	}
	got, err := c.Replace(ctx, ch, "v", seq(entry(1, "one"), entry(2, "second"), entry(4, "four")))
	if err != nil || got != (Change{Added: 1, Changed: 1, Removed: 1, Same: 1}) {
		t.Fatalf("%+v, %v", got, err)
	}
	// An error in the middle leaves what was there.
	broken := errors.New("broken")
	_, err = c.Replace(ctx, ch, "v", func(yield func(index.Entry, error) bool) {
		_ = yield(entry(9, "nine"), nil) && yield(index.Entry{}, broken)
	})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	for word, n := range map[string]int{`"one"`: 1, "two": 0, "second": 1, "three": 0, "four": 1, "nine": 0} {
		if r, err := c.Search(ctx, index.Query{Text: word}); err != nil || len(r.Hits) != n {
			t.Errorf("%s: %v, %v", word, names(r), err)
		}
	}
	full, err := c.Begins(ctx, id(1).String()[:6], 10)
	if err != nil || len(full) != 1 || full[0].Channel != ch || full[0].Name != "one" {
		t.Errorf("%+v, %v", full, err)
	}
	if counts, err := c.Counts(ctx); err != nil || counts[ch] != 3 {
		t.Errorf("%v, %v", counts, err)
	}
	if err := c.Drop(ctx, ch); err != nil {
		t.Fatal(err)
	}
	if r, err := c.Search(ctx, index.Query{}); err != nil || len(r.Hits) != 0 {
		t.Errorf("%v, %v", names(r), err)
	}
	if err := c.Check(ctx); err != nil {
		t.Error(err)
	}
}

// A change that finds no more room leaves everything as it was, and gives back
// what it has taken; it works when there is room.
func TestNoRoomForAChange(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "index.db")
	c, err := Open(ctx, Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ch := index.ChannelID{1}
	if _, err := c.Replace(ctx, ch, "v1", seq(entry(1, "one"))); err != nil {
		t.Fatal(err)
	}
	room := func(pages int) {
		t.Helper()
		// With little memory it goes to the disk as it is made.
		if _, err := c.writes.ExecContext(ctx, fmt.Sprintf("PRAGMA cache_size = 8; PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	room(200)
	for range 2 {
		if _, err := c.Replace(ctx, ch, "v2", million(5000, 1)); err == nil || !strings.Contains(err.Error(), "full") || Damaged(err) {
			t.Fatalf("%v", err)
		}
		if r, err := c.Search(ctx, index.Query{Text: "one", Channel: ch}); err != nil || len(r.Hits) != 1 || r.Total != 1 {
			t.Errorf("%v, %v", names(r), err)
		}
		if v, err := c.Versions(ctx); err != nil || v[ch] != "v1" {
			t.Errorf("%v, %v", v, err)
		}
		if fi, err := os.Stat(path + "-wal"); err != nil || fi.Size() > 0 {
			t.Errorf("the journal keeps %d bytes, %v", fi.Size(), err)
		}
	}
	room(1 << 20)
	if got, err := c.Replace(ctx, ch, "v2", million(5000, 1)); err != nil || got.Added+got.Changed+got.Same != 5000 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestSearchesDuringReplace(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := fresh(t)
	ch := index.ChannelID{1}
	version := func(v int) iter.Seq2[index.Entry, error] {
		return func(yield func(index.Entry, error) bool) {
			for i := range 300 {
				if !yield(entry(i, fmt.Sprintf("thing version%d", v)), nil) {
					return
				}
			}
		}
	}
	if _, err := c.Replace(ctx, ch, "v", version(0)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for ctx.Err() == nil {
				r, err := c.Search(ctx, index.Query{Text: "thing", Limit: maxLimit})
				if err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
				seen := map[string]bool{}
				for _, h := range r.Hits {
					seen[h.Name] = true
				}
				if len(r.Hits) != 300 || len(seen) != 1 {
					t.Errorf("half a version: %d hits of %v", len(r.Hits), seen)
					return
				}
			}
		})
	}
	for v := range 5 {
		if _, err := c.Replace(ctx, ch, "v", version(v+1)); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	wg.Wait()
}

func TestDamagedFileIsRebuilt(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "index.db")
	c, err := Open(ctx, Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Rebuilt() {
		t.Error("a new catalogue has to be filled")
	}
	if err := c.Put(ctx, index.ChannelID{}, library...); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"whole": whole, "empty": {}, "garbage": []byte(strings.Repeat("garbage ", 1000)),
		"cut": whole[:len(whole)/2], "overwritten": append(slices.Clone(whole[:8192]), make([]byte, len(whole)-8192)...),
	} {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Open(ctx, Config{Path: path})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.Rebuilt() == (name == "whole") {
			t.Errorf("%s: rebuilt is %v", name, c.Rebuilt())
		}
		if err := c.Put(ctx, index.ChannelID{}, library...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if r, err := c.Search(ctx, index.Query{Text: "sky"}); err != nil || len(r.Hits) != 3 {
			t.Errorf("%s: %v, %v", name, names(r), err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestHostileEntries(t *testing.T) {
	ctx := context.Background()
	c := fresh(t)
	many := entry(1, strings.Repeat("word ", 10_000), func(e *index.Entry) {
		for i := range 100_000 {
			e.Tags = append(e.Tags, fmt.Sprint("tag", i))
		}
		for i := range 100_000 {
			e.Files = append(e.Files, index.File{Path: fmt.Sprintf("dir/%d.mp4", i), Size: 1 << 62})
		}
	})
	odd := entry(2, "\xff\x00\u202e odd", func(e *index.Entry) {
		e.Bytes, e.Time, e.Files = -5, time.Unix(1<<55, 0), []index.File{{Path: "", Size: -1}}
		e.Tags = []string{"", "\n", "a\"b", "\u00b7"}
	})
	if err := c.Put(ctx, index.ChannelID{}, many, odd); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{"word", "odd", "tag:tag1", "since:2030"} {
		if r, err := c.Search(ctx, index.Query{Text: query}); err != nil || len(r.Hits) != 1 {
			t.Errorf("%s: %d hits, %v", query, len(r.Hits), err)
		}
	}
}

func FuzzSearch(f *testing.F) {
	for _, s := range []string{"blue sky", `"a b" -c file:d`, "size:>1G since:2026-01", `tag:"x y" type:video channel:me`, `-"`, `:"`, "夜景*", "a:b:c", "channel:films channel:!", `channel:"`} {
		f.Add(s)
	}
	c := fresh(f)
	if err := c.Put(context.Background(), index.ChannelID{}, library...); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := c.Search(context.Background(), index.Query{Text: s, Names: map[index.ChannelID]string{{7}: "films", {8}: ""}})
		if err != nil && share.KindOf(err) != share.Usage {
			t.Errorf("%q: %v", s, err)
		}
		for _, h := range r.Hits {
			if strings.Count(h.Snippet, index.SnippetStart) != strings.Count(h.Snippet, index.SnippetEnd) {
				t.Errorf("%q: snippet %q", s, h.Snippet)
			}
		}
	})
}

// FuzzParse reads queries without searching for them.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"blue sky", `"a b" -c file:d`, "size:>1.5GiB size:<=2k since:2026-01 before:2026-02-30", `-tag:"x y" type:films channel:me`, `-"`, `:"`, "夜景*", "a:b:c", "size:1e400"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := parse(s)
		if err != nil {
			if share.KindOf(err) != share.Usage || !utf8.ValidString(err.Error()) {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if len(q.all)+len(q.none)+len(q.tags)+len(q.notTags)+len(q.channels)+len(q.types) > maxTerms || q.minBytes < 0 || q.maxBytes < 0 {
			t.Errorf("%q is %+v", s, q)
		}
		for _, w := range termsOf(q) {
			if p := phrase(w); strings.ContainsAny(p, "\x00\n") || strings.Count(p, `"`)%2 != 0 {
				t.Errorf("%q asks for %q", s, p)
			}
		}
	})
}

// million makes entries whose words are as uneven as those of a language.
func million(n int, seed uint64) iter.Seq2[index.Entry, error] {
	r := rand.New(rand.NewPCG(seed, 1))
	zipf := rand.NewZipf(r, 1.1, 8, 200_000)
	exts := []string{".mkv", ".mp4", ".flac", ".mp3", ".jpg", ".pdf", ".epub", ".zip", ".iso", ".txt"}
	text := func(k int) string {
		var b strings.Builder
		for range k {
			fmt.Fprintf(&b, "%s ", wordNumber(int(zipf.Uint64())))
		}
		return strings.TrimSpace(b.String())
	}
	return func(yield func(index.Entry, error) bool) {
		for i := range n {
			e := entry(i, text(3+r.IntN(6)))
			e.Bytes = int64(1) << (10 + r.IntN(28))
			e.Time = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(6*365*24)) * time.Hour)
			e.Tags = []string{wordNumber(int(zipf.Uint64()) % 500)}
			ext := exts[r.IntN(len(exts))]
			for k := range 1 + r.IntN(5) {
				e.Files = append(e.Files, index.File{Path: fmt.Sprintf("%s %d%s", text(2), k, ext), Size: e.Bytes / 5})
			}
			if i%4 == 0 {
				e.About = text(20)
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// wordNumber makes a word of two to six syllables from a number.
func wordNumber(n int) string {
	const cons, vows = "bdfgklmnprstvz", "aeiou"
	var b []byte
	for n++; n > 0; n /= len(cons) * len(vows) {
		k := n % (len(cons) * len(vows))
		b = append(b, cons[k/len(vows)], vows[k%len(vows)])
	}
	return string(b)
}
