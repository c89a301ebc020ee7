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
// values and cuts those that are too long. It returns false if nothing useful is
// left.
func clean(e index.Entry) (index.Entry, bool) {
	if e.ID.IsZero() {
		return e, false
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
	e.Link = cleanLink(&e)
	return e, true
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
func cleanLink(e *index.Entry) string {
	l, err := share.ParseLink(e.Link)
	if e.Link == "" || err != nil || !slices.Contains(l.IDs(), e.ID) {
		return plainLink(e)
	}
	kept := share.Link{ID: l.ID, V2: l.V2, Name: e.Name, Length: e.Bytes}
	for _, p := range l.Peers {
		if len(kept.Peers) < maxPeers && publicPeer(p) {
			kept.Peers = append(kept.Peers, p)
		}
	}
	kept.Trackers = publicURLs(l.Trackers)
	kept.WebSeeds = publicURLs(l.WebSeeds)
	return kept.String()
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
