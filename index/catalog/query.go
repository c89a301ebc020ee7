package catalog

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// query is a parsed search text:
//
//	blue sky            both words, or longer ones that begin with them
//	"blue sky"          exactly these words in this order
//	-night              not this word; also -"night sky", -tag:night
//	file:readme         in the path of a file
//	tag:photo           exactly this tag
//	channel:films       only from channels with this name, or whose key begins
//	                    with it; me is this node
//	type:video          also audio, image, text, archive, program
//	size:>1G size:<20M  powers of 1024; size:1G is at least
//	since:2026-01       a year, month or day; before:2026-02-15 likewise
//
// Case and accents are ignored. An unknown field is searched as words, so that
// pasted names with colons are found.
type query struct {
	all      []term
	none     []term
	tags     []string
	notTags  []string
	channels []term   // names, or beginnings of keys
	keys     []string // the channels by key: keys or their beginnings in hex; "" is this node
	types    []kind
	minBytes int64 // 0 is any
	maxBytes int64 // 0 is any
	since    time.Time
	before   time.Time
}

// term is a word, or several in this order.
type term struct {
	text  string
	exact bool // quoted: matches only whole words
	file  bool // only in paths
}

// kind is the type of content of an entry.
type kind string

// The types.
const (
	video   kind = "video"
	audio   kind = "audio"
	image   kind = "image"
	text    kind = "text"
	archive kind = "archive"
	program kind = "program"
)

// kinds lists every kind.
var kinds = [...]kind{video, audio, image, text, archive, program}

const (
	maxQuery = 1000 // bytes
	maxTerms = 32
)

// parse parses a search text. An invalid text, such as a size without a number, is
// an error that says how to correct it.
func parse(s string) (query, error) {
	var q query
	if len(s) > maxQuery {
		return q, share.Errorf(share.Usage, "a search has at most %d characters", maxQuery)
	}
	rest := strings.ToValidUTF8(s, " ")
	for terms := 0; ; terms++ {
		rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
		if rest == "" {
			break
		}
		if terms == maxTerms {
			return q, share.Errorf(share.Usage, "a search has at most %d words", maxTerms)
		}
		var t token
		t, rest = nextToken(rest)
		if err := q.add(t); err != nil {
			return q, err
		}
	}
	return q, nil
}

var fields = map[string]bool{"file": true, "tag": true, "channel": true, "type": true, "size": true, "since": true, "after": true, "before": true}

// token is one space-separated part: -field:"text".
type token struct {
	not    bool
	field  string
	text   string
	quoted bool
}

func nextToken(s string) (t token, rest string) {
	if len(s) > 1 && s[0] == '-' && !unicode.IsSpace(rune(s[1])) {
		t.not, s = true, s[1:]
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return r == ':' || r == '"' || unicode.IsSpace(r) }); i > 0 && s[i] == ':' {
		t.field, s = strings.ToLower(s[:i]), s[i+1:]
	}
	if strings.HasPrefix(s, `"`) {
		t.quoted = true
		t.text, rest, _ = strings.Cut(s[1:], `"`) // an open quote extends to the end
		return t, rest
	}
	end := strings.IndexFunc(s, unicode.IsSpace)
	if end < 0 {
		end = len(s)
	}
	t.text = s[:end]
	return t, s[end:]
}

func (q *query) add(t token) error {
	if strings.TrimSpace(t.text) == "" {
		if t.field == "" || fields[t.field] {
			return nil // the user is still typing the value
		}
		t.field, t.text = "", t.field
	}
	onlyPositive := func() error {
		if t.not {
			return share.Errorf(share.Usage, "%q cannot be excluded; leave the minus out", t.field+":")
		}
		return nil
	}
	switch t.field {
	case "":
		q.addTerm(t.not, term{text: t.text, exact: t.quoted})
	case "file":
		q.addTerm(t.not, term{text: t.text, exact: t.quoted, file: true})
	case "tag":
		if t.not {
			q.notTags = append(q.notTags, t.text)
		} else {
			q.tags = append(q.tags, t.text)
		}
	case "channel":
		q.channels = append(q.channels, term{text: t.text, exact: t.quoted})
		return onlyPositive()
	case "type":
		typ, ok := typeNamed(t.text)
		if !ok {
			return share.Errorf(share.Usage, "%q is not a type; use video, audio, image, text, archive or program", t.text)
		}
		q.types = append(q.types, typ)
		return onlyPositive()
	case "size":
		if err := q.size(t.text); err != nil {
			return err
		}
		return onlyPositive()
	case "since", "after":
		from, _, err := parseDay(t.text)
		q.since = from
		if err != nil {
			return err
		}
		return onlyPositive()
	case "before":
		from, _, err := parseDay(t.text)
		q.before = from
		if err != nil {
			return err
		}
		return onlyPositive()
	default:
		q.addTerm(t.not, term{text: t.field + " " + t.text})
	}
	return nil
}

func (q *query) addTerm(not bool, t term) {
	if not {
		q.none = append(q.none, t)
	} else {
		q.all = append(q.all, t)
	}
}

// keysOf resolves channel terms, which match words of a channel's name or the
// beginning of its key, to beginnings of keys in hex; "" is this node.
func keysOf(channels []term, names map[index.ChannelID]string) ([]string, error) {
	var keys []string
	for _, t := range channels {
		if strings.EqualFold(t.text, "me") && !t.exact {
			keys = append(keys, "")
			continue
		}
		before := len(keys)
		w := wantedOf(t)
		for id, name := range names {
			if len(w.words) == 0 {
				break
			}
			if at, _ := position(words(name), w); at >= 0 {
				keys = append(keys, id.String())
			}
		}
		if digits := strings.ToLower(t.text); len(digits) <= 64 && strings.Trim(digits, "0123456789abcdef") == "" {
			keys = append(keys, digits)
		}
		if len(keys) == before {
			return nil, share.Errorf(share.Usage, "no channel has the name %q or a key that begins with it; shoal channel list shows all channels, and channel:me is this node", t.text)
		}
	}
	return keys, nil
}

// typeNamed also accepts plurals and a few common synonyms.
func typeNamed(s string) (kind, bool) {
	s = strings.ToLower(s)
	for _, t := range kinds {
		if s == string(t) || s == string(t)+"s" {
			return t, true
		}
	}
	switch s {
	case "film", "films", "movie", "movies":
		return video, true
	case "music", "sound":
		return audio, true
	case "picture", "pictures", "photo", "photos":
		return image, true
	case "document", "documents", "book", "books", "ebook":
		return text, true
	case "software", "app":
		return program, true
	}
	return "", false
}

func (q *query) size(s string) error {
	op := strings.TrimRight(s[:len(s)-len(strings.TrimLeft(s, "<>="))], "=")
	n, err := parseBytes(strings.TrimLeft(s, "<>="))
	if err != nil {
		return err
	}
	if op == "<" {
		q.maxBytes = n
	} else {
		q.minBytes = n
	}
	return nil
}

var units = map[string]float64{"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}

func parseBytes(s string) (int64, error) {
	number := strings.TrimRightFunc(s, unicode.IsLetter)
	unit := strings.ToLower(s[len(number):])
	if len(unit) > 1 {
		unit = strings.TrimSuffix(strings.TrimSuffix(unit, "b"), "i")
	}
	factor, ok := units[unit]
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !ok || !(n >= 0) || n*factor >= math.MaxInt64 {
		return 0, share.Errorf(share.Usage, "%q is not a size; write it like 700M or >1.5G", s)
	}
	return int64(n * factor), nil
}

// parseDay returns the start and end of a year, month or day, in UTC.
func parseDay(s string) (from, to time.Time, err error) {
	if t, err := time.Parse("2006-01-02", s); err == nil {
		return t, t.AddDate(0, 0, 1), nil
	}
	if t, err := time.Parse("2006-01", s); err == nil {
		return t, t.AddDate(0, 1, 0), nil
	}
	if t, err := time.Parse("2006", s); err == nil {
		return t, t.AddDate(1, 0, 0), nil
	}
	return from, to, share.Errorf(share.Usage, "%q is not a date; write it like 2026, 2026-01 or 2026-01-31", s)
}
