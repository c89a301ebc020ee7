package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/shoalnet/shoal/share"
)

// maxSubtitles is the size of the largest file that is converted. Those of a long film
// have a tenth of it.
const maxSubtitles = 2 << 20

// subtitles answers with a file of subtitles (.srt or .vtt) as WebVTT in UTF-8: the only
// form that browsers take.
func (c *contents) subtitles(ctx context.Context, in *oneFile) (*huma.StreamResponse, error) {
	id, file, err := c.named(in.ID, in.File)
	if err != nil {
		return nil, err
	}
	name := path.Base(file.Path)
	switch strings.ToLower(path.Ext(name)) {
	case ".srt", ".vtt":
	default:
		return nil, share.Errorf(share.Usage, "%q is not a file of subtitles: these end in .srt or .vtt", name)
	}
	if file.Total > maxSubtitles {
		return nil, share.Errorf(share.Refused, "%q has %d bytes: subtitles of more than %d are not converted", name, file.Total, maxSubtitles)
	}
	if err := c.reads.take(); err != nil {
		return nil, err
	}
	defer c.reads.put()
	r, err := c.content.Open(ctx, id, in.File)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxSubtitles))
	if err != nil {
		return nil, err
	}
	text := WebVTT(b)
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		_, w := humago.Unwrap(ctx)
		h := w.Header()
		ContentHeader(h, name)
		h.Set("Content-Type", "text/vtt; charset=utf-8")
		h.Set("Content-Disposition", "inline")
		_, _ = w.Write(text) // the reader may have gone
	}}, nil
}

// A cue has a line such as "00:01:02,500 --> 00:01:04,000". The hours may be missing, and
// WebVTT has a point where SubRip has a comma.
var (
	cueTime     = regexp.MustCompile(`^\s*(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})\s*-->\s*(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})(.*)$`)
	cueSettings = regexp.MustCompile(`^(?:\s+(?:vertical|line|position|size|align):[0-9a-z.,%-]+)+\s*$`)
	cueTag      = regexp.MustCompile(`(?i)^</?[biu]>`)
	override    = regexp.MustCompile(`\{\\[^}]*\}`) // of other formats, such as {\an8}
)

// WebVTT converts subtitles in SubRip or WebVTT form, in UTF-8, UTF-16 or Windows-1252, a
// superset of Latin-1. It leaves out everything except cues, such as styles, and all tags
// except those for bold, italic and underlined text.
func WebVTT(b []byte) []byte {
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(decode(b)), "\n")
	var out bytes.Buffer
	out.WriteString("WEBVTT\n")
	for i := 0; i < len(lines); i++ {
		m := cueTime.FindStringSubmatch(lines[i])
		if m == nil {
			continue
		}
		settings := strings.TrimRight(m[9], " \t")
		if !cueSettings.MatchString(settings) {
			settings = ""
		}
		fmt.Fprintf(&out, "\n%s --> %s%s\n", stamp(m[1:5]), stamp(m[5:9]), settings)
		for i+1 < len(lines) && strings.TrimSpace(lines[i+1]) != "" && !cueTime.MatchString(lines[i+1]) {
			i++
			out.WriteString(cueText(lines[i]))
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}

// stamp writes a time as WebVTT wants it.
func stamp(part []string) string {
	n := func(s string) int {
		v, _ := strconv.Atoi(s) // digits, or none
		return v
	}
	return fmt.Sprintf("%02d:%02d:%02d.%03d", n(part[0]), min(n(part[1]), 59), min(n(part[2]), 59), n((part[3] + "00")[:3]))
}

// cueText is a line of a cue, in which only the tags that are allowed are tags.
func cueText(line string) string {
	line = override.ReplaceAllString(line, "")
	var out strings.Builder
	for line != "" {
		switch c := line[0]; c {
		case '<':
			if tag := cueTag.FindString(line); tag != "" {
				out.WriteString(strings.ToLower(tag))
				line = line[len(tag):]
				continue
			}
			if end := strings.IndexByte(line, '>'); end > 0 && end < 200 && line[1] != ' ' {
				line = line[end+1:]
				continue
			}
			out.WriteString("&lt;")
		case '>':
			out.WriteString("&gt;")
		case '&':
			if strings.HasPrefix(line, "&amp;") || strings.HasPrefix(line, "&lt;") || strings.HasPrefix(line, "&gt;") || strings.HasPrefix(line, "&nbsp;") {
				out.WriteByte(c)
			} else {
				out.WriteString("&amp;")
			}
		default:
			out.WriteByte(c)
		}
		line = line[1:]
	}
	return out.String()
}

// decode guesses the encoding of a text, and returns it without control characters.
func decode(b []byte) string {
	text := string(b)
	switch utf16 := wide(b); {
	case utf16 != nil:
		if d, err := utf16.NewDecoder().Bytes(b); err == nil {
			text = string(d)
		}
	case !utf8.Valid(b):
		if d, err := charmap.Windows1252.NewDecoder().Bytes(b); err == nil {
			text = string(d)
		}
	}
	return strings.Map(func(r rune) rune {
		if r == '\ufeff' || r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}

// wide is the UTF-16 of a text, by its mark or by where its zeros are; nil if it is not
// UTF-16.
func wide(b []byte) encoding.Encoding {
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	}
	var zeros [2]int
	head := b[:min(len(b), 1000)]
	for i, c := range head {
		if c == 0 {
			zeros[i%2]++
		}
	}
	// Numbers and arrows are in every cue, and half of their bytes are zero.
	switch enough := len(head) / 8; {
	case enough > 0 && zeros[1] > enough && zeros[0] < zeros[1]/4:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case enough > 0 && zeros[0] > enough && zeros[1] < zeros[0]/4:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	}
	return nil
}
