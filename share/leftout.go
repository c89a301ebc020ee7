package share

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// LeftOut is what is missing in a share of a folder although nobody excluded it: it
// could not be read, or cannot be in a torrent.
type LeftOut struct {
	Count int       `json:"count"`
	Items []Omitted `json:"items"` // the first MaxLeftOut of them
}

// MaxLeftOut limits how many omissions a share lists.
const MaxLeftOut = 20

// Omitted is a file, or a folder with everything in it, that is not shared.
type Omitted struct {
	// Path is below the shared folder, with slashes. Bytes that are not UTF-8 are
	// written as in a Go string: \xff.
	Path   string `json:"path"`
	Reason string `json:"reason"` // such as "permission denied"
	// ReasonText is Reason for other languages.
	ReasonText *Text `json:"reason_text,omitempty"`
}

// Add notes one more.
func (l *LeftOut) Add(path string, reason Text) {
	l.Count++
	if len(l.Items) < MaxLeftOut {
		l.Items = append(l.Items, Omitted{visible(path), reason.String(), reason.Of()})
	}
}

func visible(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[0])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}
