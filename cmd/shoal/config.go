package main

import (
	"context"

	"github.com/shoalnet/shoal/cmd/internal/node"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func configVerb() *verb {
	return &verb{
		name: "config", args: "[set-password]", short: "show every setting, its value and who set it", group: "The node",
		max: 1, words: []string{"set-password"},
		long: `Where a node is running these are its settings, else those that one would start with. The source is a ` +
			`flag, a variable of the environment, the configuration file, or saved by shoal limit.` + "\n\n" +
			`The web page is for this machine only until there is a password: set-password asks for one, or reads it ` +
			`from standard input where that is no terminal.`,
		examples: []example{
			{"shoal config", "what differs from the defaults is marked"},
			{"shoal config set-password", "so that the page may be opened from other machines"},
			{"shoal config --json | jq -r 'select(.source!=\"default\").name'", "what was configured, for a script"},
		},
		settings: true, flags: settingFlags(func(node.Setting) bool { return true }),
		run: func(ctx context.Context, c *call) error {
			cfg, err := node.Load(c.sources())
			if err != nil {
				return err
			}
			switch word := c.Args().First(); word {
			case "":
			case "set-password":
				return setPassword(ctx, cfg, c.out)
			default:
				return usageErrorf("config: %q is not understood; without an argument it shows the settings", word)
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
