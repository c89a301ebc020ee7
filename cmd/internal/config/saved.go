package config

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// savedSettings are settings that were changed while the node ran, as words of
// setting.set by name. They are weaker than flags, variables and the file, and
// stronger than defaults. up and down are kept with the limits.
const savedSettings = "settings"

// withSaved puts what was saved in the place of defaults. What cannot be read
// any more, such as of another release, is left out.
func (c *Config) withSaved(saved map[string][]string) *Config {
	m := *c
	m.origins = maps.Clone(c.origins)
	for _, s := range Settings() {
		words, ok := saved[s.Name]
		if !ok || !s.Live || m.origins[s.Name].source != api.SourceDefault {
			continue
		}
		if valueOf(s.value(&m)).set(orBlank(words, s.List)) != nil {
			// Read again from the words that were good.
			_ = valueOf(s.value(&m)).set(orBlank(valueOf(s.value(c)).words(), s.List))
			continue
		}
		m.origins[s.Name] = origin{source: api.SourceSaved}
	}
	return &m
}

// writable tells whether the API can change a setting, and if not, why.
func (c *Config) writable(s Setting) error {
	switch from := c.origins[s.Name]; {
	case from.source == api.SourceFlag, from.source == api.SourceEnv, from.source == api.SourceFile:
		return share.Errorf(share.Usage, "%s is fixed by %s: change it there", s.Name, from.where)
	case !s.Live:
		return share.Errorf(share.Usage, "%s can be changed by a flag, %s or the configuration file only, and needs a restart", s.Name, s.Env())
	}
	return nil
}

// Kept is where settings that were changed while running survive a restart.
type Kept interface {
	Load(name string, v any) (ok bool, err error)
	Save(name string, v any) error
}

// Live is the configuration in force: what was loaded, with what was changed
// while running. Current may be called at any time, the other methods one at a
// time.
type Live struct {
	kept Kept

	mu      sync.Mutex
	current *Config
	loaded  *Config             // without what was changed while running
	saved   map[string][]string // changed while running
}

// NewLive puts c into force.
func NewLive(c *Config) *Live { return &Live{current: c, loaded: c} }

// Restore puts into force what was changed before the last restart, and keeps
// later changes in the same place.
func (l *Live) Restore(kept Kept) error {
	saved := map[string][]string{}
	if _, err := kept.Load(savedSettings, &saved); err != nil {
		return err
	}
	l.kept = kept
	l.put(l.loaded, saved)
	return nil
}

// Current is the configuration in force. It is not to be changed.
func (l *Live) Current() *Config {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

func (l *Live) put(loaded *Config, saved map[string][]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loaded, l.saved = loaded, saved
	l.current = loaded.withSaved(saved)
}

// Reload takes the live settings of c and returns the names of the others that
// differ: they need a restart.
func (l *Live) Reload(c *Config) (restart []string) {
	loaded, restart := l.loaded.with(c)
	l.put(loaded, l.saved)
	return restart
}

// Change puts settings into force and keeps them; nil is the default. The limits
// it does not keep but returns: they are kept by direction.
func (l *Live) Change(changes map[string]*string) (limits share.LimitChange, err error) {
	saved := map[string][]string{}
	if _, err := l.kept.Load(savedSettings, &saved); err != nil {
		return limits, err
	}
	c := l.Current()
	table := Settings()
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		i := slices.IndexFunc(table, func(s Setting) bool { return s.Name == name })
		if i < 0 {
			return limits, share.Errorf(share.Usage, "there is no setting %.60q", name)
		}
		if err := c.writable(table[i]); err != nil {
			return limits, err
		}
		text := table[i].Default
		if changes[name] != nil {
			text = *changes[name]
		}
		words := []string{strings.TrimSpace(text)}
		if table[i].List {
			words = splitList(text)
		}
		probe := *c
		if err := valueOf(table[i].value(&probe)).set(words); err != nil {
			return limits, share.Errorf(share.Usage, "%s: %w", name, err)
		}
		switch {
		case name == "up":
			limits.Up = &probe.Up
		case name == "down":
			limits.Down = &probe.Down
		case changes[name] == nil:
			delete(saved, name)
		default:
			saved[name] = words
		}
	}
	if err := l.kept.Save(savedSettings, saved); err != nil {
		return limits, err
	}
	l.put(l.loaded, saved)
	return limits, nil
}
