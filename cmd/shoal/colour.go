package main

import (
	"os"

	"github.com/shoalnet/shoal/share"
)

// tone is what a colour says about a word, as the parameter of SGR (ECMA-48). A
// colour only repeats what the word says.
type tone string

const (
	plainly tone = ""
	good    tone = "32" // green
	bad     tone = "31" // red
	busy    tone = "36" // cyan
	faint   tone = "2"
)

// colourful reports whether this terminal wants colours (https://no-color.org).
func colourful() bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// paint gives text on stdout a colour if that is a terminal that wants them.
func (o *output) paint(t tone, text string) string {
	if !o.colour {
		return text
	}
	return coloured(t, text)
}

func coloured(t tone, text string) string {
	if t == plainly || text == "" {
		return text
	}
	return "\x1b[" + string(t) + "m" + text + "\x1b[0m"
}

func toneOfState(s share.State) tone {
	switch s {
	case share.Stopped:
		return bad
	case share.Seeding:
		return good
	case share.Paused:
		return faint
	}
	return busy
}

func toneOfVerdict(v share.Verdict) tone {
	switch v {
	case share.Reachable:
		return good
	case share.Unreachable:
		return bad
	}
	return plainly
}
