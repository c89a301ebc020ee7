//go:build linux

package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// A page of the documentation, as TestGuide reads it. Its code is in fences that say
// what it is:
//
//	sh       a command a line. "# ..." at the end is a remark; one that says "on the box"
//	         or "on the other machine" names the machine on which the command is given,
//	         and as a line of its own it does so for the rest of the block.
//	console  commands after "$ ", each followed by what it prints
//	toml     a configuration file
//	ini      what is added to the systemd unit
//
// In what is printed, … stands for anything, and numbers, sizes, times, IDs, addresses
// and the home directory are not compared. A line that begins with "downloading " may be
// missing: what is small has arrived before it is printed.

// chapter is what stands below a heading of the second level.
type chapter struct {
	title string
	steps []step
}

// step is a command, or a configuration file.
type step struct {
	line   int
	text   string // without the prompt and the remark
	remark string
	at     string   // the machine: "" is the reader's own
	says   []string // what the page shows that it prints; nil if it shows nothing
	kind   string   // of a text that is no command: toml or ini
}

var (
	remark  = regexp.MustCompile(`(?:^|\s+)# (.*)$`)
	machine = regexp.MustCompile(`\bon (the box|the other machine)\b`)
)

// readPage reads the code of a page, and refuses what it would otherwise pass over.
func readPage(path string) (chapters []chapter, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	chapters = []chapter{{title: "the beginning"}}
	language, at, before, indent := "", "", "", ""
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if inside := strings.TrimPrefix(line, indent); language != "" || strings.HasPrefix(strings.TrimLeft(line, " "), "```") {
			if language == "" { // a fence in a list is indented
				indent = line[:len(line)-len(strings.TrimLeft(line, " "))]
				inside = strings.TrimPrefix(line, indent)
			}
			line = inside
		}
		here := &chapters[len(chapters)-1]
		switch fence, ok := strings.CutPrefix(line, "```"); {
		case ok && language != "":
			language = ""
		case ok:
			language, at = fence, ""
			switch fence {
			case "sh", "console":
			case "toml", "ini":
				here.steps = append(here.steps, step{line: n, kind: fence})
			default:
				return nil, fmt.Errorf("%s:%d: %q is no kind of code that is tested: sh, console, toml or ini", path, n, fence)
			}
		case language == "":
			if strings.HasPrefix(line, "    ") && strings.TrimSpace(before) == "" {
				return nil, fmt.Errorf("%s:%d: code is written between fences, not indented", path, n)
			}
			if title, ok := strings.CutPrefix(line, "## "); ok {
				chapters = append(chapters, chapter{title: title})
			}
		case language == "toml" || language == "ini":
			here.steps[len(here.steps)-1].text += line + "\n"
		case language == "console" && !strings.HasPrefix(line, "$ "):
			if len(here.steps) == 0 || here.steps[len(here.steps)-1].kind != "" {
				return nil, fmt.Errorf("%s:%d: this is printed by no command", path, n)
			}
			last := &here.steps[len(here.steps)-1]
			last.says = append(last.says, line)
		default:
			s := step{line: n, text: strings.TrimPrefix(line, "$ "), at: at}
			if m := remark.FindStringSubmatchIndex(s.text); m != nil {
				s.remark, s.text = s.text[m[2]:m[3]], s.text[:m[0]]
			}
			where := machine.FindStringSubmatch(s.remark)
			if where != nil {
				s.at = where[1]
			}
			if s.text != "" {
				here.steps = append(here.steps, s)
			} else if where != nil {
				at = s.at
			}
		}
		before = line
	}
	return chapters, nil
}

var variable = regexp.MustCompile(`…` +
	`|https?://\S+` +
	`|\[?[0-9a-f]*:[0-9a-f:]*:[0-9a-f:]*\]?(?::\d+)?(?:/\d+)?` + // an address
	`|/home/you` +
	`|\b[0-9a-f]*[0-9][0-9a-f]{3,}\b` + // an ID
	`|\d[\d,.:-]*(?: ?(?:[kMGT]?i?B|[dhms]))?\b` + // a number, size or time
	`|\s+`)

// prints is the pattern of what a page shows that a command prints.
func prints(says []string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`^\s*`)
	for i, line := range says {
		end := `\s*\n`
		if i == len(says)-1 {
			end = ""
		}
		rest, brief := line, strings.HasPrefix(line, "downloading ")
		if brief {
			b.WriteString("(?:")
		}
		for rest != "" {
			m := variable.FindStringIndex(rest)
			if m == nil {
				break
			}
			b.WriteString(regexp.QuoteMeta(rest[:m[0]]))
			switch found := rest[m[0]:m[1]]; {
			case strings.TrimSpace(line) == "…":
				b.WriteString(`(?s:.*)`)
			case found == "…":
				b.WriteString(`.*`)
			case strings.TrimSpace(found) == "":
				b.WriteString(`\s+`)
			case strings.HasPrefix(found, "/"), strings.Contains(found, "://"):
				b.WriteString(`\S+`)
			case strings.Contains(found, "::"):
				b.WriteString(`[\[\]0-9a-f:./]+`)
			default:
				b.WriteString(`[0-9a-f][0-9a-f,.:-]*(?: ?(?:[kMGT]?i?B|[dhms]\b))?`)
			}
			rest = rest[m[1]:]
		}
		b.WriteString(regexp.QuoteMeta(rest))
		b.WriteString(end)
		if brief {
			b.WriteString(")?")
		}
	}
	b.WriteString(`\s*$`)
	return regexp.MustCompile(b.String())
}

// What a page shows is compared with what is printed: other words differ, other
// figures do not.
func TestPagesAreCompared(t *testing.T) {
	shown := []string{"photos: 1.2 GB in 340 files", "magnet:?xt=urn:btih:3fa9…&x.pe=[2001:db8::5]:51413", "/home/you/photos", "…", "took 1m (11 MB/s)"}
	printed := "photos: 3 kB in 2 files\nmagnet:?xt=urn:btih:00ab12&dn=x&x.pe=[2001:db8:1::9]:7\n/tmp/x/photos\n\nmore\nand more\ntook 0.1s (1.0 kB/s)\n"
	if !prints(shown).MatchString(printed) {
		t.Errorf("%s does not match", printed)
	}
	if fast := []string{"downloading photos: 1.2 GB", "/home/you/photos"}; !prints(fast).MatchString("/tmp/x/photos\n") || !prints(fast).MatchString("downloading photos: 3 kB\n/tmp/x/photos\n") ||
		prints(fast).MatchString("fetching photos: 3 kB\n/tmp/x/photos\n") {
		t.Errorf("only a line of what is being downloaded may be missing: %s", prints(fast))
	}
	for _, other := range [][2]string{{"photos:", "films:"}, {" in 2 files", ""}, {"took", "lasted"}, {"magnet:", "http:"}, {"/photos", "/films"}} {
		if p := strings.Replace(printed, other[0], other[1], 1); prints(shown).MatchString(p) {
			t.Errorf("this should not match: %s", p)
		}
	}
}
