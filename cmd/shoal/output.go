package main

// How shoal prints. Every verb follows these rules:
//
//   - stdout is data for other programs. Without --json it is the link, the table
//     or the text that was asked for, and nothing else.
//   - With --json stdout has one JSON object a line and nothing else; sizes are
//     exact bytes, rates bytes per second, times RFC 3339, IDs 40 hex digits.
//   - stderr is for people. A failure is one line there, "shoal: message",
//     lower-case, without a full stop, with what to do if that is known.
//     With --json the failure is on stdout, too: {"event":"error",...}. With
//     --quiet there are only failures and questions.
//   - Progress goes to stderr: a bar that redraws itself where stderr is a
//     terminal, else a plain line every few seconds, and with --json progress
//     records on stdout instead.
//   - No line is wider than 80 columns, except for links, paths and names that
//     people must be able to copy. Sizes are decimal (1 MB is 10^6 bytes).
//   - Text from the network is printed with its control and direction characters
//     made visible. In JSON they are escaped by the rules of JSON.
//   - Colours are for terminals that want them (NO_COLOR), and only repeat what the
//     words say.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/shoalnet/shoal/share"
)

// columns is the width assumed when the output is not a terminal.
const columns = 80

// output is where a verb prints. It may be used from several goroutines.
type output struct {
	json     bool
	quiet    bool       // people are told nothing but failures
	terminal bool       // stderr is a terminal that can redraw a line
	width    func() int // of stderr, in columns
	page     func() int // of stdout if that is a terminal, else nil
	colour   bool       // stdout is a terminal that wants colours
	alarm    bool       // stderr is
	reflows  bool       // the terminal wraps its lines anew when it becomes narrower

	mu     sync.Mutex
	stdout io.Writer
	stderr io.Writer
	live   string // the line of progress now on the terminal
	err    error  // the first failure to write to stdout
}

func newOutput(stdout, stderr *os.File, asJSON bool) *output {
	o := &output{stdout: stdout, stderr: stderr, json: asJSON, width: func() int { return columns }}
	if term.IsTerminal(int(stderr.Fd())) && os.Getenv("TERM") != "dumb" {
		o.terminal = true
		o.width = widthOf(stderr)
		o.alarm = colourful()
		// Nearly all do. xterm sets this variable and cuts lines off instead.
		o.reflows = os.Getenv("XTERM_VERSION") == ""
	}
	if term.IsTerminal(int(stdout.Fd())) {
		o.page = widthOf(stdout)
		o.colour = colourful()
	}
	return o
}

func widthOf(f *os.File) func() int {
	return func() int {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
		return columns
	}
}

// margin is the last column that sentences are written to, unless the terminal is narrower.
const margin = 78

// fill breaks a paragraph into lines for stdout, each after indent.
func (o *output) fill(text, indent string) string { return fill(text, o.margin(), indent) }

func (o *output) margin() int {
	if o.page == nil {
		return margin
	}
	return min(margin, o.page())
}

// aside breaks a paragraph into lines for stderr.
func (o *output) aside(text string) string { return fill(text, min(margin, o.width()), "") }

// record prints one JSON object and a newline on stdout.
func (o *output) record(v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // links must stay copyable
	if err := enc.Encode(v); err != nil {
		o.say("shoal: writing JSON: %s", err)
		return
	}
	o.lines(b.Bytes())
}

// records prints many objects with one write: a node may have ten thousand transfers.
func records[T any](o *output, all []T) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i := range all {
		if err := enc.Encode(all[i]); err != nil {
			o.say("shoal: writing JSON: %s", err)
			break
		}
	}
	o.lines(b.Bytes())
}

// data prints one line on stdout.
func (o *output) data(line string) { o.lines(append([]byte(line), '\n')) }

// lines prints whole lines on stdout.
func (o *output) lines(text []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hide()
	o.write(text)
	o.show()
}

// Write writes bytes to stdout unchanged.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hide()
	defer o.show()
	n, err := o.stdout.Write(p)
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("writing to standard output: %w", err)
	}
	return n, err
}

func (o *output) write(p []byte) {
	if _, err := o.stdout.Write(p); err != nil && o.err == nil {
		o.err = fmt.Errorf("writing to standard output: %w", err)
	}
}

// failure returns the first error of writing to stdout.
func (o *output) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// say prints a line for people on stderr, unless they want none.
func (o *output) say(format string, args ...any) {
	if !o.quiet {
		o.insist(format, args...)
	}
}

// tell prints sentences for people on stderr, in lines that fit the terminal.
func (o *output) tell(format string, args ...any) {
	text, apart := strings.CutPrefix(fmt.Sprintf(format, args...), "\n") // a blank line before it
	text = o.aside(text)
	if apart {
		text = "\n" + text
	}
	o.say("%s", text)
}

// insist prints a line for people on stderr.
func (o *output) insist(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hide()
	fmt.Fprintf(o.stderr, format+"\n", args...)
	o.show()
}

// ask prints a question on stderr without a line break.
func (o *output) ask(question string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hide()
	io.WriteString(o.stderr, question)
	o.show()
}

// log is the writer for the log of a node in this process. It expects whole lines.
func (o *output) log() io.Writer { return logWriter{o} }

type logWriter struct{ o *output }

func (w logWriter) Write(p []byte) (int, error) {
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	w.o.hide()
	defer w.o.show()
	return w.o.stderr.Write(p)
}

// status replaces the live line at the bottom of the terminal; "" removes it. It
// does nothing if stderr is not a terminal.
func (o *output) status(line string) {
	if !o.terminal || o.quiet {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if line == o.live {
		return
	}
	o.hide()
	o.live = clip(line, o.width()-1)
	o.show()
}

// hide removes the live line. A terminal that became narrower has wrapped it: the
// cursor is on its last row then.
func (o *output) hide() {
	if o.live == "" {
		return
	}
	up := ""
	if w := o.width(); o.reflows && w > 0 {
		if rows := (cells(o.live) + w - 1) / w; rows > 1 {
			up = fmt.Sprintf("\x1b[%dA", rows-1)
		}
	}
	if up == "" {
		io.WriteString(o.stderr, "\r\x1b[K")
		return
	}
	io.WriteString(o.stderr, "\r"+up+"\x1b[J")
}

func (o *output) show() {
	if o.live != "" {
		io.WriteString(o.stderr, o.live)
	}
}

type errorRecord struct {
	Event   string `json:"event"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// fail reports err in the form that was asked for.
func (o *output) fail(err error) {
	o.status("")
	message := share.Redact(err.Error())
	if o.json {
		o.record(errorRecord{"error", kindOf(err).Code(), message})
	}
	name := "shoal:"
	if o.alarm {
		name = coloured(bad, name)
	}
	o.insist("%s %s", name, escape(message))
}
