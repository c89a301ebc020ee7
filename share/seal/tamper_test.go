package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
)

// refusedRecord checks that a record is refused and that nothing of it gets out.
func refusedRecord(t *testing.T, o *Opener, n int64, rec record, what string) {
	t.Helper()
	data, _, err := o.Open(n, &rec)
	if failed, ok := errors.AsType[*RecordError](err); !ok || failed.Record != n || data != nil {
		t.Errorf("%s: %d bytes, %v", what, len(data), err)
	}
	if rec != (record{}) {
		t.Errorf("%s: bytes are left behind", what)
	}
}

func opened(t testing.TB, s *sealed) *Opener {
	t.Helper()
	o, err := NewOpener(s.cfg.Secret, bytes.NewReader(s.blob), int64(len(s.blob)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (s *sealed) record(n int64) record { return record(s.blob[n*RecordSize:]) }

// No bit of a record can be flipped. SOAK=1 tries them all.
func TestFlippedBits(t *testing.T) {
	contents := text(1, 3*DataSize+100)
	s := makeShare(t, key(1), oneFile(t, int64(len(contents))), bytes.NewReader(contents))
	o := opened(t, s)
	for _, n := range []int64{0, 1, 4} {
		good := s.record(n)
		for bit := 0; bit < 8*RecordSize; {
			rec := good
			rec[bit/8] ^= 1 << (bit % 8)
			refusedRecord(t, o, n, rec, fmt.Sprintf("record %d, bit %d", n, bit))
			switch {
			case os.Getenv("SOAK") != "" || bit < 8*TagSize+16 || bit > 8*RecordSize-16:
				bit++
			default:
				bit += rand.IntN(2000) + 1
			}
		}
	}
}

// A record opens in its place of its share and nowhere else.
func TestRecordsOfElsewhere(t *testing.T) {
	contents := bytes.Repeat(text(1, DataSize), 3) // records of equal plaintext
	manifest := oneFile(t, int64(len(contents)))
	s := makeShare(t, key(1), manifest, bytes.NewReader(contents))
	other := makeShare(t, key(2), manifest, bytes.NewReader(contents))
	if l := s.sealer.Layout(); l.Count() != 4 || l.Head().To != 1 {
		t.Fatalf("%+v", l)
	}
	o := opened(t, s)
	for n := range int64(4) {
		for from := range int64(4) {
			if from != n {
				refusedRecord(t, o, n, s.record(from), fmt.Sprintf("record %d for %d", from, n))
			}
			refusedRecord(t, o, n, other.record(from), fmt.Sprintf("record %d of another share for %d", from, n))
		}
	}
	for _, n := range []int64{-1, 4, 1 << 40} {
		refusedRecord(t, o, n, s.record(1), fmt.Sprintf("record 1 for %d", n))
	}
	// What looks like padding in another version of the share is no content here.
	padded := makeShare(t, key(1), oneFile(t, 0), bytes.NewReader(nil))
	refusedRecord(t, o, 1, padded.record(1), "padding as content")
	// The ciphertext of one with the tag of the other.
	mixed, tag := s.record(1), s.record(2)
	copy(mixed[:TagSize], tag[:])
	refusedRecord(t, o, 1, mixed, "another record's tag")
	refusedRecord(t, o, 1, record{}, "zeros")
}

// Equal content in two places, and in two shares, does not look alike.
func TestEqualContentLooksDifferent(t *testing.T) {
	contents := bytes.Repeat([]byte{7}, 5*DataSize)
	manifest := oneFile(t, int64(len(contents)))
	seen := map[string]bool{}
	for b := byte(1); b < 4; b++ {
		s := makeShare(t, key(b), manifest, bytes.NewReader(contents))
		for at := 0; at < len(s.blob); at += 16 {
			part := string(s.blob[at : at+16])
			if seen[part] {
				t.Fatalf("share %d, byte %d: 16 bytes are there twice", b, at)
			}
			seen[part] = true
		}
	}
}

func TestSecretsAreRandom(t *testing.T) {
	a, b := NewSecret(), NewSecret()
	if a.IsZero() || b.IsZero() || a == b {
		t.Error("two new keys are the same")
	}
	names := map[string]bool{}
	for _, s := range []share.Secret{a, b} {
		name, err := Name(s)
		if err != nil || len(name) != 32 || !share.IsName(name) || strings.Contains(s.Reveal(), name) {
			t.Errorf("the name %q, %v", name, err)
		}
		names[name] = true
	}
	if _, err := Name(share.Secret{}); err == nil || len(names) != 2 {
		t.Errorf("%d names, %v", len(names), err)
	}
}

func TestWhatIsNoSealedShare(t *testing.T) {
	contents := text(1, 200_000)
	s := makeShare(t, key(1), oneFile(t, int64(len(contents))), bytes.NewReader(contents))
	open := func(secret share.Secret, blob []byte, size int) error {
		_, err := NewOpener(secret, bytes.NewReader(blob), int64(size), nil)
		return err
	}
	size := len(s.blob)
	if err := open(s.cfg.Secret, s.blob, size); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"another key": open(key(2), s.blob, size), "no key": open(share.Secret{}, s.blob, size), "nothing": open(key(1), nil, 0),
		"half a record more": open(key(1), s.blob, size+RecordSize/2), "a record more": open(key(1), append(bytes.Clone(s.blob), make([]byte, RecordSize)...), size+RecordSize),
		"a record less": open(key(1), s.blob[:size-RecordSize], size-RecordSize), "one record": open(key(1), s.blob[:RecordSize], RecordSize),
		"without its beginning": open(key(1), s.blob[RecordSize:], size-RecordSize),
	} {
		if err == nil {
			t.Errorf("%s: opened", what)
		} else if strings.Contains(err.Error(), s.cfg.Secret.Reveal()) {
			t.Errorf("%s: the error has the key", what)
		}
	}
	if err := open(key(2), s.blob, size); !errors.Is(err, ErrForged) {
		t.Errorf("another key: %v", err)
	}
	if err := open(key(1), s.blob[:RecordSize/2], size); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a blob that is not there yet: %v", err)
	}
}

// A reader is given what the blob has up to the record that is wrong, and no further.
func TestReadingUpToWhatIsWrong(t *testing.T) {
	contents := text(1, 4*DataSize)
	s := makeShare(t, key(1), oneFile(t, int64(len(contents))), bytes.NewReader(contents))
	s.blob[3*RecordSize+1000] ^= 4
	got, err := io.ReadAll(io.NewSectionReader(opened(t, s), 0, int64(len(contents))))
	if !errors.Is(err, ErrForged) || !bytes.Equal(got, contents[:2*DataSize]) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// anyKeeper admits everything: it seals what a hostile sharer could.
type anyKeeper struct{}

func (anyKeeper) admit(int64, *tool) error { return nil }

// hostile seals, with the right key, a head and contents that obey no rule.
func hostile(t testing.TB, secret share.Secret, plain [][]byte, kinds []Kind) []byte {
	c, err := newCipher(secret)
	if err != nil {
		t.Fatal(err)
	}
	var blob []byte
	for n, b := range plain {
		var rec record
		copy(rec[TagSize:], b)
		if err := c.approve(int64(n), kinds[n], &rec, anyKeeper{}); err != nil {
			t.Fatal(err)
		}
		c.crypt(&rec)
		blob = append(blob, rec[:]...)
	}
	return blob
}

func TestHostileSharers(t *testing.T) {
	manifest := oneFile(t, 10)
	head := func(version, length byte, rest []byte) []byte {
		return append([]byte{0, 0, 0, version, 0, 0, 0, length}, rest...)
	}
	good, contents := head(1, byte(len(manifest)), manifest), text(1, 10)
	two := []Kind{Head, Contents}
	for what, blob := range map[string][]byte{
		"a version of the future":        hostile(t, key(1), [][]byte{head(2, byte(len(manifest)), manifest), contents}, two),
		"bytes behind the manifest":      hostile(t, key(1), [][]byte{append(good[:len(good):len(good)], 1), contents}, two),
		"a manifest longer than it all":  hostile(t, key(1), [][]byte{append([]byte{0, 0, 0, 1, 0, 2, 0, 0}, manifest...), contents}, two),
		"a manifest of 4 GiB":            hostile(t, key(1), [][]byte{append([]byte{0, 0, 0, 1, 255, 255, 255, 255}, manifest...), contents}, two),
		"a manifest of nothing":          hostile(t, key(1), [][]byte{head(1, 0, nil), contents}, two),
		"more padding than there may be": hostile(t, key(1), [][]byte{good, contents, nil}, []Kind{Head, Contents, Padding}),
		"a head that is content":         hostile(t, key(1), [][]byte{good, contents}, []Kind{Contents, Contents}),
	} {
		if _, err := NewOpener(key(1), bytes.NewReader(blob), int64(len(blob)), nil); err == nil {
			t.Errorf("%s: opened", what)
		}
	}
	blob := hostile(t, key(1), [][]byte{good, append(contents, 1)}, two)
	o, err := NewOpener(key(1), bytes.NewReader(blob), int64(len(blob)), nil)
	if err != nil {
		t.Fatal(err)
	}
	refusedRecord(t, o, 1, record(blob[RecordSize:]), "bytes behind the contents")
}

// Whatever a sharer sealed and whoever changed it then: the reader gets what was
// sealed, or an error.
func FuzzOpener(f *testing.F) {
	manifest := oneFile(f, 10)
	good := append([]byte{0, 0, 0, 1, 0, 0, 0, byte(len(manifest))}, manifest...)
	f.Add(good, text(1, 10), -1, byte(1))
	f.Add(good, text(1, 10), 40, byte(1))
	f.Add(good, text(1, 10), RecordSize+TagSize, byte(255))
	f.Add(good, text(1, 11), -1, byte(0))
	f.Add(append(good[:len(good)-10:len(good)-10], 0, 0, 0, 0, 0, 0, 0, 200, 1, 'f'), text(1, 10), -1, byte(0))
	f.Fuzz(func(t *testing.T, head, contents []byte, at int, change byte) {
		kinds := []Kind{Head, Contents}
		if len(head) >= 12 && len(contents) == 0 {
			kinds[1] = Padding
		}
		blob := hostile(t, key(1), [][]byte{head[:min(len(head), DataSize)], contents[:min(len(contents), DataSize)]}, kinds)
		changed := at >= 0 && at < len(blob) && change != 0
		if changed {
			blob[at] ^= change
		}
		o, err := NewOpener(key(1), bytes.NewReader(blob), int64(len(blob)), nil)
		if err != nil {
			return
		}
		if changed && at < RecordSize {
			t.Fatal("a changed head was accepted")
		}
		got, err := io.ReadAll(io.NewSectionReader(o, 0, o.Layout().Contents()))
		sealed := append(bytes.Clone(contents), make([]byte, DataSize)...)
		if changed && len(got) > 0 || !bytes.Equal(got, sealed[:len(got)]) {
			t.Fatalf("read %x, %v, but %x was sealed", got, err, contents)
		}
	})
}
