package krpc

import "github.com/shoalnet/shoal/share/bencode"

// maxDepth bounds nesting, the message's own two dictionaries included. A
// stored value (BEP 44) of 1000 bytes could nest 500 deep; no message needs that.
const maxDepth = 24

// reader reads the fields of a message.
type reader struct{ bencode.Reader }

func newReader(b []byte, depth int) reader { return reader{bencode.NewReader(b, depth)} }

// Valid reports whether b is exactly one well-formed bencoded value, shallow
// enough to be carried in a message.
func Valid(b []byte) bool {
	r := newReader(b, maxDepth-2)
	return r.Skip() == nil && r.AtEnd()
}
