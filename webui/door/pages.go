package door

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"github.com/shoalnet/shoal/share"
)

//go:embed pages/style.css
var styleSheet string

//go:embed pages/pages.html
var pageTexts string

// pages makes the pages of a door. They have no script.
type pages struct {
	texts  *template.Template
	policy string
}

func newPages() *pages {
	style := template.CSS(styleSheet)
	sum := sha256.Sum256([]byte(styleSheet))
	return &pages{
		texts: template.Must(template.New("pages").Funcs(template.FuncMap{"style": func() template.CSS { return style }}).Parse(pageTexts)),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src 'self'; media-src 'self'; " +
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	}
}

func (p *pages) headers(h http.Header) {
	h.Set("Content-Security-Policy", p.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

func (p *pages) write(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := p.texts.ExecuteTemplate(&b, name, data); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the reader may have gone
}

// frame is what every page has.
type frame struct {
	Title     string
	Encrypted bool
}

// button downloads something.
type button struct{ URL, Text string }

type crumb struct{ Name, URL string }

type messagePage struct {
	frame
	Text, Back string
}

type passwordPage struct {
	frame
	Wrong, Action string
}

type viewPage struct {
	frame
	Crumbs  []crumb
	Heading string
	Kind    string // image, audio or video
	Source  string
	Get     button
}

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

// messages are what a door says instead of an answer.
var messages = map[string]struct{ title, text string }{
	"nothing": {"There is nothing here", "This link does not exist, or it has ended. Ask the person who sent it to you for a new one."},
	"missing": {"There is no such file", "This link leads to other files."},
	"method":  {"This does not work", "The request is of a kind that is not answered here."},
	"later":   {"This is not complete yet", "It can be downloaded when the sharer’s computer has all of it. Come back later."},
	"resting": {"This is not being shared now", "The sharer paused it. Come back later, or ask the person who sent you the link."},
	"trouble": {"This cannot be read now", "The sharer’s computer cannot read the files. Try again later, or tell the person who sent you the link."},
	"busy":    {"Too many downloads at once", "Try again in a moment."},
	"many":    {"Too many tries", "Wait half a minute and try again."},
}

func (d *Door) fail(w http.ResponseWriter, status int, message string) { d.say(w, status, message, "") }

func (d *Door) say(w http.ResponseWriter, status int, message, back string) {
	m := messages[message]
	d.pages.write(w, status, "message", messagePage{frame{m.title, d.Encrypted}, m.text, back})
}

// missing answers that a link does not lead to a path.
func (d *Door) missing(v *visit) { d.say(v.w, http.StatusNotFound, "missing", v.link.Path()+"/") }

// later answers that what was asked for cannot be had now.
func (d *Door) later(v *visit) {
	message := "later"
	if !serves(&v.t) {
		message = "resting"
	}
	v.w.Header().Set("Retry-After", "60")
	d.say(v.w, http.StatusServiceUnavailable, message, v.link.Path()+"/")
}

// ask asks for the password.
func (d *Door) ask(v *visit, status int, wrong string) {
	d.pages.write(v.w, status, "password", passwordPage{frame{"Password", d.Encrypted}, wrong, v.link.Path() + "/unlock"})
}

// to is the URL of a path below a link.
func (v *visit) to(route, p string) string { return v.link.Path() + "/" + route + "/" + escape(p) }

// single reports whether the share is one file and not a folder.
func single(t *share.Transfer, files []share.File) bool {
	return len(files) == 1 && files[0].Path == t.Name
}

// crumbs lead from the share to a path in it.
func (v *visit) crumbs(p string) []crumb {
	all := []crumb{{v.t.Name, v.link.Path() + "/"}}
	elements := strings.Split(p, "/")
	for i, e := range elements {
		all = append(all, crumb{e, v.to("folder", strings.Join(elements[:i+1], "/")) + "/"})
	}
	all[len(all)-1].URL = ""
	return all
}

// view shows a file.
func (d *Door) view(v *visit) {
	f, ok := d.one(v)
	if !ok {
		return
	}
	k := kind(f.Path)
	if !d.shows(&v.link, f) || k == "" || k == "text" {
		d.missing(v)
		return
	}
	name := path.Base(f.Path)
	p := viewPage{
		frame: frame{name, d.Encrypted}, Heading: name, Kind: k, Source: v.to("inline", f.Path),
		Get: button{v.to("file", f.Path), "Download (" + bytesWord(f.Total) + ")"},
	}
	if f.Path == v.t.Name {
		p.Crumbs = []crumb{{v.t.Name, v.link.Path() + "/"}}
	} else {
		p.Crumbs = v.crumbs(f.Path)
	}
	d.pages.write(v.w, http.StatusOK, "view", p)
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
	p := listPage{frame: frame{v.t.Name, d.Encrypted}, Heading: v.t.Name, Who: who(&v.link), Until: until(&v.link, d.Now()), Left: left(&v.link)}
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
	p.Size = bytesWord(total)
	if !single(&v.t, files) {
		p.Size += " in " + english.Plural(count, "file", "")
	}
	p.Percent = percent(have, total)
	switch {
	case !serves(&v.t):
		p.Trouble = messages["resting"].text
	case count == 0:
		p.Size, p.Trouble = "not known yet", "The sharer’s computer is still looking for this. Come back later."
	case !whole:
		p.Fetching = true
	case single(&v.t, files):
		p.Get = &button{v.to("file", files[0].Path), "Download (" + bytesWord(total) + ")"}
	case below == "":
		p.Get = &button{v.to("all", archiveName(v.t.Name)), "Download all as zip (" + bytesWord(total) + ")"}
	default:
		p.Get = &button{v.to("zip", archiveName(below)), "Download this folder as zip (" + bytesWord(total) + ")"}
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
	p.Caption = "Files"
	if len(entries) > perPage {
		p.Caption = fmt.Sprintf("Files %s to %s of %s", humanize.Comma(int64(from+1)), humanize.Comma(int64(to)), humanize.Comma(int64(len(entries))))
	}
	p.Entries = entries[from:to]
	d.pages.write(v.w, http.StatusOK, "list", p)
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
			if kind(f.Path) == "text" {
				e.URL = v.to("inline", f.Path)
			}
		}
	}
	for i := range all {
		e := &all[i]
		e.Size, e.Percent = bytesWord(e.total), percent(e.have, e.total)
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

func who(l *Link) string {
	if l.Password != "" {
		return "everyone who has this link and its password"
	}
	return "everyone who has this link"
}

func until(l *Link, now time.Time) string {
	if l.Expires.IsZero() {
		return "the sharer ends it"
	}
	return l.Expires.UTC().Format("2 January 2006, 15:04 UTC") + " (" + humanize.RelTime(l.Expires, now, "ago", "from now") + ")"
}

func left(l *Link) string {
	if l.MaxDownloads == 0 {
		return ""
	}
	return fmt.Sprintf("%s of %s left; each file or archive is one", humanize.Comma(int64(l.MaxDownloads-l.Downloads)), humanize.Comma(int64(l.MaxDownloads)))
}

func bytesWord(n int64) string {
	return strings.ReplaceAll(humanize.Bytes(uint64(max(n, 0))), " ", "\u00a0")
}

func percent(have, total int64) int64 {
	if total == 0 {
		return 100
	}
	return int64(float64(have) / float64(total) * 100)
}
