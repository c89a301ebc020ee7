package swarm

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Clients that others wrote, over IPv4 loopback, which is all that some of them
// listen on. Transmission 3.00 leaves some requests unanswered, about 15.5 MB into a
// download: a client that waits for each answer stops there for ever.

// client starts a client on a torrent, whose data is or will be below folder.
type client struct {
	name  string
	start func(t *testing.T, torrent, folder string, port uint16)
}

var clients = []client{{"transmission", transmission}, {"aria2", aria2}}

func transmission(t *testing.T, torrent, folder string, port uint16) {
	dir := t.TempDir()
	watch := filepath.Join(dir, "watch")
	b, err := os.ReadFile(torrent)
	if err == nil {
		err = os.Mkdir(watch, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(watch, "x.torrent"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	begin(t, "transmission-daemon", "transmission-daemon", "-f", "-g", dir, "-p", fmt.Sprint(free4(t)), "-P", fmt.Sprint(port),
		"-M", "-T", "-w", folder, "-c", watch, "-i", "127.0.0.1", "-I", "::1", "-r", "127.0.0.1", "-O", "-Y", "-et")
}

func aria2(t *testing.T, torrent, folder string, port uint16) {
	begin(t, "aria2", "aria2c", "-q", "--no-conf", "-V", "--dir", folder, fmt.Sprintf("--listen-port=%d", port), "--seed-ratio=0",
		"--enable-dht=false", "--bt-enable-lpd=false", "--enable-peer-exchange=false", "--file-allocation=none", torrent)
}

// begin starts a program that ends with the test.
func begin(t *testing.T, debian, name string, args ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("another client takes long")
	}
	if _, err := exec.LookPath(name); err != nil {
		needs(t, "needs "+name+": apt-get install "+debian)
	}
	cmd := exec.Command(name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	})
}

// free4 is a port that nobody listens on.
func free4(t *testing.T) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}

// until waits for ok, a minute at most.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1200 {
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("no %s after a minute", what)
}

// answering waits until somebody answers a handshake about the content.
func (m *made) answering(t *testing.T, addr netip.AddrPort) {
	t.Helper()
	until(t, "answer", func() bool {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			return false
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		b := append([]byte(protocol), make([]byte, 8)...)
		b = append(append(b, m.id[:]...), "-XX0000-another-one1"...)
		if _, err := c.Write(b); err != nil {
			return false
		}
		_, err = readHello(c)
		return err == nil
	})
}

func TestFetchFromOtherClients(t *testing.T) {
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			m := makeContent(40<<20+777, 256<<10)
			file, folder := m.torrent(t)
			if err := os.WriteFile(filepath.Join(folder, "content"), m.data, 0o600); err != nil {
				t.Fatal(err)
			}
			addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), free4(t))
			c.start(t, file, folder, addr.Port())
			m.answering(t, addr)
			n, _ := nodeAt(t, "127.0.0.1:0", nil)
			want, disk := m.content(false)
			s, events := attach(t, n, want)
			s.AddPeers([]netip.AddrPort{addr})
			await(t, events, Finished)
			if !bytes.Equal(disk.data, m.data) {
				t.Fatal("other data arrived")
			}
			t.Logf("%+v", s.Stats())
		})
	}
}

func TestOtherClientsFetchFromUs(t *testing.T) {
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			m := makeContent(40<<20+777, 256<<10)
			n, _ := nodeAt(t, "127.0.0.1:0", nil)
			file, folder := m.torrent(t)
			have, _ := m.content(true)
			have.ID, have.Info = m.id, m.info
			s, _ := attach(t, n, have)
			// They would not connect to a loopback address, so we do.
			addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), free4(t))
			c.start(t, file, folder, addr.Port())
			m.answering(t, addr)
			s.AddPeers([]netip.AddrPort{addr})
			until(t, "whole file", func() bool {
				got, err := os.ReadFile(filepath.Join(folder, "content"))
				return err == nil && bytes.Equal(got, m.data)
			})
			if st := s.Stats(); st.Sent > int64(len(m.data))*11/10 {
				t.Errorf("sent %d for %d", st.Sent, len(m.data))
			}
		})
	}
}
