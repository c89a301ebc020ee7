package bencode

import (
	"bytes"
	"fmt"
	"math"
)

// Reader walks bencoded bytes once, front to back, and allocates nothing. It is
// strict in syntax: no leading zeros, no minus zero, integers within 64 bits,
// strings within the input, bounded nesting. After an error its position is
// where the error was found, and it is of no further use.
//
// What it returns are parts of the input.
type Reader struct {
	data     []byte
	pos      int
	depth    int
	maxDepth int
}

// NewReader reads b, in which lists and dictionaries may be nested maxDepth deep.
func NewReader(b []byte, maxDepth int) Reader { return Reader{data: b, maxDepth: maxDepth} }

// Error says what is wrong with the input, and where.
type Error struct {
	Offset int // in bytes from the start of the input
	What   string
}

func (e *Error) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.What) }

// ErrTruncated says that the input ends in the middle of a value.
var ErrTruncated = &truncated{}

type truncated struct{}

func (*truncated) Error() string { return "the data ends in the middle of a value" }

// Errorf is an Error at the reader's position, for what its caller refuses.
func (r *Reader) Errorf(format string, args ...any) error {
	return &Error{r.pos, fmt.Sprintf(format, args...)}
}

func (r *Reader) fail(what string) error { return &Error{r.pos, what} }

// Offset is how many bytes were read.
func (r *Reader) Offset() int { return r.pos }

// Rest is what was not read yet.
func (r *Reader) Rest() []byte { return r.data[r.pos:len(r.data):len(r.data)] }

// AtEnd tells whether the input is used up.
func (r *Reader) AtEnd() bool { return r.pos >= len(r.data) }

// Kind is that of the next value; None where none begins.
func (r *Reader) Kind() Kind {
	if r.AtEnd() {
		return None
	}
	switch c := r.data[r.pos]; {
	case c == 'i':
		return Int
	case c-'0' < 10:
		return String
	case c == 'l':
		return List
	case c == 'd':
		return Dict
	}
	return None
}

// digits reads a decimal number up to and including the byte end.
func (r *Reader) digits(end byte) (int64, error) {
	start := r.pos
	neg := end == 'e' && !r.AtEnd() && r.data[r.pos] == '-'
	if neg {
		r.pos++
	}
	first := r.pos
	var n uint64
	for r.pos < len(r.data) && r.data[r.pos]-'0' < 10 {
		if n > (math.MaxInt64+1)/10 {
			return 0, r.fail("a number of more than 64 bits")
		}
		n = n*10 + uint64(r.data[r.pos]-'0')
		r.pos++
	}
	switch count := r.pos - first; {
	case r.AtEnd():
		return 0, ErrTruncated
	case r.data[r.pos] != end || count == 0:
		return 0, r.Errorf("not a number: %q", r.data[start:min(r.pos+1, start+24)])
	case r.data[first] == '0' && (count > 1 || neg):
		return 0, r.Errorf("a number with a leading zero: %q", r.data[start:min(r.pos, start+24)])
	case neg && n > math.MaxInt64+1 || !neg && n > math.MaxInt64:
		return 0, r.fail("a number of more than 64 bits")
	}
	r.pos++
	if neg {
		return -int64(n), nil
	}
	return int64(n), nil
}

// Int reads an integer.
func (r *Reader) Int() (int64, error) {
	if r.Kind() != Int {
		return 0, r.fail("not an integer")
	}
	r.pos++
	return r.digits('e')
}

// Bytes reads a string.
func (r *Reader) Bytes() ([]byte, error) {
	if r.Kind() != String {
		return nil, r.fail("not a string")
	}
	n, err := r.digits(':')
	if err != nil {
		return nil, err
	}
	if n > int64(len(r.data)-r.pos) {
		return nil, ErrTruncated
	}
	b := r.data[r.pos : r.pos+int(n) : r.pos+int(n)]
	r.pos += int(n)
	return b, nil
}

// Enter enters a list or a dictionary; More then reports whether there is another
// element.
func (r *Reader) Enter(k Kind) error {
	if r.Kind() != k {
		if k == Dict {
			return r.fail("not a dictionary")
		}
		return r.fail("not a list")
	}
	if r.depth++; r.depth > r.maxDepth {
		return r.Errorf("nested more than %d deep", r.maxDepth)
	}
	r.pos++
	return nil
}

// More tells whether the list or dictionary has another element. Where it has
// none it is left. The caller reads exactly one value each time, in a
// dictionary a key and a value.
func (r *Reader) More() (bool, error) {
	switch {
	case r.AtEnd():
		return false, ErrTruncated
	case r.data[r.pos] == 'e':
		r.pos++
		r.depth--
		return false, nil
	}
	return true, nil
}

// List calls item once for each item; item must read exactly one value.
func (r *Reader) List(item func() error) error {
	if err := r.Enter(List); err != nil {
		return err
	}
	for {
		if more, err := r.More(); !more || err != nil {
			return err
		}
		if err := item(); err != nil {
			return err
		}
	}
}

// Dict calls entry for each key in the order they come; entry must read exactly
// one value. With sorted, keys must ascend and so are unique.
func (r *Reader) Dict(sorted bool, entry func(key []byte) error) error {
	if err := r.Enter(Dict); err != nil {
		return err
	}
	var last []byte
	for first := true; ; first = false {
		if more, err := r.More(); !more || err != nil {
			return err
		}
		key, err := r.Bytes()
		if err != nil {
			return fmt.Errorf("a dictionary's key: %w", err)
		}
		if sorted && !first && bytes.Compare(key, last) <= 0 {
			return r.Errorf("the keys of a dictionary are not sorted or repeat: %.40q after %.40q", key, last)
		}
		last = key
		if err := entry(key); err != nil {
			return err
		}
	}
}

// Skip reads one value of any kind.
func (r *Reader) Skip() error {
	switch r.Kind() {
	case Int:
		_, err := r.Int()
		return err
	case String:
		_, err := r.Bytes()
		return err
	case List:
		return r.List(r.Skip)
	case Dict:
		return r.Dict(false, func([]byte) error { return r.Skip() })
	}
	if r.AtEnd() {
		return ErrTruncated
	}
	return r.fail("not a value")
}

// Raw skips one value and gives its bytes.
func (r *Reader) Raw() ([]byte, error) {
	start := r.pos
	err := r.Skip()
	return r.data[start:r.pos:r.pos], err
}
