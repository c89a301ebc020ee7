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

// withSaved replaces defaults by saved values. Values that are no longer valid, such
// as those of another version, are ignored.
func (c *Config) withSaved(saved map[string][]string) *Config {
	m := *c
	m.origins = maps.Clone(c.origins)
	for _, s := range Settings() {
		words, ok := saved[s.Name]
		if !ok || !s.Live || m.origins[s.Name].source != api.SourceDefault {
			continue
		}
		if valueOf(s.value(&m)).set(orBlank(words, s.List)) != nil {
			// These words were valid before.
			_ = valueOf(s.value(&m)).set(orBlank(valueOf(s.value(c)).words(), s.List))
			continue
		}
		m.origins[s.Name] = origin{source: api.SourceSaved}
	}
	return &m
}

// writable reports whether the API can change a setting, and otherwise why not.
func (c *Config) writable(s Setting) error {
	switch from := c.origins[s.Name]; {
	case from.source == api.SourceFlag, from.source == api.SourceEnv, from.source == api.SourceFile:
		return share.Errorf(share.Usage, "%s is fixed by %s: change it there", s.Name, from.where)
	case !s.Live:
		return share.Errorf(share.Usage, "%s can be changed only by a flag, %s or the configuration file, and needs a restart", s.Name, s.Env())
	}
	return nil
}

// Kept stores settings that were changed while running, across restarts.
type Kept interface {
	Load(name string, v any) (ok bool, err error)
	Save(name string, v any) error
}

// Live is the configuration in force: the loaded one with the changes made while
// running. Current may be called at any time, the other methods one at a time.
type Live struct {
	kept Kept

	mu      sync.Mutex
	current *Config
	loaded  *Config             // without the changes made while running
	saved   map[string][]string // changed while running
}

// NewLive makes c the configuration in force.
func NewLive(c *Config) *Live { return &Live{current: c, loaded: c} }

// Restore applies the changes made before the last restart, and stores later changes
// in the same place.
func (l *Live) Restore(kept Kept) error {
	saved := map[string][]string{}
	if _, err := kept.Load(savedSettings, &saved); err != nil {
		return err
	}
	l.kept = kept
	l.put(l.loaded, saved)
	return nil
}

// Current is the configuration in force. Callers must not change it.
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

// Reload applies the live settings of c and returns the names of other settings that
// differ: they need a restart.
func (l *Live) Reload(c *Config) (restart []string) {
	loaded, restart := l.loaded.with(c)
	l.put(loaded, l.saved)
	return restart
}

// Change applies settings and stores them; nil is the default. It returns the limits
// instead of storing them, because they are stored by direction.
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
