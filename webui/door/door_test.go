package door

import (
	"archive/zip"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/shoalnet/shoal/share"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a node with one share, and its door.
type house struct {
	t     testing.TB
	door  *Door
	links *Links
	db    *sql.DB
	log   *bytes.Buffer

	mu      sync.Mutex
	now     time.Time
	share   share.Transfer
	files   []share.File
	content map[int][]byte
	gate    chan struct{} // reads wait for it if it is not nil
}

var shareID = share.ID{0xab, 0xcd}

func newHouse(t testing.TB, files map[string][]byte) *house {
	t.Helper()
	h := &house{t: t, now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), content: map[int][]byte{}, log: &bytes.Buffer{}}
	h.share = share.Transfer{
		ID: shareID, Name: "photos", State: share.Seeding, Added: h.now.Add(-time.Hour),
		Link: "magnet:?xt=urn:btih:" + shareID.String() + "&dn=photos",
	}
	for i, name := range slices.Sorted(maps.Keys(files)) {
		b := files[name]
		h.files = append(h.files, share.File{Index: i, Path: name, Bytes: int64(len(b)), Total: int64(len(b))})
		h.content[i] = b
		h.share.Size += int64(len(b))
	}
	h.share.Files = len(files)
	var err error
	if h.db, err = sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "state.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.db.Close() })
	if h.links, err = OpenLinks(h.db, h.clock); err != nil {
		t.Fatal(err)
	}
	h.door = New(Config{
		Logger: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Links: h.links, Transfers: h, Content: h,
		Passwords: h, Guesses: h, Patience: func(http.ResponseWriter, *http.Request) {}, Now: h.clock,
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = h.door.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	return h
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) later(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func (h *house) Get(id share.ID) (share.Transfer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if id != h.share.ID {
		return share.Transfer{}, share.ErrUnknown
	}
	return h.share, nil
}

func (h *house) Files(share.ID) ([]share.File, error) { return slices.Clone(h.files), nil }

func (h *house) Open(ctx context.Context, _ share.ID, file int) (io.ReadSeekCloser, error) {
	return &gated{bytes.NewReader(h.content[file]), ctx, h.gate}, nil
}

func (h *house) Matches(phc, password string) bool { return phc == "hash of "+password }
func (h *house) Try(netip.Addr) bool               { return true }
func (h *house) Wrong(netip.Addr)                  {}
func (h *house) Right(netip.Addr)                  {}

// gated is a file whose reads wait for a gate.
type gated struct {
	*bytes.Reader
	ctx  context.Context
	gate chan struct{}
}

func (g *gated) Read(p []byte) (int, error) {
	if g.gate != nil {
		select {
		case <-g.gate:
		case <-g.ctx.Done():
			return 0, g.ctx.Err()
		}
	}
	return g.Reader.Read(p)
}

func (g *gated) Close() error { return nil }

func (h *house) link(l Link) Link {
	h.t.Helper()
	l.Transfer, l.Added = h.share.ID, h.share.Added
	l, err := h.links.Add(l)
	if err != nil {
		h.t.Fatal(err)
	}
	return l
}

const visitor = "[2001:db8:1:2::3]:4444"

func (h *house) ask(method, target string, header ...string) *http.Response {
	h.t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		h.t.Fatal(err)
	}
	r := httptest.NewRequest(method, "/", nil)
	r.URL, r.RemoteAddr = u, visitor
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return h.do(r)
}

func (h *house) do(r *http.Request) *http.Response {
	w := timeless{httptest.NewRecorder()}
	h.door.ServeHTTP(w, r)
	return w.Result()
}

// timeless is a recorder with deadlines, which nothing reaches.
type timeless struct{ *httptest.ResponseRecorder }

func (timeless) SetReadDeadline(time.Time) error  { return nil }
func (timeless) SetWriteDeadline(time.Time) error { return nil }

func (h *house) get(target string, header ...string) (int, string) {
	h.t.Helper()
	resp := h.ask(http.MethodGet, target, header...)
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

var album = map[string][]byte{
	"readme.md":            []byte("# hello"),
	"empty":                nil,
	"summer/a é 100%?.jpg": bytes.Repeat([]byte("jpeg"), 5000),
	"summer/page.html":     []byte("<script>alert(1)</script>"),
	"summer/deep/b.bin":    bytes.Repeat([]byte("0123456789"), 7001),
}

// What a wrong, a revoked, an expired, a used up link and one of a share that is over
// answer is the same to the byte, on every route.
func TestLinksThatLeadNowhereAnswerAlike(t *testing.T) {
	h := newHouse(t, album)
	revoked, expired, used := h.link(Link{}), h.link(Link{Expires: h.now.Add(time.Minute)}), h.link(Link{MaxDownloads: 1, Downloads: 1})
	gone, again, sealed := h.link(Link{}), h.link(Link{}), h.link(Link{})
	for _, l := range []Link{revoked, expired, gone, again, sealed} {
		if status, body := h.get(l.Path() + "/file/readme.md"); status != http.StatusOK || body != "# hello" {
			t.Fatalf("a link that is good answers %d %s", status, body)
		}
	}
	if err := h.links.Revoke(revoked.ID); err != nil {
		t.Fatal(err)
	}
	h.later(time.Minute)
	change := map[string]func(){
		gone.Capability:   func() { h.share.ID = share.ID{1} },
		again.Capability:  func() { h.share.ID = shareID; h.share.Added = h.now },
		sealed.Capability: func() { h.share.Added = gone.Added; h.share.Seal = share.SealOpen },
	}
	var first string
	for _, c := range []string{strings.Repeat("a", 26), "", "x", strings.ToUpper(expired.Capability), revoked.Capability, expired.Capability, used.Capability,
		gone.Capability, again.Capability, sealed.Capability} {
		if f := change[c]; f != nil {
			f()
		}
		for name := range routes {
			h.later(time.Minute) // not too many at once
			resp := h.ask(http.MethodGet, prefix+c+"/"+name+"/readme.md", "Cookie", cookieName+"=x", "Range", "bytes=0-1")
			var b bytes.Buffer
			if err := resp.Write(&b); err != nil {
				t.Fatal(err)
			}
			if first == "" {
				first = b.String()
			}
			if resp.StatusCode != http.StatusNotFound || b.String() != first {
				t.Errorf("%s/%s answers\n%s\nand not\n%s", c, name, &b, first)
			}
		}
	}
}

// Nothing but the routes of a link is behind the door: no path of the owner's API, and no
// other file than those of the share.
func TestNothingElseIsBehindTheDoor(t *testing.T) {
	h := newHouse(t, album)
	l := h.link(Link{})
	b, err := os.ReadFile("../app/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(b, &spec); err != nil {
		t.Fatal(err)
	}
	if len(spec.Paths) < 30 {
		t.Fatalf("the owner's API has only %d paths", len(spec.Paths))
	}
	paths := slices.Collect(maps.Keys(spec.Paths))
	paths = append(paths, "/", "/index.html", "/api", "/metrics", "/api/v1/session", "/api/v1/openapi.json", "/debug/pprof/", "/robots.txt", "//", "/s", "/s/")
	for _, p := range paths {
		p = strings.NewReplacer("{id}", shareID.String(), "{file}", "0", "{link}", l.ID).Replace(p)
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions} {
			h.later(time.Minute)
			if resp := h.ask(method, p); resp.StatusCode != http.StatusNotFound {
				t.Errorf("%s %s is %s", method, p, resp.Status)
			}
			below := l.Path() + p
			if resp := h.ask(method, below); resp.StatusCode/100 == 2 && p != "/" {
				t.Errorf("%s %s is %s", method, below, resp.Status)
			}
		}
	}
	for _, p := range []string{"../readme.md", "summer/../readme.md", "/etc/passwd", "..", "", "summer", "summer/", "./readme.md", "readme.md/", "README.md"} {
		for _, name := range []string{"file", "inline", "view"} {
			if status, body := h.get(l.Path() + "/" + name + "/" + p); status != http.StatusNotFound {
				t.Errorf("%s/%s is %d %.40s", name, p, status, body)
			}
		}
	}
}

// The door reads and sets one cookie, its own, for one link and hidden from scripts.
func TestThePasswordUnlocksOneLink(t *testing.T) {
	h := newHouse(t, album)
	l, other := h.link(Link{Password: "hash of sesame"}), h.link(Link{Password: "hash of sesame"})
	for name := range routes {
		if name == "unlock" {
			continue
		}
		resp := h.ask(http.MethodGet, l.Path()+"/"+name+"/readme.md", "Cookie", "shoal_8080=x; "+cookieName+"=guess", "Authorization", "Bearer x")
		b, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusForbidden || bytes.Contains(b, []byte("photos")) {
			t.Errorf("%s without the password: %s\n%s", name, resp.Status, b)
		}
	}
	unlock := func(l Link, password string) *http.Response {
		r := httptest.NewRequest(http.MethodPost, l.Path()+"/unlock", strings.NewReader(url.Values{"password": {password}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = visitor
		return h.do(r)
	}
	if resp := unlock(l, "wrong"); resp.StatusCode != http.StatusForbidden || len(resp.Cookies()) > 0 {
		t.Errorf("a wrong password: %s, %v", resp.Status, resp.Cookies())
	}
	resp := unlock(l, "sesame")
	if len(resp.Cookies()) != 1 || resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != l.Path()+"/" {
		t.Fatalf("%s to %s with %v", resp.Status, resp.Header.Get("Location"), resp.Cookies())
	}
	c := resp.Cookies()[0]
	if c.Name != cookieName || c.Path != l.Path()+"/" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
		t.Errorf("the cookie is %v", c)
	}
	given := c.Name + "=" + c.Value
	if status, body := h.get(l.Path()+"/file/readme.md", "Cookie", given); status != http.StatusOK || body != "# hello" {
		t.Errorf("with the cookie: %d %s", status, body)
	}
	if status, _ := h.get(other.Path()+"/file/readme.md", "Cookie", given); status != http.StatusForbidden {
		t.Errorf("the cookie opens another link: %d", status)
	}
	plain := h.link(Link{})
	for name := range routes {
		for _, resp := range []*http.Response{h.ask(http.MethodGet, plain.Path()+"/"+name), h.ask(http.MethodPost, plain.Path()+"/"+name)} {
			if len(resp.Cookies()) > 0 {
				t.Errorf("%s sets %v", name, resp.Cookies())
			}
		}
	}
}

// Every answer forbids script, frames, guesses of its type, referrers and search engines,
// and what a browser must not show is to be saved.
func TestHeadersAndTypes(t *testing.T) {
	h := newHouse(t, album)
	l := h.link(Link{})
	for _, p := range []string{"/", l.Path(), l.Path() + "/", l.Path() + "/file/readme.md", l.Path() + "/all/photos.zip", l.Path() + "/view/summer/a%20%C3%A9%20100%25%3F.jpg", l.Path() + "/nothing"} {
		resp := h.ask(http.MethodGet, p)
		for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"} {
			if got := resp.Header.Get(name); !strings.Contains(got, want) {
				t.Errorf("%s: %s is %q", p, name, got)
			}
		}
		if csp := resp.Header.Get("Content-Security-Policy"); strings.Contains(csp, "script") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: %s", p, csp)
		}
	}
	for p, want := range map[string]string{
		"/inline/summer/a%20%C3%A9%20100%25%3F.jpg": "image/jpeg inline",
		"/inline/readme.md":                         "text/plain; charset=utf-8 inline",
		"/file/readme.md":                           "text/plain; charset=utf-8 attachment",
		"/file/summer/page.html":                    "application/octet-stream attachment",
		"/all/photos.zip":                           "application/zip attachment",
	} {
		resp := h.ask(http.MethodGet, l.Path()+p)
		how, _, _ := strings.Cut(resp.Header.Get("Content-Disposition"), ";")
		if got := resp.Header.Get("Content-Type") + " " + how; got != want || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s is %s, %s", p, got, resp.Header.Get("Content-Security-Policy"))
		}
	}
	if resp := h.ask(http.MethodGet, l.Path()+"/inline/summer/page.html"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a page of a stranger is shown: %s", resp.Status)
	}
}

// The pages name everything that can be had, and the links in them work.
func TestEveryLinkOfThePagesWorks(t *testing.T) {
	h := newHouse(t, album)
	l := h.link(Link{})
	seen := map[string]bool{}
	queue := []string{l.Path() + "/"}
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		status, body := h.get(p)
		if status != http.StatusOK {
			t.Errorf("%s is %d", p, status)
		}
		for _, attr := range []string{`href="`, `src="`} {
			for rest := body; strings.HasPrefix(body, "<!doctype"); {
				var to string
				var found bool
				if _, rest, found = strings.Cut(rest, attr); !found {
					break
				}
				if to, rest, _ = strings.Cut(rest, `"`); strings.HasPrefix(to, prefix) && !seen[to] {
					seen[to] = true
					queue = append(queue, to)
				}
			}
		}
		if strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "<script") && strings.HasPrefix(body, "<!doctype") {
			t.Errorf("%s has what the template refuses:\n%s", p, body)
		}
	}
	for name := range album {
		if !seen[l.Path()+"/file/"+escape(name)] {
			t.Errorf("no page leads to %s", name)
		}
	}
	if _, body := h.get(l.Path() + "/"); !strings.Contains(body, "magnet:?xt") || !strings.Contains(body, "not encrypted") {
		t.Errorf("the page is\n%s", body)
	}
	// A magnet link would outlive a link that ends.
	if _, body := h.get(h.link(Link{Expires: h.now.Add(time.Hour)}).Path() + "/"); strings.Contains(body, "magnet:") {
		t.Error("a link that expires gives away one that does not")
	}
}

// A share that is still being fetched shows how far it is. What is complete can be had.
func TestWhatIsNotCompleteYet(t *testing.T) {
	h := newHouse(t, album)
	h.share.State = share.Fetching
	for i := range h.files {
		if h.files[i].Path == "summer/deep/b.bin" {
			h.files[i].Bytes /= 2
		}
	}
	l := h.link(Link{})
	if _, body := h.get(l.Path() + "/"); !strings.Contains(body, "<progress") || strings.Contains(body, "photos.zip") {
		t.Errorf("the page is\n%s", body)
	}
	for p, want := range map[string]int{
		"/file/readme.md": 200, "/file/summer/deep/b.bin": 503, "/all/photos.zip": 503, "/zip/summer.zip": 503, "/zip/summer/deep.zip": 503, "/zip/nowhere.zip": 404,
	} {
		if status, _ := h.get(l.Path() + p); status != want {
			t.Errorf("%s is %d, not %d", p, status, want)
		}
	}
	h.share.State = share.Paused
	if status, body := h.get(l.Path() + "/file/readme.md"); status != 503 || !strings.Contains(body, "paused") {
		t.Errorf("a paused share: %d %s", status, body)
	}
}

// An archive has its length and a strong ETag, and a broken download goes on where it was,
// unless the archive is another one.
func TestArchivesContinue(t *testing.T) {
	h := newHouse(t, album)
	l := h.link(Link{})
	at := l.Path() + "/all/photos.zip"
	head := h.ask(http.MethodHead, at)
	status, whole := h.get(at)
	if status != http.StatusOK || head.ContentLength != int64(len(whole)) {
		t.Fatalf("%d with %d bytes, and HEAD says %d", status, len(whole), head.ContentLength)
	}
	z, err := zip.NewReader(strings.NewReader(whole), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r) // compares the checksum
		want := album[strings.TrimPrefix(f.Name, "photos/")]
		if err != nil || !bytes.Equal(b, want) || f.Flags != zipUTF8 || f.Method != zip.Store {
			t.Errorf("%s: %v, %d bytes, flags %x", f.Name, err, len(b), f.Flags)
		}
	}
	if len(z.File) != len(album) {
		t.Errorf("there are %d entries", len(z.File))
	}
	etag := head.Header.Get("ETag")
	for range 200 {
		from := rand.IntN(len(whole))
		to := from + rand.IntN(len(whole)-from)
		status, part := h.get(at, "Range", fmt.Sprintf("bytes=%d-%d", from, to), "If-Range", etag)
		if status != http.StatusPartialContent || part != whole[from:to+1] {
			t.Fatalf("bytes %d-%d are others: %d", from, to, status)
		}
	}
	if status, b := h.get(at, "Range", "bytes=5-9", "If-Range", `"another"`); status != http.StatusOK || b != whole {
		t.Errorf("with another ETag: %d", status)
	}
	h.files[0].Path += "2"
	if other := h.ask(http.MethodHead, at).Header.Get("ETag"); other == etag || strings.HasPrefix(etag, "W/") {
		t.Errorf("the ETags are %s and %s", etag, other)
	}
}

// Archives beyond what 16 and 32 bits count are read by others.
func TestLargeArchives(t *testing.T) {
	huge := []share.File{{Index: 0, Path: "a", Total: 5 << 30}, {Index: 1, Path: "b", Total: 1}, {Index: 2, Path: "c", Total: most32}, {Index: 3, Path: "d", Total: most32 - 1}}
	var many []share.File
	for i := range 70_000 {
		many = append(many, share.File{Index: i, Path: fmt.Sprint(i), Total: int64(i % 3)})
	}
	for name, files := range map[string][]share.File{"huge": huge, "many": many} {
		a, err := newArchive(share.Transfer{Name: "t", Files: len(files)}, files)
		if err != nil {
			t.Fatal(err)
		}
		a.sum = func(_ context.Context, file int) (uint32, error) { return uint32(file), nil }
		a.open = func(_ context.Context, file int) (io.ReadSeekCloser, error) {
			return &zeros{size: files[file].Total}, nil
		}
		z, err := zip.NewReader(seeking{a}, a.size)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(z.File) != len(files) {
			t.Fatalf("%s: %d entries", name, len(z.File))
		}
		for i, f := range z.File {
			off, err := f.DataOffset()
			if err != nil || f.Name != "t/"+files[i].Path || f.UncompressedSize64 != uint64(files[i].Total) || f.CRC32 != uint32(i) {
				t.Fatalf("%s: entry %d is %s, %d bytes, %v", name, i, f.Name, f.UncompressedSize64, err)
			}
			if want := a.entries[i].header + int64(len(a.entries[i].local(0))); off != want {
				t.Fatalf("%s: the data of entry %d is at %d, not %d", name, i, off, want)
			}
		}
	}
}

// zeros is a file of nothing but zeros.
type zeros struct{ at, size int64 }

func (z *zeros) Read(p []byte) (int, error) {
	n := min(int64(len(p)), z.size-z.at)
	clear(p[:n])
	z.at += n
	return int(n), nil
}

func (z *zeros) Seek(off int64, _ int) (int64, error) { z.at = off; return off, nil }
func (z *zeros) Close() error                         { return nil }

type seeking struct{ a *archive }

func (s seeking) ReadAt(p []byte, off int64) (int, error) {
	if _, err := s.a.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	return io.ReadFull(s.a, p)
}

// Downloads are counted when all bytes were sent, in whatever parts; previews, HEAD and
// what was not changed are none. The last one ends the link.
func TestDownloadsAreCounted(t *testing.T) {
	h := newHouse(t, album)
	l := h.link(Link{})
	counted := func() int { return h.links.All()[0].Downloads }
	file := l.Path() + "/file/summer/deep/b.bin"
	size := len(album["summer/deep/b.bin"])
	etag := h.ask(http.MethodHead, file).Header.Get("ETag")
	for _, f := range []func(){
		func() { h.get(l.Path() + "/") },
		func() { h.get(l.Path() + "/inline/summer/a%20%C3%A9%20100%25%3F.jpg") },
		func() { h.get(l.Path() + "/view/summer/a%20%C3%A9%20100%25%3F.jpg") },
		func() { h.ask(http.MethodHead, l.Path()+"/all/photos.zip") },
		func() { h.get(file, "If-None-Match", etag) },
		func() { h.get(file, "Range", "bytes=0-9") },
		func() { h.get(file, "Range", fmt.Sprintf("bytes=%d-", size)) },
		func() { h.get(file, "Range", "bytes=20-") },
	} {
		if f(); counted() != 0 {
			t.Fatal("what is no download was counted")
		}
	}
	h.get(file, "Range", "bytes=5-24")
	if counted() != 1 {
		t.Errorf("a download in parts: %d", counted())
	}
	h.get(file)
	h.get(l.Path() + "/all/photos.zip")
	h.get(l.Path() + "/file/empty")
	if counted() != 4 {
		t.Errorf("four downloads: %d", counted())
	}
	few := h.link(Link{MaxDownloads: 2})
	for _, want := range []int{200, 200, 404} {
		if status, _ := h.get(few.Path() + "/file/readme.md"); status != want {
			t.Errorf("a link for two downloads: %d, not %d", status, want)
		}
	}
	once := h.link(Link{MaxDownloads: 1})
	if status, _ := h.get(once.Path() + "/inline/readme.md"); status != http.StatusNotFound {
		t.Errorf("what does not count can be had from a link that counts: %d", status)
	}
}

// Whoever leaves out a few bytes everywhere has a download counted, and memory is bounded.
func TestManyPartsAreBounded(t *testing.T) {
	d := newDownloads()
	const size = 1 << 20
	counted := false
	for i := int64(0); i < size && !counted; i += 8 {
		counted = d.sent(download{"l", "f"}, span{i, min(i+7, size)}, size) || counted
	}
	for _, e := range d.parts {
		if n := len(e.Value.(*progress).sent); n > maxSpans {
			t.Errorf("%d parts are kept", n)
		}
	}
	for i := range maxDownloads + 10 {
		d.sent(download{fmt.Sprint(i), "f"}, span{0, 1}, 2)
	}
	if len(d.parts) != maxDownloads || d.recent.Len() != maxDownloads {
		t.Errorf("%d downloads are kept", len(d.parts))
	}
}

// Who tries capabilities has to wait, and others do not.
func TestGuessingIsLimited(t *testing.T) {
	h := newHouse(t, album)
	l := h.link(Link{})
	tries := 0
	for ; tries < 1000; tries++ {
		if status, _ := h.get(fmt.Sprintf("/s/%026d/", tries)); status == http.StatusTooManyRequests {
			break
		}
	}
	if tries != missesAtOnce {
		t.Errorf("%d tries", tries)
	}
	if status, _ := h.get(l.Path() + "/"); status != http.StatusTooManyRequests {
		t.Errorf("a right guess beyond the limit is answered: %d", status)
	}
	r := httptest.NewRequest(http.MethodGet, l.Path()+"/", nil)
	r.RemoteAddr = "[2001:db8:1:3::3]:4444"
	if resp := h.do(r); resp.StatusCode != http.StatusOK {
		t.Errorf("another network: %s", resp.Status)
	}
	h.later(missesAgain)
	if status, _ := h.get(l.Path() + "/"); status != http.StatusOK {
		t.Errorf("after a while: %d", status)
	}
}

// Of many downloads at once, who has the most gives way, and a revoked link ends those
// under way.
func TestSeats(t *testing.T) {
	s := newSeats()
	var ended []string
	take := func(network, link string) (func(), bool) {
		return s.take(netip.MustParseAddr("2001:db8:0:"+network+"::1"), link, func() { ended = append(ended, network) })
	}
	for n := 1; n <= maxSeats/seatsOfOne; n++ {
		for range seatsOfOne {
			if _, ok := take(fmt.Sprint(n), "a"); !ok {
				t.Fatal("a seat that is free is refused")
			}
		}
		if _, ok := take(fmt.Sprint(n), "a"); ok {
			t.Fatal("one network has more than its part")
		}
	}
	leave, ok := take("99", "b")
	if !ok || len(ended) != 1 || ended[0] == "99" {
		t.Fatalf("a newcomer: %v, %q gave way", ok, ended)
	}
	leave()
	leave()
	if len(s.taken) != maxSeats-1 {
		t.Errorf("%d seats are taken", len(s.taken))
	}
	ended = nil
	s.end("a")
	if len(ended) != maxSeats-1 || len(s.taken) != 0 || len(s.of) != 0 {
		t.Errorf("%d were ended, %d are taken", len(ended), len(s.taken))
	}
}

func TestRevokedLinksEndWhatIsUnderWay(t *testing.T) {
	h := newHouse(t, album)
	h.gate = make(chan struct{})
	l := h.link(Link{})
	over := make(chan int, 1)
	go func() {
		status, _ := h.get(l.Path() + "/file/summer/deep/b.bin")
		over <- status
	}()
	for taken := 0; taken == 0; {
		h.door.seats.mu.Lock()
		taken = len(h.door.seats.taken)
		h.door.seats.mu.Unlock()
	}
	if err := h.links.Revoke(l.ID); err != nil {
		t.Fatal(err)
	}
	h.door.End(l.ID)
	<-over
}

// Links are there after a restart. A damaged record is counted and harms no other.
func TestLinksAreKept(t *testing.T) {
	h := newHouse(t, album)
	l := h.link(Link{MaxDownloads: 5, Password: "hash of x", Expires: h.now.Add(time.Hour)})
	if err := h.links.Count(l.ID); err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{"", "{", "null", `{"capability":"x"}`, `{"capability":5}`, "\x00"} {
		if _, err := h.db.Exec(`INSERT INTO web_links VALUES (?, ?)`, fmt.Sprint(i), text); err != nil {
			t.Fatal(err)
		}
	}
	again, err := OpenLinks(h.db, h.clock)
	if err != nil {
		t.Fatal(err)
	}
	l.Downloads++
	if all := again.All(); len(all) != 1 || all[0] != l || again.Damaged() != 6 {
		t.Errorf("there are %+v, %d damaged, and not %+v", all, again.Damaged(), l)
	}
}

// No log line has a capability.
func TestCapabilitiesAreNotLogged(t *testing.T) {
	h := newHouse(t, album)
	l := h.link(Link{})
	h.content[0], h.files[0].Bytes, h.files[0].Total = nil, 9, 9
	h.get(l.Path() + "/all/photos.zip")
	h.get(l.Path() + "/file/" + h.files[0].Path)
	h.get(l.Path() + "/nothing")
	h.db.Close()
	h.get(l.Path() + "/file/readme.md")
	if text := h.log.String(); text == "" || strings.Contains(text, l.Capability) {
		t.Errorf("the log is %q", text)
	}
}

// No path and no header ends the process, leaves the share, or is answered by an error of
// the server.
func FuzzRequests(f *testing.F) {
	h := newHouse(f, album)
	l := h.link(Link{})
	for name := range routes {
		f.Add(name+"/readme.md", "bytes=0-1", "from=1", "GET")
	}
	f.Add("all/photos.zip", "bytes=-1,5-", "from=-9999999999999999999", "HEAD")
	f.Add("zip/../../etc.zip", "bytes=9223372036854775807-", "from=%zz", "POST")
	f.Add("folder//summer/\x00", "bytes=", "", "TRACE")
	secret := []byte("root:")
	f.Fuzz(func(t *testing.T, p, ranges, query, method string) {
		h.later(time.Minute)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Method, r.RemoteAddr = method, visitor
		r.URL = &url.URL{Path: l.Path() + "/" + p, RawQuery: query}
		r.Header.Set("Range", ranges)
		r.Header.Set("If-Range", ranges)
		r.Header.Set("Cookie", p)
		resp := h.do(r)
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode >= 500 || resp.Header.Get("Referrer-Policy") == "" || bytes.Contains(b, secret) {
			t.Errorf("%s %q %q: %s %v", method, p, ranges, resp.Status, err)
		}
	})
}
