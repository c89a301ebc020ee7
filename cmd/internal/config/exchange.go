package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// Export writes the settings of a view that differ from their defaults as a configuration
// file, with the values that the next start has. It leaves out what the API cannot change:
// listeners and credentials.
func Export(view []api.Setting) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Settings of a shoal node that differ from the defaults. Listeners, certificates,\n" +
		"# the password and tokens are not among them.\n")
	table := Settings()
	for _, group := range [...]string{Downloads, Speed, Network, Seeding, Folders, Access, "expert"} {
		title := false
		for _, v := range view {
			i := slices.IndexFunc(table, func(s Setting) bool { return s.Name == v.Name })
			if i < 0 || v.Group != group || table[i].Afar != Anything {
				continue
			}
			text, list, source := v.Value, v.Values, v.Source
			if v.Next != nil {
				text, list, source = v.Next.Value, v.Next.Values, v.Next.Source
			}
			if source == api.SourceDefault {
				continue
			}
			if !title {
				fmt.Fprintf(&b, "\n# %s\n", strings.ToUpper(group[:1])+group[1:])
				title = true
			}
			// The library knows how to quote.
			if err := toml.NewEncoder(&b).Encode(map[string]any{v.Name: table[i].typed(text, list)}); err != nil {
				return nil, share.Errorf(share.Failed, "writing the configuration: %w", err)
			}
		}
	}
	return b.Bytes(), nil
}

// Example is a configuration file with every setting, its default and what it does, all of
// it commented out.
func Example() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# The settings of a shoal node. What is commented out is the default. Flags and\n" +
		"# environment variables (SHOAL_UP for up) override this file. A node reads it\n" +
		"# again on SIGHUP; \"shoal config\" shows what is in force, and why.\n")
	const first = 2 // those before it are not keys of the file
	for _, group := range [...]string{Downloads, Folders, Seeding, Speed, Network, Access, Expert} {
		title := cmp.Or(group, "expert")
		fmt.Fprintf(&b, "\n## %s\n", strings.ToUpper(title[:1])+title[1:])
		for _, s := range Settings()[first:] {
			if s.Group != group {
				continue
			}
			b.WriteString("\n")
			line := "#"
			for word := range strings.FieldsSeq(strings.ReplaceAll(s.Help, "`", "")) {
				if len(line)+1+len(word) > 80 {
					b.WriteString(line + "\n")
					line = "#"
				}
				line += " " + word
			}
			b.WriteString(line + "\n#")
			if s.List {
				b.WriteString(s.Name + " = []\n")
				continue
			}
			// The library knows how to quote.
			if err := toml.NewEncoder(&b).Encode(map[string]any{s.Name: s.typed(s.Default, nil)}); err != nil {
				return nil, share.Errorf(share.Failed, "writing the example of a configuration: %w", err)
			}
		}
	}
	return b.Bytes(), nil
}

// typed is a value as in a configuration file.
func (s Setting) typed(text string, list []string) any {
	switch {
	case s.List:
		return slices.Concat([]string{}, list)
	case s.kind() == api.KindSwitch:
		return text == "true"
	case s.kind() == api.KindNumber:
		if n, err := strconv.Atoi(text); err == nil {
			return n
		}
	}
	return text
}

// Compare says what would change if the settings of a configuration file were saved, given
// a view of those in force. Nothing changes yet, and settings that the file does not name
// stay as they are.
func (l *Live) Compare(file string, view []api.Setting) api.Import {
	out := api.Import{Changes: []api.ImportChange{}, Refused: []api.ImportRefusal{}}
	refuse := func(line int, name string, why share.Text) {
		out.Refused = append(out.Refused, api.ImportRefusal{Line: line, Name: name, Why: why.String(), WhyText: why.Of()})
	}
	var raw map[string]any
	if err := toml.Unmarshal([]byte(file), &raw); err != nil {
		if at, ok := errors.AsType[toml.ParseError](err); ok {
			refuse(at.Position.Line, "", share.Say("this is not TOML: %s", at.Message))
		} else {
			refuse(1, "", share.Say("this is not TOML: %s", err.Error()))
		}
		return out
	}
	l.mu.Lock()
	next := l.next
	l.mu.Unlock()
	table := Settings()
	lines := keyLines(file)
	for name, v := range raw {
		line := lines[name]
		i := slices.IndexFunc(table, func(s Setting) bool { return s.Name == name })
		if i < 0 {
			why := share.Say("there is no such setting")
			if near := Nearest(name, settingNames(table), len(name)/2+1); near != "" {
				why = share.Say("there is no such setting; the nearest is %s", near)
			}
			refuse(line, name, why)
			continue
		}
		s := table[i]
		w, err := fileWords(v, s.List)
		if err == nil && s.List && slices.ContainsFunc(w, func(e string) bool { return strings.Contains(e, Separator) }) {
			err = share.Wrapf("an element must not contain %s", Separator)
		}
		text := strings.Join(w, Separator)
		if err == nil {
			err = next.fixed(s)
		}
		if err == nil {
			w, err = s.words(text, next)
		}
		probe := *next
		if err == nil {
			err = valueOf(s.value(&probe)).set(w)
		}
		if err != nil {
			refuse(line, name, share.TextOf(err))
			continue
		}
		now := view[i]
		from := now.Value
		if now.Next != nil {
			from = now.Next.Value
		}
		if to := strings.Join(valueOf(s.value(&probe)).words(), ", "); to != from {
			out.Changes = append(out.Changes, api.ImportChange{Line: line, Name: name, From: from, To: to, Set: text, Live: s.Live})
		} else {
			out.Same++
		}
	}
	slices.SortFunc(out.Changes, func(a, b api.ImportChange) int { return a.Line - b.Line })
	slices.SortFunc(out.Refused, func(a, b api.ImportRefusal) int { return a.Line - b.Line })
	return out
}

func settingNames(table []Setting) []string {
	out := make([]string, len(table))
	for i, s := range table {
		out[i] = s.Name
	}
	return out
}

// keyLine matches the line of a top-level key, or of the table that a file must not have.
var keyLine = regexp.MustCompile(`^\s*(?:\[+\s*)?["']?([A-Za-z0-9_-]+)["']?\s*[].=]`)

// keyLines are the lines of the keys in a file, from 1. The library does not tell them.
func keyLines(file string) map[string]int {
	lines := map[string]int{}
	n := 0
	for text := range strings.SplitSeq(file, "\n") {
		n++
		if m := keyLine.FindStringSubmatch(text); m != nil && lines[m[1]] == 0 {
			lines[m[1]] = n
		}
	}
	return lines
}
