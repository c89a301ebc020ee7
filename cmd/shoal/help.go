package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// groups are the headings of the verbs in the help.
var groups = [...]string{"Share and download", "Inspect", "Manage", "The node", "Other"}

func helpVerb(verbs func() []*verb) *verb {
	return &verb{
		name: "help", args: "[VERB]", short: "explain shoal, or one verb", group: "Other", max: 1,
		examples: []example{
			{"shoal help get", "the same as shoal get --help"},
			{"shoal help --man | man -l -", "read the manual page"},
		},
		flags: []cli.Flag{boolFlag("man", "print the manual page, in the format of man(7)")},
		run: func(_ context.Context, c *call) error {
			switch name := c.Args().First(); {
			case c.Bool("man"):
				fmt.Fprint(c.out, manual(verbs()))
			case name != "":
				v, err := findVerb(name, verbs())
				if err != nil {
					return err
				}
				fmt.Fprint(c.out, v.help(c.out.margin()))
			default:
				fmt.Fprint(c.out, overview(verbs(), c.out.margin()))
			}
			return nil
		},
	}
}

// narrow is the width below which explanations are written below what they explain.
const narrow = 60

// overview is the help of the program, in lines of at most right columns.
func overview(verbs []*verb, right int) string {
	var b strings.Builder
	b.WriteString(fill("shoal shares folders directly from your machine, peer to peer", right, "") + "\n\n")
	b.WriteString("usage: shoal VERB [ARGUMENTS] [FLAGS]\n")
	width := 0
	for _, v := range verbs {
		width = max(width, cells(v.usage()))
	}
	for _, g := range groups {
		fmt.Fprintf(&b, "\n%s\n", g)
		for _, v := range verbs {
			if v.group == g {
				b.WriteString(entry(v.usage(), v.short, width+4, right))
			}
		}
	}
	b.WriteString("\nExit status\n")
	for _, e := range exits {
		fmt.Fprintf(&b, "  %3d  %s\n", e.kind, strings.TrimLeft(fill(e.means, right, "       "), " "))
	}
	b.WriteString("\n" + fill(anyFlag, right, "") + "\n")
	b.WriteString("\n" + fill("shoal VERB --help explains a verb and gives examples.", right, "") + "\n")
	return b.String()
}

// anyFlag is part of the help and of the manual page.
const anyFlag = "Flags may be given anywhere on the command line. Most also have an environment variable: " +
	"SHOAL_ and the name in capitals with _ instead of -, so SHOAL_STATE sets --state. A flag overrides the " +
	"environment, and the environment overrides the configuration file."

// usage is the verb and its arguments.
func (v *verb) usage() string { return strings.TrimSpace(v.name + " " + v.args) }

// help explains one verb, in lines of at most right columns, except for commands.
func (v *verb) help(right int) string {
	var b strings.Builder
	b.WriteString(fill("shoal "+v.name+": "+v.short, right, "") + "\n\n")
	fmt.Fprintf(&b, "usage: shoal %s [FLAGS]\n", v.usage())
	for _, p := range paragraphs(v.long) {
		b.WriteString("\n" + fill(p, right, "") + "\n")
	}
	if len(v.examples) > 0 {
		b.WriteString("\nExamples\n")
		for _, e := range v.examples {
			fmt.Fprintf(&b, "  %s\n%s\n", e.command, fill(e.does, right, "      "))
		}
	}
	own, node := split(v.flags)
	writeFlags(&b, "Flags", own, right)
	if v.settings {
		writeFlags(&b, "Settings of the node", node, right)
	} else if len(node) > 0 {
		var names []string
		for _, f := range node {
			name, _ := describe(f)
			names = append(names, strings.ReplaceAll(name, " ", "\u00a0"))
		}
		b.WriteString("\n" + fill("Settings of the node, used if none is running yet (see shoal daemon --help)", right, "") + "\n")
		b.WriteString(strings.ReplaceAll(fill(strings.Join(names, ", "), right, "  "), "\u00a0", " ") + "\n")
	}
	return b.String()
}

// split separates a verb's own flags from the settings of the node.
func split(flags []cli.Flag) (own, node []cli.Flag) {
	for _, f := range flags {
		if c, ok := f.(cli.CategorizableFlag); ok && c.GetCategory() == nodeCategory {
			node = append(node, f)
		} else {
			own = append(own, f)
		}
	}
	return own, node
}

func writeFlags(b *strings.Builder, title string, flags []cli.Flag, right int) {
	if len(flags) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	for _, f := range flags {
		name, usage := describe(f)
		if name == "" {
			continue
		}
		if letter := shortOf(f); letter != "" {
			name = letter + ", " + name
		}
		b.WriteString(entry(name, usage, 22, right))
	}
}

// entry is a name and what it means: from column indent on, or below the name where the
// name is long or the terminal narrow.
func entry(name, means string, indent, right int) string {
	below := cells(name)+3 > indent || right < narrow
	if right < narrow {
		indent = 6
	}
	text := fill(means, right, strings.Repeat(" ", indent))
	if below {
		return "  " + name + "\n" + text + "\n"
	}
	return "  " + pad(name, indent-2) + strings.TrimLeft(text, " ") + "\n"
}

// shortOf gives "-o", or nothing for a flag that has no name of one letter.
func shortOf(f cli.Flag) string {
	for _, n := range f.Names() {
		if len(n) == 1 {
			return "-" + n
		}
	}
	return ""
}

// describe gives "--output DIR" and its explanation, with the default. The
// placeholder is what stands between backquotes in the usage.
func describe(f cli.Flag) (name, usage string) {
	d, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return "", ""
	}
	if v, ok := f.(cli.VisibleFlag); ok && !v.IsVisible() {
		return "", ""
	}
	name, usage = "--"+f.Names()[0], d.GetUsage()
	before, rest, ok := strings.Cut(usage, "`")
	if placeholder, after, closed := strings.Cut(rest, "`"); ok && closed {
		name += " " + placeholder
		usage = before + placeholder + after
	}
	switch text := strings.Trim(d.GetDefaultText(), `"`); text {
	case "", "0", "0s":
	default:
		if d.TakesValue() {
			usage += " (default: " + text + ")"
		}
	}
	return name, usage
}

func paragraphs(s string) []string {
	var out []string
	for p := range strings.SplitSeq(s, "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

// fill breaks a paragraph into lines up to column right, each after indent.
func fill(s string, right int, indent string) string {
	var lines []string
	line := indent
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\n' }) { // not at U+00A0
		if line != indent && cells(line)+1+cells(w) > right {
			lines = append(lines, line)
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += w
	}
	return strings.Join(append(lines, line), "\n")
}

// manual is the manual page, shoal(1), made from the same table as the help.
func manual(verbs []*verb) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p(`.TH SHOAL 1 "" "shoal %s" "User Commands"`, roff(buildVersion().Version))
	p(".SH NAME\nshoal \\- share folders directly from your machine, peer to peer")
	p(".SH SYNOPSIS\n.B shoal\n.I VERB\n[\\fIARGUMENTS\\fR] [\\fIFLAGS\\fR]")
	p(".SH DESCRIPTION")
	for _, s := range []string{about, anyFlag} {
		p(".PP\n%s", roff(s))
	}
	p(".SH VERBS")
	var node []cli.Flag
	for _, v := range verbs {
		p(".SS %s", roff(v.usage()))
		p("%s.", roff(capital(v.short)))
		for _, s := range paragraphs(v.long) {
			p(".PP\n%s", roff(s))
		}
		own, shared := split(v.flags)
		roffFlags(p, own)
		if v.settings && len(shared) > 0 {
			node = shared
		}
		for _, e := range v.examples {
			p(".PP\n%s:\n.PP\n.RS 4\n.nf\n%s\n.fi\n.RE", roff(capital(e.does)), roff(e.command))
		}
	}
	if len(node) > 0 {
		p(".SH SETTINGS OF THE NODE")
		p("The daemon takes all of these as flags; other verbs take those that apply to a node they run themselves. " +
			"In the configuration file the key is the name without the dashes.")
		roffFlags(p, node)
	}
	p(".SH EXIT STATUS")
	for _, e := range exits {
		p(".TP\n.B %d\n%s", e.kind, roff(capital(e.means))+".")
	}
	p(".SH FILES")
	p(".TP\n.I $XDG_STATE_HOME/shoal\nThe state directory: transfers, torrents and the control socket. \\fB\\-\\-state\\fR sets another one.")
	return b.String()
}

const about = "shoal turns a folder into a link. Anyone who has the link can download the files from the peers that have " +
	"them, over globally reachable IPv6, with no account and no server in the middle. It speaks BitTorrent, so it works " +
	"with existing clients. Verbs talk to the running node of the same state directory. If none is running, they " +
	"run one themselves for as long as they need it."

func roffFlags(p func(string, ...any), flags []cli.Flag) {
	for _, f := range flags {
		name, usage := describe(f)
		if name == "" {
			continue
		}
		flag, placeholder, _ := strings.Cut(name, " ")
		head := `\fB` + roff(flag) + `\fR`
		if letter := shortOf(f); letter != "" {
			head = `\fB` + roff(letter) + `\fR, ` + head
		}
		if placeholder != "" {
			head += ` \fI` + roff(placeholder) + `\fR`
		}
		p(".TP\n%s\n%s.", head, roff(capital(usage)))
	}
}

// roff escapes text for troff.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, "…", "...").Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}

func capital(s string) string {
	if s == "" || strings.HasPrefix(s, "shoal") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
