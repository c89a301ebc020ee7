package metainfo

import (
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"
)

// rules say what may stay in a name.
type rules int

const (
	asNamed rules = iota // all but what is dangerous anywhere
	older                // what releases before 0.3 kept on every system
	windows              // what Windows and its file systems can hold
)

// cleanElement makes one path element of what a stranger calls a file. The
// result is never empty, ".", "..", or longer than MaxName bytes, is valid
// UTF-8, and holds no slash, no control character and nothing that changes the
// direction of text. All else stays as it is but on Windows: what a file system
// cannot hold is up to whoever makes the file.
func cleanElement(raw []byte) string {
	if runtime.GOOS == "windows" {
		return cleanFor(raw, windows)
	}
	return cleanFor(raw, asNamed)
}

// WindowsName is what a file called name, which is clean, is called where only
// what Windows allows can be.
func WindowsName(name string) string { return cleanFor([]byte(name), windows) }

// OlderName is what earlier releases made of a name, for their records.
func OlderName(name string) string {
	if runtime.GOOS == "windows" {
		return name
	}
	return cleanFor([]byte(name), older)
}

const onlyWindowsForbids = `<>:"|?*`

func cleanFor(raw []byte, r rules) string {
	// Names longer than this lose their middle below; do not work on megabytes.
	const enough = 16 * MaxName
	if len(raw) > enough {
		raw = append(append([]byte(nil), raw[:enough/2]...), raw[len(raw)-enough/2:]...)
	}
	var b strings.Builder
	for len(raw) > 0 {
		c, n := utf8.DecodeRune(raw)
		switch {
		case c == utf8.RuneError && n == 1, dangerous(c), r != asNamed && !plain(c), r == windows && strings.ContainsRune(onlyWindowsForbids, c):
			b.WriteByte('_')
		default:
			b.Write(raw[:n])
		}
		raw = raw[n:]
	}
	s := shorten(b.String(), MaxName)
	if r == asNamed {
		if dropped([]byte(s)) {
			return "_"
		}
		return s
	}
	s = strings.TrimRight(s, ". ")
	if s == "" {
		return "_"
	}
	if isReserved(s) {
		return strings.TrimRight(shorten("_"+s, MaxName), ". ")
	}
	return s
}

// dangerous is what no name may hold, whatever the system: the separator,
// control characters and line ends, and what reorders the text after it.
func dangerous(c rune) bool {
	return c == '/' || unicode.In(c, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// plain is neither a separator anywhere nor invisible. The joiners are needed to
// write several languages and many emoji.
func plain(c rune) bool {
	switch {
	case c == '\\':
		return false
	case c == 0x200c || c == 0x200d:
		return true
	case 0xe0020 <= c && c <= 0xe007f: // tags: flags of regions
		return true
	}
	return !unicode.Is(unicode.Cf, c)
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
