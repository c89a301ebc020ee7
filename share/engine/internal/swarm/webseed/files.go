// Package webseed keeps to itself how content is fetched from web servers (BEP 19):
// where the files of a torrent are below a URL, which answers are what was asked
// for, and when a server may be asked again. Where a connection may lead is for the
// transport to decide.
package webseed

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/shoalnet/shoal/share/bencode"
)

// Files are where the bytes of some content are, by the names that the torrent
// has for them.
type Files struct {
	name  string // escaped
	multi bool
	all   []file
}

type file struct {
	path         string // below name, escaped; empty for the only file
	from, length int64
	pad          bool
}

var limits = bencode.Limits{Depth: 32, Items: 4 << 20}

// Read reads an info dictionary, which share/metainfo has accepted.
func Read(info []byte) (*Files, error) {
	v, _, err := bencode.Parse(info, limits)
	if err != nil {
		return nil, fmt.Errorf("reading the names of files: %w", err)
	}
	f := &Files{name: url.PathEscape(string(v.Get("name").Str))}
	list := v.Get("files")
	if list.Kind != bencode.List {
		f.all = []file{{length: v.Get("length").Int}}
		return f, nil
	}
	f.multi = true
	at := int64(0)
	for _, x := range list.List {
		var path strings.Builder
		for _, e := range x.Get("path").List {
			path.WriteString("/" + url.PathEscape(string(e.Str)))
		}
		n := x.Get("length").Int
		f.all = append(f.all, file{
			path: path.String(), from: at, length: n,
			pad: strings.Contains(string(x.Get("attr").Str), "p"),
		})
		at += n
	}
	return f, nil
}

// url is where a file is on the server at base.
func (f *Files) url(base string, i int) string {
	switch {
	case f.multi:
		return strings.TrimSuffix(base, "/") + "/" + f.name + f.all[i].path
	case strings.HasSuffix(base, "/"):
		return base + f.name
	}
	return base
}

// stretch is a part of one file.
type stretch struct {
	file     int
	from, to int64 // in the file
}

// cut cuts a part of the content at the ends of files.
func (f *Files) cut(from, to int64) (all []stretch) {
	for i, x := range f.all {
		a, b := max(from, x.from), min(to, x.from+x.length)
		if a < b {
			all = append(all, stretch{i, a - x.from, b - x.from})
		}
	}
	return all
}
