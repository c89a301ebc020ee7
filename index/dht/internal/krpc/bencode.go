package krpc

import (
	"errors"
	"math"
)

// errSyntax is the reason for refusing anything that is not bencoding. One
// value: nobody acts on the details, and making them costs memory.
var errSyntax = errors.New("not bencoded")

// maxDepth bounds nesting, the message's own two dictionaries included. A
// stored value (BEP 44) of 1000 bytes could nest 500 deep; nobody needs that.
const maxDepth = 24

// reader walks bencoding in place.
type reader struct {
	b []byte
	i int
}

func (r *reader) peek() byte {
	if r.i < len(r.b) {
		return r.b[r.i]
	}
	return 0
}

// open consumes c, the first byte of a dictionary or list.
func (r *reader) open(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.i++
	return true
}

// more tells whether the open dictionary or list has another element, and
// consumes its end if not.
func (r *reader) more() bool {
	if r.peek() == 'e' {
		r.i++
		return false
	}
	return true
}

func (r *reader) str() ([]byte, error) {
	n, start := 0, r.i
	for ; r.i < len(r.b) && r.b[r.i] != ':'; r.i++ {
		c := r.b[r.i]
		if c < '0' || c > '9' || r.i-start == 5 {
			return nil, errSyntax
		}
		n = n*10 + int(c-'0')
	}
	if r.i == start || r.b[start] == '0' && r.i-start > 1 || n > len(r.b)-r.i-1 {
		return nil, errSyntax
	}
	r.i++
	s := r.b[r.i : r.i+n : r.i+n]
	r.i += n
	return s, nil
}

func (r *reader) integer() (int64, error) {
	if !r.open('i') {
		return 0, errSyntax
	}
	neg := r.open('-')
	var n uint64
	start := r.i
	for ; r.i < len(r.b) && r.b[r.i] != 'e'; r.i++ {
		c := r.b[r.i]
		if c < '0' || c > '9' || r.i-start == 19 {
			return 0, errSyntax
		}
		n = n*10 + uint64(c-'0')
	}
	digits := r.b[start:r.i]
	if !r.open('e') || len(digits) == 0 || digits[0] == '0' && (neg || len(digits) > 1) {
		return 0, errSyntax
	}
	switch {
	case neg && n <= math.MaxInt64+1:
		return -int64(n), nil
	case !neg && n <= math.MaxInt64:
		return int64(n), nil
	}
	return 0, errSyntax
}

// skip consumes one value of any type and checks that it is well formed.
func (r *reader) skip(depth int) error {
	if depth > maxDepth {
		return errSyntax
	}
	switch c := r.peek(); {
	case c == 'i':
		_, err := r.integer()
		return err
	case c >= '0' && c <= '9':
		_, err := r.str()
		return err
	case c == 'l' || c == 'd':
		r.i++
		for r.more() {
			if c == 'd' {
				if _, err := r.str(); err != nil {
					return err
				}
			}
			if err := r.skip(depth + 1); err != nil {
				return err
			}
		}
		return nil
	}
	return errSyntax
}

// raw consumes one value and returns its bytes.
func (r *reader) raw(depth int) ([]byte, error) {
	start := r.i
	if err := r.skip(depth); err != nil {
		return nil, err
	}
	return r.b[start:r.i:r.i], nil
}

// Valid tells whether b is exactly one well-formed bencoded value, shallow
// enough to be carried in a message.
func Valid(b []byte) bool {
	r := reader{b: b}
	return r.skip(2) == nil && r.i == len(b)
}
