package uploads

import (
	"fmt"
	"io/fs"
	"iter"
	slash "path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// checkName refuses invalid file names.
func checkName(name string) error {
	if !fs.ValidPath(name) || strings.ContainsAny(name, "/\\\x00") || name == "." || len(name) > maxName {
		return share.Errorf(share.Usage, "%w: %.100q; a name has 1 to %d bytes, and no slash", api.ErrBadName, name, maxName)
	}
	return nil
}

// maxDepth bounds the depth of folders.
const maxDepth = 32

const (
	maxName = 200  // bytes of one element
	maxPath = 4096 // bytes
)

func checkFolder(u api.Upload) error {
	if u.Folder == "" {
		if u.Join {
			return share.Errorf(share.Usage, "there is no folder to join without its name")
		}
		return nil
	}
	parts := strings.Split(u.Folder, "/")
	if len(parts) > maxDepth {
		return share.Errorf(share.Usage, "the folders are more than %d deep", maxDepth)
	}
	for _, p := range parts {
		if err := checkName(p); err != nil {
			return err
		}
	}
	return nil
}

// others yields name, then "name (2)" and so on.
func others(name string) iter.Seq[string] {
	const most = 10_000 // what a box takes
	ext := slash.Ext(name)
	if ext == name {
		ext = ""
	}
	return func(yield func(string) bool) {
		for i := 1; i <= most; i++ {
			n := name
			if i > 1 {
				n = fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(name, ext), i, ext)
			}
			if !yield(n) {
				return
			}
		}
	}
}

// partName is the name of the part file of a file. No other program makes such a name.
func partName(path, id string) string {
	const most = 200
	return cut(slash.Base(path), most) + ".shoal-" + id[:10] + ".part"
}

// cut shortens a name to n bytes between two characters, and keeps a short ending.
func cut(name string, n int) string {
	if len(name) <= n {
		return name
	}
	ext := slash.Ext(name)
	if len(ext) > 16 {
		ext = ""
	}
	at := n - len(ext)
	for at > 0 && !utf8.RuneStart(name[at]) {
		at--
	}
	return name[:at] + ext
}

// harmless makes one element of a path that a stranger chose: nothing hidden, nothing that
// a system treats as special.
func harmless(name string, clean func(string) string) string {
	blank := func(r rune) bool { return unicode.Is(unicode.Zs, r) }
	name = strings.TrimLeftFunc(name, blank)
	if rest := strings.TrimLeft(name, "."); rest != name {
		name = "_" + rest
	}
	name = strings.TrimRightFunc(cut(name, maxName-1), func(r rune) bool { return r == '.' || blank(r) })
	// After all that, which can uncover the name of a device: clean may put a _ before it.
	if name = clean(name); strings.Trim(name, "_ ") == "" {
		return "file"
	}
	return name
}
