//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
	"github.com/shoalnet/shoal/share"
)

// otherClient is a client that others wrote, on a host of its own, with the data of its
// transfers below one folder.
type otherClient interface {
	// add adds a torrent. flat says that its files have no folder of their own.
	add(torrent string, flat bool)
	// done is how much each transfer has, in percent, by name.
	done() map[string]int
	// rename renames a file or folder of a transfer, also on disk. to is the last
	// element of the new path.
	rename(transfer, path, to string)
	stop(transfer string)
	// limit sets the limits of a transfer.
	limit(transfer string, l share.Limits, ratio float64)
	// uploaded is what it has uploaded of a transfer.
	uploaded(transfer string) int64
	// quit ends the client, which saves its state.
	quit()
}

// The transfers of each client that are told apart. The last three are not complete
// when they are imported.
const (
	flatOne    = "no folder"
	renamedOne = "renamed"
	stoppedOne = "stopped.bin"
	limitedOne = "limited.bin"

	partialOne = "partial.bin"
	goneOne    = "moved away.bin"
	wrongOne   = "changed since.bin"
)

// complete is how many transfers are imported.
const complete = 50

// theirPort is where the other client accepts peers.
const theirPort = 51413

// What one transfer is limited to.
const (
	limitedSize = 100_000
	theirRatio  = 2.5
)

var theirLimits = share.Limits{Down: 2_000_000, Up: 1_000_000}

// Two other clients have 50 complete transfers each, and some that are not. Their state
// is imported: all complete ones are seeded without being downloaded again, also after a
// restart, and nothing of theirs is changed.
//
//	theirs ── router ──┐
//	alice ─── router ──┴── core ── router ── bob
func TestImport(t *testing.T) {
	for _, c := range []struct {
		name  string
		state string    // how the client keeps it
		kinds [2]string // of torrents that it takes besides v1
		flat  bool      // it knows files without a folder of their own
		start func(t *testing.T, h *lab.Host, data string) (c otherClient, state string)
	}{
		{"transmission", "files", [2]string{"v1", "v1"}, false, startTransmission},
		{"qbittorrent", "files", [2]string{"hybrid", "v2"}, true, startQBittorrent("Legacy")},
		{"qbittorrent", "database", [2]string{"hybrid", "v2"}, true, startQBittorrent("SQLite")},
	} {
		t.Run(c.name+" "+c.state, func(t *testing.T) {
			t.Parallel()
			net := lab.New(t)
			theirs, alice, bob := net.Home("theirs"), at(t, net.Home("alice")), at(t, net.Home("bob"))
			// They are controlled by IPv4, and bind no address of it on a host that has
			// only that of its loopback.
			theirs.Run("ip", "addr", "add", "127.0.0.1/8", "dev", "lo")
			theirs.Run("ip", "addr", "add", "192.0.2.1/32", "dev", "lo")
			data, torrents := t.TempDir(), t.TempDir()
			makeDownloads(t, data)
			theirs.RunLibtorrent("makeall", "--piece", "16384", data, torrents)
			for i, kind := range c.kinds {
				name := fmt.Sprintf("folder %d", i)
				theirs.RunLibtorrent("make", "--piece", "16384", "--kind", kind, filepath.Join(data, name), filepath.Join(torrents, name+".torrent"))
			}
			change(t, filepath.Join(data, partialOne))
			if c.flat {
				if err := os.CopyFS(data, os.DirFS(filepath.Join(data, flatOne))); err != nil {
					t.Fatal(err)
				}
				if err := os.RemoveAll(filepath.Join(data, flatOne)); err != nil {
					t.Fatal(err)
				}
			}

			client, state := c.start(t, theirs, data)
			names, err := os.ReadDir(torrents)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range names {
				client.add(filepath.Join(torrents, e.Name()), c.flat && e.Name() == flatOne+".torrent")
			}
			await(t, "the client has hashed all", func() (bool, any) {
				all, whole := client.done(), 0
				for _, percent := range all {
					if percent == 100 {
						whole++
					}
				}
				return whole == len(names)-1 && all[partialOne] > 0, all
			})
			client.rename(renamedOne, renamedOne+"/sub/two.bin", "zwei ö.bin")
			client.rename(renamedOne, renamedOne, "umbenannt ü")
			await(t, "the renamed file", func() (bool, any) {
				_, err := os.Stat(filepath.Join(data, "umbenannt ü", "sub", "zwei ö.bin"))
				return err == nil, err
			})
			client.stop(stoppedOne)
			bob.RunLibtorrent("get", filepath.Join(torrents, limitedOne+".torrent"), t.TempDir(), "--peer", theirs.At(theirPort))
			await(t, "the client has counted what it uploaded", func() (bool, any) {
				up := client.uploaded(limitedOne)
				return up >= limitedSize, up
			})
			// Not before: what was only uploaded is not always worth saving to qBittorrent.
			client.limit(limitedOne, theirLimits, theirRatio)
			client.quit()
			quit := time.Now()
			if err := os.Rename(filepath.Join(data, goneOne), filepath.Join(t.TempDir(), goneOne)); err != nil {
				t.Fatal(err)
			}
			change(t, filepath.Join(data, wrongOne))
			if _, err := os.Stat(filepath.Join(state, "qBittorrent", "data", "torrents.db")); (err == nil) != (c.state == "database") {
				t.Fatalf("the client keeps its state otherwise: %v", err)
			}
			dataBefore, stateBefore := snapshot(t, data), snapshot(t, state)

			daemon := alice.quietDaemon()
			p := alice.StartCmd(alice.bare("import", "--json", "--state", alice.state, c.name, state))
			if status := p.Wait(); status != 6 {
				t.Fatalf("status %d\n%s%s", status, p.Stdout(), p.Stderr())
			}
			checkResults(t, p.Stdout())
			alice.allSeeded(t)
			daemon.Interrupt()
			daemon = alice.quietDaemon()
			all := alice.allSeeded(t)
			if s := all[limitedOne]; s.Limits != theirLimits || s.Goal.Ratio != theirRatio || s.Uploaded < limitedSize || s.Added.After(quit) {
				t.Errorf("of what was limited there, and uploaded: %+v", s)
			}
			if s := all[renamedOne]; s.Limits != (share.Limits{}) || s.Goal != (share.Goal{}) || s.Uploaded != 0 {
				t.Errorf("of what was neither: %+v", s)
			}

			got := bob.Fetch(all["folder 1"].Link)
			identical(t, filepath.Join(data, "folder 1"), got.Path)
			into := t.TempDir()
			theirs.RunLibtorrent("get", all[renamedOne].Link, into, "--peer", alice.At(peerPort))
			for _, name := range []string{"one.bin", "sub/two.bin"} {
				from := filepath.Join(data, "umbenannt ü", strings.Replace(name, "two", "zwei ö", 1))
				identical(t, from, filepath.Join(into, renamedOne, name))
			}
			alice.verb("remove", "--data", all["folder 0"].ID.String(), all[flatOne].ID.String())
			daemon.Interrupt()
			unchanged(t, dataBefore, data)
			unchanged(t, stateBefore, state)
		})
	}
}

// peerPort is where the node of an import listens.
const peerPort = 7000

// quietDaemon starts a daemon and waits until it is ready.
func (u *user) quietDaemon() *lab.Proc {
	u.t.Helper()
	p := u.StartCmd(u.command("daemon", "--no-pinholes", "--listen", fmt.Sprintf("[::]:%d", peerPort)))
	p.Event("ready", nil)
	return p
}

// checkResults compares what import printed with what it was to do.
func checkResults(t *testing.T, stdout string) {
	t.Helper()
	imported := 0
	for line := range strings.Lines(stdout) {
		var r struct{ Event, Result, Name, Reason string }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		want, says := "imported", ""
		switch r.Name {
		case partialOne:
			want, says = "skipped", "partial: "
		case goneOne:
			want, says = "failed", "is missing"
		case wrongOne:
			want, says = "failed", "is not what the torrent says"
		}
		switch {
		case r.Event != "import":
		case r.Result != want || !strings.Contains(r.Reason, says):
			t.Errorf("%s", line)
		case r.Result == "imported":
			imported++
		}
	}
	if imported != complete {
		t.Fatalf("%d transfers were imported, not %d\n%s", imported, complete, stdout)
	}
}

// allSeeded checks that the running node seeds all that was imported, except the one that
// was stopped, and has downloaded nothing.
func (u *user) allSeeded(t *testing.T) map[string]share.Transfer {
	t.Helper()
	all := map[string]share.Transfer{}
	for line := range strings.Lines(u.verb("list").Stdout()) {
		var s share.Transfer
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		all[s.Name] = s
		want := share.Seeding
		if s.Name == stoppedOne {
			want = share.Paused
		}
		if s.State != want || !s.Own || s.Downloaded != 0 || s.Bytes != s.Size {
			t.Errorf("%s", line)
		}
	}
	if len(all) != complete {
		t.Fatalf("%d transfers", len(all))
	}
	return all
}

// makeDownloads makes the data of all transfers, of which each has an entry in dir.
func makeDownloads(t *testing.T, dir string) {
	t.Helper()
	seed := byte(rand.Uint32())
	make := func(size int64, path ...string) {
		name := filepath.Join(append([]string{dir}, path...)...)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		seed++
		random(t, name, size, seed)
	}
	for i := range 31 {
		make(int64(20_000+1000*i), fmt.Sprintf("Datei %d ä 文.bin", i))
	}
	for i := range 15 {
		name := fmt.Sprintf("folder %d", i)
		make(40_000, name, "one.bin")
		make(10_001, name, "sub", "deeper", "two é.bin")
		make(0, name, "sub", "empty")
	}
	make(30_000, flatOne, "flat one.bin")
	make(30_000, flatOne, "flat two.bin")
	make(50_000, renamedOne, "one.bin")
	make(30_000, renamedOne, "sub", "two.bin")
	for _, name := range []string{stoppedOne, limitedOne, partialOne, goneOne, wrongOne} {
		make(limitedSize, name)
	}
}

// change changes the second half of a file.
func change(t *testing.T, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, 10_000), 60_000); err != nil {
		t.Fatal(err)
	}
}

// await waits until ok; it says what was last there instead.
func await(t *testing.T, what string, ok func() (bool, any)) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		good, is := ok()
		if good {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for this: %s; it is %v", what, is)
		}
	}
}

// remote is the control interface of a client, over HTTP on the loopback of its host.
type remote struct {
	t    *testing.T
	http *http.Client
	url  string
	head http.Header
	proc *lab.Proc
}

func newRemote(t *testing.T, h *lab.Host, p *lab.Proc, url string) *remote {
	r := &remote{t: t, url: url, head: http.Header{}, proc: p, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, to string) (net.Conn, error) { return h.Dial(ctx, "tcp4", to) },
	}}}
	t.Cleanup(r.http.CloseIdleConnections)
	await(t, "the client answers", func() (bool, any) {
		resp, err := r.http.Get(url)
		if err != nil {
			return false, err
		}
		resp.Body.Close()
		return true, nil
	})
	return r
}

// post sends a request and returns the answer's status and body.
func (r *remote) post(path, kind string, body io.Reader) (*http.Response, []byte) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.url+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header = r.head.Clone()
	req.Header.Set("Content-Type", kind)
	resp, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, b
}

// ended waits for the end of the client, which it was asked for.
func (r *remote) ended() {
	r.t.Helper()
	if status := r.proc.Wait(); status != 0 {
		r.t.Fatalf("the client ended with status %d\n%s%s", status, r.proc.Stdout(), r.proc.Stderr())
	}
}

// transmission speaks the RPC of Transmission.
type transmission struct {
	*remote
	data string
}

func startTransmission(t *testing.T, h *lab.Host, data string) (otherClient, string) {
	t.Helper()
	state := t.TempDir()
	settings, err := json.Marshal(map[string]any{
		"dht-enabled": false, "lpd-enabled": false, "port-forwarding-enabled": false, "utp-enabled": false,
		"peer-port": theirPort, "download-dir": data, "rpc-bind-address": "127.0.0.1", "rpc-port": 9091, "rpc-enabled": true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, "settings.json"), settings, 0o600); err != nil {
		t.Fatal(err)
	}
	p := h.Start(lab.Tool(t, "transmission-daemon", "transmission-daemon"), "--foreground", "--config-dir", state)
	return &transmission{newRemote(t, h, p, "http://127.0.0.1:9091/transmission/rpc"), data}, state
}

// call calls a method, whose result goes into out.
func (c *transmission) call(method string, args map[string]any, out any) {
	c.t.Helper()
	body, err := json.Marshal(map[string]any{"method": method, "arguments": args})
	if err != nil {
		c.t.Fatal(err)
	}
	const session = "X-Transmission-Session-Id"
	resp, b := c.post("", "application/json", bytes.NewReader(body))
	if resp.StatusCode == http.StatusConflict {
		c.head.Set(session, resp.Header.Get(session))
		_, b = c.post("", "application/json", bytes.NewReader(body))
	}
	var answer struct {
		Result    string
		Arguments json.RawMessage
	}
	if err := json.Unmarshal(b, &answer); err != nil || answer.Result != "success" {
		c.t.Fatalf("%s: %v\n%s", method, err, b)
	}
	if out != nil {
		if err := json.Unmarshal(answer.Arguments, out); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *transmission) add(torrent string, _ bool) {
	c.t.Helper()
	b, err := os.ReadFile(torrent)
	if err != nil {
		c.t.Fatal(err)
	}
	c.call("torrent-add", map[string]any{"metainfo": base64.StdEncoding.EncodeToString(b), "download-dir": c.data}, nil)
}

type transmissionTransfer struct {
	ID           int
	Name         string
	PercentDone  float64
	Status       int
	UploadedEver int64
}

func (c *transmission) list() []transmissionTransfer {
	c.t.Helper()
	var all struct{ Torrents []transmissionTransfer }
	c.call("torrent-get", map[string]any{"fields": []string{"id", "name", "percentDone", "status", "uploadedEver"}}, &all)
	return all.Torrents
}

func (c *transmission) done() map[string]int {
	all := map[string]int{}
	for _, s := range c.list() {
		all[s.Name] = int(100 * s.PercentDone)
	}
	return all
}

// id finds a transfer.
func (c *transmission) id(name string) int {
	c.t.Helper()
	for _, s := range c.list() {
		if s.Name == name {
			return s.ID
		}
	}
	c.t.Fatalf("no %s", name)
	return 0
}

func (c *transmission) rename(transfer, path, to string) {
	c.t.Helper()
	c.call("torrent-rename-path", map[string]any{"ids": []int{c.id(transfer)}, "path": path, "name": to}, nil)
}

func (c *transmission) stop(transfer string) {
	c.t.Helper()
	id := c.id(transfer)
	c.call("torrent-stop", map[string]any{"ids": []int{id}}, nil)
	await(c.t, "it is stopped", func() (bool, any) {
		for _, s := range c.list() {
			if s.ID == id {
				return s.Status == 0, s
			}
		}
		return false, nil
	})
}

func (c *transmission) limit(transfer string, l share.Limits, ratio float64) {
	c.t.Helper()
	c.call("torrent-set", map[string]any{
		"ids": []int{c.id(transfer)}, "seedRatioMode": 1, "seedRatioLimit": ratio,
		"downloadLimited": true, "downloadLimit": l.Down / 1000, "uploadLimited": true, "uploadLimit": l.Up / 1000,
	}, nil)
}

func (c *transmission) uploaded(transfer string) int64 {
	c.t.Helper()
	for _, s := range c.list() {
		if s.Name == transfer {
			return s.UploadedEver
		}
	}
	return 0
}

func (c *transmission) quit() {
	c.t.Helper()
	c.call("session-close", nil, nil)
	c.ended()
}

// qBittorrent speaks the web API of qBittorrent.
type qBittorrent struct {
	*remote
	data string
}

// startQBittorrent starts qBittorrent, which keeps its state as storage says.
func startQBittorrent(storage string) func(t *testing.T, h *lab.Host, data string) (otherClient, string) {
	return func(t *testing.T, h *lab.Host, data string) (otherClient, string) {
		t.Helper()
		profile := t.TempDir()
		settings := qBittorrentSettings + "Session\\ResumeDataStorageType=" + storage + "\n"
		name := filepath.Join(profile, "qBittorrent", "config", "qBittorrent.conf")
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(settings), 0o600); err != nil {
			t.Fatal(err)
		}
		p := h.Start(lab.Tool(t, "qbittorrent-nox", "qbittorrent-nox"), "--profile="+profile)
		return &qBittorrent{newRemote(t, h, p, "http://127.0.0.1:8080"), data}, profile
	}
}

const qBittorrentSettings = `[LegalNotice]
Accepted=true

[Preferences]
WebUI\Address=127.0.0.1
WebUI\LocalHostAuth=false
WebUI\Port=8080

[Network]
PortForwardingEnabled=false

[BitTorrent]
Session\DHTEnabled=false
Session\LSDEnabled=false
Session\Port=51413
Session\MaxActiveCheckingTorrents=100
Session\QueueingSystemEnabled=false
`

func (c *qBittorrent) add(torrent string, flat bool) {
	c.t.Helper()
	b, err := os.ReadFile(torrent)
	if err != nil {
		c.t.Fatal(err)
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile("torrents", filepath.Base(torrent))
	if err == nil {
		_, err = part.Write(b)
	}
	layout := "Original"
	if flat {
		layout = "NoSubfolder"
	}
	for name, value := range map[string]string{"savepath": c.data, "contentLayout": layout} {
		if err == nil {
			err = w.WriteField(name, value)
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	if resp, b := c.post("/api/v2/torrents/add", w.FormDataContentType(), &body); resp.StatusCode != 200 || string(b) != "Ok." {
		c.t.Fatalf("adding %s: %s %s", torrent, resp.Status, b)
	}
}

// do posts a form.
func (c *qBittorrent) do(method string, form url.Values) []byte {
	c.t.Helper()
	resp, b := c.post("/api/v2/"+method, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if resp.StatusCode != 200 {
		c.t.Fatalf("%s: %s %s", method, resp.Status, b)
	}
	return b
}

type qBittorrentTransfer struct {
	Hash, Name, State string
	Progress          float64
	Uploaded          int64
}

func (c *qBittorrent) list() (all []qBittorrentTransfer) {
	c.t.Helper()
	if err := json.Unmarshal(c.do("torrents/info", nil), &all); err != nil {
		c.t.Fatal(err)
	}
	return all
}

func (c *qBittorrent) done() map[string]int {
	all := map[string]int{}
	for _, s := range c.list() {
		if !strings.HasPrefix(s.State, "checking") {
			all[s.Name] = int(100 * s.Progress)
		}
	}
	return all
}

// find finds a transfer.
func (c *qBittorrent) find(name string) (found qBittorrentTransfer) {
	c.t.Helper()
	for _, s := range c.list() {
		if s.Name == name {
			return s
		}
	}
	c.t.Fatalf("no %s", name)
	return found
}

func (c *qBittorrent) rename(transfer, path, to string) {
	c.t.Helper()
	method := "torrents/renameFile"
	if path == transfer {
		method = "torrents/renameFolder"
	}
	c.do(method, url.Values{"hash": {c.find(transfer).Hash}, "oldPath": {path}, "newPath": {filepath.Join(filepath.Dir(path), to)}})
}

func (c *qBittorrent) stop(transfer string) {
	c.t.Helper()
	c.do("torrents/pause", url.Values{"hashes": {c.find(transfer).Hash}})
	await(c.t, "it is stopped", func() (bool, any) {
		s := c.find(transfer)
		return s.State == "pausedUP", s
	})
}

func (c *qBittorrent) limit(transfer string, l share.Limits, ratio float64) {
	c.t.Helper()
	hash := c.find(transfer).Hash
	c.do("torrents/setDownloadLimit", url.Values{"hashes": {hash}, "limit": {fmt.Sprint(l.Down)}})
	c.do("torrents/setUploadLimit", url.Values{"hashes": {hash}, "limit": {fmt.Sprint(l.Up)}})
	c.do("torrents/setShareLimits", url.Values{"hashes": {hash}, "ratioLimit": {fmt.Sprint(ratio)}, "seedingTimeLimit": {"-2"}, "inactiveSeedingTimeLimit": {"-2"}})
}

func (c *qBittorrent) uploaded(transfer string) int64 {
	c.t.Helper()
	return c.find(transfer).Uploaded
}

func (c *qBittorrent) quit() {
	c.t.Helper()
	c.do("app/shutdown", nil)
	c.ended()
}
