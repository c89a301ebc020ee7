package library

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Web seeds as they are. Instances that were met: a 503 with Retry-After, a
// connection that is cut, a mirror that is down, a file that one of them lacks.

// web is a network of servers by host.
type web struct {
	hosts map[string]func(*http.Request) (*http.Response, error)
	log   []string // "HOST RANGE at SECONDS"
	begun time.Time
}

func (w *web) RoundTrip(req *http.Request) (*http.Response, error) {
	w.log = append(w.log, fmt.Sprintf("%s %s at %d", req.URL.Host, req.Header.Get("Range"), time.Since(w.begun)/time.Second))
	return w.hosts[req.URL.Host](req)
}

var webData = noise("web", 100)

// sends answers with the part that is asked for; it is cut after n bytes if n is
// not 0.
func sends(n int) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		from, to, code := 0, len(webData)-1, http.StatusOK
		if k, _ := fmt.Sscanf(req.Header.Get("Range"), "bytes=%d-%d", &from, &to); k == 2 {
			code = http.StatusPartialContent
		}
		resp := answers(code)
		resp.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(webData)))
		part := webData[from : to+1]
		resp.ContentLength = int64(len(part))
		resp.Body = io.NopCloser(bytes.NewReader(part))
		if n > 0 && n < len(part) {
			resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(part[:n]), broken{}))
		}
		return resp, nil
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func answers(code int, headers ...string) *http.Response {
	h := make(http.Header)
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{
		StatusCode: code, Status: fmt.Sprint(code, " ", http.StatusText(code)), Header: h, Body: io.NopCloser(strings.NewReader("")),
		ContentLength: -1,
	}
}

// inTurn gives one answer after the other; the last stays.
func inTurn(all ...func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
	n := 0
	return func(req *http.Request) (*http.Response, error) {
		n++
		return all[min(n, len(all))-1](req)
	}
}

func says(code int, headers ...string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return answers(code, headers...), nil }
}

func down(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }

func TestMirrors(t *testing.T) {
	busy := func(wait string) func(*http.Request) (*http.Response, error) { return says(503, "Retry-After", wait) }
	for _, c := range []struct {
		name string
		a, b func(*http.Request) (*http.Response, error) // b may be nil
		span string
		want []string
		err  string // or the status, when it is passed on
	}{
		{"all is well", sends(0), nil, "10-49", []string{"a bytes=10-49 at 0"}, ""},
		{"the whole", sends(0), nil, "", []string{"a  at 0"}, ""},
		{"503 is retried after its time", inTurn(busy("30"), sends(0)), nil, "10-49", []string{"a bytes=10-49 at 0", "a bytes=10-49 at 30"}, ""},
		{"503 without a time", inTurn(says(503), sends(0)), nil, "10-49", []string{"a bytes=10-49 at 0", "a bytes=10-49 at 5"}, ""},
		{"429, too", inTurn(says(429, "Retry-After", "7"), sends(0)), nil, "0-9", []string{"a bytes=0-9 at 0", "a bytes=0-9 at 7"}, ""},
		{"503 for too long", busy("3600"), nil, "0-9", []string{"a bytes=0-9 at 0"}, "503 Service Unavailable"},
		{"another mirror at once", busy("30"), sends(0), "10-49", []string{"a bytes=10-49 at 0", "b bytes=10-49 at 0"}, ""},
		{"a mirror that is down", down, sends(0), "10-49", []string{"a bytes=10-49 at 0", "b bytes=10-49 at 0"}, ""},
		{"both are down", down, down, "10-49", []string{"a bytes=10-49 at 0", "b bytes=10-49 at 0"}, "connection refused"},
		{"one busy, one down", inTurn(busy("9"), sends(0)), down, "10-49", []string{"a bytes=10-49 at 0", "b bytes=10-49 at 0", "a bytes=10-49 at 9"}, ""},
		{"cut, and goes on at once", inTurn(sends(15), sends(5), sends(0)), nil, "10-49",
			[]string{"a bytes=10-49 at 0", "a bytes=25-49 at 0", "a bytes=30-49 at 0"}, ""},
		{"cut in the whole", inTurn(sends(15), sends(0)), nil, "", []string{"a  at 0", "a bytes=15-99 at 0"}, ""},
		{"cut, then down: the other goes on", inTurn(sends(15), down), sends(0), "10-49",
			[]string{"a bytes=10-49 at 0", "a bytes=25-49 at 0", "b bytes=25-49 at 0"}, ""},
		{"cut, and no parts", inTurn(sends(15), says(200)), nil, "10-49", []string{"a bytes=10-49 at 0", "a bytes=25-49 at 0"}, "parts of files"},
		{"another part", says(206, "Content-Range", "bytes 0-9/100"), nil, "10-49", []string{"a bytes=10-49 at 0"}, "another part"},
		{"packed", says(206, "Content-Range", "bytes 10-49/100", "Content-Encoding", "gzip"), nil, "10-49", []string{"a bytes=10-49 at 0"}, "packed"},
		{"404 is for the library", says(404), sends(0), "10-49", []string{"a bytes=10-49 at 0"}, "404"},
		{"a redirect", says(302, "Location", "http://c/x"), nil, "10-49", []string{"a bytes=10-49 at 0", "c bytes=10-49 at 0"}, ""},
		{"a loop", says(302, "Location", "http://a/x"), nil, "10-49", []string{
			"a bytes=10-49 at 0", "a bytes=10-49 at 0", "a bytes=10-49 at 0", "a bytes=10-49 at 0", "a bytes=10-49 at 0", "a bytes=10-49 at 0",
		}, "redirects"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &web{begun: time.Now(), hosts: map[string]func(*http.Request) (*http.Response, error){"a": c.a, "b": c.b, "c": sends(0)}}
				g := &mirrors{next: w}
				urls := []string{"http://a/d/"}
				if c.b != nil {
					urls = append(urls, "http://b/other/")
				}
				m := g.add(urls)[0]
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://a/d/name%20x/f", nil)
				from, to := 0, len(webData)-1
				if c.span != "" {
					req.Header.Set("Range", "bytes="+c.span)
					fmt.Sscanf(c.span, "%d-%d", &from, &to)
				}
				resp, err := m.RoundTrip(req)
				var got []byte
				if err == nil {
					got, err = io.ReadAll(resp.Body)
					resp.Body.Close()
					if resp.StatusCode >= 300 {
						err = errors.New(resp.Status)
					}
				}
				if c.err == "" && (err != nil || !bytes.Equal(got, webData[from:to+1])) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
					t.Errorf("%v, want %q", err, c.err)
				}
				if fmt.Sprint(w.log) != fmt.Sprint(c.want) {
					t.Errorf("asked %q, want %q", w.log, c.want)
				}
				if way := g.state()[0]; c.err != "" && (way.Err == nil || !strings.Contains(way.Err.Error(), c.err)) {
					t.Errorf("it is said: %v", way.Err)
				}
			})
		})
	}
}

func TestMirrorsEndWithTheirContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &mirrors{next: &web{hosts: map[string]func(*http.Request) (*http.Response, error){"a": says(503, "Retry-After", "60")}}}
		m := g.add([]string{"http://a/"})[0]
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://a/f", nil)
		begun := time.Now()
		if _, err := m.RoundTrip(req); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
	})
}
