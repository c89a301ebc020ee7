//go:build linux

package e2e

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// sender sends files by the tus protocol.
type sender struct {
	t      *testing.T
	client *http.Client
	link   string
}

func (s *sender) ask(method, url string, body io.Reader, header ...string) (*http.Response, error) {
	s.t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := s.client.Do(r)
	if err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	return resp, err
}

// begin tells of a file, and returns where it is sent to.
func (s *sender) begin(name string, size int) string {
	s.t.Helper()
	resp, err := s.ask(http.MethodPost, s.link+"/files", nil, "Upload-Length", strconv.Itoa(size), "Upload-Metadata", "filename "+base64.StdEncoding.EncodeToString([]byte(name)))
	if err != nil || resp.StatusCode != http.StatusCreated {
		s.t.Fatalf("%s is not taken: %v, %v", name, resp, err)
	}
	at, err := resp.Location()
	if err != nil {
		s.t.Fatal(err)
	}
	return at.String()
}

// offset is how much has arrived.
func (s *sender) offset(at string) int {
	s.t.Helper()
	resp, err := s.ask(http.MethodHead, at, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	n, err := strconv.Atoi(resp.Header.Get("Upload-Offset"))
	if err != nil {
		s.t.Fatalf("%s: %v", resp.Status, err)
	}
	return n
}

// send sends from an offset on.
func (s *sender) send(at string, offset int, body io.Reader) (*http.Response, error) {
	return s.ask(http.MethodPatch, at, body, "Upload-Offset", strconv.Itoa(offset), "Content-Type", "application/offset+octet-stream")
}

// finish sends what is missing. At least so much has arrived, and not all.
func (s *sender) finish(at string, content []byte, least int) {
	s.t.Helper()
	from := s.offset(at)
	if from < least || from >= len(content) {
		s.t.Fatalf("goes on at %d of %d bytes", from, len(content))
	}
	if resp, err := s.send(at, from, bytes.NewReader(content[from:])); err != nil || resp.StatusCode != http.StatusNoContent {
		s.t.Fatalf("the rest: %v, %v", resp, err)
	}
}

// What people send stops while the disk is full, and goes on where it stopped when there is
// room. After the node was killed it goes on from what was surely on the disk, which is all
// but the last 32 MiB. Both times the file arrives as it was.
//
//	alice, with 88 MiB of disk ── router ── core ── router ── bob, with a client for tus
func TestReceivingSurvivesAFullDiskAndAKill(t *testing.T) {
	t.Parallel()
	const size, surely = 72 << 20, 32 << 20
	net := lab.New(t)
	alice, bob := at(t, net.Home("alice")), net.Home("bob")
	disk := lab.Memory(t, 88<<20, 1000)
	node := func() *lab.Proc {
		p := alice.StartCmd(alice.command("daemon", "--listen", "[::]:7000", "--min-free", "1MiB"))
		p.Event("ready", nil)
		return p
	}
	daemon := node()
	var made struct{ URL string }
	alice.StartCmd(alice.bare("receive", "--json", "--state", alice.state, disk.Dir)).Event("receiving", &made)
	transport := &http.Transport{DialContext: bob.Dial6, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	s := &sender{t, &http.Client{Transport: transport}, made.URL}
	content, err := os.ReadFile(random(t, filepath.Join(t.TempDir(), "film.mkv"), size, 7))
	if err != nil {
		t.Fatal(err)
	}
	arrivedAs := func(name string) {
		t.Helper()
		if got, err := os.ReadFile(filepath.Join(disk.Dir, name)); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("%s: %d bytes, %v", name, len(got), err)
		}
	}

	first := s.begin("first.mkv", size)
	filler := filepath.Join(disk.Dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 60<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	// The answer may be lost when the node hangs up in the middle of so much.
	if resp, err := s.send(first, 0, bytes.NewReader(content)); err == nil && resp.StatusCode != http.StatusInsufficientStorage {
		t.Fatalf("on a full disk: %s", resp.Status)
	}
	from := s.offset(first)
	if resp, err := s.send(first, from, bytes.NewReader(content[from:from+1])); err != nil || resp.StatusCode != http.StatusInsufficientStorage {
		t.Fatalf("one byte more for a full disk: %v, %v", resp, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	s.finish(first, content, 1)
	arrivedAs("first.mkv")

	disk.Resize(3 * size)
	second := s.begin("second.mkv", size)
	body, feed := io.Pipe()
	over := make(chan error, 1)
	go func() {
		_, err := s.send(second, 0, body)
		over <- err
	}()
	if _, err := feed.Write(content[:size-1]); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		parts, err := filepath.Glob(filepath.Join(disk.Dir, "second.mkv.*.part"))
		if err != nil {
			t.Fatal(err)
		}
		if len(parts) == 1 {
			if info, err := os.Stat(parts[0]); err == nil && info.Size() > 2*surely {
				break
			}
		}
		if time.Now().After(end) {
			t.Fatalf("nothing arrives: %q", parts)
		}
	}
	daemon.Kill()
	feed.CloseWithError(io.ErrUnexpectedEOF)
	if err := <-over; err == nil {
		t.Error("the sender of what broke off was told that it arrived")
	}
	node()
	s.finish(second, content, surely)
	arrivedAs("second.mkv")
	if left, err := filepath.Glob(filepath.Join(disk.Dir, "*.part")); err != nil || len(left) > 0 {
		t.Errorf("left over: %q, %v", left, err)
	}
}
