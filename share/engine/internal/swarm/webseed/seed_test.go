package webseed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Web seeds as they are. Instances that were met: a 503 with Retry-After, a
// connection that is cut, a server that is down, a file that one of them lacks.

// web is a network of servers by host.
type web struct {
	hosts map[string]answer
	log   []string // "HOST RANGE at SECONDS"
	begun time.Time
}

type answer func(*http.Request) (*http.Response, error)

func (w *web) RoundTrip(req *http.Request) (*http.Response, error) {
	w.log = append(w.log, fmt.Sprintf("%s %s at %d", req.URL.Host, req.Header.Get("Range"), time.Since(w.begun)/time.Second))
	return w.hosts[req.URL.Host](req)
}

var data = func() []byte {
	b := make([]byte, 100)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}()

// sends answers with the part that is asked for; it is cut after n bytes if n is
// not 0.
func sends(n int) answer {
	return func(req *http.Request) (*http.Response, error) {
		from, to, code := 0, len(data)-1, http.StatusOK
		if k, _ := fmt.Sscanf(req.Header.Get("Range"), "bytes=%d-%d", &from, &to); k == 2 {
			code = http.StatusPartialContent
		}
		resp := answers(code)
		resp.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(data)))
		part := data[from : to+1]
		resp.Body = io.NopCloser(bytes.NewReader(part))
		if n > 0 && n < len(part) {
			resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(part[:n]), broken{}))
		}
		return resp, nil
	}
}

// whole sends all, whatever part is asked for.
func whole(*http.Request) (*http.Response, error) {
	resp := answers(http.StatusOK)
	resp.Body = io.NopCloser(bytes.NewReader(data))
	return resp, nil
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
func inTurn(all ...answer) answer {
	n := 0
	return func(req *http.Request) (*http.Response, error) {
		n++
		return all[min(n, len(all))-1](req)
	}
}

func says(code int, headers ...string) answer {
	return func(*http.Request) (*http.Response, error) { return answers(code, headers...), nil }
}

func down(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }

// try fetches a part, waiting for as long as the server asks for.
func try(ctx context.Context, s *Seed, from, to int64) (got []byte, err error) {
	for range 2 {
		if !s.Wait(ctx) {
			return got, err
		}
		got = got[:0]
		err = s.Fetch(ctx, from, to, func(b []byte) error { got = append(got, b...); return nil })
		if err == nil {
			return got, nil
		}
	}
	return got, err
}

func TestServers(t *testing.T) {
	for _, c := range []struct {
		name string
		a    answer
		span string
		want []string
		err  string // of the second attempt
	}{
		{"all is well", sends(0), "10-49", []string{"a bytes=10-49 at 0"}, ""},
		{"the whole", sends(0), "0-99", []string{"a  at 0"}, ""},
		{"503 is retried after its time", inTurn(says(503, "Retry-After", "30"), sends(0)), "10-49", []string{"a bytes=10-49 at 0", "a bytes=10-49 at 30"}, ""},
		{"503 without a time", inTurn(says(503), sends(0)), "10-49", []string{"a bytes=10-49 at 0", "a bytes=10-49 at 5"}, ""},
		{"503 until a date in the past", inTurn(says(503, "Retry-After", "Sat, 01 Jan 2000 00:00:01 GMT"), sends(0)), "10-49", []string{"a bytes=10-49 at 0", "a bytes=10-49 at 1"}, ""},
		{"429, too", inTurn(says(429, "Retry-After", "7"), sends(0)), "0-9", []string{"a bytes=0-9 at 0", "a bytes=0-9 at 7"}, ""},
		{"503 for longer than anybody waits", says(503, "Retry-After", "999999"), "0-9", []string{"a bytes=0-9 at 0", "a bytes=0-9 at 3600"}, "503 Service Unavailable"},
		{"down", down, "10-49", []string{"a bytes=10-49 at 0", "a bytes=10-49 at 10"}, "connection refused"},
		{"cut, and goes on at once", inTurn(sends(15), sends(5), sends(0)), "10-49",
			[]string{"a bytes=10-49 at 0", "a bytes=25-49 at 0", "a bytes=30-49 at 0"}, ""},
		{"cut in the whole", inTurn(sends(15), sends(0)), "0-99", []string{"a  at 0", "a bytes=15-99 at 0"}, ""},
		{"cut, then down", inTurn(sends(15), down, sends(0)), "10-49",
			[]string{"a bytes=10-49 at 0", "a bytes=25-49 at 0", "a bytes=10-49 at 10"}, ""},
		{"ends too soon, again and again", says(206, "Content-Range", "bytes 10-49/100"), "10-49",
			[]string{"a bytes=10-49 at 0", "a bytes=10-49 at 0", "a bytes=10-49 at 10", "a bytes=10-49 at 10"}, "breaks off"},
		{"no parts, but what is before is short", whole, "10-49", []string{"a bytes=10-49 at 0"}, ""},
		{"another part", says(206, "Content-Range", "bytes 0-9/100"), "10-49", []string{"a bytes=10-49 at 0", "a bytes=10-49 at 10"}, "another part"},
		{"packed", says(206, "Content-Range", "bytes 10-49/100", "Content-Encoding", "gzip"), "10-49", []string{"a bytes=10-49 at 0", "a bytes=10-49 at 10"}, "packed"},
		{"404 is for good", says(404), "10-49", []string{"a bytes=10-49 at 0"}, "404"},
		{"500 is not", inTurn(says(500), sends(0)), "10-49", []string{"a bytes=10-49 at 0", "a bytes=10-49 at 10"}, ""},
		{"a redirect", says(302, "Location", "http://c/x"), "10-49", []string{"a bytes=10-49 at 0", "c bytes=10-49 at 0"}, ""},
		{"a loop", inTurn(says(302, "Location", "http://a/x"), says(302, "Location", "http://a/x"), says(302, "Location", "http://a/x"),
			says(302, "Location", "http://a/x"), says(302, "Location", "http://a/x"), says(302, "Location", "http://a/x"), sends(0)), "10-49", []string{
			"a bytes=10-49 at 0", "a bytes=10-49 at 0", "a bytes=10-49 at 0", "a bytes=10-49 at 0", "a bytes=10-49 at 0", "a bytes=10-49 at 0",
			"a bytes=10-49 at 10",
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &web{begun: time.Now(), hosts: map[string]answer{"a": c.a, "c": sends(0)}}
				s := New("http://a/d/", &Files{name: "f", all: []file{{length: 100}}}, w)
				var from, to int64
				fmt.Sscanf(c.span, "%d-%d", &from, &to)
				got, err := try(t.Context(), s, from, to+1)
				if c.err == "" && (err != nil || !bytes.Equal(got, data[from:to+1])) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
					t.Errorf("%v, want %q", err, c.err)
				}
				if fmt.Sprint(w.log) != fmt.Sprint(c.want) {
					t.Errorf("asked %q, want %q", w.log, c.want)
				}
				if state := s.State(); (c.err != "") != (state.Err != nil) || c.err != "" && !strings.Contains(state.Err.Error(), c.err) {
					t.Errorf("it is said: %v", state.Err)
				}
			})
		})
	}
}

func TestARequestEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New("http://a/", &Files{name: "f", all: []file{{length: 100}}}, &web{hosts: map[string]answer{"a": says(503, "Retry-After", "60")}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		if got, err := try(ctx, s, 0, 10); len(got) > 0 || err == nil || time.Since(begun) != time.Second {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
	})
}

func TestAServerThatIsCondemnedIsNotAsked(t *testing.T) {
	s := New("http://a/", &Files{name: "f", all: []file{{length: 100}}}, &web{})
	why := errors.New("it lies")
	s.Condemn(why)
	if s.Wait(t.Context()) || s.State().Err != why {
		t.Errorf("%+v", s.State())
	}
}

// What takes the bytes can end it, and is told its own error.
func TestWhoTakesCanRefuse(t *testing.T) {
	s := New("http://a/", &Files{name: "f", all: []file{{length: 100}}}, &web{hosts: map[string]answer{"a": sends(0)}})
	full := errors.New("no room")
	if err := s.Fetch(t.Context(), 0, 100, func([]byte) error { return full }); err != full || s.State().Err != nil {
		t.Errorf("%v, and it is said: %v", err, s.State().Err)
	}
}

const folder = "d5:filesl" +
	"d6:lengthi30e4:pathl1:a3:b c" + "ee" +
	"d4:attr1:p6:lengthi10e4:pathl4:.pad2:10ee" +
	"d6:lengthi0e4:pathl5:emptyee" +
	"d6:lengthi60e4:pathl4:50%#ee" +
	"e4:name4:my ?12:piece lengthi16384e6:pieces0:e"

func TestFilesBelowAURL(t *testing.T) {
	f, err := Read([]byte(folder))
	if err != nil {
		t.Fatal(err)
	}
	one, err := Read([]byte("d6:lengthi5e4:name3:a/be"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		files *Files
		base  string
		i     int
		want  string
	}{
		{f, "http://a/x/", 0, "http://a/x/my%20%3F/a/b%20c"},
		{f, "http://a/x", 3, "http://a/x/my%20%3F/50%25%23"},
		{one, "http://a/x", 0, "http://a/x"},
		{one, "http://a/x/", 0, "http://a/x/a%2Fb"},
	} {
		if got := c.files.url(c.base, c.i); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	if got := f.cut(20, 45); !slices.Equal(got, []stretch{{0, 20, 30}, {1, 0, 10}, {3, 0, 5}}) {
		t.Errorf("%v", got)
	}
}

// A torrent that BEP 52 alone describes has its files in a tree, each at the beginning of a
// piece. They are fetched whole, and of what is between them nothing is asked for.
func TestFilesOfV2Alone(t *testing.T) {
	leaf := func(n int, more string) string {
		return fmt.Sprintf("d0:d%s6:lengthi%de11:pieces root32:%see", more, n, strings.Repeat("r", 32))
	}
	f, err := Read([]byte("d9:file treed" +
		"1:a" + leaf(30, "") +
		"3:b cd1:x" + leaf(100, "") + "1:y" + "d0:d6:lengthi0eee" + "e" +
		"4:link" + "d0:d4:attr1:l6:lengthi7e12:symlink pathl1:aeee" +
		"1:z" + leaf(5, "") +
		"e12:meta versioni2e4:name4:my ?12:piece lengthi64ee"))
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	w := &web{begun: time.Now(), hosts: map[string]answer{"a": sends(0)}}
	s := New("http://a/d/", f, w)
	if err := s.Fetch(t.Context(), 0, 261, func(b []byte) error { got = append(got, b...); return nil }); err != nil {
		t.Fatal(err)
	}
	want := append(append(append(append(slices.Clone(data[:30]), make([]byte, 34)...), data...), make([]byte, 28)...), data[:5]...)
	// The server has more than 30 and 5 bytes of these files.
	if len(got) != 197 || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %d wanted: %x", len(got), len(want), got)
	}
	for i, want := range map[int]string{0: "http://a/d/my%20%3F/a", 2: "http://a/d/my%20%3F/b%20c/x"} {
		if got := f.url("http://a/d/", i); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for tree, want := range map[string]string{"1:q" + leaf(100, ""): "http://a/d/my%20%3F", "1:qd1:r" + leaf(100, "") + "e": "http://a/d/my%20%3F/q/r"} {
		f, err := Read([]byte("d9:file treed" + tree + "e12:meta versioni2e4:name4:my ?12:piece lengthi64ee"))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.url("http://a/d/", 0); got != want || len(f.all) != 1 || f.size != 100 {
			t.Errorf("%s is at %s, want %s: %+v", tree, got, want, f)
		}
	}
	if _, err := Read([]byte("d4:name1:xe")); err == nil {
		t.Error("no file is a file")
	}
}

// A part that goes over the ends of files is asked for file by file, pads are
// not asked for, and what is lacking is not claimed.
func TestAFolder(t *testing.T) {
	f, _ := Read([]byte(folder))
	w := &web{begun: time.Now(), hosts: map[string]answer{"a": func(req *http.Request) (*http.Response, error) {
		if strings.HasSuffix(req.URL.Path, "%#") {
			return answers(404), nil
		}
		return sends(0)(req)
	}}}
	s := New("http://a/", f, w)
	var got []byte
	take := func(b []byte) error { got = append(got, b...); return nil }
	if err := s.Fetch(t.Context(), 20, 40, take); err != nil || !bytes.Equal(got, append(slices.Clone(data[20:30]), make([]byte, 10)...)) {
		t.Errorf("%v, %v", got, err)
	}
	if have := s.Have(10, 10); !bytes.Equal(have, []byte{0xff, 0xc0}) {
		t.Errorf("it has %x", have)
	}
	if err := s.Fetch(t.Context(), 40, 50, take); err == nil {
		t.Error("404 is no error")
	}
	if have := s.Have(10, 10); !bytes.Equal(have, []byte{0xf0, 0}) || !s.Wait(t.Context()) {
		t.Errorf("it has %x", have)
	}
}
