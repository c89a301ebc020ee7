package main

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share"
)

// arrange puts a command line into the order that the flag parser wants: the
// verb, its flags, "--", the arguments. People may write flags anywhere, also
// before the verb; --help becomes the verb help. It refuses verbs and flags that
// do not exist and suggests the nearest one that does.
func arrange(args []string, verbs []*verb) ([]string, error) {
	program, rest := args[0], args[1:]
	name, rest := splitVerb(rest, verbs)
	v, err := findVerb(name, verbs)
	if err != nil {
		return nil, err
	}
	var flags, plain []string
	for i := 0; i < len(rest); i++ {
		arg := rest[i]
		if arg == "--" {
			plain = append(plain, rest[i+1:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			plain = append(plain, arg)
			continue
		}
		flag, _, joined := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		f := findFlag(v.flags, flag)
		if f == nil {
			return nil, unknownFlag(v, arg, flag)
		}
		if f.Names()[0] == "help" {
			return []string{program, "help", "--", v.name}, nil
		}
		flags = append(flags, arg)
		if takesValue(f) && !joined {
			i++
			if i == len(rest) {
				return nil, usageErrorf("%s: --%s needs a value", v.name, flag)
			}
			flags = append(flags, rest[i])
		}
	}
	out := append([]string{program, v.name}, flags...)
	return append(append(out, "--"), plain...), nil
}

// splitVerb takes the first word out of args that is neither a flag nor a flag's value.
func splitVerb(args []string, verbs []*verb) (name string, rest []string) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			break
		}
		if len(arg) > 1 && arg[0] == '-' {
			flag, _, joined := strings.Cut(strings.TrimLeft(arg, "-"), "=")
			if joined {
				continue
			}
			for _, v := range verbs {
				if f := findFlag(v.flags, flag); f != nil {
					if takesValue(f) {
						i++
					}
					break
				}
			}
			continue
		}
		return arg, slices.Delete(slices.Clone(args), i, i+1)
	}
	switch {
	case slices.Contains(args, "--version"):
		return "version", slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "--version" })
	case slices.Contains(args, "--help"), slices.Contains(args, "-h"), len(args) == 0:
		return "help", nil
	}
	return "", args
}

func findVerb(name string, verbs []*verb) (*verb, error) {
	if name == "" {
		return nil, usageErrorf("no verb given (shoal help lists the verbs)")
	}
	var known []string
	for _, v := range verbs {
		if v.name == name {
			return v, nil
		}
		known = append(known, v.name)
	}
	hint := didYouMean(meant(name, known))
	switch _, err := os.Lstat(name); {
	case share.IsMagnet(name) || looksLikeID(name):
		hint = "; to download what a link names: shoal get LINK"
	case err == nil && strings.ContainsAny(name, `./\`):
		hint = "; to share that file or folder: shoal share PATH"
	}
	return nil, usageErrorf("there is no verb %s%s (shoal help lists them)", share.Quote(name), hint)
}

func unknownFlag(v *verb, arg, flag string) error {
	var known []string
	for _, f := range v.flags {
		known = append(known, "--"+f.Names()[0])
	}
	return usageErrorf("%s has no flag %s%s (shoal %s --help lists them)", v.name, share.Quote(arg), nearest("--"+flag, known), v.name)
}

// nearest returns ", did you mean X?", X being the known word that word is most
// likely a typing error for, or "" when no known word is close.
func nearest(word string, known []string) string {
	return didYouMean(config.Nearest(word, known, 1+len(strings.TrimLeft(word, "-"))/3))
}

func didYouMean(word string) string {
	if word == "" {
		return ""
	}
	return ", did you mean " + word + "?"
}

func findFlag(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

func takesValue(f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return ok && d.TakesValue()
}

// wantsJSON looks for --json before anything is parsed, so that an error in the
// command line is reported as JSON when the caller wants JSON.
func wantsJSON(args []string) bool {
	if v, err := strconv.ParseBool(os.Getenv("SHOAL_JSON")); err == nil && v {
		return true
	}
	for _, a := range args[1:] {
		switch a {
		case "--":
			return false
		case "--json", "-json", "--json=true", "-json=true":
			return true
		}
	}
	return false
}
