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

// maxTorrent is the size up to which a .torrent file is read at all.
const maxTorrent = 10 << 20

// source is what an argument of `get` or `link` names: a link, the URL of a
// .torrent file, or the content of one.
type source struct {
	link    share.Link
	url     string
	torrent []byte
}

// ask is what the node is asked for: a link or URL, or a torrent.
func (s source) ask() (link string, torrent []byte) {
	switch {
	case s.torrent != nil:
		return "", s.torrent
	case s.url != "":
		return s.url, nil
	}
	return s.link.String(), nil
}

// parseSource reads a link, an ID, a URL or a file, in this order. A file may
// hold a torrent or a link.
func parseSource(arg string) (source, error) {
	scheme, _, _ := strings.Cut(arg, ":")
	switch strings.ToLower(scheme) {
	case "magnet":
		l, err := share.ParseLink(arg)
		return source{link: l}, err
	case "http", "https":
		return source{url: arg}, nil
	}
	if looksLikeID(arg) {
		l, err := share.ParseLink(arg)
		return source{link: l}, err
	}
	b, err := readTorrent(arg)
	if err != nil {
		return source{}, err
	}
	if text := bytes.TrimSpace(b); bytes.HasPrefix(bytes.ToLower(text[:min(len(text), 7)]), []byte("magnet:")) {
		l, err := share.ParseLink(string(text))
		return source{link: l}, err
	}
	return source{torrent: b}, nil
}

func looksLikeID(s string) bool {
	s = strings.ToLower(s)
	return len(s) == 40 && strings.Trim(s, hexDigits) == "" ||
		len(s) == 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

func readTorrent(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, share.Errorf(share.Refused, "%q is not a link, and there is no file of that name", path)
	}
	if err != nil {
		return nil, share.Errorf(share.Disk, "reading the torrent: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, share.Errorf(share.Refused, "%q is a folder, not a torrent (shoal share publishes folders)", path)
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
		return nil, share.Errorf(share.Refused, "a torrent has at most %s", size(maxTorrent))
	}
	return b, nil
}
