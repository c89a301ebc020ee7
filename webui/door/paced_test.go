package door

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// Everything that is sent of a share passes the limits and is counted, and nothing else is.
func TestUploadsAreLimitedAndCounted(t *testing.T) {
	for name, held := range map[string]bool{"held": true, "free": false} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, map[string][]byte{"a.bin": bytes.Repeat([]byte("0123456789"), 50_001), "b.png": []byte("png")})
			h.held = held
			l := h.link(Link{})
			for _, c := range []struct{ method, path, ranged string }{
				{http.MethodGet, "/file/a.bin", ""},
				{http.MethodGet, "/file/a.bin", "bytes=100-70099"},
				{http.MethodGet, "/file/a.bin", "bytes=9999999-"},
				{http.MethodHead, "/file/a.bin", ""},
				{http.MethodGet, "/inline/b.png", ""},
				{http.MethodGet, "/all/photos.zip", ""},
				{http.MethodGet, "/", ""},
				{http.MethodGet, "/file/none", ""},
			} {
				h.passed, h.sent = nil, 0
				resp := h.ask(c.method, l.Path()+c.path, "Range", c.ranged)
				var b bytes.Buffer
				if _, err := b.ReadFrom(resp.Body); err != nil {
					t.Fatal(err)
				}
				want := 0
				if resp.StatusCode/100 == 2 && c.path != "/" && c.method == http.MethodGet {
					want = b.Len()
				}
				passed, most := 0, 0
				for _, n := range h.passed {
					passed, most = passed+n, max(most, n)
				}
				if h.sent != want || passed != want || held && most > heldPart || h.open != 0 {
					t.Errorf("%s %s %s (%s): %d bytes of content, %d passed, at most %d at once, %d were counted, %d uploads go on",
						c.method, c.path, c.ranged, resp.Status, want, passed, most, h.sent, h.open)
				}
			}
		})
	}
}

// Who is held back and goes away does not stay.
func TestHeldUploadsEnd(t *testing.T) {
	h := newHouse(t, album)
	l := h.link(Link{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.Path()+"/file/readme.md", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteAddr = visitor
	if resp := h.do(r); h.sent != 0 || h.open != 0 {
		t.Errorf("%s: %d bytes were sent, %d uploads go on", resp.Status, h.sent, h.open)
	}
}

// intake is what people send to a house.
type intake house

func (i *intake) Holds() bool { return i.held }

func (i *intake) Pass(ctx context.Context, n int) error { return (*house)(i).Pass(ctx, n) }

func (i *intake) Got(n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.got += n
}

// All that people send passes the limit and is counted, by a form and by tus.
func TestWhatPeopleSendIsLimitedAndCounted(t *testing.T) {
	text := strings.Repeat("0123456789", 10_001)
	for name, held := range map[string]bool{"held": true, "free": false} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, album)
			h.held = held
			l, c := h.receiver(Link{})
			check := func(how string, status, want int) {
				t.Helper()
				passed, most := 0, 0
				for _, n := range h.passed {
					passed, most = passed+n, max(most, n)
				}
				if h.got != want || passed != want || held && most > heldPart {
					t.Errorf("%s (%d): %d bytes were sent, %d passed, at most %d at once, %d were counted", how, status, want, passed, most, h.got)
				}
				h.passed, h.got = nil, 0
			}
			body, media := form("a.txt", text)
			size := body.Len()
			resp := h.post(l.Path()+"/form", media, body)
			check("a form", resp.StatusCode, size)
			resp = h.ask(http.MethodPost, l.Path()+"/files", "Tus-Resumable", "1.0.0", "Upload-Length", strconv.Itoa(len(text)), "Upload-Metadata", "filename Yg==")
			check("a new file", resp.StatusCode, 0)
			r := httptest.NewRequest(http.MethodPatch, resp.Header.Get("Location"), strings.NewReader(text))
			r.RemoteAddr = visitor
			for k, v := range map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"} {
				r.Header.Set(k, v)
			}
			resp = h.do(r)
			check("tus", resp.StatusCode, len(text))
			if c.texts["a.txt"] != text || c.texts["b"] != text {
				t.Errorf("%d and %d bytes have arrived", len(c.texts["a.txt"]), len(c.texts["b"]))
			}
		})
	}
}

// Who is held back while sending, and goes away, does not stay. What has come is kept.
func TestHeldSendersEnd(t *testing.T) {
	h := newHouse(t, album)
	h.held = true
	over, cancel := context.WithCancel(t.Context())
	cancel()
	b := &pacedBody{io.NopCloser(strings.NewReader(strings.Repeat("x", 2*heldPart))), over, (*intake)(h)}
	n, err := b.Read(make([]byte, 2*heldPart))
	if n != heldPart || !errors.Is(err, context.Canceled) || h.got != heldPart {
		t.Errorf("%d bytes, %d counted, %v", n, h.got, err)
	}
}
