package config

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// Saved settings are those that were changed through the API, as words of value.set by
// name. They are weaker than flags and variables, and stronger than defaults. One that was
// saved above a line of the file, which is kept under another name, is stronger than the
// file until that line changes: what was changed last is in force. up and down are kept
// with the limits.
type words map[string][]string

// lineOf is under which name the line of the file is kept above which a setting was saved.
func lineOf(name string) string { return name + " in the file" }

// Under these names a Kept has the saved settings, those of them that the node last
// started with, and those that it could not start with.
const (
	savedSettings  = "settings"
	provenSettings = "settings-proven"
	failedSettings = "settings-failed"
)

// withSaved replaces defaults by saved values. Values that are no longer valid, such
// as those of another version, are ignored.
func (c *Config) withSaved(saved words) *Config {
	m := *c
	m.origins = maps.Clone(c.origins)
	for _, s := range Settings() {
		w, ok := saved[s.Name]
		from := m.origins[s.Name]
		line, above := saved[lineOf(s.Name)]
		above = above && from.source == api.SourceFile && slices.Equal(line, from.file)
		if !ok || s.Afar == Nothing || from.source != api.SourceDefault && !above {
			continue
		}
		if valueOf(s.value(&m)).set(orBlank(w, s.List)) != nil {
			// These words were valid before.
			_ = valueOf(s.value(&m)).set(orBlank(valueOf(s.value(c)).words(), s.List))
			continue
		}
		m.origins[s.Name] = origin{source: api.SourceSaved}
		if above {
			m.origins[s.Name] = origin{api.SourceSaved, from.where, from.file}
		}
	}
	return &m
}

// fixed says why the API cannot change a setting; nil if it can.
func (c *Config) fixed(s Setting) error {
	switch from := c.origins[s.Name]; {
	case from.source == api.SourceFlag, from.source == api.SourceEnv:
		return share.Errorf(share.Usage, "%s is fixed by %s: change it there", s.Name, from.where)
	case s.Afar == Nothing:
		return share.Errorf(share.Usage, "%s can be changed only on the machine of the node: by a flag, %s or the configuration file", s.Name, s.Env())
	}
	return nil
}

// Kept stores settings that were changed while running, across restarts.
type Kept interface {
	Load(name string, v any) (ok bool, err error)
	Save(name string, v any) error
}

// Failed are saved settings that a node could not start with.
type Failed struct {
	Time     time.Time
	Error    string
	Said     share.Text `json:",omitzero"` // Error for other languages
	Settings words      // what was dropped; the node has the former values
}

// Text is the error of the start.
func (f *Failed) Text() share.Text {
	if f.Said.Pattern == "" { // stored by an earlier version
		return share.Text{Pattern: f.Error}
	}
	return f.Said
}

// Live is the configuration in force: the loaded one with the saved settings. A setting
// that needs a restart has the value that was saved when the node started. Current may be
// called at any time, the other methods one at a time.
type Live struct {
	kept Kept

	mu      sync.Mutex
	current *Config
	next    *Config // that of the next start
	loaded  *Config // current without saved settings
	read    *Config // next without saved settings
	saved   words
	used    words // what was saved when the node started
	failed  *Failed
}

// NewLive makes c the configuration in force.
func NewLive(c *Config) *Live { return &Live{current: c, next: c, loaded: c, read: c} }

// Restore applies the saved settings, and stores later changes in the same place.
func (l *Live) Restore(kept Kept) error {
	saved, failed := words{}, &Failed{}
	if _, err := kept.Load(savedSettings, &saved); err != nil {
		return err
	}
	if has, err := kept.Load(failedSettings, &failed); err != nil {
		return err
	} else if !has || failed == nil || failed.Error == "" {
		failed = nil
	}
	l.kept = kept
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used, l.failed = saved, failed
	l.put(l.loaded, l.read, saved)
	return nil
}

// put computes the configurations; mu is held.
func (l *Live) put(loaded, read *Config, saved words) {
	l.loaded, l.read, l.saved = loaded, read, saved
	l.current = loaded.withSaved(mix(saved, l.used))
	l.next = read.withSaved(saved)
}

// mix has the live settings of one and the others of two.
func mix(one, two words) words {
	out := words{}
	for _, s := range Settings() {
		from := two
		if s.Live {
			from = one
		}
		for _, name := range [...]string{s.Name, lineOf(s.Name)} {
			if w, ok := from[name]; ok {
				out[name] = w
			}
		}
	}
	return out
}

// Current is the configuration in force. Callers must not change it.
func (l *Live) Current() *Config {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// Started records that a node runs with the configuration in force: FallBack returns to
// it.
func (l *Live) Started() error {
	var proven words
	if _, err := l.kept.Load(provenSettings, &proven); err != nil {
		return err
	}
	if same(proven, l.used) {
		return nil
	}
	return l.kept.Save(provenSettings, l.used)
}

// FallBack drops the saved settings that the last node to start did not have, because
// this one cannot start with them. It returns false if there are none. undo puts them
// back.
func (l *Live) FallBack(because error, now time.Time) (fell bool, undo func() error, err error) {
	var proven words
	if _, err := l.kept.Load(provenSettings, &proven); err != nil {
		return false, nil, err
	}
	was, former := l.saved, l.failed
	back := mix(was, proven)
	if same(back, was) {
		return false, nil, nil
	}
	failed := &Failed{Time: now, Error: because.Error(), Said: share.TextOf(because), Settings: words{}}
	for _, s := range Settings() {
		w, had := was[s.Name]
		if b, ok := back[s.Name]; had && (!ok || !slices.Equal(b, w)) {
			failed.Settings[s.Name] = w
		}
	}
	swap := func(f *Failed, w words) error {
		// In this order: whoever is interrupted between the two falls back again.
		if err := l.kept.Save(failedSettings, f); err != nil {
			return err
		}
		if err := l.kept.Save(savedSettings, w); err != nil {
			return err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.failed, l.used = f, w
		l.put(l.loaded, l.read, w)
		return nil
	}
	return true, func() error { return swap(former, was) }, swap(failed, back)
}

func same(a, b words) bool {
	return maps.EqualFunc(a, b, func(x, y []string) bool { return slices.Equal(x, y) })
}

// Failed are the saved settings that the node could not start with; nil for none.
func (l *Live) Failed() *Failed {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// Forget removes what Failed returns.
func (l *Live) Forget() error {
	if l.Failed() == nil {
		return nil
	}
	if err := l.kept.Save(failedSettings, nil); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = nil
	return nil
}

// Reload applies the live settings of c and returns the names of other settings that
// differ: they need a restart.
func (l *Live) Reload(c *Config) (restart []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	loaded, restart := l.loaded.with(c)
	l.put(loaded, c, l.saved)
	return restart
}

// After returns the configuration that a start with c has: c with the saved settings.
func (l *Live) After(c *Config) *Config {
	l.mu.Lock()
	defer l.mu.Unlock()
	return c.withSaved(l.saved)
}

// Change checks settings, applies those that are live, and stores them all; nil is what the
// file says, or the default. allows may refuse the configuration that results. Change returns the limits
// instead of storing them, because they are stored by direction.
func (l *Live) Change(changes map[string]*string, allows func(*Config) error) (limits share.LimitChange, err error) {
	l.mu.Lock()
	saved, next, read := maps.Clone(l.saved), l.next, l.read
	l.mu.Unlock()
	if saved == nil {
		saved = words{}
	}
	table := Settings()
	probe := *next
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		i := slices.IndexFunc(table, func(s Setting) bool { return s.Name == name })
		if i < 0 {
			return limits, share.Errorf(share.Usage, "there is no setting %.60q", name)
		}
		s := table[i]
		if err := next.fixed(s); err != nil && !isLimit(name) {
			return limits, err
		}
		if changes[name] == nil && !isLimit(name) {
			delete(saved, name)
			delete(saved, lineOf(name))
			continue
		}
		text := s.Default
		if changes[name] != nil {
			text = *changes[name]
		}
		w, err := s.words(text, next)
		if err == nil {
			err = valueOf(s.value(&probe)).set(w)
		}
		if err != nil {
			return limits, share.Errorf(share.Usage, "%s: %w", name, err)
		}
		switch name {
		case "up":
			limits.Up = new(probe.Up)
		case "down":
			limits.Down = new(probe.Down)
		default:
			saved[name] = w
			delete(saved, lineOf(name))
			if from := read.origins[name]; from.source == api.SourceFile {
				saved[lineOf(name)] = from.file
			}
		}
	}
	then := read.withSaved(saved)
	if err := then.check(); err != nil {
		return limits, err
	}
	if allows != nil {
		if err := allows(then); err != nil {
			return limits, err
		}
	}
	if err := l.kept.Save(savedSettings, saved); err != nil {
		return limits, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.put(l.loaded, l.read, saved)
	return limits, nil
}

// isLimit reports whether a setting is one of the limits, which can be changed until the
// next start even where a flag, a variable or the file sets them.
func isLimit(name string) bool { return name == "up" || name == "down" }

// words splits the text of a setting as it comes from the API, and refuses what may not
// come from there.
func (s Setting) words(text string, next *Config) ([]string, error) {
	w := []string{strings.TrimSpace(text)}
	if s.List {
		w = splitList(text)
	}
	if s.kind() == api.KindFolder {
		for _, p := range w {
			if !filepath.IsAbs(p) {
				return nil, share.Errorf(share.Usage, "%q is not the whole path of a folder on the machine of the node", p)
			}
		}
	}
	if s.Afar == PortOnly {
		if err := samePlaces(valueOf(s.value(next)).words(), w); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// samePlaces compares the addresses of listeners, without their ports.
func samePlaces(was, is []string) error {
	places := func(endpoints []string) ([]string, error) {
		if len(endpoints) == 0 {
			return []string{"::"}, nil
		}
		var out []string
		for _, e := range endpoints {
			a, err := ParseEndpoint(e)
			if err != nil {
				return nil, err
			}
			out = append(out, a.Addr().String())
		}
		slices.Sort(out)
		return out, nil
	}
	a, err := places(was)
	if err != nil {
		return err
	}
	b, err := places(is)
	if err != nil {
		return err
	}
	if !slices.Equal(a, b) {
		return share.Errorf(share.Usage, "only the port can be changed here: where the node listens stays %s", strings.Join(a, ", "))
	}
	return nil
}
