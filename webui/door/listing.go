package door

import (
	"cmp"
	"html/template"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
)

type listPage struct {
	frame
	Crumbs        []crumb
	Heading       string
	Trouble       string
	Fetching      bool
	Percent       int64
	Get           *button // nil where not everything is there
	Size          string
	Who, Until    string
	Left          string
	Caption       string
	Entries       []listed
	Before, After string
	Magnet        template.URL
}

// listed is a line of a listing: a file or a folder.
type listed struct {
	Name    string
	Folder  bool
	URL     string // the page of it; empty for none
	Get     string // empty while it is not complete
	Size    string
	Percent int64

	path        string
	have, total int64
	whole       bool
}

// perPage is how many lines a listing has.
const perPage = 500

// list shows the files and folders in a folder; the empty path is the whole share.
func (d *Door) list(v *visit, below string) {
	files, ok := d.files(v)
	if !ok {
		return
	}
	entries := d.listing(v, files, below)
	if len(entries) == 0 && below != "" {
		d.missing(v)
		return
	}
	t := d.pages.of(v.r)
	p := listPage{frame: d.frame(v, v.t.Name), Heading: v.t.Name, Who: t.who(&v.link), Until: t.until(&v.link, d.Now()), Left: t.left(&v.link)}
	if below != "" {
		p.Crumbs, p.Heading = v.crumbs(below), path.Base(below)
	}
	var have, total int64
	count, whole := 0, true
	for i := range files {
		if below == "" || strings.HasPrefix(files[i].Path, below+"/") {
			have, total, count = have+files[i].Bytes, total+files[i].Total, count+1
			whole = whole && complete(&v.t, &files[i])
		}
	}
	p.Size = t.bytes(total)
	if !single(&v.t, files) {
		p.Size = t.say("size.of", p.Size, t.files(count))
	}
	p.Percent = percent(have, total)
	switch {
	case !Serves(&v.t):
		p.Trouble = t.say("resting.text")
	case count == 0:
		p.Size, p.Trouble = t.say("size.unknown"), t.say("finding")
	case !whole:
		p.Fetching = true
	case single(&v.t, files):
		p.Get = &button{v.to("file", files[0].Path), t.say("get.file", t.bytes(total))}
	case below == "":
		p.Get = &button{v.to("all", archiveName(v.t.Name)), t.say("get.all", t.bytes(total))}
	default:
		p.Get = &button{v.to("zip", archiveName(below)), t.say("get.folder", t.bytes(total))}
	}
	if v.link.Expires.IsZero() && v.link.MaxDownloads == 0 && strings.HasPrefix(v.t.Link, "magnet:?") {
		p.Magnet = template.URL(v.t.Link) // made by this node
	}
	from, _ := strconv.Atoi(v.r.URL.Query().Get("from"))
	from = max(0, min(from, len(entries)))
	to := min(from+perPage, len(entries))
	here := v.r.URL.EscapedPath()
	if from > 0 {
		p.Before = here + "?from=" + strconv.Itoa(max(0, from-perPage))
	}
	if to < len(entries) {
		p.After = here + "?from=" + strconv.Itoa(to)
	}
	p.Caption = t.say("list")
	if len(entries) > perPage {
		p.Caption = t.say("list.part", t.number(int64(from+1)), t.number(int64(to)), t.number(int64(len(entries))))
	}
	p.Entries = entries[from:to]
	d.pages.write(v.w, t, http.StatusOK, "list", p)
}

// listing lists what is in a folder, folders first.
func (d *Door) listing(v *visit, files []share.File, below string) []listed {
	in := ""
	if below != "" {
		in = below + "/"
	}
	var all []listed
	folders := map[string]int{}
	for i := range files {
		f := &files[i]
		rest, ok := strings.CutPrefix(f.Path, in)
		if !ok {
			continue
		}
		name, _, deeper := strings.Cut(rest, "/")
		at, known := folders[name]
		if !deeper || !known {
			at = len(all)
			all = append(all, listed{Name: name, Folder: deeper, path: in + name, whole: true})
			if deeper {
				folders[name] = at
			}
		}
		e := &all[at]
		e.have, e.total = e.have+f.Bytes, e.total+f.Total
		e.whole = e.whole && complete(&v.t, f)
		if !deeper && e.whole && d.shows(&v.link, f) {
			e.URL = v.to("view", f.Path)
		}
	}
	for i := range all {
		e := &all[i]
		e.Size, e.Percent = d.pages.of(v.r).bytes(e.total), percent(e.have, e.total)
		switch {
		case e.Folder:
			e.URL = v.to("folder", e.path) + "/"
			if e.whole {
				e.Get = v.to("zip", archiveName(e.path))
			}
		case e.whole:
			e.Get = v.to("file", e.path)
		}
	}
	slices.SortStableFunc(all, func(a, b listed) int {
		if a.Folder != b.Folder {
			return map[bool]int{true: -1, false: 1}[a.Folder]
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return all
}

func (t *tongue) who(l *Link) string {
	if l.Password != "" {
		return t.say("who.password")
	}
	return t.say("who.all")
}

func (t *tongue) until(l *Link, now time.Time) string {
	if l.Expires.IsZero() {
		return t.say("until.ended")
	}
	return t.when(l.Expires, now)
}

func (t *tongue) left(l *Link) string {
	if l.MaxDownloads == 0 {
		return ""
	}
	return t.say("downloads.left", t.number(int64(l.MaxDownloads-l.Downloads)), t.number(int64(l.MaxDownloads)))
}

func percent(have, total int64) int64 {
	if total == 0 {
		return 100
	}
	return int64(float64(have) / float64(total) * 100)
}
