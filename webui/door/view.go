package door

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// viewPage shows one file.
type viewPage struct {
	frame
	Crumbs  []crumb
	Heading string
	Kind    string // image, audio, video or text
	Source  string
	Doubt   bool // not every browser plays this
	Text    string
	Cut     bool // the text continues
	Get     button
	Before  *neighbour
	After   *neighbour
}

// neighbour is a file of the same folder that can be viewed, too.
type neighbour struct{ URL, Name string }

// longestText is how much of a text is shown. The page links to the rest.
const longestText = 256 << 10

// view shows a file.
func (d *Door) view(v *visit) {
	files, ok := d.files(v)
	if !ok {
		return
	}
	f, ok := d.pick(v, files)
	if !ok {
		return
	}
	if !d.shows(&v.link, f) {
		d.missing(v)
		return
	}
	t := d.pages.of(v.r)
	name := path.Base(f.Path)
	p := viewPage{
		frame: d.frame(v, name), Heading: name, Kind: kind(f.Path), Source: v.to("inline", f.Path), Doubt: doubtful(f.Path),
		Get: button{v.to("file", f.Path), t.say("get.file", t.bytes(f.Total))},
	}
	if f.Path == v.t.Name {
		p.Crumbs = []crumb{{v.t.Name, v.link.Path() + "/"}}
	} else {
		p.Crumbs = v.crumbs(f.Path)
	}
	p.Before, p.After = d.neighbours(v, files, f)
	if p.Kind == "text" {
		if p.Text, p.Cut, ok = d.text(v, f); !ok {
			return
		}
	}
	d.pages.write(v.w, t, http.StatusOK, "view", p)
}

// text reads the beginning of a text.
func (d *Door) text(v *visit, f *share.File) (text string, more, ok bool) {
	ctx, leave, ok := d.enter(v)
	if !ok {
		return "", false, false
	}
	defer leave()
	r, err := d.open(ctx, v.t.ID, f.Index)
	if err != nil {
		d.unreadable(v, err)
		return "", false, false
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, longestText+1))
	if err != nil {
		d.unreadable(v, err)
		return "", false, false
	}
	if more = len(b) > longestText; more {
		b = b[:longestText]
		if end := bytes.LastIndexByte(b, '\n'); end > 0 {
			b = b[:end+1]
		}
	}
	return strings.ToValidUTF8(string(b), "\ufffd"), more, true
}

// neighbours are the files before and after one that can be viewed, in the order of the
// listing.
func (d *Door) neighbours(v *visit, files []share.File, of *share.File) (before, after *neighbour) {
	same := func(f *share.File) bool {
		return path.Dir(f.Path) == path.Dir(of.Path) && complete(&v.t, f) && d.shows(&v.link, f)
	}
	to := func(f *share.File) *neighbour { return &neighbour{v.to("view", f.Path), path.Base(f.Path)} }
	var b, a *share.File
	for i := range files {
		f := &files[i]
		switch c := cmp.Compare(f.Path, of.Path); {
		case c < 0 && (b == nil || f.Path > b.Path) && same(f):
			b = f
		case c > 0 && (a == nil || f.Path < a.Path) && same(f):
			a = f
		}
	}
	if b != nil {
		before = to(b)
	}
	if a != nil {
		after = to(a)
	}
	return before, after
}

// doubtful reports whether many browsers play no file of this type.
func doubtful(name string) bool {
	return slices.Contains([]string{"video/x-msvideo", "video/x-matroska", "video/quicktime", "video/mpeg", "video/ogg"}, api.Shown(name))
}
