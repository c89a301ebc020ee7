package api

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
)

// column is a member of a JSON object that a struct becomes. With the columns of a
// type, a list can be written with some of them, and two values can be compared to a
// merge patch, without encoding the values first.
type column struct {
	name   string
	key    []byte // "name":
	index  int
	omit   bool     // left out when zero
	nested []column // of a struct that is an object itself
}

// columnsOf reads the JSON tags of a struct type. The types that it is used for have no
// embedded structs, and no options other than omitempty and omitzero.
func columnsOf(t reflect.Type) []column {
	var out []column
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || name == "" {
			continue
		}
		c := column{
			name: name, key: appendString(nil, name), index: i,
			omit: strings.Contains(opts, "omitempty") || strings.Contains(opts, "omitzero"),
		}
		c.key = append(c.key, ':')
		if f.Type.Kind() == reflect.Struct && !f.Type.Implements(reflect.TypeFor[json.Marshaler]()) {
			c.nested = columnsOf(f.Type)
		}
		out = append(out, c)
	}
	return out
}

// choose returns the columns of the given names, in their own order.
func choose(cols []column, names []string) ([]column, error) {
	if len(names) == 0 {
		return cols, nil
	}
	wanted := map[string]bool{}
	for _, n := range names {
		wanted[n] = true
	}
	var out []column
	var all []string
	for _, c := range cols {
		all = append(all, c.name)
		if wanted[c.name] {
			out = append(out, c)
			delete(wanted, c.name)
		}
	}
	for n := range wanted {
		return nil, share.Errorf(share.Usage, "unknown field %q; the fields are %s", n, strings.Join(all, ", "))
	}
	return out, nil
}

// appendObject writes v as JSON.
func appendObject(b []byte, v reflect.Value, cols []column) []byte {
	b = append(b, '{')
	start := len(b)
	for i := range cols {
		c := &cols[i]
		f := v.Field(c.index)
		if c.omit && isZero(f) {
			continue
		}
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(b, c.key...)
		b = c.appendValue(b, f)
	}
	return append(b, '}')
}

func (c *column) appendValue(b []byte, f reflect.Value) []byte {
	switch {
	case c.nested != nil:
		return appendObject(b, f, c.nested)
	case f.Kind() == reflect.String:
		return appendString(b, f.String())
	case f.CanInt():
		return strconv.AppendInt(b, f.Int(), 10)
	case f.Kind() == reflect.Bool:
		return strconv.AppendBool(b, f.Bool())
	}
	enc, err := json.Marshal(f.Interface())
	if err != nil { // a float that is not a number
		return append(b, "null"...)
	}
	return append(b, enc...)
}

// appendDiff writes the merge patch (RFC 7396) that turns was into is, and reports
// whether it changes anything.
func appendDiff(b []byte, was, is reflect.Value, cols []column) ([]byte, bool) {
	b = append(b, '{')
	start := len(b)
	for i := range cols {
		c := &cols[i]
		old, now := was.Field(c.index), is.Field(c.index)
		if c.same(old, now) {
			continue
		}
		before := len(b)
		if before > start {
			b = append(b, ',')
		}
		b = append(b, c.key...)
		switch {
		case c.omit && isZero(now):
			b = append(b, "null"...)
		case c.nested != nil && !(c.omit && isZero(old)):
			var changed bool
			if b, changed = appendDiff(b, old, now, c.nested); !changed {
				b = b[:before]
			}
		default:
			b = c.appendValue(b, now)
		}
	}
	return append(b, '}'), len(b) > start
}

func (c *column) same(a, b reflect.Value) bool {
	switch {
	case c.nested != nil:
		for i := range c.nested {
			n := &c.nested[i]
			if !n.same(a.Field(n.index), b.Field(n.index)) {
				return false
			}
		}
		return true
	case a.Type() == reflect.TypeFor[time.Time]():
		return a.Interface().(time.Time).Equal(b.Interface().(time.Time))
	case a.Comparable() && b.Comparable():
		return a.Equal(b)
	}
	return bytes.Equal(c.appendValue(nil, a), c.appendValue(nil, b))
}

func isZero(v reflect.Value) bool {
	if z, ok := v.Interface().(interface{ IsZero() bool }); ok {
		return z.IsZero()
	}
	return v.IsZero()
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			enc, _ := json.Marshal(s) // a string always has a JSON form
			return append(b, enc...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// appendList writes values as a JSON array of objects.
func appendList[T any](b []byte, values []T, cols []column) []byte {
	b = append(b, '[')
	v := reflect.ValueOf(values)
	for i := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendObject(b, v.Index(i), cols)
	}
	return append(b, ']')
}
