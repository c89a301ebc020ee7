package channel

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

func secretOf(n byte) share.Secret { return share.SecretOf([share.SecretSize]byte{n, 31: n}) }

// sealedThing is an entry for a sealed share; what is transferred has n units.
func sealedThing(n int, name string) index.Entry {
	e := thing(n, name)
	e.About, e.Tags, e.Files = "about "+name, []string{"tag-" + name}, []index.File{{Path: "inside " + name, Size: 5}}
	e.Link = share.Link{ID: e.ID, Length: int64(n) * blobUnit, Peers: []string{"[2600::5]:1"}, Secret: secretOf(byte(n))}.Reveal()
	return e
}

func sealedHeadOf(t testing.TB) Head {
	t.Helper()
	k, err := NewKey("A private channel", true)
	if err != nil {
		t.Fatal(err)
	}
	return Head{Link: k.Link(), About: "about the channel"}
}

func written(t testing.TB, head Head, entries ...index.Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, head, entries); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readSealed(b []byte, l index.ChannelLink) (Head, []index.Entry, error) {
	r, err := NewSealedReader(bytes.NewReader(b), int64(len(b)), l)
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

// leaks returns the first of the words that b has, in UTF-8 or UTF-16 of either order.
func leaks(b []byte, words ...string) string {
	for _, w := range words {
		var little, big []byte
		for _, u := range utf16.Encode([]rune(w)) {
			little, big = binary.LittleEndian.AppendUint16(little, u), binary.BigEndian.AppendUint16(big, u)
		}
		for _, form := range [][]byte{[]byte(w), little, big} {
			if bytes.Contains(b, form) {
				return w
			}
		}
	}
	return ""
}

// Those who have the secret read everything; everybody else reads the IDs, sizes and
// addresses of what is sealed, and nothing of what is not.
func TestASealedCatalogueHasTwoLists(t *testing.T) {
	head := sealedHeadOf(t)
	entries := []index.Entry{sealedThing(4, "holiday"), thing(5, "an open letter"), sealedThing(9, "birthday")}
	unsaid := sealedThing(11, "exact size")
	unsaid.Link = strings.Replace(unsaid.Link, fmt.Sprint("xl=", 11*blobUnit), "xl=123457", 1)
	entries = append(entries, unsaid)
	b := written(t, head, entries...)

	got, all, err := readSealed(b, head.Link)
	if err != nil || got.Link.Name != head.Link.Name || got.About != head.About || !got.Sealed || len(all) != 4 {
		t.Fatalf("%+v, %d entries, %v", got, len(all), err)
	}
	for i, e := range entries {
		want, _ := clean(e, sealedList)
		want.Sealed = e.Name != "an open letter"
		if d := cmp.Diff(want, all[i]); d != "" {
			t.Errorf("%s: %s", e.Name, d)
		}
	}
	l, err := share.ParseLink(all[0].Link)
	if err != nil || l.Secret != secretOf(4) || l.Length != 4*blobUnit || all[0].Bytes != 4<<20 {
		t.Errorf("the link is %+v, of %d bytes, %v", l, all[0].Bytes, err)
	}

	got, all, err = readAll(b)
	if err != nil || got.Link.Name != "" || got.About != "" || !got.Sealed {
		t.Fatalf("%+v, %v", got, err)
	}
	want := []index.Entry{
		{ID: entries[0].ID, Bytes: 4 * blobUnit, Link: share.Link{ID: entries[0].ID, Length: 4 * blobUnit, Peers: []string{"[2600::5]:1"}}.String(), Sealed: true},
		{ID: entries[2].ID, Bytes: 9 * blobUnit, Link: share.Link{ID: entries[2].ID, Length: 9 * blobUnit, Peers: []string{"[2600::5]:1"}}.String(), Sealed: true},
		{ID: unsaid.ID, Link: share.Link{ID: unsaid.ID, Peers: []string{"[2600::5]:1"}}.String(), Sealed: true},
	}
	if d := cmp.Diff(want, all); d != "" {
		t.Error(d)
	}

	if again := written(t, head, entries...); !bytes.Equal(again, b) {
		t.Error("the same entries make another file")
	}
}

// Releases before sealed channels read the list in clear: zstd skips the sealed one, and
// they take an entry without a name for one that is called by its ID.
func TestOlderReleasesReadTheListInClear(t *testing.T) {
	head := sealedHeadOf(t)
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	plain, err := z.DecodeAll(written(t, head, sealedThing(4, "holiday"), thing(5, "an open letter")), nil)
	if err != nil {
		t.Fatal(err)
	}
	id := sealedThing(4, "").ID.String()
	want := `{"format":"shoal-channel","version":1,"key":"` + head.Link.ID.String() + `","name":""}` + "\n" +
		`{"id":"` + id + `","name":"","bytes":262144,"link":"magnet:?xt=urn:btih:` + id + `&xl=262144&x.pe=[2600::5]:1"}` + "\n"
	if string(plain) != want {
		t.Errorf("they see\n%swant\n%s", plain, want)
	}
	e, ok := parseLine([]byte(strings.Split(string(plain), "\n")[1]), plainList)
	if !ok || e.Name != id || e.Bytes != 262144 {
		t.Errorf("they make of it %+v", e)
	}
}

// The size of the sealed list says little of what is in it.
func TestTheSizeOfASealedListIsPadded(t *testing.T) {
	head := sealedHeadOf(t)
	sizes := map[int]bool{}
	for n := range 60 {
		e := thing(1, strings.Repeat("x", n)+fmt.Sprint(n*n*7919))
		b := written(t, head, e)
		h, _ := readSealedHead(b)
		sizes[h.size-sealedHead] = true
	}
	if len(sizes) != 1 || !sizes[minSealed] {
		t.Errorf("lists with one short entry have the sizes %v", sizes)
	}
	for n := 1; n < 1<<20; n = n*9/8 + 1 {
		p := padme(max(minSealed, n))
		if p < n || n > minSealed && float64(p) > 1.12*float64(n) || padme(p) != p {
			t.Errorf("%d is padded to %d", n, p)
		}
	}
}

// What is changed anywhere, or sealed for another channel or with another secret, is
// refused, and no entry of it is read.
func TestDamagedAndForgedSealedLists(t *testing.T) {
	head := sealedHeadOf(t)
	good := written(t, head, sealedThing(4, "holiday"), sealedThing(9, "birthday"))
	h, _ := readSealedHead(good)
	refused := func(what string, b []byte, l index.ChannelLink, says string) {
		t.Helper()
		_, all, err := readSealed(b, l)
		if share.KindOf(err) != share.Refused || len(all) > 0 || !strings.Contains(fmt.Sprint(err), says) {
			t.Errorf("%s: %d entries, %v; want a refusal with %q", what, len(all), err, says)
		}
		if err != nil && strings.Contains(err.Error(), l.Secret.Reveal()[:16]) {
			t.Errorf("%s: the error has the secret", what)
		}
	}
	for i := range h.size * 8 {
		if i > 8*sealedHead && i%61 != 0 && i < 8*(h.size-16) {
			continue
		}
		b := bytes.Clone(good)
		b[i/8] ^= 1 << (i % 8)
		refused(fmt.Sprint("bit ", i), b, head.Link, "")
	}
	for _, n := range []int{1, 7, 8, sealedHead - 1, sealedHead, h.size - 1, h.size / 2} {
		refused(fmt.Sprint("cut to ", n), good[:n], head.Link, "")
		refused(fmt.Sprint("cut within, ", n), slices.Concat(good[:n], good[h.size:]), head.Link, "")
	}
	refused("without the sealed list", good[h.size:], head.Link, "not sealed")

	wrong := head.Link
	wrong.Secret = secretOf(77)
	refused("the wrong secret", good, wrong, "not the one that opens it")
	if _, _, err := readSealed(good, wrong); !errors.Is(err, errOtherSecret) {
		t.Error(err)
	}
	// The secret of a channel is its own, but if somebody uses one twice, the list of one
	// channel is still not one of the other.
	other := head.Link
	other.Salt = []byte("other")
	refused("of another channel", good, other, "damaged or forged")
	newer := bytes.Clone(good)
	newer[8+len(sealedMark)]++
	refused("a later version", newer, head.Link, "a newer version of shoal is needed")

	s, err := newSealer(head.Link)
	if err != nil {
		t.Fatal(err)
	}
	// What its publisher sealed well and wrote badly is refused, too.
	for what, b := range map[string][]byte{
		"nothing in it":           mustSeal(t, s, nil),
		"no zstd":                 mustSeal(t, s, []byte("not packed at all")),
		"another header":          mustSeal(t, s, pack(t, []byte(okLine))),
		"unpacks without end":     mustSeal(t, s, pack(t, append([]byte(headLine), bytes.Repeat([]byte(okLine), 300_000)...))),
		"a length beyond the end": resealed(s, func(p []byte) { binary.BigEndian.PutUint64(p, minSealed) }),
		"a length of 2^63":        resealed(s, func(p []byte) { p[0] = 0x80 }),
		"no zeros at the end":     resealed(s, func(p []byte) { p[len(p)-1] = 1 }),
	} {
		_, _, err := readSealed(b, head.Link)
		if share.KindOf(err) != share.Refused {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func mustSeal(t testing.TB, s *sealer, packed []byte) []byte {
	t.Helper()
	frame, err := s.seal(packed)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// resealed makes a frame of a changed plaintext with a tag that is right.
func resealed(s *sealer, change func(plain []byte)) []byte {
	frame, _ := s.seal(nil)
	plain := make([]byte, minSealed)
	change(plain)
	tag := s.tag(plain)
	copy(frame[sealedHead-len(tag):], tag)
	_ = s.crypt(tag, plain)
	copy(frame[sealedHead:], plain)
	return frame
}

// What somebody else's program writes into the list in clear is not shown as a name.
func TestTheListInClearHasNoNames(t *testing.T) {
	head := sealedHeadOf(t)
	frame := written(t, head)
	h, _ := readSealedHead(frame)
	id := strings.Repeat("ab", 20)
	clearLine := `{"id":"` + id + `","name":"told","about":"told","tags":["told"],"time":"2026-01-01T00:00:00Z","files":[{"path":"told","size":1}],` +
		`"link":"magnet:?xt=urn:btih:` + id + `&dn=told&ws=https%3A%2F%2Ftold.example%2F&x.k=` + secretOf(1).Reveal() + `"}` + "\n"
	_, all, err := readAll(append(bytes.Clone(frame[:h.size]), pack(t, []byte(headLine+clearLine))...))
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if d := cmp.Diff(index.Entry{ID: share.ID(bytes.Repeat([]byte{0xab}, 20)), Link: "magnet:?xt=urn:btih:" + id, Sealed: true}, all[0]); d != "" {
		t.Error(d)
	}
}

// A box with the blind link mirrors what is sealed and learns no name; the publisher goes;
// a reader with the full link gets the list from the box.
func TestABoxMirrorsASealedChannel(t *testing.T) {
	words := []string{"A private channel", "about the channel", "holiday", "birthday", "open letter", "tag-", "inside", secretOf(4).Reveal(), secretOf(9).Reveal()}
	w := newWorld()
	a := w.join(t, t.TempDir())
	ch, err := a.Create(bg, "A private channel", "about the channel", true)
	if err != nil {
		t.Fatal(err)
	}
	link, err := index.ParseChannelLink(ch.Link)
	if err != nil || link.Secret.IsZero() || !ch.Sealed || ch.Blind || ch.BlindLink != link.Blind().String() {
		t.Fatalf("%+v, %v", ch, err)
	}
	if _, err := a.Put(bg, ch.Name, []index.Entry{sealedThing(4, "holiday"), sealedThing(9, "birthday"), thing(5, "open letter")}); err != nil {
		t.Fatal(err)
	}

	boxDir := t.TempDir()
	box := w.join(t, boxDir)
	followed(t, box, link.Blind(), 1<<30)
	eventually(t, "what is sealed is mirrored", func() bool { box.mu.Lock(); defer box.mu.Unlock(); return len(box.began) == 2 })
	for _, l := range box.began {
		if l.Name != "" || !l.Secret.IsZero() || l.Length != int64(l.ID[19])*blobUnit {
			t.Errorf("the box fetches %+v", l)
		}
	}
	i, err := box.Resolve(ch.ID.Short())
	if err != nil || !i.Sealed || !i.Blind || i.Name != "" || i.About != "" || i.Entries != 2 || i.Link != ch.BlindLink || i.Error != "" {
		t.Errorf("the box has %+v, %v", i, err)
	}
	a.stop()

	// What the box has on disk and in its catalogue, also after a restart.
	box.stop()
	box = w.join(t, boxDir)
	w.mu.Lock() // as the engine has it after a restart
	for id := range w.content {
		w.seeds[id] = map[*host]bool{box: true}
	}
	w.mu.Unlock()
	var catalogue share.ID
	if catalogue, err = target(w.item(link).Value); err != nil {
		t.Fatal(err)
	}
	box.mu.Lock()
	box.has[catalogue] = filepath.Join(boxDir, "channels", ch.ID.String(), catalogue.String(), "catalogue")
	box.mu.Unlock()
	if i, err := box.Resolve(ch.ID.Short()); err != nil || !i.Blind || i.Mirror != 1<<30 {
		t.Errorf("after a restart the box has %+v, %v", i, err)
	}
	box.cat.lose()
	eventually(t, "the box knows two entries", func() bool { return len(box.cat.names(ch.ID)) == 2 })
	if names := box.cat.names(ch.ID); !slices.Equal(names, []string{"", ""}) {
		t.Errorf("the box knows the names %q", names)
	}
	err = filepath.WalkDir(boxDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if word := leaks(append([]byte(path), b...), words...); word != "" {
			t.Errorf("%s has %q", path, word)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	reader := w.join(t, t.TempDir())
	followed(t, reader, link, 0)
	reader.eventuallyHas(link, "birthday", "holiday", "open letter")
	if i, err := reader.Resolve("A private channel"); err != nil || i.Blind || !i.Sealed || i.About != "about the channel" || i.Link != link.Reveal() {
		t.Errorf("the reader has %+v, %v", i, err)
	}
	reader.cat.mu.Lock()
	l, err := share.ParseLink(reader.cat.entries[ch.ID][sealedThing(4, "").ID].Link)
	reader.cat.mu.Unlock()
	if err != nil || l.Secret != secretOf(4) {
		t.Errorf("the reader cannot open what it finds: %s, %v", l, err)
	}
	// A reader that mirrors fetches everything, with keys, and by the size of the blob.
	followed(t, reader, link, 1<<30)
	eventually(t, "the reader mirrors all", func() bool { reader.mu.Lock(); defer reader.mu.Unlock(); return len(reader.began) == 3 })
	for _, l := range reader.began {
		n := int64(l.ID[19])
		if n == 5 && (l.Name != "open letter" || l.Length != 5<<20) || n != 5 && (l.Secret != secretOf(byte(n)) || l.Length != n*blobUnit) {
			t.Errorf("the reader fetches %+v", l)
		}
	}
}

// The wrong secret is said to be wrong, and the right one then opens the list. One that
// follows blind reads it from where it gets the secret on, also after a restart.
func TestTheSecretOfAChannelComesLater(t *testing.T) {
	w := newWorld()
	a := w.join(t, t.TempDir())
	ch, err := a.Create(bg, "family", "", true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Put(bg, "family", []index.Entry{sealedThing(4, "holiday"), thing(5, "letter")}); err != nil {
		t.Fatal(err)
	}
	link, err := index.ParseChannelLink(ch.Link)
	if err != nil {
		t.Fatal(err)
	}
	wrong := link
	wrong.Secret = secretOf(99)

	b := w.join(t, t.TempDir())
	followed(t, b, wrong, 0)
	eventually(t, "it says that the secret is wrong", func() bool {
		i, _ := b.Resolve(ch.ID.Short())
		return strings.Contains(i.Error, "not the one that opens it") && !strings.Contains(i.Error, wrong.Secret.Reveal())
	})
	if names := b.cat.names(ch.ID); len(names) > 0 {
		t.Errorf("with the wrong secret there are %q", names)
	}
	followed(t, b, link, 0)
	b.eventuallyHas(link, "holiday", "letter")

	dir := t.TempDir()
	c := w.join(t, dir)
	followed(t, c, link.Blind(), 1<<30)
	c.eventuallyHas(link, "")
	began := func(n int) bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.began) == n }
	eventually(t, "what is sealed is mirrored", func() bool { return began(1) })
	if _, err := c.Follow(bg, wrong, nil); share.KindOf(err) != share.Refused || !errors.Is(err, errOtherSecret) {
		t.Errorf("the wrong secret: %v", err)
	}
	if _, err := c.Follow(bg, link, nil); err != nil {
		t.Fatal(err)
	}
	c.eventuallyHas(link, "holiday", "letter")
	eventually(t, "the rest is mirrored, too", func() bool { return began(2) })
	eventually(t, "the name is known", func() bool { i, err := c.Resolve("family"); return err == nil && !i.Blind && i.Entries == 2 })
	// The blind link takes nothing away.
	if i, err := c.Follow(bg, link.Blind(), nil); err != nil || i.Blind {
		t.Errorf("%+v, %v", i, err)
	}
	c.stop()
	c = w.join(t, dir)
	if i, err := c.Resolve("family"); err != nil || i.Blind || !i.Sealed || i.Link != link.Reveal() {
		t.Errorf("after a restart: %+v, %v", i, err)
	}
}

// A list that is damaged, forged or no longer sealed changes nothing, and is reported.
func TestTheLastGoodListStays(t *testing.T) {
	w := newWorld()
	a := w.join(t, t.TempDir())
	ch, err := a.Create(bg, "family", "", true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Put(bg, "family", []index.Entry{sealedThing(4, "holiday")}); err != nil {
		t.Fatal(err)
	}
	link, err := index.ParseChannelLink(ch.Link)
	if err != nil {
		t.Fatal(err)
	}
	b := w.join(t, t.TempDir())
	followed(t, b, link, 0)
	b.eventuallyHas(link, "holiday")
	eventually(t, "it is published", func() bool { i, _ := a.Resolve("family"); return !i.Pending })
	k, err := ReadKey(filepath.Join(a.dir, "channels"), ch.ID)
	if err != nil {
		t.Fatal(err)
	}
	a.stop()

	head := Head{Link: link}
	newer := written(t, head, sealedThing(4, "holiday"), sealedThing(7, "newer"))
	damaged := bytes.Clone(newer)
	damaged[sealedHead+9] ^= 1
	unsealed := head
	unsealed.Link.Secret = share.Secret{}
	for says, b2 := range map[string][]byte{
		"damaged or forged": damaged,
		"not sealed":        written(t, unsealed, thing(8, "in clear")),
	} {
		id := share.ID(sha1.Sum(b2))
		w.offer(id, b2, &host{})
		w.mu.Lock()
		w.items[string(link.ID[:])] = k.sign(w.items[string(link.ID[:])].Seq+1, id)
		w.mu.Unlock()
		eventually(t, "it says what is wrong", func() bool { i, _ := b.Resolve("family"); return strings.Contains(i.Error, says) })
		b.eventuallyHas(link, "holiday")
	}
	id := share.ID(sha1.Sum(newer))
	w.offer(id, newer, &host{})
	w.mu.Lock()
	w.items[string(link.ID[:])] = k.sign(w.items[string(link.ID[:])].Seq+1, id)
	w.mu.Unlock()
	b.eventuallyHas(link, "holiday", "newer")
}

// The key of a sealed channel has its secret, so that another node goes on with it.
func TestTheKeyOfASealedChannel(t *testing.T) {
	w := newWorld()
	a := w.join(t, t.TempDir())
	ch, err := a.Create(bg, "family", "", true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Put(bg, "family", []index.Entry{sealedThing(4, "holiday")}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is published", func() bool { i, _ := a.Resolve("family"); return !i.Pending })
	k, err := ReadKey(filepath.Join(a.dir, "channels"), ch.ID)
	if err != nil {
		t.Fatal(err)
	}
	text, err := k.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	if !IsKey(text) || !strings.Contains(string(text), "\n"+sealedKeyHead+"\n") {
		t.Errorf("the key is not known as one, or older releases would take it:\n%s", text)
	}
	var read Key
	if err := read.UnmarshalText(text); err != nil || read.Sealed != k.Sealed || k.Sealed.IsZero() {
		t.Error(err)
	}
	for what, bad := range map[string]string{
		"no secret":           strings.Replace(string(text), "sealed: ", "#", 1),
		"half a secret":       strings.Replace(string(text), "sealed: "+k.Sealed.Reveal()[:32], "sealed: ", 1),
		"a secret in a key 1": strings.Replace(string(text), sealedKeyHead, keyHead, 1),
	} {
		var into Key
		if err := into.UnmarshalText([]byte(bad)); share.KindOf(err) != share.Refused || strings.Contains(err.Error(), k.Sealed.Reveal()[32:]) {
			t.Errorf("%s: %v", what, err)
		}
	}

	// Another node has followed it blind, and gets the key.
	b := w.join(t, t.TempDir())
	followed(t, b, k.Link().Blind(), 0)
	b.eventuallyHas(k.Link(), "")
	if _, err := b.Import(bg, read); err != nil {
		t.Fatal(err)
	}
	b.eventuallyHas(k.Link(), "holiday")
	if _, err := b.Put(bg, ch.ID.String(), []index.Entry{sealedThing(7, "more")}); err != nil {
		t.Fatal(err)
	}
	c := w.join(t, t.TempDir())
	followed(t, c, k.Link(), 0)
	c.eventuallyHas(k.Link(), "holiday", "more")
}

// The key of a sealed share gets into no list that everyone can read.
func TestAPlainChannelTakesNoSealedShare(t *testing.T) {
	w := newWorld()
	a := w.join(t, t.TempDir())
	created(t, a, "films", thing(1, "one"))
	_, err := a.Put(bg, "films", []index.Entry{sealedThing(4, "holiday")})
	if share.KindOf(err) != share.Usage || strings.Contains(err.Error(), secretOf(4).Reveal()) {
		t.Error(err)
	}
	b := written(t, Head{Link: index.ChannelLink{ID: index.ChannelID{1}}}, sealedThing(4, "holiday"))
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if plain, err := z.DecodeAll(b, nil); err != nil || leaks(plain, secretOf(4).Reveal()) != "" {
		t.Errorf("the list has a key: %v", err)
	}
}

// A database that was last used before there were sealed channels is read and extended.
func TestStateFromBeforeSealedChannels(t *testing.T) {
	w := newWorld()
	dir := t.TempDir()
	a := w.join(t, dir)
	created(t, a, "films", thing(1, "one"))
	a.stop()
	db, err := sql.Open("sqlite", filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`ALTER TABLE channel_list DROP COLUMN sealed`); err != nil {
		t.Fatal(err)
	}
	if err := CheckState(bg, db, true); err != nil {
		t.Errorf("it is called damaged: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	a = w.join(t, dir)
	if i, err := a.Resolve("films"); err != nil || i.Sealed {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := a.Create(bg, "family", "", true); err != nil {
		t.Error(err)
	}
}

// What is recovered of a damaged database can still be read.
func TestSecretsAreRecovered(t *testing.T) {
	w := newWorld()
	a, bDir := w.join(t, t.TempDir()), t.TempDir()
	b := w.join(t, bDir)
	ch, err := a.Create(bg, "family", "", true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Put(bg, "family", []index.Entry{sealedThing(4, "holiday")}); err != nil {
		t.Fatal(err)
	}
	link, err := index.ParseChannelLink(ch.Link)
	if err != nil {
		t.Fatal(err)
	}
	followed(t, b, link, 0)
	b.eventuallyHas(link, "holiday")
	for name, h := range map[string]*host{"the publisher's": a, "the reader's": b} {
		h.stop()
		open := func(name string) *sql.DB {
			db, err := sql.Open("sqlite", name)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return db
		}
		db := open(filepath.Join(t.TempDir(), "new.db"))
		if all, err := Recover(bg, db, open(filepath.Join(h.dir, "state.db")), filepath.Join(h.dir, "channels"), time.Now()); err != nil || len(all) != 1 || all[0].Err != nil {
			t.Fatalf("%s: %+v, %v", name, all, err)
		}
		rows, err := (&state{db}).list(bg)
		if err != nil || len(rows) != 1 || rows[0].link.Secret != link.Secret {
			t.Errorf("%s: the secret is gone, %v", name, err)
		}
	}
}

// Over random histories of publishing, with restarts, restored backups and a second
// holder of the key, no two plaintexts are encrypted with one IV.
func TestHistoriesOfPublishing(t *testing.T) {
	published := 0
	for seed := range uint64(8) {
		h := newPublishers(t)
		r := rand.New(rand.NewPCG(seed, 1))
		var did []string
		for range 60 {
			did = append(did, h.step(r))
		}
		n, err := h.check()
		if err != nil {
			t.Fatalf("seed %d, after %q: %v", seed, did, err)
		}
		published += n
	}
	// Nothing would be tested where little is published.
	if published < 60 {
		t.Errorf("only %d lists were published", published)
	}
	t.Logf("%d lists", published)
}

// publishers are two nodes that publish one sealed channel.
type publishers struct {
	t       *testing.T
	w       *world
	key     Key
	hosts   [2]*host
	backups [2]string
}

// seldom keeps a channel from publishing and looking up by itself.
func seldom(c *Config) { c.Poll, c.Settle = time.Hour, time.Hour }

func newPublishers(t *testing.T) *publishers {
	p := &publishers{t: t, w: newWorld()}
	var err error
	if p.key, err = NewKey("family", true); err != nil {
		t.Fatal(err)
	}
	for i := range p.hosts {
		p.hosts[i] = p.w.join(t, t.TempDir(), seldom)
		if _, err := p.hosts[i].Import(bg, p.key); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// restart starts a node anew on a folder, with what it shared from there.
func (p *publishers) restart(i int, dir string) {
	was := p.hosts[i]
	h := p.w.join(p.t, dir, seldom)
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, path := range was.has {
		path = strings.Replace(path, was.dir, dir, 1)
		if b, err := os.ReadFile(path); err == nil {
			h.has[id] = path
			p.w.offer(id, b, h)
		}
	}
	p.hosts[i] = h
}

func (p *publishers) step(r *rand.Rand) (did string) {
	i, n := r.IntN(len(p.hosts)), 1+r.IntN(6)
	h, ref := p.hosts[i], p.key.Public().String()
	var err error
	switch act := r.IntN(10); act {
	case 0, 1, 2:
		did = fmt.Sprint("add ", n)
		_, err = h.Put(bg, ref, []index.Entry{sealedThing(n, []string{"a", "b"}[r.IntN(2)])})
	case 3:
		did = fmt.Sprint("drop ", n)
		if _, err = h.Manager.Remove(bg, ref, []share.ID{thing(n, "").ID}); errors.Is(err, index.ErrUnknown) {
			err = nil
		}
	case 4:
		did = fmt.Sprint("edit ", n)
		about := strings.Repeat("x", n)
		_, err = h.Edit(bg, ref, index.ChannelChange{About: &about})
	case 5, 6, 7:
		did = "publish"
		// Another holder of the key may have been faster, or have what nobody else has.
		if _, err = h.Publish(bg, ref); errors.Is(err, index.ErrStale) || share.KindOf(err) == share.Nobody {
			did, err = "publish in vain", nil
		}
	case 8:
		did = "back up"
		p.backups[i] = filepath.Join(p.t.TempDir(), "state")
		h.stop()
		err = os.CopyFS(p.backups[i], os.DirFS(h.dir))
		p.restart(i, h.dir)
	case 9:
		did = "restart"
		h.stop()
		dir := h.dir
		if p.backups[i] != "" {
			did, dir = "restore", filepath.Join(p.t.TempDir(), "state")
			err = os.CopyFS(dir, os.DirFS(p.backups[i]))
		}
		p.restart(i, dir)
	}
	if err != nil {
		p.t.Fatalf("%s: %v", did, err)
	}
	return fmt.Sprint(i, " ", did)
}

// check looks at everything that was ever published.
func (p *publishers) check() (published int, err error) {
	s, err := newSealer(p.key.Link())
	if err != nil {
		return 0, err
	}
	used := map[string][]byte{}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	for id, b := range p.w.content {
		h, ok := readSealedHead(b)
		if !ok {
			return 0, fmt.Errorf("%s was published without a sealed list", id)
		}
		block, err := aes.NewCipher(s.encryptionKey)
		if err != nil {
			return 0, err
		}
		iv, plain := string(h.tag[:aes.BlockSize]), bytes.Clone(b[sealedHead:h.size])
		cipher.NewCTR(block, []byte(iv)).XORKeyStream(plain, plain)
		if was, ok := used[iv]; ok && !bytes.Equal(was, plain) {
			return 0, errors.New("two plaintexts were encrypted with one IV")
		}
		used[iv] = plain
		if _, err := s.open(bytes.Clone(b[:h.size])); err != nil {
			return 0, err
		}
	}
	return len(p.w.content), nil
}

// The vectors were made by another implementation, testdata/sealed.py.
func TestSealedVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/vectors/sealed.json")
	if err != nil {
		t.Fatal(err)
	}
	type entry struct {
		ID     share.ID  `json:"id"`
		Name   string    `json:"name"`
		Bytes  int64     `json:"bytes"`
		Sealed bool      `json:"sealed"`
		Key    string    `json:"key"`
		About  string    `json:"about"`
		Time   time.Time `json:"time,omitzero"`
		Tags   []string  `json:"tags"`
		Link   string    `json:"link"`
	}
	var all []struct {
		About, Link, Name, Text, Check, Tag, List, Catalogue string
		Blind                                                string  `json:"blind_link"`
		Size                                                 int     `json:"frame_size"`
		Sum                                                  string  `json:"frame_sha256"`
		Entries                                              []entry `json:"entries"`
		BlindEntries                                         []entry `json:"blind_entries"`
	}
	if err := json.Unmarshal(raw, &all); err != nil || len(all) < 3 {
		t.Fatal(len(all), err)
	}
	bytesOf := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, v := range all {
		link, err := index.ParseChannelLink(v.Link)
		if err != nil || link.Reveal() != v.Link || link.Blind().String() != v.Blind || link.String() != v.Blind {
			t.Errorf("%s: the links are %s and %s, %v", v.About, link.Reveal(), link.Blind(), err)
		}
		s, err := newSealer(link)
		if err != nil {
			t.Fatal(err)
		}
		frame := mustSeal(t, s, bytesOf(v.List))
		h, _ := readSealedHead(frame)
		if hex.EncodeToString(h.check) != v.Check || hex.EncodeToString(h.tag) != v.Tag || h.size != v.Size || fmt.Sprintf("%x", sha256.Sum256(frame)) != v.Sum {
			t.Errorf("%s: sealed, it is %d bytes with the check %x and the tag %x", v.About, len(frame), h.check, h.tag)
		}
		catalogue := bytesOf(v.Catalogue)
		head, got, err := readSealed(catalogue, link)
		if err != nil || head.Link.Name != v.Name || head.About != v.Text || len(got) != len(v.Entries) {
			t.Fatalf("%s: %+v, %d entries, %v", v.About, head, len(got), err)
		}
		for i, e := range got {
			l, err := share.ParseLink(e.Link)
			if err != nil {
				t.Fatal(err)
			}
			is := entry{e.ID, e.Name, e.Bytes, e.Sealed, "", e.About, e.Time, e.Tags, ""}
			if e.Sealed {
				is.Key = l.Secret.Reveal()
			}
			if d := cmp.Diff(v.Entries[i], is); d != "" {
				t.Errorf("%s: %s", v.About, d)
			}
		}
		head, got, err = readAll(catalogue)
		if err != nil || head.Link.Name+head.About != "" || len(got) != len(v.BlindEntries) {
			t.Fatalf("%s: blind, it is %+v with %d entries, %v", v.About, head, len(got), err)
		}
		for i, e := range got {
			if d := cmp.Diff(v.BlindEntries[i], entry{ID: e.ID, Name: e.Name, Bytes: e.Bytes, Link: e.Link}); d != "" {
				t.Errorf("%s, blind: %s", v.About, d)
			}
		}
	}
}

// FuzzSealedList reads what may be a sealed list, with the secret and without it.
func FuzzSealedList(f *testing.F) {
	head := Head{Link: index.ChannelLink{ID: index.ChannelID{1}, Secret: secretOf(1)}}
	good := written(f, head, sealedThing(4, "holiday"))
	f.Add(good)
	f.Add(good[:sealedHead])
	f.Add(slices.Concat(good, good))
	f.Add([]byte("\x5e\x2a\x4d\x18\xff\xff\xff\xffshoalsl\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, all, err := readSealed(b, head.Link)
		if err != nil && share.KindOf(err) != share.Refused {
			t.Fatal(err)
		}
		if len(all) > 0 {
			h, _ := readSealedHead(good)
			if !bytes.HasPrefix(b, good[:h.size]) {
				t.Fatalf("what nobody sealed is read: %+v", all)
			}
		}
		_, all, err = readAll(b)
		if err != nil && share.KindOf(err) != share.Refused {
			t.Fatal(err)
		}
		for _, e := range all {
			if e.Sealed && (e.Name != "" || leaks([]byte(e.Link), "x.k", "dn=") != "") {
				t.Fatalf("blind, and yet %+v", e)
			}
		}
	})
}

// FuzzSealedPlaintext reads what a publisher with the secret may seal.
func FuzzSealedPlaintext(f *testing.F) {
	l := index.ChannelLink{ID: index.ChannelID{1}, Secret: secretOf(1)}
	s, err := newSealer(l)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(headLine+okLine), true)
	f.Add([]byte(headLine+`{"id":"`+strings.Repeat("f", 40)+`","link":"magnet:?xt=urn:btih:`+strings.Repeat("f", 40)+`&xl=9&x.k=`+secretOf(3).Reveal()+`"}`), true)
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x0f\xf8"), false)
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte, packed bool) {
		var frame []byte
		if packed {
			frame = mustSeal(t, s, z.EncodeAll(b, nil))
		} else {
			frame = resealed(s, func(p []byte) { copy(p, b) })
		}
		_, all, err := readSealed(frame, l)
		if err != nil && share.KindOf(err) != share.Refused {
			t.Fatal(err)
		}
		for _, e := range all {
			again, ok := clean(e, sealedList)
			if d := cmp.Diff(e, again); !ok || d != "" || e.Name == "" {
				t.Fatalf("%+v is not clean: %s", e, d)
			}
		}
	})
}
