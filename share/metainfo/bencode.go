package metainfo

import (
	"bytes"

	"github.com/shoalnet/shoal/share/bencode"
)

// reader reads values that several fields of torrents share.
type reader struct{ bencode.Reader }

func newReader(b []byte, maxDepth int) *reader { return &reader{bencode.NewReader(b, maxDepth)} }

// strings reads a list of strings, appending to buf.
func (r *reader) strings(buf [][]byte) ([][]byte, error) {
	err := r.List(func() error {
		b, err := r.Bytes()
		buf = append(buf, b)
		return err
	})
	return buf, err
}

// once refuses a duplicate key: clients differ in which value they use. The bit
// identifies the key.
func (r *reader) once(seen *uint32, bit uint, key []byte) error {
	if *seen&(1<<bit) != 0 {
		return r.Errorf("the key %q comes twice", key)
	}
	*seen |= 1 << bit
	return nil
}

func writeString(b *bytes.Buffer, s string) {
	b.Write(bencode.AppendString(b.AvailableBuffer(), s))
}

func writeInt(b *bytes.Buffer, n int64) {
	b.Write(bencode.AppendInt(b.AvailableBuffer(), n))
}

func writeStrings(b *bytes.Buffer, list []string) {
	b.WriteByte('l')
	for _, s := range list {
		writeString(b, s)
	}
	b.WriteByte('e')
}

func putString(b *bytes.Buffer, key, value string) {
	writeString(b, key)
	writeString(b, value)
}

func putInt(b *bytes.Buffer, key string, value int64) {
	writeString(b, key)
	writeInt(b, value)
}
