package metainfo

import (
	"bytes"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share/bencode"
)

// Parse reads a .torrent file. b is at most MaxTorrent bytes and is copied. Invalid
// trackers, nodes and web seeds are dropped; errors, which are share.Refused, are
// about the content. White space after the end is ignored.
func Parse(b []byte) (*Torrent, error) {
	if len(b) > MaxTorrent {
		return nil, refused("the torrent has %d bytes, more than %d", len(b), MaxTorrent)
	}
	f, err := readTorrent(b)
	if err != nil {
		return nil, refused("the torrent is not sound: %w", err)
	}
	if f.info == nil {
		return nil, refused("the torrent has no info dictionary")
	}
	info, err := parseInfo(f.info)
	if err != nil {
		return nil, err
	}
	t := &f.Torrent
	t.Info = info
	if info.Multi {
		for i, u := range t.WebSeeds {
			if !strings.HasSuffix(u, "/") {
				t.WebSeeds[i] = u + "/"
			}
		}
		t.WebSeeds = unique(t.WebSeeds)
	}
	if len(t.Trackers) == 0 && f.announce != "" {
		t.Trackers = [][]string{{f.announce}}
	}
	t.Layers = NewLayers(info)
	if t.Layers != nil && f.rawLayers != nil {
		if err := t.Layers.read(f.rawLayers); err != nil {
			return nil, refused("the torrent's piece layers are not sound: %w", err)
		}
	}
	return t, nil
}

type torrentFile struct {
	Torrent
	announce        string
	info, rawLayers []byte
}

const (
	keyInfo = iota
	keyLayers
)

func readTorrent(b []byte) (*torrentFile, error) {
	r := newReader(b, maxDepth)
	f := new(torrentFile)
	var seen uint32
	err := r.Dict(false, func(key []byte) (err error) {
		switch string(key) {
		case "info":
			if err = r.once(&seen, keyInfo, key); err != nil {
				return err
			}
			if r.Kind() != bencode.Dict {
				return r.Errorf("info is not a dictionary")
			}
			f.info, err = r.Raw()
			return err
		case "piece layers":
			if err = r.once(&seen, keyLayers, key); err != nil {
				return err
			}
			f.rawLayers, err = r.Raw()
			return err
		}
		value, err := r.Raw()
		if err == nil {
			f.setOptional(string(key), value)
		}
		return err
	})
	if err == nil && len(bytes.TrimSpace(b[r.Offset():])) > 0 {
		err = r.Errorf("something follows the torrent")
	}
	return f, err
}

// setOptional sets a field that is dropped if it is invalid. Its syntax was checked.
func (f *torrentFile) setOptional(key string, value []byte) {
	r := newReader(value, maxDepth)
	switch key {
	case "announce":
		if s, err := r.Bytes(); err == nil {
			f.announce, _ = cleanURL(s, "http", "https", "udp")
		}
	case "announce-list":
		f.Trackers = readTiers(r)
	case "url-list":
		f.WebSeeds = readURLs(r)
	case "nodes":
		f.Nodes = readNodes(r)
	case "creation date":
		if n, err := r.Int(); err == nil && n > 0 && n < maxCreatedSecs {
			f.Created = time.Unix(n, 0).UTC()
		}
	case "comment.utf-8":
		f.Comment = readText(r)
	case "comment":
		if f.Comment == "" {
			f.Comment = readText(r)
		}
	case "created by":
		f.CreatedBy = readText(r)
	}
}

func readText(r *reader) string {
	b, err := r.Bytes()
	if err != nil {
		return ""
	}
	return strings.ToValidUTF8(string(b[:min(len(b), maxTextBytes)]), "\ufffd")
}

// each calls f for each item of a list and skips items that f does not read.
func (r *reader) each(f func(item *reader)) {
	if r.Kind() != bencode.List {
		return
	}
	r.List(func() error { // the syntax is known to be right
		raw, err := r.Raw()
		if err == nil {
			f(newReader(raw, maxDepth))
		}
		return err
	})
}

func readTiers(r *reader) [][]string {
	var tiers [][]string
	seen := make(map[string]bool)
	add := func(tier []string, item *reader) []string {
		s, err := item.Bytes()
		if err != nil || len(seen) >= maxTrackers {
			return tier
		}
		if u, ok := cleanURL(s, "http", "https", "udp"); ok && !seen[u] {
			seen[u] = true
			tier = append(tier, u)
		}
		return tier
	}
	r.each(func(item *reader) {
		var tier []string
		if item.Kind() == bencode.String {
			tier = add(tier, item)
		} else {
			item.each(func(item *reader) { tier = add(tier, item) })
		}
		if len(tier) > 0 {
			tiers = append(tiers, tier)
		}
	})
	return tiers
}

func readURLs(r *reader) []string {
	var urls []string
	add := func(item *reader) {
		s, err := item.Bytes()
		if err != nil || len(urls) >= maxWebSeeds {
			return
		}
		if u, ok := cleanURL(s, "http", "https"); ok {
			urls = append(urls, u)
		}
	}
	if r.Kind() == bencode.String {
		add(r)
	} else {
		r.each(add)
	}
	return unique(urls)
}

// unique removes duplicates in place.
func unique(list []string) []string {
	kept := list[:0]
	for _, s := range list {
		if !slices.Contains(kept, s) {
			kept = append(kept, s)
		}
	}
	return kept
}

// cleanURL trims a URL, escapes characters that must be escaped, and accepts only
// absolute URLs of the given schemes.
func cleanURL(raw []byte, schemes ...string) (string, bool) {
	const longest = 4096
	raw = bytes.TrimSpace(raw)
	if len(raw) > longest {
		return "", false
	}
	var b strings.Builder
	for _, c := range raw {
		switch {
		case c < ' ' || c == 0x7f:
			return "", false
		case c == ' ' || c > 0x7f:
			const digits = "0123456789ABCDEF"
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		default:
			b.WriteByte(c)
		}
	}
	u, err := url.Parse(b.String())
	if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		return "", false
	}
	return b.String(), true
}

func readNodes(r *reader) []string {
	var nodes []string
	r.each(func(item *reader) {
		var host []byte
		var port int64
		at := 0
		item.each(func(item *reader) {
			switch at++; at {
			case 1:
				host, _ = item.Bytes()
			case 2:
				port, _ = item.Int()
			}
		})
		if port < 1 || port > 65535 || !isHost(host) || len(nodes) >= maxNodes {
			return
		}
		node := net.JoinHostPort(string(host), strconv.FormatInt(port, 10))
		if !slices.Contains(nodes, node) {
			nodes = append(nodes, node)
		}
	})
	return nodes
}

func isHost(b []byte) bool {
	if len(b) == 0 || len(b) > 253 {
		return false
	}
	if _, err := netip.ParseAddr(string(b)); err == nil {
		return true
	}
	for _, c := range b {
		if letter := c | 0x20; c-'0' >= 10 && letter-'a' >= 26 && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func writeNodes(b *bytes.Buffer, nodes []string) {
	b.WriteByte('l')
	for _, node := range nodes {
		host, port, err := net.SplitHostPort(node)
		n, err2 := strconv.ParseUint(port, 10, 16)
		if err != nil || err2 != nil {
			continue
		}
		b.WriteByte('l')
		writeString(b, host)
		writeInt(b, int64(n))
		b.WriteByte('e')
	}
	b.WriteByte('e')
}
