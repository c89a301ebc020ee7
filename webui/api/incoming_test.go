package api

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// fakeIncoming is one upload of one file in memory.
type fakeIncoming struct {
	mu   sync.Mutex
	new  NewComing
	file ComingFile
	text string
	fail error // of the next Begin
	end  string
}

func (f *fakeIncoming) List() []Coming {
	if f.new.Name == "" {
		return nil
	}
	return []Coming{f.Terms()}
}

func (f *fakeIncoming) Create(n NewComing) (Coming, error) {
	f.new = n
	return f.Terms(), nil
}

func (f *fakeIncoming) Box(id string) (Box, error) {
	if id != "box" {
		return nil, notComing(id)
	}
	return f, nil
}

func (f *fakeIncoming) Files(id string, after int64) ([]ComingFile, error) {
	if after > 0 {
		return nil, nil
	}
	return []ComingFile{f.file}, nil
}

func (f *fakeIncoming) End(id string, data bool) error {
	f.end = id + " " + strconv.FormatBool(data)
	return nil
}

func (f *fakeIncoming) Orphans() ([]Orphan, error) { return []Orphan{{Name: "old", Bytes: 3}}, nil }

func (f *fakeIncoming) DeleteOrphan(name string) error { return notComing(name) }

func (f *fakeIncoming) Terms() Coming {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Coming{ID: "box", Kind: ComingUpload, Name: f.new.Name, Sent: f.file.Sent}
}

func (f *fakeIncoming) Begin(n NewFile) (ComingFile, error) {
	f.file = ComingFile{ID: "file", Path: n.Path, Size: n.Size, Modified: n.Modified}
	return f.file, f.fail
}

func (f *fakeIncoming) File(id string) (ComingFile, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id != f.file.ID {
		return ComingFile{}, notComing(id)
	}
	return f.file, nil
}

func (f *fakeIncoming) Append(_ context.Context, _ string, r io.Reader) (int64, error) {
	b, err := io.ReadAll(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text += string(b)
	f.file.Sent += int64(len(b))
	return int64(len(b)), err
}

func (f *fakeIncoming) Finish(string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.file.Number = 1
	return nil
}

func (f *fakeIncoming) Discard(string) error {
	f.file = ComingFile{}
	return nil
}

func (f *fakeIncoming) Take(context.Context, NewFile, io.Reader) (ComingFile, error) {
	return ComingFile{}, errors.ErrUnsupported
}

func (f *fakeIncoming) Delivered() error { return nil }

func (f *fakeIncoming) Hold(context.Context, string, func()) (func(), error) { return func() {}, nil }

// fakeReceive has no link.
type fakeReceive struct{ new NewReceiveLink }

func (f *fakeReceive) List() ([]ReceiveLink, error) { return nil, nil }

func (f *fakeReceive) Create(n NewReceiveLink) (ReceiveLink, error) {
	f.new = n
	return ReceiveLink{ID: "0123456789ab", Name: n.Name, MaxFiles: n.MaxFiles}, nil
}

func (f *fakeReceive) Revoke(id string) error {
	return share.Errorf(share.Failed, "%w: %s", ErrNoWebLink, id)
}

// The owner's page sends a file by the tus protocol, in two parts.
func TestUploadByTus(t *testing.T) {
	f := newFake(1)
	c, _, base := serve(t, f)
	ctx := quietContext(t)
	ask := func(method, path, body string, header ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Tus-Resumable", "1.0.0")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	if resp := ask("POST", Base+"/incoming", `{"name":"a.txt","files":1,"bytes":10}`, "Content-Type", "application/json"); resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	if f.incoming.new != (NewComing{Name: "a.txt", Files: 1, Bytes: 10}) {
		t.Errorf("%+v", f.incoming.new)
	}
	meta := "filename " + base64.StdEncoding.EncodeToString([]byte("ä.txt")) + ",modified " + base64.StdEncoding.EncodeToString([]byte("1764460800000")) + ",relativePath bnVsbA=="
	files := Base + "/incoming/box/files"
	resp := ask("POST", files, "", "Upload-Length", "10", "Upload-Metadata", meta)
	at := resp.Header.Get("Location")
	if resp.StatusCode != http.StatusCreated || at != files+"/file" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	if f.incoming.file.Path != "ä.txt" || !f.incoming.file.Modified.Equal(time.UnixMilli(1764460800000)) {
		t.Errorf("%+v", f.incoming.file)
	}
	const part = "application/offset+octet-stream"
	if resp := ask("PATCH", at, "hello", "Upload-Offset", "0", "Content-Type", part); resp.StatusCode != http.StatusNoContent || resp.Header.Get("Upload-Offset") != "5" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	if resp := ask("PATCH", at, "world", "Upload-Offset", "3", "Content-Type", part); resp.StatusCode != http.StatusConflict {
		t.Errorf("at a wrong offset: %s", resp.Status)
	}
	if resp := ask("HEAD", at, ""); resp.StatusCode != 200 || resp.Header.Get("Upload-Offset") != "5" || resp.Header.Get("Upload-Length") != "10" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	if u := <-updates(t, c); len(u.Incoming) != 1 || u.Incoming["box"].Sent != 5 {
		t.Errorf("%+v", u)
	}
	if resp := ask("PATCH", at, "world", "Upload-Offset", "5", "Content-Type", part); resp.StatusCode != http.StatusNoContent || f.incoming.text != "helloworld" || f.incoming.file.Number != 1 {
		t.Errorf("%s %q", resp.Status, f.incoming.text)
	}
	for _, r := range []struct {
		method, path string
		header       []string
		status       int
	}{
		{"POST", Base + "/incoming/none/files", []string{"Upload-Length", "1"}, 404},
		{"HEAD", Base + "/incoming/box/files/none", nil, 404},
		{"POST", files, []string{"Upload-Defer-Length", "1"}, 501},
		{"POST", files, []string{"Upload-Length", "-1"}, 400},
		{"POST", files, []string{"Upload-Length", "1", "Tus-Resumable", "2"}, 412},
		{"GET", at, nil, 404},
		{"POST", at, []string{"X-HTTP-Method-Override", "DELETE"}, 404},
	} {
		if resp := ask(r.method, r.path, "", r.header...); resp.StatusCode != r.status {
			t.Errorf("%s %s %v: %s", r.method, r.path, r.header, resp.Status)
		}
	}
	for name := range resp.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("it has the header %s", name)
		}
	}
	f.incoming.fail = share.Errorf(share.Disk, "%w", ErrNoRoom)
	resp = ask("POST", files, "", "Upload-Length", "10")
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusInsufficientStorage || !strings.Contains(string(b), "disk is full") {
		t.Errorf("%s %s", resp.Status, b)
	}
	if resp := ask("DELETE", at, ""); resp.StatusCode != http.StatusNoContent || f.incoming.file.ID != "" {
		t.Errorf("%s", resp.Status)
	}
	if resp := ask("DELETE", Base+"/incoming/box?keep=true", ""); resp.StatusCode != http.StatusNoContent || f.incoming.end != "box false" {
		t.Errorf("%s %q", resp.Status, f.incoming.end)
	}
	if resp := ask("DELETE", Base+"/uploads/none", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("%s", resp.Status)
	}
	if all, err := c.IncomingFiles(ctx, "box", 1); err != nil || len(all) > 0 {
		t.Errorf("%v %v", all, err)
	}
}

// updates are what a watcher of everything sees.
func updates(t *testing.T, c *Client) <-chan Update {
	t.Helper()
	ctx, cancel := context.WithCancel(quietContext(t))
	out := make(chan Update)
	var ended sync.WaitGroup
	ended.Go(func() {
		for u, err := range c.Watch(ctx, WatchOptions{}) {
			if err != nil {
				return
			}
			select {
			case out <- u:
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() { cancel(); ended.Wait() })
	return out
}

func TestReceiveLinks(t *testing.T) {
	f := newFake(1)
	c, _, _ := serve(t, f)
	ctx := quietContext(t)
	n := NewReceiveLink{Name: "Photos", MaxFiles: 3, MaxSize: 1 << 30, Password: "sesame"}
	if made, err := c.NewReceiveLink(ctx, n); err != nil || made.Name != "Photos" || f.receive.new != n {
		t.Errorf("%+v %v", made, err)
	}
	if all, err := c.ReceiveLinks(ctx); err != nil || all == nil || len(all) > 0 {
		t.Errorf("%v %v", all, err)
	}
	if err := c.RevokeReceiveLink(ctx, "x"); !errors.Is(err, ErrNoWebLink) {
		t.Error(err)
	}
	if _, err := c.NewReceiveLink(ctx, NewReceiveLink{MaxFiles: 10_001}); share.KindOf(err) != share.Usage {
		t.Error(err)
	}
}
