package bencode

import (
	"bytes"
	"strings"
	"testing"
)

// write is the inverse of Parse: there is one way to write each value.
func write(b []byte, v Value) []byte {
	switch v.Kind {
	case Int:
		return AppendInt(b, v.Int)
	case String:
		return AppendString(b, v.Str)
	case List:
		b = append(b, 'l')
		for _, item := range v.List {
			b = write(b, item)
		}
		return append(b, 'e')
	}
	b = append(b, 'd')
	for i, key := range v.keys {
		b = write(AppendString(b, key), v.List[i])
	}
	return append(b, 'e')
}

func TestParse(t *testing.T) {
	v, rest, err := Parse([]byte("d1:bi-5e1:al3:xyz0:deee tail"), Small)
	if err != nil || string(rest) != " tail" {
		t.Fatalf("%q, %v", rest, err)
	}
	if b := v.Get("b"); b.Kind != Int || b.Int != -5 {
		t.Errorf("b is %+v", b)
	}
	a := v.Get("a")
	if a.Kind != List || len(a.List) != 3 || string(a.List[0].Str) != "xyz" || a.List[2].Kind != Dict {
		t.Errorf("a is %+v", a)
	}
	if none := v.Get("c").Get("d"); none.Kind != None {
		t.Errorf("c is %+v", none)
	}
	if v, _, _ = Parse([]byte("d1:ai1e1:ai2ee"), Small); v.Get("a").Int != 1 {
		t.Error("of two equal keys the second counts")
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{
		"", "i", "ie", "i-e", "i-0e", "i01e", "i+1e", "i1", "i 1e", "i9223372036854775808e", "i1x2e",
		"i" + strings.Repeat("1", 10_000) + "e", "1", "1:", "01:a", "-1:a", "2:a", "9223372036854775807:a",
		"99999999999999999999:a", "l", "li1e", "d", "d1:a", "d1:ae", "di1ei2ee", "dlei1ee", "e", "x", "\x00",
		strings.Repeat("l", 9) + strings.Repeat("e", 9),
		"l" + strings.Repeat("0:", 2000) + "e",
		"d" + strings.Repeat("0:0:", 1000) + "e",
	} {
		if v, _, err := Parse([]byte(in), Small); err == nil {
			t.Errorf("%.40q gives %+v", in, v)
		}
	}
	for _, in := range []string{
		strings.Repeat("l", 8) + strings.Repeat("e", 8),
		"l" + strings.Repeat("0:", 1999) + "e",
		"i-9223372036854775808e", "i0e", "0:", "de", "le",
	} {
		if _, _, err := Parse([]byte(in), Small); err != nil {
			t.Errorf("%.40q: %v", in, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("d1:md11:ut_metadatai3e6:ut_pexi1ee13:metadata_sizei31235e4:reqqi500e1:v10:test 1.0.0e"))
	f.Add([]byte("d8:msg_typei1e5:piecei0e10:total_sizei34256eexxxxxxxx"))
	f.Add([]byte("lli-5eee"))
	f.Fuzz(func(t *testing.T, in []byte) {
		v, rest, err := Parse(in, Small)
		if err != nil {
			return
		}
		if got := append(write(nil, v), rest...); !bytes.Equal(got, in) {
			t.Errorf("%q was read and written as %q", in, got)
		}
	})
}
