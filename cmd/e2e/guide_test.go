//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// instead is the one table of what a page says and the test cannot do as it stands:
// commands that begin with this are replaced by run, or not run at all if that is empty.
// An entry that nothing in the pages matches fails the test, and so does "sudo" without one.
// User 65534 stands for the user shoal.
var instead = []struct{ says, run, why string }{
	{"git clone https://github.com/shoalnet/shoal", `git config --global safe.directory "*" && git clone -q "$REPO" shoal && cd shoal`, "the lab has no way to the internet"},
	{"git pull", "", "README: Install builds from source"},
	{"sudo make install", `DESTDIR="$HOME/root" SHOAL="$HOME/bin/shoal" "$REPO/.ci/install"`, "the test leaves this machine as it is"},
	{"sudo make uninstall", `export DESTDIR="$HOME/root" SHOAL="$HOME/bin/shoal"; "$REPO/.ci/install" && "$REPO/.ci/install" remove && ! find root -type f | grep .`, "the test leaves this machine as it is"},
	{"sudo apt ", "", "the tests of the packages install and remove them"},
	{"sudo dnf ", "", "the tests of the packages read it"},
	{"sudo apk ", "", "the tests of the packages read it"},
	{"podman ", "", "the tests of the image run it"},
	{"sudo useradd", "", "the test leaves this machine as it is"},
	{"sudo systemctl enable", "shoal daemon --state ~/service", "there is no systemd; TestServiceOfSystemd runs it"},
	{"sudo systemctl restart", "", "there is no systemd; TestServiceOfSystemd runs it"},
	{"sudo -u shoal shoal list --state /var/lib/shoal/state", "shoal list --state ~/service", "the test leaves this machine as it is"},
	{"sudo -u shoal shoal share --state /var/lib/shoal/state", "setpriv --reuid=65534 --regid=65534 --clear-groups shoal share --state ~/service --detach ~/photos", "there is no user shoal"},
	{"sudo setfacl -R", "setfacl -R -m u:65534:rX,d:u:65534:rX photos", "there is no user shoal"},
	{"sudo setfacl -m", "setfacl -m u:65534:x ~", "there is no user shoal"},
	{"sudo install -d", "install -d -o 65534 -g 65534 -m 2775 films", "there is no user shoal"},
	{"scp shoal_*.deb box:", "", "the tests of the packages install it"},
	{"ssh -t box 'sudo apt", "", "the tests of the packages install it"},
	{"ssh box systemctl", "ssh box shoal daemon", "there is no systemd; TestServiceOfSystemd runs it"},
	{"ssh -N -L", "", "the lab has no ssh"},
	{"shoal share --interface tailscale0", "shoal share --interface eth0 photos", "interfaces of the lab have other names"},
	{"shoal get --interface tailscale0", "shoal get --interface eth0 'magnet:?xt=urn:btih:…'", "interfaces of the lab have other names"},
	{"shoal share --text -", "echo 'a few words' | shoal share --text -", "nobody types"},
	{"shoal get -  ", "shoal get - <<<'magnet:?xt=urn:btih:…'", "nobody pastes"},
	{"shoal get --output letters - <", "echo 'magnet:?xt=urn:btih:…' >link.txt; shoal get --output letters - < link.txt", "the reader has this file"},
	{"shoal link --blind -", `shoal link --blind - <<<"$(shoal list --json | jq -r .link)"`, "nobody pastes"},
	{"shoal daemon --web '[::1]:8080' &", "", "it runs already"},
	{"shoal channel show 'Our films'", "until shoal channel show 'Our films'; do sleep 0.1; done", "its list arrives within seconds"},
	{"shoal channel import films.key", `cp "$READER/films.key" . && shoal channel import films.key`, "the reader carries the key over"},
	{"shoal verify 3fa9", `until shoal list --json | jq -e 'select(.state=="seeding")' >list; do sleep 0.1; done; shoal verify 3fa9`, "the download has arrived"},
	{"shoal recover --in /media/films", "mkdir films && shoal recover --in ~/films --in ~/photos", "the reader has this folder"},
	{"cd webui/app && npm ci", "", ".ci/page builds the page and tests it"},
	{"SHOAL_NODE='http://[::1]:8080' npm run dev", "", ".ci/page builds the page and tests it"},
}

// given is what the reader of a chapter has done before: commands on the reader's machine,
// or after "MACHINE: " on another; "Ctrl-C" ends the last one that still runs.
var given = map[string][]string{
	"Can others reach you?":     {"shoal daemon", "shoal share photos", "the box: shoal get 'magnet:?xt=urn:btih:…'"},
	"Find something":            {"mkdir 'Summer holiday' && cp photos/* 'Summer holiday'", "shoal share 'Summer holiday'"},
	"Channels":                  {"shoal daemon", "shoal share --detach disk.iso photos", "the box: shoal daemon", "the other machine: shoal daemon"},
	"Use it in a script":        {"shoal daemon"},
	"When the state is damaged": {"shoal daemon", "shoal share --detach photos", "Ctrl-C", "dd if=/dev/zero of=.local/state/shoal/state.db bs=1k count=8 conv=notrunc status=none"},
	"What the service may read and write": {
		`chmod 755 .. && cp --remove-destination "$(readlink -f bin/shoal)" bin/shoal && chmod -R go= photos && install -d -o 65534 service`,
		"setpriv --reuid=65534 --regid=65534 --clear-groups shoal daemon --state ~/service",
	},
	"Look before you download":                {"shoal share disk.iso", "cp .local/state/shoal/torrents/*.torrent some.torrent"},
	"Moving from Transmission or qBittorrent": theirState,
	"Share and get":                           theirState,
	"Monitoring":                              {"shoal daemon"},
	"Uninstall":                               {"shoal share photos", "Ctrl-C"},
}

// theirState is the state of Transmission, with two complete transfers.
var theirState = []string{
	"shoal share --state ~/other letters disk.iso",
	`d=~/.config/transmission-daemon; mkdir -p $d/torrents $d/resume ~/.local/share/qBittorrent/BT_backup; cp other/torrents/*.torrent $d/torrents; for t in $d/torrents/*; do ` +
		`printf 'd11:destination%d:%s6:pausedi0e8:progressd6:blocks3:allee' ${#HOME} "$HOME" >$d/resume/$(basename $t .torrent).resume; done`,
	"Ctrl-C",
}

// Every command of the README and the guide works as it is written there, and prints what
// is shown there. Each chapter has an internet of its own:
//
//	the reader ─ router ─────────┐
//	the other machine ─ router ──┼── core ── router ── a friend, who shares and has a channel
//	the box ─ router ────────────┘
func TestGuide(t *testing.T) {
	t.Parallel()
	lab.Root(t)
	for _, tool := range []string{"jq", "curl", "git", "make"} {
		lab.Tool(t, tool, tool)
	}
	lab.Tool(t, "setfacl", "acl")
	used := make([]bool, len(instead))
	begun := map[string]bool{}
	for _, path := range []string{"../../README.md", "../../docs/guide.md"} {
		chapters, err := readPage(path)
		if err != nil {
			t.Fatal(err)
		}
		commands := 0
		for _, c := range chapters {
			for i, s := range c.steps {
				c.steps[i].text, err = replaced(s, used)
				if err != nil {
					t.Errorf("%s:%d: %v", path, s.line, err)
				}
				commands++
			}
			if len(c.steps) > 0 {
				begun[c.title] = true
				t.Run(filepath.Base(path)+": "+c.title, func(t *testing.T) { carryOut(t, path, c) })
			}
		}
		if commands < 10 {
			t.Errorf("%s has only %d commands", path, commands)
		}
	}
	for i, done := range used {
		if !done {
			t.Errorf("no page says %q", instead[i].says)
		}
	}
	for title := range given {
		if !begun[title] {
			t.Errorf("no chapter is called %q", title)
		}
	}
}

// replaced is what is run for a step.
func replaced(s step, used []bool) (string, error) {
	if s.kind != "" {
		return s.text, nil
	}
	text, found := s.text, 0
	for i, e := range instead {
		if strings.HasPrefix(s.text+"  ", e.says) {
			text, used[i] = e.run, true
			found++
		}
	}
	if found > 1 {
		return "", fmt.Errorf("%d entries of the table fit %s", found, s.text)
	}
	if found == 0 && strings.Contains(text, "sudo ") {
		return "", fmt.Errorf("the table does not say what to do instead of %s", s.text)
	}
	return text, nil
}

func carryOut(t *testing.T, path string, c chapter) {
	t.Parallel()
	r := newReading(t)
	for _, text := range given[c.title] {
		at := ""
		if where, rest, ok := strings.Cut(text, ": "); ok && strings.HasPrefix(where, "the ") {
			at, text = where, rest
		}
		r.do(step{text: text, at: at}, "given")
	}
	for _, s := range c.steps {
		where := fmt.Sprintf("%s:%d", path, s.line)
		switch {
		case s.kind == "toml":
			r.configure(s, where)
		case s.kind == "ini":
			r.addToUnit(s, where)
		case s.text != "":
			r.do(s, where)
		}
	}
	r.end()
}

// reading is somebody who carries out a chapter.
type reading struct {
	t        *testing.T
	net      *lab.Lab
	guide    string // the address of the DHT
	machines map[string]*desk
	began    []*task
	friend   *user
	summer   published // by the friend
	films    string    // the friend's channel
}

// desk is a machine of the reader.
type desk struct {
	*user
	id string // what 3fa9 stands for
}

// task is a command that was given.
type task struct {
	*lab.Proc
	at    *desk
	text  string
	where string
	stays bool
	ended bool // by Ctrl-C
}

func newReading(t *testing.T) *reading {
	r := &reading{t: t, net: lab.New(t), machines: map[string]*desk{}}
	r.friend = at(t, r.net.Home("friend"))
	r.friend.StartCmd(r.friend.command("daemon", "--listen", "[::]:7000")).Event("ready", nil)
	r.guide = r.friend.At(7000)
	me := r.machine("")
	for name, size := range map[string]int64{
		"photos/beach.jpg": 300_000, "photos/tide.jpg": 200_000, "letters/first.txt": 40_000, "letters/second.txt": 50_000,
		"letter.pdf": 90_000, "talk.pdf": 80_000, "disk.iso": 700_000,
	} {
		name = filepath.Join(me.home, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		random(t, name, size, byte(size/10_000))
	}
	return r
}

// shared is the link of what the friend shares.
func (r *reading) shared() string {
	r.t.Helper()
	if r.summer.Link == "" {
		folder := filepath.Join(r.friend.home, "summer")
		if err := os.Mkdir(folder, 0o755); err != nil {
			r.t.Fatal(err)
		}
		for name, size := range map[string]int64{"readme.txt": 2000, "beach.jpg": 400_000, "film.mkv": 900_000, "sample.mkv": 100_000} {
			random(r.t, filepath.Join(folder, name), size, byte(size/1000))
		}
		r.summer = r.friend.publish(folder)[0]
	}
	return r.summer.Link
}

// channel is the link of the friend's channel. It is kept by a node of the DHT other than
// the friend's.
func (r *reading) channel() string {
	r.t.Helper()
	const name = "Our films"
	if r.films == "" {
		r.shared()
		other := at(r.t, r.net.Home("another node"))
		other.StartCmd(other.guided("daemon", []string{"--bootstrap", r.guide})).Event("ready", nil)
		r.films = r.friend.channel("new", name, "--about", "What we made")[0].Link
		r.friend.channel("add", name, r.summer.ID)
		r.friend.untilChannel(name, "published", func(c channel) bool { return c.Entries == 1 && !c.Pending && c.Seq > 0 })
	}
	return r.films
}

// machine is the one of that name, made when it is first spoken of.
func (r *reading) machine(name string) *desk {
	r.t.Helper()
	if m := r.machines[name]; m != nil {
		return m
	}
	called := name
	if called == "" {
		called = "reader"
	}
	m := &desk{user: at(r.t, r.net.Home(called))}
	r.machines[name] = m
	bin := filepath.Join(m.home, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Symlink(shoal, filepath.Join(bin, "shoal")); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "pg_dump"), []byte("#!/bin/sh\necho 'CREATE TABLE fish ();'\n"), 0o755); err != nil {
		r.t.Fatal(err)
	}
	return m
}

// stays matches commands that go on until they are ended.
var stays = regexp.MustCompile(`\bshoal (share|receive|daemon)\b|--watch\b|--seed forever|&$`)

// do carries out a step and compares what it prints.
func (r *reading) do(s step, where string) {
	r.t.Helper()
	m := r.machine(s.at)
	if s.text == "Ctrl-C" {
		r.interrupt(m)
		return
	}
	text := s.text
	if far, ok := strings.CutPrefix(text, "ssh box "); ok {
		// The reader's shell reads it first, and then that of the box.
		m, text = r.machine("the box"), "set -- "+far+`; bash -c "$*"`
	}
	text = r.filled(m, step{text: text, remark: s.remark})
	// What one command sets and where it goes to, the next one finds. The process tree ends
	// with its first process, also when the test is killed.
	script := `exec 2>&1; set -a -o pipefail
[ ! -e "$HOME/.kept" ] || . "$HOME/.kept"; cd "$PWD"
` + strings.TrimSuffix(text, "&") + `
status=$?; export -p >"$HOME/.kept"; exit $status`
	cmd := exec.Command("unshare", "--fork", "--pid", "--kill-child", "bash", "-c", script)
	cmd.Dir = m.home
	cmd.Env = append(golang(), "HOME="+m.home, "PWD="+m.home, "PATH="+filepath.Join(m.home, "bin")+":"+os.Getenv("PATH"),
		"READER="+r.machine("").home, "SHOAL_BOOTSTRAP="+r.guide, "SHOAL_TIMEOUT=60s", "SHOAL_CHANNEL_POLL=1s")
	p := &task{Proc: m.StartCmd(cmd), at: m, text: text, where: where, stays: stays.MatchString(text) && !strings.Contains(text, "--detach")}
	r.began = append(r.began, p)
	shown := strings.Join(s.says, "\n")
	switch {
	case p.stays && shown != "":
		p.Says(prints(s.says).String())
	case p.stays:
		p.Says(`(?m)^(magnet:|https?://|ready: |Strangers |It is not known |.*, (downloaded in|already on disk) )`)
	default:
		status := p.Wait()
		if fails := strings.Contains("\n"+shown, "\nshoal: "); (status != 0) != fails {
			r.t.Fatalf("%s: %s: status %d\n%s", where, text, status, p.Stdout())
		}
		if shown != "" && !prints(s.says).MatchString(p.Stdout()) {
			r.t.Errorf("%s: %s prints\n%s\nand not\n%s", where, text, p.Stdout(), shown)
		}
	}
}

// golang is what Go needs to build without the network.
func golang() []string {
	out, err := exec.Command("go", "env", "-json", "GOCACHE", "GOMODCACHE", "GOFLAGS", "GOPROXY").Output()
	var env map[string]string
	if err != nil || json.Unmarshal(out, &env) != nil {
		return nil
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil
	}
	all := []string{"REPO=" + root}
	for name, value := range env {
		all = append(all, name+"="+value)
	}
	return all
}

var (
	link  = regexp.MustCompile(`magnet:\?x([ts])=(?:…|urn:bt(?:ih|mh|pk):)[^'"\s]*`)
	short = regexp.MustCompile(`\b3fa9[0-9a-f]*\b`)
)

// filled puts links and IDs where a page has … and 3fa9.
func (r *reading) filled(m *desk, s step) string {
	text := link.ReplaceAllStringFunc(s.text, func(said string) string {
		return r.link(m, link.FindStringSubmatch(said)[1], strings.Contains(s.remark, "blind"))
	})
	return short.ReplaceAllStringFunc(text, func(said string) string {
		if m.id == "" {
			p := m.StartCmd(m.bare("list", "--json"))
			p.Wait()
			for line := range strings.Lines(p.Stdout()) {
				var one struct{ ID, Channel string }
				if err := json.Unmarshal([]byte(line), &one); err != nil {
					r.t.Fatalf("%s: %v", line, err)
				}
				if m.id == "" && one.Channel == "" {
					m.id = one.ID
				}
			}
			if m.id == "" {
				r.t.Fatalf("%s: %s has no transfer: %s", s.text, m.Name, p.Stderr())
			}
		}
		return m.id[:len(said)]
	})
}

// link is the newest one of a kind that another machine printed, or else the friend's.
func (r *reading) link(m *desk, kind string, blind bool) string {
	r.t.Helper()
	for _, p := range slices.Backward(r.began) {
		if p.at == m {
			continue
		}
		for _, found := range slices.Backward(link.FindAllStringSubmatch(p.Stdout(), -1)) {
			if found[1] == kind && (!blind || !strings.Contains(found[0], "x.k=")) {
				return found[0]
			}
		}
	}
	if kind == "s" {
		return r.channel()
	}
	return r.shared()
}

// interrupt presses Ctrl-C in the last command on m that still runs.
func (r *reading) interrupt(m *desk) {
	for _, p := range slices.Backward(r.began) {
		if p.at != m || p.over() {
			continue
		}
		p.ended = true
		syscall.Kill(-p.PID(), syscall.SIGINT)
		p.Wait()
		return
	}
	r.t.Fatal("nothing runs that could be ended")
}

func (p *task) over() bool {
	select {
	case <-p.Exited():
		return true
	default:
		return false
	}
}

// end looks at what was left running: it still does, or ended well.
func (r *reading) end() {
	for _, p := range r.began {
		if p.stays && !p.ended && p.over() && p.Wait() != 0 {
			r.t.Errorf("%s: %s: status %d\n%s", p.where, p.text, p.Wait(), p.Stdout())
		}
	}
}

// addToUnit has systemd check its unit with what a page adds to it.
func (r *reading) addToUnit(s step, where string) {
	r.t.Helper()
	m := r.machine("")
	prefix := filepath.Join(m.home, "usr")
	install := m.bare()
	install.Path, install.Dir, install.Env = "../../.ci/install", "", append(install.Env, "PREFIX="+prefix, "SYSCONFDIR="+filepath.Join(m.home, "etc"), "SHOAL="+shoal)
	if p := m.StartCmd(install); p.Wait() != 0 {
		r.t.Fatalf("%s%s", p.Stdout(), p.Stderr())
	}
	path := filepath.Join(prefix, "lib/systemd/system/shoal.service")
	unit, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, append(unit, s.text...), 0o644); err != nil {
		r.t.Fatal(err)
	}
	analyze := lab.Tool(r.t, "systemd-analyze", "systemd")
	p := m.Start(analyze, "verify", "--man=no", path)
	if status := p.Wait(); status != 0 || p.Stdout()+p.Stderr() != "" {
		r.t.Errorf("%s: status %d: %s%s", where, status, p.Stdout(), p.Stderr())
	}
}

// configure has shoal read a configuration file, and wants every setting of it to be used.
func (r *reading) configure(s step, where string) {
	r.t.Helper()
	m := r.machine("")
	path := filepath.Join(m.home, "page.toml")
	if err := os.WriteFile(path, []byte(s.text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	p := m.StartCmd(m.bare("config", "--json", "--config", path, "--state", filepath.Join(m.home, "none")))
	if status := p.Wait(); status != 0 {
		r.t.Fatalf("%s: status %d\n%s", where, status, p.Stderr())
	}
	out := p.Stdout()
	used := map[string]bool{}
	for line := range strings.Lines(out) {
		var one struct{ Name, Source string }
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			r.t.Fatal(err)
		}
		used[one.Name] = one.Source == "file"
	}
	for line := range strings.Lines(s.text) {
		if name, _, ok := strings.Cut(line, " = "); ok && !used[strings.TrimPrefix(name, "# ")] {
			r.t.Errorf("%s: %s is not read from the file:\n%s", where, name, out)
		}
	}
}
