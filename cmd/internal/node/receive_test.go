package node

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// sender is a program that speaks the tus protocol, such as it is in the specification.
type sender struct {
	t      *testing.T
	client *http.Client
	base   string // scheme and host
}

func newSender(t *testing.T, link string) (*sender, string) {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return &sender{t, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, u.Scheme + "://" + u.Host}, u.Path
}

func (s *sender) ask(method, path string, body io.Reader, header ...string) (status int, h http.Header) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(testContext(s.t), method, s.base+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header
}

func (s *sender) begin(path, name string, size int64) (status int, at string) {
	s.t.Helper()
	status, h := s.ask(http.MethodPost, path+"/files", nil, "Upload-Length", strconv.FormatInt(size, 10), "Upload-Metadata", "filename "+base64.StdEncoding.EncodeToString([]byte(name)))
	return status, h.Get("Location")
}

func (s *sender) patch(at string, offset int64, body io.Reader) int {
	s.t.Helper()
	status, _ := s.ask(http.MethodPatch, at, body, "Upload-Offset", strconv.FormatInt(offset, 10), "Content-Type", "application/offset+octet-stream")
	return status
}

func (s *sender) offset(at string) int64 {
	s.t.Helper()
	status, h := s.ask(http.MethodHead, at, nil)
	n, err := strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
	if status != http.StatusOK || err != nil {
		s.t.Fatalf("asking how much has arrived: %d %v", status, h)
	}
	return n
}

// breakOff sends the first bytes of a file that is said to go on, and cuts the line.
func (s *sender) breakOff(at string, first []byte, said int) {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: %d\r\n\r\n", at, said)
	if _, err := conn.Write(first); err != nil {
		s.t.Fatal(err)
	}
}

// arrived waits until so many bytes of an upload are there and its line is gone. Asking by
// the protocol would end what is under way.
func arrived(t *testing.T, c *api.Client, bytes int64) {
	t.Helper()
	for u, err := range c.Watch(testContext(t), api.WatchOptions{}) {
		if err != nil {
			t.Fatalf("waiting for %d bytes: %v", bytes, err)
		}
		for _, in := range u.Incoming {
			if in.Sent >= bytes && !in.Active {
				return
			}
		}
	}
}

func receiveLink(t *testing.T, c *api.Client, n api.NewReceiveLink) api.ReceiveLink {
	t.Helper()
	l, err := c.NewReceiveLink(testContext(t), n)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// below are the names of the files in a folder, part files left out.
func below(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".part") {
			names = append(names, e.Name())
		}
	}
	return names
}

// A file whose line broke goes on after the node was started again, and arrives identical.
// The links to shares and for receiving are two lists.
func TestReceivingGoesOnAfterARestart(t *testing.T) {
	dir := stateDir(t)
	flags := map[string][]string{"downloads": {t.TempDir()}}
	s := open(t, options(t, dir, flags))
	link := receiveLink(t, s.Client, api.NewReceiveLink{Name: "Holiday", MaxSize: 50 << 20, MaxFiles: 3})
	content := make([]byte, 9<<20)
	rand.NewChaCha8([32]byte{9}).Read(content)
	to, path := newSender(t, link.URL)
	status, at := to.begin(path, "../film.mkv", int64(len(content)))
	if status != http.StatusCreated || !strings.HasPrefix(at, path+"/files/") {
		t.Fatalf("%d %q", status, at)
	}
	to.breakOff(at, content[:5<<20], len(content))
	arrived(t, s.Client, 1)
	if webs, err := s.Client.WebLinks(testContext(t)); err != nil || len(webs) > 0 {
		t.Errorf("%v %v", webs, err)
	}
	closed(t, s)
	s = open(t, options(t, dir, flags))
	defer closed(t, s)
	links, err := s.Client.ReceiveLinks(testContext(t))
	if err != nil || len(links) != 1 || links[0].ID != link.ID || links[0].URL == "" || links[0].Folder != link.Folder {
		t.Fatalf("%+v %v", links, err)
	}
	to, _ = newSender(t, links[0].URL)
	offset := to.offset(at)
	if offset == 0 || offset > 5<<20 {
		t.Errorf("%d bytes have arrived", offset)
	}
	if status := to.patch(at, offset, bytes.NewReader(content[offset:])); status != http.StatusNoContent {
		t.Fatal(status)
	}
	if stats, err := s.Client.Stats(testContext(t)); err != nil || stats.Downloaded != int64(len(content))-offset {
		t.Errorf("the node has downloaded %d bytes, and %d were sent: %v", stats.Downloaded, int64(len(content))-offset, err)
	}
	if got, err := os.ReadFile(filepath.Join(link.Folder, "film.mkv")); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes of it are there: %v", len(got), err)
	}
	if links, err := s.Client.ReceiveLinks(testContext(t)); err != nil || links[0].Files != 1 || links[0].Bytes != int64(len(content)) {
		t.Errorf("%+v %v", links, err)
	}
	if all, err := s.Client.Incoming(testContext(t)); err != nil || len(all) != 1 || all[0].Latest[0].Stored != filepath.Join(link.Folder, "film.mkv") {
		t.Errorf("%+v %v", all, err)
	}
	if err := s.Client.RevokeReceiveLink(testContext(t), link.ID); err != nil {
		t.Error(err)
	}
	if status, _ := to.begin(path, "x", 1); status != http.StatusNotFound {
		t.Errorf("a link that was ended answers %d", status)
	}
	if there := below(t, link.Folder); !slices.Equal(there, []string{"film.mkv"}) {
		t.Errorf("%v", there)
	}
}

// Requests that lie or that are meant to hurt get nothing written but what was allowed.
func TestHostileSenders(t *testing.T) {
	n := startDaemon(t, options(t, stateDir(t), map[string][]string{"downloads": {t.TempDir()}}))
	c := n.Client()
	defer c.Close()
	link := receiveLink(t, c, api.NewReceiveLink{MaxSize: 1000, MaxFiles: 100})
	to, path := newSender(t, link.URL)
	_, at := to.begin(path, "good", 10)
	for offset, want := range map[int64]int{1: 409, 10: 409, 1 << 62: 409, -5: 400} {
		if status := to.patch(at, offset, strings.NewReader("x")); status != want {
			t.Errorf("at %d: %d", offset, status)
		}
	}
	if status := to.patch(at, 0, strings.NewReader(strings.Repeat("x", 11))); status != http.StatusRequestEntityTooLarge {
		t.Errorf("more than was said: %d", status)
	}
	// In chunks, so that the length is not said: what is too much is not read.
	to.patch(at, 0, io.MultiReader(strings.NewReader(strings.Repeat("x", 200))))
	for _, size := range []int64{991, 1 << 50, 1<<63 - 1} {
		if status, _ := to.begin(path, "big", size); status != http.StatusRequestEntityTooLarge {
			t.Errorf("%d bytes: %d", size, status)
		}
	}
	for _, name := range []string{"", strings.Repeat("a/", 100) + "a", strings.Repeat("n", 10_000)} {
		if status, _ := to.begin(path, name, 1); status != http.StatusBadRequest {
			t.Errorf("%.20q: %d", name, status)
		}
	}
	if status, _ := to.ask(http.MethodPost, path+"/files", nil, "Upload-Length", "1", "Upload-Metadata", "filename "+strings.Repeat("A", 60<<10)); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("huge metadata: %d", status)
	}
	for _, p := range []string{"/files/", "/files/..", "/files/../../" + strings.TrimPrefix(at, path), "/files/" + strings.Repeat("a", 26), at[len(path):] + "/x"} {
		if status, _ := to.ask(http.MethodHead, path+p, nil); status == http.StatusOK {
			t.Errorf("%s is there", p)
		}
	}
	// 500 at once that are begun and left.
	var all sync.WaitGroup
	var mu sync.Mutex
	answers := map[int]int{}
	for range 50 {
		all.Go(func() {
			for range 10 {
				status, _ := to.begin(path, "left", 0x1)
				mu.Lock()
				answers[status]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if answers[http.StatusCreated] > 64 || answers[http.StatusCreated] < 50 || answers[http.StatusCreated]+answers[http.StatusRequestEntityTooLarge] != 500 {
		t.Errorf("%v", answers)
	}
	if _, err := c.Info(testContext(t)); err != nil {
		t.Error(err)
	}
	if there := below(t, link.Folder); !slices.Equal(there, []string{"good"}) {
		t.Errorf("%v", there)
	}
	var bytes int64
	for _, e := range got(os.ReadDir(link.Folder)) {
		bytes += got(e.Info()).Size()
	}
	if bytes > 1000 {
		t.Errorf("%d bytes were written", bytes)
	}
}

// got is for what does not fail in these tests.
func got[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A link of a command ends with the command, be it that its lease ends or its process.
func TestReceivingEndsWithItsCommand(t *testing.T) {
	dir := stateDir(t)
	flags := map[string][]string{"downloads": {t.TempDir()}}
	s := open(t, options(t, dir, flags))
	ctx := testContext(t)
	lease, end, err := s.Client.Lease(ctx)
	if err != nil {
		t.Fatal(err)
	}
	first := receiveLink(t, s.Client, api.NewReceiveLink{Lease: lease})
	end()
	for {
		if links, err := s.Client.ReceiveLinks(ctx); err != nil {
			t.Fatal(err)
		} else if len(links) == 0 {
			break
		}
	}
	if _, err := s.Client.NewReceiveLink(ctx, api.NewReceiveLink{Lease: lease}); err == nil {
		t.Error("a lease that has ended was taken")
	}
	if lease, _, err = s.Client.Lease(ctx); err != nil {
		t.Fatal(err)
	}
	second := receiveLink(t, s.Client, api.NewReceiveLink{Lease: lease})
	if second.Folder == first.Folder {
		t.Errorf("two links have the folder %s", first.Folder)
	}
	kept := receiveLink(t, s.Client, api.NewReceiveLink{})
	db := filepath.Join(t.TempDir(), "killed")
	if err := os.Mkdir(db, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{stateName, stateName + "-wal"} { // as a kill leaves them
		if err := copyFile(filepath.Join(dir, name), filepath.Join(db, name)); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, s)
	s = open(t, options(t, db, flags))
	defer closed(t, s)
	if links, err := s.Client.ReceiveLinks(ctx); err != nil || len(links) != 1 || links[0].ID != kept.ID {
		t.Errorf("%+v %v", links, err)
	}
}

// An expired link leads nowhere, is still listed, and what was under way is deleted.
func TestExpiredLinksForReceiving(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	o := options(t, stateDir(t), map[string][]string{"downloads": {t.TempDir()}})
	o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	n := startDaemon(t, o)
	c := n.Client()
	defer c.Close()
	link := receiveLink(t, c, api.NewReceiveLink{Expires: now.Add(time.Hour)})
	to, path := newSender(t, link.URL)
	_, at := to.begin(path, "x", 10)
	to.breakOff(at, []byte("hello"), 10)
	arrived(t, c, 5)
	mu.Lock()
	now = now.Add(time.Hour)
	mu.Unlock()
	if status, _ := to.ask(http.MethodHead, at, nil); status != http.StatusNotFound {
		t.Errorf("%d", status)
	}
	n.receive.sweep()
	if links, err := n.receive.List(); err != nil || len(links) != 1 || !links[0].Ended {
		t.Errorf("%+v %v", links, err)
	}
	if entries := got(os.ReadDir(link.Folder)); len(entries) > 0 {
		t.Errorf("%v", entries)
	}
	if _, err := c.NewReceiveLink(testContext(t), api.NewReceiveLink{Folder: filepath.Join(o.Config.State, "torrents")}); share.KindOf(err) != share.Usage {
		t.Errorf("into the state directory: %v", err)
	}
}

// The owner's upload is shared from where it is, its copy is not deleted while it is, and
// what nothing shares can be deleted.
func TestAnUploadIsSharedAndOrphansAreDeleted(t *testing.T) {
	n := startDaemon(t, options(t, stateDir(t), map[string][]string{"downloads": {t.TempDir()}}))
	c := n.Client()
	defer c.Close()
	in := &incoming{n.uploads, n.engine}
	u, err := in.Create(api.NewComing{Name: "Trip", Tree: true, Files: 1, Bytes: 2})
	if err != nil {
		t.Fatal(err)
	}
	box := got(in.Box(u.ID))
	f := got(box.Begin(api.NewFile{Path: "a/b", Size: 2}))
	if _, err := box.Append(t.Context(), f.ID, strings.NewReader("hi")); err != nil {
		t.Fatal(err)
	}
	if err := box.Finish(f.ID); err != nil {
		t.Fatal(err)
	}
	root := in.List()[0].Root
	id := shared(t, c, root).ID
	if err := in.End(u.ID, true); share.KindOf(err) != share.Usage {
		t.Errorf("what is shared: %v", err)
	}
	if err := in.End(u.ID, false); err != nil {
		t.Error(err)
	}
	names := func() map[string]bool {
		out := map[string]bool{}
		for _, o := range got(in.Orphans()) {
			out[o.Name] = true
		}
		return out
	}
	if err := os.WriteFile(filepath.Join(n.uploads.Folder(), "left.part"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if there := names(); !maps.Equal(there, map[string]bool{"left.part": true}) {
		t.Errorf("%v", there)
	}
	if err := in.DeleteOrphan("Trip"); !errors.Is(err, api.ErrNotComing) {
		t.Errorf("deleting what is shared: %v", err)
	}
	if err := in.DeleteOrphan("left.part"); err != nil {
		t.Error(err)
	}
	if _, err := c.Remove(context.Background(), id, false); err != nil {
		t.Fatal(err)
	}
	if there := names(); !maps.Equal(there, map[string]bool{"Trip": true}) {
		t.Errorf("%v", there)
	}
}
