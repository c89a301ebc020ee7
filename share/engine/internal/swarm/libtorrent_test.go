package swarm

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/bencode"
)

const python = "/usr/bin/python3"

// torrent writes content and its .torrent to folders, and returns their paths.
// The ID of the content becomes that of its info dictionary.
func (m *made) torrent(t testing.TB) (file, folder string) {
	t.Helper()
	info := []byte("d")
	info = bencode.AppendInt(bencode.AppendString(info, "length"), int64(len(m.data)))
	info = bencode.AppendString(bencode.AppendString(info, "name"), "content")
	info = bencode.AppendInt(bencode.AppendString(info, "piece length"), int64(m.layout.PieceLength))
	var pieces []byte
	for _, h := range m.hashes {
		pieces = append(pieces, h[:]...)
	}
	info = append(bencode.AppendString(bencode.AppendString(info, "pieces"), pieces), 'e')
	m.id, m.info = sha1.Sum(info), info
	folder = t.TempDir()
	file = filepath.Join(t.TempDir(), "content.torrent")
	if err := os.WriteFile(file, append(append([]byte("d4:info"), info...), 'e'), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, folder
}

// libtorrent runs a peer that others wrote. It ends with the test.
type libtorrent struct {
	port  uint16
	lines chan string
}

func startLibtorrent(t testing.TB, args ...string) *libtorrent {
	t.Helper()
	if testing.Short() {
		t.Skip("another client takes long")
	}
	if err := exec.Command(python, "-c", "import libtorrent").Run(); err != nil {
		needs(t, "needs libtorrent: apt-get install python3-libtorrent")
	}
	cmd := exec.Command(python, append([]string{"testdata/lt_peer.py"}, args...)...)
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
	l := &libtorrent{lines: make(chan string, 10)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(l.lines)
		for r := bufio.NewReader(stdout); ; {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			l.lines <- strings.TrimSpace(line)
		}
	}()
	t.Cleanup(func() {
		stdin.Close()
		<-read
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(stderr.String())
		}
	})
	port, err := strconv.ParseUint(strings.TrimPrefix(l.line(t), "port "), 10, 16)
	if err != nil {
		t.Fatal(err, stderr.String())
	}
	l.port = uint16(port)
	return l
}

// needs skips a test, which fails where nothing may be skipped.
func needs(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip("SKIPPED: " + why)
}

func (l *libtorrent) line(t testing.TB) string {
	t.Helper()
	select {
	case s := <-l.lines:
		return s
	case <-time.After(time.Minute):
		t.Fatal("libtorrent says nothing for a minute")
		return ""
	}
}

func TestFetchFromLibtorrent(t *testing.T) {
	for _, encryption := range []string{"plain", "forced"} {
		for _, magnet := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s magnet=%v", encryption, magnet), func(t *testing.T) {
				m := makeContent(9<<20+777, 128<<10)
				file, folder := m.torrent(t)
				if err := os.WriteFile(filepath.Join(folder, "content"), m.data, 0o600); err != nil {
					t.Fatal(err)
				}
				other := startLibtorrent(t, file, folder, encryption)
				if s := other.line(t); s != "done" {
					t.Fatal(s)
				}
				n, _ := node(t, nil)
				want, disk := m.content(false)
				c := want
				if magnet {
					c = Content{ID: m.id, CheckInfo: func(b []byte) bool { return bytes.Equal(b, m.info) }}
				}
				s, events := attach(t, n, c)
				s.AddPeers([]netip.AddrPort{netip.AddrPortFrom(netip.IPv6Loopback(), other.port)})
				if magnet {
					await(t, events, InfoKnown)
					if err := s.Fill(want); err != nil {
						t.Fatal(err)
					}
				}
				await(t, events, Finished)
				if !bytes.Equal(disk.data, m.data) {
					t.Fatal("other data arrived")
				}
				if p := s.Peers(); len(p) == 1 && p[0].Encrypted != (encryption == "forced") {
					t.Errorf("encrypted: %v", p[0].Encrypted)
				}
			})
		}
	}
}

func TestLibtorrentFetchesFromUs(t *testing.T) {
	for _, encryption := range []string{"plain", "forced"} {
		for _, magnet := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s magnet=%v", encryption, magnet), func(t *testing.T) {
				m := makeContent(9<<20+777, 128<<10)
				file, folder := m.torrent(t)
				n, addr := node(t, nil)
				have, _ := m.content(true)
				have.ID, have.Info = m.id, m.info
				s, _ := attach(t, n, have)
				if magnet {
					file = fmt.Sprintf("magnet:?xt=urn:btih:%x", m.id)
				}
				other := startLibtorrent(t, file, folder, encryption, addr.Addr().String(), fmt.Sprint(addr.Port()))
				if got := other.line(t); got != "done" {
					t.Fatal(got)
				}
				got, err := os.ReadFile(filepath.Join(folder, "content"))
				if err != nil || !bytes.Equal(got, m.data) {
					t.Fatal("other data arrived", err)
				}
				if st := s.Stats(); st.Sent < int64(len(m.data)) || st.Sent > int64(len(m.data))*11/10 {
					t.Errorf("sent %d for %d", st.Sent, len(m.data))
				}
			})
		}
	}
}
