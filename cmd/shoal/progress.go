package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/shoalnet/shoal/share"
)

// quiet is the interval of plain progress lines when there is no terminal.
const quiet = 5 * time.Second

// progress shows the progress of transfers in the form that suits the output.
type progress struct {
	out  *output
	json bool // with --json each change is a record
	now  func() time.Time
	next time.Time // when the next plain line may be printed; zero before the first
	said string
	told map[share.ID]bool // transfers with at least one record
	pace pace
}

func newProgress(out *output) *progress {
	return &progress{out: out, now: time.Now, told: map[share.ID]bool{}}
}

// progressRecord is one line of `get --json`.
type progressRecord struct {
	Event string      `json:"event"`
	ID    share.ID    `json:"id"`
	Name  string      `json:"name"`
	State share.State `json:"state"`
	Bytes int64       `json:"bytes"`
	Total int64       `json:"total"`
	Down  int64       `json:"down"`
	Up    int64       `json:"up"`
	Peers int         `json:"peers"`
	Why   string      `json:"reason,omitempty"`
}

// update shows the transfers that have not ended: with JSON as a record of the one
// that changed, on a terminal as one line for all.
func (p *progress) update(changed share.Transfer, going []share.Transfer) {
	if p.out.json && p.json {
		p.record(changed)
	}
	p.people(going)
}

func (p *progress) record(t share.Transfer) {
	p.told[t.ID] = true
	p.out.record(progressRecord{
		Event: "progress", ID: t.ID, Name: t.Name, State: t.State, Bytes: t.Bytes, Total: t.Total,
		Down: t.Down, Up: t.Up, Peers: t.Peers, Why: t.Reason,
	})
}

// people shows the transfers on stderr only.
func (p *progress) people(going []share.Transfer) {
	if len(going) == 0 {
		p.clear()
		return
	}
	s := sum(going)
	s.reading = p.pace.of(s, p.now())
	if p.out.terminal {
		p.out.status(s.bar(p.out.width() - 1))
		return
	}
	if p.next.IsZero() { // a transfer that ends within a second needs no line
		p.next = p.now().Add(time.Second)
	}
	if p.out.json || p.now().Before(p.next) {
		return
	}
	if line := s.line(); line != p.said {
		p.said = line
		p.next = p.now().Add(quiet)
		p.out.say("%s", line)
	}
}

func (p *progress) clear() { p.out.status("") }

// pace measures how fast files are read. The node tells no rate for that: it is not
// what moves between peers.
type pace struct {
	state share.State
	size  int64
	from  int64
	since time.Time
}

// settling is how long a pace is measured before it is used.
const settling = 2 * time.Second

// of is the mean rate since s began to be read, in bytes per second; 0 if it is not being read or too new.
func (p *pace) of(s total, now time.Time) float64 {
	if s.state != share.Hashing && s.state != share.Checking {
		*p = pace{}
		return 0
	}
	if p.state != s.state || p.size != s.size || s.bytes < p.from {
		*p = pace{state: s.state, size: s.size, from: s.bytes, since: now}
	}
	passed := now.Sub(p.since)
	if passed < settling {
		return 0
	}
	return float64(s.bytes-p.from) / passed.Seconds()
}

// total is the sum of several transfers.
type total struct {
	count       int
	name        string
	state       share.State
	reason      string
	bytes, size int64
	down, up    int64
	peers       int
	reading     float64 // bytes per second while files are hashed or checked, if known
}

// sum adds up transfers. The state is that of the transfer that is furthest along.
func sum(ts []share.Transfer) total {
	order := map[share.State]int{
		share.Stopped: 0, share.Waiting: 1, share.Paused: 1, share.Queued: 2, share.Finding: 3,
		share.Hashing: 4, share.Checking: 4, share.Seeding: 5, share.Fetching: 6,
	}
	var s total
	for i, t := range ts {
		if i == 0 || order[t.State] > order[s.state] {
			s.state, s.reason = t.State, t.Reason
		}
		s.name = nameOf(t)
		s.bytes += t.Bytes
		s.size += t.Total
		s.down += t.Down
		s.up += t.Up
		s.peers += t.Peers
	}
	s.count = len(ts)
	if s.count > 1 {
		s.name = fmt.Sprintf("%d transfers", s.count)
	}
	return s
}

// left is the time left at the current rate, or 0 if it cannot be estimated.
func (s total) left() time.Duration {
	speed := float64(s.down)
	if s.state == share.Hashing || s.state == share.Checking {
		speed = s.reading
	}
	if speed <= 0 || s.size <= s.bytes {
		return 0
	}
	secs := float64(s.size-s.bytes) / speed
	if secs > 100*24*3600 {
		return 0
	}
	return time.Duration(secs * float64(time.Second))
}

// bar is one line for a terminal of the given width.
func (s total) bar(width int) string {
	switch s.state {
	case share.Hashing, share.Checking:
		if s.size == 0 {
			break
		}
		verb := map[share.State]string{share.Hashing: "reading ", share.Checking: "checking "}[s.state]
		text := fmt.Sprintf("%s of %s", padLeft(size(s.bytes), 6), size(s.size))
		if left := s.left(); left > 0 {
			text += "  " + padLeft(span(left)+" left", 11)
		}
		return fitted(width, verb+escape(s.name), s.bytes, s.size, text)
	case share.Fetching:
		text := fmt.Sprintf("%s of %s  ", padLeft(size(s.bytes), 6), size(s.size))
		if s.reason != "" && (s.down == 0 || s.count == 1) {
			return fitted(width, "", s.bytes, s.size, text+escape(s.reason))
		}
		left := ""
		if d := s.left(); d > 0 {
			left = span(d) + " left"
		}
		// A fixed width, so that the bar does not jump.
		text += padLeft(rate(s.down), 8) + "  " + padLeft(left, 11) + "  " + padLeft(count(s.peers, "peer"), 8)
		return fitted(width, "", s.bytes, s.size, text)
	}
	return clip(s.line(), width)
}

// fitted is a label, a bar, a percentage and a text; the bar fills the remaining
// width.
func fitted(width int, label string, done, all int64, text string) string {
	const fixed = len("100% ||  ")
	room := width - cells(text) - fixed
	if label != "" {
		label = clip(label, max(12, room-20)) + " "
		room -= cells(label)
	}
	bar := ""
	if room >= 5 && all > 0 {
		bar = drawBar(room, min(done, all), all)
	} else {
		bar = fmt.Sprintf("%3d%%", percent(done, all))
	}
	return clip(label+bar+" "+text, width)
}

// drawBar is " 45% |████    |" with the given number of columns between the bars.
func drawBar(width int, done, all int64) string {
	b := progressbar.NewOptions64(all,
		progressbar.OptionSetWriter(io.Discard),
		progressbar.OptionSetWidth(width),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
	)
	if done == 0 {
		b.RenderBlank()
	} else {
		b.Set64(done)
	}
	// The library rounds the percentage down, as percent does, and returns an empty
	// string below one percent.
	if s := strings.Trim(b.String(), "\r "); s != "" {
		return padLeft(s, width+len("100% ||"))
	}
	return fmt.Sprintf("%3d%% |%s|", percent(done, all), strings.Repeat(" ", width))
}

// line is the progress as words, without a bar.
func (s total) line() string {
	name := escape(s.name)
	because := func(line string) string {
		if s.reason != "" {
			line += ": " + escape(s.reason)
		}
		return line
	}
	switch s.state {
	case share.Hashing:
		return "reading " + name + s.progress() + s.ending()
	case share.Checking:
		return "checking " + name + s.progress() + s.ending()
	case share.Finding:
		if s.reason != "" {
			return name + ": " + escape(s.reason)
		}
		return "looking for peers that have " + name
	case share.Queued:
		return because(name + " is queued")
	case share.Paused:
		return because(name + " is paused")
	case share.Waiting:
		return because(name + " waits for disk space")
	case share.Stopped:
		return because(name + " has stopped")
	case share.Seeding:
		return fmt.Sprintf("seeding %s: %s up, %s", name, rate(s.up), count(s.peers, "peer"))
	}
	return because(fmt.Sprintf("%s%s, %s%s, %s", name, s.progress(), rate(s.down), s.ending(), count(s.peers, "peer")))
}

// ending is ", 5m left", or "" if that is not known.
func (s total) ending() string {
	if left := s.left(); left > 0 {
		return ", " + span(left) + " left"
	}
	return ""
}

// progress is ": 45%, 12 MB of 27 MB", or "" while the size is unknown.
func (s total) progress() string {
	if s.size == 0 {
		return ""
	}
	return fmt.Sprintf(": %d%%, %s of %s", percent(s.bytes, s.size), size(s.bytes), size(s.size))
}
