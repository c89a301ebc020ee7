package node

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// visitor is a browser, or an attacker, at the page of a real node.
type visitor struct {
	t    *testing.T
	base *url.URL
	http *http.Client
}

func visit(t *testing.T, n *Node) *visitor {
	u, err := url.Parse(n.Info().Web)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, u, &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// ask sends a request with headers "Name: value", and reads a megabyte of the answer at
// most.
func (v *visitor) ask(method, path string, body io.Reader, headers ...string) (*http.Response, string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(testContext(v.t), method, strings.TrimSuffix(v.base.String(), "/")+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		} else {
			r.Header.Set(name, value)
		}
	}
	resp, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		v.t.Fatal(err)
	}
	return resp, string(b)
}

func (v *visitor) signIn(n *Node) (cookie string) {
	link, err := n.access.SignIn()
	if err != nil {
		v.t.Fatal(err)
	}
	_, token, _ := strings.Cut(link, "#signin=")
	resp, body := v.ask("POST", "/api/v1/session", strings.NewReader(`{"token":"`+token+`"}`), "Content-Type: application/json")
	if resp.StatusCode != http.StatusCreated || len(resp.Cookies()) != 1 {
		v.t.Fatalf("signing in: %s %s", resp.Status, body)
	}
	if resp, _ := v.ask("POST", "/api/v1/session", strings.NewReader(`{"token":"`+token+`"}`), "Content-Type: application/json"); resp.StatusCode != http.StatusUnauthorized {
		v.t.Errorf("the link works twice: %s", resp.Status)
	}
	c := resp.Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || !strings.HasSuffix(c.Name, v.base.Port()) {
		v.t.Errorf("the cookie is %v", c)
	}
	return "Cookie: " + c.Name + "=" + c.Value
}

// Each row is something that an attacker may try on the page of a real node with real
// content: the web rows of the threat model, and each promise of the page.
func TestThreatsToThePage(t *testing.T) {
	n := startDaemon(t, options(t, stateDir(t), map[string][]string{"web": {"[::1]:0"}}))
	c := n.Client()
	defer c.Close()
	dir := filepath.Join(t.TempDir(), "files")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	names := []string{"a.html", "b.svg", "c.xml", "d.pdf", "e.xhtml", "f.js", "g.png", "h.txt"}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("<script>alert(1)</script>"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	id := shared(t, c, dir).ID.String()
	v := visit(t, n)
	me := v.signIn(n)
	const asJSON = "Content-Type: application/json"
	limits := func() io.Reader { return strings.NewReader(`{"up":1,"down":1}`) }
	for _, row := range []struct {
		name         string
		method, path string
		body         io.Reader
		headers      []string
		want         int
	}{
		{"rebinding: a foreign Host, though signed in", "GET", "/api/v1/node", nil, []string{me, "Host: evil.example:" + v.base.Port()}, 421},
		{"rebinding: the page itself", "GET", "/", nil, []string{"Host: evil.example"}, 421},
		{"foreign Origin", "PUT", "/api/v1/limits", limits(), []string{me, asJSON, "Origin: http://evil.example"}, 403},
		{"opaque Origin", "PUT", "/api/v1/limits", limits(), []string{me, asJSON, "Origin: null"}, 403},
		{"CSRF: another site, without an Origin", "DELETE", "/api/v1/transfers/" + id, nil, []string{me, "Sec-Fetch-Site: cross-site"}, 403},
		{"CSRF: a form", "POST", "/api/v1/transfers", strings.NewReader("link=x"), []string{me, "Content-Type: application/x-www-form-urlencoded"}, 415},
		{"CSRF: JSON as text", "POST", "/api/v1/transfers", strings.NewReader("{}"), []string{me, "Content-Type: text/plain"}, 415},
		{"CSRF: a form with a file to be uploaded", "POST", "/api/v1/uploads/x", strings.NewReader("x"), []string{me, "Content-Type: multipart/form-data; boundary=x"}, 415},
		{"CSRF: an upload as text", "POST", "/api/v1/uploads/x", strings.NewReader("x"), []string{me, "Content-Type: text/plain"}, 415},
		{"CSRF: preflight is never granted", "OPTIONS", "/api/v1/limits", nil, []string{"Origin: http://evil.example", "Access-Control-Request-Method: PUT"}, 401},
		{"missing token", "GET", "/api/v1/transfers", nil, nil, 401},
		{"missing token: events", "GET", "/api/v1/events", nil, nil, 401},
		{"missing token: content", "GET", "/api/v1/transfers/" + id + "/files/7/content", nil, nil, 401},
		{"missing token: folders of the host", "GET", "/api/v1/folders", nil, nil, 401},
		{"missing token: uploads", "POST", "/api/v1/uploads/x", strings.NewReader("x"), []string{"Content-Type: application/octet-stream"}, 401},
		{"a made-up bearer token", "GET", "/api/v1/transfers", nil, []string{"Authorization: Bearer shoal_x"}, 401},
		{"no password that works where none is set", "POST", "/api/v1/session", strings.NewReader(`{"password":"admin"}`), []string{asJSON}, 401},
		{"traversal: content", "GET", "/api/v1/transfers/" + id + "/files/..%2f..%2fetc%2fpasswd/content", nil, []string{me}, 422},
		{"traversal: file number", "GET", "/api/v1/transfers/" + id + "/files/-1/content", nil, []string{me}, 422},
		{"traversal: archive", "GET", "/api/v1/transfers/" + id + "/archive?path=../../etc", nil, []string{me}, 404},
		{"traversal: upload", "POST", "/api/v1/uploads/..%2fx", strings.NewReader("x"), []string{me, "Content-Type: application/octet-stream"}, 400},
		{"traversal: folder of an upload", "POST", "/api/v1/uploads/x?folder=..", strings.NewReader("x"), []string{me, "Content-Type: application/octet-stream"}, 400},
		{"traversal: the page", "GET", "/..%2f..%2fetc/passwd.txt", nil, nil, 404},
		{"clickjacking: the page cannot be framed", "GET", "/", nil, nil, 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := &visitor{t, v.base, v.http}
			resp, body := v.ask(row.method, row.path, row.body, row.headers...)
			if resp.StatusCode != row.want {
				t.Fatalf("%s, not %d: %s", resp.Status, row.want, body)
			}
			h := resp.Header
			for k := range h {
				if strings.HasPrefix(k, "Access-Control") {
					t.Errorf("%s is never given", k)
				}
			}
			if row.want == http.StatusMisdirectedRequest {
				return // refused before anything else
			}
			policy := h.Get("Content-Security-Policy")
			for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'"} {
				if !strings.Contains(policy, part) {
					t.Errorf("the policy lacks %s: %s", part, policy)
				}
			}
			if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "same-origin" || h.Get("X-Frame-Options") != "DENY" {
				t.Errorf("%v", h)
			}
		})
	}
	if l, err := c.Limits(testContext(t)); err != nil || l.Up != 0 {
		t.Errorf("a forged request got through: %+v %v", l, err)
	}

	t.Run("hostile files are never rendered", func(t *testing.T) {
		v := &visitor{t, v.base, v.http}
		for i, name := range names {
			resp, _ := v.ask("GET", fmt.Sprintf("/api/v1/transfers/%s/files/%d/content", id, i), nil, me)
			h := resp.Header
			kind, how := h.Get("Content-Type"), h.Get("Content-Disposition")
			if resp.StatusCode != http.StatusOK || h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox;") {
				t.Errorf("%s: %s %v", name, resp.Status, h)
			}
			inline := name == "g.png" || name == "h.txt" // which carry no script
			if !inline && (kind != "application/octet-stream" || !strings.HasPrefix(how, "attachment")) {
				t.Errorf("%s is served as %s, %s", name, kind, how)
			}
			if strings.Contains(kind, "html") || strings.Contains(kind, "xml") || strings.Contains(kind, "script") || strings.Contains(kind, "pdf") {
				t.Errorf("%s is served as %s", name, kind)
			}
		}
	})

	t.Run("hostile names are data", func(t *testing.T) {
		v := &visitor{t, v.base, v.http}
		long := "<script>alert(1)</script>\u202e\x00" + strings.Repeat("x", 10_000)
		body, err := json.Marshal(map[string]any{"link": "magnet:?xt=urn:btih:" + strings.Repeat("5", 40) + "&dn=" + url.QueryEscape(long), "paused": true})
		if err != nil {
			t.Fatal(err)
		}
		resp, got := v.ask("POST", "/api/v1/transfers", strings.NewReader(string(body)), me, asJSON)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s %s", resp.Status, got)
		}
		var added share.Transfer
		if err := json.Unmarshal([]byte(got), &added); err != nil {
			t.Fatal(err)
		}
		if len(added.Name) > 1000 || strings.Contains(added.Name, "\x00") {
			t.Errorf("the name has %d bytes: %.100q", len(added.Name), added.Name)
		}
	})

	t.Run("a body of 1 GB is refused before it is read", func(t *testing.T) {
		c, err := net.Dial("tcp", v.base.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := fmt.Fprintf(c, "PUT /api/v1/limits HTTP/1.1\r\nHost: %s\r\n%s\r\n%s\r\nContent-Length: 1073741824\r\n\r\n", v.base.Host, me, asJSON); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "413") {
			t.Errorf("%q %v", line, err)
		}
	})

	t.Run("guesses are limited", func(t *testing.T) {
		v := &visitor{t, v.base, v.http}
		for i := range 20 {
			resp, _ := v.ask("POST", "/api/v1/session", strings.NewReader(`{"password":"guess"}`), asJSON)
			if resp.StatusCode == http.StatusTooManyRequests {
				if resp.Header.Get("Retry-After") == "" {
					t.Error("it does not say when to try again")
				}
				// A signed-in user does not notice.
				if resp, _ := v.ask("GET", "/api/v1/node", nil, me); resp.StatusCode != http.StatusOK {
					t.Errorf("signed in: %s", resp.Status)
				}
				return
			}
			if resp.StatusCode != http.StatusUnauthorized {
				t.Fatalf("guess %d: %s", i, resp.Status)
			}
		}
		t.Error("twenty guesses were allowed")
	})

	t.Run("slow headers are cut off, and nobody waits for them", func(t *testing.T) {
		v := &visitor{t, v.base, v.http}
		slow, err := net.Dial("tcp", v.base.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer slow.Close()
		if _, err := fmt.Fprintf(slow, "GET / HTTP/1.1\r\nHost: %s\r\nX: ", v.base.Host); err != nil {
			t.Fatal(err)
		}
		if resp, _ := v.ask("GET", "/", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("meanwhile: %s", resp.Status)
		}
		// A byte now and then does not extend it.
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = bufio.NewReader(slow).ReadString(0)
		}()
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for end := time.After(45 * time.Second); ; {
			select {
			case <-ended:
				return
			case <-end:
				t.Fatal("it may go on for ever")
			case <-tick.C:
				_, _ = slow.Write([]byte("x")) // fails when it is cut off
			}
		}
	})
}
