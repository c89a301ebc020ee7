package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/node"
	"github.com/shoalnet/shoal/share"
)

func completionVerb() *verb {
	return &verb{
		name: "completion", args: "SHELL", short: "print a completion script for bash, zsh or fish", group: "Other",
		min: 1, max: 1, words: []string{"bash", "zsh", "fish"},
		long: `The script completes verbs, flags and, if a node is running, the IDs of its transfers.`,
		examples: []example{
			{"source <(shoal completion bash)", "in ~/.bashrc"},
			{"shoal completion zsh > ~/.zfunc/_shoal", "with ~/.zfunc in fpath"},
			{"shoal completion fish > ~/.config/fish/completions/shoal.fish", "for fish"},
		},
		run: func(_ context.Context, c *call) error {
			script, ok := completionScripts[c.Args().First()]
			if !ok {
				return usageErrorf("%q is not supported; completion takes bash, zsh or fish", c.Args().First())
			}
			fmt.Fprint(c.out, script)
			return nil
		},
	}
}

// The scripts pass the words before the cursor and the one under it. Each line of
// the answer is a candidate; zsh and fish also use its description, after a tab.
// If there is no answer, the shell completes file names.
var completionScripts = map[string]string{
	"bash": `_shoal() {
	local IFS=$'\n'
	COMPREPLY=($("${COMP_WORDS[0]}" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f 1))
}
complete -o default -F _shoal shoal
`,
	"zsh": `#compdef shoal
_shoal() {
	local -a answer
	answer=("${(@f)$(${words[1]} complete -- "${(@)words[2,CURRENT]}" 2>/dev/null | sed -e 's/:/\\:/g' -e 's/	/:/')}")
	if [[ -n "$answer" ]]; then
		_describe shoal answer
	else
		_files
	fi
}
if [[ "$funcstack[1]" = _shoal ]]; then
	_shoal "$@"
else
	compdef _shoal shoal
fi
`,
	"fish": `function __shoal_complete
	set -l words (commandline -opc) (commandline -ct)
	$words[1] complete -- $words[2..-1] 2>/dev/null
end
function __shoal_has_answer
	test (count (__shoal_complete)) -gt 0
end
complete -c shoal -n __shoal_has_answer -f -a '(__shoal_complete)'
`,
}

// completeVerb answers the completion scripts. It is not in the help.
func completeVerb(verbs func() []*verb) *verb {
	return &verb{
		name: "complete", args: "WORD...", short: "answer a completion script", max: -1,
		run: func(ctx context.Context, c *call) error {
			words := c.Args().Slice()
			for _, a := range candidates(words, verbs(), func() []share.Transfer { return running(ctx, words) }) {
				c.out.data(a)
			}
			return nil
		},
	}
}

// running returns the transfers of the node that the words address, or none if the
// node does not answer within a second.
func running(ctx context.Context, words []string) []share.Transfer {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	flags := map[string][]string{}
	for i, w := range words {
		if value, ok := strings.CutPrefix(w, "--state="); ok {
			flags["state"] = []string{value}
		} else if w == "--state" && i+1 < len(words) {
			flags["state"] = []string{words[i+1]}
		}
	}
	cfg, err := config.Load(config.Sources{Flags: flags})
	if err != nil {
		return nil
	}
	s, err := node.Dial(ctx, cfg.State)
	if err != nil {
		return nil
	}
	defer s.Close()
	all, err := s.Client.Transfers(ctx, "id", "name")
	if err != nil {
		return nil
	}
	return all
}

// candidates completes the last of the words after "shoal".
func candidates(words []string, verbs []*verb, transfers func() []share.Transfer) []string {
	if len(words) == 0 {
		words = []string{""}
	}
	before, word := words[:len(words)-1], words[len(words)-1]
	var found []string
	add := func(value, about string) {
		if strings.HasPrefix(value, word) {
			found = append(found, value+"\t"+about)
		}
	}
	name, _ := splitVerb(before, verbs)
	v, err := findVerb(name, verbs)
	switch {
	case len(before) == 0 || err != nil && !slices.Contains(before, name):
		for _, v := range verbs {
			if v.group != "" {
				add(v.name, v.short)
			}
		}
	case err != nil:
	case len(before) > 0 && strings.HasPrefix(before[len(before)-1], "--") && wantsValue(v, before[len(before)-1]):
	case strings.HasPrefix(word, "-"):
		for _, f := range v.flags {
			if flag, usage := describe(f); flag != "" {
				flag, _, _ = strings.Cut(flag, " ")
				add(flag, usage)
			}
		}
	case v.ids:
		for _, t := range transfers() {
			add(t.ID.Short(), escape(t.Name))
		}
	default:
		for _, w := range v.words {
			add(w, "")
		}
	}
	return found
}

func wantsValue(v *verb, flag string) bool {
	f := findFlag(v.flags, strings.TrimLeft(flag, "-"))
	return f != nil && takesValue(f)
}
