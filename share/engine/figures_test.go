package engine

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// What trackers are told is true. Instances that were met: a complete seed that
// announced left=everything; "completed" without a download; "stopped" with the
// left of the beginning; the totals of earlier sessions; 1 TiB for an unknown
// size. The announcer's part is TestFiguresOfTheSession.

// trackerLog is a tracker that notes what it is told and knows one peer.
type trackerLog struct {
	t    *testing.T
	url  string
	told chan string
}

func newTrackerLog(t *testing.T, peer *node) *trackerLog {
	r := &trackerLog{t: t, told: make(chan string, 100)}
	ip := peer.addr.Addr().As16()
	known := string(ip[:]) + string([]byte{byte(peer.addr.Port() >> 8), byte(peer.addr.Port())})
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		v := q.URL.Query()
		if e := v.Get("event"); e != "" {
			r.told <- fmt.Sprintf("%s down %s left %s", e, v.Get("downloaded"), v.Get("left"))
		}
		_, _ = io.WriteString(w, "d8:intervali60e6:peers618:"+known+"e")
	})}}
	srv.Start()
	t.Cleanup(srv.Close)
	r.url = srv.URL + "/announce"
	return r
}

// expect wants the next announces that have an event to be these.
func (r *trackerLog) expect(want ...string) {
	r.t.Helper()
	deadline := time.After(patience)
	for _, w := range want {
		select {
		case got := <-r.told:
			if got != w {
				r.t.Errorf("told %q, want %q", got, w)
			}
		case <-deadline:
			r.t.Fatalf("waited in vain for %q", w)
		}
	}
}

func (r *trackerLog) quiet() {
	r.t.Helper()
	select {
	case got := <-r.told:
		r.t.Errorf("told %q, want nothing", got)
	default:
	}
}

func TestTrackersAreToldTheTruth(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	src := filepath.Join(t.TempDir(), "two")
	const one, two = 600_000, 400_000
	makeFiles(t, src, map[string]int{"one": one, "two": two})
	shared := a.share(src)
	torrent, err := a.Torrent(shared.ID)
	if err != nil {
		t.Fatal(err)
	}
	allow := func(c *Config) { c.AllowPrivate = true }
	get := func(n *node, r *trackerLog, dir string, files ...string) {
		t.Helper()
		_, err := n.Fetch(t.Context(), FetchRequest{
			Torrent: torrent, Link: share.Link{Trackers: []string{r.url}}, Output: dir, FetchOptions: share.FetchOptions{Files: files},
		})
		if err != nil {
			t.Fatal(err)
		}
		n.waitState(shared.ID, share.Seeding)
	}

	t.Run("data that was there", func(t *testing.T) {
		r := newTrackerLog(t, a)
		dir := t.TempDir()
		if err := os.CopyFS(filepath.Join(dir, "two"), os.DirFS(src)); err != nil {
			t.Fatal(err)
		}
		b := newNode(t, allow)
		get(b, r, dir)
		r.expect("started down 0 left 0")
		b.stop()
		r.expect("stopped down 0 left 0")
		r.quiet()
	})

	t.Run("a download, and the sessions after it", func(t *testing.T) {
		r := newTrackerLog(t, a)
		state, dir := t.TempDir(), t.TempDir()
		b := startNode(t, state, allow)
		get(b, r, dir)
		all := fmt.Sprint(one + two)
		r.expect("started down 0 left "+all, "completed down "+all+" left 0")
		b.stop()
		r.expect("stopped down " + all + " left 0")
		b = startNode(t, state, allow)
		r.expect("started down 0 left 0")
		if err := b.Pause(shared.ID); err != nil {
			t.Fatal(err)
		}
		r.expect("stopped down 0 left 0")
		b.stop()
		r.quiet()
	})

	t.Run("a part of it, then the rest", func(t *testing.T) {
		r := newTrackerLog(t, a)
		b := newNode(t, allow)
		get(b, r, t.TempDir(), "one")
		got := <-r.told
		if want := fmt.Sprintf("started down 0 left %d", one+two); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
		files, err := b.Files(shared.ID)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(files, func(f share.File) bool { return f.Path == "two" })
		if err := b.SetPriority(shared.ID, map[int]share.Priority{files[i].Index: share.Normal}); err != nil {
			t.Fatal(err)
		}
		b.wait(shared.ID, "the rest", func(s share.Transfer) bool { return s.State == share.Seeding && s.Bytes == one+two })
		// It may have waited for its turn to fetch, which ends a session.
		for down, left := 0, 0; ; {
			got := <-r.told
			if n, _ := fmt.Sscanf(got, "completed down %d left %d", &down, &left); n == 2 {
				if down == 0 || left != 0 {
					t.Errorf("told %q", got)
				}
				break
			}
		}
		b.stop()
		if got := <-r.told; !strings.HasPrefix(got, "stopped ") || !strings.HasSuffix(got, " left 0") {
			t.Errorf("told %q, want stopped and nothing left", got)
		}
		r.quiet()
	})

	t.Run("a part of it is no seed", func(t *testing.T) {
		r := newTrackerLog(t, a)
		b := newNode(t, allow)
		get(b, r, t.TempDir(), "one")
		b.stop()
		<-r.told
		var down, left int
		got := <-r.told
		if n, _ := fmt.Sscanf(got, "stopped down %d left %d", &down, &left); n != 2 || left == 0 || left > two || down < one {
			t.Errorf("told %q, want stopped and what is left of both files", got)
		}
	})

	t.Run("a size that is not known yet", func(t *testing.T) {
		r := newTrackerLog(t, a)
		b := newNode(t, allow)
		b.fetch(share.Link{ID: share.ID{1}, Trackers: []string{r.url}}.String(), t.TempDir())
		r.expect("started down 0 left 16384")
	})
}
