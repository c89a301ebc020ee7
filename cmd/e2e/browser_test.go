//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// stranger is somebody with a browser and nothing else.
type stranger struct {
	*lab.Proc
	t      testing.TB
	orders io.Writer
}

// browserOn starts a browser on a host.
func browserOn(t testing.TB, host *lab.Host) *stranger {
	t.Helper()
	node := lab.Tool(t, "node", "nodejs")
	lab.Tool(t, "chromium", "chromium")
	app, err := filepath.Abs("../../webui/app")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(app, "node_modules", "playwright-core")); err != nil {
		lab.Skip(t, "needs playwright-core: cd webui/app && npm ci")
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { write.Close() })
	cmd := exec.Command(node, filepath.Join(app, "test", "stranger.mjs"))
	cmd.Stdin = read
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	p := host.StartCmd(cmd)
	read.Close()
	return &stranger{p.Within(10 * time.Minute), t, write}
}

// Do has the browser do something, and reads what it says of that.
func (s *stranger) Do(what string, order map[string]any, said any) {
	s.t.Helper()
	all := map[string]any{"do": what}
	for k, v := range order {
		all[k] = v
	}
	b, err := json.Marshal(all)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.orders.Write(append(b, '\n')); err != nil {
		s.t.Fatal(err)
	}
	s.Event(what, said)
}

// film makes a film that is red, then green, then blue, for as many times 6 seconds.
func film(t testing.TB, to string, times int) {
	t.Helper()
	lab.Tool(t, "ffmpeg", "ffmpeg")
	if out, err := exec.Command("sh", "../../webui/app/test/film.sh", to, fmt.Sprint(times)).CombinedOutput(); err != nil {
		t.Fatalf("making a film: %v\n%s", err, out)
	}
}

// shownLink is a web link as show tells it.
type shownLink struct {
	URL       string
	Reachable string
	Downloads int
	Former    []formerLink
}

type formerLink struct {
	URL   string
	Works bool
}

// WebLink is the only web link of the transfer id.
func (u *user) WebLink(id string) shownLink {
	u.t.Helper()
	var shown struct {
		WebLinks []shownLink `json:"web_links"`
	}
	if err := json.Unmarshal([]byte(u.Run(shoal, "show", "--json", "--state", u.state, id)), &shown); err != nil || len(shown.WebLinks) != 1 {
		u.t.Fatalf("show: %v, %+v", err, shown)
	}
	return shown.WebLinks[0]
}

// WebLinkUntil asks until the web link is as wanted.
func (u *user) WebLinkUntil(id, what string, wanted func(shownLink) bool) shownLink {
	u.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		l := u.WebLink(id)
		if wanted(l) {
			return l
		}
		if time.Now().After(deadline) {
			u.t.Fatalf("the web link is not %s: %+v", what, l)
		}
	}
}

// openAt reports whether there is a pinhole to an address for TCP.
func (d diagnosis) openAt(address string) bool {
	for _, p := range d.Pinholes {
		if p.Address == address && p.Protocol == "tcp" && p.Error == "" && !p.Until.IsZero() {
			return true
		}
	}
	return false
}

// A host that has only a browser, curl and wget fetches a folder and watches a film from a
// home whose router opened its firewall for the sharer. Then the provider renumbers the
// home, gently and at once.
//
//	alice ── router (firewall, miniupnpd) ── core ── router ── bob: Chromium, curl, wget
func TestBrowserBehindARouter(t *testing.T) { browserBehindARouter(t, 64<<20, 2) }

// The same with a folder of 3 GiB.
func TestSoakBrowserBehindARouter(t *testing.T) {
	if !soak() {
		t.Skip("only with SOAK=1")
	}
	browserBehindARouter(t, 3<<30, 20)
}

func browserBehindARouter(t *testing.T, size int64, times int) {
	t.Parallel()
	curl, wget, unzip := lab.Tool(t, "curl", "curl"), lab.Tool(t, "wget", "wget"), lab.Tool(t, "unzip", "unzip")
	net := lab.New(t)
	home := net.Router("alice", lab.Firewalled)
	alice, bob := at(t, home.Host("alice")), net.Home("bob")
	home.Gateway(lab.PCP).Says("(?i)listening on port|HTTP listening|PCP")
	folder := filepath.Join(t.TempDir(), "Holiday")
	if err := os.MkdirAll(filepath.Join(folder, "more"), 0o755); err != nil {
		t.Fatal(err)
	}
	film(t, filepath.Join(folder, "film.mp4"), times)
	random(t, filepath.Join(folder, "more", "large.bin"), size, 71)
	alice.StartCmd(alice.command("daemon", "--listen", "[::]:7000", "--web", "[::1]:8080")).Within(10*time.Minute).Event("ready", nil)
	var made struct {
		webLink
		ID string
	}
	alice.StartCmd(alice.bare("share", "--json", "--state", alice.state, "--web-link", folder)).Within(10*time.Minute).Event("shared", &made)
	alice.DoctorUntil("open", func(d diagnosis) bool { return d.open() == 2 })
	first := made.Web.URL
	if !strings.HasPrefix(first, "http://"+alice.At(7000)+"/s/") {
		t.Fatalf("the web link is %q, and alice is at %s", first, alice.At(7000))
	}
	_, capability, _ := strings.Cut(first, "/s/")
	zip := func(link string) string { return link + "/all/" + url.PathEscape("Holiday") + ".zip" }

	// The browser: the page, the film with seeking, the archive.
	into := t.TempDir()
	browser := browserOn(t, bob)
	var page struct{ Text string }
	browser.Do("open", map[string]any{"url": first}, &page)
	if !strings.Contains(page.Text, "film.mp4") || !strings.Contains(page.Text, "everyone who has this link") {
		t.Errorf("the page says\n%s", page.Text)
	}
	if l := alice.WebLinkUntil(made.ID, "proven", func(l shownLink) bool { return l.Reachable == "reachable" }); l.URL != first || len(l.Former) > 0 {
		t.Errorf("the link is %+v", l)
	}
	// So slow that seeking comes before the rest of the film, and asks for another range.
	alice.Run(shoal, "limit", "--state", alice.state, "--up", "4MB")
	browser.Do("click", map[string]any{"name": "film.mp4"}, nil)
	var seen struct {
		Colours []string
		Ranges  []int
	}
	browser.Do("watch", map[string]any{"parts": []float64{0.05, 0.85, 0.5}}, &seen)
	if !slices.Equal(seen.Colours, []string{"red", "blue", "green"}) || len(seen.Ranges) < 2 || slices.ContainsFunc(seen.Ranges, func(status int) bool { return status != 206 }) {
		t.Errorf("the film was seen as %v, by answers %v", seen.Colours, seen.Ranges)
	}
	alice.Run(shoal, "limit", "--state", alice.state, "--up", "none")
	browser.Do("open", map[string]any{"url": first}, nil)
	saved := filepath.Join(into, "saved.zip")
	browser.Do("save", map[string]any{"name": "Download all as zip", "to": saved}, nil)

	// curl and wget, each of which is killed and goes on.
	broken := func(program, to, link string, args ...string) {
		t.Helper()
		p := bob.Start(program, append(args, zip(link))...)
		for size := int64(0); size < 8<<20; {
			select {
			case <-p.Exited():
				t.Fatalf("%s ended before it could break off: %s", program, p.Stderr())
			case <-time.After(20 * time.Millisecond):
			}
			if info, err := os.Stat(to); err == nil {
				size = info.Size()
			}
		}
		p.Kill()
	}
	slow := []string{"--limit-rate", "16M"}
	byCurl, byWget, across := filepath.Join(into, "curl.zip"), filepath.Join(into, "wget.zip"), filepath.Join(into, "across.zip")
	broken(curl, byCurl, first, append(slow, "-gsf", "-o", byCurl)...)
	bob.Start(curl, "-gsf", "-C", "-", "-o", byCurl, zip(first)).Within(10 * time.Minute).Wait()
	broken(wget, byWget, first, "--limit-rate=16m", "-q", "-O", byWget)
	bob.Start(wget, "-q", "-c", "-O", byWget, zip(first)).Within(10 * time.Minute).Wait()
	identical(t, saved, byCurl)
	identical(t, saved, byWget)
	unpacked := t.TempDir()
	if out, err := exec.Command(unzip, "-q", saved, "-d", unpacked).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"film.mp4", "more/large.bin"} {
		identical(t, filepath.Join(folder, name), filepath.Join(unpacked, "Holiday", name))
	}
	if l := alice.WebLink(made.ID); l.Downloads != 3 {
		t.Errorf("%d downloads were counted, and there were 3", l.Downloads)
	}

	// The prefix is deprecated and still works: the page that is open says where the link
	// is, and curl goes on there.
	broken(curl, across, first, append(slow, "-gsf", "-o", across)...)
	old := home.Renumber()
	var moved struct{ URL, Href string }
	browser.Do("moved", nil, &moved)
	second := "http://" + alice.At(7000) + "/s/" + capability
	if moved.URL != second || moved.Href != second+"/" {
		t.Fatalf("the page says %+v, and the link is %s", moved, second)
	}
	l := alice.WebLink(made.ID)
	if l.URL != second || len(l.Former) != 1 || l.Former[0].URL != first || !l.Former[0].Works {
		t.Errorf("its owner sees %+v", l)
	}
	bob.Run(curl, "-gsf", "-o", filepath.Join(into, "page"), first+"/")
	alice.DoctorUntil("open at the new address", func(d diagnosis) bool { return d.openAt(alice.Addr.String()) })
	if status := bob.Start(curl, "-gsf", "-C", "-", "-o", across, zip(moved.URL)).Within(10 * time.Minute).Wait(); status != 0 {
		t.Fatalf("curl at the new address: status %d", status)
	}
	identical(t, saved, across)
	browser.Do("open", map[string]any{"url": moved.Href}, &page)
	if strings.Contains(page.Text, "stops working soon") {
		t.Errorf("at the new address the page says\n%s", page.Text)
	}

	// At once and without notice: the owner sees the new link, and which are dead. The page of
	// the node, which is open, shows it as well.
	owner := browserOn(t, alice.Host)
	var signIn struct{ URL string }
	if err := json.Unmarshal([]byte(alice.Run(shoal, "open", "--json", "--state", alice.state)), &signIn); err != nil {
		t.Fatal(err)
	}
	var shown struct {
		Same bool
		Text string
	}
	owner.Do("open", map[string]any{"url": signIn.URL}, nil)
	owner.Do("shows", map[string]any{"text": "Holiday"}, &shown)
	owner.Do("open", map[string]any{"url": "http://[::1]:8080/share/" + made.ID}, nil)
	owner.Do("shows", map[string]any{"text": second}, &shown)
	home.Retire(old)
	home.Retire(home.Renumber())
	third := "http://" + alice.At(7000) + "/s/" + capability
	l = alice.WebLinkUntil(made.ID, "at the new address", func(l shownLink) bool { return l.URL == third })
	if len(l.Former) != 2 || l.Former[0].URL != second || l.Former[1].URL != first || l.Former[0].Works || l.Former[1].Works {
		t.Errorf("its owner sees %+v", l)
	}
	if text := alice.Run(shoal, "show", "--state", alice.state, made.ID); !strings.Contains(text, third) || strings.Count(text, "dead: this node has another address now") != 2 {
		t.Errorf("show says\n%s", text)
	}
	owner.Do("shows", map[string]any{"text": third}, &shown)
	if !shown.Same || strings.Count(shown.Text, capability) < 1 || strings.Contains(shown.Text, second+"\n") {
		t.Errorf("the page of the owner, loaded once more: %v, says\n%s", !shown.Same, shown.Text)
	}
	bob.Run(curl, "-gsf", "--retry", "60", "--retry-delay", "1", "--retry-all-errors", "--connect-timeout", "2", "-o", filepath.Join(into, "page"), third+"/")
	if p := bob.Start(curl, "-gsf", "--connect-timeout", "2", first+"/"); p.Wait() == 0 {
		t.Error("the first link works, and its address is gone")
	}
}
