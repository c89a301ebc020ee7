package door

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// A web seed has the files by their names in the torrent, whole and in parts, and counts as
// an upload but as no download of a link.
func TestWebSeed(t *testing.T) {
	h := newHouse(t, album)
	h.share.Bytes = h.share.Size
	l := h.link(Link{Seed: true})
	root := l.Path() + "/torrent/"
	want := string(album["summer/deep/b.bin"])
	for _, c := range []struct {
		method, path, ranged string
		status               int
		body                 string
	}{
		{http.MethodGet, root + "summer/deep/b.bin", "", http.StatusOK, want},
		{http.MethodGet, root + "summer/a%20%C3%A9%20100%25%3F.jpg", "bytes=4-7", http.StatusPartialContent, "jpeg"},
		{http.MethodGet, root + "summer/deep/b.bin", "bytes=10-70009", http.StatusPartialContent, want[10:]},
		{http.MethodGet, root + "empty", "", http.StatusOK, ""},
		{http.MethodHead, root + "summer/deep/b.bin", "", http.StatusOK, ""},
		{http.MethodGet, root + "summer/deep/b.bin", "bytes=70010-", http.StatusRequestedRangeNotSatisfiable, "-"},
		{http.MethodGet, root + "summer/deep", "", http.StatusNotFound, "-"},
		{http.MethodGet, root, "", http.StatusNotFound, "-"},
		{http.MethodGet, l.Path(), "", http.StatusNotFound, "-"},
		{http.MethodPost, root + "readme.md", "", http.StatusMethodNotAllowed, "-"},
	} {
		h.sent = 0
		resp := h.ask(c.method, c.path, "Range", c.ranged)
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != c.status || c.body != "-" && string(b) != c.body {
			t.Errorf("%s %s (%s): %s, %d bytes, %v", c.method, c.path, c.ranged, resp.Status, len(b), err)
		}
		if c.body != "-" && h.sent != len(c.body) || h.open != 0 {
			t.Errorf("%s %s (%s): %d of %d bytes were counted, %d uploads go on", c.method, c.path, c.ranged, h.sent, len(c.body), h.open)
		}
	}
	if all := h.links.All(); len(all) != 1 || all[0].Downloads != 0 {
		t.Errorf("%+v", all)
	}
}

// What is not there now is not given up for good: 404 would be.
func TestWebSeedOfWhatIsNotThere(t *testing.T) {
	h := newHouse(t, album)
	l := h.link(Link{Seed: true})
	h.share.Bytes = h.share.Size
	for name, change := range map[string]func(){
		"incomplete": func() { h.share.Bytes = h.share.Size - 1 },
		"paused":     func() { h.share.State = share.Paused },
		"stopped":    func() { h.share.State = share.Stopped },
	} {
		was := h.share
		change()
		if resp := h.ask(http.MethodGet, l.Path()+"/torrent/readme.md"); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %s", name, resp.Status)
		}
		h.share = was
	}
	h.share.Seal = share.SealBlind // it has the blob
	if status, _ := h.get(l.Path() + "/torrent/readme.md"); status != http.StatusOK {
		t.Errorf("a blind one answers %d", status)
	}
}

// The capabilities of web seeds and of web links are good for nothing else, and one that has
// ended or never was is answered as any wrong one.
func TestWebSeedsHaveCapabilitiesOfTheirOwn(t *testing.T) {
	h := newHouse(t, album)
	h.share.Bytes = h.share.Size
	page, ended, seed := h.link(Link{}), h.link(Link{Seed: true}), h.link(Link{Seed: true})
	if got, ok := h.links.Seed(h.share.ID, h.share.Added); !ok || got.Capability != seed.Capability {
		t.Errorf("the web seed is %+v", got)
	}
	if err := h.links.Revoke(ended.ID); err != nil {
		t.Fatal(err)
	}
	if status, body := h.get(seed.Path() + "/torrent/readme.md"); status != http.StatusOK || body != "# hello" {
		t.Fatalf("%d %s", status, body)
	}
	var first string
	for _, path := range []string{
		seedPrefix + page.Capability + "/torrent/readme.md", ended.Path() + "/torrent/readme.md",
		prefix + seed.Capability + "/", prefix + seed.Capability + "/file/readme.md",
		seedPrefix + strings.Repeat("a", 26) + "/torrent/readme.md", seedPrefix, strings.TrimSuffix(seedPrefix, "/"),
		seedPrefix + seed.Capability[1:] + "/torrent/readme.md", strings.ToUpper(seed.Path()) + "/torrent/readme.md",
	} {
		h.later(time.Minute)
		status, body := h.get(path)
		if first == "" {
			first = body
		}
		if status != http.StatusNotFound || body != first {
			t.Errorf("%s answers %d %s", path, status, body)
		}
	}
	again, err := OpenLinks(h.db, h.clock)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := again.Seed(h.share.ID, h.share.Added); !ok || got.Capability != seed.Capability {
		t.Errorf("after a restart the web seed is %+v", got)
	}
	if _, ok := again.Seed(h.share.ID, h.share.Added.Add(time.Second)); ok {
		t.Error("the same content that is shared again has the web seed of before")
	}
	if err := again.Revoke(seed.ID); err != nil {
		t.Fatal(err)
	}
	if _, ok := again.Seed(h.share.ID, h.share.Added); ok || slices.ContainsFunc(again.All(), func(l Link) bool { return l.Seed }) {
		t.Error("a web seed that was ended is there")
	}
}
