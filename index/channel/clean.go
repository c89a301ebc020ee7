package channel

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// clean makes a stranger's entry safe to show, search and fetch: it drops invalid
// values, cuts those that are too long, and leaves only what belongs into that kind of
// list. It returns false if nothing useful is left.
func clean(e index.Entry, kind listKind) (index.Entry, bool) {
	if e.ID.IsZero() {
		return e, false
	}
	if kind == clearList {
		return cleanClear(e), true
	}
	e.Channel = index.ChannelID{}
	if e.Name = cleanLine(e.Name, maxName); e.Name == "" {
		e.Name = e.ID.String()
	}
	if e.Bytes < 0 || e.Bytes > maxSize {
		e.Bytes = 0
	}
	e.About = cleanText(e.About, maxAbout)
	e.Tags = cleanTags(e.Tags)
	e.Time = cleanTime(e.Time)
	e.Files = cleanFiles(e.Files)
	e.Link, e.Sealed = cleanLink(&e, kind)
	return e, true
}

// cleanClear is clean for the list in clear of a sealed channel. Whatever else somebody
// put into it stays out: it has no names.
func cleanClear(e index.Entry) index.Entry {
	l, err := share.ParseLink(e.Link)
	if err != nil || !slices.Contains(l.IDs(), e.ID) {
		l = share.Link{ID: e.ID}
	}
	if e.Bytes < 0 || e.Bytes > maxSize {
		e.Bytes = 0
	}
	kept := share.Link{ID: l.ID, V2: l.V2, Length: e.Bytes, Peers: publicPeers(l.Peers)}
	return index.Entry{ID: e.ID, Bytes: e.Bytes, Link: kept.String(), Sealed: true}
}

// blobUnit divides the size of what is transferred of every sealed share, see
// docs/protocol/sealed.md.
const blobUnit = 64 << 10

// inClear returns what everybody may know of the entries of a sealed channel: IDs, sizes
// of what is transferred, and addresses. Only sealed shares are in it, because the ID of
// any other share leads to its name.
func inClear(entries []index.Entry) (clear []index.Entry) {
	for _, e := range entries {
		l, err := share.ParseLink(e.Link)
		if err != nil || l.Secret.IsZero() || !slices.Contains(l.IDs(), e.ID) {
			continue
		}
		size := l.Length
		if size%blobUnit != 0 {
			size = 0 // that of the content, which is nobody's business
		}
		clear = append(clear, index.Entry{ID: e.ID, Bytes: size, Link: l.Blind().String()})
	}
	return clear
}

// cleanLine returns one line of valid text without characters that move a cursor or
// change the text direction.
func cleanLine(s string, most int) string {
	if len(s) > 16*most {
		s = s[:16*most]
	}
	s = strings.ToValidUTF8(s, "\ufffd")
	s = strings.Map(func(r rune) rune {
		const nonJoiner, joiner = 0x200C, 0x200D // some scripts and emoji need them
		switch {
		case r == '\n', r == '\r', r == '\t', unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			return ' '
		case r == nonJoiner, r == joiner:
			return r
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs):
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(cut(strings.TrimSpace(s), most))
}

// cleanText is cleanLine for text of several lines.
func cleanText(s string, most int) string {
	if len(s) > 16*most {
		s = s[:16*most]
	}
	var lines []string
	for l := range strings.SplitSeq(s, "\n") {
		lines = append(lines, cleanLine(l, most))
	}
	return strings.TrimSpace(cut(strings.TrimSpace(strings.Join(lines, "\n")), most))
}

// cut shortens s to most bytes, between two characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

func cleanTags(tags []string) []string {
	var all []string
	seen := map[string]bool{}
	for _, t := range tags {
		if len(all) == maxTags {
			break
		}
		if t = cleanLine(t, maxTag); t != "" && !seen[t] {
			seen[t] = true
			all = append(all, t)
		}
	}
	return all
}

// cleanTime cuts a time to the precision of the catalogue's RFC 3339 form.
func cleanTime(t time.Time) time.Time {
	if t = t.UTC().Truncate(time.Second); t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

func cleanFiles(files []index.File) []index.File {
	var all []index.File
	for _, f := range files[:min(len(files), maxFiles)] {
		if len(f.Path) > maxPath {
			continue
		}
		f.Path = path.Clean("/" + cleanLine(f.Path, maxPath))[1:]
		if f.Path == "" || f.Size < 0 || f.Size > maxSize {
			continue
		}
		all = append(all, f)
	}
	return all
}

// cleanLink builds the link of an entry from the parts that are allowed: one of its IDs
// must be that of the entry, and no address may point to this machine or its local
// network.
//
// Only in a sealed list it keeps the key of a sealed share. Its length is then that of
// what is transferred, which is not the size of the content.
func cleanLink(e *index.Entry, kind listKind) (link string, sealed bool) {
	l, err := share.ParseLink(e.Link)
	if e.Link == "" || err != nil || !slices.Contains(l.IDs(), e.ID) {
		return plainLink(e), false
	}
	kept := share.Link{ID: l.ID, V2: l.V2, Name: e.Name, Length: e.Bytes, Peers: publicPeers(l.Peers)}
	kept.Trackers = publicURLs(l.Trackers)
	kept.WebSeeds = publicURLs(l.WebSeeds)
	if kind == sealedList && !l.Secret.IsZero() {
		kept.Secret, kept.Name, kept.Length = l.Secret, "", 0
		if l.Length <= maxSize {
			kept.Length = l.Length
		}
		return kept.Reveal(), true
	}
	return kept.String(), false
}

// publicPeers returns the addresses of a link that a stranger may name.
func publicPeers(all []string) (kept []string) {
	for _, p := range all {
		if len(kept) < maxPeers && publicPeer(p) {
			kept = append(kept, p)
		}
	}
	return kept
}

// publicPeer accepts only literal addresses: resolving a name would tell the
// publisher's name server who downloads.
func publicPeer(s string) bool {
	a, err := netip.ParseAddrPort(s)
	return err == nil && a.Port() != 0 && publicAddr(a.Addr())
}

var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("fec0::/10"), netip.MustParsePrefix("::/96"),
}

// publicAddr reports whether a stranger may name the address a.
func publicAddr(a netip.Addr) bool {
	if a.Is4In6() || a.Zone() != "" || !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// publicURLs drops URLs that obviously point to this machine or its local network.
// The address that a name resolves to is checked when it is used.
func publicURLs(all []string) []string {
	var kept []string
	for _, s := range all {
		u, err := url.Parse(s)
		if err != nil || len(kept) == maxURLs || len(s) > maxPath || u.User != nil {
			continue
		}
		host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
		if a, err := netip.ParseAddr(host); err == nil {
			if publicAddr(a) {
				kept = append(kept, s)
			}
			continue
		}
		last := host[strings.LastIndexByte(host, '.')+1:]
		switch {
		case !strings.Contains(host, "."), net.ParseIP(host) != nil, strings.Trim(last, "0123456789") == "",
			strings.HasPrefix(last, "0x"), last == "localhost", last == "local", last == "internal", last == "arpa", last == "lan", last == "home":
		default:
			kept = append(kept, s)
		}
	}
	return kept
}
