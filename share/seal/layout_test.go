package seal

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A share is padded by 12 % at most, and its size says little about it.
func TestPadding(t *testing.T) {
	sizes := map[int64]bool{}
	last := int64(0)
	for n := int64(1); n < 1<<21; n++ {
		p := padded(n)
		if p < n || p < last || (p-n)*100 > 12*n {
			t.Fatalf("%d records are padded to %d, after %d", n, p, last)
		}
		if padded(p) != p {
			t.Fatalf("%d records are padded twice, to %d", n, padded(p))
		}
		sizes[p] = true
		last = p
	}
	if len(sizes) > 500 {
		t.Errorf("there are %d sizes up to 128 GiB", len(sizes))
	}
}

func TestLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edge := func(most int64) *rapid.Generator[int64] {
			return rapid.OneOf(rapid.Int64Range(0, most), rapid.Int64Range(0, 200_000), rapid.Custom(func(t *rapid.T) int64 {
				return min(most, max(0, rapid.Int64Range(0, most/DataSize).Draw(t, "records")*DataSize+rapid.Int64Range(-9, 1).Draw(t, "more")))
			}))
		}
		manifest, contents := edge(MaxManifest).Draw(t, "manifest"), edge(MaxContents).Draw(t, "contents")
		l, err := NewLayout(manifest, contents)
		if err != nil {
			t.Fatal(err)
		}
		if l.Count() < MinRecords || l.Size() != l.Count()*RecordSize || l.Contents() != contents {
			t.Fatalf("%+v", l)
		}
		n := rapid.Int64Range(0, l.Count()-1).Draw(t, "record")
		off, length := l.within(n)
		switch l.Kind(n) {
		case Head:
			if n*DataSize >= headerSize+manifest || n >= l.Head().To {
				t.Fatalf("record %d is of the head", n)
			}
		case Contents:
			if length <= 0 || length > DataSize || off+length > contents || length < DataSize && off+length != contents {
				t.Fatalf("record %d holds %d bytes at %d", n, length, off)
			}
			if got := l.Records(off, length); got != (Span{n, n + 1}) {
				t.Fatalf("%d bytes at %d are in %v, not %d", length, off, got, n)
			}
		case Padding:
			if length != 0 || n > 0 && l.Kind(n-1) == Head && contents > 0 {
				t.Fatalf("record %d is padding", n)
			}
		}

		off = rapid.Int64Range(-1, contents+1).Draw(t, "off")
		length = rapid.OneOf(rapid.Int64Range(-1, 1<<62), rapid.Int64Range(0, 200_000)).Draw(t, "length")
		in := l.Records(off, length)
		from, to := max(off, 0), min(max(off, 0)+max(length, 0), contents)
		if from >= to {
			if in != (Span{}) {
				t.Fatalf("nothing is in %v", in)
			}
			return
		}
		first, n1 := l.within(in.From)
		last, n2 := l.within(in.To - 1)
		if first > from || first+n1 <= from || last >= to || last+n2 < to {
			t.Fatalf("[%d,%d) is in %v, which holds [%d,%d)", from, to, in, first, last+n2)
		}
		if at, bytes := in.Bytes(); at != in.From*RecordSize || bytes != (in.To-in.From)*RecordSize {
			t.Fatalf("%v is %d bytes at %d of the blob", in, bytes, at)
		}
	})
	for _, bad := range [][2]int64{{-1, 0}, {MaxManifest + 1, 0}, {0, -1}, {0, MaxContents + 1}} {
		if l, err := NewLayout(bad[0], bad[1]); err == nil {
			t.Errorf("%v: %+v", bad, l)
		}
	}
}

func TestFits(t *testing.T) {
	name := strings.Repeat("0a", 16)
	for _, c := range []struct {
		name          string
		length, piece int64
		want          bool
	}{
		{name, 2 * RecordSize, RecordSize, true},
		{name, 18 * RecordSize, 4 * RecordSize, true},
		{name, 17 * RecordSize, RecordSize, false}, // no Padmé length
		{name, RecordSize, RecordSize, false},
		{name, 2*RecordSize - 1, RecordSize, false},
		{name, 2 * RecordSize, RecordSize / 2, false},
		{strings.ToUpper(name), 2 * RecordSize, RecordSize, false},
		{name[1:], 2 * RecordSize, RecordSize, false},
		{name + "a", 2 * RecordSize, RecordSize, false},
	} {
		if got := Fits(c.name, c.length, c.piece); got != c.want {
			t.Errorf("Fits(%q, %d, %d) = %v", c.name, c.length, c.piece, got)
		}
	}
}
