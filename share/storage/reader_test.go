package storage

import (
	"bytes"
	"strings"
	"testing"
)

// Bytes that were fetched beside a user's file are read from the spill, all others
// from the file.
func TestReaderReadsAroundTheUsersFile(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.complete(0)
	p.put("c", bytes.Repeat([]byte("u"), 2300))
	p.files[2].state, p.files[2].stamp = users, stamp{}
	u := p.takeUser(2, "c")
	u.spill, u.made, u.head = true, true, true
	p.put(p.layout.names[2].part, bytes.Repeat([]byte("s"), 300))
	got := make([]byte, 1300)
	if _, err := p.reader.readFile(2, 0, got); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("s", 300) + strings.Repeat("u", 1000); string(got) != want {
		t.Errorf("%q", got)
	}
	if n, err := p.reader.read(got, 1600); err == nil || n != 0 {
		t.Errorf("%d bytes of an entry that is not there: %v", n, err)
	}
}
