package node

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

const seeded = "content of a.txt"

// webSeed is the web seed in the link of a transfer; empty if there is none.
func webSeed(t *testing.T, c *api.Client, id share.ID) string {
	t.Helper()
	s, err := c.Transfer(testContext(t), id)
	if err != nil {
		t.Fatal(err)
	}
	l, err := share.ParseLink(s.Link)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.WebSeeds) == 0 {
		return ""
	}
	resp, err := http.Get(l.WebSeeds[0] + "a.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != seeded {
		t.Errorf("%s: %s %q, %v", l.WebSeeds[0], resp.Status, b, err)
	}
	return l.WebSeeds[0]
}

// A web seed is served at the port for peers, is in the link of its share and of no other,
// and survives a restart; its uploads count.
func TestWebSeedsAreInLinksAndKept(t *testing.T) {
	state, file, other := stateDir(t), filepath.Join(t.TempDir(), "a.txt"), filepath.Join(t.TempDir(), "b.txt")
	for f, text := range map[string]string{file: seeded, other: "other"} {
		if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var id share.ID
	var was string
	t.Run("made", func(t *testing.T) {
		n := startDaemon(t, options(t, state, nil))
		c := n.Client()
		defer c.Close()
		id = shared(t, c, file).ID
		if err := c.SetWebSeed(testContext(t), id, true); err != nil {
			t.Fatal(err)
		}
		if was = webSeed(t, c, id); was == "" {
			t.Fatal("the link has no web seed")
		}
		if u := webSeed(t, c, shared(t, c, other).ID); u != "" {
			t.Errorf("a share without one has %s", u)
		}
		if s, err := c.Transfer(testContext(t), id); err != nil || s.Uploaded != int64(len(seeded)) {
			t.Errorf("%d bytes were counted, %v", s.Uploaded, err)
		} else if u := n.webLinks.seedsOf(id, s.Added.Add(time.Nanosecond)); u != nil {
			t.Errorf("the same content shared later has %s", u)
		}
		if links, err := c.WebLinks(testContext(t)); err != nil || len(links) != 0 {
			t.Errorf("web links: %v, %v", links, err)
		}
	})
	t.Run("after a restart", func(t *testing.T) {
		n := startDaemon(t, options(t, state, nil))
		c := n.Client()
		defer c.Close()
		if now := webSeed(t, c, id); filepath.Base(now) != filepath.Base(was) {
			t.Errorf("the link has %s, and had %s", now, was)
		}
		if _, err := c.Remove(testContext(t), id, false); err != nil {
			t.Fatal(err)
		}
		if u := webSeed(t, c, shared(t, c, file).ID); u != "" {
			t.Errorf("what is shared again has the web seed of before: %s", u)
		}
	})
}
