package node

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui"
)

// reborn runs a Daemon, whose nodes arrive in the channel.
func reborn(t *testing.T, flags map[string][]string, file string) (nodes chan *Node, end func() error) {
	t.Helper()
	load := func() (*config.Config, error) {
		return config.Load(config.Sources{Flags: flags, Env: func(string) (string, bool) { return "", false }})
	}
	if err := os.WriteFile(flags["config"][0], []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	nodes = make(chan *Node, 10)
	d := &Daemon{
		Options: Options{Version: "0.0-test", Stderr: t.Output()}, Load: load,
		Ready: func(n *Node) { nodes <- n }, Reloaded: func([]string, error) {},
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx); close(nodes) }()
	end = func() error {
		cancel()
		err := <-ended
		ended <- nil
		return err
	}
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	})
	return nodes, end
}

// born waits for the next node.
func born(t *testing.T, nodes chan *Node) *Node {
	t.Helper()
	select {
	case n, ok := <-nodes:
		if !ok {
			t.Fatal("the daemon ended")
		}
		return n
	case <-time.After(time.Minute):
		t.Fatal("no node within a minute")
	}
	return nil
}

func daemonFlags(t *testing.T, more map[string][]string) map[string][]string {
	dir := t.TempDir()
	all := map[string][]string{
		"state": {filepath.Join(dir, "state")}, "config": {filepath.Join(dir, "config.toml")}, "downloads": {filepath.Join(dir, "downloads")},
		"bootstrap": {"none"}, "no-lan": {"true"},
	}
	for k, v := range more {
		all[k] = v
	}
	return all
}

func changed(t *testing.T, n *Node, name, text string) {
	t.Helper()
	if err := n.settings.ChangeSettings(map[string]*string{name: &text}); err != nil {
		t.Fatal(err)
	}
}

func TestRestartedByItsOwner(t *testing.T) {
	nodes, _ := reborn(t, daemonFlags(t, map[string][]string{"listen": {"[::1]:0"}, "web": {"[::1]:0"}, "web-link-listen": {"[::1]:0"}, "utp": {"true"}}), "")
	n := born(t, nodes)
	dir, _ := content(t)
	mine := shared(t, n.Client(), dir)
	changed(t, n, "max-fetching", "5")
	changed(t, n, "seed", "ratio:2")
	off := "false"
	if err := n.settings.ChangeSettings(map[string]*string{"utp": &off}); share.KindOf(err) != share.Usage {
		t.Errorf("a flag was overruled: %v", err)
	}
	if r := n.settings.Restarting(); !r.Can || !slices.Equal(r.Pending, []string{"max-fetching"}) || n.current().MaxFetching != 0 || n.current().Seed.Ratio != 2 {
		t.Errorf("%+v, now %d at once until %+v", r, n.current().MaxFetching, n.current().Seed)
	}
	before := n.Info()
	doors := n.bound
	secret, _, err := n.access.page.auth.NewToken("a program", webui.ScopeEverything)
	if err != nil {
		t.Fatal(err)
	}
	// Over the page, as an owner who is elsewhere does it.
	ask := func(method, url string) (*http.Response, error) {
		req, err := http.NewRequestWithContext(testContext(t), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		return http.DefaultClient.Do(req)
	}
	resp, err := ask(http.MethodPost, before.Web+"api/v1/restart")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("restarting: %s", resp.Status)
	}
	n = born(t, nodes)
	after := n.Info()
	if after.Web != before.Web || !slices.Equal(after.Listen, before.Listen) || after.Boot == before.Boot || after.PID != before.PID {
		t.Errorf("before %+v\nafter %+v", before, after)
	}
	for what, at := range doors {
		if n.bound[what] != at {
			t.Errorf("%s is %s, was %s", what, n.bound[what], at)
		}
	}
	if n.current().MaxFetching != 5 || n.current().Seed.Ratio != 2 || len(n.settings.Restarting().Pending) != 0 {
		t.Errorf("%+v", n.current())
	}
	await(t, n.Client(), mine.ID, func(x share.Transfer) bool { return x.State == share.Seeding })
	if resp, err = ask(http.MethodGet, after.Web+"api/v1/node"); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the sign-in was lost: %v, %v", resp, err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
}

func TestRestartRefused(t *testing.T) {
	flags := daemonFlags(t, map[string][]string{"listen": {"[::1]:0"}})
	nodes, _ := reborn(t, flags, "")
	n := born(t, nodes)
	// The file has got an error meanwhile.
	if err := os.WriteFile(flags["config"][0], []byte("max-uploads = \"lots\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := n.settings.Restart(); share.KindOf(err) != share.Usage || !strings.Contains(err.Error(), "max-uploads") {
		t.Errorf("%v", err)
	}
	changed(t, n, "max-fetching", "2") // it still runs
	s := open(t, options(t, stateDir(t), nil))
	defer closed(t, s)
	if err := s.Client.Restart(testContext(t)); share.KindOf(err) != share.Failed {
		t.Errorf("the node of a command was restarted: %v", err)
	}
	if r, err := s.Client.Restarting(testContext(t)); err != nil || r.Can {
		t.Errorf("%+v, %v", r, err)
	}
}

// A port that another program has taken since it was saved.
func TestASettingThatStopsTheNodeIsDropped(t *testing.T) {
	flags := daemonFlags(t, nil)
	nodes, end := reborn(t, flags, "")
	n := born(t, nodes)
	kept := n.Info().Listen
	l, err := net.Listen("tcp6", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	if err := n.settings.ChangeSettings(map[string]*string{"listen": &taken}); share.KindOf(err) != share.Usage {
		t.Fatalf("a port that is in use was saved: %v", err)
	}
	l.Close()
	changed(t, n, "listen", taken)
	changed(t, n, "max-uploads", "9")
	changed(t, n, "seed", "none")
	again, err := net.Listen("tcp6", taken)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := n.settings.Restart(); share.KindOf(err) != share.Usage {
		t.Fatalf("restarted although the port is in use: %v", err)
	}
	// The whole process is started again, which no examination precedes.
	if err := end(); err != nil {
		t.Fatal(err)
	}
	nodes, end = reborn(t, flags, "")
	n = born(t, nodes)
	r := n.settings.Restarting()
	if !slices.Equal(n.Info().Listen, kept) || r.Failed == nil || r.Failed.Settings["listen"] != taken || r.Failed.Settings["max-uploads"] != "9" || !strings.Contains(r.Failed.Error, taken) {
		t.Fatalf("at %v, restart %+v", n.Info().Listen, r)
	}
	if n.current().MaxUploads != 0 || !n.current().Seed.None {
		t.Errorf("%d uploads, %+v", n.current().MaxUploads, n.current().Seed)
	}
	if p := strings.Join(n.Info().Problems, ""); !strings.Contains(p, "listen") || !strings.Contains(p, taken) {
		t.Errorf("problems: %s", p)
	}
	if err := n.settings.ForgetFailed(); err != nil || n.settings.Restarting().Failed != nil || len(n.Info().Problems) != 0 {
		t.Errorf("not forgotten: %v", err)
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	// It stays forgotten, and what is dropped stays dropped.
	nodes, _ = reborn(t, flags, "")
	n = born(t, nodes)
	if r := n.settings.Restarting(); r.Failed != nil || len(r.Pending) != 0 || len(n.current().Listen) != 0 {
		t.Errorf("%+v", r)
	}
}

// A node that cannot start for other reasons loses no settings.
func TestFallingBackIsUndoneIfItDoesNotHelp(t *testing.T) {
	flags := daemonFlags(t, nil)
	nodes, end := reborn(t, flags, "")
	n := born(t, nodes)
	changed(t, n, "max-uploads", "9")
	if err := end(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	broken := daemonFlags(t, map[string][]string{"state": flags["state"], "config": flags["config"], "web": {l.Addr().String()}})
	c, err := config.Load(config.Sources{Flags: broken, Env: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(Options{Config: c, Daemon: true, Stderr: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Run(testContext(t)); err == nil || !strings.Contains(err.Error(), "serving the page") {
		t.Fatalf("it runs: %v", err)
	}
	nodes, _ = reborn(t, flags, "")
	n = born(t, nodes)
	if r := n.settings.Restarting(); n.current().MaxUploads != 9 || r.Failed != nil {
		t.Errorf("%d uploads, %+v", n.current().MaxUploads, r)
	}
}

// systemd is told of a restart as of a reload: it must not take the node for one that ends.
func TestSystemdIsToldOfARestart(t *testing.T) {
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
	nodes, end := reborn(t, daemonFlags(t, map[string][]string{"listen": {"[::1]:0"}}), "")
	if err := born(t, nodes).settings.Restart(); err != nil {
		t.Fatal(err)
	}
	born(t, nodes)
	if err := end(); err != nil {
		t.Fatal(err)
	}
	var heard []string
	b := make([]byte, 4096)
	for len(heard) == 0 || heard[len(heard)-1] != "STOPPING=1" {
		if err := l.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		k, err := l.Read(b)
		if err != nil {
			t.Fatalf("after %v: %v", heard, err)
		}
		first, _, _ := strings.Cut(string(b[:k]), "\n")
		heard = append(heard, first)
	}
	if want := []string{"READY=1", "RELOADING=1", "READY=1", "STOPPING=1"}; !slices.Equal(heard, want) {
		t.Errorf("systemd heard %v, not %v", heard, want)
	}
}

// The sockets that systemd opened belong to the process, not to one node.
func TestSocketsOfSystemdOutliveANode(t *testing.T) {
	tcp, err := net.ListenTCP("tcp6", &net.TCPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	f, err := tcp.File()
	if err != nil {
		t.Skipf("no files of sockets here: %v", err)
	}
	defer f.Close()
	o := options(t, stateDir(t), nil)
	o.Daemon, o.files = true, []*os.File{f}
	for range 2 {
		n, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(testContext(t))
		ended := make(chan error, 1)
		go func() { ended <- n.Run(ctx) }()
		select {
		case <-n.Ready():
			if got := n.Info().Listen; len(got) != 1 || got[0] != tcp.Addr().String() {
				t.Errorf("it listens at %v", got)
			}
		case err := <-ended:
			t.Fatal(err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}
