package door

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// visitAt asks for a page of the door at one of its addresses.
func (h *house) visitAt(host, path string) (status int, body string) {
	h.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host, r.RemoteAddr = host, visitor
	w := timeless{httptest.NewRecorder()}
	h.door.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// Pages at an address that the node is about to lose name the one that it has now, to
// scripts and without. Names, and addresses that are not of the internet, are not judged.
func TestPagesSayThatTheirLinkMoved(t *testing.T) {
	h := newHouse(t, album)
	l := h.link(Link{})
	h.at = []string{"http://[2001:db8:1:2::5]:7000", "http://192.0.2.7:7000"}
	for host, want := range map[string]string{
		"[2001:db8:1:2::5]:7000": "", "192.0.2.7:7000": "", "[2001:DB8:1:2:0::5]": "",
		"files.example.org": "", "[::1]:7000": "", "127.0.0.1": "", "[fd00::1]:7000": "", "192.168.1.5:7000": "", "[fe80::1%eth0]:7000": "", "": "", "]": "", "x\"><script>": "",
		"[2001:db8:1:1::5]:7000": h.at[0], "[2001:db8:1:1::5]": h.at[0], "198.51.100.1": h.at[0],
	} {
		status, body := h.visitAt(host, l.Path()+"/where")
		var told newPlace
		if err := json.Unmarshal([]byte(body), &told); err != nil || status != http.StatusOK || told.At != want {
			t.Errorf("at %q: %d %s %v", host, status, body, err)
		}
		_, page := h.visitAt(host, l.Path()+"/view/readme.md?from=3")
		link := `<a href="` + h.at[0] + l.Path() + `/view/readme.md?from=3">`
		if hidden := strings.Contains(page, `/where" hidden>`); hidden != (want == "") || strings.Contains(page, link) != (want != "") || strings.Contains(page, "<script>\"") {
			t.Errorf("at %q the page is\n%s", host, page)
		}
	}
	h.at = nil
	if status, body := h.visitAt("[2001:db8:1:1::5]", l.Path()+"/where"); status != http.StatusOK || strings.Contains(body, "http") {
		t.Errorf("of a door that is nowhere: %d %s", status, body)
	}
	if status, _ := h.visitAt("[2001:db8:1:1::5]", l.Path()+"/where/x"); status != http.StatusNotFound {
		t.Errorf("below it: %d", status)
	}
}

// The page that asks for a password tells where the link is, too, and after a wrong
// password the new address leads to the page and not to where the password is sent.
func TestThePasswordPageSaysThatItsLinkMoved(t *testing.T) {
	h := newHouse(t, album)
	l := h.link(Link{Password: "hash of sesame"})
	h.at = []string{"http://[2001:db8:1:2::5]:7000"}
	r := httptest.NewRequest(http.MethodPost, l.Path()+"/unlock", strings.NewReader("password=x"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Host, r.RemoteAddr = "[2001:db8:1:1::5]:7000", visitor
	w := timeless{httptest.NewRecorder()}
	h.door.ServeHTTP(w, r)
	if body := w.Body.String(); w.Code != http.StatusForbidden || !strings.Contains(body, `<a href="`+h.at[0]+l.Path()+`/">`) || !strings.Contains(body, `role="alert"`) {
		t.Errorf("%d\n%s", w.Code, body)
	}
}

// The languages have the same messages, with the same values in the same order.
func TestLanguagesAreComplete(t *testing.T) {
	verbs := func(s string) (found []string) {
		s = strings.ReplaceAll(s, "%%", "")
		for i := strings.IndexByte(s, '%'); i >= 0; i = strings.IndexByte(s, '%') {
			found, s = append(found, s[i:i+2]), s[i+2:]
		}
		return found
	}
	for _, other := range tongues[1:] {
		for key, text := range tongues[0].words {
			if theirs := other.words[key]; theirs == "" || strings.Join(verbs(text), " ") != strings.Join(verbs(theirs), " ") {
				t.Errorf("%s: %s is %q, and %q in %s", other.Lang, key, theirs, text, tongues[0].Lang)
			}
		}
		if len(other.words) != len(tongues[0].words) {
			t.Errorf("%s has %d messages, and %s %d", other.Lang, len(other.words), tongues[0].Lang, len(tongues[0].words))
		}
	}
}

// A page is in the language that the visitor prefers among those that there are, whatever
// the header says.
func TestPagesAreInTheLanguageOfTheVisitor(t *testing.T) {
	h := newHouse(t, album)
	l := h.link(Link{Expires: h.now.Add(75 * time.Hour), MaxDownloads: 1500, Downloads: 2})
	for accept, want := range map[string]string{
		"": "en", "de": "de", "de-AT,en;q=0.5": "de", "fr, de;q=0.8, en;q=0.2": "de", "fr": "en", "en-GB, de;q=0.9": "en", ";;;q=x": "en", strings.Repeat("de,", 5000): "de",
	} {
		_, body := h.get(l.Path()+"/", "Accept-Language", accept)
		size := map[string]string{"en": "90\u00a0kB in 5 files", "de": "90\u00a0kB in 5 Dateien"}[want]
		until := map[string]string{"en": "2 December 2026, 15:00 UTC (in 3 days)", "de": "2. Dezember 2026, 15:00 UTC (in 3 Tagen)"}[want]
		left := map[string]string{"en": "1,498 of 1,500;", "de": "1.498 von 1.500;"}[want]
		for _, part := range []string{`<html lang="` + want + `">`, size, until, left} {
			if !strings.Contains(body, part) {
				t.Errorf("%.40q: no %q in\n%s", accept, part, body)
			}
		}
		if _, body := h.get("/s/wrong", "Accept-Language", accept); !strings.Contains(body, map[string]string{"en": "There is nothing here", "de": "Hier ist nichts"}[want]) {
			t.Errorf("%.40q: a wrong link:\n%s", accept, body)
		}
	}
}

// A text is shown in a page: its beginning, as text, whatever is in it.
func TestTextsAreShown(t *testing.T) {
	line := strings.Repeat("x", 99) + "\n"
	h := newHouse(t, map[string][]byte{
		"a.txt": []byte("<script>alert(1)</script>\xff\x00"), "b.md": nil, "c.txt": []byte(strings.Repeat(line, longestText/100+100)), "d.txt": make([]byte, longestText+1), "e/a.txt": []byte("other"),
	})
	l := h.link(Link{})
	_, first := h.get(l.Path() + "/view/a.txt")
	if !strings.Contains(first, "&lt;script&gt;alert(1)&lt;/script&gt;\ufffd") || strings.Contains(first, "only the beginning") {
		t.Errorf("the page is\n%s", first)
	}
	if strings.Contains(first, `rel="prev"`) || !strings.Contains(first, l.Path()+`/view/b.md" rel="next"`) {
		t.Errorf("the first leads to\n%s", first)
	}
	_, long := h.get(l.Path() + "/view/c.txt")
	if !strings.Contains(long, "only the beginning") || !strings.Contains(long, "xxx\n</pre>") || len(long) > longestText+20_000 {
		t.Errorf("a long one is %d bytes", len(long))
	}
	if _, last := h.get(l.Path() + "/view/d.txt"); strings.Contains(last, `rel="next"`) || !strings.Contains(last, `/view/c.txt" rel="prev"`) {
		t.Errorf("the last leads to another folder")
	}
	if n := h.links.All()[0].Downloads; n != 0 {
		t.Errorf("%d downloads were counted", n)
	}
}
