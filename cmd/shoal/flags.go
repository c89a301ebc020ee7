package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/cmd/internal/config"
)

func envOf(name string) []string { return []string{config.Setting{Name: name}.Env()} }

func boolFlag(name, usage string) cli.Flag {
	return &cli.BoolFlag{Name: name, Usage: usage, EnvVars: envOf(name)}
}

// shortFlag is a switch that also has a name of one letter.
func shortFlag(name, letter, usage string) cli.Flag {
	return &cli.BoolFlag{Name: name, Aliases: []string{letter}, Usage: usage, EnvVars: envOf(name)}
}

func stringFlag(name, usage string) cli.Flag {
	return &cli.StringFlag{Name: name, Usage: usage, EnvVars: envOf(name)}
}

// everywhere are the flags of every verb.
func everywhere() []cli.Flag {
	return []cli.Flag{
		boolFlag("json", "print one JSON object a line on standard output"),
		shortFlag("quiet", "q", "print no progress and no messages, only the result and errors"),
		&cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "explain this verb"},
	}
}

// nodeCategory marks the flags that are settings of a node.
const nodeCategory = "node"

// nodeFlags returns the settings that every verb takes that may start a node,
// except those whose name means something else to the verb. config.Load reads their
// environment variables together with the configuration file.
func nodeFlags(but ...string) []cli.Flag {
	return settingFlags(func(s config.Setting) bool {
		return s.Scope == config.Common && !slices.Contains(but, s.Name)
	})
}

func settingFlags(which func(config.Setting) bool) []cli.Flag {
	var flags []cli.Flag
	for _, s := range config.Settings() {
		if !which(s) {
			continue
		}
		switch {
		case s.Arg == "":
			usage := s.Help
			if s.Default == "true" {
				usage += "; on by default, --" + s.Name + "=false turns it off"
			}
			f := &cli.BoolFlag{Name: s.Name, Usage: usage, Category: nodeCategory}
			if s.Name == "verbose" {
				f.Aliases = []string{"v"}
			}
			flags = append(flags, f)
		case s.List:
			flags = append(flags, &cli.StringSliceFlag{Name: s.Name, Usage: s.Help, Category: nodeCategory})
		default:
			flags = append(flags, &cli.StringFlag{Name: s.Name, Usage: s.Help, Category: nodeCategory,
				DefaultText: atHome(s.Default)})
		}
	}
	return flags
}

// atHome writes a path below the home directory with a tilde, so that the help is
// the same for all users.
func atHome(path string) string {
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(home, path); err == nil && filepath.IsLocal(rel) {
		return filepath.Join("~", rel)
	}
	return path
}

// list is the value of a flag that may be given more than once. Its environment
// variable separates the elements with config.Separator, as settings do.
func (c *call) list(name string) []string {
	if c.IsSet(name) {
		return c.StringSlice(name)
	}
	return strings.FieldsFunc(os.Getenv(envOf(name)[0]), func(r rune) bool { return strings.ContainsRune(config.Separator, r) })
}

// said is the value of a switch that is also a setting of the node; nil if neither the
// flag nor its environment variable says anything, so that the setting decides.
func (c *call) said(name string) (*bool, error) {
	if c.IsSet(name) {
		return new(c.Bool(name)), nil
	}
	env := envOf(name)[0]
	text := os.Getenv(env)
	if text == "" {
		return nil, nil
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		return nil, usageErrorf("%s is true or false, not %q", env, text)
	}
	return &v, nil
}

// sources are the settings of the node that were given as flags.
func (c *call) sources() config.Sources {
	given := map[string][]string{}
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		if cat, ok := f.(cli.CategorizableFlag); !ok || cat.GetCategory() != nodeCategory || !c.IsSet(name) {
			continue
		}
		switch f.(type) {
		case *cli.BoolFlag:
			given[name] = []string{strconv.FormatBool(c.Bool(name))}
		case *cli.StringSliceFlag:
			given[name] = c.StringSlice(name)
		default:
			given[name] = []string{strings.TrimSpace(c.String(name))}
		}
	}
	return config.Sources{Flags: given}
}
