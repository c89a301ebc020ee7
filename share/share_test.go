package share

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestID(t *testing.T) {
	const text = "0123456789abcdef0123456789abcdef01234567"
	id, err := ParseID(strings.ToUpper(text))
	if err != nil {
		t.Fatal(err)
	}
	if id.String() != text || id.Short() != text[:8] || id.IsZero() {
		t.Errorf("got %v, short %v", id, id.Short())
	}
	for _, bad := range []string{"", text[1:], text + "0", "g" + text[1:], " " + text[1:]} {
		if id, err := ParseID(bad); KindOf(err) != Refused || !id.IsZero() {
			t.Errorf("%q gives %v and %v", bad, id, err)
		}
	}
}

func TestIDInJSON(t *testing.T) {
	type wrap struct {
		ID  ID `json:"id"`
		Was ID `json:"was,omitzero"`
	}
	want := wrap{ID: ID{1, 2, 3}}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != `{"id":"0102030000000000000000000000000000000000"}` {
		t.Errorf("got %s", b)
	}
	var got wrap
	if err := json.Unmarshal(b, &got); err != nil || got != want {
		t.Errorf("got %v and %v", got, err)
	}
	kept := ID{9}
	if err := kept.UnmarshalText([]byte("no")); err == nil || kept != (ID{9}) {
		t.Errorf("a bad text gives %v and error %v", kept, err)
	}
}

func TestKinds(t *testing.T) {
	// The exit statuses are a promise to scripts.
	for k, code := range map[Kind]string{
		1: "failed", 2: "usage", 3: "nobody", 4: "no-node", 5: "refused", 6: "disk", 130: "interrupted",
	} {
		if k.Code() != code || KindOfCode(code) != k {
			t.Errorf("kind %d has code %q, and %q is kind %d", k, k.Code(), code, KindOfCode(code))
		}
	}
	if Kind(77).Code() != "failed" || KindOfCode("news") != Failed {
		t.Error("what is unknown is not failed")
	}
}

func TestKindOf(t *testing.T) {
	inner := Errorf(Disk, "write a: %w", fs.ErrPermission)
	wrapped := fmt.Errorf("fetch: %w", inner)
	for _, tt := range []struct {
		err  error
		want Kind
	}{
		{nil, 0},
		{errors.New("plain"), Failed},
		{inner, Disk},
		{wrapped, Disk},
		{Errorf(Refused, "outer: %w", wrapped), Refused}, // the outermost decides
	} {
		if got := KindOf(tt.err); got != tt.want {
			t.Errorf("%v has kind %d, want %d", tt.err, got, tt.want)
		}
	}
	if !errors.Is(wrapped, fs.ErrPermission) || wrapped.Error() != "fetch: write a: permission denied" {
		t.Errorf("got %q", wrapped)
	}
}

func TestStates(t *testing.T) {
	seen := map[State]bool{}
	for _, s := range States {
		if s == "" || seen[s] {
			t.Errorf("state %q is empty or comes twice", s)
		}
		seen[s] = true
	}
	for _, s := range []State{Hashing, Checking, Finding, Queued, Fetching, Seeding, Paused, Stopped} {
		if !slices.Contains(States[:], s) {
			t.Errorf("%q is not among the states", s)
		}
	}
}

func TestTransferInJSON(t *testing.T) {
	b, err := json.Marshal(Transfer{Name: "a", State: Seeding, Added: time.Unix(0, 0).UTC()})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"state":"seeding"`, `"bytes":0`, `"peers":0`, `"id":"00000000`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s lacks %s", b, want)
		}
	}
	for _, not := range []string{"completed", "reason"} {
		if strings.Contains(string(b), not) {
			t.Errorf("%s has %s, which is not known", b, not)
		}
	}
}
