package share

import (
	"strings"
	"testing"
)

func TestMatchPath(t *testing.T) {
	for _, tt := range []struct {
		glob string
		yes  string
		no   string
	}{
		{"*.iso", "a.iso d/a.iso", "a.iso2 d.iso/a/b d/b"},
		{"docs", "docs docs/a docs/a/b x/docs", "docs2 x/docs/a"},
		{"docs/", "docs/a", "x/docs docs"},
		{"docs/*", "docs/a docs/b", "docs/a/b docs x/docs/a"},
		{"a/b", "a/b a/b/c", "x/a/b"},
		{"**/cache", "cache a/cache a/b/cache", "cache2 a/cache/b"},
		{"a/**", "a/b a/b/c", "b/a a"},
		{"a/**/z", "a/z a/b/z a/b/c/z a/z/z", "a z a/b a/z/b"},
		{"**/a/*.txt", "a/1.txt x/a/1.txt a/a/1.txt", "a/b/1.txt x/1.txt"},
		{"a/**/b/**/c", "a/b/c a/x/b/y/z/c a/b/b/c/c", "a/c/b a/b a/c"},
		{"**", "a a/b", ""},
	} {
		for path := range strings.FieldsSeq(tt.yes) {
			if !MatchPath(tt.glob, path) {
				t.Errorf("%s does not match %s", tt.glob, path)
			}
		}
		for path := range strings.FieldsSeq(tt.no) {
			if MatchPath(tt.glob, path) {
				t.Errorf("%s matches %s", tt.glob, path)
			}
		}
	}
	// It takes no longer with many of them.
	if MatchPath(strings.Repeat("**/", 100)+"z", strings.Repeat("a/", 200)+"a") {
		t.Error("z matches a")
	}
	for glob, bad := range map[string]bool{"[": true, "a[": true, "**/[a": true, "*": false, "": false} {
		if err := CheckGlobs([]string{glob}); (KindOf(err) == Usage) != bad {
			t.Errorf("%q: %v", glob, err)
		}
	}
}
