package metainfo

import (
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/shoalnet/shoal/share"
)

// rules are the characters and names that are allowed.
type rules int

const (
	asNamed rules = iota // all but what is dangerous anywhere
	older                // what releases before 0.3 kept on every system
	windows              // what Windows and its file systems can hold
)

// cleanElement makes an untrusted name one path element. The result is never empty,
// ".", "..", or longer than MaxName bytes, is valid UTF-8, and has no slash, control
// character or character that changes the text direction: share.IsName. Everything
// else stays, except on Windows; names that a file system does not allow are left to the code
// that creates the file.
func cleanElement(raw []byte) string {
	if runtime.GOOS == "windows" {
		return cleanFor(raw, windows)
	}
	return cleanFor(raw, asNamed)
}

// WindowsName is the form of a clean name that Windows allows.
func WindowsName(name string) string { return cleanFor([]byte(name), windows) }

// OlderName is the form that earlier releases gave a name, to read their records.
func OlderName(name string) string {
	if runtime.GOOS == "windows" {
		return name
	}
	return cleanFor([]byte(name), older)
}

const onlyWindowsForbids = `<>:"|?*`

func cleanFor(raw []byte, r rules) string {
	// Longer names are shortened below anyway; do not process megabytes.
	const enough = 16 * MaxName
	if len(raw) > enough {
		raw = append(append([]byte(nil), raw[:enough/2]...), raw[len(raw)-enough/2:]...)
	}
	var b strings.Builder
	for len(raw) > 0 {
		c, n := utf8.DecodeRune(raw)
		switch {
		case c == utf8.RuneError && n == 1, share.Dangerous(c), r != asNamed && !plain(c), r == windows && strings.ContainsRune(onlyWindowsForbids, c):
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

// plain reports characters that are not a separator on any system and not invisible.
// Several languages and many emoji need the joiners.
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

// isReserved reports whether Windows treats the name as a device, which it does with
// any extension.
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

// dropped reports whether an element of a path is empty or a dot, which is left out.
func dropped(raw []byte) bool {
	return len(raw) == 0 || string(raw) == "." || string(raw) == ".."
}
