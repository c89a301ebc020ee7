package storage

import (
	"encoding/binary"

	"math/bits"
)

// bitmap is a set of pieces. The nil bitmap is empty and cannot be changed;
// newBitmap makes one that can.
type bitmap []uint64

func newBitmap(n int) bitmap { return make(bitmap, (n+63)/64) }

func (b bitmap) has(i int) bool { return i>>6 < len(b) && b[i>>6]&(1<<(i&63)) != 0 }
func (b bitmap) set(i int)      { b[i>>6] |= 1 << (i & 63) }

func (b bitmap) unset(i int) {
	if i>>6 < len(b) {
		b[i>>6] &^= 1 << (i & 63)
	}
}

// word returns the i-th group of 64 pieces.
func (b bitmap) word(i int) uint64 {
	if i < len(b) {
		return b[i]
	}
	return 0
}

// grown returns b, or an empty bitmap for n pieces if b is nil.
func (b bitmap) grown(n int) bitmap {
	if b == nil {
		return newBitmap(n)
	}
	return b
}

func (b bitmap) setSpan(s Span) {
	for i := s.From; i < s.To; i++ {
		b.set(i)
	}
}

func (b bitmap) unsetSpan(s Span) {
	for i := s.From; i < s.To; i++ {
		b.unset(i)
	}
}

// hasAll tells whether every piece of s is in b.
func (b bitmap) hasAll(s Span) bool {
	for i := s.From; i < s.To; i++ {
		if i&63 == 0 && s.To-i >= 64 && i>>6 < len(b) && b[i>>6] == ^uint64(0) {
			i += 63
			continue
		}
		if !b.has(i) {
			return false
		}
	}
	return true
}

// hasAny tells whether some piece of s is in b.
func (b bitmap) hasAny(s Span) bool {
	for i := s.From; i < s.To && i>>6 < len(b); i++ {
		if i&63 == 0 && b[i>>6] == 0 {
			i += 63
			continue
		}
		if b.has(i) {
			return true
		}
	}
	return false
}

func (b bitmap) empty() bool {
	for _, w := range b {
		if w != 0 {
			return false
		}
	}
	return true
}

func (b bitmap) count() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// each calls f for every piece in ascending order while it returns true.
func (b bitmap) each(f func(i int) bool) {
	for w, v := range b {
		for ; v != 0; v &= v - 1 {
			if !f(w<<6 + bits.TrailingZeros64(v)) {
				return
			}
		}
	}
}

// spans lists the runs of pieces in b.
func (b bitmap) spans() []Span {
	var s []Span
	b.each(func(i int) bool {
		if n := len(s); n > 0 && s[n-1].To == i {
			s[n-1].To++
		} else {
			s = append(s, Span{i, i + 1})
		}
		return true
	})
	return s
}

func (b bitmap) add(c bitmap) {
	for i, w := range c {
		b[i] |= w
	}
}

func (b bitmap) remove(c bitmap) {
	for i := range min(len(b), len(c)) {
		b[i] &^= c[i]
	}
}

func (b bitmap) clone() bitmap { return append(bitmap(nil), b...) }

// appendTo appends the number of words of b and the words, little-endian, without
// zero words at the end.
func (b bitmap) appendTo(out []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	out = binary.AppendUvarint(out, uint64(len(b)))
	for _, w := range b {
		out = binary.LittleEndian.AppendUint64(out, w)
	}
	return out
}
