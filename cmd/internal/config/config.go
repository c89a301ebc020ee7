package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/adrg/xdg"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// Sources are the sources of values that override the file, strongest first.
type Sources struct {
	// Flags are the flags that were given, by name, with their values; true or
	// false for a switch.
	Flags map[string][]string
	// Env looks up a variable; nil is os.LookupEnv.
	Env func(string) (string, bool)
}

// origin is the source of a value: one of the api.Source words, and the name it has
// there. A saved value may stand above one of the file: where is then the name that has.
type origin struct {
	source, where string
	file          []string // what the file says
}

// Load makes a Config from flags, environment, file and defaults. Errors are
// share.Usage and name the flag, variable or key.
func Load(s Sources) (*Config, error) {
	if s.Env == nil {
		s.Env = os.LookupEnv
	}
	c := &Config{origins: map[string]origin{}}
	table := Settings()
	for name := range s.Flags {
		if !slices.ContainsFunc(table, func(s Setting) bool { return s.Name == name }) {
			return nil, share.Errorf(share.Usage, "there is no setting --%s", name)
		}
	}
	var file map[string][]string
	for i, set := range table {
		words, from := set.choose(s, file, c.File)
		if err := valueOf(set.value(c)).set(words); err != nil {
			return nil, share.Errorf(share.Usage, "%s: %w", from.where, err)
		}
		c.origins[set.Name] = from
		if table[i].Name == "config" {
			named := from.source != api.SourceDefault
			var err error
			if file, err = readFile(c.File, named, table[i+1:]); err != nil {
				return nil, err
			}
		}
	}
	if c.State == "" {
		return nil, errHomeless
	}
	if c.Downloads == "" {
		c.Downloads = filepath.Join(c.State, "downloads")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.ACME && c.WebLinkCert != "" {
		return nil, share.Errorf(share.Usage, "acme and web-link-cert cannot be combined: web links have one certificate")
	}
	return c, nil
}

// choose finds the strongest source with a value.
func (s Setting) choose(from Sources, file map[string][]string, name string) ([]string, origin) {
	if words, ok := from.Flags[s.Name]; ok && len(words) > 0 {
		return words, origin{source: api.SourceFlag, where: "--" + s.Name}
	}
	if text, ok := from.Env(s.Env()); ok && text != "" {
		words := []string{text}
		if s.List {
			words = splitList(text)
		}
		return words, origin{source: api.SourceEnv, where: s.Env()}
	}
	if words, ok := file[s.Name]; ok {
		return words, origin{api.SourceFile, fmt.Sprintf("%s: %s", name, s.Name), words}
	}
	if s.List {
		return nil, origin{source: api.SourceDefault}
	}
	return []string{s.Default}, origin{source: api.SourceDefault, where: "default of " + s.Name}
}

func splitList(text string) []string {
	var out []string
	for w := range strings.SplitSeq(text, Separator) {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// readFile reads the configuration file. Only a file that was named must exist.
func readFile(name string, named bool, table []Setting) (map[string][]string, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil, nil
	}
	if err != nil {
		return nil, share.Errorf(share.Usage, "reading the configuration: %w", err)
	}
	var raw map[string]any
	if err := toml.Unmarshal(b, &raw); err != nil {
		if at, ok := errors.AsType[toml.ParseError](err); ok {
			return nil, share.Errorf(share.Usage, "%s, line %d: %s", name, at.Position.Line, at.Message)
		}
		return nil, share.Errorf(share.Usage, "%s: %w", name, err)
	}
	out := map[string][]string{}
	for key, v := range raw {
		i := slices.IndexFunc(table, func(s Setting) bool { return s.Name == key })
		if i < 0 {
			return nil, unknownKey(name, key, table)
		}
		words, err := fileWords(v, table[i].List)
		if err != nil {
			return nil, share.Errorf(share.Usage, "%s: %s: %w", name, key, err)
		}
		out[key] = words
	}
	return out, nil
}

// fileWords turns a TOML value into the words of a setting.
func fileWords(v any, list bool) ([]string, error) {
	switch v := v.(type) {
	case string:
		return []string{v}, nil
	case bool, int64:
		return []string{fmt.Sprint(v)}, nil
	case []any:
		if !list {
			return nil, share.Wrapf("it takes one value, not a list")
		}
		words := []string{}
		for _, e := range v {
			w, err := fileWords(e, false)
			if err != nil {
				return nil, err
			}
			words = append(words, w...)
		}
		return words, nil
	}
	return nil, share.Wrapf("a %T is not valid here", v)
}

func unknownKey(file, key string, table []Setting) error {
	near := Nearest(key, settingNames(table), len(key)/2+1)
	if near == "" {
		return share.Errorf(share.Usage, "%s: there is no key %q (shoal config lists them)", file, key)
	}
	return share.Errorf(share.Usage, "%s: there is no key %q, the nearest is %q", file, key, near)
}

// homeless reports whether there is no home directory: HOME is not set, or is the
// root directory, as for the users of some services and containers.
func homeless() bool {
	home := os.Getenv("HOME")
	return runtime.GOOS != "windows" && (!filepath.IsAbs(home) || filepath.Clean(home) == "/")
}

// below is a path below the directory that an XDG variable names, or below its
// default in the home directory; empty if there is neither.
func below(variable, dir string, names ...string) string {
	if homeless() && !filepath.IsAbs(os.Getenv(variable)) {
		return ""
	}
	return filepath.Join(append([]string{dir}, names...)...)
}

// DefaultState is the default state directory; empty if there is no home
// directory.
func DefaultState() string { return below("XDG_STATE_HOME", xdg.StateHome, "shoal") }
func defaultFile() string  { return below("XDG_CONFIG_HOME", xdg.ConfigHome, "shoal", "config.toml") }

// errHomeless says what to do if there is no directory for the state.
var errHomeless = share.Errorf(share.Usage, "there is no home directory to keep the state in (HOME is not set): set HOME or XDG_STATE_HOME, or name a directory with --state or SHOAL_STATE")

func defaultDownloads() string {
	if homeless() {
		return "" // see Load
	}
	if d := xdg.UserDirs.Download; d != "" {
		return d
	}
	return filepath.Join(xdg.Home, "Downloads")
}

// with returns c with the live settings of next, and the names of other settings
// that differ.
func (c *Config) with(next *Config) (merged *Config, restart []string) {
	m := *c
	m.origins = maps.Clone(c.origins)
	for _, s := range Settings() {
		was, is := valueOf(s.value(c)).words(), valueOf(s.value(next)).words()
		if !s.Live {
			if !slices.Equal(was, is) {
				restart = append(restart, s.Name)
			}
			continue
		}
		// These words were valid before.
		if err := valueOf(s.value(&m)).set(orBlank(is, s.List)); err != nil {
			restart = append(restart, s.Name)
			continue
		}
		m.origins[s.Name] = next.origins[s.Name]
	}
	return &m, restart
}

func orBlank(words []string, list bool) []string {
	if len(words) == 0 && !list {
		return []string{""}
	}
	return words
}
