package catalog

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/shoalnet/shoal/index"
)

// maxWord bounds a word in the index, in bytes. Longer ones are keys and
// hashes, found by their beginning.
const maxWord = 64

// word is a folded word and its byte range in the original text.
type word struct {
	text     string
	from, to int
}

// words splits s at every character that is neither a letter nor a digit and folds
// the words, so that words that differ only in case, accents or width are equal. In
// scripts without spaces each character is a word, and a run of them is searched as
// a phrase.
func words(s string) []word {
	var all []word
	start := -1
	end := func(at int) {
		if start >= 0 {
			if w := fold(s[start:at]); w != "" {
				all = append(all, word{w, start, at})
			}
			start = -1
		}
	}
	for i, r := range s {
		switch {
		case r < utf8.RuneSelf && !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'):
			end(i)
		case r < utf8.RuneSelf:
			if start < 0 {
				start = i
			}
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
			end(i)
			start = i
			end(i + utf8.RuneLen(r))
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || unicode.IsNumber(r):
			if start < 0 {
				start = i
			}
		default:
			end(i)
		}
	}
	end(len(s))
	return all
}

func fold(s string) string {
	ascii := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		s = strings.ToLower(s)
	} else {
		s = norm.NFC.String(strings.Map(func(r rune) rune {
			switch {
			case unicode.Is(unicode.Mn, r) || !(unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)):
				return -1
			}
			return unicode.ToLower(r)
		}, norm.NFKD.String(s)))
		s = strings.ReplaceAll(s, "ß", "ss")
	}
	if len(s) > maxWord {
		s = s[:maxWord]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
	}
	return s
}

// appendWords writes the words of s, each with a space before it, while b
// stays within limit bytes.
func appendWords(b []byte, s string, limit int) []byte {
	for _, w := range words(s) {
		if len(b)+len(w.text)+1 > limit {
			break
		}
		b = append(append(b, ' '), w.text...)
	}
	return b
}

// tagToken folds a tag to one token: its words, joined by a character that the
// tokenizer treats as a letter.
func tagToken(tag string) string {
	var b strings.Builder
	for i, w := range words(tag) {
		if i > 0 {
			b.WriteString("\u00b7")
		}
		b.WriteString(w.text)
	}
	return b.String()
}

// kindOf returns the kind of a file by its name, or "" if unknown.
func kindOf(name string) kind {
	switch strings.ToLower(strings.TrimPrefix(path.Ext(name), ".")) {
	case "mp4", "mkv", "webm", "avi", "mov", "m4v", "mpg", "mpeg", "ogv", "wmv", "flv", "ts", "m2ts", "vob", "3gp":
		return video
	case "mp3", "flac", "ogg", "opus", "m4a", "wav", "aac", "wma", "aif", "aiff", "ape", "mka", "m4b", "mid":
		return audio
	case "jpg", "jpeg", "png", "gif", "webp", "avif", "heic", "svg", "tif", "tiff", "bmp", "raw", "cr2", "nef", "arw", "dng", "psd", "xcf":
		return image
	case "txt", "md", "pdf", "epub", "mobi", "azw3", "djvu", "html", "htm", "doc", "docx", "odt", "rtf", "tex", "csv", "ods", "xls", "xlsx", "odp", "ppt", "pptx", "json", "xml", "cbz", "cbr", "srt":
		return text
	case "zip", "tar", "gz", "tgz", "xz", "txz", "bz2", "zst", "7z", "rar", "lz", "lz4", "br":
		return archive
	case "exe", "msi", "deb", "rpm", "apk", "dmg", "pkg", "appimage", "flatpak", "snap", "iso", "img", "jar", "bin", "whl":
		return program
	}
	return ""
}

// kindsOf returns the kinds that hold at least a tenth of an entry's bytes.
func kindsOf(e *index.Entry) []kind {
	if len(e.Files) == 0 {
		if k := kindOf(e.Name); k != "" {
			return []kind{k}
		}
		return nil
	}
	sums := make(map[kind]int64, 4)
	var total int64
	for _, f := range e.Files {
		// Saturating: the sizes are a stranger's.
		if total += max(f.Size, 0); total < 0 {
			break
		}
		sums[kindOf(f.Path)] += max(f.Size, 0)
	}
	var all []kind
	for _, k := range kinds {
		if sums[k] > 0 && sums[k] >= total/10 {
			all = append(all, k)
		}
	}
	return all
}
