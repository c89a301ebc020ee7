package native

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

// server serves data as /file.
func server(t *testing.T, data []byte) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/file" {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "file", time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/"
}

func ipv4(c *face.Config) { c.Policy = netguard.Policy{AllowPrivate: true, IPv4: true} }

func TestWebSeedsAlone(t *testing.T) {
	n, _ := testNetwork(t, ipv4)
	_, full := testContent(40, true)
	want, disk := testContent(40, false)
	s := attach(t, n, want)
	good := server(t, full.data)
	s.AddWebSeeds([]string{good, good, "ftp://nothing/"})
	s.AddWebSeeds([]string{good})
	if got := s.WebSeeds(); len(got) != 1 || got[0].URL != good {
		t.Fatalf("%+v", got)
	}
	// At first nothing is wanted, then a part, then the rest.
	s.SetPriorities(face.Change{From: 3, To: 5, Is: face.Now})
	until(t, "part", func() bool {
		_, a := disk.Completion(3)
		_, b := disk.Completion(4)
		return a && b
	})
	s.SetPriorities(face.Change{From: 0, To: 40, Is: face.Normal})
	await(t, "content", disk.done)
	if !bytes.Equal(disk.data, full.data) {
		t.Error("other data arrived")
	}
	size := int64(len(full.data))
	if f := s.Figures(); f.Down != size || f.Peers != 0 || n.Figures().Down != size || n.Figures().Open != 0 {
		t.Errorf("%+v, %+v", f, n.Figures())
	}
	if got := s.WebSeeds()[0]; got.Err != nil || got.Last.IsZero() {
		t.Errorf("%+v", got)
	}
}

// What is lost later is fetched again.
func TestAWebSeedIsAskedAgain(t *testing.T) {
	n, _ := testNetwork(t, ipv4)
	_, full := testContent(5, true)
	want, disk := testContent(5, false)
	s := attach(t, n, want)
	s.AddWebSeeds([]string{server(t, full.data)})
	s.SetPriorities(face.Change{From: 0, To: 5, Is: face.Normal})
	await(t, "content", disk.done)
	disk.mu.Lock()
	disk.have[2], disk.done = false, make(chan struct{})
	clear(disk.data[2*disk.length:][:disk.length])
	disk.mu.Unlock()
	s.refresh(2, 3)
	await(t, "lost piece", disk.done)
	if !bytes.Equal(disk.data, full.data) {
		t.Error("other data arrived")
	}
}

// One that lies is not asked again, one that lacks the file is not, one that may
// not be called never was; the reasons are told, and the content comes from a
// peer.
func TestWebSeedsThatAreOfNoUse(t *testing.T) {
	n, _ := testNetwork(t, nil)
	a, addr := testNetwork(t, nil)
	seed, full := testContent(5, true)
	attach(t, a, seed)
	want, disk := testContent(5, false)
	s := attach(t, n, want)
	s.SetPriorities(face.Change{From: 0, To: 5, Is: face.Normal})
	lies := bytes.Clone(full.data)
	for i := range lies {
		lies[i]++
	}
	// The policy of n is of IPv6 alone.
	s.AddWebSeeds([]string{server(t, full.data)})
	until(t, "refusal", func() bool { return s.WebSeeds()[0].Err != nil })
	if why := s.WebSeeds()[0].Err.Error(); !strings.Contains(why, "127.0.0.1") && !strings.Contains(why, "IPv4") {
		t.Errorf("refused since %s", why)
	}
	s.AddPeers([]face.Peer{{Addr: addr}})
	await(t, "content", disk.done)

	m, _ := testNetwork(t, ipv4)
	want, disk = testContent(5, false)
	s = attach(t, m, want)
	s.SetPriorities(face.Change{From: 0, To: 5, Is: face.Normal})
	s.AddWebSeeds([]string{server(t, lies), server(t, nil) + "other/"})
	until(t, "verdicts", func() bool { return s.WebSeeds()[0].Err != nil && s.WebSeeds()[1].Err != nil })
	if got := s.WebSeeds(); !strings.Contains(got[0].Err.Error(), "wrong data") || !strings.Contains(got[1].Err.Error(), "404") {
		t.Errorf("%+v", got)
	}
	s.AddWebSeeds([]string{server(t, full.data)})
	await(t, "content", disk.done)
	if !bytes.Equal(disk.data, full.data) {
		t.Error("other data arrived")
	}
}
