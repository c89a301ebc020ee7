package webui

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

type fixture struct {
	auth   *Auth
	server *Server
	addr   string
	file   string
	// reached counts the requests that reached the API.
	reached chan *http.Request
}

func start(t *testing.T, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{file: filepath.Join(t.TempDir(), "credentials"), reached: make(chan *http.Request, 64)}
	auth, err := OpenAuth(f.file, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	f.auth = auth
	cfg := Config{
		Logger: slog.New(slog.DiscardHandler), Auth: auth, Now: time.Now,
		API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				problem(w, http.StatusRequestEntityTooLarge, err.Error())
				return
			}
			f.reached <- r
			w.WriteHeader(http.StatusNoContent)
		}),
		Page: fstest.MapFS{"index.html": {Data: []byte("<!doctype html><title>shoal</title>")}, "app.js": {Data: []byte(strings.Repeat("let x;", 500))}},
	}
	if change != nil {
		change(&cfg)
	}
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	f.server, err = New(cfg, l)
	if err != nil {
		t.Fatal(err)
	}
	f.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return f
}

type request struct {
	method, path, body string
	header             map[string]string
}

func (f *fixture) do(t *testing.T, q request) *http.Response {
	t.Helper()
	r, err := http.NewRequest(q.method, "http://"+f.addr+q.path, strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range q.header {
		if k == "Host" {
			r.Host = v
		} else {
			r.Header.Set(k, v)
		}
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// signIn returns the Cookie header of a browser that followed a sign-in link.
func (f *fixture) signIn(t *testing.T) string {
	t.Helper()
	_, token, ok := strings.Cut(f.server.SignInURL(), "#signin=")
	if !ok {
		t.Fatalf("no token in %q", f.server.SignInURL())
	}
	res := f.do(t, request{method: "POST", path: sessionPath, body: `{"token":"` + token + `"}`,
		header: map[string]string{"Content-Type": "application/json"}})
	if res.StatusCode != http.StatusCreated || len(res.Cookies()) != 1 {
		t.Fatalf("sign-in: %s", res.Status)
	}
	c := res.Cookies()[0]
	_, port, _ := net.SplitHostPort(f.addr)
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Name != "shoal_"+port {
		t.Errorf("cookie %v is not HttpOnly, SameSite=Strict and named after the port", c)
	}
	return c.Name + "=" + c.Value
}

func TestGuards(t *testing.T) {
	f := start(t, func(c *Config) { c.Hosts = []string{"box.example", "2001:db8::7"} })
	cookie := f.signIn(t)
	_, port, _ := net.SplitHostPort(f.addr)
	jsonType := "application/json"
	for _, c := range []struct {
		name string
		q    request
		want int
	}{
		{"signed in", request{"GET", "/api/v1/transfers", "", map[string]string{"Cookie": cookie}}, 204},
		{"page needs no sign-in", request{"GET", "/", "", nil}, 200},
		{"route of the page", request{"GET", "/transfers/abc", "", nil}, 200},
		{"no such asset", request{"GET", "/other.js", "", nil}, 404},
		{"traversal", request{"GET", "/..%2f..%2fetc/passwd.txt", "", nil}, 404},
		{"rebinding", request{"GET", "/api/v1/transfers", "", map[string]string{"Cookie": cookie, "Host": "evil.example:" + port}}, 421},
		{"rebinding the page", request{"GET", "/", "", map[string]string{"Host": "evil.example"}}, 421},
		{"another port of ours", request{"GET", "/", "", map[string]string{"Host": "localhost:1"}}, 421},
		{"localhost", request{"GET", "/", "", map[string]string{"Host": "localhost:" + port}}, 200},
		{"an address", request{"GET", "/", "", map[string]string{"Host": "[2001:db8::5]:" + port}}, 200},
		{"an IPv4 address", request{"GET", "/", "", map[string]string{"Host": "192.168.1.5:" + port}}, 200},
		{"an address with the port of another service", request{"GET", "/", "", map[string]string{"Host": "[2001:db8::5]:1"}}, 421},
		{"an address with the port of HTTP", request{"GET", "/", "", map[string]string{"Host": "[2001:db8::5]"}}, 421},
		{"no address", request{"GET", "/", "", map[string]string{"Host": "[::]:" + port}}, 421},
		{"from a page at an address", request{"POST", "/api/v1/transfers", "{}", map[string]string{"Cookie": cookie, "Content-Type": jsonType, "Host": "[2001:db8::5]:" + port, "Origin": "http://[2001:db8::5]:1"}}, 403},
		{"allowed name", request{"GET", "/", "", map[string]string{"Host": "box.example"}}, 200},
		{"allowed address with the port of a proxy", request{"GET", "/", "", map[string]string{"Host": "[2001:db8::7]:1"}}, 200},
		{"empty host", request{"GET", "/", "", map[string]string{"Host": ":" + port}}, 421},
		{"no sign-in", request{"GET", "/api/v1/transfers", "", nil}, 401},
		{"forged cookie", request{"GET", "/api/v1/transfers", "", map[string]string{"Cookie": "shoal_" + port + "=shoal_x"}}, 401},
		{"cookie of another node", request{"GET", "/api/v1/transfers", "", map[string]string{"Cookie": "shoal_1=" + cookie}}, 401},
		{"cookie as bearer", request{"GET", "/api/v1/transfers", "", map[string]string{"Authorization": "Bearer " + strings.SplitN(cookie, "=", 2)[1]}}, 401},
		{"foreign origin", request{"POST", "/api/v1/transfers", "{}", map[string]string{"Cookie": cookie, "Content-Type": jsonType, "Origin": "http://evil.example"}}, 403},
		{"foreign site", request{"POST", "/api/v1/transfers", "{}", map[string]string{"Cookie": cookie, "Content-Type": jsonType, "Sec-Fetch-Site": "cross-site"}}, 403},
		{"same-site is not same origin", request{"DELETE", "/api/v1/transfers/x", "", map[string]string{"Cookie": cookie, "Sec-Fetch-Site": "same-site"}}, 403},
		{"opaque origin", request{"POST", "/api/v1/transfers", "{}", map[string]string{"Cookie": cookie, "Content-Type": jsonType, "Origin": "null"}}, 403},
		{"own origin", request{"POST", "/api/v1/transfers", "{}", map[string]string{"Cookie": cookie, "Content-Type": jsonType, "Origin": "http://" + f.addr}}, 204},
		{"form", request{"POST", "/api/v1/transfers", "a=b", map[string]string{"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}}, 415},
		{"text", request{"POST", "/api/v1/transfers", "{}", map[string]string{"Cookie": cookie, "Content-Type": "text/plain"}}, 415},
		{"multipart", request{"POST", "/api/v1/transfers", "{}", map[string]string{"Cookie": cookie, "Content-Type": "multipart/form-data; boundary=x"}}, 415},
		{"no type", request{"POST", "/api/v1/transfers", "{}", map[string]string{"Cookie": cookie}}, 415},
		{"torrent", request{"POST", "/api/v1/transfers", "d4:infode", map[string]string{"Cookie": cookie, "Content-Type": "application/x-bittorrent"}}, 204},
		{"large", request{"POST", "/api/v1/transfers", strings.Repeat(" ", maxBody+1), map[string]string{"Cookie": cookie, "Content-Type": jsonType}}, 413},
		{"part of a large upload", request{"PATCH", "/api/v1/incoming/b/files/f", strings.Repeat(" ", maxBody+1), map[string]string{"Cookie": cookie, "Content-Type": "application/offset+octet-stream"}}, 204},
		{"large body that is none", request{"POST", "/api/v1/incoming/b", strings.Repeat(" ", maxBody+1), map[string]string{"Cookie": cookie, "Content-Type": "application/json"}}, 413},
		{"upload of another site", request{"PATCH", "/api/v1/incoming/b/files/f", "x", map[string]string{"Cookie": cookie, "Content-Type": "application/offset+octet-stream", "Origin": "http://evil.example"}}, 403},
		{"large upload", request{"POST", "/api/v1/uploads/f", strings.Repeat(" ", maxBody+1), map[string]string{"Cookie": cookie, "Content-Type": "application/octet-stream"}}, 204},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := f.do(t, c.q)
			if res.StatusCode != c.want {
				b, _ := io.ReadAll(res.Body)
				t.Fatalf("%s, want %d: %s", res.Status, c.want, b)
			}
			if res.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("CORS is never granted")
			}
			for k, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"} {
				if got := res.Header.Get(k); got != want {
					t.Errorf("%s: %q, want %q", k, got, want)
				}
			}
		})
	}
}

// A body of unknown length is cut at the same limit, and the API sees an error.
func TestEndlessBody(t *testing.T) {
	f := start(t, nil)
	r, _ := http.NewRequest("POST", "http://"+f.addr+"/api/v1/transfers", struct{ io.Reader }{io.LimitReader(zeros{}, 1<<30)})
	r.Header.Set("Cookie", f.signIn(t))
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return // closed in the middle: refused all the same
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a gigabyte: %s", res.Status)
	}
	if len(f.reached) != 0 {
		t.Error("the API took an endless body")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestOneTimeTokens(t *testing.T) {
	f := start(t, nil)
	token := f.auth.OneTime()
	if _, _, err := f.auth.Redeem(token, "x"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.auth.Redeem(token, "x"); err != ErrDenied {
		t.Errorf("used twice: %v", err)
	}
	token = f.auth.OneTime()
	f.auth.now = func() time.Time { return time.Now().Add(oneTimeLife + time.Second) }
	if _, _, err := f.auth.Redeem(token, "x"); err != ErrDenied {
		t.Errorf("used late: %v", err)
	}
}

func TestSessionsAreListedAndRevoked(t *testing.T) {
	f := start(t, nil)
	mine, other := f.signIn(t), f.signIn(t)
	res := f.do(t, request{"GET", "/api/v1/sessions", "", map[string]string{"Cookie": mine}})
	var all []listed
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	for _, s := range all {
		if !s.This {
			if res := f.do(t, request{"DELETE", "/api/v1/sessions/" + s.ID, "", map[string]string{"Cookie": mine}}); res.StatusCode != 204 {
				t.Fatal(res.Status)
			}
		}
	}
	if res := f.do(t, request{"GET", "/api/v1/x", "", map[string]string{"Cookie": other}}); res.StatusCode != 401 {
		t.Errorf("revoked, still let in: %s", res.Status)
	}
	if res := f.do(t, request{"POST", "/api/v1/sessions", `{"label":"script"}`, map[string]string{"Cookie": mine, "Content-Type": "application/json"}}); res.StatusCode != 201 {
		t.Fatal(res.Status)
	} else {
		var made struct{ Token string }
		if err := json.NewDecoder(res.Body).Decode(&made); err != nil {
			t.Fatal(err)
		}
		if res := f.do(t, request{"GET", "/api/v1/x", "", map[string]string{"Authorization": "Bearer " + made.Token}}); res.StatusCode != 204 {
			t.Errorf("a token of ours: %s", res.Status)
		}
		if res := f.do(t, request{"GET", "/api/v1/x", "", map[string]string{"Cookie": strings.SplitN(mine, "=", 2)[0] + "=" + made.Token}}); res.StatusCode != 401 {
			t.Errorf("a program's token as a cookie: %s", res.Status)
		}
		if b, _ := os.ReadFile(f.file); strings.Contains(string(b), made.Token) {
			t.Error("the file holds a secret in the clear")
		}
	}
	if i, err := os.Stat(f.file); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("credentials: %v, %v", i, err)
	}
	again, err := OpenAuth(f.file, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Check(strings.SplitN(mine, "=", 2)[1]); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if res := f.do(t, request{"DELETE", sessionPath, "", map[string]string{"Cookie": mine}}); res.StatusCode != 204 {
		t.Fatal(res.Status)
	}
	if res := f.do(t, request{"GET", "/api/v1/x", "", map[string]string{"Cookie": mine}}); res.StatusCode != 401 {
		t.Errorf("signed out, still let in: %s", res.Status)
	}
}

// Requests of a sign-in that are under way, such as an event stream, end with it.
func TestRevokedSignInsEndWhatTheyHaveUnderWay(t *testing.T) {
	began := make(chan struct{})
	f := start(t, func(c *Config) {
		c.API = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			began <- struct{}{}
			<-r.Context().Done()
		})
	})
	first, second := f.signIn(t), f.signIn(t)
	var streams []io.Reader
	for _, cookie := range []string{first, second, first} {
		go func() { <-began }()
		streams = append(streams, f.do(t, request{method: "GET", path: "/api/v1/events", header: map[string]string{"Cookie": cookie}}).Body)
	}
	_, secret, _ := strings.Cut(first, "=")
	who, err := f.auth.Check(secret)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := f.auth.Revoke(who.ID); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for _, i := range []int{0, 2} {
		if _, err := io.ReadAll(streams[i]); err != nil {
			t.Errorf("stream %d: %v", i, err)
		}
	}
	_, secret, _ = strings.Cut(second, "=")
	if who, err = f.auth.Check(secret); err != nil {
		t.Fatal(err)
	}
	f.auth.mu.Lock()
	left := len(f.auth.running[who.ID])
	f.auth.mu.Unlock()
	if left != 1 {
		t.Errorf("the other has %d under way", left)
	}
}

func TestPasswords(t *testing.T) {
	f := start(t, nil)
	post := func(password string) int {
		return f.do(t, request{"POST", sessionPath, `{"password":"` + password + `"}`, map[string]string{"Content-Type": "application/json"}}).StatusCode
	}
	if got := post("anything"); got != 401 {
		t.Errorf("without a password set: %d", got)
	}
	if err := f.auth.SetPassword("short", ""); err == nil {
		t.Error("took a short password")
	}
	if err := f.auth.SetPassword("correct horse", ""); err != nil {
		t.Fatal(err)
	}
	if got := post("correct horse"); got != 201 {
		t.Errorf("right password: %d", got)
	}
	codes := map[int]int{}
	for i := range triesAtOnce + 3 {
		codes[post(fmt.Sprint("guess ", i))]++
	}
	if codes[429] < 3 || codes[201] != 0 {
		t.Errorf("guesses answered with %v", codes)
	}
}

func TestOtherThanLoopbackNeedsAPassword(t *testing.T) {
	auth, err := OpenAuth(filepath.Join(t.TempDir(), "credentials"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := Config{Auth: auth, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
	if _, err := New(cfg, l); err == nil || !strings.Contains(err.Error(), "password") {
		t.Errorf("got %v", err)
	}
	if err := auth.SetPassword("correct horse", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := New(cfg, l); err != nil {
		t.Error(err)
	}
}

func TestPageIsPackedAndRevalidated(t *testing.T) {
	f := start(t, nil)
	res := f.do(t, request{"GET", "/app.js", "", map[string]string{"Accept-Encoding": "gzip"}})
	if res.Header.Get("Content-Encoding") != "gzip" || !strings.Contains(res.Header.Get("Content-Type"), "javascript") {
		t.Errorf("headers %v", res.Header)
	}
	again := f.do(t, request{"GET", "/app.js", "", map[string]string{"Accept-Encoding": "gzip", "If-None-Match": res.Header.Get("ETag")}})
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("asked again: %s", again.Status)
	}
}

// A client that connects and sends nothing, or never ends its headers, uses one
// connection: others are served meanwhile.
func TestSilentConnections(t *testing.T) {
	f := start(t, nil)
	for range 50 {
		c, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
	}
	if res := f.do(t, request{"GET", "/", "", nil}); res.StatusCode != 200 {
		t.Error(res.Status)
	}
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n\r\n", strings.Repeat("x", 2*maxHeader))
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(line, "431") {
		t.Errorf("long headers: %q, %v", line, err)
	}
}

func TestDamagedCredentials(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuth(file, time.Now); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v", err)
	}
	for _, phc := range []string{"", "x", "$argon2id$v=19$m=19456,t=2,p=1$$", "$argon2id$v=19$m=4294967295,t=1,p=1$AAAA$AAAA", "$argon2i$v=19$m=1,t=1,p=1$AAAA$AAAA"} {
		if NewPasswords().Matches(phc, "") {
			t.Errorf("%q matches", phc)
		}
	}
}

// A browser that used a name gets a page that says what to do, which cannot be made to
// say anything else.
func TestAnUnknownNameIsExplained(t *testing.T) {
	f := start(t, nil)
	res := f.do(t, request{"GET", "/", "", map[string]string{"Host": "box.local:8080", "Accept": "text/html,*/*"}})
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	if res.StatusCode != http.StatusMisdirectedRequest || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%s, %s", res.Status, res.Header.Get("Content-Type"))
	}
	if !strings.Contains(text, "http://"+f.addr+"/") || !strings.Contains(text, "--web-hosts box.local") {
		t.Errorf("%s", text)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = `"><script>alert(1)</script>`
	f.server.explainHost(w, r)
	if text := w.Body.String(); strings.Contains(text, "<script") {
		t.Errorf("%s", text)
	}
	res = f.do(t, request{"GET", "/api/v1/transfers", "", map[string]string{"Host": "box.local", "Accept": "text/html"}})
	if got := res.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("a program gets %s", got)
	}
}

func TestAddressesForOtherMachines(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("fe80::1"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("fd00::1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("2001:db8::1")}
	for listen, want := range map[string][]string{
		"[::]:0":      {"[2001:db8::1]", "10.0.0.2", "[fd00::1]"},
		"0.0.0.0:0":   {"[2001:db8::1]", "10.0.0.2", "[fd00::1]"}, // Go listens at [::] for it
		"[::1]:0":     nil,
		"127.0.0.1:0": nil,
	} {
		l, err := net.Listen("tcp", listen)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		var urls []string
		for _, host := range want {
			urls = append(urls, "http://"+host+":"+port+"/")
		}
		s := &Server{listener: l}
		if got := s.OtherURLs(own); !slices.Equal(got, urls) {
			t.Errorf("at %s: %v, want %v", listen, got, urls)
		}
	}
}
