package share

import (
	"strings"
	"testing"
)

func TestIsName(t *testing.T) {
	for _, s := range []string{"a", "...", ".hidden", " ", "aux.c", `a\b`, "a:b", "é", "e\u0301", "\u0646\u200c", strings.Repeat("x", MaxName)} {
		if !IsName(s) {
			t.Errorf("%q is no name", s)
		}
	}
	for _, s := range []string{"", ".", "..", "a/b", "/", "a\x00", "a\nb", "\x7f", "\u0085", "a\u2028b", "gpj\u202eexe", "a\xff", strings.Repeat("x", MaxName+1)} {
		if IsName(s) {
			t.Errorf("%q is a name", s)
		}
	}
}
