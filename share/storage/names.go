package storage

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"unicode/utf8"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

const (
	maxName = 255 // bytes of one path element on every common file system
	// The ending that older versions gave to part files.
	partSuffix = ".part"
)

// partEnding is the ending of part files. No other program makes such a name. See
// docs/decisions/0007-whose-file.md.
func partEnding(id share.ID) string { return ".shoal-" + id.String()[:6] + ".part" }

// defaultPart returns the part name that goes with a final name.
func defaultPart(final string, id share.ID) string {
	return path.Join(path.Dir(final), variant(path.Base(final), partEnding(id), 1))
}

// diskName holds the paths of one entry below the folder of the transfer, with
// slashes. They are empty for entries that are never on disk: pad files and links.
type diskName struct {
	final string
	part  string // while incomplete; empty of entries without bytes
	user  string // of the user's file that was there; may be the same as final
}

// occupied tells whether a name is taken by something else. nil means that none is.
type occupied func(name string, e entry) bool

// entry describes what a name is for.
type entry struct {
	folder bool
	part   bool
	length int64
}

// mapNames chooses the names of every file of info. No two names are the same, even
// on a file system that ignores case or Unicode normalization, and none is both a
// file and a folder. An element of a path has at most 255 bytes. exact is for file
// systems that distinguish all names.
func mapNames(info *metainfo.Info, exact bool, taken occupied) (names []diskName, folders []string, renamed bool) {
	m := namer{exact: exact, taken: taken, fold: cases.Fold(), part: partEnding(info.ID)}
	root := &node{}
	names = make([]diskName, len(info.Files))
	parents := make([]*node, len(info.Files))
	for i := range info.Files {
		f := &info.Files[i]
		if !(geometry{info}).onDisk(i) {
			continue
		}
		last := len(f.Path) - 1
		dir := m.walk(root, f.Path[:last])
		parents[i] = dir
		names[i].final = m.join(dir, m.choose(dir, f.Path[last], entry{length: f.Length}))
	}
	for _, p := range info.Folders {
		folders = append(folders, m.walk(root, p).path())
	}
	// Part names come last, so that a file called a.part keeps its name beside one
	// called a.
	for i := range info.Files {
		if names[i].final == "" || info.Files[i].Length == 0 {
			continue
		}
		e := entry{part: true, length: info.Files[i].Length}
		names[i].part = m.join(parents[i], m.choose(parents[i], path.Base(names[i].final), e))
	}
	return names, folders, m.renamed
}

// node is a folder, while names are chosen.
type node struct {
	parent *node
	name   string
	kids   map[string]*node // by the torrent's name
	used   map[string]int   // by key: how many have asked for it
}

func (n *node) path() string {
	if n.parent == nil {
		return ""
	}
	return path.Join(n.parent.path(), n.name)
}

type namer struct {
	part    string // how part files end
	exact   bool
	taken   occupied
	fold    cases.Caser
	renamed bool // some entry did not get its name because of another entry
}

func (m *namer) join(dir *node, name string) string { return path.Join(dir.path(), name) }

// walk finds or makes the folder p below n.
func (m *namer) walk(n *node, p []string) *node {
	for _, e := range p {
		kid := n.kids[e]
		if kid == nil {
			kid = &node{parent: n}
			kid.name = m.choose(n, e, entry{folder: true})
			if n.kids == nil {
				n.kids = make(map[string]*node, 1)
			}
			n.kids[e] = kid
		}
		n = kid
	}
	return n
}

// choose finds a free name in dir like name and takes it.
func (m *namer) choose(dir *node, name string, e entry) string {
	if dir.used == nil {
		dir.used = make(map[string]int, 1)
	}
	part := ""
	if e.part {
		part = m.part
	}
	first := m.key(variant(name, part, 1))
	m.renamed = m.renamed || dir.used[first] > 0
	for n := 1 + dir.used[first]; ; n++ {
		v := variant(name, part, n)
		key := m.key(v)
		if dir.used[key] > 0 || m.taken != nil && m.taken(m.join(dir, v), e) {
			continue
		}
		dir.used[key]++
		dir.used[first] = max(dir.used[first], n)
		return v
	}
}

// key is equal for names that a file system may treat as the same.
func (m *namer) key(name string) string {
	if m.exact {
		return name
	}
	for i := 0; i < len(name); i++ {
		if name[i] >= utf8.RuneSelf {
			// Folding is not enough: some names are the same in upper case, and
			// HFS+ ignores joiners.
			s := m.fold.String(norm.NFD.String(name))
			s = strings.ToLower(strings.ToUpper(s))
			s = strings.NewReplacer("\u200c", "", "\u200d", "").Replace(s)
			return norm.NFC.String(s)
		}
	}
	return strings.ToLower(name)
}

// variant is the n-th choice for a name: "a.txt", then "a (2).txt". With an ending
// for part files it is "a.txt" or "a.txt (2)" and the ending. It has at most 255
// bytes.
func variant(name, part string, n int) string {
	ext := part
	if part == "" && n > 1 {
		if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= 16 {
			name, ext = name[:i], name[i:]
		}
	}
	if n > 1 {
		ext = fmt.Sprintf(" (%d)%s", n, ext)
	}
	return cut(name, maxName-len(ext)) + ext
}

// cut shortens s to at most limit bytes, without splitting a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
