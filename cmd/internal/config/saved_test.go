package config

import (
	"encoding/json"
	"testing"

	"github.com/shoalnet/shoal/share"
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
	limits, err := l.Change(map[string]*string{"seed": &goal, "up": &up})
	if err != nil || limits.Up == nil || *limits.Up != 2e6 || limits.Down != nil || l.Current().Seed.Ratio != 3 || l.Current().Up != 0 {
		t.Errorf("%+v, seed %+v, %v", limits, l.Current().Seed, err)
	}
	if _, err := l.Change(map[string]*string{"seed": &bad}); share.KindOf(err) != share.Usage || l.Current().Seed.Ratio != 3 {
		t.Errorf("a bad value: %v, seed %+v", err, l.Current().Seed)
	}
	again := NewLive(first)
	if err := again.Restore(kept); err != nil || again.Current().Seed.Ratio != 3 {
		t.Errorf("restarted: seed %+v, %v", again.Current().Seed, err)
	}
	// The file is stronger than what was changed while running.
	file, err := load(t, nil, nil, "seed = \"none\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if restart := again.Reload(file); len(restart) != 1 || restart[0] != "config" || !again.Current().Seed.None {
		t.Errorf("with a file: seed %+v, restart for %v", again.Current().Seed, restart)
	}
	if _, err := again.Change(map[string]*string{"seed": nil}); share.KindOf(err) != share.Usage {
		t.Errorf("what the file fixes was changed: %v", err)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"up", "down", "download"}
	for word, want := range map[string]string{"donw": "down", "downlaod": "download", "up": "up", "zzzz": ""} {
		if got := Nearest(word, known, 2); got != want {
			t.Errorf("%s: %q, not %q", word, got, want)
		}
	}
}
