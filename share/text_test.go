package share

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

func TestTextSaysWhatSprintfSays(t *testing.T) {
	inner := Say("%d of the pieces were copied from %s", 3, "x")
	for _, c := range []struct {
		format  string
		args    []any
		pattern string
	}{
		{"no peers found yet", nil, "no peers found yet"},
		{"complete, ratio %.3g reached", []any{1.5}, "complete, ratio {0} reached"},
		{"%d peers known, none connected yet", []any{27}, "{0} peers known, none connected yet"},
		{"%q is not a goal: 100 %% of it", []any{"3x"}, "{0} is not a goal: 100 % of it"},
		{"a {brace} and %s", []any{"{1}"}, "a {brace} and {0}"},
		{"%v; next try in %s", []any{inner, "40 s"}, "{0}; next try in {1}"},
		{"%5d|%-4s|%+d|%x", []any{7, "a", 2, 255}, "{0}|{1}|{2}|{3}"},
		{"%*d", []any{5, 7}, "    7"},
		{"%[2]s %[1]s", []any{"a", "b"}, "b a"},
		{"%s", []any{inner}, "{0} of the pieces were copied from {1}"},
		{"%s missing %s", []any{"one"}, "one missing %!s(MISSING)"},
	} {
		got, want := Say(c.format, c.args...), fmt.Sprintf(c.format, c.args...)
		if got.String() != want || got.Pattern != c.pattern {
			t.Errorf("Say(%q) is %q of %q, want %q of %q", c.format, got, got.Pattern, want, c.pattern)
		}
	}
}

func TestErrorsHaveTexts(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "/srv/a", Err: syscall.ENOSPC}
	sentinel := errors.New("the disk is full")
	for _, c := range []struct {
		err  error
		want Text
	}{
		{errors.New("100% {0}"), Text{Pattern: "100% {0}"}},
		{Errorf(Usage, "%q is not a type", "x"), Text{"{0} is not a type", []any{`"x"`}}},
		{Errorf(Disk, "%w", full), Text{"{0} {1}: {2}", []any{"write", "/srv/a", Text{Pattern: "no space left on device"}}}},
		{Errorf(Disk, "%w: %w", sentinel, full), Text{"{0}: {1}", []any{
			Text{Pattern: "the disk is full"},
			Text{"{0} {1}: {2}", []any{"write", "/srv/a", Text{Pattern: "no space left on device"}}},
		}}},
		{Errorf(Disk, "sharing %s: %w", "/srv", Wrapf("reading %s: %w", "a", sentinel)), Text{"sharing {0}: {1}", []any{
			"/srv", Text{"reading {0}: {1}", []any{"a", Text{Pattern: "the disk is full"}}},
		}}},
		{fmt.Errorf("elsewhere: %w", sentinel), Text{Pattern: "elsewhere: the disk is full"}},
		{errors.Join(Wrapf("asking %s", "a")), Text{"asking {0}", []any{"a"}}},
		{errors.Join(Wrapf("asking %s", "a"), sentinel), Text{"{0}\n{1}", []any{Text{"asking {0}", []any{"a"}}, Text{Pattern: "the disk is full"}}}},
		{&net.OpError{Op: "dial", Net: "tcp6", Err: sentinel}, Text{"{0}: {1}", []any{"dial tcp6", Text{Pattern: "the disk is full"}}}},
	} {
		got := TextOf(c.err)
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("the text of %q is %#v, want %#v", c.err, got, c.want)
		}
		if got.String() != c.err.Error() {
			t.Errorf("the text of %q says %q", c.err, got)
		}
		b, err := json.Marshal(got)
		var back Text
		if err != nil || json.Unmarshal(b, &back) != nil || !reflect.DeepEqual(back, got) {
			t.Errorf("%s comes back as %#v, want %#v (%v)", b, back, got, err)
		}
	}
	if err := Errorf(Disk, "%w: %w", sentinel, full); !errors.Is(err, sentinel) || !errors.Is(err, syscall.ENOSPC) || KindOf(err) != Disk {
		t.Errorf("%v does not wrap what it was made of", err)
	}
	if got := TextOf(nil); got.Of() != nil {
		t.Errorf("no error says %q", got)
	}
}

// A key is hidden in each part of a text, as it is in the sentence.
func TestTextsHaveNoKeys(t *testing.T) {
	key := strings.Repeat("a1", 32)
	for _, err := range []error{
		Errorf(Refused, "the link %s is damaged", "magnet:?xt=urn:btih:"+strings.Repeat("0", 40)+"&x.k="+key),
		Errorf(Refused, "the parameter x.k=%s is not valid", key),
		Errorf(Refused, "reading a link: %w", fmt.Errorf("x.k=%s is damaged", key)),
	} {
		b, jsonErr := json.Marshal(TextOf(err))
		if jsonErr != nil || strings.Contains(string(b), key) || strings.Contains(err.Error(), key) {
			t.Errorf("the text of %q is %s (%v)", err, b, jsonErr)
		}
	}
}
