package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/shoalnet/shoal/share"
)

// maxTorrent is the largest .torrent file that is read, in bytes.
const maxTorrent = 10 << 20

// source is a parsed argument of `get` or `link`: a link, the URL of a .torrent
// file, or the content of one.
type source struct {
	link    share.Link
	url     string
	torrent []byte
	magnet  bool // the link was written as one, not as a bare ID
}

// ask returns the request to the node: a link, with the key of a sealed share, or a URL,
// or a torrent.
func (s source) ask() (link string, torrent []byte) {
	switch {
	case s.torrent != nil:
		return "", s.torrent
	case s.url != "":
		return s.url, nil
	}
	return s.link.Reveal(), nil
}

// parseSource parses a link, an ID, a URL or the name of a file, tried in this
// order. A file may contain a torrent or a link.
func parseSource(arg string) (source, error) {
	if share.IsMagnet(arg) {
		return linkSource(arg)
	}
	arg = strings.TrimSpace(arg)
	switch scheme, _, _ := strings.Cut(arg, ":"); strings.ToLower(scheme) {
	case "http", "https":
		return source{url: arg}, nil
	}
	if id := strings.Trim(arg, "<>"); looksLikeID(id) {
		return linkSource(id)
	}
	b, err := readTorrent(arg)
	if err != nil {
		return source{}, err
	}
	if len(b) <= share.MaxLink && share.IsMagnet(string(b)) {
		return linkSource(string(b))
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return source{}, share.Errorf(share.Refused, "%s is empty, not a torrent", arg)
	}
	if !likeTorrent(b) {
		return source{}, share.Errorf(share.Refused, "%s is not a torrent, and has no link (to share it: shoal share)", share.Quote(arg))
	}
	return source{torrent: b}, nil
}

// likeTorrent tells whether b begins as a torrent does, maybe one that is compressed. What
// is a web page, or has a mark of its encoding, the node explains.
func likeTorrent(b []byte) bool {
	for _, begins := range []string{"d", "<", "\x1f\x8b", "\xef\xbb\xbf"} {
		if bytes.HasPrefix(bytes.TrimSpace(b), []byte(begins)) {
			return true
		}
	}
	return false
}

func linkSource(text string) (source, error) {
	l, err := share.ParseLink(text)
	return source{link: l, magnet: share.IsMagnet(text)}, err
}

// cut reports whether the link has nothing but an ID, which is what the shell
// leaves of a magnet link without quotes.
func (s source) cut() bool {
	l := s.link
	return s.magnet && !l.Key().IsZero() && l.Name == "" && l.Secret.IsZero() && len(l.Peers)+len(l.Trackers)+len(l.WebSeeds)+len(l.Extra) == 0
}

func looksLikeID(s string) bool {
	s = strings.ToLower(s)
	return len(s) == 40 && strings.Trim(s, hexDigits) == "" ||
		len(s) == 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

func readTorrent(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, share.Errorf(share.Refused, "%s is not a link, and no file has that name", share.Quote(path))
	}
	if err != nil {
		if p, ok := errors.AsType[*fs.PathError](err); ok {
			err = p.Err // without the path, which may be a damaged link
		}
		return nil, share.Errorf(share.Disk, "reading the torrent %s: %w", share.Quote(path), err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, share.Errorf(share.Refused, "%s is a folder, not a torrent (to share it: shoal share)", share.Quote(path))
	}
	b, err := bounded(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

func bounded(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxTorrent+1))
	if err != nil {
		return nil, share.Errorf(share.Failed, "reading the torrent: %w", err)
	}
	if len(b) > maxTorrent {
		return nil, share.Errorf(share.Refused, "the file is too large for a torrent; at most %s are read", size(maxTorrent))
	}
	return b, nil
}
