package channel

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/anacrolix/dht/v2/bep44"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

var update = flag.Bool("update", false, "write the vectors anew")

func readAll(b []byte) (Head, []index.Entry, error) {
	r, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return Head{}, nil, err
	}
	defer r.Close()
	var all []index.Entry
	for e, err := range r.Entries(index.ChannelID{}) {
		if err != nil {
			return r.Head, all, err
		}
		all = append(all, e)
	}
	return r.Head, all, nil
}

func pack(t testing.TB, plain []byte, o ...zstd.EOption) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, append(o, zstd.WithEncoderConcurrency(1))...)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(plain, nil)
}

const headLine = `{"format":"shoal-channel","version":1,"key":"` + "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" + `","name":"n"}` + "\n"

const okLine = `{"id":"0123456789abcdef0123456789abcdef01234567","name":"fine","bytes":5}` + "\n"

func TestWhatIsWrittenIsRead(t *testing.T) {
	head := Head{Link: index.ChannelLink{ID: index.ChannelID{1, 2}, Salt: []byte("salt"), Name: "Filme & more"}, About: "two\nlines"}
	entries := []index.Entry{
		thing(3, "three"),
		{
			ID: share.ID{9}, Name: "everything", Bytes: 1 << 40, About: "an <about> & more", Tags: []string{"a", "b c"},
			Time:  time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			Files: []index.File{{Path: "x/y.txt", Size: 3}, {Path: "z", Size: 0}},
			Link:  "magnet:?xt=urn:btih:" + share.ID{9}.String() + "&tr=https%3A%2F%2Ft.example%2Fa&x.pe=[2600::5]:1",
		},
		thing(2, "two"),
	}
	var a, b bytes.Buffer
	if err := Write(&a, head, entries); err != nil {
		t.Fatal(err)
	}
	entries[0], entries[2] = entries[2], entries[0]
	if err := Write(&b, head, entries); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("the same entries in another order make another file")
	}
	gotHead, got, err := readAll(a.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(head, gotHead); d != "" {
		t.Error(d)
	}
	want := []index.Entry{entries[0], entries[2], entries[1]}
	for i := range want {
		want[i], _ = clean(want[i], plainList)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !strings.Contains(got[2].Link, "x.pe=[2600::5]:1") || !strings.Contains(got[2].Link, "t.example") {
		t.Errorf("the link lost something: %s", got[2].Link)
	}
}

// Whatever a stranger packs is refused or cleaned, in little memory.
func TestHostileCatalogues(t *testing.T) {
	zeros := func(n int) []byte { return bytes.Repeat([]byte(" "), n) }
	many := func(s string, n int) []byte { return bytes.Repeat([]byte(s), n) }
	head := []byte(headLine)
	for name, x := range map[string]struct {
		packed []byte
		want   string // in the error; empty: it is read, with one entry
	}{
		"good":               {pack(t, append(head, okLine...)), ""},
		"no zstd":            {[]byte("not packed at all"), "unpacking"},
		"empty":              {nil, "from 1 to"},
		"nothing in it":      {pack(t, nil), "empty"},
		"no header":          {pack(t, []byte(okLine)), "not the catalogue"},
		"newer":              {pack(t, bytes.Replace(head, []byte(`"version":1`), []byte(`"version":2`), 1)), "newer"},
		"bad key":            {pack(t, bytes.Replace(head, []byte("0011"), []byte("00"), 1)), "key"},
		"bad salt":           {pack(t, bytes.Replace(head, []byte(`"name"`), []byte(`"salt":"zz","name"`), 1)), "salt"},
		"cut short":          {pack(t, append(head, many(okLine, 9)...))[:60], "unpacking"},
		"zip bomb":           {pack(t, append(head, many(okLine, 300_000)...)), "unpacks to more"},
		"line in quotes":     {pack(t, append(head, append([]byte(`{"id":"`), zeros(maxLine)...)...)), "a line of"},
		"huge window":        {pack(t, append(head, random(16<<20)...), zstd.WithWindowSize(64<<20)), "unpacking"},
		"many tags":          {pack(t, append(head, []byte(`{"id":"`+strings.Repeat("1", 40)+`","tags":[`+strings.Repeat(`"a",`, 60_000)+`"b"]}`)...)), ""},
		"deep":               {pack(t, append(head, []byte(strings.Repeat(`{"id":`, 30_000)+"\n"+okLine)...)), ""},
		"no JSON":            {pack(t, append(head, []byte("}{\n\n\nnull\n[]\n1\n"+okLine)...)), ""},
		"no ID":              {pack(t, append(head, []byte(`{"name":"x"}`+"\n"+`{"id":"00"}`+"\n"+`{"id":"`+strings.Repeat("0", 40)+`"}`+"\n"+okLine)...)), ""},
		"too many entries":   {pack(t, append(head, lines(MaxEntries+1)...)), "entries"},
		"two frames":         {append(pack(t, head), pack(t, []byte(okLine))...), ""},
		"no end of the line": {pack(t, append(head, strings.TrimSpace(okLine)...)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, got, err := readAll(x.packed)
			if x.want == "" {
				if err != nil || len(got) != 1 {
					t.Errorf("%d entries, %v", len(got), err)
				}
				return
			}
			if share.KindOf(err) != share.Refused || !strings.Contains(err.Error(), x.want) {
				t.Errorf("%v, want a refusal with %q", err, x.want)
			}
		})
	}
}

// What has no end is refused where that is clear, not where it ends: a line of a
// gigabyte, and one entry with a billion tags, cost a few hundred kilobytes.
func TestEndlessLines(t *testing.T) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	// Frames of zstd may follow each other, so that it need not be made whole.
	endless := func(begin, piece string, times int) []byte {
		n := 1 << 20 / len(piece)
		frame := z.EncodeAll([]byte(strings.Repeat(piece, n)), nil)
		return append(z.EncodeAll([]byte(headLine+begin), nil), bytes.Repeat(frame, (times+n-1)/n)...)
	}
	for name, packed := range map[string][]byte{
		"a line of a gigabyte":       endless("", " ", 1<<30),
		"a name of a gigabyte":       endless(`{"id":"`+strings.Repeat("1", 40)+`","name":"`, "x", 1<<30),
		"an entry of a billion tags": endless(`{"id":"`+strings.Repeat("1", 40)+`","tags":[`, `"a",`, 1_000_000_000),
		"a billion empty lines":      endless("", "\n", 1_000_000_000),
	} {
		t.Run(name, func(t *testing.T) {
			from := &counted{r: bytes.NewReader(packed)}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r, err := NewReader(from, int64(len(packed)))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			for _, err = range r.Entries(index.ChannelID{}) {
			}
			runtime.ReadMemStats(&after)
			if share.KindOf(err) != share.Refused {
				t.Errorf("%v", err)
			}
			allocated := after.TotalAlloc - before.TotalAlloc
			t.Logf("%v, after %d of %d bytes, with %d allocated", err, from.n, len(packed), allocated)
			// The memory is the line, the window and what zstd needs.
			if allocated > 16<<20 || from.n > len(packed)/10 {
				t.Errorf("%d of %d bytes were read, %d allocated", from.n, len(packed), allocated)
			}
		})
	}
}

type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func random(n int) []byte {
	r := rand.NewChaCha8([32]byte{})
	b := make([]byte, n)
	_, _ = r.Read(b)
	return bytes.ReplaceAll(b, []byte("\n"), []byte(" "))
}

func lines(n int) []byte {
	var b bytes.Buffer
	r := rand.New(rand.NewPCG(1, 1))
	for range n {
		fmt.Fprintf(&b, `{"id":"%016x%016x%08x"}`+"\n", r.Uint64(), r.Uint64(), r.Uint32())
	}
	return b.Bytes()
}

func TestEntriesAreCleaned(t *testing.T) {
	id := strings.Repeat("ab", 20)
	link := func(more string) string { return "magnet:?xt=urn:btih:" + id + more }
	read := func(fields string) index.Entry {
		t.Helper()
		_, all, err := readAll(pack(t, []byte(headLine+`{"id":"`+id+`",`+fields+"}\n")))
		if err != nil || len(all) != 1 {
			t.Fatalf("%s: %d entries, %v", fields, len(all), err)
		}
		return all[0]
	}
	for fields, want := range map[string]string{
		`"name":"\u001b[2Jx\u202egpj\u0000"`:        "[2Jxgpj",
		`"name":"` + "\xff\xfe" + `ok"`:             "\ufffd\ufffdok",
		`"name":"a\nb\tc"`:                          "a b c",
		`"name":""`:                                 id,
		`"name":"\u0001"`:                           id,
		`"name":"` + strings.Repeat("é", 500) + `"`: strings.Repeat("é", 127),
	} {
		if e := read(fields); e.Name != want {
			t.Errorf("%s: name %q, want %q", fields, e.Name, want)
		}
	}
	for more, want := range map[string]string{
		"&x.pe=[::1]:1&x.pe=127.0.0.1:2&x.pe=10.0.0.1:3&x.pe=[fe80::1]:4&x.pe=[fd00::1]:5&x.pe=192.168.0.1:6&x.pe=[ff02::1]:7&x.pe=0.0.0.0:8": "",
		"&x.pe=localhost:1&x.pe=host.example:2&x.pe=[::ffff:127.0.0.1]:3&x.pe=[64:ff9b::7f00:1]:4&x.pe=[2002:7f00:1::]:5&x.pe=100.64.0.1:6":   "",
		"&x.pe=[2600::5]:1&x.pe=[::1]:2":                                                              "&x.pe=[2600::5]:1",
		"&tr=http%3A%2F%2Flocalhost%2Fa&tr=udp%3A%2F%2F127.1%3A5":                                     "",
		"&ws=http%3A%2F%2F0x7f000001%2Fa&ws=http%3A%2F%2F2130706433%2F&ws=http%3A%2F%2Frouter.lan%2F": "",
		"&ws=http%3A%2F%2F%5B%3A%3A1%5D%2Fa&ws=http%3A%2F%2Fu%3Ap%40x.example%2F":                     "",
		"&tr=https%3A%2F%2Ft.example%2Fa":                                                             "&tr=https%3A%2F%2Ft.example%2Fa",
	} {
		e := read(`"name":"n","link":"` + link(more) + `"`)
		if e.Link != link("&dn=n"+want) {
			t.Errorf("%s became %s", more, e.Link)
		}
	}
	if e := read(`"name":"n","link":"magnet:?xt=urn:btih:` + strings.Repeat("1", 40) + `&x.pe=[2600::5]:1"`); e.Link != link("&dn=n") {
		t.Errorf("a link to something else stays: %s", e.Link)
	}
	// One that says it is this node's own is the channel's all the same.
	if e := read(`"channel":"","own":true,"path":"/etc/passwd","name":"n"`); e.Channel != (index.ChannelID{}) || e.Name != "n" {
		t.Errorf("%+v", e)
	}
	e := read(`"name":"n","bytes":-5,"time":"yesterday","files":[{"path":"../../etc/passwd","size":1},{"path":"/abs","size":2},{"path":"a/./b\u0007","size":3},{"path":"","size":4},{"path":"neg","size":-4}]`)
	if want := []index.File{{Path: "etc/passwd", Size: 1}, {Path: "abs", Size: 2}, {Path: "a/b", Size: 3}}; !cmp.Equal(e.Files, want) || e.Bytes != 0 || !e.Time.IsZero() {
		t.Errorf("%+v", e)
	}
}

// checkClean tells what of an entry is not as a reader promises.
func checkClean(e index.Entry) error {
	texts := append([]string{e.Name, e.About, e.Link}, e.Tags...)
	for _, f := range e.Files {
		texts = append(texts, f.Path)
		if f.Size < 0 || f.Path == "" || strings.HasPrefix(f.Path, "/") || strings.HasPrefix(f.Path, "../") {
			return fmt.Errorf("file %+v", f)
		}
	}
	for _, s := range texts {
		if !utf8.ValidString(s) || strings.IndexFunc(s, func(r rune) bool { return unicode.Is(unicode.Cc, r) && r != '\n' }) >= 0 {
			return fmt.Errorf("text %q", s)
		}
	}
	l, err := share.ParseLink(e.Link)
	switch {
	case e.ID.IsZero() || e.Name == "" || e.Bytes < 0 || len(e.Name) > maxName || len(e.About) > maxAbout || len(e.Tags) > maxTags || len(e.Files) > maxFiles:
		return fmt.Errorf("entry %+v", e)
	case err != nil || l.ID != e.ID:
		return fmt.Errorf("link %s: %v", e.Link, err)
	}
	for _, p := range l.Peers {
		if !publicPeer(p) {
			return fmt.Errorf("peer %s", p)
		}
	}
	again, ok := clean(e, plainList)
	again.Channel = e.Channel
	if d := cmp.Diff(e, again); !ok || d != "" {
		return fmt.Errorf("cleaning it once more changes it: %s", d)
	}
	return nil
}

// FuzzLines reads lines that are packed well.
func FuzzLines(f *testing.F) {
	for _, s := range []string{headLine, headLine + okLine, headLine + `{"id":"` + strings.Repeat("f", 40) + `","link":"magnet:?xt=urn:btih:` + strings.Repeat("f", 40) +
		`&x.pe=[::1]:1","tags":["a","\u0000"],"files":[{"path":"../x","size":1}],"time":"2026-01-01T00:00:00+05:00"}`} {
		f.Add([]byte(s))
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, all, err := readAll(z.EncodeAll(b, nil))
		if err != nil && share.KindOf(err) != share.Refused {
			t.Fatal(err)
		}
		for _, e := range all {
			if err := checkClean(e); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzReader reads bytes as they come.
func FuzzReader(f *testing.F) {
	f.Add(pack(f, []byte(headLine+okLine)))
	f.Add(pack(f, bytes.Repeat([]byte(headLine), 100)))
	f.Add([]byte("\x28\xb5\x2f\xfd"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, err := readAll(b); err != nil && share.KindOf(err) != share.Refused {
			t.Fatal(err)
		}
	})
}

// FuzzItem reads the values of items and the text of keys.
func FuzzItem(f *testing.F) {
	k, _ := NewKey("name", false)
	text, _ := k.MarshalText()
	f.Add(value(share.ID{1}))
	f.Add([]byte("d1:ai5e1:bl1:xe2:ih20:aaaaaaaaaaaaaaaaaaaae"))
	f.Add(text)
	f.Fuzz(func(t *testing.T, b []byte) {
		if id, err := target(b); (err == nil) == id.IsZero() {
			t.Fatalf("%s, %v", id, err)
		}
		var k Key
		if err := k.UnmarshalText(b); err == nil {
			again, err := k.MarshalText()
			if err != nil {
				t.Fatal(err)
			}
			var l Key
			if err := l.UnmarshalText(again); err != nil || l.Public() != k.Public() || l.Name != k.Name || !bytes.Equal(l.Salt, k.Salt) {
				t.Fatalf("%q does not read as itself: %v", again, err)
			}
		}
	})
}

// vector is what another implementation must make of the same.
type vector struct {
	About   string          `json:"about"`
	Secret  string          `json:"secret"` // seed of the key
	Link    string          `json:"link"`
	Seq     int64           `json:"seq"`
	ID      share.ID        `json:"id"`     // of the share that the catalogue is
	Value   string          `json:"value"`  // of the item, bencoded, hex
	Signed  string          `json:"signed"` // what is signed, hex (BEP 44)
	Sig     string          `json:"sig"`
	Plain   string          `json:"plain"`   // the catalogue unpacked
	Packed  string          `json:"packed"`  // one way to pack it, hex: readers accept every one
	Entries json.RawMessage `json:"entries"` // what is read from it
}

const vectorFile = "testdata/vectors/channel.json"

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		var k Key
		link, err := index.ParseChannelLink(v.Link)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.UnmarshalText(fmt.Appendf(nil, "%s\nname: %s\nkey: %s\nsalt: %x\nsecret: %s\n", keyHead, link.Name, link.ID, link.Salt, v.Secret)); err != nil {
			t.Fatal(err)
		}
		it := k.sign(v.Seq, v.ID)
		if got := hex.EncodeToString(it.Value); got != v.Value {
			t.Errorf("%s: value %s", v.About, got)
		}
		if got := hex.EncodeToString(it.Sig[:]); got != v.Sig {
			t.Errorf("%s: signature %s", v.About, got)
		}
		if id, err := check(link, it); err != nil || id != v.ID {
			t.Errorf("%s: %s, %v", v.About, id, err)
		}
		packed, err := hex.DecodeString(v.Packed)
		if err != nil {
			t.Fatal(err)
		}
		d, err := zstd.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(d)
		d.Close()
		if err != nil || string(plain) != v.Plain {
			t.Errorf("%s: unpacks to %s, %v", v.About, plain, err)
		}
		head, entries, err := readAll(packed)
		got, merr := json.Marshal(entries)
		var want bytes.Buffer
		if cerr := json.Compact(&want, v.Entries); errors.Join(err, merr, cerr) != nil || want.String() != string(got) {
			t.Errorf("%s: entries\n%s, want\n%s; %v", v.About, got, want.String(), err)
		}
		var again bytes.Buffer
		if err := Write(&again, head, entries); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Bytes(), packed) {
			t.Logf("%s: this release packs the same in other bytes", v.About)
		}
	}
}

func writeVectors(t *testing.T) {
	var all []vector
	for i, x := range []struct {
		about, salt string
		entries     []index.Entry
	}{
		{"a channel without a salt, empty", "", nil},
		{"a channel with a salt and two entries", "films", []index.Entry{thing(1, "Blue sky"), {
			ID: share.ID{2}, Name: "Zürich, 東京", Bytes: 1 << 33, About: "two\nlines", Tags: []string{"photo", "night sky"},
			Time: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC), Files: []index.File{{Path: "raw/1.cr2", Size: 1 << 32}, {Path: "2.cr2", Size: 1 << 32}},
			Link: "magnet:?xt=urn:btih:" + share.ID{2}.String() + "&x.pe=[2600::5]:51413",
		}}},
	} {
		var k Key
		seed := bytes.Repeat([]byte{byte(i + 1)}, 32)
		k.Name, k.Salt, k.secret = "A channel", []byte(x.salt), ed25519.NewKeyFromSeed(seed)
		var packed bytes.Buffer
		if err := Write(&packed, Head{Link: k.Link(), About: "for the vectors"}, x.entries); err != nil {
			t.Fatal(err)
		}
		d, err := zstd.NewReader(bytes.NewReader(packed.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(d)
		d.Close()
		if err != nil {
			t.Fatal(err)
		}
		_, entries, err := readAll(packed.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		list, err := json.Marshal(entries)
		if err != nil {
			t.Fatal(err)
		}
		id := share.ID{0xab, 19: byte(i)}
		it := k.sign(int64(i+1), id)
		all = append(all, vector{
			About: x.about, Secret: hex.EncodeToString(seed), Link: k.Link().String(), Seq: it.Seq, ID: id, Value: hex.EncodeToString(it.Value),
			Signed: hex.EncodeToString(signedBytes(it)), Sig: hex.EncodeToString(it.Sig[:]), Plain: string(plain), Packed: hex.EncodeToString(packed.Bytes()), Entries: list,
		})
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(vectorFile), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorFile, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// signedBytes is what BEP 44 has signed.
func signedBytes(it index.Item) []byte {
	var b []byte
	if len(it.Salt) > 0 {
		b = fmt.Appendf(b, "4:salt%d:%s", len(it.Salt), it.Salt)
	}
	return append(fmt.Appendf(b, "3:seqi%de1:v", it.Seq), it.Value...)
}

func TestItems(t *testing.T) {
	k, err := NewKey("x", false)
	if err != nil {
		t.Fatal(err)
	}
	id := share.ID{5}
	good := k.sign(7, id)
	for name, change := range map[string]func(*index.Item){
		"sequence": func(it *index.Item) { it.Seq++ }, "value": func(it *index.Item) { it.Value = value(share.ID{6}) },
		"salt": func(it *index.Item) { it.Salt = []byte("s") }, "key": func(it *index.Item) { it.Key[0] ^= 1 },
		"signature": func(it *index.Item) { it.Sig[9] ^= 1 }, "negative": func(it *index.Item) { *it = k.sign(-1, id) },
	} {
		bad := good
		change(&bad)
		if _, err := check(k.Link(), bad); !errors.Is(err, index.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Other programs may put more into the dictionary.
	more := good
	more.Value = []byte("d1:ali1eli2eee2:ih20:" + string(id[:]) + "1:zd1:q1:qee")
	copy(more.Sig[:], bep44.Sign(k.secret, nil, 7, more.Value))
	if got, err := check(k.Link(), more); err != nil || got != id {
		t.Errorf("a longer dictionary: %s, %v", got, err)
	}
	for _, v := range []string{"", "i5e", "d", "de", "d2:ih3:abce", "d2:ih20:short", "l2:ihe", "d2:ih20:" + strings.Repeat("\x00", 20) + "e", "d1:a" + strings.Repeat("l", 900) + "e"} {
		if id, err := target([]byte(v)); share.KindOf(err) != share.Refused {
			t.Errorf("%q: %s, %v", v, id, err)
		}
	}
}

func TestKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	k, err := NewKey("Blue\nsky", false)
	if err != nil {
		t.Fatal(err)
	}
	k.Salt = []byte{1, 2}
	if err := k.save(dir); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(keyFile(dir, k.Link().Local()))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	all, err := Keys(dir)
	if err != nil || len(all) != 1 || all[0].Public() != k.Public() || all[0].Name != "Blue sky" || !bytes.Equal(all[0].Salt, k.Salt) {
		t.Errorf("%+v, %v", all, err)
	}
	text, err := k.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	secret := hex.EncodeToString(k.secret.Seed())
	for name, bad := range map[string]string{
		"empty": "", "something else": "-----BEGIN PRIVATE KEY-----", "cut": string(text[:len(text)-9]),
		"another key": strings.Replace(string(text), "key: ", "key: 00", 1), "salt": strings.Replace(string(text), "salt: ", "salt: x", 1),
		"twice": string(text) + "secret: " + secret, "no colon": string(text) + "word", "long": string(text) + strings.Repeat("#\n", MaxKeyText),
	} {
		var k Key
		err := k.UnmarshalText([]byte(bad))
		if share.KindOf(err) != share.Refused {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(fmt.Sprint(err), secret[:16]) {
			t.Errorf("%s: the error tells the secret", name)
		}
	}
	if _, err := ReadKey(dir, index.ChannelID{3}); !errors.Is(err, index.ErrUnknown) {
		t.Error(err)
	}
}

// An entry keeps both IDs of its link where one of them is its own, and a link to other
// content is replaced.
func TestEntriesByBothIDs(t *testing.T) {
	v1, v2 := share.ID{1}, share.V2{2}
	both := share.Link{ID: v1, V2: v2, Name: "n", Length: 5}
	for _, test := range []struct {
		id   share.ID
		link share.Link
		want share.Link
	}{
		{v1, both, both},
		{v2.ID(), both, both},
		{v2.ID(), share.Link{V2: v2}, share.Link{V2: v2, Name: "n", Length: 5}},
		{share.ID{3}, both, share.Link{ID: share.ID{3}, Name: "n", Length: 5}},
	} {
		e, ok := clean(index.Entry{ID: test.id, Name: "n", Bytes: 5, Time: time.Unix(1e9, 0), Link: test.link.String()}, plainList)
		if !ok || e.Link != test.want.String() {
			t.Errorf("%s in %s: %v, %s", test.id.Short(), test.link, ok, e.Link)
		}
	}
}
