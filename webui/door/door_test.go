package door

import (
	"archive/zip"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
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
	stop  func() // closes the door

	mu      sync.Mutex
	now     time.Time
	share   share.Transfer
	files   []share.File
	content map[int][]byte
	gate    chan struct{} // reads wait for it if it is not nil
	held    bool          // uploads are held back
	passed  []int         // what uploads asked for
	sent    int           // bytes that they sent
	open    int           // uploads under way
	got     int           // bytes that were taken of senders
	at      []string      // where the door is
	crates  map[string]*crate
}

var shareID = share.ID{0xab, 0xcd}

func newHouse(t testing.TB, files map[string][]byte) *house {
	t.Helper()
	h := &house{t: t, now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), content: map[int][]byte{}, log: &bytes.Buffer{}, crates: map[string]*crate{}}
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
	h.start(Config{
		Logger: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Links: h.links, Transfers: h, Content: h,
		Uploads: h.upload, Boxes: h, Intake: (*intake)(h), Passwords: h, Guesses: h, Patience: func(http.ResponseWriter, *http.Request) {}, Now: h.clock, At: func() []string { return h.at },
	})
	t.Cleanup(func() { h.stop() })
	return h
}

// start opens the door; the one before is closed.
func (h *house) start(c Config) {
	if h.stop != nil {
		h.stop()
	}
	h.door = New(c)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = h.door.Run(ctx) }()
	h.stop = func() { cancel(); <-ended }
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

func (h *house) upload(id share.ID, _ *http.Request) (Upload, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if id != h.share.ID {
		return nil, share.ErrUnknown
	}
	h.open++
	return h, nil
}

func (h *house) Holds() bool { return h.held }

func (h *house) Pass(ctx context.Context, n int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.passed = append(h.passed, n)
	return ctx.Err()
}

func (h *house) Sent(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent += n
}

func (h *house) End() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open--
}

func (h *house) Files(id share.ID) ([]share.File, error) {
	if id != shareID {
		h.t.Errorf("the files of %s were asked for", id)
	}
	return slices.Clone(h.files), nil
}

func (h *house) Open(ctx context.Context, id share.ID, file int) (io.ReadSeekCloser, error) {
	if id != shareID || file < 0 || file >= len(h.files) {
		h.t.Errorf("file %d of %s was opened", file, id)
	}
	return &gated{bytes.NewReader(h.content[file]), ctx, h.gate}, nil
}

func (h *house) OpenSource(ctx context.Context, _ share.ID, name string) (io.ReadSeekCloser, int64, error) {
	for _, f := range h.files {
		if name == "torrent/"+f.Path {
			return &gated{bytes.NewReader(h.content[f.Index]), ctx, h.gate}, f.Total, nil
		}
	}
	return nil, 0, share.Errorf(share.Usage, "no such file: %w", fs.ErrNotExist)
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
	h.share.Seal = ""
	seed := h.link(Link{Seed: true})
	var first string
	for _, c := range []string{seed.Capability, strings.Repeat("a", 26), "", "x", strings.ToUpper(expired.Capability), revoked.Capability, expired.Capability, used.Capability,
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

// A link leads to its share and to no other of the node, under whatever name, and neither
// does one that was given for a part of that.
func TestALinkLeadsToOneShare(t *testing.T) {
	h := newHouse(t, album)
	l := h.link(Link{})
	// What another share of the node has, and what is beside the files on the disk.
	for _, p := range []string{
		"letters/private.txt", "../letters/private.txt", "..%2fletters%2fprivate.txt", "%2e%2e/state.db", "/state.db", shareID.String() + "/0", "0", "-1", "summer/../../state.db",
		"readme.md\x00.jpg", "readme.md%00", "summer\\page.html", "SUMMER/page.html", "summer/page.html/", "file:///etc/passwd", "http://[::1]/",
	} {
		for name := range routes {
			if name == "" || name == "where" || name == "unlock" {
				continue
			}
			for _, raw := range []bool{false, true} {
				u := &url.URL{Path: l.Path() + "/" + name + "/" + p}
				if parsed, err := url.Parse(l.Path() + "/" + name + "/" + p); raw && err == nil {
					u = parsed
				}
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.URL, r.RemoteAddr = u, visitor
				if resp := h.do(r); resp.StatusCode != http.StatusNotFound {
					t.Errorf("%s/%s is %s", name, p, resp.Status)
				}
			}
		}
	}
}

// The door reads and sets one cookie, its own, for one link and hidden from scripts.
func TestThePasswordUnlocksOneLink(t *testing.T) {
	h := newHouse(t, album)
	l, other := h.link(Link{Password: "hash of sesame"}), h.link(Link{Password: "hash of sesame"})
	for name, way := range routes {
		if way.open { // the others show nothing of the share
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
		// No script but the one of the pages, wherever it comes from.
		csp := resp.Header.Get("Content-Security-Policy")
		for _, rule := range strings.Split(csp, "; ") {
			if name, from, _ := strings.Cut(rule, " "); strings.HasPrefix(name, "script-src") && from != allowed(movedScript) || strings.Contains(from, "unsafe") || strings.Contains(from, "http") {
				t.Errorf("%s: %s", p, csp)
			}
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
		if strings.Contains(body, "ZgotmplZ") || strings.Count(body, "<script") != 1 && strings.HasPrefix(body, "<!doctype") || strings.Contains(body, "%!") {
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

// Of a link for one download there is one at a time: none of several that run at once is
// complete before the others have begun. A program may fetch parts at once, and who lost a
// connection begins again at once.
func TestNoMoreAtOnceThanAreLeft(t *testing.T) {
	h := newHouse(t, album)
	size := len(album["summer/deep/b.bin"])
	part := func(l Link, network, ranged string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, l.Path()+"/file/summer/deep/b.bin", nil)
		r.RemoteAddr = "[2001:db8:0:" + network + "::1]:4444"
		if ranged != "" {
			r.Header.Set("Range", "bytes="+ranged)
		}
		return r
	}
	// begin asks for a part, and returns when its turn began.
	begin := func(l Link, network, ranged string) (over chan string) {
		t.Helper()
		over = make(chan string, 1)
		under := func() int {
			h.door.turns.mu.Lock()
			defer h.door.turns.mu.Unlock()
			return len(h.door.turns.under[l.ID])
		}
		before := under()
		go func() {
			resp := h.do(part(l, network, ranged))
			b, _ := io.ReadAll(resp.Body)
			over <- fmt.Sprint(resp.StatusCode, " ", len(b))
		}()
		for under() == before {
			time.Sleep(time.Millisecond)
		}
		return over
	}
	status := func(l Link, network, ranged string) string {
		resp := h.do(part(l, network, ranged))
		return fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Retry-After"))
	}
	hold := func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.gate = make(chan struct{})
	}
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s, not %s", what, got, want)
		}
	}

	hold()
	once := h.link(Link{MaxDownloads: 1})
	first := begin(once, "1", "")
	for _, ranged := range []string{"", "0-", "5-9", "-5", fmt.Sprintf("%d-", size-1), "x", "5-9,11-12"} {
		want("another person, "+ranged, status(once, "2", ranged), "503 60")
	}
	other := httptest.NewRequest(http.MethodGet, once.Path()+"/all/photos.zip", nil)
	if resp := h.do(other); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Content-Disposition") != "" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		t.Errorf("everything, beside a file: %s, %v", resp.Status, resp.Header)
	}
	close(h.gate)
	want("the first", <-first, fmt.Sprint("200 ", size))
	want("when it is over", status(once, "2", ""), "404 ")

	hold()
	parts := h.link(Link{MaxDownloads: 1})
	low, high := begin(parts, "1", "0-9"), begin(parts, "1", "10-")
	close(h.gate)
	want("the first part", <-low, "206 10")
	want("the other part", <-high, fmt.Sprint("206 ", size-10))
	if n := h.links.All(); n[1].Downloads != 1 {
		t.Errorf("parts at once: %+v", n)
	}

	hold()
	two := h.link(Link{MaxDownloads: 2})
	a, b := begin(two, "1", ""), begin(two, "2", "")
	want("a third of two", status(two, "3", ""), "503 60")
	close(h.gate)
	<-a
	<-b
	want("a third, later", status(two, "3", ""), "404 ")
}

// Who comes back for what is on its way to the same network has lost that connection.
func TestATurnIsTakenOver(t *testing.T) {
	turns := newTurns()
	ended := 0
	take := func(network string, part span) (func(), bool) {
		p := netip.MustParsePrefix(network)
		return turns.take("l", &turn{"f", part, p, func() { ended++ }}, func() int { return 1 })
	}
	leave, ok := take("2001:db8:0:1::/64", span{0, 100})
	if _, again := take("2001:db8:0:1::/64", span{40, 100}); !ok || !again || ended != 1 {
		t.Errorf("%t, %t, %d ended", ok, again, ended)
	}
	leave()
	if _, ok := take("2001:db8:0:2::/64", span{50, 60}); ok || ended != 1 {
		t.Error("another network took it over")
	}
	if _, ok := take("2001:db8:0:2::/64", span{0, 40}); !ok || len(turns.under["l"]) != 2 {
		t.Error("parts that do not overlap are two downloads")
	}
}

// The part that a turn is for is the one that is sent.
func TestWhatIsAskedFor(t *testing.T) {
	content := bytes.NewReader(make([]byte, 100))
	for _, c := range [][2]string{
		{}, {"bytes=0-"}, {"bytes=10-19"}, {"bytes=10-1000"}, {"bytes=-5"}, {"bytes=-500"}, {"bytes= 3 - 4 "}, {"bytes=99-"}, {"bytes=0-0"}, {"bytes=-0"},
		{"bytes=100-"}, {"bytes=20-10"}, {"bytes="}, {"bytes=-"}, {"bytes=a-b"}, {"bytes=--5"}, {"lines=1-2"}, {"bytes=18446744073709551617-"},
		{"bytes=10-19", `"e"`}, {"bytes=10-19", `"f"`}, {"bytes=10-19", `W/"e"`}, {"bytes=10-19", "Mon, 30 Nov 2026 04:00:00 GMT"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Range", c[0])
		r.Header.Set("If-Range", c[1])
		w := httptest.NewRecorder()
		w.Header().Set("ETag", `"e"`)
		m := &meter{ResponseWriter: w, sent: func(int) {}}
		http.ServeContent(m, r, "", time.Time{}, content)
		got := asked(r, `"e"`, 100)
		if sent := (span{m.begin, m.begin + m.n}); m.sends && got != sent && m.n > 0 {
			t.Errorf("%q: %v, but %v is sent", c, got, sent)
		}
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
		return s.take(netip.MustParseAddr("2001:db8:0:"+network+"::1"), &Link{ID: link}, func() { ended = append(ended, network) })
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
	if err := h.links.Give([]string{"http://[2001:db8::5]:7000"}); err != nil {
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
	l.Given = []string{"http://[2001:db8::5]:7000"}
	if all := again.All(); len(all) != 1 || !reflect.DeepEqual(all[0], l) || again.Damaged() != 6 {
		t.Errorf("there are %+v, %d damaged, and not %+v", all, again.Damaged(), l)
	}
}

// The latest places where a link was given out are kept, the latest last, and a failure
// to store them changes nothing.
func TestWhereLinksWereGivenOut(t *testing.T) {
	h := newHouse(t, album)
	h.link(Link{})
	at := func(n int) string { return fmt.Sprintf("http://[2001:db8::%d]", n) }
	given := func() []string { return h.links.All()[0].Given }
	for n := range maxGiven + 2 {
		if err := h.links.Give([]string{at(n), at(n + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	if g := given(); len(g) != maxGiven || g[0] != at(3) || g[maxGiven-1] != at(maxGiven+2) {
		t.Errorf("given out at %q", g)
	}
	h.db.Close()
	before := given()
	if err := h.links.Give([]string{"http://new"}); share.KindOf(err) != share.Disk || !slices.Equal(given(), before) {
		t.Errorf("%v, and now %q", err, given())
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
	h.at = []string{"http://[2001:db8:1:2::5]:7000"}
	for name := range routes {
		f.Add(name+"/readme.md", "bytes=0-1", "from=1", "GET", "[2001:db8::1]:7000", "de")
	}
	f.Add("all/photos.zip", "bytes=-1,5-", "from=-9999999999999999999", "HEAD", "[::1%25lo]", "de;q=2")
	f.Add("zip/../../etc.zip", "bytes=9223372036854775807-", "from=%zz", "POST", "x\"><script>", "\x00")
	f.Add("folder//summer/\x00", "bytes=", "", "TRACE", "]", "")
	f.Add("view/%2e%2e/%2e%2e/etc/passwd", "W/\"x\"", "", "GET", "http://x/", "*")
	secret := []byte("root:")
	f.Fuzz(func(t *testing.T, p, ranges, query, method, host, languages string) {
		h.later(time.Minute)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Method, r.RemoteAddr, r.Host = method, visitor, host
		r.URL = &url.URL{Path: l.Path() + "/" + p, RawQuery: query}
		if u, err := url.Parse(l.Path() + "/" + p); err == nil && len(ranges)%2 == 0 {
			r.URL.Path, r.URL.RawPath = u.Path, u.RawPath // as a server reads it
		}
		for _, name := range []string{"Range", "If-Range", "If-None-Match", "If-Match", "If-Modified-Since"} {
			r.Header.Set(name, ranges)
		}
		r.Header.Set("Cookie", p)
		r.Header.Set("Accept-Language", languages)
		resp := h.do(r)
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode >= 500 || resp.Header.Get("Referrer-Policy") == "" || bytes.Contains(b, secret) {
			t.Errorf("%s %q %q: %s %v", method, p, ranges, resp.Status, err)
		}
		// What a visitor sends is in no page but as text.
		if page := strings.HasPrefix(string(b), "<!doctype"); page && (strings.Count(string(b), "<script") > 1 || bytes.Contains(b, []byte("ZgotmplZ"))) {
			t.Errorf("%s %q at %q:\n%s", method, p, host, b)
		}
	})
}

// When the last link has ended it is remembered for a while, also across a restart, that
// there was one. Only then does the door look as if there had never been any.
func TestFormerLinksAreRemembered(t *testing.T) {
	h := newHouse(t, album)
	reopened := func() *Links {
		t.Helper()
		again, err := OpenLinks(h.db, h.clock)
		if err != nil {
			t.Fatal(err)
		}
		return again
	}
	if h.links.Any() || reopened().Any() {
		t.Error("there are links although none was made")
	}
	first, second := h.link(Link{}), h.link(Link{Expires: h.now.Add(time.Hour)})
	h.later(10 * formerTime) // one has expired, the other one is good
	for i, l := range []Link{first, second} {
		if !h.links.Any() || !reopened().Any() {
			t.Errorf("%d links have ended, and there seem to be none", i)
		}
		if err := h.links.Revoke(l.ID); err != nil {
			t.Fatal(err)
		}
	}
	h.later(formerTime - time.Second)
	if !h.links.Any() || !reopened().Any() {
		t.Error("those who had a link are not answered any more")
	}
	h.later(time.Second)
	if h.links.Any() || reopened().Any() {
		t.Error("former links are remembered for ever")
	}
}

// A time until something is said to the nearest unit: what was made for seven days is for
// seven days a moment later, too.
func TestTimesAreRounded(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for in, want := range map[time.Duration]string{
		7*24*time.Hour - time.Second: "in 7 days", 7 * 24 * time.Hour: "in 7 days", 6*24*time.Hour + 11*time.Hour: "in 6 days",
		24*time.Hour - time.Second: "in 1 day", 48*time.Hour - time.Millisecond: "in 2 days", 12*time.Hour - time.Minute: "in 12 hours",
		time.Hour - time.Second: "in 1 hour", 30*time.Minute - time.Second: "in 30 minutes", 59 * time.Second: "in less than a minute",
	} {
		if said := inEnglish.when(now.Add(in), now); !strings.HasSuffix(said, "("+want+")") {
			t.Errorf("%s before it is %q, want %s", in, said, want)
		}
	}
	if said := inGerman.when(now.Add(7*24*time.Hour-time.Second), now); !strings.HasSuffix(said, "(in 7 Tagen)") {
		t.Errorf("in German it is %q", said)
	}
}
