package native

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

// startLibtorrent runs a peer that others wrote, with nothing but uTP. It ends with
// the test.
func startLibtorrent(t *testing.T, args ...string) (port uint16, line func() string) {
	t.Helper()
	if testing.Short() {
		t.Skip("another client takes long")
	}
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import libtorrent").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs libtorrent: apt-get install python3-libtorrent")
		}
		t.Skip("SKIPPED: needs libtorrent: apt-get install python3-libtorrent")
	}
	cmd := exec.Command(python, append([]string{"../testdata/lt_peer.py"}, args...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 10)
	go func() {
		defer close(lines)
		for r := bufio.NewScanner(stdout); r.Scan(); {
			lines <- r.Text()
		}
	}()
	t.Cleanup(func() {
		stdin.Close()
		for range lines { // what it says to the end
		}
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(stderr.String())
		}
	})
	line = func() string { return await(t, "line of libtorrent", lines) }
	n, err := strconv.ParseUint(strings.TrimPrefix(line(), "port "), 10, 16)
	if err != nil {
		t.Fatal(err, stderr.String())
	}
	return uint16(n), line
}

// torrentOf writes the .torrent of content to a folder, and gives it an ID that is
// that of its info dictionary.
func torrentOf(t *testing.T, c *face.Content) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file.torrent")
	if err := os.WriteFile(file, fmt.Appendf(nil, "d4:info%se", c.Info), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// libtorrent's uTP and ours understand each other, in both directions.
func TestLibtorrentOverUTP(t *testing.T) {
	const pieces = 150
	for _, encryption := range []string{"plain/utp", "forced/utp"} {
		t.Run("it seeds, "+encryption, func(t *testing.T) {
			all, disk := testContent(pieces, true)
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "file"), disk.data, 0o600); err != nil {
				t.Fatal(err)
			}
			port, line := startLibtorrent(t, torrentOf(t, &all), folder, encryption)
			if s := line(); s != "done" {
				t.Fatal(s)
			}
			n, _ := testNetwork(t, withUTP(t))
			want, got := testContent(pieces, false)
			s := attach(t, n, want)
			s.SetPriorities(face.Change{From: 0, To: pieces, Is: face.Normal})
			at := netip.AddrPortFrom(netip.IPv6Loopback(), port)
			// It lets TCP in and closes it: the next call goes over uTP first.
			c, err := n.Dial(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = c.Read(make([]byte, 1))
			c.Close()
			s.AddPeers([]face.Peer{{Addr: at, Source: share.FromTracker}})
			await(t, "content", got.done)
			if !bytes.Equal(got.data, disk.data) {
				t.Error("other data arrived")
			}
			if !n.either.better.has(at) {
				t.Error("it did not come over uTP")
			}
		})
		t.Run("it fetches, "+encryption, func(t *testing.T) {
			n, at := testNetwork(t, onlyUTP(t))
			all, disk := testContent(pieces, true)
			attach(t, n, all)
			folder := t.TempDir()
			_, line := startLibtorrent(t, torrentOf(t, &all), folder, encryption, at.Addr().String(), fmt.Sprint(at.Port()))
			if s := line(); s != "done" {
				t.Fatal(s)
			}
			got, err := os.ReadFile(filepath.Join(folder, "file"))
			if err != nil || !bytes.Equal(got, disk.data) {
				t.Error("other data arrived", err)
			}
		})
	}
}
