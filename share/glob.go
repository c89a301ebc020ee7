package share

import (
	"path"
	"slices"
	"strings"
)

// CheckGlobs refuses patterns that can never match; the kind is Usage.
func CheckGlobs(globs []string) error {
	for _, g := range globs {
		if _, err := path.Match(g, ""); err != nil {
			return Errorf(Usage, "file pattern %q: %w", g, err)
		}
	}
	return nil
}

// MatchPath reports whether a pattern selects the file or folder at path in a
// content, with slashes. Patterns are as for path.Match, and ** matches any number
// of elements. A pattern without a slash applies to the last element. A folder
// stands for everything in it.
func MatchPath(pattern, file string) bool {
	if pattern == file || strings.HasPrefix(file, strings.TrimSuffix(pattern, "/")+"/") {
		return true
	}
	elements := strings.Split(pattern, "/")
	switch {
	case slices.Contains(elements, "**"):
		return matchElements(elements, strings.Split(file, "/"))
	case len(elements) == 1:
		return matchOne(pattern, path.Base(file))
	}
	return matchOne(pattern, file)
}

func matchOne(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// matchElements is for patterns with **, which stands for no element only where
// something follows it.
func matchElements(pattern, elements []string) bool {
	p, e := 0, 0
	any, from := -1, 0 // the last **, and the first element after those it stands for
	for e < len(elements) {
		switch {
		case p < len(pattern) && pattern[p] == "**":
			any, from = p, e
			p++
		case p < len(pattern) && matchOne(pattern[p], elements[e]):
			p, e = p+1, e+1
		case any >= 0:
			from++
			p, e = any+1, from
		default:
			return false
		}
	}
	return p == len(pattern)
}
