package node

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/shoalnet/shoal/webui/api"
)

// With 2,000 idle connections, readers that take nothing and 500 ranges at once, the door
// of a real node answers wrongly to nobody, its owner is answered, and what was made before
// still works when they have gone.
func TestAFloodAtTheDoor(t *testing.T) {
	t.Run("its own port", func(t *testing.T) { flood(t, map[string][]string{"web-link-listen": {"[::1]:0"}}) })
	t.Run("the port for peers", func(t *testing.T) { flood(t, nil) })
}

func flood(t *testing.T, flags map[string][]string) {
	n := startDaemon(t, options(t, stateDir(t), flags))
	c := n.Client()
	defer c.Close()
	content := make([]byte, 8<<20)
	src := rand.NewChaCha8([32]byte{1})
	src.Read(content)
	file := filepath.Join(t.TempDir(), "film.bin")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx := testContext(t)
	link, err := c.NewWebLink(ctx, shared(t, c, file).ID, api.NewWebLink{})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(link.URL)
	if err != nil {
		t.Fatal(err)
	}
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	for range 2000 {
		dial()
	}
	for range 50 { // they ask and take nothing
		fmt.Fprintf(dial(), "GET %s/file/film.bin HTTP/1.1\r\nHost: x\r\n\r\n", u.Path)
	}
	browser := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var all sync.WaitGroup
	for i := range 500 {
		all.Go(func() {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, link.URL+"/file/film.bin", nil)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", i*1000, i*1000+999))
			resp, err := browser.Do(r)
			if err != nil {
				return // its connection was closed for another
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			switch {
			case err != nil, resp.StatusCode == http.StatusServiceUnavailable:
			case resp.StatusCode != http.StatusPartialContent || !bytes.Equal(b, content[i*1000:i*1000+1000]):
				t.Errorf("range %d: %s, %d bytes", i, resp.Status, len(b))
			}
		})
	}
	if _, err := c.Transfers(ctx); err != nil {
		t.Errorf("the owner is not answered: %v", err)
	}
	all.Wait()
	if err := c.RevokeWebLink(ctx, link.ID); err != nil { // ends those who take nothing
		t.Fatal(err)
	}
	again, err := c.NewWebLink(ctx, link.Transfer, api.NewWebLink{})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := browser.Get(again.URL + "/file/film.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(b, content) {
		t.Errorf("%s, %d bytes, %v", resp.Status, len(b), err)
	}
}

// The owner's page and the door share no path and no cookie.
func TestTheDoorIsNotThePage(t *testing.T) {
	n := startDaemon(t, options(t, stateDir(t), map[string][]string{"web-link-listen": {"[::1]:0"}, "web": {"[::1]:0"}}))
	c := n.Client()
	defer c.Close()
	file := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(file, []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	link, err := c.NewWebLink(testContext(t), shared(t, c, file).ID, api.NewWebLink{})
	if err != nil {
		t.Fatal(err)
	}
	page := visit(t, n)
	me := page.signIn(n)
	door := visit(t, n)
	if door.base, err = url.Parse(link.URL); err != nil {
		t.Fatal(err)
	}
	path := door.base.Path
	door.base.Path = ""
	if resp, _ := door.ask("GET", "/api/v1/transfers", nil, me); resp.StatusCode != http.StatusNotFound {
		t.Errorf("the API at the door: %s", resp.Status)
	}
	if resp, body := door.ask("GET", path+"/file/a.txt", nil); resp.StatusCode != http.StatusOK || body != "a" {
		t.Errorf("the file: %s %s", resp.Status, body)
	}
	if _, body := page.ask("GET", path+"/file/a.txt", nil, me); strings.TrimSpace(body) == "a" {
		t.Error("the page serves web links")
	}
}
