package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// tries are words that people may write for each kind of setting, right and wrong, as the
// API takes them.
func tries(s Setting) []string {
	switch s.kind() {
	case api.KindSwitch:
		return []string{"true", "false", "maybe"}
	case api.KindNumber:
		return []string{"0", "7", "-1", "many"}
	case api.KindRate, api.KindSize:
		return []string{"0", "1MiB", "5MB", "fast"}
	case api.KindFolder:
		return []string{"/srv/a", "/srv/b", "here"}
	case api.KindGoal:
		return []string{"none", "forever", "ratio:2", "7d", "soon"}
	case api.KindSchedule:
		return []string{"", "mon-fri 08:00-18:00 up=1MB", "sat down=2MB;sun up=0", "mon", "25:00-26:00 up=1"}
	case api.KindChoice:
		return []string{s.value(new(Config)).(*choice).among[1], s.Default, "both"}
	}
	if s.Name == "listen" {
		return []string{"[::]:6881", ":6882", "[::1]:5", "x"}
	}
	return []string{"", "a", "2001:db8::/64", "a:1", "15m", "no way"}
}

// What was said to be saved is what the next start has; what was refused changed nothing;
// flags win; and nothing that the API guards can be set or is exported.
func TestSettingsRandomHistories(t *testing.T) {
	table := Settings()
	file := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		flags := map[string][]string{"config": {file}, "state": {"/nowhere"}, "web-key": {"/secret/key"}, "web-cert": {"/secret/cert"}, "web": {"[::]:443"}}
		flagged := rapid.SliceOfN(rapid.SampledFrom([]string{"utp", "seed", "max-uploads", "log-format"}), 0, 2).Draw(t, "flags")
		for _, name := range flagged {
			flags[name] = map[string][]string{"utp": {"false"}, "seed": {"none"}, "max-uploads": {"3"}, "log-format": {"json"}}[name]
		}
		base, err := Load(Sources{Flags: flags, Env: func(string) (string, bool) { return "", false }})
		if err != nil {
			t.Fatal(err)
		}
		kept := memory{}
		var l *Live
		start := func() {
			l = NewLive(base)
			if err := l.Restore(kept); err != nil {
				t.Fatal(err)
			}
		}
		value := func(view []api.Setting, name string) api.Setting {
			return view[slices.IndexFunc(view, func(s api.Setting) bool { return s.Name == name })]
		}
		then := func(v api.Setting) string {
			if v.Next != nil {
				return v.Next.Value
			}
			return v.Value
		}
		next := func(name string) string { return then(value(l.View(), name)) }
		start()
		promised := map[string]string{} // what the next start has, by name
		proven := map[string]string{}
		for _, v := range l.View() {
			promised[v.Name] = then(v)
		}
		maps.Copy(proven, promised)
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				s := rapid.SampledFrom(table).Draw(t, "setting")
				text := rapid.SampledFrom(tries(s)).Draw(t, "text")
				if isLimit(s.Name) {
					return // kept with the limits
				}
				_, err := l.Change(map[string]*string{s.Name: &text}, nil)
				if err == nil && (s.Afar == Nothing || slices.Contains(flagged, s.Name)) {
					t.Fatalf("%s was changed to %q", s.Name, text)
				}
				if err == nil {
					promised[s.Name] = next(s.Name)
				}
			},
			"several, one of them wrong": func(t *rapid.T) {
				good, bad := "none", "soon"
				if _, err := l.Change(map[string]*string{"downloads": &good, "bootstrap": &good, "min-free": &bad}, nil); err == nil {
					t.Fatal("a wrong value was saved")
				}
			},
			"refused by the machine": func(t *rapid.T) {
				text := "[::]:1"
				if _, err := l.Change(map[string]*string{"listen": &text}, func(*Config) error { return errors.New("no") }); err == nil {
					t.Fatal("saved")
				}
			},
			"reset": func(t *rapid.T) {
				s := rapid.SampledFrom(table).Draw(t, "setting")
				if _, err := l.Change(map[string]*string{s.Name: nil}, nil); err == nil && !isLimit(s.Name) {
					promised[s.Name] = value(base.View(), s.Name).Value
				}
			},
			"move to another node and back": func(t *rapid.T) {
				file, err := Export(l.View())
				if err != nil {
					t.Fatal(err)
				}
				for _, secret := range []string{"secret", "443", "listen"} {
					if text := strings.ReplaceAll(string(file), "# Settings of a shoal node that differ from the defaults. Listeners", ""); strings.Contains(text, secret) {
						t.Fatalf("the export tells %s: %s", secret, file)
					}
				}
				other := NewLive(base)
				if err := other.Restore(memory{}); err != nil {
					t.Fatal(err)
				}
				diff := other.Compare(string(file), other.View())
				changes := map[string]*string{}
				for _, c := range diff.Changes {
					changes[c.Name] = &c.Set
				}
				for _, r := range diff.Refused {
					if !slices.Contains(flagged, r.Name) {
						t.Fatalf("not imported: %+v of\n%s", r, file)
					}
				}
				if _, err := other.Change(changes, nil); err != nil {
					t.Fatal(err)
				}
				for i, v := range other.View() {
					if got := then(v); table[i].Afar == Anything && got != promised[v.Name] {
						t.Fatalf("%s is %q there, not %q", v.Name, got, promised[v.Name])
					}
				}
			},
			"restart": func(t *rapid.T) {
				start()
				for _, v := range l.View() {
					if v.Value != promised[v.Name] || v.Next != nil {
						t.Fatalf("%s is %q and then %+v, not %q", v.Name, v.Value, v.Next, promised[v.Name])
					}
				}
				if err := l.Started(); err != nil {
					t.Fatal(err)
				}
				maps.Copy(proven, promised)
			},
			"a restart that fails": func(t *rapid.T) {
				start()
				fell, _, err := l.FallBack(errors.New("it does not start"), time.Now())
				if err != nil {
					t.Fatal(err)
				}
				changed := false
				for _, v := range l.View() {
					want := promised[v.Name]
					if !v.Live && want != proven[v.Name] {
						want, changed = proven[v.Name], true
					}
					if v.Value != want {
						t.Fatalf("%s is %q, not %q", v.Name, v.Value, want)
					}
					promised[v.Name] = want
				}
				if changed && !fell {
					t.Fatal("it does not say that it fell back")
				}
				start()
				if fell && (l.Failed() == nil || l.Failed().Error != "it does not start") {
					t.Fatalf("the next start does not know why: %+v", l.Failed())
				}
			},
			"": func(t *rapid.T) {
				view := l.View()
				for _, v := range view {
					if got := then(v); got != promised[v.Name] {
						t.Fatalf("the next start has %s = %q, not %q", v.Name, got, promised[v.Name])
					}
				}
				for _, name := range flagged {
					if v := value(view, name); v.Source != api.SourceFlag || v.Value != strings.Join(flags[name], ", ") || v.Writable {
						t.Fatalf("a flag lost: %+v", v)
					}
				}
			},
		})
	})
}

func TestImportsNameTheirLines(t *testing.T) {
	c, err := load(t, map[string][]string{"seed": {"none"}}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	l := NewLive(c)
	if err := l.Restore(memory{}); err != nil {
		t.Fatal(err)
	}
	got := l.Compare(strings.Join([]string{
		`# mine`, `up = "2MB"`, `utp = false`, `max-uploads = "lots"`, `seed = "7d"`, `web = "[::]:80"`, `shedule = ["mon up=1"]`,
		`schedule = [`, `  "mon-fri up=1MB",`, `  "sat down=5MB",`, `]`, `max-fetching = 0`, `listen = ["[2001:db8::1]:80"]`, `[table]`, `downloads = "films"`, ``,
	}, "\n"), l.View())
	changes := map[string]int{"up": 2, "utp": 3, "schedule": 8}
	for _, c := range got.Changes {
		if changes[c.Name] != c.Line {
			t.Errorf("changed: %+v", c)
		}
		delete(changes, c.Name)
	}
	refused := map[string]int{"max-uploads": 4, "seed": 5, "web": 6, "shedule": 7, "listen": 13, "table": 14}
	for _, r := range got.Refused {
		if refused[r.Name] != r.Line {
			t.Errorf("refused: %+v", r)
		}
		delete(refused, r.Name)
	}
	if len(changes)+len(refused) != 0 || got.Same != 1 {
		t.Errorf("missing %v and %v, %d are the same", changes, refused, got.Same)
	}
	for text, line := range map[string]int{"up = 1\ndown = = 2\n": 2, "a\n": 1, "up = \"1MB\"\nup = \"2MB\"\n": 2} {
		if got := l.Compare(text, l.View()); len(got.Refused) != 1 || got.Refused[0].Line != line || len(got.Changes) != 0 {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func FuzzCompare(f *testing.F) {
	for _, seed := range []string{"up = \"1MB\"\n", "schedule = [\"mon up=1\"]\n", "[a]\nb = 1\n", "\"up\" = 1", "web-hosts = [\"a;b\"]"} {
		f.Add(seed)
	}
	c, err := Load(Sources{Flags: map[string][]string{"state": {f.TempDir()}}, Env: func(string) (string, bool) { return "", false }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := NewLive(c)
		if err := l.Restore(memory{}); err != nil {
			t.Fatal(err)
		}
		// What it offers can be done.
		changes := map[string]*string{}
		for _, c := range l.Compare(text, l.View()).Changes {
			changes[c.Name] = &c.Set
		}
		if _, err := l.Change(changes, nil); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheSettingsThatNobodyChangesFromAfar(t *testing.T) {
	for _, s := range Settings() {
		cert := strings.Contains(s.Name, "cert") || strings.Contains(s.Name, "key")
		door := strings.HasSuffix(s.Name, "-listen") || s.Name == "web"
		if (cert || door) && s.Afar != Nothing {
			t.Errorf("%s opens the node or names a credential", s.Name)
		}
	}
	c, err := load(t, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	l := NewLive(c)
	if err := l.Restore(memory{}); err != nil {
		t.Fatal(err)
	}
	for name, texts := range map[string][]string{
		"listen": {"[2001:db8::1]:6881", "[::]:1;[2001:db8::1]:2", "0.0.0.0:1"}, "web": {"[::]:80"}, "web-key": {"/key"}, "state": {"/x"}, "downloads": {"", "x"},
	} {
		for _, text := range texts {
			if _, err := l.Change(map[string]*string{name: &text}, nil); share.KindOf(err) != share.Usage {
				t.Errorf("%s = %q: %v", name, text, err)
			}
		}
	}
	port := "[::]:6881"
	if _, err := l.Change(map[string]*string{"listen": &port}, nil); err != nil || fmt.Sprint(l.Pending()) != "[listen]" || len(l.Current().Listen) != 0 {
		t.Errorf("another port: %v, pending %v, now %v", err, l.Pending(), l.Current().Listen)
	}
}
