package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// load makes a configuration of flags, variables and the text of a file.
func load(t *testing.T, flags map[string][]string, env map[string]string, file string) (*Config, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{"config": {name}}
	for k, v := range flags {
		all[k] = v
	}
	return Load(Sources{Flags: all, Env: func(k string) (string, bool) { v, ok := env[k]; return v, ok }})
}

func TestFlagsOverVariablesOverFileOverDefault(t *testing.T) {
	file := "max-fetching = 3\nmax-uploads = 7\ndown = \"1M\"\nlisten = [\"[::1]:1\", \"[::1]:2\"]\nipv4 = true\n"
	env := map[string]string{"SHOAL_MAX_FETCHING": "4", "SHOAL_UP": "2KiB", "SHOAL_SCHEDULE": "mon,tue up=1; sat down=2"}
	c, err := load(t, map[string][]string{"max-fetching": {"5"}}, env, file)
	if err != nil {
		t.Fatal(err)
	}
	if c.MaxFetching != 5 || c.MaxUploads != 7 || c.Up != 2048 || c.Down != 1e6 || !c.IPv4 || !c.UTP || len(c.Listen) != 2 || len(c.Schedule) != 2 {
		t.Errorf("%+v", c)
	}
	want := map[string][2]string{
		"max-fetching": {api.SourceFlag, "--max-fetching"}, "up": {api.SourceEnv, "SHOAL_UP"},
		"down": {api.SourceFile, c.File + ": down"}, "utp": {api.SourceDefault, ""}, "schedule": {api.SourceEnv, "SHOAL_SCHEDULE"},
	}
	for _, s := range c.View() {
		if w, ok := want[s.Name]; ok && (s.Source != w[0] || s.Where != w[1]) {
			t.Errorf("%s comes from %s %s, not %v", s.Name, s.Source, s.Where, w)
		}
	}
}

func TestMistakesNameTheirPlace(t *testing.T) {
	for name, c := range map[string]struct {
		flags map[string][]string
		env   map[string]string
		file  string
		want  []string
	}{
		"unknown key":     {file: "max-fetchin = 3\n", want: []string{"config.toml", `"max-fetchin"`, `"max-fetching"`}},
		"far from any":    {file: "qqqqqqqqqqqqqqqq = 3\n", want: []string{`"qqqqqqqqqqqqqqqq"`, "shoal config"}},
		"a path as a key": {file: "config = \"x\"\n", want: []string{`"config"`}},
		"syntax":          {file: "up = 1\nup = \n", want: []string{"config.toml, line 2"}},
		"type":            {file: "up = [1, 2]\n", want: []string{"config.toml: up", "one value"}},
		"table":           {file: "[up]\nx = 1\n", want: []string{"config.toml: up"}},
		"value in file":   {file: "up = \"fast\"\n", want: []string{"config.toml: up", `"fast"`}},
		"value in flag":   {flags: map[string][]string{"listen": {"1.2.3"}}, want: []string{"--listen", `"1.2.3"`}},
		"value in env":    {env: map[string]string{"SHOAL_SEED": "often"}, want: []string{"SHOAL_SEED", `"often"`}},
		"unknown flag":    {flags: map[string][]string{"colour": {"1"}}, want: []string{"--colour"}},
		"choice":          {file: "log-format = \"xml\"\n", want: []string{"text, json"}},
		"a prefix":        {flags: map[string][]string{"prefix": {"192.0.2.0/24"}}, want: []string{"--prefix", "IPv6 prefix"}},
		"schedule":        {flags: map[string][]string{"schedule": {"mon-xxx up=1"}}, want: []string{"--schedule", "mon-xxx"}},
	} {
		_, err := load(t, c.flags, c.env, c.file)
		if share.KindOf(err) != share.Usage {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", name, err, w)
			}
		}
	}
	if _, err := Load(Sources{Flags: map[string][]string{"config": {"/nowhere/at/all.toml"}}}); share.KindOf(err) != share.Usage {
		t.Errorf("a file that was named is not there: %v", err)
	}
}

// Each setting can be read back from what View shows, so that config prints
// what can be put into a file.
func TestViewCanBeReadBack(t *testing.T) {
	c, err := load(t, map[string][]string{
		"seed": {"7d,ratio:1.5"}, "up": {"1536"}, "min-free": {"3GiB"}, "schedule": {"fri-mon 22:00-06:00 up=1M"}, "bootstrap": {"none"},
		"web": {"localhost:8080"}, "share-watch-old": {"retire"}, "interface": {"eth1"}, "prefix": {"2001:db8:1:2::7/64"},
	}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string][]string{}
	for _, s := range c.View() {
		words := []string{s.Value}
		if s.Values != nil || s.Value == "" {
			words = s.Values
		}
		if len(words) > 0 && s.Name != "config" {
			flags[s.Name] = words
		}
	}
	again, err := load(t, flags, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range again.View() {
		if was := c.View()[i]; s.Value != was.Value && s.Name != "config" {
			t.Errorf("%s: %q became %q", s.Name, was.Value, s.Value)
		}
	}
}

func TestTableIsSound(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Settings() {
		if seen[s.Name] || s.Help == "" || strings.HasSuffix(s.Help, ".") {
			t.Errorf("%s: twice, or its help is not half a sentence: %q", s.Name, s.Help)
		}
		seen[s.Name] = true
		if s.Arg != "" && !strings.Contains(s.Help, "`"+s.Arg+"`") {
			t.Errorf("the help of %s does not name its argument %s", s.Name, s.Arg)
		}
		var c Config
		v := valueOf(s.value(&c))
		if v == nil {
			t.Fatalf("%s has no value", s.Name)
		}
		if !s.List {
			if err := v.set([]string{s.Default}); err != nil {
				t.Errorf("the default of %s: %v", s.Name, err)
			}
		}
	}
}

func TestReloadChangesWhatIsLive(t *testing.T) {
	first, err := load(t, nil, nil, "up = 1000\nipv4 = false\nschedule = [\"up=1\"]\n")
	if err != nil {
		t.Fatal(err)
	}
	second, err := load(t, nil, nil, "up = 2000\nipv4 = true\nseed = \"ratio:3\"\n")
	if err != nil {
		t.Fatal(err)
	}
	merged, restart := first.with(second)
	if merged.Up != 2000 || merged.IPv4 || merged.Seed.Ratio != 3 || len(merged.Schedule) != 0 {
		t.Errorf("%+v", merged)
	}
	if !slices.Contains(restart, "ipv4") || slices.Contains(restart, "up") {
		t.Errorf("a restart is needed for %v", restart)
	}
	if first.Up != 1000 || len(first.Schedule) != 1 {
		t.Errorf("the first was changed: %+v", first)
	}
}

func TestSchedule(t *testing.T) {
	var s Schedule
	if err := s.set([]string{"mon-fri 08:00-18:00 up=1M down=5M", "fri-sat 22:00-06:00 up=0", "sun down=7"}); err != nil {
		t.Fatal(err)
	}
	others := share.Limits{Down: 100, Up: 200}
	for at, want := range map[string]share.Limits{
		"2026-11-23 07:59": others,               // Monday
		"2026-11-23 08:00": {Down: 5e6, Up: 1e6}, //
		"2026-11-23 17:59": {Down: 5e6, Up: 1e6}, //
		"2026-11-23 18:00": others,               //
		"2026-11-27 23:00": {Down: 100, Up: 0},   // Friday night
		"2026-11-28 05:59": {Down: 100, Up: 0},   // still that night
		"2026-11-28 06:00": others,               // Saturday
		"2026-11-29 05:00": {Down: 100, Up: 0},   // the night before Sunday
		"2026-11-29 12:00": {Down: 7, Up: 200},   // Sunday
		"2026-11-27 05:00": others,               // the night before Friday has no window
	} {
		now, err := time.ParseInLocation("2006-01-02 15:04", at, time.Local)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := s.Limits(now, others)
		if got != want {
			t.Errorf("%s: %+v, not %+v", at, got, want)
		}
	}
	for _, bad := range []string{"", "mon", "mon up", "up=x", "08:00 up=1", "25:00-26:00 up=1", "08:00-08:00 up=1", "up=1 mon", "left=1", "24:00-01:00 up=1", "mon- up=1"} {
		if _, err := ParseWindow(bad); share.KindOf(err) != share.Usage {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestGoalsAndSizes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := share.Goal{None: rapid.Bool().Draw(t, "none")}
		if !g.None {
			g.Ratio = float64(rapid.IntRange(0, 500).Draw(t, "ratio")) / 4
			g.For = time.Duration(rapid.IntRange(0, 1e6).Draw(t, "for")) * time.Second
		}
		if got, err := ParseGoal(GoalWord(g)); err != nil || got != g {
			t.Fatalf("%+v as %q is %+v, %v", g, GoalWord(g), got, err)
		}
		n := rapid.Int64Range(0, 1<<50).Draw(t, "size")
		if got, err := ParseSize(SizeWord(n)); err != nil || got != n {
			t.Fatalf("%d as %q is %d, %v", n, SizeWord(n), got, err)
		}
	})
	for _, bad := range []string{"", "ratio:", "ratio:-1", "ratio:NaN", "ratio:1,ratio:2", "-5m", "7", "forever,7d", "1d,2d"} {
		if _, err := ParseGoal(bad); share.KindOf(err) != share.Usage {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if n, err := ParseRate("5 MB/s"); err != nil || n != 5e6 {
		t.Errorf("%d %v", n, err)
	}
}

func FuzzParseWindow(f *testing.F) {
	f.Add("mon-fri 08:00-18:00 up=1M down=5M")
	f.Add("sat,sun up=0")
	f.Fuzz(func(t *testing.T, s string) {
		w, err := ParseWindow(s)
		if err != nil {
			return
		}
		again, err := ParseWindow(w.String())
		if err != nil || again != w {
			t.Errorf("%q became %q: %+v %v", s, w.String(), again, err)
		}
	})
}

// The example names every setting of the file, and with its comments taken away it is a
// file that changes nothing.
func TestExample(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	text, err := Example()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if len(line) > 82 && !strings.Contains(line, " = ") {
			t.Errorf("a long line: %s", line)
		}
	}
	name := filepath.Join(t.TempDir(), "config.toml")
	keys := regexp.MustCompile(`(?m)^#([a-z0-9-]+ = )`).ReplaceAll(text, []byte("$1"))
	none := func(string) (string, bool) { return "", false }
	flags := map[string][]string{"state": {t.TempDir()}, "config": {name}}
	var values [2][]string
	for i, content := range [][]byte{text, keys} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(Sources{Flags: flags, Env: none})
		if err != nil {
			t.Fatalf("%v\n%s", err, content)
		}
		for n, s := range c.View() {
			values[i] = append(values[i], s.Name+"="+s.Value)
			if from := s.Source; n >= 2 && (from == api.SourceFile) != (i == 1) {
				t.Errorf("file %d: %s comes from %s", i, s.Name, from)
			}
		}
	}
	if !slices.Equal(values[0], values[1]) {
		t.Errorf("the example changes something:\n%q\n%q", values[0], values[1])
	}
}
