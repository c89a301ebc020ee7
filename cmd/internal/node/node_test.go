package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options are those of a node on loopback that announces itself nowhere.
func options(t *testing.T, dir string, flags map[string][]string) Options {
	t.Helper()
	all := map[string][]string{
		"state": {dir}, "listen": {"[::1]:0"}, "bootstrap": {"none"}, "no-lan": {"true"}, "downloads": {filepath.Join(dir, "downloads")},
		"config": {filepath.Join(dir, "..", "config.toml")},
	}
	for k, v := range flags {
		all[k] = v
	}
	if err := os.WriteFile(all["config"][0], nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(config.Sources{Flags: all, Env: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	return Options{Config: c, Version: "0.0-test", Stderr: t.Output()}
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func open(t *testing.T, o Options) *Session {
	t.Helper()
	s, err := Open(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Own {
		t.Fatal("a node runs already")
	}
	return s
}

func closed(t *testing.T, s *Session) {
	t.Helper()
	start := time.Now()
	if err := s.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %s to stop", took)
	}
}

func stateDir(t *testing.T) string { return filepath.Join(t.TempDir(), "state") }

// content makes a folder with files to share.
func content(t *testing.T) (dir string, files map[string][]byte) {
	t.Helper()
	dir, files = filepath.Join(t.TempDir(), "holiday"), map[string][]byte{}
	for name, n := range map[string]int{"a.bin": 300_000, "sub/b.bin": 70_001, "sub/empty": 0} {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		files[name] = b
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, files
}

// shared shares dir and waits for its link.
func shared(t *testing.T, c *api.Client, dir string) share.Transfer {
	t.Helper()
	ctx := testContext(t)
	first, err := c.Share(ctx, api.ShareRequest{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	return await(t, c, first.ID, func(t share.Transfer) bool { return t.State == share.Seeding && t.Link != "" })
}

// await follows a transfer until it is as wanted.
func await(t *testing.T, c *api.Client, id share.ID, ok func(share.Transfer) bool) share.Transfer {
	t.Helper()
	var last share.Transfer
	for ev, err := range c.Events(testContext(t), id) {
		if err != nil {
			all, lerr := c.Transfers(context.Background())
			t.Fatalf("waiting for %s, which is %s (%s): %v; there are %+v, %v", id.Short(), last.State, last.Reason, err, all, lerr)
		}
		if ev.Transfer != nil {
			if last = *ev.Transfer; ok(last) {
				return last
			}
		}
	}
	t.Fatal("the events ended")
	return last
}

func TestOneNodeFetchesWhatAnotherShares(t *testing.T) {
	giver, taker := open(t, options(t, stateDir(t), nil)), open(t, options(t, stateDir(t), nil))
	defer closed(t, giver)
	defer closed(t, taker)
	ctx := testContext(t)
	dir, files := content(t)
	given := shared(t, giver.Client, dir)

	p, err := taker.Client.Preview(ctx, api.PreviewRequest{Link: given.Link})
	if err != nil || p.ID != given.ID || len(p.Peers) != 1 || p.Free <= 0 || p.Present != nil {
		t.Errorf("preview: %+v %v", p, err)
	}
	got, err := taker.Client.Fetch(ctx, api.FetchRequest{Link: given.Link})
	if err != nil {
		t.Fatal(err)
	}
	// Also while it is fetched.
	again, err := taker.Client.Fetch(ctx, api.FetchRequest{Link: given.ID.String()})
	if err != nil || again.ID != got.ID {
		t.Errorf("asked twice: %+v %v", again, err)
	}
	done := await(t, taker.Client, got.ID, func(t share.Transfer) bool { return !t.Completed.IsZero() })
	for name, want := range files {
		b, err := os.ReadFile(filepath.Join(done.Path, filepath.FromSlash(name)))
		if err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s arrived as %d bytes, %v", name, len(b), err)
		}
	}
	list, err := taker.Client.Files(ctx, done.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		r, err := taker.Client.Content(ctx, done.ID, f.Index)
		if err != nil {
			t.Fatalf("%s: %v", f.Path, err)
		}
		b, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(b, files[f.Path]) {
			t.Errorf("%s read through the API: %d bytes, %v", f.Path, len(b), err)
		}
	}
	torrent, err := taker.Client.Torrent(ctx, done.ID)
	if err != nil {
		t.Fatal(err)
	}
	p, err = giver.Client.Preview(ctx, api.PreviewRequest{Torrent: torrent})
	if err != nil || p.ID != given.ID || len(p.Files) != 3 || p.Present == nil || p.Size != 370_001 {
		t.Errorf("preview of the torrent: %+v %v", p, err)
	}
	if _, err := taker.Client.Remove(ctx, done.ID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := taker.Client.Transfer(ctx, done.ID); !errors.Is(err, share.ErrUnknown) {
		t.Errorf("after removing: %v", err)
	}
	if _, err := os.Stat(done.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the data is still there: %v", err)
	}
}

func TestWhatIsThereAfterARestart(t *testing.T) {
	state := stateDir(t)
	flags := map[string][]string{"listen": nil}
	dir, _ := content(t)
	s := open(t, options(t, state, flags))
	ctx := testContext(t)
	given := shared(t, s.Client, dir)
	port := s.Info.Listen[0]
	if l, err := s.Client.SetGlobalLimits(ctx, share.Limits{Up: 12345}); err != nil || l.Now.Up != 12345 || l.Source != api.SourceSaved {
		t.Errorf("limits: %+v %v", l, err)
	}
	closed(t, s)

	s = open(t, options(t, state, flags))
	defer closed(t, s)
	if s.Info.Listen[0] != port {
		t.Errorf("the port was %s and is %s", port, s.Info.Listen[0])
	}
	await(t, s.Client, given.ID, func(t share.Transfer) bool { return t.State == share.Seeding })
	if l, err := s.Client.Limits(ctx); err != nil || l.Up != 12345 {
		t.Errorf("limits: %+v %v", l, err)
	}
	settings, err := s.Client.Settings(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range settings {
		if v.Name == "up" && (v.Source != api.SourceSaved || v.Value != "12345") {
			t.Errorf("config says %+v", v)
		}
	}
}

func TestASecondNodeChangesNothing(t *testing.T) {
	state := stateDir(t)
	o := options(t, state, nil)
	s := open(t, o)
	defer closed(t, s)
	// The catalogue is opened in the background: when it answers, its file exists.
	if _, err := s.Client.Search(testContext(t), index.Query{}); err != nil {
		t.Fatal(err)
	}
	before := listing(t, state)
	second, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	err = second.Run(testContext(t))
	if !errors.Is(err, ErrLocked) || share.KindOf(err) != share.Failed || !strings.Contains(err.Error(), state) {
		t.Errorf("the second: %v", err)
	}
	if after := listing(t, state); after != before {
		t.Errorf("the state changed:\n%s\n%s", before, after)
	}
	other, err := Open(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	if other.Own || other.Info.PID != os.Getpid() || other.Done() != nil {
		t.Errorf("the verb does not use the node that runs: %+v", other)
	}
	closed(t, other)
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		b.WriteString(p + " " + info.Mode().String() + " " + info.ModTime().String() + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestNoNode(t *testing.T) {
	if _, err := Dial(testContext(t), stateDir(t)); share.KindOf(err) != share.NoNode || !strings.Contains(err.Error(), "shoal daemon") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestTheStateIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("file modes mean nothing here")
	}
	// The path may be too long for the address of a socket.
	state := filepath.Join(t.TempDir(), strings.Repeat("long", 30), "state")
	if err := os.MkdirAll(state, 0o755); err != nil {
		t.Fatal(err)
	}
	s := open(t, options(t, state, nil))
	defer closed(t, s)
	dir, _ := content(t)
	shared(t, s.Client, dir)
	err := filepath.WalkDir(state, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %s", p, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	other, err := Dial(testContext(t), state)
	if err != nil {
		t.Fatalf("over the socket: %v", err)
	}
	closed(t, other)
}

func TestStoppingEndsStreams(t *testing.T) {
	s := open(t, options(t, stateDir(t), nil))
	other, err := Dial(testContext(t), s.Info.State)
	if err != nil {
		t.Fatal(err)
	}
	heard, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		for u, err := range other.Client.Watch(testContext(t), api.WatchOptions{}) {
			if err != nil {
				ended <- err
				return
			}
			if u.Reset {
				heard <- struct{}{}
			}
		}
	}()
	<-heard
	closed(t, s)
	if err := <-ended; share.KindOf(err) != share.NoNode {
		t.Errorf("a follower of a node that stopped: %v", err)
	}
	closed(t, other)
	if _, err := os.Stat(s.Info.Socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestFailingToStartLeavesNothingBehind(t *testing.T) {
	busy := open(t, options(t, stateDir(t), nil))
	defer closed(t, busy)
	state := stateDir(t)
	taken := options(t, state, map[string][]string{"listen": {busy.Info.Listen[0]}})
	if _, err := Open(testContext(t), taken); share.KindOf(err) != share.Failed || !strings.Contains(err.Error(), busy.Info.Listen[0]) {
		t.Errorf("a port in use: %v", err)
	}
	// The lock is free again.
	s := open(t, options(t, state, nil))
	closed(t, s)
}

func TestReload(t *testing.T) {
	state := stateDir(t)
	o := options(t, state, map[string][]string{"up": {"1000"}})
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	<-n.Ready()
	c := n.Client()
	defer func() {
		c.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	next := options(t, state, map[string][]string{"up": {"2000"}, "utp": {"false"}})
	asked := make(chan error, 1)
	go func() { // meanwhile
		_, err := c.Info(ctx)
		asked <- err
	}()
	if later := n.Reload(next.Config); len(later) != 1 || later[0] != "utp" {
		t.Errorf("a restart is needed for %v", later)
	}
	if err := <-asked; err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		l, err := c.Limits(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if l.Up == 2000 && l.Now.Up == 2000 && l.Source == api.SourceFlag {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("limits: %+v", l)
		}
	}
}
