package node

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/index/channel"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// A folder with other files stays as it is, its mode included, whatever is asked; an empty
// one becomes a state directory.
func TestForeignFolder(t *testing.T) {
	t.Parallel()
	for what, files := range map[string][]string{
		"a photo":               {"photo.jpg"},
		"a lock and a photo":    {"lock", "photo.jpg"},
		"torrents of others":    {"torrents/ubuntu.torrent", "notes.txt"},
		"a hidden file":         {".profile"},
		"a folder with nothing": {"sub/"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			must(t, os.Chmod(dir, 0o755))
			for _, f := range files {
				must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(f+"x")), 0o755))
				if !strings.HasSuffix(f, "/") {
					must(t, os.WriteFile(filepath.Join(dir, f), []byte("mine"), 0o644))
				}
			}
			before := bytesOf(t, dir)
			o := options(t, dir, map[string][]string{"config": {filepath.Join(t.TempDir(), "config.toml")}})
			for _, o.Look = range []bool{true, false} {
				if _, err := Open(testContext(t), o); share.KindOf(err) != share.Usage || !errors.Is(err, ErrForeign) {
					t.Errorf("opening: %v", err)
				}
			}
			if err := SetPassword(dir, "long enough for anybody"); !errors.Is(err, ErrForeign) {
				t.Errorf("setting a password: %v", err)
			}
			if _, err := Recover(testContext(t), o.Config, "0.0-test", nil); !errors.Is(err, ErrForeign) {
				t.Errorf("recovering: %v", err)
			}
			unchanged(t, dir, before)
		})
	}
	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "state")
		must(t, os.MkdirAll(filepath.Join(dir, "lost+found"), 0o755))
		must(t, os.Chmod(dir, 0o755))
		closed(t, open(t, options(t, dir, nil)))
		if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
			t.Errorf("%v, %v", fi.Mode(), err)
		}
	})
}

// A verb that only reads makes no state where there is none.
func TestLookingMakesNothing(t *testing.T) {
	t.Parallel()
	around := t.TempDir()
	dir := filepath.Join(around, "typo")
	o := options(t, dir, map[string][]string{"config": {filepath.Join(t.TempDir(), "config.toml")}})
	o.Look = true
	s := open(t, o)
	if all, err := s.Client.Transfers(testContext(t)); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	closed(t, s)
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: %v", dir, err)
	}
	// One that is there keeps its mode.
	closed(t, open(t, options(t, dir, nil)))
	must(t, os.Chmod(dir, 0o750))
	closed(t, open(t, o))
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o750 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
}

func TestNoHome(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	for _, home := range []string{"", "/", "relative"} {
		t.Setenv("HOME", home)
		t.Setenv("XDG_STATE_HOME", "")
		t.Setenv("XDG_CONFIG_HOME", "")
		if c, err := config.Load(config.Sources{Env: none}); share.KindOf(err) != share.Usage || !strings.Contains(err.Error(), "HOME") {
			t.Errorf("HOME=%q: %+v, %v", home, c, err)
		}
		c, err := config.Load(config.Sources{Env: none, Flags: map[string][]string{"state": {"/somewhere"}}})
		if err != nil || c.State != "/somewhere" || c.Downloads != "/somewhere/downloads" || c.File != "" {
			t.Errorf("HOME=%q with --state: %+v, %v", home, c, err)
		}
	}
}

// An empty channel key and damaged credentials are logged at the start and shown as
// problems of the node. Everything else runs.
func TestTroublesAreTold(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	o := options(t, dir, map[string][]string{"web": {"[::1]:0"}})
	s := open(t, o)
	for _, name := range []string{"films", "songs"} {
		if _, err := s.Client.AddChannel(testContext(t), api.NewChannel{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	folder, _ := content(t)
	shared(t, s.Client, folder)
	closed(t, s)
	keys, err := filepath.Glob(filepath.Join(ChannelDir(dir), "*.key"))
	if err != nil || len(keys) != 2 {
		t.Fatal(keys, err)
	}
	good, err := os.ReadFile(keys[0])
	must(t, err)
	for _, damage := range [][]byte{nil, good[:len(good)/2], []byte("hello")} {
		must(t, os.WriteFile(keys[0], damage, 0o600))
		for _, spoilt := range []string{"", "{", `{"password":"short"}`, `{"signins":[{"sha256":"12"}]}`} {
			must(t, os.WriteFile(filepath.Join(dir, credentialsName), []byte(spoilt), 0o600))
			var log bytes.Buffer
			o.Stderr, o.Daemon = &log, true
			s := open(t, o)
			info, err := s.Client.Info(testContext(t))
			must(t, err)
			all := strings.Join(info.Problems, "\n")
			if len(info.Problems) != 2 || !strings.Contains(all, filepath.Base(keys[0])) || !strings.Contains(all, "credentials") {
				t.Errorf("problems: %q", info.Problems)
			}
			if h, err := s.Client.Health(testContext(t)); err != nil || !slices.Contains(h.Problems, info.Problems[0]) {
				t.Errorf("health: %+v, %v", h, err)
			}
			if info.Web != "" {
				t.Errorf("the page is served at %s although nobody knows who may", info.Web)
			}
			if _, err := s.Client.SignIn(testContext(t)); err == nil || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("signing in: %v", err)
			}
			channels, err := s.Client.Channels(testContext(t))
			must(t, err)
			ill := slices.DeleteFunc(channels, func(c index.Channel) bool { return c.Error == "" })
			if len(ill) != 1 || !strings.Contains(ill[0].Error, "key") {
				t.Errorf("channels with problems: %+v", ill)
			}
			if ts, err := s.Client.Transfers(testContext(t)); err != nil || len(ts) == 0 {
				t.Errorf("transfers: %v, %v", ts, err)
			}
			closed(t, s)
			if text := log.String(); !strings.Contains(text, filepath.Base(keys[0])) || !strings.Contains(text, "nobody can sign in") {
				t.Errorf("the log says %q", text)
			}
		}
	}
	// A copy brings the key back, and nothing is wrong any more.
	must(t, os.Remove(filepath.Join(dir, credentialsName)))
	s = open(t, o)
	if _, err := s.Client.AddChannel(testContext(t), api.NewChannel{Secret: string(good)}); err != nil {
		t.Fatal(err)
	}
	if info, err := s.Client.Info(testContext(t)); err != nil || len(info.Problems) != 0 {
		t.Errorf("problems: %q, %v", info.Problems, err)
	}
	closed(t, s)
}

func TestRecoverWhileANodeRuns(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	o := options(t, dir, nil)
	s := open(t, o)
	defer closed(t, s)
	if _, err := Recover(testContext(t), o.Config, "0.0-test", nil); !errors.Is(err, ErrLocked) {
		t.Errorf("%v", err)
	}
}

// Without a state there is nothing to recover, and nothing is made.
func TestRecoverNothing(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	o := options(t, dir, map[string][]string{"config": {filepath.Join(t.TempDir(), "config.toml")}})
	for range 2 {
		if _, err := Recover(testContext(t), o.Config, "0.0-test", nil); share.KindOf(err) != share.Failed {
			t.Errorf("%v", err)
		}
		if entries, err := os.ReadDir(dir); len(entries) > 0 {
			t.Errorf("%v, %v", entries, err)
		}
		_ = os.Mkdir(dir, 0o700)
	}
}

// Wherever a recovery is interrupted, the next one completes it.
func TestRecoverAfterABreak(t *testing.T) {
	t.Parallel()
	dir, _, is := sample(t)
	for what, broken := range map[string]func(dir string){
		"while it built": func(dir string) {
			must(t, os.WriteFile(filepath.Join(dir, newDBName), []byte("half"), 0o600))
			must(t, os.WriteFile(filepath.Join(dir, newDBName+"-wal"), []byte("half"), 0o600))
		},
		"before the names changed": func(dir string) {
			must(t, os.Rename(filepath.Join(dir, sumName), filepath.Join(dir, "state.db.damaged-1.sum")))
			must(t, os.Link(filepath.Join(dir, stateName), filepath.Join(dir, "state.db.damaged-1")))
		},
		"with nothing in its place": func(dir string) {
			must(t, os.Rename(filepath.Join(dir, sumName), filepath.Join(dir, "state.db.damaged-1.sum")))
			must(t, os.Rename(filepath.Join(dir, stateName), filepath.Join(dir, "state.db.damaged-1")))
		},
	} {
		at := stateDir(t)
		copyDir(t, dir, at)
		must(t, os.Truncate(filepath.Join(at, stateName), 5000))
		broken(at)
		o := options(t, at, nil)
		r, err := Recover(testContext(t), o.Config, "0.0-test", nil)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if len(r.Transfers) != len(is) {
			t.Errorf("%s: %+v", what, r)
		}
		s := open(t, o)
		if got := truthOf(t, s); !maps.Equal(got, is) {
			t.Errorf("%s: %v instead of %v", what, got, is)
		}
		closed(t, s)
		if _, err := os.Stat(filepath.Join(at, newDBName)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: what was begun is still there: %v", what, err)
		}
	}
}

// Without a note, Recover searches for the files of a transfer and takes them for the
// user's: they are hashed and never deleted.
func TestRecoverWithoutNotes(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	o := options(t, dir, nil)
	s := open(t, o)
	folder, files := content(t)
	kept := shared(t, s.Client, folder)
	other, _ := content(t)
	moved := shared(t, s.Client, other)
	closed(t, s)
	notes, err := filepath.Glob(filepath.Join(dir, torrentsDir, "*.note"))
	if err != nil || len(notes) != 2 {
		t.Fatal(notes, err)
	}
	must(t, os.Remove(notes[0]))
	must(t, os.WriteFile(notes[1], []byte("{}"), 0o600)) // damaged is not believed
	must(t, os.Truncate(filepath.Join(dir, stateName), 0))
	elsewhere := t.TempDir()
	must(t, os.Rename(other, filepath.Join(elsewhere, filepath.Base(other))))

	r, err := Recover(testContext(t), o.Config, "0.0-test", []string{filepath.Dir(folder)})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Transfers {
		switch {
		case x.ID == kept.ID && (x.Err != nil || x.Path != folder || !x.Own || x.Noted):
			t.Errorf("what is there: %+v", x)
		case x.ID == moved.ID && x.Err == nil:
			t.Errorf("what is not: %+v", x)
		}
	}
	// With the folder it is found.
	if r, err = Recover(testContext(t), o.Config, "0.0-test", []string{elsewhere}); err != nil || r.Why != nil || len(r.Transfers) != 1 || r.Transfers[0].Err != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	s = open(t, o)
	for _, id := range []share.ID{kept.ID, moved.ID} {
		x := await(t, s.Client, id, func(x share.Transfer) bool { return x.State == share.Seeding && x.Bytes == x.Total })
		if !x.Own {
			t.Errorf("%+v", x)
		}
	}
	if _, err := s.Client.Remove(testContext(t), kept.ID, true); err != nil {
		t.Error(err)
	}
	for name, want := range files {
		if b, err := os.ReadFile(filepath.Join(folder, name)); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	closed(t, s)
}

// After a recovery, a fetch still knows the files that it made: remove --data deletes
// them, and leaves others in their folder.
func TestRecoverKnowsWhoseFilesAre(t *testing.T) {
	t.Parallel()
	giver := open(t, options(t, stateDir(t), nil))
	defer closed(t, giver)
	folder, _ := content(t)
	given := shared(t, giver.Client, folder)

	dir, out := stateDir(t), t.TempDir()
	o := options(t, dir, nil)
	s := open(t, o)
	if _, err := s.Client.Fetch(testContext(t), api.FetchRequest{Link: given.Link, Output: out}); err != nil {
		t.Fatal(err)
	}
	await(t, s.Client, given.ID, func(x share.Transfer) bool { return x.State == share.Seeding })
	closed(t, s)
	mine := filepath.Join(out, "holiday", "sub", "notes.txt")
	must(t, os.WriteFile(mine, []byte("mine"), 0o600))
	must(t, os.Remove(filepath.Join(dir, stateName)))
	r, err := Recover(testContext(t), o.Config, "0.0-test", nil)
	if err != nil || len(r.Transfers) != 1 || !r.Transfers[0].Noted || r.Transfers[0].Own {
		t.Fatalf("%+v, %v", r, err)
	}
	s = open(t, o)
	defer closed(t, s)
	x := await(t, s.Client, given.ID, func(x share.Transfer) bool { return x.State == share.Seeding && x.Bytes == x.Total })
	if _, err := s.Client.Remove(testContext(t), x.ID, true); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(mine); err != nil || string(b) != "mine" {
		t.Errorf("a file of the user: %q, %v", b, err)
	}
	if _, err := os.Stat(filepath.Join(out, "holiday", "sub", "b.bin")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file that was fetched: %v", err)
	}
}

// Followed channels are restored if their signature proves what was stored.
func TestRecoverChannels(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	o := options(t, dir, nil)
	s := open(t, o)
	followed, err := channel.NewKey("of others", false)
	must(t, err)
	if _, err := s.Client.AddChannel(testContext(t), api.NewChannel{Link: followed.Link().String()}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client.AddChannel(testContext(t), api.NewChannel{Name: "mine"}); err != nil {
		t.Fatal(err)
	}
	closed(t, s)
	exec(t, filepath.Join(dir, stateName), `UPDATE engine_schema SET version = -1`) // damaged, and to be read
	r, err := Recover(testContext(t), o.Config, "0.0-test", nil)
	if err != nil || len(r.Channels) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	s = open(t, o)
	defer closed(t, s)
	all, err := s.Client.Channels(testContext(t))
	must(t, err)
	names := map[string]bool{}
	for _, c := range all {
		names[c.Name] = c.Own
		if c.Own && !c.Restoring {
			t.Errorf("what an own channel had is not looked for: %+v", c)
		}
	}
	if own, ok := names["of others"]; len(all) != 2 || !ok || own || !names["mine"] {
		t.Errorf("%+v", all)
	}
}
