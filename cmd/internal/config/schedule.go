package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
)

// Schedule sets other limits at certain times of the week, in local time.
type Schedule []Window

// Window is one line of a Schedule.
type Window struct {
	Days     [7]bool // by time.Weekday
	From, To int     // minutes of the day, To excluded; To before From is on the next day
	Up, Down int64   // -1 leaves the limit unchanged
	text     string
}

var dayNames = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseWindow reads
//
//	[DAYS] [HH:MM-HH:MM] [up=RATE] [down=RATE]
//
// with DAYS like mon-fri, sat,sun or daily. Without times it is the whole day. A
// direction that is left out keeps its limit.
func ParseWindow(s string) (Window, error) {
	w := Window{To: 24 * 60, Up: -1, Down: -1, Days: [7]bool{true, true, true, true, true, true, true}}
	bad := func(format string, args ...any) (Window, error) {
		return Window{}, share.Errorf(share.Usage, "%q is not a schedule such as 'mon-fri 08:00-18:00 up=1M down=5M': %s", s, fmt.Sprintf(format, args...))
	}
	words := strings.Fields(strings.ToLower(s))
	for i, word := range words {
		key, val, isLimit := strings.Cut(word, "=")
		switch {
		case isLimit:
			n, err := ParseRate(val)
			if err != nil {
				return bad("%v", err)
			}
			switch key {
			case "up":
				w.Up = n
			case "down":
				w.Down = n
			default:
				return bad("%q is neither up nor down", key)
			}
		case strings.Contains(word, ":"):
			var err error
			if w.From, w.To, err = parseHours(word); err != nil {
				return bad("%v", err)
			}
		case i == 0:
			var err error
			if w.Days, err = parseDays(word); err != nil {
				return bad("%v", err)
			}
		default:
			return bad("%q is not valid", word)
		}
	}
	if w.Up < 0 && w.Down < 0 {
		return bad("it limits nothing")
	}
	w.text = strings.Join(words, " ")
	return w, nil
}

func parseHours(s string) (from, to int, err error) {
	a, b, ok := strings.Cut(s, "-")
	if !ok {
		return 0, 0, share.Wrapf("%q is not FROM-TO", s)
	}
	if from, err = parseHour(a); err != nil {
		return 0, 0, err
	}
	if to, err = parseHour(b); err != nil {
		return 0, 0, err
	}
	if from == to || from == 24*60 {
		return 0, 0, share.Wrapf("%q is no time", s)
	}
	return from, to, nil
}

func parseHour(s string) (int, error) {
	if s == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, share.Wrapf("%q is not HH:MM", s)
	}
	return t.Hour()*60 + t.Minute(), nil
}

func parseDays(s string) (days [7]bool, err error) {
	if s == "daily" {
		return [7]bool{true, true, true, true, true, true, true}, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		i, j := slices.Index(dayNames[:], first), slices.Index(dayNames[:], last)
		if i < 0 || j < 0 {
			return days, share.Wrapf("%q is not a day (mon tue wed thu fri sat sun, mon-fri, daily)", part)
		}
		for ; ; i = (i + 1) % 7 {
			days[i] = true
			if i == j {
				break
			}
		}
	}
	return days, nil
}

// covers reports whether w applies at t. A window over midnight belongs to the day on
// which it begins.
func (w Window) covers(t time.Time) bool {
	m, today := t.Hour()*60+t.Minute(), t.Weekday()
	if w.From < w.To {
		return w.Days[today] && m >= w.From && m < w.To
	}
	return w.Days[today] && m >= w.From || w.Days[(today+6)%7] && m < w.To
}

// At returns the window that applies at t.
func (s Schedule) At(t time.Time) (Window, bool) {
	for _, w := range s {
		if w.covers(t) {
			return w, true
		}
	}
	return Window{}, false
}

// Limits are those of the window that applies at t, given the limits of other times,
// and the text of the window; empty if none applies.
func (s Schedule) Limits(t time.Time, others share.Limits) (l share.Limits, window string) {
	if w, ok := s.At(t); ok {
		return w.limits(others), w.String()
	}
	return others, ""
}

// limits are those of w, given the limits of other times.
func (w Window) limits(others share.Limits) share.Limits {
	if w.Up >= 0 {
		others.Up = w.Up
	}
	if w.Down >= 0 {
		others.Down = w.Down
	}
	return others
}

func (w Window) String() string { return w.text }

func (s *Schedule) set(words []string) error {
	*s = nil
	for _, word := range words {
		w, err := ParseWindow(word)
		if err != nil {
			return err
		}
		*s = append(*s, w)
	}
	return nil
}

func (s *Schedule) words() []string {
	var out []string
	for _, w := range *s {
		out = append(out, w.text)
	}
	return out
}
