package metainfo

import (
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cleanElement makes one path element of what a stranger calls a file. The
// result is never empty, ".", "..", reserved, or longer than MaxName bytes; it
// holds no separator of any operating system and nothing that is invisible or
// changes the direction of text. It is the same everywhere, but for seven
// characters that only Windows forbids and that are common in names elsewhere.
func cleanElement(raw []byte) string {
	return cleanFor(raw, runtime.GOOS == "windows")
}

const onlyWindowsForbids = `<>:"|?*`

func cleanFor(raw []byte, windows bool) string {
	// Names longer than this lose their middle below; do not work on megabytes.
	const enough = 16 * MaxName
	if len(raw) > enough {
		raw = append(append([]byte(nil), raw[:enough/2]...), raw[len(raw)-enough/2:]...)
	}
	var b strings.Builder
	for len(raw) > 0 {
		c, n := utf8.DecodeRune(raw)
		switch {
		case c == utf8.RuneError && n == 1, !harmless(c), windows && strings.ContainsRune(onlyWindowsForbids, c):
			b.WriteByte('_')
		default:
			b.Write(raw[:n])
		}
		raw = raw[n:]
	}
	s := strings.TrimRight(shorten(b.String(), MaxName), ". ")
	if s == "" {
		return "_"
	}
	if isReserved(s) {
		return strings.TrimRight(shorten("_"+s, MaxName), ". ")
	}
	return s
}

// harmless refuses separators, control characters, and the format characters
// that hide or reorder what follows. The joiners are needed to write several
// languages and many emoji.
func harmless(c rune) bool {
	switch {
	case c == '/' || c == '\\':
		return false
	case c == 0x200c || c == 0x200d:
		return true
	case 0xe0020 <= c && c <= 0xe007f: // tags: flags of regions
		return true
	}
	return !unicode.In(c, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// shorten cuts s to at most limit bytes between two characters, and keeps a
// short extension.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	ext := ""
	if i := strings.LastIndexByte(s, '.'); i > 0 && len(s)-i <= 16 {
		ext = s[i:]
	}
	cut := limit - len(ext)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + ext
}

// isReserved tells whether Windows takes the name for a device. It does so
// whatever the extension.
func isReserved(s string) bool {
	base, _, _ := strings.Cut(s, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	for _, device := range [...]string{"COM", "LPT"} {
		if n, ok := strings.CutPrefix(base, device); ok {
			switch n {
			case "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³":
				return true
			}
		}
	}
	return false
}

// dropped tells whether an element of a path names no file and is left out.
func dropped(raw []byte) bool {
	return len(raw) == 0 || string(raw) == "." || string(raw) == ".."
}
