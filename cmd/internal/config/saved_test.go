package config

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// memory is a Kept that outlives a Live.
type memory map[string][]byte

func (m memory) Load(name string, v any) (bool, error) {
	b, ok := m[name]
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(b, v)
}

func (m memory) Save(name string, v any) (err error) {
	m[name], err = json.Marshal(v)
	return err
}

func TestWhatWasChangedSurvivesARestart(t *testing.T) {
	first, err := load(t, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	kept := memory{}
	l := NewLive(first)
	if err := l.Restore(kept); err != nil {
		t.Fatal(err)
	}
	goal, up, bad := "ratio:3", "2MB", "often"
	limits, err := l.Change(map[string]*string{"seed": &goal, "up": &up}, nil)
	if err != nil || limits.Up == nil || *limits.Up != 2e6 || limits.Down != nil || l.Current().Seed.Ratio != 3 || l.Current().Up != 0 {
		t.Errorf("%+v, seed %+v, %v", limits, l.Current().Seed, err)
	}
	if _, err := l.Change(map[string]*string{"seed": &bad}, nil); share.KindOf(err) != share.Usage || l.Current().Seed.Ratio != 3 {
		t.Errorf("a bad value: %v, seed %+v", err, l.Current().Seed)
	}
	again := NewLive(first)
	if err := again.Restore(kept); err != nil || again.Current().Seed.Ratio != 3 {
		t.Errorf("restarted: seed %+v, %v", again.Current().Seed, err)
	}
	// The file is stronger than what was saved before it said anything.
	file, err := load(t, nil, nil, "seed = \"none\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if restart := again.Reload(file); len(restart) != 1 || restart[0] != "config" || !again.Current().Seed.None {
		t.Errorf("with a file: seed %+v, restart for %v", again.Current().Seed, restart)
	}
	flag, err := load(t, map[string][]string{"seed": {"none"}}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	again.Reload(flag)
	if _, err := again.Change(map[string]*string{"seed": nil}, nil); share.KindOf(err) != share.Usage {
		t.Errorf("what a flag fixes was changed: %v", err)
	}
}

// Of the page and the file, the latest change is in force.
func TestASavedSettingAboveTheFile(t *testing.T) {
	file := func(text string) *Config {
		t.Helper()
		c, err := load(t, nil, nil, text)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	kept := memory{}
	start := func(c *Config) *Live {
		t.Helper()
		l := NewLive(c)
		if err := l.Restore(kept); err != nil {
			t.Fatal(err)
		}
		return l
	}
	seed := func(l *Live) api.Setting {
		all := l.View()
		return all[slices.IndexFunc(all, func(s api.Setting) bool { return s.Name == "seed" })]
	}
	check := func(what string, l *Live, value, source, says string) {
		t.Helper()
		s := seed(l)
		got := ""
		if s.File != nil {
			got = *s.File
		}
		if s.Value != value || s.Source != source || got != says || !s.Writable {
			t.Errorf("%s: %+v, and the file says %q", what, s, got)
		}
	}
	first := file("seed = \"none\"\n")
	l := start(first)
	check("at first", l, "none", api.SourceFile, "")
	goal := "ratio:3"
	if _, err := l.Change(map[string]*string{"seed": &goal}, nil); err != nil {
		t.Fatal(err)
	}
	check("changed", l, "ratio:3", api.SourceSaved, "none")
	check("started again", start(first), "ratio:3", api.SourceSaved, "none")
	l.Reload(file("seed = \"none\"\nup = \"1MB\"\n"))
	check("another line was changed", l, "ratio:3", api.SourceSaved, "none")
	l.Reload(file("seed = \"ratio:2\"\n"))
	check("the line was changed", l, "ratio:2", api.SourceFile, "")
	l.Reload(file(""))
	check("the line was removed", l, "ratio:3", api.SourceSaved, "")
	l.Reload(first)
	if _, err := l.Change(map[string]*string{"seed": nil}, nil); err != nil {
		t.Fatal(err)
	}
	check("as the file says", l, "none", api.SourceFile, "")
	check("as the file says, started again", start(first), "none", api.SourceFile, "")
}

func TestNearest(t *testing.T) {
	known := []string{"up", "down", "download"}
	for word, want := range map[string]string{"donw": "down", "downlaod": "download", "up": "up", "zzzz": ""} {
		if got := Nearest(word, known, 2); got != want {
			t.Errorf("%s: %q, not %q", word, got, want)
		}
	}
}
