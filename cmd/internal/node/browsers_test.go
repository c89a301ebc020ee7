package node

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// The port for peers serves the web links, and peers beside them. Before there is any, a
// browser is taken for a peer that encrypts. When the last one has ended, it is told as
// much, and as little, as with a wrong link.
func TestWebLinksAtThePortForPeers(t *testing.T) {
	n := startDaemon(t, options(t, stateDir(t), nil))
	c := n.Client()
	defer c.Close()
	ctx := testContext(t)
	dir, files := content(t)
	s := shared(t, c, dir)
	port := n.ports.port()
	shut := func() {
		t.Helper()
		const keyLen = 96 // of the half of a key exchange
		conn, err := net.Dial("tcp", net.JoinHostPort("::1", strconv.Itoa(int(port))))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"+string(make([]byte, keyLen))); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, keyLen)
		if _, err := io.ReadFull(conn, answer); err != nil || strings.HasPrefix(string(answer), "HTTP") {
			t.Errorf("a browser is answered %q, %v without a web link", answer, err)
		}
	}
	shut()
	link, err := c.NewWebLink(ctx, s.ID, api.NewWebLink{})
	if err != nil {
		t.Fatal(err)
	}
	if u, err := url.Parse(link.URL); err != nil || u.Scheme != "http" || u.Port() != strconv.Itoa(int(port)) {
		t.Errorf("the web link is %s, and the port for peers %d", link.URL, port)
	}
	browser := &http.Client{Transport: &http.Transport{}}
	defer browser.CloseIdleConnections()
	get := func(path string) (status int, body string) {
		t.Helper()
		r, err := browser.Get(link.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(b)
	}
	other := open(t, options(t, stateDir(t), nil))
	defer closed(t, other)
	into := t.TempDir()
	got, err := other.Client.Fetch(ctx, api.FetchRequest{Link: s.Link, Output: into})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for name, want := range files {
			if status, body := get("/file/" + name); status != http.StatusOK || body != string(want) {
				t.Errorf("%s: %d, %d bytes", name, status, len(body))
			}
		}
	}
	await(t, other.Client, got.ID, func(t share.Transfer) bool { return t.State == share.Seeding })
	for name, want := range files {
		if b, err := os.ReadFile(filepath.Join(into, filepath.Base(dir), name)); err != nil || string(b) != string(want) {
			t.Errorf("%s by the peer protocol: %d bytes, %v", name, len(b), err)
		}
	}
	status, wrong := get("x")
	if status != http.StatusNotFound {
		t.Errorf("a wrong link: %d", status)
	}
	browser.CloseIdleConnections()
	if err := c.RevokeWebLink(ctx, link.ID); err != nil {
		t.Fatal(err)
	}
	if status, body := get("/file/a.bin"); status != http.StatusNotFound || body != wrong {
		t.Errorf("a link that was ended: %d\n%s\na wrong one:\n%s", status, body, wrong)
	}
	// The end of a share ends its links, too.
	if link, err = c.NewWebLink(ctx, s.ID, api.NewWebLink{}); err != nil {
		t.Fatal(err)
	}
	if status, _ := get("/file/a.bin"); status != http.StatusOK {
		t.Errorf("a new link: %d", status)
	}
	if _, err := c.Remove(ctx, s.ID, false); err != nil {
		t.Fatal(err)
	}
	if status, body := get("/file/a.bin"); status != http.StatusNotFound || body != wrong {
		t.Errorf("a link whose share has ended: %d\n%s\na wrong one:\n%s", status, body, wrong)
	}
}

// What nobody takes is closed, and so is what comes after the end.
func TestBrowsersThatNobodyTakesAreClosed(t *testing.T) {
	b := newBrowsers(nil)
	serve := func() (far net.Conn) {
		near, far := net.Pipe()
		t.Cleanup(func() { far.Close() })
		b.Serve(near, false)
		return far
	}
	gone := func(c net.Conn) bool {
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		_, err := c.Read(make([]byte, 1))
		return err == io.EOF
	}
	first := serve()
	var waiting []net.Conn
	for range waitingBrowsers - 1 {
		waiting = append(waiting, serve())
	}
	if !gone(serve()) {
		t.Error("one more than may wait waits")
	}
	conn, err := b.Accept()
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(conn, "x") }()
	if _, err := io.ReadFull(first, make([]byte, 1)); err != nil {
		t.Error(err)
	}
	conn.Close()
	b.Close()
	for _, c := range append(waiting, serve()) {
		if !gone(c) {
			t.Error("a connection is left after the end")
		}
	}
	if _, err := b.Accept(); err == nil {
		t.Error("a connection was accepted after the end")
	}
}

// Who pauses a share sends nothing more of it, also to a browser that is in the middle of a
// download.
func TestAPauseEndsDownloadsFromWebLinks(t *testing.T) {
	n := startDaemon(t, options(t, stateDir(t), nil))
	c := n.Client()
	defer c.Close()
	ctx := testContext(t)
	file := filepath.Join(t.TempDir(), "a.bin")
	if err := os.WriteFile(file, make([]byte, 16<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := shared(t, c, file)
	// Its end is far away.
	if err := c.SetLimits(ctx, s.ID, share.Limits{Up: 256 << 10}); err != nil {
		t.Fatal(err)
	}
	link, err := c.NewWebLink(ctx, s.ID, api.NewWebLink{})
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Transport: &http.Transport{}}
	defer browser.CloseIdleConnections()
	r, err := browser.Get(link.URL + "/file/a.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if _, err := io.ReadFull(r.Body, make([]byte, 1<<10)); err != nil {
		t.Fatal(err)
	}
	if err := c.Pause(ctx, s.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r.Body); err == nil {
		t.Error("all of it came after the pause")
	}
}
