// Package webseed keeps to itself how content is fetched from web servers (BEP 19):
// where the files of a torrent are below a URL, which answers are what was asked
// for, and when a server may be asked again. Where a connection may lead is for the
// transport to decide.
package webseed

import (
	"errors"
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
	size  int64 // of all
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
	list, tree := v.Get("files"), v.Get("file tree")
	switch {
	case list.Kind == bencode.List: // also of a hybrid
		f.multi = true
		f.list(list)
	case v.Get("length").Kind == bencode.Int:
		f.all = []file{{length: v.Get("length").Int}}
	case tree.Kind == bencode.Dict && v.Get("piece length").Int > 0:
		f.tree(tree, v.Get("piece length").Int)
	default:
		return nil, errors.New("reading the names of files: there are none")
	}
	return f, nil
}

// list reads the files of BEP 3.
func (f *Files) list(list bencode.Value) {
	for _, x := range list.List {
		var path strings.Builder
		for _, e := range x.Get("path").List {
			path.WriteString("/" + url.PathEscape(string(e.Str)))
		}
		f.add(path.String(), x)
	}
}

// tree reads the files of BEP 52. Each that has data begins with a piece, and what is
// before it is on no server. A tree of one file is that file.
func (f *Files) tree(tree bencode.Value, pieceLength int64) {
	var dir func(path string, tree bencode.Value)
	dir = func(path string, tree bencode.Value) {
		for name, x := range tree.All() {
			if len(name) > 0 {
				dir(path+"/"+url.PathEscape(string(name)), x)
				continue
			}
			if over := f.size % pieceLength; over > 0 && x.Get("length").Int > 0 {
				f.all = append(f.all, file{from: f.size, length: pieceLength - over, pad: true})
				f.size += pieceLength - over
			}
			f.add(path, x)
		}
	}
	dir("", tree)
	f.multi = len(f.all) != 1 || strings.Count(f.all[0].path, "/") > 1
}

// add adds a file with what is said of it. A link has no data, whatever its length (BEP 47).
func (f *Files) add(path string, x bencode.Value) {
	attr := string(x.Get("attr").Str)
	n := x.Get("length").Int
	if strings.Contains(attr, "l") {
		n = 0
	}
	f.all = append(f.all, file{path: path, from: f.size, length: n, pad: strings.Contains(attr, "p")})
	f.size += n
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
