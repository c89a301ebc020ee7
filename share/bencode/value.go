package bencode

import (
	"errors"
	"fmt"
	"iter"
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

// Parse reads one value from the start of b and returns what follows it. Keys
// may come in any order, since many programs get it wrong; of equal keys the
// first counts.
func Parse(b []byte, limits Limits) (v Value, rest []byte, err error) {
	p := parser{r: NewReader(b, limits.Depth), items: limits.Items}
	if v, err = p.value(); err != nil {
		return Value{}, nil, fmt.Errorf("reading a bencoded message: %w", err)
	}
	return v, b[p.r.Offset():], nil
}

var errItems = errors.New("too many values")

// parser makes a Value of what a Reader reads.
type parser struct {
	r     Reader
	items int // how many more there may be
}

func (p *parser) value() (v Value, err error) {
	if p.items--; p.items < 0 {
		return Value{}, errItems
	}
	switch v.Kind = p.r.Kind(); v.Kind {
	case Int:
		v.Int, err = p.r.Int()
	case String:
		v.Str, err = p.r.Bytes()
	case List:
		err = p.r.List(func() error { return p.add(&v) })
	case Dict:
		err = p.r.Dict(false, func(key []byte) error {
			if p.items--; p.items < 0 {
				return errItems
			}
			v.keys = append(v.keys, key)
			return p.add(&v)
		})
	default:
		err = p.r.Skip() // says what is there instead
	}
	return v, err
}

func (p *parser) add(v *Value) error {
	item, err := p.value()
	v.List = append(v.List, item)
	return err
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

// All are the keys and values of a dictionary, in their order.
func (v Value) All() iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		for i, k := range v.keys {
			if !yield(k, v.List[i]) {
				return
			}
		}
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
