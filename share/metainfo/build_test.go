package metainfo

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

type (
	dict map[string]any
	list []any
	raw  string // bencoded already
)

// enc bencodes with sorted keys.
func enc(v any) []byte {
	var b bytes.Buffer
	encode(&b, v)
	return b.Bytes()
}

func encode(b *bytes.Buffer, v any) {
	switch v := v.(type) {
	case int:
		writeInt(b, int64(v))
	case int64:
		writeInt(b, v)
	case string:
		writeString(b, v)
	case raw:
		b.WriteString(string(v))
	case list:
		b.WriteByte('l')
		for _, e := range v {
			encode(b, e)
		}
		b.WriteByte('e')
	case dict:
		b.WriteByte('d')
		for _, k := range slices.Sorted(maps.Keys(v)) {
			writeString(b, k)
			encode(b, v[k])
		}
		b.WriteByte('e')
	default:
		panic(fmt.Sprintf("cannot bencode %T", v))
	}
}

func hashes(n int) string { return strings.Repeat("01234567890123456789", n) }

// single is the info dictionary of one file, with changes; a nil value removes
// a key.
func single(changes dict) dict {
	return with(dict{"length": 40000, "name": "a.txt", "piece length": 16384, "pieces": hashes(3)}, changes)
}

func with(d, changes dict) dict {
	d = maps.Clone(d)
	for k, v := range changes {
		if v == nil {
			delete(d, k)
		} else {
			d[k] = v
		}
	}
	return d
}

func path(elements ...any) list { return list(elements) }

func file(length int, elements ...any) dict {
	return dict{"length": length, "path": list(elements)}
}

// multi is the info dictionary of a folder of these files.
func multi(files ...any) dict {
	total := 0
	for _, f := range files {
		if f, ok := f.(dict); ok {
			if n, ok := f["length"].(int); ok {
				total += n
			}
		}
	}
	return dict{"files": list(files), "name": "folder", "piece length": 16384, "pieces": hashes((total + 16383) / 16384)}
}
