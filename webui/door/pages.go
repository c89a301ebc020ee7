package door

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/shoalnet/shoal/share"
)

//go:embed pages/style.css
var styleSheet string

//go:embed pages/pages.html
var pageTexts string

//go:embed pages/moved.js
var movedScript string

//go:embed pages/send.html
var sendTexts string

//go:embed pages/send.js
var sendScript string

// pages makes the pages of a door. All of them work without their scripts: one tells the
// visitor of a page that is open when its link has moved to another address, and on the
// page from which files are sent another one continues what breaks off.
type pages struct {
	chooser
	texts              map[*tongue]*template.Template
	policy, sendPolicy string
}

func newPages() *pages {
	p := &pages{chooser: newChooser(), texts: map[*tongue]*template.Template{}}
	for _, t := range tongues {
		p.texts[t] = template.Must(template.New("pages").Funcs(template.FuncMap{
			"style": func() template.CSS { return template.CSS(styleSheet) }, "script": func() template.JS { return template.JS(movedScript) },
			"lang": func() string { return t.Lang }, "say": t.say, "sender": func() template.JS { return template.JS(sendScript) }, "words": t.scripted,
		}).Parse(pageTexts + sendTexts))
	}
	// The hash allows this script alone: nothing that the door serves can be one.
	p.policy = "default-src 'none'; style-src " + allowed(styleSheet) + "; script-src " + allowed(movedScript) + "; connect-src 'self'; " +
		"img-src 'self'; media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
	p.sendPolicy = strings.Replace(p.policy, allowed(movedScript), allowed(movedScript)+" "+allowed(sendScript), 1)
	return p
}

// allowed is a source of the content security policy: exactly this text.
func allowed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
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

func (p *pages) write(w http.ResponseWriter, t *tongue, status int, name string, data any) {
	var b bytes.Buffer
	if err := p.texts[t].ExecuteTemplate(&b, name, data); err != nil {
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
	Ask       string // path at which its script asks for the address of the link; empty for none
	Moved     string // URL of the page at the new address of the link; empty while it has not moved
}

func (d *Door) frame(v *visit, title string) frame {
	return frame{title, d.Encrypted, v.link.Path() + "/where", d.moved(v)}
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
	Wrong  bool
	Action string
}

// fail answers with a message: two keys of the words, which begin with it.
func (d *Door) fail(w http.ResponseWriter, r *http.Request, status int, message string) {
	d.say(w, r, status, message, "")
}

func (d *Door) say(w http.ResponseWriter, r *http.Request, status int, message, back string) {
	t := d.pages.of(r)
	d.pages.write(w, t, status, "message", messagePage{frame{Title: t.say(message), Encrypted: d.Encrypted}, t.say(message + ".text"), back})
}

// missing answers that a link does not lead to a path.
func (d *Door) missing(v *visit) { d.say(v.w, v.r, http.StatusNotFound, "missing", v.link.Path()+"/") }

// later answers that what was asked for cannot be had now.
func (d *Door) later(v *visit) {
	message := "later"
	if !Serves(&v.t) {
		message = "resting"
	}
	v.w.Header().Set("Retry-After", "60")
	d.say(v.w, v.r, http.StatusServiceUnavailable, message, v.link.Path()+"/")
}

// ask asks for the password.
func (d *Door) ask(v *visit, wrong bool) {
	t := d.pages.of(v.r)
	d.pages.write(v.w, t, http.StatusForbidden, "password", passwordPage{d.frame(v, t.say("password.title")), wrong, v.link.Path() + "/unlock"})
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
