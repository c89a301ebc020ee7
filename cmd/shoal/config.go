package main

import (
	"context"
	"fmt"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/node"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func configVerb() *verb {
	return &verb{
		name: "config", args: "[ACTION]", short: "show every setting, its value and where it was set", group: "The node",
		max: 1, words: []string{"example", "set-password"},
		long: `Shows the settings of the running node or, if none is running, those that a node would start with. A ` +
			`setting comes from a flag, an environment variable or the configuration file, or was saved by shoal limit or on the page.` + "\n\n" +
			`The web page works only on this machine until a password is set. set-password asks for one, or reads it ` +
			`from standard input if that is not a terminal. example prints a configuration file with every setting and its default.`,
		examples: []example{
			{"shoal config", "SET BY is empty for a default"},
			{"shoal config set-password", "to open the page from other machines"},
			{"shoal config example > ~/.config/shoal/config.toml", "begin a configuration file"},
			{"shoal config --json | jq -r 'select(.source!=\"default\").name'", "the names of the settings that were changed, for a script"},
		},
		settings: true, flags: settingFlags(func(config.Setting) bool { return true }),
		run: func(ctx context.Context, c *call) error {
			if c.Args().First() == "example" {
				text, err := config.Example()
				if err == nil {
					_, err = c.out.Write(text)
				}
				return err
			}
			cfg, err := config.Load(c.sources())
			if err != nil {
				return err
			}
			switch word := c.Args().First(); word {
			case "":
			case "set-password":
				return setPassword(ctx, cfg, c.out)
			default:
				return usageErrorf("config: unexpected argument %s; it takes example, set-password, or nothing to show the settings", share.Quote(word))
			}
			settings := cfg.View()
			s, err := node.Dial(ctx, cfg.State)
			switch {
			case err == nil:
				defer s.Close()
				c.unused(s)
				if settings, err = s.Client.Settings(ctx); err != nil {
					return err
				}
			case kindOf(err) != share.NoNode:
				return err
			default:
				settings = withSaved(ctx, cfg, c.out, settings)
			}
			showSettings(settings, c.out)
			return nil
		},
	}
}

// withSaved adds the settings that are saved in the state directory, where there is one
// that can be read.
func withSaved(ctx context.Context, cfg *config.Config, out *output, settings []api.Setting) []api.Setting {
	if has, err := node.HasState(cfg.State); err != nil || !has {
		return settings
	}
	s, err := node.Open(ctx, node.Options{Config: cfg, Version: buildVersion().Version, Stderr: out.log(), Look: true})
	if err != nil {
		out.say("shoal: what was saved cannot be read: %s", escape(err.Error()))
		return settings
	}
	defer s.Close()
	all, err := s.Client.Settings(ctx)
	if err != nil {
		out.say("shoal: what was saved cannot be read: %s", escape(err.Error()))
		return settings
	}
	return all
}

func showSettings(settings []api.Setting, out *output) {
	if out.json {
		records(out, settings)
		return
	}
	rows := make([]row, len(settings))
	for i, s := range settings {
		source := s.Source
		switch {
		case s.File != nil:
			source += fmt.Sprintf(", above %s = %s", s.Where, orElse(*s.File, "-"))
		case s.Where != "":
			source += ", " + s.Where
		}
		if s.Source == api.SourceDefault {
			source = ""
		}
		value := orElse(atHome(s.Value), "-")
		if s.Next != nil && s.Next.Value != s.Value {
			value += ", after a restart " + orElse(atHome(s.Next.Value), "-")
		}
		rows[i].cells = []string{s.Name, escape(value), escape(atHome(source))}
	}
	out.table([]column{{title: "NAME"}, {title: "VALUE"}, {title: "SET BY"}}, rows)
}
