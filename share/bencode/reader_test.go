package bencode

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestReaderAccepts(t *testing.T) {
	for _, s := range []string{
		"i0e", "i-1e", "i9223372036854775807e", "i-9223372036854775808e",
		"0:", "3:abc", "10:0123456789", "le", "de", "lli1eee", "d0:0:e", "d1:bi1e1:ai1ee", "d1:ai1e1:ai2ee",
		strings.Repeat("l", 9) + strings.Repeat("e", 9),
	} {
		r := NewReader([]byte(s), 9)
		if err := r.Skip(); err != nil || !r.AtEnd() || r.depth != 0 {
			t.Errorf("%s: read %d of %d bytes; %v", s, r.Offset(), len(s), err)
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	for _, s := range []string{
		"", "e", "x", " i1e", "-1:a",
		"i", "ie", "i-e", "i-0e", "i00e", "i01e", "i-01e", "i+1e", "i 1e", "i1", "i1.5e", "i1x", "i--1e",
		"i9223372036854775808e", "i-9223372036854775809e", "i18446744073709551616e", "i99999999999999999999999999e",
		"1", "1:", "2:a", "01:a", "1e:a", "99999999999999999999:a", "9223372036854775807:a",
		"l", "li1e", "lx", "d", "d1:a", "d1:ae", "d1:ai1e", "di1ei1ee", "dlei1ee", "d1:a1:b1:ce",
		strings.Repeat("l", 10) + strings.Repeat("e", 10),
		strings.Repeat("d0:", 10),
	} {
		r := NewReader([]byte(s), 9)
		if err := r.Skip(); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
	for _, s := range []string{"d1:bi1e1:ai1ee", "d1:ai1e1:ai2ee"} {
		r := NewReader([]byte(s), 9)
		if err := r.Dict(true, func([]byte) error { return r.Skip() }); err == nil {
			t.Errorf("%q is accepted as sorted", s)
		}
	}
}

// What is written is read as the same.
func TestReaderReadsWhatIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64().Draw(t, "n")
		list := rapid.SliceOf(rapid.String()).Draw(t, "list")
		b := AppendInt(AppendString([]byte{'d'}, "n"), n)
		b = append(AppendString(b, "s"), 'l')
		for _, s := range list {
			b = AppendString(b, s)
		}
		b = append(b, "ee"...)
		r := NewReader(b, 2)
		var gotN int64
		var got []string
		err := r.Dict(true, func(key []byte) (err error) {
			if string(key) == "n" {
				gotN, err = r.Int()
				return err
			}
			return r.List(func() error {
				s, err := r.Bytes()
				got = append(got, string(s))
				return err
			})
		})
		if err != nil || !r.AtEnd() || gotN != n || !slices.Equal(got, list) {
			t.Errorf("%q: %d and %q, %v", b, gotN, got, err)
		}
	})
}

func TestReaderAllocatesNothing(t *testing.T) {
	data := []byte("l" + strings.Repeat("d1:ai1e1:bl3:abcee", 100) + "e")
	if n := testing.AllocsPerRun(10, func() {
		r := NewReader(data, 9)
		if err := r.Skip(); err != nil {
			t.Fatal(err)
		}
	}); n > 10 { // closures, but not one for each value
		t.Errorf("%v allocations", n)
	}
}
