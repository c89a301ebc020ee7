package share

import (
	"unicode"
	"unicode/utf8"
)

// MaxName is the maximum length of the name of a file or folder, in bytes.
const MaxName = 255

// IsName reports whether s may name a file or folder: it is UTF-8 of 1 to MaxName
// bytes, neither "." nor "..", and has no Dangerous character. Whether a file
// system can hold it is another question.
func IsName(s string) bool {
	if s == "" || s == "." || s == ".." || len(s) > MaxName || !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if Dangerous(c) {
			return false
		}
	}
	return true
}

// Dangerous reports whether a character is unsafe in names on any system: the
// separator, control characters, line ends, and characters that reorder text.
func Dangerous(c rune) bool {
	if c < utf8.RuneSelf {
		return c == '/' || c < ' ' || c == 0x7f
	}
	return unicode.In(c, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}
