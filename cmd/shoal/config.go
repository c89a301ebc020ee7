package main

import (
	"context"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/node"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func configVerb() *verb {
	return &verb{
		name: "config", args: "[set-password]", short: "show every setting, its value and where it was set", group: "The node",
		max: 1, words: []string{"set-password"},
		long: `Shows the settings of the running node or, if none is running, those that a node would start with. A ` +
			`setting comes from a flag, an environment variable, the configuration file, or shoal limit.` + "\n\n" +
			`The web page works only on this machine until a password is set. set-password asks for one, or reads it ` +
			`from standard input if that is not a terminal.`,
		examples: []example{
			{"shoal config", "SET BY is empty for a default"},
			{"shoal config set-password", "to open the page from other machines"},
			{"shoal config --json | jq -r 'select(.source!=\"default\").name'", "the names of the settings that were changed, for a script"},
		},
		settings: true, flags: settingFlags(func(config.Setting) bool { return true }),
		run: func(ctx context.Context, c *call) error {
			cfg, err := config.Load(c.sources())
			if err != nil {
				return err
			}
			switch word := c.Args().First(); word {
			case "":
			case "set-password":
				return setPassword(ctx, cfg, c.out)
			default:
				return usageErrorf("config: unexpected argument %s; it takes set-password, or nothing to show the settings", share.Quote(word))
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
			}
			showSettings(settings, c.out)
			return nil
		},
	}
}

func showSettings(settings []api.Setting, out *output) {
	if out.json {
		records(out, settings)
		return
	}
	rows := make([]row, len(settings))
	for i, s := range settings {
		source := s.Source
		if s.Where != "" {
			source += ", " + s.Where
		}
		if s.Source == api.SourceDefault {
			source = ""
		}
		rows[i].cells = []string{s.Name, escape(orElse(atHome(s.Value), "-")), escape(atHome(source))}
	}
	out.table([]column{{title: "NAME"}, {title: "VALUE"}, {title: "SET BY"}}, rows)
}
