package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// daemon runs a node like the daemon verb.
func startDaemon(t *testing.T, o Options) *Node {
	t.Helper()
	o.Daemon = true
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the daemon: %v", err)
		}
	})
	select {
	case <-n.Ready():
	case err := <-ended:
		ended <- nil
		t.Fatalf("the daemon does not start: %v", err)
	}
	return n
}

func TestSystemdIsTold(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("systemd is on Linux only")
	}
	dir, err := os.MkdirTemp("", "notify") // short: the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", l.LocalAddr().String())
	t.Setenv("WATCHDOG_USEC", "300000")
	t.Setenv("WATCHDOG_PID", "")
	heard := func(want string) string {
		t.Helper()
		b := make([]byte, 4096)
		for {
			if err := l.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
				t.Fatal(err)
			}
			k, err := l.Read(b)
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			if strings.HasPrefix(string(b[:k]), want) {
				return string(b[:k])
			}
		}
	}
	o := options(t, stateDir(t), nil)
	o.Daemon = true
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	heard("READY=1")
	heard("WATCHDOG=1")
	n.Reload(o.Config)
	if s := heard("RELOADING=1"); !strings.Contains(s, "\nMONOTONIC_USEC=") {
		t.Errorf("%q", s)
	}
	heard("READY=1")
	cancel()
	heard("STOPPING=1")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestSocketsFromSystemd(t *testing.T) {
	file := func(x interface{ File() (*os.File, error) }, name string) *os.File {
		t.Helper()
		f, err := x.File()
		if err != nil {
			t.Fatal(err)
		}
		named := os.NewFile(dup(t, f), name)
		f.Close()
		return named
	}
	tcp, err := net.ListenTCP("tcp6", &net.TCPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	unix, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s")})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	var in inherited
	defer in.close()
	for _, f := range []*os.File{file(tcp, "peers"), file(tcp, "web"), file(tcp, "web-link"), file(tcp, "web-link"), file(udp, "dht"), file(unix, "api")} {
		if err := in.take(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if len(in.tcp) != 1 || len(in.udp) != 1 || len(in.links) != 2 || in.web == nil || in.api == nil {
		t.Errorf("%+v", in)
	}
}

func TestThePageNeedsASignIn(t *testing.T) {
	n := startDaemon(t, options(t, stateDir(t), map[string][]string{"web": {"[::1]:0"}}))
	c := n.Client()
	defer c.Close()
	ctx := testContext(t)
	web := n.Info().Web
	if !strings.HasPrefix(web, "http://[::1]:") {
		t.Fatalf("the page is at %q", web)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func() int {
		t.Helper()
		resp, err := browser.Get(web + "api/v1/node")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	if got := ask(); got != http.StatusUnauthorized {
		t.Errorf("without a sign-in: %d", got)
	}
	signIn, err := c.SignIn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(signIn)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{"token": strings.TrimPrefix(u.Fragment, "signin=")})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := browser.Post(web+"api/v1/session", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := ask(); got != http.StatusOK {
		t.Errorf("signed in (%s): %d", resp.Status, got)
	}
	if err := c.SetPassword(ctx, "short"); share.KindOf(err) != share.Usage {
		t.Errorf("a short password: %v", err)
	}
}

func TestThePageElsewhereNeedsAPassword(t *testing.T) {
	o := options(t, stateDir(t), map[string][]string{"web": {"[::]:0"}})
	o.Daemon = true
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Run(testContext(t)); share.KindOf(err) != share.Usage || !strings.Contains(err.Error(), "password") {
		t.Fatalf("without one: %v", err)
	}
	if err := SetPassword(o.Config.State, "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	startDaemon(t, o)
}

func TestNoPageNoSignIn(t *testing.T) {
	s := open(t, options(t, stateDir(t), nil))
	defer closed(t, s)
	if _, err := s.Client.SignIn(testContext(t)); share.KindOf(err) != share.Failed || !strings.Contains(err.Error(), "--web") {
		t.Error(err)
	}
}

// Files in a watched folder are fetched once, also those that arrived while the node was
// not running, and bad ones are renamed.
func TestWatchedFolder(t *testing.T) {
	giver := open(t, options(t, stateDir(t), nil))
	defer closed(t, giver)
	ctx := testContext(t)
	dir, _ := content(t)
	one := shared(t, giver.Client, dir)
	single := filepath.Join(t.TempDir(), "single")
	if err := os.WriteFile(single, []byte("just this"), 0o600); err != nil {
		t.Fatal(err)
	}
	two := shared(t, giver.Client, single)
	torrent, err := giver.Client.Torrent(ctx, two.ID)
	if err != nil {
		t.Fatal(err)
	}
	watched := t.TempDir()
	drop := func(name, text string, age time.Duration) {
		t.Helper()
		path := filepath.Join(watched, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	drop("old.torrent", string(torrent), time.Hour)
	drop("bad.torrent", "nonsense", time.Hour)
	drop("note.pdf", "not ours", time.Hour)
	taker := startDaemon(t, options(t, stateDir(t), map[string][]string{"watch": {watched}}))
	c := taker.Client()
	defer c.Close()
	await(t, c, two.ID, func(t share.Transfer) bool { return t.Name != "" })
	drop("new.magnet", "# from a friend\n\n"+one.Link+"\n", time.Minute)
	await(t, c, one.ID, func(t share.Transfer) bool { return !t.Completed.IsZero() })
	want := map[string]bool{"old.torrent.added": true, "bad.torrent.refused": true, "note.pdf": true, "new.magnet.added": true}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		entries, err := os.ReadDir(watched)
		if err != nil {
			t.Fatal(err)
		}
		fit := 0
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
			if want[e.Name()] {
				fit++
			}
		}
		if fit == len(want) && len(names) == fit {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the folder has %v", names)
		}
	}
}

func TestThePageOverTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, cert, key, 1)
	o := options(t, stateDir(t), map[string][]string{"web": {"[::1]:0"}, "web-cert": {cert}, "web-key": {key}})
	n := startDaemon(t, o)
	web, err := url.Parse(n.Info().Web)
	if err != nil || web.Scheme != "https" {
		t.Fatalf("%v %v", web, err)
	}
	serial := func() int64 {
		t.Helper()
		c, err := tls.Dial("tcp", web.Host, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("serial %d", got)
	}
	writePair(t, cert, key, 2)
	n.Reload(o.Config)
	if got := serial(); got != 2 {
		t.Errorf("after a reload: serial %d", got)
	}
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	n.Reload(o.Config)
	if got := serial(); got != 2 {
		t.Errorf("after a reload that failed: serial %d", got)
	}
}

// writePair makes a self-signed certificate.
func writePair(t *testing.T, cert, key string, serial int64) {
	writeCertificate(t, cert, key, &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)})
}

func writeCertificate(t *testing.T, cert, key string, template *x509.Certificate) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
