package catalog

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

const (
	defaultLimit = 50
	maxLimit     = 500
	// candidates is the number of the newest matches that are ranked, once for
	// matches in the name or tags and once for matches anywhere. To find older
	// ones, users add a word.
	candidates = 400
	// maxFiles bounds the decompressed file list of one entry, in bytes.
	maxFiles = 64 << 20
)

// Search finds entries. Hits are ordered best first; Total counts the ranked
// matches, the newest ones, and More says that there are others. For an invalid
// text it returns a share.Usage error that says how to correct it.
func (c *Catalog) Search(ctx context.Context, q index.Query) (index.Results, error) {
	parsed, err := parse(q.Text)
	if err != nil {
		return index.Results{}, err
	}
	if parsed.keys, err = keysOf(parsed.channels, q.Names); err != nil {
		return index.Results{}, err
	}
	if !q.Channel.IsZero() {
		parsed.keys = []string{q.Channel.String()}
	}
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	q.Limit = min(q.Limit, maxLimit)
	found, more, err := c.find(ctx, parsed)
	if err != nil {
		return index.Results{}, fmt.Errorf("searching the catalogue: %w", err)
	}
	results := index.Results{Total: len(found), More: more}
	from := min(max(q.Offset, 0), len(found))
	for _, f := range found[from:min(from+q.Limit, len(found))] {
		hit := index.Hit{Entry: f.entry, Rank: f.score}
		if hit.Snippet, err = c.snippet(ctx, parsed, f); err != nil {
			return index.Results{}, fmt.Errorf("searching the catalogue: %w", err)
		}
		results.Hits = append(results.Hits, hit)
	}
	return results, nil
}

// match is an entry that matches, with its score.
type match struct {
	num   int64
	entry index.Entry
	score float64
	// inName says for each term whether the name has it.
	inName []bool
}

const selectEntry = "SELECT e.num, e.id, e.name, e.link, e.bytes, e.time, e.tags, e.sealed, channels.key FROM entries e JOIN channels ON channels.num = e.channel"

// selectWords makes SQLite walk the word index from its newest end (CROSS JOIN keeps
// the order) and stop at the limit.
const selectWords = "SELECT e.num, e.id, e.name, e.link, e.bytes, e.time, e.tags, e.sealed, channels.key FROM words CROSS JOIN entries e ON e.num = words.rowid CROSS JOIN channels ON channels.num = e.channel WHERE words MATCH ?"

func scan(rows *sql.Rows) ([]match, error) {
	defer rows.Close()
	var all []match
	for rows.Next() {
		var m match
		var id, key []byte
		var tags string
		var at int64
		e := &m.entry
		if err := rows.Scan(&m.num, &id, &e.Name, &e.Link, &e.Bytes, &at, &tags, &e.Sealed, &key); err != nil {
			return nil, err
		}
		copy(e.ID[:], id)
		copy(e.Channel[:], key)
		e.Time = time.Unix(at, 0).UTC()
		if tags != "" {
			e.Tags = strings.Split(tags, "\n")
		}
		all = append(all, m)
	}
	return all, rows.Err()
}

// find ranks the matches; more says that there are others.
func (c *Catalog) find(ctx context.Context, q query) (found []match, more bool, err error) {
	terms := termsOf(q)
	expr, ok, err := c.expression(ctx, q, terms)
	if err != nil || !ok {
		return nil, false, err
	}
	var exact string
	var args []any
	if q.minBytes > 0 {
		exact += " AND e.bytes >= ?"
		args = append(args, q.minBytes)
	}
	if q.maxBytes > 0 {
		exact += " AND e.bytes < ?"
		args = append(args, q.maxBytes)
	}
	if !q.since.IsZero() {
		exact += " AND e.time >= ?"
		args = append(args, q.since.Unix())
	}
	if !q.before.IsZero() {
		exact += " AND e.time < ?"
		args = append(args, q.before.Unix())
	}
	seen := make(map[share.ID]int)
	for _, match := range expr {
		rows, err := c.reads.QueryContext(ctx, selectWords+exact+" ORDER BY words.rowid DESC LIMIT "+strconv.Itoa(candidates+1),
			append([]any{match}, args...)...)
		if err != nil {
			return nil, false, err
		}
		some, err := scan(rows)
		if err != nil {
			return nil, false, err
		}
		more = len(some) > candidates
		some = some[:min(len(some), candidates)]
		for _, m := range some {
			at, there := seen[m.entry.ID]
			switch {
			case !there:
				seen[m.entry.ID] = len(found)
				found = append(found, m)
			case m.entry.Channel.IsZero():
				found[at] = m // prefer this node's own entry
			} // in several channels: keep the newest
		}
		if more {
			break // enough that match in the name
		}
	}
	for i := range found {
		rank(&found[i], terms)
	}
	slices.SortStableFunc(found, func(a, b match) int { return cmp.Compare(b.score, a.score) })
	return found, more, nil
}

// expression returns the two full-text queries: first for names and tags, then for
// all columns. ok is false if nothing can match.
func (c *Catalog) expression(ctx context.Context, q query, terms []wanted) (expr []string, ok bool, err error) {
	filter, ok, err := c.filters(ctx, q)
	if err != nil || !ok {
		return nil, false, err
	}
	var none []string
	for _, t := range q.none {
		if p := phrase(wantedOf(term{text: t.text, exact: true})); p != "" {
			none = append(none, columns(t.file)+" : "+p)
		}
	}
	for _, t := range q.notTags {
		if token := tagToken(t); token != "" {
			none = append(none, "meta : "+quoted("g"+token))
		}
	}
	not := ""
	if len(none) > 0 {
		not = " NOT (" + strings.Join(none, " OR ") + ")"
	}
	if len(terms) == 0 {
		return []string{"(meta : (" + filter + "))" + not}, true, nil
	}
	var named, any []string
	inName := true
	for _, t := range terms {
		any = append(any, columns(t.file)+" : "+phrase(t))
		named = append(named, "{name tags} : "+phrase(t))
		inName = inName && !t.file
	}
	if filter == "all" {
		filter = "" // the words are enough
	} else {
		filter = " AND (meta : (" + filter + "))"
	}
	if inName {
		expr = append(expr, "("+strings.Join(named, " AND ")+filter+")"+not)
	}
	return append(expr, "("+strings.Join(any, " AND ")+filter+")"+not), true, nil
}

func columns(file bool) string {
	if file {
		return "files"
	}
	return "{name tags about files}"
}

// filters is the part of the expression for the column meta.
func (c *Catalog) filters(ctx context.Context, q query) (expr string, ok bool, err error) {
	var all []string
	for _, t := range q.tags {
		token := tagToken(t)
		if token == "" {
			return "", false, nil
		}
		all = append(all, quoted("g"+token))
	}
	if len(q.types) > 0 {
		var some []string
		for _, k := range q.types {
			some = append(some, quoted("k"+string(k)))
		}
		all = append(all, anyOf(some))
	}
	if len(q.keys) > 0 {
		nums, err := c.channelNums(ctx, q.keys)
		if err != nil || len(nums) == 0 {
			return "", false, err
		}
		all = append(all, anyOf(nums))
	}
	// The largest threshold that every match reaches, and the smallest that none
	// does. SQL then compares exactly.
	for _, bit := range slices.Backward(thresholds[:]) {
		if q.minBytes >= 1<<bit {
			all = append(all, quoted("s"+strconv.Itoa(bit)))
			break
		}
	}
	if q.maxBytes > 0 {
		need := bits.Len64(uint64(q.maxBytes - 1))
		if i := slices.IndexFunc(thresholds[:], func(bit int) bool { return bit >= need }); i >= 0 {
			all = append(all, quoted("l"+strconv.Itoa(thresholds[i])))
		}
	}
	if !q.since.IsZero() || !q.before.IsZero() {
		months := monthsOf(q.since, q.before)
		if len(months) == 0 {
			return "", false, nil
		}
		all = append(all, anyOf(months))
	}
	if len(all) == 0 {
		return "all", true, nil
	}
	return strings.Join(all, " AND "), true, nil
}

func anyOf(some []string) string { return "(" + strings.Join(some, " OR ") + ")" }

// monthsOf lists the words that cover the time from since to before: whole years
// where possible, else months.
func monthsOf(since, before time.Time) []string {
	from, to := firstTime, lastTime
	if !since.IsZero() {
		from = clampTime(since)
	}
	if !before.IsZero() {
		to = clampTime(before.Add(-time.Second))
	}
	var all []string
	year := func(y int) bool { // the whole year is in the range
		return !time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC).Before(from) && time.Date(y, 12, 31, 0, 0, 0, 0, time.UTC).Compare(to) <= 0
	}
	for t := time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC); !t.After(to); {
		if t.Month() == time.January && year(t.Year()) {
			all = append(all, quoted(t.Format("y2006")))
			t = t.AddDate(1, 0, 0)
		} else {
			all = append(all, quoted(t.Format("m200601")))
			t = t.AddDate(0, 1, 0)
		}
	}
	return all
}

// channelNums returns the words of the channels whose keys begin with one of these;
// "" is this node.
func (c *Catalog) channelNums(ctx context.Context, keys []string) ([]string, error) {
	var nums []string
	for _, key := range keys {
		rows, err := c.reads.QueryContext(ctx, "SELECT num FROM channels WHERE CASE WHEN ?1 = '' THEN key = zeroblob(32) ELSE lower(hex(key)) GLOB ?1 || '*' END LIMIT 32", key)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var num int
			if err := rows.Scan(&num); err != nil {
				rows.Close()
				return nil, err
			}
			nums = append(nums, quoted("c"+strconv.Itoa(num)))
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
	}
	return nums, nil
}

// wanted is a term as the index stores it: its folded words, in order.
type wanted struct {
	words  []string
	prefix bool // of the last word
	file   bool
}

func wantedOf(t term) wanted {
	w := wanted{prefix: !t.exact, file: t.file}
	for _, x := range words(t.text) {
		w.words = append(w.words, x.text)
	}
	// One letter would match half of all words: wait for the second.
	if n := len(w.words); n > 0 && len(w.words[n-1]) < 2 {
		w.prefix = false
	}
	return w
}

func termsOf(q query) []wanted {
	var all []wanted
	for _, t := range q.all {
		if w := wantedOf(t); len(w.words) > 0 {
			all = append(all, w)
		}
	}
	return all
}

// phrase writes w in FTS5's syntax. Words have no quotes in them.
func phrase(w wanted) string {
	if len(w.words) == 0 {
		return ""
	}
	p := quoted(strings.Join(w.words, " "))
	if w.prefix {
		p += " *"
	}
	return p
}

func quoted(s string) string { return `"` + s + `"` }

// rank scores a match by its name and tags: whole words before beginnings, short
// names before long ones, and words in the order of the query.
func rank(m *match, terms []wanted) {
	name := words(m.entry.Name)
	var tags []word
	for _, t := range m.entry.Tags {
		tags = append(tags, words(t)...)
	}
	m.inName = make([]bool, len(terms))
	last, covered := -1, 0
	for i, t := range terms {
		at, whole := position(name, t)
		switch {
		case at >= 0 && !t.file:
			m.inName[i] = true
			covered += len(t.words)
			m.score += 6
			if whole {
				m.score += 4
			}
			if at == last+1 {
				m.score += 2 // follows the term before it, or begins the name
			}
			last = at + len(t.words) - 1
		default:
			if at, _ := position(tags, t); at >= 0 {
				m.score += 5
			} else {
				m.score += 2
			}
		}
	}
	if len(name) > 0 {
		m.score += 6 * float64(covered) / float64(len(name))
	}
	if m.entry.Channel.IsZero() {
		m.score++ // the node has it
	}
}

// position finds t in text; whole says that its last word matches a whole word.
func position(text []word, t wanted) (at int, whole bool) {
	n := len(t.words)
	at = -1
next:
	for i := 0; i+n <= len(text); i++ {
		for j, w := range t.words {
			got := text[i+j].text
			if got != w && !(j == n-1 && t.prefix && strings.HasPrefix(got, w)) {
				continue next
			}
		}
		if text[i+n-1].text == t.words[n-1] {
			return i, true
		}
		if at < 0 {
			at = i
		}
	}
	return at, false
}

// snippet returns the text that matched: the name or, if that does not have all
// terms, the first path or sentence that has one of the others.
func (c *Catalog) snippet(ctx context.Context, q query, m match) (string, error) {
	terms := termsOf(q)
	missing := slices.IndexFunc(m.inName, func(in bool) bool { return !in })
	if missing < 0 {
		return mark(m.entry.Name, terms), nil
	}
	about, files, err := c.details(ctx, m.num)
	if err != nil {
		return "", err
	}
	for i, t := range terms {
		if m.inName[i] {
			continue
		}
		for n, f := range files {
			if n == 10_000 {
				break
			}
			if at, _ := position(words(f.Path), t); at >= 0 {
				return mark(f.Path, terms), nil
			}
		}
		if all := words(about); !t.file {
			if at, _ := position(all, t); at >= 0 {
				return mark(around(about, all[at].from, all[at+len(t.words)-1].to), terms), nil
			}
		}
	}
	return mark(m.entry.Name, terms), nil
}

// around cuts the words near from..to out of a longer text.
func around(s string, from, to int) string {
	const near = 60
	start, end := max(0, from-near), min(len(s), to+near)
	if start > 0 {
		if i := strings.IndexByte(s[start:from], ' '); i >= 0 {
			start += i + 1
		}
		start += runeStart(s[start:])
	}
	if end < len(s) {
		if i := strings.LastIndexByte(s[to:end], ' '); i >= 0 {
			end = to + i
		}
	}
	return strings.ToValidUTF8(s[start:end], "")
}

func runeStart(s string) int {
	for i := range len(s) {
		if s[i]&0xC0 != 0x80 {
			return i
		}
	}
	return len(s)
}

// mark puts SnippetStart and SnippetEnd around the words that match, and removes
// any that were in the text before.
func mark(s string, terms []wanted) string {
	s = strings.NewReplacer(index.SnippetStart, "", index.SnippetEnd, "").Replace(s)
	var b strings.Builder
	done := 0
	all := words(s)
	for i := 0; i < len(all); i++ {
		for _, t := range terms {
			if at, _ := position(all[i:min(i+len(t.words), len(all))], t); at != 0 {
				continue
			}
			last := all[i+len(t.words)-1]
			b.WriteString(s[done:all[i].from])
			b.WriteString(index.SnippetStart + s[all[i].from:last.to] + index.SnippetEnd)
			done = last.to
			i += len(t.words) - 1
			break
		}
	}
	return b.String() + s[done:]
}

func (c *Catalog) details(ctx context.Context, num int64) (about string, files []index.File, err error) {
	var packed []byte
	err = c.reads.QueryRowContext(ctx, "SELECT about, files FROM details WHERE num = ?", num).Scan(&about, &packed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil, nil
	}
	if err != nil || len(packed) == 0 {
		return about, nil, err
	}
	if packed[0] != '[' {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFiles))
		if err != nil {
			return "", nil, err
		}
		defer d.Close()
		if packed, err = d.DecodeAll(packed, nil); err != nil {
			return "", nil, fmt.Errorf("unpacking a list of files: %w: %w", errUnpack, err)
		}
	}
	if err := json.Unmarshal(packed, &files); err != nil {
		return "", nil, fmt.Errorf("reading a list of files: %w: %w", errUnpack, err)
	}
	return about, files, nil
}
