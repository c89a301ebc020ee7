package api

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

func (f *fake) History(span Span, id share.ID) (History, error) {
	if !id.IsZero() {
		if _, err := f.Get(id); err != nil {
			return History{}, err
		}
		return History{Step: 60}, nil
	}
	return History{Step: 1, End: time.Unix(1_800_000_000, 0).UTC(), Down: []int64{1, 2}, Up: []int64{3, 4}}, nil
}

func (f *fake) Discovery(id share.ID) ([]share.Way, error) {
	_, err := f.Get(id)
	return []share.Way{{Source: share.FromDHT, On: true, Found: 3, Error: "nobody answers"}}, err
}

func (f *fake) Folder(path string) (Folder, error) {
	if path == "/none" {
		return Folder{}, share.Errorf(share.Usage, "there is no such folder")
	}
	return Folder{Path: path}, nil
}

func (f *fake) Upload(_ context.Context, u Upload, length int64, r io.Reader) (Uploaded, error) {
	b, err := io.ReadAll(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf("upload %s %s %t %d", u.Name, u.Folder, u.Join, length))
	return Uploaded{Path: "/srv/" + u.Name, Root: "/srv/" + u.Name, Bytes: int64(len(b))}, errors.Join(err, f.fail)
}

func (f *fake) ChangeSettings(changes map[string]*string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, v := range changes {
		text := "nil"
		if v != nil {
			text = *v
		}
		f.calls = append(f.calls, "set "+name+"="+text)
	}
	return f.fail
}

func (f *fake) HasPassword() (bool, error) { return true, nil }

// ask sends a request like the page and returns the answer.
func ask(t *testing.T, method, url, media, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(b))
}

func TestBrowsing(t *testing.T) {
	f := newFake(1)
	_, _, base := serve(t, f)
	base += Base
	for _, c := range []struct {
		method, path, media, body string
		status                    int
		want                      string
	}{
		{"GET", "/history", "", "", 200, `{"step":1,"end":"2027-01-15T08:00:00Z","down":[1,2],"up":[3,4]}`},
		{"GET", "/history?span=month&transfer=" + testID(0).String(), "", "", 200, `"down":[],"up":[]`},
		{"GET", "/history?span=year", "", "", 422, "expected value to be one of"},
		{"GET", "/history?transfer=" + testID(9).String(), "", "", 404, "unknown-transfer"},
		{"GET", "/transfers/" + testID(0).String() + "/discovery", "", "", 200, `[{"source":"dht","on":true,"found":3,"error":"nobody answers"}]`},
		{"GET", "/transfers/" + testID(9).String() + "/discovery", "", "", 404, "unknown-transfer"},
		{"GET", "/folders?path=/srv", "", "", 200, `{"path":"/srv","entries":[]}`},
		{"GET", "/folders?path=/none", "", "", 400, "no such folder"},
		{"PATCH", "/config", "application/json", `{"seed":"7d"}`, 200, `"name":"up"`},
		{"PATCH", "/config", "application/json", `{"seed":7}`, 422, "expected string"},
		{"DELETE", "/config/seed", "", "", 204, ""},
		{"GET", "/password", "", "", 200, `{"set":true}`},
		{"POST", "/uploads/a%20file.txt?folder=Holiday&join=true", "application/octet-stream", "hello", 200, `{"path":"/srv/a file.txt","root":"/srv/a file.txt","bytes":5}`},
		{"POST", "/uploads/x", "application/json", "{}", 415, "application/octet-stream"},
		{"POST", "/uploads/x", "", "hello", 415, "application/octet-stream"},
	} {
		status, body := ask(t, c.method, base+c.path, c.media, c.body)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, body)
		}
	}
	want := "[set seed=7d set seed=nil upload a file.txt Holiday true 5]"
	if got := fmt.Sprint(f.called()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	f.mu.Lock()
	f.fail = share.Errorf(share.Disk, "the disk is full")
	f.mu.Unlock()
	if status, body := ask(t, "POST", base+"/uploads/x", "application/octet-stream", "hello"); status != http.StatusInsufficientStorage || !strings.Contains(body, "the disk is full") {
		t.Errorf("a full disk: %d %s", status, body)
	}
}

func TestArchive(t *testing.T) {
	f := newFake(1)
	f.content = []byte("0123456789")
	f.files = []share.File{
		{Index: 0, Path: "a.txt", Total: 10}, {Index: 2, Path: "d/e/b.txt", Total: 10}, {Index: 3, Path: "d/none", Total: 0},
		{Index: 4, Path: "d/skipped", Total: 10, Priority: share.Skip},
	}
	_, _, base := serve(t, f)
	url := base + Base + "/transfers/" + testID(0).String() + "/archive"

	for _, c := range []struct{ query, want string }{
		{"", "transfer 0/a.txt=0123456789 transfer 0/d/e/b.txt=0123456789 transfer 0/d/none= "},
		{"?path=d", "transfer 0/d/e/b.txt=0123456789 transfer 0/d/none= "},
		{"?path=/d/e/", "transfer 0/d/e/b.txt=0123456789 "},
	} {
		_, packed := ask(t, "GET", url+c.query, "", "")
		z, err := zip.NewReader(strings.NewReader(packed), int64(len(packed)))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, e := range z.File {
			r, err := e.Open()
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			got += e.Name + "=" + string(b) + " "
		}
		if got != c.want {
			t.Errorf("zip%s: got %s", c.query, got)
		}
	}
	resp, err := http.Get(url + "?format=tar")
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	if h := resp.Header; h.Get("Content-Disposition") != `attachment; filename="transfer 0.tar"` || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v", h)
	}
	r := tar.NewReader(resp.Body)
	got := ""
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := io.Copy(&b, r); err != nil {
			t.Fatal(err)
		}
		got += h.Name + "=" + b.String() + " "
	}
	if want := "transfer 0/a.txt=0123456789 transfer 0/d/e/b.txt=0123456789 transfer 0/d/none= "; got != want {
		t.Errorf("tar: got %s", got)
	}
	// What does not exist is 404, and what is invalid is 400 or 422: never 500.
	transfer := strings.TrimSuffix(url, "/archive")
	for path, want := range map[string]int{
		"/archive?path=nothing": 404, "/archive?path=../../etc": 404, "/archive?format=rar": 422,
		"/files/99/content": 404, "/files/-1/content": 422, "/files/x/content": 422,
	} {
		if status, body := ask(t, "GET", transfer+path, "", ""); status != want && (want != 422 || status != 400) {
			t.Errorf("%s: %d %s, want %d", path, status, body, want)
		}
	}
	f.files = nil
	for _, path := range []string{"/archive", "/files/0/content"} {
		if status, body := ask(t, "GET", transfer+path, "", ""); status != 404 {
			t.Errorf("%s of what is not known yet: %d %s", path, status, body)
		}
	}
}

// A backslash in a name leads out of no folder when Windows unpacks the archive.
func TestArchiveNamesAreSafeOnWindows(t *testing.T) {
	got := EntryName(share.Transfer{Name: "t", Files: 2}, share.File{Path: `a\..\..\b`})
	if got != "t/a_.._.._b" {
		t.Errorf("%q", got)
	}
}

// An archive that is cut off does not look complete.
func TestArchiveBreaksOff(t *testing.T) {
	f := newFake(1)
	f.content = []byte("01234")
	f.files = []share.File{{Index: 0, Path: "a.txt", Total: 10}, {Index: 1, Path: "b.txt", Total: 10}}
	_, _, base := serve(t, f)
	for _, format := range []string{"tar", "zip"} {
		resp, err := http.Get(base + Base + "/transfers/" + testID(0).String() + "/archive?format=" + format)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		http.DefaultClient.CloseIdleConnections()
		if err == nil {
			t.Errorf("%s: it seems whole", format)
		}
	}
}

// An archive takes a slot for reading content, and gives it back.
func TestContentSlots(t *testing.T) {
	f := newFake(1)
	f.content = []byte("0123456789")
	f.files = []share.File{{Index: 0, Path: "a.txt", Total: 10}}
	_, a, base := serve(t, f)
	url := base + Base + "/transfers/" + testID(0).String() + "/archive"
	for range maxContent {
		if err := a.reads.take(); err != nil {
			t.Fatal(err)
		}
	}
	status, body := ask(t, "GET", url, "", "")
	var p Problem
	if err := json.Unmarshal([]byte(body), &p); err != nil || status != http.StatusInternalServerError || !strings.Contains(p.Detail, "already reading content") {
		t.Errorf("%d %s %v", status, body, err)
	}
	a.reads.put()
	// The slot of an answer is given back shortly after its last byte.
	end := time.Now().Add(20 * time.Second)
	for range 3 {
		for status, body = ask(t, "GET", url, "", ""); status != http.StatusOK; status, body = ask(t, "GET", url, "", "") {
			if time.Now().After(end) {
				t.Fatalf("%d %s", status, body)
			}
		}
	}
}
