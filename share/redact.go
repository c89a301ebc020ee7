package share

import (
	"regexp"
	"strconv"
)

// Redact removes the keys of sealed shares from s, a text that may quote a link. The
// messages of Error and the lines of a node's log pass through it, so they never
// contain a key. Errors quote damaged links, so Redact expects damage: if it cannot
// tell a key from other digits, it hides both.
func Redact(s string) string {
	for _, at := range keyParam.FindAllStringIndex(s, -1) {
		if value, ok := redactValue(s[at[1]:]); ok {
			return redactLong(s[:at[1]]) + value // the IDs, which come first, stay
		}
	}
	if linkLike.MatchString(s) {
		return redactMany(s)
	}
	return s
}

// Quote is s in quotes, for an error about an argument that may have been meant as a
// link. It hides what may be a key, even if nothing else of the link is left.
func Quote(s string) string {
	return strconv.Quote(redactMany(Redact(s)))
}

var (
	// keyParam finds x.k, however often it is escaped.
	keyParam = regexp.MustCompile(`(?i)x(?:\.|%(?:25)*2e)k`)
	linkLike = regexp.MustCompile(`(?i)magnet|urn(?::|%(?:25)*3a)bt|bt[im]h`)
	// keyValue is a value after keyParam, with what separates the two.
	keyValue = regexp.MustCompile("^(?:(?:[^&0-9A-Za-z\"'`<>\\s]|\\s)[^&\"'`<>\\s]*[0-9A-Za-z][^&\"'`<>\\s]*|[0-9a-fA-F]{8,})")
	// moreOfKey is a part of a key that spaces or line breaks divide, also as package
	// strconv quotes them.
	moreOfKey = regexp.MustCompile(`^(?:\s|\\[nrtfv])+(?i:[0-9a-f]|%(?:25)*[0-9a-f]{2})+\b`)
	// fewDigits finds parts of a key, and not words such as "added".
	fewDigits  = regexp.MustCompile(`(?i)[0-9a-f]{8,}|[0-9a-f]*[0-9][0-9a-f]{3,}|[0-9a-f]{3,}[0-9][0-9a-f]*`)
	someDigits = regexp.MustCompile(`(?i)[0-9a-f]{8,}`)
	// swallowed is the key in another parameter, because an ampersand was lost.
	swallowed  = regexp.MustCompile(`(?i)x\.k[^0-9a-z]?[0-9a-f]{16}`)
	longDigits = regexp.MustCompile(`(?i)[0-9a-f]{41,}`) // more than an ID
)

// redactValue hides the value of keyParam at the start of s, and what could be the rest
// of it. It returns false if there is none, as in a text that is about the parameter.
func redactValue(s string) (string, bool) {
	value := keyValue.FindString(s)
	if value == "" {
		return s, false
	}
	s = s[len(value):]
	for more := moreOfKey.FindString(s); more != ""; more = moreOfKey.FindString(s) {
		s = s[len(more):]
	}
	return "=" + hidden + fewDigits.ReplaceAllLiteralString(s, hidden), true
}

// redactMany hides the digits of s if there are more than an ID has.
func redactMany(s string) string {
	if countDigits(s) <= 2*len(ID{}) {
		return s
	}
	return someDigits.ReplaceAllLiteralString(s, hidden)
}

// countDigits counts the hex digits of s that could be those of a key.
func countDigits(s string) (n int) {
	for _, run := range someDigits.FindAllString(s, -1) {
		n += len(run)
	}
	return n
}

// redactLong hides what has more digits than an ID.
func redactLong(s string) string { return longDigits.ReplaceAllLiteralString(s, hidden) }
