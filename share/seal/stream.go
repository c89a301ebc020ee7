package seal

import (
	"errors"
	"io"
)

// Stream seals plaintext as it arrives, in order, and passes on the records, one with
// each write. It checks no kept tags, so its output may be compared with a hash but
// must not be sent to anybody.
type Stream struct {
	of   *Sealer
	to   io.Writer
	tell func(n int64, tag [TagSize]byte)
	next int64 // record
	used int   // bytes of its plaintext that have come
	rec  record
}

// Stream seals the records from first on and writes them to w. Each record is made of
// DataSize bytes written to the Stream; bytes outside the contents may have any
// value, and are replaced. tell is called with the tag of each record before it is
// written; it may be nil.
func (s *Sealer) Stream(first int64, w io.Writer, tell func(n int64, tag [TagSize]byte)) *Stream {
	return &Stream{of: s, to: w, tell: tell, next: first}
}

// Write takes plaintext. Its errors are those of the underlying writer.
func (st *Stream) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if st.next < 0 || st.next >= st.of.layout.count {
			return n, errors.New("more plaintext than a sealed share has")
		}
		m := copy(st.rec[TagSize+st.used:], p[n:])
		n, st.used = n+m, st.used+m
		if st.used < DataSize {
			break
		}
		if err := st.flush(); err != nil {
			return n, err
		}
	}
	return n, nil
}

// flush seals the record that is complete.
func (st *Stream) flush() error {
	s, number := st.of, st.next
	st.next, st.used = number+1, 0
	data, used := st.rec[TagSize:], 0
	switch kind := s.layout.Kind(number); kind {
	case Head:
		used = copy(data, s.head[number*DataSize:])
	case Contents:
		_, length := s.layout.within(number)
		used = int(length)
	}
	clear(data[used:])
	var any anyTag
	if err := s.cipher.approve(number, s.layout.Kind(number), &st.rec, &any); err != nil {
		return err
	}
	s.cipher.crypt(&st.rec)
	if st.tell != nil {
		st.tell(number, any.tag)
	}
	_, err := st.to.Write(st.rec[:])
	return err
}

// anyTag admits each record, and takes its tag.
type anyTag struct{ tag [TagSize]byte }

func (a *anyTag) admit(_ int64, t *tool) error {
	a.tag = t.sum
	return nil
}
