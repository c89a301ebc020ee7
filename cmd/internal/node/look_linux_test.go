package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// A verb that only reads neither listens nor seeds: its node has no socket, changes no
// byte of the state directory or of the content, and another node can run beside it. It
// shows what a full node would show.
//
// It is not parallel, so that the sockets of this process are those of its node.
func TestLookingNeitherListensNorSeeds(t *testing.T) {
	dir, content := stateDir(t), filepath.Join(t.TempDir(), "photos")
	must(t, os.MkdirAll(content, 0o700))
	must(t, os.WriteFile(filepath.Join(content, "a.jpg"), []byte("a photo"), 0o600))
	s := open(t, options(t, dir, nil))
	is, err := s.Client.Share(testContext(t), api.ShareRequest{Path: content})
	must(t, err)
	is = await(t, s.Client, is.ID, func(x share.Transfer) bool { return x.State == share.Seeding })
	_, err = s.Client.Fetch(testContext(t), api.FetchRequest{Link: "magnet:?xt=urn:btih:3fa9c2d13fa9c2d13fa9c2d13fa9c2d13fa9c2d1&dn=x", Output: content})
	must(t, err)
	_, err = s.Client.AddChannel(testContext(t), api.NewChannel{Name: "films"})
	must(t, err)
	all, err := s.Client.Transfers(testContext(t), "id", "name", "bytes", "total", "path")
	must(t, err)
	closed(t, s)
	if len(inetSockets(t)) > 0 {
		t.Fatalf("the node left sockets behind: %v", inetSockets(t))
	}

	state, files := bytesOf(t, dir), bytesOf(t, content)
	// With a port and local discovery, like a full node.
	o := options(t, dir, map[string][]string{"no-lan": {"false"}, "listen": {"[::]:0"}, "bootstrap": {"[::1]:1"}})
	o.Look = true
	look := open(t, o)
	if got := inetSockets(t); len(got) > 0 {
		t.Errorf("it has sockets: %v", got)
	}
	if i := look.Info; len(i.Listen) > 0 || len(i.Addresses) > 0 || i.Socket != "" {
		t.Errorf("it listens: %+v", i)
	}
	seen, err := look.Client.Transfers(testContext(t), "id", "name", "bytes", "total", "path")
	if diff := cmp.Diff(all, seen); err != nil || diff != "" {
		t.Errorf("it shows other transfers: %v %s", err, diff)
	}
	if shown, err := look.Client.Files(testContext(t), is.ID); err != nil || len(shown) != 1 || shown[0].Bytes != 7 {
		t.Errorf("files: %+v, %v", shown, err)
	}
	if _, err := look.Client.Channels(testContext(t)); err != nil {
		t.Error(err)
	}
	// A transfer whose files are gone is not complete.
	must(t, os.Rename(content, content+" moved"))
	await(t, look.Client, is.ID, func(x share.Transfer) bool { return x.State == share.Stopped })
	must(t, os.Rename(content+" moved", content))

	// Another node can run.
	closed(t, open(t, options(t, filepath.Join(t.TempDir(), "other"), nil)))
	closed(t, look)
	unchanged(t, dir, state)
	unchanged(t, content, files)

	look = open(t, o)
	works := open(t, options(t, dir, nil))
	closed(t, works)
	closed(t, look)
}

// inetSockets are the sockets of this process that are bound to an IP address.
func inetSockets(t *testing.T) (out []string) {
	t.Helper()
	mine := map[string]bool{}
	fds, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, fd := range fds {
		to, _ := os.Readlink("/proc/self/fd/" + fd.Name()) // some are closed by now
		if inode, ok := strings.CutPrefix(to, "socket:["); ok {
			mine[strings.TrimSuffix(inode, "]")] = true
		}
	}
	for _, proto := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "raw6"} {
		b, err := os.ReadFile("/proc/self/net/" + proto)
		must(t, err)
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 9 && mine[f[9]] {
				out = append(out, proto+" "+f[1])
			}
		}
	}
	return out
}
