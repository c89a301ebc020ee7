package config

import (
	"strings"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// View lists every setting with its value and its source.
func (c *Config) View() []api.Setting {
	var out []api.Setting
	for _, s := range Settings() {
		w := valueOf(s.value(c)).words()
		from := c.origins[s.Name]
		v := api.Setting{
			Name: s.Name, Value: strings.Join(w, ", "), Default: s.Default,
			Source: from.source, Help: strings.ReplaceAll(s.Help, "`", ""), Live: s.Live,
			Group: s.Group, Kind: s.kind(), List: s.List, Guarded: s.Afar == Nothing, Writable: c.fixed(s) == nil,
		}
		if v.Group == Expert {
			v.Group = "expert"
		}
		if one, ok := s.value(c).(*choice); ok {
			v.Choices = one.among
		}
		if s.List {
			v.Values = w
		}
		if from.source != api.SourceDefault {
			v.Where = from.where
		}
		if from.source == api.SourceSaved && from.where != "" {
			v.File = new(strings.Join(from.file, ", "))
		}
		out = append(out, v)
	}
	return out
}

// View lists every setting with its value and source, and with those of the next start
// where they differ.
func (l *Live) View() []api.Setting {
	l.mu.Lock()
	now, next := l.current, l.next
	l.mu.Unlock()
	out := now.View()
	for i, then := range next.View() {
		v := &out[i]
		v.Writable = then.Writable
		if v.Value == then.Value && v.Source == then.Source {
			continue
		}
		v.Next = &api.NextSetting{Value: then.Value, Values: then.Values, Source: then.Source, Where: then.Where, File: then.File}
	}
	return out
}

// Pending are the names of the settings whose value changes with the next start.
func (l *Live) Pending() (names []string) {
	for _, v := range l.View() {
		if v.Next != nil && v.Next.Value != v.Value && !v.Live {
			names = append(names, v.Name)
		}
	}
	return names
}

// kind is how people write the value of a setting, one of the api.Kind words. Of a list,
// it is how they write an element.
func (s Setting) kind() string {
	switch s.value(new(Config)).(type) {
	case *bool:
		return api.KindSwitch
	case *rate:
		return api.KindRate
	case *size:
		return api.KindSize
	case *count:
		return api.KindNumber
	case *choice:
		return api.KindChoice
	case *path, *paths:
		if s.Arg == "FILE" {
			return api.KindText
		}
		return api.KindFolder
	case *goal:
		return api.KindGoal
	case *Schedule:
		return api.KindSchedule
	}
	return api.KindText
}

// check refuses settings that exclude each other.
func (c *Config) check() error {
	if (c.WebCert == "") != (c.WebKey == "") {
		return share.Errorf(share.Usage, "web-cert and web-key must be set together")
	}
	if (c.WebLinkCert == "") != (c.WebLinkKey == "") {
		return share.Errorf(share.Usage, "web-link-cert and web-link-key must be set together")
	}
	return nil
}

// Source is the source of a setting's value, one of the api.Source words.
func (c *Config) Source(name string) string { return c.origins[name].source }
