package door

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// crate is a box in memory.
type crate struct {
	terms     api.Coming
	files     map[string]*api.ComingFile
	texts     map[string]string // by path, of complete files
	fail      error             // of the next file
	delivered int
}

// Box implements Boxes.
func (h *house) Box(id string) (api.Box, error) {
	if c := h.crates[id]; c != nil {
		return c, nil
	}
	return nil, api.ErrNotComing
}

func (c *crate) Terms() api.Coming { return c.terms }

func (c *crate) Begin(n api.NewFile) (api.ComingFile, error) {
	if c.fail != nil {
		return api.ComingFile{}, c.fail
	}
	f := &api.ComingFile{ID: fmt.Sprint("f", len(c.files)), Path: n.Path, Size: n.Size}
	c.files[f.ID] = f
	return *f, nil
}

func (c *crate) File(id string) (api.ComingFile, error) {
	if f := c.files[id]; f != nil {
		return *f, nil
	}
	return api.ComingFile{}, api.ErrNotComing
}

func (c *crate) Append(_ context.Context, id string, r io.Reader) (int64, error) {
	b, err := io.ReadAll(r)
	f := c.files[id]
	f.Sent += int64(len(b))
	c.texts[f.Path] += string(b)
	return int64(len(b)), err
}

func (c *crate) Finish(id string) error {
	c.files[id].Number = int64(len(c.files))
	c.terms.Arrived++
	return nil
}

func (c *crate) Discard(id string) error {
	delete(c.files, id)
	return nil
}

func (c *crate) Take(ctx context.Context, n api.NewFile, r io.Reader) (api.ComingFile, error) {
	f, err := c.Begin(n)
	var got int64
	if err == nil {
		got, err = c.Append(ctx, f.ID, r)
	}
	if err == nil && got > n.Size {
		err = api.ErrTooLarge
	}
	if err == nil {
		err = c.Finish(f.ID)
	}
	return f, err
}

func (c *crate) Hold(context.Context, string, func()) (func(), error) { return func() {}, nil }

func (c *crate) Delivered() error {
	c.delivered++
	return nil
}

// receiver makes a link for receiving and its box.
func (h *house) receiver(l Link) (Link, *crate) {
	h.t.Helper()
	l.Receive = true
	l, err := h.links.Add(l)
	if err != nil {
		h.t.Fatal(err)
	}
	c := &crate{terms: api.Coming{ID: l.ID, Kind: api.ComingReceive, Name: "Holiday", MaxFiles: 5}, files: map[string]*api.ComingFile{}, texts: map[string]string{}}
	h.crates[l.ID] = c
	return l, c
}

// form is the body of a form with files.
func form(files ...string) (body *bytes.Buffer, media string) {
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for i := 0; i < len(files); i += 2 {
		p, _ := w.CreateFormFile("files", files[i])
		_, _ = p.Write([]byte(files[i+1]))
	}
	_ = w.WriteField("other", "field")
	w.Close()
	return body, w.FormDataContentType()
}

func (h *house) post(target, media string, body io.Reader) *http.Response {
	r := httptest.NewRequest(http.MethodPost, target, body)
	r.RemoteAddr = visitor
	r.Header.Set("Content-Type", media)
	return h.do(r)
}

func text(resp *http.Response) string {
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

// Files are taken from a form without script, several at once, and the page says which.
func TestFilesFromAForm(t *testing.T) {
	h := newHouse(t, album)
	l, c := h.receiver(Link{})
	body, media := form("a.txt", "hello", "b <script>.txt", "", "", "")
	resp := h.post(l.Path()+"/form", media, body)
	page := text(resp)
	if resp.StatusCode != http.StatusOK || !maps.Equal(c.texts, map[string]string{"a.txt": "hello", "b <script>.txt": ""}) || c.delivered != 1 {
		t.Fatalf("%s %v %d\n%s", resp.Status, c.texts, c.delivered, page)
	}
	if !strings.Contains(page, "<bdi>a.txt</bdi>") || !strings.Contains(page, "b &lt;script&gt;.txt") {
		t.Errorf("the page is\n%s", page)
	}
	for _, bad := range []struct {
		media  string
		body   io.Reader
		status int
	}{
		{"text/plain", strings.NewReader("x"), http.StatusUnsupportedMediaType},
		{"multipart/form-data", strings.NewReader("x"), http.StatusUnsupportedMediaType},
		{media, strings.NewReader("not a form"), http.StatusUnprocessableEntity},
		{media, io.MultiReader(strings.NewReader("of unknown length")), http.StatusLengthRequired},
	} {
		if resp := h.post(l.Path()+"/form", bad.media, bad.body); resp.StatusCode != bad.status {
			t.Errorf("%q: %s", bad.media, resp.Status)
		}
	}
	empty, media := form()
	if resp := h.post(l.Path()+"/form", media, empty); resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(text(resp), "No file was chosen") {
		t.Errorf("no file: %s", resp.Status)
	}
	// What is the owner's business is not told.
	for _, fail := range []error{
		share.Errorf(share.Disk, "%w: /home/ada/secret has 3 bytes", api.ErrNoRoom), share.Errorf(share.Disk, "/home/ada/secret: EIO"),
		share.Errorf(share.Refused, "%w: /home/ada", api.ErrTooLarge), share.Errorf(share.Refused, "%w: /home/ada", api.ErrTooMany),
		share.Errorf(share.Usage, "%w: /home/ada", api.ErrBadName), share.Errorf(share.Failed, "/home/ada"),
	} {
		c.fail = fail
		body, media := form("a.txt", "hello")
		if resp := h.post(l.Path()+"/form", media, body); resp.StatusCode != http.StatusUnprocessableEntity || strings.Contains(text(resp), "/home/") {
			t.Errorf("%v: %s", fail, resp.Status)
		}
		if resp := h.ask(http.MethodPost, l.Path()+"/files", "Tus-Resumable", "1.0.0", "Upload-Length", "1"); resp.StatusCode/100 == 2 || strings.Contains(text(resp), "/home/") {
			t.Errorf("%v: %s", fail, resp.Status)
		}
	}
	c.fail = nil
}

// A link for receiving lists nothing, and links to shares take nothing.
func TestNothingIsListedBack(t *testing.T) {
	h := newHouse(t, album)
	l, c := h.receiver(Link{})
	body, media := form("secret name.txt", "secret text")
	h.post(l.Path()+"/form", media, body)
	shared := h.link(Link{})
	for name, way := range receiving {
		for _, rest := range []string{"", "/", "/f0", "/secret name.txt", "/../x"} {
			resp := h.ask(http.MethodGet, l.Path()+"/"+name+rest)
			if page := text(resp); strings.Contains(page, "secret") {
				t.Errorf("%s%s shows\n%s", name, rest, page)
			}
			if !hasMethod(way.methods, http.MethodGet) && resp.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("GET %s%s is %s", name, rest, resp.Status)
			}
		}
		if _, both := routes[name]; !both {
			if resp := h.ask(http.MethodPost, shared.Path()+"/"+name); resp.StatusCode != http.StatusNotFound {
				t.Errorf("a link to a share takes %s: %s", name, resp.Status)
			}
		}
	}
	for name := range routes {
		if _, both := receiving[name]; both {
			continue
		}
		for _, rest := range []string{"", "/secret name.txt", "/Holiday.zip"} {
			if resp := h.ask(http.MethodGet, l.Path()+"/"+name+rest); resp.StatusCode != http.StatusNotFound {
				t.Errorf("a link for receiving answers %s%s: %s", name, rest, resp.Status)
			}
		}
	}
	if c.delivered != 1 {
		t.Errorf("%d deliveries", c.delivered)
	}
}

// Links for receiving that lead nowhere answer like all that do.
func TestReceivingLinksThatLeadNowhereAnswerAlike(t *testing.T) {
	h := newHouse(t, album)
	revoked, _ := h.receiver(Link{})
	expired, _ := h.receiver(Link{Expires: h.now.Add(time.Minute)})
	boxless, _ := h.receiver(Link{})
	over, c := h.receiver(Link{})
	if err := h.links.Revoke(revoked.ID); err != nil {
		t.Fatal(err)
	}
	delete(h.crates, boxless.ID)
	c.terms.Ended = true
	h.later(time.Minute)
	want := ""
	for _, capability := range []string{strings.Repeat("a", 26), revoked.Capability, expired.Capability, boxless.Capability, over.Capability} {
		for name := range receiving {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch} {
				h.later(time.Minute)
				resp := h.ask(method, prefix+capability+"/"+name, "Tus-Resumable", "1.0.0", "Upload-Length", "1")
				var b bytes.Buffer
				if err := resp.Write(&b); err != nil {
					t.Fatal(err)
				}
				if want == "" {
					want = b.String()
				}
				if resp.StatusCode != http.StatusNotFound || b.String() != want {
					t.Errorf("%s %s/%s answers\n%s\nand not\n%s", method, capability, name, &b, want)
				}
			}
		}
	}
}

// Before the password was given, nothing is taken and nothing is told.
func TestAPasswordForSending(t *testing.T) {
	h := newHouse(t, album)
	l, c := h.receiver(Link{Password: "hash of sesame"})
	for name, way := range receiving {
		if way.open {
			continue
		}
		for method := range strings.SplitSeq(way.methods, ", ") {
			body, media := form("a.txt", "hello")
			r := httptest.NewRequest(method, l.Path()+"/"+name, body)
			r.Header.Set("Content-Type", media)
			r.Header.Set("Tus-Resumable", "1.0.0")
			r.RemoteAddr = visitor
			if resp := h.do(r); resp.StatusCode != http.StatusForbidden || strings.Contains(text(resp), "Holiday") {
				t.Errorf("%s %s: %s", method, name, resp.Status)
			}
		}
	}
	if len(c.files) > 0 {
		t.Errorf("%v", c.files)
	}
	resp := h.post(l.Path()+"/unlock", "application/x-www-form-urlencoded", strings.NewReader("password=sesame"))
	given := resp.Cookies()[0]
	if resp := h.ask(http.MethodPost, l.Path()+"/files", "Cookie", given.Name+"="+given.Value, "Tus-Resumable", "1.0.0", "Upload-Length", "0"); resp.StatusCode != http.StatusCreated {
		t.Errorf("with the cookie: %s", resp.Status)
	}
}

// The tus protocol is that of the library, without what is off, at the link's own path.
func TestTusAtTheDoor(t *testing.T) {
	h := newHouse(t, album)
	l, c := h.receiver(Link{})
	resp := h.ask(http.MethodPost, l.Path()+"/files", "Tus-Resumable", "1.0.0", "Upload-Length", "5", "Upload-Metadata", "filename YS50eHQ=", "Host", "evil.example")
	at := resp.Header.Get("Location")
	if resp.StatusCode != http.StatusCreated || at != l.Path()+"/files/f0" || resp.Header.Get("Connection") != "" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	patch := func(offset, body string) *http.Response {
		r := httptest.NewRequest(http.MethodPatch, at, strings.NewReader(body))
		r.RemoteAddr = visitor
		r.Header.Set("Tus-Resumable", "1.0.0")
		r.Header.Set("Upload-Offset", offset)
		r.Header.Set("Content-Type", "application/offset+octet-stream")
		return h.do(r)
	}
	if resp := patch("0", "hel"); resp.StatusCode != http.StatusNoContent || resp.Header.Get("Upload-Offset") != "3" {
		t.Errorf("%s", resp.Status)
	}
	for offset, status := range map[string]int{"0": 409, "4": 409, "-1": 400, "x": 400, "99999999999999999999": 400, "3": 413} {
		if resp := patch(offset, "lo and more"); resp.StatusCode != status {
			t.Errorf("at %s: %s", offset, resp.Status)
		}
	}
	if resp := patch("3", "lo"); resp.StatusCode != http.StatusNoContent || c.texts["a.txt"] != "hello" || c.files["f0"].Number == 0 {
		t.Errorf("%s %v", resp.Status, c.texts)
	}
	for _, header := range [][]string{{"Upload-Defer-Length", "1"}, {"Upload-Concat", "final;/files/f0"}, {"Upload-Length", "x"}, {}} {
		if resp := h.ask(http.MethodPost, l.Path()+"/files", append(header, "Tus-Resumable", "1.0.0")...); resp.StatusCode/100 != 4 && resp.StatusCode != http.StatusNotImplemented {
			t.Errorf("%v: %s", header, resp.Status)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodOptions, http.MethodPut} {
		if resp := h.ask(method, at); resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %s", method, resp.Status)
		}
	}
	if resp := h.ask(http.MethodDelete, l.Path()+"/files", "Tus-Resumable", "1.0.0"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("deleting everything: %s", resp.Status)
	}
	if resp := h.ask(http.MethodPost, l.Path()+"/done"); resp.StatusCode != http.StatusNoContent || c.delivered != 1 {
		t.Errorf("%s", resp.Status)
	}
	if log := h.log.String(); strings.Contains(log, l.Capability) {
		t.Errorf("the capability was logged: %s", log)
	}
}

// Only the page for sending may run a script, and only its own.
func TestTheScriptOfThePage(t *testing.T) {
	h := newHouse(t, album)
	l, c := h.receiver(Link{})
	resp := h.ask(http.MethodGet, l.Path()+"/")
	policy, page := resp.Header.Get("Content-Security-Policy"), text(resp)
	if !strings.Contains(policy, "script-src "+allowed(movedScript)+" "+allowed(sendScript)) || strings.Contains(policy, "unsafe") || !strings.Contains(page, "<script>"+sendScript+"</script>") {
		t.Errorf("%s", policy)
	}
	for _, field := range []string{"multipart/form-data", "not encrypted", "5 files", "the receiver ends it"} {
		if !strings.Contains(page, field) {
			t.Errorf("the page does not have %q:\n%s", field, page)
		}
	}
	c.terms.MaxSize, c.terms.Taken, c.terms.Arrived = 10, 10, 1
	if page := text(h.ask(http.MethodGet, l.Path()+"/")); !strings.Contains(page, "takes no more files") || strings.Contains(page, sendScript) {
		t.Errorf("of a link that is full:\n%s", page)
	}
	for _, other := range []string{l.Path() + "/nothing", h.link(Link{}).Path() + "/"} {
		if p := h.ask(http.MethodGet, other).Header.Get("Content-Security-Policy"); strings.Contains(p, allowed(sendScript)) {
			t.Errorf("%s may run scripts: %s", other, p)
		}
	}
	if names := slices.Sorted(maps.Keys(receiving)); !slices.Equal(names, []string{"", "done", "files", "form", "unlock", "where"}) {
		t.Errorf("the routes are %q", names)
	}
}
