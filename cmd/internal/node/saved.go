package node

import (
	"maps"
	"slices"
	"strings"

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

// ChangeSettings puts settings into force and keeps them.
func (s *served) ChangeSettings(changes map[string]*string) error {
	n := s.n
	n.changing.Lock()
	defer n.changing.Unlock()
	saved := map[string][]string{}
	if _, err := n.state.load(savedSettings, &saved); err != nil {
		return err
	}
	saved = maps.Clone(saved)
	c := n.current()
	var limits share.LimitChange
	table := Settings()
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		i := slices.IndexFunc(table, func(s Setting) bool { return s.Name == name })
		if i < 0 {
			return share.Errorf(share.Usage, "there is no setting %.60q", name)
		}
		if err := c.writable(table[i]); err != nil {
			return err
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
			return share.Errorf(share.Usage, "%s: %w", name, err)
		}
		switch {
		case name == "up":
			limits.Up = &probe.Up
		case name == "down":
			limits.Down = &probe.Down
		case name == "adaptive-upload" && probe.AdaptiveUp && !measuresDelay:
			return share.Errorf(share.Usage, "adaptive-upload needs what only Linux tells of connections")
		case changes[name] == nil:
			delete(saved, name)
		default:
			saved[name] = words
		}
	}
	if err := n.state.save(savedSettings, saved); err != nil {
		return err
	}
	n.mu.Lock()
	n.saved = saved
	n.mu.Unlock()
	n.apply()
	if limits == (share.LimitChange{}) {
		return nil
	}
	return n.limiter.change(limits)
}

// loadSaved is called once, before anything reads the configuration.
func (n *Node) loadSaved() error {
	saved := map[string][]string{}
	if _, err := n.state.load(savedSettings, &saved); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.saved, n.unsaved = saved, n.config
	n.config = n.config.withSaved(saved)
	return nil
}
