// Package bencode reads the small bencoded messages that peers and trackers
// send (BEP 3), within limits that the caller sets, and writes the few we send.
//
// Reading never fails by anything but an error, allocates in proportion to the
// input, and keeps no more than Limits allows. Torrents and info dictionaries
// are not for this package: share/metainfo reads them, strictly.
package bencode

import (
	"errors"
	"fmt"
	"strconv"
)

// Limits bound one message.
type Limits struct {
	Depth int // of nested lists and dictionaries
	Items int // values in total, keys included
}

// Small suits every message of the peer protocol's extensions.
var Small = Limits{Depth: 8, Items: 2000}

// Kind tells what a Value is.
type Kind uint8

// The kinds of values; the zero Value is of kind None.
const (
	None Kind = iota
	Int
	String
	List
	Dict
)

// Value is one bencoded value. Strings are slices of the input.
type Value struct {
	Kind Kind
	Int  int64
	Str  []byte
	List []Value
	keys [][]byte // of a Dict, whose values are in List
}

var errShort = errors.New("the message ends too early")

type reader struct {
	in    []byte
	pos   int
	items int
	depth int
}

// Parse reads one value from the start of b and returns what follows it. Keys
// may come in any order, since many programs get it wrong; of equal keys the
// first counts.
func Parse(b []byte, limits Limits) (v Value, rest []byte, err error) {
	r := reader{in: b, items: limits.Items, depth: limits.Depth}
	v, err = r.value()
	if err != nil {
		return Value{}, nil, fmt.Errorf("bencoded message, byte %d: %w", r.pos, err)
	}
	return v, b[r.pos:], nil
}

func (r *reader) value() (Value, error) {
	if r.items--; r.items < 0 {
		return Value{}, errors.New("too many values")
	}
	if r.pos >= len(r.in) {
		return Value{}, errShort
	}
	switch c := r.in[r.pos]; {
	case c == 'i':
		r.pos++
		n, err := r.number('e', true)
		return Value{Kind: Int, Int: n}, err
	case c >= '0' && c <= '9':
		s, err := r.str()
		return Value{Kind: String, Str: s}, err
	case c == 'l':
		return r.container(List)
	case c == 'd':
		return r.container(Dict)
	default:
		return Value{}, fmt.Errorf("no value begins with %q", c)
	}
}

func (r *reader) container(kind Kind) (Value, error) {
	if r.depth--; r.depth < 0 {
		return Value{}, errors.New("nested too deeply")
	}
	r.pos++
	v := Value{Kind: kind}
	for {
		if r.pos >= len(r.in) {
			return Value{}, errShort
		}
		if r.in[r.pos] == 'e' {
			r.pos++
			r.depth++
			return v, nil
		}
		if kind == Dict {
			if r.items--; r.items < 0 {
				return Value{}, errors.New("too many values")
			}
			key, err := r.str()
			if err != nil {
				return Value{}, err
			}
			v.keys = append(v.keys, key)
		}
		item, err := r.value()
		if err != nil {
			return Value{}, err
		}
		v.List = append(v.List, item)
	}
}

// number reads digits up to end, which it consumes. There is one way to write
// each number: no leading zero, no minus zero, no plus.
func (r *reader) number(end byte, signed bool) (int64, error) {
	start := r.pos
	for r.pos < len(r.in) && r.in[r.pos] != end {
		if r.pos-start >= 20 {
			return 0, errors.New("number too long")
		}
		r.pos++
	}
	if r.pos >= len(r.in) {
		return 0, errShort
	}
	text := r.in[start:r.pos]
	r.pos++
	digits := text
	if signed && len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
		if len(digits) > 0 && digits[0] == '0' {
			return 0, fmt.Errorf("number %q", text)
		}
	}
	if len(digits) == 0 || digits[0] < '0' || digits[0] > '9' || len(digits) > 1 && digits[0] == '0' {
		return 0, fmt.Errorf("number %q", text)
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("number %q: %w", text, err)
	}
	return n, nil
}

func (r *reader) str() ([]byte, error) {
	n, err := r.number(':', false)
	if err != nil {
		return nil, err
	}
	if n > int64(len(r.in)-r.pos) {
		return nil, errShort
	}
	s := r.in[r.pos : r.pos+int(n) : r.pos+int(n)]
	r.pos += int(n)
	return s, nil
}

// Get finds the value of key in a dictionary; a Value of kind None otherwise.
func (v Value) Get(key string) Value {
	for i, k := range v.keys {
		if string(k) == key {
			return v.List[i]
		}
	}
	return Value{}
}

// Each calls f for every entry of a dictionary.
func (v Value) Each(f func(key []byte, value Value)) {
	for i, k := range v.keys {
		f(k, v.List[i])
	}
}

// AppendString adds s to b.
func AppendString[T string | []byte](b []byte, s T) []byte {
	b = strconv.AppendInt(b, int64(len(s)), 10)
	b = append(b, ':')
	return append(b, s...)
}

// AppendInt adds n to b.
func AppendInt(b []byte, n int64) []byte {
	b = append(b, 'i')
	b = strconv.AppendInt(b, n, 10)
	return append(b, 'e')
}
