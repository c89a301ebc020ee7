package share

import (
	"encoding/base32"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The limits of a link. A link beyond them is refused; real links are far smaller.
const (
	MaxLink       = 64 << 10 // bytes
	MaxLinkParams = 1000
	maxFileIndex  = 1<<31 - 1
)

// Link is a magnet URI: it names content and may list where to find it. BEP 9, with
// the parameters of BEP 19 (ws), BEP 52 (btmh) and BEP 53 (so).
//
//	magnet:?xt=urn:btih:HEX40 [&xt=urn:btmh:1220HEX64] [&dn=NAME] [&xl=BYTES]
//	       [&tr=URL]... [&ws=URL]... [&so=0,2,4-6] [&x.pe=HOST:PORT]... [&x.k=HEX64]
//	       [&KEY=VALUE]...
//
// ParseLink(l.Reveal()) gives back every Link that ParseLink returned, and so does
// ParseLink(l.String()) if l has no Secret and nothing in Extra that may be one.
type Link struct {
	ID   ID     `json:"id,omitzero"`    // of btih
	V2   V2     `json:"v2,omitzero"`    // of btmh
	Name string `json:"name,omitempty"` // as it came; clean it before making a file of it, escape it before showing it
	// Length is the size of the content in bytes as the link claims it, 0 if it does not.
	Length   int64    `json:"bytes,omitempty"`
	Trackers []string `json:"trackers,omitempty"`  // http, https or udp URLs
	WebSeeds []string `json:"web_seeds,omitempty"` // http or https URLs
	// Select lists the selected files; empty means all.
	Select []Range `json:"select,omitempty"`
	// Peers are HOST:PORT, the host a literal (IPv6 in brackets) or a name.
	Peers []string `json:"peers,omitempty"`
	// Secret is the key of a sealed share (x.k). Only Reveal prints it.
	Secret Secret `json:"-"`
	// Extra has the unknown and the invalid parameters in order. They are ignored,
	// and String prints them again, except those that may be a damaged key.
	Extra []Param `json:"extra,omitempty"`
}

// Range is the files of index First to Last, both included, from 0.
type Range struct {
	First int `json:"first"`
	Last  int `json:"last"`
}

// Param is one parameter of a link, unescaped.
type Param struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// V2Only reports whether the link names its content by btmh alone.
func (l Link) V2Only() bool { return l.ID.IsZero() && !l.V2.IsZero() }

// Key is the ID of the content: btih if the link has it, otherwise the truncated btmh.
func (l Link) Key() ID {
	if l.V2Only() {
		return l.V2.ID()
	}
	return l.ID
}

// IDs are the IDs of the content in the link; the first is Key.
func (l Link) IDs() (ids []ID) {
	if !l.ID.IsZero() {
		ids = append(ids, l.ID)
	}
	if v2 := l.V2.ID(); !l.V2.IsZero() && v2 != l.ID {
		ids = append(ids, v2)
	}
	return ids
}

// ParseLink reads a magnet URI, or a bare ID of 40 hex or 32 base32 digits. It
// undoes the changes that mail, web pages and forms make to links (see unwrap).
// Errors are Refused.
func ParseLink(s string) (Link, error) {
	if len(s) > MaxLink {
		return Link{}, Errorf(Refused, "a link has at most %d bytes, but this one has %d", MaxLink, len(s))
	}
	s = unwrap(s)
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok {
		id, err := parseBTIH(s)
		return Link{ID: id}, err
	}
	if !strings.EqualFold(scheme, "magnet") {
		return Link{}, Errorf(Refused, "a link starts with magnet:, but this one starts with %.10q", scheme+":")
	}
	query := strings.TrimLeft(rest, "/") // magnet:/?xt and magnet://?xt are seen
	if !strings.HasPrefix(query, "?") {
		return Link{}, Errorf(Refused, "a link starts with magnet:?, the question mark is missing")
	}
	query, _, _ = strings.Cut(unescapeHTML(strings.TrimLeft(query, "?")), "#")
	return parseQuery(query)
}

// IsMagnet reports whether s is meant to be a magnet URI, valid or not.
func IsMagnet(s string) bool {
	if len(s) > MaxLink {
		s = s[:MaxLink]
	}
	s = unwrap(s)
	return len(s) >= len(magnet) && strings.EqualFold(s[:len(magnet)], magnet)
}

const magnet = "magnet:"

// unwrap removes what mail and web pages add to a link: spaces, line breaks within
// it, quotes or angle brackets around it, and escapes of the whole link.
func unwrap(s string) string {
	for {
		was := s
		s = strings.Trim(strings.TrimSpace(s), "<>")
		for _, q := range []string{`"`, "'", "`"} {
			if in, ok := strings.CutPrefix(s, q); ok && strings.HasSuffix(in, q) {
				s = in[:len(in)-1]
			}
		}
		if s == was {
			break
		}
	}
	if strings.ContainsAny(s, "\r\n") {
		var b strings.Builder
		for line := range strings.FieldsFuncSeq(s, func(c rune) bool { return c == '\r' || c == '\n' }) {
			b.WriteString(strings.TrimSpace(line))
		}
		s = b.String()
	}
	const escaped = "magnet%3a"
	if len(s) >= len(escaped) && strings.EqualFold(s[:len(escaped)], escaped) {
		s = unescape(s)
	}
	return s
}

// unescapeHTML replaces the HTML escapes of an ampersand.
func unescapeHTML(s string) string {
	if !strings.Contains(s, "&") {
		return s
	}
	return ampersands.Replace(s)
}

var ampersands = strings.NewReplacer("&amp;", "&", "&AMP;", "&", "&#38;", "&", "&#038;", "&", "&#x26;", "&", "&#X26;", "&")

// unescape decodes percent escapes. A percent sign that is not followed by two hex
// digits stays, because many sites write names such as "100% cotton" unescaped.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				b = append(b, c[0])
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

func parseQuery(query string) (Link, error) {
	if n := strings.Count(query, "&"); n >= MaxLinkParams {
		return Link{}, Errorf(Refused, "a link has at most %d parameters, but this one has %d", MaxLinkParams, n+1)
	}
	var l Link
	var odd error // of the first topic that could not be read
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		p := unescapeParam(key, value)
		if p.Key != secretParam && (swallowed.MatchString(p.Key) || swallowed.MatchString(p.Value)) {
			return Link{}, errSwallowed
		}
		known, err := l.set(p)
		switch {
		case errors.Is(err, errTwoContents), err != nil && p.Key == secretParam:
			return Link{}, err
		case err != nil && odd == nil:
			odd = err
		}
		if !known {
			l.Extra = append(l.Extra, p)
		}
	}
	// A valid btih is enough, whatever else the link has. Without one, every xt must
	// be valid.
	if l.ID.IsZero() && odd != nil {
		return Link{}, odd
	}
	if l.Key().IsZero() {
		for _, p := range l.Extra {
			if p.Key == "xs" && strings.HasPrefix(p.Value, "urn:btpk:") {
				return Link{}, Errorf(Refused, "this link names a channel, not content: follow it (shoal channel follow LINK)")
			}
		}
		return Link{}, Errorf(Refused, "the link does not name any content: it has neither xt=urn:btih: nor xt=urn:btmh:")
	}
	return l, nil
}

var errSwallowed = Errorf(Refused, "the link is damaged: the & before %s= is missing, the key of a sealed share", secretParam)

func unescapeParam(key, value string) Param {
	k := strings.ToLower(strings.ToValidUTF8(unescape(key), "\ufffd"))
	if base, n, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(k), secretParam), "."); base == "" && strings.Contains(k, secretParam) && (!ok || isIndex(n)) {
		k = secretParam // with spaces or a number, as other programs write those that they know
	}
	if k == "dn" { // forms escape a space as a plus sign, and so do many sites
		value = strings.ReplaceAll(value, "+", " ")
	}
	return Param{Key: k, Value: strings.ToValidUTF8(unescape(value), "\ufffd")}
}

// set applies one parameter to l. It returns false for one that belongs to Extra.
func (l *Link) set(p Param) (known bool, err error) {
	switch base, n, _ := strings.Cut(p.Key, "."); {
	case base == "xt" && isIndex(n):
		return l.setTopic(p.Value)
	case base == "tr" && isIndex(n):
		return addURL(&l.Trackers, p.Value, "http", "https", "udp"), nil
	case base == "ws" && isIndex(n):
		return addURL(&l.WebSeeds, p.Value, "http", "https"), nil
	}
	switch p.Key {
	case "dn":
		if l.Name != "" || p.Value == "" {
			return l.Name == p.Value, nil
		}
		l.Name = p.Value
	case "xl":
		n, err := parseUint(p.Value)
		if err != nil || n == 0 || l.Length != 0 {
			return l.Length != 0 && l.Length == n, nil
		}
		l.Length = n
	case "so":
		r, ok := parseRanges(p.Value)
		if !ok || l.Select != nil {
			return false, nil
		}
		l.Select = r
	case "x.pe":
		addr, ok := parsePeer(p.Value)
		if !ok {
			return false, nil
		}
		if !slices.Contains(l.Peers, addr) {
			l.Peers = append(l.Peers, addr)
		}
	case secretParam:
		return true, l.setSecret(p.Value)
	default:
		return false, nil
	}
	return true, nil
}

// secretParam is the parameter with the key of a sealed share. A damaged one refuses
// the link: as one of Extra it would be printed, and the download could not be read.
const secretParam = "x.k"

func (l *Link) setSecret(v string) error {
	secret, err := ParseSecret(strings.Join(strings.Fields(v), ""))
	if err != nil {
		return err
	}
	if !l.Secret.IsZero() && l.Secret != secret {
		return Errorf(Refused, "the link has two different keys of a sealed share")
	}
	l.Secret = secret
	return nil
}

// isIndex accepts the suffix of xt.1 and tr.2: some programs number repeated parameters.
func isIndex(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

// errTwoContents is wrapped by the error for a link with two different IDs.
var errTwoContents = errors.New("the link names two different contents")

func (l *Link) setTopic(v string) (known bool, err error) {
	v = strings.Join(strings.Fields(v), "")
	urn := strings.ToLower(v)
	switch {
	case strings.HasPrefix(urn, "urn:btih:"):
		// Punctuation of the text around a link.
		id, err := parseBTIH(strings.TrimRight(v[len("urn:btih:"):], "/.,;)]}"))
		if err != nil {
			return false, err
		}
		if !l.ID.IsZero() && l.ID != id {
			return false, Errorf(Refused, "%w, %s and %s", errTwoContents, l.ID.Short(), id.Short())
		}
		l.ID = id
	case strings.HasPrefix(urn, "urn:btmh:"):
		h, err := hex.DecodeString(urn[len("urn:btmh:"):])
		if err != nil || len(h) != 34 || h[0] != 0x12 || h[1] != 0x20 { // multihash: SHA-256, 32 bytes
			return false, Errorf(Refused, "the link's urn:btmh: is not 1220 and 64 hex digits")
		}
		v2 := V2(h[2:])
		if v2.ID().IsZero() {
			return false, Errorf(Refused, "a v2 ID of all zeros is not valid")
		}
		if !l.V2.IsZero() && l.V2 != v2 {
			return false, Errorf(Refused, "the link names two different contents by urn:btmh:")
		}
		l.V2 = v2
	default:
		return false, nil
	}
	return true, nil
}

func parseBTIH(s string) (ID, error) {
	var id ID
	switch len(s) {
	case 40:
		return parseNonZero(ParseID(s))
	case 32:
		if _, err := base32.StdEncoding.Decode(id[:], []byte(strings.ToUpper(s))); err != nil {
			return ID{}, Errorf(Refused, "an ID of 32 characters has only base32 digits: %w", err)
		}
		return parseNonZero(id, nil)
	}
	return ID{}, Errorf(Refused, "not a link: an ID has 40 hex or 32 base32 digits, but this one has %d characters", len(s))
}

func parseNonZero(id ID, err error) (ID, error) {
	if err == nil && id.IsZero() {
		return ID{}, Errorf(Refused, "an ID of all zeros is not valid")
	}
	return id, err
}

// parseUint reads decimal digits without a sign or leading zeros.
func parseUint(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil && strconv.FormatInt(n, 10) != s || n < 0 {
		return 0, strconv.ErrSyntax
	}
	return n, err
}

func parseRanges(s string) ([]Range, bool) {
	var rs []Range
	for part := range strings.SplitSeq(s, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		a, err1 := parseUint(first)
		b, err2 := parseUint(last)
		if err1 != nil || err2 != nil || a > b || b > maxFileIndex {
			return nil, false
		}
		rs = append(rs, Range{int(a), int(b)})
	}
	return rs, true
}

// parsePeer returns the canonical form of HOST:PORT. It accepts an IPv6 address
// without brackets if the part before the last colon is one.
func parsePeer(s string) (string, bool) {
	host, port, err := net.SplitHostPort(s)
	if i := strings.LastIndexByte(s, ':'); err != nil && i > 0 {
		if bare, perr := netip.ParseAddr(s[:i]); perr == nil && bare.Is6() {
			s = "[" + s[:i] + "]" + s[i:]
			host, port, err = net.SplitHostPort(s)
		}
	}
	if err != nil {
		return "", false
	}
	n, err := parseUint(port)
	if err != nil || n == 0 || n > 65535 {
		return "", false
	}
	bracketed := strings.HasPrefix(s, "[")
	addr, err := netip.ParseAddr(host)
	switch {
	case err == nil && addr.Zone() != "": // means nothing on another host
		return "", false
	case err == nil && bracketed != addr.Is6():
		return "", false
	case err == nil:
		return netip.AddrPortFrom(addr, uint16(n)).String(), true
	case bracketed || !isHostName(host):
		return "", false
	}
	return net.JoinHostPort(strings.ToLower(host), port), true
}

// isHostName accepts names of RFC 1123, and underscores, which occur in practice. A
// name whose last label is a number is a mistyped address.
func isHostName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; !isAlnum(c) && c != '-' && c != '_' {
				return false
			}
		}
		last = label
	}
	return strings.Trim(last, "0123456789") != ""
}

// addURL appends an absolute URL of one of the schemes once, and reports
// whether it is one.
func addURL(list *[]string, s string, schemes ...string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		return false
	}
	if !slices.Contains(*list, s) {
		*list = append(*list, s)
	}
	return true
}

// Blind is l for a node that seeds a sealed share and must not read it: without the
// key, and without anything that needs the key or could reveal something about the
// content. It keeps the IDs, the transferred size, and where to find the content.
func (l Link) Blind() Link {
	l.Secret, l.Name, l.Select, l.Extra = Secret{}, "", nil, nil
	return l
}

// Reveal is String with the key of a sealed share. It is only for somebody who may
// read the share, never for a log, error, torrent or announcement.
func (l Link) Reveal() string { return l.print(true) }

// String prints l in a fixed order, without the key of a sealed share. It escapes
// every byte that is not unreserved in RFC 3986, except the brackets and colons of
// x.pe, which other clients expect unescaped.
func (l Link) String() string { return l.print(false) }

func (l Link) print(reveal bool) string {
	var b strings.Builder
	b.WriteString("magnet:")
	sep := byte('?')
	put := func(key, value string) {
		b.WriteByte(sep)
		b.WriteString(key)
		b.WriteByte('=')
		b.WriteString(value)
		sep = '&'
	}
	if !l.ID.IsZero() {
		put("xt", "urn:btih:"+l.ID.String())
	}
	if !l.V2.IsZero() {
		put("xt", "urn:btmh:1220"+l.V2.String())
	}
	if l.Name != "" {
		put("dn", escape(l.Name))
	}
	if l.Length > 0 {
		put("xl", strconv.FormatInt(l.Length, 10))
	}
	for _, t := range l.Trackers {
		put("tr", escape(t))
	}
	for _, w := range l.WebSeeds {
		put("ws", escape(w))
	}
	if len(l.Select) > 0 {
		put("so", printRanges(l.Select))
	}
	for _, p := range l.Peers {
		put("x.pe", p)
	}
	if reveal && !l.Secret.IsZero() {
		put(secretParam, l.Secret.Reveal())
	}
	for _, p := range l.extra(reveal) {
		put(escape(p.Key), escape(p.Value))
	}
	return b.String()
}

// extra is Extra without what may be the key of a sealed share whose parameter was
// damaged, unless secrets are revealed.
func (l Link) extra(reveal bool) []Param {
	digits := 0
	for _, p := range l.Extra {
		digits += keyDigits(p)
	}
	if reveal || digits <= 2*len(ID{}) {
		return l.Extra
	}
	return slices.DeleteFunc(slices.Clone(l.Extra), func(p Param) bool { return keyDigits(p) > 0 })
}

func keyDigits(p Param) int {
	if p.Key == "s" || strings.HasPrefix(p.Value, "urn:") { // a salt, or an ID of another kind
		return 0
	}
	return countDigits(p.Key) + countDigits(p.Value)
}

func printRanges(rs []Range) string {
	var b []byte
	for i, r := range rs {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(r.First), 10)
		if r.Last != r.First {
			b = append(b, '-')
			b = strconv.AppendInt(b, int64(r.Last), 10)
		}
	}
	return string(b)
}

func isAlnum(c byte) bool {
	return c-'0' < 10 || (c|0x20)-'a' < 26
}

func escape(s string) string {
	const digits = "0123456789ABCDEF"
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; isAlnum(c) || c == '-' || c == '.' || c == '_' || c == '~' {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}
