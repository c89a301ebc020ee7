package metainfo

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// reader walks bencoded bytes (BEP 3) once, front to back, allocating nothing.
// It is strict in syntax: no leading zeros, no minus zero, integers within 64
// bits, strings within the input, bounded nesting.
type reader struct {
	data     []byte
	pos      int
	depth    int
	maxDepth int
	// sorted makes skip refuse dictionaries whose keys are not in ascending
	// order or repeat.
	sorted bool
}

var errTruncated = errors.New("the data ends in the middle of a value")

func (r *reader) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d: %w", r.pos, fmt.Errorf(format, args...))
}

// peek gives the first byte of the next value: i, l, d, e or a digit; 0 at the end.
func (r *reader) peek() byte {
	if r.pos < len(r.data) {
		return r.data[r.pos]
	}
	return 0
}

func (r *reader) isString() bool { return r.peek()-'0' < 10 }

// digits reads a decimal number up to and including the byte end.
func (r *reader) digits(end byte) (int64, error) {
	start := r.pos
	neg := end == 'e' && r.peek() == '-'
	if neg {
		r.pos++
	}
	first := r.pos
	var n uint64
	for r.pos < len(r.data) && r.data[r.pos]-'0' < 10 {
		if n > (math.MaxInt64+1)/10 {
			return 0, r.errorf("a number of more than 64 bits")
		}
		n = n*10 + uint64(r.data[r.pos]-'0')
		r.pos++
	}
	switch count := r.pos - first; {
	case r.pos == len(r.data):
		return 0, errTruncated
	case r.data[r.pos] != end || count == 0:
		return 0, r.errorf("not a number: %q", r.data[start:min(r.pos+1, start+24)])
	case r.data[first] == '0' && (count > 1 || neg):
		return 0, r.errorf("a number with a leading zero: %q", r.data[start:min(r.pos, start+24)])
	case neg && n > math.MaxInt64+1 || !neg && n > math.MaxInt64:
		return 0, r.errorf("a number of more than 64 bits")
	}
	r.pos++
	if neg {
		return -int64(n), nil
	}
	return int64(n), nil
}

func (r *reader) integer() (int64, error) {
	if r.peek() != 'i' {
		return 0, r.errorf("not an integer")
	}
	r.pos++
	return r.digits('e')
}

// bytes reads a string; the result is a part of the input.
func (r *reader) bytes() ([]byte, error) {
	if !r.isString() {
		return nil, r.errorf("not a string")
	}
	n, err := r.digits(':')
	if err != nil {
		return nil, err
	}
	if n > int64(len(r.data)-r.pos) {
		return nil, errTruncated
	}
	b := r.data[r.pos : r.pos+int(n) : r.pos+int(n)]
	r.pos += int(n)
	return b, nil
}

func (r *reader) enter(kind byte, name string) error {
	if r.peek() != kind {
		return r.errorf("not a %s", name)
	}
	if r.depth++; r.depth > r.maxDepth {
		return r.errorf("nested more than %d deep", r.maxDepth)
	}
	r.pos++
	return nil
}

// done tells whether the list or dictionary ends here, and leaves it.
func (r *reader) done() (bool, error) {
	switch r.peek() {
	case 0:
		if r.pos >= len(r.data) {
			return false, errTruncated
		}
		return false, r.errorf("not a value")
	case 'e':
		r.pos++
		r.depth--
		return true, nil
	}
	return false, nil
}

// list calls item once for each item; item must read exactly one value.
func (r *reader) list(item func() error) error {
	if err := r.enter('l', "list"); err != nil {
		return err
	}
	for {
		if end, err := r.done(); end || err != nil {
			return err
		}
		if err := item(); err != nil {
			return err
		}
	}
}

// dict calls entry for each key in the order they come; entry must read
// exactly one value. With sorted, keys must ascend and so are unique.
func (r *reader) dict(sorted bool, entry func(key []byte) error) error {
	if err := r.enter('d', "dictionary"); err != nil {
		return err
	}
	var last []byte
	for first := true; ; first = false {
		if end, err := r.done(); end || err != nil {
			return err
		}
		key, err := r.bytes()
		if err != nil {
			return fmt.Errorf("a dictionary's key: %w", err)
		}
		if sorted && !first && bytes.Compare(key, last) <= 0 {
			return r.errorf("the keys of a dictionary are not sorted or repeat: %.40q after %.40q", key, last)
		}
		last = key
		if err := entry(key); err != nil {
			return err
		}
	}
}

// skip reads one value of any kind.
func (r *reader) skip() error {
	var err error
	switch r.peek() {
	case 'i':
		_, err = r.integer()
	case 'l':
		err = r.list(r.skip)
	case 'd':
		err = r.dict(r.sorted, func([]byte) error { return r.skip() })
	default:
		if _, err = r.bytes(); err != nil && r.pos >= len(r.data) {
			err = errTruncated
		}
	}
	return err
}

// raw skips one value and gives its bytes, a part of the input.
func (r *reader) raw() ([]byte, error) {
	start := r.pos
	err := r.skip()
	return r.data[start:r.pos:r.pos], err
}

// once refuses a key that comes twice: clients differ in which value they
// take. The bit stands for the key.
func (r *reader) once(seen *uint32, bit uint, key []byte) error {
	if *seen&(1<<bit) != 0 {
		return r.errorf("the key %q comes twice", key)
	}
	*seen |= 1 << bit
	return nil
}

func writeString(b *bytes.Buffer, s string) {
	b.Write(strconv.AppendInt(b.AvailableBuffer(), int64(len(s)), 10))
	b.WriteByte(':')
	b.WriteString(s)
}

func writeInt(b *bytes.Buffer, n int64) {
	b.WriteByte('i')
	b.Write(strconv.AppendInt(b.AvailableBuffer(), n, 10))
	b.WriteByte('e')
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
