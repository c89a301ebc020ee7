package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/node"
	"github.com/shoalnet/shoal/share"
)

// The names of what is shared and is no file, unless --name says another.
const (
	stdinName = "stdin"
	textName  = "text.txt"
)

// maxText bounds the text of --text, in bytes.
const maxText = 1 << 20

// spooling is what one command shares that is no file of the user's: its standard input,
// or a text. It is written to the spool of the node once, also if the command then uses
// another node.
type spooling struct {
	name string
	text string // the value of --text, - for standard input; empty where stdin is shared as it is
	in   *os.File

	file *node.Spooled
	// left says that a node that outlives this command may need the file, and deletes it.
	left bool
}

// write writes the file, unless that was done before, and returns its path.
func (s *spooling) write(ctx context.Context, n client, out *output) (string, error) {
	if s.file != nil {
		return s.file.Path(), nil
	}
	what, from := "standard input", io.Reader(struct{ io.Reader }{s.in})
	switch {
	case s.text != "" && s.text != "-":
		what, from = "the text", strings.NewReader(wholeLine(s.text))
	case term.IsTerminal(int(s.in.Fd())):
		out.tell("Type or paste what to share, and end with Ctrl-D on a line of its own.")
	}
	if s.text == "-" {
		text, err := readText(ctx, s.in)
		if err != nil {
			return "", err
		}
		from = strings.NewReader(text)
	}
	info, err := n.Info(ctx)
	if err != nil {
		return "", err
	}
	free, err := minFree(ctx, n)
	if err != nil {
		return "", err
	}
	s.file, err = node.Spool(ctx, node.SpoolOptions{
		State: info.State, Name: s.name, What: what, MinFree: free,
		Progress: func(bytes int64) { out.status("reading " + what + "  " + size(bytes)) },
	}, from)
	out.status("")
	switch {
	case ctx.Err() != nil && err != nil:
		return "", share.Errorf(share.Interrupted, "interrupted while reading %s: nothing is shared", what)
	case err != nil:
		return "", err
	case s.file.Size() == 0:
		return "", usageErrorf("%s is empty: there is nothing to share", what)
	}
	return s.file.Path(), nil
}

// has tells whether path is that of the file.
func (s *spooling) has(path string) bool { return s != nil && s.file != nil && s.file.Path() == path }

// minFree is how much of its disks the node leaves free.
func minFree(ctx context.Context, n client) (int64, error) {
	all, err := n.Settings(ctx)
	if err != nil {
		return 0, err
	}
	for _, s := range all {
		if s.Name == "min-free" {
			return config.ParseSize(s.Value)
		}
	}
	return 0, nil
}

// leave gives the file to the node, which deletes it when nothing shares it any more. To
// be called before the lease of the command ends.
func (s *spooling) leave() {
	if s != nil && s.file != nil {
		s.file.Leave()
	}
}

// end deletes the file, unless a node does.
func (s *spooling) end() error {
	if s == nil || s.file == nil || s.left {
		return nil
	}
	return s.file.Delete()
}

// readText reads the text of --text - from standard input.
func readText(ctx context.Context, in io.Reader) (string, error) {
	type read struct {
		b   []byte
		err error
	}
	done := make(chan read, 1)
	go func() {
		b, err := io.ReadAll(io.LimitReader(in, maxText+1))
		done <- read{b, err}
	}()
	var r read
	select {
	case <-ctx.Done():
		return "", share.Errorf(share.Interrupted, "interrupted while reading standard input: nothing is shared")
	case r = <-done:
	}
	switch {
	case r.err != nil:
		return "", share.Errorf(share.Failed, "reading standard input: %w", r.err)
	case len(r.b) == 0:
		return "", usageErrorf("standard input is empty: there is nothing to share")
	case len(r.b) > maxText:
		return "", usageErrorf("standard input has more than %s, too much for --text; shoal share - takes any amount", size(maxText))
	}
	text := string(bytes.TrimPrefix(r.b, []byte("\ufeff")))
	return wholeLine(text), checkText(text)
}

func checkText(text string) error {
	if !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
		return usageErrorf("--text takes text in UTF-8; shoal share - takes any data")
	}
	return nil
}

// wholeLine ends a text with a line break, as programs that read text files expect.
func wholeLine(text string) string {
	if strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}
