package door

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/text/language"
)

// A tongue writes the pages of a door in one language.
type tongue struct {
	Lang    string
	words   map[string]string
	months  [12]string
	date    string // of day, month, year and time
	decimal string // the mark before decimals
	group   string // the mark between thousands
	spans   []humanize.RelTimeMagnitude
}

// tongues are the languages of the pages. The first is for those who read none of them.
var tongues = []*tongue{inEnglish, inGerman}

// A chooser finds the language that a visitor prefers.
type chooser struct{ language.Matcher }

func newChooser() chooser {
	var tags []language.Tag
	for _, t := range tongues {
		tags = append(tags, language.Make(t.Lang))
	}
	return chooser{language.NewMatcher(tags)}
}

func (c chooser) of(r *http.Request) *tongue {
	// What is malformed asks for nothing.
	wanted, _, _ := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	_, at, _ := c.Match(wanted...)
	return tongues[at]
}

// say writes a message.
func (t *tongue) say(key string, values ...any) string {
	if len(values) == 0 {
		return t.words[key]
	}
	return fmt.Sprintf(t.words[key], values...)
}

// scripted are the messages of the script that sends files, as JSON.
func (t *tongue) scripted() (string, error) {
	all := map[string]string{}
	for key, text := range t.words {
		if name, ok := strings.CutPrefix(key, "js."); ok {
			all[name] = text
		}
	}
	b, err := json.Marshal(all)
	return string(b), err
}

// number writes a whole number.
func (t *tongue) number(n int64) string {
	return strings.ReplaceAll(humanize.Comma(n), ",", t.group)
}

// files counts files.
func (t *tongue) files(n int) string {
	if n == 1 {
		return t.say("file")
	}
	return t.say("files", t.number(int64(n)))
}

// bytes writes a size, which no line break divides.
func (t *tongue) bytes(n int64) string {
	return strings.NewReplacer(" ", "\u00a0", ".", t.decimal).Replace(humanize.Bytes(uint64(max(n, 0))))
}

// when writes a time, and how long it is until then.
func (t *tongue) when(then, now time.Time) string {
	u := then.UTC()
	return fmt.Sprintf(t.date, u.Day(), t.months[u.Month()-1], u.Year(), u.Format("15:04")) +
		" (" + humanize.CustomRelTime(now.Add(rounded(then.Sub(now))), now, "", "", t.spans) + ")"
}

// rounded is a time in whole days, hours or minutes, as it is said: a link for seven days
// is not one for six as soon as it is made.
func rounded(d time.Duration) time.Duration {
	for _, unit := range [...]time.Duration{humanize.Day, time.Hour, time.Minute} {
		if d >= unit {
			return d.Round(unit)
		}
	}
	return d
}

// spans are the times until something, in the words of a language: "in %d minutes".
func spans(soon, minute, minutes, hour, hours, day, days string) []humanize.RelTimeMagnitude {
	many := func(upTo time.Duration, text string, unit time.Duration) humanize.RelTimeMagnitude {
		return humanize.RelTimeMagnitude{D: upTo, Format: text, DivBy: unit}
	}
	return []humanize.RelTimeMagnitude{
		many(time.Minute, soon, time.Minute), many(2*time.Minute, minute, time.Minute), many(time.Hour, minutes, time.Minute),
		many(2*time.Hour, hour, time.Hour), many(humanize.Day, hours, time.Hour),
		many(2*humanize.Day, day, humanize.Day), many(1<<63-1, days, humanize.Day),
	}
}
